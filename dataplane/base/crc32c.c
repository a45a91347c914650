/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One instruction for 8 bytes with SSE4.2; half a byte a step without it.
 *
 * That instruction takes 3 cycles, but one can begin in each. So what is long is cut into three strands of the same length,
 * which are summed up beside each other and joined: the sum of A and B behind one another is that of A, moved up by the
 * bits of B, plus that of B (without the inversions at both ends). To move up by n words is to multiply by x^(64 n), modulo
 * the polynomial: one carry-less multiplication by what stands for n in `powers`, and one more step of the instruction, which
 * multiplies by x^33 on its own, since products of reflected numbers come out one bit low.
 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

/* Remainders of the 16 half bytes by the reflected polynomial 0x82f63b78. */
static const uint32_t nibble_table[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t seed, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint32_t crc = ~seed;

	for (size_t i = 0; i < length; i++) {
		crc ^= at[i];
		crc = crc >> 4 ^ nibble_table[crc & 15];
		crc = crc >> 4 ^ nibble_table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
#define WORD_BYTES sizeof(uint64_t)
/* Longest and shortest strand: beyond one a further round begins, below the other joining costs more than it saves. */
#define STRAND_WORDS_MAX  128u
#define STRAND_WORDS_MIN  8u
#define STRANDS_BYTES_MIN ((size_t)3 * STRAND_WORDS_MIN * sizeof(uint64_t))

/* x^(64 n - 33), reflected; [0] is not used. Written once, before main. */
static uint32_t powers[2 * STRAND_WORDS_MAX + 1];
static bool has_instructions;

__attribute__((target("sse4.2"))) static void powers_fill(void)
{
	uint64_t power = 1; /* x^31 */

	for (uint32_t i = 1; i <= 2 * STRAND_WORDS_MAX; i++) {
		powers[i] = (uint32_t)power;
		power = _mm_crc32_u64(power, 0);
	}
}

__attribute__((constructor)) static void crc32c_prepare(void)
{
	__builtin_cpu_init();
	has_instructions = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
	if (has_instructions)
		powers_fill();
}

static inline uint64_t word_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* A sum, moved up by so many words. */
__attribute__((target("sse4.2,pclmul"))) static inline uint64_t crc_move(uint64_t crc, size_t words)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
					       _mm_cvtsi32_si128((int)powers[words]), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three strands of so many words each. */
__attribute__((target("sse4.2,pclmul"))) static inline uint64_t crc_strands(uint64_t crc,
									    const uint8_t *bytes,
									    size_t words)
{
	const uint8_t *second = bytes + words * WORD_BYTES;
	const uint8_t *third = second + words * WORD_BYTES;
	uint64_t b = 0;
	uint64_t c = 0;

	for (size_t at = 0; at < words * WORD_BYTES; at += WORD_BYTES) {
		crc = _mm_crc32_u64(crc, word_at(bytes + at));
		b = _mm_crc32_u64(b, word_at(second + at));
		c = _mm_crc32_u64(c, word_at(third + at));
	}
	return crc_move(crc, 2 * words) ^ crc_move(b, words) ^ c;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_fast(uint32_t seed,
								     const void *bytes,
								     size_t length)
{
	const uint8_t *at = bytes;
	uint64_t crc = (uint32_t)~seed;

	while (length >= STRANDS_BYTES_MIN) {
		size_t words = length / (3 * WORD_BYTES);

		words = words < STRAND_WORDS_MAX ? words : STRAND_WORDS_MAX;
		crc = crc_strands(crc, at, words);
		at += 3 * words * WORD_BYTES;
		length -= 3 * words * WORD_BYTES;
	}
	for (; length >= WORD_BYTES; length -= WORD_BYTES, at += WORD_BYTES)
		crc = _mm_crc32_u64(crc, word_at(at));
	for (; length > 0; length--)
		crc = _mm_crc32_u8((uint32_t)crc, *at++);
	return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t seed, const void *bytes, size_t length)
{
	return has_instructions ? crc32c_fast(seed, bytes, length)
				: crc32c_portable(seed, bytes, length);
}
#else
uint32_t crc32c(uint32_t seed, const void *bytes, size_t length)
{
	return crc32c_portable(seed, bytes, length);
}
#endif
