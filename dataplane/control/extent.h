/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Extents: what a divided buffer consists of for others. Each is a region of its own, in no descriptor and in no event:
 * its owner publishes it here, tells whom it likes its handle, and retires it, without a version and without Redis. So
 * bytes that are used again inside a buffer are as safe as a buffer that is used again.
 *
 * Extents of a buffer do not overlap, also while they drain; they go with it. Control thread.
 */
#ifndef CONTROL_EXTENT_H
#define CONTROL_EXTENT_H

#include "control/asker.h"
#include "control/drain.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct buffer;

struct extent {
	TAILQ_ENTRY(extent) link; /**< of its buffer */
	struct buffer *buffer;
	struct drain drain;
	struct asker asker; /**< who waits for its end */
	uint64_t region;
	uint64_t offset; /**< in the buffer */
	bool is_draining;
};

TAILQ_HEAD(extent_list, extent);

/** A range of a divided buffer, named by its region; the asker is told the extent's region, or why not. */
void extent_publish(struct asker *asker, uint64_t region, uint64_t offset, uint64_t bytes);

/** Take an extent back; the asker is told when nothing touches it any more. */
void extent_retire(struct asker *asker, uint64_t region);

/** Its buffer drains: so does it. */
void extent_drain(struct extent *extent);

#endif
