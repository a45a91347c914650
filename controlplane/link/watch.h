/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The segments that the own dataplane has open, with the version that was seen last of each and the one it was told.
 *
 * Events bring versions fast, the reconciliation brings them surely; the dataplane is told the latest only. Versions of
 * a name only grow within an epoch, so of two reports that cross the greater one is the later. Absent twice in a row,
 * or erased by its owner, means gone: that is told as version 0.
 */
#ifndef LINK_WATCH_H
#define LINK_WATCH_H

#include "controlplane/link/nametable.h"

#include <stdbool.h>
#include <stdint.h>

struct watches;

/** Tell the dataplane. Returns 0, or another value when it cannot be told now. */
typedef int watch_tell_fn(void *arg, const char *segment, uint64_t incarnation, uint64_t version);

/** Returns 0 or -ENOMEM. */
int watches_create(watch_tell_fn *tell, void *arg, struct watches **out);
void watches_destroy(struct watches *watches);

/** The dataplane is gone, and has nothing open any more. */
void watches_clear(struct watches *watches);

/** It asks to open this one: from now on reports count. Each call is followed by watches_opened or watches_failed. */
void watches_ask(struct watches *watches, const char *segment);

/** It was answered with a descriptor of this version. */
void watches_opened(struct watches *watches, const char *segment, uint64_t incarnation,
		    uint64_t version, uint64_t epoch);
void watches_failed(struct watches *watches, const char *segment);

/** It has closed it. */
void watches_close(struct watches *watches, const char *segment);

/** Somebody reports that the segment stands at this version. */
void watches_report(struct watches *watches, const char *segment, uint64_t incarnation,
		    uint64_t version, uint64_t epoch);

/** Its owner has erased it, in this version. */
void watches_erased(struct watches *watches, const char *segment, uint64_t version, uint64_t epoch);

/** A look at the records did not find it. */
void watches_absent(struct watches *watches, const char *segment);

/** Tell what could not be told before. */
void watches_flush(struct watches *watches);

unsigned int watches_count(const struct watches *watches);
void watches_each(struct watches *watches, void (*fn)(struct nametable_entry *entry, void *arg),
		  void *arg);

#endif
