/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a WRITE that notifies posts its notification when all its bytes are placed, and not before; attempts have one
 * number and never overlap; a busy target is asked again until the deadline, which says so.
 * Method: as test_engine_operation.c, of which this is the part about notifications.
 */
#include "base/fault.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

static struct haul_entry entry_make(const struct rig *rig, uint32_t length)
{
	struct haul_entry entry = rig_write(rig, 1, length);

	entry.remote_offset = haul_u48_make(300);
	entry.flags = HAUL_ENTRY_NOTIFY;
	entry.tag = 8;
	entry.value = 9;
	return entry;
}

/* The one slice that the transport has, which is a notification. */
static struct slice *held(struct rig_fixture *fixture)
{
	struct transport_worker *udp = &fixture->rig->udp;

	assert_int_equal(udp->held_count, 1);
	assert_int_equal(udp->held[0]->kind, SLICE_NOTIFY);
	return udp->held[0];
}

/* A WRITE whose bytes are placed. */
static struct slice *start(struct rig_fixture *fixture)
{
	struct haul_entry entry = entry_make(fixture->rig, 100);

	rig_put(fixture, &entry);
	rig_finish(&fixture->rig->udp, fixture->rig->udp.held[0], HAUL_OK, 0);
	rig_reap_none(fixture);
	rig_round(fixture->rig, 1);
	return held(fixture);
}

static void operation_notify__behind_the_last_byte(void **state)
{
	struct rig_fixture *fixture = *state;
	struct transport_worker *udp = &fixture->rig->udp;
	struct haul_entry entry = entry_make(fixture->rig, 3 * ENGINE_SLICE_BYTES_MAX);
	struct slice *slice;

	rig_put(fixture, &entry);
	assert_int_equal(udp->held_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(udp->held[0]->kind, SLICE_WRITE);
		rig_finish(udp, udp->held[0], HAUL_OK, 0);
		if (i < 2)
			rig_round(fixture->rig, 1);
		assert_int_equal(udp->held_count, 2 - i);
	}
	rig_round(fixture->rig, 1);
	slice = held(fixture);
	assert_int_equal(slice->remote_region, 77);
	assert_int_equal(slice->remote_offset, 300);
	assert_int_equal(slice->written, 3 * ENGINE_SLICE_BYTES_MAX);
	assert_int_equal(slice->length, SLICE_NOTIFY_BYTES);
	assert_int_equal(slice->tag, 8);
	assert_int_equal(slice->value, 9);
	assert_int_not_equal(slice->number, 0);
	rig_reap_none(fixture);
	rig_finish(udp, slice, HAUL_OK, 0);
	rig_expect(fixture, HAUL_OK, 0);
}

static void operation_notify__alone(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = entry_make(fixture->rig, 0);
	struct haul_completion completion;

	entry.local_region = haul_u48_make(0xffff);
	rig_put(fixture, &entry);
	assert_int_equal(held(fixture)->written, 0);
	rig_finish(&fixture->rig->udp, held(fixture), HAUL_OK, 0);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.bytes, 0);
}

static void operation_notify__only_a_write(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = entry_make(fixture->rig, 100);

	entry.opcode = HAUL_OP_READ;
	rig_put(fixture, &entry);
	rig_expect(fixture, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry.opcode = HAUL_OP_NOP;
	rig_put(fixture, &entry);
	rig_expect(fixture, HAUL_INVALID, HAUL_REASON_FLAGS);
	entry = entry_make(fixture->rig, 1);
	entry.remote_offset = haul_u48_make(RIG_BYTES);
	rig_put(fixture, &entry);
	rig_expect(fixture, HAUL_RANGE, HAUL_REASON_REMOTE_RANGE);
}

static void operation_notify__batched(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry = entry_make(fixture->rig, 100);
	struct haul_completion completion;

	entry.batch = 3;
	rig_put(fixture, &entry);
	entry.flags |= HAUL_ENTRY_BATCH_LAST;
	rig_put(fixture, &entry);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	rig_round(fixture->rig, 1);
	rig_reap_none(fixture);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.members, 2);
	assert_int_equal(completion.bytes, 200);
}

/* Each pause is longer than the one before, and the number stays. */
static void operation_notify__backs_off(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct slice *slice = start(fixture);
	uint64_t number = slice->number;
	uint64_t pause_us = ENGINE_NOTIFY_PAUSE_MIN_US;

	for (int i = 0; i < 12; i++) {
		rig_finish(&rig->udp, slice, HAUL_BUSY, HAUL_REASON_NOTIFICATIONS_FULL);
		rig_round(rig, pause_us - 2);
		rig_round(rig, 1);
		assert_int_equal(rig->udp.held_count, 0);
		rig_reap_none(fixture);
		rig->now_us += 2 * 64; /* the wheel's ticks */
		rig_round(rig, 1);
		rig_round(rig, 1);
		slice = held(fixture);
		assert_int_equal(slice->number, number);
		pause_us = pause_us * 2 > ENGINE_NOTIFY_PAUSE_MAX_US ? ENGINE_NOTIFY_PAUSE_MAX_US
								     : pause_us * 2;
	}
	assert_int_equal(rig->counters[WORKER_NOTIFY_PAUSES], 12);
	rig_finish(&rig->udp, slice, HAUL_OK, 0);
	rig_expect(fixture, HAUL_OK, 0);
}

static void operation_notify__busy_until_the_deadline(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct slice *slice = start(fixture);
	struct haul_completion completion;
	uint64_t end_us = rig->now_us + 2000000;

	rig_finish(&rig->udp, slice, HAUL_BUSY, HAUL_REASON_NOTIFICATIONS_FULL);
	while (!rig_reap(fixture->channel, &completion)) {
		rig_round(rig, 100);
		if (rig->udp.held_count > 0)
			rig_finish(&rig->udp, held(fixture), HAUL_BUSY,
				   HAUL_REASON_NOTIFICATIONS_FULL);
		assert_true(rig->now_us < end_us);
	}
	assert_int_equal(completion.status, HAUL_TIMEOUT);
	assert_int_equal(completion.reason, HAUL_REASON_NOTIFICATIONS_FULL);
	assert_int_equal(completion.bytes, 100);
}

/* A rail that goes gives the attempt back; the next one has the same number, also on another rail. */
static void operation_notify__goes_out_again(void **state)
{
	struct rig_fixture *fixture = *state;
	struct slice *slice = start(fixture);
	uint64_t number = slice->number;

	rig_finish(&fixture->rig->udp, slice, HAUL_NO_PATH, 0);
	rig_reap_none(fixture);
	rig_round(fixture->rig, 1);
	slice = held(fixture);
	assert_int_equal(slice->number, number);
	rig_finish(&fixture->rig->udp, slice, HAUL_OK, 0);
	rig_expect(fixture, HAUL_OK, 0);
}

static void operation_notify__is_refused(void **state)
{
	struct rig_fixture *fixture = *state;
	struct slice *slice = start(fixture);

	rig_finish(&fixture->rig->udp, slice, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	rig_expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	rig_expect_request(fixture->rig, WORKER_REMOTE_STALE);
}

/* In a pause, out on its rail, and on its way back: the client goes. */
static void operation_notify__ends_whatever_its_state(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct haul_completion completion;

	for (int i = 0; i < 3; i++) {
		struct slice *slice = start(fixture);

		if (i == 0)
			rig_finish(&rig->udp, slice, HAUL_BUSY, 0);
		rig->udp.is_cancel_slow = i == 2;
		operation_end(TAILQ_FIRST(&fixture->channel->operations), HAUL_CANCELLED,
			      HAUL_REASON_CLIENT_GONE);
		assert_int_equal(rig_reap(fixture->channel, &completion), i != 2);
		rig_drain(&rig->udp, HAUL_CANCELLED);
		rig->udp.is_cancel_slow = false;
		if (i == 2)
			assert_true(rig_reap(fixture->channel, &completion));
		assert_int_equal(completion.status, HAUL_CANCELLED);
	}
	assert_int_equal(rig->worker->numbers[RIG_PEER].lowest,
			 rig->worker->numbers[RIG_PEER].next);
}

/* No number is given out a window above an open one: the rest waits, and goes on when the oldest has ended. */
static void operation_notify__keeps_to_the_window(void **state)
{
	struct rig_fixture *fixture = *state;
	struct rig *rig = fixture->rig;
	struct transport_worker *udp = &rig->udp;
	struct slice *first = start(fixture);
	uint64_t number = first->number;
	struct haul_completion completion;
	struct haul_entry entry = entry_make(rig, 0);

	for (uint32_t i = 1; i < ENGINE_NOTIFY_WINDOW; i++) {
		rig_put(fixture, &entry);
		assert_int_equal(udp->held[1]->number, number + i);
		rig_finish(udp, udp->held[1], HAUL_OK, 0);
		assert_true(rig_reap(fixture->channel, &completion));
	}
	rig_put(fixture, &entry);
	rig_round(rig, 5000);
	assert_int_equal(held(fixture)->number, number);
	rig_finish(udp, first, HAUL_OK, 0);
	assert_true(rig_reap(fixture->channel, &completion));
	for (int i = 0; i < 200 && udp->held_count == 0; i++)
		rig_round(rig, 100);
	assert_int_equal(held(fixture)->number, number + ENGINE_NOTIFY_WINDOW);
	rig_drain(udp, HAUL_OK);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.status, HAUL_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_fixture_make, rig_fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(operation_notify__behind_the_last_byte),
		CASE(operation_notify__alone),
		CASE(operation_notify__only_a_write),
		CASE(operation_notify__batched),
		CASE(operation_notify__backs_off),
		CASE(operation_notify__busy_until_the_deadline),
		CASE(operation_notify__goes_out_again),
		CASE(operation_notify__is_refused),
		CASE(operation_notify__ends_whatever_its_state),
		CASE(operation_notify__keeps_to_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
