/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that depend on their offset; outside of what is timed. */
#include "pattern.h"

#include "base/check.h"

#include <string.h>

/* splitmix64's output function: any two offsets give words that differ in half their bits. */
static uint64_t pattern_word(uint64_t offset, uint64_t seed)
{
	uint64_t word = seed + offset * UINT64_C(0x9e3779b97f4a7c15);

	word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
	return word ^ word >> 31;
}

void pattern_fill(void *memory, uint64_t bytes, uint64_t seed)
{
	uint8_t *at = memory;

	for (uint64_t i = 0; i < bytes; i += 8) {
		uint64_t word = pattern_word(i, seed);

		memcpy(at + i, &word, MIN(bytes - i, 8));
	}
}

/* Which byte of a word is the first that is wrong; one is. */
static uint64_t pattern_byte(const uint8_t *at, uint64_t word)
{
	uint8_t right[8];
	uint64_t i = 0;

	memcpy(right, &word, 8);
	while (i < 7 && at[i] == right[i])
		i++;
	return i;
}

uint64_t pattern_check(const void *memory, uint64_t bytes, uint64_t seed)
{
	const uint8_t *at = memory;

	for (uint64_t i = 0; i < bytes; i += 8) {
		uint64_t word = pattern_word(i, seed);

		if (memcmp(at + i, &word, MIN(bytes - i, 8)) != 0)
			return i + pattern_byte(at + i, word);
	}
	return UINT64_MAX;
}
