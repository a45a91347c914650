/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The largest datagram that a path carries, found by probing: RFC 8899. A connection begins with what every path must
 * carry, and tries more with padded packets whose loss means nothing else: first all that both ends' ports carry, and when
 * that does not get through, sizes in between that paths are known to have. What was found is tried to be raised again
 * after a while. When large packets are lost for several round trips in a row and none gets through, the path carries
 * less than it did: a black hole, and the search begins anew. One direction each, and one worker's thread.
 */
#ifndef RUDP_MTU_H
#define RUDP_MTU_H

#include <stdbool.h>
#include <stdint.h>

/** RFC 8899's MAX_PROBES: lost ones until a size counts as too large. */
#define MTU_PROBES 3u
/** Round trips in which large packets were lost, and none came through, until that is a black hole. */
#define MTU_BLACK_ROUNDS 3u
/** RFC 8899 says 10 minutes, for the Internet; here links are mended, and a probe costs a packet. */
#define MTU_RAISE_US 60000000u

struct mtu {
	uint64_t raise_us;   /**< larger ones are tried again then; UINT64_MAX = never */
	uint64_t suspect_us; /**< losses of what was sent before are of a round that has counted */
	uint16_t datagram_bytes; /**< the path carries that */
	uint16_t limit_bytes;    /**< both ends' ports carry that, so nothing larger is tried */
	uint16_t probe_bytes;    /**< being tried; 0 = nothing is */
	uint16_t failed_bytes;   /**< the least that was too large; limit_bytes + 1 = none was */
	uint8_t lost;            /**< probes of probe_bytes, in a row */
	uint8_t rounds;          /**< with losses of large packets since one came through */
	uint8_t header_bytes;    /**< of IP and UDP: datagrams and MTUs differ by so much */
	bool is_due;             /**< a probe is to be sent */
};

/** The least of both ends' datagrams, and the family of the path, 4 or 6. */
void mtu_init(struct mtu *mtu, uint16_t limit_bytes, uint8_t family);
/** A probe was acknowledged. */
void mtu_acked(struct mtu *mtu, uint16_t bytes, uint64_t now_us);
/** A probe was lost. */
void mtu_lost(struct mtu *mtu, uint16_t bytes, uint64_t now_us);
/** Tries what is larger again: raise_us has come. */
void mtu_raise(struct mtu *mtu);
/** A packet larger than what every path carries was lost; true when it is a black hole. */
bool mtu_suspect(struct mtu *mtu, uint64_t sent_us, uint64_t now_us);

/** A packet of the size has come through. */
static inline void mtu_confirm(struct mtu *mtu)
{
	mtu->rounds = 0;
}

#endif
