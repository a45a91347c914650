/* SPDX-License-Identifier: BSD-3-Clause */
/* Uses of regions by one worker; uses.h says what counts. */
#include "engine/uses.h"

#include "base/check.h"
#include "engine/region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int uses_init(struct uses *uses, uint32_t slots)
{
	uses->words = calloc(slots, sizeof(*uses->words));
	if (uses->words == NULL)
		return -ENOMEM;
	uses->slots = slots;
	return 0;
}

void uses_destroy(struct uses *uses)
{
	free(uses->words);
	memset(uses, 0, sizeof(*uses));
}

static uint32_t uses_generation(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

void uses_add(struct uses *uses, uint64_t handle)
{
	_Atomic uint64_t *word = &uses->words[region_slot(handle)];
	uint64_t value = atomic_load_explicit(word, memory_order_relaxed);

	ASSERT(region_slot(handle) < uses->slots);
	if (UNLIKELY(uses_generation(value) != region_generation(handle)))
		value = (uint64_t)region_generation(handle) << 32;
	atomic_store_explicit(word, value + 1, memory_order_relaxed);
}

void uses_drop(struct uses *uses, uint64_t handle)
{
	_Atomic uint64_t *word = &uses->words[region_slot(handle)];
	uint64_t value = atomic_load_explicit(word, memory_order_relaxed);

	ASSERT(region_slot(handle) < uses->slots);
	if (UNLIKELY(uses_generation(value) != region_generation(handle)))
		return; /* its region is gone, and another one's uses are counted here */
	BUG_ON((uint32_t)value == 0);
	/* Orders the last touch before the count that lets the memory go, against uses_count. */
	atomic_store_explicit(word, value - 1, memory_order_release);
}

uint32_t uses_count(const struct uses *uses, uint64_t handle)
{
	uint64_t value;

	if (region_slot(handle) >= uses->slots)
		return 0;
	/* Orders the count before what its owner does with the memory, against uses_drop. */
	value = atomic_load_explicit(&uses->words[region_slot(handle)], memory_order_acquire);
	return uses_generation(value) == region_generation(handle) ? (uint32_t)value : 0;
}

uint64_t uses_sum(const struct uses *uses)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < uses->slots; i++)
		sum += (uint32_t)atomic_load_explicit(&uses->words[i], memory_order_relaxed);
	return sum;
}
