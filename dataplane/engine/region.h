/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The table of local memory: what any operation, of this node or of a peer, may touch here.
 *
 * A region is {slot, generation}; its 48-bit handle holds the slot in the low 24 bits and the generation above.
 * Every touch of memory names a handle and is compared with the table, so that reused memory is never
 * reached through an old name. Taking a region away is one store.
 *
 * Threads: the control thread adds and retires; workers only read. A worker that has passed a quiescent point
 * after a retirement touches that region no more, and only then may its memory be unmapped. The table is made
 * once with its final size; a slot whose generations are used up is never given out again.
 */
#ifndef ENGINE_REGION_H
#define ENGINE_REGION_H

#include "api/haul_error.h"
#include "engine/transport.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REGION_SLOT_BITS       24u
#define REGION_GENERATION_BITS 24u
#define REGION_GENERATION_MAX  ((1u << REGION_GENERATION_BITS) - 1)

/** Set beside a generation while its region drains. */
#define REGION_DRAINING (1u << 31)

/** A region's end is below this: a packet has 40 bits for an offset. */
#define REGION_BYTES_MAX (UINT64_C(1) << 40)

struct notices;

/** A number that no region has: generation 0 is never given out, so that 0 can mean "none". */
#define REGION_NONE 0u

/** What a region covers; given by the control thread, read-only while it is active. */
struct region_spec {
	void *base;              /**< first byte in this process */
	uint64_t length;         /**< bytes, not zero */
	uint32_t owner;          /**< channel whose entries may name it as their local side */
	uint32_t rights;         /**< HAUL_RIGHT_* that peers may have been granted; 0 = private */
	bool is_read_only;       /**< nothing is placed here, for nobody: it is mapped so */
	uint32_t segment;        /**< the control thread's number of the segment */
	uint32_t fault_id;       /**< base/fault range; base/fault.h, FAULT_NONE = none */
	struct notices *notices; /**< of the owner, outlives the region; NULL = none */
};

struct region {
	/** Control: wo, workers: ro; 0 = nothing may be touched; with REGION_DRAINING by nothing new. */
	_Atomic uint32_t generation;
	uint32_t generation_next; /**< control only: what the slot's next region gets */
	_Atomic uint64_t
		version;         /**< control: wo, workers: ro; metadata_version, told with STALE */
	struct region_spec spec; /**< control: written while generation is 0 */
};

/** What touching regions has counted; one a worker, written by it. */
enum region_counter {
	REGION_BYTES_PLACED,
	REGION_BYTES_SOURCED,
	REGION_REFUSED_STALE,
	REGION_REFUSED_RANGE,
	REGION_REFUSED_DENIED,
	REGION_REFUSED_UNPROVEN,
	REGION_REFUSED_LATE,
	REGION_FAULTS,
	REGION_PLACED_AFTER_STALL,
	REGION_COUNTER_COUNT,
};

extern const struct counter_group region_counters;

struct region_table {
	uint32_t slots;       /**< size of the table */
	uint32_t before;      /**< generations that no slot gives out: handles may have had them */
	uint32_t used;        /**< slots that were ever given out */
	uint32_t free_count;  /**< entries of free_slots */
	uint32_t *free_slots; /**< control only: slots to give out again, last in first out */
	struct region *regions;
};

static inline uint32_t region_slot(uint64_t handle)
{
	return (uint32_t)handle & ((1u << REGION_SLOT_BITS) - 1);
}

static inline uint32_t region_generation(uint64_t handle)
{
	return (uint32_t)(handle >> REGION_SLOT_BITS) & REGION_GENERATION_MAX;
}

static inline uint64_t region_handle(uint32_t slot, uint32_t generation)
{
	return (uint64_t)generation << REGION_SLOT_BITS | slot;
}

/** Make a table of `slots` slots (up to 2^24). Returns 0 or -ENOMEM. */
int region_table_init(struct region_table *table, uint32_t slots);
void region_table_destroy(struct region_table *table);

/**
 * Begin at another generation, by a random number, before the first region: who kept a handle of an earlier daemon's must
 * not name a region of this one by it. Half of all generations are left to each slot.
 */
void region_table_seed(struct region_table *table, uint32_t random);

/** Add a region; returns its handle, or REGION_NONE when no slot is left. Control thread. */
uint64_t region_add(struct region_table *table, const struct region_spec *spec);

/** Note the version that STALE answers tell. Control thread. */
void region_set_version(struct region_table *table, uint64_t handle, uint64_t version);

/**
 * Let a region run empty: from this store on it refuses operations that are new to it, with STALE and the version, also
 * as the local side of an entry; those that are open go on. Once all workers have passed a quiescent point after it the
 * number of its uses (engine_region_uses) only falls, and at 0 nothing touches it any more. Control thread.
 */
void region_drain(struct region_table *table, uint64_t handle);

/**
 * Take a region away: from this store on every new touch is refused. Its slot may be given out again after
 * region_release, which the caller does when all workers have passed a quiescent point. Control thread.
 */
void region_retire(struct region_table *table, uint64_t handle);

/** Give a retired region's slot back for another generation. Control thread. */
void region_release(struct region_table *table, uint64_t handle);

/** May bytes be placed in it? False also when the handle names no active region. Worker. */
bool region_is_writable(const struct region_table *table, uint64_t handle);

/** Is this a region of that owner, with this range, that takes new operations? For the local side of an entry. Worker. */
enum haul_error region_check_local(const struct region_table *table, uint64_t handle,
				   uint32_t owner, uint64_t offset, uint64_t length);

/** Is the region still there, perhaps draining? For the local side of an operation that is under way. Worker. */
bool region_is_there(const struct region_table *table, uint64_t handle);

/** May an operation begin to read here, see transport_host.open. Worker. */
enum haul_error region_open(const struct region_table *table, uint64_t *counters,
			    const struct transport_access *access, uint64_t *version_out);

/** Put bytes into a region, see transport_host.place. `counters` is a block of region_counters. Worker. */
enum haul_error region_place(const struct region_table *table, uint64_t *counters,
			     const struct transport_access *access, const void *payload,
			     uint64_t *version_out);

/** Take bytes out of a region, see transport_host.source. Worker. */
enum haul_error region_source(const struct region_table *table, uint64_t *counters,
			      const struct transport_access *access, void *destination,
			      uint64_t *version_out);

/** Tell where bytes of a region stand, see transport_host.lend. Worker. */
enum haul_error region_lend(const struct region_table *table, uint64_t *counters,
			    const struct transport_access *access, const void **bytes_out,
			    uint64_t *version_out);

/** Is all of its memory still its owner's? Of a region that is there. Worker. */
bool region_is_sound(const struct region_table *table, uint64_t handle);

/**
 * Copy between two regions of this node, for the local transport: both sides are looked up like any touch.
 * Returns HAUL_OK or the first side's refusal. Worker.
 */
enum haul_error region_copy(const struct region_table *table, uint64_t *counters,
			    const struct transport_access *target,
			    const struct transport_access *source, uint64_t *version_out);

/**
 * Where a notification for a range of this memory goes: the ring of its owner, looked at and refused like a placement.
 * *notices_out stands for the rest of the round. Worker.
 */
enum haul_error region_find_notices(const struct region_table *table, uint64_t *counters,
				    const struct transport_access *access, uint64_t *version_out,
				    struct notices **notices_out);

/** After a touch: count it when the clock has passed its bound meanwhile. Worker. */
void region_note_stall(const struct transport_access *access, uint64_t *counters);

#endif
