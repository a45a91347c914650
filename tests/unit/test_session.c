/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a session may be destroyed in any of its events, also with more messages to take, and then nothing more is told of
 * it. Method: a socket pair; AddressSanitizer sees a look at what is freed.
 */
#include "base/seqpacket.h"
#include "controlplane/link/session.h"
#include "unit.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

static struct session *session;
static unsigned int told;

static void on_message(void *arg, struct session *from, const struct haul_frame *frame, int fd)
{
	(void)arg;
	(void)frame;
	assert_int_equal(fd, -1);
	told++;
	session_destroy(from);
	session = NULL;
}

static void on_closed(void *arg, struct session *from)
{
	(void)arg;
	told++;
	session_destroy(from);
	session = NULL;
}

static void on_drained(void *arg, struct session *from)
{
	(void)arg;
	(void)from;
	fail();
}

static const struct session_events events = { on_message, on_closed, on_drained, NULL };

static void expect_one_event(const void *bytes, size_t length)
{
	struct event_base *base = event_base_new();
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(session_create(base, pair[0], &events, &session), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(seqpacket_send(pair[1], bytes, length, NULL, 0), 0);
	told = 0;
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(told, 1);
	assert_null(session);
	close(pair[1]);
	event_base_free(base);
}

static void session_destroy__in_a_message(void **state)
{
	struct haul_frame frame;

	(void)state;
	frame_fill(&frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_HELLO, sizeof(frame), 1);
	expect_one_event(&frame, sizeof(frame));
}

static void session_destroy__when_closed(void **state)
{
	(void)state;
	expect_one_event("no frame", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_destroy__in_a_message),
		cmocka_unit_test(session_destroy__when_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
