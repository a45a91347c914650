/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Who has which MAC on the link of one port, in one family of addresses, without a port or a clock of its own.
 *
 * The control thread owns it. Workers never look things up: each connection carries its destination's header, and is
 * told when that changes. An entry is made for an address that is asked for here, or that asks for this
 * node; news from anybody else changes what is known, but makes no entry. Entries are bounded, asked anew when they
 * age, and forgotten when nobody answers. One frame may wait in an entry for its answer.
 */
#ifndef DRIVERS_UDP_NEIGHBOUR_H
#define DRIVERS_UDP_NEIGHBOUR_H

#include "drivers/udp/lookup.h"

#include <stdbool.h>
#include <stdint.h>

/** Entries of one port: as many peers as the engine talks to. */
#define NEIGHBOURS_MAX 256u
/** Largest frame that waits for an answer: a handshake packet with its headers. */
#define NEIGHBOUR_FRAME_BYTES 640u
/** Answers to questions in a second; more is a flood. */
#define NEIGHBOUR_ANSWERS_PER_S 100u
/** Between two questions for one address (RFC 1122: at most one a second; RFC 4861: one a second). */
#define NEIGHBOUR_ASK_US UINT64_C(1000000)
/** After this time without news an entry is asked again, and after as many questions it is forgotten. */
#define NEIGHBOUR_FRESH_US  UINT64_C(30000000)
#define NEIGHBOUR_QUESTIONS 5u

struct neighbour {
	struct frame_ip address;      /**< family 0 = a free entry */
	uint8_t mac[FRAME_MAC_BYTES]; /**< valid when is_known */
	bool is_known;
	uint8_t questions;   /**< asked since the last news */
	uint64_t heard_us;   /**< last news; of a new entry: when it was made */
	uint64_t asked_us;   /**< last question; 0 = never */
	uint32_t held_bytes; /**< of the frame that waits; 0 = none */
	uint8_t held[NEIGHBOUR_FRAME_BYTES];
};

struct neighbours {
	struct frame_ip self;              /**< this port's address */
	uint8_t self_mac[FRAME_MAC_BYTES]; /**< this port's */
	uint64_t second;                   /**< whose answers are counted */
	uint32_t answers;                  /**< given in that second */
	uint32_t count;                    /**< entries in use */
	struct neighbour entries[NEIGHBOURS_MAX];
};

/** What a question or an answer brought. */
enum neighbour_news {
	NEIGHBOUR_NOTHING = 0,  /**< known already, or not ours to know */
	NEIGHBOUR_LEARNT = 1,   /**< an address has a MAC, or another one than before */
	NEIGHBOUR_CONFLICT = 2, /**< somebody else claims this port's address */
};

void neighbours_init(struct neighbours *neighbours, const struct frame_ip *self,
		     const uint8_t *self_mac);

/** The MAC of an address, or NULL; makes an entry, so that neighbours_question will ask. */
const uint8_t *neighbours_find(struct neighbours *neighbours, const struct frame_ip *address,
			       uint64_t now_us);

/** Ask soon whether an address is still where it was: something sent there was not answered. */
void neighbours_doubt(struct neighbours *neighbours, const struct frame_ip *address,
		      uint64_t now_us);

/** Keep a frame until its destination is known, instead of one that waits there already. False: no room. */
bool neighbours_hold(struct neighbours *neighbours, const struct frame_ip *address,
		     const uint8_t *frame, uint32_t bytes);

/**
 * Take in a question or an answer. With NEIGHBOUR_LEARNT *learnt_out is the entry: its held frame, if any, is the caller's to
 * send and to clear. *is_answer_due_out: answer with lookup_make(answer_out).
 */
enum neighbour_news neighbours_receive(struct neighbours *neighbours, const struct lookup *lookup,
				       uint64_t now_us, struct neighbour **learnt_out,
				       struct lookup *answer_out, bool *is_answer_due_out);

/** The next question that is due; false when there is none now. Forgets who did not answer. */
bool neighbours_question(struct neighbours *neighbours, uint64_t now_us,
			 struct lookup *question_out);

/** A packet that tells everybody where this port's address is: another one may have had it before. */
void neighbours_announce(const struct neighbours *neighbours, struct lookup *announcement_out);

#endif
