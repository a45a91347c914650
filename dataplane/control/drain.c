/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions that go; drain.h has the steps. */
#include "control/drain.h"

#include "base/check.h"
#include "base/clock.h"
#include "control/node.h"

#include <errno.h>
#include <event2/event.h>

/* How often uses are looked at: they end with the round of a worker, whose length this is not far from. */
#define DRAIN_INTERVAL_US 500

static const struct counter_spec drain_specs[] = { DRAIN_COUNTERS(COUNTER_SPEC) };

const struct counter_group drain_counters = { "drain", drain_specs, DRAIN_COUNTER_COUNT };

const char *drain_end_text(enum drain_counter end)
{
	static const char *const words[DRAIN_COUNTER_COUNT] = {
		[DRAIN_COUNTER_EMPTY] = "nothing uses it any more",
		[DRAIN_COUNTER_CUT] = "drain_grace_ms has passed",
		[DRAIN_COUNTER_STOPPED] = "the daemon stops",
	};

	BUG_ON((unsigned int)end >= ARRAY_SIZE(words));
	return words[end];
}

static void drain_count(struct drain *drain, enum drain_counter end)
{
	drain->end = end;
	counter_add(&drain->node->drains.counters[end], 1);
}

static void drain_ended(struct quiesce_action *action)
{
	struct drain *drain = CONTAINER_OF(action, struct drain, quiesce);

	drain->done(drain);
}

/* No uses are left: every worker has seen that the region takes no new ones, so that is the end of it. */
static void drain_finish(struct drain *drain)
{
	drain_count(drain, DRAIN_COUNTER_EMPTY);
	region_retire(&drain->node->engine.regions, drain->region);
	drain->done(drain);
}

void drain_cut(struct drain *drain, struct node *node, uint64_t region,
	       void (*done)(struct drain *drain))
{
	drain->node = node;
	drain->region = region;
	drain->done = done;
	if (region != REGION_NONE)
		region_retire(&node->engine.regions, region);
	quiesce_call(&node->quiesce, &drain->quiesce, drain_ended);
}

static void drains_arm(struct drains *drains)
{
	const struct timeval interval = { .tv_usec = DRAIN_INTERVAL_US };

	if (!TAILQ_EMPTY(&drains->waiting))
		event_add(drains->timer, &interval);
}

static bool drain_is_over(const struct drain *drain)
{
	return engine_region_uses(&drain->node->engine, drain->region) == 0;
}

static void drain_stop_waiting(struct drain *drain)
{
	TAILQ_REMOVE(&drain->node->drains.waiting, drain, link);
	drain->is_waiting = false;
}

/* Every worker has gone round since new operations are refused. */
static void drain_quiesced(struct quiesce_action *action)
{
	struct drain *drain = CONTAINER_OF(action, struct drain, quiesce);
	struct drains *drains = &drain->node->drains;

	if (drain_is_over(drain)) {
		drain_finish(drain);
		return;
	}
	if (drains->timer == NULL) {
		/* The workers have stopped: uses that are left never end. */
		drain_count(drain, DRAIN_COUNTER_STOPPED);
		drain_cut(drain, drain->node, drain->region, drain->done);
		return;
	}
	TAILQ_INSERT_TAIL(&drains->waiting, drain, link);
	drain->is_waiting = true;
	drains_arm(drains);
}

static void drains_on_timer(int fd, short what, void *argument)
{
	struct drains *drains = argument;
	uint64_t now_us = clock_now_us();
	struct drain *drain;
	struct drain *next;

	(void)fd;
	(void)what;
	/* What an end leads to begins other drains at most: they wait for a quiescent point before they are listed. */
	for (drain = TAILQ_FIRST(&drains->waiting); drain != NULL; drain = next) {
		next = TAILQ_NEXT(drain, link);
		if (drain_is_over(drain)) {
			drain_stop_waiting(drain);
			drain_finish(drain);
		} else if (drain->until_us <= now_us) {
			drain_stop_waiting(drain);
			drain_count(drain, DRAIN_COUNTER_CUT);
			drain_cut(drain, drain->node, drain->region, drain->done);
		}
	}
	drains_arm(drains);
}

void drain_begin(struct drain *drain, struct node *node, uint64_t region,
		 void (*done)(struct drain *drain))
{
	drain->node = node;
	drain->region = region;
	drain->done = done;
	drain->until_us = clock_now_us() + node->conf->drain_grace_ms * 1000ull;
	region_drain(&node->engine.regions, region);
	quiesce_call(&node->quiesce, &drain->quiesce, drain_quiesced);
}

int drains_init(struct node *node)
{
	TAILQ_INIT(&node->drains.waiting);
	node->drains.timer = evtimer_new(node->base, drains_on_timer, &node->drains);
	return node->drains.timer == NULL ? -ENOMEM : 0;
}

void drains_destroy(struct node *node)
{
	struct drain *drain;

	if (node->drains.timer == NULL)
		return;
	while ((drain = TAILQ_FIRST(&node->drains.waiting)) != NULL) {
		drain_stop_waiting(drain);
		drain_count(drain, DRAIN_COUNTER_STOPPED);
		drain_cut(drain, node, drain->region, drain->done);
	}
	event_free(node->drains.timer);
	node->drains.timer = NULL;
}
