/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: order and expansion hold across the wrap, and at both ends of the whole numbers.
 * Method: the edges by hand, then the round trip through truncation at random distances.
 */
#include "base/seq.h"
#include "unit.h"

static void seq32_before__across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq32_before(1, 2));
	assert_false(seq32_before(2, 2));
	assert_true(seq32_before_eq(2, 2));
	assert_true(seq32_before(UINT32_MAX, 0));
	assert_true(seq32_before(UINT32_MAX - 5, 7));
	assert_true(seq32_after(3, UINT32_MAX));
	assert_false(seq32_before(0, UINT32_MAX));
}

static void seq16_before__across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq16_before(UINT16_MAX, 0));
	assert_true(seq16_before_eq(7, 7));
	assert_true(seq16_after(1, UINT16_MAX));
	assert_false(seq16_before(0, UINT16_MAX));
}

static void seq_expand32__nearest(void **state)
{
	uint64_t period = UINT64_C(1) << 32;

	(void)state;
	assert_int_equal(seq_expand32(period + 5, 7), period + 7);
	assert_int_equal(seq_expand32(period + 5, UINT32_MAX), period - 1);
	assert_int_equal(seq_expand32(period - 1, 3), period + 3);
}

static void seq_expand32__at_the_ends(void **state)
{
	(void)state;
	/* There is nothing below 0, so the only candidate lies above. */
	assert_int_equal(seq_expand32(5, UINT32_MAX), UINT32_MAX);
	assert_int_equal(seq_expand32(UINT64_MAX, 3), UINT64_MAX - UINT32_MAX + 3);
}

static void seq_expand__round_trip(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t expected = unit_random(&seed) >> 1 | UINT64_C(1) << 40;
		uint64_t near32 = expected + unit_random_below(&seed, 1u << 30) - (1u << 29);
		uint64_t near16 = expected + unit_random_below(&seed, 1u << 14) - (1u << 13);

		assert_int_equal(seq_expand32(expected, (uint32_t)near32), near32);
		assert_int_equal(seq_expand16(expected, (uint16_t)near16), near16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seq32_before__across_the_wrap),
		cmocka_unit_test(seq16_before__across_the_wrap),
		cmocka_unit_test(seq_expand32__nearest),
		cmocka_unit_test(seq_expand32__at_the_ends),
		cmocka_unit_test(seq_expand__round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
