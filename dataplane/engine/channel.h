/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One client's set of rings, as its worker serves it.
 *
 * The client is hostile until proven otherwise: its indexes are bounded before use, its entries copied once and then
 * validated. What is wrong with the rings themselves closes the channel with a reason in its header; what is wrong
 * with one entry ends that entry.
 *
 * The control thread makes a channel and frees it; between those it belongs to one worker. Only the handles are
 * written by the control thread meanwhile, each one word, read with acquire.
 */
#ifndef ENGINE_CHANNEL_H
#define ENGINE_CHANNEL_H

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "engine/cancel.h"
#include "engine/errand.h"
#include "engine/limits.h"
#include "engine/notices.h"
#include "engine/operation.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** The members of one batch of a channel. */
struct batch {
	uint64_t bytes;
	uint64_t user_data;  /**< of the last entry */
	uint64_t started_us; /**< of the first */
	uint32_t open;       /**< members not ended */
	uint32_t members;    /**< members taken; 0 = the batch is free */
	uint16_t status;     /**< the worst so far */
	uint16_t reason;     /**< of that */
	uint8_t transport;
	uint8_t attempts;
	bool is_closed; /**< its last entry was taken */
};

/** A handle: one word, so that it changes at once. */
struct channel_handle {
	_Atomic uint64_t word; /**< control: wo, worker: ro; channel_handle_word(); 0 = closed */
	uint16_t generation;   /**< control only: of the next use of this slot */
};

struct channel {
	/* Set by the control thread before the worker sees the channel. */
	struct haul_channel_header *header;  /**< shared with the client: believed nothing */
	struct haul_entry *entries;          /**< shared, client writes */
	struct haul_completion *completions; /**< shared, worker writes */
	uint32_t entries_count;
	uint32_t completions_count;
	uint32_t number;     /**< in this daemon */
	int wake_fd;         /**< stream socket, worker sends when the client sleeps */
	int doorbell_fd;     /**< eventfd, client writes when the worker sleeps; never read */
	uint32_t timeout_ms; /**< for entries that give none */
	struct channel_handle handles[ENGINE_HANDLES_MAX];

	/* Written by every worker that takes a notification for memory of this client. */
	struct notices notices;

	/* Worker only. */
	struct worker *worker;
	struct operation_list operations; /**< open ones */
	uint32_t operations_open;         /**< their number */
	uint32_t submission_head;         /**< own copy of what the header shows */
	uint32_t submission_seen;         /**< submission_tail at the last look */
	uint32_t completion_tail;         /**< own copy */
	uint32_t reserved;                /**< completions promised to what is open */
	uint32_t batches_unclosed;        /**< batches whose last entry was not taken */
	uint32_t slot;                    /**< in the worker's array */
	bool is_closing;                  /**< no entry is taken any more */
	bool is_released;                 /**< the control thread wants it back when it is idle */
	bool is_wake_due;                 /**< completions were added in this round */
	struct batch batches[HAUL_BATCHES_MAX + 1]; /**< by id; 0 is not used */
	struct cancel_queue cancels;
	struct errand_table errands; /**< each in turn the worker's and the control thread's */

	/* Written by the worker, read by anybody for listings. */
	uint64_t accepted;
	uint64_t completed;
	uint64_t bytes;   /**< of all that were completed */
	uint64_t time_us; /**< that all of them took together */
};

/** Handle given to the client: index + 1 in the low half, so that 0 is none, and the generation above. */
static inline uint32_t channel_handle_make(uint32_t index, uint16_t generation)
{
	return (uint32_t)generation << 16 | (index + 1);
}

/** The word behind it: remote + 1, rights, generation. */
static inline uint64_t channel_handle_word(uint32_t remote, uint32_t rights, uint16_t generation)
{
	return (uint64_t)generation << 48 | (uint64_t)(rights & 0xffff) << 32 | (remote + 1);
}

/**
 * The remote segment a handle names, for the given right. Returns HAUL_OK, HAUL_NOT_FOUND (not open) or
 * HAUL_DENIED. Worker.
 */
enum haul_error channel_resolve(const struct channel *channel, uint32_t handle, uint32_t right,
				uint32_t *remote_out);

/** Take entries; returns how many. Worker. */
uint32_t channel_poll(struct channel *channel, uint64_t now_us, uint32_t budget);

/** What an ended entry or operation says in its completion. */
struct channel_result {
	uint64_t user_data;
	uint64_t bytes;
	uint64_t started_us;
	uint32_t batch;
	enum haul_error status;
	enum haul_reason reason;
	uint8_t flags; /**< of the entry */
	uint8_t transport;
	uint8_t attempts;
	uint16_t found; /**< of a CANCEL: operations that it matched */
};

/** Complete one accepted entry, exactly once. Worker. */
void channel_complete(struct channel *channel, const struct channel_result *result);

/** Wake the client when it sleeps and something was completed since the last call. Worker, once a round. */
void channel_wake(struct channel *channel);

/** Begin the end of a channel: no more entries, open operations are cancelled. `reason` is static text. Worker. */
void channel_close(struct channel *channel, enum haul_error error, const char *reason);

/** Closed and nothing open any more? Worker. */
bool channel_is_idle(const struct channel *channel);

#endif
