/* SPDX-License-Identifier: BSD-3-Clause */
/* A flat offset space and who holds what of it. */
#include "control/space.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The array's first size; it doubles. */
#define SPACE_ROOM_MIN 4u

/* How many ranges begin before the offset. */
static uint32_t space_index(const struct space *space, uint64_t offset)
{
	uint32_t low = 0;
	uint32_t high = space->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (space->ranges[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct space_range *space_overlap(const struct space *space, uint64_t offset, uint64_t bytes)
{
	uint32_t index = space_index(space, offset);
	const struct space_range *before = index > 0 ? &space->ranges[index - 1] : NULL;

	ASSERT(space->count == 0 || space->ranges != NULL);
	if (before != NULL && before->bytes > offset - before->offset)
		return before;
	if (index < space->count && space->ranges[index].offset - offset < bytes)
		return &space->ranges[index];
	return NULL;
}

uint64_t space_find(const struct space *space, uint64_t bytes, uint64_t align)
{
	uint64_t offset = 0;

	for (uint32_t i = 0; i <= space->count; i++) {
		uint64_t end = i < space->count ? space->ranges[i].offset : space->bytes;

		if (offset <= end && bytes <= end - offset)
			return offset;
		if (i < space->count)
			offset = (space->ranges[i].offset + space->ranges[i].bytes + align - 1) &
				 ~(align - 1);
	}
	return SPACE_NOWHERE;
}

static int space_grow(struct space *space)
{
	uint32_t room = MAX(space->room * 2, SPACE_ROOM_MIN);
	struct space_range *ranges;

	if (space->count < space->room)
		return 0;
	ranges = realloc(space->ranges, room * sizeof(*ranges));
	if (ranges == NULL)
		return -ENOMEM;
	space->ranges = ranges;
	space->room = room;
	return 0;
}

int space_take(struct space *space, const struct space_range *range, void **before_out)
{
	uint32_t index = space_index(space, range->offset);
	int error = space_grow(space);

	BUG_ON(range->bytes == 0 || space_overlap(space, range->offset, range->bytes) != NULL);
	if (error != 0)
		return error;
	memmove(&space->ranges[index + 1], &space->ranges[index],
		(space->count - index) * sizeof(*range));
	space->ranges[index] = *range;
	space->count++;
	*before_out = index > 0 ? space->ranges[index - 1].holder : NULL;
	return 0;
}

void space_give(struct space *space, uint64_t offset)
{
	uint32_t index = space_index(space, offset);

	BUG_ON(index == space->count || space->ranges[index].offset != offset);
	space->count--;
	memmove(&space->ranges[index], &space->ranges[index + 1],
		(space->count - index) * sizeof(space->ranges[0]));
}

void space_destroy(struct space *space)
{
	BUG_ON(space->count > 0);
	free(space->ranges);
	space->ranges = NULL;
	space->room = 0;
}
