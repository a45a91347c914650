/* SPDX-License-Identifier: BSD-3-Clause */
/* Refreshes of what is open; refresh.h says when they come and what they may change. */
#include "control/refresh.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "control/node.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The node of a peer has another incarnation: look at everything else that is open of the old one. */
static void refresh_peer(struct node *node, uint32_t peer)
{
	struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (!opening->is_retired && opening_remote(opening)->peer == peer)
			refresh_want(opening);
	}
}

/* A descriptor of the same incarnation: where is its node now? */
static void refresh_move_peer(struct opening *opening, const struct haul_descriptor *descriptor)
{
	uint32_t index = opening_remote(opening)->peer;
	struct peer_table *peers = &opening->node->engine.peers;

	if (!peer_move(peers, index, descriptor_addresses(descriptor), descriptor->address_count))
		return;
	opening_count(opening, OPENING_COUNTER_MOVES);
	log_info("opening", "node %s: has other addresses now", peers->peers[index].node);
}

/* A good descriptor for a refresh: newer, or of somebody else. */
static void refresh_take(struct opening *opening, const struct haul_descriptor *descriptor)
{
	const char *other = opening_other(opening, descriptor);
	struct remote *remote = opening_remote(opening);
	const struct peer *peer = &opening->node->engine.peers.peers[remote->peer];

	opening->absences = 0;
	pace_succeed(&opening->pace);
	if (other != NULL) {
		opening_retire_for(opening, OPENING_COUNTER_REPLACED, other);
		if (descriptor->incarnation != opening->incarnation &&
		    strcmp(descriptor->node, peer->node) == 0)
			refresh_peer(opening->node, remote->peer);
		return;
	}
	refresh_move_peer(opening, descriptor);
	if (descriptor->metadata_version <= opening_view(opening)->version) {
		/* Nothing newer than what is here: what was seen ahead of it was this. */
		opening_count(opening, OPENING_COUNTER_UNCHANGED);
		atomic_store_explicit(&remote->version_seen, opening_view(opening)->version,
				      memory_order_release);
		opening_note(opening, "what was seen is what is here");
		return;
	}
	if (opening_swap_view(opening, descriptor) == 0)
		opening_count(opening, OPENING_COUNTER_REFRESHED);
	else
		opening->is_refresh_due = true;
	opening_tell(opening->node, descriptor);
}

/* A refresh brought nothing: note why. Absent, unreachable and malformed are three different things. */
static enum opening_failure refresh_fail(struct opening *opening, enum haul_error status)
{
	enum opening_failure kind = OPENING_DENIED;

	if (status == HAUL_OK || status == HAUL_CORRUPT || status == HAUL_VERSION)
		kind = OPENING_MALFORMED;
	else if (status == HAUL_NOT_FOUND)
		kind = OPENING_ABSENT;
	else if (status == HAUL_UNAVAILABLE || status == HAUL_BUSY)
		kind = OPENING_UNREACHABLE;
	opening->failures[kind]++;
	opening->failure = status == HAUL_OK ? HAUL_CORRUPT : status;
	return kind;
}

/* What follows from that for an opening that is still wanted. */
static void refresh_miss(struct opening *opening, const struct link_answer *answer)
{
	enum opening_failure kind = refresh_fail(opening, answer->status);

	pace_fail(&opening->pace);
	opening->is_refresh_due = true;
	switch (kind) {
	case OPENING_ABSENT:
		opening_count(opening, OPENING_COUNTER_ABSENT);
		if (++opening->absences >= OPENING_ABSENCES_MAX)
			opening_retire_for(opening, OPENING_COUNTER_PURGED, "its record is gone");
		break;
	case OPENING_MALFORMED:
		opening_count(opening, OPENING_COUNTER_MALFORMED);
		opening->absences = 0; /* there is something */
		break;
	case OPENING_DENIED:
		if (answer->status == HAUL_DENIED)
			opening_retire_for(opening, OPENING_COUNTER_DENIED,
					   "its owner grants it no more");
		break;
	case OPENING_UNREACHABLE:
	case OPENING_FAILURE_COUNT:
		opening_count(opening, OPENING_COUNTER_UNREACHABLE);
		break;
	}
}

/* The answer to a refresh. */
static void refresh_answered(void *argument, const struct link_answer *answer)
{
	struct opening *opening = argument;
	struct remote *remote = opening_remote(opening);
	struct haul_descriptor *descriptor = NULL;
	char reason[HAUL_REASON_BYTES];

	opening->is_refreshing = false;
	opening_note(opening, "the refresh was answered");
	if (answer->status == HAUL_OK) {
		descriptor = opening_read(answer, opening->name, opening->rights, reason);
		if (descriptor == NULL)
			log_warning("opening", "segment %s: refresh: %s", opening->name, reason);
	}
	if (answer->fd >= 0)
		close(answer->fd);
	if (!opening->is_retired && descriptor != NULL)
		refresh_take(opening, descriptor);
	else if (!opening->is_retired)
		refresh_miss(opening, answer);
	free(descriptor);
	/* Orders the view before the answer, against target_resolve_again. */
	atomic_store_explicit(&remote->answered,
			      atomic_load_explicit(&remote->asked, memory_order_relaxed),
			      memory_order_release);
	if (opening->is_refresh_due && !opening->is_retired) {
		opening->is_refresh_due = false;
		refresh_want(opening);
	}
	opening_unref(opening);
}

/* When the pace allows the next refresh. */
static void refresh_wait(const struct opening *opening, uint64_t pause_us)
{
	const struct timeval pause = { .tv_sec = (time_t)(pause_us / 1000000),
				       .tv_usec = (suseconds_t)(pause_us % 1000000) };

	event_add(opening->timer, &pause);
}

/* Refreshes are coalesced and spaced: one under way, one behind it, and between them what the pace says. */
void refresh_want(struct opening *opening)
{
	struct remote *remote = opening_remote(opening);
	uint64_t now_us = clock_now_us();

	if (opening->is_retired || opening->references == 0)
		return;
	if (opening->is_refreshing) {
		opening_count(opening, OPENING_COUNTER_COALESCED);
		opening->is_refresh_due = true;
		return;
	}
	if (now_us < opening->pace.next_us) {
		if (event_pending(opening->timer, EV_TIMEOUT, NULL) != 0)
			opening_count(opening, OPENING_COUNTER_COALESCED);
		/* Also when one is waited for: there may be news, and a shorter pause. */
		refresh_wait(opening, opening->pace.next_us - now_us);
		return;
	}
	event_del(opening->timer);
	pace_begin(&opening->pace, now_us);
	if (opening_ask(opening->node, opening->name, opening->tenant, opening->rights,
			refresh_answered, opening) != 0) {
		refresh_wait(opening, PACE_MIN_US);
		return;
	}
	opening_count(opening, OPENING_COUNTER_REFRESHES);
	atomic_fetch_add_explicit(&remote->asked, 1, memory_order_relaxed);
	opening->is_refreshing = true;
	opening->refreshes++;
	opening->references++;
	opening_note(opening, "the descriptor was asked for");
}

void refresh_seek_peer(struct node *node, uint32_t peer)
{
	struct pace *pace = &node->peer_paces[peer];
	uint64_t now_us = clock_now_us();
	struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (!opening->is_retired && opening_remote(opening)->peer == peer)
			break;
	}
	if (opening == NULL)
		return;
	if (now_us < pace->next_us) {
		opening_count(opening, OPENING_COUNTER_SEEKS_SPARED);
		return;
	}
	/* So long without a failure: it could be reached meanwhile. */
	if (now_us > pace->next_us + 2 * PACE_MAX_US)
		pace_succeed(pace);
	pace_begin(pace, now_us);
	pace_fail(pace);
	opening_count(opening, OPENING_COUNTER_SEEKS);
	refresh_want(opening);
}
