/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages of the node's own segments are looked through one after the other; a page that fails ends the sweep until the
 * next grace time.
 */
#include "controlplane/link/sweep.h"

#include "base/check.h"
#include "base/log.h"
#include "base/names.h"
#include "controlplane/link/publication.h"
#include "controlplane/link/standing.h"
#include "controlplane/model/segment.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#define SWEEP_CURSOR_BYTES 24u

struct sweep {
	struct registry *registry;
	struct standing *standing;
	struct publications *publications;
	struct event *timer;
	char cursor[SWEEP_CURSOR_BYTES];
	unsigned int swept;
	bool is_active; /* between begin and end */
};

static void page_ask(struct sweep *sweep);

static void grace_arm(struct sweep *sweep)
{
	struct timeval after = { SWEEP_GRACE_MS / 1000, 0 };

	(void)evtimer_add(sweep->timer, &after);
}

static void row_look(struct sweep *sweep, const struct text *fields)
{
	char name[HAUL_NAME_BYTES];

	if (!text_copy(fields[SEGMENT_NAME], name, sizeof(name)) ||
	    !name_is_valid(name, sizeof(name)) || publications_has(sweep->publications, name))
		return;
	publications_unwant(sweep->publications, name);
	sweep->swept++;
}

static void page_answered(void *arg, const struct registry_answer *answer)
{
	struct sweep *sweep = arg;

	if (!sweep->is_active)
		return;
	if (answer->error != 0 || answer->count == 0 ||
	    !text_copy(answer->texts[0], sweep->cursor, sizeof(sweep->cursor))) {
		grace_arm(sweep);
		return;
	}
	for (unsigned int at = 1; at + SEGMENT_LIST_FIELD_COUNT <= answer->count;
	     at += SEGMENT_LIST_FIELD_COUNT)
		row_look(sweep, answer->texts + at);
	if (!text_is(answer->texts[0], "0")) {
		page_ask(sweep);
		return;
	}
	if (sweep->swept > 0)
		log_info("link", "%u segments that the dataplane does not have any more are erased",
			 sweep->swept);
	publications_pump(sweep->publications, standing_writer(sweep->standing));
}

static void page_ask(struct sweep *sweep)
{
	if (registry_segment_list(sweep->registry, sweep->cursor,
				  standing_writer(sweep->standing)->node, page_answered,
				  sweep) != 0)
		grace_arm(sweep);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct sweep *sweep = arg;

	(void)fd;
	(void)what;
	if (standing_state(sweep->standing) != STANDING_PUBLISHED) {
		grace_arm(sweep);
		return;
	}
	sweep->swept = publications_sweep(sweep->publications);
	sweep->cursor[0] = '0';
	sweep->cursor[1] = '\0';
	page_ask(sweep);
}

int sweep_create(struct event_base *base, struct registry *registry, struct standing *standing,
		 struct publications *publications, struct sweep **out)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (sweep == NULL)
		return -ENOMEM;
	sweep->registry = registry;
	sweep->standing = standing;
	sweep->publications = publications;
	sweep->timer = evtimer_new(base, timer_fired, sweep);
	if (sweep->timer == NULL) {
		free(sweep);
		return -ENOMEM;
	}
	*out = sweep;
	return 0;
}

void sweep_destroy(struct sweep *sweep)
{
	if (sweep == NULL)
		return;
	event_free(sweep->timer);
	free(sweep);
}

void sweep_begin(struct sweep *sweep)
{
	sweep->is_active = true;
	grace_arm(sweep);
}

void sweep_end(struct sweep *sweep)
{
	sweep->is_active = false;
	(void)evtimer_del(sweep->timer);
}
