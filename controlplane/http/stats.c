/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/stats: the counters of this process, and those of the dataplane out of its file of shared memory, which is read
 * without asking it.
 */
#include "base/counters.h"
#include "conf/controlplane.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"

#include <string.h>

static void counter_put(json_t *array, const struct counter_value *value)
{
	json_t *counter = json_object();

	(void)json_object_set_new(counter, "group", json_bytes(value->group, HAUL_NAME_BYTES));
	(void)json_object_set_new(counter, "name", json_bytes(value->name, HAUL_NAME_BYTES));
	(void)json_object_set_new(counter, "unit", json_bytes(value->unit, HAUL_NAME_BYTES));
	(void)json_object_set_new(counter, "meaning",
				  json_bytes(value->meaning, HAUL_REASON_BYTES));
	(void)json_object_set_new(counter, "value", json_u64(value->value));
	(void)json_array_append_new(array, counter);
}

static void counter_take(const struct counter_value *value, void *argument)
{
	counter_put(argument, value);
}

static json_t *dataplane_make(const char *path, json_t *body)
{
	json_t *array = json_array();
	struct counters_view *view = NULL;
	int error = counters_open(path, &view);

	if (error == 0)
		counters_each(view, counter_take, array);
	else {
		(void)json_object_set_new(body, "dataplane_reason",
					  json_sprintf("counters of the dataplane: %s: %s", path,
						       strerrordesc_np(-error)));
	}
	counters_close(view);
	return array;
}

static json_t *own_make(const struct http_scene *scene)
{
	const struct requests_stats *requests = link_requests_stats(scene->link);
	const struct link_stats *link = link_stats(scene->link);
	const struct door_stats *door = link_door_stats(scene->link);
	const struct counter_value values[] = {
		{ "door", "hellos", "dataplanes", "let in", door->hellos },
		{ "door", "refused", "hellos", "refused", door->refused },
		{ "door", "malformed", "messages", "of the dataplane that were refused",
		  door->malformed },
		{ "link", "versions_seen", "messages", "that told of a segment's new version",
		  link->versions_seen },
		{ "link", "pings", "messages", "sent to the dataplane", link->pings },
		{ "link", "pongs", "messages", "that answered them", link->pongs },
		{ "link", "events", "events", "of the stream", link->events },
		{ "link", "gaps", "gaps", "in it, each followed by a look at the records",
		  link->gaps },
		{ "request", "published", "requests", "to publish a segment that succeeded",
		  requests->published },
		{ "request", "erased", "requests", "to erase a segment that succeeded",
		  requests->erased },
		{ "request", "opened", "requests", "to open a segment that succeeded",
		  requests->opened },
		{ "request", "denied", "requests", "to open a segment without the right to",
		  requests->denied },
		{ "request", "unavailable", "requests", "that Redis did not answer in time",
		  requests->unavailable },
		{ "request", "refused", "requests", "that ended with another error",
		  requests->refused },
		{ "http", "requests", "requests", "taken", scene->requests },
		{ "http", "refused", "requests", "answered with an error", scene->refused },
	};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		counter_put(array, &values[i]);
	return array;
}

void route_stats(struct reply *reply, const char *rest)
{
	const struct http_scene *scene = reply_scene(reply);
	json_t *body = json_object();

	(void)rest;
	(void)json_object_set_new(body, "controlplane", own_make(scene));
	(void)json_object_set_new(body, "dataplane",
				  dataplane_make(scene->conf->counters_file, body));
	reply_json(reply, 200, body);
}
