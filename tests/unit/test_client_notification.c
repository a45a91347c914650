/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: notifications come in order, exactly once, also around the ring's end; each ends at most one wait, awake or
 * asleep, and a daemon's death is seen by who looks for nothing else.
 * Method: the fake daemon delivers, from its own thread, notifications whose values count up.
 */
#include "api/haul.h"
#include "base/clock.h"
#include "client/attachment.h"
#include "fake_daemon.h"
#include "unit.h"

#include <unistd.h>

#define LONG_US  UINT64_C(20000000)
#define SHORT_US UINT64_C(2000)

static struct fake_daemon fake;
static struct haul *haul;

static int setup(void **state)
{
	struct haul_options options = { .socket_path = fake.path, .timeout_ms = 20000 };

	(void)state;
	fake_daemon_start(&fake);
	options.socket_path = fake.path;
	return haul_attach(&options, &haul);
}

static int teardown(void **state)
{
	(void)state;
	haul_detach(haul);
	fake_daemon_stop(&fake);
	return 0;
}

/* Wait until the daemon has written so many in all. */
static void await_delivered(uint32_t count)
{
	const struct haul_notification *slot = &haul->notifications[(count - 1) & 7];

	while (ring_load_acquire(&slot->sequence) != count)
		usleep(100);
}

static void haul_notifications_peek__nothing(void **state)
{
	const struct haul_notification *notifications = NULL;

	(void)state;
	assert_int_equal(haul_notifications_peek(haul, &notifications), 0);
	assert_null(notifications);
	haul_notifications_seen(haul, 3);
	assert_int_equal(haul->header->notification_head.value, 0);
}

static void haul_notifications_peek__shows_the_same_until_seen(void **state)
{
	const struct haul_notification *notifications;

	(void)state;
	fake_daemon_notify(&fake, 2);
	await_delivered(2);
	assert_int_equal(haul_notifications_peek(haul, &notifications), 2);
	assert_int_equal(haul_notifications_peek(haul, &notifications), 2);
	assert_int_equal(notifications[0].value, 0);
	assert_int_equal(notifications[1].value, 1);
	assert_int_equal(notifications[1].tag, 3);
	haul_notifications_seen(haul, 1);
	assert_int_equal(haul_notifications_peek(haul, &notifications), 1);
	assert_int_equal(notifications[0].value, 1);
	haul_notifications_seen(haul, 5);
	assert_int_equal(haul_notifications_peek(haul, &notifications), 0);
	assert_int_equal(haul->header->notification_head.value, 2);
}

/* A ring of 8: what does not fit waits for its reader, and nothing is lost or seen twice. */
static void haul_notifications_peek__around_the_end(void **state)
{
	const struct haul_notification *notifications;
	uint64_t next = 0;

	(void)state;
	fake_daemon_notify(&fake, 100);
	while (next < 100) {
		int count = haul_notifications_peek(haul, &notifications);

		assert_in_range(count, 0, 8);
		for (int i = 0; i < count; i++)
			assert_int_equal(notifications[i].value, next++);
		haul_notifications_seen(haul, (unsigned int)count);
		fake_daemon_poke(&fake);
	}
}

static void haul_notifications_peek__daemon_dies(void **state)
{
	const struct haul_notification *notifications;
	int count = 0;

	(void)state;
	fake_daemon_notify(&fake, 1);
	await_delivered(1);
	fake_daemon_kill(&fake);
	assert_int_equal(haul_notifications_peek(haul, &notifications), 1);
	haul_notifications_seen(haul, 1);
	while (count == 0)
		count = haul_notifications_peek(haul, &notifications);
	assert_int_equal(count, -HAUL_DISCONNECTED);
}

/* The first wait is told, the next is not, though the notification is still in the ring. */
static void haul_wait__each_ends_one(void **state)
{
	const struct haul_completion *completions;
	uint64_t before_us;

	(void)state;
	fake_daemon_notify(&fake, 1);
	assert_int_equal(haul_wait(haul, LONG_US, &completions), 0);
	before_us = clock_now_us();
	assert_int_equal(haul_wait(haul, SHORT_US, &completions), 0);
	assert_true(clock_now_us() >= before_us + SHORT_US);
	fake_daemon_notify(&fake, 1);
	assert_int_equal(haul_wait(haul, LONG_US, &completions), 0);
}

static void haul_wait__not_for_what_was_peeked(void **state)
{
	const struct haul_notification *notifications;
	const struct haul_completion *completions;
	uint64_t before_us;

	(void)state;
	fake_daemon_notify(&fake, 1);
	await_delivered(1);
	assert_int_equal(haul_notifications_peek(haul, &notifications), 1);
	before_us = clock_now_us();
	assert_int_equal(haul_wait(haul, SHORT_US, &completions), 0);
	assert_true(clock_now_us() >= before_us + SHORT_US);
}

/* Asleep: the flag is up before the notification comes. */
static void haul_wait__woken_from_its_sleep(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	for (int i = 0; i < 50; i++) {
		const struct haul_notification *notifications;

		/* A wait of no use makes the next one short of spinning, so that it sleeps. */
		assert_int_equal(haul_wait(haul, 1, &completions), 0);
		fake_daemon_notify(&fake, 1);
		assert_int_equal(haul_wait(haul, LONG_US, &completions), 0);
		assert_int_equal(haul_notifications_peek(haul, &notifications), 1);
		assert_int_equal(notifications->value, i);
		haul_notifications_seen(haul, 1);
	}
	assert_int_equal(haul->header->client_sleeps.value, 0);
}

/* A completion is given out first, and the notification ends a later wait. */
static void haul_wait__completion_first(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	assert_non_null(haul_entry_next(haul));
	assert_int_equal(haul_submit(haul), 1);
	while (ring_load_acquire(&haul->header->completion_tail.value) != 1)
		usleep(100);
	fake_daemon_notify(&fake, 1);
	await_delivered(1);
	assert_int_equal(haul_wait(haul, LONG_US, &completions), 1);
	haul_seen(haul, 1);
	assert_int_equal(haul_wait(haul, LONG_US, &completions), 0);
}

static void haul_prep_notify__fills(void **state)
{
	struct haul_remote remote = { .handle = 5 };
	struct haul_entry entry = { 0 };

	(void)state;
	haul_prep_notification(&entry, &remote, 77, 6, UINT64_C(1) << 60);
	assert_int_equal(entry.opcode, HAUL_OP_WRITE);
	assert_int_equal(entry.flags, HAUL_ENTRY_NOTIFY);
	assert_int_equal(entry.length, 0);
	assert_int_equal(entry.remote_segment, 5);
	assert_int_equal(haul_u48_get(entry.remote_offset), 77);
	assert_int_equal(entry.tag, 6);
	assert_int_equal(entry.value, UINT64_C(1) << 60);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(haul_notifications_peek__nothing),
		CASE(haul_notifications_peek__shows_the_same_until_seen),
		CASE(haul_notifications_peek__around_the_end),
		CASE(haul_notifications_peek__daemon_dies),
		CASE(haul_wait__each_ends_one),
		CASE(haul_wait__not_for_what_was_peeked),
		CASE(haul_wait__woken_from_its_sleep),
		CASE(haul_wait__completion_first),
		cmocka_unit_test(haul_prep_notify__fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
