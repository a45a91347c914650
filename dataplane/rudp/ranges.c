/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers nearly always come in order, so the topmost range is looked at first and everything else is
 * a walk downwards over at most WIRE_RANGES_MAX entries.
 */
#include "rudp/ranges.h"

#include "base/check.h"
#include "base/seq.h"

#include <string.h>

/* More than may be unsettled (WIRE_AGE_LIMIT): what lies below was said before. */
#define RANGE_NUMBERS_MAX 8192u

static void range_remove(struct ranges *ranges, uint32_t index)
{
	ranges->count--;
	memmove(&ranges->range[index], &ranges->range[index + 1],
		(ranges->count - index) * sizeof(ranges->range[0]));
}

/* Inserts {number} at index; when all entries are taken the lowest makes room. */
static bool range_insert(struct ranges *ranges, uint32_t index, uint32_t number)
{
	if (ranges->count == WIRE_RANGES_MAX) {
		if (index == 0)
			return false;
		range_remove(ranges, 0);
		index--;
	}
	memmove(&ranges->range[index + 1], &ranges->range[index],
		(ranges->count - index) * sizeof(ranges->range[0]));
	ranges->range[index].first = number;
	ranges->range[index].last = number;
	ranges->count++;
	return true;
}

/* The number lies above range[index - 1]'s last and below range[index]'s first, if those exist. */
static bool range_join(struct ranges *ranges, uint32_t index, uint32_t number)
{
	struct wire_range *below = index > 0 ? &ranges->range[index - 1] : NULL;
	struct wire_range *above = index < ranges->count ? &ranges->range[index] : NULL;
	bool joins_below = below != NULL && below->last + 1 == number;
	bool joins_above = above != NULL && number + 1 == above->first;

	if (joins_below && joins_above) {
		below->last = above->last;
		range_remove(ranges, index);
	} else if (joins_below) {
		below->last = number;
	} else if (joins_above) {
		above->first = number;
	} else {
		return range_insert(ranges, index, number);
	}
	return true;
}

bool ranges_add(struct ranges *ranges, uint32_t number)
{
	uint32_t index = ranges->count;

	while (index > 0 && seq32_before_eq(number, ranges->range[index - 1].last)) {
		if (!seq32_before(number, ranges->range[index - 1].first))
			return false;
		index--;
	}
	return range_join(ranges, index, number);
}

void ranges_trim(struct ranges *ranges, uint32_t before)
{
	uint32_t gone = 0;

	while (gone < ranges->count && seq32_before(ranges->range[gone].last, before))
		gone++;
	if (gone == 0)
		return;
	ranges->count -= gone;
	memmove(&ranges->range[0], &ranges->range[gone], ranges->count * sizeof(ranges->range[0]));
}

/* A count on the wire has 16 bits; a longer range is cut at its lower end, which the sender has heard of. */
void ranges_ack(const struct ranges *ranges, struct wire_ack *out)
{
	out->count = ranges->count;
	for (uint32_t i = 0; i < ranges->count; i++) {
		out->ranges[i] = ranges->range[ranges->count - 1 - i];
		if (out->ranges[i].last - out->ranges[i].first <= RANGE_NUMBERS_MAX)
			continue;
		out->ranges[i].first = out->ranges[i].last - RANGE_NUMBERS_MAX;
		out->count = i + 1;
		break;
	}
	ASSERT(out->count <= WIRE_RANGES_MAX);
}
