/* SPDX-License-Identifier: BSD-3-Clause */
/* The dataplane's end of the control socket; link.h says what it promises. */
#include "control/link.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "base/trace.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages read in one event, so that a chatty control plane does not starve clients. */
#define LINK_BUDGET 64

/* What has been said of an outage: each once. */
enum link_complaint {
	LINK_COMPLAINT_NONE = 0,
	LINK_COMPLAINT_CONNECT = 1,
	LINK_COMPLAINT_REFUSED = 2,
	LINK_COMPLAINT_PROTOCOL = 3,
};

static void link_break(struct link *link, const char *why);

/* Has this not been said of this outage yet? */
static bool link_may_complain(struct link *link, enum link_complaint complaint)
{
	bool is_new = link->complaint != complaint;

	link->complaint = (uint8_t)complaint;
	return is_new;
}

static void link_arm(struct link *link)
{
	const struct link_request *first = TAILQ_FIRST(&link->requests);
	uint64_t now_us = clock_now_us();
	uint64_t at_us = UINT64_MAX;
	struct timeval wait;

	if (first != NULL)
		at_us = first->deadline_us;
	if (link->fd < 0)
		at_us = MIN(at_us, link->retry_at_us);
	else if (link->is_blocked)
		at_us = MIN(at_us, now_us + LINK_RETRY_MIN_MS * 1000ull);
	if (at_us == UINT64_MAX) {
		event_del(link->timer);
		return;
	}
	at_us = at_us > now_us ? at_us - now_us : 0;
	wait.tv_sec = (time_t)(at_us / 1000000);
	wait.tv_usec = (suseconds_t)(at_us % 1000000);
	event_add(link->timer, &wait);
}

/* End a request: it is off the list when its callback runs, which may ask again. */
static void link_finish(struct link *link, struct link_request *request,
			const struct link_answer *answer)
{
	TAILQ_REMOVE(&link->requests, request, link);
	link->request_count--;
	request->answer(request->argument, answer);
	if (request->fd >= 0)
		close(request->fd);
	free(request);
}

static void link_fail(struct link *link, struct link_request *request)
{
	char reason[HAUL_REASON_BYTES];
	struct link_answer answer = { .status = HAUL_UNAVAILABLE, .reason = reason, .fd = -1 };

	if (link->is_greeted) {
		snprintf(reason, sizeof(reason),
			 "the control plane at %.90s has not answered for %u ms", link->path,
			 link->request_ms);
	} else {
		snprintf(reason, sizeof(reason), "no control plane at %.90s; tried for %u ms",
			 link->path, link->request_ms);
	}
	link_finish(link, request, &answer);
}

static void link_send_request(struct link *link, struct link_request *request)
{
	int error;

	error = seqpacket_send(link->fd, &request->message, request->message.frame.length,
			       &request->fd, request->fd >= 0 ? 1 : 0);
	if (error == 0)
		request->is_sent = true;
	else if (error == -EAGAIN)
		link->is_blocked = true;
	else
		link_break(link, "a request cannot be sent");
}

/* Make the listing and send it. Returns 0 or -errno. */
static int link_send_table(struct link *link, const struct link_owed *owed)
{
	struct haul_control_table_answer answer = { 0 };
	int error;
	int fd;

	frame_fill(&answer.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_TABLE | HAUL_FRAME_ANSWER,
		   sizeof(answer), owed->request);
	fd = link->events->table(link->context, owed->table, &answer.rows, &answer.row_bytes);
	if (fd < 0) {
		answer.frame.status = (uint32_t)-fd;
		snprintf(answer.reason, sizeof(answer.reason), "table %u: %s", owed->table,
			 error_text(fd));
	}
	error = seqpacket_send(link->fd, &answer, sizeof(answer), &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0)
		close(fd);
	return error;
}

static int link_send_pong(struct link *link, const struct link_owed *owed)
{
	struct haul_frame frame;

	frame_fill(&frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_PING | HAUL_FRAME_ANSWER,
		   sizeof(frame), owed->request);
	return seqpacket_send(link->fd, &frame, sizeof(frame), NULL, 0);
}

/* Answer what is owed, in order, as far as the socket has room. */
static void link_pay(struct link *link)
{
	uint32_t paid = 0;
	int error = 0;

	while (paid < link->owed_count && error == 0) {
		const struct link_owed *owed = &link->owed[paid];

		error = owed->type == HAUL_CONTROL_TABLE ? link_send_table(link, owed)
							 : link_send_pong(link, owed);
		paid += error == 0;
	}
	link->owed_count -= paid;
	memmove(link->owed, link->owed + paid, link->owed_count * sizeof(link->owed[0]));
	if (error == -EAGAIN)
		link->is_blocked = true;
	else if (error != 0)
		link_break(link, "an answer cannot be sent");
}

/* An answer is due; who asks for more than it reads the answers of is not served any more. */
static void link_owe(struct link *link, const struct link_owed *owed)
{
	if (link->owed_count == LINK_OWED_MAX) {
		link_break(link, "it asks, and does not read the answers");
		return;
	}
	link->owed[link->owed_count++] = *owed;
	if (!link->is_blocked)
		link_pay(link);
}

/* Send what has not been sent on this connection; what meets a full socket goes a little later. */
static void link_send_waiting(struct link *link)
{
	struct link_request *request;

	link->is_blocked = false;
	link_pay(link);
	TAILQ_FOREACH(request, &link->requests, link)
	{
		if (!request->is_sent && link->is_greeted && !link->is_blocked)
			link_send_request(link, request);
	}
}

static struct link_request *link_find(struct link *link, uint32_t number)
{
	struct link_request *request;

	TAILQ_FOREACH(request, &link->requests, link)
	{
		if (request->message.frame.request == number)
			return request;
	}
	return NULL;
}

static void link_on_hello(struct link *link, const struct haul_control_answer *message)
{
	if (message->frame.status != HAUL_OK) {
		if (link_may_complain(link, LINK_COMPLAINT_REFUSED))
			log_error("link", "control plane at %s: refuses this dataplane: %s",
				  link->path, message->reason);
		link_break(link, "it refused");
		return;
	}
	log_info("link", "control plane at %s: connected", link->path);
	link->is_greeted = true;
	link->complaint = LINK_COMPLAINT_NONE;
	link->retry_ms = LINK_RETRY_MIN_MS;
	link->events->connected(link->context);
	link_send_waiting(link);
}

static void link_on_answer(struct link *link, const struct haul_control_answer *message, int fd)
{
	struct link_request *request = link_find(link, message->frame.request);
	struct link_answer answer = {
		.status = message->frame.status < HAUL_ERROR_COUNT
				  ? (enum haul_error)message->frame.status
				  : HAUL_INTERNAL,
		.version = message->version,
		.reason = message->reason,
		.fd = fd,
	};

	if (request == NULL ||
	    (request->message.frame.type | HAUL_FRAME_ANSWER) != message->frame.type) {
		if (fd >= 0)
			close(fd);
		return; /* its time was up, and its end has been told; or it is no answer to what was asked */
	}
	link_finish(link, request, &answer);
}

static void link_on_table(struct link *link, const struct haul_control_table *message)
{
	const struct link_owed owed = { .type = HAUL_CONTROL_TABLE,
					.request = message->frame.request,
					.table = message->table };

	link_owe(link, &owed);
}

static const char *node_state_text(enum haul_node_state state)
{
	static const char *const words[] = {
		[HAUL_NODE_UNKNOWN] = "unknown",
		[HAUL_NODE_PUBLISHED] = "published",
		[HAUL_NODE_REFUSED] = "refused",
	};

	return state < ARRAY_SIZE(words) ? words[state] : "unheard of";
}

static void link_set_node_state(struct link *link, enum haul_node_state state, const char *why)
{
	struct trace_event event = { .kind = TRACE_NODE,
				     .node = link->hello.node,
				     .incarnation = link->hello.incarnation,
				     .from = node_state_text(link->node_state),
				     .to = node_state_text(state),
				     .why = why };

	if (state == link->node_state)
		return;
	link->node_state = state;
	trace_write(&event);
}

static void link_on_node_state(struct link *link, const struct haul_control_node_state *message)
{
	if (message->state == link->node_state)
		return;
	link_set_node_state(link, (enum haul_node_state)message->state, message->reason);
	if (message->state == HAUL_NODE_PUBLISHED)
		log_info("link", "node: published");
	else
		log_warning("link", "node: not published: %s", message->reason);
}

/* Any message that the control plane sends. */
union link_message {
	struct haul_frame frame;
	struct haul_control_answer answer;
	struct haul_control_node_state node_state;
	struct haul_control_table table;
	uint8_t bytes[HAUL_FRAME_BYTES_MAX];
};

/* What a message of each type has; 0 = a type that is not ours to get. */
static size_t link_message_bytes(uint16_t type)
{
	switch (type) {
	case HAUL_CONTROL_HELLO | HAUL_FRAME_ANSWER:
	case HAUL_CONTROL_SEGMENT_PUBLISH | HAUL_FRAME_ANSWER:
	case HAUL_CONTROL_SEGMENT_ERASE | HAUL_FRAME_ANSWER:
	case HAUL_CONTROL_SEGMENT_OPEN | HAUL_FRAME_ANSWER:
		return sizeof(struct haul_control_answer);
	case HAUL_CONTROL_NODE_STATE:
		return sizeof(struct haul_control_node_state);
	case HAUL_CONTROL_VERSION_SEEN:
		return sizeof(struct haul_control_version_seen);
	case HAUL_CONTROL_PING:
		return sizeof(struct haul_frame);
	case HAUL_CONTROL_TABLE:
		return sizeof(struct haul_control_table);
	default:
		return 0;
	}
}

/* Sentences end where their room ends, whatever was sent. */
static void link_end_reasons(union link_message *message)
{
	switch (message->frame.type) {
	case HAUL_CONTROL_NODE_STATE:
		message->node_state.reason[HAUL_REASON_BYTES - 1] = 0;
		break;
	case HAUL_CONTROL_VERSION_SEEN:
	case HAUL_CONTROL_PING:
	case HAUL_CONTROL_TABLE:
		break;
	default:
		message->answer.reason[HAUL_REASON_BYTES - 1] = 0;
		break;
	}
}

/* The reserved bytes behind the frame of a message that has its length. */
static uint32_t link_reserved(const union link_message *message)
{
	switch (message->frame.type) {
	case HAUL_CONTROL_NODE_STATE:
		return message->node_state.reserved;
	case HAUL_CONTROL_TABLE:
		return message->table.reserved;
	default:
		return 0;
	}
}

/* What is wrong with a message, in reason; 0 = nothing. */
static int link_check(const union link_message *message, size_t length, char *reason)
{
	size_t bytes;
	int error =
		frame_check(message, length, HAUL_CONTROL_VERSION, sizeof(message->frame), reason);

	if (error != 0)
		return error;
	bytes = link_message_bytes(message->frame.type);
	if (bytes == 0 || length != bytes) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "message type 0x%04x has %zu bytes, %zu are due", message->frame.type,
			 length, bytes);
		return -HAUL_INVALID;
	}
	if (link_reserved(message) == 0)
		return 0;
	snprintf(reason, HAUL_REASON_BYTES, "message type 0x%04x: reserved bytes are not zero",
		 message->frame.type);
	return -HAUL_INVALID;
}

/* Hand one checked message on; takes the descriptor. */
static void link_dispatch(struct link *link, const struct haul_frame *frame, int fd)
{
	const void *message = frame;

	switch (frame->type) {
	case HAUL_CONTROL_HELLO | HAUL_FRAME_ANSWER:
		link_on_hello(link, message);
		break;
	case HAUL_CONTROL_NODE_STATE:
		link_on_node_state(link, message);
		break;
	case HAUL_CONTROL_VERSION_SEEN:
		link->events->version_seen(link->context, message);
		break;
	case HAUL_CONTROL_PING:
		link->events->ping(link->context, frame->request);
		break;
	case HAUL_CONTROL_TABLE:
		link_on_table(link, message);
		break;
	default:
		link_on_answer(link, message, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
}

/* Read one message; false when there is none, or the link broke. */
static bool link_receive(struct link *link)
{
	union link_message message;
	char reason[HAUL_REASON_BYTES];
	unsigned int fd_count = 0;
	ssize_t length;
	int fd = -1;

	length = seqpacket_receive(link->fd, &message, sizeof(message), &fd, 1, &fd_count);
	if (length == -EAGAIN)
		return false;
	if (length <= 0) {
		link_break(link, "the other end closed it");
		return false;
	}
	if (link_check(&message, (size_t)length, reason) != 0) {
		if (fd_count > 0)
			close(fd);
		if (link_may_complain(link, LINK_COMPLAINT_PROTOCOL))
			log_error("link", "control plane at %s: %s", link->path, reason);
		link_break(link, "it sent what is no message of this protocol");
		return false;
	}
	link_end_reasons(&message);
	link_dispatch(link, &message.frame, fd_count > 0 ? fd : -1);
	return link->fd >= 0;
}

static void link_on_readable(int fd, short what, void *argument)
{
	struct link *link = argument;

	(void)fd;
	(void)what;
	for (int i = 0; i < LINK_BUDGET; i++) {
		if (!link_receive(link))
			break;
	}
	if (link->is_greeted)
		link_send_waiting(link);
	link_arm(link);
}

static void link_break(struct link *link, const char *why)
{
	struct link_request *request;

	if (link->is_greeted)
		log_warning("link", "control plane at %s: lost: %s", link->path, why);
	if (link->readable != NULL)
		event_free(link->readable);
	link->readable = NULL;
	close(link->fd);
	link->fd = -1;
	link->is_greeted = false;
	link->is_blocked = false;
	link->owed_count = 0;
	link_set_node_state(link, HAUL_NODE_UNKNOWN, "the control plane is gone");
	link->retry_at_us = clock_now_us() + link->retry_ms * 1000ull;
	link->retry_ms = MIN(link->retry_ms * 2, LINK_RETRY_MAX_MS);
	TAILQ_FOREACH(request, &link->requests, link)
	request->is_sent = false;
}

static void link_connect(struct link *link)
{
	link->fd = seqpacket_connect(link->path, SEQPACKET_NONBLOCK);
	if (link->fd < 0) {
		if (link_may_complain(link, LINK_COMPLAINT_CONNECT))
			log_warning("link", "control plane at %s: cannot connect: %s; trying on",
				    link->path, strerrordesc_np(-link->fd));
		link->fd = -1;
		link->retry_at_us = clock_now_us() + link->retry_ms * 1000ull;
		link->retry_ms = MIN(link->retry_ms * 2, LINK_RETRY_MAX_MS);
		return;
	}
	link->readable =
		event_new(link->base, link->fd, EV_READ | EV_PERSIST, link_on_readable, link);
	if (link->readable == NULL || event_add(link->readable, NULL) != 0 ||
	    seqpacket_send(link->fd, &link->hello, sizeof(link->hello), NULL, 0) != 0)
		link_break(link, "HELLO cannot be sent");
}

static void link_on_timer(int fd, short what, void *argument)
{
	struct link *link = argument;
	uint64_t now_us = clock_now_us();
	struct link_request *request;

	(void)fd;
	(void)what;
	while ((request = TAILQ_FIRST(&link->requests)) != NULL && request->deadline_us <= now_us)
		link_fail(link, request);
	if (link->fd < 0 && link->retry_at_us <= now_us)
		link_connect(link);
	if (link->is_blocked)
		link_send_waiting(link);
	link_arm(link);
}

int link_open(struct link *link, struct event_base *base, const char *path,
	      const struct haul_control_hello *hello, const struct link_events *events,
	      void *context)
{
	memset(link, 0, sizeof(*link));
	link->base = base;
	link->path = path;
	link->events = events;
	link->context = context;
	link->hello = *hello;
	frame_fill(&link->hello.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_HELLO,
		   sizeof(link->hello), 0);
	link->fd = -1;
	link->request_ms = LINK_REQUEST_MS;
	link->retry_ms = LINK_RETRY_MIN_MS;
	TAILQ_INIT(&link->requests);
	link->timer = evtimer_new(base, link_on_timer, link);
	if (link->timer == NULL)
		return -ENOMEM;
	link_arm(link);
	return 0;
}

void link_close(struct link *link)
{
	link->is_closed = true;
	if (link->timer == NULL)
		return;
	while (!TAILQ_EMPTY(&link->requests))
		link_fail(link, TAILQ_FIRST(&link->requests));
	if (link->fd >= 0)
		link_break(link, "this dataplane stops");
	event_free(link->timer);
	link->timer = NULL;
}

int link_ask(struct link *link, enum haul_control_type type, const void *message, int fd,
	     link_answer_fn answer, void *argument)
{
	size_t length = type == HAUL_CONTROL_SEGMENT_OPEN ? sizeof(struct haul_control_open)
							  : sizeof(struct haul_control_segment);
	struct link_request *request = NULL;

	if (!link->is_closed && link->request_count < HAUL_CONTROL_REQUESTS_MAX)
		request = calloc(1, sizeof(*request));
	if (request == NULL) {
		if (fd >= 0)
			close(fd);
		return -HAUL_BUSY;
	}
	memcpy(&request->message, message, length);
	if (++link->next_number == 0)
		link->next_number = 1;
	frame_fill(&request->message.frame, HAUL_CONTROL_VERSION, (uint16_t)type, (uint32_t)length,
		   link->next_number);
	request->deadline_us = clock_now_us() + link->request_ms * 1000ull;
	request->answer = answer;
	request->argument = argument;
	request->fd = fd;
	TAILQ_INSERT_TAIL(&link->requests, request, link);
	link->request_count++;
	if (link->is_greeted && !link->is_blocked)
		link_send_request(link, request);
	link_arm(link);
	return 0;
}

bool link_is_opening(const struct link *link, const char *segment)
{
	const struct link_request *request;

	TAILQ_FOREACH(request, &link->requests, link)
	{
		if (request->message.frame.type == HAUL_CONTROL_SEGMENT_OPEN &&
		    strncmp(request->message.open.segment, segment, HAUL_NAME_BYTES) == 0)
			return true;
	}
	return false;
}

void link_tell_close(struct link *link, const char *segment)
{
	struct haul_control_segment message = { 0 };

	if (!link->is_greeted)
		return;
	memcpy(message.segment, segment, strnlen(segment, sizeof(message.segment) - 1));
	frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_SEGMENT_CLOSE,
		   sizeof(message), 0);
	seqpacket_send(link->fd, &message, sizeof(message), NULL, 0);
}

void link_answer_ping(struct link *link, uint32_t request)
{
	const struct link_owed owed = { .type = HAUL_CONTROL_PING, .request = request };

	if (!link->is_greeted)
		return;
	link_owe(link, &owed);
	link_arm(link);
}
