/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by ask for every answer, and by doctor.
 */
#include "tools/haulctl/shape.h"

#include "tools/haulctl/field.h"

#include <string.h>

static void shape_copy(json_t *body, const char *name, const json_t *value)
{
	if (value != NULL)
		(void)json_object_set_new(body, name, json_deep_copy(value));
}

/* Counters of both daemons in one array. */
static void shape_stats(json_t *body)
{
	json_t *counters = json_array();

	if (json_object_get(body, "counters") != NULL) {
		json_decref(counters);
		return;
	}
	(void)json_array_extend(counters, json_object_get(body, "dataplane"));
	(void)json_array_extend(counters, json_object_get(body, "controlplane"));
	(void)json_object_del(body, "dataplane");
	(void)json_object_del(body, "controlplane");
	(void)json_object_set_new(body, "counters", counters);
}

static void shape_status(json_t *body)
{
	const json_t *node = json_object_get(body, "node");
	json_t *redis = json_object_get(body, "redis");

	if (!json_is_object(node))
		return;
	if (json_object_get(redis, "state") == NULL) {
		bool is_ready = json_is_true(json_object_get(redis, "ready"));

		(void)json_object_set_new(redis, "state", json_string(is_ready ? "ready" : "down"));
	}
	shape_copy(body, "node_state", json_object_get(node, "state"));
	shape_copy(body, "node_reason", json_object_get(node, "reason"));
	shape_copy(body, "segments", field_find(body, "segments.published"));
	shape_copy(body, "dataplane", field_find(body, "dataplane.connected"));
	shape_copy(body, "node", json_object_get(node, "name"));
}

static void shape_nodes(json_t *body)
{
	json_t *node;
	size_t index;

	json_array_foreach(json_object_get(body, "nodes"), index, node)
	{
		if (json_object_get(node, "beat_age_ms") == NULL)
			shape_copy(node, "beat_age_ms", json_object_get(node, "still_ms"));
	}
}

void shape_answer(const char *target, json_t *body)
{
	if (strcmp(target, "/v1/stats") == 0)
		shape_stats(body);
	else if (strcmp(target, "/v1/status") == 0)
		shape_status(body);
	if (strcmp(target, "/v1/nodes") == 0 || strcmp(target, "/v1/status") == 0)
		shape_nodes(body);
}

static void shape_check(json_t *checks, const char *name, bool is_good, const char *detail,
			const char *advice)
{
	json_t *check = json_object();

	(void)json_object_set_new(check, "name", json_string(name));
	(void)json_object_set_new(check, "state", json_string(is_good ? "ok" : "fail"));
	(void)json_object_set_new(check, "detail", json_string(detail));
	(void)json_object_set_new(check, "advice", json_string(is_good ? "" : advice));
	(void)json_array_append_new(checks, check);
}

json_t *shape_checks(const json_t *status)
{
	bool has_redis = strcmp(field_string(status, "redis.state"), "ready") == 0;
	bool has_dataplane = json_is_true(json_object_get(status, "dataplane"));
	bool is_published = strcmp(field_string(status, "node_state"), "published") == 0;
	json_t *checks = json_array();

	shape_check(checks, "redis", has_redis,
		    has_redis ? "answers" : field_string(status, "redis.reason"),
		    "transfers go on; nothing new can be published or opened until it answers");
	shape_check(checks, "dataplane", has_dataplane,
		    has_dataplane ? "connected" : "not connected",
		    "start haul-dataplane with the same control_socket");
	shape_check(
		checks, "node", is_published,
		is_published ? "published" : field_string(status, "node_reason"),
		"a name is one dataplane's: its holder must leave, or be silent until it is dead");
	return checks;
}
