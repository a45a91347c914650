/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The handshake's state, as its files see it: initiator.c owns attempts, responder.c what was accepted,
 * handshake.c the queue of answers and the interface.
 */
#ifndef RUDP_HANDSHAKE_STATE_H
#define RUDP_HANDSHAKE_STATE_H

#include "base/check.h"
#include "rudp/cookie.h"
#include "rudp/handshake.h"
#include "rudp/handshake_wire.h"

/** First retransmission; doubles up to the maximum. */
#define HANDSHAKE_AGAIN_US     20000u
#define HANDSHAKE_AGAIN_US_MAX 500000u
/** HELLOs without an answer until the owner is asked for another way. */
#define HANDSHAKE_HELLOS_MAX 4u
/** CONNECTs without an answer until the attempt begins anew: the responder may have a new secret. */
#define HANDSHAKE_CONNECTS_MAX 4u
/** Answers that wait for the driver; more are dropped, and asked for again. */
#define HANDSHAKE_ANSWERS_MAX 64u
/** Resets: so many at once, and so many a second. */
#define HANDSHAKE_RESETS_BURST  64u
#define HANDSHAKE_RESETS_SECOND 1000u
/** And one connection not twice in a row within this: what comes at once was sent before the first could be heard. */
#define HANDSHAKE_RESET_AGAIN_US 10000u
/** How long an accepted CONNECT is remembered: until its cookie is no good any more. */
#define HANDSHAKE_REMEMBER_US (UINT64_C(2) * COOKIE_WINDOW_US)

#define HANDSHAKE_LABEL_CONNECT   "haul rudp connect"
#define HANDSHAKE_LABEL_ACCEPT    "haul rudp accept"
#define HANDSHAKE_LABEL_REFUSE    "haul rudp refuse"
#define HANDSHAKE_LABEL_NOVERSION "haul rudp versions"

/** An attempt of this node. */
struct handshake_attempt {
	uint64_t number; /**< 0 = the slot is free */
	struct handshake_target target;
	uint64_t next_us;  /**< of the next transmission; 0 = at once */
	uint32_t again_us; /**< back-off */
	uint32_t tries;    /**< transmissions of the packet it is at */
	bool has_cookie;   /**< at CONNECT, else at HELLO */
	bool has_key_hint; /**< the peer said, without proof, that the keys differ */
	uint8_t nonce[HANDSHAKE_NONCE_BYTES];
	struct handshake_end end;                /**< this side's */
	size_t bytes;                            /**< of the packet it is at */
	uint8_t packet[HANDSHAKE_CONNECT_BYTES]; /**< HELLO or CONNECT, as sent */
};

/** A CONNECT that was accepted or refused by the owner, with its answer. */
struct handshake_accepted {
	uint64_t expires_us; /**< 0 = the slot is free */
	struct rudp_address address;
	uint64_t local_id; /**< of the connection */
	bool is_pending;   /**< the owner has not decided yet */
	uint8_t nonce[HANDSHAKE_NONCE_BYTES];
	uint8_t connect[HANDSHAKE_CONNECT_BYTES]; /**< as received */
	struct handshake_packet answer;
};

struct handshake_answer {
	struct rudp_address address;
	uint32_t bytes;
	uint8_t packet[HANDSHAKE_CONNECT_BYTES];
};

struct handshake {
	struct handshake_config config;
	uint64_t *counters;
	uint8_t secret[RUDP_KEY_BYTES]; /**< of cookies */
	uint64_t attempt_last;          /**< number given out last */
	struct handshake_attempt *attempts;
	struct handshake_accepted *accepted;
	struct handshake_answer answers[HANDSHAKE_ANSWERS_MAX];
	uint32_t answer_head; /**< free-running */
	uint32_t answer_tail; /**< free-running */
	uint32_t resets_left; /**< tokens of the rate limit */
	uint64_t resets_us;   /**< when they were last filled up */
	uint64_t reset_id;    /**< of the last one */
	uint64_t reset_us;    /**< and when it was sent */
	uint64_t counters_own[HANDSHAKE_COUNTER_COUNT];
};

static inline void handshake_count(struct handshake *handshake, enum handshake_counter counter)
{
	handshake->counters[counter]++;
}

/* handshake.c */

/** Room for an answer; NULL when the queue is full, counted. */
struct handshake_answer *handshake_answer(struct handshake *handshake,
					  const struct rudp_address *address);
/** This node's end of a new connection with an address, on a worker. */
void handshake_end_make(struct handshake *handshake, uint8_t worker,
			const struct rudp_address *address, struct handshake_end *out);
/** What both ends have agreed on. */
void handshake_params(const struct handshake *handshake, const struct handshake_end *local,
		      const struct handshake_end *remote, struct rudp_params *out);
/** The version both ranges have; 0 = none. */
uint16_t handshake_version(const struct handshake *handshake,
			   const struct handshake_packet *packet);

/* initiator.c */

void initiator_receive(struct handshake *handshake, uint64_t now_us,
		       const struct rudp_address *address, const uint8_t *bytes,
		       const struct handshake_packet *packet);
/** Builds the attempt's packet anew: a HELLO with a new nonce. */
void initiator_begin(struct handshake *handshake, struct handshake_attempt *attempt);
/** Asks the owner whether to come by another way; true: the attempt has begun anew there. */
bool initiator_steers(struct handshake *handshake, struct handshake_attempt *attempt,
		      const struct rudp_address *came_by);
/** Ends an attempt whose deadline has passed. */
void initiator_timeout(struct handshake *handshake, struct handshake_attempt *attempt);

/* responder.c */

void responder_receive(struct handshake *handshake, uint64_t now_us,
		       const struct rudp_address *address, const uint8_t *bytes,
		       const struct handshake_packet *packet);
void responder_decided(struct handshake *handshake, struct handshake_accepted *accepted,
		       int result);

#endif
