/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Where an operation's remote side lies: which region of which peer, by a view of its segment that is current.
 *
 * An operation is resolved when it starts, and again whenever it is about to post by a view that has been overtaken. One
 * that its target has refused as stale looks for another region only when its view has caught up with that refusal: when
 * it is newer than the one the operation was posted by and not older than what the target told, or when a refresh that
 * was asked for later has been answered.
 */
#ifndef ENGINE_TARGET_H
#define ENGINE_TARGET_H

#include "api/haul_abi.h"
#include "api/haul_error.h"

#include <stdbool.h>
#include <stdint.h>

struct operation;

/** Was the operation resolved by the newest version that is known? One load. Worker. */
bool target_is_current(const struct operation *operation);

/**
 * Resolve the remote side by the current view. Returns HAUL_OK; HAUL_UNAVAILABLE: wait for the newer view; HAUL_STALE: what
 * was meant is gone, or going; HAUL_RANGE: it never was there. *reason_out says more of the last two. Worker.
 */
enum haul_error target_resolve(struct operation *operation, enum haul_reason *reason_out);

/** The target has refused it as stale, and told this version (0 = it knows none). Worker. */
void target_note_refusal(struct operation *operation, uint64_t version);

/** Has the view moved on since the operation was resolved, as far as the target's version? Then nobody need fetch it. */
bool target_has_moved(const struct operation *operation, uint64_t version);

/**
 * target_resolve after a refusal: HAUL_UNAVAILABLE until the view has caught up with it, HAUL_STALE when that names the
 * region that was refused, or none. Worker.
 */
enum haul_error target_resolve_again(struct operation *operation, enum haul_reason *reason_out);

#endif
