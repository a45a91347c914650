/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by link on the loop's thread. A request lives until its answer has gone out and the script that it may have
 * under way has been answered; orphans (answered already, or without a dataplane) only wait for the latter.
 */
#include "controlplane/link/request.h"

#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/grant.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "controlplane/link/publication.h"
#include "controlplane/link/standing.h"
#include "controlplane/link/watch.h"
#include "controlplane/model/node.h"
#include "controlplane/model/segment.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/* While requests wait, how often they are tried again without being woken. */
#define REQUEST_RETRY_US 50000

struct request {
	TAILQ_ENTRY(request) link;
	struct requests *requests;
	struct event *deadline;
	uint32_t id;
	uint16_t type;
	bool is_asked;         /* a script is under way */
	bool is_orphan;        /* answered, or nobody waits */
	unsigned int attempts; /* scripts sent; more than one only when an earlier one was lost */
	uint64_t asked_us;     /* when the script was sent */
	uint32_t rights;       /* OPEN */
	struct haul_descriptor *descriptor; /* PUBLISH */
	size_t length;
	char segment[HAUL_NAME_BYTES];
	char tenant[HAUL_NAME_BYTES];   /* OPEN */
	char reason[HAUL_REASON_BYTES]; /* why it had to wait, when Redis itself answers */
};

TAILQ_HEAD(request_list, request);

struct requests {
	struct requests_conf conf;
	struct event *retry;
	struct request_list list;
	unsigned int count;
	uint64_t epoch_us; /* when the epoch was seen to change; 0 = never */
	struct requests_stats stats;
	struct log_limit limit;
};

static void request_free(struct request *request)
{
	struct requests *requests = request->requests;

	TAILQ_REMOVE(&requests->list, request, link);
	requests->count--;
	event_free(request->deadline);
	free(request->descriptor);
	free(request);
}

/* The request has its answer. It goes at once, or when its script has been answered. */
static void request_finish(struct request *request)
{
	request->is_orphan = true;
	(void)evtimer_del(request->deadline);
	if (!request->is_asked)
		request_free(request);
}

/* The counter of an error. */
static uint64_t *refusal_counter(struct requests_stats *stats, int error)
{
	switch (-error) {
	case HAUL_UNAVAILABLE:
		return &stats->unavailable;
	case HAUL_DENIED:
		return &stats->denied;
	case HAUL_NOT_FOUND:
		return &stats->absent;
	case HAUL_EXISTS:
		return &stats->taken;
	case HAUL_STALE:
		return &stats->replaced;
	case HAUL_INVALID:
		return &stats->illegal;
	case HAUL_CORRUPT:
	case HAUL_VERSION:
		return &stats->malformed;
	case HAUL_BUSY:
		return &stats->busy;
	default:
		return &stats->refused;
	}
}

static void request_count(struct request *request, int error)
{
	struct requests_stats *stats = &request->requests->stats;

	if (error != 0)
		(*refusal_counter(stats, error))++;
	else if (request->type == HAUL_CONTROL_SEGMENT_PUBLISH)
		stats->published++;
	else if (request->type == HAUL_CONTROL_SEGMENT_ERASE)
		stats->erased++;
	else
		stats->opened++;
}

static void request_answer(struct request *request, int error, const char *reason, uint64_t version,
			   int fd)
{
	struct requests *requests = request->requests;
	struct haul_control_answer answer = { 0 };

	if (request->type == HAUL_CONTROL_SEGMENT_OPEN && error != 0)
		watches_failed(requests->conf.watches, request->segment);
	if (!request->is_orphan) {
		frame_fill(&answer.frame, HAUL_CONTROL_VERSION, request->type | HAUL_FRAME_ANSWER,
			   sizeof(answer), request->id);
		answer.frame.status = (uint32_t)-error;
		answer.version = version;
		(void)snprintf(answer.reason, sizeof(answer.reason), "%s", reason);
		request_count(request, error);
		if (error != 0)
			log_limited(&requests->limit, LOG_LEVEL_INFO, "link", "segment %s: %s: %s",
				    request->segment, error_name(error), reason);
		requests->conf.answer(requests->conf.arg, &answer, fd);
	}
	request_finish(request);
}

static void deadline_fired(evutil_socket_t fd, short what, void *arg)
{
	struct request *request = arg;
	const struct requests_conf *conf = &request->requests->conf;
	char reason[HAUL_REASON_BYTES];

	(void)fd;
	(void)what;
	registry_reason(conf->registry, reason);
	if (reason[0] == '\0' && request->is_asked)
		registry_silence(conf->registry, clock_now_us() - request->asked_us, reason);
	if (reason[0] == '\0')
		(void)snprintf(reason, sizeof(reason), "%s", request->reason);
	if (reason[0] == '\0')
		standing_reason(conf->standing, reason);
	/* It may have happened or not; what the dataplane takes for true now is written again. */
	if (request->type == HAUL_CONTROL_SEGMENT_PUBLISH && request->attempts > 0)
		publications_doubt(conf->publications, request->segment);
	request_answer(request, -HAUL_UNAVAILABLE, reason, 0, -1);
}

static void publish_settle(struct request *request, const struct registry_answer *answer)
{
	struct requests *requests = request->requests;
	uint64_t version = 0;

	if (answer->error != 0) {
		request_answer(request, answer->error, answer->reason, 0, -1);
		return;
	}
	if (answer->count != 1 || !text_number(answer->texts[0], &version)) {
		request_answer(request, -HAUL_CORRUPT, "the script's answer is malformed", 0, -1);
		return;
	}
	/* When the deadline came first the dataplane does not believe in it: it stays in doubt. */
	if (!request->is_orphan &&
	    publications_set(requests->conf.publications, request->descriptor, request->length,
			     version) != 0)
		log_error("link", "segment %s: no memory to keep its descriptor", request->segment);
	request_answer(request, 0, "", version, -1);
}

static void erase_settle(struct request *request, const struct registry_answer *answer)
{
	bool is_absent = answer->error == -HAUL_NOT_FOUND;
	/* An attempt whose answer was lost may have erased it. */
	int error = is_absent && request->attempts > 1 ? 0 : answer->error;
	uint64_t version = 0;

	if (answer->error == 0 || is_absent)
		publications_forget(request->requests->conf.publications, request->segment);
	if (answer->error == 0 && answer->count == 1)
		(void)text_number(answer->texts[0], &version);
	request_answer(request, error, error == 0 ? "" : answer->reason, version, -1);
}

/* Which of the wanted rights are not granted, in words; NULL when all are. */
static const char *rights_missing(uint32_t wanted, uint32_t granted)
{
	static const char *const words[] = { NULL, "read", "write", "read and write" };

	return words[wanted & ~granted & (HAUL_RIGHT_READ | HAUL_RIGHT_WRITE)];
}

/* The descriptor as the opener gets it: with its rights and their key, without the segment's and the grants of others. */
static void open_grant(struct request *request, struct haul_descriptor *descriptor, size_t length)
{
	struct requests *requests = request->requests;
	uint32_t granted = descriptor_rights(descriptor, request->tenant);
	const char *missing = rights_missing(request->rights, granted);
	char reason[HAUL_REASON_BYTES];
	int fd = -1;

	if (missing != NULL) {
		(void)snprintf(reason, sizeof(reason),
			       "segment %s: tenant %s has not been granted the right to %s",
			       request->segment, request->tenant, missing);
		request_answer(request, -HAUL_DENIED, reason, 0, -1);
		return;
	}
	if (grant_key_derive(descriptor->key, request->rights, descriptor->key) != 0) {
		(void)snprintf(reason, sizeof(reason), "segment %s: libcrypto makes no key",
			       request->segment);
		request_answer(request, -HAUL_SYSTEM, reason, 0, -1);
		return;
	}
	descriptor->rights = request->rights;
	memset(descriptor->readers, 0, sizeof(descriptor->readers));
	memset(descriptor->writers, 0, sizeof(descriptor->writers));
	fd = memfd_from_bytes("haul-descriptor", descriptor, length);
	if (fd < 0) {
		(void)snprintf(reason, sizeof(reason), "memfd for a descriptor: %s",
			       strerrordesc_np(-fd));
		request_answer(request, -HAUL_SYSTEM, reason, 0, -1);
		return;
	}
	if (!request->is_orphan) {
		char name[HAUL_NAME_BYTES];

		/* The answer goes first, so that a newer version that was seen meanwhile comes behind it. */
		memcpy(name, request->segment, sizeof(name));
		request_answer(request, 0, "", 0, fd);
		watches_opened(requests->conf.watches, name, descriptor->incarnation,
			       descriptor->metadata_version,
			       registry_epoch(requests->conf.registry));
	} else {
		request_answer(request, -HAUL_CANCELLED, "", 0, -1);
	}
	(void)close(fd);
}

/* OK with the segment's fields and its owner's. */
static void open_settle(struct request *request, const struct registry_answer *answer)
{
	struct haul_descriptor *descriptor = NULL;
	struct node_record owner;
	size_t length = 0;
	char reason[HAUL_REASON_BYTES];
	int error = 0;

	if (answer->error != 0) {
		request_answer(request, answer->error, answer->reason, 0, -1);
		return;
	}
	(void)snprintf(reason, sizeof(reason), "the script's answer is malformed");
	error = -HAUL_CORRUPT;
	if (answer->count == (unsigned int)SEGMENT_FIELD_COUNT + NODE_FIELD_COUNT)
		error = segment_parse(answer->texts, &descriptor, &length, reason);
	if (error == 0)
		error = node_parse(answer->texts + SEGMENT_FIELD_COUNT, &owner, reason);
	if (error == 0 && owner.incarnation != descriptor->incarnation) {
		(void)snprintf(reason, sizeof(reason),
			       "segment %s: its owner %s has another incarnation than its record",
			       request->segment, owner.name);
		error = -HAUL_CORRUPT;
	}
	if (error == -ENOMEM)
		error = -HAUL_SYSTEM;
	if (error == 0)
		open_grant(request, descriptor, length);
	else
		request_answer(request, error, reason, 0, -1);
	free(descriptor);
}

/* Shortly after a new epoch an absent segment may only not have been published again yet. */
bool requests_is_settling(const struct requests *requests)
{
	return requests->epoch_us != 0 &&
	       clock_now_us() - requests->epoch_us < (uint64_t)requests->conf.settle_ms * 1000;
}

static void retry_arm(struct requests *requests)
{
	struct timeval after = { 0, REQUEST_RETRY_US };

	if (!evtimer_pending(requests->retry, NULL))
		(void)evtimer_add(requests->retry, &after);
}

/* The answer does not settle it: wait, and try again until the deadline. */
static bool answer_is_passing(struct request *request, const struct registry_answer *answer)
{
	if (request->is_orphan)
		return false;
	if (answer->is_passing) {
		if (answer->word == REGISTRY_NONODE)
			standing_doubt(request->requests->conf.standing);
		memcpy(request->reason, answer->reason, sizeof(request->reason));
		return true;
	}
	if (request->type == HAUL_CONTROL_SEGMENT_OPEN && answer->error == -HAUL_NOT_FOUND &&
	    requests_is_settling(request->requests)) {
		(void)snprintf(
			request->reason, sizeof(request->reason),
			"segment %s is not in redis, whose data set is new; its owner may not "
			"have published it again yet",
			request->segment);
		return true;
	}
	return false;
}

static void script_answered(void *arg, const struct registry_answer *answer)
{
	struct request *request = arg;

	request->is_asked = false;
	if (answer_is_passing(request, answer)) {
		retry_arm(request->requests);
		return;
	}
	if (request->type == HAUL_CONTROL_SEGMENT_PUBLISH)
		publish_settle(request, answer);
	else if (request->type == HAUL_CONTROL_SEGMENT_ERASE)
		erase_settle(request, answer);
	else
		open_settle(request, answer);
}

/* Send the request's script if what it needs is there; otherwise it waits. */
static void request_ask(struct request *request)
{
	const struct requests_conf *conf = &request->requests->conf;
	const struct registry_writer *writer = standing_writer(conf->standing);
	char reason[HAUL_REASON_BYTES];
	int error = -HAUL_UNAVAILABLE;

	if (request->type != HAUL_CONTROL_SEGMENT_OPEN) {
		if (standing_state(conf->standing) == STANDING_REFUSED) {
			standing_reason(conf->standing, reason);
			request_answer(request, -HAUL_EXISTS, reason, 0, -1);
			return;
		}
		if (standing_state(conf->standing) != STANDING_PUBLISHED)
			return;
	}
	if (request->type == HAUL_CONTROL_SEGMENT_PUBLISH) {
		error = registry_segment_publish(conf->registry, writer->term, request->descriptor,
						 true, script_answered, request);
	} else if (request->type == HAUL_CONTROL_SEGMENT_ERASE) {
		error = registry_segment_erase(conf->registry, writer, request->segment,
					       script_answered, request);
	} else {
		error = registry_segment_get(conf->registry, request->segment, script_answered,
					     request);
	}
	if (error != 0)
		return;
	request->is_asked = true;
	request->asked_us = clock_now_us();
	request->attempts++;
}

void requests_pump(struct requests *requests)
{
	struct request *request = TAILQ_FIRST(&requests->list);
	bool has_waiting = false;

	while (request != NULL) {
		struct request *next = TAILQ_NEXT(request, link);

		if (!request->is_asked && !request->is_orphan)
			request_ask(request);
		request = next;
	}
	TAILQ_FOREACH(request, &requests->list, link)
	has_waiting = has_waiting || !request->is_asked;
	if (has_waiting)
		retry_arm(requests);
}

static void retry_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	requests_pump(arg);
}

int requests_create(const struct requests_conf *conf, struct requests **out)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (requests == NULL)
		return -ENOMEM;
	requests->conf = *conf;
	TAILQ_INIT(&requests->list);
	requests->retry = evtimer_new(conf->base, retry_fired, requests);
	if (requests->retry == NULL) {
		free(requests);
		return -ENOMEM;
	}
	*out = requests;
	return 0;
}

void requests_destroy(struct requests *requests)
{
	struct request *first = NULL;

	if (requests == NULL)
		return;
	while ((first = TAILQ_FIRST(&requests->list)) != NULL)
		request_free(first);
	event_free(requests->retry);
	free(requests);
}

static void busy_answer(struct requests *requests, const struct haul_frame *frame)
{
	struct haul_control_answer answer = { 0 };

	frame_fill(&answer.frame, HAUL_CONTROL_VERSION, frame->type | HAUL_FRAME_ANSWER,
		   sizeof(answer), frame->request);
	answer.frame.status = HAUL_BUSY;
	(void)snprintf(answer.reason, sizeof(answer.reason),
		       "more than %u requests are outstanding", HAUL_CONTROL_REQUESTS_MAX);
	requests->stats.busy++;
	requests->conf.answer(requests->conf.arg, &answer, -1);
}

/* Make a request that waits; NULL when there are too many, which has been answered. */
static struct request *request_make(struct requests *requests, const struct haul_frame *frame,
				    const char *segment)
{
	const unsigned int timeout_ms = requests->conf.timeout_ms;
	struct timeval after = { timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct request *request = NULL;

	if (requests->count < HAUL_CONTROL_REQUESTS_MAX)
		request = calloc(1, sizeof(*request));
	if (request != NULL)
		request->deadline = evtimer_new(requests->conf.base, deadline_fired, request);
	if (request == NULL || request->deadline == NULL) {
		free(request);
		busy_answer(requests, frame);
		return NULL;
	}
	request->requests = requests;
	request->id = frame->request;
	request->type = frame->type;
	(void)snprintf(request->segment, sizeof(request->segment), "%s", segment);
	TAILQ_INSERT_TAIL(&requests->list, request, link);
	requests->count++;
	(void)evtimer_add(request->deadline, &after);
	return request;
}

static void request_begin(struct request *request)
{
	struct requests *requests = request->requests;

	request_ask(request);
	retry_arm(requests);
}

void requests_publish(struct requests *requests, const struct haul_control_segment *message,
		      struct haul_descriptor *descriptor, size_t length)
{
	struct request *request = request_make(requests, &message->frame, message->segment);

	if (request == NULL) {
		free(descriptor);
		return;
	}
	request->descriptor = descriptor;
	request->length = length;
	descriptor->metadata_version = MAX(descriptor->metadata_version, message->version);
	request_begin(request);
}

void requests_erase(struct requests *requests, const struct haul_control_segment *message)
{
	struct request *request = request_make(requests, &message->frame, message->segment);

	if (request == NULL)
		return;
	/* From now on it is not wanted, whenever Redis comes to hear of it. */
	if (publications_has(requests->conf.publications, message->segment))
		publications_unwant(requests->conf.publications, message->segment);
	request_begin(request);
}

void requests_open(struct requests *requests, const struct haul_control_open *message)
{
	struct request *request = request_make(requests, &message->frame, message->segment);

	if (request == NULL)
		return;
	request->rights = message->rights;
	(void)snprintf(request->tenant, sizeof(request->tenant), "%s", message->tenant);
	watches_ask(requests->conf.watches, message->segment);
	request_begin(request);
}

void requests_epoch_is_new(struct requests *requests)
{
	requests->epoch_us = clock_now_us();
}

void requests_drop(struct requests *requests)
{
	struct request *request = TAILQ_FIRST(&requests->list);

	while (request != NULL) {
		struct request *next = TAILQ_NEXT(request, link);

		if (request->type == HAUL_CONTROL_SEGMENT_PUBLISH && request->attempts > 0 &&
		    !request->is_orphan)
			publications_doubt(requests->conf.publications, request->segment);
		if (!request->is_orphan)
			request_finish(request);
		request = next;
	}
}

const struct requests_stats *requests_stats(const struct requests *requests)
{
	return &requests->stats;
}

unsigned int requests_open_count(const struct requests *requests)
{
	return requests->count;
}
