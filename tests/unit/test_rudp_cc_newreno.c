/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: doubles, halves once a round, grows by one a round, begins anew after persistent congestion, forgives
 * spurious losses, and does not grow while it is not used.
 * Method: rounds by hand, each acknowledges the whole window.
 */
#include "rudp/cc.h"
#include "unit.h"

#define RTT_US 100u

static struct cc cc;
static uint64_t now_us;

static int setup(void **state)
{
	(void)state;
	cc = (struct cc){ .ops = &cc_newreno, .window_packets = 256, .packets_max = 256 };
	now_us = 1000000;
	cc.ops->init(&cc);
	return 0;
}

/* A round: everything that was in flight is acknowledged. */
static void acknowledge(uint32_t in_flight)
{
	struct cc_ack ack = { .packets = in_flight, .in_flight = in_flight, .rtt_us = RTT_US };

	ack.sent_us = now_us;
	now_us += RTT_US;
	ack.now_us = now_us;
	cc.ops->acked(&cc, &ack);
}

static void newreno_acked__doubles_to_the_bound(void **state)
{
	(void)state;
	assert_int_equal(cc.window_packets, 10);
	acknowledge(10);
	assert_int_equal(cc.window_packets, 20);
	for (int i = 0; i < 10; i++)
		acknowledge(cc.window_packets);
	assert_int_equal(cc.window_packets, 256);
}

static void newreno_acked__an_unused_window_does_not_grow(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		acknowledge(2);
	assert_int_equal(cc.window_packets, 10);
}

static void newreno_lost__halves_once_a_round(void **state)
{
	(void)state;
	acknowledge(10);
	acknowledge(20);
	cc.ops->lost(&cc, 1, now_us - RTT_US, now_us);
	assert_int_equal(cc.window_packets, 20);
	cc.ops->lost(&cc, 3, now_us - 1, now_us + 50);
	assert_int_equal(cc.window_packets, 20);
	now_us++;
	acknowledge(20);
	assert_int_equal(cc.window_packets, 21);
	cc.ops->lost(&cc, 1, now_us, now_us + 10);
	assert_int_equal(cc.window_packets, 10);
}

static void newreno_lost__never_below_two(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++, now_us += 2)
		cc.ops->lost(&cc, 1, now_us, now_us + 1);
	assert_int_equal(cc.window_packets, 2);
}

static void newreno_lost__after_time_outs_begins_anew(void **state)
{
	(void)state;
	acknowledge(10);
	cc.ops->timeout(&cc, 2, now_us + 5000);
	assert_int_equal(cc.window_packets, 20);
	cc.ops->lost(&cc, 20, now_us, now_us + 6000);
	assert_int_equal(cc.window_packets, 2);
}

static void newreno_spurious__undoes(void **state)
{
	(void)state;
	acknowledge(10);
	cc.ops->lost(&cc, 2, now_us, now_us + 1);
	cc.ops->spurious(&cc, now_us + 2);
	assert_int_equal(cc.window_packets, 10);
	cc.ops->spurious(&cc, now_us + 3);
	assert_int_equal(cc.window_packets, 20);
	cc.ops->spurious(&cc, now_us + 4);
	assert_int_equal(cc.window_packets, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(newreno_acked__doubles_to_the_bound, setup),
		cmocka_unit_test_setup(newreno_acked__an_unused_window_does_not_grow, setup),
		cmocka_unit_test_setup(newreno_lost__halves_once_a_round, setup),
		cmocka_unit_test_setup(newreno_lost__never_below_two, setup),
		cmocka_unit_test_setup(newreno_lost__after_time_outs_begins_anew, setup),
		cmocka_unit_test_setup(newreno_spurious__undoes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
