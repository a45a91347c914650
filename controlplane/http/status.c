/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/status and /healthz. What this process knows itself is always told; what only Redis or the dataplane knows is
 * added when they answer: the nodes, and the number of channels, which are null otherwise.
 */
#include "api/haul_error.h"
#include "base/clock.h"
#include "base/trace.h"
#include "conf/controlplane.h"
#include "controlplane/http/metrics.h"
#include "controlplane/http/pages.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"

#include <stdlib.h>

/* A status that is being put together. */
struct picture {
	struct reply *reply;
	json_t *body;
	bool is_answering; /* the dataplane may be asked */
};

static const char *node_word(enum standing_state state)
{
	switch (state) {
	case STANDING_PUBLISHED:
		return "published";
	case STANDING_REFUSED:
		return "refused";
	default:
		return "unknown";
	}
}

static json_t *redis_make(const struct link_status *status)
{
	json_t *redis = json_object();

	(void)json_object_set_new(redis, "state", json_string(status->redis_word));
	(void)json_object_set_new(redis, "address", json_string(status->redis_address));
	(void)json_object_set_new(redis, "reason",
				  json_bytes(status->redis_reason, HAUL_REASON_BYTES));
	(void)json_object_set_new(redis, "epoch", json_identity(status->epoch));
	return redis;
}

static void node_put(json_t *body, const struct link_status *status)
{
	bool is_named = status->node[0] != '\0';

	(void)json_object_set_new(body, "node", json_string(status->node));
	(void)json_object_set_new(body, "incarnation",
				  is_named ? json_identity(status->incarnation) : json_null());
	(void)json_object_set_new(body, "term", json_u64(status->term));
	(void)json_object_set_new(body, "node_state", json_string(node_word(status->standing)));
	(void)json_object_set_new(body, "node_reason",
				  json_bytes(status->standing_reason, HAUL_REASON_BYTES));
}

static json_t *body_make(const struct http_scene *scene, const struct link_status *status)
{
	json_t *body = json_object();

	(void)json_object_set_new(body, "version", json_string(HAUL_VERSION_TEXT));
	(void)json_object_set_new(body, "cluster", json_string(scene->conf->cluster));
	(void)json_object_set_new(body, "uptime_ms",
				  json_u64((clock_now_us() - scene->started_us) / 1000));
	node_put(body, status);
	(void)json_object_set_new(body, "dataplane", json_boolean(status->has_dataplane));
	(void)json_object_set_new(body, "dataplane_answers", json_boolean(status->is_answering));
	(void)json_object_set_new(body, "dataplane_process", json_integer(status->pid));
	(void)json_object_set_new(body, "trace_file",
				  json_sprintf("%s" TRACE_SUFFIX, scene->conf->counters_file));
	(void)json_object_set_new(body, "redis", redis_make(status));
	(void)json_object_set_new(body, "segments", json_integer(status->published));
	(void)json_object_set_new(body, "segments_doubtful", json_integer(status->doubtful));
	(void)json_object_set_new(body, "segments_open", json_integer(status->watched));
	(void)json_object_set_new(body, "requests", json_integer(status->requests));
	(void)json_object_set_new(body, "reconciled", json_u64(status->reconciled));
	return body;
}

static void channels_answered(void *arg, int error, const void *rows, unsigned int count,
			      const char *reason)
{
	struct picture *picture = arg;

	(void)rows;
	(void)reason;
	(void)json_object_set_new(picture->body, "channels",
				  error == 0 ? json_integer(count) : json_null());
	reply_json(picture->reply, 200, picture->body);
	free(picture);
}

static void nodes_answered(void *arg, json_t *body, int error, const char *reason)
{
	struct picture *picture = arg;

	(void)json_object_set(picture->body, "nodes",
			      error == 0 ? json_object_get(body, "nodes") : json_null());
	json_decref(body);
	if (picture->is_answering) {
		listings_ask(link_listings(reply_scene(picture->reply)->link), HAUL_TABLE_CHANNELS,
			     channels_answered, picture);
	} else {
		channels_answered(picture, -HAUL_UNAVAILABLE, NULL, 0, reason);
	}
}

void route_status(struct reply *reply, const char *rest)
{
	struct http_scene *scene = reply_scene(reply);
	struct picture *picture = malloc(sizeof(*picture));
	struct link_status status;

	(void)rest;
	if (picture == NULL) {
		reply_error(reply, -HAUL_SYSTEM, "no memory");
		return;
	}
	link_status(scene->link, &status);
	picture->reply = reply;
	picture->body = body_make(scene, &status);
	picture->is_answering = status.is_answering;
	pages_gather(scene, &pages_of_nodes, nodes_answered, picture);
}

void route_health(struct reply *reply, const char *rest)
{
	bool is_ok = false;
	json_t *body = metrics_health(reply_scene(reply), &is_ok);

	(void)rest;
	reply_json(reply, is_ok ? 200 : 503, body);
}
