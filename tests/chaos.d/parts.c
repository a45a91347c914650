/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers come and go inside a living segment, and extents inside a buffer; parts.h says what must hold. */
#include "tests/chaos.d/parts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Between two attempts to add what was refused. */
#define PARTS_RETRY_US 300000u

#define PARTS_BYTES (CHAOS_PART_SLOTS * CHAOS_SLOT_BYTES)

static struct chaos_part *parts_shared(const struct parts *parts, uint32_t arena, uint32_t index)
{
	return &parts->chaos->map->arenas[parts->chaos->client][arena].parts[index];
}

/* All of them, one after the other. */
static struct part *parts_at(struct parts *parts, uint32_t at)
{
	return &parts->parts[at / CHAOS_PARTS][at % CHAOS_PARTS];
}

static void parts_say(struct parts *parts, enum chaos_count count, const char *what,
		      uint64_t number, int status)
{
	printf("%" PRIu64 " %s: removal %u.%" PRIu64 ": %s; last event: %.*s\n", clock_now_us(),
	       what, parts->chaos->client, number & ~PARTS_BIT, error_name(status),
	       (int)CHAOS_EVENT_BYTES, parts->chaos->map->event);
	(void)fflush(stdout);
	chaos_count(parts->chaos, count);
}

void parts_begin(struct parts *parts, uint32_t arena, const struct haul_memory *memory)
{
	uint64_t now_us = clock_now_us();

	parts->is_made[arena] = true;
	for (uint32_t i = 0; i < CHAOS_PARTS; i++)
		parts->parts[arena][i] = (struct part){ .memory = *memory, .next_us = now_us };
}

void parts_end(struct parts *parts, uint32_t arena)
{
	parts->is_made[arena] = false;
	for (uint32_t i = 0; i < CHAOS_PARTS; i++) {
		parts->open -= parts->parts[arena][i].user_data != 0;
		parts->parts[arena][i].user_data = 0;
	}
}

/* From COMING on nobody begins an operation there: it is free for good when it is once. */
static bool parts_is_free(struct parts *parts, uint32_t arena, uint32_t index)
{
	struct slot_place place = { parts->chaos->client, arena, index * CHAOS_PART_SLOTS };

	for (uint32_t i = 0; i < CHAOS_PART_SLOTS; i++, place.slot++) {
		struct chaos_slot *slot = slot_at(parts->chaos, place);
		bool is_busy;

		chaos_lock(parts->chaos, slot);
		is_busy = slot->state == SLOT_BUSY;
		chaos_unlock(slot);
		if (is_busy)
			return false;
	}
	return true;
}

static void parts_publish(struct parts *parts, uint32_t index)
{
	struct part *part = &parts->parts[CHAOS_EXTENTS][index];
	struct chaos_part *shared = parts_shared(parts, CHAOS_EXTENTS, index);
	uint64_t extent = 0;
	int error = haul_extent_publish(parts->haul, &part->memory, (uint64_t)index * PARTS_BYTES,
					PARTS_BYTES, &extent);

	if (error == 0) {
		atomic_store(&shared->extent, extent);
		atomic_store(&shared->state, PART_THERE);
		chaos_count(parts->chaos, COUNT_additions);
		return;
	}
	if (error != -HAUL_DISCONNECTED && error != -HAUL_TIMEOUT)
		parts_say(parts, COUNT_refused, haul_reason(parts->haul), index, -error);
	part->next_us = clock_now_us() + PARTS_RETRY_US;
}

static void parts_add(struct parts *parts, uint32_t arena, uint32_t index)
{
	struct chaos *chaos = parts->chaos;
	struct part *part = &parts->parts[arena][index];
	struct chaos_part *shared = parts_shared(parts, arena, index);
	const struct haul_buffer_options options = {
		.offset = (uint64_t)index * PARTS_BYTES,
		.bytes = PARTS_BYTES,
		.is_given = 1,
		.fd = chaos->fds[chaos->client][arena][index],
	};
	uint32_t segment = part->memory.segment;
	int error;

	atomic_store(&shared->state, PART_COMING);
	if (!parts_is_free(parts, arena, index))
		return;
	error = haul_buffer_add(parts->haul, segment, &options, &part->memory);
	if (error == 0) {
		atomic_store(&shared->state, PART_THERE);
		chaos_count(chaos, COUNT_additions);
		return;
	}
	/* It may come to be until the next call, which takes it back first: it stays COMING. */
	if (error == -HAUL_TIMEOUT) {
		chaos_count(chaos, COUNT_refused);
		return;
	}
	if (error != -HAUL_DISCONNECTED)
		parts_say(parts, COUNT_refused, haul_reason(parts->haul), index, -error);
	atomic_store(&shared->state, PART_GONE);
	part->next_us = clock_now_us() + PARTS_RETRY_US;
}

static void parts_remove(struct parts *parts, uint32_t arena, uint32_t index)
{
	struct part *part = &parts->parts[arena][index];
	uint64_t user_data = PARTS_BIT | (parts->number + 1);

	if (arena == CHAOS_EXTENTS) {
		struct haul_entry *entry = haul_entry_next(parts->haul);

		if (entry == NULL)
			return;
		haul_prep_extent_retire(entry,
					atomic_load(&parts_shared(parts, arena, index)->extent));
		entry->user_data = user_data;
	} else if (haul_buffer_remove(parts->haul, &part->memory, user_data) != 0) {
		return;
	}
	parts->number++;
	parts->open++;
	part->user_data = user_data;
	part->due_us =
		clock_now_us() + parts->chaos->map->conduct.timeout_ms * 1000 + CHAOS_GRACE_US;
}

void parts_round(struct parts *parts)
{
	const struct chaos_conduct *conduct = &parts->chaos->map->conduct;
	uint64_t now_us = clock_now_us();
	uint32_t arena = chaos_chance(parts->chaos, 500000) ? CHAOS_BUFFERS : CHAOS_EXTENTS;
	uint32_t index = (uint32_t)chaos_below(parts->chaos, CHAOS_PARTS);
	struct part *part = &parts->parts[arena][index];

	if (!parts->is_made[arena] || part->user_data != 0)
		return;
	if (atomic_load(&parts_shared(parts, arena, index)->state) != PART_THERE) {
		if (now_us >= part->next_us && arena == CHAOS_EXTENTS)
			parts_publish(parts, index);
		else if (now_us >= part->next_us)
			parts_add(parts, arena, index);
		return;
	}
	if (conduct->part_ms == 0 || now_us < parts->remove_us)
		return;
	parts_remove(parts, arena, index);
	parts->remove_us = now_us + conduct->part_ms * 500 +
			   chaos_below(parts->chaos, conduct->part_ms * 1000);
}

/* Its memory is this client's own again. */
static void parts_gone(struct parts *parts, uint32_t arena, uint32_t index)
{
	struct chaos *chaos = parts->chaos;
	struct part *part = &parts->parts[arena][index];
	uint32_t segment = part->memory.segment;

	slot_take_part(chaos, chaos->client, arena, index, "when its part was removed");
	chaos_count(chaos, arena == CHAOS_EXTENTS ? COUNT_extents_gone : COUNT_buffers_gone);
	part->next_us = clock_now_us() + chaos_below(chaos, chaos->map->conduct.gone_ms * 1000);
	if (arena == CHAOS_EXTENTS)
		return;
	if (haul_buffer_unmap(parts->haul, &part->memory) != 0)
		parts_say(parts, COUNT_wrong, "WRONG: a buffer cannot be unmapped", index, 0);
	part->memory.segment = segment;
}

void parts_removed(struct parts *parts, const struct haul_completion *completion)
{
	uint32_t at = 0;
	struct part *part;

	while (at < CHAOS_ARENAS * CHAOS_PARTS &&
	       parts_at(parts, at)->user_data != completion->user_data)
		at++;
	if (at == CHAOS_ARENAS * CHAOS_PARTS) {
		parts_say(parts, COUNT_doubled, "DOUBLED: a removal ended twice",
			  completion->user_data, completion->status);
		return;
	}
	part = parts_at(parts, at);
	part->user_data = 0;
	parts->open--;
	if (completion->status == HAUL_OK)
		parts_gone(parts, at / CHAOS_PARTS, at % CHAOS_PARTS);
	else if (at / CHAOS_PARTS == CHAOS_BUFFERS &&
		 (completion->status == HAUL_UNAVAILABLE || completion->status == HAUL_BUSY))
		chaos_count(parts->chaos, COUNT_stayed); /* it stays as it was */
	else
		parts_say(parts, COUNT_wrong, "WRONG: a removal with a strange status",
			  completion->user_data, completion->status);
}

void parts_watch(struct parts *parts)
{
	uint64_t now_us = clock_now_us();

	for (uint32_t i = 0; i < CHAOS_ARENAS * CHAOS_PARTS; i++) {
		struct part *part = parts_at(parts, i);

		if (part->user_data == 0 || now_us < part->due_us ||
		    chaos_stood_still(parts->chaos, part->due_us - CHAOS_GRACE_US))
			continue;
		parts_say(parts, COUNT_missing, "MISSING: a removal that does not end",
			  part->user_data, 0);
		part->due_us = UINT64_MAX;
	}
}

bool parts_is_leaving(const struct parts *parts, uint32_t arena)
{
	for (uint32_t i = 0; i < CHAOS_PARTS; i++) {
		if (parts->parts[arena][i].user_data != 0)
			return true;
	}
	return false;
}
