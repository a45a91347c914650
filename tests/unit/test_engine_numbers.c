/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: no number is given out twice, and open ones never lie a window apart.
 * Method: in order, out of order, with a peer's slot given up in between, and at random against a plain list.
 */
#include "engine/numbers.h"
#include "unit.h"

#include <string.h>

static void numbers_take__counts_up(void **state)
{
	struct numbers numbers = { 0 };
	uint64_t floor = 100;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(numbers_take(&numbers, &floor), 100 + i);
		numbers_close(&numbers, 100 + i);
	}
	assert_int_equal(floor, 1100);
}

static void numbers_take__keeps_to_the_window(void **state)
{
	struct numbers numbers = { 0 };
	uint64_t floor = 1;

	(void)state;
	for (uint64_t i = 1; i <= ENGINE_NOTIFY_WINDOW; i++)
		assert_int_equal(numbers_take(&numbers, &floor), i);
	assert_int_equal(numbers_take(&numbers, &floor), 0);
	for (uint64_t i = 2; i <= ENGINE_NOTIFY_WINDOW; i++)
		numbers_close(&numbers, i);
	assert_int_equal(numbers_take(&numbers, &floor), 0); /* the oldest is still open */
	numbers_close(&numbers, 1);
	assert_int_equal(numbers_take(&numbers, &floor), ENGINE_NOTIFY_WINDOW + 1);
}

static void numbers_forget__goes_on_above(void **state)
{
	struct numbers first = { 0 };
	struct numbers second = { 0 };
	uint64_t floor = 10;

	(void)state;
	assert_int_equal(numbers_take(&first, &floor), 10);
	assert_int_equal(numbers_take(&second, &floor), 11);
	assert_int_equal(numbers_take(&second, &floor), 12);
	numbers_forget(&first);
	assert_int_equal(numbers_take(&first, &floor), 13);
	numbers_close(&first, 10); /* of the time before: not known any more */
	assert_int_equal(first.lowest, 13);
	numbers_close(&first, 13);
	assert_int_equal(first.lowest, 14);
}

static void numbers_floor__differs(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 1000; i++) {
		uint64_t here = numbers_floor(i, 0);

		assert_in_range(here, 1, (UINT64_C(1) << 62) - 1);
		for (uint32_t worker = 0; worker < 4; worker++) {
			uint64_t there = numbers_floor(i + 1, worker);
			uint64_t distance = here > there ? here - there : there - here;

			assert_true(distance > UINT64_C(1) << 32);
		}
	}
}

static void numbers__at_random(void **state)
{
	struct numbers numbers = { 0 };
	uint64_t floor = UINT64_C(1) << 61;
	uint64_t seed = unit_seed();
	uint64_t open[ENGINE_NOTIFY_WINDOW] = { 0 };
	uint64_t last = floor - 1;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		uint64_t at = unit_random_below(&seed, ENGINE_NOTIFY_WINDOW);
		uint64_t lowest = UINT64_MAX;

		if (open[at] != 0) {
			numbers_close(&numbers, open[at]);
			open[at] = 0;
			continue;
		}
		for (uint32_t j = 0; j < ENGINE_NOTIFY_WINDOW; j++) {
			if (open[j] != 0 && open[j] < lowest)
				lowest = open[j];
		}
		open[at] = numbers_take(&numbers, &floor);
		if (lowest == UINT64_MAX || last + 1 - lowest < ENGINE_NOTIFY_WINDOW)
			assert_int_equal(open[at], ++last);
		else
			assert_int_equal(open[at], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_take__counts_up),
		cmocka_unit_test(numbers_take__keeps_to_the_window),
		cmocka_unit_test(numbers_forget__goes_on_above),
		cmocka_unit_test(numbers_floor__differs),
		cmocka_unit_test(numbers__at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
