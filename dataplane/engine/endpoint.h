/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A worker's state for a peer on a transport: its rails, and the operations that wait for one.
 *
 * The state of an endpoint is that of its best rail (engine/rail.h has the picture of those). An endpoint wants as many
 * rails as the control thread has counted ways to the peer: those that are missing are asked for while there is
 * something to post, and now and then while there is not, as long as one is there.
 *
 * A peer that has proven another incarnation ends the endpoint for good (GONE) with everything bound to it. When a
 * peer's slot is given up, endpoints that may have a rail are CLOSING until their drivers have said of each that it is
 * down. Endpoints belong to one worker; connecting itself is done by the control thread on the worker's request.
 */
#ifndef ENGINE_ENDPOINT_H
#define ENGINE_ENDPOINT_H

#include "engine/limits.h"
#include "engine/operation.h"
#include "engine/rail.h"
#include "engine/transport.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct worker;

enum endpoint_state {
	ENDPOINT_IDLE = 0,       /**< nothing is there, nobody asked */
	ENDPOINT_CONNECTING = 1, /**< the control thread works on it */
	ENDPOINT_UP = 2,         /**< takes slices */
	ENDPOINT_DOUBTFUL = 3,   /**< takes slices when no other endpoint is up */
	ENDPOINT_PAUSED = 4,     /**< all that was tried has failed; not before want_at_us again */
	ENDPOINT_GONE = 5,       /**< the peer is another incarnation now */
	ENDPOINT_CLOSING = 6,    /**< the peer's slot is given up; its rails are going down */
	ENDPOINT_STATE_COUNT,
};

struct endpoint {
	struct operation_list waiting; /**< operations with bytes to post here */
	TAILQ_ENTRY(endpoint) ready;   /**< worker's list of endpoints with somebody waiting */
	uint64_t want_at_us; /**< when a missing rail may be asked for; UINT64_MAX = none may */
	uint64_t since_us;   /**< of the state; the control thread reads it for listings */
	uint32_t peer;       /**< index in the table of peers */
	uint32_t waiting_count;
	uint8_t transport;  /**< enum haul_transport */
	uint8_t state;      /**< enum endpoint_state; the control thread reads it for listings */
	uint8_t rail_count; /**< rails that it wants, the first of `rails`; 1 to ENGINE_RAILS_MAX */
	uint8_t up_count;   /**< rails that are up */
	bool is_ready;      /**< on the worker's list */
	struct rail rails[ENGINE_RAILS_MAX];
};

TAILQ_HEAD(endpoint_list, endpoint);

/** The number of an endpoint. */
static inline uint32_t endpoint_number(uint32_t peer, uint32_t transport)
{
	return peer * ENGINE_TRANSPORTS + transport;
}

/** A word for a state, for listings. Static. */
const char *endpoint_state_text(unsigned int state);

/** Bring an endpoint to its first state; slices that are still on their way back stay counted. */
void endpoint_init(struct endpoint *endpoint, uint32_t peer, uint32_t transport);

/**
 * The best endpoint for a peer by the order of transports: one that is up, else one that is doubtful, else one that
 * is or begins connecting, else the first that pauses. NULL when no transport can reach such a peer at all.
 */
struct endpoint *endpoint_pick(struct worker *worker, uint32_t peer, uint64_t now_us);

/** May slices be posted on it now? */
bool endpoint_takes(const struct endpoint *endpoint);

/** The longest slice that should be cut for it now, in bytes. */
static inline uint32_t endpoint_slice_bytes(const struct endpoint *endpoint)
{
	return endpoint->up_count > 1 ? ENGINE_SLICE_BYTES_SHARED : ENGINE_SLICE_BYTES_MAX;
}

/** The rail of a number, for instance of a slice. */
struct rail *endpoint_rail(struct worker *worker, uint32_t number);

/** Should slices leave the rail of a number, since it is doubtful and another one is up? */
bool endpoint_is_left(struct worker *worker, uint32_t number);

/** Put an operation on its waiting list, at the end. */
void endpoint_wait(struct worker *worker, struct endpoint *endpoint, struct operation *operation);

/** Take it off. */
void endpoint_leave(struct worker *worker, struct endpoint *endpoint, struct operation *operation);

/** Drive operations that wait on endpoints; returns the slices posted. */
uint32_t endpoint_drive_all(struct worker *worker, uint64_t now_us);

/** Have slices leave doubtful rails, ENGINE_LEAVE_US after a rail's news has made that necessary; returns how many. */
uint32_t endpoint_leave_doubtful(struct worker *worker, uint64_t now_us);

/**
 * Ask for rails that are missing though nobody waits for them: of each endpoint every ENGINE_TEND_INTERVAL_US, of
 * ENGINE_TEND_BUDGET of them in a round, or as many more as a sleep has left out.
 */
void endpoint_tend_due(struct worker *worker, uint64_t now_us);

/** A driver tells that a rail changed (transport_host.rail_state). */
void endpoint_rail_state(struct worker *worker, uint32_t number, enum rail_state state,
			 enum rail_cause cause);

/**
 * The peer's slot is given up: forget its endpoints. The control thread is asked to disconnect those that may have a
 * rail, and is told by PEER_FORGOTTEN when the last one is down.
 */
void endpoint_forget_peer(struct worker *worker, uint32_t peer);

#endif
