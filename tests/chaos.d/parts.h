/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A client of the chaos test as an owner: parts of its segments come and go while the segments live and others use them.
 * Each removal completes once; from then on nothing may land in the part, or be read from it.
 *
 * A part that is GONE is looked at as what others own is; one that is COMING waits until nobody has an operation open
 * there: an operation on a buffer names a place in the segment, so one that waits in a ring may also mean its successor.
 * One on an extent names its handle: nobody waits, and what names one that was retired must not land, whatever is there.
 */
#ifndef CHAOS_PARTS_H
#define CHAOS_PARTS_H

#include "api/haul.h"
#include "tests/chaos.d/slot.h"

/** Set in the user_data of a removal. */
#define PARTS_BIT (UINT64_C(1) << 62)

struct part {
	struct haul_memory memory; /**< of the buffer, or of that which the extent is of */
	uint64_t user_data;        /**< of its removal; 0 = none is under way */
	uint64_t due_us;           /**< of its removal */
	uint64_t next_us;          /**< GONE: to come again; not sooner */
};

struct parts {
	struct chaos *chaos;
	struct haul *haul;
	struct part parts[CHAOS_ARENAS][CHAOS_PARTS];
	bool is_made[CHAOS_ARENAS]; /**< its segment lives */
	uint64_t number;            /**< of removals */
	uint64_t remove_us;         /**< the next removal */
	uint32_t open;              /**< removals under way */
};

/** An arena's segment lives: its parts may come. */
void parts_begin(struct parts *parts, uint32_t arena, const struct haul_memory *memory);
/** It is gone, and slot_take_arena has said so to the others. */
void parts_end(struct parts *parts, uint32_t arena);
/** Add what is due, remove something. May add a buffer, which blocks. */
void parts_round(struct parts *parts);
/** A completion with PARTS_BIT. */
void parts_removed(struct parts *parts, const struct haul_completion *completion);
/** Look for removals that should have completed long ago. */
void parts_watch(struct parts *parts);
/** Is a removal under way in this arena? */
bool parts_is_leaving(const struct parts *parts, uint32_t arena);

#endif
