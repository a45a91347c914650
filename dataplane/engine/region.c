/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of local memory; region.h says who may do what on which thread. */
#include "engine/region.h"

#include "api/haul_attach.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/copy.h"
#include "base/counters.h"
#include "base/fault.h"
#include "base/weaken.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Shorter touches are small operations, which seldom go on where the last one ended. */
#define REGION_AHEAD_BYTES_MIN 512u

static const struct counter_spec region_counter_specs[REGION_COUNTER_COUNT] = {
	[REGION_BYTES_PLACED] = { "bytes_placed", "bytes", "bytes copied into registered memory" },
	[REGION_BYTES_SOURCED] = { "bytes_sourced", "bytes",
				   "bytes copied out of registered memory" },
	[REGION_REFUSED_STALE] = { "refused_stale", "touches",
				   "touches of a region that drains, was retired or has another "
				   "generation" },
	[REGION_REFUSED_RANGE] = { "refused_range", "touches",
				   "touches that do not lie inside their region" },
	[REGION_REFUSED_DENIED] = { "refused_denied", "touches",
				    "touches of a region that does not grant that right" },
	[REGION_REFUSED_UNPROVEN] = { "refused_unproven", "touches",
				      "touches by a peer that has not proven a right to the "
				      "region's segment" },
	[REGION_REFUSED_LATE] = { "refused_late", "touches",
				  "placements that came after their freshness had ended" },
	[REGION_FAULTS] = { "faults", "touches",
			    "touches of memory that its owner had taken away" },
	[REGION_PLACED_AFTER_STALL] = { "placed_after_stall", "touches",
					"placements that ended after their freshness, since the daemon "
					"was stopped in the middle of the copy" },
};

const struct counter_group region_counters = { "region", region_counter_specs,
					       REGION_COUNTER_COUNT };

int region_table_init(struct region_table *table, uint32_t slots)
{
	BUG_ON(slots == 0 || slots > 1u << REGION_SLOT_BITS);

	memset(table, 0, sizeof(*table));
	table->regions = calloc(slots, sizeof(*table->regions));
	table->free_slots = calloc(slots, sizeof(*table->free_slots));
	if (table->regions == NULL || table->free_slots == NULL) {
		region_table_destroy(table);
		return -ENOMEM;
	}
	table->slots = slots;
	return 0;
}

void region_table_seed(struct region_table *table, uint32_t random)
{
	BUG_ON(table->used != 0);
	table->before = random % (REGION_GENERATION_MAX / 2);
}

void region_table_destroy(struct region_table *table)
{
	free(table->regions);
	free(table->free_slots);
	memset(table, 0, sizeof(*table));
}

/* The region of a slot that is inside the table, whatever its generation. */
static struct region *region_at(const struct region_table *table, uint64_t handle)
{
	ASSERT(region_slot(handle) < table->slots);
	return &table->regions[region_slot(handle)];
}

uint64_t region_add(struct region_table *table, const struct region_spec *spec)
{
	struct region *region;
	uint32_t slot;

	BUG_ON(spec->base == NULL || spec->length == 0);
	if (table->free_count > 0) {
		slot = table->free_slots[--table->free_count];
	} else if (table->used < table->slots) {
		slot = table->used++;
		table->regions[slot].generation_next = table->before + 1;
	} else {
		return REGION_NONE;
	}

	region = &table->regions[slot];
	ASSERT(atomic_load_explicit(&region->generation, memory_order_relaxed) == 0);
	region->spec = *spec;
	atomic_store_explicit(&region->version, 0, memory_order_relaxed);
	/* Orders the spec before the generation, against region_find on the workers. */
	atomic_store_explicit(&region->generation, region->generation_next, memory_order_release);
	return region_handle(slot, region->generation_next);
}

void region_set_version(struct region_table *table, uint64_t handle, uint64_t version)
{
	atomic_store_explicit(&region_at(table, handle)->version, version, memory_order_relaxed);
}

void region_drain(struct region_table *table, uint64_t handle)
{
	struct region *region = region_at(table, handle);

	BUG_ON(region_generation(handle) != region->generation_next);
	BUG_ON(atomic_load_explicit(&region->generation, memory_order_relaxed) == 0);
	atomic_store_explicit(&region->generation, region->generation_next | REGION_DRAINING,
			      memory_order_release);
}

void region_retire(struct region_table *table, uint64_t handle)
{
	struct region *region = region_at(table, handle);

	BUG_ON(region_generation(handle) != region->generation_next);
	atomic_store_explicit(&region->generation, 0, memory_order_release);
}

void region_release(struct region_table *table, uint64_t handle)
{
	struct region *region = region_at(table, handle);

	BUG_ON(atomic_load_explicit(&region->generation, memory_order_relaxed) != 0);
	BUG_ON(region_generation(handle) != region->generation_next);
	if (region->generation_next == REGION_GENERATION_MAX)
		return; /* used up: a generation never comes back, so the slot is retired */
	region->generation_next++;
	table->free_slots[table->free_count++] = region_slot(handle);
}

/*
 * The region that a handle names, when it is exactly current; NULL otherwise. `lenient` is REGION_DRAINING for what may
 * also touch one that drains, else 0.
 */
static inline const struct region *region_find(const struct region_table *table, uint64_t handle,
					       uint32_t lenient)
{
	const struct region *region;
	uint32_t generation;

	if (UNLIKELY(region_slot(handle) >= table->slots || handle >> 48 != 0))
		return NULL;
	region = &table->regions[region_slot(handle)];
#ifndef HAUL_MEASURE_WITHOUT_VERSIONS /* docs/performance.md has what the comparison costs */
	/* Orders the generation before the spec, against region_add. */
	generation = atomic_load_explicit(&region->generation, memory_order_acquire) & ~lenient;
	if (UNLIKELY(generation == 0 ||
		     (generation != region_generation(handle) && !weaken_has(WEAKEN_GENERATION))))
		return NULL;
#endif
	return region;
}

static bool region_contains(const struct region *region, uint64_t offset, uint64_t length)
{
	return offset <= region->spec.length && length <= region->spec.length - offset;
}

bool region_is_writable(const struct region_table *table, uint64_t handle)
{
	const struct region *region = region_find(table, handle, 0);

	return region != NULL && !region->spec.is_read_only;
}

enum haul_error region_check_local(const struct region_table *table, uint64_t handle,
				   uint32_t owner, uint64_t offset, uint64_t length)
{
	const struct region *region = region_find(table, handle, 0);

	if (region == NULL)
		return HAUL_STALE;
	if (region->spec.owner != owner)
		return HAUL_DENIED;
	return region_contains(region, offset, length) ? HAUL_OK : HAUL_RANGE;
}

bool region_is_there(const struct region_table *table, uint64_t handle)
{
	return region_find(table, handle, REGION_DRAINING) != NULL;
}

/* Find what an access names and check everything but the clock; counts a refusal. */
static enum haul_error region_admit(const struct region_table *table, uint64_t *counters,
				    const struct transport_access *access, uint32_t right,
				    const struct region **region_out)
{
	const uint32_t lenient = access->phase == TRANSPORT_NEXT ? REGION_DRAINING : 0;
	const struct region *region = region_find(table, access->region, lenient);

	if (UNLIKELY(region == NULL)) {
		counters[REGION_REFUSED_STALE]++;
		return HAUL_STALE;
	}
	if (UNLIKELY(access->is_remote && region->spec.segment != access->segment &&
		     !weaken_has(WEAKEN_GRANT))) {
		counters[REGION_REFUSED_UNPROVEN]++;
		return HAUL_DENIED;
	}
	if (UNLIKELY((access->is_remote && (region->spec.rights & access->rights & right) == 0) ||
		     (right == HAUL_RIGHT_WRITE && region->spec.is_read_only))) {
		counters[REGION_REFUSED_DENIED]++;
		return HAUL_DENIED;
	}
	if (UNLIKELY(!region_contains(region, access->offset, access->length))) {
		counters[REGION_REFUSED_RANGE]++;
		return HAUL_RANGE;
	}
	*region_out = region;
	return HAUL_OK;
}

/* The version that a refusal tells: the slot's last known one, whatever its generation. */
static uint64_t region_version(const struct region_table *table, uint64_t handle)
{
	if (region_slot(handle) >= table->slots)
		return 0;
	return atomic_load_explicit(&table->regions[region_slot(handle)].version,
				    memory_order_relaxed);
}

/* Did the copy meet memory that its owner had taken away? The fault handler has noted it. */
static bool region_faulted(const struct region *region, uint64_t *counters)
{
	if (LIKELY(region->spec.fault_id == FAULT_NONE || !fault_poisoned(region->spec.fault_id)))
		return false;
	counters[REGION_FAULTS]++;
	return true;
}

/*
 * Most touches go on where the last one ended: what the next one will want is asked for while this one is copied. Never
 * beyond the region.
 */
static inline bool region_goes_on(const struct transport_access *access)
{
	return access->length >= REGION_AHEAD_BYTES_MIN;
}

static inline uint64_t region_beyond(const struct region *region,
				     const struct transport_access *access)
{
	return region->spec.length - access->offset - access->length;
}

static inline char *region_address(const struct region *region, uint64_t offset)
{
	return (char *)region->spec.base + offset;
}

/* The clock before a placement: later than its bound it must not begin. */
static bool region_is_late(const struct transport_access *access, uint64_t *counters)
{
	if (access->not_after_us == UINT64_MAX || clock_quick_us() <= access->not_after_us ||
	    weaken_has(WEAKEN_FRESHNESS))
		return false;
	counters[REGION_REFUSED_LATE]++;
	return true;
}

/* The clock after it: a stop in the middle of the copy is seen and never silent. */
void region_note_stall(const struct transport_access *access, uint64_t *counters)
{
	if (access->not_after_us != UINT64_MAX && clock_quick_us() > access->not_after_us)
		counters[REGION_PLACED_AFTER_STALL]++;
}

enum haul_error region_open(const struct region_table *table, uint64_t *counters,
			    const struct transport_access *access, uint64_t *version_out)
{
	const struct region *region;
	enum haul_error error;

	error = region_admit(table, counters, access, HAUL_RIGHT_READ, &region);
	if (UNLIKELY(error != HAUL_OK))
		*version_out = region_version(table, access->region);
	return error;
}

enum haul_error region_place(const struct region_table *table, uint64_t *counters,
			     const struct transport_access *access, const void *payload,
			     uint64_t *version_out)
{
	const struct region *region;
	enum haul_error error;

	error = region_admit(table, counters, access, HAUL_RIGHT_WRITE, &region);
	if (UNLIKELY(error != HAUL_OK)) {
		*version_out = region_version(table, access->region);
		return error;
	}
	if (UNLIKELY(region_is_late(access, counters)))
		return HAUL_TIMEOUT;
	if (LIKELY(region_goes_on(access))) {
		copy_into(region_address(region, access->offset), payload, access->length,
			  region_beyond(region, access));
	} else {
		memcpy(region_address(region, access->offset), payload, access->length);
	}
	region_note_stall(access, counters);
	if (UNLIKELY(region_faulted(region, counters)))
		return HAUL_FAULT;
	counters[REGION_BYTES_PLACED] += access->length;
	return HAUL_OK;
}

enum haul_error region_source(const struct region_table *table, uint64_t *counters,
			      const struct transport_access *access, void *destination,
			      uint64_t *version_out)
{
	const struct region *region;
	enum haul_error error;

	error = region_admit(table, counters, access, HAUL_RIGHT_READ, &region);
	if (UNLIKELY(error != HAUL_OK)) {
		*version_out = region_version(table, access->region);
		return error;
	}
	if (UNLIKELY(region_is_late(access, counters)))
		return HAUL_TIMEOUT;
	if (LIKELY(region_goes_on(access))) {
		copy_from(destination, region_address(region, access->offset), access->length,
			  region_beyond(region, access));
	} else {
		memcpy(destination, region_address(region, access->offset), access->length);
	}
	if (UNLIKELY(region_faulted(region, counters)))
		return HAUL_FAULT;
	counters[REGION_BYTES_SOURCED] += access->length;
	return HAUL_OK;
}

enum haul_error region_lend(const struct region_table *table, uint64_t *counters,
			    const struct transport_access *access, const void **bytes_out,
			    uint64_t *version_out)
{
	const struct region *region;
	enum haul_error error;

	error = region_admit(table, counters, access, HAUL_RIGHT_READ, &region);
	if (UNLIKELY(error != HAUL_OK)) {
		*version_out = region_version(table, access->region);
		return error;
	}
	if (UNLIKELY(region_is_late(access, counters)))
		return HAUL_TIMEOUT;
	if (UNLIKELY(region_faulted(region, counters)))
		return HAUL_FAULT;
	*bytes_out = region_address(region, access->offset);
	counters[REGION_BYTES_SOURCED] += access->length;
	return HAUL_OK;
}

bool region_is_sound(const struct region_table *table, uint64_t handle)
{
	const struct region *region = region_find(table, handle, REGION_DRAINING);

	return region == NULL || region->spec.fault_id == FAULT_NONE ||
	       !fault_poisoned(region->spec.fault_id);
}

/* A client may name overlapping ranges of one segment; only those that do not overlap may be streamed. */
static void region_move(char *target, const char *source, uint32_t length)
{
	if (target + length <= source || source + length <= target)
		copy_stream(target, source, length);
	else
		memmove(target, source, length);
}

enum haul_error region_copy(const struct region_table *table, uint64_t *counters,
			    const struct transport_access *target,
			    const struct transport_access *source, uint64_t *version_out)
{
	const struct region *from;
	const struct region *to;
	enum haul_error error;

	ASSERT(target->length == source->length);
	error = region_admit(table, counters, source, HAUL_RIGHT_READ, &from);
	if (UNLIKELY(error != HAUL_OK)) {
		*version_out = region_version(table, source->region);
		return error;
	}
	error = region_admit(table, counters, target, HAUL_RIGHT_WRITE, &to);
	if (UNLIKELY(error != HAUL_OK)) {
		*version_out = region_version(table, target->region);
		return error;
	}
	region_move(region_address(to, target->offset), region_address(from, source->offset),
		    target->length);
	if (UNLIKELY(region_faulted(from, counters) || region_faulted(to, counters)))
		return HAUL_FAULT;
	counters[REGION_BYTES_SOURCED] += source->length;
	counters[REGION_BYTES_PLACED] += target->length;
	return HAUL_OK;
}

enum haul_error region_find_notices(const struct region_table *table, uint64_t *counters,
				    const struct transport_access *access, uint64_t *version_out,
				    struct notices **notices_out)
{
	const struct region *region;
	enum haul_error error;

	error = region_admit(table, counters, access, HAUL_RIGHT_WRITE, &region);
	if (UNLIKELY(error != HAUL_OK)) {
		*version_out = region_version(table, access->region);
		return error;
	}
	if (UNLIKELY(region->spec.notices == NULL)) {
		counters[REGION_REFUSED_DENIED]++;
		return HAUL_DENIED;
	}
	if (UNLIKELY(region_is_late(access, counters)))
		return HAUL_TIMEOUT;
	*notices_out = region->spec.notices;
	return HAUL_OK;
}
