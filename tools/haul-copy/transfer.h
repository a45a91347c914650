/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A pipelined transfer through a ring of chunks, as any application of libhaul would write it: what is written is brought
 * chunk by chunk while others are under way, what is read is taken away in order, and no more memory is needed than for
 * what is under way.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "api/haul.h"

#include <stdbool.h>
#include <stdint.h>

/** What to move, and how. */
struct transfer {
	struct haul *haul;
	const struct haul_memory *memory; /**< transfer_ring_bytes of it */
	const struct haul_remote *remote;
	uint64_t bytes;       /**< from offset 0 of the remote side on */
	uint32_t chunk_bytes; /**< of one operation */
	uint32_t depth;       /**< operations under way at a time */
	bool is_read;
	bool is_shown;     /**< a progress bar on stderr */
	const char *label; /**< of the bar */
	/**
	 * Bring a chunk that is to be written, or take one that was read: one after the other from the first byte on, in the
	 * thread of transfer_run. Returns 0, or -1 after a line on stderr; then the transfer ends.
	 */
	int (*handle)(void *context, void *bytes, uint32_t length);
	void *context;
};

/** What came of it. */
struct transfer_result {
	uint64_t bytes;      /**< moved; of a read, also when they could not be taken away */
	uint64_t operations; /**< completed, whatever their status */
	uint64_t time_us;    /**< to the last completion, with what was handled meanwhile */
	uint32_t p50_us;     /**< time of one operation, median */
	uint32_t p99_us;
	uint8_t transport; /**< enum haul_transport of the last completion */
};

/** Memory that a transfer needs: as many chunks as may be under way. */
uint64_t transfer_ring_bytes(uint64_t bytes, uint32_t chunk_bytes, uint32_t depth);

/** Run it. Returns 0, or -HAUL_* after a line on stderr that says which operation ended how. */
int transfer_run(const struct transfer *transfer, struct transfer_result *result_out);

#endif
