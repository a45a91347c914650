/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: order holds across the wrap. Method: the edges by hand.
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
	assert_false(seq32_before(0, UINT32_MAX));
}

static void seq16_after__across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq16_after(2, 1));
	assert_false(seq16_after(7, 7));
	assert_true(seq16_after(0, UINT16_MAX));
	assert_true(seq16_after(1, UINT16_MAX));
	assert_false(seq16_after(UINT16_MAX, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seq32_before__across_the_wrap),
		cmocka_unit_test(seq16_after__across_the_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
