/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Where is an address? Questions and answers on a link: ARP (RFC 826) for IPv4, neighbour discovery (RFC 4861) for IPv6,
 * as frames and as what they say, which is the same for both. No state: neighbour.h has that.
 */
#ifndef DRIVERS_UDP_LOOKUP_H
#define DRIVERS_UDP_LOOKUP_H

#include "drivers/udp/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Largest frame that lookup_make writes, and largest that lookup_parse reads: with some options that mean nothing here. */
#define LOOKUP_FRAME_BYTES_MAX 128u

struct lookup {
	bool is_answer; /**< else a question */
	bool is_final;  /**< replaces another MAC that is known; always with ARP */
	uint8_t sender_mac[FRAME_MAC_BYTES]; /**< unicast */
	uint8_t target_mac[FRAME_MAC_BYTES]; /**< all zero: to everybody whom it may concern */
	struct frame_ip
		sender; /**< whose MAC this tells; bytes zero: nobody's, who asks has no address yet */
	struct frame_ip
		target; /**< of a question: who is looked for; of an answer: who asked, or zero */
};

/** Read a frame that frame_parse has called FRAME_LOOKUP; false when it is too short, odd or impossible. */
bool lookup_parse(const uint8_t *frame, size_t bytes, struct lookup *lookup_out);

/** Write one; returns its bytes, at least FRAME_BYTES_MIN. */
uint32_t lookup_make(const struct lookup *lookup, uint8_t *frame);

/** Are all bytes of an address zero? */
bool lookup_is_nobody(const struct frame_ip *ip);

#endif
