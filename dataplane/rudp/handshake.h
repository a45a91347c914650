/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * How two nodes come to a rudp connection, sans-IO, on the control thread, where the cryptography is.
 *
 *     initiator                         responder
 *       HELLO    versions, nonce   ->                      no state, padded
 *                                  <-   RETRY   cookie     no state
 *       CONNECT  cookie, limits, proof ->                  accept callback
 *                                  <-   ACCEPT  limits, proof
 *       established callback
 *
 * Both proofs are HMAC-SHA-256 under the cluster's key over everything said so far, so nothing can be
 * negotiated down. Every answer is no longer than what it answers. Duplicates are answered as
 * before and change nothing; what is not proven is counted and changes nothing.
 *
 * All of one struct handshake belongs to one thread. The daemon feeds it what rudp_packet_kind calls a
 * handshake, takes packets out of handshake_transmit, and installs connections on workers.
 */
#ifndef RUDP_HANDSHAKE_H
#define RUDP_HANDSHAKE_H

#include "rudp/rudp_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handshake;

/** The largest handshake packet in bytes; fits every path. */
#define HANDSHAKE_PACKET_BYTES_MAX 512u
/** Bounds of the tables, and defaults. */
#define HANDSHAKE_ATTEMPTS_MAX 256u
#define HANDSHAKE_ACCEPTED_MAX 1024u

/** X(NAME, "name", "unit", "sentence") */
#define HANDSHAKE_COUNTERS(X)                                                                     \
	X(HELLOS, "hellos", "packets", "first packets received")                                  \
	X(CONNECTS, "connects", "packets", "second packets received, with a good cookie")         \
	X(ESTABLISHED, "established", "connections", "agreed on, from here or from a peer")       \
	X(FAILED, "failed", "connections", "attempts from here that ended without one")           \
	X(RETRANSMITTED, "retransmitted", "packets", "own packets sent again")                    \
	X(DUPLICATE, "duplicate", "packets", "repeated requests, answered as before")             \
	X(MALFORMED, "malformed", "packets", "that break the format")                             \
	X(BAD_COOKIE, "bad_cookie", "packets", "with a forged or old cookie")                     \
	X(BAD_PROOF, "bad_proof", "packets", "whose sender did not prove the cluster's key")      \
	X(BAD_VERSION, "bad_version", "packets", "of a version that is not spoken here")          \
	X(BAD_INCARNATION, "bad_incarnation", "packets", "meant for another incarnation or name") \
	X(UNEXPECTED, "unexpected", "packets", "answers to no attempt of this node")              \
	X(BUSY, "busy", "packets", "dropped because a table or the queue was full")               \
	X(RESETS, "resets", "packets", "resets sent for unknown connections")

enum handshake_counter {
#define HANDSHAKE_COUNTER_ENUM(name, text, unit, meaning) HANDSHAKE_COUNTER_##name,
	HANDSHAKE_COUNTERS(HANDSHAKE_COUNTER_ENUM)
#undef HANDSHAKE_COUNTER_ENUM
	HANDSHAKE_COUNTER_COUNT
};

/** Why an attempt ended without a connection. */
enum handshake_failure {
	HANDSHAKE_TIMEOUT = 1,     /**< nothing that can be believed until the deadline; see hint */
	HANDSHAKE_INCARNATION = 2, /**< proven: another incarnation or name lives there */
	HANDSHAKE_VERSION = 3,     /**< proven: no common version */
	HANDSHAKE_BUSY = 4,        /**< proven: the peer has no room */
	HANDSHAKE_KEY = 5,         /**< the deadline passed, and the peer hinted at another key */
};

/** What is known of a failed attempt; fields that were not learnt are 0. */
struct handshake_report {
	enum handshake_failure failure;
	uint64_t incarnation;       /**< INCARNATION: the one that lives there */
	uint16_t version_min;       /**< VERSION: what the peer speaks */
	uint16_t version_max;       /**< VERSION: what the peer speaks */
	uint16_t version_min_here;  /**< VERSION: what this node speaks */
	uint16_t version_max_here;  /**< VERSION: what this node speaks */
	char name[RUDP_NAME_BYTES]; /**< INCARNATION: who lives there */
};

struct handshake_callbacks {
	/** Unpredictable bytes: ids, nonces, the cookies' secret. */
	void (*random)(void *context, void *out, size_t bytes);
	/** Initiator: exactly one of these for each attempt that was not dropped. */
	void (*established)(void *context, void *user, const struct rudp_params *params);
	void (*failed)(void *context, void *user, const struct handshake_report *report);
	/**
	 * Initiator; may be NULL. An answer to HELLO came in as `came_by` says, or none came at all (NULL). True: go on.
	 * False: begin anew, as *target was changed to (local_port, queue); the responder has kept nothing. How often is the
	 * owner's to bound. What came has no proof.
	 */
	bool (*steer)(void *context, void *user, const struct rudp_address *came_by,
		      struct rudp_address *target);
	/** Both; may be NULL. What this node offers to the end of a path: another wire may want another thing. */
	uint32_t (*capabilities)(void *context, const struct rudp_address *address);
	/**
	 * Responder: which worker takes the connection (top byte of its id). Called before accept;
	 * returns a worker's number or -1 = no room.
	 */
	int (*choose)(void *context, const struct rudp_address *address);
	/**
	 * Responder: install the connection on the worker its local_id names. Returns 0 = answer
	 * now; -EINPROGRESS = handshake_accepted will be called; any other -errno = refuse as busy.
	 */
	int (*accept)(void *context, const struct rudp_params *params);
};

struct handshake_config {
	uint8_t key[RUDP_KEY_BYTES]; /**< the cluster's */
	char name[RUDP_NAME_BYTES];  /**< this node's, zero-terminated */
	uint64_t incarnation;        /**< this node's */
	uint16_t datagram_bytes;     /**< largest UDP payload of the port */
	uint16_t operations;         /**< as in struct rudp_config */
	uint16_t packets;            /**< as in struct rudp_config */
	uint16_t version_min;        /**< 0 = RUDP_VERSION; others are for tests */
	uint16_t version_max;        /**< 0 = RUDP_VERSION */
	uint32_t capabilities;       /**< RUDP_CAN_CRC and so on, offered where no callback says */
	uint32_t attempts_max;       /**< own attempts at a time; 0 = HANDSHAKE_ATTEMPTS_MAX */
	uint32_t accepted_max;       /**< peers' handshakes remembered; 0 = ..._ACCEPTED_MAX */
	uint64_t *counters;          /**< HANDSHAKE_COUNTER_COUNT words */
	const struct handshake_callbacks *callbacks;
	void *context; /**< first argument of the callbacks */
};

/** Whom to connect to. */
struct handshake_target {
	struct rudp_address address;
	uint64_t incarnation;       /**< expected; 0 = any */
	char name[RUDP_NAME_BYTES]; /**< expected; empty = any */
	uint8_t worker;             /**< of this node, that will own the connection */
	uint64_t deadline_us;       /**< then it fails */
	void *user;                 /**< comes back in established and failed */
};

/** Returns 0, -EINVAL, -ENOMEM. All memory is taken here. */
int handshake_create(const struct handshake_config *config, uint64_t now_us,
		     struct handshake **out);
/** No callbacks are made. Accepts NULL. */
void handshake_destroy(struct handshake *handshake);

/** Returns 0 and the attempt's number (never 0), -ENOSPC when attempts_max are under way. */
int handshake_connect(struct handshake *handshake, uint64_t now_us,
		      const struct handshake_target *target, uint64_t *attempt_out);
/** Drops an attempt without a callback; unknown numbers are ignored. */
void handshake_drop(struct handshake *handshake, uint64_t number);
/** The answer to an accept callback that returned -EINPROGRESS: 0, or -errno = refuse as busy. */
void handshake_accepted(struct handshake *handshake, uint64_t now_us, uint64_t local_id,
			int result);

/** Does a packet of the kind HANDSHAKE begin something here, and answer nothing? Looks at the first byte only. */
bool handshake_is_question(const void *packet);
void handshake_receive(struct handshake *handshake, uint64_t now_us,
		       const struct rudp_address *address, const void *packet, size_t bytes);
/** Queues a reset for a packet of `bytes` that came for an unknown connection; rate limited. */
void handshake_reset(struct handshake *handshake, uint64_t now_us,
		     const struct rudp_address *address, uint64_t connection, size_t bytes);
/**
 * The next packet that is due: its bytes and, out, whom it is for; 0 = none.
 * The buffer has at least HANDSHAKE_PACKET_BYTES_MAX.
 */
size_t handshake_transmit(struct handshake *handshake, uint64_t now_us,
			  struct rudp_address *address_out, void *buffer, size_t capacity);
/** When handshake_advance has something to do; UINT64_MAX = never. */
uint64_t handshake_next_deadline_us(const struct handshake *handshake);
/** Retransmissions and deadlines. */
void handshake_advance(struct handshake *handshake, uint64_t now_us);

#endif
