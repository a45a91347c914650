/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One row of a measurement on one thread and attachment: operations of one kind, size and depth, kept under way for a
 * time.
 *
 * Both sides use the same offset of their memory for an operation (the other side beyond remote_base), so that what
 * belongs there is known from the offset alone, and a check needs no note of who wrote what. A mix of both kinds writes
 * from the lower half of its memory and reads into the upper one.
 */
#ifndef LOAD_H
#define LOAD_H

#include "api/haul.h"
#include "histogram.h"

#include <stdbool.h>
#include <stdint.h>

/** The most operations under way at a time. */
#define LOAD_DEPTH_MAX 1024u

/** What all rows have in common. */
struct load {
	struct haul *haul;
	const struct haul_memory *memory; /**< this side, at least as large as any row's span */
	const struct haul_remote
		*remote;      /**< the other side, likewise; NULL when all rows are NOPs */
	uint64_t local_base;  /**< where the row's part of this side begins */
	uint64_t remote_base; /**< and of the other side, of which each thread has a part */
	uint64_t duration_ns;
	uint64_t warm_up_ns; /**< before it; completions of that time are not counted */
	uint64_t cold_bytes; /**< step through so much memory; 0 = depth x size */
	uint32_t timeout_ms; /**< of an operation; 0 = the daemon's */
	uint64_t
		pause_ns; /**< nothing is under way for so long between two rounds of `depth` operations; 0 = none */
	uint64_t pattern_seed;        /**< of the check; another one for each row */
	bool is_verified;             /**< check the bytes after the time */
	void (*begin)(void *context); /**< called once a row, when all is prepared; NULL = none */
	void *context;                /**< of begin */
};

/** What is done in one row. */
struct load_row {
	enum haul_opcode opcode; /**< not looked at in a mix */
	bool is_mix;             /**< reads and writes */
	bool is_notifying;       /**< writes that notify the owner */
	uint32_t reads_percent;  /**< of a mix */
	uint32_t bytes;          /**< of one operation; 0 for NOP */
	uint32_t depth;          /**< operations under way */
};

/** What came of it. */
struct load_result {
	uint64_t operations; /**< counted ones */
	uint64_t elapsed_ns; /**< in which they completed */
	uint64_t wrong_at;   /**< first offset with a wrong byte; UINT64_MAX = none */
	uint8_t transport;   /**< enum haul_transport of the last one */
	struct histogram times;
};

/** Add what another thread's part of a row came to: counts add up, the longest time counts. */
void load_merge(struct load_result *result, const struct load_result *other);

/** Bytes that a row needs on both sides, for each thread. */
uint64_t load_span(const struct load *load, const struct load_row *row);

/**
 * Run one row; with is_verified also fill before and check after, outside the time. Returns 0, or -HAUL_* after one
 * line on stderr. Bytes that are wrong are no error here: wrong_at tells.
 */
int load_run(const struct load *load, const struct load_row *row, struct load_result *result_out);

#endif
