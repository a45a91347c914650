/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments that clients own; segment.h has the picture of their life. */
#include "control/segment.h"

#include "api/haul_control.h"
#include "base/auth.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/names.h"
#include "base/trace.h"
#include "control/node.h"
#include "control/quota.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long to leave a record that could not be erased or written before it is tried again. */
#define SEGMENT_PAUSE_US 1000000u

/* Flags of a SEGMENT_CREATE. */
#define SEGMENT_FLAGS (HAUL_SEGMENT_PRIVATE | SEGMENT_BUFFER_FLAGS)

/* And of a BUFFER_ADD. */
#define SEGMENT_BUFFER_FLAGS (HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_READ_ONLY | HAUL_SEGMENT_DIVIDED)

/* The legal transitions, one bit a target state. */
static const uint8_t segment_transitions[SEGMENT_STATE_COUNT] = {
	[SEGMENT_MAKING] = 1 << SEGMENT_OPEN | 1 << SEGMENT_RETIRING,
	[SEGMENT_OPEN] = 1 << SEGMENT_CLOSING | 1 << SEGMENT_RETIRING,
	[SEGMENT_CLOSING] = 1 << SEGMENT_OPEN | 1 << SEGMENT_RETIRING,
};

static void segment_set_state(struct segment *segment, enum segment_state state)
{
	static const char *const words[SEGMENT_STATE_COUNT] = {
		[SEGMENT_MAKING] = "making",
		[SEGMENT_OPEN] = "open",
		[SEGMENT_CLOSING] = "closing",
		[SEGMENT_RETIRING] = "retiring",
	};
	struct trace_event event = { .kind = TRACE_SEGMENT,
				     .segment = segment->name,
				     .number = segment->number,
				     .from = words[segment->state],
				     .to = words[state] };

	BUG_ON((segment_transitions[segment->state] & 1u << state) == 0);
	segment->state = state;
	trace_write(&event);
}

static int segment_ask_erasure(struct segment *segment);

static void segment_free(struct segment *segment)
{
	struct client *client = segment->client;

	client->segments--;
	space_destroy(&segment->space);
	free(segment);
	client_release(client);
}

/* The last step: nothing names it any more. It is freed with nothing else under way. */
static void segment_end(struct segment *segment)
{
	struct node *node = segment->node;

	segment->is_over = true;
	keyring_remove(&node->engine.keyring, segment->number);
	TAILQ_REMOVE(&node->segments, segment, link);
	TAILQ_INSERT_TAIL(&node->segments_over, segment, link);
	event_active(node->reaper, EV_TIMEOUT, 1);
}

static void segment_on_reap(int fd, short what, void *argument)
{
	struct node *node = argument;
	struct segment *segment;
	struct buffer *buffer;

	(void)fd;
	(void)what;
	while ((buffer = TAILQ_FIRST(&node->buffers_over)) != NULL)
		buffer_reap(buffer);
	while ((segment = TAILQ_FIRST(&node->segments_over)) != NULL) {
		TAILQ_REMOVE(&node->segments_over, segment, link);
		segment_free(segment);
	}
}

int segment_prepare(struct node *node)
{
	node->buffers = calloc(ENGINE_REGIONS_MAX, sizeof(struct buffer *));
	node->reaper = evtimer_new(node->base, segment_on_reap, node);
	node->extents = calloc(ENGINE_REGIONS_MAX, sizeof(struct extent *));
	return node->buffers == NULL || node->extents == NULL || node->reaper == NULL ? -ENOMEM : 0;
}

/* Its buffers are gone: who waits for that is told. */
static void segment_answer_destroy(struct segment *segment)
{
	struct haul_attach_plain_answer message = { 0 };
	bool is_wanted = segment->is_wanted;

	segment->is_wanted = false;
	if (is_wanted)
		client_answer(segment->client, HAUL_OK, &message, sizeof(message), NULL, 0);
}

void segment_settle(struct segment *segment)
{
	bool is_empty = TAILQ_EMPTY(&segment->buffers);

	/* Who settles it may have brought it to its end with what was told before. */
	if (segment->is_over || segment->state != SEGMENT_RETIRING || segment->is_publishing ||
	    segment->is_erasing)
		return;
	/* The record of one that is given back goes when nothing touches its memory, that of a dead client's at once. */
	if (segment->is_wanted && !is_empty)
		return;
	if (segment->is_published && clock_now_us() >= segment->erase_at_us) {
		if (segment_ask_erasure(segment) == 0)
			return;
		segment->erase_at_us = clock_now_us() + SEGMENT_PAUSE_US;
	}
	if (!is_empty)
		return;
	if (!segment->is_published)
		segment_end(segment);
	segment_answer_destroy(segment);
}

/* All of it goes, whatever state it is in. */
static void segment_retire(struct segment *segment)
{
	struct buffer *buffer;

	segment_set_state(segment, SEGMENT_RETIRING);
	TAILQ_FOREACH(buffer, &segment->buffers, link)
	buffer_abandon(buffer);
	segment_settle(segment);
}

void segment_buffer_failed(struct segment *segment)
{
	/* Without its first buffer a segment is not what was asked for. */
	if (segment->state == SEGMENT_MAKING)
		segment_set_state(segment, SEGMENT_RETIRING);
}

static void segment_fill_header(const struct segment *segment, struct haul_descriptor *header)
{
	const struct node *node = segment->node;

	header->magic = HAUL_DESCRIPTOR_MAGIC;
	header->version = HAUL_DESCRIPTOR_VERSION;
	header->incarnation = node->engine.options.incarnation;
	header->metadata_version = segment->version;
	header->bytes = segment->space.bytes;
	header->number = segment->number;
	memcpy(header->key, segment->key, sizeof(segment->key));
	memcpy(header->segment, segment->name, sizeof(segment->name));
	memcpy(header->node, node->conf->node, sizeof(node->conf->node));
	memcpy(header->tenant, segment->client->tenant, strlen(segment->client->tenant));
	memcpy(header->readers, segment->readers, sizeof(segment->readers));
	memcpy(header->writers, segment->writers, sizeof(segment->writers));
}

/* A memfd with the descriptor of a segment, as it stands now; or -errno. */
static int segment_describe(struct segment *segment)
{
	struct haul_descriptor *header =
		calloc(1, descriptor_bytes(segment->buffer_count, HAUL_DESCRIPTOR_ADDRESSES_MAX));
	struct haul_address addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX] = { 0 };
	struct haul_descriptor_buffer *rows;
	struct buffer *buffer;
	int fd;

	if (header == NULL)
		return -ENOMEM;
	segment_fill_header(segment, header);
	rows = (struct haul_descriptor_buffer *)(header + 1);
	TAILQ_FOREACH(buffer, &segment->buffers, link)
	{
		if (buffer_describe(buffer, &rows[header->buffer_count]))
			header->buffer_count++;
	}
	header->address_count = node_addresses(segment->node, addresses);
	memcpy(&rows[header->buffer_count], addresses,
	       header->address_count * sizeof(addresses[0]));
	fd = memfd_from_bytes("haul-descriptor", header,
			      descriptor_bytes(header->buffer_count, header->address_count));
	free(header);
	return fd;
}

/* A publication has come to its end: those buffers that it told of are told. */
static void segment_tell(struct segment *segment, const struct link_answer *answer)
{
	struct buffer *buffer = TAILQ_FIRST(&segment->buffers);

	while (buffer != NULL) {
		struct buffer *next = TAILQ_NEXT(buffer, link);

		if (buffer->is_described && buffer->is_untold)
			buffer_told(buffer, answer);
		buffer = next;
	}
}

static void segment_note_version(struct segment *segment, uint64_t version)
{
	const struct buffer *buffer;

	segment->version = version;
	TAILQ_FOREACH(buffer, &segment->buffers, link)
	buffer_note_version(buffer, version);
}

/* Was the request only not carried out, so that it may be later? */
static bool segment_may_come(enum haul_error status)
{
	return status == HAUL_UNAVAILABLE || status == HAUL_BUSY || status == HAUL_SYSTEM ||
	       status == HAUL_INTERNAL;
}

/*
 * The record may now tell of what was given up, or not of what was not: it is written again in a while. While it does, what
 * is published next may be no legal step from it; so a refusal for that reason leaves the segment as far behind as it was.
 */
static void segment_fall_behind(struct segment *segment, const struct link_answer *answer)
{
	log_limited(&segment->node->publish_limit, LOG_LEVEL_WARNING, "segment",
		    "segment %s: not published again: %s", segment->name, answer->reason);
	segment->is_behind = segment_may_come(answer->status) ||
			     (segment->is_behind && answer->status == HAUL_INVALID);
	segment->publish_at_us = clock_now_us() + SEGMENT_PAUSE_US;
}

/* An empty one that its client waits for. */
static void segment_answer_create(struct segment *segment, const struct link_answer *answer)
{
	struct haul_attach_segment_create_answer message = { 0 };

	if (answer->status != HAUL_OK) {
		/* First of all: who does not listen is ended within the refusal. */
		segment_retire(segment);
		client_refuse(segment->client, answer->status, "%s", answer->reason);
		return;
	}
	segment_set_state(segment, SEGMENT_OPEN);
	message.version = segment->version;
	message.segment = segment->number;
	client_answer(segment->client, HAUL_OK, &message, sizeof(message), NULL, 0);
}

/* The outcome of the publication that all of it drains. */
static void segment_closed(struct segment *segment, const struct link_answer *answer)
{
	if (answer->status == HAUL_OK) {
		segment_retire(segment);
		return;
	}
	segment->is_wanted = false;
	segment_set_state(segment, SEGMENT_OPEN);
	client_refuse(segment->client, answer->status, "segment %s stays as it was: %.100s",
		      segment->name, answer->reason);
}

/* What a publication brought its segment to. */
static void segment_advance(struct segment *segment, const struct link_answer *answer)
{
	bool is_closing = segment->state == SEGMENT_CLOSING && segment->is_described;

	segment->is_described = false;
	if (segment->state == SEGMENT_MAKING && TAILQ_EMPTY(&segment->buffers))
		segment_answer_create(segment, answer);
	else if (segment->state == SEGMENT_MAKING && answer->status == HAUL_OK)
		segment_set_state(segment, SEGMENT_OPEN);
	segment_tell(segment, answer);
	/* A buffer's refusal may have ended its client, and all of this with it. */
	if (is_closing && segment->state == SEGMENT_CLOSING)
		segment_closed(segment, answer);
}

/* A publication has come to its end, well or not. */
static void segment_conclude(struct segment *segment, const struct link_answer *answer)
{
	segment->is_publishing = false;
	if (answer->status == HAUL_OK)
		segment_note_version(segment, answer->version);
	if (answer->status != HAUL_OK && segment->version > 0 && segment->state != SEGMENT_RETIRING)
		segment_fall_behind(segment, answer);
	else
		segment->is_behind = false;
	/*
	 * A first publication that was refused leaves no record: the name may be another's. One without an answer may have
	 * left one.
	 */
	if (answer->status != HAUL_OK && answer->status != HAUL_UNAVAILABLE &&
	    segment->version == 0)
		segment->is_published = false;
	segment_advance(segment, answer);
	segment_settle(segment);
}

static void segment_published(void *argument, const struct link_answer *answer);

/* Ask for it to be published as it stands now. Returns 0, or -HAUL_* with *reason_out: then nothing is under way. */
static int segment_ask_publication(struct segment *segment, const char **reason_out)
{
	struct haul_control_segment message = { .version = segment->version };
	int fd = segment_describe(segment);
	int error;

	segment->is_dirty = false;
	segment->is_described = true;
	*reason_out = "no memory for the segment's descriptor";
	if (fd < 0)
		return -HAUL_SYSTEM;
	memcpy(message.segment, segment->name, sizeof(message.segment));
	segment->is_published = true;
	*reason_out = "too many control requests are open";
	error = link_ask(&segment->node->link, HAUL_CONTROL_SEGMENT_PUBLISH, &message, fd,
			 segment_published, segment);
	segment->is_publishing = error == 0;
	return error;
}

static void segment_publish(struct segment *segment)
{
	/* What cannot even be asked for is concluded at once; that changes nothing that would have to be published. */
	do {
		struct link_answer failed = { .fd = -1 };
		int error = segment_ask_publication(segment, &failed.reason);

		if (error == 0)
			return;
		failed.status = (enum haul_error) - error;
		segment_conclude(segment, &failed);
	} while (segment->is_dirty && !segment->is_publishing &&
		 segment->state != SEGMENT_RETIRING);
}

static void segment_published(void *argument, const struct link_answer *answer)
{
	struct segment *segment = argument;

	if (answer->fd >= 0)
		close(answer->fd);
	segment_conclude(segment, answer);
	if (segment->is_dirty && !segment->is_publishing && segment->state != SEGMENT_RETIRING)
		segment_publish(segment);
}

/* There is nobody to ask about a private segment. */
static void segment_change_private(struct segment *segment)
{
	const struct link_answer answer = { .status = HAUL_OK, .reason = "", .fd = -1 };
	struct buffer *buffer;

	segment->is_described = true;
	TAILQ_FOREACH(buffer, &segment->buffers, link)
	buffer->is_described = buffer->is_untold;
	segment_advance(segment, &answer);
}

void segment_change(struct segment *segment)
{
	segment->is_dirty = true;
	if (segment->is_private)
		segment_change_private(segment);
	else if (!segment->is_publishing)
		segment_publish(segment);
}

/* Is there nothing more to be done about the record? */
static bool segment_is_erased(enum haul_error status)
{
	/* STALE: a newer incarnation has retired it already. Any refusal is the last word; what was not tried is not. */
	return !segment_may_come(status);
}

static void segment_erased(void *argument, const struct link_answer *answer)
{
	struct segment *segment = argument;

	segment->is_erasing = false;
	if (answer->fd >= 0)
		close(answer->fd);
	if (segment_is_erased(answer->status))
		segment->is_published = false;
	/* If it is not, segment_tend asks again. */
	segment->erase_at_us = clock_now_us() + SEGMENT_PAUSE_US;
	segment_settle(segment);
}

/* Returns 0, or -HAUL_BUSY. */
static int segment_ask_erasure(struct segment *segment)
{
	struct haul_control_segment message = { .version = segment->version };
	int error;

	memcpy(message.segment, segment->name, sizeof(message.segment));
	error = link_ask(&segment->node->link, HAUL_CONTROL_SEGMENT_ERASE, &message, -1,
			 segment_erased, segment);
	if (error == 0)
		segment->is_erasing = true;
	return error;
}

/* Is the name in use here? Another node's use of it is for Redis to say. */
static bool segment_name_is_taken(const struct node *node, const char *name)
{
	const struct segment *segment;

	TAILQ_FOREACH(segment, &node->segments, link)
	{
		if (!segment->is_private && strcmp(segment->name, name) == 0)
			return true;
	}
	return false;
}

/* What is wrong with a request; the refusal has been answered when it is not HAUL_OK. */
static enum haul_error segment_check(struct client *client,
				     const struct haul_attach_segment_create *message,
				     const struct buffer_spec *spec)
{
	const struct dataplane_conf *conf = client->node->conf;

	if (message->reserved != 0 || (message->flags & ~SEGMENT_FLAGS) != 0) {
		client_refuse(client, HAUL_INVALID, "flags 0x%x and reserved 0x%x: unknown bits",
			      message->flags, message->reserved);
	} else if (!name_is_valid(message->name, sizeof(message->name))) {
		client_refuse(client, HAUL_INVALID, "the segment's name is not " NAMES_ALLOWED);
	} else if (!name_list_is_valid(message->readers, sizeof(message->readers)) ||
		   !name_list_is_valid(message->writers, sizeof(message->writers))) {
		client_refuse(client, HAUL_INVALID,
			      "segment %s: readers and writers are tenants separated by commas, "
			      "or \"*\"",
			      message->name);
	} else if (message->bytes > conf->segment_bytes_max ||
		   (message->bytes == 0 && message->space_bytes == 0)) {
		client_refuse(client, HAUL_INVALID, "segment %s: %lu bytes; 1 to %lu are allowed",
			      message->name, (unsigned long)message->bytes,
			      (unsigned long)conf->segment_bytes_max);
	} else if (message->bytes == 0 && (message->flags & SEGMENT_BUFFER_FLAGS) != 0) {
		client_refuse(client, HAUL_INVALID,
			      "segment %s: flags 0x%x say something of a first buffer, and it has "
			      "none",
			      message->name, message->flags);
	} else if (message->space_bytes > HAUL_SPACE_BYTES_MAX ||
		   (message->space_bytes != 0 && message->space_bytes < spec->bytes)) {
		client_refuse(client, HAUL_INVALID,
			      "segment %s: an offset space of %lu bytes; %lu, for its first "
			      "buffer, to %lu are allowed",
			      message->name, (unsigned long)message->space_bytes,
			      (unsigned long)spec->bytes, (unsigned long)HAUL_SPACE_BYTES_MAX);
	} else if (client->node->segment_number == UINT32_MAX) {
		client_refuse(client, HAUL_BUSY,
			      "this daemon has made 2^32 segments and has no number left for "
			      "another: start it anew");
	} else if (keyring_is_full(&client->node->engine.keyring)) {
		client_refuse(client, HAUL_BUSY,
			      "segment %s: %u segments that are gone still have records; they go "
			      "when the control plane answers",
			      message->name, SEGMENTS_MAX);
	} else if ((message->flags & HAUL_SEGMENT_PRIVATE) == 0 &&
		   segment_name_is_taken(client->node, message->name)) {
		client_refuse(client, HAUL_EXISTS, "segment %s: this node has one of that name",
			      message->name);
	} else {
		return HAUL_OK;
	}
	return HAUL_INVALID;
}

/* The struct for a request that has been checked; NULL when there is no memory for it. */
static struct segment *segment_make(struct client *client,
				    const struct haul_attach_segment_create *message)
{
	struct node *node = client->node;
	struct segment *segment = calloc(1, sizeof(*segment));

	if (segment == NULL) {
		client_refuse(client, HAUL_SYSTEM, "segment %s: out of memory", message->name);
		return NULL;
	}
	segment->node = node;
	segment->client = client;
	segment->state = SEGMENT_MAKING;
	segment->number = ++node->segment_number;
	auth_random(segment->key, sizeof(segment->key));
	segment->is_private = (message->flags & HAUL_SEGMENT_PRIVATE) != 0;
	TAILQ_INIT(&segment->buffers);
	memcpy(segment->name, message->name, sizeof(segment->name));
	memcpy(segment->readers, message->readers, sizeof(segment->readers));
	memcpy(segment->writers, message->writers, sizeof(segment->writers));
	/* What is private has no key that anybody could prove anything with. */
	if (!segment->is_private)
		keyring_add(&node->engine.keyring, segment->number, segment->key);
	TAILQ_INSERT_TAIL(&node->segments, segment, link);
	client->pending++;
	client->segments++;
	return segment;
}

/* What a wish says of a buffer. Its size may be any: it has not been looked at. */
static struct buffer_spec segment_spec(const struct dataplane_conf *conf, uint32_t flags,
				       uint64_t bytes, uint64_t offset)
{
	bool is_given = (flags & HAUL_SEGMENT_GIVEN) != 0;

	return (struct buffer_spec){
		.offset = offset,
		.bytes = buffer_round(bytes, is_given, conf->huge_pages),
		.is_given = is_given,
		.is_read_only = (flags & HAUL_SEGMENT_READ_ONLY) != 0,
		.is_divided = (flags & HAUL_SEGMENT_DIVIDED) != 0,
	};
}

/* It was not begun: only its struct is there. */
static void segment_undo(struct segment *segment)
{
	segment_set_state(segment, SEGMENT_RETIRING);
	segment_end(segment);
}

void segment_create(struct client *client, const struct haul_attach_segment_create *message,
		    int *given)
{
	const struct buffer_spec spec =
		segment_spec(client->node->conf, message->flags, message->bytes, 0);
	struct quota_wish wish = { .segments = 1, .bytes = spec.bytes };
	struct segment *segment;

	wish.buffers = spec.bytes > 0;
	if (segment_check(client, message, &spec) != HAUL_OK || quota_refuses(client, &wish))
		return;
	segment = segment_make(client, message);
	if (segment == NULL)
		return;
	segment->space.bytes = MAX(message->space_bytes, spec.bytes);
	if (spec.bytes == 0)
		segment_change(segment);
	else if (!buffer_make(segment, &spec, given))
		segment_undo(segment);
}

static struct segment *segment_find(struct client *client, uint32_t number)
{
	struct segment *segment;

	TAILQ_FOREACH(segment, &client->node->segments, link)
	{
		if (segment->client == client && segment->number == number)
			return segment;
	}
	return NULL;
}

/* What is wrong with a wish for a buffer by itself; the refusal has been answered when it is not HAUL_OK. */
static enum haul_error segment_check_add(struct client *client,
					 const struct haul_attach_buffer_add *message,
					 const struct segment *segment)
{
	const struct dataplane_conf *conf = client->node->conf;

	if ((message->flags & ~SEGMENT_BUFFER_FLAGS) != 0) {
		client_refuse(client, HAUL_INVALID, "flags 0x%x: unknown bits", message->flags);
		return HAUL_INVALID;
	}
	if (segment == NULL || segment->state != SEGMENT_OPEN) {
		client_refuse(client, HAUL_NOT_FOUND, "this client owns no segment number %u",
			      message->segment);
		return HAUL_NOT_FOUND;
	}
	if (message->bytes == 0 || message->bytes > conf->segment_bytes_max) {
		client_refuse(client, HAUL_INVALID,
			      "segment %s: a buffer of %lu bytes; 1 to %lu are allowed",
			      segment->name, (unsigned long)message->bytes,
			      (unsigned long)conf->segment_bytes_max);
		return HAUL_INVALID;
	}
	return HAUL_OK;
}

/* Find room for a buffer; false when the refusal has been answered. */
static bool segment_place(struct segment *segment, struct buffer_spec *spec)
{
	const struct space *space = &segment->space;
	const struct space_range *other;

	if (spec->offset == HAUL_OFFSET_ANY) {
		spec->offset = space_find(space, spec->bytes, PAGE_BYTES);
		if (spec->offset != SPACE_NOWHERE)
			return true;
		client_refuse(
			segment->client, HAUL_RANGE,
			"segment %s: no %lu bytes in a row are free in its offset space of %lu",
			segment->name, (unsigned long)spec->bytes, (unsigned long)space->bytes);
		return false;
	}
	if (spec->bytes > space->bytes || spec->offset > space->bytes - spec->bytes) {
		client_refuse(segment->client, HAUL_RANGE,
			      "segment %s: %lu bytes at %lu do not lie inside its offset space of "
			      "%lu",
			      segment->name, (unsigned long)spec->bytes,
			      (unsigned long)spec->offset, (unsigned long)space->bytes);
		return false;
	}
	other = space_overlap(space, spec->offset, spec->bytes);
	if (other == NULL)
		return true;
	client_refuse(segment->client, HAUL_EXISTS,
		      "segment %s: %lu bytes at %lu overlap the buffer of %lu bytes at %lu",
		      segment->name, (unsigned long)spec->bytes, (unsigned long)spec->offset,
		      (unsigned long)other->bytes, (unsigned long)other->offset);
	return false;
}

void segment_add(struct client *client, const struct haul_attach_buffer_add *message, int *given)
{
	struct segment *segment = segment_find(client, message->segment);
	struct buffer_spec spec =
		segment_spec(client->node->conf, message->flags, message->bytes, message->offset);
	const struct quota_wish wish = { .buffers = 1, .bytes = spec.bytes };

	if (segment_check_add(client, message, segment) != HAUL_OK ||
	    quota_refuses(client, &wish) || !segment_place(segment, &spec))
		return;
	buffer_make(segment, &spec, given);
}

void segment_destroy(struct client *client, const struct haul_attach_segment_destroy *message)
{
	struct segment *segment = segment_find(client, message->segment);
	struct buffer *buffer;

	if (message->reserved != 0) {
		client_refuse(client, HAUL_INVALID,
			      "segment number %u: reserved bytes are not zero", message->segment);
		return;
	}
	if (segment == NULL || segment->state != SEGMENT_OPEN) {
		client_refuse(client, HAUL_NOT_FOUND, "this client owns no segment number %u",
			      message->segment);
		return;
	}
	segment->is_wanted = true;
	segment->is_described = false; /* by a publication that is under way */
	segment_set_state(segment, SEGMENT_CLOSING);
	TAILQ_FOREACH(buffer, &segment->buffers, link)
	buffer_leave(buffer);
	segment_change(segment);
}

static void segment_abandon(struct segment *segment)
{
	struct buffer *buffer;

	TAILQ_FOREACH(buffer, &segment->buffers, link)
	buffer_forget(buffer);
	if (segment->state != SEGMENT_RETIRING)
		segment_retire(segment);
}

void segment_abandon_all(struct client *client)
{
	struct segment *segment;
	struct segment *next;

	for (segment = TAILQ_FIRST(&client->node->segments); segment != NULL; segment = next) {
		next = TAILQ_NEXT(segment, link);
		if (segment->client == client)
			segment_abandon(segment);
	}
}

/* Nothing of it has changed: only its record may have. */
static void segment_publish_again(struct segment *segment)
{
	if (segment->state == SEGMENT_OPEN && !segment->is_private && !segment->is_publishing)
		segment_publish(segment);
}

void segment_publish_all(struct node *node)
{
	struct segment *segment;
	struct segment *next;

	for (segment = TAILQ_FIRST(&node->segments); segment != NULL; segment = next) {
		next = TAILQ_NEXT(segment, link);
		segment_publish_again(segment);
	}
}

void segment_tend(struct node *node)
{
	uint64_t now_us = clock_now_us();
	struct segment *segment;
	struct segment *next;

	for (segment = TAILQ_FIRST(&node->segments); segment != NULL; segment = next) {
		next = TAILQ_NEXT(segment, link);
		if (segment->state == SEGMENT_RETIRING && segment->erase_at_us <= now_us)
			segment_settle(segment);
		else if (segment->is_behind && segment->publish_at_us <= now_us)
			segment_publish_again(segment);
	}
}

void segment_free_all(struct node *node)
{
	struct segment *segment;

	if (node->reaper == NULL)
		return;
	segment_on_reap(-1, 0, node);
	/* What is left has nothing but a record that no control plane could erase. */
	while ((segment = TAILQ_FIRST(&node->segments)) != NULL) {
		BUG_ON(!TAILQ_EMPTY(&segment->buffers) || segment->is_publishing ||
		       segment->is_erasing);
		segment_end(segment);
	}
	segment_on_reap(-1, 0, node);
	event_free(node->reaper);
	node->reaper = NULL;
	free(node->buffers);
	node->buffers = NULL;
	free(node->extents);
	node->extents = NULL;
}

void segment_check_faults(struct node *node)
{
	const struct buffer *buffer;
	struct segment *segment;

	TAILQ_FOREACH(segment, &node->segments, link)
	{
		TAILQ_FOREACH(buffer, &segment->buffers, link)
		{
			if (segment->client->fd < 0 || !buffer_is_poisoned(buffer))
				continue;
			log_warning("segment",
				    "segment %s: client %u took its memory away; it is "
				    "ended",
				    segment->name, segment->client->number);
			client_end(segment->client, HAUL_FAULT,
				   "the client took memory of a segment away");
		}
	}
}
