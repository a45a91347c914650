/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One page is under way at a time. Whoever loses Redis resets the liveness table, not this file.
 */
#include "controlplane/link/observer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/model/liveness.h"
#include "controlplane/redis/registry.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

/* Room for a cursor of SSCAN. */
#define OBSERVER_CURSOR_BYTES 24u

struct observer {
	struct registry *registry;
	struct liveness *liveness;
	struct event *timer;
	char cursor[OBSERVER_CURSOR_BYTES];
	bool is_asking;
	struct log_limit limit;
};

static void page_ask(struct observer *observer);

static void page_answered(void *arg, const struct registry_answer *answer)
{
	struct observer *observer = arg;
	struct node_record record;
	char reason[HAUL_REASON_BYTES];

	observer->is_asking = false;
	if (answer->error != 0 || answer->count == 0 ||
	    !text_copy(answer->texts[0], observer->cursor, sizeof(observer->cursor)))
		return;
	for (unsigned int at = 1; at + NODE_LIST_FIELD_COUNT <= answer->count;
	     at += NODE_LIST_FIELD_COUNT) {
		if (node_parse(answer->texts + at, &record, reason) == 0)
			liveness_observe(observer->liveness, &record, clock_now_us());
		else
			log_limited(&observer->limit, LOG_LEVEL_WARNING, "link", "%s", reason);
	}
	if (!text_is(answer->texts[0], "0"))
		page_ask(observer);
}

static void page_ask(struct observer *observer)
{
	observer->is_asking = registry_node_list(observer->registry, observer->cursor,
						 page_answered, observer) == 0;
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct observer *observer = arg;

	(void)fd;
	(void)what;
	if (observer->is_asking || !registry_is_ready(observer->registry))
		return;
	observer->cursor[0] = '0';
	observer->cursor[1] = '\0';
	page_ask(observer);
}

int observer_create(struct event_base *base, struct registry *registry, struct liveness *liveness,
		    unsigned int beat_ms, struct observer **out)
{
	struct observer *observer = calloc(1, sizeof(*observer));
	struct timeval period = { beat_ms / 1000, (suseconds_t)(beat_ms % 1000) * 1000 };

	if (observer == NULL)
		return -ENOMEM;
	observer->registry = registry;
	observer->liveness = liveness;
	observer->timer = event_new(base, -1, EV_PERSIST, timer_fired, observer);
	if (observer->timer == NULL || event_add(observer->timer, &period) != 0) {
		observer_destroy(observer);
		return -ENOMEM;
	}
	*out = observer;
	return 0;
}

void observer_destroy(struct observer *observer)
{
	if (observer == NULL)
		return;
	if (observer->timer != NULL)
		event_free(observer->timer);
	free(observer);
}
