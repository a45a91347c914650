/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: completions come in order, exactly once, also around the ring's end; a wait ends by its time, by a
 * completion, or by the daemon's death, after all that the daemon wrote has been seen.
 * Method: the fake daemon completes, holds back, closes the channel or dies, from another thread where the wait must
 * be in its sleep. Times are only bounded from below, or by what no scheduler needs.
 */
#include "api/haul.h"
#include "base/clock.h"
#include "client/attachment.h"
#include "fake_daemon.h"
#include "unit.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#define LONG_US UINT64_C(20000000)

static struct fake_daemon fake;
static struct haul *haul;

static int attach(void **state)
{
	struct haul_options options = { .socket_path = fake.path, .timeout_ms = 20000 };

	(void)state;
	return haul_attach(&options, &haul);
}

static int setup(void **state)
{
	fake_daemon_start(&fake);
	return attach(state);
}

static int teardown(void **state)
{
	(void)state;
	haul_detach(haul);
	fake_daemon_stop(&fake);
	return 0;
}

static void submit(uint64_t user_data)
{
	struct haul_entry *entry = haul_entry_next(haul);

	assert_non_null(entry);
	entry->user_data = user_data;
	assert_int_equal(haul_submit(haul), 1);
}

/* Wait until the daemon has completed so many in all. */
static void await_completed(uint32_t count)
{
	while (ring_load_acquire(&haul->header->completion_tail.value) != count)
		usleep(100);
}

static void haul_peek__nothing(void **state)
{
	const struct haul_completion *completions = NULL;

	(void)state;
	assert_int_equal(haul_peek(haul, &completions), 0);
	assert_null(completions);
	haul_seen(haul, 3); /* nothing was given out, so nothing is taken */
	assert_int_equal(haul->header->completion_head.value, 0);
}

static void haul_peek__shows_the_same_until_seen(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	submit(1);
	submit(2);
	await_completed(2);
	assert_int_equal(haul_peek(haul, &completions), 2);
	assert_int_equal(haul_peek(haul, &completions), 2);
	assert_int_equal(completions[0].user_data, 1);
	assert_int_equal(completions[1].user_data, 2);
	haul_seen(haul, 1);
	assert_int_equal(haul_peek(haul, &completions), 1);
	assert_int_equal(completions[0].user_data, 2);
	haul_seen(haul, 5);
	assert_int_equal(haul_peek(haul, &completions), 0);
	assert_int_equal(haul_open_operations(haul), 0);
}

/* 16 completions: with 14 behind us, four more come as two and two. */
static void haul_peek__around_the_end(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	for (uint64_t i = 0; i < 14; i++) {
		submit(i);
		assert_int_equal(haul_wait(haul, LONG_US, &completions), 1);
		haul_seen(haul, 1);
	}
	for (uint64_t i = 14; i < 18; i++)
		submit(i);
	await_completed(18);
	assert_int_equal(haul_peek(haul, &completions), 2);
	assert_int_equal(completions[0].user_data, 14);
	haul_seen(haul, 2);
	assert_int_equal(haul_peek(haul, &completions), 2);
	assert_int_equal(completions[1].user_data, 17);
	haul_seen(haul, 2);
}

/* Both sides' indexes start just before they wrap. */
static void haul_peek__index_wraps(void **state)
{
	const struct haul_completion *completions;
	uint32_t start = UINT32_MAX - 5;

	haul_detach(haul);
	atomic_store(&fake.start_index, start);
	assert_int_equal(attach(state), 0);
	haul->submission_tail = haul->submission_head = haul->completion_head = start;
	for (uint64_t i = 0; i < 40; i++) {
		submit(i);
		assert_int_equal(haul_wait(haul, LONG_US, &completions), 1);
		assert_int_equal(completions->user_data, i);
		haul_seen(haul, 1);
	}
}

static void haul_wait__times_out(void **state)
{
	const struct haul_completion *completions;
	uint64_t before_us = clock_now_us();

	(void)state;
	assert_int_equal(haul_wait(haul, 0, &completions), 0);
	assert_int_equal(haul_wait(haul, 1, &completions), 0);
	assert_int_equal(haul_wait(haul, 3000, &completions), 0);
	assert_true(clock_now_us() >= before_us + 3000);
	assert_int_equal(haul->header->client_sleeps.value, 0);
}

static void on_alarm(int number)
{
	(void)number;
}

/* A signal ends neither the wait nor its time. */
static void haul_wait__interrupted(void **state)
{
	struct itimerval interval = { .it_value.tv_usec = 2000, .it_interval.tv_usec = 2000 };
	struct sigaction action = { .sa_handler = on_alarm };
	const struct haul_completion *completions;
	uint64_t before_us = clock_now_us();

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
	assert_int_equal(haul_wait(haul, 30000, &completions), 0);
	memset(&interval, 0, sizeof(interval));
	setitimer(ITIMER_REAL, &interval, NULL);
	assert_true(clock_now_us() >= before_us + 30000);
}

static void haul_wait__spins_less_when_it_does_not_pay(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(haul_wait(haul, 200, &completions), 0);
	assert_int_equal(haul->spin_ns, 1000);
}

static void haul_wait__channel_closed(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	submit(1);
	await_completed(1);
	fake_daemon_close_channel(&fake);
	while (ring_load_acquire(&haul->header->state) == HAUL_CHANNEL_OPEN)
		usleep(100);
	/* What was completed before comes first. */
	assert_int_equal(haul_wait(haul, LONG_US, &completions), 1);
	haul_seen(haul, 1);
	assert_int_equal(haul_wait(haul, UINT64_MAX, &completions), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "entries of the test are not liked"));
	assert_int_equal(haul_peek(haul, &completions), -HAUL_DISCONNECTED);
}

static void haul_wait__daemon_is_dead(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	submit(1);
	submit(2);
	await_completed(2);
	fake_daemon_kill(&fake);
	assert_int_equal(haul_wait(haul, LONG_US, &completions), 2);
	haul_seen(haul, 2);
	assert_int_equal(haul_wait(haul, UINT64_MAX, &completions), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "stopped or was killed"));
	assert_int_equal(haul_submit(haul), -HAUL_DISCONNECTED);
}

static void *kill_when_asleep(void *argument)
{
	struct haul_channel_header *header = haul->header;

	(void)argument;
	while (ring_load_acquire(&header->client_sleeps.value) == 0)
		usleep(100);
	usleep(2000);
	fake_daemon_kill(&fake);
	return NULL;
}

static void haul_wait__daemon_dies_meanwhile(void **state)
{
	const struct haul_completion *completions;
	pthread_t killer;

	(void)state;
	atomic_store(&fake.is_holding, true);
	submit(1);
	assert_int_equal(pthread_create(&killer, NULL, kill_when_asleep, NULL), 0);
	assert_int_equal(haul_wait(haul, UINT64_MAX, &completions), -HAUL_DISCONNECTED);
	pthread_join(killer, NULL);
	assert_int_equal(haul_open_operations(haul), 1);
}

/* Who only peeks learns it too. */
static void haul_peek__daemon_is_dead(void **state)
{
	const struct haul_completion *completions;
	int count = 0;

	(void)state;
	fake_daemon_kill(&fake);
	for (int i = 0; i < 5000 && count == 0; i++)
		count = haul_peek(haul, &completions);
	assert_int_equal(count, -HAUL_DISCONNECTED);
}

static void haul_peek__impossible_tail(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	ring_store_release(&haul->header->completion_tail.value, 17);
	assert_int_equal(haul_peek(haul, &completions), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "completion_tail"));
	assert_int_equal(haul_submit(haul), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "completion_tail"));
}

/* Random bursts against the fake daemon's thread: everything comes once, in order. */
static void haul_wait__random_bursts(void **state)
{
	const struct haul_completion *completions;
	uint64_t seed = unit_seed();
	uint64_t submitted = 0;
	uint64_t seen = 0;

	(void)state;
	while (seen < 100000) {
		uint64_t burst = unit_random_below(&seed, 12);
		int count;

		while (burst-- > 0) {
			struct haul_entry *entry = haul_entry_next(haul);

			if (entry == NULL)
				break;
			entry->user_data = submitted++;
		}
		assert_true(haul_submit(haul) >= 0);
		if (haul_open_operations(haul) == 0)
			continue;
		count = haul_wait(haul, LONG_US, &completions);
		assert_true(count > 0);
		count = 1 + (int)unit_random_below(&seed, (uint64_t)count);
		for (int i = 0; i < count; i++)
			assert_int_equal(completions[i].user_data, seen++);
		haul_seen(haul, (unsigned int)count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(haul_peek__nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_peek__shows_the_same_until_seen, setup,
						teardown),
		cmocka_unit_test_setup_teardown(haul_peek__around_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_peek__index_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_wait__times_out, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_wait__interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_wait__spins_less_when_it_does_not_pay, setup,
						teardown),
		cmocka_unit_test_setup_teardown(haul_wait__channel_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_wait__daemon_is_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_wait__daemon_dies_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_peek__daemon_is_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_peek__impossible_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_wait__random_bursts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
