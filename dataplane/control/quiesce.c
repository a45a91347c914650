/* SPDX-License-Identifier: BSD-3-Clause */
/* Actions that wait for every worker; quiesce.h says why. */
#include "control/quiesce.h"

#include "base/check.h"
#include "engine/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>

/* How often waiting actions look: a busy worker's round takes tens of microseconds, an idle one sleeps up to 500. */
#define QUIESCE_INTERVAL_US 500

static bool quiesce_has_passed(const struct engine *engine, const struct quiesce_action *action)
{
	for (uint32_t i = 0; i < engine->options.worker_count; i++) {
		if (!worker_has_passed(engine->workers[i], action->marks[i]))
			return false;
	}
	return true;
}

static void quiesce_arm(struct quiesce *quiesce)
{
	const struct timeval interval = { .tv_usec = QUIESCE_INTERVAL_US };

	if (!STAILQ_EMPTY(&quiesce->waiting))
		event_add(quiesce->timer, &interval);
}

static void quiesce_on_timer(int fd, short what, void *argument)
{
	struct quiesce *quiesce = argument;
	struct quiesce_action *action = STAILQ_FIRST(&quiesce->waiting);

	(void)fd;
	(void)what;
	/* Later actions have later marks, so the first that has not passed ends the walk. */
	while (action != NULL && quiesce_has_passed(quiesce->engine, action)) {
		STAILQ_REMOVE_HEAD(&quiesce->waiting, link);
		action->run(action);
		action = STAILQ_FIRST(&quiesce->waiting);
	}
	quiesce_arm(quiesce);
}

int quiesce_init(struct quiesce *quiesce, struct event_base *base, const struct engine *engine)
{
	quiesce->engine = engine;
	STAILQ_INIT(&quiesce->waiting);
	quiesce->timer = evtimer_new(base, quiesce_on_timer, quiesce);
	return quiesce->timer == NULL ? -ENOMEM : 0;
}

void quiesce_destroy(struct quiesce *quiesce)
{
	if (quiesce->timer == NULL)
		return;
	quiesce_on_timer(-1, 0, quiesce);
	BUG_ON(!STAILQ_EMPTY(&quiesce->waiting));
	event_free(quiesce->timer);
	quiesce->timer = NULL;
}

void quiesce_call(struct quiesce *quiesce, struct quiesce_action *action,
		  void (*run)(struct quiesce_action *action))
{
	action->run = run;
	for (uint32_t i = 0; i < quiesce->engine->options.worker_count; i++)
		action->marks[i] = worker_mark(quiesce->engine->workers[i]);
	STAILQ_INSERT_TAIL(&quiesce->waiting, action, link);
	quiesce_arm(quiesce);
}
