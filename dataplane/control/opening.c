/* SPDX-License-Identifier: BSD-3-Clause */
/* Remote segments that clients have open; opening.h says when a view is replaced and when it is gone. */
#include "control/opening.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/names.h"
#include "base/trace.h"
#include "control/node.h"
#include "control/refresh.h"
#include "control/rings.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A client's SEGMENT_OPEN on its way through the control plane. */
struct opening_wish {
	struct client *client;
	uint32_t rights;
	char name[HAUL_NAME_BYTES];
};

/* A view that was replaced, until every worker has gone round. */
struct opening_old_view {
	struct quiesce_action quiesce;
	struct remote_view *view;
};

static const struct counter_spec opening_counter_specs[OPENING_COUNTER_COUNT] = {
	[OPENING_COUNTER_REFRESHES] = { "refreshes", "requests",
					"descriptors of open segments asked for again" },
	[OPENING_COUNTER_REFRESHED] = { "refreshed", "answers",
					"refreshes that brought a newer one" },
	[OPENING_COUNTER_UNCHANGED] = { "unchanged", "answers",
					"refreshes that brought nothing newer" },
	[OPENING_COUNTER_ABSENT] = { "absent", "answers",
				     "refreshes that found no record; the second in a row purges" },
	[OPENING_COUNTER_UNREACHABLE] = { "unreachable", "answers",
					  "refreshes that found nobody to ask; what is known stays" },
	[OPENING_COUNTER_MALFORMED] = { "malformed", "answers",
					"refreshes that brought nothing or no descriptor; what is known "
					"stays" },
	[OPENING_COUNTER_COALESCED] = { "coalesced", "requests",
					"refreshes that were wanted while one was under way or due" },
	[OPENING_COUNTER_PURGED] = { "purged", "segments", "retired since their record is gone" },
	[OPENING_COUNTER_REPLACED] = { "replaced", "segments",
				       "retired since another incarnation has the name or the node" },
	[OPENING_COUNTER_ERASED] = { "erased", "segments",
				     "retired since their owner erased them" },
	[OPENING_COUNTER_DENIED] = { "denied", "segments",
				     "retired since their owner grants them no more" },
	[OPENING_COUNTER_SEEKS] = { "seeks", "requests",
				    "records fetched again since no rail to their peer could be had" },
	[OPENING_COUNTER_SEEKS_SPARED] = { "seeks_spared", "requests",
					   "the same, left out since one was made just before" },
	[OPENING_COUNTER_MOVES] = { "moves", "peers",
				    "peers found at other addresses than before" },
};

const struct counter_group opening_counters = { "opening", opening_counter_specs,
						OPENING_COUNTER_COUNT };

void opening_count(const struct opening *opening, enum opening_counter counter)
{
	counter_add(&opening->node->opening_counters[counter], 1);
}

struct remote *opening_remote(const struct opening *opening)
{
	return &opening->node->engine.remotes.remotes[opening->remote];
}

struct remote_view *opening_view(const struct opening *opening)
{
	return atomic_load_explicit(&opening_remote(opening)->view, memory_order_relaxed);
}

const char *opening_state_text(enum opening_state state)
{
	static const char *const words[] = {
		[OPENING_CURRENT] = "current",
		[OPENING_STALE] = "stale",
		[OPENING_REFRESHING] = "refreshing",
		[OPENING_RETIRED] = "retired",
	};

	BUG_ON((unsigned int)state >= ARRAY_SIZE(words));
	return words[state];
}

static enum opening_state opening_judge(const struct opening *opening)
{
	const struct remote *remote = opening_remote(opening);
	uint64_t seen = atomic_load_explicit(&remote->version_seen, memory_order_relaxed);

	if (opening->is_retired)
		return OPENING_RETIRED;
	if (opening->is_refreshing)
		return OPENING_REFRESHING;
	return seen != opening_view(opening)->version ? OPENING_STALE : OPENING_CURRENT;
}

/* Something that its state hangs on has changed: since when is it in the one that it is in now? */
void opening_note(struct opening *opening, const char *why)
{
	const struct remote_view *view = opening_view(opening);
	enum opening_state state = opening_judge(opening);
	bool is_new = opening->since_us == 0;
	struct trace_event event = { .kind = TRACE_OPENING,
				     .segment = opening->name,
				     .node = opening->owner,
				     .incarnation = view->incarnation,
				     .number = view->version,
				     .from = is_new ? "none" : opening_state_text(opening->state),
				     .to = opening_state_text(state),
				     .why = why };

	if (state == opening->state && !is_new)
		return;
	opening->state = state;
	opening->since_us = clock_now_us();
	trace_write(&event);
}

/*
 * What the descriptor is of, if not of what was opened; NULL when it is the same. A name that was erased and given anew
 * is another segment, whose memory this one's handles must not reach.
 */
const char *opening_other(const struct opening *opening, const struct haul_descriptor *descriptor)
{
	if (descriptor->incarnation != opening->incarnation)
		return "another incarnation owns the name now";
	if (descriptor->number != opening->number)
		return "its owner erased it and has made another of that name";
	return NULL;
}

/* The one to share: of that name, for the same tenant and rights. */
static struct opening *opening_find(const struct opening_wish *wish)
{
	struct opening *opening;

	TAILQ_FOREACH(opening, &wish->client->node->openings, link)
	{
		if (!opening->is_retired && opening->rights == wish->rights &&
		    strcmp(opening->name, wish->name) == 0 &&
		    strcmp(opening->tenant, wish->client->tenant) == 0)
			return opening;
	}
	return NULL;
}

/* The control plane need not follow the name any more, unless one but `except` is open, or somebody is opening it just now. */
static void opening_unwatch(struct node *node, const char *name, const struct opening *except)
{
	const struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (opening != except && !opening->is_retired && strcmp(opening->name, name) == 0)
			return;
	}
	if (!link_is_opening(&node->link, name))
		link_tell_close(&node->link, name);
}

/* The last step of a peer's slot: no worker and no remote names it. */
static void opening_drop_peer(struct node *node, uint32_t peer)
{
	struct worker_command command = { .kind = WORKER_PEER_FORGET, .index = peer };

	if (peer_drop(&node->engine.peers, peer, node->engine.options.worker_count))
		node_command_all(node, &command);
}

static void opening_quiesced(struct quiesce_action *action)
{
	struct opening *opening = CONTAINER_OF(action, struct opening, quiesce);
	struct remote *remote = opening_remote(opening);

	free(opening_view(opening));
	atomic_store_explicit(&remote->view, NULL, memory_order_relaxed);
	atomic_store_explicit(&remote->state, REMOTE_FREE, memory_order_release);
	TAILQ_REMOVE(&opening->node->openings, opening, link);
	event_free(opening->timer);
	free(opening);
}

/* No worker uses the view of what is retired any more, but to say that it is. */
static void opening_leave_peer(struct quiesce_action *action)
{
	struct opening *opening = CONTAINER_OF(action, struct opening, quiesce_peer);

	opening_drop_peer(opening->node, opening_remote(opening)->peer);
}

/* Every operation on it ends with STALE; handles stay until their clients close them. */
static void opening_retire(struct opening *opening, const char *why)
{
	if (opening->is_retired)
		return;
	log_info("opening", "segment %s: retired: %s", opening->name, why);
	opening->is_retired = true;
	opening_note(opening, why);
	event_del(opening->timer);
	remote_retire(&opening->node->engine.remotes, opening->remote);
	quiesce_call(&opening->node->quiesce, &opening->quiesce_peer, opening_leave_peer);
}

/* The same for a reason that is counted. */
void opening_retire_for(struct opening *opening, enum opening_counter counter, const char *why)
{
	if (!opening->is_retired)
		opening_count(opening, counter);
	opening_retire(opening, why);
}

/* One handle or refresh less; the last one closes the segment. */
void opening_unref(struct opening *opening)
{
	BUG_ON(opening->references == 0);
	if (--opening->references > 0)
		return;
	/* That of a retired one is followed as well until then: the name may have come back. */
	opening_unwatch(opening->node, opening->name, opening);
	opening_retire(opening, "nobody has it open any more");
	quiesce_call(&opening->node->quiesce, &opening->quiesce, opening_quiesced);
}

static void opening_free_view(struct quiesce_action *action)
{
	struct opening_old_view *old = CONTAINER_OF(action, struct opening_old_view, quiesce);

	free(old->view);
	free(old);
}

/* Swap in a newer view of the same incarnation. Returns 0 or -HAUL_SYSTEM; then the old one stays. */
int opening_swap_view(struct opening *opening, const struct haul_descriptor *descriptor)
{
	struct remote *remote = opening_remote(opening);
	struct opening_old_view *old = malloc(sizeof(*old));
	struct remote_view *view = remote_view_make(descriptor, remote->peer);

	if (old == NULL || view == NULL) {
		free(old);
		free(view);
		return -HAUL_SYSTEM;
	}
	old->view = opening_view(opening);
	atomic_store_explicit(&remote->view, view, memory_order_release);
	atomic_store_explicit(&remote->version_seen, view->version, memory_order_release);
	quiesce_call(&opening->node->quiesce, &old->quiesce, opening_free_view);
	opening_note(opening, "a newer descriptor was taken");
	return 0;
}

/* A free slot of the engine's table; ENGINE_REMOTES_MAX when there is none. */
static uint32_t opening_free_remote(struct node *node)
{
	for (uint32_t i = 0; i < ENGINE_REMOTES_MAX; i++) {
		const struct remote *remote = &node->engine.remotes.remotes[i];

		if (atomic_load_explicit(&remote->state, memory_order_relaxed) == REMOTE_FREE)
			return i;
	}
	return ENGINE_REMOTES_MAX;
}

static void opening_on_timer(int fd, short what, void *argument)
{
	struct opening *opening = argument;

	(void)fd;
	(void)what;
	refresh_want(opening);
}

/* Show the segment to the workers. */
static void opening_show(struct opening *opening, struct remote_view *view)
{
	struct remote *remote = opening_remote(opening);

	remote->peer = view->peer;
	atomic_store_explicit(&remote->view, view, memory_order_relaxed);
	atomic_store_explicit(&remote->version_seen, view->version, memory_order_relaxed);
	atomic_store_explicit(&remote->state, REMOTE_OPEN, memory_order_release);
	opening_note(opening, "opened");
}

/* A slot, a peer and a view for a descriptor seen for the first time; NULL when one of them is not to be had. */
static struct opening *opening_make(const struct opening_wish *wish,
				    const struct haul_descriptor *descriptor)
{
	struct node *node = wish->client->node;
	struct opening *opening = calloc(1, sizeof(*opening));
	struct remote_view *view = NULL;
	uint32_t peer = ENGINE_PEERS_MAX;

	if (opening == NULL)
		return NULL;
	opening->node = node;
	opening->remote = opening_free_remote(node);
	if (opening->remote < ENGINE_REMOTES_MAX)
		peer = peer_take(&node->engine.peers, descriptor, descriptor_addresses(descriptor),
				 node->engine.options.incarnation, clock_now_us());
	if (peer < ENGINE_PEERS_MAX) {
		connector_count_ways(node, peer);
		if (node->engine.peers.peers[peer].references == 1)
			pace_init(&node->peer_paces[peer], descriptor->incarnation);
		view = remote_view_make(descriptor, peer);
	}
	opening->timer = evtimer_new(node->base, opening_on_timer, opening);
	if (view == NULL || opening->timer == NULL) {
		if (peer < ENGINE_PEERS_MAX)
			opening_drop_peer(node, peer);
		if (opening->timer != NULL)
			event_free(opening->timer);
		free(view);
		free(opening);
		return NULL;
	}
	opening->incarnation = descriptor->incarnation;
	opening->number = descriptor->number;
	pace_init(&opening->pace, node->engine.options.incarnation ^ opening->remote << 1);
	opening->rights = wish->rights;
	memcpy(opening->owner, descriptor->node, sizeof(opening->owner));
	memcpy(opening->name, wish->name, sizeof(opening->name));
	memcpy(opening->tenant, wish->client->tenant, strlen(wish->client->tenant));
	opening_show(opening, view);
	TAILQ_INSERT_TAIL(&node->openings, opening, link);
	return opening;
}

/* A handle slot of the client's channel; ENGINE_HANDLES_MAX when all are in use. */
static uint32_t opening_free_handle(const struct client *client)
{
	uint32_t index = 0;

	while (index < ENGINE_HANDLES_MAX && client->openings[index] != NULL)
		index++;
	return index;
}

static void opening_answer(const struct opening_wish *wish, struct opening *opening)
{
	const struct remote_view *view = opening_view(opening);
	const struct peer *peer = &opening->node->engine.peers.peers[view->peer];
	struct client *client = wish->client;
	uint32_t index = opening_free_handle(client);
	struct channel_handle *handle = &client->rings->channel.handles[index];
	struct haul_attach_segment_open_answer message = { 0 };

	opening->references++;
	client->openings[index] = opening;
	handle->generation++;
	atomic_store_explicit(
		&handle->word,
		channel_handle_word(opening->remote, wish->rights, handle->generation),
		memory_order_release);
	message.bytes = view->bytes;
	message.version = view->version;
	message.incarnation = view->incarnation;
	message.handle = channel_handle_make(index, handle->generation);
	memcpy(message.node, peer->node, sizeof(message.node));
	client_answer(client, HAUL_OK, &message, sizeof(message), NULL, 0);
}

/* A version of the segment is known: is what is here by it? */
static void opening_hear(struct opening *opening, uint64_t version, uint64_t incarnation)
{
	if (opening->is_retired)
		return;
	if (incarnation != opening->incarnation) {
		opening_retire_for(opening, OPENING_COUNTER_REPLACED,
				   "another incarnation owns the name now");
	} else if (version != opening_view(opening)->version) {
		/* From this store on no worker posts by the old view. */
		atomic_store_explicit(&opening_remote(opening)->version_seen, version,
				      memory_order_release);
		opening_note(opening, "a newer version was seen");
		if (version != opening->version_heard)
			pace_hurry(&opening->pace);
		opening->version_heard = version;
		refresh_want(opening);
	}
}

/* A descriptor came for one of several that share its name: the control plane tells of that version no more. */
void opening_tell(struct node *node, const struct haul_descriptor *descriptor)
{
	struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (strcmp(opening->name, descriptor->segment) == 0 &&
		    (opening_other(opening, descriptor) != NULL ||
		     opening_view(opening)->version < descriptor->metadata_version))
			opening_hear(opening, descriptor->metadata_version,
				     descriptor->incarnation);
	}
}

/* The opening of a descriptor that just came: the one that is there, refreshed, or a new one. NULL: no room. */
static struct opening *opening_of(const struct opening_wish *wish,
				  const struct haul_descriptor *descriptor)
{
	struct opening *opening = opening_find(wish);
	const char *other = opening != NULL ? opening_other(opening, descriptor) : NULL;

	if (other != NULL) {
		opening_retire_for(opening, OPENING_COUNTER_REPLACED, other);
		opening = NULL;
	}
	if (opening == NULL)
		opening = opening_make(wish, descriptor);
	else if (descriptor->metadata_version > opening_view(opening)->version &&
		 opening_swap_view(opening, descriptor) != 0)
		return NULL;
	opening_tell(wish->client->node, descriptor);
	return opening;
}

/* Read the descriptor an answer brought into memory of our own and check it. NULL with a reason otherwise. */
struct haul_descriptor *opening_read(const struct link_answer *answer, const char *name,
				     uint32_t rights, char reason[HAUL_REASON_BYTES])
{
	struct haul_descriptor *descriptor = NULL;
	void *bytes = NULL;
	size_t length;

	snprintf(reason, HAUL_REASON_BYTES, "the control plane sent no descriptor");
	if (answer->fd < 0 ||
	    memfd_to_bytes(answer->fd, DESCRIPTOR_BYTES_MAX, &bytes, &length) != 0)
		return NULL;
	if (descriptor_check(bytes, length, reason) != 0) {
		free(bytes);
		return NULL;
	}
	descriptor = bytes;
	if (strcmp(descriptor->segment, name) != 0) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "the control plane sent another segment's descriptor");
		free(bytes);
		return NULL;
	}
	/* The key in it is for these rights, and no others can be proven with it. */
	if (descriptor->rights != rights) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "the control plane granted rights 0x%x, asked for 0x%x",
			 descriptor->rights, rights);
		free(bytes);
		return NULL;
	}
	return descriptor;
}

/* The control plane's answer to a client's wish. */
static void opening_wished(void *argument, const struct link_answer *answer)
{
	struct opening_wish *wish = argument;
	struct client *client = wish->client;
	struct haul_descriptor *descriptor = NULL;
	struct opening *opening = NULL;
	char reason[HAUL_REASON_BYTES];

	if (answer->status == HAUL_OK)
		descriptor = opening_read(answer, wish->name, wish->rights, reason);
	if (answer->fd >= 0)
		close(answer->fd);
	if (client->fd < 0) {
		/* it died while it waited */
	} else if (answer->status != HAUL_OK) {
		client_refuse(client, answer->status, "%s", answer->reason);
	} else if (descriptor == NULL) {
		client_refuse(client, HAUL_INTERNAL, "segment %s: %.100s", wish->name, reason);
	} else if (opening_free_handle(client) == ENGINE_HANDLES_MAX) {
		client_refuse(client, HAUL_QUOTA, "segment %s: %u segments are open already",
			      wish->name, ENGINE_HANDLES_MAX);
	} else if ((opening = opening_of(wish, descriptor)) == NULL) {
		client_refuse(client, HAUL_QUOTA,
			      "segment %s: this daemon has no room for more segments or peers",
			      wish->name);
	} else {
		opening_answer(wish, opening);
	}
	/* Nobody may have it open by now, and who closed it meanwhile left it to this answer to say so. */
	if (opening == NULL)
		opening_unwatch(client->node, wish->name, NULL);
	free(descriptor);
	free(wish);
	client_release(client);
}

int opening_ask(struct node *node, const char *name, const char *tenant, uint32_t rights,
		link_answer_fn answer, void *argument)
{
	struct haul_control_open message = { .rights = rights };

	memcpy(message.segment, name, strlen(name));
	memcpy(message.tenant, tenant, strlen(tenant));
	return link_ask(&node->link, HAUL_CONTROL_SEGMENT_OPEN, &message, -1, answer, argument);
}

void opening_open(struct client *client, const struct haul_attach_segment_open *message)
{
	const uint32_t rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	struct opening_wish *wish;
	int error;

	if (!name_is_valid(message->name, sizeof(message->name))) {
		client_refuse(client, HAUL_INVALID, "the segment's name is not " NAMES_ALLOWED);
		return;
	}
	if (message->reserved != 0 || message->rights == 0 || (message->rights & ~rights) != 0) {
		client_refuse(client, HAUL_INVALID, "segment %s: rights 0x%x: read 1, write 2 or 3",
			      message->name, message->rights);
		return;
	}
	wish = calloc(1, sizeof(*wish));
	if (wish == NULL) {
		client_refuse(client, HAUL_SYSTEM, "segment %s: out of memory", message->name);
		return;
	}
	wish->client = client;
	wish->rights = message->rights;
	memcpy(wish->name, message->name, sizeof(wish->name));
	error = opening_ask(client->node, wish->name, client->tenant, wish->rights, opening_wished,
			    wish);
	if (error != 0) {
		client_refuse(client, HAUL_BUSY, "segment %s: too many control requests are open",
			      message->name);
		free(wish);
		return;
	}
	client->pending++;
}

static void opening_close_handle(struct client *client, uint32_t index)
{
	struct opening *opening = client->openings[index];

	atomic_store_explicit(&client->rings->channel.handles[index].word, 0, memory_order_release);
	client->openings[index] = NULL;
	opening_unref(opening);
}

void opening_close(struct client *client, const struct haul_attach_segment_close *message)
{
	struct haul_attach_plain_answer answer = { 0 };
	uint32_t index = (message->handle & 0xffff) - 1;

	if (message->reserved != 0) {
		client_refuse(client, HAUL_INVALID, "handle 0x%x: reserved bytes are not zero",
			      message->handle);
		return;
	}
	if (index >= ENGINE_HANDLES_MAX || client->openings[index] == NULL ||
	    client->rings->channel.handles[index].generation != message->handle >> 16) {
		client_refuse(client, HAUL_NOT_FOUND, "handle 0x%x is not open on this channel",
			      message->handle);
		return;
	}
	opening_close_handle(client, index);
	client_answer(client, HAUL_OK, &answer, sizeof(answer), NULL, 0);
}

void opening_drop_all(struct client *client)
{
	for (uint32_t i = 0; i < ENGINE_HANDLES_MAX; i++) {
		if (client->openings[i] != NULL)
			opening_close_handle(client, i);
	}
}

void opening_version_seen(struct node *node, const struct haul_control_version_seen *message)
{
	struct opening *opening;

	if (!name_is_valid(message->segment, sizeof(message->segment)))
		return;
	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (strcmp(opening->name, message->segment) != 0)
			continue;
		if (message->version == 0)
			opening_retire_for(opening, OPENING_COUNTER_ERASED, "its owner erased it");
		else
			opening_hear(opening, message->version, message->incarnation);
	}
}

void opening_refresh_remote(struct node *node, uint32_t remote)
{
	struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (opening->remote == remote) {
			refresh_want(opening);
			return;
		}
	}
}

void opening_retire_peer(struct node *node, uint32_t peer)
{
	struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (opening_remote(opening)->peer == peer)
			opening_retire_for(opening, OPENING_COUNTER_REPLACED,
					   "its node has restarted");
	}
}

void opening_refresh_all(struct node *node)
{
	struct opening *opening;

	TAILQ_FOREACH(opening, &node->openings, link)
	refresh_want(opening);
}
