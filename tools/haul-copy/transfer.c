/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps `depth` operations under way until every byte has moved, and notes how long each took. */
#include "transfer.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* How often the bar is drawn, and how long the transfer may stand still before it is given up. */
#define TRANSFER_BAR_US    100000u
#define TRANSFER_STALL_US  60000000u
#define TRANSFER_BAR_WIDTH 40

struct transfer_state {
	const struct transfer *transfer;
	struct transfer_result result;
	uint32_t *times_us;  /* of each completed operation */
	uint64_t *starts_us; /* of each operation, by its number */
	uint64_t next;       /* offset of the next operation */
	uint64_t count;      /* operations submitted */
	uint64_t open;       /* of those, under way */
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

/* Prepare operations up to the depth and submit them. */
static int transfer_fill(struct transfer_state *state)
{
	const struct transfer *transfer = state->transfer;

	while (state->open < transfer->depth && state->next < transfer->bytes &&
	       state->error == 0) {
		uint32_t length =
			(uint32_t)MIN(transfer->bytes - state->next, transfer->chunk_bytes);
		struct haul_entry *entry = haul_entry_next(transfer->haul);

		if (entry == NULL)
			break;
		if (transfer->is_read) {
			haul_prep_read(entry, transfer->memory, state->next, transfer->remote,
				       state->next, length);
		} else {
			haul_prep_write(entry, transfer->memory, state->next, transfer->remote,
					state->next, length);
		}
		entry->user_data = state->count;
		state->starts_us[state->count++] = clock_now_us();
		state->next += length;
		state->open++;
	}
	return haul_submit(transfer->haul);
}

static void transfer_take(struct transfer_state *state, const struct haul_completion *completion)
{
	uint64_t elapsed_us = clock_now_us() - state->starts_us[completion->user_data];

	state->times_us[state->result.operations++] = (uint32_t)MIN(elapsed_us, UINT32_MAX);
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
	return 0;
}

static int transfer_loop(struct transfer_state *state)
{
	const struct transfer *transfer = state->transfer;
	uint64_t start_us = clock_now_us();
	int error = 0;

	do {
		error = transfer_fill(state);
		if (error >= 0 && state->open > 0)
			error = transfer_reap(state);
		transfer_draw(state, clock_now_us(), false);
	} while (error >= 0 &&
		 (state->open > 0 || (state->error == 0 && state->next < transfer->bytes)));
	state->result.time_us = clock_now_us() - start_us;
	transfer_draw(state, 0, true);
	return error < 0 ? error : state->error;
}

static int transfer_compare_times(const void *a, const void *b)
{
	const uint32_t *left = a;
	const uint32_t *right = b;

	return (*left > *right) - (*left < *right);
}

static void transfer_percentiles(struct transfer_state *state)
{
	uint64_t count = state->result.operations;

	if (count == 0)
		return;
	qsort(state->times_us, count, sizeof(*state->times_us), transfer_compare_times);
	state->result.p50_us = state->times_us[(count - 1) / 2];
	state->result.p99_us = state->times_us[(count - 1) * 99 / 100];
}

int transfer_run(const struct transfer *transfer, struct transfer_result *result_out)
{
	uint64_t operations = (transfer->bytes + transfer->chunk_bytes - 1) / transfer->chunk_bytes;
	struct transfer_state state = { .transfer = transfer };
	int error = -HAUL_SYSTEM;

	state.times_us = calloc(operations, sizeof(*state.times_us));
	state.starts_us = calloc(operations, sizeof(*state.starts_us));
	if (state.times_us != NULL && state.starts_us != NULL) {
		error = transfer_loop(&state);
		transfer_percentiles(&state);
		*result_out = state.result;
	}
	free(state.times_us);
	free(state.starts_us);
	return error;
}
