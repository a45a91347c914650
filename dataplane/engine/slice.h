/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A slice: the part of an operation that goes over one rail.
 *
 * The engine makes slices from a pool of its worker and posts them; from `post` to `slice_done` a slice
 * belongs to the driver, which may link it and use `driver`. Both sides of the copy are region handles and never
 * pointers: a region may be retired while the slice is on its way, so each touch of memory looks it up again.
 */
#ifndef ENGINE_SLICE_H
#define ENGINE_SLICE_H

#include <stdint.h>
#include <sys/queue.h>

struct operation;

enum slice_kind {
	SLICE_WRITE = 1, /**< local -> remote */
	SLICE_READ = 2,  /**< remote -> local */
	/** Tells the owner of the remote range that all of it has been written: posted when it has. Has no local side. */
	SLICE_NOTIFY = 3,
};

/** What a NOTIFY counts for where slices are weighed by their bytes. */
#define SLICE_NOTIFY_BYTES 64u

struct slice {
	struct slice *next; /**< for whoever owns the slice at the moment */

	uint64_t local_region;  /**< 48-bit handle in this node's table */
	uint64_t local_offset;  /**< bytes from that region's start */
	uint64_t remote_region; /**< 48-bit handle in the target's table */
	uint64_t remote_offset; /**< bytes from that region's start */
	uint64_t number; /**< NOTIFY: the same for each attempt; the target executes it once */
	uint64_t value;  /**< NOTIFY: of the entry */
	uint64_t
		version; /**< set by the driver for slice_done with STALE: what the target told, 0 = nothing */
	uint32_t tag;      /**< NOTIFY: of the entry */
	uint32_t written;  /**< NOTIFY: bytes of the WRITE, perhaps none */
	uint32_t length;   /**< bytes, never zero; NOTIFY: SLICE_NOTIFY_BYTES */
	uint8_t kind;      /**< enum slice_kind */
	uint8_t transport; /**< enum haul_transport it was posted on */
	uint16_t rail;     /**< engine's number of the rail it was posted on */
	uint32_t segment;  /**< the owner's number of the remote segment */
	uint16_t remote;   /**< index in the table of remote segments */
	uint8_t rights;    /**< HAUL_RIGHT_* that its opener was granted */

	struct operation *operation; /**< engine's; drivers leave it alone */
	uint64_t posted_us;          /**< engine's: when */
	uint64_t ahead_bytes;        /**< engine's: posted on the rail up to and with this one */
	TAILQ_ENTRY(slice) siblings; /**< engine's: the operation's other slices */
	uint64_t driver[4];          /**< the driver's, from post to slice_done */
};

TAILQ_HEAD(slice_list, slice);

#endif
