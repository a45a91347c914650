/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What happens when memory that a client gave vanishes under a copy: the access raises SIGBUS (a
 * hole punched into huge pages that cannot be filled again, a file that was shrunk, a memory
 * error), and the handler here puts a zero page in its place, marks the range poisoned and lets the
 * copy go on. Whoever copied looks at the mark afterwards, before it tells anybody that the bytes
 * were good.
 *
 * Process-wide. Ranges are added and removed by one thread (the control thread), after which and
 * before which no worker touches the range; the handler runs on any thread and only reads.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Every segment, every channel's rings, and as much again for memory that waits for its workers.
 */
#define FAULT_RANGES_MAX (2u * (SEGMENTS_MAX + CHANNELS_MAX))

/** The id of no range. */
#define FAULT_NONE UINT32_MAX

/** Install the SIGBUS handler; again is harmless. Returns 0 or -errno. */
int fault_init(void);

/**
 * Guard [base, base + length), mapped with pages of page_bytes (both are multiples of it). Returns
 * 0 and its id, or -EINVAL, or -ENOSPC.
 */
int fault_range_add(const void *base, size_t length, uint32_t page_bytes, uint32_t *id_out);

/** Guard it no more; FAULT_NONE is allowed. Before the memory is unmapped. */
void fault_range_remove(uint32_t id);

/**
 * True when a page of the range has been replaced: its bytes are not the client's any more. Any
 * thread.
 */
bool fault_poisoned(uint32_t id);

/**
 * Faults in guarded ranges since start: while it stands still, nothing has been poisoned. Any
 * thread.
 */
uint64_t fault_count(void);

#endif
