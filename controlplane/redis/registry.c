/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns calls into a script's arguments and a script's words into errors. Owns the command connection, the scripts and
 * the follower of events. An answer that shows another data set (its epoch is new, or it is gone) makes the registry
 * open the data set anew before anything else is asked.
 */
#include "controlplane/redis/registry.h"

#include "api/haul_error.h"
#include "base/auth.h"
#include "base/check.h"
#include "base/log.h"
#include "controlplane/model/format.h"
#include "controlplane/model/segment.h"
#include "controlplane/redis/scripts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct registry {
	struct registry_events events;
	struct connection *connection;
	struct scripts *scripts;
	struct streams *streams;
	uint64_t epoch; /* 0 = none seen yet */
	char epoch_text[TEXT_IDENTITY_BYTES];
	char events_max[TEXT_NUMBER_BYTES];
	bool is_ready;
	bool is_opening; /* dataset_open is under way */
};

/* A call under way. */
struct inquiry {
	struct registry *registry;
	registry_fn *fn;
	void *arg;
};

static void registry_open(struct registry *registry);

static const char *const registry_words[REGISTRY_WORD_COUNT] = {
	[REGISTRY_NONE] = "",
	[REGISTRY_OK] = "OK",
	[REGISTRY_ABSENT] = "ABSENT",
	[REGISTRY_EPOCH] = "EPOCH",
	[REGISTRY_FORMAT] = "FORMAT",
	[REGISTRY_ILLEGAL] = "ILLEGAL",
	[REGISTRY_MALFORMED] = "MALFORMED",
	[REGISTRY_NODATASET] = "NODATASET",
	[REGISTRY_NONODE] = "NONODE",
	[REGISTRY_OWNED] = "OWNED",
	[REGISTRY_REPLACED] = "REPLACED",
	[REGISTRY_TAKEN] = "TAKEN",
	[REGISTRY_UNCONFIRMED] = "UNCONFIRMED",
};

static enum registry_word word_parse(struct text text)
{
	for (unsigned int i = REGISTRY_OK; i < REGISTRY_WORD_COUNT; i++) {
		if (text_is(text, registry_words[i]))
			return (enum registry_word)i;
	}
	return REGISTRY_NONE;
}

/* The text at an index, or an empty one, cut for printing. */
static const char *answer_print(const struct registry_answer *answer, unsigned int index,
				char out[HAUL_NAME_BYTES])
{
	size_t length = 0;

	if (index < answer->count)
		length = MIN(answer->texts[index].length, HAUL_NAME_BYTES - 1);
	if (length > 0)
		memcpy(out, answer->texts[index].bytes, length);
	out[length] = '\0';
	return out;
}

/* What each word that is not OK means to whoever asked. */
static int word_error(enum registry_word word, bool *is_passing_out)
{
	*is_passing_out = false;
	switch (word) {
	case REGISTRY_OK:
		return 0;
	case REGISTRY_ABSENT:
		return -HAUL_NOT_FOUND;
	case REGISTRY_OWNED:
	case REGISTRY_TAKEN:
		return -HAUL_EXISTS;
	case REGISTRY_ILLEGAL:
		return -HAUL_INVALID;
	case REGISTRY_REPLACED:
		return -HAUL_STALE;
	case REGISTRY_FORMAT:
		return -HAUL_VERSION;
	case REGISTRY_EPOCH:
	case REGISTRY_NODATASET:
	case REGISTRY_NONODE:
	case REGISTRY_UNCONFIRMED:
		*is_passing_out = true;
		return -HAUL_UNAVAILABLE;
	default:
		return -HAUL_CORRUPT;
	}
}

static void word_reason(struct registry_answer *answer)
{
	char a[HAUL_NAME_BYTES], b[HAUL_NAME_BYTES], c[HAUL_NAME_BYTES];
	char *out = answer->reason;
	size_t size = sizeof(answer->reason);

	(void)answer_print(answer, 0, a);
	(void)answer_print(answer, 1, b);
	(void)answer_print(answer, 2, c);
	switch (answer->word) {
	case REGISTRY_ABSENT:
		(void)snprintf(out, size, "there is no segment %s", a);
		break;
	case REGISTRY_OWNED:
		(void)snprintf(out, size, "segment %s belongs to node %s", a, b);
		break;
	case REGISTRY_TAKEN:
		(void)snprintf(out, size, "node %s is held by incarnation %s of another host", a,
			       b);
		break;
	case REGISTRY_ILLEGAL:
		(void)snprintf(out, size, "segment %s: %s", a, b);
		break;
	case REGISTRY_REPLACED:
		(void)snprintf(out, size, "node %s was replaced by incarnation %s", a, b);
		break;
	case REGISTRY_FORMAT:
		(void)snprintf(out, size, "%s has format %s, this control plane speaks %s", a, b,
			       c);
		break;
	case REGISTRY_NONODE:
		(void)snprintf(out, size, "node %s has no record in redis", a);
		break;
	case REGISTRY_UNCONFIRMED:
		(void)snprintf(
			out, size,
			"segment %s: its owner %s has not published it since redis restarted", a,
			b);
		break;
	case REGISTRY_EPOCH:
	case REGISTRY_NODATASET:
		(void)snprintf(out, size, "the data set in redis is new; it is being filled again");
		break;
	default:
		(void)snprintf(out, size, "%s in redis is malformed: %s", a, b);
		break;
	}
}

static void registry_lose(struct registry *registry)
{
	bool was_ready = registry->is_ready;

	registry->is_ready = false;
	if (was_ready)
		registry->events.lost(registry->events.arg);
}

/* The script answered; its words say whether the data set still is the one we know. */
static void words_take(struct registry *registry, struct registry_answer *answer,
		       const struct script_answer *script)
{
	answer->word = word_parse(script->texts[0]);
	answer->texts = script->texts + 1;
	answer->count = script->count - 1;
	answer->error = word_error(answer->word, &answer->is_passing);
	if (answer->error != 0)
		word_reason(answer);
	if (answer->word == REGISTRY_EPOCH || answer->word == REGISTRY_NODATASET) {
		registry_lose(registry);
		registry_open(registry);
	}
}

static void refusal_take(struct registry *registry, struct registry_answer *answer,
			 const struct script_answer *script)
{
	struct text sentence = script->texts[0];

	answer->error = -HAUL_UNAVAILABLE;
	(void)snprintf(answer->reason, sizeof(answer->reason), "redis refuses: %.*s",
		       (int)MIN(sentence.length, 150), sentence.bytes);
	if (strncmp(sentence.bytes, "READONLY", 8) == 0) {
		answer->is_passing = true;
		connection_distrust(registry->connection, "is a replica now");
	}
}

static void inquiry_answered(void *arg, const struct script_answer *script)
{
	struct inquiry *inquiry = arg;
	struct registry *registry = inquiry->registry;
	struct registry_answer answer = { 0 };

	switch (script->outcome) {
	case SCRIPT_ANSWERED:
		words_take(registry, &answer, script);
		break;
	case SCRIPT_REFUSED:
		refusal_take(registry, &answer, script);
		break;
	case SCRIPT_UNREACHABLE:
		answer.error = -HAUL_UNAVAILABLE;
		answer.is_passing = true;
		registry_reason(registry, answer.reason);
		break;
	case SCRIPT_MALFORMED:
		answer.error = -HAUL_CORRUPT;
		(void)snprintf(answer.reason, sizeof(answer.reason),
			       "redis answered with something that is not the script's");
		break;
	}
	inquiry->fn(inquiry->arg, &answer);
	free(inquiry);
}

/* Send a call; arguments[0] and [1] are left free for the epoch and the stream's length. */
static int inquire(struct registry *registry, enum script script, struct text *arguments,
		   unsigned int count, registry_fn *fn, void *arg)
{
	struct inquiry *inquiry = NULL;

	if (!registry->is_ready)
		return -HAUL_UNAVAILABLE;
	inquiry = malloc(sizeof(*inquiry));
	if (inquiry == NULL)
		return -HAUL_UNAVAILABLE;
	inquiry->registry = registry;
	inquiry->fn = fn;
	inquiry->arg = arg;
	arguments[0] = text_of(registry->epoch_text);
	arguments[1] = text_of(registry->events_max);
	if (script_call(registry->scripts, script, arguments, count, inquiry_answered, inquiry) ==
	    0)
		return 0;
	free(inquiry);
	return -HAUL_UNAVAILABLE;
}

/* OK epoch sequence last-event-id */
static bool dataset_take(struct registry *registry, const struct script_answer *script,
			 bool *epoch_is_new_out)
{
	uint64_t epoch = 0, sequence = 0;
	char entry_id[STREAMS_ENTRY_ID_BYTES], padded[TEXT_NUMBER_BYTES];

	if (script->count != 4 || !text_is(script->texts[0], "OK") ||
	    !text_identity(script->texts[1], &epoch) || epoch == 0 ||
	    !text_copy(script->texts[2], padded, sizeof(padded)) ||
	    !text_copy(script->texts[3], entry_id, sizeof(entry_id)))
		return false;
	sequence = strtoull(padded, NULL, 10);
	*epoch_is_new_out = registry->epoch != 0 && registry->epoch != epoch;
	registry->epoch = epoch;
	text_identity_format(epoch, registry->epoch_text);
	streams_follow(registry->streams, entry_id, epoch, sequence);
	return true;
}

static void dataset_refused(struct registry *registry, const struct script_answer *script)
{
	struct registry_answer answer = { 0 };

	if (script->outcome == SCRIPT_UNREACHABLE)
		return;
	if (script->outcome == SCRIPT_ANSWERED)
		words_take(registry, &answer, script);
	else if (script->outcome == SCRIPT_REFUSED)
		refusal_take(registry, &answer, script);
	connection_distrust(registry->connection, answer.reason[0] != '\0'
							  ? answer.reason
							  : "has a data set that is malformed");
}

static void dataset_answered(void *arg, const struct script_answer *script)
{
	struct registry *registry = arg;
	bool epoch_is_new = false;

	registry->is_opening = false;
	if (script->outcome != SCRIPT_ANSWERED || !dataset_take(registry, script, &epoch_is_new)) {
		dataset_refused(registry, script);
		return;
	}
	log_info("redis", "data set open, epoch %s%s", registry->epoch_text,
		 epoch_is_new ? ", which is new" : "");
	connection_trust(registry->connection);
	registry->is_ready = true;
	registry->events.ready(registry->events.arg, epoch_is_new);
}

/* Find or make the data set. An epoch is made up for the case that one is needed. */
static void registry_open(struct registry *registry)
{
	uint64_t epoch = 0;
	char epoch_text[TEXT_IDENTITY_BYTES];
	struct text arguments[3];

	if (registry->is_opening)
		return;
	while (epoch == 0)
		auth_random(&epoch, sizeof(epoch));
	text_identity_format(epoch, epoch_text);
	arguments[0] = text_of(epoch_text);
	arguments[1] = text_of(registry->events_max);
	arguments[2] = text_of(connection_run_id(registry->connection));
	registry->is_opening = script_call(registry->scripts, SCRIPT_DATASET_OPEN, arguments, 3,
					   dataset_answered, registry) == 0;
}

static void connection_is_ready(void *arg)
{
	struct registry *registry = arg;

	scripts_load(registry->scripts);
	registry_open(registry);
}

static void connection_is_lost(void *arg)
{
	registry_lose(arg);
}

static void stream_event(void *arg, const struct streams_event *event)
{
	struct registry *registry = arg;

	if (registry->is_ready)
		registry->events.event(registry->events.arg, event);
}

/* Also an epoch that changed under us shows here first; the next call finds it out for certain. */
static void stream_gap(void *arg, const char *why)
{
	struct registry *registry = arg;

	log_debug("redis", "events: %s", why);
	if (registry->is_ready)
		registry->events.gap(registry->events.arg);
}

int registry_create(struct event_base *base, const struct registry_conf *conf,
		    const struct registry_events *events, struct registry **out)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	struct connection_events connection_listener = { connection_is_ready, connection_is_lost,
							 registry };
	struct streams_events streams_listener = { stream_event, stream_gap, registry };
	char prefix[HAUL_NAME_BYTES + 16];
	int error = -ENOMEM;

	if (registry == NULL)
		return -ENOMEM;
	registry->events = *events;
	(void)snprintf(prefix, sizeof(prefix), "haul:{%s}:", conf->cluster);
	(void)snprintf(registry->events_max, sizeof(registry->events_max), "%u", conf->events_max);
	error = connection_create(base, &conf->connection, &connection_listener,
				  &registry->connection);
	if (error == 0)
		error = scripts_create(registry->connection, prefix, &registry->scripts);
	if (error == 0)
		error = streams_create(base, &conf->connection, prefix, &streams_listener,
				       &registry->streams);
	if (error != 0) {
		registry_destroy(registry);
		return error;
	}
	*out = registry;
	return 0;
}

void registry_destroy(struct registry *registry)
{
	if (registry == NULL)
		return;
	registry->is_ready = false;
	streams_destroy(registry->streams);
	connection_destroy(registry->connection);
	registry->connection = NULL;
	scripts_destroy(registry->scripts);
	free(registry);
}

bool registry_is_ready(const struct registry *registry)
{
	return registry->is_ready;
}

uint64_t registry_epoch(const struct registry *registry)
{
	return registry->epoch;
}

const char *registry_state_word(const struct registry *registry)
{
	if (registry->is_ready)
		return "ready";
	if (connection_is_refused(registry->connection))
		return "refused";
	return connection_state(registry->connection) == CONNECTION_PAUSING ? "down" : "connecting";
}

const char *registry_address(const struct registry *registry)
{
	return connection_name(registry->connection);
}

void registry_reason(const struct registry *registry, char reason[HAUL_REASON_BYTES])
{
	reason[0] = '\0';
	if (connection_state(registry->connection) != CONNECTION_READY)
		connection_reason(registry->connection, reason);
	else if (!registry->is_ready)
		(void)snprintf(reason, HAUL_REASON_BYTES, "the data set in redis is being opened");
}

void registry_silence(const struct registry *registry, uint64_t silent_us,
		      char reason[HAUL_REASON_BYTES])
{
	connection_silence(registry->connection, silent_us, reason);
}

/* The writer's three texts; they live as long as the struct. */
struct writer_texts {
	char incarnation[TEXT_IDENTITY_BYTES];
	char term[TEXT_NUMBER_BYTES];
};

static void writer_format(const struct registry_writer *writer, struct writer_texts *texts,
			  struct text out[3])
{
	text_identity_format(writer->incarnation, texts->incarnation);
	text_number_format(writer->term, texts->term);
	out[0] = text_of(writer->node);
	out[1] = text_of(texts->incarnation);
	out[2] = text_of(texts->term);
}

int registry_node_publish(struct registry *registry, const struct registry_writer *writer,
			  const struct registry_claim *claim, registry_fn *fn, void *arg)
{
	struct writer_texts texts;
	struct text arguments[10];
	char addresses[ADDRESS_ROWS_BYTES], still[TEXT_IDENTITY_BYTES] = "";
	char beat[TEXT_NUMBER_BYTES] = "";
	size_t length = address_rows_format(claim->addresses, claim->address_count, addresses);

	if (claim->still_incarnation != 0) {
		text_identity_format(claim->still_incarnation, still);
		text_number_format(claim->still_beat, beat);
	}
	writer_format(writer, &texts, arguments + 2);
	arguments[5] = text_of(claim->host);
	arguments[6] = (struct text){ addresses, length };
	arguments[7] = text_of(claim->is_replacing ? "1" : "0");
	arguments[8] = text_of(still);
	arguments[9] = text_of(beat);
	return inquire(registry, SCRIPT_NODE_PUBLISH, arguments, 10, fn, arg);
}

int registry_node_beat(struct registry *registry, const struct registry_writer *writer,
		       uint64_t beat, registry_fn *fn, void *arg)
{
	struct writer_texts texts;
	struct text arguments[6];
	char number[TEXT_NUMBER_BYTES];

	writer_format(writer, &texts, arguments + 2);
	text_number_format(beat, number);
	arguments[5] = text_of(number);
	return inquire(registry, SCRIPT_NODE_BEAT, arguments, 6, fn, arg);
}

int registry_node_leave(struct registry *registry, const struct registry_writer *writer,
			registry_fn *fn, void *arg)
{
	struct writer_texts texts;
	struct text arguments[5];

	writer_format(writer, &texts, arguments + 2);
	return inquire(registry, SCRIPT_NODE_LEAVE, arguments, 5, fn, arg);
}

int registry_node_list(struct registry *registry, const char *cursor, registry_fn *fn, void *arg)
{
	struct text arguments[3];

	arguments[2] = text_of(cursor);
	return inquire(registry, SCRIPT_NODE_LIST, arguments, 3, fn, arg);
}

int registry_segment_publish(struct registry *registry, uint64_t term,
			     const struct haul_descriptor *descriptor, bool is_change,
			     registry_fn *fn, void *arg)
{
	struct registry_writer writer = { descriptor->node, descriptor->incarnation, term };
	struct writer_texts texts;
	struct segment_content content;
	struct text arguments[8 + SEGMENT_CONTENT_COUNT];
	char least[TEXT_NUMBER_BYTES];
	int error = 0;

	if (segment_content_make(descriptor, &content) != 0)
		return -HAUL_UNAVAILABLE;
	text_number_format(descriptor->metadata_version, least);
	arguments[2] = text_of(descriptor->segment);
	writer_format(&writer, &texts, arguments + 3);
	arguments[6] = text_of(least);
	memcpy(arguments + 7, content.texts, sizeof(content.texts));
	arguments[7 + SEGMENT_CONTENT_COUNT] = text_of(is_change ? "1" : "0");
	error = inquire(registry, SCRIPT_SEGMENT_PUBLISH, arguments, ARRAY_SIZE(arguments), fn,
			arg);
	segment_content_free(&content);
	return error;
}

int registry_segment_erase(struct registry *registry, const struct registry_writer *writer,
			   const char *segment, registry_fn *fn, void *arg)
{
	struct writer_texts texts;
	struct text arguments[6];

	arguments[2] = text_of(segment);
	writer_format(writer, &texts, arguments + 3);
	return inquire(registry, SCRIPT_SEGMENT_ERASE, arguments, 6, fn, arg);
}

int registry_segment_get(struct registry *registry, const char *segment, registry_fn *fn, void *arg)
{
	struct text arguments[3];

	arguments[2] = text_of(segment);
	return inquire(registry, SCRIPT_SEGMENT_GET, arguments, 3, fn, arg);
}

int registry_segment_versions(struct registry *registry, const char *const *names,
			      unsigned int count, registry_fn *fn, void *arg)
{
	struct text arguments[2 + REGISTRY_VERSIONS_MAX];

	BUG_ON(count > REGISTRY_VERSIONS_MAX);
	for (unsigned int i = 0; i < count; i++)
		arguments[2 + i] = text_of(names[i]);
	return inquire(registry, SCRIPT_SEGMENT_VERSIONS, arguments, 2 + count, fn, arg);
}

int registry_segment_list(struct registry *registry, const char *cursor, const char *node,
			  registry_fn *fn, void *arg)
{
	struct text arguments[4];

	arguments[2] = text_of(cursor);
	arguments[3] = text_of(node);
	return inquire(registry, SCRIPT_SEGMENT_LIST, arguments, 4, fn, arg);
}
