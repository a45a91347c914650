/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a request has one answer, in bounded time, whatever the control plane does: absent, silent, of another version,
 * gone in the middle, or talking nonsense. Descriptors that come along are never lost.
 * Method: the link alone on an event loop, and a control plane played by the test.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "control/link.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

struct fixture {
	char directory[64];
	char path[96];
	struct event_base *base;
	struct link link;
	int listener;
	int control;
	uint32_t connected;
	uint32_t versions;
	uint32_t pings;
	int fds_before;
	uint32_t answers;
	enum haul_error status;
	uint64_t version;
	int fd;
	char reason[HAUL_REASON_BYTES];
};

static struct fixture *fixture;

static int fds_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void on_connected(void *context)
{
	((struct fixture *)context)->connected++;
}

static void on_version_seen(void *context, const struct haul_control_version_seen *message)
{
	((struct fixture *)context)->versions += (uint32_t)message->version;
}

static void on_ping(void *context, uint32_t request)
{
	((struct fixture *)context)->pings++;
	link_answer_ping(&((struct fixture *)context)->link, request);
}

static int on_table(void *context, uint32_t table, uint32_t *rows_out, uint32_t *row_bytes_out)
{
	(void)context;
	if (table != HAUL_TABLE_PEERS)
		return -HAUL_INVALID;
	*rows_out = 1;
	*row_bytes_out = 5;
	return memfd_from_bytes("table", "12345", 5);
}

static const struct link_events events = { on_connected, on_version_seen, on_ping, on_table };

static int setup(void **state)
{
	struct haul_control_hello hello = { .incarnation = 5, .node = "a" };

	(void)state;
	log_set_level((enum log_level) - 1); /* what is complained about here is meant */
	fixture = calloc(1, sizeof(*fixture));
	fixture->fds_before = fds_count();
	(void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/haul-unit-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/control", fixture->directory);
	fixture->listener = -1;
	fixture->control = -1;
	fixture->fd = -1;
	fixture->base = event_base_new();
	return link_open(&fixture->link, fixture->base, fixture->path, &hello, &events, fixture);
}

static void hang_up(void)
{
	if (fixture->control >= 0)
		close(fixture->control);
	fixture->control = -1;
}

static int teardown(void **state)
{
	(void)state;
	link_close(&fixture->link);
	link_close(&fixture->link);
	event_base_free(fixture->base);
	hang_up();
	if (fixture->listener >= 0)
		close(fixture->listener);
	unlink(fixture->path);
	rmdir(fixture->directory);
	assert_int_equal(fds_count(), fixture->fds_before);
	free(fixture);
	return 0;
}

#define AWAIT(condition)                                                 \
	do {                                                             \
		uint64_t until_us = clock_now_us() + 20 * 1000 * 1000;   \
		while (!(condition)) {                                   \
			assert_true(clock_now_us() < until_us);          \
			event_base_loop(fixture->base, EVLOOP_NONBLOCK); \
			usleep(20);                                      \
		}                                                        \
	} while (0)

static void listen_now(void)
{
	fixture->listener = seqpacket_listen(fixture->path, 0600);
	assert_true(fixture->listener >= 0);
}

/* The next message of the link. */
static struct haul_frame next_message(int *fd_out)
{
	union {
		struct haul_frame frame;
		uint8_t bytes[HAUL_FRAME_BYTES_MAX];
	} message;

	unsigned int fd_count = 0;
	ssize_t length;

	*fd_out = -1;
	AWAIT((length = seqpacket_receive(fixture->control, &message, sizeof(message), fd_out, 1,
					  &fd_count)) != -EAGAIN);
	assert_true(length > 0);
	return message.frame;
}

static void accept_link(void)
{
	struct haul_frame frame;
	int fd;

	AWAIT((fixture->control = seqpacket_accept(fixture->listener)) >= 0);
	frame = next_message(&fd);
	assert_int_equal(frame.type, HAUL_CONTROL_HELLO);
	assert_int_equal(frame.version, HAUL_CONTROL_VERSION);
}

static void say(uint16_t type, uint32_t request, uint32_t status, int fd)
{
	struct haul_control_answer answer = { .version = 7 };
	size_t length = type == HAUL_CONTROL_PING ? sizeof(answer.frame) : sizeof(answer);

	frame_fill(&answer.frame, HAUL_CONTROL_VERSION, type, (uint32_t)length, request);
	answer.frame.status = status;
	memset(answer.reason, 'r', sizeof(answer.reason)); /* it has no end */
	assert_int_equal(seqpacket_send(fixture->control, &answer, length, &fd, fd >= 0), 0);
}

static void greet(void)
{
	uint32_t before = fixture->connected;

	accept_link();
	say(HAUL_CONTROL_HELLO | HAUL_FRAME_ANSWER, 0, HAUL_OK, -1);
	AWAIT(fixture->connected > before);
}

static void on_answer(void *argument, const struct link_answer *answer)
{
	struct fixture *self = argument;

	self->answers++;
	self->status = answer->status;
	self->version = answer->version;
	self->fd = answer->fd;
	memcpy(self->reason, answer->reason, strlen(answer->reason) + 1);
}

static int ask_for(enum haul_control_type type, int fd)
{
	union {
		struct haul_control_segment segment;
		struct haul_control_open open;
	} message = { .segment.segment = "s" };

	return link_ask(&fixture->link, type, &message, fd, on_answer, fixture);
}

static void link_ask__is_answered(void **state)
{
	struct haul_frame frame;
	int fd = memfd_from_bytes("test", "x", 1);

	(void)state;
	listen_now();
	greet();
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_PUBLISH, fd), 0);
	frame = next_message(&fd);
	assert_int_equal(frame.type, HAUL_CONTROL_SEGMENT_PUBLISH);
	assert_true(fd >= 0);
	close(fd);
	say(HAUL_CONTROL_SEGMENT_PUBLISH | HAUL_FRAME_ANSWER, frame.request, HAUL_OK, -1);
	AWAIT(fixture->answers == 1);
	assert_int_equal(fixture->status, HAUL_OK);
	assert_int_equal(fixture->version, 7);
	assert_int_equal(fixture->fd, -1);
	/* Once more is once too many. */
	say(HAUL_CONTROL_SEGMENT_PUBLISH | HAUL_FRAME_ANSWER, frame.request, HAUL_OK, -1);
	say(HAUL_CONTROL_PING, 1, 0, -1);
	AWAIT(fixture->pings == 1);
	assert_int_equal(fixture->answers, 1);
}

static void link_ask__without_a_control_plane_ends_in_time(void **state)
{
	uint64_t began_us = clock_now_us();

	(void)state;
	fixture->link.request_ms = 50;
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, memfd_from_bytes("t", "x", 1)), 0);
	assert_int_equal(fixture->answers, 0);
	AWAIT(fixture->answers == 1);
	assert_true(clock_now_us() - began_us >= 50000);
	assert_int_equal(fixture->status, HAUL_UNAVAILABLE);
	assert_non_null(strstr(fixture->reason, "no control plane"));
	assert_non_null(strstr(fixture->reason, fixture->path));
}

static void link_ask__of_a_silent_control_plane_ends_in_time(void **state)
{
	struct haul_frame frame;
	int fd;

	(void)state;
	listen_now();
	greet();
	fixture->link.request_ms = 50;
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_OPEN, -1), 0);
	frame = next_message(&fd);
	AWAIT(fixture->answers == 1);
	assert_int_equal(fixture->status, HAUL_UNAVAILABLE);
	assert_non_null(strstr(fixture->reason, "has not answered"));
	/* Too late; what it brings is closed, which teardown counts. */
	fd = memfd_from_bytes("test", "x", 1);
	say(HAUL_CONTROL_SEGMENT_OPEN | HAUL_FRAME_ANSWER, frame.request, HAUL_OK, fd);
	say(HAUL_CONTROL_PING, 1, 0, fd);
	close(fd);
	AWAIT(fixture->pings == 1);
	assert_int_equal(fixture->answers, 1);
}

static void link_ask__is_sent_again_to_the_next_control_plane(void **state)
{
	struct haul_frame first;
	struct haul_frame again;
	int fd;

	(void)state;
	listen_now();
	greet();
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_PUBLISH, memfd_from_bytes("t", "x", 1)), 0);
	first = next_message(&fd);
	close(fd);
	hang_up();
	AWAIT(!fixture->link.is_greeted);
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	greet();
	again = next_message(&fd);
	assert_int_equal(again.request, first.request);
	assert_true(fd >= 0);
	close(fd);
	say(again.type | HAUL_FRAME_ANSWER, again.request, HAUL_OK, -1);
	again = next_message(&fd);
	assert_int_equal(again.type, HAUL_CONTROL_SEGMENT_ERASE);
	say(again.type | HAUL_FRAME_ANSWER, again.request, HAUL_NOT_FOUND, -1);
	AWAIT(fixture->answers == 2);
	assert_int_equal(fixture->status, HAUL_NOT_FOUND);
	assert_int_equal(fixture->connected, 2);
}

static void link_ask__waits_for_hello_to_be_answered(void **state)
{
	struct haul_frame frame;
	int fd;

	(void)state;
	listen_now();
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	accept_link();
	say(HAUL_CONTROL_PING, 1, 0, -1);
	AWAIT(fixture->pings == 1);
	assert_false(fixture->link.is_greeted);
	say(HAUL_CONTROL_HELLO | HAUL_FRAME_ANSWER, 0, HAUL_OK, -1);
	frame = next_message(&fd);
	assert_int_equal(frame.type, HAUL_CONTROL_SEGMENT_ERASE);
	say(frame.type | HAUL_FRAME_ANSWER, frame.request, HAUL_OK, -1);
	AWAIT(fixture->answers == 1);
}

static void link_ask__is_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < HAUL_CONTROL_REQUESTS_MAX; i++)
		assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, memfd_from_bytes("t", "x", 1)),
			 -HAUL_BUSY);
	link_close(&fixture->link);
	assert_int_equal(fixture->answers, HAUL_CONTROL_REQUESTS_MAX);
	assert_int_equal(fixture->status, HAUL_UNAVAILABLE);
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, memfd_from_bytes("t", "x", 1)),
			 -HAUL_BUSY);
}

/* The control plane does not read for a while: what did not fit its socket comes when it does. */
static void link_ask__goes_on_when_the_socket_was_full(void **state)
{
	int fd;

	(void)state;
	listen_now();
	greet();
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	assert_true(fixture->link.is_blocked);
	for (uint32_t i = 1; i <= 1000; i++)
		assert_int_equal(next_message(&fd).request, i);
	assert_int_equal(fixture->answers, 0);
}

static void link_hello__refused_is_tried_again_later(void **state)
{
	(void)state;
	listen_now();
	accept_link();
	say(HAUL_CONTROL_HELLO | HAUL_FRAME_ANSWER, 0, HAUL_VERSION, -1);
	AWAIT(fixture->link.fd < 0);
	assert_int_equal(fixture->connected, 0);
	assert_true(fixture->link.retry_ms > LINK_RETRY_MIN_MS);
	hang_up();
	greet();
	assert_int_equal(fixture->link.retry_ms, LINK_RETRY_MIN_MS);
}

static void link_receive__nonsense_ends_the_connection(void **state)
{
	struct {
		struct haul_frame frame;
		uint8_t rest[sizeof(struct haul_control_answer)];
	} message = { 0 };

	(void)state;
	listen_now();
	for (int i = 0; i < 7; i++) {
		size_t length = sizeof(struct haul_control_answer) + (size_t)(i == 6) - (i == 4);
		int fd = memfd_from_bytes("t", "x", 1);

		greet();
		frame_fill(&message.frame, HAUL_CONTROL_VERSION,
			   HAUL_CONTROL_SEGMENT_OPEN | HAUL_FRAME_ANSWER, (uint32_t)length, 1);
		message.frame.version += i == 0;
		message.frame.magic += i == 1;
		message.frame.length += i == 2;
		message.frame.type = i == 3 ? 0x7fff : message.frame.type;
		message.frame.reserved = i == 5;
		assert_int_equal(seqpacket_send(fixture->control, &message, length, &fd, 1), 0);
		close(fd);
		AWAIT(fixture->link.fd < 0);
		hang_up();
	}
}

static void link_receive__reserved_bytes_end_the_connection(void **state)
{
	struct haul_control_node_state node_state = { .reserved = 1 };
	struct haul_control_table table = { .table = HAUL_TABLE_PEERS, .reserved = 1 };

	(void)state;
	listen_now();
	greet();
	frame_fill(&node_state.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_NODE_STATE,
		   sizeof(node_state), 0);
	assert_int_equal(seqpacket_send(fixture->control, &node_state, sizeof(node_state), NULL, 0),
			 0);
	AWAIT(fixture->link.fd < 0);
	hang_up();
	greet();
	frame_fill(&table.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_TABLE, sizeof(table), 1);
	assert_int_equal(seqpacket_send(fixture->control, &table, sizeof(table), NULL, 0), 0);
	AWAIT(fixture->link.fd < 0);
}

static void link_answer__nonsense_in_it_is_made_sense_of(void **state)
{
	struct haul_frame frame;
	int fd;

	(void)state;
	listen_now();
	greet();
	assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	frame = next_message(&fd);
	/* Another type is no answer to it. */
	say(HAUL_CONTROL_SEGMENT_PUBLISH | HAUL_FRAME_ANSWER, frame.request, HAUL_OK, -1);
	say(HAUL_CONTROL_PING, 1, 0, -1);
	AWAIT(fixture->pings == 1);
	assert_int_equal(fixture->answers, 0);
	say(frame.type | HAUL_FRAME_ANSWER, frame.request, 4711, -1);
	AWAIT(fixture->answers == 1);
	assert_int_equal(fixture->status, HAUL_INTERNAL);
	assert_int_equal(strlen(fixture->reason), HAUL_REASON_BYTES - 1);
}

static void link_table__is_answered_with_rows_or_a_refusal(void **state)
{
	struct haul_control_table message = { .table = HAUL_TABLE_PEERS };
	struct haul_frame frame;
	int fd;

	(void)state;
	listen_now();
	greet();
	for (int i = 0; i < 2; i++) {
		frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_TABLE,
			   sizeof(message), 40);
		assert_int_equal(
			seqpacket_send(fixture->control, &message, sizeof(message), NULL, 0), 0);
		frame = next_message(&fd);
		assert_int_equal(frame.type, HAUL_CONTROL_TABLE | HAUL_FRAME_ANSWER);
		assert_int_equal(frame.request, 40);
		assert_int_equal(frame.status, i == 0 ? HAUL_OK : HAUL_INVALID);
		assert_int_equal(fd >= 0, i == 0);
		if (fd >= 0)
			close(fd);
		message.table = 99;
	}
}

static void ask_table(uint32_t request)
{
	struct haul_control_table message = { .table = HAUL_TABLE_PEERS };

	frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_TABLE, sizeof(message),
		   request);
	assert_int_equal(seqpacket_send(fixture->control, &message, sizeof(message), NULL, 0), 0);
}

/* Nobody reads what the link sends: its answers come, in order, when somebody does. */
static void link_table__waits_for_a_full_socket(void **state)
{
	struct haul_frame frame;
	int fd;

	(void)state;
	listen_now();
	greet();
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	assert_true(fixture->link.is_blocked);
	for (uint32_t i = 1; i <= 3; i++)
		ask_table(2000 + i);
	say(HAUL_CONTROL_PING, 2004, 0, -1);
	AWAIT(fixture->link.owed_count == 4);
	for (uint32_t i = 1; i <= 4; i++) {
		do {
			frame = next_message(&fd);
		} while (frame.type == HAUL_CONTROL_SEGMENT_ERASE);
		assert_int_equal(frame.request, 2000 + i);
		assert_int_equal(frame.type, (i < 4 ? HAUL_CONTROL_TABLE : HAUL_CONTROL_PING) |
						     HAUL_FRAME_ANSWER);
		assert_int_equal(fd >= 0, i < 4);
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(fixture->link.owed_count, 0);
}

static void link_table__who_asks_and_never_reads_is_cut_off(void **state)
{
	(void)state;
	listen_now();
	greet();
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ask_for(HAUL_CONTROL_SEGMENT_ERASE, -1), 0);
	for (uint32_t i = 0; i < LINK_OWED_MAX; i++)
		ask_table(i);
	AWAIT(fixture->link.owed_count == LINK_OWED_MAX);
	ask_table(LINK_OWED_MAX);
	AWAIT(fixture->link.fd < 0);
	assert_int_equal(fixture->link.owed_count, 0);
}

static void link_is_opening__knows_what_is_asked(void **state)
{
	struct haul_control_open open = { .rights = 1, .segment = "wanted" };

	(void)state;
	assert_int_equal(
		link_ask(&fixture->link, HAUL_CONTROL_SEGMENT_OPEN, &open, -1, on_answer, fixture),
		0);
	assert_true(link_is_opening(&fixture->link, "wanted"));
	assert_false(link_is_opening(&fixture->link, "want"));
	assert_false(link_is_opening(&fixture->link, "s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(link_ask__is_answered),
		CASE(link_ask__without_a_control_plane_ends_in_time),
		CASE(link_ask__of_a_silent_control_plane_ends_in_time),
		CASE(link_ask__is_sent_again_to_the_next_control_plane),
		CASE(link_ask__waits_for_hello_to_be_answered),
		CASE(link_ask__is_bounded),
		CASE(link_ask__goes_on_when_the_socket_was_full),
		CASE(link_hello__refused_is_tried_again_later),
		CASE(link_receive__nonsense_ends_the_connection),
		CASE(link_receive__reserved_bytes_end_the_connection),
		CASE(link_answer__nonsense_in_it_is_made_sense_of),
		CASE(link_table__is_answered_with_rows_or_a_refusal),
		CASE(link_table__waits_for_a_full_socket),
		CASE(link_table__who_asks_and_never_reads_is_cut_off),
		CASE(link_is_opening__knows_what_is_asked),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
