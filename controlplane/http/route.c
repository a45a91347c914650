/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of routes, and the index that is made of it.
 */
#include "controlplane/http/route.h"

#include "controlplane/http/reply.h"

#include <stdbool.h>
#include <string.h>

const struct route routes[] = {
	{ "/", "this list", route_index },
	{ "/healthz", "200 when the dataplane and Redis answer and the node is in it, else 503",
	  route_health },
	{ "/v1/status", "this node: its dataplane, its standing, Redis", route_status },
	{ "/v1/nodes", "all nodes and who of them is alive, as this one sees it", route_nodes },
	{ "/v1/segments", "all segments, without their buffers", route_segments },
	{ "/v1/segments/", "NAME: one segment with its buffers and its owner", route_segment },
	{ "/v1/peers", "peers of the dataplane", route_peers },
	{ "/v1/transports", "its transports and their devices", route_transports },
	{ "/v1/channels", "its clients' channels", route_channels },
	{ "/v1/openings", "segments of others that its clients have open", route_openings },
	{ "/v1/workers", "its workers and how loaded they are", route_workers },
	{ "/v1/stats", "counters of both planes", route_stats },
	{ "/v1/doctor", "checks of this node", route_doctor },
	{ NULL, NULL, NULL },
};

const struct route *route_find(const char *path, const char **rest_out)
{
	for (const struct route *route = routes; route->path != NULL; route++) {
		size_t length = strlen(route->path);
		bool has_rest = length > 1 && route->path[length - 1] == '/';

		if (has_rest ? strncmp(path, route->path, length) == 0 && path[length] != '\0'
			     : strcmp(path, route->path) == 0) {
			*rest_out = path + length;
			return route;
		}
	}
	return NULL;
}

void route_index(struct reply *reply, const char *rest)
{
	json_t *body = json_object();

	(void)rest;
	for (const struct route *route = routes; route->path != NULL; route++)
		(void)json_object_set_new(body, route->path, json_string(route->sentence));
	reply_json(reply, 200, body);
}
