/* SPDX-License-Identifier: BSD-3-Clause */
/** What a command line asks haul-bench to do: lists of kinds, sizes and depths, each combination a row. */
#ifndef PLAN_H
#define PLAN_H

#include "api/haul_abi.h"

#include <stdbool.h>
#include <stdint.h>

#define PLAN_LIST_MAX 32u

/** Threads, each with an attachment of its own. */
#define PLAN_THREADS_MAX 64u

/** Beside the opcodes: reads and writes. */
#define PLAN_MIX 255u

/** And WRITEs that notify. */
#define PLAN_NOTIFY 254u

/** A list of numbers. */
struct plan_list {
	uint64_t values[PLAN_LIST_MAX];
	uint32_t count;
};

struct plan {
	struct plan_list kinds; /**< enum haul_opcode, PLAN_MIX or PLAN_NOTIFY */
	struct plan_list sizes; /**< bytes */
	struct plan_list depths;
	struct plan_list threads;
	const char *socket_path; /**< NULL = libhaul's default */
	uint64_t duration_ns;
	uint64_t warm_up_ns;
	uint64_t cold_bytes;    /**< 0 = hot */
	uint64_t pause_ns;      /**< between rounds of operations; 0 = none */
	uint32_t reads_percent; /**< of a mix */
	uint32_t timeout_ms;    /**< 0 = the daemon's */
	bool is_verified;
	const char *
		json; /**< file for rows as JSON, "-" = stdout in place of the table; NULL = none */
	bool is_help;
	const char *command; /**< "serve" or "run" */
	const char *segment; /**< NULL when only NOPs are run */
	uint64_t bytes;      /**< for serve */
};

extern const char plan_usage[];

/** Read the command line. Returns false after a line on stderr. */
bool plan_parse(struct plan *plan, int argc, char **argv);

/** A number of bytes with an optional K, M or G (powers of 1024). Returns false when it is none. */
bool plan_parse_bytes(const char *text, uint64_t *bytes_out);

/** A list: numbers separated by commas, A..B for A and its doublings up to B. Returns false when it is none. */
bool plan_parse_list(const char *text, uint64_t max, struct plan_list *list_out);

/** "write", "read", "nop" or "mix". */
const char *plan_kind_text(uint64_t kind);

#endif
