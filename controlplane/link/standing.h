/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The own node's standing in Redis: takes the name for the incarnation that said HELLO, keeps it alive with beats, and
 * gives it back at an orderly end.
 *
 *   IDLE --begin--> WANTED --registry ready--> ASKING --OK--> PUBLISHED
 *                     ^                          |                |
 *                     +---- lost, no record -----+--- TAKEN, REPLACED: REFUSED, asked again every beat_ms
 *
 * A name that another host holds is watched: when its beat has stood still for suspect_ms + dead_ms, while Redis
 * answered all the while, the next attempt names that beat, and the script takes the name unless it moved again.
 */
#ifndef LINK_STANDING_H
#define LINK_STANDING_H

#include "api/haul_control.h"
#include "controlplane/redis/registry.h"

struct liveness;
struct standing;

enum standing_state {
	STANDING_IDLE,      /**< no dataplane */
	STANDING_WANTED,    /**< to be published as soon as Redis answers */
	STANDING_ASKING,    /**< the script is under way */
	STANDING_PUBLISHED, /**< the record names this incarnation; its term is known */
	STANDING_REFUSED,   /**< another incarnation holds the name */
};

struct standing_events {
	/** The state has changed to or from PUBLISHED or REFUSED, or a refusal has another reason. */
	void (*changed)(void *arg);
	void *arg;
};

/** Returns 0 or -ENOMEM. The registry and the liveness table must outlive it. */
int standing_create(struct event_base *base, struct registry *registry, struct liveness *liveness,
		    unsigned int beat_ms, const struct standing_events *events,
		    struct standing **out);
void standing_destroy(struct standing *standing);

/**
 * The next claim takes the name from whoever holds it, alive or not: the operator says that this is the node now. Only until
 * it is published, so that of two that were told so the later one keeps it.
 */
void standing_replace(struct standing *standing);

/** A dataplane has said hello (checked). The same incarnation as before keeps its term. */
void standing_begin(struct standing *standing, const struct haul_control_hello *hello);

/** The dataplane is gone: no more beats; the record stays. */
void standing_end(struct standing *standing);

/** The registry has become ready, or was lost. */
void standing_registry_ready(struct standing *standing);
void standing_registry_lost(struct standing *standing);

/** The record is not there any more: publish it again. */
void standing_doubt(struct standing *standing);

/** The dataplane has answered a PING: write a beat. */
void standing_pulse(struct standing *standing);

enum standing_state standing_state(const struct standing *standing);

/** Why it is not published; empty when it is. */
void standing_reason(const struct standing *standing, char reason[HAUL_REASON_BYTES]);

/** Who we are; the term is 0 until PUBLISHED. The node's name is "" before the first begin. */
const struct registry_writer *standing_writer(const struct standing *standing);

/** Give the name back and retire all segments. Returns 0 when fn will be called, or -HAUL_UNAVAILABLE. */
int standing_leave(struct standing *standing, registry_fn *fn, void *arg);

#endif
