/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Remote segments that some channel of this node has open, and what is known of each: the view.
 *
 * A view is one descriptor, immutable, valid for exactly one (incarnation, version). The control thread swaps the
 * pointer when a newer one arrives and frees the old view after a quiescent point. It also stores the version that
 * the control plane has seen; a worker compares that with its view's on every use: one load, no call. On a
 * difference the view is stale at once, and operations wait for the newer one or end with STALE.
 */
#ifndef ENGINE_REMOTE_H
#define ENGINE_REMOTE_H

#include "api/haul_control.h"
#include "api/haul_error.h"
#include "engine/limits.h"

#include <stdatomic.h>
#include <stdint.h>

/** One descriptor as the workers use it. */
struct remote_view {
	uint64_t version;
	uint64_t incarnation;
	uint64_t bytes;
	uint32_t peer;    /**< index in the peer table */
	uint32_t segment; /**< the owner's number of it */
	uint32_t rights;  /**< HAUL_RIGHT_* that were granted */
	uint32_t buffer_count;
	uint8_t key[HAUL_KEY_BYTES]; /**< of these rights; the control thread's, for proofs */
	uint32_t *by_region; /**< indexes of buffers, ascending by their regions; behind them */
	struct haul_descriptor_buffer buffers[]; /**< ascending, disjoint */
};

enum remote_state {
	REMOTE_FREE = 0,    /**< nobody has it open */
	REMOTE_OPEN = 1,    /**< usable */
	REMOTE_RETIRED = 2, /**< gone or replaced: every operation on it ends with STALE */
};

struct remote {
	_Atomic(struct remote_view *) view; /**< control: wo, workers: ro */
	_Atomic uint64_t version_seen;      /**< control: wo, workers: ro */
	_Atomic uint32_t state;             /**< enum remote_state; control: wo, workers: ro */
	_Atomic uint32_t
		asked; /**< control: wo, workers: ro; number of the last refresh that began */
	_Atomic uint32_t answered; /**< control: wo, workers: ro; of the last that ended, however */
	uint32_t references;       /**< control only: handles of channels */
	uint32_t peer;             /**< control only: index in the peer table */
	char name[HAUL_NAME_BYTES]; /**< control only */
};

struct remote_table {
	/**
	 * Control: wo, workers: ro. Moves with each retirement, so that a worker sees by one load that it has operations
	 * to end. It does within its next whole round, that is before a quiescent point that was asked for later.
	 */
	_Atomic uint32_t retirements;
	struct remote remotes[ENGINE_REMOTES_MAX];
};

/** Where an offset of the segment lies. */
struct remote_range {
	uint64_t region; /**< 48-bit handle in the owner's table */
	uint64_t offset; /**< from that region's start */
};

/**
 * Copy a descriptor that has been checked (descriptor.h) into a view. NULL when memory is short. The caller
 * frees it with free(). Control thread.
 */
struct remote_view *remote_view_make(const struct haul_descriptor *descriptor, uint32_t peer);

/**
 * Resolve [offset, offset + length) of the segment to a region. Returns HAUL_OK; HAUL_STALE when the buffer takes nothing
 * new, since its owner removes it; HAUL_RANGE when the range does not lie inside one buffer, or in one that is divided
 * into extents, which are named by their regions alone. Worker.
 */
enum haul_error remote_resolve(const struct remote_view *view, uint64_t offset, uint64_t length,
			       struct remote_range *range_out);

/**
 * The same for a range of a region that the client named itself. What is none of the descriptor's buffers may be an
 * extent, of which only the owner knows: it is passed on, and the owner compares the region's segment with what was
 * granted. Returns as remote_resolve does. Worker.
 */
enum haul_error remote_resolve_region(const struct remote_view *view, uint64_t region,
				      uint64_t offset, uint64_t length,
				      struct remote_range *range_out);

/** Take a remote segment away: every operation on it ends with STALE. Control thread. */
void remote_retire(struct remote_table *table, uint32_t index);

#endif
