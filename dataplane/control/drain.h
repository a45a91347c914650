/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * How a region of this node goes: from no new operation on it to none at all.
 *
 *   begin: new ones are refused -> quiescent point -> no uses, or drain_grace_ms is over: every touch is refused
 *          -> quiescent point, when there were uses -> done: nothing touches it any more
 *
 * What the grace time cuts off is refused like anything else that names a retired region, so no byte lands later; an
 * operation of a peer that hangs is what it is for. Each end is counted by what made it. Control thread.
 */
#ifndef CONTROL_DRAIN_H
#define CONTROL_DRAIN_H

#include "base/counters.h"
#include "control/quiesce.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct node;

#define DRAIN_COUNTERS(X)                                                                    \
	X(DRAIN_COUNTER_EMPTY, "empty", "regions", "went when nothing used them any more")   \
	X(DRAIN_COUNTER_CUT, "cut", "regions",                                               \
	  "went when drain_grace_ms had passed, with operations of peers that were cut off") \
	X(DRAIN_COUNTER_STOPPED, "stopped", "regions",                                       \
	  "went with operations that were left when the daemon stopped")

enum drain_counter {
	DRAIN_COUNTERS(COUNTER_ENUM) DRAIN_COUNTER_COUNT
};

extern const struct counter_group drain_counters;

/** Lives inside what has the region. */
struct drain {
	TAILQ_ENTRY(drain) link; /**< while it waits for uses to end */
	struct quiesce_action quiesce;
	struct node *node;
	uint64_t region;
	uint64_t until_us;      /**< the end of its grace */
	bool is_waiting;        /**< on the list */
	enum drain_counter end; /**< of one that was begun: what ended it */
	void (*done)(struct drain *drain);
};

TAILQ_HEAD(drain_list, drain);

struct drains {
	struct drain_list waiting;
	struct event *timer; /**< armed while one waits */
	uint64_t *counters;  /**< the group's block */
};

/** Returns 0 or -ENOMEM. */
int drains_init(struct node *node);

/** With the workers stopped: end what waits, at once. A half-built node is allowed. */
void drains_destroy(struct node *node);

/** Have a region run empty; `done` is called later, once. */
void drain_begin(struct drain *drain, struct node *node, uint64_t region,
		 void (*done)(struct drain *drain));

/** The same for one that need not run empty, or for none (REGION_NONE): every touch is refused at once. */
void drain_cut(struct drain *drain, struct node *node, uint64_t region,
	       void (*done)(struct drain *drain));

/** What ended it, in words. Static. */
const char *drain_end_text(enum drain_counter end);

#endif
