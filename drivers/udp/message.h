/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What the two halves of the udp transport tell each other, over bounded rings, one set a worker.
 *
 *     control  -- commands -->  worker    connections to take up and to end, rails that failed, MACs that changed
 *     control  -- frames   -->  worker    whole frames to send: handshakes and lookups
 *     worker   -- events   -->  control   what arrived for it; a flood fills only this ring
 *     worker   -- results  -->  control   answers to commands, never lost
 *     worker   -- proofs   -->  control   of grants, to be made or checked (proof.h)
 *     control  -- proven   -->  worker    what has become of them
 */
#ifndef DRIVERS_UDP_MESSAGE_H
#define DRIVERS_UDP_MESSAGE_H

#include "drivers/udp/frame.h"
#include "drivers/udp/neighbour.h"
#include "engine/transport.h"
#include "rudp/handshake.h"

#include <stdbool.h>
#include <stdint.h>

/** Elements of the rings. Results answer commands, and are no more than these. */
#define UDP_COMMANDS 1024u
#define UDP_FRAMES   256u
#define UDP_EVENTS   256u

/** A rail's number when there is none: the peer is the initiator. */
#define UDP_NO_RAIL UINT32_MAX

enum udp_command_kind {
	UDP_INSTALL = 1,    /**< take up a connection; answered by a result when a peer began it */
	UDP_DISCONNECT = 2, /**< end the rail's connection */
	UDP_RAIL_DOWN = 3,  /**< the rail has no connection: tell the engine */
	UDP_RESOLVED = 4,   /**< an address has this MAC from now on */
};

struct udp_command {
	enum udp_command_kind kind;
	enum rail_cause cause;        /**< RAIL_DOWN */
	uint32_t rail;                /**< all but RESOLVED; INSTALL: perhaps UDP_NO_RAIL */
	uint32_t port;                /**< INSTALL, RESOLVED: the port's index */
	struct frame_ip address;      /**< RESOLVED */
	uint8_t mac[FRAME_MAC_BYTES]; /**< INSTALL, RESOLVED */
	bool is_resolved;             /**< INSTALL: mac is valid */
	struct rudp_params params;    /**< INSTALL */
};

struct udp_frame {
	uint32_t port; /**< index of the port to send on */
	uint32_t bytes;
	uint8_t data[NEIGHBOUR_FRAME_BYTES];
};

enum udp_event_kind {
	UDP_EVENT_LOOKUP = 1,    /**< data is a frame */
	UDP_EVENT_HANDSHAKE = 2, /**< data is a handshake packet */
	UDP_EVENT_UNKNOWN = 3,   /**< a packet for a connection that is not known; no data */
};

struct udp_event {
	enum udp_event_kind kind;
	uint32_t port;               /**< index of the port it came by */
	uint32_t bytes;              /**< of data; UNKNOWN: of the packet */
	uint64_t connection;         /**< UNKNOWN */
	struct rudp_address address; /**< of the sender; not for LOOKUP */
	uint8_t data[HANDSHAKE_PACKET_BYTES_MAX];
};

_Static_assert(HANDSHAKE_PACKET_BYTES_MAX >= LOOKUP_FRAME_BYTES_MAX, "an event holds a lookup");
_Static_assert(NEIGHBOUR_FRAME_BYTES >=
		       HANDSHAKE_PACKET_BYTES_MAX + FRAME_TEMPLATE_BYTES + FRAME_TAG_BYTES,
	       "a frame holds a handshake packet");

struct udp_result {
	uint64_t local_id; /**< of the connection */
	int result;        /**< 0 or -errno */
};

#endif
