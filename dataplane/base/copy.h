/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Copies of memory that this core will not look at again: the bytes go around its caches to memory, so that a target's
 * lines are not read before they are overwritten, and a large copy does not push everything else out. libc does the same
 * from some tens of MiB on; what haul copies comes in smaller steps of larger wholes.
 *
 * Any thread. The bytes are visible to others when copy_stream has returned: it ends with a store fence.
 */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include <stddef.h>

/** What a processor fetches at a time. */
#define COPY_LINE_BYTES 64u

/**
 * Below this many bytes it is libc's copy: what is small is often looked at next, and is better left in a cache. Half of
 * this and its source fill a common first-level cache.
 */
#define COPY_STREAM_BYTES_MIN 65536u

/** How far ahead of a copy memory is asked for: some 500 ns at 10 GB/s, several times a miss. */
#define COPY_AHEAD_BYTES 4096u

/**
 * Ask for memory that is about to be read, or written. Only a hint: it changes no byte and meets no fault, whatever is
 * there.
 */
static inline void copy_expect_read(const void *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += COPY_LINE_BYTES)
		__builtin_prefetch((const char *)memory + i, 0, 3);
}

static inline void copy_expect_write(const void *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += COPY_LINE_BYTES) {
#if defined(__x86_64__)
		/* What the compiler makes of a prefetch for writing asks for no ownership without -mprfchw. */
		__asm__ volatile("prefetchw %0" : : "m"(*((const char *)memory + i)));
#else
		__builtin_prefetch((const char *)memory + i, 1, 3);
#endif
	}
}

/** As memcpy, for regions that do not overlap. */
void copy_stream(void *target, const void *source, size_t bytes);

/**
 * As memcpy, where one copy goes on where the last one ended, each too short for the processor to see that: what is cold,
 * the source of copy_from and the target of copy_into, is asked for COPY_AHEAD_BYTES ahead and in step with the copy.
 * `beyond` is how many bytes there are behind what is copied; more is not asked for.
 */
void copy_from(void *target, const void *source, size_t bytes, size_t beyond);
void copy_into(void *target, const void *source, size_t bytes, size_t beyond);

#endif
