/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What clients are refused on the attach socket: a counter for each error, and in the trace the first STALE and the first
 * DENIED of each second. Control thread.
 */
#ifndef CONTROL_REFUSAL_H
#define CONTROL_REFUSAL_H

#include "api/haul_error.h"
#include "base/counters.h"

#include <stdint.h>

/** One counter for each error that a request of a client ends with; "a client" is who asked on the attach socket. */
#define REFUSAL_COUNTERS(X)                                                                      \
	X(REFUSAL_INVALID, "refused_invalid", "requests",                                        \
	  "of clients that were malformed or made no sense")                                     \
	X(REFUSAL_NOT_FOUND, "refused_not_found", "requests",                                    \
	  "that named a segment, buffer or handle that there is none of")                        \
	X(REFUSAL_EXISTS, "refused_exists", "requests", "for a name that is taken")              \
	X(REFUSAL_DENIED, "refused_denied", "requests",                                          \
	  "for a right that the client's tenant has not been granted")                           \
	X(REFUSAL_STALE, "refused_stale", "requests", "that named what is gone or was replaced") \
	X(REFUSAL_UNAVAILABLE, "refused_unavailable", "requests",                                \
	  "that the control plane or Redis did not answer in time")                              \
	X(REFUSAL_BUSY, "refused_busy", "requests",                                              \
	  "that found a bounded resource of this daemon in use")                                 \
	X(REFUSAL_QUOTA, "refused_quota", "requests",                                            \
	  "beyond the user's quota or the daemon's tables")                                      \
	X(REFUSAL_VERSION, "refused_version", "requests",                                        \
	  "of a client, or answers of a record, of another version")                             \
	X(REFUSAL_CORRUPT, "refused_corrupt", "requests", "whose record in Redis is malformed")  \
	X(REFUSAL_SYSTEM, "refused_system", "requests",                                          \
	  "that failed in this host: memory, descriptors, files")                                \
	X(REFUSAL_OTHER, "refused_other", "requests", "that ended with any other error")

enum refusal_counter {
	REFUSAL_COUNTERS(COUNTER_ENUM) REFUSAL_COUNTER_COUNT
};

extern const struct counter_group refusal_counters;

/** What a node keeps of them; all zero at first, but the block. */
struct refusals {
	uint64_t *counters; /**< the group's block */
	uint64_t seconds
		[REFUSAL_COUNTER_COUNT]; /**< of the last record in the trace, of each kind */
	uint64_t untold[REFUSAL_COUNTER_COUNT]; /**< since that record */
};

/** A client's request was refused. `what` is the sentence that it gets. */
void refusal_count(struct refusals *refusals, enum haul_error error, const char *client,
		   const char *what);

#endif
