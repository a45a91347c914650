/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One XREAD is under way at a time; it comes back with up to STREAMS_READ_MAX events, or after STREAMS_BLOCK_MS with
 * none. A malformed event is a gap, no more: it is skipped by its entry id, which Redis makes, and the records are
 * looked at.
 */
#include "controlplane/redis/streams.h"

#include "base/check.h"
#include "base/log.h"
#include "controlplane/model/format.h"
#include "controlplane/model/text.h"

#include <hiredis/hiredis.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events of one answer: bounds the work of one turn of the loop. */
#define STREAMS_READ_MAX_TEXT "256"

/* How long XREAD waits. Short against nothing: a server that has died meanwhile is seen this much later. */
#define STREAMS_BLOCK_MS      1000u
#define STREAMS_BLOCK_MS_TEXT "1000"

/* Fields that event_append of common.lua writes. */
#define STREAMS_FIELDS 7u

struct streams {
	struct connection *connection;
	struct streams_events events;
	char key[128];
	char entry_id[STREAMS_ENTRY_ID_BYTES]; /* the last one seen; empty: not following yet */
	uint64_t epoch;
	uint64_t sequence; /* of the last event */
	bool is_reading;   /* an XREAD is under way */
};

static void streams_read(struct streams *streams);

/* An unpadded decimal number, as HINCRBY leaves it. */
static bool plain_number(struct text text, uint64_t *value_out)
{
	char padded[TEXT_NUMBER_BYTES];
	struct text number = { padded, TEXT_NUMBER_BYTES - 1 };

	if (text.length == 0 || text.length > TEXT_NUMBER_BYTES - 1)
		return false;
	memset(padded, '0', sizeof(padded));
	memcpy(padded + TEXT_NUMBER_BYTES - 1 - text.length, text.bytes, text.length);
	return text_number(number, value_out);
}

static struct text field_find(const redisReply *fields, const char *name)
{
	struct text none = { "", 0 };

	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		const redisReply *key = fields->element[i], *value = fields->element[i + 1];

		if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
		    strcmp(key->str, name) == 0)
			return (struct text){ value->str, (size_t)value->len };
	}
	return none;
}

static bool kind_parse(struct text word, enum streams_kind *kind_out)
{
	static const char *const words[] = {
		[STREAMS_PUBLISH] = "publish",
		[STREAMS_ERASE] = "erase",
		[STREAMS_NODE] = "node",
		[STREAMS_EPOCH] = "epoch",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (text_is(word, words[i])) {
			*kind_out = (enum streams_kind)i;
			return true;
		}
	}
	return false;
}

static bool event_parse(const redisReply *fields, struct streams_event *event, uint64_t *epoch_out,
			uint64_t *sequence_out)
{
	return fields->type == REDIS_REPLY_ARRAY &&
	       fields->elements == 2 * (size_t)STREAMS_FIELDS &&
	       text_is(field_find(fields, "format"), FORMAT_VERSION) &&
	       text_identity(field_find(fields, "epoch"), epoch_out) &&
	       plain_number(field_find(fields, "sequence"), sequence_out) &&
	       kind_parse(field_find(fields, "kind"), &event->kind) &&
	       text_copy(field_find(fields, "name"), event->name, sizeof(event->name)) &&
	       text_identity(field_find(fields, "incarnation"), &event->incarnation) &&
	       text_number(field_find(fields, "version"), &event->version);
}

/* One entry: {id, fields}. False when the answer is not what XREAD answers. */
static bool entry_take(struct streams *streams, const redisReply *entry)
{
	struct streams_event event;
	uint64_t epoch = 0, sequence = 0;
	struct text id;

	if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
	    entry->element[0]->type != REDIS_REPLY_STRING)
		return false;
	id = (struct text){ entry->element[0]->str, (size_t)entry->element[0]->len };
	if (!text_copy(id, streams->entry_id, sizeof(streams->entry_id)))
		return false;
	if (!event_parse(entry->element[1], &event, &epoch, &sequence)) {
		streams->events.gap(streams->events.arg, "an event is malformed");
		return true;
	}
	if (epoch != streams->epoch || event.kind == STREAMS_EPOCH)
		streams->events.gap(streams->events.arg, "the epoch has changed");
	else if (sequence != streams->sequence + 1)
		streams->events.gap(streams->events.arg, "events are missing");
	streams->epoch = epoch;
	streams->sequence = sequence;
	streams->events.event(streams->events.arg, &event);
	return true;
}

/* XREAD answers nil, or an array of one stream: {key, entries}. */
static bool answer_take(struct streams *streams, const redisReply *reply)
{
	const redisReply *entries = NULL;

	if (reply->type == REDIS_REPLY_NIL)
		return true;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
	    reply->element[0]->type != REDIS_REPLY_ARRAY || reply->element[0]->elements != 2)
		return false;
	entries = reply->element[0]->element[1];
	if (entries->type != REDIS_REPLY_ARRAY)
		return false;
	for (size_t i = 0; i < entries->elements; i++) {
		if (!entry_take(streams, entries->element[i]))
			return false;
	}
	return true;
}

static void read_answered(void *arg, const redisReply *reply)
{
	struct streams *streams = arg;

	streams->is_reading = false;
	if (reply == NULL)
		return;
	if (!answer_take(streams, reply)) {
		connection_distrust(streams->connection, "its answer to XREAD is malformed");
		return;
	}
	connection_trust(streams->connection);
	streams_read(streams);
}

static void streams_read(struct streams *streams)
{
	struct text texts[] = { text_of("XREAD"),
				text_of("BLOCK"),
				text_of(STREAMS_BLOCK_MS_TEXT),
				text_of("COUNT"),
				text_of(STREAMS_READ_MAX_TEXT),
				text_of("STREAMS"),
				text_of(streams->key),
				text_of(streams->entry_id) };

	if (streams->is_reading || streams->entry_id[0] == '\0' ||
	    connection_state(streams->connection) != CONNECTION_READY)
		return;
	streams->is_reading = connection_command(streams->connection, texts, ARRAY_SIZE(texts),
						 STREAMS_BLOCK_MS, read_answered, streams) == 0;
}

static void connection_is_ready(void *arg)
{
	struct streams *streams = arg;

	if (streams->entry_id[0] != '\0')
		streams->events.gap(streams->events.arg, "the follower has reconnected");
	streams_read(streams);
}

static void connection_is_lost(void *arg)
{
	(void)arg;
}

int streams_create(struct event_base *base, const struct connection_conf *conf, const char *prefix,
		   const struct streams_events *events, struct streams **out)
{
	struct streams *streams = calloc(1, sizeof(*streams));
	struct connection_events listener = { connection_is_ready, connection_is_lost, streams };
	struct connection_conf quiet = *conf;
	int error = 0;

	if (streams == NULL)
		return -ENOMEM;
	streams->events = *events;
	quiet.is_quiet = true;
	(void)snprintf(streams->key, sizeof(streams->key), "%sevents", prefix);
	error = connection_create(base, &quiet, &listener, &streams->connection);
	if (error != 0) {
		free(streams);
		return error;
	}
	*out = streams;
	return 0;
}

void streams_destroy(struct streams *streams)
{
	if (streams == NULL)
		return;
	connection_destroy(streams->connection);
	free(streams);
}

void streams_follow(struct streams *streams, const char *entry_id, uint64_t epoch,
		    uint64_t sequence)
{
	streams->epoch = epoch;
	streams->sequence = sequence;
	(void)snprintf(streams->entry_id, sizeof(streams->entry_id), "%s", entry_id);
	streams_read(streams);
}
