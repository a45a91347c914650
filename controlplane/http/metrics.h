/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Counters and states in the text format of Prometheus, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/), and the health of this node in JSON.
 *
 * A counter of `haulctl stats` is haul_GROUP_NAME_total here, with the node, and one of the dataplane with the worker
 * that counted it: their sum is what haulctl shows. States are gauges of 0 and 1.
 */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include <jansson.h>
#include <stdbool.h>

struct evbuffer;
struct http_scene;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** Append all of them. Returns 0 or -ENOMEM. */
int metrics_make(const struct http_scene *scene, struct evbuffer *out);

/** {"ok": ..., "dataplane": ..., "redis": ..., "node": ...}, with "error" and "reason" when not ok. NULL without memory. */
json_t *metrics_health(const struct http_scene *scene, bool *is_ok_out);

/** Append a label's value with its escapes: backslash, quote and line feed. For tests too. */
int metrics_add_label(struct evbuffer *out, const char *name, const char *value);

#endif
