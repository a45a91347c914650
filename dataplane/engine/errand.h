/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What an entry has the control thread do: a buffer is removed, an extent published or retired.
 *
 * The worker checks the entry by itself, fills an errand and asks the control thread with its index; the control thread
 * reads it, does what it says, however long that takes, and finishes it; the worker then completes the entry. Each is
 * finished once: when its client has ended, with CANCELLED, so that its channel can be freed. Room for the completion is
 * reserved by the channel like that of any other entry. A cancellation neither finds nor awaits errands.
 *
 * An errand belongs to the worker until it is OUT, to the control thread until it is DONE, and to the worker again.
 */
#ifndef ENGINE_ERRAND_H
#define ENGINE_ERRAND_H

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "engine/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct channel;

enum errand_state {
	ERRAND_FREE = 0, /**< worker's */
	ERRAND_OUT = 1,  /**< control thread's */
	ERRAND_DONE = 2, /**< worker's, to be completed */
};

struct errand {
	_Atomic uint32_t state; /**< enum errand_state */
	uint32_t batch;         /**< of the entry, as the next three */
	uint64_t user_data;
	uint64_t started_us;
	uint8_t flags;
	uint8_t opcode;  /**< what is to be done */
	uint64_t region; /**< of the client's own, not checked */
	uint64_t offset; /**< from its start */
	uint64_t bytes;

	/* Written by the control thread. */
	uint16_t status; /**< enum haul_error */
	uint16_t reason; /**< enum haul_reason */
	uint64_t result; /**< for `bytes` of the completion */
};

/** A channel's errands. */
struct errand_table {
	struct errand errands[ENGINE_ERRANDS_MAX];
	_Atomic uint32_t done; /**< control: wo, worker: ro; counts up with each that is finished */
	uint32_t seen;         /**< worker only: of these, completed */
	uint32_t open;         /**< worker only: not FREE */
};

/** Is it one for the control thread? */
static inline bool errand_is_one(const struct haul_entry *entry)
{
	return entry->opcode >= HAUL_OP_BUFFER_REMOVE && entry->opcode <= HAUL_OP_EXTENT_RETIRE;
}

/** What is wrong with such an entry by itself. */
enum haul_reason errand_check(const struct haul_entry *entry);

/** Take a checked entry. False, and nothing has been done, when too many are under way. Worker. */
bool errand_start(struct channel *channel, const struct haul_entry *entry);

/** Complete what has been finished; returns how many. Worker, each round. */
uint32_t errand_poll(struct channel *channel);

/** How one ended. Control thread. */
void errand_finish(struct channel *channel, struct errand *errand, enum haul_error status,
		   enum haul_reason reason, uint64_t result);

#endif
