/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps operations under way and notes how long each took, from its submission to the moment when it was seen. One
 * reading of the clock serves all operations of a submission, and one all that are seen at once.
 */
#include "load.h"

#include "base/check.h"
#include "base/clock.h"
#include "pattern.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long nothing may complete before the run is given up: twice the daemon's default deadline. */
#define LOAD_STALL_US UINT64_C(60000000)

/* Of one operation when the pattern is written or read back. */
#define LOAD_CHECK_BYTES (UINT64_C(1) << 20)
#define LOAD_CHECK_DEPTH 16u

enum load_phase {
	LOAD_WARMING,  /* completions are not counted */
	LOAD_COUNTING, /* they are */
	LOAD_DRAINING, /* nothing new is submitted */
};

struct load_run {
	const struct load *load;
	const struct load_row *row;
	struct load_result *result;
	enum load_phase phase;
	uint64_t until_ns;   /* end of the phase; UINT64_MAX = decided by `wanted` */
	uint64_t counted_ns; /* when counting began */
	uint64_t read_base;  /* where the places that are read begin; the others begin at 0 */
	uint64_t slots;      /* places that each kind steps through */
	uint64_t offset_max; /* of the last of them */
	uint64_t started;    /* operations submitted */
	uint64_t reads;      /* of those */
	uint64_t wanted;     /* operations to submit at most */
	uint32_t open;
	uint32_t free_count;
	int error;                          /* of the first operation that failed */
	uint16_t free_tags[LOAD_DEPTH_MAX]; /* tags that no open operation has */
	uint64_t starts_ns[LOAD_DEPTH_MAX]; /* by tag */
};

/* What one kind of operation steps through: all of it, or each half of a mix. */
static uint64_t load_part(const struct load *load, const struct load_row *row)
{
	uint64_t bytes = (uint64_t)row->bytes * row->depth;

	if (bytes == 0 || load->cold_bytes <= bytes)
		return bytes;
	/* Whole operations only, so that none is shorter than the others. */
	return load->cold_bytes / row->bytes * row->bytes;
}

uint64_t load_span(const struct load *load, const struct load_row *row)
{
	return load_part(load, row) * (row->is_mix ? 2 : 1);
}

/* Spread evenly: of any hundred operations in a row so many are reads. */
static bool load_is_read(const struct load_run *run)
{
	uint64_t percent = run->row->reads_percent;

	if (!run->row->is_mix)
		return run->row->opcode == HAUL_OP_READ;
	return (run->started + 1) * percent / 100 != run->started * percent / 100;
}

static void load_prepare(struct load_run *run, struct haul_entry *entry, uint64_t now_ns)
{
	const struct load *load = run->load;
	bool is_read = load_is_read(run);
	uint64_t step = is_read ? run->reads : run->started - run->reads;
	/* The last place may overlap the one before it, so that every operation is whole. */
	uint64_t offset = MIN(step % run->slots * run->row->bytes, run->offset_max) +
			  (is_read ? run->read_base : 0);
	uint16_t tag = run->free_tags[--run->free_count];

	if (is_read) {
		haul_prep_read(entry, load->memory, load->local_base + offset, load->remote,
			       load->remote_base + offset, run->row->bytes);
	} else if (run->row->opcode != HAUL_OP_NOP) {
		haul_prep_write(entry, load->memory, load->local_base + offset, load->remote,
				load->remote_base + offset, run->row->bytes);
		if (run->row->is_notifying)
			haul_prep_notify(entry, 0, offset);
	}
	entry->user_data = tag;
	entry->timeout_ms = load->timeout_ms;
	run->starts_ns[tag] = now_ns;
	run->started++;
	run->reads += is_read;
	run->open++;
}

static void load_pause(const struct load_run *run)
{
	const struct timespec pause = { .tv_sec = (time_t)(run->load->pause_ns / CLOCK_NS_PER_S),
					.tv_nsec = (long)(run->load->pause_ns % CLOCK_NS_PER_S) };

	if (run->load->pause_ns > 0 && run->started > 0 && run->phase != LOAD_DRAINING)
		nanosleep(&pause, NULL);
}

/* Submit up to the depth. Returns 0 or -HAUL_*. */
static int load_fill(struct load_run *run)
{
	/* With pauses a round of operations ends before the next one begins. */
	bool is_due = run->load->pause_ns == 0 || run->open == 0;
	uint64_t now_ns;
	int count;

	if (run->open == 0)
		load_pause(run);
	now_ns = clock_now_ns();
	while (is_due && run->phase != LOAD_DRAINING && run->open < run->row->depth &&
	       run->started < run->wanted) {
		struct haul_entry *entry = haul_entry_next(run->load->haul);

		if (entry == NULL)
			break;
		load_prepare(run, entry, now_ns);
	}
	count = haul_submit(run->load->haul);
	return count < 0 ? count : 0;
}

static void load_take(struct load_run *run, const struct haul_completion *completion,
		      uint64_t now_ns)
{
	uint16_t tag = (uint16_t)completion->user_data;

	run->free_tags[run->free_count++] = tag;
	run->open--;
	run->result->transport = completion->transport;
	if (completion->status != HAUL_OK && run->error == 0) {
		run->error = -(int)completion->status;
		run->phase = LOAD_DRAINING;
		fprintf(stderr, "haul-bench: an operation of %u bytes: %s (%s)\n", run->row->bytes,
			haul_error_text(completion->status), haul_reason_text(completion->reason));
	}
	if (run->phase != LOAD_COUNTING)
		return;
	histogram_add(&run->result->times, now_ns - run->starts_ns[tag]);
	run->result->operations++;
	run->result->elapsed_ns = now_ns - run->counted_ns;
}

/* Go from phase to phase as time passes. */
static void load_turn(struct load_run *run, uint64_t now_ns)
{
	if (run->phase == LOAD_WARMING && now_ns >= run->until_ns) {
		run->phase = LOAD_COUNTING;
		run->counted_ns = now_ns;
		run->until_ns = now_ns + run->load->duration_ns;
	} else if (run->phase == LOAD_COUNTING && now_ns >= run->until_ns) {
		run->phase = LOAD_DRAINING;
	}
}

/* Wait for completions and take them. Returns 0 or -HAUL_*. */
static int load_reap(struct load_run *run)
{
	const struct haul_completion *completions;
	struct haul *haul = run->load->haul;
	int count = haul_wait(haul, LOAD_STALL_US, &completions);
	uint64_t now_ns = clock_now_ns();

	if (count == 0) {
		fprintf(stderr, "haul-bench: nothing has completed for %llu s\n",
			(unsigned long long)(LOAD_STALL_US / 1000000));
		return -HAUL_TIMEOUT;
	}
	for (int i = 0; i < count; i++)
		load_take(run, &completions[i], now_ns);
	if (count < 0)
		return count;
	haul_seen(haul, (unsigned int)count);
	load_turn(run, now_ns);
	return 0;
}

static int load_loop(struct load_run *run)
{
	int error;

	run->free_count = run->row->depth;
	for (uint32_t i = 0; i < run->row->depth; i++)
		run->free_tags[i] = (uint16_t)i;
	do {
		error = load_fill(run);
		if (error == 0 && run->open > 0)
			error = load_reap(run);
	} while (error == 0 &&
		 (run->open > 0 || (run->phase != LOAD_DRAINING && run->started < run->wanted)));
	if (error < 0 && error != -HAUL_TIMEOUT)
		fprintf(stderr, "haul-bench: %s: %s\n", haul_error_text(error),
			haul_reason(run->load->haul));
	return error != 0 ? error : run->error;
}

/* Move `bytes` from `base` on once, untimed: to set the stage, or to look at it. */
static int load_move(const struct load *load, enum haul_opcode opcode, uint64_t base,
		     uint64_t bytes)
{
	struct load mover = { .haul = load->haul,
			      .memory = load->memory,
			      .remote = load->remote,
			      .local_base = load->local_base + base,
			      .remote_base = load->remote_base + base,
			      .timeout_ms = load->timeout_ms };
	struct load_result result = { 0 };
	struct load_row row = { .opcode = opcode,
				.bytes = (uint32_t)MIN(LOAD_CHECK_BYTES, bytes),
				.depth = LOAD_CHECK_DEPTH };
	struct load_run run = { .load = &mover, .row = &row, .result = &result };

	if (bytes == 0)
		return 0;
	run.until_ns = UINT64_MAX;
	run.offset_max = bytes - row.bytes;
	run.slots = (bytes + row.bytes - 1) / row.bytes;
	run.wanted = run.slots;
	return load_loop(&run);
}

/* Does the row write, or read? A mix does both. */
static bool load_writes(const struct load_row *row)
{
	return row->is_mix || row->opcode == HAUL_OP_WRITE;
}

static bool load_reads(const struct load_row *row)
{
	return row->is_mix || row->opcode == HAUL_OP_READ;
}

/* What must be where before the row: the pattern at the side that is read from. */
static int load_prime(const struct load *load, const struct load_row *row)
{
	uint64_t part = load_part(load, row);
	uint64_t base = row->is_mix ? part : 0;
	uint8_t *memory = load->memory->address;
	int error = 0;

	if (load_reads(row)) {
		pattern_fill(memory + base, part, load->pattern_seed);
		error = load_move(load, HAUL_OP_WRITE, base, part);
		memset(memory + base, 0, part);
	}
	if (load_writes(row))
		pattern_fill(memory, part, load->pattern_seed);
	return error;
}

/* Look at what the row has moved: only that, since a short row may not have come round once. */
static int load_verify(const struct load_run *run)
{
	const struct load *load = run->load;
	const struct load_row *row = run->row;
	uint8_t *memory = load->memory->address;
	uint64_t written = MIN(run->started - run->reads, run->slots) * row->bytes;
	uint64_t wrong_at = UINT64_MAX;
	int error = 0;

	if (load_reads(row)) {
		wrong_at =
			pattern_check(memory + run->read_base,
				      MIN(run->reads, run->slots) * row->bytes, load->pattern_seed);
	}
	if (wrong_at != UINT64_MAX)
		wrong_at += run->read_base;
	if (wrong_at == UINT64_MAX && load_writes(row)) {
		memset(memory, 0, written);
		error = load_move(load, HAUL_OP_READ, 0, written);
		if (error == 0)
			wrong_at = pattern_check(memory, written, load->pattern_seed);
	}
	run->result->wrong_at = wrong_at;
	return error;
}

int load_run(const struct load *load, const struct load_row *row, struct load_result *result_out)
{
	uint64_t part = load_part(load, row);
	struct load_run run = { .load = load, .row = row, .result = result_out };
	bool is_verified = load->is_verified && row->bytes > 0;
	int error = 0;

	memset(result_out, 0, sizeof(*result_out));
	result_out->wrong_at = UINT64_MAX;
	if (is_verified)
		error = load_prime(load, row);
	if (load->begin != NULL)
		load->begin(load->context); /* in any case: others wait for it */
	if (error != 0)
		return error;
	run.read_base = row->is_mix ? part : 0;
	run.offset_max = part - row->bytes;
	run.slots = row->bytes > 0 ? MAX(part / row->bytes, 1) : 1;
	run.wanted = UINT64_MAX;
	run.until_ns = clock_now_ns() + load->warm_up_ns;
	error = load_loop(&run);
	return error == 0 && is_verified ? load_verify(&run) : error;
}

void load_merge(struct load_result *result, const struct load_result *other)
{
	result->operations += other->operations;
	result->elapsed_ns = MAX(result->elapsed_ns, other->elapsed_ns);
	result->wrong_at = MIN(result->wrong_at, other->wrong_at);
	result->transport = MAX(result->transport, other->transport);
	histogram_merge(&result->times, &other->times);
}
