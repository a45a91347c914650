/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What moved between two looks at a node: rates out of counters, as JSON, and that JSON as tables. No I/O but the file
 * that is printed to.
 *
 * A counter that is smaller than before belongs to something that has begun anew, and so does one that was not there:
 * both count from zero.
 */
#ifndef HAULCTL_TRAFFIC_H
#define HAULCTL_TRAFFIC_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/** One look: the bodies of the control plane's answers, owned; NULL = it did not answer that. */
struct traffic_look {
	json_t *stats;
	json_t *channels;
	json_t *peers;
	json_t *transports;
	uint64_t at_us;
};

void traffic_release(struct traffic_look *look);

/**
 * {"seconds", "workers": [...], "channels": [...], "peers": [...], "transports": [...], "problems": [...]}: each row has
 * what names it, its rates as NAME_per_s, and shares from 0 to 1. The caller releases it; NULL without memory.
 */
json_t *traffic_between(const struct traffic_look *before, const struct traffic_look *after);

/** Print such an object as tables, at most `width` wide where a table can give way; 0 = as wide as they are. 0 or -ENOMEM. */
int traffic_print(const json_t *traffic, FILE *file, unsigned int width);

#endif
