/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Looks at the beats of all nodes every beat_ms and feeds the liveness table, which says who is alive.
 */
#ifndef LINK_OBSERVER_H
#define LINK_OBSERVER_H

struct event_base;
struct liveness;
struct observer;
struct registry;

/** Returns 0 or -ENOMEM. The registry and the table must outlive it, the registry's calls must not. */
int observer_create(struct event_base *base, struct registry *registry, struct liveness *liveness,
		    unsigned int beat_ms, struct observer **out);
void observer_destroy(struct observer *observer);

#endif
