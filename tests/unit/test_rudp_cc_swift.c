/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: Swift's rules one at a time: doubling and its end, growth, the bound of a decrease, the target that small
 * windows have, what stalls, losses and time-outs do and do not, windows below one, a path that grew longer.
 * Method: rounds by hand, each with one sample of a packet sent after the round before.
 */
#include "rudp/cc.h"
#include "unit.h"

#define RTT_US 20u

static struct cc cc;
static uint64_t now_us;

static int setup(void **state)
{
	(void)state;
	cc = (struct cc){ .ops = &cc_swift, .window_packets = 256, .packets_max = 256 };
	now_us = 1000000;
	cc.ops->init(&cc);
	return 0;
}

static void acknowledge(uint32_t packets, uint32_t in_flight, uint32_t rtt_us)
{
	struct cc_ack ack = {
		.packets = packets,
		.in_flight = in_flight,
		.rtt_us = rtt_us,
		.srtt_us = rtt_us,
		.sent_us = now_us,
	};

	now_us += rtt_us;
	ack.now_us = now_us;
	cc.ops->acked(&cc, &ack);
}

/* Rounds that fill the window. */
static void rounds(unsigned count, uint32_t rtt_us)
{
	while (count-- > 0)
		acknowledge(cc.window_packets, cc.window_packets, rtt_us);
}

/* A steady window of about so many packets. */
static void steady(uint32_t packets)
{
	while (cc.window_packets < packets)
		rounds(1, RTT_US);
	/* Samples that end the doubling, of a window that is hardly used. */
	for (int i = 0; i < 3; i++)
		acknowledge(1, 1, 29);
}

static void swift_init__begins_with_sixteen(void **state)
{
	(void)state;
	assert_int_equal(cc.window_packets, 16);
	assert_int_equal(cc.pace_ns, 0);
}

static void swift_start__doubles_while_there_is_no_queue(void **state)
{
	(void)state;
	rounds(1, RTT_US);
	assert_int_equal(cc.window_packets, 32);
	rounds(8, RTT_US);
	assert_int_equal(cc.window_packets, 256);
	assert_int_equal(cc.pace_ns, 0);
}

static void swift_start__ends_with_the_third_high_sample(void **state)
{
	(void)state;
	rounds(1, RTT_US);
	rounds(1, 29);
	rounds(1, RTT_US);
	assert_int_equal(cc.window_packets, 128);
	setup(state);
	rounds(1, RTT_US);
	rounds(2, 29);
	assert_int_equal(cc.window_packets, 128);
	rounds(2, 29);
	assert_in_range(cc.window_packets, 128, 129);
}

static void swift_increase__a_quarter_a_round(void **state)
{
	uint32_t before;

	(void)state;
	steady(64);
	before = cc.window_packets;
	rounds(40, 29);
	assert_in_range(cc.window_packets, before + 9, before + 11);
}

static void swift_increase__faster_when_the_queue_is_gone(void **state)
{
	uint32_t before;

	(void)state;
	steady(32);
	before = cc.window_packets;
	rounds(12, RTT_US);
	assert_true(cc.window_packets >= 2 * before);
}

static void swift_increase__an_unused_window_does_not_grow(void **state)
{
	uint32_t before;

	(void)state;
	steady(64);
	before = cc.window_packets;
	for (int i = 0; i < 100; i++)
		acknowledge(4, 4, RTT_US);
	assert_int_equal(cc.window_packets, before);
}

static void swift_decrease__in_proportion_and_at_most_by_half(void **state)
{
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	rounds(1, 36);
	assert_in_range(cc.window_packets, before * 8 / 10, before * 9 / 10);
	before = cc.window_packets;
	rounds(1, 115);
	assert_in_range(cc.window_packets, before / 2 - 1, before / 2 + 1);
}

static void swift_decrease__once_a_round(void **state)
{
	struct cc_ack ack = { .packets = 1, .in_flight = 100, .rtt_us = 60, .srtt_us = 60 };
	uint32_t after;

	(void)state;
	steady(128);
	rounds(1, 60);
	after = cc.window_packets;
	ack.sent_us = now_us - 60;
	for (unsigned i = 0; i < 50; i++) {
		ack.now_us = now_us + i;
		cc.ops->acked(&cc, &ack);
	}
	assert_int_equal(cc.window_packets, after);
}

static void swift_round__the_least_sample_decides(void **state)
{
	struct cc_ack ack = { .packets = 1, .in_flight = 100, .rtt_us = 29, .srtt_us = 40 };
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	for (int i = 0; i < 20; i++) {
		ack.sent_us = now_us - 1;
		ack.now_us = now_us + 10;
		cc.ops->acked(&cc, &ack);
		rounds(1, 90);
	}
	assert_true(cc.window_packets >= before);
}

static void swift_target__higher_for_small_windows(void **state)
{
	uint32_t large_us;

	(void)state;
	rounds(4, RTT_US);
	large_us = cc.target_us;
	assert_in_range(large_us, 30, 32);
	rounds(12, 100);
	assert_in_range(cc.window_packets, 1, 3);
	assert_in_range(cc.target_us, large_us + 4, 50);
}

static void swift_target__follows_longer_paths(void **state)
{
	(void)state;
	rounds(4, 200);
	assert_in_range(cc.target_us, 210, 212);
	rounds(100, 200);
	assert_int_equal(cc.window_packets, 256);
}

static void swift_round__one_stall_is_forgiven_two_are_not(void **state)
{
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	rounds(1, 10000);
	assert_true(cc.window_packets >= before);
	rounds(2, 29);
	rounds(1, 500);
	assert_true(cc.window_packets >= before);
	rounds(1, 500);
	assert_true(cc.window_packets <= before / 2 + 1);
}

static void swift_lost__few_change_nothing(void **state)
{
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	for (int i = 0; i < 100; i++) {
		cc.ops->lost(&cc, 2, now_us, now_us);
		rounds(1, 29);
	}
	assert_true(cc.window_packets >= before);
}

static void swift_lost__many_halve(void **state)
{
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	cc.ops->lost(&cc, before / 8, now_us, now_us);
	rounds(1, 29);
	assert_in_range(cc.window_packets, before / 2 - 1, before / 2 + 1);
}

static void swift_spurious__gives_back(void **state)
{
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	cc.ops->lost(&cc, before / 8, now_us, now_us);
	rounds(1, 29);
	for (uint32_t i = 0; i < before / 8; i++)
		cc.ops->spurious(&cc, now_us);
	assert_true(cc.window_packets >= before);
}

static void swift_timeout__alone_changes_nothing(void **state)
{
	uint32_t before;

	(void)state;
	steady(128);
	before = cc.window_packets;
	for (uint32_t probes = 2; probes < 10; probes++)
		cc.ops->timeout(&cc, probes, now_us += 1000);
	assert_int_equal(cc.window_packets, before);
	/* A loss of later times has nothing to do with it. */
	cc.ops->lost(&cc, 1, now_us + 1, now_us + 2);
	assert_int_equal(cc.window_packets, before);
}

static void swift_lost__after_five_probes_begins_anew(void **state)
{
	uint64_t sent_us;

	(void)state;
	steady(128);
	sent_us = now_us;
	for (uint32_t probes = 2; probes <= 5; probes++)
		cc.ops->timeout(&cc, probes, now_us += 1000);
	cc.ops->lost(&cc, 100, sent_us, now_us);
	assert_int_equal(cc.window_packets, 1);
	rounds(5, RTT_US);
	assert_true(cc.window_packets >= 16);
}

static void swift_pace__below_one_packet(void **state)
{
	(void)state;
	rounds(4, RTT_US);
	rounds(12, 119);
	assert_int_equal(cc.window_packets, 1);
	assert_true(cc.pace_ns > 119 * 1000);
	assert_true(cc.pace_ns <= 119 * 1000 * 16);
}

static void swift_pace__only_while_there_is_a_queue(void **state)
{
	(void)state;
	steady(64);
	assert_in_range(cc.pace_ns, 29 * 1000 * 4 / 5 / 70, 29 * 1000 * 4 / 5 / 64);
	rounds(1, RTT_US);
	assert_int_equal(cc.pace_ns, 0);
}

static void swift_decrease__a_longer_path_is_learnt(void **state)
{
	(void)state;
	rounds(4, RTT_US);
	/* The route changes, and is 100 us longer for good. */
	rounds(100, 120);
	assert_true(cc.target_us >= 130);
	rounds(300, 120);
	assert_true(cc.window_packets > 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(swift_init__begins_with_sixteen, setup),
		cmocka_unit_test_setup(swift_start__doubles_while_there_is_no_queue, setup),
		cmocka_unit_test_setup(swift_start__ends_with_the_third_high_sample, setup),
		cmocka_unit_test_setup(swift_increase__a_quarter_a_round, setup),
		cmocka_unit_test_setup(swift_increase__faster_when_the_queue_is_gone, setup),
		cmocka_unit_test_setup(swift_increase__an_unused_window_does_not_grow, setup),
		cmocka_unit_test_setup(swift_decrease__in_proportion_and_at_most_by_half, setup),
		cmocka_unit_test_setup(swift_decrease__once_a_round, setup),
		cmocka_unit_test_setup(swift_decrease__a_longer_path_is_learnt, setup),
		cmocka_unit_test_setup(swift_target__higher_for_small_windows, setup),
		cmocka_unit_test_setup(swift_target__follows_longer_paths, setup),
		cmocka_unit_test_setup(swift_round__the_least_sample_decides, setup),
		cmocka_unit_test_setup(swift_round__one_stall_is_forgiven_two_are_not, setup),
		cmocka_unit_test_setup(swift_pace__below_one_packet, setup),
		cmocka_unit_test_setup(swift_pace__only_while_there_is_a_queue, setup),
		cmocka_unit_test_setup(swift_lost__few_change_nothing, setup),
		cmocka_unit_test_setup(swift_lost__many_halve, setup),
		cmocka_unit_test_setup(swift_lost__after_five_probes_begins_anew, setup),
		cmocka_unit_test_setup(swift_spurious__gives_back, setup),
		cmocka_unit_test_setup(swift_timeout__alone_changes_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
