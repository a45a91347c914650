/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * How many operations that a worker has under way name a region of this node: those of peers that it has opened as
 * their target, and those of its own clients, whose local side it is. A drain ends when all workers say none.
 *
 * A word for each slot of the table of regions, which holds the generation that it counts for as well: what an
 * operation on an earlier generation still gives back is not taken from the slot's next region.
 *
 * Threads: the worker adds and drops, the control thread reads; no lock, since each word has one writer.
 */
#ifndef ENGINE_USES_H
#define ENGINE_USES_H

#include <stdatomic.h>
#include <stdint.h>

struct uses {
	_Atomic uint64_t
		*words; /**< generation in the high half, count in the low one; 0 = never used */
	uint32_t slots;
};

/** Of a table of so many slots. Returns 0 or -ENOMEM. */
int uses_init(struct uses *uses, uint32_t slots);
void uses_destroy(struct uses *uses);

/** One operation more; the handle has just been found current. Worker. */
void uses_add(struct uses *uses, uint64_t handle);

/** One less that was added. Worker. */
void uses_drop(struct uses *uses, uint64_t handle);

/** How many there are; 0 for a handle that names no region. Any thread. */
uint32_t uses_count(const struct uses *uses, uint64_t handle);

/** Over all regions, for tests. The worker, or when it has stopped. */
uint64_t uses_sum(const struct uses *uses);

#endif
