/* SPDX-License-Identifier: BSD-3-Clause */
/** The counters of this process. Loop's thread. */
#ifndef HTTP_STATS_H
#define HTTP_STATS_H

#include "base/counters.h"

struct http_scene;

/** Call fn for each of them. */
void stats_each(const struct http_scene *scene, counters_fn fn, void *argument);

#endif
