/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack of free indexes stands apart from the objects, so that taking and giving back touch no
 * cold object, and what was given back last, still warm, goes out first.
 */
#include "base/pool.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POOL_ALIGNMENT 64u

/* Small objects share cache lines; from one line up each begins on its own. */
static uint32_t stride_of(uint32_t object_bytes)
{
	uint32_t unit = object_bytes >= POOL_ALIGNMENT ? POOL_ALIGNMENT : 16u;

	return (object_bytes + unit - 1) / unit * unit;
}

int pool_init(struct pool *pool, uint32_t object_bytes, uint32_t count)
{
	size_t bytes;

	memset(pool, 0, sizeof(*pool));
	if (object_bytes == 0 || object_bytes > UINT32_MAX - POOL_ALIGNMENT || count == 0)
		return -EINVAL;
	pool->object_bytes = object_bytes;
	pool->stride_bytes = stride_of(object_bytes);
	bytes = ((size_t)pool->stride_bytes * count + POOL_ALIGNMENT - 1) &
		~(size_t)(POOL_ALIGNMENT - 1);
	pool->objects = aligned_alloc(POOL_ALIGNMENT, bytes);
	pool->free = calloc(count, sizeof(*pool->free));
	pool->taken = calloc(count, sizeof(*pool->taken));
	if (pool->objects == NULL || pool->free == NULL || pool->taken == NULL) {
		pool_destroy(pool);
		return -ENOMEM;
	}
	memset(pool->objects, 0, bytes);
	pool->count = count;
	pool->free_count = count;
	for (uint32_t i = 0; i < count; i++)
		pool->free[i] = count - 1 - i;
	return 0;
}

void pool_destroy(struct pool *pool)
{
	if (pool == NULL)
		return;
	free(pool->objects);
	free(pool->free);
	free(pool->taken);
	memset(pool, 0, sizeof(*pool));
}

static void taken_set(struct pool *pool, uint32_t index, uint8_t taken)
{
#ifdef HAUL_DEBUG
	ASSERT(pool->taken[index] != taken);
	pool->taken[index] = taken;
#else
	(void)pool;
	(void)index;
	(void)taken;
#endif
}

void *pool_get(struct pool *pool)
{
	uint32_t index;

	if (UNLIKELY(pool->free_count == 0))
		return NULL;
	index = pool->free[--pool->free_count];
	taken_set(pool, index, 1);
	return pool_at(pool, index);
}

void pool_put(struct pool *pool, void *object)
{
	uint32_t index = pool_index(pool, object);

	ASSERT(pool->free_count < pool->count);
	taken_set(pool, index, 0);
	pool->free[pool->free_count++] = index;
}

uint32_t pool_index(const struct pool *pool, const void *object)
{
	ASSERT(pool_owns(pool, object));
	return (uint32_t)((size_t)((const uint8_t *)object - pool->objects) / pool->stride_bytes);
}

void *pool_at(struct pool *pool, uint32_t index)
{
	ASSERT(index < pool->count);
	return pool->objects + (size_t)index * pool->stride_bytes;
}

uint32_t pool_free_count(const struct pool *pool)
{
	return pool->free_count;
}

bool pool_owns(const struct pool *pool, const void *object)
{
	uintptr_t start = (uintptr_t)pool->objects;
	uintptr_t at = (uintptr_t)object;

	return at >= start && at - start < (size_t)pool->count * pool->stride_bytes &&
	       (at - start) % pool->stride_bytes == 0;
}
