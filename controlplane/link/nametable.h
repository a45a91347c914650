/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A table of things by name: segments that are published or open here. Entries are embedded in the things, so the
 * table allocates nothing and owns nothing. Order of iteration is unspecified.
 */
#ifndef LINK_NAMETABLE_H
#define LINK_NAMETABLE_H

#include "api/haul_frame.h"

/** Chains; with SEGMENTS_MAX things in the table a chain has eight of them. */
#define NAMETABLE_CHAINS 8192u

struct nametable_entry {
	struct nametable_entry *next;
	char name[HAUL_NAME_BYTES];
};

/** All zero is an empty one. */
struct nametable {
	struct nametable_entry *chains[NAMETABLE_CHAINS];
	unsigned int count;
};

/** The entry of that name, or NULL. */
struct nametable_entry *nametable_find(const struct nametable *table, const char *name);

/** Put an entry in under a name that is not there yet. */
void nametable_add(struct nametable *table, struct nametable_entry *entry, const char *name);

/** Take an entry out that is there. */
void nametable_remove(struct nametable *table, struct nametable_entry *entry);

/** Call fn for each entry; it may remove that entry, and no other. */
void nametable_each(struct nametable *table, void (*fn)(struct nametable_entry *entry, void *arg),
		    void *arg);

#endif
