/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * "When every worker has gone round": what the control thread took away from the workers is freed only then. An
 * action notes where each worker is when it is asked for, and runs once all of them have passed on.
 */
#ifndef CONTROL_QUIESCE_H
#define CONTROL_QUIESCE_H

#include "base/limits.h"

#include <stdint.h>
#include <sys/queue.h>

struct event;
struct event_base;
struct engine;

/** Lives inside what it frees. */
struct quiesce_action {
	STAILQ_ENTRY(quiesce_action) link;
	void (*run)(struct quiesce_action *action); /**< on the control thread */
	uint64_t marks[WORKERS_MAX];
};

struct quiesce {
	const struct engine *engine;
	struct event *timer;                   /**< armed while actions wait */
	STAILQ_HEAD(, quiesce_action) waiting; /**< in the order in which they were asked for */
};

/** Returns 0 or -ENOMEM. */
int quiesce_init(struct quiesce *quiesce, struct event_base *base, const struct engine *engine);

/** With the workers stopped: runs what is left. */
void quiesce_destroy(struct quiesce *quiesce);

/** Run the action once every worker has passed a quiescent point. What it frees must be out of reach already. */
void quiesce_call(struct quiesce *quiesce, struct quiesce_action *action,
		  void (*run)(struct quiesce_action *action));

#endif
