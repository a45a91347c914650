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

static inline bool seq16_after(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(b - a) < 0;
}

#endif
