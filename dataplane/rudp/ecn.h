/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Explicit congestion notification: a path that marks packets instead of dropping them. Packets of a connection whose
 * congestion control answers to marks are sent as ECT(0); the receiver counts what it acknowledges by its mark and
 * tells the counts with each acknowledgement. Whether the path leaves the marks alone is checked with each of these, as in
 * RFC 9000, 13.4.2; when it does not, nothing is marked any more on the connection. One worker's thread.
 */
#ifndef RUDP_ECN_H
#define RUDP_ECN_H

#include "rudp/wire.h"

/** The two bits of an IP header. */
#define ECN_NOT_ECT 0u
#define ECN_ECT1    1u
#define ECN_ECT0    2u
#define ECN_CE      3u
#define ECN_MASK    3u

/** So many probes in a row without any acknowledgement ever: the path may drop what is marked. */
#define ECN_PROBES_MAX 3u

struct ecn {
	bool is_on;       /**< packets are sent as ECT(0) */
	bool is_heard;    /**< counts have come back and were right */
	uint32_t ect0;    /**< of the peer's counts, as last told */
	uint32_t ce;      /**< likewise */
	uint32_t seen[4]; /**< numbers acknowledged here, by their mark */
};

/** Takes in the counts of an acknowledgement that raised the largest number and was the first for `packets` numbers, of
 * `sent` that were ever sent. Returns how many were marked on the way, -1 when the path or the peer does not play. */
int64_t ecn_validate(struct ecn *ecn, const struct wire_ack *ack, uint32_t packets, uint64_t sent);

/** The counts to tell, if there are any. */
void ecn_tell(const struct ecn *ecn, struct wire_ack *out);

#endif
