/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a segment's memory is there when its client is told so, refused when it is told that it is its own again, and
 * gone, with its record, however the client goes and whatever the control plane answers.
 * Method: a whole node; client and control plane are played by the test.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "node_rig.h"
#include "unit.h"

#include <event2/event.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYTES 65536u

static struct node_rig *rig;
static struct node_client client;

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

static void start(void)
{
	control_listen(rig);
	node_rig_start(rig);
	control_greet(rig);
	client_attach(rig, &client, 8);
}

/* Refused as malformed or too much, without the control plane being asked. */
static void expect_refused(const struct haul_attach_segment_create *wish, enum haul_error status,
			   const char *words)
{
	struct haul_attach_segment_create message = *wish;
	union node_message answer;

	client_ask(rig, &client, HAUL_ATTACH_SEGMENT_CREATE, &message, sizeof(message), &answer);
	assert_int_equal(answer.frame.status, status);
	if (strstr(answer.plain.answer.reason, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", answer.plain.answer.reason, words);
}

/* The next publication, whose one buffer is in that state; it is to be answered. */
static void expect_state(uint32_t state, union node_message *request_out)
{
	void *bytes = NULL;
	size_t length;
	int fd;

	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, request_out, &fd);
	assert_int_equal(memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &length), 0);
	close(fd);
	assert_int_equal(descriptor_buffers(bytes)->state, state);
	free(bytes);
}

static void segment_create__private_needs_no_control_plane(void **state)
{
	uint8_t *address;
	uint64_t region;
	uint32_t segment;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	address = client_create_private(rig, &client, BYTES - 1, &region, &segment);
	memset(address, 1, BYTES);
	assert_int_equal(region_check_local(&rig->node.engine.regions, region,
					    TAILQ_FIRST(&rig->node.clients.list)->number, 0, BYTES),
			 HAUL_OK);
	assert_int_equal(client_destroy(rig, &client, segment + 1, 0), HAUL_NOT_FOUND);
	assert_int_equal(client_destroy(rig, &client, segment, 1), HAUL_INVALID);
	assert_int_equal(client_destroy(rig, &client, segment, 0), HAUL_OK);
	/* It is the client's own again: nothing here reaches it. */
	assert_int_equal(region_check_local(&rig->node.engine.regions, region, 1, 0, 1),
			 HAUL_STALE);
	assert_int_equal(client_destroy(rig, &client, segment, 0), HAUL_NOT_FOUND);
	assert_true(TAILQ_EMPTY(&rig->node.segments));
	munmap(address, BYTES);
	client_die(&client);
}

static void segment_create__publishes_a_whole_descriptor(void **state)
{
	int fd;
	uint32_t segment;
	void *bytes = NULL;
	size_t length;
	char reason[HAUL_REASON_BYTES];
	const struct haul_descriptor *descriptor;
	void *address;

	(void)state;
	start();
	address = client_publish(rig, &client, "segment/one", BYTES, &fd, &segment);
	assert_int_equal(memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &length), 0);
	close(fd);
	assert_int_equal(descriptor_check(bytes, length, reason), 0);
	descriptor = bytes;
	assert_string_equal(descriptor->segment, "segment/one");
	assert_string_equal(descriptor->node, "a");
	assert_string_equal(descriptor->tenant, "default");
	assert_int_equal(descriptor->bytes, BYTES);
	assert_int_equal(descriptor->incarnation, rig->node.engine.options.incarnation);
	assert_int_equal(descriptor->buffer_count, 1);
	assert_int_equal(descriptor_buffers(descriptor)->length, BYTES);
	assert_int_equal(descriptor->address_count, 1);
	free(bytes);
	munmap(address, BYTES);
	client_die(&client);
}

static void segment_create__refuses_what_is_malformed(void **state)
{
	struct haul_attach_segment_create good = { .bytes = BYTES, .name = "s" };
	struct haul_attach_segment_create wish;
	void *address;
	int fd;
	uint32_t segment;

	(void)state;
	rig->conf.segment_bytes_max = BYTES;
	start();
	wish = good;
	wish.flags = 16;
	expect_refused(&wish, HAUL_INVALID, "unknown bits");
	wish = good;
	wish.reserved = 1;
	expect_refused(&wish, HAUL_INVALID, "unknown bits");
	wish = good;
	wish.name[0] = ' ';
	expect_refused(&wish, HAUL_INVALID, "name is not");
	memset(wish.name, 'x', sizeof(wish.name));
	expect_refused(&wish, HAUL_INVALID, "name is not");
	wish = good;
	memset(wish.readers, 'x', sizeof(wish.readers));
	expect_refused(&wish, HAUL_INVALID, "tenants separated by commas");
	wish = good;
	wish.writers[0] = ',';
	expect_refused(&wish, HAUL_INVALID, "tenants separated by commas");
	wish = good;
	wish.bytes = 0;
	expect_refused(&wish, HAUL_INVALID, "are allowed");
	wish.bytes = BYTES + 1;
	expect_refused(&wish, HAUL_INVALID, "are allowed");
	wish.bytes = UINT64_MAX;
	expect_refused(&wish, HAUL_INVALID, "are allowed");
	address = client_publish(rig, &client, "s", BYTES, &fd, &segment);
	close(fd);
	expect_refused(&good, HAUL_EXISTS, "has one of that name");
	munmap(address, BYTES);
	client_die(&client);
}

static void segment_create__is_bounded_by_quota_and_daemon(void **state)
{
	struct haul_attach_segment_create wish = { .bytes = 4097,
						   .flags = HAUL_SEGMENT_PRIVATE,
						   .name = "s" };
	void *addresses[2];
	uint64_t region;
	uint32_t segments[2];

	(void)state;
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 9, .segments = 9, .buffers = 9, .bytes = 3 * 4096
	};
	start();
	addresses[0] = client_create_private(rig, &client, 4097, &region, &segments[0]);
	/* 4097 bytes are two pages: what is counted is what is taken. */
	expect_refused(&wish, HAUL_QUOTA, "1 segments with 8192 bytes");
	addresses[1] = client_create_private(rig, &client, 4096, &region, &segments[1]);
	rig->conf.quotas[0].bytes = UINT64_MAX;
	rig->conf.quotas[0].segments = 2;
	expect_refused(&wish, HAUL_QUOTA, "it may have 2");
	rig->conf.quotas[0].segments = 9;
	rig->conf.segments_max = 2;
	expect_refused(&wish, HAUL_BUSY, "all 2 segments");
	assert_int_equal(client_destroy(rig, &client, segments[0], 0), HAUL_OK);
	munmap(addresses[0], 8192);
	addresses[0] = client_create_private(rig, &client, 4097, &region, &segments[0]);
	munmap(addresses[0], 8192);
	munmap(addresses[1], 4096);
	client_die(&client);
}

/* All clients of a user together, and each refusal has what is there, what is asked for, and the limit. */
static void segment_create__counts_all_clients_of_a_user(void **state)
{
	struct haul_attach_segment_create wish = { .bytes = 8192,
						   .flags = HAUL_SEGMENT_PRIVATE,
						   .name = "s" };
	struct haul_attach_hello hello = { .abi_version = HAUL_ABI_VERSION, .name = "third" };
	struct node_client other;
	union node_message answer;
	uint64_t region;
	uint32_t segment;
	char words[HAUL_REASON_BYTES];
	int third;

	(void)state;
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = getuid(), .channels = 2, .segments = 9, .buffers = 9, .bytes = 4 * 4096
	};
	start();
	client_attach(rig, &other, 8);
	munmap(client_create_private(rig, &other, 12288, &region, &segment), 12288);
	(void)snprintf(words, sizeof(words),
		       "uid %u has 1 segments with 12288 bytes and asks for 1 more with 8192; it "
		       "may have 9 with 16384",
		       getuid());
	expect_refused(&wish, HAUL_QUOTA, words);
	third = client_connect(rig);
	client_send(third, HAUL_ATTACH_HELLO, &hello, sizeof(hello), 1);
	assert_true(client_receive(rig, third, &answer, (int[4]){ 0 }, &(unsigned int){ 0 }) > 0);
	assert_int_equal(answer.frame.status, HAUL_QUOTA);
	(void)snprintf(words, sizeof(words),
		       "uid %u has 2 channels and asks for 1 more; it may have 2", getuid());
	assert_string_equal(answer.plain.answer.reason, words);
	close(third);
	/* What the other one had is there again when it has gone. */
	client_die(&other);
	NODE_AWAIT(rig, rig->node.clients.channels == 1 && TAILQ_EMPTY(&rig->node.segments));
	munmap(client_create_private(rig, &client, 8192, &region, &segment), 8192);
	client_die(&client);
}

static void segment_create__says_when_pages_are_not_to_be_had(void **state)
{
	struct haul_attach_segment_create wish = { .bytes = INT64_C(1) << 45,
						   .flags = HAUL_SEGMENT_PRIVATE,
						   .name = "huge" };

	(void)state;
	rig->conf.huge_pages = CONF_HUGE_REQUIRE;
	rig->conf.segment_bytes_max = UINT64_MAX / 4;
	start();
	expect_refused(&wish, HAUL_SYSTEM, "huge_pages is \"require\"");
	NODE_AWAIT(rig, TAILQ_EMPTY(&rig->node.segments));
	client_die(&client);
}

static void segment_create__refused_by_redis_leaves_nothing(void **state)
{
	union node_message message;
	void *address;
	int fd;

	(void)state;
	start();
	client_create_send(&client, "taken", BYTES, 0);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	control_answer(rig, &message, HAUL_EXISTS, -1);
	assert_int_equal(client_create_finish(rig, &client, &message, &address), HAUL_EXISTS);
	assert_string_equal(message.plain.answer.reason, "said the test");
	/* Nor is the other's record erased. */
	NODE_AWAIT(rig, TAILQ_EMPTY(&rig->node.segments));
	assert_int_equal(rig->node.link.request_count, 0);
	client_die(&client);
}

/* The same for one without a buffer, which is over at once: it goes once, and those that come after it are whole. */
static void segment_create__refused_by_redis_without_a_buffer(void **state)
{
	struct haul_attach_segment_create wish = { .space_bytes = BYTES, .name = "taken" };
	union node_message message;
	uint32_t segment;
	void *address;
	int fd;

	(void)state;
	start();
	client_send(client.fd, HAUL_ATTACH_SEGMENT_CREATE, &wish, sizeof(wish), ++client.request);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	control_answer(rig, &message, HAUL_EXISTS, -1);
	assert_true(client_receive(rig, client.fd, &message, (int[4]){ 0 }, &(unsigned int){ 0 }) >
		    0);
	assert_int_equal(message.frame.status, HAUL_EXISTS);
	address = client_publish(rig, &client, "free", BYTES, &fd, &segment);
	close(fd);
	NODE_AWAIT(rig, TAILQ_EMPTY(&rig->node.segments_over));
	assert_int_equal(TAILQ_FIRST(&rig->node.segments)->number, segment);
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->segments, 1);
	munmap(address, BYTES);
	client_die(&client);
}

/* The client does not take the sentence of the refusal: it is ended within it, with all that it has. */
static void segment_create__refused_to_a_client_that_does_not_listen(void **state)
{
	union node_message message;
	int fd;

	(void)state;
	start();
	client_create_send(&client, "taken", BYTES, 0);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	shutdown(client.fd, SHUT_RD);
	control_answer(rig, &message, HAUL_EXISTS, -1);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	client_die(&client);
}

static void segment_create__without_control_plane_ends_in_time(void **state)
{
	union node_message message;
	void *address;
	int fd;

	(void)state;
	node_rig_start(rig);
	rig->node.link.request_ms = 100;
	client_attach(rig, &client, 8);
	client_create_send(&client, "s", BYTES, 0);
	assert_int_equal(client_create_finish(rig, &client, &message, &address), HAUL_UNAVAILABLE);
	/* It may have got through: its record is erased as soon as there is somebody to ask. */
	control_listen(rig);
	control_greet(rig);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	control_answer(rig, &message, HAUL_NOT_FOUND, -1);
	NODE_AWAIT(rig, TAILQ_EMPTY(&rig->node.segments));
	client_die(&client);
}

static void segment_destroy__drains_before_it_erases(void **state)
{
	struct haul_attach_segment_destroy message;
	union node_message request;
	void *address;
	int fds[4];
	unsigned int fd_count;
	uint64_t region;
	uint32_t segment;

	(void)state;
	start();
	address = client_publish(rig, &client, "s", BYTES, &fds[0], &segment);
	close(fds[0]);
	region = TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers)->region;
	message = (struct haul_attach_segment_destroy){ .segment = segment };
	client_send(client.fd, HAUL_ATTACH_SEGMENT_DESTROY, &message, sizeof(message), 9);
	expect_state(HAUL_BUFFER_DRAINING, &request);
	/* Nothing is refused before peers can know of it. */
	assert_int_equal(region_check_local(&rig->node.engine.regions, region,
					    TAILQ_FIRST(&rig->node.clients.list)->number, 0, BYTES),
			 HAUL_OK);
	control_answer(rig, &request, HAUL_UNAVAILABLE, -1);
	assert_true(client_receive(rig, client.fd, &request, fds, &fd_count) > 0);
	assert_int_equal(request.frame.status, HAUL_UNAVAILABLE);
	assert_non_null(strstr(request.plain.answer.reason, "stays as it was"));
	assert_int_equal(TAILQ_FIRST(&rig->node.segments)->state, SEGMENT_OPEN);
	/* What Redis may have is put right, and then it goes. */
	expect_state(HAUL_BUFFER_ACTIVE, &request);
	control_answer(rig, &request, HAUL_OK, -1);
	NODE_AWAIT(rig, !TAILQ_FIRST(&rig->node.segments)->is_publishing);
	client_send(client.fd, HAUL_ATTACH_SEGMENT_DESTROY, &message, sizeof(message), 10);
	expect_state(HAUL_BUFFER_DRAINING, &request);
	control_answer(rig, &request, HAUL_OK, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &request, &fds[0]);
	assert_int_equal(region_check_local(&rig->node.engine.regions, region, 1, 0, 1),
			 HAUL_STALE);
	control_answer(rig, &request, HAUL_OK, -1);
	assert_true(client_receive(rig, client.fd, &request, fds, &fd_count) > 0);
	assert_int_equal(request.frame.status, HAUL_OK);
	assert_int_equal(request.frame.request, 10);
	munmap(address, BYTES);
	client_die(&client);
}

static void segment_death__erases_what_the_client_left_behind(void **state)
{
	union node_message message;
	void *address;
	int fd;
	uint32_t segment;
	uint64_t asked_us;

	(void)state;
	start();
	address = client_publish(rig, &client, "s", BYTES, &fd, &segment);
	close(fd);
	munmap(address, BYTES);
	client_die(&client);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	asked_us = clock_now_us();
	control_answer(rig, &message, HAUL_UNAVAILABLE, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	/* Redis is away: it is asked now and then, not all the time. */
	assert_true(clock_now_us() - asked_us > 500000);
	control_answer(rig, &message, HAUL_DENIED, -1); /* the name is another's: nothing to do */
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

/* In each state that a segment can be in. */
static void segment_death__at_every_moment(void **state)
{
	union node_message message;
	void *address;
	int fd;
	uint32_t segment;

	(void)state;
	start();
	client_create_send(&client, "made", 8u << 20, 0); /* while it is made */
	node_rig_turn(rig);
	client_die(&client);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	client_attach(rig, &client, 8);
	client_create_send(&client, "published", BYTES, 0);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	client_die(&client); /* while Redis is asked to publish */
	node_rig_rest(rig, 5000);
	control_answer(rig, &message, HAUL_OK, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	control_answer(rig, &message, HAUL_OK, -1);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	client_attach(rig, &client, 8);
	address = client_publish(rig, &client, "erased", BYTES, &fd, &segment);
	close(fd);
	munmap(address, BYTES);
	client_send(client.fd, HAUL_ATTACH_SEGMENT_DESTROY,
		    &(struct haul_attach_segment_destroy){ .segment = segment },
		    sizeof(struct haul_attach_segment_destroy), 1);
	expect_state(HAUL_BUFFER_DRAINING, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	client_die(&client); /* while Redis is asked to erase */
	node_rig_rest(rig, 5000);
	control_answer(rig, &message, HAUL_OK, -1);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
}

static void segment_publish_all__after_a_new_control_plane(void **state)
{
	union node_message message;
	void *address;
	int fd;
	uint32_t segment;

	(void)state;
	start();
	address = client_publish(rig, &client, "s", BYTES, &fd, &segment);
	close(fd);
	control_hang_up(rig);
	control_greet(rig);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	assert_int_equal(message.segment.version, rig->version - 1);
	control_answer(rig, &message, HAUL_OK, -1);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.segments)->version == rig->version);
	munmap(address, BYTES);
	client_die(&client);
}

/* A segment whose memory vanishes: its client is ended, and told why. */
/* The next publication ends so. */
static void publish_again(enum haul_error status)
{
	union node_message message;
	int fd;

	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	control_answer(rig, &message, status, -1);
}

static void segment_publish_all__refused_while_behind_comes_again(void **state)
{
	void *address;
	int fd;
	uint32_t segment;

	(void)state;
	start();
	address = client_publish(rig, &client, "s", BYTES, &fd, &segment);
	close(fd);
	control_hang_up(rig);
	control_greet(rig);
	publish_again(HAUL_UNAVAILABLE);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.segments)->is_behind);
	control_hang_up(rig);
	control_greet(rig);
	publish_again(HAUL_INVALID);
	/* After a while by itself. */
	publish_again(HAUL_OK);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.segments)->version == rig->version);
	assert_false(TAILQ_FIRST(&rig->node.segments)->is_behind);
	munmap(address, BYTES);
	client_die(&client);
}

static void segment_fault__ends_the_client(void **state)
{
	struct haul_entry entry = { .opcode = HAUL_OP_NOP };
	struct buffer *buffer;
	void *address;
	uint64_t region;
	uint32_t segment;
	int gone = memfd_create("gone", MFD_CLOEXEC);

	(void)state;
	start();
	address = client_create_private(rig, &client, BYTES, &region, &segment);
	buffer = TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers);
	/* No client can do this to sealed memory of small pages; huge ones that run out do it. */
	assert_int_equal(ftruncate(gone, BYTES), 0);
	assert_ptr_equal(mmap(buffer->pages.address, BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, gone, 0),
			 buffer->pages.address);
	assert_int_equal(ftruncate(gone, 0), 0);
	close(gone);
	assert_int_equal(*(volatile uint8_t *)buffer->pages.address, 0);
	NODE_AWAIT(rig, client.header->state == HAUL_CHANNEL_CLOSED);
	assert_int_equal(client.header->error, HAUL_FAULT);
	client_submit(&client, &entry);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	munmap(address, BYTES);
	client_die(&client);
}

/* Descriptors are what a daemon with many segments runs out of first: it keeps none of what it has handed over. */
static void segment_create__keeps_no_descriptor(void **state)
{
	void *addresses[10];
	uint64_t region;
	uint32_t segment;
	int before;

	(void)state;
	start();
	before = fds_count();
	for (int i = 0; i < 10; i++)
		addresses[i] = client_create_private(rig, &client, 4096, &region, &segment);
	assert_int_equal(fds_count(), before);
	for (int i = 0; i < 10; i++)
		munmap(addresses[i], 4096);
	client_die(&client);
}

/* The daemon stops with a segment in each state; nothing is turned any more. */
static void segment_stop__at_every_moment(void **state)
{
	struct node_client clients[4];
	union node_message message;
	void *address;
	int fd;
	uint32_t segment;

	(void)state;
	start();
	for (int i = 0; i < 4; i++)
		client_attach(rig, &clients[i], 8);
	client_create_send(&clients[0], "publishing", BYTES, 0);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, &fd);
	close(fd);
	address = client_publish(rig, &clients[1], "active", BYTES, &fd, &segment);
	close(fd);
	munmap(address, BYTES);
	address = client_publish(rig, &clients[2], "erasing", BYTES, &fd, &segment);
	close(fd);
	munmap(address, BYTES);
	client_send(clients[2].fd, HAUL_ATTACH_SEGMENT_DESTROY,
		    &(struct haul_attach_segment_destroy){ .segment = segment },
		    sizeof(struct haul_attach_segment_destroy), 1);
	expect_state(HAUL_BUFFER_DRAINING, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	client_create_send(&clients[3], "making", 16u << 20, 0);
	event_base_loop(rig->node.base, EVLOOP_NONBLOCK);
	for (int i = 0; i < 4; i++)
		client_die(&clients[i]);
	client_die(&client);
	/* And teardown stops it. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(segment_create__private_needs_no_control_plane),
		CASE(segment_create__publishes_a_whole_descriptor),
		CASE(segment_create__refuses_what_is_malformed),
		CASE(segment_create__is_bounded_by_quota_and_daemon),
		CASE(segment_create__counts_all_clients_of_a_user),
		CASE(segment_create__says_when_pages_are_not_to_be_had),
		CASE(segment_create__refused_by_redis_leaves_nothing),
		CASE(segment_create__refused_by_redis_without_a_buffer),
		CASE(segment_create__refused_to_a_client_that_does_not_listen),
		CASE(segment_create__without_control_plane_ends_in_time),
		CASE(segment_create__keeps_no_descriptor),
		CASE(segment_destroy__drains_before_it_erases),
		CASE(segment_death__erases_what_the_client_left_behind),
		CASE(segment_death__at_every_moment),
		CASE(segment_publish_all__after_a_new_control_plane),
		CASE(segment_publish_all__refused_while_behind_comes_again),
		CASE(segment_fault__ends_the_client),
		CASE(segment_stop__at_every_moment),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
