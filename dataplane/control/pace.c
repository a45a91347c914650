/* SPDX-License-Identifier: BSD-3-Clause */
/* Pauses between tries; pace.h says how they grow. */
#include "control/pace.h"

#include "base/check.h"

/* More doublings than that are longer than the longest pause. */
#define PACE_DOUBLINGS_MAX 8u

void pace_init(struct pace *pace, uint64_t seed)
{
	*pace = (struct pace){ .random = seed | 1 };
}

/* xorshift64: good enough to tell neighbours apart. */
static uint64_t pace_random(struct pace *pace)
{
	pace->random ^= pace->random << 13;
	pace->random ^= pace->random >> 7;
	pace->random ^= pace->random << 17;
	return pace->random;
}

static void pace_plan(struct pace *pace)
{
	uint64_t pause_us = PACE_MIN_US << MIN(pace->failures, PACE_DOUBLINGS_MAX);

	pause_us = MIN(pause_us, PACE_MAX_US);
	if (pace->failures > 0)
		pause_us = pause_us * 3 / 4 + pace_random(pace) % (pause_us / 2);
	pace->next_us = pace->begun_us + pause_us;
}

void pace_begin(struct pace *pace, uint64_t now_us)
{
	pace->begun_us = now_us;
	pace_plan(pace);
}

void pace_fail(struct pace *pace)
{
	pace->failures++;
	pace_plan(pace);
}

void pace_succeed(struct pace *pace)
{
	pace->failures = 0;
	pace_plan(pace);
}

void pace_hurry(struct pace *pace)
{
	if (pace->failures > 0)
		pace_succeed(pace);
}
