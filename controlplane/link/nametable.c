/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fixed number of chains: the most segments are known (base/limits.h), so there is nothing to resize.
 */
#include "controlplane/link/nametable.h"

#include "base/check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a. Names come from whoever may use the control socket, so nobody gains by making them collide. */
static unsigned int chain_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash % NAMETABLE_CHAINS;
}

struct nametable_entry *nametable_find(const struct nametable *table, const char *name)
{
	struct nametable_entry *entry = table->chains[chain_of(name)];

	while (entry != NULL && strcmp(entry->name, name) != 0)
		entry = entry->next;
	return entry;
}

void nametable_add(struct nametable *table, struct nametable_entry *entry, const char *name)
{
	struct nametable_entry **chain = &table->chains[chain_of(name)];

	BUG_ON(nametable_find(table, name) != NULL);
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->next = *chain;
	*chain = entry;
	table->count++;
}

void nametable_remove(struct nametable *table, struct nametable_entry *entry)
{
	struct nametable_entry **at = &table->chains[chain_of(entry->name)];

	while (*at != entry) {
		BUG_ON(*at == NULL);
		at = &(*at)->next;
	}
	*at = entry->next;
	table->count--;
}

void nametable_each(struct nametable *table, void (*fn)(struct nametable_entry *entry, void *arg),
		    void *arg)
{
	for (unsigned int i = 0; i < NAMETABLE_CHAINS; i++) {
		struct nametable_entry *entry = table->chains[i];

		while (entry != NULL) {
			struct nametable_entry *next = entry->next;

			fn(entry, arg);
			entry = next;
		}
	}
}
