/* SPDX-License-Identifier: BSD-3-Clause */
/* One request and its answer on the attach socket, within a bounded time. */
#include "base/check.h"
#include "base/clock.h"
#include "base/ring.h"
#include "base/seqpacket.h"
#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* From here on the socket is out of step, so nothing more can be asked. */
static int ask_break(struct haul *haul, enum haul_error error, const char *what)
{
	haul->is_broken = true;
	return client_fail(haul, error, "%s", what);
}

/* Wait until the socket has something to read. Returns 0 or -HAUL_*. */
static int ask_wait(struct haul *haul, uint64_t deadline_us)
{
	struct pollfd poll_fd = { .fd = haul->socket_fd, .events = POLLIN };

	for (;;) {
		uint64_t now_us = clock_now_us();
		int left_ms = now_us < deadline_us ? (int)((deadline_us - now_us) / 1000) + 1 : 0;
		int count = poll(&poll_fd, 1, left_ms);

		if (count > 0)
			return 0;
		if (count == 0 && left_ms == 0)
			return ask_break(haul, HAUL_TIMEOUT, "the daemon has not answered in time");
		if (count < 0 && errno != EINTR)
			return ask_break(haul, HAUL_SYSTEM,
					 "the attach socket cannot be waited for");
	}
}

/* What is wrong with an answer that was received; 0 when it is the one that was waited for. */
static int ask_check(struct haul *haul, const struct client_call *call, size_t length,
		     unsigned int fd_count)
{
	const struct haul_frame *frame = call->answer;
	const struct haul_attach_answer *answer = (const void *)(frame + 1);
	char reason[HAUL_REASON_BYTES];
	int error;

	error = frame_check(frame, length, HAUL_ATTACH_VERSION,
			    sizeof(struct haul_attach_plain_answer), reason);
	if (error != 0)
		return ask_break(haul,
				 error < 0 ? (enum haul_error) - error : (enum haul_error)error,
				 reason);
	if (frame->type != (call->type | HAUL_FRAME_ANSWER) || frame->request != haul->request ||
	    memchr(answer->reason, 0, sizeof(answer->reason)) == NULL)
		return ask_break(haul, HAUL_INTERNAL, "the daemon answered something else");
	if (frame->status != HAUL_OK)
		return client_fail(haul,
				   frame->status < HAUL_ERROR_COUNT ? (enum haul_error)frame->status
								    : HAUL_INTERNAL,
				   "%s", answer->reason);
	if (length != call->answer_bytes || fd_count != call->fd_count)
		return ask_break(haul, HAUL_INTERNAL, "the daemon's answer is incomplete");
	return 0;
}

int client_ask(struct haul *haul, struct client_call *call)
{
	uint64_t deadline_us = clock_now_us() + haul->timeout_ms * 1000ull;
	unsigned int fd_count = 0;
	ssize_t length;
	int error;

	if (!client_is_own(haul))
		return client_fail(haul, HAUL_INVALID, "this attachment is the parent process's");
	if (haul->is_broken)
		return -HAUL_DISCONNECTED;
	frame_fill(call->message, HAUL_ATTACH_VERSION, call->type, (uint32_t)call->message_bytes,
		   ++haul->request);
	memset(call->answer, 0, call->answer_bytes);
	if (seqpacket_send(haul->socket_fd, call->message, call->message_bytes, NULL, 0) != 0)
		return ask_break(haul, HAUL_DISCONNECTED,
				 "the daemon has closed the attach socket");
	error = ask_wait(haul, deadline_us);
	if (error != 0)
		return error;
	length = seqpacket_receive(haul->socket_fd, call->answer, call->answer_bytes, call->fds,
				   HAUL_FRAME_FDS_MAX, &fd_count);
	if (length <= 0)
		return ask_break(haul, HAUL_DISCONNECTED,
				 "the daemon has closed the attach socket");
	error = ask_check(haul, call, (size_t)length, fd_count);
	if (error != 0)
		seqpacket_close_fds(call->fds, fd_count);
	return error;
}
