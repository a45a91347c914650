/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The threads of a run, each with an attachment and memory of its own and a part of the other side, so that they share
 * nothing here but the moment at which they begin. The main thread makes them, starts a row on some, and waits.
 */
#ifndef CREW_H
#define CREW_H

#include "load.h"
#include "plan.h"

#include <pthread.h>

struct crew_member {
	struct crew *crew;
	pthread_t thread;
	struct load load;
	struct haul *haul;
	struct haul_memory memory;
	struct haul_remote remote;
	struct load_result result;
	int error; /**< of the row: 0 or -HAUL_* */
};

struct crew {
	const struct plan *plan;
	struct crew_member *members; /**< `count` of them */
	uint32_t count;
	const struct load_row *row; /**< the one that is run */
	pthread_barrier_t barrier;  /**< of those that run it */
};

/** Attach `count` members. 0, or -HAUL_* after a line on stderr; in any case for crew_end. */
int crew_attach(struct crew *crew, const struct plan *plan, uint32_t count);

/** Give each member `bytes` of memory here and its part of plan->segment, which is large enough for all. As above. */
int crew_prepare(struct crew *crew, uint64_t bytes);

/** Run a row on the first `threads` members, and add up what came of it. 0 or -HAUL_*. */
int crew_run(struct crew *crew, const struct load_row *row, uint32_t threads,
	     struct load_result *result_out);

void crew_end(struct crew *crew);

#endif
