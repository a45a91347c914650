/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What every unit test includes in place of cmocka.h, which wants four headers before it, in this
 * order; and a small generator of random numbers for tests that print the seed with which they can
 * be run again.
 */
#ifndef UNIT_H
#define UNIT_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** splitmix64: good enough for tests, and the whole state is one printable number. */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/** A number below bound. */
static inline uint64_t unit_random_below(uint64_t *state, uint64_t bound)
{
	return unit_random(state) % bound;
}

/** The seed of this run: $HAUL_SEED, or a new one; printed either way. */
static inline uint64_t unit_seed(void)
{
	const char *text = getenv("HAUL_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	printf("HAUL_SEED=%" PRIu64 "\n", seed);
	return seed;
}

#endif
