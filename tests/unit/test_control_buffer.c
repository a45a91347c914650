/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: buffers come to a segment that is in use and go again, each at a place of its own; a removal is told to peers,
 * workers and Redis before it completes, once; what is refused leaves the segment as it was, and says why.
 * Method: a whole node; client and control plane are played by the test.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "base/trace.h"
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
		       "has 1 buffers and extents and asks for 1 more; it may have 1");
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
	free(await_publication(&answer));
	control_answer(rig, &answer, HAUL_OK, -1);
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

/* The first region of the client's first segment. */
static uint64_t first_region(void)
{
	return TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers)->region;
}

static enum haul_error look_at(uint64_t region)
{
	return region_check_local(&rig->node.engine.regions, region,
				  TAILQ_FIRST(&rig->node.clients.list)->number, 0, 1);
}

static void remove_send(uint64_t region, uint64_t user_data)
{
	const struct haul_entry entry = { .opcode = HAUL_OP_BUFFER_REMOVE,
					  .user_data = user_data,
					  .local_region = haul_u48_make(region) };

	client_submit(&client, &entry);
}

/* The next publication has so many rows, the first of them in that state; it is to be answered. */
static void expect_rows(uint32_t count, uint32_t state, union node_message *request_out)
{
	struct haul_descriptor *descriptor = await_publication(request_out);

	assert_int_equal(descriptor->buffer_count, count);
	if (count > 0)
		assert_int_equal(descriptor_buffers(descriptor)->state, state);
	free(descriptor);
}

static void expect_completion(uint64_t user_data, enum haul_error status, enum haul_reason reason)
{
	struct haul_completion completion = client_reap(rig, &client);

	assert_int_equal(completion.user_data, user_data);
	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, reason);
}

/* Each step is told before the next is taken: peers, workers, Redis, and only then the client. */
static void buffer_remove__completes_when_all_of_it_is_gone(void **state)
{
	uint32_t segment = create(BYTES, 0);
	uint64_t region = first_region();
	union node_message message;

	(void)state;
	remove_send(region, 7);
	expect_rows(1, HAUL_BUFFER_DRAINING, &message);
	assert_int_equal(look_at(region), HAUL_OK);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_rows(0, 0, &message);
	assert_int_equal(look_at(region), HAUL_STALE);
	node_rig_rest(rig, 20000);
	assert_int_equal(client.header->completion_tail.value, 0);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_completion(7, HAUL_OK, HAUL_REASON_NONE);
	/* Its place, and its quota, are free. */
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->buffers, 0);
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->bytes, 0);
	assert_int_not_equal(add(segment, 0, BYTES), region);
	client_die(&client);
}

static void buffer_remove__unpublished_stays_active(void **state)
{
	union node_message message;
	uint64_t region;

	(void)state;
	create(BYTES, 0);
	region = first_region();
	remove_send(region, 7);
	expect_rows(1, HAUL_BUFFER_DRAINING, &message);
	control_answer(rig, &message, HAUL_UNAVAILABLE, -1);
	expect_completion(7, HAUL_UNAVAILABLE, HAUL_REASON_NOT_PUBLISHED);
	assert_int_equal(look_at(region), HAUL_OK);
	/* Redis may have got it: it is told what is true, and nothing was lost of the right to ask again. */
	expect_rows(1, HAUL_BUFFER_ACTIVE, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	remove_send(region, 8);
	expect_rows(1, HAUL_BUFFER_DRAINING, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_rows(0, 0, &message);
	/* Nothing touches it any more, whatever Redis says now. */
	control_answer(rig, &message, HAUL_UNAVAILABLE, -1);
	expect_completion(8, HAUL_OK, HAUL_REASON_NONE);
	expect_rows(0, 0, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	client_die(&client);
}

static void buffer_remove__refuses_what_is_not_there(void **state)
{
	struct haul_attach_buffer_remove unknown = { .region = 99 };
	struct haul_entry entry = { .opcode = HAUL_OP_BUFFER_REMOVE, .length = 1 };
	struct node_client other;
	union node_message message;
	uint64_t region;

	(void)state;
	create(BYTES, 0);
	region = first_region();
	remove_send(0, 1);
	expect_completion(1, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	remove_send((UINT64_C(1) << 48) - 1, 2);
	expect_completion(2, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	remove_send(region + (1u << REGION_SLOT_BITS), 3);
	expect_completion(3, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	client_submit(&client, &entry);
	expect_completion(0, HAUL_INVALID, HAUL_REASON_FLAGS);
	client_ask(rig, &client, HAUL_ATTACH_BUFFER_REMOVE, &unknown, sizeof(unknown), &message);
	assert_int_equal(message.frame.status, HAUL_NOT_FOUND);
	/* Nor what is another's. */
	client_attach(rig, &other, 8);
	entry = (struct haul_entry){ .opcode = HAUL_OP_BUFFER_REMOVE,
				     .local_region = haul_u48_make(region) };
	client_submit(&other, &entry);
	assert_int_equal(client_reap(rig, &other).status, HAUL_NOT_FOUND);
	client_die(&other);
	/* Nor twice. */
	remove_send(region, 4);
	expect_rows(1, HAUL_BUFFER_DRAINING, &message);
	remove_send(region, 5);
	expect_completion(5, HAUL_STALE, HAUL_REASON_BUFFER_GONE);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_rows(0, 0, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_completion(4, HAUL_OK, HAUL_REASON_NONE);
	client_die(&client);
}

/* Several at a time are published together, and each completes. */
static void buffer_remove__many_by_one_publication(void **state)
{
	uint32_t segment = create(BYTES, 0);
	union node_message message;
	uint64_t regions[3];

	(void)state;
	regions[0] = first_region();
	regions[1] = add(segment, BYTES, BYTES);
	regions[2] = add(segment, 2 * BYTES, BYTES);
	remove_send(regions[0], 0);
	expect_rows(3, HAUL_BUFFER_DRAINING, &message);
	remove_send(regions[1], 1);
	remove_send(regions[2], 2);
	node_rig_rest(rig, 20000);
	control_answer(rig, &message, HAUL_OK, -1);
	for (uint32_t seen = 0; seen < 3;) {
		struct haul_descriptor *descriptor = await_publication(&message);

		for (uint32_t i = 0; i < descriptor->buffer_count; i++)
			assert_int_equal(descriptor_buffers(descriptor)[i].state,
					 HAUL_BUFFER_DRAINING);
		free(descriptor);
		control_answer(rig, &message, HAUL_OK, -1);
		node_rig_rest(rig, 20000);
		while (client.header->completion_tail.value != seen) {
			assert_int_equal(client_reap(rig, &client).status, HAUL_OK);
			seen++;
		}
	}
	client_die(&client);
}

/* What is under way holds it up until it ends, or for the grace time. */
static void buffer_remove__waits_for_uses_or_grace(void **state)
{
	uint32_t segment = create(BYTES, HAUL_SEGMENT_PRIVATE);
	struct uses *uses = &rig->node.engine.workers[0]->uses;
	union node_message answer;
	uint64_t region = first_region();
	uint64_t began_us;

	(void)state;
	rig->conf.drain_grace_ms = 60000;
	uses_add(uses, region);
	remove_send(region, 1);
	node_rig_rest(rig, 50000);
	assert_int_equal(look_at(region), HAUL_STALE);
	assert_int_equal(client.header->completion_tail.value, 0);
	uses_drop(uses, region);
	expect_completion(1, HAUL_OK, HAUL_REASON_NONE);
	assert_int_equal(rig->node.drains.counters[DRAIN_COUNTER_CUT], 0);
	assert_int_equal(rig->node.drains.counters[DRAIN_COUNTER_EMPTY], 1);
	rig->conf.drain_grace_ms = 100;
	add_send(segment, 0, BYTES, 0);
	assert_int_equal(add_finish(&answer), HAUL_OK);
	uses_add(uses, answer.create.region);
	began_us = clock_now_us();
	remove_send(answer.create.region, 2);
	expect_completion(2, HAUL_OK, HAUL_REASON_NONE);
	assert_true(clock_now_us() - began_us >= 100000);
	assert_int_equal(rig->node.drains.counters[DRAIN_COUNTER_CUT], 1);
	assert_int_equal(rig->node.drains.counters[DRAIN_COUNTER_EMPTY], 1);
	client_die(&client);
}

/* While Redis is asked, while it drains, while its row goes: its channel is given back all the same. */
static void buffer_remove__client_dies_at_every_moment(void **state)
{
	union node_message message;

	(void)state;
	for (int moment = 0; moment < 3; moment++) {
		struct uses *uses = &rig->node.engine.workers[0]->uses;
		uint64_t region;
		int fd;

		if (moment > 0)
			client_attach(rig, &client, 8);
		create(BYTES, 0);
		region = first_region();
		if (moment == 1)
			uses_add(uses, region);
		remove_send(region, 1);
		expect_rows(1, HAUL_BUFFER_DRAINING, &message);
		if (moment > 0) {
			control_answer(rig, &message, HAUL_OK, -1);
			node_rig_rest(rig, 20000);
		}
		if (moment == 2)
			expect_rows(0, 0, &message);
		client_die(&client);
		NODE_AWAIT(rig, rig->node.clients.channels == 0);
		if (moment == 1)
			uses_drop(uses, region);
		else
			control_answer(rig, &message, HAUL_OK, -1);
		control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
		control_answer(rig, &message, HAUL_OK, -1);
		NODE_AWAIT(rig, all_gone());
	}
}

/* Its segment is destroyed while its removal is published: each is told what became of it, and Redis of both. */
static void buffer_remove__while_its_segment_goes(void **state)
{
	(void)state;
	for (int is_removed = 0; is_removed < 2; is_removed++) {
		struct haul_attach_segment_destroy message = { .segment = create(BYTES, 0) };
		union node_message request;
		int fd;

		remove_send(first_region(), 7);
		expect_rows(1, HAUL_BUFFER_DRAINING, &request);
		client_send(client.fd, HAUL_ATTACH_SEGMENT_DESTROY, &message, sizeof(message),
			    ++client.request);
		NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.segments)->state == SEGMENT_CLOSING);
		control_answer(rig, &request, is_removed ? HAUL_OK : HAUL_UNAVAILABLE, -1);
		expect_rows(1, HAUL_BUFFER_DRAINING, &request);
		if (is_removed) {
			/* What Redis was told of drains, whatever comes of the segment. */
			NODE_AWAIT(rig,
				   TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers)->state ==
					   BUFFER_GONE);
			control_answer(rig, &request, HAUL_UNAVAILABLE, -1);
			expect_rows(0, 0, &request);
			control_answer(rig, &request, HAUL_OK, -1);
			expect_completion(7, HAUL_OK, HAUL_REASON_NONE);
		} else {
			expect_completion(7, HAUL_UNAVAILABLE, HAUL_REASON_NOT_PUBLISHED);
			control_answer(rig, &request, HAUL_OK, -1);
			control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &request, &fd);
			control_answer(rig, &request, HAUL_OK, -1);
		}
		assert_true(client_receive(rig, client.fd, &request, (int[4]){ 0 },
					   &(unsigned int){ 0 }) > 0);
		assert_int_equal(request.frame.status, is_removed ? HAUL_UNAVAILABLE : HAUL_OK);
	}
	client_die(&client);
}

/* The daemon stops with a removal that would wait for ever. */
static void buffer_remove__daemon_stops_in_the_middle(void **state)
{
	(void)state;
	rig->conf.drain_grace_ms = 60000;
	create(BYTES, HAUL_SEGMENT_PRIVATE);
	uses_add(&rig->node.engine.workers[0]->uses, first_region());
	remove_send(first_region(), 1);
	node_rig_rest(rig, 20000);
	client_die(&client);
	/* And teardown stops it. */
}

static struct trace_view *trace_view_open(void)
{
	struct trace_view *view = NULL;
	char path[sizeof(rig->conf.counters_file) + sizeof(TRACE_SUFFIX)];

	(void)snprintf(path, sizeof(path), "%s" TRACE_SUFFIX, rig->conf.counters_file);
	assert_int_equal(trace_open(path, &view), 0);
	return view;
}

/* The trace's next record of a buffer. */
static void expect_traced(struct trace_view *view, uint64_t region, const char *from,
			  const char *to, const char *why)
{
	struct trace_record record = { 0 };
	uint64_t missed = 0;

	do
		assert_true(trace_next(view, &record, &missed));
	while (record.kind != TRACE_BUFFER);
	assert_int_equal(missed, 0);
	assert_int_equal(record.number, region);
	assert_string_equal(record.from, from);
	assert_string_equal(record.to, to);
	assert_string_equal(record.why, why);
}

/* Create one whose drain will find an operation under way. */
static uint64_t create_used(const char *name, struct uses *uses)
{
	union node_message answer;
	void *address;

	client_create_send(&client, name, BYTES, HAUL_SEGMENT_PRIVATE);
	assert_int_equal(client_create_finish(rig, &client, &answer, &address), HAUL_OK);
	munmap(address, BYTES);
	uses_add(uses, answer.create.region);
	return answer.create.region;
}

static void buffer_set_state__leaves_a_record_with_words(void **state)
{
	struct uses *uses = &rig->node.engine.workers[0]->uses;
	struct trace_view *view = trace_view_open();
	union node_message message;
	uint64_t region;
	int fd;

	(void)state;
	create(BYTES, 0);
	region = first_region();
	remove_send(region, 1);
	expect_rows(1, HAUL_BUFFER_DRAINING, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_rows(0, 0, &message);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_completion(1, HAUL_OK, HAUL_REASON_NONE);
	expect_traced(view, REGION_NONE, "none", "registering", "asked for");
	expect_traced(view, region, "registering", "active", "registered and published");
	expect_traced(view, region, "active", "draining", "its removal is published");
	expect_traced(view, region, "draining", "gone", "drain ended: nothing uses it any more");
	rig->conf.drain_grace_ms = 20;
	region = create_used("cut", uses);
	remove_send(region, 2);
	expect_completion(2, HAUL_OK, HAUL_REASON_NONE);
	expect_traced(view, REGION_NONE, "none", "registering", "asked for");
	expect_traced(view, region, "registering", "active", "registered");
	expect_traced(view, region, "active", "draining", "its removal was asked for");
	expect_traced(view, region, "draining", "gone", "drain ended: drain_grace_ms has passed");
	region = create_used("left", uses);
	client_die(&client);
	NODE_AWAIT(rig, rig->node.buffers[region_slot(region)] == NULL);
	assert_int_equal(rig->node.drains.counters[DRAIN_COUNTER_CUT], 2);
	control_expect(rig, HAUL_CONTROL_SEGMENT_ERASE, &message, &fd);
	control_answer(rig, &message, HAUL_OK, -1);
	expect_traced(view, REGION_NONE, "none", "registering", "asked for");
	expect_traced(view, region, "registering", "active", "registered");
	expect_traced(view, region, "active", "draining", "its client is gone");
	expect_traced(view, region, "draining", "gone",
		      "drain ended, its client is gone: drain_grace_ms has passed");
	trace_close(view);
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
		CASE(buffer_remove__completes_when_all_of_it_is_gone),
		CASE(buffer_remove__unpublished_stays_active),
		CASE(buffer_remove__refuses_what_is_not_there),
		CASE(buffer_remove__many_by_one_publication),
		CASE(buffer_remove__waits_for_uses_or_grace),
		CASE(buffer_remove__client_dies_at_every_moment),
		CASE(buffer_remove__while_its_segment_goes),
		CASE(buffer_remove__daemon_stops_in_the_middle),
		CASE(buffer_set_state__leaves_a_record_with_words),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
