/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a notification is handed to the target once, with all its fields and a bound on its time, is acknowledged when it
 * was delivered and not before, and never comes after its end.
 * Method: two ends joined by hand, packets held back, copied and lost one by one.
 */
#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "rudp/conn.h"
#include "rudp_ends.h"
#include "unit.h"

#include <errno.h>

static const struct rudp_notice said = { .number = (UINT64_C(1) << 62) + 3,
					 .value = UINT64_MAX - 1,
					 .tag = 0x90000001,
					 .written = 12345,
					 .worker = 7 };

static uint32_t submit_notify(void)
{
	ends[0].notice = said;
	return submit(RUDP_NOTIFY, 0);
}

static void rudp_submit__notify(void **state)
{
	const struct rudp_notice *heard = &ends[1].notification.notice;

	(void)state;
	submit_notify();
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[0].completion.kind, RUDP_NOTIFY);
	assert_int_equal(ends[0].completion.bytes, 0);
	assert_int_equal(ends[1].notified, 1);
	assert_int_equal(heard->number, said.number);
	assert_int_equal(heard->value, said.value);
	assert_int_equal(heard->tag, said.tag);
	assert_int_equal(heard->written, said.written);
	assert_int_equal(heard->worker, said.worker);
	assert_true(ends[1].notification.region == 0xabc && ends[1].notification.offset == 0x100);
	assert_true(ends[1].notification.not_after_us ==
		    (now_us / RUDP_TICK_US + RUDP_TICKS_FRESH + 1) * RUDP_TICK_US - 1);
	assert_int_equal(ends[1].placed + ends[1].opened + ends[1].closed, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_NOTIFIED], 1);
}

static void rudp_submit__notify_has_no_length(void **state)
{
	struct rudp_operation_request request = { .kind = RUDP_NOTIFY, .length = 1 };
	uint32_t id;

	(void)state;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EINVAL);
	request.length = 0;
	request.offset = WIRE_OFFSET_MAX;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), 0);
	request.offset = WIRE_OFFSET_MAX + 1;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EINVAL);
}

/* Without the window the copy would be delivered, and without `served` a copy under another number. */
static void rudp_receive__notify_comes_twice(void **state)
{
	struct packet packet;

	(void)state;
	submit_notify();
	packet = take(0);
	assert_int_equal(packet.bytes, WIRE_DATA_HEADER_BYTES + WIRE_NOTICE_BYTES);
	give(1, &packet);
	give(1, &packet);
	assert_int_equal(ends[1].notified, 1);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_DUPLICATE], 1);
	settle();
	give(1, &packet);
	assert_int_equal(ends[1].notified, 1);
	assert_int_equal(ends[0].done, 1);
}

/* The acknowledgement is lost; the probe is acknowledged and delivers nothing. */
static void rudp_receive__notify_is_sent_again(void **state)
{
	struct packet packet;

	(void)state;
	submit_notify();
	packet = take(0);
	give(1, &packet);
	packet = take(1); /* lost */
	assert_int_equal(ends[0].done, 0);
	pass(50000);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[1].notified, 1);
}

static void rudp_receive__notify_is_refused(void **state)
{
	(void)state;
	ends[1].notify_status = HAUL_BUSY;
	submit_notify();
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_BUSY);
	assert_int_equal(ends[0].completion.reason, HAUL_REASON_NOTIFICATIONS_FULL);
	ends[1].notify_status = HAUL_STALE;
	submit_notify();
	settle();
	assert_int_equal(ends[0].done, 2);
	assert_int_equal(ends[0].completion.status, HAUL_STALE);
	assert_int_equal(ends[0].completion.version, 79);
	ends[1].notify_status = HAUL_OK;
	submit_notify();
	settle();
	assert_int_equal(ends[0].done, 3);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[1].notified, 1);
}

/* Too late by the target's clock: not acknowledged, and sent again with a newer tick. */
static void rudp_receive__notify_is_late(void **state)
{
	(void)state;
	ends[1].notify_status = HAUL_TIMEOUT;
	submit_notify();
	settle();
	assert_int_equal(ends[0].done, 0);
	ends[1].notify_status = HAUL_OK;
	pass(50000);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[1].notified, 1);
}

static void rudp_receive__notify_of_an_old_tick(void **state)
{
	struct packet late;

	(void)state;
	submit_notify();
	late = take(0);
	pass_black((RUDP_TICKS_FRESH + 1) * RUDP_TICK_US);
	give(1, &late);
	assert_int_equal(ends[1].notified, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_STALE_TICK], 1);
}

static void rudp_cancel__notify_waits_for_the_fence(void **state)
{
	uint32_t id = submit_notify();
	struct packet late = take(0);

	(void)state;
	assert_int_equal(rudp_cancel(ends[0].connection, now_us, id, HAUL_TIMEOUT, 19), 0);
	assert_int_equal(ends[0].done, 0);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_TIMEOUT);
	assert_int_equal(ends[0].completion.reason, 19);
	give(1, &late);
	assert_int_equal(ends[1].notified, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_OPERATION_OVER], 1);
}

static void rudp_cancel__notify_ends_by_freshness(void **state)
{
	uint32_t id = submit_notify();
	struct packet late = take(0);
	uint64_t fence_us = rudp_write_fence_us(ends[0].connection, id);

	(void)state;
	assert_true(fence_us > now_us);
	rudp_cancel(ends[0].connection, now_us, id, HAUL_CANCELLED, 0);
	pass_black(fence_us - now_us + 200);
	assert_int_equal(ends[0].done, 1);
	give(1, &late);
	assert_int_equal(ends[1].notified, 0);
}

/* Flags and payload that no sender makes. */
static void rudp_receive__odd_notify(void **state)
{
	struct packet packet;

	(void)state;
	submit_notify();
	packet = take(0);
	assert_int_equal(packet.data[1], WIRE_FLAG_ONLY | WIRE_FLAG_NOTIFY);
	packet.data[1] = WIRE_FLAG_NOTIFY;
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_MALFORMED);
	packet.data[1] = WIRE_FLAG_ONLY | WIRE_FLAG_NOTIFY;
	packet.bytes--;
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_MALFORMED);
	packet.bytes++;
	packet.data[WIRE_DATA_HEADER_BYTES + WIRE_NOTICE_BYTES - 1] = 1;
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_MALFORMED);
	packet.data[WIRE_DATA_HEADER_BYTES + WIRE_NOTICE_BYTES - 1] = 0;
	assert_int_equal(ends[1].notified, 0);
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_TAKEN);
	assert_int_equal(ends[1].notified, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rudp_submit__notify),
		CASE(rudp_submit__notify_has_no_length),
		CASE(rudp_receive__notify_comes_twice),
		CASE(rudp_receive__notify_is_sent_again),
		CASE(rudp_receive__notify_is_refused),
		CASE(rudp_receive__notify_is_late),
		CASE(rudp_receive__notify_of_an_old_tick),
		CASE(rudp_cancel__notify_waits_for_the_fence),
		CASE(rudp_cancel__notify_ends_by_freshness),
		CASE(rudp_receive__odd_notify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
