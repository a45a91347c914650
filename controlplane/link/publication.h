/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What the own dataplane has published: the state that Redis is to have of its segments, kept here so that it can be
 * written again after Redis lost it, without asking the dataplane.
 *
 * An entry is either current (Redis is known to hold exactly this), or in doubt: it waits in a list and is written
 * again, or erased, as soon as the node is published. A bounded number is under way at a time.
 */
#ifndef LINK_PUBLICATION_H
#define LINK_PUBLICATION_H

#include "controlplane/link/nametable.h"
#include "controlplane/redis/registry.h"

/** Scripts under way at a time when everything is written again. */
#define PUBLICATIONS_BUSY_MAX 32u

struct publications;

/** Returns 0 or -ENOMEM. */
int publications_create(struct registry *registry, struct publications **out);

/** The registry must have been destroyed, or answer no more. NULL is allowed. */
void publications_destroy(struct publications *publications);

/** Another incarnation has said hello: what the last one published is not ours to keep. */
void publications_clear(struct publications *publications);

/** A dataplane has said hello: what it does not publish again until publications_sweep goes. */
void publications_unconfirm(struct publications *publications);

/** Whatever was not published since is erased. Returns how many. */
unsigned int publications_sweep(struct publications *publications);

/**
 * Redis holds this descriptor (copied) in this version now. Returns 0, or -ENOMEM: then it is not kept.
 */
int publications_set(struct publications *publications, const struct haul_descriptor *descriptor,
		     size_t length, uint64_t version);

/** Redis holds nothing under this name any more. */
void publications_forget(struct publications *publications, const char *segment);

/** It shall be erased: remember that until Redis has confirmed it. */
void publications_unwant(struct publications *publications, const char *segment);

/** It is not known what Redis holds under this name: write what is wanted again, or erase it. */
void publications_doubt(struct publications *publications, const char *segment);

/** Redis lost its data: everything is in doubt. */
void publications_doubt_all(struct publications *publications);

/** A look at the records showed this of a name; what differs from what is wanted comes in doubt. */
void publications_compare(struct publications *publications, const char *segment,
			  uint64_t incarnation, uint64_t version);

/** Write what is in doubt; the node is published, with this writer. */
void publications_pump(struct publications *publications, const struct registry_writer *writer);

/** What Redis is known to hold of the segment; NULL when there is nothing, or it is not known. */
const struct haul_descriptor *publications_known(const struct publications *publications,
						 const char *segment);

/** True when this segment is wanted, i.e. published and not erased. */
bool publications_has(const struct publications *publications, const char *segment);

unsigned int publications_count(const struct publications *publications);
unsigned int publications_doubtful(const struct publications *publications);

/** Call fn with the name of each, wanted or not. */
void publications_each(struct publications *publications,
		       void (*fn)(struct nametable_entry *entry, void *arg), void *arg);

#endif
