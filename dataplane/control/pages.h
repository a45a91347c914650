/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The pages behind a segment: a memfd that the daemon makes, or one that the client gives, mapped here, populated and
 * locked.
 *
 * What blocks is done on the long lane, in steps of at most PAGES_STEP_BYTES, so that the memory of one client does not
 * hold up that of others, nor the end of the daemon. Everything else is the control thread's. A page that nobody has
 * touched before is taken here, so it counts against the daemon's memory cgroup; one that the client has touched counts
 * against the client's.
 */
#ifndef CONTROL_PAGES_H
#define CONTROL_PAGES_H

#include "api/haul_error.h"

#include <stdbool.h>
#include <stdint.h>

/** Populated in one step, or one page where pages are larger: some tens of milliseconds. */
#define PAGES_STEP_BYTES (UINT64_C(64) << 20)

struct pages {
	int fd;             /**< -1 = none: not made yet, or handed on */
	void *address;      /**< of the mapping; NULL = none */
	uint64_t bytes;     /**< of the mapping, a multiple of page_bytes */
	uint64_t populated; /**< of these */
	uint32_t page_bytes;
	int error;         /**< 0 or -errno of the step that failed */
	bool is_given;     /**< the client's own */
	bool is_read_only; /**< mapped so */
	bool is_unlocked;  /**< some could not be locked */
};

/**
 * May a client give this memory, `bytes` from its start? Returns HAUL_OK and the size of its pages, or HAUL_INVALID with
 * a sentence in reason (HAUL_REASON_BYTES). Takes nothing. Control thread.
 */
enum haul_error pages_check_given(int fd, uint64_t bytes, bool is_read_only,
				  uint32_t *page_bytes_out, char *reason);

/** Make what is not given (huge_pages is enum conf_huge_pages), and map it. Long lane. */
void pages_map(struct pages *pages, uint32_t huge_pages);

/** Have the next step populated and locked. Long lane. */
void pages_populate(struct pages *pages);

/** All populated, or failed: nothing is left to do. */
bool pages_are_done(const struct pages *pages);

/** Unmap and close; what is given is the client's alone again. Long lane. */
void pages_free(struct pages *pages);

#endif
