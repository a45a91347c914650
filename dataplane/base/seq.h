/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Arithmetic on sequence numbers that wrap, and the way back from a truncated number to the whole
 * one.
 *
 * "Before" means: reached by going back less than half the number space. Two numbers exactly half
 * the space apart are before each other; windows are far smaller, so this never decides anything.
 */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq32_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq32_before_eq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool seq32_after(uint32_t a, uint32_t b)
{
	return seq32_before(b, a);
}

static inline bool seq16_before(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b) < 0;
}

static inline bool seq16_before_eq(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b) <= 0;
}

static inline bool seq16_after(uint16_t a, uint16_t b)
{
	return seq16_before(b, a);
}

/**
 * expected moved by a signed distance; what would fall below 0 or above 2^64 - 1 goes one period
 * the other way.
 */
static inline uint64_t seq_expand_move(uint64_t expected, int64_t distance, uint64_t period)
{
	uint64_t number = expected + (uint64_t)distance;

	if (distance < 0 && number > expected)
		return number + period;
	if (distance > 0 && number < expected)
		return number - period;
	return number;
}

/** The number nearest to expected whose low 32 bits are low. */
static inline uint64_t seq_expand32(uint64_t expected, uint32_t low)
{
	int32_t distance = (int32_t)(low - (uint32_t)expected);

	return seq_expand_move(expected, distance, UINT64_C(1) << 32);
}

/** The number nearest to expected whose low 16 bits are low. */
static inline uint64_t seq_expand16(uint64_t expected, uint16_t low)
{
	int16_t distance = (int16_t)(uint16_t)(low - (uint16_t)expected);

	return seq_expand_move(expected, distance, UINT64_C(1) << 16);
}

#endif
