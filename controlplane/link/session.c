/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by link on the loop's thread. Owns the socket, its two events and the queue. One turn of the loop takes at
 * most SESSION_TURN_MESSAGES in, so that a busy dataplane cannot hold up Redis and HTTP.
 */
#include "controlplane/link/session.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/log.h"
#include "base/seqpacket.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSION_TURN_MESSAGES 64

struct outgoing {
	TAILQ_ENTRY(outgoing) link;
	int fd; /* own duplicate, or -1 */
	uint32_t length;
	char bytes[];
};

TAILQ_HEAD(outgoing_queue, outgoing);

struct session {
	struct session_events events;
	struct event *readable;
	struct event *writable;
	int fd;
	pid_t pid;
	struct outgoing_queue queue;
	unsigned int queued;
	bool is_broken;    /* closed has been called, or will be */
	bool is_reading;   /* within session_readable, which looks at it after each event */
	bool is_destroyed; /* within it: session_readable frees it */
};

static void session_break(struct session *session)
{
	if (session->is_broken)
		return;
	session->is_broken = true;
	(void)event_del(session->readable);
	(void)event_del(session->writable);
	session->events.closed(session->events.arg, session);
}

/* What cannot be understood is answered, so that the peer's log says why, and ends the session. */
static void frame_refuse(struct session *session, const struct haul_frame *frame, int error,
			 const char *reason)
{
	struct haul_control_answer answer = { 0 };

	log_warning("link", "session: %s", reason);
	frame_fill(&answer.frame, HAUL_CONTROL_VERSION, frame->type | HAUL_FRAME_ANSWER,
		   sizeof(answer), frame->request);
	answer.frame.status = (uint32_t)-error;
	memcpy(answer.reason, reason, sizeof(answer.reason));
	(void)seqpacket_send(session->fd, &answer, sizeof(answer), NULL, 0);
	session_break(session);
}

/* Take one message. False when there is no more to take now. */
static bool message_take(struct session *session)
{
	union {
		struct haul_frame frame;
		char bytes[HAUL_FRAME_BYTES_MAX];
	} message;

	char reason[HAUL_REASON_BYTES] = "";
	int fd = -1, error = 0;
	unsigned int fd_count = 0;
	ssize_t received =
		seqpacket_receive(session->fd, message.bytes, sizeof(message), &fd, 1, &fd_count);

	if (received == -EAGAIN)
		return false;
	if (received <= 0) {
		if (received < 0)
			log_warning("link", "session: receive: %s",
				    strerrordesc_np(-(int)received));
		session_break(session);
		return false;
	}
	if (fd_count == 0)
		fd = -1;
	error = frame_check(&message, (size_t)received, HAUL_CONTROL_VERSION, sizeof(message.frame),
			    reason);
	if (error != 0) {
		if (fd >= 0)
			(void)close(fd);
		if ((size_t)received < sizeof(message.frame))
			memset(&message.frame, 0, sizeof(message.frame));
		frame_refuse(session, &message.frame, error, reason);
		return false;
	}
	session->events.message(session->events.arg, session, &message.frame, fd);
	return true;
}

/* A session that is destroyed in one of its events is freed when all of this is done with it. */
static void session_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	session->is_reading = true;
	for (int i = 0; i < SESSION_TURN_MESSAGES && !session->is_broken; i++) {
		if (!message_take(session))
			break;
	}
	session->is_reading = false;
	if (session->is_destroyed)
		free(session);
}

static void outgoing_free(struct outgoing *outgoing)
{
	if (outgoing->fd >= 0)
		(void)close(outgoing->fd);
	free(outgoing);
}

static void session_writable(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;
	struct outgoing *first = NULL;

	(void)fd;
	(void)what;
	while ((first = TAILQ_FIRST(&session->queue)) != NULL) {
		int error = seqpacket_send(session->fd, first->bytes, first->length, &first->fd,
					   first->fd >= 0 ? 1 : 0);

		if (error == -EAGAIN)
			return;
		if (error != 0) {
			session_break(session);
			return;
		}
		TAILQ_REMOVE(&session->queue, first, link);
		session->queued--;
		outgoing_free(first);
	}
	(void)event_del(session->writable);
	session->events.drained(session->events.arg, session);
}

int session_create(struct event_base *base, int fd, const struct session_events *events,
		   struct session **out)
{
	struct session *session = calloc(1, sizeof(*session));
	struct seqpacket_peer peer = { 0 };

	if (session == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	TAILQ_INIT(&session->queue);
	session->events = *events;
	session->fd = fd;
	if (seqpacket_peer_get(fd, &peer) == 0)
		session->pid = peer.pid;
	session->readable = event_new(base, fd, EV_READ | EV_PERSIST, session_readable, session);
	session->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, session_writable, session);
	if (session->readable == NULL || session->writable == NULL ||
	    event_add(session->readable, NULL) != 0) {
		session_destroy(session);
		return -ENOMEM;
	}
	*out = session;
	return 0;
}

void session_destroy(struct session *session)
{
	struct outgoing *first = NULL;

	if (session == NULL)
		return;
	while ((first = TAILQ_FIRST(&session->queue)) != NULL) {
		TAILQ_REMOVE(&session->queue, first, link);
		outgoing_free(first);
	}
	if (session->readable != NULL)
		event_free(session->readable);
	if (session->writable != NULL)
		event_free(session->writable);
	(void)close(session->fd);
	session->is_broken = true;
	session->is_destroyed = true;
	if (!session->is_reading)
		free(session);
}

static int session_queue(struct session *session, const struct haul_frame *frame, int fd)
{
	struct outgoing *outgoing = malloc(sizeof(*outgoing) + frame->length);

	if (outgoing == NULL)
		return -ENOMEM;
	outgoing->fd = -1;
	outgoing->length = frame->length;
	memcpy(outgoing->bytes, frame, frame->length);
	if (fd >= 0) {
		outgoing->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (outgoing->fd < 0) {
			free(outgoing);
			return -EMFILE;
		}
	}
	TAILQ_INSERT_TAIL(&session->queue, outgoing, link);
	session->queued++;
	return event_add(session->writable, NULL) == 0 ? 0 : -ENOMEM;
}

int session_send(struct session *session, const void *message, int fd, bool may_wait)
{
	const struct haul_frame *frame = message;
	int error = -EAGAIN;

	if (session->is_broken)
		return -EPIPE;
	if (session->queued == 0)
		error = seqpacket_send(session->fd, message, frame->length, &fd, fd >= 0 ? 1 : 0);
	if (error == -EAGAIN && (may_wait || session->queued < SESSION_QUEUE_MAX / 2)) {
		if (session->queued < SESSION_QUEUE_MAX)
			error = session_queue(session, frame, fd);
		if (error == 0)
			return 0;
		log_warning("link", "session: the dataplane does not read its answers; dropped");
	}
	if (error == 0 || (error == -EAGAIN && !may_wait))
		return error;
	/* The reader sees the end of the connection and breaks the session, outside the caller's call. */
	(void)shutdown(session->fd, SHUT_RDWR);
	return error;
}

pid_t session_pid(const struct session *session)
{
	return session->pid;
}

bool session_is_gone(const struct session *session)
{
	struct pollfd poll_fd = { .fd = session->fd, .events = POLLRDHUP };

	return session->is_broken || (poll(&poll_fd, 1, 0) > 0 &&
				      (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}
