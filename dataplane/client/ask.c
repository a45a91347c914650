/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request and its answer on the attach socket, with an end to the wait.
 *
 * The daemon answers one request at a time and ends a client that sends a second one before. So a request that was
 * given up stays open here: the next call first waits for its answer, and when that says that the daemon did make or
 * open something, gives it back, since nobody knows of it. The socket never blocks; poll does the waiting.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/seqpacket.h"
#include "client/attachment.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

uint64_t client_deadline_ns(const struct haul *haul)
{
	return clock_now_ns() + haul->timeout_ns;
}

int client_remaining_ms(uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t remaining_ms;

	if (now_ns >= deadline_ns)
		return 0;
	remaining_ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return remaining_ms > INT_MAX ? INT_MAX : (int)remaining_ms;
}

/* Wait until the socket can be read or written. Returns 0 or -HAUL_TIMEOUT. */
static int ask_wait(struct haul *haul, short events, uint64_t deadline_ns)
{
	struct pollfd poll_fd = { .fd = haul->socket_fd, .events = events };

	for (;;) {
		int remaining_ms = client_remaining_ms(deadline_ns);
		int count = poll(&poll_fd, 1, remaining_ms);

		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return client_fail(haul, HAUL_SYSTEM, "poll on the attach socket: %s",
					   errno_text(errno));
		if (count == 0 && remaining_ms == 0) {
			return client_fail(haul, HAUL_TIMEOUT,
					   "the daemon did not answer within %llu ms",
					   (unsigned long long)(haul->timeout_ns / NS_PER_MS));
		}
	}
}

/*
 * Does the message answer the open request? A daemon that breaks the protocol is given up, since nothing on this socket
 * can be relied upon any more. Returns 0 or -HAUL_*; *is_ours_out is false for what nobody asked
 * for.
 */
static int ask_identify(struct haul *haul, const struct answer *answer, bool *is_ours_out)
{
	const struct haul_frame *frame = &answer->message.frame;
	char reason[HAUL_REASON_BYTES];
	int error;

	error = frame_check(&answer->message, answer->length, HAUL_ATTACH_VERSION,
			    sizeof(struct haul_frame), reason);
	if (error != 0)
		return client_give_up(haul, error == -HAUL_VERSION ? HAUL_VERSION : HAUL_INTERNAL,
				      reason);
	*is_ours_out = frame->request != 0;
	if (frame->request == 0)
		return 0;
	if (frame->request != haul->asked.request ||
	    frame->type != (haul->asked.type | HAUL_FRAME_ANSWER))
		return client_give_up(haul, HAUL_INTERNAL, "the daemon answers what was not asked");
	if (answer->length < sizeof(struct haul_attach_plain_answer))
		return client_give_up(haul, HAUL_INTERNAL, "the daemon's answer is too short");
	return 0;
}

/* Take one message, without waiting. Returns 0 with *is_ours_out, -EAGAIN when there is none, or -HAUL_*. */
static int ask_receive(struct haul *haul, struct answer *answer, bool *is_ours_out)
{
	ssize_t length =
		seqpacket_receive(haul->socket_fd, &answer->message, sizeof(answer->message),
				  answer->fds, HAUL_FRAME_FDS_MAX, &answer->fd_count);
	int error;

	if (length == -EAGAIN)
		return -EAGAIN;
	if (length == -EMSGSIZE || length == -E2BIG)
		return client_give_up(haul, HAUL_INTERNAL,
				      "the daemon's answer is longer than any there is");
	if (length <= 0)
		return client_disconnected(haul);
	answer->length = (size_t)length;
	error = ask_identify(haul, answer, is_ours_out);
	if (error == 0 && *is_ours_out)
		haul->asked.request = 0;
	else
		seqpacket_close_fds(answer->fds, answer->fd_count);
	return error;
}

/* Wait for the answer to the open request. */
static int ask_await(struct haul *haul, struct answer *answer, uint64_t deadline_ns)
{
	bool is_ours = false;
	int error;

	for (;;) {
		error = ask_receive(haul, answer, &is_ours);
		if (error == -EAGAIN)
			error = ask_wait(haul, POLLIN, deadline_ns);
		else if (error == 0 && is_ours)
			return 0;
		if (error != 0)
			return error;
	}
}

/*
 * What the daemon said to the wish to give something back. While Redis cannot be told it stays, and so does the wish:
 * nobody but this attachment knows of it. Any other answer means that there is nothing to give back.
 */
static int ask_undone(struct haul *haul, const struct answer *answer)
{
	uint32_t status = answer->message.frame.status;

	haul->undo.is_asked = false;
	if (status == HAUL_UNAVAILABLE || status == HAUL_BUSY) {
		return client_fail(haul, (enum haul_error)status,
				   "what an earlier call that timed out has left cannot be taken "
				   "back yet; call again");
	}
	haul->undo.type = 0;
	return 0;
}

/* An answer that nobody waits for any more: remember what must be given back. */
static void ask_take_late(struct haul *haul, const struct answer *answer)
{
	uint16_t type = haul->asked.type;

	seqpacket_close_fds(answer->fds, answer->fd_count);
	if (haul->undo.is_asked) {
		(void)ask_undone(haul, answer); /* the next call tries again */
		return;
	}
	if (answer->message.frame.status != HAUL_OK)
		return;
	if (type == HAUL_ATTACH_SEGMENT_CREATE && answer->length >= sizeof(answer->message.create))
		haul->undo = (struct undo){ .type = HAUL_ATTACH_SEGMENT_DESTROY,
					    .number = answer->message.create.segment };
	if (type == HAUL_ATTACH_BUFFER_ADD && answer->length >= sizeof(answer->message.create))
		haul->undo = (struct undo){ .type = HAUL_ATTACH_BUFFER_REMOVE,
					    .number = answer->message.create.region };
	if (type == HAUL_ATTACH_EXTENT_PUBLISH && answer->length >= sizeof(answer->message.extent))
		haul->undo = (struct undo){ .type = HAUL_ATTACH_EXTENT_RETIRE,
					    .number = answer->message.extent.extent };
	if (type == HAUL_ATTACH_SEGMENT_OPEN && answer->length >= sizeof(answer->message.open))
		haul->undo = (struct undo){ .type = HAUL_ATTACH_SEGMENT_CLOSE,
					    .number = answer->message.open.handle };
}

bool ask_is_connected(struct haul *haul)
{
	struct answer answer;
	bool is_ours = false;
	int error;

	while ((error = ask_receive(haul, &answer, &is_ours)) == 0) {
		if (is_ours)
			ask_take_late(haul, &answer);
	}
	return error == -EAGAIN;
}

static int ask_send(struct haul *haul, const struct question *question, uint64_t deadline_ns)
{
	int error;

	if (++haul->last_request == 0)
		haul->last_request = 1; /* 0 is nobody's */
	frame_fill(question->message, HAUL_ATTACH_VERSION, question->type,
		   (uint32_t)question->bytes, haul->last_request);
	while ((error = seqpacket_send(haul->socket_fd, question->message, question->bytes,
				       question->fds, question->fd_count)) == -EAGAIN) {
		error = ask_wait(haul, POLLOUT, deadline_ns);
		if (error != 0)
			return error;
	}
	if (error != 0)
		return client_disconnected(haul);
	haul->asked = (struct asked){ .request = haul->last_request, .type = question->type };
	return 0;
}

/* Give back what a late answer brought. */
static int ask_undo(struct haul *haul, uint64_t deadline_ns)
{
	/* SEGMENT_DESTROY and SEGMENT_CLOSE differ in the type alone, and BUFFER_REMOVE in the width of its number. */
	struct haul_attach_segment_destroy segment = { .segment = (uint32_t)haul->undo.number };
	struct haul_attach_buffer_remove buffer = { .region = haul->undo.number };
	bool is_buffer = haul->undo.type == HAUL_ATTACH_BUFFER_REMOVE ||
			 haul->undo.type == HAUL_ATTACH_EXTENT_RETIRE;
	const struct question question = { .message = is_buffer ? (void *)&buffer : &segment,
					   .bytes = is_buffer ? sizeof(buffer) : sizeof(segment),
					   .type = haul->undo.type };
	struct answer answer;
	int error;

	error = ask_send(haul, &question, deadline_ns);
	if (error != 0)
		return error;
	haul->undo.is_asked = true;
	error = ask_await(haul, &answer, deadline_ns);
	if (error != 0)
		return error;
	seqpacket_close_fds(answer.fds, answer.fd_count);
	return ask_undone(haul, &answer);
}

_Static_assert(sizeof(struct haul_attach_segment_destroy) ==
			       sizeof(struct haul_attach_segment_close) &&
		       offsetof(struct haul_attach_segment_destroy, segment) ==
			       offsetof(struct haul_attach_segment_close, handle),
	       "ask_undo sends one for the other");

/* Bring the socket to where no request is open and nothing has to be given back. */
static int ask_settle(struct haul *haul, uint64_t deadline_ns)
{
	struct answer answer;
	int error;

	if (haul->asked.request != 0) {
		error = ask_await(haul, &answer, deadline_ns);
		if (error != 0)
			return error;
		ask_take_late(haul, &answer);
	}
	return haul->undo.type != 0 ? ask_undo(haul, deadline_ns) : 0;
}

/* The daemon said no: keep its sentence. */
static int ask_refused(struct haul *haul, struct answer *answer)
{
	struct haul_attach_plain_answer *plain = &answer->message.plain;
	uint32_t status = plain->frame.status;

	seqpacket_close_fds(answer->fds, answer->fd_count);
	if (status >= HAUL_ERROR_COUNT)
		return client_give_up(haul, HAUL_INTERNAL,
				      "the daemon's answer has a status that is not known");
	plain->answer.reason[sizeof(plain->answer.reason) - 1] = 0;
	return client_fail(haul, (enum haul_error)status, "%s",
			   plain->answer.reason[0] != 0 ? plain->answer.reason
							: error_text((int)status));
}

int ask_exchange(struct haul *haul, const struct question *question, struct answer *answer,
		 uint64_t deadline_ns)
{
	int error;

	if (haul->is_gone)
		return client_disconnected(haul);
	error = ask_settle(haul, deadline_ns);
	if (error == 0)
		error = ask_send(haul, question, deadline_ns);
	if (error == 0)
		error = ask_await(haul, answer, deadline_ns);
	if (error != 0)
		return error;
	if (answer->message.frame.status != HAUL_OK)
		return ask_refused(haul, answer);
	if (answer->length == question->answer_bytes && answer->fd_count == question->answer_fds)
		return 0;
	seqpacket_close_fds(answer->fds, answer->fd_count);
	return client_give_up(
		haul, HAUL_INTERNAL,
		"the daemon's answer has another size or number of descriptors than it must");
}
