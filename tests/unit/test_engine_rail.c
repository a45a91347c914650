/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a rail goes through its stages as the picture in rail.h has it, remembers what was bad and forgets it with time,
 * and work goes to the rail that would be done with it first, in proportion to what the rails are worth.
 * Method: rails by themselves, time by hand; for the proportions, rails that take a fixed time for each byte.
 */
#include "engine/rail.h"
#include "unit.h"

#define MB (1u << 20)

/* A rail that is up and not on trial. */
static struct rail rail_good(void)
{
	struct rail rail = { 0 };

	rail_init(&rail);
	rail_begin(&rail, 0);
	rail_up(&rail, 0);
	return rail;
}

static void place(struct rail *rail, uint32_t length, uint64_t from_us, uint64_t to_us)
{
	struct slice slice = { .length = length };

	rail_take(rail, &slice, from_us);
	rail_give(rail, &slice, true, to_us);
}

static void rail_init__keeps_what_is_under_way(void **state)
{
	struct rail rail = rail_good();
	struct slice slice = { .length = 100 };

	(void)state;
	rail_take(&rail, &slice, 1);
	rail_close(&rail, 2);
	assert_int_equal(rail.stage, RAIL_STAGE_CLOSING);
	rail_init(&rail);
	assert_int_equal(rail.stage, RAIL_STAGE_IDLE);
	assert_int_equal(rail.slices, 1);
	assert_int_equal(rail.bytes, 100);
	rail_give(&rail, &slice, false, 3);
	assert_int_equal(rail.slices, 0);
	assert_int_equal(rail.bytes, 0);
}

static void rail_stage_text__names_every_stage(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RAIL_STAGE_COUNT; i++)
		assert_string_not_equal(rail_stage_text(i), "unknown");
	assert_string_equal(rail_stage_text(RAIL_STAGE_COUNT), "unknown");
}

static void rail_up__is_trusted_when_it_never_failed(void **state)
{
	struct rail rail = rail_good();

	(void)state;
	assert_true(rail_takes(&rail) && rail_may_exist(&rail) && !rail_is_missing(&rail));
	assert_false(rail.is_on_trial);
	rail_up(&rail, 77); /* once more: nothing changes */
	assert_int_equal(rail.since_us, 0);
}

static void rail_doubt__counts_only_when_up(void **state)
{
	struct rail rail = { 0 };

	(void)state;
	rail_init(&rail);
	rail_doubt(&rail, 1);
	assert_int_equal(rail.stage, RAIL_STAGE_IDLE);
	assert_true(rail_is_missing(&rail));
	rail_begin(&rail, 2);
	assert_true(rail_may_exist(&rail) && !rail_takes(&rail));
	rail_doubt(&rail, 3);
	assert_int_equal(rail.stage, RAIL_STAGE_CONNECTING);
	rail_up(&rail, 4);
	rail_doubt(&rail, 5);
	assert_int_equal(rail.stage, RAIL_STAGE_DOUBTFUL);
	rail_doubt(&rail, 6);
	assert_int_equal(rail.since_us, 5);
	/* One fault, one blame: that it was doubtful first is no second. */
	rail_pause(&rail, 7);
	assert_int_equal(rail.blame_us, ENGINE_RETRY_MIN_US);
	assert_int_equal(rail.pause_us, ENGINE_RETRY_MIN_US);
	assert_int_equal(rail.retry_at_us, 7 + ENGINE_RETRY_MIN_US);
	rail_pause(&rail, 8);
	assert_int_equal(rail.since_us, 7);
}

/* A peer that was off its core for a moment. */
static void rail_up__forgives_a_moment_of_doubt(void **state)
{
	struct rail rail = rail_good();

	(void)state;
	rail_doubt(&rail, 10);
	rail_up(&rail, 10 + ENGINE_LEAVE_US - 1);
	assert_false(rail.is_on_trial);
	assert_int_equal(rail.blame_us, 0);
	rail_doubt(&rail, 10000);
	rail_up(&rail, 10000 + ENGINE_LEAVE_US);
	assert_true(rail.is_on_trial);
	assert_int_equal(rail.blame_us, ENGINE_RETRY_MIN_US);
	assert_int_equal(rail.retry_at_us, 10000 + ENGINE_LEAVE_US + ENGINE_RETRY_MIN_US);
	/* But it does not end a trial. */
	rail_doubt(&rail, 15000);
	rail_up(&rail, 15001);
	assert_true(rail.is_on_trial);
	assert_int_equal(rail.retry_at_us, 10000 + ENGINE_LEAVE_US + ENGINE_RETRY_MIN_US);
}

/* Doubtful at from_us, and up again once that has lasted. */
static void falter(struct rail *rail, uint64_t from_us, uint64_t to_us)
{
	rail_doubt(rail, from_us);
	rail_up(rail, to_us);
}

static void rail_blame__doubles_and_fades(void **state)
{
	const uint64_t moment_us = ENGINE_LEAVE_US;
	struct rail rail = rail_good();
	uint64_t now_us = 0;

	(void)state;
	for (uint32_t blame_us = ENGINE_RETRY_MIN_US; blame_us < ENGINE_RETRY_MAX_US;
	     blame_us *= 2) {
		falter(&rail, now_us + 1, now_us + 1 + moment_us);
		assert_int_equal(rail.blame_us, blame_us);
		now_us += 1 + moment_us;
	}
	/* Time that it was not up counts for nothing. */
	falter(&rail, now_us, now_us + 3600000000);
	assert_int_equal(rail.blame_us, ENGINE_RETRY_MAX_US);
	now_us += 3600000000;
	falter(&rail, now_us + 3000000, now_us + 3000000 + moment_us); /* halved three times */
	assert_int_equal(rail.blame_us, ENGINE_RETRY_MAX_US / 4);
	now_us += 3000000 + moment_us;
	falter(&rail, now_us + 3600000000, now_us + 3600000000 + moment_us);
	assert_int_equal(rail.blame_us, ENGINE_RETRY_MIN_US);
}

static void rail_pause__grows_until_it_is_up(void **state)
{
	struct rail rail = { 0 };

	(void)state;
	rail_init(&rail);
	for (uint64_t now_us = 0; now_us < 20; now_us++) {
		rail_begin(&rail, now_us);
		rail_pause(&rail, now_us);
		assert_int_equal(rail.retry_at_us, now_us + rail.pause_us);
	}
	assert_int_equal(rail.pause_us, ENGINE_RETRY_MAX_US);
	/* It was never there, so nothing is held against it. */
	rail_begin(&rail, 30);
	rail_up(&rail, 31);
	assert_int_equal(rail.pause_us, 0);
	assert_false(rail.is_on_trial);
	rail_pause(&rail, 32);
	assert_int_equal(rail.pause_us, ENGINE_RETRY_MIN_US);
	rail_up(&rail, 33); /* the driver was ahead of us */
	assert_true(rail.is_on_trial);
}

static void rail_give__ends_the_trial_by_what_was_placed_in_it(void **state)
{
	struct rail rail = rail_good();
	struct slice before = { .length = 10 };
	struct slice trial = { .length = 10 };

	(void)state;
	rail_take(&rail, &before, 1);
	falter(&rail, 2, 5000);
	assert_true(rail.is_on_trial);
	rail_give(&rail, &before, true, 5001); /* of before */
	assert_true(rail.is_on_trial);
	rail_take(&rail, &trial, rail.retry_at_us);
	rail_give(&rail, &trial, false, rail.retry_at_us + 1); /* came back */
	assert_true(rail.is_on_trial);
	rail_take(&rail, &trial, rail.retry_at_us);
	rail_give(&rail, &trial, true, rail.retry_at_us + 1);
	assert_false(rail.is_on_trial);
}

static void rail_pick__of_one_is_that_one(void **state)
{
	struct rail rail = rail_good();

	(void)state;
	assert_int_equal(rail_pick(&rail, 1, 0, 1, 1), 0);
	assert_int_equal(rail_pick(&rail, 1, 1, 1, 1), ENGINE_RAILS_MAX);
	rail_doubt(&rail, 1);
	assert_int_equal(rail_pick(&rail, 1, 0, 1, 1), 0); /* the last one is kept */
	rail_pause(&rail, 1);
	assert_int_equal(rail_pick(&rail, 1, 0, 1, 1), ENGINE_RAILS_MAX);
}

static void rail_pick__prefers_up_then_trial_then_doubtful(void **state)
{
	struct rail rails[3] = { rail_good(), rail_good(), rail_good() };
	struct slice slice = { .length = MB };

	(void)state;
	rail_doubt(&rails[0], 1);
	falter(&rails[1], 1, 5000);
	/* However much the good one has to do. */
	for (int i = 0; i < 1000; i++)
		rail_take(&rails[2], &slice, 5000);
	assert_int_equal(rail_pick(rails, 3, 0, 1, 5000), 2);
	assert_int_equal(rail_pick(rails, 3, 1 << 2, 1, 5000), 1);
	assert_int_equal(rail_pick(rails, 3, 1 << 2 | 1 << 1, 1, 5000), 0);
	assert_int_equal(rail_pick(rails, 3, 7, 1, 5000), ENGINE_RAILS_MAX);
	/* When its pause is over the one on trial gets one slice, and no second. */
	assert_int_equal(rail_pick(rails, 3, 0, 1, rails[1].retry_at_us), 1);
	rail_take(&rails[1], &slice, rails[1].retry_at_us);
	assert_int_equal(rail_pick(rails, 3, 0, 1, rails[1].retry_at_us), 2);
	rail_give(&rails[1], &slice, true, rails[1].retry_at_us + 1);
	assert_int_equal(rail_pick(rails, 3, 0, 1, rails[1].retry_at_us), 1);
	/* The last one on trial takes what there is. */
	rail_pause(&rails[2], 20000);
	falter(&rails[1], 20000, 30000);
	assert_int_equal(rail_pick(rails, 3, 0, 1, 30000), 1);
}

static void rail_sample__needs_enough_before_it(void **state)
{
	struct rail rail = rail_good();
	uint32_t before_ps = rail.cost_ps;

	(void)state;
	place(&rail, 1000, 0, 1000000); /* 1 us a byte, but that is the path's delay */
	assert_int_equal(rail.cost_ps, before_ps);
	for (int i = 0; i < 100; i++)
		place(&rail, MB, 0, 1000000);
	assert_in_range(rail.cost_ps, 950000, 954000); /* 1 s for 1 MiB */
	for (int i = 0; i < 100; i++)
		place(&rail, MB, 5, 5); /* nothing takes no time at all */
	assert_in_range(rail.cost_ps, 1, 4);
	for (int i = 0; i < 100; i++)
		place(&rail, MB, 0, UINT64_C(1) << 40);
	assert_true(rail.cost_ps <= 1 << 24);
}

/* What rails that serve one slice after the other, each at its pace, get of a steady stream. */
static void share_of(const uint32_t *pace_ps, uint32_t count, uint64_t *bytes_out)
{
	struct rail rails[ENGINE_RAILS_MAX];
	struct slice slices[ENGINE_RAILS_MAX][16];
	uint64_t free_us[ENGINE_RAILS_MAX] = { 0 };
	uint64_t done_us[ENGINE_RAILS_MAX][16];
	uint32_t first[ENGINE_RAILS_MAX] = { 0 };

	for (uint32_t i = 0; i < count; i++)
		rails[i] = rail_good();
	for (uint64_t now_us = 0; now_us < 2000000; now_us += 50) {
		uint32_t open = 0;

		for (uint32_t i = 0; i < count; i++) {
			while (rails[i].slices > 0 && done_us[i][first[i]] <= now_us) {
				rail_give(&rails[i], &slices[i][first[i]], true, now_us);
				bytes_out[i] += slices[i][first[i]].length;
				first[i] = (first[i] + 1) % 16;
			}
			open += rails[i].slices;
		}
		for (; open < 16; open++) {
			uint32_t i = rail_pick(rails, count, 0, MB / 4, now_us);
			uint32_t at = (first[i] + rails[i].slices) % 16;

			slices[i][at] = (struct slice){ .length = MB / 4 };
			rail_take(&rails[i], &slices[i][at], now_us);
			free_us[i] = (free_us[i] > now_us ? free_us[i] : now_us) +
				     (uint64_t)(MB / 4) * pace_ps[i] / 1000000;
			done_us[i][at] = free_us[i];
		}
	}
}

static void rail_pick__shares_by_what_rails_are_worth(void **state)
{
	const uint32_t equal[] = { 1000, 1000 };
	const uint32_t slow[] = { 300, 3000 };
	const uint32_t four[] = { 1000, 2000, 4000, 4000 };
	uint64_t bytes[3][ENGINE_RAILS_MAX] = { { 0 } };

	(void)state;
	share_of(equal, 2, bytes[0]);
	assert_in_range(bytes[0][0] * 100 / bytes[0][1], 95, 105);
	share_of(slow, 2, bytes[1]);
	assert_in_range(bytes[1][0] * 100 / bytes[1][1], 700, 1500); /* ten times as much */
	share_of(four, 4, bytes[2]);
	assert_in_range(bytes[2][0] * 100 / bytes[2][1], 150, 260);
	assert_in_range(bytes[2][2] * 100 / bytes[2][3], 70, 140);
	/* Together they are as fast as they are by themselves: 1, 1/2, 1/4 and 1/4 GB/s for 2 s. */
	assert_true(bytes[2][0] + bytes[2][1] + bytes[2][2] + bytes[2][3] > 3600000000u);
}

/* A rail that was slow once gets another chance. */
static void rail_pick__forgets_old_measures(void **state)
{
	struct rail rails[2] = { rail_good(), rail_good() };
	struct slice slice = { .length = MB / 4 };
	uint64_t now_us = 1;
	uint32_t seconds = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		place(&rails[0], MB, now_us, now_us + 500);
		place(&rails[1], MB, now_us, now_us + 1000000);
	}
	rail_take(&rails[0], &slice, now_us); /* it always has some to do */
	assert_int_equal(rail_pick(rails, 2, 0, MB / 4, now_us), 0);
	while (rail_pick(rails, 2, 0, MB / 4, now_us) == 0) {
		place(&rails[0], MB, now_us, now_us + 500);
		now_us += 1000000;
		assert_true(seconds++ < 20);
	}
	assert_in_range(seconds, 5, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rail_init__keeps_what_is_under_way),
		cmocka_unit_test(rail_stage_text__names_every_stage),
		cmocka_unit_test(rail_up__is_trusted_when_it_never_failed),
		cmocka_unit_test(rail_doubt__counts_only_when_up),
		cmocka_unit_test(rail_up__forgives_a_moment_of_doubt),
		cmocka_unit_test(rail_blame__doubles_and_fades),
		cmocka_unit_test(rail_pause__grows_until_it_is_up),
		cmocka_unit_test(rail_give__ends_the_trial_by_what_was_placed_in_it),
		cmocka_unit_test(rail_pick__of_one_is_that_one),
		cmocka_unit_test(rail_pick__prefers_up_then_trial_then_doubtful),
		cmocka_unit_test(rail_sample__needs_enough_before_it),
		cmocka_unit_test(rail_pick__shares_by_what_rails_are_worth),
		cmocka_unit_test(rail_pick__forgets_old_measures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
