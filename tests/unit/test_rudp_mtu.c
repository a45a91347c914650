/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the search finds the largest size that passes, among those that paths have; losses of small packets, or few of large
 * ones, are no black hole, and one is found in three round trips.
 * Method: a path that carries so much, played by the case; then two ends joined by hand.
 */
#include "rudp/conn.h"
#include "rudp/mtu.h"
#include "rudp_ends.h"
#include "unit.h"

#define BASE RUDP_DATAGRAM_BYTES_MIN

/* Answers probes as a path would that carries so much; returns how many there were. */
static unsigned search(struct mtu *mtu, uint32_t carries)
{
	unsigned probes = 0;

	while (mtu->is_due) {
		uint16_t bytes = mtu->probe_bytes;

		mtu->is_due = false;
		assert_in_range(bytes, mtu->datagram_bytes + 1, mtu->limit_bytes);
		if (bytes <= carries)
			mtu_acked(mtu, bytes, 1000);
		else
			mtu_lost(mtu, bytes, 1000);
		assert_in_range(++probes, 1, 20);
	}
	return probes;
}

static void mtu_init__begins_with_what_every_path_carries(void **state)
{
	struct mtu mtu;

	(void)state;
	mtu_init(&mtu, 8972, 4);
	assert_int_equal(mtu.datagram_bytes, BASE);
	assert_true(mtu.is_due);
	assert_int_equal(mtu.probe_bytes, 8972);
	mtu_init(&mtu, BASE, 6);
	assert_int_equal(mtu.datagram_bytes, BASE);
	assert_false(mtu.is_due);
	assert_int_equal(mtu.raise_us, UINT64_MAX);
}

static void mtu_acked__everything_at_once(void **state)
{
	struct mtu mtu;

	(void)state;
	mtu_init(&mtu, 8972, 4);
	assert_int_equal(search(&mtu, 8972), 1);
	assert_int_equal(mtu.datagram_bytes, 8972);
	assert_int_equal(mtu.raise_us, UINT64_MAX);
}

static void mtu_acked__of_an_earlier_search(void **state)
{
	struct mtu mtu;

	(void)state;
	mtu_init(&mtu, 8972, 4);
	mtu_acked(&mtu, 4000, 1000);
	mtu_lost(&mtu, 4000, 1000);
	assert_int_equal(mtu.datagram_bytes, BASE);
	assert_int_equal(mtu.probe_bytes, 8972);
	assert_int_equal(mtu.lost, 0);
}

/* Every path of a common size is found exactly, in either family; others to the next below. */
static void mtu_lost__finds_common_sizes(void **state)
{
	static const uint16_t mtus[] = { 1280, 1400, 1420, 1492, 1500, 2304, 4352, 8500, 8950 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(mtus); i++) {
		struct mtu mtu;

		mtu_init(&mtu, 8972, 4);
		assert_in_range(search(&mtu, mtus[i] - 28u), 4, 16);
		assert_int_equal(mtu.datagram_bytes, mtus[i] - 28);
		assert_int_equal(mtu.raise_us, 1000 + MTU_RAISE_US);
		mtu_init(&mtu, 8952, 6);
		search(&mtu, mtus[i] - 48u + 3u);
		assert_int_equal(mtu.datagram_bytes, mtus[i] - 48);
		assert_int_equal(mtu.datagram_bytes + mtu.header_bytes, mtus[i]);
	}
}

static void mtu_lost__three_in_a_row_are_one(void **state)
{
	struct mtu mtu;

	(void)state;
	mtu_init(&mtu, 1472, 4);
	for (unsigned i = 1; i < MTU_PROBES; i++) {
		mtu.is_due = false;
		mtu_lost(&mtu, 1472, 1000);
		assert_true(mtu.is_due);
		assert_int_equal(mtu.probe_bytes, 1472);
	}
	mtu_lost(&mtu, 1472, 1000);
	assert_true(mtu.probe_bytes < 1472);
}

static void mtu_raise__tries_everything_again(void **state)
{
	struct mtu mtu;

	(void)state;
	mtu_init(&mtu, 8972, 4);
	search(&mtu, 1472);
	mtu_raise(&mtu);
	assert_int_equal(mtu.datagram_bytes, 1472);
	assert_int_equal(mtu.raise_us, UINT64_MAX);
	assert_int_equal(search(&mtu, 8972), 1);
	assert_int_equal(mtu.datagram_bytes, 8972);
}

static void mtu_suspect__needs_round_trips(void **state)
{
	struct mtu mtu;

	(void)state;
	mtu_init(&mtu, 8972, 4);
	search(&mtu, 8972);
	/* However many are lost at once, they are one round. */
	for (unsigned i = 0; i < 100; i++)
		assert_false(mtu_suspect(&mtu, 1000, 2000));
	assert_false(mtu_suspect(&mtu, 2000, 3000));
	mtu_confirm(&mtu);
	assert_false(mtu_suspect(&mtu, 3000, 4000));
	assert_false(mtu_suspect(&mtu, 4000, 5000));
	assert_true(mtu_suspect(&mtu, 5000, 6000));
	assert_int_equal(mtu.datagram_bytes, BASE);
	assert_true(mtu.is_due);
	assert_int_equal(mtu.probe_bytes, 8972);
}

/* Back and forth for a while; what end 0 sends beyond a size is lost. */
static void talk(uint32_t carries, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < 2; i++) {
			struct packet packet;

			while ((packet = take(i)).bytes > 0) {
				if (i != 0 || packet.bytes <= carries)
					give(!i, &packet);
			}
		}
		pass(200);
	}
}

static uint32_t mtu_of(unsigned i)
{
	struct rudp_stats stats;

	rudp_connection_stats(ends[i].connection, &stats);
	return stats.mtu_bytes;
}

static void connection__has_all_of_a_direct_path_at_once(void **state)
{
	(void)state;
	/* What `setup` let them say. */
	assert_int_equal(mtu_of(0), 1500);
	assert_int_equal(mtu_of(1), 1500);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_MTU_PROBES], 1);
	assert_int_equal(ends[0].connection->payload_max, PAYLOAD);
}

/* A chunk that was sent whole and vanished arrives in pieces; its late copy lands no more. */
static void connection__survives_a_black_hole(void **state)
{
	struct packet whole;

	(void)state;
	submit(RUDP_WRITE, PAYLOAD);
	whole = take(0);
	assert_int_equal(whole.bytes, DATAGRAM);
	talk(1300, 200);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, 0);
	assert_int_equal(ends[0].completion.bytes, PAYLOAD);
	assert_int_equal(ends[1].bytes, PAYLOAD);
	assert_int_equal(ends[1].placed, 2);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_BLACK_HOLES], 1);
	assert_in_range(mtu_of(0), 1228, 1328);
	assert_int_equal(mtu_of(1), 1500);
	give(1, &whole);
	assert_int_equal(ends[1].placed, 2);
	pass(100000);
	settle();
	assert_int_equal(ends[1].opened, 1);
	assert_int_equal(ends[1].closed, 1);
	/* A path that is mended is found after a while. */
	assert_true(mtu_of(0) < 1500);
	for (unsigned i = 0; i < 70; i++) {
		pass(1000000);
		talk(DATAGRAM, 2);
	}
	assert_int_equal(mtu_of(0), 1500);
}

/* The same with the whole chunk in between: it is dropped, and not acknowledged. */
static void connection__takes_no_late_whole(void **state)
{
	struct packet whole;
	struct packet piece;

	(void)state;
	submit(RUDP_WRITE, PAYLOAD);
	whole = take(0);
	while (ends[1].placed == 0) {
		while ((piece = take(0)).bytes > 0) {
			if (piece.bytes <= 1300 && ends[1].placed == 0)
				give(1, &piece);
		}
		while ((piece = take(1)).bytes > 0)
			give(0, &piece);
		pass(200);
	}
	assert_int_equal(ends[1].bytes, PIECE_BYTES);
	give(1, &whole);
	assert_int_equal(ends[1].placed, 1);
	talk(1300, 200);
	assert_int_equal(ends[1].bytes, PAYLOAD);
	assert_int_equal(ends[0].done, 1);
}

static void connection__reads_through_a_black_hole(void **state)
{
	(void)state;
	submit(RUDP_READ, 20 * PAYLOAD);
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 0; i < 2; i++) {
			struct packet packet;

			while ((packet = take(i)).bytes > 0) {
				if (packet.bytes <= 1300)
					give(!i, &packet);
			}
		}
		pass(200);
	}
	assert_int_equal(ends[0].delivered, 20 * PAYLOAD);
	assert_int_equal(ends[0].completion.status, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_BLACK_HOLES], 1);
	assert_true(ends[1].counters[RUDP_COUNTER_PIECES] >= 2);
}

/* Losses of probes are no sign of congestion, and no retransmissions. */
static void connection__loses_probes_quietly(void **state)
{
	(void)state;
	teardown(NULL);
	memset(ends, 0, sizeof(ends));
	for (unsigned i = 0; i < 2; i++) {
		struct rudp_config config = config_make(i);
		struct rudp_params params = params_make(i);

		ends[i].address.family = 4;
		ends[i].address.port = (uint16_t)(i + 1);
		assert_int_equal(rudp_create(&config, &ends[i].rudp), 0);
		assert_int_equal(rudp_connection_add(ends[i].rudp, now_us, &params, &ends[i],
						     &ends[i].connection),
				 0);
	}
	talk(1300, 400);
	assert_in_range(mtu_of(0), 1228, 1328);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_LOST], 0);
	assert_true(ends[0].counters[RUDP_COUNTER_MTU_PROBES_LOST] >= MTU_PROBES);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_BLACK_HOLES], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mtu_init__begins_with_what_every_path_carries),
		cmocka_unit_test(mtu_acked__everything_at_once),
		cmocka_unit_test(mtu_acked__of_an_earlier_search),
		cmocka_unit_test(mtu_lost__finds_common_sizes),
		cmocka_unit_test(mtu_lost__three_in_a_row_are_one),
		cmocka_unit_test(mtu_raise__tries_everything_again),
		cmocka_unit_test(mtu_suspect__needs_round_trips),
		CASE(connection__has_all_of_a_direct_path_at_once),
		CASE(connection__survives_a_black_hole),
		CASE(connection__takes_no_late_whole),
		CASE(connection__reads_through_a_black_hole),
		CASE(connection__loses_probes_quietly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
