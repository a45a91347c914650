/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a link comes back when its time has come, never before, and no more than once, also beyond the wheel's span.
 * Method: one pacer under a clock moved by hand, then against a plain list of times.
 */
#include "rudp/pacer.h"
#include "unit.h"

#include <stdbool.h>

#define START_US UINT64_C(1000000007)

static void pacer_take__nothing_is_kept(void **state)
{
	struct pacer pacer;

	(void)state;
	pacer_init(&pacer, START_US);
	assert_true(pacer_next_us(&pacer) == UINT64_MAX);
	assert_null(pacer_take(&pacer, START_US + 1000000));
}

static void pacer_take__in_time_and_in_order(void **state)
{
	struct pacer pacer;
	struct list_link links[3] = { 0 };

	(void)state;
	pacer_init(&pacer, START_US);
	pacer_hold(&pacer, &links[0], START_US, START_US + 40);
	pacer_hold(&pacer, &links[1], START_US, START_US + 2);
	pacer_hold(&pacer, &links[2], START_US, START_US + 2);
	assert_true(pacer_next_us(&pacer) == START_US + 2);
	assert_null(pacer_take(&pacer, START_US + 1));
	assert_ptr_equal(pacer_take(&pacer, START_US + 3), &links[1]);
	assert_ptr_equal(pacer_take(&pacer, START_US + 3), &links[2]);
	assert_null(pacer_take(&pacer, START_US + 3));
	assert_null(pacer_take(&pacer, START_US + 39));
	assert_ptr_equal(pacer_take(&pacer, START_US + 40), &links[0]);
	assert_null(pacer_take(&pacer, START_US + 200));
}

static void pacer_hold__again_changes_nothing(void **state)
{
	struct pacer pacer;
	struct list_link link = { 0 };

	(void)state;
	pacer_init(&pacer, START_US);
	pacer_hold(&pacer, &link, START_US, START_US + 10);
	pacer_hold(&pacer, &link, START_US, START_US + 20);
	assert_ptr_equal(pacer_take(&pacer, START_US + 10), &link);
	assert_null(pacer_take(&pacer, START_US + 100));
}

static void pacer_hold__the_past_and_the_far_future(void **state)
{
	struct pacer pacer;
	struct list_link links[2] = { 0 };

	(void)state;
	pacer_init(&pacer, START_US);
	/* The wheel stands still while it is empty, and follows with the next link. */
	pacer_hold(&pacer, &links[0], START_US + 5000, START_US + 4000);
	assert_ptr_equal(pacer_take(&pacer, START_US + 5001), &links[0]);
	pacer_hold(&pacer, &links[1], START_US + 5001, START_US + 900000);
	assert_null(pacer_take(&pacer, START_US + 5001 + PACER_SLOTS - 2));
	assert_ptr_equal(pacer_take(&pacer, START_US + 5001 + PACER_SLOTS), &links[1]);
}

static void pacer_take__links_that_left(void **state)
{
	struct pacer pacer;
	struct list_link links[2] = { 0 };

	(void)state;
	pacer_init(&pacer, START_US);
	pacer_hold(&pacer, &links[0], START_US, START_US + 5);
	pacer_hold(&pacer, &links[1], START_US, START_US + 9);
	list_remove(&links[0]);
	assert_ptr_equal(pacer_take(&pacer, START_US + 20), &links[1]);
	assert_null(pacer_take(&pacer, START_US + 20));
	assert_true(pacer_next_us(&pacer) == UINT64_MAX);
}

static void pacer__against_a_list_of_times(void **state)
{
	uint64_t seed = unit_seed();
	uint64_t now_us = START_US;
	uint64_t due_us[32] = { 0 };
	struct list_link links[32] = { 0 };
	struct pacer pacer;

	(void)state;
	pacer_init(&pacer, now_us);
	for (int round = 0; round < 20000; round++) {
		uint64_t i = unit_random_below(&seed, 32);
		struct list_link *link;

		if (due_us[i] == 0) {
			due_us[i] = now_us + 1 + unit_random_below(&seed, PACER_SLOTS - 1);
			pacer_hold(&pacer, &links[i], now_us, due_us[i]);
		}
		now_us += unit_random_below(&seed, 3);
		while ((link = pacer_take(&pacer, now_us)) != NULL) {
			assert_true(due_us[link - links] <= now_us);
			due_us[link - links] = 0;
		}
		for (i = 0; i < 32; i++)
			assert_true(due_us[i] == 0 || due_us[i] > now_us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pacer_take__nothing_is_kept),
		cmocka_unit_test(pacer_take__in_time_and_in_order),
		cmocka_unit_test(pacer_hold__again_changes_nothing),
		cmocka_unit_test(pacer_hold__the_past_and_the_far_future),
		cmocka_unit_test(pacer_take__links_that_left),
		cmocka_unit_test(pacer__against_a_list_of_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
