/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The bytes of the handshake: the only file, with handshake_wire.c, that knows where its fields stand.
 * Everything is in network order; what is parsed has been checked for form.
 *
 * All packets begin alike:
 *
 *      0       1       2               4
 *     +-------+-------+---------------+-------------------------------+
 *     | type  | 0     | bytes         | magic "haul"                  |
 *     +-------+-------+---------------+-------------------------------+ 8
 *     | version min   | version max   | 0                             |
 *     +---------------+---------------+-------------------------------+ 16
 *     | nonce of the initiator (16)                                   |
 *     +---------------------------------------------------------------+ 32
 */
#ifndef RUDP_HANDSHAKE_WIRE_H
#define RUDP_HANDSHAKE_WIRE_H

#include "rudp/rudp_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** First byte: WIRE_HANDSHAKE and a number. */
enum handshake_type {
	HANDSHAKE_HELLO = 0x81,     /**< initiator: versions and a nonce, padded */
	HANDSHAKE_RETRY = 0x82,     /**< responder: a cookie, no state kept */
	HANDSHAKE_CONNECT = 0x83,   /**< initiator: cookie, its end, proof */
	HANDSHAKE_ACCEPT = 0x84,    /**< responder: its end, proof */
	HANDSHAKE_REFUSE = 0x85,    /**< responder: why not, proof unless the keys differ */
	HANDSHAKE_NOVERSION = 0x86, /**< responder: its versions, proof */
};

#define HANDSHAKE_NONCE_BYTES  16u
#define HANDSHAKE_COOKIE_BYTES 32u
#define HANDSHAKE_PROOF_BYTES  32u

/** Whole packets. An answer is no longer than what it answers. */
#define HANDSHAKE_HELLO_BYTES     128u
#define HANDSHAKE_RETRY_BYTES     72u
#define HANDSHAKE_CONNECT_BYTES   276u
#define HANDSHAKE_ACCEPT_BYTES    164u
#define HANDSHAKE_REFUSE_BYTES    144u
#define HANDSHAKE_NOVERSION_BYTES 64u

/** Reasons of a REFUSE. */
enum handshake_refusal {
	HANDSHAKE_REFUSAL_INCARNATION = 1, /**< another incarnation or name lives here */
	HANDSHAKE_REFUSAL_BUSY = 2,        /**< no room */
	HANDSHAKE_REFUSAL_KEY = 3, /**< the proof is not good; carries none itself: a hint */
};

/** One end of the connection, as CONNECT and ACCEPT tell it. */
struct handshake_end {
	uint64_t id;             /**< what the other side puts into its packets */
	uint64_t incarnation;    /**< of the sender */
	uint32_t packet_number;  /**< first one the sender uses */
	uint16_t datagram_bytes; /**< most the sender takes and sends */
	uint16_t operations;     /**< most the sender holds */
	uint16_t packets;        /**< most the sender holds */
	uint32_t capabilities;   /**< bits */
	char name[RUDP_NAME_BYTES];
};

/** Every packet, parsed; what its type does not have is not set. */
struct handshake_packet {
	uint8_t type;
	uint16_t version_min;
	uint16_t version_max;
	uint8_t nonce[HANDSHAKE_NONCE_BYTES];
	uint32_t window;                        /**< RETRY, CONNECT: time window of the cookie */
	uint8_t cookie[HANDSHAKE_COOKIE_BYTES]; /**< RETRY, CONNECT */
	struct handshake_end end;               /**< CONNECT, ACCEPT */
	uint64_t incarnation;                   /**< CONNECT: expected, 0 = any; REFUSE: living */
	char name[RUDP_NAME_BYTES];             /**< CONNECT: expected; REFUSE: living */
	uint16_t version;                       /**< ACCEPT: agreed on */
	uint8_t refusal;                        /**< REFUSE: enum handshake_refusal */
	const uint8_t *proof;                   /**< in the packet; NULL for HELLO and RETRY */
	size_t proven_bytes;                    /**< of the packet, that stand before the proof */
};

/** False when it breaks the format. */
bool handshake_parse(const uint8_t *packet, size_t bytes, struct handshake_packet *out);
/** Writes all but the proof, which is left zero; returns the packet's bytes. */
size_t handshake_write(uint8_t *packet, const struct handshake_packet *from);

#endif
