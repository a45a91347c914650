/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The routes. Each answers its reply exactly once, now or later.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

struct reply;

/** rest is what follows the route's path, decoded: a segment's name where the path ends with a slash, else "". */
typedef void route_fn(struct reply *reply, const char *rest);

struct route {
	const char *path;
	const char *sentence; /**< for the index at "/" */
	route_fn *fn;
};

/** The only list of them, ended by a path of NULL. */
extern const struct route routes[];

/** The route of a decoded path and its rest; NULL when there is none. */
const struct route *route_find(const char *path, const char **rest_out);

route_fn route_health;
route_fn route_index;
route_fn route_status;
route_fn route_nodes;
route_fn route_segments;
route_fn route_segment;
route_fn route_peers;
route_fn route_transports;
route_fn route_channels;
route_fn route_openings;
route_fn route_workers;
route_fn route_stats;
route_fn route_doctor;

#endif
