/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/status and /healthz: what this process knows without asking anybody.
 */
#include "api/haul_error.h"
#include "base/clock.h"
#include "conf/controlplane.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"

#include <stdio.h>

static json_t *node_make(const struct link_status *status)
{
	static const char *const words[] = { "no dataplane", "waiting", "waiting", "published",
					     "refused" };
	json_t *node = json_object();

	(void)json_object_set_new(node, "name", json_string(status->node));
	(void)json_object_set_new(node, "incarnation", json_identity(status->incarnation));
	(void)json_object_set_new(node, "term", json_u64(status->term));
	(void)json_object_set_new(node, "state", json_string(words[status->standing]));
	(void)json_object_set_new(node, "reason",
				  json_bytes(status->standing_reason, HAUL_REASON_BYTES));
	return node;
}

static json_t *dataplane_make(const struct link_status *status)
{
	json_t *dataplane = json_object();

	(void)json_object_set_new(dataplane, "connected", json_boolean(status->has_dataplane));
	(void)json_object_set_new(dataplane, "answering", json_boolean(status->is_answering));
	(void)json_object_set_new(dataplane, "process", json_integer(status->pid));
	return dataplane;
}

static json_t *redis_make(const struct link_status *status)
{
	json_t *redis = json_object();

	(void)json_object_set_new(redis, "ready", json_boolean(status->is_redis_ready));
	(void)json_object_set_new(redis, "reason",
				  json_bytes(status->redis_reason, HAUL_REASON_BYTES));
	(void)json_object_set_new(redis, "epoch", json_identity(status->epoch));
	return redis;
}

static json_t *segments_make(const struct link_status *status)
{
	json_t *segments = json_object();

	(void)json_object_set_new(segments, "published", json_integer(status->published));
	(void)json_object_set_new(segments, "doubtful", json_integer(status->doubtful));
	(void)json_object_set_new(segments, "open", json_integer(status->watched));
	return segments;
}

void route_status(struct reply *reply, const char *rest)
{
	const struct http_scene *scene = reply_scene(reply);
	struct link_status status;
	json_t *body = json_object();

	(void)rest;
	link_status(scene->link, &status);
	(void)json_object_set_new(body, "version", json_string(HAUL_VERSION_TEXT));
	(void)json_object_set_new(body, "cluster", json_string(scene->conf->cluster));
	(void)json_object_set_new(body, "uptime_ms",
				  json_u64((clock_now_us() - scene->started_us) / 1000));
	(void)json_object_set_new(body, "node", node_make(&status));
	(void)json_object_set_new(body, "dataplane", dataplane_make(&status));
	(void)json_object_set_new(body, "redis", redis_make(&status));
	(void)json_object_set_new(body, "segments", segments_make(&status));
	(void)json_object_set_new(body, "requests", json_integer(status.requests));
	(void)json_object_set_new(body, "reconciled", json_u64(status.reconciled));
	reply_json(reply, 200, body);
}

void route_health(struct reply *reply, const char *rest)
{
	struct link_status status;
	json_t *body = NULL;

	(void)rest;
	link_status(reply_scene(reply)->link, &status);
	if (status.standing != STANDING_PUBLISHED) {
		reply_error(reply, HAUL_UNAVAILABLE, status.standing_reason);
		return;
	}
	if (!status.is_answering) {
		reply_error(reply, HAUL_UNAVAILABLE, "the dataplane does not answer");
		return;
	}
	body = json_object();
	(void)json_object_set_new(body, "healthy", json_true());
	reply_json(reply, 200, body);
}
