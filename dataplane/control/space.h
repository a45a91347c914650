/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A flat offset space and who holds which range of it: buffers in a segment, extents in a buffer.
 *
 * Ranges are disjoint and kept in an array in ascending order, so looking is a binary search. Control thread.
 */
#ifndef CONTROL_SPACE_H
#define CONTROL_SPACE_H

#include <stdint.h>

/** No offset: "anywhere" in a wish, "nowhere" in an answer. */
#define SPACE_NOWHERE UINT64_MAX

struct space_range {
	uint64_t offset;
	uint64_t bytes; /**< not zero */
	void *holder;
};

struct space {
	uint64_t bytes; /**< offsets are below */
	uint32_t count;
	uint32_t room;              /**< ranges that fit into the array */
	struct space_range *ranges; /**< ascending; NULL while there was none */
};

/** The first range that shares a byte with this one, which lies inside the space; NULL = it is free. */
const struct space_range *space_overlap(const struct space *space, uint64_t offset, uint64_t bytes);

/** The lowest multiple of `align` (a power of two) from which so many bytes are free; SPACE_NOWHERE = there is none. */
uint64_t space_find(const struct space *space, uint64_t bytes, uint64_t align);

/** Take a range that is free. *before_out is the holder of the one before it, NULL = it is the first. 0 or -ENOMEM. */
int space_take(struct space *space, const struct space_range *range, void **before_out);

/** Give a range back, by its first offset. */
void space_give(struct space *space, uint64_t offset);

/** Free what it has of memory; all ranges must have been given back. */
void space_destroy(struct space *space);

#endif
