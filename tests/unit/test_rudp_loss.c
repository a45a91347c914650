/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: round-trip times converge, thresholds stay within their bounds and adapt both ways, probes back off.
 * Method: series of samples, by hand.
 */
#include "rudp/loss.h"
#include "unit.h"

static void loss_rtt_sample__converges(void **state)
{
	struct loss loss;

	(void)state;
	loss_init(&loss);
	assert_int_equal(loss_rtt_us(&loss), LOSS_RTT_INITIAL_US);
	loss_rtt_sample(&loss, 40, 0);
	assert_int_equal(loss_rtt_us(&loss), 40);
	for (int i = 0; i < 100; i++)
		loss_rtt_sample(&loss, 10, 0);
	assert_in_range(loss_rtt_us(&loss), 10, 12);
	assert_int_equal(loss.min_us, 10);
	assert_in_range(loss.rttvar_us4, 0, 8);
}

static void loss_rtt_sample__takes_off_the_delay_above_the_minimum(void **state)
{
	struct loss loss;

	(void)state;
	loss_init(&loss);
	loss_rtt_sample(&loss, 20, 0);
	loss_rtt_sample(&loss, 100, 70);
	assert_int_equal(loss.latest_us, 30);
	/* The hosts were away for longer than the path is short: no more than the least is known. */
	loss_rtt_sample(&loss, 100, 90);
	assert_int_equal(loss.latest_us, 20);
	loss_rtt_sample(&loss, 500, 700);
	assert_int_equal(loss.latest_us, 20);
	assert_int_equal(loss.min_us, 20);
}

static void loss_delay_us__bounds(void **state)
{
	struct loss loss;

	(void)state;
	loss_init(&loss);
	assert_true(loss_delay_us(&loss) > LOSS_RTT_INITIAL_US);
	loss_rtt_sample(&loss, 8, 0);
	assert_int_equal(loss_delay_us(&loss), 8 + LOSS_DELAY_US_MIN);
	loss_init(&loss);
	loss_rtt_sample(&loss, 8000, 0);
	assert_int_equal(loss_delay_us(&loss), 8000 + 2000);
}

static void loss_spurious__adapts_and_forgets(void **state)
{
	struct loss loss;

	(void)state;
	loss_init(&loss);
	loss_rtt_sample(&loss, 8000, 0);
	loss_spurious(&loss, 20, 256);
	assert_int_equal(loss.reorder_packets, 21);
	assert_int_equal(loss_delay_us(&loss), 8000 + 4000);
	loss_spurious(&loss, 2000, 256);
	assert_int_equal(loss.reorder_packets, 256);
	for (int i = 0; i < 20 * (int)LOSS_CALM_ROUNDS; i++)
		loss_round(&loss);
	assert_int_equal(loss.reorder_packets, LOSS_REORDER_PACKETS);
	assert_int_equal(loss.reorder_quarters, 1);
}

static void loss_probe_us__floor_backoff_and_ceiling(void **state)
{
	struct loss loss;
	uint32_t last_us;

	(void)state;
	loss_init(&loss);
	assert_int_equal(loss_probe_us(&loss), 2 * LOSS_RTT_INITIAL_US);
	loss_rtt_sample(&loss, 8, 0);
	assert_int_equal(loss_probe_us(&loss), LOSS_PROBE_US_MIN);
	last_us = loss_probe_us(&loss);
	for (loss.probes = 1; loss.probes < 100; loss.probes++) {
		assert_true(loss_probe_us(&loss) >= last_us);
		last_us = loss_probe_us(&loss);
	}
	assert_int_equal(last_us, LOSS_PROBE_US_MAX);
	loss_init(&loss);
	loss_rtt_sample(&loss, 3 * LOSS_PROBE_US_MAX, 0);
	assert_true(loss_probe_us(&loss) > 3 * LOSS_PROBE_US_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_rtt_sample__converges),
		cmocka_unit_test(loss_rtt_sample__takes_off_the_delay_above_the_minimum),
		cmocka_unit_test(loss_delay_us__bounds),
		cmocka_unit_test(loss_spurious__adapts_and_forgets),
		cmocka_unit_test(loss_probe_us__floor_backoff_and_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
