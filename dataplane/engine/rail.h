/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One way to a peer on a transport: how it stands, how healthy it has been, and what is under way on it.
 *
 *   IDLE -> CONNECTING -> UP <-> DOUBTFUL
 *             |            |        |
 *             v            v        v
 *           PAUSED <----------------+       (after a growing pause: CONNECTING again)
 *
 *   CONNECTING, UP, DOUBTFUL -> CLOSING -> IDLE       the peer's slot is given up
 *
 * Each failure, and each doubt that lasts, doubles the rail's blame, and time in which it is up halves it again: so what
 * flaps is left alone for longer and longer, and what was bad once is not held against it for ever. A rail that comes back is on trial
 * first: for as long as its blame nothing is posted on it while a better one lives, then one slice, and when that has
 * been placed it is as good as any other. The pause before it is connected again is another thing: that is over with
 * the first success, since the rail may be the only one.
 *
 * Rails belong to their endpoint (engine/endpoint.h), and so to one worker. Nothing in here asks or tells anybody.
 */
#ifndef ENGINE_RAIL_H
#define ENGINE_RAIL_H

#include "engine/limits.h"
#include "engine/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum rail_stage {
	RAIL_STAGE_IDLE = 0,       /**< nothing is there, nobody asked */
	RAIL_STAGE_CONNECTING = 1, /**< the control thread works on it */
	RAIL_STAGE_UP = 2,         /**< takes slices */
	RAIL_STAGE_DOUBTFUL = 3,   /**< takes slices when no other rail is up */
	RAIL_STAGE_PAUSED = 4,     /**< failed; not before retry_at_us again */
	RAIL_STAGE_CLOSING = 5,    /**< the peer's slot is given up; the driver ends it */
	RAIL_STAGE_COUNT,
};

struct rail {
	uint64_t bytes;       /**< of slices that were posted here and are not done */
	uint32_t slices;      /**< of them */
	uint32_t cost_ps;     /**< picoseconds a byte, measured; never 0 */
	uint64_t sampled_us;  /**< when cost_ps was last measured, or made to fade */
	uint64_t retry_at_us; /**< PAUSED: not before; on trial: takes nothing before */
	uint64_t since_us;    /**< of the stage; the control thread reads it for listings */
	uint32_t pause_us;    /**< the last pause; 0 after a success */
	uint32_t
		blame_us; /**< how long it is on trial when it comes back; 0 = always well so far */
	uint8_t stage;    /**< enum rail_stage; the control thread reads it for listings */
	bool is_on_trial; /**< UP: nothing was placed since it came back */
};

/** The number of a rail, as drivers, slices and requests name it. */
static inline uint32_t rail_number(uint32_t endpoint, uint32_t index)
{
	return endpoint * ENGINE_RAILS_MAX + index;
}

/** A word for a stage, for listings. Static. */
const char *rail_stage_text(unsigned int stage);

/** Back to its first stage. What is under way stays counted: slices may come back after their connection has gone. */
void rail_init(struct rail *rail);

/** May slices be posted on it now? */
static inline bool rail_takes(const struct rail *rail)
{
	return rail->stage == RAIL_STAGE_UP || rail->stage == RAIL_STAGE_DOUBTFUL;
}

/** May the driver have, or be about to make, a connection for it? */
static inline bool rail_may_exist(const struct rail *rail)
{
	return rail->stage == RAIL_STAGE_CONNECTING || rail_takes(rail);
}

/** Neither there nor on its way. */
static inline bool rail_is_missing(const struct rail *rail)
{
	return rail->stage == RAIL_STAGE_IDLE || rail->stage == RAIL_STAGE_PAUSED;
}

/** Somebody was asked to connect it. */
void rail_begin(struct rail *rail, uint64_t now_us);
/** It is connected, or was heard again. */
void rail_up(struct rail *rail, uint64_t now_us);
/** Probes are not answered. */
void rail_doubt(struct rail *rail, uint64_t now_us);
/** It has failed: not before retry_at_us again. */
void rail_pause(struct rail *rail, uint64_t now_us);
/** The driver was asked to end it. */
void rail_close(struct rail *rail, uint64_t now_us);

/** A slice was posted on it. */
static inline void rail_take(struct rail *rail, struct slice *slice, uint64_t now_us)
{
	rail->slices++;
	rail->bytes += slice->length;
	slice->ahead_bytes = rail->bytes;
	slice->posted_us = now_us;
}

/** A slice posted on it is done; `is_placed` says whether every byte of it has been placed. */
void rail_give(struct rail *rail, const struct slice *slice, bool is_placed, uint64_t now_us);

/**
 * The best of several rails for a slice of that length, by index: one that is up before one that is on trial before one
 * that is doubtful, and of equals the one that would be done with it first. Those in the bit set `refused` are left out.
 * ENGINE_RAILS_MAX when none takes anything.
 */
uint32_t rail_pick_of(struct rail *rails, uint32_t count, uint32_t refused, uint32_t length,
		      uint64_t now_us);

/** The same; most endpoints have one rail, which costs two loads. */
static inline uint32_t rail_pick(struct rail *rails, uint32_t count, uint32_t refused,
				 uint32_t length, uint64_t now_us)
{
	if (count == 1)
		return refused == 0 && rail_takes(&rails[0]) ? 0 : ENGINE_RAILS_MAX;
	return rail_pick_of(rails, count, refused, length, now_us);
}

#endif
