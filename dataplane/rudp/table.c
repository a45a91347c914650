/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removal shifts what follows back, so there are no tombstones and a lookup of an unknown id ends at
 * the first free entry.
 */
#include "rudp/table.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* Entries an id: short probes matter more than memory here. */
#define TABLE_SPREAD 4u

int table_init(struct table *table, uint32_t count)
{
	uint32_t size = TABLE_SPREAD;

	while (size < count * TABLE_SPREAD)
		size *= 2;
	table->entries = calloc(size, sizeof(*table->entries));
	table->mask = size - 1;
	table->count = 0;
	return table->entries != NULL ? 0 : -ENOMEM;
}

void table_destroy(struct table *table)
{
	free(table->entries);
	table->entries = NULL;
}

static uint32_t table_slot(const struct table *table, uint64_t id)
{
	uint32_t slot = (uint32_t)id & table->mask;

	while (table->entries[slot].id != id && table->entries[slot].id != 0)
		slot = (slot + 1) & table->mask;
	return slot;
}

int table_add(struct table *table, uint64_t id, void *value)
{
	uint32_t slot = table_slot(table, id);

	ASSERT(id != 0 && value != NULL);
	ASSERT(table->count <= table->mask / 2);
	if (table->entries[slot].id == id)
		return -EEXIST;
	table->entries[slot].id = id;
	table->entries[slot].value = value;
	table->count++;
	return 0;
}

void table_remove(struct table *table, uint64_t id)
{
	uint32_t hole = table_slot(table, id);
	uint32_t slot = hole;

	ASSERT(id != 0 && table->entries[hole].id == id);
	for (;;) {
		uint32_t home;

		slot = (slot + 1) & table->mask;
		if (table->entries[slot].id == 0)
			break;
		home = (uint32_t)table->entries[slot].id & table->mask;
		/* An entry may move back to the hole unless its home lies behind it. */
		if (((slot - home) & table->mask) < ((slot - hole) & table->mask))
			continue;
		table->entries[hole] = table->entries[slot];
		hole = slot;
	}
	table->entries[hole].id = 0;
	table->entries[hole].value = NULL;
	table->count--;
}

void *table_find(const struct table *table, uint64_t id)
{
	return id != 0 ? table->entries[table_slot(table, id)].value : NULL;
}
