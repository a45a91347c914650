/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What a worker does with a notification that a transport brings: the target's side of a WRITE with
 * HAUL_ENTRY_NOTIFY. The region is looked up as for data, the number is executed once (notifier.h), and what
 * is delivered goes into the ring of the channel that owns the region (notices.h), whichever worker serves that.
 */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include "engine/transport.h"

/** Rings that a worker has written to in this round; those that find no place here are woken for at once. */
#define NOTIFY_RINGS 16u

struct notices;

/** Whom to wake at the end of the round. One worker's alone. */
struct notify {
	struct notices *rings[NOTIFY_RINGS];
	uint32_t count;
};

/** transport_host.notify. */
enum haul_error notify_deliver(struct worker *worker, const struct transport_notice *notice,
			       struct transport_refusal *refusal_out);

/** Wake the clients that got something in this round, before its quiescent point. */
void notify_wake_all(struct worker *worker);

#endif
