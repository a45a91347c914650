/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Words that rudp, its handshake and their users share: addresses, what a handshake has agreed on,
 * states, and the named limits. Nothing in here does anything.
 */
#ifndef RUDP_RUDP_TYPES_H
#define RUDP_RUDP_TYPES_H

#include <stddef.h>
#include <stdint.h>

struct cc_ops; /* cc.h */

/** Of the packet format; a handshake agrees on one. */
#define RUDP_VERSION 3u

/** Most connections of a worker: handles have 16 bits of index. */
#define RUDP_CONNECTIONS_MAX 4096u
/** Open operations a connection and direction: bounds, and what daemons ask for. */
#define RUDP_OPERATIONS_MIN     2u
#define RUDP_OPERATIONS_MAX     1024u
#define RUDP_OPERATIONS_DEFAULT 256u
/** Packet numbers a connection may have unsettled; at most 4096, since an age has 12 bits. */
#define RUDP_PACKETS_MIN     256u
#define RUDP_PACKETS_MAX     4096u
#define RUDP_PACKETS_DEFAULT 4096u
/** Fixed window: fits a virtio ring of 256 descriptors, and is four times 25 Gbit/s x 20 us. */
#define RUDP_WINDOW_PACKETS 256u
/** UDP payloads: what every path must carry, a little less than IPv6's least MTU, and a jumbo frame's. */
#define RUDP_DATAGRAM_BYTES_MIN 1200u
#define RUDP_DATAGRAM_BYTES_MAX 9172u
/** Header of a data packet; behind it the payload begins. */
#define RUDP_DATA_HEADER_BYTES 32u
/** Its checksum, on connections that have agreed on one. */
#define RUDP_CRC_BYTES 4u
/** Longest operation; the engine's slices are far shorter. */
#define RUDP_OPERATION_BYTES_MAX (1u << 30)
/** peer_silence_ms: schedulers take peers off their cores, and links flap, for less than this. */
#define RUDP_SILENCE_US 5000000u
/** An idle connection asks this often whether its peer lives. */
#define RUDP_KEEPALIVE_US 1000000u
/** Freshness: a target's tick, how many ticks old data may be, and how sure clocks are. */
#define RUDP_TICK_US     25000u
#define RUDP_TICKS_FRESH 4u
#define RUDP_DRIFT_PPM   200u

/** Slots for what a connection's initiator has been granted: an operation names one in 8 bits. */
#define RUDP_GRANTS 256u
/** An offset in a region is below this, and so is its end. */
#define RUDP_REGION_BYTES_MAX (UINT64_C(1) << 40)

#define RUDP_TOKEN_BYTES 16u
#define RUDP_PROOF_BYTES 16u
#define RUDP_KEY_BYTES   32u
#define RUDP_NAME_BYTES  64u

/**
 * Capabilities, as each end offers them and both ends have them in the end: packets carry a checksum when both can, and one
 * of them wants it. Bits that are not known here are another version's, and never agreed on.
 */
#define RUDP_CAN_CRC   0x1u
#define RUDP_WANTS_CRC 0x2u

enum rudp_kind {
	RUDP_WRITE = 1, /**< local bytes -> the target's region */
	RUDP_READ = 2,  /**< the target's region -> local bytes */
	RUDP_NOTIFY =
		3, /**< what a WRITE says to the owner of the region when its bytes are placed */
};

enum rudp_state {
	RUDP_OPENING =
		1, /**< accepted from a peer that has not been heard on it yet: no submissions */
	RUDP_ESTABLISHED = 2, /**< also reported when a doubtful one has been heard again */
	RUDP_DOUBTFUL = 3,    /**< two probes and 8 ms unanswered: use another rail if one lives */
	RUDP_ENDED = 4,       /**< takes and sends nothing more; operations are ending */
	RUDP_GONE = 5,        /**< all its operations have ended; the pointer is dead */
};

enum rudp_end_reason {
	RUDP_END_NONE = 0,
	RUDP_END_CLOSED = 1,    /**< rudp_connection_close was called here */
	RUDP_END_PEER = 2,      /**< the peer closed it, proven */
	RUDP_END_RESTARTED = 3, /**< the peer does not know it, proven: it was started anew */
	RUDP_END_SILENCE = 4,   /**< nothing valid was heard for silence_us */
	RUDP_END_LOSS = 5,      /**< one packet was lost so often that its number ran out */
};

/** Which thread a datagram is for. */
enum rudp_packet_kind {
	RUDP_PACKET_INVALID = 0,    /**< count it and drop it */
	RUDP_PACKET_CONNECTION = 1, /**< the worker rudp_packet_worker names */
	RUDP_PACKET_RESET = 2,      /**< the worker that owns the path it came by */
	RUDP_PACKET_HANDSHAKE = 3,  /**< the control thread */
};

enum rudp_receive {
	RUDP_RECEIVE_TAKEN = 0,     /**< understood, also when it was late or twice */
	RUDP_RECEIVE_MALFORMED = 1, /**< counted and dropped */
	RUDP_RECEIVE_UNKNOWN = 2,   /**< no such connection: answer with a reset */
	RUDP_RECEIVE_FOREIGN = 3,   /**< the connection's, but from another address: dropped */
	RUDP_RECEIVE_ELSEWHERE = 4, /**< a reset of no connection here: perhaps another worker's */
	RUDP_RECEIVE_DAMAGED = 5,   /**< its checksum is wrong or missing: counted and dropped */
};

/**
 * The other end of a path, and which of this end's it is the other of. All of it belongs to the connection: what comes
 * from there by another port of this node, or to another UDP port, is from elsewhere.
 */
struct rudp_address {
	uint8_t family;      /**< 4 or 6 */
	uint8_t link;        /**< which port of this node leads there; its owner's number */
	uint16_t port;       /**< UDP, host order */
	uint16_t local_port; /**< UDP of this end, host order */
	uint8_t ip[16];      /**< network order; IPv4 in the first four bytes, the rest zero */
	uint8_t queue; /**< of that port: where it came in or goes out; says nothing of who it is */
	uint8_t reserved; /**< zero */
};

/** Two addresses with the same first bytes are one. */
#define RUDP_ADDRESS_BYTES offsetof(struct rudp_address, queue)

_Static_assert(RUDP_ADDRESS_BYTES == 22, "no padding: it is compared and hashed as bytes");

/** What a handshake has agreed on: all that a worker needs to know of a connection. */
struct rudp_params {
	uint64_t local_id;               /**< in every packet from the peer; top byte = worker */
	uint64_t remote_id;              /**< in every packet to the peer */
	uint64_t incarnation;            /**< the peer's */
	struct rudp_address address;     /**< the peer's; packets from elsewhere are dropped */
	uint32_t packet_number_local;    /**< first number sent from here */
	uint32_t packet_number_remote;   /**< first number the peer sends */
	uint16_t version;                /**< of the format, negotiated */
	uint16_t datagram_bytes;         /**< least of both ends */
	uint16_t operations;             /**< least of both ends */
	uint16_t packets;                /**< least of both ends */
	uint32_t capabilities;           /**< agreed on; RUDP_WANTS_CRC = packets carry one */
	uint8_t initiator;               /**< 1 = this side began */
	uint8_t reserved[3];             /**< zero */
	uint8_t token[RUDP_TOKEN_BYTES]; /**< proves that this side closes it */
	uint8_t token_peer[RUDP_TOKEN_BYTES]; /**< what a reset from the peer must show */
	char name[RUDP_NAME_BYTES];           /**< the peer's node name */
	const struct cc_ops *cc;              /**< this end's own choice; NULL = the worker's */
};

/** What a peer has proven that it was granted, for each touch to be compared with; zeros = nothing. */
struct rudp_right {
	uint32_t segment; /**< its number here */
	uint32_t rights;  /**< opaque here: 1 to 3 */
};

/** What a notification says; all of it is opaque here. */
struct rudp_notice {
	uint64_t number; /**< of the initiator's worker, the same for each attempt; 1 to 2^63 - 1 */
	uint64_t value;  /**< the application's */
	uint32_t tag;    /**< the application's */
	uint32_t written; /**< bytes of the WRITE, perhaps 0; at most RUDP_OPERATION_BYTES_MAX */
	uint8_t worker;   /**< of the initiator: whose number it is */
};

/** For listings and tests. */
struct rudp_stats {
	uint32_t rtt_us;             /**< smoothed; 0 = not measured yet */
	uint32_t rtt_min_us;         /**< least ever */
	uint32_t mtu_bytes;          /**< IP packets that the path is known to carry */
	uint32_t rtt_target_us;      /**< that congestion control aims at; 0 = it does not */
	uint32_t window_packets;     /**< of congestion control */
	uint32_t in_flight;          /**< packets sent, neither acknowledged nor given up */
	uint32_t operations;         /**< of this node, open */
	uint32_t served;             /**< of the peer, open */
	uint64_t packets_sent;       /**< numbered packets */
	uint64_t packets_lost;       /**< declared lost */
	uint64_t packets_again;      /**< retransmissions and probes with data */
	uint64_t packets_spurious;   /**< declared lost, then acknowledged */
	const char *congestion_name; /**< of static storage */
};

#endif
