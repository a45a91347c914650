/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an entry becomes an operation when everything in it may be, and is refused with what is wrong otherwise, before any
 * transport has heard of it; one client's operations leave room for the others'.
 * Method: as test_engine_operation.c, of which this is the part about entries.
 */
#include "api/haul_attach.h"
#include "base/fault.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

static void operation_start__nop_completes_at_once(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = { .opcode = HAUL_OP_NOP, .user_data = UINT64_MAX };
	struct haul_completion completion;

	rig_put(fixture, &entry);
	completion = rig_reap_one(fixture);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.user_data, UINT64_MAX);
	assert_int_equal(completion.bytes, 0);
}

static void operation_start__refuses_malformed_entries(void **state)
{
	struct rig_fixture *fixture = *state;
	const struct haul_entry good = rig_write(fixture->rig, 1, 100);
	struct haul_entry entry;

	for (unsigned int opcode = HAUL_OP_EXTENT_RETIRE + 1; opcode <= UINT8_MAX; opcode++) {
		entry = good;
		entry.opcode = (uint8_t)opcode;
		rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_OPCODE);
	}
	for (unsigned int bit = 4; bit < 8; bit++) {
		entry = good;
		entry.flags = (uint8_t)(1u << bit);
		rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	}
	entry = good;
	entry.reserved = 1;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = good;
	entry.tag = 1;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = good;
	entry.value = 1;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = good;
	entry.batch = HAUL_BATCHES_MAX + 1;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_BATCH);
	entry = good;
	entry.flags = HAUL_ENTRY_BATCH_LAST; /* of which batch? */
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_BATCH);
	entry = good;
	entry.length = 0;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_LENGTH);
	entry.length = HAUL_OPERATION_BYTES_MAX + 1;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_LENGTH);
}

static void operation_start__refuses_local_memory_that_is_not_its_own(void **state)
{
	struct rig_fixture *fixture = *state;
	static uint8_t other_memory[64];
	const struct region_spec other = {
		.base = other_memory, .length = 64, .owner = 2, .fault_id = FAULT_NONE
	};
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.local_region = haul_u48_make(0);
	rig_refused(fixture, &entry, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
	entry.local_region = haul_u48_make(fixture->rig->region + (1u << 24));
	rig_refused(fixture, &entry, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
	entry.local_region = haul_u48_make(region_add(&fixture->rig->engine.regions, &other));
	rig_refused(fixture, &entry, HAUL_DENIED, HAUL_REASON_LOCAL_REGION);
	entry = rig_write(fixture->rig, 1, 100);
	entry.local_offset = haul_u48_make(RIG_BYTES - 99);
	rig_refused(fixture, &entry, HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	entry.local_offset = haul_u48_make((UINT64_C(1) << 48) - 1);
	rig_refused(fixture, &entry, HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	fixture->rig->engine.regions.regions[region_slot(fixture->rig->region)].spec.is_read_only =
		true;
	entry = rig_write(fixture->rig, 1, 100);
	entry.opcode = HAUL_OP_READ;
	rig_refused(fixture, &entry, HAUL_DENIED, HAUL_REASON_LOCAL_RIGHT);
}

static void operation_start__refuses_segments_that_are_not_open(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.remote_segment = 0;
	rig_refused(fixture, &entry, HAUL_NOT_FOUND, HAUL_REASON_REMOTE_SEGMENT);
	entry.remote_segment = rig_open_handle(fixture->channel, 1, RIG_REMOTE, HAUL_RIGHT_READ);
	rig_refused(fixture, &entry, HAUL_DENIED, HAUL_REASON_REMOTE_RIGHT);
	atomic_store(&fixture->channel->handles[1].word, 0);
	rig_refused(fixture, &entry, HAUL_NOT_FOUND, HAUL_REASON_REMOTE_SEGMENT);
}

static void operation_start__ends_ranges_outside_the_segment(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.remote_offset = haul_u48_make(RIG_BYTES - 99);
	rig_put(fixture, &entry);
	rig_expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
	entry.remote_offset = haul_u48_make((UINT64_C(1) << 48) - 1);
	rig_put(fixture, &entry);
	rig_expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
}

/*
 * A grant is for a segment, and of a region that the descriptor does not have only its owner knows the segment: it is told
 * for which one the operation may reach it.
 */
static void operation_start__leaves_unknown_regions_to_their_owner(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.remote_region = haul_u48_make(78);
	rig_put(fixture, &entry);
	assert_int_equal(fixture->rig->udp.last->remote_region, 78);
	assert_int_equal(fixture->rig->udp.last->segment, RIG_SEGMENT);
	assert_int_equal(fixture->rig->udp.last->rights, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	rig_drain(&fixture->rig->udp, HAUL_DENIED);
	rig_expect(fixture, HAUL_DENIED, HAUL_REASON_NONE);
	entry.remote_region = haul_u48_make(77);
	entry.remote_offset = haul_u48_make(50);
	rig_put(fixture, &entry);
	assert_int_equal(fixture->rig->udp.last->remote_region, 77);
	assert_int_equal(fixture->rig->udp.last->remote_offset, 50);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	rig_expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

/* A client that has everything in flight leaves room for each other client's operations and slices. */
static void operation_start__one_client_cannot_take_the_whole_pool(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct channel *greedy = rig_add_channel(rig, 3, 4096);
	struct channel *more = rig_add_channel(rig, 4, 4096);
	struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
					  .error = HAUL_CANCELLED,
					  .reason = "enough" };
	const struct region_spec spec = {
		.base = rig->memory, .length = RIG_BYTES, .owner = 3, .fault_id = FAULT_NONE
	};
	struct haul_entry entry = rig_write(rig, 1, RIG_BYTES);

	entry.remote_segment = rig_open_handle(greedy, 0, RIG_REMOTE, HAUL_RIGHT_WRITE);
	rig_open_handle(more, 0, RIG_REMOTE, HAUL_RIGHT_WRITE);
	entry.timeout_ms = UINT32_MAX;
	for (uint32_t i = 0; i < 4096; i++) {
		entry.local_region = haul_u48_make(rig->region);
		if (i == 0)
			entry.local_region = haul_u48_make(region_add(&rig->engine.regions, &spec));
		else
			entry.local_region = greedy->entries[0].local_region;
		rig_submit(greedy, &entry);
	}
	entry.local_region = haul_u48_make(
		region_handle(region_slot(rig->region), region_generation(rig->region)));
	more->number = 1; /* the test's second greedy client uses the first one's memory */
	for (uint32_t i = 0; i < 4096; i++)
		rig_submit(more, &entry);
	for (uint32_t i = 0; i < 600; i++)
		rig_round(rig, 1);
	assert_in_range(pool_free_count(&rig->worker->operations), 1, 64);
	entry = rig_write(rig, 7, 100);
	rig_put(fixture, &entry);
	assert_int_equal(rig->udp.last->length, 100);
	rig_finish(&rig->udp, rig->udp.last, HAUL_OK, 0);
	rig_expect(fixture, HAUL_OK, HAUL_REASON_NONE);
	command.channel = greedy;
	assert_true(worker_command(rig->worker, &command));
	command.channel = more;
	assert_true(worker_command(rig->worker, &command));
	rig_round(rig, 1);
	rig_free_channel(greedy);
	rig_free_channel(more);
}

static void operation_start__leaves_entries_when_the_pool_is_empty(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	static void *taken[ENGINE_OPERATIONS_MAX];
	struct haul_entry entry = rig_write(rig, 1, 100);

	for (uint32_t i = 0; i < ENGINE_OPERATIONS_MAX; i++)
		taken[i] = pool_get(&rig->worker->operations);
	entry.batch = 5;
	entry.flags = HAUL_ENTRY_BATCH_LAST;
	rig_put(fixture, &entry);
	assert_int_equal(fixture->channel->header->submission_head.value, 0);
	assert_int_equal(fixture->channel->reserved, 0);
	assert_int_equal(fixture->channel->batches[5].members, 0);
	assert_int_equal(rig->counters[WORKER_POOL_EMPTY], 1);
	for (uint32_t i = 0; i < ENGINE_OPERATIONS_MAX; i++)
		pool_put(&rig->worker->operations, taken[i]);
	rig_round(rig, 1);
	rig_drain(&rig->udp, HAUL_OK);
	assert_int_equal(rig_reap_one(fixture).members, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_fixture_make, rig_fixture_free)
		CASE(operation_start__nop_completes_at_once),
		CASE(operation_start__refuses_malformed_entries),
		CASE(operation_start__refuses_local_memory_that_is_not_its_own),
		CASE(operation_start__refuses_segments_that_are_not_open),
		CASE(operation_start__ends_ranges_outside_the_segment),
		CASE(operation_start__leaves_unknown_regions_to_their_owner),
		CASE(operation_start__one_client_cannot_take_the_whole_pool),
		CASE(operation_start__leaves_entries_when_the_pool_is_empty),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
