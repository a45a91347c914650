/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/stats: the counters of this process, and those of the dataplane out of its file of shared memory, which is read
 * without asking it.
 */
#include "controlplane/http/stats.h"

#include "base/counters.h"
#include "conf/controlplane.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"

#include <string.h>

static void counter_put(json_t *array, const char *plane, const struct counter_value *value)
{
	json_t *counter = json_object();

	(void)json_object_set_new(counter, "plane", json_string(plane));
	(void)json_object_set_new(counter, "group", json_bytes(value->group, HAUL_NAME_BYTES));
	(void)json_object_set_new(counter, "name", json_bytes(value->name, HAUL_NAME_BYTES));
	(void)json_object_set_new(counter, "unit", json_bytes(value->unit, HAUL_NAME_BYTES));
	(void)json_object_set_new(counter, "meaning",
				  json_bytes(value->meaning, HAUL_REASON_BYTES));
	(void)json_object_set_new(counter, "value", json_u64(value->value));
	(void)json_array_append_new(array, counter);
}

static void dataplane_counter(const struct counter_value *value, void *argument)
{
	counter_put(argument, "dataplane", value);
}

/* The reason stands in the body when the file cannot be read: the dataplane may not run. */
static void dataplane_put(json_t *array, json_t *body, const char *path)
{
	struct counters_view *view = NULL;
	int error = counters_open(path, &view);

	if (error == 0) {
		counters_each(view, dataplane_counter, array);
	} else {
		(void)json_object_set_new(body, "dataplane_reason",
					  json_sprintf("counters of the dataplane: %s: %s", path,
						       strerrordesc_np(-error)));
	}
	counters_close(view);
}

void stats_each(const struct http_scene *scene, counters_fn fn, void *argument)
{
	const struct requests_stats *requests = link_requests_stats(scene->link);
	const struct link_stats *link = link_stats(scene->link);
	const struct door_stats *door = link_door_stats(scene->link);
	const struct counter_value values[] = {
		{ "control_door", "hellos", "dataplanes", "let in", door->hellos },
		{ "control_door", "refused", "hellos", "refused", door->refused },
		{ "control_door", "malformed", "messages", "of the dataplane that were refused",
		  door->malformed },
		{ "control_link", "versions_seen", "messages",
		  "that told of a segment's new version", link->versions_seen },
		{ "control_link", "pings", "messages", "sent to the dataplane", link->pings },
		{ "control_link", "pongs", "messages", "that answered them", link->pongs },
		{ "control_link", "events", "events", "of the stream", link->events },
		{ "control_link", "gaps", "gaps", "in it, each followed by a look at the records",
		  link->gaps },
		{ "control_link", "illegal", "publications",
		  "of the dataplane that were refused, since the states of a buffer do not follow each other",
		  link->illegal },
		{ "control_request", "published", "requests", "to publish a segment that succeeded",
		  requests->published },
		{ "control_request", "erased", "requests", "to erase a segment that succeeded",
		  requests->erased },
		{ "control_request", "opened", "requests", "to open a segment that succeeded",
		  requests->opened },
		{ "control_request", "denied", "requests", "to open a segment without the right to",
		  requests->denied },
		{ "control_request", "unavailable", "requests", "that Redis did not answer in time",
		  requests->unavailable },
		{ "control_request", "absent", "requests", "for a segment that there is not",
		  requests->absent },
		{ "control_request", "taken", "requests",
		  "to change a segment that is another node's, or under a name that another holds",
		  requests->taken },
		{ "control_request", "replaced", "requests",
		  "to change a segment of a node that another incarnation has replaced",
		  requests->replaced },
		{ "control_request", "illegal", "requests",
		  "to publish a buffer in a state that does not follow the one in Redis",
		  requests->illegal },
		{ "control_request", "malformed", "requests",
		  "whose record in Redis is malformed or of another format", requests->malformed },
		{ "control_request", "busy", "requests", "beyond what may be outstanding",
		  requests->busy },
		{ "control_request", "refused", "requests", "that ended with another error",
		  requests->refused },
		{ "control_http", "requests", "requests", "taken", scene->requests },
		{ "control_http", "refused", "requests", "answered with an error", scene->refused },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		fn(&values[i], argument);
}

static void own_counter(const struct counter_value *value, void *argument)
{
	counter_put(argument, "controlplane", value);
}

/* The workers one by one: who is busy. */
static void worker_counter(const struct counter_value *value, void *argument)
{
	if (strcmp(value->group, "worker") == 0)
		(void)json_object_set_new(argument, value->name, json_u64(value->value));
}

static void workers_put(json_t *body, const char *path)
{
	json_t *workers = json_array();
	struct counters_view *view = NULL;

	if (counters_open(path, &view) == 0) {
		for (unsigned int i = 0; i < counters_threads(view); i++) {
			json_t *worker = json_object();

			(void)json_object_set_new(worker, "worker", json_integer(i));
			counters_each_of(view, i, worker_counter, worker);
			(void)json_array_append_new(workers, worker);
		}
	}
	counters_close(view);
	(void)json_object_set_new(body, "workers", workers);
}

void route_stats(struct reply *reply, const char *rest)
{
	const struct http_scene *scene = reply_scene(reply);
	json_t *body = json_object(), *counters = json_array();

	(void)rest;
	stats_each(scene, own_counter, counters);
	dataplane_put(counters, body, scene->conf->counters_file);
	(void)json_object_set_new(body, "counters", counters);
	workers_put(body, scene->conf->counters_file);
	reply_json(reply, 200, body);
}
