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

/**
 * Below this many bytes it is libc's copy: what is small is often looked at next, and is better left in a cache. Half of
 * this and its source fill a common first-level cache.
 */
#define COPY_STREAM_BYTES_MIN 65536u

/** As memcpy, for regions that do not overlap. */
void copy_stream(void *target, const void *source, size_t bytes);

#endif
