/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A fixed number of objects of one size, taken and given back without malloc. One thread at a time
 * uses a pool; each worker has its own. Objects are numbered, so that a small index can stand for a
 * pointer.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct pool {
	uint8_t *objects; /**< count x stride_bytes, aligned to a cache line */
	uint32_t *free;   /**< stack of the free objects' indexes; the first free_count are valid */
	uint8_t *taken;   /**< one byte an object, 1 = handed out; only kept when ASSERT is */
	uint32_t object_bytes; /**< as asked for */
	uint32_t stride_bytes; /**< distance between two objects */
	uint32_t count;        /**< objects in all */
	uint32_t free_count;   /**< objects not handed out */
};

/** Allocate count objects of object_bytes each, zeroed. Returns 0, -EINVAL or -ENOMEM. */
int pool_init(struct pool *pool, uint32_t object_bytes, uint32_t count);

/** Free all of it, objects that are out included. A zeroed or half-built pool is allowed. */
void pool_destroy(struct pool *pool);

/** An object with whatever its last user left in it, or NULL when all are out. */
void *pool_get(struct pool *pool);

/** Give an object back. Giving it back twice is a defect. */
void pool_put(struct pool *pool, void *object);

/** The number of an object of this pool, 0 to count - 1. */
uint32_t pool_index(const struct pool *pool, const void *object);

/** The object of a number below count, whether it is out or not. */
void *pool_at(struct pool *pool, uint32_t index);

/** Objects not handed out. */
uint32_t pool_free_count(const struct pool *pool);

/** True when the pointer is to the start of one of this pool's objects. */
bool pool_owns(const struct pool *pool, const void *object);

#endif
