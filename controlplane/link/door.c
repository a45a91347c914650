/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by link on the loop's thread. Owns the listener and the sessions. A session is destroyed in a turn of the loop
 * of its own, never inside one of its own events.
 */
#include "controlplane/link/door.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/names.h"
#include "base/seqpacket.h"
#include "controlplane/link/session.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Connections at a time: the dataplane, and some that have not said HELLO. */
#define DOOR_SESSIONS_MAX 8u

/* How long who has not said HELLO may stay. */
#define DOOR_SILENCE_S 5

struct guest {
	struct session *session; /* NULL: a free place */
	struct event *silence;   /* armed until HELLO */
	struct door *door;
	bool is_dead; /* to be destroyed */
};

struct door {
	struct event_base *base;
	struct door_events events;
	struct event *acceptable;
	struct event *reap;
	struct guest guests[DOOR_SESSIONS_MAX];
	struct session *dataplane;  /* of one of the guests, or NULL */
	char node[HAUL_NAME_BYTES]; /* of the dataplane */
	int listener;
	struct door_stats stats;
	struct log_limit limit;
};

static struct guest *guest_of(struct door *door, const struct session *session)
{
	for (unsigned int i = 0; i < DOOR_SESSIONS_MAX; i++) {
		if (door->guests[i].session == session)
			return &door->guests[i];
	}
	return NULL;
}

static void guest_free(struct guest *guest)
{
	if (guest->silence != NULL)
		event_free(guest->silence);
	session_destroy(guest->session);
	memset(guest, 0, sizeof(*guest));
}

/* The guest goes in the loop's next turn; if it was the dataplane, that is known at once. */
static void guest_dismiss(struct guest *guest)
{
	struct door *door = guest->door;
	struct timeval now = { 0, 0 };

	if (guest->is_dead)
		return;
	guest->is_dead = true;
	(void)evtimer_add(door->reap, &now);
	if (door->dataplane != guest->session)
		return;
	door->dataplane = NULL;
	log_info("link", "node %s: dataplane process %d is gone", door->node,
		 (int)session_pid(guest->session));
	door->events.left(door->events.arg);
}

static void reap_fired(evutil_socket_t fd, short what, void *arg)
{
	struct door *door = arg;

	(void)fd;
	(void)what;
	for (unsigned int i = 0; i < DOOR_SESSIONS_MAX; i++) {
		if (door->guests[i].is_dead)
			guest_free(&door->guests[i]);
	}
}

static void silence_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	guest_dismiss(arg);
}

static void answer_send(struct session *session, const struct haul_frame *frame, int error,
			const char *reason)
{
	struct haul_control_answer answer = { 0 };

	frame_fill(&answer.frame, HAUL_CONTROL_VERSION, frame->type | HAUL_FRAME_ANSWER,
		   sizeof(answer), frame->request);
	answer.frame.status = (uint32_t)-error;
	(void)snprintf(answer.reason, sizeof(answer.reason), "%s", reason);
	(void)session_send(session, &answer, -1, true);
}

/* NULL when the hello is well formed, or what is wrong. */
static const char *hello_check(const struct haul_frame *frame)
{
	const struct haul_control_hello *hello = (const void *)frame;

	if (frame->length != sizeof(*hello))
		return "a HELLO of another length than this side's";
	if (!name_is_valid(hello->node, sizeof(hello->node)))
		return "the node's name is not " NAMES_ALLOWED;
	if (!name_is_valid(hello->host, sizeof(hello->host)))
		return "the host's boot id is not " NAMES_ALLOWED;
	if (hello->incarnation == 0 || hello->reserved != 0)
		return "the incarnation is zero, or reserved bytes are not";
	if (hello->address_count == 0 || hello->address_count > HAUL_DESCRIPTOR_ADDRESSES_MAX)
		return "no addresses, or too many";
	for (uint32_t i = 0; i < hello->address_count; i++) {
		if (!address_is_valid(&hello->addresses[i]))
			return "an address is malformed";
	}
	return NULL;
}

static void hello_refuse(struct door *door, struct session *session, const struct haul_frame *frame,
			 int error, const char *reason)
{
	door->stats.refused++;
	log_limited(&door->limit, LOG_LEVEL_WARNING, "link", "HELLO of process %d refused: %s",
		    (int)session_pid(session), reason);
	answer_send(session, frame, error, reason);
}

static void hello_take(struct door *door, struct session *session, const struct haul_frame *frame)
{
	const struct haul_control_hello *hello = (const void *)frame;
	const char *wrong = hello_check(frame);
	char reason[HAUL_REASON_BYTES];

	if (wrong != NULL) {
		hello_refuse(door, session, frame, -HAUL_INVALID, wrong);
		return;
	}
	/* A dataplane that was killed a moment ago may not have been seen to go. */
	if (door->dataplane != NULL && session_is_gone(door->dataplane))
		guest_dismiss(guest_of(door, door->dataplane));
	if (door->dataplane != NULL) {
		(void)snprintf(reason, sizeof(reason),
			       "this control plane serves the dataplane of node %s, process %d",
			       door->node, (int)session_pid(door->dataplane));
		hello_refuse(door, session, frame, -HAUL_BUSY, reason);
		return;
	}
	door->dataplane = session;
	door->stats.hellos++;
	memcpy(door->node, hello->node, sizeof(door->node));
	(void)event_del(guest_of(door, session)->silence);
	log_info("link", "node %s: dataplane process %d, incarnation %016" PRIx64, hello->node,
		 (int)session_pid(session), hello->incarnation);
	answer_send(session, frame, 0, "");
	door->events.entered(door->events.arg, hello);
}

static void session_message(void *arg, struct session *session, const struct haul_frame *frame,
			    int fd)
{
	struct door *door = arg;

	if (session == door->dataplane && frame->type != HAUL_CONTROL_HELLO) {
		door->events.message(door->events.arg, frame, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (frame->type == HAUL_CONTROL_HELLO && session != door->dataplane)
		hello_take(door, session, frame);
	else {
		hello_refuse(door, session, frame, -HAUL_INVALID,
			     session == door->dataplane ? "HELLO was said before"
							: "the first message must be HELLO");
	}
}

static void session_closed(void *arg, struct session *session)
{
	struct guest *guest = guest_of(arg, session);

	if (guest != NULL)
		guest_dismiss(guest);
}

static void session_drained(void *arg, struct session *session)
{
	struct door *door = arg;

	if (session == door->dataplane)
		door->events.drained(door->events.arg);
}

static void guest_let_in(struct door *door, int fd)
{
	struct session_events events = { session_message, session_closed, session_drained, door };
	struct timeval patience = { DOOR_SILENCE_S, 0 };
	struct guest *guest = guest_of(door, NULL);

	if (guest == NULL) {
		log_limited(&door->limit, LOG_LEVEL_WARNING, "link",
			    "more than %u connections on the control socket", DOOR_SESSIONS_MAX);
		(void)close(fd);
		return;
	}
	if (session_create(door->base, fd, &events, &guest->session) != 0) {
		guest->session = NULL;
		return;
	}
	guest->door = door;
	guest->silence = evtimer_new(door->base, silence_fired, guest);
	if (guest->silence == NULL || evtimer_add(guest->silence, &patience) != 0)
		guest_free(guest);
}

static void listener_acceptable(evutil_socket_t fd, short what, void *arg)
{
	int accepted = seqpacket_accept(fd);

	(void)what;
	if (accepted >= 0)
		guest_let_in(arg, accepted);
}

int door_create(struct event_base *base, const char *path, mode_t mode,
		const struct door_events *events, struct door **out)
{
	struct door *door = calloc(1, sizeof(*door));

	if (door == NULL)
		return -ENOMEM;
	door->base = base;
	door->events = *events;
	door->listener = seqpacket_listen(path, mode);
	if (door->listener < 0) {
		int error = door->listener;

		log_error("link", "control socket %s: %s", path, strerrordesc_np(-error));
		free(door);
		return error;
	}
	door->reap = evtimer_new(base, reap_fired, door);
	door->acceptable =
		event_new(base, door->listener, EV_READ | EV_PERSIST, listener_acceptable, door);
	if (door->reap == NULL || door->acceptable == NULL ||
	    event_add(door->acceptable, NULL) != 0) {
		door_destroy(door);
		return -ENOMEM;
	}
	*out = door;
	return 0;
}

void door_destroy(struct door *door)
{
	if (door == NULL)
		return;
	for (unsigned int i = 0; i < DOOR_SESSIONS_MAX; i++)
		guest_free(&door->guests[i]);
	if (door->acceptable != NULL)
		event_free(door->acceptable);
	if (door->reap != NULL)
		event_free(door->reap);
	(void)close(door->listener);
	free(door);
}

bool door_has_dataplane(const struct door *door)
{
	return door->dataplane != NULL;
}

pid_t door_pid(const struct door *door)
{
	return door->dataplane == NULL ? 0 : session_pid(door->dataplane);
}

int door_send(struct door *door, const void *message, int fd, bool may_wait)
{
	if (door->dataplane == NULL)
		return -ENOTCONN;
	return session_send(door->dataplane, message, fd, may_wait);
}

void door_refuse(struct door *door, const struct haul_frame *frame, int error, const char *reason)
{
	door->stats.malformed++;
	log_limited(&door->limit, LOG_LEVEL_WARNING, "link",
		    "message type 0x%04x of the dataplane refused: %s", frame->type, reason);
	if (door->dataplane != NULL)
		answer_send(door->dataplane, frame, error, reason);
}

const struct door_stats *door_stats(const struct door *door)
{
	return &door->stats;
}
