/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a channel goes to the worker that has the least to do, to the one with the fewest channels where that is about the
 * same, and never to one without room; what was just given counts before anything of it can be measured.
 * Method: workers that are nothing but a counter of busy time, which the test moves together with its own clock.
 */
#include "control/balance.h"
#include "unit.h"

#define WORKERS 3

static struct worker workers[WORKERS];
static struct worker *pointers[WORKERS];
static uint64_t counters[WORKERS][WORKER_COUNTER_COUNT];
static struct engine engine;
static struct balance balance;
static uint64_t now_us;

static int setup(void **state)
{
	(void)state;
	memset(counters, 0, sizeof(counters));
	for (uint32_t i = 0; i < WORKERS; i++) {
		workers[i].number = i;
		workers[i].counters = counters[i];
		pointers[i] = &workers[i];
	}
	engine.workers = pointers;
	engine.options.worker_count = WORKERS;
	now_us = 77;
	balance_init(&balance, &engine, now_us);
	return 0;
}

/* For so many milliseconds, looked at every 20, each worker is busy for so many thousandths. */
static void pass(uint32_t ms, uint32_t busy0, uint32_t busy1, uint32_t busy2)
{
	for (uint32_t at = 0; at < ms; at += 20) {
		counters[0][WORKER_BUSY_US] += busy0 * 20;
		counters[1][WORKER_BUSY_US] += busy1 * 20;
		counters[2][WORKER_BUSY_US] += busy2 * 20;
		now_us += 20000;
		balance_read(&balance, now_us);
	}
}

/* The number of the worker that the next channel is given to. */
static uint32_t give(void)
{
	struct worker *worker = balance_pick(&balance);

	assert_non_null(worker);
	balance_add(&balance, worker);
	return worker->number;
}

static void balance_pick__takes_the_least_loaded(void **state)
{
	(void)state;
	pass(10000, 900, 100, 500);
	assert_int_equal(give(), 1);
	pass(10000, 100, 900, 500);
	assert_int_equal(give(), 0);
	/* Also when it has more channels than the others. */
	pass(10000, 100, 900, 500);
	assert_int_equal(give(), 0);
	pass(10000, 900, 500, 100);
	assert_int_equal(give(), 2);
}

static void balance_pick__counts_channels_where_loads_are_close(void **state)
{
	static const uint32_t order[] = { 0, 2, 1 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(give(), order[i]);
		pass(10000, 10, 20, 0);
	}
	balance_remove(&balance, &workers[1]);
	assert_int_equal(give(), 1);
	/* As many everywhere: the lesser load, however little less. */
	pass(10000, 10, 20, 0);
	assert_int_equal(give(), 2);
}

static void balance_pick__expects_something_of_who_just_came(void **state)
{
	uint32_t given[WORKERS] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 9; i++)
		given[give()]++;
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(given[i], 3);
	/* Some come to the two that are idle while the third is busy, before it is better to give that one more, too. */
	setup(NULL);
	pass(10000, 0, 500, 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_not_equal(give(), 1);
	for (uint32_t i = 0; i < 3; i++)
		given[give()] = 100;
	assert_int_equal(given[1], 100);
}

static void balance_pick__forgets_who_came_long_ago(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		balance_add(&balance, &workers[0]);
	/* Nothing became of them, and the others have work of peers. */
	pass(10000, 0, 200, 300);
	assert_int_equal(give(), 0);
}

static void balance_read__follows_within_a_second(void **state)
{
	(void)state;
	pass(5000, 1000, 0, 0);
	assert_in_range(balance.workers[0].load, BALANCE_WHOLE * 98ull / 100, BALANCE_WHOLE);
	assert_int_equal(balance.workers[1].load, 0);
	pass(1000, 0, 1000, 0);
	assert_in_range(balance.workers[0].load, BALANCE_WHOLE / 3, BALANCE_WHOLE / 2);
	assert_in_range(balance.workers[1].load, BALANCE_WHOLE / 2, BALANCE_WHOLE * 2ull / 3);
	pass(10000, 0, 0, 0);
	assert_in_range(balance.workers[0].load, 0, BALANCE_WHOLE / 1000);
}

/* A loop that was held up reads late, a long round is counted late, and a clock may not have moved. */
static void balance_read__takes_any_interval(void **state)
{
	(void)state;
	balance_read(&balance, now_us);
	counters[0][WORKER_BUSY_US] = 5000000;
	balance_read(&balance, now_us += 1);
	assert_in_range(balance.workers[0].load, 0, 10);
	balance_read(&balance, now_us += 20000);
	assert_in_range(balance.workers[0].load, 0, 10);
	counters[0][WORKER_BUSY_US] += UINT64_C(100000000);
	balance_read(&balance, now_us += UINT64_C(100000000));
	assert_in_range(balance.workers[0].load, BALANCE_WHOLE * 98ull / 100, BALANCE_WHOLE);
	counters[0][WORKER_BUSY_US] += UINT64_C(1) << 62;
	balance_read(&balance, now_us += UINT64_C(1) << 62);
	assert_in_range(balance.workers[0].load, BALANCE_WHOLE * 99ull / 100, BALANCE_WHOLE);
	balance_read(&balance, now_us - 5);
	assert_in_range(balance.workers[0].load, BALANCE_WHOLE * 99ull / 100, BALANCE_WHOLE);
}

static void balance_pick__wants_room(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WORKERS * ENGINE_CHANNELS_MAX; i++)
		give();
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(balance.workers[i].channels, ENGINE_CHANNELS_MAX);
	assert_null(balance_pick(&balance));
	/* The only one with room takes it, loaded or not. */
	pass(5000, 1000, 0, 0);
	balance_remove(&balance, &workers[0]);
	assert_int_equal(give(), 0);
	assert_null(balance_pick(&balance));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup(name, setup)
		CASE(balance_pick__takes_the_least_loaded),
		CASE(balance_pick__counts_channels_where_loads_are_close),
		CASE(balance_pick__expects_something_of_who_just_came),
		CASE(balance_pick__forgets_who_came_long_ago),
		CASE(balance_pick__wants_room),
		CASE(balance_read__follows_within_a_second),
		CASE(balance_read__takes_any_interval),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
