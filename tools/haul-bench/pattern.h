/* SPDX-License-Identifier: BSD-3-Clause */
/** Bytes that depend on their offset and a seed, so that bytes which went astray are seen. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdint.h>

/** Fill memory, whose first byte has the offset 0. */
void pattern_fill(void *memory, uint64_t bytes, uint64_t seed);

/** The first offset whose byte is wrong, or UINT64_MAX. */
uint64_t pattern_check(const void *memory, uint64_t bytes, uint64_t seed);

#endif
