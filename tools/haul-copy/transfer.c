/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps `depth` operations under way until every byte has moved, and notes how long each took. Chunk n has slot n modulo the
 * depth, which is free again when the chunk has completed and, with all before it, was handled.
 */
#include "transfer.h"

#include "base/check.h"
#include "base/clock.h"
#include "haul-bench/histogram.h"

#include <stdio.h>
#include <stdlib.h>

/* How often the bar is drawn, and how long the transfer may stand still before it is given up. */
#define TRANSFER_BAR_US    100000u
#define TRANSFER_STALL_US  60000000u
#define TRANSFER_BAR_WIDTH 40

struct transfer_slot {
	uint64_t start_us; /* when its operation was submitted */
	bool is_done;      /* completed, and perhaps not handled yet */
};

struct transfer_state {
	const struct transfer *transfer;
	struct transfer_result result;
	struct histogram *times;
	struct transfer_slot *slots; /* depth of them */
	uint64_t loaded;             /* chunks brought, of those that are written */
	uint64_t count;              /* chunks submitted */
	uint64_t handled;            /* chunks done with, in order */
	uint64_t open;               /* operations under way */
	uint64_t drawn_us;
	int error;
};

static void transfer_draw(struct transfer_state *state, uint64_t now_us, bool is_last)
{
	const struct transfer *transfer = state->transfer;
	int filled = (int)(state->result.bytes * TRANSFER_BAR_WIDTH / transfer->bytes);

	if (!transfer->is_shown || (!is_last && now_us < state->drawn_us + TRANSFER_BAR_US))
		return;
	state->drawn_us = now_us;
	fprintf(stderr, "\r%-6s [%.*s%*s] %3d %%%s", transfer->label, filled,
		"########################################", TRANSFER_BAR_WIDTH - filled, "",
		(int)(state->result.bytes * 100 / transfer->bytes), is_last ? "\n" : "");
}

static uint32_t transfer_length(const struct transfer_state *state, uint64_t chunk)
{
	const struct transfer *transfer = state->transfer;
	uint64_t left = transfer->bytes - chunk * transfer->chunk_bytes;

	return (uint32_t)MIN(left, transfer->chunk_bytes);
}

static struct transfer_slot *transfer_slot(struct transfer_state *state, uint64_t chunk)
{
	return &state->slots[chunk % state->transfer->depth];
}

static uint64_t transfer_at(const struct transfer_state *state, uint64_t chunk)
{
	return chunk % state->transfer->depth * state->transfer->chunk_bytes;
}

static bool transfer_handle(struct transfer_state *state, uint64_t chunk)
{
	const struct transfer *transfer = state->transfer;
	char *bytes = (char *)transfer->memory->address + transfer_at(state, chunk);

	if (transfer->handle(transfer->context, bytes, transfer_length(state, chunk)) != 0)
		state->error = -HAUL_SYSTEM;
	return state->error == 0;
}

static bool transfer_has_more(const struct transfer_state *state)
{
	return state->error == 0 &&
	       state->count * state->transfer->chunk_bytes < state->transfer->bytes;
}

/* Prepare the next operation; false when there is no entry for it, or its bytes could not be brought. */
static bool transfer_next(struct transfer_state *state)
{
	const struct transfer *transfer = state->transfer;
	uint64_t chunk = state->count;
	uint64_t offset = chunk * transfer->chunk_bytes;
	uint64_t at = transfer_at(state, chunk);
	uint32_t length = transfer_length(state, chunk);
	struct haul_entry *entry;

	if (!transfer->is_read && state->loaded == chunk) {
		if (!transfer_handle(state, chunk))
			return false;
		state->loaded++;
	}
	entry = haul_entry_next(transfer->haul);
	if (entry == NULL)
		return false;
	if (transfer->is_read)
		haul_prep_read(entry, transfer->memory, at, transfer->remote, offset, length);
	else
		haul_prep_write(entry, transfer->memory, at, transfer->remote, offset, length);
	entry->user_data = chunk;
	transfer_slot(state, chunk)->start_us = clock_now_us();
	state->count++;
	state->open++;
	return true;
}

/* Prepare operations up to the depth; each is on its way while the next one's bytes are brought. */
static int transfer_fill(struct transfer_state *state)
{
	int error = 0;

	while (error >= 0 && transfer_has_more(state) &&
	       state->count - state->handled < state->transfer->depth && transfer_next(state))
		error = haul_submit(state->transfer->haul);
	return error;
}

/* Slots whose turn has come are free again. */
static void transfer_free(struct transfer_state *state)
{
	while (state->handled < state->count && transfer_slot(state, state->handled)->is_done) {
		transfer_slot(state, state->handled)->is_done = false;
		if (state->transfer->is_read && state->error == 0)
			transfer_handle(state, state->handled);
		state->handled++;
	}
}

static void transfer_take(struct transfer_state *state, const struct haul_completion *completion)
{
	struct transfer_slot *slot = transfer_slot(state, completion->user_data);

	histogram_add(state->times, (clock_now_us() - slot->start_us) * CLOCK_NS_PER_US);
	slot->is_done = true;
	state->result.operations++;
	state->result.bytes += completion->bytes;
	state->result.transport = completion->transport;
	state->open--;
	if (completion->status == HAUL_OK || state->error != 0)
		return;
	state->error = -(int)completion->status;
	fprintf(stderr, "%s of chunk %lu: %s (%s)\n", state->transfer->is_read ? "READ" : "WRITE",
		(unsigned long)completion->user_data, haul_error_text(completion->status),
		haul_reason_text(completion->reason));
}

/* Wait for completions and take them. Returns 0 or -HAUL_*. */
static int transfer_reap(struct transfer_state *state)
{
	struct haul *haul = state->transfer->haul;
	const struct haul_completion *completions;
	int count = haul_wait(haul, TRANSFER_STALL_US, &completions);

	if (count == 0)
		fprintf(stderr, "nothing has completed for %u s\n", TRANSFER_STALL_US / 1000000);
	if (count < 0)
		fprintf(stderr, "%s: %s\n", haul_error_text(count), haul_reason(haul));
	if (count <= 0)
		return count == 0 ? -HAUL_TIMEOUT : count;
	for (int i = 0; i < count; i++)
		transfer_take(state, &completions[i]);
	haul_seen(haul, (unsigned int)count);
	transfer_free(state);
	return 0;
}

static int transfer_loop(struct transfer_state *state)
{
	uint64_t start_us = clock_now_us();
	int error = 0;

	do {
		error = transfer_fill(state);
		if (error >= 0 && state->open > 0)
			error = transfer_reap(state);
		transfer_draw(state, clock_now_us(), false);
	} while (error >= 0 && (state->open > 0 || transfer_has_more(state)));
	state->result.time_us = clock_now_us() - start_us;
	transfer_draw(state, 0, true);
	return error < 0 ? error : state->error;
}

static uint32_t transfer_percentile_us(const struct transfer_state *state, uint32_t part)
{
	uint64_t us = histogram_percentile_ns(state->times, part, 100) / CLOCK_NS_PER_US;

	return (uint32_t)MIN(us, UINT32_MAX);
}

uint64_t transfer_ring_bytes(uint64_t bytes, uint32_t chunk_bytes, uint32_t depth)
{
	return MIN(bytes, (uint64_t)chunk_bytes * depth);
}

int transfer_run(const struct transfer *transfer, struct transfer_result *result_out)
{
	struct transfer_state state = { .transfer = transfer };
	int error = -HAUL_SYSTEM;

	state.times = calloc(1, sizeof(*state.times));
	state.slots = calloc(transfer->depth, sizeof(*state.slots));
	if (state.times != NULL && state.slots != NULL) {
		error = transfer_loop(&state);
		state.result.p50_us = transfer_percentile_us(&state, 50);
		state.result.p99_us = transfer_percentile_us(&state, 99);
		*result_out = state.result;
	}
	free(state.times);
	free(state.slots);
	return error;
}
