/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations at random and what becomes of them; work.h says what must hold. */
#include "tests/chaos.d/work.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Set in the user_data of a cancellation. */
#define WORK_CANCEL_BIT (UINT64_C(1) << 63)

/* What a busy machine may add to a cancellation when no daemon was stopped. */
#define WORK_CANCEL_GRACE_US 3000000u

/* Between two attempts to open what could not be opened. */
#define WORK_RETRY_US 400000u

/* Of the draws that find a part gone: begun all the same. */
#define WORK_GONE_PPM 150000u

static void work_say(struct work *work, enum chaos_count count, const char *what, uint64_t id)
{
	printf("%" PRIu64 " %s: operation %u.%" PRIu64 "; last event: %.*s\n", clock_now_us(), what,
	       work->chaos->client, id & ((UINT64_C(1) << CHAOS_NUMBER_BITS) - 1),
	       (int)CHAOS_EVENT_BYTES, work->chaos->map->event);
	(void)fflush(stdout);
	chaos_count(work->chaos, count);
}

static struct slot_place work_near(const struct work *work, uint32_t slot)
{
	return (struct slot_place){ work->chaos->client, CHAOS_PRIVATE, slot };
}

/* Have a handle for an arena, now or later. The life before and after says which life it is of. */
static bool work_open(struct work *work, uint32_t client, uint32_t arena)
{
	struct work_handle *handle = &work->handles[client][arena];
	struct chaos_map *map = work->chaos->map;
	uint64_t now_us = clock_now_us();
	char name[32];
	int error;

	if (handle->is_open)
		return true;
	if (now_us < handle->retry_us)
		return false;
	handle->retry_us = now_us + WORK_RETRY_US;
	handle->life = atomic_load(&map->arenas[client][arena].life);
	(void)snprintf(name, sizeof(name), "chaos/%u/%u", client, arena);
	error = haul_segment_open(work->haul, name, HAUL_READ | HAUL_WRITE, &handle->remote);
	if (error != 0) {
		chaos_count(work->chaos, COUNT_refused);
		return false;
	}
	chaos_count(work->chaos, COUNT_openings);
	handle->is_open = true;
	if (atomic_load(&map->arenas[client][arena].life) == handle->life)
		return true;
	haul_segment_close(work->haul, &handle->remote);
	handle->is_open = false;
	return false;
}

static bool work_pick_far(struct work *work, struct slot_place *far_out)
{
	struct chaos *chaos = work->chaos;
	struct slot_place far = {
		.client = (uint32_t)chaos_below(chaos, chaos->map->clients),
		.arena = (uint32_t)chaos_below(chaos, CHAOS_PRIVATE),
		.slot = (uint32_t)chaos_below(chaos, CHAOS_SLOTS),
	};

	if (chaos->map->conduct.remote_only != 0 &&
	    chaos_node_of(chaos, far.client) == chaos_node_of(chaos, chaos->client))
		return false;
	*far_out = far;
	return work_open(work, far.client, far.arena);
}

/* A free private slot; CHAOS_SLOTS when there is none, or as much is open as may be. */
static uint32_t work_pick_near(struct work *work)
{
	struct chaos *chaos = work->chaos;
	uint32_t at = (uint32_t)chaos_below(chaos, CHAOS_SLOTS);

	for (uint32_t i = 0; i < CHAOS_SLOTS && work->open < chaos->map->conduct.depth; i++) {
		if (slot_at(chaos, work_near(work, at))->state == SLOT_FREE)
			return at;
		at = (at + 1) % CHAOS_SLOTS;
	}
	return CHAOS_SLOTS;
}

static void work_range(struct work *work, struct chaos_slot *slot)
{
	struct chaos *chaos = work->chaos;
	uint64_t most = MIN(chaos->map->conduct.bytes_max, CHAOS_SLOT_BYTES);

	slot->length = 1 + (uint32_t)chaos_below(chaos, chaos_chance(chaos, 400000) ? 2048 : most);
	slot->start = (uint32_t)chaos_below(chaos, CHAOS_SLOT_BYTES - slot->length + 1);
}

static struct chaos_part *work_part(const struct work *work, struct slot_place far)
{
	return &work->chaos->map->arenas[far.client][far.arena].parts[far.slot / CHAOS_PART_SLOTS];
}

static struct work_extent *work_extent(struct work *work, struct slot_place far)
{
	return &work->extents[far.client][far.slot / CHAOS_PART_SLOTS];
}

/* Have an extent's handle, which may be an old one. The life before and after says which life it is of. */
static bool work_learn(struct work *work, struct slot_place far)
{
	const struct chaos_part *part = work_part(work, far);
	struct work_extent *extent = work_extent(work, far);
	uint64_t life = atomic_load(&part->life);
	uint64_t handle;

	if (extent->handle != 0)
		return true;
	if (atomic_load(&part->state) != PART_THERE)
		return false;
	handle = atomic_load(&part->extent);
	if (atomic_load(&part->life) != life)
		return false;
	*extent = (struct work_extent){ .handle = handle, .life = life };
	return true;
}

/* Nothing may land in a part that is gone, nor by an extent's handle that was retired, whatever the segment's handle. */
static bool work_is_forbidden(struct work *work, struct slot_place far)
{
	const struct chaos_arena *arena = &work->chaos->map->arenas[far.client][far.arena];
	const struct chaos_part *part = work_part(work, far);

	return work->handles[far.client][far.arena].life != atomic_load(&arena->life) ||
	       (far.arena == CHAOS_BUFFERS && atomic_load(&part->state) != PART_THERE) ||
	       (far.arena == CHAOS_EXTENTS &&
		atomic_load(&part->life) != work_extent(work, far)->life);
}

/* May an operation begin there? Of those on a buffer that is gone a few are enough. Under the slot's lock. */
static bool work_may_begin(struct work *work, struct slot_place far)
{
	uint64_t state = PART_THERE;

	if (slot_at(work->chaos, far)->state != SLOT_FREE)
		return false;
	if (far.arena == CHAOS_EXTENTS)
		return work_learn(work, far);
	if (far.arena == CHAOS_BUFFERS)
		state = atomic_load(&work_part(work, far)->state);
	return state == PART_THERE ||
	       (state == PART_GONE && chaos_chance(work->chaos, WORK_GONE_PPM));
}

/* Both slots are locked: the operation is on them from now on. */
static void work_occupy(struct work *work, struct slot_place near, struct slot_place far,
			bool is_read)
{
	struct chaos *chaos = work->chaos;
	struct work_operation *operation = &work->operations[near.slot];
	struct chaos_slot *here = slot_at(chaos, near);
	struct chaos_slot *there = slot_at(chaos, far);
	uint64_t number = atomic_fetch_add(&chaos->map->number[chaos->client], 1) + 1;

	here->id = (uint64_t)chaos->client << CHAOS_NUMBER_BITS | number;
	here->is_read = is_read;
	here->client = chaos->client;
	here->is_taken = 0;
	here->other[0] = far.client;
	here->other[1] = far.arena;
	here->other[2] = far.slot;
	here->changed_us = clock_now_us();
	work_range(work, here);
	here->state = SLOT_BUSY;
	there->id = here->id;
	there->is_read = is_read;
	there->client = chaos->client;
	there->start = here->start;
	there->length = here->length;
	there->changed_us = here->changed_us;
	operation->id = here->id;
	operation->far = far;
	operation->life = work->handles[far.client][far.arena].life;
	operation->extent = far.arena == CHAOS_EXTENTS ? work_extent(work, far)->handle : 0;
	operation->is_forbidden = work_is_forbidden(work, far);
	there->is_taken = operation->is_forbidden;
	there->state = SLOT_BUSY;
	/* What is forbidden could only read poison. */
	if (!is_read)
		slot_fill(chaos, near);
	else if (!operation->is_forbidden)
		slot_fill(chaos, far);
}

static uint32_t work_timeout_ms(struct work *work)
{
	struct chaos *chaos = work->chaos;
	uint64_t longest = chaos->map->conduct.timeout_ms;

	return 20 + (uint32_t)chaos_below(chaos, chaos_chance(chaos, 200000) ? 200 : longest);
}

static void work_prepare(struct work *work, struct slot_place near, uint32_t batch, bool is_last)
{
	struct chaos *chaos = work->chaos;
	struct work_operation *operation = &work->operations[near.slot];
	const struct chaos_slot *slot = slot_at(chaos, near);
	const struct slot_place far = operation->far;
	const struct haul_remote *remote = &work->handles[far.client][far.arena].remote;
	struct haul_entry *entry = haul_entry_next(work->haul);
	uint64_t here = (uint64_t)near.slot * CHAOS_SLOT_BYTES + slot->start;
	uint32_t first = operation->extent != 0 ? far.slot % CHAOS_PART_SLOTS : far.slot;
	uint64_t there = (uint64_t)first * CHAOS_SLOT_BYTES + slot->start;

	BUG_ON(entry == NULL); /* the rings have room for far more than there are slots */
	if (slot->is_read)
		haul_prep_read(entry, &work->memory, here, remote, there, slot->length);
	else
		haul_prep_write(entry, &work->memory, here, remote, there, slot->length);
	haul_prep_extent(entry, operation->extent);
	if (batch != 0) {
		haul_prep_batch(entry, batch, is_last);
		entry->flags |= HAUL_ENTRY_BATCH_MEMBER;
	}
	entry->user_data = slot->id;
	entry->timeout_ms = work_timeout_ms(work);
	operation->batch = batch;
	operation->due_us = clock_now_us() + entry->timeout_ms * UINT64_C(1000) + CHAOS_GRACE_US;
	work->open++;
	chaos_count(chaos, COUNT_tried);
}

/* Begin one operation; false when no pair of free slots was found. */
static bool work_begin_one(struct work *work, uint32_t batch, bool is_last)
{
	struct chaos *chaos = work->chaos;
	struct slot_place near = work_near(work, work_pick_near(work));
	struct slot_place far;
	bool is_begun;

	if (near.slot == CHAOS_SLOTS || !work_pick_far(work, &far))
		return false;
	chaos_lock(chaos, slot_at(chaos, near));
	chaos_lock(chaos, slot_at(chaos, far));
	is_begun = work_may_begin(work, far);
	if (is_begun) {
		if (!slot_check(chaos, far, SLOT_POISON, "before it is used"))
			slot_poison(chaos, far);
		if (!slot_check(chaos, near, SLOT_POISON, "before it is used"))
			slot_poison(chaos, near);
		work_occupy(work, near, far, chaos_chance(chaos, chaos->map->conduct.read_ppm));
	}
	chaos_unlock(slot_at(chaos, far));
	chaos_unlock(slot_at(chaos, near));
	if (is_begun)
		work_prepare(work, near, batch, is_last);
	return is_begun;
}

/* A batch of a few, the last of which closes it: it is begun with what there is, and a NOP at least. */
static void work_begin_batch(struct work *work)
{
	uint32_t batch = 1 + (uint32_t)chaos_below(work->chaos, WORK_BATCHES);
	struct work_batch *open = &work->batches[batch];
	uint32_t wanted = 1 + (uint32_t)chaos_below(work->chaos, 5);
	struct haul_entry *last;

	if (open->members != 0)
		return;
	open->ended = 0;
	for (uint32_t i = 0; i < wanted; i++)
		open->members += work_begin_one(work, batch, false);
	if (open->members == 0)
		return;
	last = haul_entry_next(work->haul);
	BUG_ON(last == NULL);
	haul_prep_nop(last);
	haul_prep_batch(last, batch, 1);
	open->members++;
	open->ended++; /* it asks for no completion of its own */
	open->due_us =
		clock_now_us() + work->chaos->map->conduct.timeout_ms * 1000 + CHAOS_GRACE_US;
	chaos_count(work->chaos, COUNT_batches);
}

void work_begin(struct work *work)
{
	uint64_t count = 1 + chaos_below(work->chaos, 6);

	if (chaos_chance(work->chaos, 100000))
		work_begin_batch(work);
	for (uint64_t i = 0; i < count; i++)
		work_begin_one(work, 0, false);
}

void work_cancel(struct work *work, enum haul_match match)
{
	struct work_cancel *cancel = NULL;
	uint64_t which = 0;

	for (uint32_t i = 0; i < WORK_CANCELS && cancel == NULL; i++)
		cancel = work->cancels[i].user_data == 0 ? &work->cancels[i] : NULL;
	if (match == HAUL_MATCH_BATCH)
		which = 1 + chaos_below(work->chaos, WORK_BATCHES);
	for (uint32_t i = 0; i < CHAOS_SLOTS && match == HAUL_MATCH_USER_DATA && which == 0; i++)
		which = work->operations[chaos_below(work->chaos, CHAOS_SLOTS)].id;
	if (cancel == NULL || (match != HAUL_MATCH_ALL && which == 0) ||
	    haul_cancel(work->haul, match, which, WORK_CANCEL_BIT | (work->cancel_number + 1)) != 0)
		return;
	cancel->user_data = WORK_CANCEL_BIT | ++work->cancel_number;
	cancel->began_us = clock_now_us();
	cancel->before = atomic_load(&work->chaos->map->number[work->chaos->client]);
	cancel->match = match;
	cancel->which = which;
	chaos_count(work->chaos, COUNT_cancels);
}

static bool work_matches(const struct work_cancel *cancel, const struct work_operation *operation)
{
	if (operation->id == 0 ||
	    (operation->id & ((UINT64_C(1) << CHAOS_NUMBER_BITS) - 1)) > cancel->before)
		return false;
	return cancel->match == HAUL_MATCH_ALL ||
	       cancel->which ==
		       (cancel->match == HAUL_MATCH_BATCH ? operation->batch : operation->id);
}

/* Nothing of what a cancellation has found is open when it completes. */
static void work_cancelled(struct work *work, const struct haul_completion *completion)
{
	struct work_cancel *cancel = work->cancels;
	enum haul_error expected = completion->members > 0 ? HAUL_OK : HAUL_NOT_FOUND;

	while (cancel < work->cancels + WORK_CANCELS && cancel->user_data != completion->user_data)
		cancel++;
	if (cancel == work->cancels + WORK_CANCELS) {
		work_say(work, COUNT_doubled, "DOUBLED: a cancellation ended twice",
			 completion->user_data);
		return;
	}
	for (uint32_t i = 0; i < CHAOS_SLOTS; i++) {
		if (work_matches(cancel, &work->operations[i]))
			work_say(work, COUNT_wrong, "WRONG: open after its cancellation has ended",
				 work->operations[i].id);
	}
	if (completion->status != expected)
		work_say(work, COUNT_wrong, "WRONG: a cancellation with a strange status",
			 completion->user_data);
	/* This client may have waited for an answer since it last looked; then it had not come too late, but been seen late. */
	if (work->looked_us > cancel->began_us + HAUL_CANCEL_MS * 1000 + WORK_CANCEL_GRACE_US &&
	    !chaos_stood_still(work->chaos, cancel->began_us))
		work_say(work, COUNT_late, "LATE: a cancellation took too long",
			 completion->user_data);
	cancel->user_data = 0;
}

static void work_count(struct work *work, uint32_t status)
{
	static const uint8_t counts[HAUL_ERROR_COUNT] = {
		[HAUL_OK] = COUNT_ok,
		[HAUL_CANCELLED] = COUNT_cancelled,
		[HAUL_TIMEOUT] = COUNT_timeout,
		[HAUL_STALE] = COUNT_stale_status,
		[HAUL_NO_PATH] = COUNT_no_path,
		[HAUL_BUSY] = COUNT_busy,
		[HAUL_DISCONNECTED] = COUNT_disconnected,
	};
	uint32_t count = status < HAUL_ERROR_COUNT ? counts[status] : 0;

	chaos_count(work->chaos, count != 0 ? (enum chaos_count)count : COUNT_otherwise);
}

/* Both ends of an operation that is over; what may be in them follows from its status. */
static void work_settle(struct work *work, struct slot_place near, uint32_t status,
			const char *when)
{
	struct chaos *chaos = work->chaos;
	struct chaos_slot *here = slot_at(chaos, near);
	struct slot_place far = { here->other[0], here->other[1], here->other[2] };
	struct chaos_slot *there = slot_at(chaos, far);
	enum slot_holds landed = status == HAUL_OK ? SLOT_WHOLE : SLOT_PART;

	chaos_lock(chaos, here);
	chaos_lock(chaos, there);
	if (there->state == SLOT_BUSY && there->id == here->id)
		slot_end(chaos, far, there->is_read ? SLOT_PART : landed, status, when);
	slot_end(chaos, near, here->is_read ? landed : SLOT_PART, status, when);
	chaos_unlock(there);
	chaos_unlock(here);
}

/* What its target does not know any more: the extent's handle, or that of the segment. */
static void work_forget_stale(struct work *work, const struct work_operation *operation,
			      uint32_t status)
{
	struct work_handle *handle = &work->handles[operation->far.client][operation->far.arena];

	if (operation->extent != 0 &&
	    work_extent(work, operation->far)->handle == operation->extent)
		work_extent(work, operation->far)->handle = 0;
	if (status != HAUL_STALE || !handle->is_open || handle->life != operation->life)
		return;
	haul_segment_close(work->haul, &handle->remote);
	handle->is_open = false;
}

static void work_ended(struct work *work, const struct haul_completion *completion)
{
	struct chaos *chaos = work->chaos;
	uint32_t slot = 0;
	struct work_operation *operation;

	while (slot < CHAOS_SLOTS && work->operations[slot].id != completion->user_data)
		slot++;
	if (slot == CHAOS_SLOTS) {
		work_say(work, COUNT_doubled, "DOUBLED: ended twice, or never begun",
			 completion->user_data);
		return;
	}
	operation = &work->operations[slot];
	work_count(work, completion->status);
	if (completion->status == HAUL_OK && operation->is_forbidden)
		work_say(work, COUNT_stale, "STALE: OK for memory that was gone before it began",
			 operation->id);
	if (completion->status == HAUL_OK &&
	    completion->bytes != slot_at(chaos, work_near(work, slot))->length)
		work_say(work, COUNT_wrong, "WRONG: OK for less than all bytes", operation->id);
	work_settle(work, work_near(work, slot), completion->status, "when it completed");
	if (completion->status != HAUL_OK &&
	    !chaos_chance(chaos, chaos->map->conduct.keep_stale_ppm))
		work_forget_stale(work, operation, completion->status);
	if (operation->batch != 0)
		work->batches[operation->batch].ended++;
	operation->id = 0;
	work->open--;
}

static void work_batch_ended(struct work *work, const struct haul_completion *completion)
{
	struct work_batch *batch = &work->batches[completion->batch % (1 + WORK_BATCHES)];

	if (batch->members == 0 || batch->ended != batch->members ||
	    completion->members != batch->members)
		work_say(work, COUNT_doubled, "DOUBLED: a batch ended twice, or before its members",
			 completion->batch);
	batch->members = 0;
}

int work_reap(struct work *work, uint64_t timeout_us)
{
	const struct haul_completion *completions;
	int count = haul_wait(work->haul, timeout_us, &completions);
	uint64_t now_us = clock_now_us();

	for (int i = 0; i < count; i++) {
		if (completions[i].batch != 0)
			work_batch_ended(work, &completions[i]);
		else if ((completions[i].user_data & WORK_CANCEL_BIT) != 0)
			work_cancelled(work, &completions[i]);
		else if ((completions[i].user_data & PARTS_BIT) != 0)
			parts_removed(work->parts, &completions[i]);
		else
			work_ended(work, &completions[i]);
	}
	if (count > 0)
		haul_seen(work->haul, (unsigned int)count);
	work->looked_us = now_us;
	return count;
}

void work_watch(struct work *work)
{
	uint64_t now_us = clock_now_us();

	for (uint32_t i = 0; i < CHAOS_SLOTS; i++) {
		struct work_operation *operation = &work->operations[i];

		if (operation->id == 0 || now_us < operation->due_us ||
		    chaos_stood_still(work->chaos, operation->due_us - CHAOS_GRACE_US))
			continue;
		work_say(work, COUNT_missing, "MISSING: not ended by its deadline", operation->id);
		operation->due_us = UINT64_MAX;
	}
	for (uint32_t i = 1; i <= WORK_BATCHES; i++) {
		struct work_batch *batch = &work->batches[i];

		if (batch->members == 0 || now_us < batch->due_us ||
		    chaos_stood_still(work->chaos, batch->due_us - CHAOS_GRACE_US))
			continue;
		work_say(work, COUNT_missing, "MISSING: a batch that does not end", i);
		batch->due_us = UINT64_MAX;
	}
}

void work_end_all(struct work *work, const char *when)
{
	for (uint32_t i = 0; i < CHAOS_SLOTS; i++) {
		struct slot_place near = work_near(work, i);

		if (slot_at(work->chaos, near)->state != SLOT_BUSY)
			continue;
		chaos_count(work->chaos, COUNT_lost);
		work_settle(work, near, HAUL_DISCONNECTED, when);
	}
	memset(work->operations, 0, sizeof(work->operations));
	memset(work->batches, 0, sizeof(work->batches));
	memset(work->cancels, 0, sizeof(work->cancels));
	work->open = 0;
}

void work_forget_handles(struct work *work)
{
	memset(work->handles, 0, sizeof(work->handles));
	memset(work->extents, 0, sizeof(work->extents));
}
