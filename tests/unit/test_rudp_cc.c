/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every algorithm is found by its name, and keeps its window within its bounds whatever it is told.
 * Method: all names, then random events of every kind for each algorithm.
 */
#include "rudp/cc.h"
#include "unit.h"

#include <string.h>

#define WINDOW_MAX 256u

static void cc_find__by_name(void **state)
{
	(void)state;
	assert_ptr_equal(cc_find("fixed"), &cc_fixed);
	assert_ptr_equal(cc_find("newreno"), &cc_newreno);
	assert_ptr_equal(cc_find("swift"), &cc_swift);
	assert_null(cc_find("cubic"));
	assert_null(cc_find(""));
}

static void cc_name__lists_what_cc_find_finds(void **state)
{
	unsigned count = 0;

	(void)state;
	for (; cc_name(count) != NULL; count++)
		assert_string_equal(cc_find(cc_name(count))->name, cc_name(count));
	assert_int_equal(count, 3);
	assert_null(cc_name(count + 1));
}

static void cc_bound__keeps_what_is_at_its_bound_there(void **state)
{
	struct cc cc = { .window_packets = 256, .packets_max = 256 };

	(void)state;
	cc_bound(&cc, 64);
	assert_int_equal(cc.window_packets, 64);
	cc_bound(&cc, 256);
	assert_int_equal(cc.window_packets, 256);
	cc.window_packets = 100;
	cc_bound(&cc, 128);
	assert_int_equal(cc.window_packets, 100);
	cc_bound(&cc, 64);
	assert_int_equal(cc.window_packets, 64);
	assert_int_equal(cc.packets_max, 64);
}

static void cc_event(struct cc *cc, uint64_t *seed, uint64_t now_us)
{
	struct cc_ack ack = {
		.now_us = now_us,
		.packets = (uint32_t)(1 + unit_random_below(seed, 64)),
		.in_flight = (uint32_t)unit_random_below(seed, 512),
		.srtt_us = (uint32_t)(1 + unit_random_below(seed, 20000)),
	};

	switch (unit_random_below(seed, 8)) {
	case 0:
		cc->ops->lost(cc, ack.packets, now_us - unit_random_below(seed, 1000), now_us);
		break;
	case 1:
		cc->ops->spurious(cc, now_us);
		break;
	case 2:
		cc->ops->timeout(cc, 2 + (uint32_t)unit_random_below(seed, 10), now_us);
		break;
	case 3:
		cc->ops->acked(cc, &ack);
		break;
	default:
		ack.rtt_us = (uint32_t)(1 + unit_random_below(seed, 60));
		if (unit_random_below(seed, 100) == 0)
			ack.rtt_us = UINT32_MAX / 8;
		ack.sent_us = now_us - unit_random_below(seed, 2000);
		cc->ops->acked(cc, &ack);
		break;
	}
}

static void cc_ops__windows_stay_within_bounds(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (unsigned i = 0; cc_name(i) != NULL; i++) {
		struct cc cc = { .window_packets = WINDOW_MAX, .packets_max = WINDOW_MAX };
		uint64_t now_us = 1000000;

		cc.ops = cc_find(cc_name(i));
		cc.ops->init(&cc);
		for (int round = 0; round < 200000; round++) {
			now_us += unit_random_below(&seed, 50);
			cc_event(&cc, &seed, now_us);
			assert_in_range(cc.window_packets, 1, WINDOW_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cc_find__by_name),
		cmocka_unit_test(cc_name__lists_what_cc_find_finds),
		cmocka_unit_test(cc_bound__keeps_what_is_at_its_bound_there),
		cmocka_unit_test(cc_ops__windows_stay_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
