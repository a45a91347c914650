/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Payload by reference: the bytes of a WRITE stand in an external buffer behind a packet's headers, and the port reads them
 * from the client's memory by itself, in place of a copy into the packet buffer.
 *
 * Only where a table says that a PMD is done with them when its burst returns (device_reads_at_once), and on a connection
 * only after a trial: its first probe of the path's MTU goes so, out of memory that is not EAL's, and when that is
 * acknowledged, such a packet has arrived with its bytes. Where packets are summed up, bytes have to be read before they
 * go, so they are copied; so they are on their way to another worker's queue, or behind a bad wire.
 *
 * Memory outlives packets since none outlives a round: what a port has not taken when the round's transmission ends is
 * copied then (reference_copy_rest). Nothing is unmapped before the round is over (control/quiesce.h), so cancellations,
 * deadlines and segments that go need not know of it. What is taken away by its owner meanwhile meets base/fault in the PMD
 * as it would in a copy of ours; zeros may have been sent then, so a WRITE out of such memory ends with FAULT. READ data,
 * whose end its initiator tells, is always copied and looked at first.
 *
 * Everything in here is called by the worker.
 */
#ifndef DRIVERS_UDP_REFERENCE_H
#define DRIVERS_UDP_REFERENCE_H

#include "api/haul_error.h"
#include "rudp/rudp_types.h"

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

struct rudp_source;
struct transport_access;
struct transport_worker;
struct udp_connection;
struct udp_queue;

/**
 * Shorter payload is copied: at MTU 1500 a second packet buffer, and cold memory that the port reads without asking for it
 * ahead, cost more than the copy that is saved.
 */
#define REFERENCE_BYTES_MIN 4096u

/** Of a connection; those above PROVEN are on their way there. */
enum reference_state {
	REFERENCE_NEVER = 0,  /**< the port is none for it, or it has failed */
	REFERENCE_PROVEN = 1, /**< payload goes by reference */
	REFERENCE_UNTRIED = 2,
	REFERENCE_TRIED = 3, /**< a trial is on its way */
};

/** A worker's. */
struct reference {
	struct rte_mbuf_ext_shared_info shared; /**< 1, and 1 for each buffer that refers */
	struct rte_mbuf *lent; /**< behind the packet that is being made; NULL = nothing is */
	bool has_lent;         /**< ever */
	uint8_t trial[RUDP_DATAGRAM_BYTES_MAX]; /**< a datagram that is tried so */
};

void reference_init(struct reference *reference);

/** A new connection: may its payload ever go so? */
void reference_begin(const struct transport_worker *worker, struct udp_connection *connection);

/** May this payload go so now? */
bool reference_may_lend(const struct rudp_source *source);

/** Have the packet that is being made refer to the bytes; where that cannot be now, copy them. As transport_host.source. */
enum haul_error reference_lend(struct transport_worker *worker, struct rudp_source *source,
			       const struct transport_access *access);

/** The packet is made: what it refers to goes behind it. */
void reference_chain(struct transport_worker *worker, struct rte_mbuf *mbuf);

/** It is not sent. */
void reference_drop(struct transport_worker *worker);

/** A packet of a connection that is to be tried, or is being tried, goes. */
void reference_look(struct transport_worker *worker, struct udp_connection *connection,
		    struct rte_mbuf *mbuf, uint32_t bytes);

/** Before the round ends: packets that still wait get copies of what they refer to. */
void reference_copy_rest(struct transport_worker *worker, const struct udp_queue *queue);

#endif
