/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * After a dataplane's hello: what Redis still holds of it, and what is kept here, but the dataplane has not published
 * again within the grace time is erased. So segments that vanished while this control plane was away do not stay.
 */
#ifndef LINK_SWEEP_H
#define LINK_SWEEP_H

struct event_base;
struct publications;
struct registry;
struct standing;
struct sweep;

/** What a dataplane has to publish all again after its hello. It does so at once; a loaded host may be slow. */
#define SWEEP_GRACE_MS 5000u

/** Returns 0 or -ENOMEM. */
int sweep_create(struct event_base *base, struct registry *registry, struct standing *standing,
		 struct publications *publications, struct sweep **out);
void sweep_destroy(struct sweep *sweep);

/** The dataplane has said hello; the grace time begins. */
void sweep_begin(struct sweep *sweep);

/** It is gone. */
void sweep_end(struct sweep *sweep);

#endif
