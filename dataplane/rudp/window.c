/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The window's edge moves with the highest number; bits that come into it are cleared one by one, or
 * all at once after a jump, so the cost is one bit a packet.
 */
#include "rudp/window.h"

#include "base/check.h"

#include <string.h>

void window_init(struct window *window, uint32_t first)
{
	window->next = first;
	memset(window->bits, 0xff, sizeof(window->bits));
}

static void window_clear(struct window *window, uint32_t identity)
{
	uint32_t bit = identity % WIRE_AGE_LIMIT;

	window->bits[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

bool window_cover(struct window *window, uint32_t number)
{
	uint32_t ahead = number - window->next;

	/* An honest sender has at most WIRE_AGE_LIMIT numbers above the last one that was settled. */
	if (ahead >= WIRE_AGE_LIMIT)
		return !window_is_old(window, number);
	if (LIKELY(ahead == 0)) {
		window_clear(window, number);
		window->next++;
		return true;
	}
	while (window->next != number + 1)
		window_clear(window, window->next++);
	return true;
}
