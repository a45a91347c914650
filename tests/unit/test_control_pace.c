/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: tries that fail come ever more seldom, up to a bound, and not in step with others; one success, or news, ends
 * that.
 * Method: the pauses by themselves, over a few seeds.
 */
#include "control/pace.h"
#include "unit.h"

static void pace_begin__first_at_once_then_after_a_pause(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 0);
	assert_int_equal(pace.next_us, 0);
	pace_begin(&pace, 1000);
	assert_int_equal(pace.next_us, 1000 + PACE_MIN_US);
	pace_succeed(&pace);
	assert_int_equal(pace.next_us, 1000 + PACE_MIN_US);
}

static void pace_fail__doubles_up_to_a_bound(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		uint64_t pause_us = PACE_MIN_US;
		struct pace pace;

		pace_init(&pace, seed);
		for (uint32_t i = 0; i < 100; i++) {
			pause_us = pause_us * 2 > PACE_MAX_US ? PACE_MAX_US : pause_us * 2;
			pace_begin(&pace, 1 + i);
			pace_fail(&pace);
			assert_in_range(pace.next_us - (1 + i), pause_us * 3 / 4, pause_us * 5 / 4);
		}
		pace_succeed(&pace);
		assert_int_equal(pace.next_us, 100 + PACE_MIN_US);
	}
}

static void pace_fail__differs_between_neighbours(void **state)
{
	uint32_t same = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed += 2) {
		struct pace one;
		struct pace other;

		pace_init(&one, seed);
		pace_init(&other, seed + 2);
		for (uint32_t i = 0; i < 8; i++) {
			pace_fail(&one);
			pace_fail(&other);
		}
		same += one.next_us == other.next_us;
	}
	assert_in_range(same, 0, 2);
}

static void pace_hurry__keeps_the_least_pause(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 7);
	pace_begin(&pace, 1000);
	pace_hurry(&pace);
	assert_int_equal(pace.next_us, 1000 + PACE_MIN_US);
	for (uint32_t i = 0; i < 9; i++)
		pace_fail(&pace);
	assert_true(pace.next_us > 1000 + PACE_MIN_US);
	pace_hurry(&pace);
	assert_int_equal(pace.next_us, 1000 + PACE_MIN_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pace_begin__first_at_once_then_after_a_pause),
		cmocka_unit_test(pace_fail__doubles_up_to_a_bound),
		cmocka_unit_test(pace_fail__differs_between_neighbours),
		cmocka_unit_test(pace_hurry__keeps_the_least_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
