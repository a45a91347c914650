/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: no percentile is below the true one or more than 1.6 % above it, over the whole range.
 * Method: random times of all magnitudes beside a sorted copy of them.
 */
#include "tools/haul-bench/histogram.h"
#include "unit.h"

#define TIMES 20000u

static struct histogram histogram;
static uint64_t times_ns[TIMES];

static void histogram_percentile_ns__of_nothing(void **state)
{
	(void)state;
	histogram_clear(&histogram);
	assert_int_equal(histogram_percentile_ns(&histogram, 50, 100), 0);
}

static void histogram_percentile_ns__of_one(void **state)
{
	(void)state;
	histogram_clear(&histogram);
	histogram_add(&histogram, 123456789);
	assert_int_equal(histogram_percentile_ns(&histogram, 1, 100), 123456789);
	assert_int_equal(histogram_percentile_ns(&histogram, 999, 1000), 123456789);
	assert_int_equal(histogram.max_ns, 123456789);
}

/* Up to 127 ns each has a bucket of its own. */
static void histogram_percentile_ns__small_times_are_exact(void **state)
{
	(void)state;
	histogram_clear(&histogram);
	for (uint64_t i = 1; i <= 100; i++)
		histogram_add(&histogram, i);
	for (uint32_t i = 1; i <= 100; i++)
		assert_int_equal(histogram_percentile_ns(&histogram, i, 100), i);
}

static void histogram_add__beyond_the_range(void **state)
{
	(void)state;
	histogram_clear(&histogram);
	histogram_add(&histogram, UINT64_MAX);
	histogram_add(&histogram, 0);
	assert_int_equal(histogram.max_ns, UINT64_MAX);
	assert_int_equal(histogram_percentile_ns(&histogram, 50, 100), 0);
	assert_true(histogram_percentile_ns(&histogram, 100, 100) >= (UINT64_C(1) << 40));
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

static void histogram_percentile_ns__beside_sorted_times(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	histogram_clear(&histogram);
	for (uint32_t i = 0; i < TIMES; i++) {
		times_ns[i] = unit_random(&seed) >> (24 + unit_random_below(&seed, 40));
		histogram_add(&histogram, times_ns[i]);
	}
	qsort(times_ns, TIMES, sizeof(times_ns[0]), compare);
	for (uint32_t part = 1; part <= 1000; part++) {
		uint64_t true_ns = times_ns[(uint64_t)TIMES * part / 1000 - 1];
		uint64_t told_ns = histogram_percentile_ns(&histogram, part, 1000);

		assert_true(told_ns >= true_ns);
		assert_true(told_ns <= true_ns + true_ns / 64);
	}
	assert_int_equal(histogram.max_ns, times_ns[TIMES - 1]);
}

static void histogram_merge__is_as_if_one_had_counted_all(void **state)
{
	static struct histogram one;
	static struct histogram other;
	static struct histogram all;
	uint64_t seed = unit_seed();

	(void)state;
	histogram_clear(&one);
	histogram_clear(&other);
	histogram_clear(&all);
	for (uint32_t i = 0; i < TIMES; i++) {
		uint64_t time_ns = unit_random(&seed) >> (24 + unit_random_below(&seed, 40));

		histogram_add(unit_random_below(&seed, 3) == 0 ? &one : &other, time_ns);
		histogram_add(&all, time_ns);
	}
	histogram_merge(&one, &other);
	assert_memory_equal(&one, &all, sizeof(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histogram_percentile_ns__of_nothing),
		cmocka_unit_test(histogram_percentile_ns__of_one),
		cmocka_unit_test(histogram_percentile_ns__small_times_are_exact),
		cmocka_unit_test(histogram_add__beyond_the_range),
		cmocka_unit_test(histogram_percentile_ns__beside_sorted_times),
		cmocka_unit_test(histogram_merge__is_as_if_one_had_counted_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
