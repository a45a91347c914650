/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Which chunks a receiver has settled, so that none is placed twice. A chunk is what one data packet carries;
 * its identity is the packet number of its first transmission, which every retransmission names by its age. One
 * bit an identity, for the last WIRE_AGE_LIMIT numbers; a sender never lets an unsettled chunk become
 * older than that, so what is older is refused without a look.
 */
#ifndef RUDP_WINDOW_H
#define RUDP_WINDOW_H

#include "rudp/wire.h"

#define WINDOW_WORDS (WIRE_AGE_LIMIT / 64u)

struct window {
	uint32_t next;               /**< one above the highest number seen */
	uint64_t bits[WINDOW_WORDS]; /**< 1 = settled; indexed by the number modulo the size */
};

/** Numbers below `first` count as settled. */
void window_init(struct window *window, uint32_t first);

/**
 * Moves the window so that it covers the number. False when the number is below the window, or so far
 * above it that no honest sender can have sent it.
 */
bool window_cover(struct window *window, uint32_t number);

/** True when the identity is below the window. */
static inline bool window_is_old(const struct window *window, uint32_t identity)
{
	return window->next - identity > WIRE_AGE_LIMIT;
}

/** Of an identity inside the window. */
static inline bool window_test(const struct window *window, uint32_t identity)
{
	uint32_t bit = identity % WIRE_AGE_LIMIT;

	return (window->bits[bit / 64] >> bit % 64 & 1) != 0;
}

/** Of an identity inside the window. */
static inline void window_set(struct window *window, uint32_t identity)
{
	uint32_t bit = identity % WIRE_AGE_LIMIT;

	window->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

#endif
