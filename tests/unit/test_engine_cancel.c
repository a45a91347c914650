/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a cancellation ends what stands before it in the ring and nothing else, each operation once, and completes after
 * all of it; whatever state an operation is in, and however long its slices take to come back.
 * Method: one worker, a fake transport that holds what it gets and may be slow to give back what is cancelled. Last,
 * thousands of operations and cancellations at random, against an account of what was open when.
 */
#include "api/haul_attach.h"
#include "base/check.h"
#include "engine/cancel.h"
#include "engine_rig.h"
#include "unit.h"

static int teardown(void **state)
{
	const struct rig_fixture *fixture = *state;

	assert_int_equal(fixture->channel->reserved, 0);
	return rig_fixture_free(state);
}

static void submit_write(struct rig_fixture *fixture, uint64_t user_data, uint32_t length,
			 uint32_t batch, uint8_t flags)
{
	struct haul_entry entry = rig_write(fixture->rig, user_data, length);

	entry.batch = batch;
	entry.flags = flags;
	rig_submit(fixture->channel, &entry);
}

static void submit_cancel(struct rig_fixture *fixture, uint64_t user_data, enum haul_match match,
			  uint64_t which)
{
	struct haul_entry entry = {
		.opcode = HAUL_OP_CANCEL, .user_data = user_data, .tag = match, .value = which
	};

	rig_submit(fixture->channel, &entry);
}

/* The next completion is this one. */
static struct haul_completion expect(struct rig_fixture *fixture, uint64_t user_data,
				     enum haul_error status)
{
	struct haul_completion completion = { 0 };

	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, user_data);
	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, HAUL_REASON_NONE);
	return completion;
}

static void expect_cancel(struct rig_fixture *fixture, uint64_t user_data, uint32_t found)
{
	struct haul_completion completion =
		expect(fixture, user_data, found > 0 ? HAUL_OK : HAUL_NOT_FOUND);

	assert_int_equal(completion.members, found);
	assert_int_equal(completion.bytes, 0);
	assert_int_equal(completion.batch, 0);
	assert_int_equal(completion.transport, HAUL_TRANSPORT_NONE);
}

static void refused(struct rig_fixture *fixture, const struct haul_entry *entry,
		    enum haul_reason reason)
{
	uint64_t before = fixture->rig->counters[WORKER_ENTRIES_REFUSED];
	struct haul_completion completion;

	rig_submit(fixture->channel, entry);
	rig_round(fixture->rig, 1);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.status, HAUL_INVALID);
	assert_int_equal(completion.reason, reason);
	assert_int_equal(fixture->rig->counters[WORKER_ENTRIES_REFUSED], before + 1);
}

static void cancel_check__refuses_what_says_nothing_there(void **state)
{
	struct rig_fixture *fixture = *state;
	const struct haul_entry good = { .opcode = HAUL_OP_CANCEL,
					 .tag = HAUL_MATCH_USER_DATA,
					 .value = UINT64_MAX };
	const uint32_t fields[] = {
		offsetof(struct haul_entry, flags),
		offsetof(struct haul_entry, reserved),
		offsetof(struct haul_entry, local_region),
		offsetof(struct haul_entry, local_offset),
		offsetof(struct haul_entry, remote_region),
		offsetof(struct haul_entry, remote_offset),
		offsetof(struct haul_entry, length),
		offsetof(struct haul_entry, remote_segment),
		offsetof(struct haul_entry, timeout_ms),
	};
	struct haul_entry entry = good;

	assert_int_equal(cancel_check(&entry), HAUL_REASON_NONE);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		entry = good;
		((uint8_t *)&entry)[fields[i]] = 1;
		refused(fixture, &entry, HAUL_REASON_FLAGS);
	}
	for (uint32_t tag = 0; tag < 9; tag++) {
		entry = good;
		entry.tag = tag;
		if (tag < HAUL_MATCH_USER_DATA || tag > HAUL_MATCH_ALL)
			refused(fixture, &entry, HAUL_REASON_FLAGS);
	}
	entry = good;
	entry.tag = HAUL_MATCH_ALL; /* all of which? */
	refused(fixture, &entry, HAUL_REASON_FLAGS);
	entry.tag = HAUL_MATCH_BATCH;
	refused(fixture, &entry, HAUL_REASON_BATCH);
	entry.value = 0;
	refused(fixture, &entry, HAUL_REASON_BATCH);
	entry = good;
	entry.batch = HAUL_BATCHES_MAX + 1;
	refused(fixture, &entry, HAUL_REASON_BATCH);
}

/* In a batch it would have to wait for itself. Such a batch can be closed, and says what was wrong. */
static void cancel_check__is_no_member_of_a_batch(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = { .opcode = HAUL_OP_CANCEL,
				    .batch = 3,
				    .flags = HAUL_ENTRY_BATCH_LAST,
				    .tag = HAUL_MATCH_BATCH,
				    .value = 3 };

	refused(fixture, &entry, HAUL_REASON_BATCH);
	assert_int_equal(fixture->channel->batches[3].members, 0);
	rig_reap_none(fixture);
}

static void cancel_start__finds_nothing(void **state)
{
	struct rig_fixture *fixture = *state;

	submit_write(fixture, 1, 100, 0, 0);
	submit_cancel(fixture, 2, HAUL_MATCH_USER_DATA, 7);
	submit_cancel(fixture, 3, HAUL_MATCH_BATCH, 7);
	rig_round(fixture->rig, 1);
	expect_cancel(fixture, 2, 0);
	rig_round(fixture->rig, 1);
	expect_cancel(fixture, 3, 0);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, 1, HAUL_OK);
	submit_cancel(fixture, 4, HAUL_MATCH_USER_DATA, 1); /* it has completed */
	rig_round(fixture->rig, 1);
	expect_cancel(fixture, 4, 0);
	submit_cancel(fixture, 5, HAUL_MATCH_ALL, 0);
	rig_round(fixture->rig, 1);
	expect_cancel(fixture, 5, 0);
}

/* Those of one user_data, all of them and no other, members of batches too. */
static void cancel_start__by_user_data(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_completion completion;

	submit_write(fixture, 5, 100, 0, 0);
	submit_write(fixture, 6, 100, 0, 0);
	submit_write(fixture, 5, 3 << 20, 0, 0);
	submit_write(fixture, 5, 100, 1, HAUL_ENTRY_BATCH_LAST);
	submit_cancel(fixture, 9, HAUL_MATCH_USER_DATA, 5);
	rig_round(fixture->rig, 1);
	expect(fixture, 5, HAUL_CANCELLED);
	expect(fixture, 5, HAUL_CANCELLED);
	completion = expect(fixture, 5, HAUL_CANCELLED);
	assert_int_equal(completion.batch, 1);
	expect_cancel(fixture, 9, 3);
	assert_int_equal(fixture->rig->udp.held_count, 1);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, 6, HAUL_OK);
	assert_int_equal(fixture->rig->counters[WORKER_OPERATIONS_CANCELLED], 3);
	assert_int_equal(fixture->rig->counters[WORKER_CANCELS], 1);
}

/* What stands behind it in the ring is not looked at, though it was there when the daemon took it. */
static void cancel_start__reaches_nothing_behind_it(void **state)
{
	struct rig_fixture *fixture = *state;

	submit_write(fixture, 1, 100, 0, 0);
	submit_cancel(fixture, 2, HAUL_MATCH_ALL, 0);
	submit_write(fixture, 3, 100, 0, 0);
	rig_round(fixture->rig, 1);
	expect(fixture, 1, HAUL_CANCELLED);
	expect_cancel(fixture, 2, 1);
	rig_round(fixture->rig, 1);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, 3, HAUL_OK);
}

static void cancel_start__touches_no_other_channel(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct channel *other = rig_add_channel(rig, 2, 8);
	struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
					  .channel = other,
					  .error = HAUL_DISCONNECTED,
					  .reason = "enough" };
	struct haul_entry entry = { .opcode = HAUL_OP_CANCEL, .tag = HAUL_MATCH_ALL };
	struct haul_completion completion;

	submit_write(fixture, 1, 100, 0, 0);
	rig_round(rig, 1);
	rig_submit(other, &entry);
	rig_round(rig, 1);
	assert_true(rig_reap(other, &completion));
	assert_int_equal(completion.status, HAUL_NOT_FOUND);
	assert_true(worker_command(rig->worker, &command));
	rig_round(rig, 1);
	rig_free_channel(other);
	rig_drain(&rig->udp, HAUL_OK);
	expect(fixture, 1, HAUL_OK);
}

/* A cancelled batch that is not closed stays open: what is added later is not cancelled, and its last entry ends it. */
static void cancel_start__a_batch_that_is_open(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_completion completion;

	submit_write(fixture, 1, 100, 4, 0);
	submit_write(fixture, 2, 100, 4, HAUL_ENTRY_BATCH_MEMBER);
	submit_write(fixture, 3, 100, 5, 0);
	submit_cancel(fixture, 9, HAUL_MATCH_BATCH, 4);
	rig_round(fixture->rig, 1);
	expect(fixture, 2, HAUL_CANCELLED);
	expect_cancel(fixture, 9, 2);
	rig_reap_none(fixture);
	submit_write(fixture, 6, 100, 4, HAUL_ENTRY_BATCH_LAST);
	submit_write(fixture, 7, 100, 5, HAUL_ENTRY_BATCH_LAST);
	rig_round(fixture->rig, 1);
	assert_int_equal(rig_drain(&fixture->rig->udp, HAUL_OK), 3);
	for (int i = 0; i < 2; i++) {
		assert_true(rig_reap(fixture->channel, &completion));
		assert_int_equal(completion.members, completion.batch == 4 ? 3 : 2);
		assert_int_equal(completion.bytes, completion.batch == 4 ? 100 : 200);
		assert_int_equal(completion.status,
				 completion.batch == 4 ? HAUL_CANCELLED : HAUL_OK);
	}
}

/* A batch that is closed completes before the cancellation that ended it. */
static void cancel_start__a_batch_that_is_closed(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_completion completion;

	fixture->rig->udp.is_cancel_slow = true;
	submit_write(fixture, 1, 100, 4, 0);
	submit_write(fixture, 2, 100, 4, HAUL_ENTRY_BATCH_LAST);
	submit_cancel(fixture, 9, HAUL_MATCH_BATCH, 4);
	rig_round(fixture->rig, 1);
	rig_reap_none(fixture);
	rig_drain(&fixture->rig->udp, HAUL_CANCELLED);
	completion = expect(fixture, 2, HAUL_CANCELLED);
	assert_int_equal(completion.batch, 4);
	assert_int_equal(completion.members, 2);
	expect_cancel(fixture, 9, 2);
}

/* Posted, waiting for room, waiting for a view, waiting for a connection: all end in the same round. */
static void cancel_start__whatever_the_state(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry;
	uint32_t parked = rig_add_remote(rig, false, 5, 4096);
	uint32_t unconnected = rig_add_remote(rig, false, 5, 4096);

	rig_connect(rig, rig->engine.remotes.remotes[parked].peer, HAUL_TRANSPORT_UDP);
	atomic_store(&rig->engine.remotes.remotes[parked].version_seen, 2);
	rig->udp.accept = 1;
	submit_write(fixture, 1, 3 << 20, 0, 0);
	entry = rig_write(rig, 2, 100);
	entry.remote_segment = rig_open_handle(fixture->channel, 1, parked, HAUL_RIGHT_WRITE);
	rig_submit(fixture->channel, &entry);
	entry = rig_write(rig, 3, 100);
	entry.remote_segment = rig_open_handle(fixture->channel, 2, unconnected, HAUL_RIGHT_WRITE);
	rig_submit(fixture->channel, &entry);
	rig_round(rig, 1);
	assert_int_equal(rig->udp.held_count, 1);
	submit_cancel(fixture, 9, HAUL_MATCH_ALL, 0);
	rig_round(rig, 1);
	expect(fixture, 1, HAUL_CANCELLED);
	expect(fixture, 2, HAUL_CANCELLED);
	expect(fixture, 3, HAUL_CANCELLED);
	expect_cancel(fixture, 9, 3);
	assert_int_equal(rig->udp.cancelled, 1);
	assert_int_equal(rig->worker->wheel.armed, 0);
}

/* An operation that was timing out behind its fence keeps its status, and is waited for. */
static void cancel_start__waits_for_what_is_ending_already(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct haul_completion completion;

	rig->udp.is_cancel_slow = true;
	entry.timeout_ms = 5;
	rig_submit(fixture->channel, &entry);
	rig_round(rig, 6000);
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 1);
	submit_cancel(fixture, 9, HAUL_MATCH_USER_DATA, 1);
	rig_round(rig, 1);
	rig_reap_none(fixture);
	assert_int_equal(rig->udp.cancelled, 1);
	rig_drain(&rig->udp, HAUL_TIMEOUT);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.status, HAUL_TIMEOUT);
	expect_cancel(fixture, 9, 1);
}

/* The last bytes were placed while the cancellation was under way: `bytes` has them, CANCELLED stands. */
static void cancel_start__tells_what_was_placed(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;

	rig->udp.is_cancel_slow = true;
	submit_write(fixture, 1, 2 << 20, 0, 0);
	submit_cancel(fixture, 9, HAUL_MATCH_ALL, 0);
	rig_round(rig, 1);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_OK, 0);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_CANCELLED, 0);
	assert_int_equal(expect(fixture, 1, HAUL_CANCELLED).bytes, 1 << 20);
	expect_cancel(fixture, 9, 1);
}

/* Several cancellations of the same operation all wait for it, and complete in their order. */
static void cancel_release__completes_in_order(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;

	rig->udp.is_cancel_slow = true;
	submit_write(fixture, 1, 100, 0, 0);
	submit_write(fixture, 2, 100, 0, 0);
	submit_cancel(fixture, 10, HAUL_MATCH_USER_DATA, 1);
	submit_cancel(fixture, 11, HAUL_MATCH_USER_DATA, 1);
	submit_cancel(fixture, 12, HAUL_MATCH_ALL, 0);
	submit_cancel(fixture, 13, HAUL_MATCH_USER_DATA, 77);
	for (int i = 0; i < 4; i++)
		rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 2);
	rig_reap_none(fixture);
	rig_finish(&rig->udp, rig->udp.held[1], HAUL_CANCELLED, 0);
	expect(fixture, 2, HAUL_CANCELLED);
	rig_reap_none(fixture);
	rig_drain(&rig->udp, HAUL_CANCELLED);
	expect(fixture, 1, HAUL_CANCELLED);
	expect_cancel(fixture, 10, 1);
	expect_cancel(fixture, 11, 1);
	expect_cancel(fixture, 12, 2);
	expect_cancel(fixture, 13, 0);
}

/* As many wait as may: the next one stays in its ring until the first has completed. */
static void cancel_start__stays_in_the_ring_when_too_many_wait(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct channel *channel = rig_add_channel(rig, 1, 256);
	struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
					  .channel = channel,
					  .error = HAUL_DISCONNECTED,
					  .reason = "enough" };
	struct haul_entry entry = { .opcode = HAUL_OP_CANCEL, .tag = HAUL_MATCH_ALL };
	struct haul_entry write = rig_write(rig, 1, 100);
	struct haul_completion completion;
	uint32_t completed = 0;

	rig->udp.is_cancel_slow = true;
	write.remote_segment = rig_open_handle(channel, 0, RIG_REMOTE, HAUL_RIGHT_WRITE);
	rig_submit(channel, &write);
	for (uint32_t i = 0; i < ENGINE_CANCELS_MAX + 1; i++)
		rig_submit(channel, &entry);
	for (uint32_t i = 0; i < ENGINE_CANCELS_MAX + 10; i++)
		rig_round(rig, 1);
	assert_int_equal(channel->header->submission_head.value, ENGINE_CANCELS_MAX + 1);
	assert_true(rig->counters[WORKER_POOL_EMPTY] > 0);
	rig_drain(&rig->udp, HAUL_CANCELLED);
	rig_round(rig, 1);
	while (rig_reap(channel, &completion))
		completed++;
	assert_int_equal(completed, ENGINE_CANCELS_MAX + 2);
	assert_int_equal(completion.status, HAUL_NOT_FOUND);
	assert_true(worker_command(rig->worker, &command));
	rig_round(rig, 1);
	rig_free_channel(channel);
}

/* Each walks over all that is open, so a ring full of them is taken one a round. */
static void channel_poll__takes_one_cancellation_a_round(void **state)
{
	struct rig_fixture *fixture = *state;

	for (uint32_t i = 0; i < 3; i++)
		submit_cancel(fixture, i, HAUL_MATCH_ALL, 0);
	for (uint32_t i = 0; i < 3; i++) {
		rig_round(fixture->rig, 1);
		expect_cancel(fixture, i, 0);
		rig_reap_none(fixture);
	}
}

/* A batch may have more members open than the ring has completions: one can still be cancelled. */
static void channel_poll__takes_a_cancellation_behind_a_great_batch(void **state)
{
	struct rig_fixture *fixture = *state;

	for (uint32_t i = 0; i < 300; i++) {
		submit_write(fixture, 1, 100, 1, i == 299 ? HAUL_ENTRY_BATCH_LAST : 0);
		rig_round(fixture->rig, 1);
	}
	assert_int_equal(fixture->rig->udp.held_count, 300);
	submit_cancel(fixture, 9, HAUL_MATCH_BATCH, 1);
	rig_round(fixture->rig, 1);
	assert_int_equal(expect(fixture, 1, HAUL_CANCELLED).members, 300);
	expect_cancel(fixture, 9, 300);
}

/* The client goes while its cancellation waits: all ends, and the pools are level (rig_destroy). */
static void channel_close__ends_cancellations_too(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;

	rig->udp.is_cancel_slow = true;
	submit_write(fixture, 1, 100, 0, 0);
	submit_cancel(fixture, 2, HAUL_MATCH_ALL, 0);
	rig_round(rig, 1);
	channel_close(fixture->channel, HAUL_DISCONNECTED, "the client is gone");
	assert_false(channel_is_idle(fixture->channel));
	rig_drain(&rig->udp, HAUL_CANCELLED);
	assert_true(channel_is_idle(fixture->channel));
	assert_int_equal(fixture->channel->cancels.head, fixture->channel->cancels.tail);
}

/* The random case: what became of each entry, by its place in the ring, which is its user_data. */
#define RANDOM_ENTRIES 30000u
#define RANDOM_NONE    UINT32_MAX        /* no cancellation */
#define RANDOM_ALL     (UINT32_MAX - 1u) /* a cancellation of everything */

struct chaos {
	struct rig_fixture *fixture;
	uint64_t seed;
	uint32_t submitted;
	uint32_t completed;
	uint32_t target[RANDOM_ENTRIES]; /* of a cancellation */
	bool is_over[RANDOM_ENTRIES];
	uint32_t over; /* entries below it are over, cancellations aside */
	uint32_t cancelled;
	uint32_t ok;
};

static uint32_t below(struct chaos *chaos, uint32_t bound)
{
	return (uint32_t)unit_random_below(&chaos->seed, bound);
}

static void chaos_submit(struct chaos *chaos)
{
	struct channel *channel = chaos->fixture->channel;
	uint32_t index = chaos->submitted;

	if (index == RANDOM_ENTRIES ||
	    channel->header->submission_tail.value - channel->header->submission_head.value >= 64)
		return;
	chaos->submitted++;
	if (below(chaos, 5) != 0) {
		chaos->target[index] = RANDOM_NONE;
		submit_write(chaos->fixture, index, 1 + below(chaos, 3 << 20), 0, 0);
	} else if (below(chaos, 4) == 0) {
		chaos->target[index] = RANDOM_ALL;
		submit_cancel(chaos->fixture, index, HAUL_MATCH_ALL, 0);
	} else {
		/* One of the last, since older ones have ended. */
		chaos->target[index] = index - below(chaos, MIN(index + 1, 40u));
		submit_cancel(chaos->fixture, index, HAUL_MATCH_USER_DATA, chaos->target[index]);
	}
}

/* A cancellation has completed: so has all that stands before it and that it matched. */
static void chaos_check(struct chaos *chaos, uint32_t index, uint32_t found)
{
	uint32_t target = chaos->target[index];

	while (chaos->over < chaos->submitted &&
	       (chaos->is_over[chaos->over] || chaos->target[chaos->over] != RANDOM_NONE))
		chaos->over++;
	if (target == RANDOM_ALL)
		assert_true(chaos->over >= index);
	else
		assert_true(chaos->is_over[target] || chaos->target[target] != RANDOM_NONE);
	if (target != RANDOM_ALL)
		assert_in_range(found, 0, 1);
	if (target != RANDOM_ALL && chaos->target[target] != RANDOM_NONE)
		assert_int_equal(found, 0); /* a cancellation matches no other */
}

static void chaos_reap(struct chaos *chaos)
{
	struct haul_completion completion;

	while (rig_reap(chaos->fixture->channel, &completion)) {
		uint32_t index = (uint32_t)completion.user_data;

		assert_in_range(index, 0, chaos->submitted - 1);
		assert_false(chaos->is_over[index]);
		chaos->is_over[index] = true;
		chaos->completed++;
		if (chaos->target[index] != RANDOM_NONE) {
			chaos_check(chaos, index, completion.members);
			continue;
		}
		chaos->cancelled += completion.status == HAUL_CANCELLED;
		chaos->ok += completion.status == HAUL_OK;
	}
}

static void chaos_finish(struct chaos *chaos)
{
	static const enum haul_error statuses[] = { HAUL_OK, HAUL_OK, HAUL_OK, HAUL_NO_PATH };
	struct transport_worker *udp = &chaos->fixture->rig->udp;
	uint32_t count = below(chaos, 6);

	while (count-- > 0 && udp->held_count > 0)
		rig_finish(udp, udp->held[below(chaos, udp->held_count)], statuses[below(chaos, 4)],
			   0);
	if (below(chaos, 8) == 0)
		udp->is_cancel_slow = !udp->is_cancel_slow;
	if (below(chaos, 8) == 0)
		udp->accept = below(chaos, 3) == 0 ? below(chaos, 5) : UINT32_MAX;
}

static void cancel__everything_at_random_completes_once(void **state)
{
	struct chaos *chaos = calloc(1, sizeof(*chaos));
	struct rig_fixture *fixture = *state;
	uint32_t rounds = 0;

	assert_non_null(chaos);
	chaos->fixture = fixture;
	chaos->seed = unit_seed();
	while (chaos->completed < RANDOM_ENTRIES) {
		for (uint32_t i = below(chaos, 5); i > 0; i--)
			chaos_submit(chaos);
		rig_round(fixture->rig, below(chaos, 300));
		chaos_finish(chaos);
		if (below(chaos, 3) == 0)
			chaos_reap(chaos);
		assert_true(rounds++ < 50 * RANDOM_ENTRIES);
	}
	assert_int_equal(fixture->channel->accepted, RANDOM_ENTRIES);
	assert_in_range(chaos->cancelled, RANDOM_ENTRIES / 20, RANDOM_ENTRIES);
	assert_in_range(chaos->ok, RANDOM_ENTRIES / 20, RANDOM_ENTRIES);
	assert_int_equal(fixture->rig->udp.held_count, 0);
	fixture->rig->udp.accept = UINT32_MAX;
	free(chaos);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_fixture_make, teardown)
		CASE(cancel_check__refuses_what_says_nothing_there),
		CASE(cancel_check__is_no_member_of_a_batch),
		CASE(cancel_start__finds_nothing),
		CASE(cancel_start__by_user_data),
		CASE(cancel_start__reaches_nothing_behind_it),
		CASE(cancel_start__touches_no_other_channel),
		CASE(cancel_start__a_batch_that_is_open),
		CASE(cancel_start__a_batch_that_is_closed),
		CASE(cancel_start__whatever_the_state),
		CASE(cancel_start__waits_for_what_is_ending_already),
		CASE(cancel_start__tells_what_was_placed),
		CASE(cancel_start__stays_in_the_ring_when_too_many_wait),
		CASE(cancel_release__completes_in_order),
		CASE(channel_poll__takes_one_cancellation_a_round),
		CASE(channel_poll__takes_a_cancellation_behind_a_great_batch),
		CASE(channel_close__ends_cancellations_too),
		CASE(cancel__everything_at_random_completes_once),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
