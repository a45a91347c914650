/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The algorithms that are built in.
 */
#include "rudp/cc.h"

#include "base/check.h"

#include <string.h>

static const struct cc_ops *const algorithms[] = {
	&cc_fixed,
	&cc_newreno,
	&cc_swift,
};

void cc_bound(struct cc *cc, uint32_t packets_max)
{
	if (cc->window_packets == cc->packets_max || cc->window_packets > packets_max)
		cc->window_packets = packets_max;
	cc->packets_max = packets_max;
}

const struct cc_ops *cc_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(algorithms); i++) {
		if (strcmp(algorithms[i]->name, name) == 0)
			return algorithms[i];
	}
	return NULL;
}

const char *cc_name(unsigned index)
{
	return index < ARRAY_SIZE(algorithms) ? algorithms[index]->name : NULL;
}
