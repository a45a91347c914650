/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The simulator's only source of chance: a seeded generator, so that a seed replays a run exactly.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

/** A good mixer on its own: also makes the patterns that memory is filled with. */
static inline uint64_t random_mix(uint64_t value)
{
	value ^= value >> 30;
	value *= UINT64_C(0xbf58476d1ce4e5b9);
	value ^= value >> 27;
	value *= UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static inline uint64_t random_next(struct random *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	return random_mix(random->state);
}

/** 0 to limit - 1; limit is not 0. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

/** True in `ppm` of a million calls; draws nothing when ppm is 0. */
static inline bool random_chance(struct random *random, uint32_t ppm)
{
	return ppm != 0 && random_below(random, 1000000) < ppm;
}

#endif
