/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every operation that names a region of this node is counted from when it is let in until nothing of it touches
 * the region any more, however it ends, and what is left over of an earlier generation is nobody else's.
 * Method: the counts by themselves; then a worker whose transports are fakes, and its upcalls as a driver makes them.
 */
#include "api/haul_attach.h"
#include "base/fault.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

static void uses__count_by_slot_and_generation(void **state)
{
	uint64_t first = region_handle(2, 1);
	uint64_t second = region_handle(2, 2);
	struct uses uses;

	(void)state;
	assert_int_equal(uses_init(&uses, 4), 0);
	assert_int_equal(uses_count(&uses, first), 0);
	uses_add(&uses, first);
	uses_add(&uses, first);
	uses_add(&uses, region_handle(3, 1));
	assert_int_equal(uses_count(&uses, first), 2);
	assert_int_equal(uses_count(&uses, second), 0);
	assert_int_equal(uses_count(&uses, region_handle(4, 1)), 0); /* behind the table */
	assert_int_equal(uses_sum(&uses), 3);
	uses_drop(&uses, first);
	assert_int_equal(uses_count(&uses, first), 1);

	/* The region went while one was left; the next one's count begins at its own. */
	uses_add(&uses, second);
	assert_int_equal(uses_count(&uses, second), 1);
	uses_drop(&uses, first);
	assert_int_equal(uses_count(&uses, second), 1);
	uses_drop(&uses, second);
	assert_int_equal(uses_count(&uses, second), 0);
	uses_destroy(&uses);
}

struct fixture {
	struct rig *rig;
	struct channel *channel;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->rig = rig_create_ready(&fixture->channel);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	rig_destroy_ready(fixture->rig, fixture->channel);
	free(fixture);
	return 0;
}

static uint64_t used(const struct fixture *fixture)
{
	return engine_region_uses(&fixture->rig->engine, fixture->rig->region);
}

/* The local side: from the entry to the completion, through every state; refused entries are never counted. */
static void engine_region_uses__counts_the_local_side_to_its_end(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct haul_completion completion;

	rig_submit(fixture->channel, &entry);
	entry.timeout_ms = 1;
	rig_submit(fixture->channel, &entry);
	entry.local_offset = haul_u48_make(RIG_BYTES);
	rig_submit(fixture->channel, &entry); /* RANGE */
	rig->udp.is_cancel_slow = true;
	rig_round(rig, 2000);
	assert_int_equal(used(fixture), 2);
	rig_round(rig, 1); /* the deadline of one, which ends behind its fence */
	assert_int_equal(used(fixture), 2);
	rig_finish(&rig->udp, rig->udp.held[1], HAUL_TIMEOUT, HAUL_REASON_NONE);
	assert_int_equal(used(fixture), 1);
	rig_drain(&rig->udp, HAUL_OK);
	assert_int_equal(used(fixture), 0);
	while (rig_reap(fixture->channel, &completion))
		;
}

/* Draining memory takes no new entries, and those that were taken reach their end, slices that come later included. */
static void region_drain__lets_entries_go_on_that_were_taken(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 2000);
	struct haul_completion completion;

	rig->udp.accept = 0;
	rig_submit(fixture->channel, &entry);
	rig_round(rig, 1);
	region_drain(&rig->engine.regions, rig->region);
	entry.user_data = 2;
	rig_submit(fixture->channel, &entry);
	rig->udp.accept = UINT32_MAX;
	rig_round(rig, 1);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 2);
	assert_int_equal(completion.status, HAUL_STALE);
	assert_int_equal(completion.reason, HAUL_REASON_LOCAL_REGION);
	assert_int_equal(used(fixture), 1);
	rig_drain(&rig->udp, HAUL_OK);
	assert_int_equal(used(fixture), 0);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.status, HAUL_OK);
}

/* A WRITE without bytes names no memory of its own. */
static void engine_region_uses__empty_write_has_no_local_side(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 0);

	entry.flags = HAUL_ENTRY_NOTIFY;
	entry.local_region = haul_u48_make(0);
	rig_submit(fixture->channel, &entry);
	rig_round(rig, 1);
	assert_int_equal(rig->udp.held_count, 1);
	assert_int_equal(uses_sum(&rig->worker->uses), 0);
}

/* The target's side, by the upcalls: only what stays open counts, and only when it was let in. */
static void worker_host__counts_what_stays_open(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	uint8_t bytes[128] = { 0 };
	struct region_spec spec = { .base = bytes,
				    .length = 64,
				    .rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE,
				    .fault_id = FAULT_NONE };
	struct transport_access access = { .length = 8,
					   .not_after_us = UINT64_MAX,
					   .is_remote = true,
					   .rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE };
	struct transport_access near = { .length = 8,
					 .not_after_us = UINT64_MAX,
					 .phase = TRANSPORT_NEXT,
					 .region = rig->region };
	uint64_t handle = region_add(&rig->engine.regions, &spec);
	uint64_t version = 0;

	access.region = handle;
	assert_int_equal(worker_host.place(rig->worker, &access, bytes, &version), HAUL_OK);
	assert_int_equal(engine_region_uses(&rig->engine, handle), 0); /* ONLY */
	access.phase = TRANSPORT_FIRST;
	access.not_after_us = 1;
	assert_int_equal(worker_host.place(rig->worker, &access, bytes, &version), HAUL_TIMEOUT);
	assert_int_equal(engine_region_uses(&rig->engine, handle), 0);
	access.not_after_us = UINT64_MAX;
	assert_int_equal(worker_host.place(rig->worker, &access, bytes, &version), HAUL_OK);
	assert_int_equal(worker_host.open(rig->worker, &access, &version), HAUL_OK);
	assert_int_equal(worker_host.copy(rig->worker, &access, &near, &version), HAUL_OK);
	assert_int_equal(worker_host.copy(rig->worker, &near, &access, &version), HAUL_OK);
	assert_int_equal(engine_region_uses(&rig->engine, handle), 4);
	assert_int_equal(engine_region_uses(&rig->engine, rig->region), 0);
	access.phase = TRANSPORT_NEXT;
	assert_int_equal(worker_host.place(rig->worker, &access, bytes, &version), HAUL_OK);
	assert_int_equal(engine_region_uses(&rig->engine, handle), 4);

	region_drain(&rig->engine.regions, handle);
	access.phase = TRANSPORT_FIRST;
	assert_int_equal(worker_host.place(rig->worker, &access, bytes, &version), HAUL_STALE);
	assert_int_equal(worker_host.open(rig->worker, &access, &version), HAUL_STALE);
	assert_int_equal(worker_host.copy(rig->worker, &access, &near, &version), HAUL_STALE);
	assert_int_equal(engine_region_uses(&rig->engine, handle), 4);
	for (uint32_t i = 0; i < 4; i++)
		worker_host.closed(rig->worker, handle);
	assert_int_equal(engine_region_uses(&rig->engine, handle), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses__count_by_slot_and_generation),
		CASE(engine_region_uses__counts_the_local_side_to_its_end),
		CASE(region_drain__lets_entries_go_on_that_were_taken),
		CASE(engine_region_uses__empty_write_has_no_local_side),
		CASE(worker_host__counts_what_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
