/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an entry ends exactly once, with the right status and reason, by its deadline at the latest, whatever its
 * transport does; no slice and no operation is lost on the way.
 * Method: one worker, a fake transport that holds what it gets, time by hand. How entries become operations is in
 * test_engine_operation_start.c, everything at random in test_engine_operation_chaos.c.
 */
#include "api/haul_attach.h"
#include "base/fault.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

static void operation_drive__cuts_into_slices(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 2 * ENGINE_SLICE_BYTES_MAX + 5);
	struct haul_completion completion;
	uint64_t sum = 0;

	entry.opcode = HAUL_OP_READ;
	entry.local_offset = haul_u48_make(10);
	entry.remote_offset = haul_u48_make(20);
	rig_put(fixture, &entry);
	assert_int_equal(fixture->rig->udp.held_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct slice *slice = fixture->rig->udp.held[i];

		assert_int_equal(slice->kind, SLICE_READ);
		assert_int_equal(slice->local_offset, 10 + sum);
		assert_int_equal(slice->remote_offset, 20 + sum);
		sum += slice->length;
	}
	assert_int_equal(sum, entry.length);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	completion = rig_reap_one(fixture);
	assert_int_equal(completion.bytes, entry.length);
	assert_int_equal(completion.transport, HAUL_TRANSPORT_UDP);
	assert_int_equal(completion.attempts, 1);
}

/* A huge operation has a bounded number of slices out, and does not stop a small one behind it. */
static void operation_drive__bounds_the_slices_of_one_operation(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 0);
	const struct region_spec spec = { .base = rig->memory,
					  .length = UINT64_C(64) << 20, /* never touched here */
					  .owner = 1,
					  .fault_id = FAULT_NONE };
	struct haul_completion completion;
	uint32_t total = 0;

	entry.local_region = haul_u48_make(region_add(&rig->engine.regions, &spec));
	entry.length = 40 * ENGINE_SLICE_BYTES_MAX;
	rig_set_view(rig, RIG_REMOTE, 1, 77, UINT64_C(64) << 20);
	rig_put(fixture, &entry);
	assert_int_equal(rig->udp.held_count, ENGINE_OPERATION_SLICES_MAX);
	entry = rig_write(rig, 2, 1);
	rig_put(fixture, &entry);
	assert_int_equal(rig->udp.held_count, ENGINE_OPERATION_SLICES_MAX + 1);
	rig_finish(&rig->udp, rig->udp.last, HAUL_OK, 0);
	assert_int_equal(rig_reap_one(fixture).user_data, 2);
	while (!rig_reap(fixture->channel, &completion)) {
		assert_in_range(rig->udp.held_count, 1, ENGINE_OPERATION_SLICES_MAX);
		rig_finish(&rig->udp, rig->udp.held[0], HAUL_OK, 0);
		rig_round(rig, 1);
		total++;
	}
	assert_int_equal(total, 40);
	assert_int_equal(completion.bytes, 40 * ENGINE_SLICE_BYTES_MAX);
}

static void operation_drive__waits_under_back_pressure(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 3 << 20);

	fixture->rig->udp.accept = 1;
	rig_put(fixture, &entry);
	assert_int_equal(fixture->rig->udp.held_count, 1);
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.held_count, 1);
	fixture->rig->udp.accept = 1;
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.held_count, 2);
	fixture->rig->udp.accept = UINT32_MAX;
	rig_round(fixture->rig, 1);
	assert_int_equal(rig_drain(&fixture->rig->udp, HAUL_OK), 3);
	assert_int_equal(rig_reap_one(fixture).bytes, 3 << 20);
}

static void operation_drive__ends_without_any_transport(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	fixture->rig->engine.order_count = 1; /* local alone, which reaches no peer */
	rig_put(fixture, &entry);
	rig_expect(fixture, HAUL_NO_PATH, HAUL_REASON_NONE);
}

/* The slot of the peer holds another node by now. */
static void operation_drive__never_goes_to_another_incarnation(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 2 << 20);

	fixture->rig->udp.accept = 1;
	rig_put(fixture, &entry);
	fixture->rig->engine.peers.peers[RIG_PEER].incarnation++;
	fixture->rig->udp.accept = UINT32_MAX;
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.posted, 1);
	assert_int_equal(fixture->rig->udp.cancelled, 1);
	rig_expect(fixture, HAUL_STALE, HAUL_REASON_INCARNATION);
}

static void operation_slice_done__posts_again_what_came_back(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 3 << 20);

	const enum haul_error curable[] = { HAUL_NO_PATH, HAUL_DISCONNECTED, HAUL_CANCELLED };
	struct haul_completion completion;

	rig_put(fixture, &entry);
	for (uint32_t i = 0; i < 3; i++) {
		struct slice *slice = rig->udp.held[0];
		uint64_t offset = slice->remote_offset;

		rig_finish(&rig->udp, slice, curable[i], 0);
		assert_int_equal(rig->udp.held_count, 2);
		rig_round(rig, 1);
		assert_int_equal(rig->udp.held_count, 3);
		assert_int_equal(rig->udp.last->remote_offset, offset);
	}
	assert_int_equal(rig->counters[WORKER_SLICES_RETURNED], 3);
	rig_drain(&rig->udp, HAUL_OK);
	completion = rig_reap_one(fixture);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.bytes, 3 << 20);
	assert_int_equal(completion.attempts, 1);
}

static void operation_slice_done__what_no_path_cures_ends_it(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;

	const enum haul_error fatal[] = { HAUL_STALE,   HAUL_DENIED,  HAUL_RANGE,   HAUL_FAULT,
					  HAUL_TIMEOUT, HAUL_CORRUPT, HAUL_INTERNAL };

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		struct haul_entry entry = rig_write(rig, i, 3 << 20);
		uint64_t cancelled = rig->udp.cancelled;

		rig_put(fixture, &entry);
		rig_finish(&rig->udp, rig->udp.held[1], fatal[i], HAUL_REASON_PEER_SILENT);
		assert_int_equal(rig->udp.cancelled, cancelled + 2);
		rig_expect(fixture, fatal[i], HAUL_REASON_PEER_SILENT);
	}
	assert_int_equal(rig_expect_request(rig, WORKER_REMOTE_STALE).index, RIG_REMOTE);
}

/* The client took its own segment away under an operation: nothing of the target is in doubt. */
static void operation_slice_done__stale_may_be_our_own_side(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct worker_request request;

	rig_put(fixture, &entry);
	region_retire(&rig->engine.regions, rig->region);
	rig_drain(&rig->udp, HAUL_STALE);
	rig_expect(fixture, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
	assert_false(rig_request(rig, &request));
}

/* While slices are behind a fence, further errors and the deadline change nothing of how it ends. */
static void operation_end__keeps_the_first_cause(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 3 << 20);
	struct haul_completion completion;

	rig->udp.is_cancel_slow = true;
	entry.timeout_ms = 10;
	rig_put(fixture, &entry);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_DENIED, HAUL_REASON_REMOTE_RIGHT);
	assert_int_equal(rig->udp.cancelled, 2);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_NO_PATH, 0);
	rig->now_us += 20000;
	rig_round(rig, 1);
	assert_false(rig_reap(fixture->channel, &completion));
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_OK, 0);
	completion = rig_reap_one(fixture);
	assert_int_equal(completion.status, HAUL_DENIED);
	assert_int_equal(completion.reason, HAUL_REASON_REMOTE_RIGHT);
	assert_int_equal(completion.bytes, ENGINE_SLICE_BYTES_MAX);
}

static void operation_deadline__ends_what_waits(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);
	struct haul_completion completion;

	fixture->rig->udp.accept = 0;
	entry.timeout_ms = 7;
	rig_put(fixture, &entry);
	rig_round(fixture->rig, 6998);
	assert_false(rig_reap(fixture->channel, &completion));
	fixture->rig->now_us += 200;
	rig_round(fixture->rig, 1);
	rig_expect(fixture, HAUL_TIMEOUT, HAUL_REASON_PEER_SILENT);
	assert_int_equal(fixture->rig->counters[WORKER_OPERATIONS_TIMEOUT], 1);
}

static void operation_deadline__ends_what_is_posted_after_its_fence(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 2 << 20);
	struct haul_completion completion;

	fixture->rig->udp.is_cancel_slow = true;
	rig_put(fixture, &entry);
	fixture->rig->now_us += 1001 * 1000; /* the channel's own time-out is 1 s */
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.cancelled, 2);
	assert_false(rig_reap(fixture->channel, &completion));
	rig_drain(&fixture->rig->udp, HAUL_TIMEOUT);
	rig_expect(fixture, HAUL_TIMEOUT, HAUL_REASON_PEER_SILENT);
}

/* A newer version was seen: nothing is posted by the old view, and the operation goes by the new one. */
static void operation_park__goes_on_with_the_newer_view(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);

	atomic_store(&rig->engine.remotes.remotes[RIG_REMOTE].version_seen, 2);
	rig_put(fixture, &entry);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	assert_int_equal(rig->udp.posted, 0);
	rig_set_view(rig, RIG_REMOTE, 2, 99, RIG_BYTES);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	assert_int_equal(rig->udp.posted, 1);
	assert_int_equal(rig->udp.last->remote_region, 99);
	rig_drain(&rig->udp, HAUL_OK);
	rig_expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

static void operation_park__ends_by_deadline_range_or_retirement(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);

	atomic_store(&rig->engine.remotes.remotes[RIG_REMOTE].version_seen, 2);
	entry.timeout_ms = 5;
	rig_put(fixture, &entry);
	rig->now_us += 6000;
	rig_round(rig, 1);
	rig_expect(fixture, HAUL_TIMEOUT, HAUL_REASON_NONE);
	entry.timeout_ms = 0;
	rig_put(fixture, &entry);
	rig_set_view(rig, RIG_REMOTE, 2, 99, 50); /* it is smaller now */
	rig->now_us += ENGINE_PARKED_INTERVAL_US;
	rig_round(rig, 1);
	rig_expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
	atomic_store(&rig->engine.remotes.remotes[RIG_REMOTE].version_seen, 3);
	rig_put(fixture, &entry);
	remote_retire(&rig->engine.remotes, RIG_REMOTE);
	rig_round(rig, 1);
	rig_expect(fixture, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	assert_int_equal(rig->counters[WORKER_OPERATIONS_STALE], 1);
}

static void operation_retired__ends_whatever_its_state(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_completion completion;
	struct haul_entry entry;
	uint32_t other;

	entry = rig_write(rig, 1, 2 << 20);
	rig->udp.accept = 1; /* one slice posted, one waits */
	rig_put(fixture, &entry);
	other = rig_add_remote(rig, false, 5, 4096);
	rig_connect(rig, rig->engine.remotes.remotes[other].peer, HAUL_TRANSPORT_UDP);
	entry = rig_write(rig, 2, 100);
	entry.remote_segment = rig_open_handle(fixture->channel, 1, other, HAUL_RIGHT_WRITE);
	rig->udp.accept = UINT32_MAX;
	rig_submit(fixture->channel, &entry);
	remote_retire(&rig->engine.remotes, RIG_REMOTE);
	rig_round(rig, 1);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 1);
	assert_int_equal(completion.status, HAUL_STALE);
	assert_false(rig_reap(fixture->channel, &completion));
	/* The handle is still there: it names what is retired. */
	entry = rig_write(rig, 3, 100);
	rig_put(fixture, &entry);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 3);
	assert_int_equal(completion.status, HAUL_STALE);
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 2);
	assert_int_equal(completion.status, HAUL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_fixture_make, rig_fixture_free)
		CASE(operation_drive__cuts_into_slices),
		CASE(operation_drive__bounds_the_slices_of_one_operation),
		CASE(operation_drive__waits_under_back_pressure),
		CASE(operation_drive__ends_without_any_transport),
		CASE(operation_drive__never_goes_to_another_incarnation),
		CASE(operation_slice_done__posts_again_what_came_back),
		CASE(operation_slice_done__what_no_path_cures_ends_it),
		CASE(operation_slice_done__stale_may_be_our_own_side),
		CASE(operation_end__keeps_the_first_cause),
		CASE(operation_deadline__ends_what_waits),
		CASE(operation_deadline__ends_what_is_posted_after_its_fence),
		CASE(operation_park__goes_on_with_the_newer_view),
		CASE(operation_park__ends_by_deadline_range_or_retirement),
		CASE(operation_retired__ends_whatever_its_state),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
