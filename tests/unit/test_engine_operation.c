/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an entry ends exactly once, with the right status and reason, by its deadline at the latest, whatever its
 * transport does; no slice and no operation is lost on the way.
 * Method: one worker, a fake transport that holds what it gets, time by hand. Last, thousands of operations with
 * everything going wrong at random, with a seed to run it again.
 */
#include "api/haul_attach.h"
#include "base/fault.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

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

/* The one completion there is. */
static struct haul_completion reap(struct fixture *fixture)
{
	struct haul_completion completion = { 0 };
	struct haul_completion more;

	assert_true(rig_reap(fixture->channel, &completion));
	assert_false(rig_reap(fixture->channel, &more));
	return completion;
}

static void expect(struct fixture *fixture, enum haul_error status, enum haul_reason reason)
{
	struct haul_completion completion = reap(fixture);

	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, reason);
}

static void submit(struct fixture *fixture, const struct haul_entry *entry)
{
	rig_submit(fixture->channel, entry);
	rig_round(fixture->rig, 1);
}

static void refused(struct fixture *fixture, const struct haul_entry *entry, enum haul_error status,
		    enum haul_reason reason)
{
	uint64_t before = fixture->rig->counters[WORKER_ENTRIES_REFUSED];

	submit(fixture, entry);
	expect(fixture, status, reason);
	assert_int_equal(fixture->rig->counters[WORKER_ENTRIES_REFUSED], before + 1);
	assert_int_equal(fixture->rig->udp.held_count, 0);
}

static void operation_start__nop_completes_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = { .opcode = HAUL_OP_NOP, .user_data = UINT64_MAX };
	struct haul_completion completion;

	submit(fixture, &entry);
	completion = reap(fixture);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.user_data, UINT64_MAX);
	assert_int_equal(completion.bytes, 0);
}

static void operation_start__refuses_malformed_entries(void **state)
{
	struct fixture *fixture = *state;
	const struct haul_entry good = rig_write(fixture->rig, 1, 100);
	struct haul_entry entry;

	for (unsigned int opcode = HAUL_OP_CANCEL + 1; opcode <= UINT8_MAX; opcode++) {
		entry = good;
		entry.opcode = (uint8_t)opcode;
		refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_OPCODE);
	}
	for (unsigned int bit = 3; bit < 8; bit++) {
		entry = good;
		entry.flags = (uint8_t)(1u << bit);
		refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	}
	entry = good;
	entry.reserved = 1;
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = good;
	entry.tag = 1;
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = good;
	entry.value = 1;
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = good;
	entry.batch = HAUL_BATCHES_MAX + 1;
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_BATCH);
	entry = good;
	entry.flags = HAUL_ENTRY_BATCH_LAST; /* of which batch? */
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_BATCH);
	entry = good;
	entry.length = 0;
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_LENGTH);
	entry.length = HAUL_OPERATION_BYTES_MAX + 1;
	refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_LENGTH);
}

static void operation_start__refuses_local_memory_that_is_not_its_own(void **state)
{
	struct fixture *fixture = *state;
	static uint8_t other_memory[64];
	const struct region_spec other = {
		.base = other_memory, .length = 64, .owner = 2, .fault_id = FAULT_NONE
	};
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.local_region = haul_u48_make(0);
	refused(fixture, &entry, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
	entry.local_region = haul_u48_make(fixture->rig->region + (1u << 24));
	refused(fixture, &entry, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
	entry.local_region = haul_u48_make(region_add(&fixture->rig->engine.regions, &other));
	refused(fixture, &entry, HAUL_DENIED, HAUL_REASON_LOCAL_REGION);
	entry = rig_write(fixture->rig, 1, 100);
	entry.local_offset = haul_u48_make(RIG_BYTES - 99);
	refused(fixture, &entry, HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	entry.local_offset = haul_u48_make((UINT64_C(1) << 48) - 1);
	refused(fixture, &entry, HAUL_RANGE, HAUL_REASON_LOCAL_RANGE);
	fixture->rig->engine.regions.regions[region_slot(fixture->rig->region)].spec.is_read_only =
		true;
	entry = rig_write(fixture->rig, 1, 100);
	entry.opcode = HAUL_OP_READ;
	refused(fixture, &entry, HAUL_DENIED, HAUL_REASON_LOCAL_RIGHT);
}

static void operation_start__refuses_segments_that_are_not_open(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.remote_segment = 0;
	refused(fixture, &entry, HAUL_NOT_FOUND, HAUL_REASON_REMOTE_SEGMENT);
	entry.remote_segment = rig_open_handle(fixture->channel, 1, RIG_REMOTE, HAUL_RIGHT_READ);
	refused(fixture, &entry, HAUL_DENIED, HAUL_REASON_REMOTE_RIGHT);
	atomic_store(&fixture->channel->handles[1].word, 0);
	refused(fixture, &entry, HAUL_NOT_FOUND, HAUL_REASON_REMOTE_SEGMENT);
}

static void operation_start__ends_ranges_outside_the_segment(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.remote_offset = haul_u48_make(RIG_BYTES - 99);
	submit(fixture, &entry);
	expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
	entry.remote_offset = haul_u48_make((UINT64_C(1) << 48) - 1);
	submit(fixture, &entry);
	expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
}

/* A grant is for a segment: a region of its owner that is none of this segment's is out of reach. */
static void operation_start__reaches_no_region_of_another_segment(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.remote_region = haul_u48_make(78);
	submit(fixture, &entry);
	expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
	entry.remote_region = haul_u48_make(77);
	entry.remote_offset = haul_u48_make(50);
	submit(fixture, &entry);
	assert_int_equal(fixture->rig->udp.last->remote_region, 77);
	assert_int_equal(fixture->rig->udp.last->remote_offset, 50);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

static void operation_drive__cuts_into_slices(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 2 * ENGINE_SLICE_BYTES_MAX + 5);
	struct haul_completion completion;
	uint64_t sum = 0;

	entry.opcode = HAUL_OP_READ;
	entry.local_offset = haul_u48_make(10);
	entry.remote_offset = haul_u48_make(20);
	submit(fixture, &entry);
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
	completion = reap(fixture);
	assert_int_equal(completion.bytes, entry.length);
	assert_int_equal(completion.transport, HAUL_TRANSPORT_UDP);
	assert_int_equal(completion.attempts, 1);
}

/* A huge operation has a bounded number of slices out, and does not stop a small one behind it. */
static void operation_drive__bounds_the_slices_of_one_operation(void **state)
{
	struct fixture *fixture = *state;
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
	submit(fixture, &entry);
	assert_int_equal(rig->udp.held_count, ENGINE_OPERATION_SLICES_MAX);
	entry = rig_write(rig, 2, 1);
	submit(fixture, &entry);
	assert_int_equal(rig->udp.held_count, ENGINE_OPERATION_SLICES_MAX + 1);
	rig_finish(&rig->udp, rig->udp.last, HAUL_OK, 0);
	assert_int_equal(reap(fixture).user_data, 2);
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
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 3 << 20);

	fixture->rig->udp.accept = 1;
	submit(fixture, &entry);
	assert_int_equal(fixture->rig->udp.held_count, 1);
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.held_count, 1);
	fixture->rig->udp.accept = 1;
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.held_count, 2);
	fixture->rig->udp.accept = UINT32_MAX;
	rig_round(fixture->rig, 1);
	assert_int_equal(rig_drain(&fixture->rig->udp, HAUL_OK), 3);
	assert_int_equal(reap(fixture).bytes, 3 << 20);
}

static void operation_drive__ends_without_any_transport(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	fixture->rig->engine.order_count = 1; /* local alone, which reaches no peer */
	submit(fixture, &entry);
	expect(fixture, HAUL_NO_PATH, HAUL_REASON_NONE);
}

/* The slot of the peer holds another node by now. */
static void operation_drive__never_goes_to_another_incarnation(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 2 << 20);

	fixture->rig->udp.accept = 1;
	submit(fixture, &entry);
	fixture->rig->engine.peers.peers[RIG_PEER].incarnation++;
	fixture->rig->udp.accept = UINT32_MAX;
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.posted, 1);
	assert_int_equal(fixture->rig->udp.cancelled, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_INCARNATION);
}

static void operation_slice_done__posts_again_what_came_back(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 3 << 20);

	const enum haul_error curable[] = { HAUL_NO_PATH, HAUL_DISCONNECTED, HAUL_CANCELLED };
	struct haul_completion completion;

	submit(fixture, &entry);
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
	completion = reap(fixture);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.bytes, 3 << 20);
	assert_int_equal(completion.attempts, 1);
}

static void operation_slice_done__what_no_path_cures_ends_it(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;

	const enum haul_error fatal[] = { HAUL_STALE,   HAUL_DENIED,  HAUL_RANGE,   HAUL_FAULT,
					  HAUL_TIMEOUT, HAUL_CORRUPT, HAUL_INTERNAL };

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		struct haul_entry entry = rig_write(rig, i, 3 << 20);
		uint64_t cancelled = rig->udp.cancelled;

		submit(fixture, &entry);
		rig_finish(&rig->udp, rig->udp.held[1], fatal[i], HAUL_REASON_PEER_SILENT);
		assert_int_equal(rig->udp.cancelled, cancelled + 2);
		expect(fixture, fatal[i], HAUL_REASON_PEER_SILENT);
	}
	assert_int_equal(rig_expect_request(rig, WORKER_REMOTE_STALE).index, RIG_REMOTE);
}

/* The client took its own segment away under an operation: nothing of the target is in doubt. */
static void operation_slice_done__stale_may_be_our_own_side(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct worker_request request;

	submit(fixture, &entry);
	region_retire(&rig->engine.regions, rig->region);
	rig_drain(&rig->udp, HAUL_STALE);
	expect(fixture, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
	assert_false(rig_request(rig, &request));
}

/* While slices are behind a fence, further errors and the deadline change nothing of how it ends. */
static void operation_end__keeps_the_first_cause(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 3 << 20);
	struct haul_completion completion;

	rig->udp.is_cancel_slow = true;
	entry.timeout_ms = 10;
	submit(fixture, &entry);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_DENIED, HAUL_REASON_REMOTE_RIGHT);
	assert_int_equal(rig->udp.cancelled, 2);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_NO_PATH, 0);
	rig->now_us += 20000;
	rig_round(rig, 1);
	assert_false(rig_reap(fixture->channel, &completion));
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_OK, 0);
	completion = reap(fixture);
	assert_int_equal(completion.status, HAUL_DENIED);
	assert_int_equal(completion.reason, HAUL_REASON_REMOTE_RIGHT);
	assert_int_equal(completion.bytes, ENGINE_SLICE_BYTES_MAX);
}

static void operation_deadline__ends_what_waits(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);
	struct haul_completion completion;

	fixture->rig->udp.accept = 0;
	entry.timeout_ms = 7;
	submit(fixture, &entry);
	rig_round(fixture->rig, 6998);
	assert_false(rig_reap(fixture->channel, &completion));
	fixture->rig->now_us += 200;
	rig_round(fixture->rig, 1);
	expect(fixture, HAUL_TIMEOUT, HAUL_REASON_PEER_SILENT);
	assert_int_equal(fixture->rig->counters[WORKER_OPERATIONS_TIMEOUT], 1);
}

static void operation_deadline__ends_what_is_posted_after_its_fence(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 2 << 20);
	struct haul_completion completion;

	fixture->rig->udp.is_cancel_slow = true;
	submit(fixture, &entry);
	fixture->rig->now_us += 1001 * 1000; /* the channel's own time-out is 1 s */
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.cancelled, 2);
	assert_false(rig_reap(fixture->channel, &completion));
	rig_drain(&fixture->rig->udp, HAUL_TIMEOUT);
	expect(fixture, HAUL_TIMEOUT, HAUL_REASON_PEER_SILENT);
}

/* A newer version was seen: nothing is posted by the old view, and the operation goes by the new one. */
static void operation_park__goes_on_with_the_newer_view(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);

	atomic_store(&rig->engine.remotes.remotes[RIG_REMOTE].version_seen, 2);
	submit(fixture, &entry);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	assert_int_equal(rig->udp.posted, 0);
	rig_set_view(rig, RIG_REMOTE, 2, 99, RIG_BYTES);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	assert_int_equal(rig->udp.posted, 1);
	assert_int_equal(rig->udp.last->remote_region, 99);
	rig_drain(&rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

static void operation_park__ends_by_deadline_range_or_retirement(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);

	atomic_store(&rig->engine.remotes.remotes[RIG_REMOTE].version_seen, 2);
	entry.timeout_ms = 5;
	submit(fixture, &entry);
	rig->now_us += 6000;
	rig_round(rig, 1);
	expect(fixture, HAUL_TIMEOUT, HAUL_REASON_NONE);
	entry.timeout_ms = 0;
	submit(fixture, &entry);
	rig_set_view(rig, RIG_REMOTE, 2, 99, 50); /* it is smaller now */
	rig->now_us += ENGINE_PARKED_INTERVAL_US;
	rig_round(rig, 1);
	expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
	atomic_store(&rig->engine.remotes.remotes[RIG_REMOTE].version_seen, 3);
	submit(fixture, &entry);
	remote_retire(&rig->engine.remotes, RIG_REMOTE);
	rig_round(rig, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	assert_int_equal(rig->counters[WORKER_OPERATIONS_STALE], 1);
}

static void operation_retired__ends_whatever_its_state(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_completion completion;
	struct haul_entry entry;
	uint32_t other;

	entry = rig_write(rig, 1, 2 << 20);
	rig->udp.accept = 1; /* one slice posted, one waits */
	submit(fixture, &entry);
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
	submit(fixture, &entry);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 3);
	assert_int_equal(completion.status, HAUL_STALE);
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 2);
	assert_int_equal(completion.status, HAUL_OK);
}

/* A client that has everything in flight leaves room for each other client's operations and slices. */
static void operation_start__one_client_cannot_take_the_whole_pool(void **state)
{
	struct fixture *fixture = *state;
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
	submit(fixture, &entry);
	assert_int_equal(rig->udp.last->length, 100);
	rig_finish(&rig->udp, rig->udp.last, HAUL_OK, 0);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
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
	struct fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	static void *taken[ENGINE_OPERATIONS_MAX];
	struct haul_entry entry = rig_write(rig, 1, 100);

	for (uint32_t i = 0; i < ENGINE_OPERATIONS_MAX; i++)
		taken[i] = pool_get(&rig->worker->operations);
	entry.batch = 5;
	entry.flags = HAUL_ENTRY_BATCH_LAST;
	submit(fixture, &entry);
	assert_int_equal(fixture->channel->header->submission_head.value, 0);
	assert_int_equal(fixture->channel->reserved, 0);
	assert_int_equal(fixture->channel->batches[5].members, 0);
	assert_int_equal(rig->counters[WORKER_POOL_EMPTY], 1);
	for (uint32_t i = 0; i < ENGINE_OPERATIONS_MAX; i++)
		pool_put(&rig->worker->operations, taken[i]);
	rig_round(rig, 1);
	rig_drain(&rig->udp, HAUL_OK);
	assert_int_equal(reap(fixture).members, 1);
}

/* The random test's own account of each accepted entry. */
#define RANDOM_OPERATIONS 20000u
#define RANDOM_REMOTES    4u

struct chaos {
	struct rig *rig;
	struct channel *channel;
	uint64_t seed;
	uint8_t completed[RANDOM_OPERATIONS]; /* completions of its own */
	uint8_t batch_of[RANDOM_OPERATIONS];
	uint32_t batched; /* entries that named a batch */
	uint32_t folded;  /* members that aggregates told of */
	uint32_t refused; /* entries that could not join theirs */
	uint32_t handles[RANDOM_REMOTES];
	uint32_t submitted;
};

static uint32_t below(struct chaos *chaos, uint32_t bound)
{
	return (uint32_t)unit_random_below(&chaos->seed, bound);
}

static void chaos_submit(struct chaos *chaos)
{
	struct channel *channel = chaos->channel;
	struct haul_entry entry;

	if (chaos->submitted == RANDOM_OPERATIONS ||
	    channel->header->submission_tail.value - channel->header->submission_head.value >= 64)
		return;
	entry = rig_write(chaos->rig, chaos->submitted, 1 + below(chaos, RIG_BYTES));
	entry.opcode = (uint8_t)below(chaos, 20) == 0 ? (uint8_t)below(chaos, 256)
						      : (uint8_t)below(chaos, 3);
	entry.remote_segment = chaos->handles[below(chaos, RANDOM_REMOTES)];
	entry.local_offset = haul_u48_make(below(chaos, 10) == 0 ? below(chaos, RIG_BYTES) : 0);
	entry.timeout_ms = below(chaos, 5) == 0 ? 1 + below(chaos, 20) : 0;
	/* A cancellation that names a batch is refused for it, but may have joined: the account could not tell. */
	if (entry.opcode != HAUL_OP_CANCEL && below(chaos, 4) == 0) {
		entry.batch = 1 + below(chaos, 8);
		entry.flags = below(chaos, 3) == 0 ? HAUL_ENTRY_BATCH_LAST : 0;
		if (below(chaos, 5) == 0)
			entry.flags |= HAUL_ENTRY_BATCH_MEMBER;
		chaos->batch_of[chaos->submitted] = (uint8_t)entry.batch;
		chaos->batched++;
	}
	if (entry.opcode == HAUL_OP_WRITE && below(chaos, 3) == 0) {
		entry.flags |= HAUL_ENTRY_NOTIFY;
		entry.value = chaos->submitted;
		if (below(chaos, 3) == 0)
			entry.length = 0;
	}
	rig_submit(channel, &entry);
	chaos->submitted++;
}

static void chaos_reap(struct chaos *chaos)
{
	struct haul_completion completion;

	while (rig_reap(chaos->channel, &completion)) {
		assert_in_range(completion.status, 0, HAUL_ERROR_COUNT - 1);
		assert_in_range(completion.reason, 0, HAUL_REASON_COUNT - 1);
		assert_in_range(completion.user_data, 0, chaos->submitted - 1);
		if (completion.batch != 0) {
			assert_int_equal(chaos->batch_of[completion.user_data], completion.batch);
			assert_true(completion.members > 0);
			chaos->folded += completion.members;
			continue;
		}
		chaos->refused += completion.reason == HAUL_REASON_BATCH;
		assert_int_equal(chaos->completed[completion.user_data]++, 0);
	}
}

/* The transport ends some of what it holds, in any order, in any way. */
static void chaos_finish(struct chaos *chaos)
{
	static const enum haul_error statuses[] = { HAUL_OK,    HAUL_OK,          HAUL_OK,
						    HAUL_OK,    HAUL_STALE,       HAUL_NO_PATH,
						    HAUL_FAULT, HAUL_DISCONNECTED };
	struct transport_worker *udp = &chaos->rig->udp;
	uint32_t count = below(chaos, 8);

	while (count-- > 0 && udp->held_count > 0) {
		struct slice *slice = udp->held[below(chaos, udp->held_count)];

		rig_finish(udp, slice,
			   slice->kind == SLICE_NOTIFY && below(chaos, 2) == 0
				   ? HAUL_BUSY
				   : statuses[below(chaos, 8)],
			   0);
	}
}

/* A rail goes down, becomes doubtful or recovers; a segment is retired and opened again. */
static void chaos_strike(struct chaos *chaos)
{
	struct rig *rig = chaos->rig;
	uint32_t index = below(chaos, RANDOM_REMOTES);
	struct remote *remote = &rig->engine.remotes.remotes[index];
	uint32_t number =
		rig_rail(remote->peer, HAUL_TRANSPORT_UDP, below(chaos, ENGINE_RAILS_MAX));
	bool is_there = rail_takes(endpoint_rail(rig->worker, number));
	struct worker_request request;

	switch (below(chaos, 10)) {
	case 8:
		if (is_there)
			worker_host.rail_state(rig->worker, number, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
		break;
	case 9:
		if (is_there)
			worker_host.rail_state(rig->worker, number, RAIL_UP, RAIL_CAUSE_NONE);
		break;
	case 0:
		worker_host.rail_state(rig->worker, number, RAIL_DOWN,
				       (enum rail_cause)(RAIL_CAUSE_UNREACHABLE + below(chaos, 2)));
		break;
	case 1:
		remote_retire(&rig->engine.remotes, index);
		rig_round(rig, 1);
		rig_set_view(rig, index, 1 + below(chaos, 9), 77, RIG_BYTES);
		atomic_store(&remote->state, REMOTE_OPEN);
		break;
	case 2:
		atomic_fetch_add(&remote->version_seen, 1);
		break;
	case 3:
		rig_set_view(rig, index, atomic_load(&remote->version_seen), 77, RIG_BYTES);
		break;
	case 4:
		rig->udp.is_cancel_slow = !rig->udp.is_cancel_slow;
		break;
	case 5:
		rig->udp.accept = below(chaos, 3) == 0 ? below(chaos, 5) : UINT32_MAX;
		break;
	default:
		break;
	}
	while (rig_request(rig, &request)) {
		if (request.kind == WORKER_CONNECT)
			worker_host.rail_state(rig->worker, request.index,
					       below(chaos, 4) == 0 ? RAIL_DOWN : RAIL_UP,
					       RAIL_CAUSE_UNREACHABLE);
	}
}

static void operation__everything_at_random_completes_once(void **state)
{
	struct fixture *fixture = *state;
	struct chaos *chaos = calloc(1, sizeof(*chaos));
	struct rig *rig = fixture->rig;
	uint32_t rounds = 0;

	assert_non_null(chaos);
	chaos->rig = rig;
	chaos->channel = fixture->channel;
	chaos->seed = unit_seed();
	chaos->handles[0] = rig->handle;
	for (uint32_t i = 1; i < RANDOM_REMOTES; i++)
		chaos->handles[i] = rig_open_handle(chaos->channel, i,
						    rig_add_remote(rig, false, 77, RIG_BYTES),
						    HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	/* Peers with one way and with several. */
	for (uint32_t i = 0; i < RANDOM_REMOTES; i++)
		rig->engine.peers.peers[rig->engine.remotes.remotes[i].peer]
			.ways[HAUL_TRANSPORT_UDP] = (uint8_t)below(chaos, ENGINE_RAILS_MAX + 1);
	while (chaos->channel->completed < RANDOM_OPERATIONS) {
		for (uint32_t i = below(chaos, 6); i > 0; i--)
			chaos_submit(chaos);
		rig_round(rig, below(chaos, 300));
		chaos_finish(chaos);
		chaos_strike(chaos);
		if (below(chaos, 3) == 0)
			chaos_reap(chaos);
		assert_true(rounds++ < 50 * RANDOM_OPERATIONS);
	}
	rig->udp.accept = UINT32_MAX;
	rig->udp.is_cancel_slow = false;
	chaos_reap(chaos);
	assert_int_equal(chaos->channel->accepted, RANDOM_OPERATIONS);
	for (uint32_t i = 0; i < RANDOM_OPERATIONS; i++) {
		if (chaos->batch_of[i] == 0)
			assert_int_equal(chaos->completed[i], 1);
	}
	/* Each entry of a batch is in one aggregate, or was refused, or its batch was never closed. */
	for (uint32_t i = 1; i <= HAUL_BATCHES_MAX; i++)
		chaos->batched -= chaos->channel->batches[i].members;
	assert_int_equal(chaos->folded + chaos->refused, chaos->batched);
	assert_true(rig->udp.posted > RANDOM_OPERATIONS / 4);
	assert_int_equal(rig->udp.held_count, 0);
	free(chaos);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(operation_start__nop_completes_at_once),
		CASE(operation_start__refuses_malformed_entries),
		CASE(operation_start__refuses_local_memory_that_is_not_its_own),
		CASE(operation_start__refuses_segments_that_are_not_open),
		CASE(operation_start__ends_ranges_outside_the_segment),
		CASE(operation_start__reaches_no_region_of_another_segment),
		CASE(operation_start__one_client_cannot_take_the_whole_pool),
		CASE(operation_start__leaves_entries_when_the_pool_is_empty),
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
		CASE(operation__everything_at_random_completes_once),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
