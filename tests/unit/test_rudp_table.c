/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a lookup finds what was added and not removed, whatever collided on the way.
 * Method: random additions and removals of ids that share their low bits, against an array.
 */
#include "rudp/table.h"
#include "unit.h"

#include <errno.h>

#define COUNT 64u

static void table_add__refuses_twice(void **state)
{
	struct table table;
	int value;

	(void)state;
	assert_int_equal(table_init(&table, 4), 0);
	assert_int_equal(table_add(&table, 7, &value), 0);
	assert_int_equal(table_add(&table, 7, &value), -EEXIST);
	assert_ptr_equal(table_find(&table, 7), &value);
	assert_null(table_find(&table, 8));
	assert_null(table_find(&table, 0));
	table_remove(&table, 7);
	assert_null(table_find(&table, 7));
	table_destroy(&table);
}

static void table_remove__keeps_the_others(void **state)
{
	struct table table;
	uint64_t seed = unit_seed();
	bool present[COUNT] = { 0 };

	(void)state;
	assert_int_equal(table_init(&table, COUNT), 0);
	for (int i = 0; i < 20000; i++) {
		uint64_t at = unit_random_below(&seed, COUNT);
		/* Eight homes for all of them. */
		uint64_t id = (at + 1) << 32 | (at % 8) * 3 | 1u << 30;

		if (present[at])
			table_remove(&table, id);
		else
			assert_int_equal(table_add(&table, id, &present[at]), 0);
		present[at] = !present[at];
		for (uint64_t j = 0; j < COUNT; j++) {
			uint64_t other = (j + 1) << 32 | (j % 8) * 3 | 1u << 30;

			assert_ptr_equal(table_find(&table, other),
					 present[j] ? &present[j] : NULL);
		}
	}
	table_destroy(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_add__refuses_twice),
		cmocka_unit_test(table_remove__keeps_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
