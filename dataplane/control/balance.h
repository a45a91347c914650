/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The balance: which worker is the least loaded, so that the next channel goes there.
 *
 * A worker's load is the share of its time that rounds with work took, for whomever: its own channels, or what peers read
 * and write here. The worker counts that time (WORKER_BUSY_US) and nothing else; the control thread reads the counter
 * every now and then and smooths what it finds. It belongs to the control thread.
 */
#ifndef CONTROL_BALANCE_H
#define CONTROL_BALANCE_H

#include "base/limits.h"
#include "engine/worker.h"

#include <stdint.h>

/** Loads are in millionths of a worker's time. */
#define BALANCE_WHOLE 1000000u

/** What the control thread knows of one worker. */
struct balance_worker {
	uint64_t busy_us; /**< its counter, as it was read last */
	uint32_t load;    /**< smoothed over about a second */
	uint32_t
		expected; /**< of channels that were just given: what they may add to the load; it fades as that shows */
	uint32_t channels; /**< it has been told to serve, and has not given back */
};

struct balance {
	const struct engine *engine;
	uint64_t read_at_us;
	struct balance_worker workers[WORKERS_MAX]; /**< by number */
};

/** All idle. The engine has its workers already and outlives the balance. */
void balance_init(struct balance *balance, const struct engine *engine, uint64_t now_us);

/** Read what the workers have done since the last time. To be called many times a second. */
void balance_read(struct balance *balance, uint64_t now_us);

/**
 * The worker that a channel should be given to: the least loaded one; of those that are about as little loaded the one
 * with the fewest channels. NULL when none has room for one more.
 */
struct worker *balance_pick(const struct balance *balance);

/** The worker was given a channel, or has given it back. */
void balance_add(struct balance *balance, const struct worker *worker);
void balance_remove(struct balance *balance, const struct worker *worker);

#endif
