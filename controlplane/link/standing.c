/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by link on the loop's thread. One script is under way at a time; answers of an older attempt are told by its
 * number and dropped.
 */
#include "controlplane/link/standing.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/model/liveness.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct standing {
	struct registry *registry;
	struct liveness *liveness;
	struct standing_events events;
	struct event *retry; /* REFUSED: ask again */
	unsigned int beat_ms;
	enum standing_state state;
	struct haul_control_hello hello;
	struct registry_writer writer;
	struct node_record holder; /* REFUSED: who holds the name, as far as the answer told */
	uint64_t beat;
	bool is_beating; /* a beat is under way */
	bool is_replacing; /* the operator says that whoever holds the name is gone; until it is published once */
	bool is_current; /* false: the dataplane changed while the script was under way */
	char reason[HAUL_REASON_BYTES];
};

static const char *const state_words[] = { "idle", "wanted", "asking", "published", "refused" };

/* Every change of state goes through here. */
static void standing_set(struct standing *standing, enum standing_state state)
{
	static const bool is_legal[5][5] = {
		/* to:                  IDLE  WANTED ASKING PUBL.  REFUSED */
		[STANDING_IDLE] = { true, true, false, false, false },
		[STANDING_WANTED] = { true, true, true, false, false },
		[STANDING_ASKING] = { true, true, false, true, true },
		[STANDING_PUBLISHED] = { true, true, false, false, true },
		[STANDING_REFUSED] = { true, true, true, false, false },
	};
	enum standing_state from = standing->state;

	BUG_ON(!is_legal[from][state]);
	standing->state = state;
	if (state != from)
		log_debug("node", "%s: %s -> %s", standing->hello.node, state_words[from],
			  state_words[state]);
}

static void retry_arm(struct standing *standing)
{
	struct timeval after = { standing->beat_ms / 1000,
				 (suseconds_t)(standing->beat_ms % 1000) * 1000 };

	(void)evtimer_add(standing->retry, &after);
}

/* TAKEN node incarnation term host beat | REPLACED node incarnation term */
static void holder_take(struct standing *standing, const struct registry_answer *answer)
{
	struct node_record *holder = &standing->holder;

	memset(holder, 0, sizeof(*holder));
	(void)snprintf(holder->name, sizeof(holder->name), "%s", standing->hello.node);
	if (answer->word != REGISTRY_TAKEN || answer->count != 5 ||
	    !text_identity(answer->texts[1], &holder->incarnation) ||
	    !text_number(answer->texts[2], &holder->term) ||
	    !text_number(answer->texts[4], &holder->beat)) {
		holder->incarnation = 0;
		return;
	}
	liveness_observe(standing->liveness, holder, clock_now_us());
}

static void standing_refuse(struct standing *standing, const struct registry_answer *answer)
{
	bool is_news = strcmp(standing->reason, answer->reason) != 0;

	standing_set(standing, STANDING_REFUSED);
	memcpy(standing->reason, answer->reason, sizeof(standing->reason));
	holder_take(standing, answer);
	retry_arm(standing);
	if (!is_news)
		return;
	log_error("node", "%s: not published: %s", standing->hello.node, standing->reason);
	standing->events.changed(standing->events.arg);
}

static void publish_answered(void *arg, const struct registry_answer *answer)
{
	struct standing *standing = arg;
	uint64_t term = 0;

	if (standing->state != STANDING_ASKING)
		return;
	if (!standing->is_current || answer->is_passing) {
		standing_set(standing, STANDING_WANTED);
		if (registry_is_ready(standing->registry))
			standing_registry_ready(standing);
		return;
	}
	if (answer->error != 0 || answer->count != 2 || !text_number(answer->texts[0], &term)) {
		standing_refuse(standing, answer);
		return;
	}
	standing->writer.term = term;
	standing->reason[0] = '\0';
	standing->is_replacing = false;
	standing_set(standing, STANDING_PUBLISHED);
	log_info("node",
		 "%s: incarnation %016" PRIx64 " published, term %" PRIu64
		 ", %.*s old segments retired",
		 standing->hello.node, standing->writer.incarnation, term,
		 (int)answer->texts[1].length, answer->texts[1].bytes);
	standing->events.changed(standing->events.arg);
}

static void standing_ask(struct standing *standing)
{
	struct registry_claim claim = { .host = standing->hello.host,
					.addresses = standing->hello.addresses,
					.address_count = standing->hello.address_count,
					.is_replacing = standing->is_replacing };
	const struct node_record *holder = &standing->holder;
	uint64_t still_ms = 0;

	if (holder->incarnation != 0 &&
	    liveness_state(standing->liveness, holder->name, holder->incarnation, clock_now_us(),
			   &still_ms) == LIVENESS_DEAD) {
		claim.still_incarnation = holder->incarnation;
		claim.still_beat = holder->beat;
	}
	standing->is_current = true;
	if (registry_node_publish(standing->registry, &standing->writer, &claim, publish_answered,
				  standing) == 0)
		standing_set(standing, STANDING_ASKING);
	else
		standing_set(standing, STANDING_WANTED);
}

static void retry_fired(evutil_socket_t fd, short what, void *arg)
{
	struct standing *standing = arg;

	(void)fd;
	(void)what;
	if (standing->state == STANDING_REFUSED && registry_is_ready(standing->registry))
		standing_ask(standing);
}

int standing_create(struct event_base *base, struct registry *registry, struct liveness *liveness,
		    unsigned int beat_ms, const struct standing_events *events,
		    struct standing **out)
{
	struct standing *standing = calloc(1, sizeof(*standing));

	if (standing == NULL)
		return -ENOMEM;
	standing->registry = registry;
	standing->liveness = liveness;
	standing->beat_ms = beat_ms;
	standing->events = *events;
	standing->writer.node = standing->hello.node;
	/* Any start will do as long as it differs from where the last control plane of this node stopped. */
	standing->beat = clock_now_us() / 1000;
	standing->retry = evtimer_new(base, retry_fired, standing);
	if (standing->retry == NULL) {
		standing_destroy(standing);
		return -ENOMEM;
	}
	*out = standing;
	return 0;
}

void standing_destroy(struct standing *standing)
{
	if (standing == NULL)
		return;
	if (standing->retry != NULL)
		event_free(standing->retry);
	free(standing);
}

void standing_replace(struct standing *standing)
{
	standing->is_replacing = true;
}

void standing_begin(struct standing *standing, const struct haul_control_hello *hello)
{
	bool is_same = standing->writer.incarnation == hello->incarnation &&
		       strcmp(standing->hello.node, hello->node) == 0;

	if (!is_same)
		standing->writer.term = 0;
	standing->hello = *hello;
	standing->writer.incarnation = hello->incarnation;
	standing->holder.incarnation = 0;
	standing->is_current = false;
	standing->reason[0] = '\0';
	if (standing->state == STANDING_ASKING)
		return;
	standing_set(standing, STANDING_WANTED);
	if (registry_is_ready(standing->registry))
		standing_ask(standing);
}

void standing_end(struct standing *standing)
{
	(void)evtimer_del(standing->retry);
	standing_set(standing, STANDING_IDLE);
}

void standing_registry_ready(struct standing *standing)
{
	if (standing->state == STANDING_PUBLISHED)
		standing_set(standing, STANDING_WANTED);
	if (standing->state == STANDING_WANTED || standing->state == STANDING_REFUSED)
		standing_ask(standing);
}

void standing_registry_lost(struct standing *standing)
{
	if (standing->state != STANDING_PUBLISHED && standing->state != STANDING_REFUSED)
		return;
	(void)evtimer_del(standing->retry);
	standing->reason[0] = '\0';
	standing_set(standing, STANDING_WANTED);
	standing->events.changed(standing->events.arg);
}

void standing_doubt(struct standing *standing)
{
	if (standing->state != STANDING_PUBLISHED)
		return;
	standing_set(standing, STANDING_WANTED);
	standing->events.changed(standing->events.arg);
	if (registry_is_ready(standing->registry))
		standing_ask(standing);
}

static void beat_answered(void *arg, const struct registry_answer *answer)
{
	struct standing *standing = arg;

	standing->is_beating = false;
	if (standing->state != STANDING_PUBLISHED || answer->error == 0)
		return;
	if (answer->word == REGISTRY_REPLACED || answer->word == REGISTRY_NONODE)
		standing_doubt(standing);
}

void standing_pulse(struct standing *standing)
{
	standing->beat++;
	if (standing->state != STANDING_PUBLISHED || standing->is_beating)
		return;
	standing->is_beating = registry_node_beat(standing->registry, &standing->writer,
						  standing->beat, beat_answered, standing) == 0;
}

enum standing_state standing_state(const struct standing *standing)
{
	return standing->state;
}

void standing_reason(const struct standing *standing, char reason[HAUL_REASON_BYTES])
{
	(void)snprintf(reason, HAUL_REASON_BYTES, "%s", standing->reason);
	if (standing->state == STANDING_IDLE)
		(void)snprintf(reason, HAUL_REASON_BYTES, "no dataplane is connected");
	else if (standing->state == STANDING_WANTED || standing->state == STANDING_ASKING)
		registry_reason(standing->registry, reason);
	if (reason[0] == '\0' && standing->state != STANDING_PUBLISHED)
		(void)snprintf(reason, HAUL_REASON_BYTES, "node %s is being published",
			       standing->hello.node);
}

const struct registry_writer *standing_writer(const struct standing *standing)
{
	return &standing->writer;
}

int standing_leave(struct standing *standing, registry_fn *fn, void *arg)
{
	if (standing->writer.term == 0)
		return -HAUL_UNAVAILABLE;
	return registry_node_leave(standing->registry, &standing->writer, fn, arg);
}
