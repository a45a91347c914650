/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A worker's state for a peer on a transport, and the operations that wait for it.
 *
 *   IDLE -> CONNECTING -> UP <-> DOUBTFUL
 *             |            |        |
 *             v            v        v
 *           PAUSED <----------------+       (after a growing pause: IDLE again, when someone asks)
 *
 * A peer that has proven another incarnation ends the endpoint for good (GONE) with everything bound to it. When a
 * peer's slot is given up, endpoints that may have a rail are CLOSING until their drivers have said that it is down.
 * Endpoints belong to one worker; connecting itself is done by the control thread on the worker's request.
 */
#ifndef ENGINE_ENDPOINT_H
#define ENGINE_ENDPOINT_H

#include "engine/limits.h"
#include "engine/operation.h"
#include "engine/transport.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct worker;

enum endpoint_state {
	ENDPOINT_IDLE = 0,       /**< nothing is there, nobody asked */
	ENDPOINT_CONNECTING = 1, /**< the control thread works on it */
	ENDPOINT_UP = 2,         /**< takes slices */
	ENDPOINT_DOUBTFUL = 3,   /**< takes slices when no other rail is up */
	ENDPOINT_PAUSED = 4,     /**< failed; not before retry_at_us again */
	ENDPOINT_GONE = 5,       /**< the peer is another incarnation now */
	ENDPOINT_CLOSING = 6,    /**< the peer's slot is given up; its rail is going down */
	ENDPOINT_STATE_COUNT,
};

struct endpoint {
	struct operation_list waiting; /**< operations with bytes to post here */
	TAILQ_ENTRY(endpoint) ready;   /**< worker's list of endpoints with somebody waiting */
	uint64_t retry_at_us;          /**< while PAUSED */
	uint64_t since_us; /**< of the state; the control thread reads it for listings */
	uint32_t pause_us; /**< the last pause; 0 after a success */
	uint32_t peer;     /**< index in the table of peers */
	uint32_t waiting_count;
	uint8_t transport; /**< enum haul_transport */
	uint8_t state;     /**< enum endpoint_state; the control thread reads it for listings */
	bool is_ready;     /**< on the worker's list */
};

TAILQ_HEAD(endpoint_list, endpoint);

/** The number of an endpoint, as drivers and requests name it. */
static inline uint32_t endpoint_number(uint32_t peer, uint32_t transport)
{
	return peer * ENGINE_TRANSPORTS + transport;
}

/** A word for a state, for listings. Static. */
const char *endpoint_state_text(unsigned int state);

/** Bring an endpoint to its first state. */
void endpoint_init(struct endpoint *endpoint, uint32_t peer, uint32_t transport);

/**
 * The best endpoint for a peer by the order of transports: one that is up, else one that is doubtful, else one that
 * is or begins connecting, else the first that pauses. NULL when no transport can reach such a peer at all.
 */
struct endpoint *endpoint_pick(struct worker *worker, uint32_t peer, uint64_t now_us);

/** May slices be posted on it now? */
bool endpoint_takes(const struct endpoint *endpoint);

/** Put an operation on its waiting list, at the end. */
void endpoint_wait(struct worker *worker, struct endpoint *endpoint, struct operation *operation);

/** Take it off. */
void endpoint_leave(struct worker *worker, struct endpoint *endpoint, struct operation *operation);

/** Drive operations that wait on endpoints; returns the slices posted. */
uint32_t endpoint_drive_all(struct worker *worker, uint64_t now_us);

/** A driver tells that a rail changed (transport_host.rail_state). */
void endpoint_rail_state(struct worker *worker, uint32_t number, enum rail_state state,
			 enum rail_cause cause);

/**
 * The peer's slot is given up: forget its endpoints. The control thread is asked to disconnect those that may have a
 * rail, and is told by PEER_FORGOTTEN when the last one is down.
 */
void endpoint_forget_peer(struct worker *worker, uint32_t peer);

#endif
