/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a bad wire does to frames what its string says, as often as it says, the same with the same seed, and
 * loses no packet buffer.
 * Method: numbered frames from a pool of EAL's, taken and given with a clock that the test turns.
 */
#include "drivers/udp/eal.h"
#include "drivers/udp/impair.h"
#include "unit.h"

#include <rte_mbuf.h>

#include <string.h>

#define FRAMES 20000u
#define BYTES  64u

static struct rte_mempool *pool;
static uint64_t counters[4];
static uint32_t arrived[FRAMES]; /* in the order of their coming */
static uint32_t arrived_count;
static uint32_t damaged;

static int set_up(void **state)
{
	struct eal_options options = { .node = "test-impair",
				       .memory_mb = 64,
				       .huge_pages = UDP_HUGE_PAGES_OFF };

	(void)state;
	if (eal_start(&options) != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", 4095, 0, 0, RTE_PKTMBUF_HEADROOM + BYTES, 0);
	return pool == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	eal_stop();
	return 0;
}

static struct rte_mbuf *frame(uint32_t number)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	uint32_t *words = rte_pktmbuf_mtod(mbuf, uint32_t *);

	mbuf->data_len = BYTES;
	mbuf->pkt_len = BYTES;
	for (uint32_t i = 0; i < BYTES / 4; i++)
		words[i] = number;
	return mbuf;
}

/* How many bits of a frame are not its number's; it has that in most of its words. */
static uint32_t bits_wrong(const uint32_t *words, uint32_t *number_out)
{
	uint32_t bits = 0;

	*number_out = words[1] == words[2] ? words[1] : words[3];
	for (uint32_t i = 0; i < BYTES / 4; i++)
		bits += (uint32_t)__builtin_popcount(words[i] ^ *number_out);
	return bits;
}

static void give(struct impair *impair, uint64_t now_us)
{
	struct rte_mbuf *mbufs[32];
	uint32_t count;

	while ((count = impair_give(impair, mbufs, 32, now_us)) > 0) {
		for (uint32_t i = 0; i < count; i++) {
			uint32_t number;
			uint32_t bits = bits_wrong(rte_pktmbuf_mtod(mbufs[i], uint32_t *), &number);

			assert_true(bits <= 1);
			damaged += bits;
			if (arrived_count < FRAMES)
				arrived[arrived_count] = number;
			arrived_count++;
			rte_pktmbuf_free(mbufs[i]);
		}
	}
}

/* All frames, one a microsecond, through a wire as the string says. */
static void run(const char *text, uint64_t *end_us_out)
{
	struct impair_options options;
	struct impair *impair;
	uint64_t now_us = 1000;

	memset(counters, 0, sizeof(counters));
	arrived_count = 0;
	damaged = 0;
	assert_null(impair_parse(text, &options));
	impair = impair_create(&options, 3, counters);
	assert_non_null(impair);
	for (uint32_t i = 0; i < FRAMES; i++) {
		struct rte_mbuf *mbuf = frame(i);

		assert_int_equal(impair_take(impair, &mbuf, 1, now_us), 1);
		give(impair, now_us++);
	}
	while (impair_due_us(impair) != UINT64_MAX) {
		now_us = impair_due_us(impair);
		give(impair, now_us);
	}
	impair_destroy(impair);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	if (end_us_out != NULL)
		*end_us_out = now_us;
}

static uint32_t overtaken(void)
{
	uint32_t count = 0;

	for (uint32_t i = 1; i < arrived_count && i < FRAMES; i++)
		count += arrived[i] < arrived[i - 1];
	return count;
}

static void impair_parse__reads_keys_and_says_what_is_wrong(void **state)
{
	struct impair_options options;

	(void)state;
	assert_null(impair_parse("seed=7,drop=10,reorder_us=20", &options));
	assert_int_equal(options.seed, 7);
	assert_int_equal(options.drop, 10);
	assert_int_equal(options.reorder, 0);
	assert_int_equal(options.reorder_us, 20);
	assert_null(impair_parse("", &options));
	assert_string_equal(impair_parse("drop=x", &options), "not a number");
	assert_string_equal(impair_parse("drop=-1", &options), "not a number");
	assert_string_equal(impair_parse("drop=1x", &options), "not a number");
	assert_non_null(impair_parse("drop=1000001", &options));
	assert_non_null(impair_parse("drop", &options));
	assert_non_null(impair_parse("dropp=1", &options));
	assert_non_null(impair_parse("drop=1,,seed=1", &options));
	assert_non_null(impair_parse("hole_ms=2,hole_every_ms=1", &options));
}

static void impair_take__changes_nothing_without_chances(void **state)
{
	(void)state;
	run("seed=1", NULL);
	assert_int_equal(arrived_count, FRAMES);
	assert_int_equal(overtaken(), 0);
	assert_int_equal(damaged, 0);
}

static void impair_take__drops_and_doubles_as_often_as_it_says(void **state)
{
	(void)state;
	run("seed=1,drop=100000", NULL);
	assert_in_range(counters[IMPAIR_DROPPED], FRAMES / 10 - 200, FRAMES / 10 + 200);
	assert_int_equal(arrived_count + counters[IMPAIR_DROPPED], FRAMES);
	run("seed=1,duplicate=100000", NULL);
	assert_in_range(counters[IMPAIR_DUPLICATED], FRAMES / 10 - 200, FRAMES / 10 + 200);
	assert_int_equal(arrived_count, FRAMES + counters[IMPAIR_DUPLICATED]);
}

static void impair_take__damages_one_bit(void **state)
{
	(void)state;
	run("seed=1,corrupt=100000", NULL);
	assert_in_range(damaged, FRAMES / 10 - 200, FRAMES / 10 + 200);
	assert_int_equal(damaged, counters[IMPAIR_CORRUPTED]);
	assert_int_equal(arrived_count, FRAMES);
}

static void impair_take__lets_frames_be_overtaken(void **state)
{
	uint64_t end_us;

	(void)state;
	run("seed=1,reorder=10000,reorder_us=50", &end_us);
	assert_int_equal(arrived_count, FRAMES);
	assert_in_range(overtaken(), FRAMES / 100 - 100, FRAMES / 100 + 100);
	run("seed=1,delay_us=300", &end_us);
	assert_int_equal(overtaken(), 0);
	assert_int_equal(end_us, 1000 + FRAMES - 1 + 300);
	run("seed=1,delay_us=100,jitter_us=100", &end_us);
	assert_true(overtaken() > FRAMES / 10);
}

/* More come late than there is room for; the others are not held up by them. */
static void impair_take__keeps_some_for_seconds(void **state)
{
	uint64_t end_us;
	uint32_t in_time = 0;

	(void)state;
	run("seed=4,late=200000,late_ms=5000", &end_us);
	assert_int_equal(arrived_count, FRAMES);
	assert_in_range(end_us, 4000000, 5100000);
	assert_in_range(counters[IMPAIR_DELAYED], 400, 600);
	for (uint32_t i = 0; i < FRAMES - counters[IMPAIR_DELAYED]; i++)
		in_time += i == 0 || arrived[i] > arrived[i - 1];
	assert_true(in_time >= FRAMES - 2 * counters[IMPAIR_DELAYED]);
	run("seed=4,late=1000", &end_us);
	assert_in_range(end_us, 1000000, 3100000);
}

static void impair_take__loses_in_bursts_and_holes(void **state)
{
	uint32_t gaps = 0;

	(void)state;
	run("seed=1,burst_enter=1000,burst_leave=50000", NULL);
	for (uint32_t i = 1; i < arrived_count; i++)
		gaps += arrived[i] != arrived[i - 1] + 1;
	/* About 20 bad times of 20 frames on average. */
	assert_in_range(gaps, 5, 40);
	assert_true(counters[IMPAIR_DROPPED] > 4 * gaps);
	run("seed=1,hole_every_ms=5,hole_ms=1", NULL);
	assert_int_equal(counters[IMPAIR_DROPPED], 3000);
	assert_int_equal(arrived[4999], 4999);
	assert_int_equal(arrived[5000], 6000);
}

static void impair_create__is_the_same_with_the_same_seed(void **state)
{
	static uint32_t first[FRAMES];
	uint32_t count;

	(void)state;
	run("seed=5,drop=50000,reorder=50000,duplicate=20000", NULL);
	count = arrived_count;
	memcpy(first, arrived, sizeof(first));
	run("seed=5,drop=50000,reorder=50000,duplicate=20000", NULL);
	assert_int_equal(arrived_count, count);
	assert_memory_equal(first, arrived, sizeof(first));
	run("seed=6,drop=50000,reorder=50000,duplicate=20000", NULL);
	assert_memory_not_equal(first, arrived, sizeof(first));
}

static void impair_take__leaves_what_it_has_no_room_for(void **state)
{
	struct impair_options options;
	struct impair *impair;
	struct rte_mbuf *mbufs[32];
	uint32_t taken = 0;

	(void)state;
	assert_null(impair_parse("delay_us=1000000", &options));
	impair = impair_create(&options, 0, counters);
	for (uint32_t i = 0; i < 2000; i++) {
		struct rte_mbuf *mbuf = frame(i);

		if (impair_take(impair, &mbuf, 1, 5) == 0) {
			rte_pktmbuf_free(mbuf);
			break;
		}
		taken++;
	}
	assert_in_range(taken, 1000, 1024);
	assert_int_equal(impair_give(impair, mbufs, 32, 5), 0);
	assert_int_equal(impair_give(impair, mbufs, 32, 1000005), 32);
	impair_take_back(impair, mbufs, 32);
	assert_int_equal(impair_due_us(impair), 0);
	impair_empty(impair);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	impair_destroy(impair);
	impair_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impair_parse__reads_keys_and_says_what_is_wrong),
		cmocka_unit_test(impair_take__changes_nothing_without_chances),
		cmocka_unit_test(impair_take__drops_and_doubles_as_often_as_it_says),
		cmocka_unit_test(impair_take__damages_one_bit),
		cmocka_unit_test(impair_take__lets_frames_be_overtaken),
		cmocka_unit_test(impair_take__keeps_some_for_seconds),
		cmocka_unit_test(impair_take__loses_in_bursts_and_holes),
		cmocka_unit_test(impair_create__is_the_same_with_the_same_seed),
		cmocka_unit_test(impair_take__leaves_what_it_has_no_room_for),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
