/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by link on the loop's thread. A round takes a copy of all names first, since both tables may change while its
 * batches are under way. When Redis is lost the round is given up; the next begins when it is back.
 */
#include "controlplane/link/reconcile.h"

#include "base/check.h"
#include "base/log.h"
#include "controlplane/link/publication.h"
#include "controlplane/link/watch.h"
#include "controlplane/redis/registry.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* Texts that segment_versions answers for each name. */
#define RECONCILE_TEXTS 3u

struct reconcile {
	struct registry *registry;
	struct publications *publications;
	struct watches *watches;
	struct reconcile_events events;
	struct event *timer;
	unsigned int reconcile_ms;
	char (*names)[HAUL_NAME_BYTES]; /* of the round under way */
	unsigned int name_count;
	unsigned int name_next; /* first name of the batch under way */
	unsigned int batch;     /* names of the batch under way */
	bool is_asking;         /* a batch is under way */
	bool is_wanted;         /* another round as soon as this one is done */
	uint64_t rounds;
	struct log_limit limit;
};

static void batch_send(struct reconcile *reconcile);

static void timer_arm(struct reconcile *reconcile, unsigned int ms)
{
	struct timeval after = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	(void)evtimer_add(reconcile->timer, &after);
}

static void name_add(struct nametable_entry *entry, void *arg)
{
	struct reconcile *reconcile = arg;

	memcpy(reconcile->names[reconcile->name_count++], entry->name, HAUL_NAME_BYTES);
}

static void round_begin(struct reconcile *reconcile)
{
	size_t count = (size_t)watches_count(reconcile->watches) +
		       publications_count(reconcile->publications);

	reconcile->is_wanted = false;
	free(reconcile->names);
	reconcile->names = calloc(count + 1, sizeof(*reconcile->names));
	reconcile->name_count = 0;
	reconcile->name_next = 0;
	if (reconcile->names == NULL)
		return;
	watches_each(reconcile->watches, name_add, reconcile);
	publications_each(reconcile->publications, name_add, reconcile);
	batch_send(reconcile);
}

static void round_end(struct reconcile *reconcile)
{
	reconcile->rounds++;
	reconcile->events.done(reconcile->events.arg);
	timer_arm(reconcile, reconcile->is_wanted ? 0 : reconcile->reconcile_ms);
}

static void name_compare(struct reconcile *reconcile, const char *name, const struct text *texts)
{
	enum reconcile_state state = RECONCILE_MALFORMED;
	uint64_t incarnation = 0, version = 0;

	if (text_is(texts[0], "absent"))
		state = RECONCILE_ABSENT;
	else if (text_is(texts[0], "unconfirmed"))
		state = RECONCILE_UNCONFIRMED;
	else if (text_is(texts[0], "present") && text_identity(texts[1], &incarnation) &&
		 text_number(texts[2], &version))
		state = RECONCILE_PRESENT;
	if (state == RECONCILE_MALFORMED) {
		log_limited(&reconcile->limit, LOG_LEVEL_WARNING, "link",
			    "segment %s: its record in redis is malformed; what is known stays",
			    name);
	}
	reconcile->events.found(reconcile->events.arg, name, state, incarnation, version);
}

static void batch_answered(void *arg, const struct registry_answer *answer)
{
	struct reconcile *reconcile = arg;

	reconcile->is_asking = false;
	if (answer->error != 0 || answer->count != reconcile->batch * RECONCILE_TEXTS) {
		timer_arm(reconcile, reconcile->reconcile_ms);
		return;
	}
	for (unsigned int i = 0; i < reconcile->batch; i++)
		name_compare(reconcile, reconcile->names[reconcile->name_next + i],
			     answer->texts + (size_t)i * RECONCILE_TEXTS);
	reconcile->name_next += reconcile->batch;
	if (reconcile->name_next < reconcile->name_count)
		batch_send(reconcile);
	else
		round_end(reconcile);
}

static void batch_send(struct reconcile *reconcile)
{
	const char *names[REGISTRY_VERSIONS_MAX];

	/* With no name at all the script is called too: it tells whether the epoch still is ours. */
	reconcile->batch = MIN(reconcile->name_count - reconcile->name_next, REGISTRY_VERSIONS_MAX);
	for (unsigned int i = 0; i < reconcile->batch; i++)
		names[i] = reconcile->names[reconcile->name_next + i];
	reconcile->is_asking =
		registry_segment_versions(reconcile->registry, names, reconcile->batch,
					  batch_answered, reconcile) == 0;
	if (!reconcile->is_asking)
		timer_arm(reconcile, reconcile->reconcile_ms);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct reconcile *reconcile = arg;

	(void)fd;
	(void)what;
	if (reconcile->is_asking)
		reconcile->is_wanted = true;
	else if (registry_is_ready(reconcile->registry))
		round_begin(reconcile);
	else
		timer_arm(reconcile, reconcile->reconcile_ms);
}

int reconcile_create(const struct reconcile_conf *conf, const struct reconcile_events *events,
		     struct reconcile **out)
{
	struct reconcile *reconcile = calloc(1, sizeof(*reconcile));

	if (reconcile == NULL)
		return -ENOMEM;
	reconcile->registry = conf->registry;
	reconcile->publications = conf->publications;
	reconcile->watches = conf->watches;
	reconcile->reconcile_ms = conf->reconcile_ms;
	reconcile->events = *events;
	reconcile->timer = evtimer_new(conf->base, timer_fired, reconcile);
	if (reconcile->timer == NULL) {
		free(reconcile);
		return -ENOMEM;
	}
	timer_arm(reconcile, conf->reconcile_ms);
	*out = reconcile;
	return 0;
}

void reconcile_destroy(struct reconcile *reconcile)
{
	if (reconcile == NULL)
		return;
	event_free(reconcile->timer);
	free(reconcile->names);
	free(reconcile);
}

void reconcile_now(struct reconcile *reconcile)
{
	timer_arm(reconcile, 0);
}

uint64_t reconcile_rounds(const struct reconcile *reconcile)
{
	return reconcile->rounds;
}
