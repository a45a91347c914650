/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: buffers come to a segment that is in use, each at a place of its own, and are published with it; what is refused
 * leaves the segment as it was, and says why.
 * Method: a whole node; client and control plane are played by the test.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "node_rig.h"
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#define BYTES 65536u
#define SPACE (16u * BYTES)

static struct node_rig *rig;
static struct node_client client;

static int setup(void **state)
{
	(void)state;
	rig = node_rig_make();
	control_listen(rig);
	node_rig_start(rig);
	control_greet(rig);
	client_attach(rig, &client, 8);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_rig_stop(rig);
	return 0;
}

static bool all_gone(void)
{
	return TAILQ_EMPTY(&rig->node.clients.list) && TAILQ_EMPTY(&rig->node.segments) &&
	       STAILQ_EMPTY(&rig->node.quiesce.waiting);
}

/* The descriptor of the next publication, copied; the request is to be answered. */
static struct haul_descriptor *await_publication(union node_message *request_out)
{
	char reason[HAUL_REASON_BYTES];
	void *bytes = NULL;
	size_t length;
	int fd;

	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, request_out, &fd);
	assert_int_equal(memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &length), 0);
	close(fd);
	if (descriptor_check(bytes, length, reason) != 0)
		fail_msg("%s", reason);
	return bytes;
}

/* A published segment with room for more, and its first buffer if `bytes` is not 0. */
static uint32_t create(uint64_t bytes, uint32_t flags)
{
	struct haul_attach_segment_create message = {
		.bytes = bytes, .space_bytes = SPACE, .flags = flags, .name = "s"
	};
	union node_message answer;
	int fds[4];
	unsigned int fd_count;

	client_send(client.fd, HAUL_ATTACH_SEGMENT_CREATE, &message, sizeof(message),
		    ++client.request);
	if ((flags & HAUL_SEGMENT_PRIVATE) == 0) {
		free(await_publication(&answer));
		control_answer(rig, &answer, HAUL_OK, -1);
	}
	assert_true(client_receive(rig, client.fd, &answer, fds, &fd_count) > 0);
	assert_int_equal(answer.frame.status, HAUL_OK);
	assert_int_equal(fd_count, bytes > 0);
	assert_int_equal(answer.create.region == REGION_NONE, bytes == 0);
	seqpacket_close_fds(fds, fd_count);
	return answer.create.segment;
}

static void add_send(uint32_t segment, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	struct haul_attach_buffer_add message = {
		.segment = segment, .offset = offset, .bytes = bytes, .flags = flags
	};

	client_send(client.fd, HAUL_ATTACH_BUFFER_ADD, &message, sizeof(message), ++client.request);
}

static enum haul_error add_finish(union node_message *answer_out)
{
	int fds[4];
	unsigned int fd_count;

	assert_true(client_receive(rig, client.fd, answer_out, fds, &fd_count) > 0);
	assert_int_equal(answer_out->frame.request, client.request);
	assert_int_equal(fd_count, answer_out->frame.status == HAUL_OK);
	seqpacket_close_fds(fds, fd_count);
	return (enum haul_error)answer_out->frame.status;
}

/* Add one and have it published; returns its region. */
static uint64_t add(uint32_t segment, uint64_t offset, uint64_t bytes)
{
	union node_message message;

	add_send(segment, offset, bytes, 0);
	free(await_publication(&message));
	control_answer(rig, &message, HAUL_OK, -1);
	assert_int_equal(add_finish(&message), HAUL_OK);
	assert_int_equal(message.create.version, rig->version);
	assert_int_equal(message.create.segment, segment);
	if (offset != HAUL_OFFSET_ANY)
		assert_int_equal(message.create.offset, offset);
	return message.create.region;
}

static void expect_refused(uint32_t segment, uint64_t offset, uint64_t bytes, uint32_t flags,
			   enum haul_error status, const char *words)
{
	union node_message answer;

	add_send(segment, offset, bytes, flags);
	assert_int_equal(add_finish(&answer), status);
	if (strstr(answer.plain.answer.reason, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", answer.plain.answer.reason, words);
}

/* Its rows are ascending whatever the order in which they came, and each region is there for its owner. */
static void buffer_make__publishes_all_rows_in_order(void **state)
{
	uint32_t segment = create(BYTES, 0);
	union node_message message;
	struct haul_descriptor *descriptor;
	const struct haul_descriptor_buffer *rows;

	(void)state;
	add(segment, 4 * BYTES, BYTES);
	add_send(segment, 2 * BYTES, 5000, HAUL_SEGMENT_READ_ONLY);
	descriptor = await_publication(&message);
	assert_int_equal(message.segment.version, rig->version);
	rows = descriptor_buffers(descriptor);
	assert_int_equal(descriptor->buffer_count, 3);
	assert_int_equal(descriptor->bytes, SPACE);
	assert_int_equal(rows[0].offset, 0);
	assert_int_equal(rows[1].offset, 2 * BYTES);
	assert_int_equal(rows[1].length, 8192);
	assert_int_equal(rows[1].rights, HAUL_RIGHT_READ);
	assert_int_equal(rows[2].offset, 4 * BYTES);
	assert_int_equal(rows[2].rights, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	control_answer(rig, &message, HAUL_OK, -1);
	assert_int_equal(add_finish(&message), HAUL_OK);
	assert_int_equal(message.create.region, rows[1].region);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(region_check_local(&rig->node.engine.regions, rows[i].region,
						    TAILQ_FIRST(&rig->node.clients.list)->number, 0,
						    rows[i].length),
				 HAUL_OK);
	}
	free(descriptor);
	client_die(&client);
}

static void buffer_make__wherever_there_is_room(void **state)
{
	uint32_t segment = create(0, HAUL_SEGMENT_PRIVATE);
	union node_message answer;

	(void)state;
	add_send(segment, BYTES, BYTES, 0);
	assert_int_equal(add_finish(&answer), HAUL_OK);
	assert_int_equal(answer.create.version, 0);
	add_send(segment, HAUL_OFFSET_ANY, BYTES, 0);
	assert_int_equal(add_finish(&answer), HAUL_OK);
	assert_int_equal(answer.create.offset, 0);
	add_send(segment, HAUL_OFFSET_ANY, SPACE - 2 * BYTES, 0);
	assert_int_equal(add_finish(&answer), HAUL_OK);
	assert_int_equal(answer.create.offset, 2 * BYTES);
	expect_refused(segment, HAUL_OFFSET_ANY, 1, 0, HAUL_RANGE, "no 4096 bytes in a row");
	client_die(&client);
}

static void buffer_make__refuses_what_cannot_be(void **state)
{
	uint32_t segment = create(BYTES, 0);

	(void)state;
	expect_refused(segment, BYTES - 1, BYTES, 0, HAUL_EXISTS,
		       "65536 bytes at 65535 overlap the buffer of 65536 bytes at 0");
	expect_refused(segment, SPACE, 1, 0, HAUL_RANGE, "do not lie inside");
	expect_refused(segment, SPACE - 4095, 1, 0, HAUL_RANGE, "do not lie inside");
	expect_refused(segment, UINT64_MAX - 1, 4096, 0, HAUL_RANGE, "do not lie inside");
	expect_refused(segment, BYTES, 0, 0, HAUL_INVALID, "are allowed");
	expect_refused(segment, BYTES, UINT64_MAX, 0, HAUL_INVALID, "are allowed");
	expect_refused(segment, BYTES, 1, HAUL_SEGMENT_PRIVATE, HAUL_INVALID, "unknown bits");
	expect_refused(segment, BYTES, 1, 1u << 31, HAUL_INVALID, "unknown bits");
	expect_refused(segment, BYTES, 1, HAUL_SEGMENT_GIVEN, HAUL_INVALID, "no descriptor came");
	expect_refused(segment + 1, BYTES, 1, 0, HAUL_NOT_FOUND, "owns no segment");
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 9, .segments = 9, .buffers = 1, .bytes = SPACE
	};
	expect_refused(segment, BYTES, 1, 0, HAUL_QUOTA,
		       "has 1 buffers and asks for 1 more; it may have 1");
	rig->conf.quotas[0].buffers = 2;
	rig->conf.quotas[0].bytes = BYTES + 4095;
	expect_refused(segment, BYTES, 1, 0, HAUL_QUOTA, "it may have 9 with 69631");
	rig->conf.quota_count = 0;
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->buffers, 1);
	add(segment, BYTES, 1);
	client_die(&client);
}

static void buffer_make__space_that_cannot_be(void **state)
{
	const struct haul_attach_segment_create wishes[] = {
		{ .name = "s" },
		{ .name = "s", .bytes = 2 * BYTES, .space_bytes = BYTES },
		{ .name = "s", .bytes = BYTES, .space_bytes = HAUL_SPACE_BYTES_MAX + 1 },
		{ .name = "s", .space_bytes = SPACE, .flags = HAUL_SEGMENT_READ_ONLY },
	};
	union node_message answer;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct haul_attach_segment_create message = wishes[i];

		client_ask(rig, &client, HAUL_ATTACH_SEGMENT_CREATE, &message, sizeof(message),
			   &answer);
		assert_int_equal(answer.frame.status, HAUL_INVALID);
	}
	assert_true(TAILQ_EMPTY(&rig->node.segments));
	client_die(&client);
}

/* The row may be in the record all the same: it is written again without it. */
static void buffer_told__unavailable_leaves_the_others(void **state)
{
	uint32_t segment = create(BYTES, 0);
	struct haul_descriptor *descriptor;
	union node_message message;

	(void)state;
	add_send(segment, BYTES, BYTES, 0);
	free(await_publication(&message));
	control_answer(rig, &message, HAUL_UNAVAILABLE, -1);
	assert_int_equal(add_finish(&message), HAUL_UNAVAILABLE);
	descriptor = await_publication(&message);
	assert_int_equal(descriptor->buffer_count, 1);
	free(descriptor);
	control_answer(rig, &message, HAUL_OK, -1);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.segments)->buffer_count == 1);
	/* Its place is free again. */
	add(segment, BYTES, BYTES);
	client_die(&client);
}

/* A segment without a buffer goes like any other. */
static void buffer_make__none_at_first(void **state)
{
	uint32_t segment = create(0, 0);
	struct haul_attach_segment_destroy message = { .segment = segment };
	union node_message answer;
	int fd;

	(void)state;
	client_send(client.fd, HAUL_ATTACH_SEGMENT_DESTROY, &message, sizeof(message),
		    ++client.request);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &answer, &fd);
	control_answer(rig, &answer, HAUL_OK, -1);
	assert_true(client_receive(rig, client.fd, &answer, (int[4]){ 0 }, &(unsigned int){ 0 }) >
		    0);
	assert_int_equal(answer.frame.status, HAUL_OK);
	create(0, HAUL_SEGMENT_PRIVATE);
	client_die(&client);
	NODE_AWAIT(rig, all_gone());
}

/* While pages are populated, while Redis is asked. */
static void buffer_abandon__at_every_moment(void **state)
{
	uint32_t segment = create(BYTES, 0);
	union node_message message;
	int fd;

	(void)state;
	add(segment, BYTES, BYTES);
	add_send(segment, 2 * BYTES, BYTES, 0);
	free(await_publication(&message));
	client_die(&client);
	node_rig_rest(rig, 5000);
	control_answer(rig, &message, HAUL_OK, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	control_answer(rig, &message, HAUL_OK, -1);
	NODE_AWAIT(rig, all_gone());
	client_attach(rig, &client, 8);
	segment = create(0, HAUL_SEGMENT_PRIVATE);
	add_send(segment, 0, SPACE, 0);
	node_rig_turn(rig);
	client_die(&client);
	NODE_AWAIT(rig, all_gone());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(buffer_make__publishes_all_rows_in_order),
		CASE(buffer_make__wherever_there_is_room),
		CASE(buffer_make__refuses_what_cannot_be),
		CASE(buffer_make__space_that_cannot_be),
		CASE(buffer_make__none_at_first),
		CASE(buffer_told__unavailable_leaves_the_others),
		CASE(buffer_abandon__at_every_moment),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
