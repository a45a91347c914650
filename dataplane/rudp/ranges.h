/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The packet numbers a receiver has settled, as what its acknowledgements say: a short sorted list of
 * ranges. Numbers are never sent again, so every loss leaves a gap for good; the oldest ranges are forgotten,
 * by room and by age, and what is forgotten costs a retransmission at worst, never a byte placed twice
 * (that is window.h's to prevent).
 */
#ifndef RUDP_RANGES_H
#define RUDP_RANGES_H

#include "rudp/wire.h"

struct ranges {
	uint32_t count;                           /**< valid entries */
	struct wire_range range[WIRE_RANGES_MAX]; /**< ascending, never touching one another */
};

/** Adds a number; false when it was there, or too old to be remembered. */
bool ranges_add(struct ranges *ranges, uint32_t number);

/** Forgets what lies wholly before the number. */
void ranges_trim(struct ranges *ranges, uint32_t before);

/** Writes them topmost first; the count of an empty list is 0. */
void ranges_ack(const struct ranges *ranges, struct wire_ack *out);

#endif
