/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: only a beat that stands still while Redis answers makes a node suspect and dead. Method: a clock moved by hand.
 */
#include "controlplane/model/liveness.h"
#include "unit.h"

#include <stdio.h>

#define MS UINT64_C(1000)

static struct node_record record = { .name = "a", .incarnation = 1, .beat = 1 };
static uint64_t still_ms;

static int make(void **state)
{
	struct liveness *liveness = NULL;

	assert_int_equal(liveness_create(100, 400, &liveness), 0);
	*state = liveness;
	record.incarnation = 1;
	record.beat = 1;
	record.has_left = false;
	return 0;
}

static int unmake(void **state)
{
	liveness_destroy(*state);
	return 0;
}

static void liveness_state__goes_from_alive_to_dead(void **state)
{
	struct liveness *liveness = *state;

	assert_int_equal(liveness_state(liveness, "a", 1, 0, &still_ms), LIVENESS_UNKNOWN);
	liveness_observe(liveness, &record, 10 * MS);
	assert_int_equal(liveness_state(liveness, "a", 1, 20 * MS, &still_ms), LIVENESS_UNKNOWN);
	record.beat++;
	liveness_observe(liveness, &record, 50 * MS);
	assert_int_equal(liveness_state(liveness, "a", 1, 149 * MS, &still_ms), LIVENESS_ALIVE);
	liveness_observe(liveness, &record, 140 * MS);
	assert_int_equal(liveness_state(liveness, "a", 1, 150 * MS, &still_ms), LIVENESS_SUSPECT);
	assert_int_equal(still_ms, 100);
	assert_int_equal(liveness_state(liveness, "a", 1, 549 * MS, &still_ms), LIVENESS_SUSPECT);
	assert_int_equal(liveness_state(liveness, "a", 1, 550 * MS, &still_ms), LIVENESS_DEAD);
	record.beat++;
	liveness_observe(liveness, &record, 560 * MS);
	assert_int_equal(liveness_state(liveness, "a", 1, 561 * MS, &still_ms), LIVENESS_ALIVE);
}

static void liveness_reset__starts_the_clock_anew(void **state)
{
	struct liveness *liveness = *state;

	liveness_observe(liveness, &record, 0);
	liveness_reset(liveness);
	assert_int_equal(liveness_state(liveness, "a", 1, 900 * MS, &still_ms), LIVENESS_UNKNOWN);
	liveness_observe(liveness, &record, 900 * MS);
	assert_int_equal(liveness_state(liveness, "a", 1, 950 * MS, &still_ms), LIVENESS_UNKNOWN);
	assert_int_equal(liveness_state(liveness, "a", 1, 1400 * MS, &still_ms), LIVENESS_DEAD);
}

static void liveness_state__is_of_one_incarnation(void **state)
{
	struct liveness *liveness = *state;

	liveness_observe(liveness, &record, 0);
	assert_int_equal(liveness_state(liveness, "a", 2, 900 * MS, &still_ms), LIVENESS_UNKNOWN);
	record.has_left = true;
	liveness_observe(liveness, &record, 10 * MS);
	assert_int_equal(liveness_state(liveness, "a", 1, 900 * MS, &still_ms), LIVENESS_LEFT);
}

static void liveness_observe__bears_more_nodes_than_it_holds(void **state)
{
	struct liveness *liveness = *state;
	struct node_record many = record;

	for (unsigned int i = 0; i < LIVENESS_NODES_MAX + 10; i++) {
		(void)snprintf(many.name, sizeof(many.name), "n%u", i);
		liveness_observe(liveness, &many, MS);
	}
	assert_int_equal(liveness_state(liveness, many.name, 1, 2 * MS, &still_ms),
			 LIVENESS_UNKNOWN);
	liveness_observe(liveness, &many, 900 * MS);
	assert_int_equal(liveness_state(liveness, many.name, 1, 1000 * MS, &still_ms),
			 LIVENESS_SUSPECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(liveness_state__goes_from_alive_to_dead, make,
						unmake),
		cmocka_unit_test_setup_teardown(liveness_reset__starts_the_clock_anew, make,
						unmake),
		cmocka_unit_test_setup_teardown(liveness_state__is_of_one_incarnation, make,
						unmake),
		cmocka_unit_test_setup_teardown(liveness_observe__bears_more_nodes_than_it_holds,
						make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
