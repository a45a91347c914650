/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of a slot; slot.h says what they tell. */
#include "tests/chaos.d/slot.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLOT_WORDS     (CHAOS_SLOT_BYTES / 8)
#define SLOT_WORD_BITS 13u
#define SLOT_IS_POISON (UINT64_C(1) << 63)
#define SLOT_KEY_MASK  ((UINT64_C(1) << 50) - 1)
#define SLOT_SHORT_MS  250u

/* A daemon that was continued so long ago has looked at all that was in its queues. */
#define SLOT_STALL_US 10000000u

/* The most that one packet, and so a copy in which a daemon was stopped, has. */
#define SLOT_STALL_BYTES 9000u

_Static_assert(SLOT_WORDS == 1u << SLOT_WORD_BITS, "a word's place fits");

struct chaos_slot *slot_at(const struct chaos *chaos, struct slot_place place)
{
	return &chaos->map->arenas[place.client][place.arena].slots[place.slot];
}

uint8_t *slot_memory(const struct chaos *chaos, struct slot_place place)
{
	return chaos->memory[place.client][place.arena] + (size_t)place.slot * CHAOS_SLOT_BYTES;
}

static uint64_t slot_word(uint64_t key, uint32_t index)
{
	return key << SLOT_WORD_BITS | index;
}

static uint64_t slot_poison_word(uint64_t key, uint32_t index)
{
	return SLOT_IS_POISON | slot_word(key, index);
}

void slot_poison(struct chaos *chaos, struct slot_place place)
{
	struct chaos_slot *slot = slot_at(chaos, place);
	uint64_t *words = (uint64_t *)(void *)slot_memory(chaos, place);

	slot->poison = chaos_random(chaos) & SLOT_KEY_MASK;
	for (uint32_t i = 0; i < SLOT_WORDS; i++)
		words[i] = slot_poison_word(slot->poison, i);
}

void slot_fill(const struct chaos *chaos, struct slot_place place)
{
	const struct chaos_slot *slot = slot_at(chaos, place);
	uint8_t *bytes = slot_memory(chaos, place);
	uint32_t end = slot->start + slot->length;

	for (uint32_t at = slot->start; at < end;) {
		uint64_t word = slot_word(slot->id, at / 8);
		uint32_t skip = at % 8;
		uint32_t count = MIN(8 - skip, end - at);

		memcpy(bytes + at, (const uint8_t *)&word + skip, count);
		at += count;
	}
}

static uint8_t slot_byte(uint64_t word, uint32_t at)
{
	return (uint8_t)(word >> at % 8 * 8);
}

/* Is this byte one that may be there? */
static bool slot_byte_is_right(const struct chaos_slot *slot, enum slot_holds holds, uint32_t at,
			       uint8_t byte)
{
	bool is_inside = at >= slot->start && at - slot->start < slot->length;

	if (holds != SLOT_POISON && is_inside && byte == slot_byte(slot_word(slot->id, at / 8), at))
		return true;
	return !(holds == SLOT_WHOLE && is_inside) &&
	       byte == slot_byte(slot_poison_word(slot->poison, at / 8), at);
}

/* What a word says of itself: whose it is. */
static void slot_name_word(uint64_t word, char *text, size_t bytes)
{
	uint64_t id = (word & ~SLOT_IS_POISON) >> SLOT_WORD_BITS;

	if ((word & SLOT_IS_POISON) != 0)
		(void)snprintf(text, bytes, "poison %013" PRIx64 ", word %u", id,
			       (uint32_t)word % SLOT_WORDS);
	else
		(void)snprintf(text, bytes, "operation %u.%" PRIu64 ", word %u",
			       (uint32_t)(id >> CHAOS_NUMBER_BITS),
			       id & ((UINT64_C(1) << CHAOS_NUMBER_BITS) - 1),
			       (uint32_t)word % SLOT_WORDS);
}

/* Where a client's daemon was stopped not long ago, a packet's bytes may be of the copy that the stop came into. */
static bool slot_is_stalled(struct chaos *chaos, struct slot_place place, uint32_t bytes)
{
	const struct chaos_node *node = &chaos->map->node[chaos_node_of(chaos, place.client)];
	uint64_t continued_us = atomic_load(&node->continued_us);

	return continued_us != 0 && bytes <= SLOT_STALL_BYTES &&
	       clock_now_us() < continued_us + SLOT_STALL_US;
}

struct slot_fault {
	uint32_t first;
	uint32_t last;
	uint32_t bytes;
	bool is_foreign; /* some are neither the poison that must be there nor what should have come */
};

static void slot_report(struct chaos *chaos, struct slot_place place, enum slot_holds holds,
			const struct slot_fault *fault, const char *when)
{
	const struct chaos_slot *slot = slot_at(chaos, place);
	uint64_t word;
	char found[96];
	bool is_stalled = fault->is_foreign && slot_is_stalled(chaos, place, fault->bytes);

	memcpy(&word, slot_memory(chaos, place) + fault->first / 8 * 8, sizeof(word));
	slot_name_word(word, found, sizeof(found));
	printf("%" PRIu64
	       " %s: %s: arena %u.%u slot %u: %u bytes from %u to %u, the first of %s; slot: "
	       "state %u taken %u, poison %013" PRIx64 ", operation %" PRIu64 ".%" PRIu64
	       " %s %u+%u, status %s, %" PRIu64 " us ago; held %u; last event: %.*s\n",
	       clock_now_us(),
	       !fault->is_foreign ? "WRONG"
	       : is_stalled       ? "STALLED"
				  : "STALE",
	       when, place.client, place.arena, place.slot, fault->bytes, fault->first, fault->last,
	       found, slot->state, slot->is_taken, slot->poison, slot->id >> CHAOS_NUMBER_BITS,
	       slot->id & ((UINT64_C(1) << CHAOS_NUMBER_BITS) - 1),
	       slot->is_read ? "READ" : "WRITE", slot->start, slot->length,
	       error_name((int)slot->status), clock_now_us() - slot->changed_us, (uint32_t)holds,
	       (int)CHAOS_EVENT_BYTES, chaos->map->event);
	(void)fflush(stdout);
	if (!fault->is_foreign) {
		chaos_count(chaos, COUNT_wrong);
	} else if (is_stalled) {
		chaos_count(chaos, COUNT_stalled);
		atomic_fetch_add(&chaos->map->node[chaos_node_of(chaos, place.client)].stalled, 1);
	} else {
		chaos_count(chaos, COUNT_stale);
	}
}

bool slot_check(struct chaos *chaos, struct slot_place place, enum slot_holds holds,
		const char *when)
{
	const struct chaos_slot *slot = slot_at(chaos, place);
	const uint8_t *bytes = slot_memory(chaos, place);
	const uint64_t *words = (const uint64_t *)(const void *)bytes;
	struct slot_fault fault = { 0 };

	chaos_count(chaos, COUNT_checked);
	for (uint32_t at = 0; at < CHAOS_SLOT_BYTES; at++) {
		/* Most words are what they were. */
		if (at % 8 == 0 && words[at / 8] == slot_poison_word(slot->poison, at / 8) &&
		    (holds != SLOT_WHOLE || at + 8 <= slot->start ||
		     at >= slot->start + slot->length)) {
			at += 7;
			continue;
		}
		if (slot_byte_is_right(slot, holds, at, bytes[at]))
			continue;
		if (fault.bytes++ == 0)
			fault.first = at;
		fault.last = at;
		fault.is_foreign |=
			bytes[at] != slot_byte(slot_poison_word(slot->poison, at / 8), at);
	}
	if (fault.bytes > 0)
		slot_report(chaos, place, holds, &fault, when);
	return fault.bytes == 0;
}

void slot_end(struct chaos *chaos, struct slot_place place, enum slot_holds holds, uint32_t status,
	      const char *when)
{
	struct chaos_slot *slot = slot_at(chaos, place);
	uint64_t now_us = clock_now_us();
	uint64_t rest_ms = chaos_below(chaos, SLOT_SHORT_MS);

	slot->status = status;
	slot_check(chaos, place, slot->is_taken ? SLOT_POISON : holds, when);
	slot_poison(chaos, place);
	/* Of those that are done as they should be, few are looked at for long. */
	if (status != HAUL_OK || chaos_chance(chaos, 50000))
		rest_ms = SLOT_SHORT_MS + chaos_below(chaos, chaos->map->conduct.quarantine_ms);
	slot->is_taken = 0;
	slot->state = SLOT_QUARANTINE;
	slot->changed_us = now_us;
	slot->until_us = now_us + rest_ms * 1000;
}

/* From the slot of `place` on. */
static void slot_take(struct chaos *chaos, struct slot_place place, uint32_t count,
		      const char *when)
{
	for (uint32_t i = 0; i < count; i++, place.slot++) {
		struct chaos_slot *slot = slot_at(chaos, place);

		chaos_lock(chaos, slot);
		slot_check(chaos, place,
			   slot->state != SLOT_BUSY || slot->is_taken ? SLOT_POISON : SLOT_PART,
			   when);
		slot_poison(chaos, place);
		slot->is_taken = slot->state == SLOT_BUSY;
		slot->changed_us = clock_now_us();
		chaos_unlock(slot);
	}
}

static void slot_end_part(struct chaos_part *part)
{
	atomic_store(&part->state, PART_GONE);
	atomic_fetch_add(&part->life, 1);
}

void slot_take_arena(struct chaos *chaos, uint32_t client, uint32_t arena, const char *when)
{
	struct slot_place place = { .client = client, .arena = arena };

	/* Who begins an operation from now on knows that it must not land. */
	atomic_fetch_add(&chaos->map->arenas[client][arena].life, 1);
	for (uint32_t i = 0; i < CHAOS_PARTS; i++)
		slot_end_part(&chaos->map->arenas[client][arena].parts[i]);
	slot_take(chaos, place, CHAOS_SLOTS, when);
}

void slot_take_part(struct chaos *chaos, uint32_t client, uint32_t arena, uint32_t part,
		    const char *when)
{
	struct slot_place place = { client, arena, part * CHAOS_PART_SLOTS };

	slot_end_part(&chaos->map->arenas[client][arena].parts[part]);
	slot_take(chaos, place, CHAOS_PART_SLOTS, when);
}

void slot_look(struct chaos *chaos, uint32_t client, uint32_t arena, bool is_all, const char *when)
{
	struct slot_place place = { .client = client, .arena = arena };
	uint64_t now_us = clock_now_us();

	for (; place.slot < CHAOS_SLOTS; place.slot++) {
		struct chaos_slot *slot = slot_at(chaos, place);

		if (!is_all && (slot->state != SLOT_QUARANTINE || slot->until_us > now_us))
			continue;
		chaos_lock(chaos, slot);
		if (slot->state != SLOT_BUSY || slot->is_taken) {
			/* Once is enough for each byte that is found. */
			if (!slot_check(chaos, place, SLOT_POISON, when))
				slot_poison(chaos, place);
			if (slot->state == SLOT_QUARANTINE && slot->until_us <= now_us)
				slot->state = SLOT_FREE;
		}
		chaos_unlock(slot);
	}
}
