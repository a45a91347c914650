/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One instruction for 8 bytes with SSE4.2, carry-less multiplications of 64 bytes at a time where the processor has them;
 * half a byte a step without either.
 *
 * That instruction takes 3 cycles, but one can begin in each. So what is long is cut into three strands of the same length,
 * which are summed up beside each other and joined: the sum of A and B behind one another is that of A, moved up by the
 * bits of B, plus that of B (without the inversions at both ends). To move up by n words is to multiply by x^(64 n), modulo
 * the polynomial: one carry-less multiplication by what stands for n in `powers`, and one more step of the instruction, which
 * multiplies by x^33 on its own, since products of reflected numbers come out one bit low.
 *
 * With 64 byte registers the message itself is folded: 16 bytes that stand D bits before the end are worth as much as their
 * two halves, multiplied by x^(D + 64) and x^D modulo the polynomial, at the end. So 256 bytes are folded into the next 256
 * until there are no more, those into 64, those into 16, and two steps of the instruction make the sum of them.
 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
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

/* Bytes of a register, and of the four that are folded beside each other. */
#define FOLD_BYTES  64u
#define FOLDS_BYTES 256u

/* x^(64 n - 1), reflected, in the upper half: a product of two 64 bit numbers comes out one bit low. */
static uint64_t folds[FOLDS_BYTES * 8 / 64 + 2];
static bool has_wide_instructions;

__attribute__((target("sse4.2"))) static void powers_fill(void)
{
	uint64_t power = 1; /* x^31 */

	for (uint32_t i = 1; i <= 2 * STRAND_WORDS_MAX; i++) {
		powers[i] = (uint32_t)power;
		power = _mm_crc32_u64(power, 0);
	}
	power = _mm_crc32_u32(1, 0); /* x^63 */
	for (uint32_t i = 1; i < sizeof(folds) / sizeof(*folds); i++) {
		folds[i] = power << 32;
		power = _mm_crc32_u64(power, 0);
	}
}

__attribute__((constructor)) static void crc32c_prepare(void)
{
	__builtin_cpu_init();
	has_instructions = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
	if (has_instructions)
		powers_fill();
	has_wide_instructions = has_instructions && __builtin_cpu_supports("avx512f") &&
				__builtin_cpu_supports("vpclmulqdq");
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

#define WIDE __attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq")))

/* What stands `bits` before the next one, and the next one. */
WIDE static inline __m512i fold(__m512i before, uint32_t bits, __m512i next)
{
	long long low = (long long)folds[bits / 64 + 1];
	long long high = (long long)folds[bits / 64];
	__m512i factors = _mm512_set4_epi64(high, low, high, low);
	__m512i lows = _mm512_clmulepi64_epi128(before, factors, 0x00);
	__m512i highs = _mm512_clmulepi64_epi128(before, factors, 0x11);

	return _mm512_ternarylogic_epi64(lows, highs, next, 0x96); /* all three, exclusive */
}

WIDE static inline __m128i fold_quarter(__m128i before, __m128i next)
{
	__m128i factors =
		_mm_set_epi64x((long long)folds[128 / 64], (long long)folds[128 / 64 + 1]);

	return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(before, factors, 0x00),
					   _mm_clmulepi64_si128(before, factors, 0x11)),
			     next);
}

/* The sum of 64 bytes, which had the sum of what was before them in their first four. */
WIDE static inline uint32_t fold_end(__m512i last)
{
	__m128i end = _mm512_extracti32x4_epi32(last, 0);
	uint64_t crc;

	end = fold_quarter(end, _mm512_extracti32x4_epi32(last, 1));
	end = fold_quarter(end, _mm512_extracti32x4_epi32(last, 2));
	end = fold_quarter(end, _mm512_extracti32x4_epi32(last, 3));
	crc = _mm_crc32_u64(0, (uint64_t)_mm_extract_epi64(end, 0));
	return (uint32_t)_mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(end, 1));
}

WIDE static inline __m512i fold_load(const uint8_t *bytes)
{
	return _mm512_loadu_si512((const void *)bytes);
}

/* Of FOLDS_BYTES and more. */
WIDE static uint32_t crc32c_wide(uint32_t seed, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	const uint8_t *end = at + length;
	__m512i seeded = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~seed));
	__m512i a = _mm512_xor_si512(fold_load(at), seeded);
	__m512i b = fold_load(at + FOLD_BYTES);
	__m512i c = fold_load(at + (size_t)2 * FOLD_BYTES);
	__m512i d = fold_load(at + (size_t)3 * FOLD_BYTES);

	for (at += FOLDS_BYTES; (size_t)(end - at) >= FOLDS_BYTES; at += FOLDS_BYTES) {
		a = fold(a, FOLDS_BYTES * 8, fold_load(at));
		b = fold(b, FOLDS_BYTES * 8, fold_load(at + FOLD_BYTES));
		c = fold(c, FOLDS_BYTES * 8, fold_load(at + (size_t)2 * FOLD_BYTES));
		d = fold(d, FOLDS_BYTES * 8, fold_load(at + (size_t)3 * FOLD_BYTES));
	}
	a = fold(a, FOLD_BYTES * 8, b);
	a = fold(a, FOLD_BYTES * 8, c);
	a = fold(a, FOLD_BYTES * 8, d);
	for (; (size_t)(end - at) >= FOLD_BYTES; at += FOLD_BYTES)
		a = fold(a, FOLD_BYTES * 8, fold_load(at));
	return crc32c_fast(~fold_end(a), at, (size_t)(end - at));
}

uint32_t crc32c_narrow(uint32_t seed, const void *bytes, size_t length)
{
	return has_instructions ? crc32c_fast(seed, bytes, length)
				: crc32c_portable(seed, bytes, length);
}

uint32_t crc32c(uint32_t seed, const void *bytes, size_t length)
{
	return has_wide_instructions && length >= FOLDS_BYTES ? crc32c_wide(seed, bytes, length)
							      : crc32c_narrow(seed, bytes, length);
}
#else
uint32_t crc32c_narrow(uint32_t seed, const void *bytes, size_t length)
{
	return crc32c_portable(seed, bytes, length);
}

uint32_t crc32c(uint32_t seed, const void *bytes, size_t length)
{
	return crc32c_portable(seed, bytes, length);
}
#endif
