/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the queue keeps order and content, and the sleeping protocol of ring.h never loses a
 * wake-up. Method: single-threaded edges; then two threads move numbers through a small queue; then
 * a producer and a consumer that sleeps whenever it finds nothing, as a worker and a client do.
 * Without either full fence the consumer ends up asleep on a full ring; its sleep has an end far
 * beyond any scheduling delay, and to reach it is the failure.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/ring.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NUMBERS          400000u
#define SLEEPS           20000u
#define SLEEP_TIMEOUT_MS 20000

static void spsc_init__refuses(void **state)
{
	struct spsc spsc;

	(void)state;
	assert_int_equal(spsc_init(&spsc, 8, 3), -EINVAL);
	assert_int_equal(spsc_init(&spsc, 8, 0), -EINVAL);
	assert_int_equal(spsc_init(&spsc, 0, 8), -EINVAL);
	spsc_destroy(&spsc);
	spsc_destroy(NULL);
}

static void spsc_push__full_and_empty(void **state)
{
	struct spsc spsc;
	uint32_t number;

	(void)state;
	assert_int_equal(spsc_init(&spsc, sizeof(number), 4), 0);
	assert_false(spsc_pop(&spsc, &number));
	for (number = 0; number < 4; number++)
		assert_true(spsc_push(&spsc, &number));
	assert_false(spsc_push(&spsc, &number));
	assert_int_equal(spsc_count(&spsc), 4);
	assert_true(spsc_pop(&spsc, &number));
	assert_int_equal(number, 0);
	number = 4;
	assert_true(spsc_push(&spsc, &number));
	for (uint32_t i = 1; i <= 4; i++) {
		assert_true(spsc_pop(&spsc, &number));
		assert_int_equal(number, i);
	}
	assert_false(spsc_pop(&spsc, &number));
	spsc_destroy(&spsc);
}

static void spsc_push__index_wraps(void **state)
{
	struct spsc spsc;
	uint32_t number;

	(void)state;
	assert_int_equal(spsc_init(&spsc, sizeof(number), 4), 0);
	spsc.head = spsc.tail = spsc.head_cached = spsc.tail_cached = UINT32_MAX - 1;
	for (uint32_t i = 0; i < 4; i++)
		assert_true(spsc_push(&spsc, &i));
	assert_false(spsc_push(&spsc, &number));
	assert_int_equal(spsc_count(&spsc), 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(spsc_pop(&spsc, &number));
		assert_int_equal(number, i);
	}
	spsc_destroy(&spsc);
}

/* 24 bytes, so that a torn copy shows. */
struct element {
	uint64_t number;
	uint64_t inverse;
	uint64_t square;
};

static void *numbers_push(void *argument)
{
	struct spsc *spsc = argument;

	for (uint64_t i = 0; i < NUMBERS; i++) {
		struct element element = { i, ~i, i * i };

		while (!spsc_push(spsc, &element))
			sched_yield();
	}
	return NULL;
}

static void spsc__two_threads(void **state)
{
	struct spsc spsc;
	struct element element;
	pthread_t producer;

	(void)state;
	assert_int_equal(spsc_init(&spsc, sizeof(element), 16), 0);
	assert_int_equal(pthread_create(&producer, NULL, numbers_push, &spsc), 0);
	for (uint64_t i = 0; i < NUMBERS; i++) {
		while (!spsc_pop(&spsc, &element))
			sched_yield();
		assert_int_equal(element.number, i);
		assert_int_equal(element.inverse, ~i);
		assert_int_equal(element.square, i * i);
	}
	assert_int_equal(pthread_join(producer, NULL), 0);
	assert_int_equal(spsc_count(&spsc), 0);
	spsc_destroy(&spsc);
}

/*
 * A ring of one slot, reduced to its indexes; each on a line of its own, as in the client's rings.
 */
struct sleeper {
	uint32_t tail __attribute__((aligned(64)));   /* producer */
	uint32_t head __attribute__((aligned(64)));   /* consumer */
	uint32_t sleeps __attribute__((aligned(64))); /* consumer */
	int wake_fd;
};

static void *sleeper_produce(void *argument)
{
	struct sleeper *sleeper = argument;
	uint64_t one = 1;

	for (uint32_t i = 1; i <= SLEEPS; i++) {
		while (ring_load_acquire(&sleeper->head) != i - 1)
			ring_pause();
		ring_store_release(&sleeper->tail, i);
		ring_full_fence();
		if (ring_load_relaxed(&sleeper->sleeps) != 0)
			assert_int_equal(write(sleeper->wake_fd, &one, sizeof(one)), sizeof(one));
	}
	return NULL;
}

/* Sleep unless something came; false when nothing woke us. */
static bool sleeper_sleep(struct sleeper *sleeper, uint32_t seen)
{
	struct pollfd poll_fd = { .fd = sleeper->wake_fd, .events = POLLIN };
	bool is_woken = true;
	uint64_t count;

	ring_store_relaxed(&sleeper->sleeps, 1);
	ring_full_fence();
	if (ring_load_acquire(&sleeper->tail) == seen)
		is_woken = poll(&poll_fd, 1, SLEEP_TIMEOUT_MS) == 1;
	ring_store_relaxed(&sleeper->sleeps, 0);
	if (read(sleeper->wake_fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return is_woken;
}

static void ring_full_fence__no_wake_up_is_lost(void **state)
{
	struct sleeper sleeper = { .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	pthread_t producer;

	(void)state;
	assert_true(sleeper.wake_fd >= 0);
	assert_int_equal(pthread_create(&producer, NULL, sleeper_produce, &sleeper), 0);
	for (uint32_t i = 0; i < SLEEPS; i++) {
		while (ring_load_acquire(&sleeper.tail) == i)
			assert_true(sleeper_sleep(&sleeper, i));
		ring_store_release(&sleeper.head, i + 1);
	}
	assert_int_equal(pthread_join(producer, NULL), 0);
	close(sleeper.wake_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spsc_init__refuses),
		cmocka_unit_test(spsc_push__full_and_empty),
		cmocka_unit_test(spsc_push__index_wraps),
		cmocka_unit_test(spsc__two_threads),
		cmocka_unit_test(ring_full_fence__no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
