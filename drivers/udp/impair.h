/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A bad wire in front of a port, for tests on real ports: frames that a worker sends get lost, doubled, late, overtaken
 * or damaged before the port has them. The wire of one node alone is bad in one direction.
 *
 * In all builds but a release. Configured by a port's key `impair`, a string such as
 *
 *     seed=1,drop=20000,duplicate=10000,reorder=50000,corrupt=5000
 *
 * with chances in millionths of a frame. Each queue has one, its worker's own; the same seed and the same frames give the
 * same faults. What is late is held here, in room that is taken at start: a frame that finds none waits in its queue.
 */
#ifndef DRIVERS_UDP_IMPAIR_H
#define DRIVERS_UDP_IMPAIR_H

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

/** Room for the string, its final zero included. */
#define IMPAIR_TEXT_BYTES 256u

/** The keys of the string; what is left out is 0, and does nothing. */
struct impair_options {
	uint32_t seed;
	uint32_t drop;          /**< ppm */
	uint32_t duplicate;     /**< ppm */
	uint32_t reorder;       /**< ppm; such a frame comes reorder_us later */
	uint32_t reorder_us;    /**< 0 = 300 */
	uint32_t corrupt;       /**< ppm; one bit is turned over */
	uint32_t delay_us;      /**< of every frame */
	uint32_t jitter_us;     /**< and up to so much more, by chance */
	uint32_t burst_enter;   /**< ppm a frame: a bad time begins (Gilbert and Elliott) */
	uint32_t burst_leave;   /**< ppm a frame: it ends */
	uint32_t burst_drop;    /**< ppm a frame in a bad time; 0 = all */
	uint32_t hole_every_ms; /**< so often nothing arrives */
	uint32_t hole_ms;       /**< for so long */
	uint32_t late;          /**< ppm; such a frame comes by chance up to late_ms later */
	uint32_t late_ms;       /**< 0 = 3000 */
};

/** Its counters, in the order of UDP_IMPAIR_COUNTERS. */
enum impair_counter {
	IMPAIR_DROPPED = 0,
	IMPAIR_DUPLICATED = 1,
	IMPAIR_DELAYED = 2,
	IMPAIR_CORRUPTED = 3,
};

struct impair;

#ifdef HAUL_DEBUG

/** Read the string; NULL, or what is wrong with it. */
const char *impair_parse(const char *text, struct impair_options *options_out);

/** For one queue: `number` makes its chances others than those of the next one. NULL = no memory. */
struct impair *impair_create(const struct impair_options *options, uint32_t number,
			     uint64_t *counters);
/** Frees what it holds; NULL is allowed. */
void impair_destroy(struct impair *impair);
/** Free what it holds: the port is gone. */
void impair_empty(struct impair *impair);

/** Take frames, the port's from now on; returns how many there was room for. */
uint32_t impair_take(struct impair *impair, struct rte_mbuf *const *mbufs, uint32_t count,
		     uint64_t now_us);

/** Give out frames that are due, at most `count`; returns how many. */
uint32_t impair_give(struct impair *impair, struct rte_mbuf **mbufs_out, uint32_t count,
		     uint64_t now_us);

/** Take back what could not be sent: it is due again at once. */
void impair_take_back(struct impair *impair, struct rte_mbuf *const *mbufs, uint32_t count);

/** When it has something to give; UINT64_MAX = nothing is held. */
uint64_t impair_due_us(const struct impair *impair);

#endif
#endif
