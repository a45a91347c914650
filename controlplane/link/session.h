/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One connection of a dataplane on the control socket: frames in, frames out, nothing of what they mean.
 *
 * What cannot be sent at once waits in a bounded queue. A peer that lets it overflow, breaks the framing or speaks
 * another version is dropped; it connects again and starts anew.
 */
#ifndef LINK_SESSION_H
#define LINK_SESSION_H

#include "api/haul_control.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct session;

/** Messages that may wait: an answer for each request that may be outstanding, and as many unasked ones. */
#define SESSION_QUEUE_MAX (2u * HAUL_CONTROL_REQUESTS_MAX)

struct session_events {
	/**
	 * A whole frame has come; its body is not checked beyond its length. fd is the descriptor it brought, the
	 * callee's from then on, or -1.
	 */
	void (*message)(void *arg, struct session *session, const struct haul_frame *frame, int fd);
	/** The peer is gone or was dropped: the callee destroys the session, then or later. */
	void (*closed)(void *arg, struct session *session);
	/** The queue has become empty. */
	void (*drained)(void *arg, struct session *session);
	void *arg;
};

/** Take over a connected socket, closed on failure too. Returns 0 or -errno. */
int session_create(struct event_base *base, int fd, const struct session_events *events,
		   struct session **out);

/** Close the socket; NULL is allowed. May be called from an event of this session. */
void session_destroy(struct session *session);

/**
 * Send a message; its frame has been filled. fd (or -1) is sent with it and stays the caller's. Returns 0; -EAGAIN
 * when the queue is full and may_wait is false; with may_wait a full queue drops the session.
 */
int session_send(struct session *session, const void *message, int fd, bool may_wait);

/** The process at the other end, when it connected; 0 = not known. */
pid_t session_pid(const struct session *session);

/** True when the peer has closed its end, perhaps unseen by the loop so far. */
bool session_is_gone(const struct session *session);

#endif
