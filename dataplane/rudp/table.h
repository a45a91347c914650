/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * From a connection id to a connection: open addressing with linear probing, at most a quarter full. Ids are random
 * and chosen by this node, so they are their own hash and nobody can make them collide; a lookup is one
 * cache line nearly always.
 */
#ifndef RUDP_TABLE_H
#define RUDP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct table_entry {
	uint64_t id; /**< 0 = free: ids are never 0 */
	void *value;
};

struct table {
	struct table_entry *entries; /**< mask + 1 */
	uint32_t mask;
	uint32_t count;
};

/** Room for `count` ids. Returns 0 or -ENOMEM. */
int table_init(struct table *table, uint32_t count);
/** A zeroed table is allowed. */
void table_destroy(struct table *table);
/** Returns 0, or -EEXIST. The id is not 0. */
int table_add(struct table *table, uint64_t id, void *value);
/** Of an id that is there. */
void table_remove(struct table *table, uint64_t id);
/** NULL when it is not there. */
void *table_find(const struct table *table, uint64_t id);

#endif
