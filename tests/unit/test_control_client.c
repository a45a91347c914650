/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a client gets rings, or a sentence that says why not; whatever it sends costs nobody but itself; when it goes,
 * by whatever way, everything that was its own goes.
 * Method: raw messages on the attach socket of a whole node, without a control plane.
 */
#include "base/clock.h"
#include "base/ring.h"
#include "base/seqpacket.h"
#include "control/rings.h"
#include "node_rig.h"
#include "unit.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct node_rig *rig;

static int setup(void **state)
{
	(void)state;
	rig = node_rig_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_rig_stop(rig);
	return 0;
}

/* One HELLO on a connection of its own; returns its status, and the sentence. */
static enum haul_error hello(const struct haul_attach_hello *wish, char reason[HAUL_REASON_BYTES])
{
	struct haul_attach_hello message = *wish;
	union node_message answer;
	int fds[4];
	unsigned int fd_count;
	int fd = client_connect(rig);

	client_send(fd, HAUL_ATTACH_HELLO, &message, sizeof(message), 77);
	assert_true(client_receive(rig, fd, &answer, fds, &fd_count) > 0);
	assert_int_equal(answer.frame.request, 77);
	assert_int_equal(answer.frame.type, HAUL_ATTACH_HELLO | HAUL_FRAME_ANSWER);
	seqpacket_close_fds(fds, fd_count);
	close(fd);
	memcpy(reason, answer.plain.answer.reason, HAUL_REASON_BYTES);
	return (enum haul_error)answer.frame.status;
}

static void expect_refused(const struct haul_attach_hello *wish, enum haul_error status,
			   const char *words)
{
	char reason[HAUL_REASON_BYTES];

	assert_int_equal(hello(wish, reason), status);
	if (strstr(reason, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", reason, words);
}

static void client_hello__brings_rings(void **state)
{
	struct node_client client;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 16);
	assert_int_equal(client.entries_count, 16);
	assert_int_equal(client.completions_count, 32);
	assert_int_equal(rig->node.clients.channels, 1);
	client_die(&client);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	assert_int_equal(rig->node.clients.channels, 0);
	client_attach(rig, &client, 0);
	assert_int_equal(client.entries_count, rig->conf.channel_entries);
	client_die(&client);
}

static void client_hello__is_refused_with_a_sentence(void **state)
{
	struct haul_attach_hello wish = { .abi_version = HAUL_ABI_VERSION + 1 };
	static const uint32_t sizes[] = { 1, 3, 65, HAUL_RING_ENTRIES_MAX * 2, UINT32_MAX };

	(void)state;
	node_rig_start(rig);
	expect_refused(&wish, HAUL_VERSION, "version 4, the daemon's is 3");
	wish.abi_version = 0;
	expect_refused(&wish, HAUL_VERSION, "version 0, the daemon's is 3");
	wish.abi_version = HAUL_ABI_VERSION;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		wish.entries = sizes[i];
		expect_refused(&wish, HAUL_INVALID, "power of two");
	}
	wish.entries = 0;
	memset(wish.name, 'x', sizeof(wish.name));
	expect_refused(&wish, HAUL_INVALID, "has no end");
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

static void client_hello__is_bounded_by_quota_and_daemon(void **state)
{
	struct haul_attach_hello wish = { .abi_version = HAUL_ABI_VERSION };
	struct node_client clients[2];

	(void)state;
	rig->conf.channels_max = 2;
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 1, .segments = 9, .buffers = 9, .bytes = 1
	};
	node_rig_start(rig);
	client_attach(rig, &clients[0], 2);
	expect_refused(&wish, HAUL_QUOTA, "has 1 channels and asks for 1 more; it may have 1");
	rig->conf.quotas[0].channels = 9;
	client_attach(rig, &clients[1], 2);
	expect_refused(&wish, HAUL_BUSY, "all 2 channels");
	client_die(&clients[0]);
	NODE_AWAIT(rig, rig->node.clients.channels == 1);
	client_attach(rig, &clients[0], 2);
	client_die(&clients[0]);
	client_die(&clients[1]);
}

static void client_request__malformed_ones_are_answered(void **state)
{
	struct node_client client;
	union node_message message;
	union node_message answer;
	int fds[4];
	unsigned int fd_count;
	struct haul_frame *frame = &message.frame;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 2);
	memset(&message, 0, sizeof(message));
	/* Length, version, magic, reserved bytes, type. */
	for (int i = 0; i < 6; i++) {
		size_t length = sizeof(*frame) + (i == 5 ? 3 : 0);

		frame_fill(frame, HAUL_ATTACH_VERSION, HAUL_ATTACH_SEGMENT_OPEN, (uint32_t)length,
			   9);
		frame->length += i == 0;
		frame->version += i == 1;
		frame->magic += i == 2;
		frame->reserved += i == 3;
		frame->type = i == 4 ? 99 : frame->type;
		assert_int_equal(seqpacket_send(client.fd, &message, length, NULL, 0), 0);
		assert_true(client_receive(rig, client.fd, &answer, fds, &fd_count) > 0);
		assert_int_equal(answer.frame.status, i == 1 ? HAUL_VERSION : HAUL_INVALID);
		assert_int_not_equal(strlen(answer.plain.answer.reason), 0);
	}
	assert_int_equal(seqpacket_send(client.fd, "short", 5, NULL, 0), 0);
	assert_true(client_receive(rig, client.fd, &answer, fds, &fd_count) > 0);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	/* The client is still served. */
	client_ask(rig, &client, HAUL_ATTACH_HELLO, &message, sizeof(struct haul_attach_hello),
		   &answer);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	assert_non_null(strstr(answer.plain.answer.reason, "a channel already"));
	client_die(&client);
}

static void client_request__before_hello_is_refused(void **state)
{
	struct haul_attach_segment_open message = { .rights = HAUL_RIGHT_READ };
	union node_message answer;
	int fds[4];
	unsigned int fd_count;
	int fd;

	(void)state;
	node_rig_start(rig);
	fd = client_connect(rig);
	client_send(fd, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), 1);
	assert_true(client_receive(rig, fd, &answer, fds, &fd_count) > 0);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	assert_non_null(strstr(answer.plain.answer.reason, "HELLO"));
	close(fd);
}

/* What is no message at all, or brings descriptors, ends the connection; nothing of it stays. */
static void client_request__what_cannot_be_answered_ends_it(void **state)
{
	static uint8_t bytes[HAUL_FRAME_BYTES_MAX + 1];
	union node_message answer;
	int fds[4] = { 0, 1, 2, 0 };
	unsigned int fd_count;
	int fd;

	(void)state;
	node_rig_start(rig);
	fd = client_connect(rig);
	assert_int_equal(seqpacket_send(fd, bytes, sizeof(bytes), NULL, 0), 0);
	assert_int_equal(client_receive(rig, fd, &answer, fds, &fd_count), 0);
	close(fd);
	fd = client_connect(rig);
	fds[0] = fd;
	assert_int_equal(seqpacket_send(fd, bytes, 64, fds, 1), 0);
	assert_int_equal(client_receive(rig, fd, &answer, fds, &fd_count), 0);
	close(fd);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

static void client_request__two_at_once_end_it(void **state)
{
	struct haul_attach_segment_open message = { .rights = HAUL_RIGHT_READ, .name = "s" };
	struct node_client client;
	union node_message answer;
	int fds[4];
	unsigned int fd_count;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 2);
	client_send(client.fd, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), 1);
	client_send(client.fd, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), 2);
	assert_int_equal(client_receive(rig, client.fd, &answer, fds, &fd_count), 0);
	NODE_AWAIT(rig, client.header->state == HAUL_CHANNEL_CLOSED);
	assert_non_null(strstr((char *)client.header->reason, "second request"));
	client_die(&client);
}

static void client_broken__hears_why_and_is_ended(void **state)
{
	struct node_client clients[2];
	struct haul_entry nop = { .opcode = HAUL_OP_NOP, .user_data = 5 };
	union node_message answer;
	int fds[4];
	unsigned int fd_count;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &clients[0], 4);
	client_attach(rig, &clients[1], 4);
	clients[0].header->submission_tail.value = 1000;
	eventfd_write(clients[0].doorbell_fd, 1);
	assert_int_equal(client_receive(rig, clients[0].fd, &answer, fds, &fd_count), 0);
	assert_int_equal(clients[0].header->state, HAUL_CHANNEL_CLOSED);
	assert_int_equal(clients[0].header->error, HAUL_INVALID);
	assert_non_null(strstr((char *)clients[0].header->reason, "submission_tail"));
	/* The other one has not noticed. */
	client_submit(&clients[1], &nop);
	assert_int_equal(client_reap(rig, &clients[1]).user_data, 5);
	client_die(&clients[0]);
	client_die(&clients[1]);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

/* Rings whose memory the client has taken away: the worker goes on with zeroes, the client is ended. */
static void client_rings__that_vanish_end_the_client(void **state)
{
	struct node_client client;
	union node_message answer;
	struct client *inside;
	int fds[4];
	unsigned int fd_count;
	int gone = memfd_create("gone", MFD_CLOEXEC);

	(void)state;
#ifdef __SANITIZE_THREAD__
	close(gone);
	node_rig_start(rig);
	skip(); /* to it mapping something else is a write without a lock */
#endif
	node_rig_start(rig);
	client_attach(rig, &client, 2);
	inside = TAILQ_FIRST(&rig->node.clients.list);
	/* No client can do this to sealed memory of small pages; huge ones that run out do it. */
	assert_int_equal(ftruncate(gone, 4096), 0);
	assert_ptr_equal(mmap(inside->rings->channel.header, 4096, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, gone, 0),
			 inside->rings->channel.header);
	assert_int_equal(ftruncate(gone, 0), 0);
	close(gone);
	assert_int_equal(client_receive(rig, client.fd, &answer, fds, &fd_count), 0);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	client_die(&client);
}

/* The daemon's descriptors run out: it neither spins nor dies, and serves again when there are some. */
static void client_accept__rests_when_descriptors_run_out(void **state)
{
	struct rlimit limit;
	struct rlimit tight;
	struct node_client client;
	int fd;
	uint32_t turns = 0;

	(void)state;
	node_rig_start(rig);
	fd = client_connect(rig);
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (uint64_t until_us = clock_now_us() + 100000; clock_now_us() < until_us; turns++)
		event_base_loop(rig->node.base, EVLOOP_ONCE);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_in_range(turns, 1, 60);
	assert_true(TAILQ_EMPTY(&rig->node.clients.list));
	NODE_AWAIT(rig, !TAILQ_EMPTY(&rig->node.clients.list));
	close(fd);
	client_attach(rig, &client, 2);
	client_die(&client);
}

static void client_strangers__are_bounded(void **state)
{
	int fds[40];
	uint32_t ended = 0;

	(void)state;
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 4, .segments = 9, .buffers = 9, .bytes = 1
	};
	node_rig_start(rig);
	for (int i = 0; i < 40; i++) {
		fds[i] = client_connect(rig);
		node_rig_turn(rig);
	}
	node_rig_rest(rig, 10000);
	for (int i = 0; i < 40; i++) {
		char byte;

		ended += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
		close(fds[i]);
	}
	assert_int_equal(ended, 20);
}

static void client_death__while_operations_are_open(void **state)
{
	struct node_client client;
	struct haul_entry entry = { .opcode = HAUL_OP_NOP };

	(void)state;
	node_rig_start(rig);
	for (int i = 0; i < 50; i++) {
		client_attach(rig, &client, 64);
		for (int j = 0; j < 60; j++)
			client_submit(&client, &entry);
		client_die(&client);
		node_rig_turn(rig);
	}
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

static void client_stop__with_clients_attached(void **state)
{
	struct node_client clients[5];
	union node_message answer;
	int fds[4];
	unsigned int fd_count;
	int stranger;

	(void)state;
	node_rig_start(rig);
	for (int i = 0; i < 5; i++)
		client_attach(rig, &clients[i], 8);
	stranger = client_connect(rig);
	node_rig_turn(rig);
	client_stop(&rig->node);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(client_receive(rig, clients[i].fd, &answer, fds, &fd_count), 0);
		NODE_AWAIT(rig, clients[i].header->state == HAUL_CHANNEL_CLOSED);
		assert_int_equal(clients[i].header->error, HAUL_DISCONNECTED);
		client_die(&clients[i]);
	}
	close(stranger);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

/* Nobody has turned the loop for what the worker gave back: node_destroy does without. */
static void node_destroy__frees_what_was_not_wound_down(void **state)
{
	struct node_client clients[3];

	(void)state;
	node_rig_start(rig);
	for (int i = 0; i < 3; i++)
		client_attach(rig, &clients[i], 8);
	client_die(&clients[1]);
	node_rig_turn(rig);
	client_die(&clients[0]);
	client_die(&clients[2]);
	node_rig_stop(rig);
	rig = node_rig_make();
	node_rig_start(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(client_hello__brings_rings),
		CASE(client_hello__is_refused_with_a_sentence),
		CASE(client_hello__is_bounded_by_quota_and_daemon),
		CASE(client_request__malformed_ones_are_answered),
		CASE(client_request__before_hello_is_refused),
		CASE(client_request__what_cannot_be_answered_ends_it),
		CASE(client_request__two_at_once_end_it),
		CASE(client_broken__hears_why_and_is_ended),
		CASE(client_rings__that_vanish_end_the_client),
		CASE(client_accept__rests_when_descriptors_run_out),
		CASE(client_strangers__are_bounded),
		CASE(client_death__while_operations_are_open),
		CASE(client_stop__with_clients_attached),
		CASE(node_destroy__frees_what_was_not_wound_down),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
