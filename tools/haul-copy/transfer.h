/* SPDX-License-Identifier: BSD-3-Clause */
/** A pipelined transfer of one buffer, as any application of libhaul would write it. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "api/haul.h"

#include <stdbool.h>
#include <stdint.h>

/** What to move, and how. */
struct transfer {
	struct haul *haul;
	const struct haul_memory *memory;
	const struct haul_remote *remote;
	uint64_t bytes;       /**< from offset 0 on both sides */
	uint32_t chunk_bytes; /**< of one operation */
	uint32_t depth;       /**< operations under way at a time */
	bool is_read;
	bool is_shown;     /**< a progress bar on stderr */
	const char *label; /**< of the bar */
};

/** What came of it. */
struct transfer_result {
	uint64_t bytes;      /**< moved */
	uint64_t operations; /**< completed, whatever their status */
	uint64_t time_us;    /**< from the first submit to the last completion */
	uint32_t p50_us;     /**< time of one operation, median */
	uint32_t p99_us;
	uint8_t transport; /**< enum haul_transport of the last completion */
};

/** Run it. Returns 0, or -HAUL_* after a line on stderr that says which operation ended how. */
int transfer_run(const struct transfer *transfer, struct transfer_result *result_out);

#endif
