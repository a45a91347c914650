/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * From one worker to another: packets that came in on the wrong worker's queue, and packets that a worker without a queue
 * sends through the owner of one. A relay is for one ordered pair of workers, so each of its two rings has one writer and
 * one reader. They hold packet buffers, not bytes; whoever takes a buffer out frees it, or gives it to its port.
 *
 * With one worker there are none, and nobody looks for any.
 */
#ifndef DRIVERS_UDP_RELAY_H
#define DRIVERS_UDP_RELAY_H

#include "base/ring.h"
#include "drivers/udp/frame.h"

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

/** Packets in one ring: a few connections' windows, and what comes while the other worker sleeps. */
#define RELAY_PACKETS 512u

/** Packets taken from one ring in a round, so that no other worker starves one's own queue. */
#define RELAY_BURST 64u

/** A packet that came in: looked at already by who received it. */
struct relay_packet {
	struct rte_mbuf *mbuf;
	struct frame_datagram datagram; /**< points into the buffer */
	uint16_t port;                  /**< index of the port that it came by */
	uint16_t queue;                 /**< of that port */
	uint32_t hops; /**< workers that have looked at it and did not know it; for resets */
};

/** A frame that is to go out. */
struct relay_frame {
	struct rte_mbuf *mbuf;
	uint32_t port; /**< index of the port that it goes out by */
};

struct relay {
	struct spsc received; /**< struct relay_packet, for the worker whose connection it is */
	struct spsc to_send;  /**< struct relay_frame, for the worker that has the queue */
	struct relay_frame
		held; /**< reader's: out of to_send, but its port has no room; mbuf NULL = none */
};

/** All relays of a transport; NULL in *relays_out with one worker. 0 or -ENOMEM. Control thread, before workers run. */
int relays_make(uint32_t worker_count, struct relay **relays_out);

/** Frees what is inside as well: before the ports' pools go, after the workers. NULL is allowed. */
void relays_free(struct relay *relays, uint32_t worker_count);

/** Is there something for its reader? */
static inline bool relay_has_work(const struct relay *relay)
{
	return spsc_count(&relay->received) > 0 || spsc_count(&relay->to_send) > 0 ||
	       relay->held.mbuf != NULL;
}

/** The one that `from` writes and `to` reads. */
static inline struct relay *relay_of(struct relay *relays, uint32_t worker_count, uint32_t from,
				     uint32_t to)
{
	return &relays[(uint64_t)from * worker_count + to];
}

#endif
