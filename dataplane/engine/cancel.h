/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A client's CANCEL entry, from the ring to its completion.
 *
 * It ends each operation that it matches at once, as a deadline would, and waits until the last of them has come back:
 * those that a fence holds are bounded by it. A channel keeps its cancellations in the order of its ring and completes
 * them in that order, so an operation need only be waited for by the first that matched it. Worker.
 */
#ifndef ENGINE_CANCEL_H
#define ENGINE_CANCEL_H

#include "api/haul_abi.h"
#include "engine/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct channel;

struct cancel {
	uint64_t user_data;
	uint64_t started_us;
	uint32_t open;  /**< operations that it waits for; one more while it looks for them */
	uint16_t found; /**< operations that it matched */
};

/** A channel's cancellations: a queue. */
struct cancel_queue {
	struct cancel cancels[ENGINE_CANCELS_MAX];
	uint32_t head;   /**< the oldest that waits; both count up and are masked at use */
	uint32_t tail;   /**< where the next goes */
	bool has_looked; /**< one has walked over the operations in this round */
};

/** What is wrong with a CANCEL entry by itself. */
enum haul_reason cancel_check(const struct haul_entry *entry);

/** Take a checked entry. False, and nothing has been done, when too many wait already. */
bool cancel_start(struct channel *channel, const struct haul_entry *entry);

/** An operation that a cancellation waits for has completed. */
void cancel_release(struct channel *channel, struct cancel *cancel);

#endif
