/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an extent is a region of its own that comes and goes without anybody being asked; handles of what was retired
 * name nothing, also when its bytes are another extent by then; extents go with their buffer and with their client.
 * Method: a whole node without a control plane but where a segment is published; the client is played by the test.
 */
#include "base/clock.h"
#include "base/seqpacket.h"
#include "node_rig.h"
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#define BYTES 65536u

static struct node_rig *rig;
static struct node_client client;
static uint64_t buffer;
static uint32_t segment;

/* A client with a private segment of one divided buffer. */
static int setup(void **state)
{
	union node_message answer;
	void *address;

	(void)state;
	rig = node_rig_make();
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	client_create_send(&client, "s", BYTES, HAUL_SEGMENT_PRIVATE | HAUL_SEGMENT_DIVIDED);
	assert_int_equal(client_create_finish(rig, &client, &answer, &address), HAUL_OK);
	munmap(address, BYTES);
	buffer = answer.create.region;
	segment = answer.create.segment;
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

static enum haul_error look_at(uint64_t region, uint64_t offset, uint64_t bytes)
{
	return region_check_local(&rig->node.engine.regions, region,
				  TAILQ_FIRST(&rig->node.clients.list)->number, offset, bytes);
}

static struct haul_completion submit(const struct haul_entry *entry)
{
	client_submit(&client, entry);
	return client_reap(rig, &client);
}

static struct haul_completion publish(uint64_t region, uint64_t offset, uint64_t bytes)
{
	const struct haul_entry entry = { .opcode = HAUL_OP_EXTENT_PUBLISH,
					  .local_region = haul_u48_make(region),
					  .local_offset = haul_u48_make(offset),
					  .value = bytes };

	return submit(&entry);
}

static struct haul_completion retire(uint64_t region)
{
	const struct haul_entry entry = { .opcode = HAUL_OP_EXTENT_RETIRE,
					  .local_region = haul_u48_make(region) };

	return submit(&entry);
}

static void expect_refused(const struct haul_completion completion, enum haul_error status,
			   enum haul_reason reason)
{
	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, reason);
	assert_int_equal(completion.bytes, 0);
}

static void extent_publish__is_a_region_of_its_own(void **state)
{
	struct haul_completion completion = publish(buffer, 4096, 100);
	uint64_t extent = completion.bytes;

	(void)state;
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(look_at(extent, 0, 100), HAUL_OK);
	assert_int_equal(look_at(extent, 1, 100), HAUL_RANGE);
	assert_int_equal(look_at(buffer, 0, BYTES), HAUL_OK);
	assert_int_equal(retire(extent).status, HAUL_OK);
	assert_int_equal(look_at(extent, 0, 1), HAUL_STALE);
	/* The same bytes again: another handle. */
	completion = publish(buffer, 4096, 100);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_not_equal(completion.bytes, extent);
	assert_int_equal(look_at(extent, 0, 1), HAUL_STALE);
	client_die(&client);
	NODE_AWAIT(rig, all_gone());
}

static void extent_publish__by_the_attach_socket(void **state)
{
	struct haul_attach_extent_publish wish = { .region = buffer, .bytes = BYTES };
	struct haul_attach_buffer_remove gone;
	const struct haul_attach_extent_answer *answer;
	union node_message message;

	(void)state;
	client_ask(rig, &client, HAUL_ATTACH_EXTENT_PUBLISH, &wish, sizeof(wish), &message);
	assert_int_equal(message.frame.status, HAUL_OK);
	assert_int_equal(message.frame.length, sizeof(*answer));
	answer = (const void *)&message;
	assert_int_equal(look_at(answer->extent, 0, BYTES), HAUL_OK);
	gone = (struct haul_attach_buffer_remove){ .region = answer->extent };
	client_ask(rig, &client, HAUL_ATTACH_EXTENT_RETIRE, &gone, sizeof(gone), &message);
	assert_int_equal(message.frame.status, HAUL_OK);
	assert_int_equal(look_at(gone.region, 0, 1), HAUL_STALE);
	client_ask(rig, &client, HAUL_ATTACH_EXTENT_RETIRE, &gone, sizeof(gone), &message);
	assert_int_equal(message.frame.status, HAUL_NOT_FOUND);
	client_die(&client);
}

static void extent_publish__refuses_what_cannot_be(void **state)
{
	struct haul_entry entry = { .opcode = HAUL_OP_EXTENT_PUBLISH, .tag = 1 };
	uint64_t extent;

	(void)state;
	extent = publish(buffer, 4096, 4096).bytes;
	expect_refused(publish(buffer, 0, 0), HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	expect_refused(publish(buffer, 1, BYTES), HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	expect_refused(publish(buffer, 0, UINT64_MAX), HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	expect_refused(publish(buffer, 8191, 1), HAUL_EXISTS, HAUL_REASON_LOCAL_RANGE);
	expect_refused(publish(buffer, 0, 4097), HAUL_EXISTS, HAUL_REASON_LOCAL_RANGE);
	/* Neither an extent nor nothing can be divided; nor is a buffer retired. */
	expect_refused(publish(extent, 0, 1), HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	expect_refused(publish(0, 0, 1), HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	expect_refused(retire(buffer), HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	expect_refused(retire((UINT64_C(1) << 48) - 1), HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	expect_refused(submit(&entry), HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = (struct haul_entry){ .opcode = HAUL_OP_EXTENT_RETIRE, .value = 1 };
	expect_refused(submit(&entry), HAUL_INVALID, HAUL_REASON_FLAGS);
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 9, .segments = 9, .buffers = 2, .bytes = BYTES
	};
	expect_refused(publish(buffer, 0, 1), HAUL_QUOTA, HAUL_REASON_NONE);
	rig->conf.quotas[0].buffers = 3;
	assert_int_equal(publish(buffer, 0, 1).status, HAUL_OK);
	client_die(&client);
}

/* One that is used by an operation holds its retirement up, and its place. */
static void extent_retire__waits_for_uses(void **state)
{
	struct uses *uses = &rig->node.engine.workers[0]->uses;
	uint64_t extent = publish(buffer, 0, 4096).bytes;
	struct haul_entry entry = { .opcode = HAUL_OP_EXTENT_RETIRE,
				    .local_region = haul_u48_make(extent) };

	(void)state;
	rig->conf.drain_grace_ms = 60000;
	uses_add(uses, extent);
	client_submit(&client, &entry);
	node_rig_rest(rig, 20000);
	assert_int_equal(look_at(extent, 0, 1), HAUL_STALE);
	expect_refused(publish(buffer, 0, 1), HAUL_EXISTS, HAUL_REASON_LOCAL_RANGE);
	expect_refused(retire(extent), HAUL_STALE, HAUL_REASON_BUFFER_GONE);
	uses_drop(uses, extent);
	assert_int_equal(client_reap(rig, &client).status, HAUL_OK);
	assert_int_equal(publish(buffer, 0, 1).status, HAUL_OK);
	client_die(&client);
}

/* Its extents go with a buffer, and hold it up. */
static void buffer_remove__of_a_divided_one(void **state)
{
	struct uses *uses = &rig->node.engine.workers[0]->uses;
	uint64_t extents[2] = { publish(buffer, 0, 4096).bytes, publish(buffer, 4096, 1).bytes };
	const struct haul_entry entry = { .opcode = HAUL_OP_BUFFER_REMOVE,
					  .local_region = haul_u48_make(buffer) };

	(void)state;
	rig->conf.drain_grace_ms = 60000;
	uses_add(uses, extents[1]);
	client_submit(&client, &entry);
	node_rig_rest(rig, 20000);
	assert_int_equal(client.header->completion_tail.value,
			 client.header->completion_head.value);
	expect_refused(publish(buffer, 8192, 1), HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION);
	uses_drop(uses, extents[1]);
	assert_int_equal(client_reap(rig, &client).status, HAUL_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(look_at(extents[i], 0, 1), HAUL_STALE);
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->buffers, 0);
	client_die(&client);
	NODE_AWAIT(rig, all_gone());
}

/* With extents of every kind, the client dies: all of it is given back. */
static void extent_drain__client_dies(void **state)
{
	struct uses *uses = &rig->node.engine.workers[0]->uses;
	uint64_t extents[2] = { publish(buffer, 0, 4096).bytes, publish(buffer, 4096, 1).bytes };
	const struct haul_entry entry = { .opcode = HAUL_OP_EXTENT_RETIRE,
					  .local_region = haul_u48_make(extents[1]) };

	(void)state;
	uses_add(uses, extents[1]);
	client_submit(&client, &entry);
	node_rig_rest(rig, 20000);
	client_die(&client);
	NODE_AWAIT(rig, rig->node.clients.channels == 0);
	uses_drop(uses, extents[1]);
	NODE_AWAIT(rig, all_gone());
}

/* What is published of a divided buffer is its place, and no region. */
static void buffer_describe__a_divided_one_has_no_region(void **state)
{
	const struct buffer *made = TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers);
	struct haul_descriptor_buffer row;

	(void)state;
	assert_int_equal(TAILQ_FIRST(&rig->node.segments)->number, segment);
	assert_true(buffer_describe(TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers), &row));
	assert_int_equal(row.region, REGION_NONE);
	assert_int_equal(row.length, BYTES);
	assert_int_not_equal(made->region, REGION_NONE);
	client_die(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(extent_publish__is_a_region_of_its_own),
		CASE(extent_publish__by_the_attach_socket),
		CASE(extent_publish__refuses_what_cannot_be),
		CASE(extent_retire__waits_for_uses),
		CASE(buffer_remove__of_a_divided_one),
		CASE(extent_drain__client_dies),
		CASE(buffer_describe__a_divided_one_has_no_region),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
