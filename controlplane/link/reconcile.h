/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The comparison of what is believed here with the records in Redis: every reconcile_ms, and at once after a gap in the
 * events, a reconnection or a new epoch. Names are asked for in batches; one round is under way at a time.
 */
#ifndef LINK_RECONCILE_H
#define LINK_RECONCILE_H

#include "api/haul_frame.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct publications;
struct reconcile;
struct registry;
struct watches;

/** What the records say of one name. */
enum reconcile_state {
	RECONCILE_PRESENT,
	RECONCILE_UNCONFIRMED, /**< not written since the epoch changed: says nothing */
	RECONCILE_ABSENT,
	RECONCILE_MALFORMED, /**< says nothing, and is counted */
};

struct reconcile_events {
	void (*found)(void *arg, const char *segment, enum reconcile_state state,
		      uint64_t incarnation, uint64_t version);
	/** A whole round has been compared. */
	void (*done)(void *arg);
	void *arg;
};

/** Whose names are compared, with what, and how often. */
struct reconcile_conf {
	struct event_base *base;
	struct registry *registry;
	struct publications *publications;
	struct watches *watches;
	unsigned int reconcile_ms;
};

/** Returns 0 or -ENOMEM. */
int reconcile_create(const struct reconcile_conf *conf, const struct reconcile_events *events,
		     struct reconcile **out);

/** The registry must have been destroyed. NULL is allowed. */
void reconcile_destroy(struct reconcile *reconcile);

/** Compare as soon as possible. */
void reconcile_now(struct reconcile *reconcile);

/** Rounds that were completed. */
uint64_t reconcile_rounds(const struct reconcile *reconcile);

#endif
