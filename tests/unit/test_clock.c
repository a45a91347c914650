/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the quick clock never says less than the clock, whatever interrupts a look at it or slews it, says it only once it
 * has measured itself, and begins anew when the counter turns out to stand still.
 * Method: made-up looks; a counter of 2500 ticks a microsecond.
 */
#include "base/clock.h"
#include "unit.h"

#define TICKS_PER_US UINT64_C(2500)
#define START_US     UINT64_C(1000000)
#define START_TICKS  UINT64_C(77000000)

static uint64_t ticks_at(uint64_t now_us)
{
	return START_TICKS + (now_us - START_US) * TICKS_PER_US;
}

/* A look that took so many ticks before the clock was read, and as many after. */
static void look(struct clock_quick *quick, uint64_t now_us, uint64_t ticks)
{
	clock_quick_learn(quick, ticks_at(now_us) - ticks, now_us, ticks_at(now_us) + ticks);
}

static struct clock_quick measured(void)
{
	struct clock_quick quick = { 0 };

	look(&quick, START_US, 50);
	look(&quick, START_US + 100000, 50);
	assert_true(quick.scale != 0);
	return quick;
}

static void clock_quick_at__tells_nothing_before_it_has_measured(void **state)
{
	struct clock_quick quick = { 0 };

	(void)state;
	assert_int_equal(clock_quick_at(&quick, ticks_at(START_US)), 0);
	look(&quick, START_US, 50);
	look(&quick, START_US + 99999, 50);
	assert_int_equal(clock_quick_at(&quick, ticks_at(START_US + 99999)), 0);
	look(&quick, START_US + 100000, 50);
	assert_true(clock_quick_at(&quick, ticks_at(START_US + 100000)) != 0);
}

/* Also a clock that the kernel slews by 500 ppm. */
static void clock_quick_at__is_never_behind(void **state)
{
	struct clock_quick quick = measured();
	uint64_t base_us = START_US + 100000;

	(void)state;
	for (uint64_t passed_us = 0; passed_us < 300 * UINT64_C(1000000); passed_us += 7777) {
		uint64_t ticks = ticks_at(base_us + passed_us);
		uint64_t slewed_us = base_us + passed_us + passed_us / 2000;
		uint64_t told_us = clock_quick_at(&quick, ticks);

		assert_true(told_us >= slewed_us);
		assert_true(told_us <= base_us + passed_us + passed_us / 500 + 3);
	}
}

static void clock_quick_at__gives_up_before_it_overflows(void **state)
{
	struct clock_quick quick = measured();

	(void)state;
	assert_true(clock_quick_at(&quick, quick.base_ticks + CLOCK_TICKS_MAX) != 0);
	assert_int_equal(clock_quick_at(&quick, quick.base_ticks + CLOCK_TICKS_MAX + 1), 0);
	/* The counter of another processor, behind this one's. */
	assert_int_equal(clock_quick_at(&quick, quick.base_ticks - 1), 0);
}

/* Stopped for 5 ms between the counter and the clock: what was measured by that would run slow. */
static void clock_quick_learn__measures_by_whole_looks_only(void **state)
{
	struct clock_quick quick = { 0 };
	uint64_t stop = 5000 * TICKS_PER_US;

	(void)state;
	look(&quick, START_US, stop);
	look(&quick, START_US + 100000, 50);
	assert_int_equal(quick.scale, 0);
	look(&quick, START_US + 150000, 50);
	assert_int_equal(quick.scale, 0);
	look(&quick, START_US + 200000, stop);
	assert_int_equal(quick.scale, 0);
	look(&quick, START_US + 200001, 50);
	assert_true(clock_quick_at(&quick, ticks_at(START_US + 9000000)) >= START_US + 9000000);
}

/* With the base of an interrupted look it runs ahead, never behind. */
static void clock_quick_learn__takes_any_base(void **state)
{
	struct clock_quick quick = measured();
	uint64_t now_us = START_US + 200000;

	(void)state;
	look(&quick, now_us, 5000 * TICKS_PER_US);
	assert_true(clock_quick_at(&quick, ticks_at(now_us)) >= now_us);
	look(&quick, now_us + 5000, 50);
	assert_in_range(clock_quick_at(&quick, ticks_at(now_us + 5000)), now_us + 5000,
			now_us + 5003);
}

static void clock_quick_learn__begins_anew_after_the_counter_stood_still(void **state)
{
	struct clock_quick quick = measured();
	uint64_t ticks = quick.base_ticks + 1000;

	(void)state;
	clock_quick_learn(&quick, ticks, quick.base_us + 1000000, ticks + 50);
	assert_int_equal(quick.scale, 0);
	assert_int_equal(clock_quick_at(&quick, ticks + 1000), 0);
}

static void clock_sync_us__ties_the_thread(void **state)
{
	uint64_t before_us = clock_now_us();
	uint64_t synced_us = clock_sync_us();

	(void)state;
	assert_true(synced_us >= before_us);
	assert_true(clock_quick_us() >= synced_us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_quick_at__tells_nothing_before_it_has_measured),
		cmocka_unit_test(clock_quick_at__is_never_behind),
		cmocka_unit_test(clock_quick_at__gives_up_before_it_overflows),
		cmocka_unit_test(clock_quick_learn__measures_by_whole_looks_only),
		cmocka_unit_test(clock_quick_learn__takes_any_base),
		cmocka_unit_test(clock_quick_learn__begins_anew_after_the_counter_stood_still),
		cmocka_unit_test(clock_sync_us__ties_the_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
