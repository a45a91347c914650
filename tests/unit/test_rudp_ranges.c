/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the list says exactly which numbers were added, the newest ones when there is no room for all.
 * Method: joins by hand, then random numbers against a map, over the wrap of 32 bits.
 */
#include "rudp/ranges.h"
#include "unit.h"

static void ranges_add__joins(void **state)
{
	struct ranges ranges = { 0 };

	(void)state;
	assert_true(ranges_add(&ranges, 5));
	assert_true(ranges_add(&ranges, 7));
	assert_int_equal(ranges.count, 2);
	assert_false(ranges_add(&ranges, 5));
	assert_true(ranges_add(&ranges, 6));
	assert_int_equal(ranges.count, 1);
	assert_int_equal(ranges.range[0].first, 5);
	assert_int_equal(ranges.range[0].last, 7);
	assert_true(ranges_add(&ranges, 4));
	assert_int_equal(ranges.range[0].first, 4);
}

static void ranges_add__forgets_the_oldest(void **state)
{
	struct ranges ranges = { 0 };
	struct wire_ack ack;

	(void)state;
	for (uint32_t i = 0; i < WIRE_RANGES_MAX + 3; i++)
		assert_true(ranges_add(&ranges, 2 * i));
	assert_int_equal(ranges.count, WIRE_RANGES_MAX);
	assert_int_equal(ranges.range[0].first, 6);
	assert_false(ranges_add(&ranges, 0));
	ranges_ack(&ranges, &ack);
	assert_int_equal(ack.count, WIRE_RANGES_MAX);
	assert_int_equal(ack.ranges[0].last, 2 * (WIRE_RANGES_MAX + 2));
}

static void ranges_trim__by_age(void **state)
{
	struct ranges ranges = { 0 };

	(void)state;
	ranges_add(&ranges, 1);
	ranges_add(&ranges, 5);
	ranges_add(&ranges, 6);
	ranges_add(&ranges, 9);
	ranges_trim(&ranges, 6);
	assert_int_equal(ranges.count, 2);
	assert_int_equal(ranges.range[0].first, 5);
	ranges_trim(&ranges, 100);
	assert_int_equal(ranges.count, 0);
}

static void ranges_ack__cuts_what_a_count_cannot_say(void **state)
{
	struct ranges ranges = { 0 };
	struct wire_ack ack;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		ranges_add(&ranges, i);
	ranges_ack(&ranges, &ack);
	assert_int_equal(ack.count, 1);
	assert_int_equal(ack.ranges[0].last, 99999);
	assert_true(ack.ranges[0].last - ack.ranges[0].first < 65536);
	assert_true(ack.ranges[0].last - ack.ranges[0].first >= WIRE_AGE_LIMIT);
}

static void ranges_add__against_a_map(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (int round = 0; round < 300; round++) {
		const uint32_t base = UINT32_MAX - 20;
		struct ranges ranges = { 0 };
		bool map[50] = { 0 };

		for (int i = 0; i < 60; i++) {
			uint32_t at = (uint32_t)unit_random_below(&seed, 50);

			assert_int_equal(ranges_add(&ranges, base + at), !map[at]);
			map[at] = true;
		}
		for (uint32_t i = 0, at = 0; i < ranges.count; i++) {
			while (base + at != ranges.range[i].first)
				assert_false(map[at++]);
			while (base + at != ranges.range[i].last + 1)
				assert_true(map[at++]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_add__joins),
		cmocka_unit_test(ranges_add__forgets_the_oldest),
		cmocka_unit_test(ranges_trim__by_age),
		cmocka_unit_test(ranges_ack__cuts_what_a_count_cannot_say),
		cmocka_unit_test(ranges_add__against_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
