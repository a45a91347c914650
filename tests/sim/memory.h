/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A fake engine that knows everything: it stands behind rudp's callbacks on both nodes and checks each byte.
 *
 * A node's writable memory is slots, each lent to one WRITE at a time; a slot of no live operation is poison. A
 * byte that arrives must belong to the live operation of its slot, inside its range, with the content that this very
 * operation carries, in a region that has not been retired, and each byte once. A READ's bytes are a
 * function of region, generation and offset, so a byte of another generation shows. Everything that is wrong is
 * a violation: the run prints it and fails.
 *
 * Some WRITEs notify. When such a one has completed its notification begins, under the same record, and is tried again
 * as the engine would, with the engine's numbers and the engine's table at the target: it must be executed while the
 * record lives, with all bytes placed, at most once, and exactly once when it ends with OK.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include "engine/notifier.h"
#include "engine/numbers.h"
#include "random.h"
#include "rudp/rudp.h"

#define MEMORY_REGIONS      4u
#define MEMORY_SLOTS        32u /**< a region */
#define MEMORY_SLOT_BYTES   (256u << 10)
#define MEMORY_REGION_BYTES (MEMORY_SLOTS * (uint64_t)MEMORY_SLOT_BYTES)
/** Operations a node may have open in a run. */
#define MEMORY_OPERATIONS 512u

struct memory;

/** One operation, from submission to its completion; `uid` 0 = free. */
struct memory_operation {
	uint64_t uid;         /**< never used twice in a run; the cookie */
	uint64_t region;      /**< handle that it names */
	uint64_t offset;      /**< in the region */
	uint64_t deadline_us; /**< then it is cancelled; then it must end in bounded time */
	uint64_t cancel_us;   /**< cancelled on request then; UINT64_MAX = never */
	uint64_t ending_us;   /**< when it was cancelled; 0 = it was not */
	uint32_t id;          /**< rudp's */
	uint32_t connection;  /**< handle */
	uint32_t length;
	uint32_t landed;     /**< bytes placed at the target or delivered here, each once */
	uint32_t notified;   /**< times its notification was executed */
	uint64_t number;     /**< of its notification, 0 = none yet */
	uint64_t attempt_us; /**< while is_waiting: not before that is it tried again */
	enum rudp_kind kind; /**< WRITE or READ; NOTIFY once the bytes of a WRITE are placed */
	bool notifies;       /**< a WRITE that is to be followed by its notification */
	bool is_waiting; /**< between two attempts of its notification: rudp has nothing of it */
	bool is_orphan;  /**< its process was restarted: nobody waits, its bytes may still fly */
};

struct memory_slot {
	struct memory_operation *live; /**< the WRITE it is lent to; NULL = poison */
};

struct memory_region {
	uint32_t generation; /**< current; handles of others are STALE */
	bool is_draining;    /**< refuses new operations */
	int64_t open;        /**< operations rudp says are open */
	struct memory_slot slots[MEMORY_SLOTS];
};

/** One node's engine. */
struct memory {
	struct memory *peer; /**< whose regions this node's operations name */
	struct random *random;
	const uint64_t *now_us; /**< the simulator's clock */
	uint64_t *uid_next;     /**< shared by both nodes */
	struct memory_region regions[MEMORY_REGIONS];
	struct memory_operation operations[MEMORY_OPERATIONS];
	uint32_t open;                   /**< operations of this node */
	uint64_t submitted;              /**< in all */
	uint64_t completed;              /**< in all */
	uint64_t by_status[32];          /**< completions */
	uint64_t bytes;                  /**< of operations that ended with OK */
	uint64_t stalls;                 /**< placements refused because the clock ran past */
	struct numbers numbers;          /**< of notifications to the peer */
	uint64_t numbers_floor;          /**< numbers_floor of this incarnation, and on */
	struct notifier_table notifiers; /**< what the peer's have done here */
	uint64_t notified;               /**< notifications executed here */
	uint64_t again;                  /**< those that an earlier attempt had executed */
	uint64_t stale_submitted;        /**< operations that named a retired region on purpose */
	uint32_t stall_ppm;  /**< a placement finds the clock far ahead of the burst's */
	uint32_t busy_ppm;   /**< a notification finds no room */
	uint32_t fault_ppm;  /**< a source or a delivery finds its memory gone */
	bool is_unguarded;   /**< test hook: the generation check is out */
	bool is_forgetful;   /**< test hook: what was executed is not remembered */
	bool is_lenient;     /**< bytes and their places are not looked at */
	uint32_t violations; /**< must stay 0 */
	char violation[160]; /**< the first */
};

extern const struct rudp_callbacks memory_callbacks;

/** Rights that are granted here, one at a time. */
#define MEMORY_MAY_READ  1u
#define MEMORY_MAY_WRITE 2u

/** The segment of a region: each has its own, so that a grant for one is good for no other. */
static inline uint32_t memory_segment(uint64_t handle)
{
	return 1 + (uint32_t)(handle % 1000003);
}

void memory_init(struct memory *memory, struct memory *peer, struct random *random);
/** A new operation with a free slot of the peer; NULL = none is free now. */
struct memory_operation *memory_begin(struct memory *memory, enum rudp_kind kind, uint32_t length,
				      bool wants_stale);
/** Takes back what memory_begin gave, when rudp did not accept it. */
void memory_abandon(struct memory *memory, struct memory_operation *operation);
/** The request for what the operation does next. */
struct rudp_operation_request memory_request(const struct memory_operation *operation);
/** Ends an operation that rudp knows nothing of. */
void memory_end(struct memory *memory, struct memory_operation *operation, uint16_t status);
/** The notification of an operation may be tried now: takes its number. False when too many are open. */
bool memory_take_number(struct memory *memory, struct memory_operation *operation);
/** A region gets a new generation: what is on its way to the old one must not land. */
void memory_retire(struct memory *memory, uint32_t region);
/** A restarted node: all regions are new, its own operations are orphans. */
void memory_restart(struct memory *memory);
/** Forgets orphans whose bytes cannot land any more. */
void memory_reap(struct memory *memory);
void memory_violation(struct memory *memory, const char *what, uint64_t uid);

#endif
