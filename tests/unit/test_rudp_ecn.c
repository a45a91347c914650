/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: counts that are right tell how many packets were marked; counts that are missing, too small or too large end the
 * marking; congestion control hears of marks once.
 * Method: counts given by hand; then two ends joined by hand with a path in between that does what the case says.
 */
#include "base/check.h"
#include "rudp/conn.h"
#include "rudp_ends.h"
#include "unit.h"

static void ecn_validate__counts_marks(void **state)
{
	struct ecn ecn = { .is_on = true };
	struct wire_ack ack = { .has_counts = true, .ect0 = 10 };

	(void)state;
	assert_int_equal(ecn_validate(&ecn, &ack, 10, 10), 0);
	assert_true(ecn.is_heard);
	ack.ect0 = 12;
	ack.ce = 3;
	assert_int_equal(ecn_validate(&ecn, &ack, 5, 15), 3);
	/* More than were newly acknowledged: an acknowledgement before was lost. */
	ack.ect0 = 20;
	ack.ce = 4;
	assert_int_equal(ecn_validate(&ecn, &ack, 2, 30), 1);
}

static void ecn_validate__misses_what_vanishes(void **state)
{
	struct wire_ack none = { .has_counts = false };
	struct wire_ack few = { .has_counts = true, .ect0 = 3, .ce = 1 };
	struct wire_ack back = { .has_counts = true, .ect0 = UINT32_MAX };
	struct wire_ack many = { .has_counts = true, .ect0 = 60, .ce = 60 };
	struct ecn ecn = { .is_on = true };

	(void)state;
	assert_int_equal(ecn_validate(&ecn, &none, 1, 100), -1);
	assert_int_equal(ecn_validate(&ecn, &few, 5, 100), -1);
	assert_int_equal(ecn_validate(&ecn, &back, 1, 100), -1);
	assert_int_equal(ecn_validate(&ecn, &many, 1, 100), -1);
	assert_int_equal(ecn_validate(&ecn, &few, 4, 100), 1);
}

/* Both ends anew, with a congestion control that answers to marks. */
static int setup_marked(void **state)
{
	(void)state;
	memset(ends, 0, sizeof(ends));
	now_us = START_US;
	for (unsigned i = 0; i < 2; i++) {
		struct rudp_config config = config_make(i);
		struct rudp_params params = params_make(i);

		params.cc = &cc_newreno;
		ends[i].address.family = 4;
		ends[i].address.port = (uint16_t)(i + 1);
		assert_int_equal(rudp_create(&config, &ends[i].rudp), 0);
		assert_int_equal(rudp_connection_add(ends[i].rudp, now_us, &params, &ends[i],
						     &ends[i].connection),
				 0);
	}
	return 0;
}

/* Back and forth; what end 0 sends arrives with those bits. */
static void talk(uint8_t ecn, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < 2; i++) {
			struct packet packet;

			while ((packet = take(i)).bytes > 0)
				rudp_receive_marked(ends[!i].rudp, now_us, &ends[i].address,
						    packet.data, packet.bytes,
						    i == 0 ? ecn : ECN_ECT0);
		}
		pass(100);
	}
}

static void connection__cuts_its_window_for_marks(void **state)
{
	uint32_t window;

	(void)state;
	submit(RUDP_WRITE, 20 * PAYLOAD);
	talk(ECN_ECT0, 20);
	window = ends[0].connection->cc.window_packets;
	assert_true(rudp_connection_is_marked(ends[0].connection));
	assert_int_equal(ends[0].counters[RUDP_COUNTER_ECN_MARKED], 0);
	submit(RUDP_WRITE, 2 * PAYLOAD);
	talk(ECN_CE, 1);
	assert_true(ends[0].counters[RUDP_COUNTER_ECN_MARKED] >= 2);
	assert_true(ends[0].connection->cc.window_packets <= window / 2);
	assert_true(rudp_connection_is_marked(ends[0].connection));
	assert_int_equal(ends[0].counters[RUDP_COUNTER_LOST], 0);
	assert_int_equal(ends[0].done, 2);
}

static void connection__stops_where_marks_vanish(void **state)
{
	(void)state;
	talk(ECN_NOT_ECT, 10);
	assert_false(rudp_connection_is_marked(ends[0].connection));
	assert_true(rudp_connection_is_marked(ends[1].connection));
	assert_int_equal(ends[0].counters[RUDP_COUNTER_ECN_FAILED], 1);
	submit(RUDP_WRITE, 20 * PAYLOAD);
	talk(ECN_NOT_ECT, 20);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_ECN_FAILED], 1);
}

static void connection__stops_where_nothing_marked_passes(void **state)
{
	(void)state;
	pass_black(50000);
	assert_false(rudp_connection_is_marked(ends[0].connection));
	talk(ECN_NOT_ECT, 200);
	submit(RUDP_WRITE, 10);
	talk(ECN_NOT_ECT, 200);
	assert_int_equal(ends[0].done, 1);
}

static void connection__of_the_fixed_window_is_not_marked(void **state)
{
	(void)state;
	assert_false(rudp_connection_is_marked(ends[0].connection));
	submit(RUDP_WRITE, 20 * PAYLOAD);
	talk(ECN_CE, 10);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_ECN_MARKED], 0);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_ECN_FAILED], 0);
	assert_int_equal(ends[0].done, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ecn_validate__counts_marks),
		cmocka_unit_test(ecn_validate__misses_what_vanishes),
		cmocka_unit_test_setup_teardown(connection__cuts_its_window_for_marks, setup_marked,
						teardown),
		cmocka_unit_test_setup_teardown(connection__stops_where_marks_vanish, setup_marked,
						teardown),
		cmocka_unit_test_setup_teardown(connection__stops_where_nothing_marked_passes,
						setup_marked, teardown),
		CASE(connection__of_the_fixed_window_is_not_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
