/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of notifications to one peer; numbers.h says what for. */
#include "engine/numbers.h"

#include "base/check.h"

#include <stdbool.h>
#include <string.h>

_Static_assert(IS_POWER_OF_TWO(ENGINE_NOTIFY_WINDOW) && ENGINE_NOTIFY_WINDOW >= 64,
	       "whole words, and number % window is cheap");

static bool numbers_is_open(const struct numbers *numbers, uint64_t number)
{
	uint64_t bit = number % ENGINE_NOTIFY_WINDOW;

	return (numbers->open[bit / 64] >> bit % 64 & 1) != 0;
}

uint64_t numbers_take(struct numbers *numbers, uint64_t *floor)
{
	uint64_t number;

	if (numbers->next == 0)
		numbers->lowest = numbers->next = *floor;
	number = numbers->next;
	if (number - numbers->lowest >= ENGINE_NOTIFY_WINDOW)
		return 0;
	BUG_ON(number >= NUMBERS_MAX - 1);
	numbers->open[number % ENGINE_NOTIFY_WINDOW / 64] |= UINT64_C(1) << number % 64;
	numbers->next++;
	*floor = MAX(*floor, numbers->next);
	return number;
}

void numbers_close(struct numbers *numbers, uint64_t number)
{
	if (number < numbers->lowest || number >= numbers->next)
		return;
	ASSERT(numbers_is_open(numbers, number));
	numbers->open[number % ENGINE_NOTIFY_WINDOW / 64] &= ~(UINT64_C(1) << number % 64);
	while (numbers->lowest != numbers->next && !numbers_is_open(numbers, numbers->lowest))
		numbers->lowest++;
}

void numbers_forget(struct numbers *numbers)
{
	memset(numbers, 0, sizeof(*numbers));
}

uint64_t numbers_floor(uint64_t incarnation, uint32_t worker)
{
	uint64_t mixed = incarnation + worker * UINT64_C(0x9e3779b97f4a7c15);

	/* The finaliser of MurmurHash3: every bit of the incarnation moves half of the result's. */
	mixed = (mixed ^ mixed >> 33) * UINT64_C(0xff51afd7ed558ccd);
	mixed = (mixed ^ mixed >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (mixed ^ mixed >> 33) >> 2 | 1;
}
