/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies in steps of our own where the processor has AVX2, libc's elsewhere; copy.h says what they are for. */
#include "base/copy.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

/* One round writes two cache lines, so that whole lines leave the write-combining buffers. */
#define COPY_ROUND_BYTES 128u

__attribute__((target("avx2"))) static void copy_rounds(char *target, const char *source,
							size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)source);
		__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(source + 32));
		__m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(source + 64));
		__m256i d = _mm256_loadu_si256((const __m256i *)(const void *)(source + 96));

		_mm_prefetch(source + COPY_AHEAD_BYTES, _MM_HINT_NTA);
		_mm_prefetch(source + COPY_AHEAD_BYTES + 64, _MM_HINT_NTA);
		_mm256_stream_si256((__m256i *)(void *)target, a);
		_mm256_stream_si256((__m256i *)(void *)(target + 32), b);
		_mm256_stream_si256((__m256i *)(void *)(target + 64), c);
		_mm256_stream_si256((__m256i *)(void *)(target + 96), d);
		source += COPY_ROUND_BYTES;
		target += COPY_ROUND_BYTES;
	}
	/* Orders the streaming stores, which are weakly ordered, before whatever tells others of the bytes. */
	_mm_sfence();
}

enum copy_cold {
	COPY_COLD_SOURCE,
	COPY_COLD_TARGET,
};

/*
 * The target stands on a cache line; `rounds` copy, the first `asking` of them ask too. Asked for in one go, as many lines
 * as a jumbo frame has are more than a core keeps under way, and it waits for them instead of copying meanwhile.
 */
__attribute__((target("avx2"), always_inline)) static inline void copy_ahead_rounds(
	char *target, const char *source, size_t rounds, size_t asking, enum copy_cold cold)
{
	for (size_t i = 0; i < rounds; i++) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)source);
		__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(source + 32));
		__m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(source + 64));
		__m256i d = _mm256_loadu_si256((const __m256i *)(const void *)(source + 96));

		if (i < asking && cold == COPY_COLD_SOURCE)
			copy_expect_read(source + COPY_AHEAD_BYTES, COPY_ROUND_BYTES);
		else if (i < asking)
			copy_expect_write(target + COPY_AHEAD_BYTES, COPY_ROUND_BYTES);
		_mm256_store_si256((__m256i *)(void *)target, a);
		_mm256_store_si256((__m256i *)(void *)(target + 32), b);
		_mm256_store_si256((__m256i *)(void *)(target + 64), c);
		_mm256_store_si256((__m256i *)(void *)(target + 96), d);
		source += COPY_ROUND_BYTES;
		target += COPY_ROUND_BYTES;
	}
}

__attribute__((target("avx2"))) static void copy_from_rounds(char *target, const char *source,
							     size_t rounds, size_t asking)
{
	copy_ahead_rounds(target, source, rounds, asking, COPY_COLD_SOURCE);
}

__attribute__((target("avx2"))) static void copy_into_rounds(char *target, const char *source,
							     size_t rounds, size_t asking)
{
	copy_ahead_rounds(target, source, rounds, asking, COPY_COLD_TARGET);
}

static bool copy_has_vectors(void)
{
	return __builtin_cpu_supports("avx2") != 0;
}
#else
#define COPY_ROUND_BYTES 128u

static void copy_rounds(char *target, const char *source, size_t rounds)
{
	memcpy(target, source, rounds * COPY_ROUND_BYTES);
}

static void copy_from_rounds(char *target, const char *source, size_t rounds, size_t asking)
{
	(void)asking;
	copy_rounds(target, source, rounds);
}

static void copy_into_rounds(char *target, const char *source, size_t rounds, size_t asking)
{
	(void)asking;
	copy_rounds(target, source, rounds);
}

static bool copy_has_vectors(void)
{
	return false;
}
#endif

void copy_stream(void *target, const void *source, size_t bytes)
{
	size_t head = -(uintptr_t)target % 64; /* bytes up to the target's first whole cache line */
	size_t rounds;

	if (bytes < COPY_STREAM_BYTES_MIN || !copy_has_vectors()) {
		memcpy(target, source, bytes);
		return;
	}
	memcpy(target, source, head);
	rounds = (bytes - head) / COPY_ROUND_BYTES;
	copy_rounds((char *)target + head, (const char *)source + head, rounds);
	head += rounds * COPY_ROUND_BYTES;
	memcpy((char *)target + head, (const char *)source + head, bytes - head);
}

/* Rounds whose memory COPY_AHEAD_BYTES ahead is still inside. */
static size_t copy_asking(size_t bytes, size_t beyond)
{
	return bytes + beyond < COPY_AHEAD_BYTES
		       ? 0
		       : (bytes + beyond - COPY_AHEAD_BYTES) / COPY_ROUND_BYTES;
}

typedef void (*copy_rounds_fn)(char *target, const char *source, size_t rounds, size_t asking);

static inline void copy_ahead(char *target, const char *source, size_t bytes, size_t beyond,
			      copy_rounds_fn copy)
{
	size_t head = -(uintptr_t)target % COPY_LINE_BYTES;
	size_t rounds;

	if (bytes < head + COPY_ROUND_BYTES || !copy_has_vectors()) {
		memcpy(target, source, bytes);
		return;
	}
	memcpy(target, source, head);
	bytes -= head;
	rounds = bytes / COPY_ROUND_BYTES;
	copy(target + head, source + head, rounds, copy_asking(bytes, beyond));
	head += rounds * COPY_ROUND_BYTES;
	memcpy(target + head, source + head, bytes % COPY_ROUND_BYTES);
}

void copy_from(void *target, const void *source, size_t bytes, size_t beyond)
{
	copy_ahead(target, source, bytes, beyond, copy_from_rounds);
}

void copy_into(void *target, const void *source, size_t bytes, size_t beyond)
{
	copy_ahead(target, source, bytes, beyond, copy_into_rounds);
}
