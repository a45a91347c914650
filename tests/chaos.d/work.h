/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A client of the chaos test as an initiator: operations between slots of its private arena and slots of all others', alone
 * and in batches, some of them cancelled; each ends once, in time, and nothing of it lands afterwards.
 */
#ifndef CHAOS_WORK_H
#define CHAOS_WORK_H

#include "api/haul.h"
#include "tests/chaos.d/parts.h"

#define WORK_BATCHES 8u
#define WORK_CANCELS 32u

/** A handle of somebody's arena. */
struct work_handle {
	struct haul_remote remote;
	uint64_t life;     /**< of the arena when it was opened */
	uint64_t retry_us; /**< not to be tried again before */
	bool is_open;
};

/** What this client believes an extent's handle to be. */
struct work_extent {
	uint64_t handle; /**< 0 = none yet */
	uint64_t life;   /**< of the part */
};

struct work_operation {
	uint64_t id; /**< 0 = none */
	uint64_t due_us;
	uint64_t life; /**< of the handle */
	struct slot_place far;
	uint32_t batch;
	uint32_t status;   /**< of its completion */
	uint64_t extent;   /**< handle that it names; 0 = a place in the segment */
	bool is_forbidden; /**< what it names was gone before it began */
};

struct work_batch {
	uint32_t members; /**< 0 = not open */
	uint32_t ended;   /**< of them, by their own completions */
	uint64_t due_us;
};

struct work_cancel {
	uint64_t user_data; /**< 0 = none */
	uint64_t began_us;
	uint64_t before; /**< operations of greater ids were begun later */
	enum haul_match match;
	uint64_t which;
};

struct work {
	struct chaos *chaos;
	struct haul *haul;
	struct parts *parts;       /**< whose completions come by the same ring */
	struct haul_memory memory; /**< the private arena */
	struct work_handle handles[CHAOS_CLIENTS_MAX][CHAOS_ARENAS];
	struct work_extent extents[CHAOS_CLIENTS_MAX][CHAOS_PARTS];
	struct work_operation operations[CHAOS_SLOTS]; /**< by private slot */
	struct work_batch batches[1 + WORK_BATCHES];
	struct work_cancel cancels[WORK_CANCELS];
	uint64_t cancel_number;
	uint64_t looked_us; /**< when the ring was last found with nothing more in it */
	uint32_t open;
};

/** Begin what there is room for. May open a segment, which blocks. */
void work_begin(struct work *work);
/** Cancel something. */
void work_cancel(struct work *work, enum haul_match match);
/** Take completions; returns what haul_wait did. */
int work_reap(struct work *work, uint64_t timeout_us);
/** Look for operations that should have ended long ago. */
void work_watch(struct work *work);
/** The attachment is gone and nothing of it can land any more: all that is open is over. */
void work_end_all(struct work *work, const char *when);
/** Handles are worth nothing any more. */
void work_forget_handles(struct work *work);

#endif
