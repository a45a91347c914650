/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a number is executed once, whoever asks and however often; another incarnation of a node begins anew, and the
 * one before is refused; the table is bounded.
 * Method: attempts by hand, and several threads that all try the same numbers, as workers would after their rails.
 */
#include "engine/notifier.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

static struct notifier_table table;

static int setup(void **state)
{
	(void)state;
	return notifier_table_init(&table);
}

static int teardown(void **state)
{
	(void)state;
	notifier_table_destroy(&table);
	return 0;
}

static struct transport_notice notice_make(const char *node, uint64_t incarnation, uint64_t number)
{
	return (struct transport_notice){ .node = node,
					  .incarnation = incarnation,
					  .number = number };
}

static enum notifier_verdict execute(const struct transport_notice *notice)
{
	struct notifier_claim claim;
	enum notifier_verdict verdict = notifier_begin(&table, notice, &claim);

	if (verdict == NOTIFIER_NEW)
		notifier_end(&claim, true);
	return verdict;
}

static void notifier_begin__once(void **state)
{
	(void)state;
	for (uint64_t number = 50; number < 50 + 3 * ENGINE_NOTIFY_WINDOW; number++) {
		struct transport_notice notice = notice_make("a", 1, number);

		assert_false(notifier_has(&table, &notice));
		assert_int_equal(execute(&notice), NOTIFIER_NEW);
		assert_int_equal(execute(&notice), NOTIFIER_DONE);
		assert_true(notifier_has(&table, &notice));
	}
}

/* Open numbers may be executed in any order within a window. */
static void notifier_begin__out_of_order(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < ENGINE_NOTIFY_WINDOW; i++) {
		struct transport_notice notice =
			notice_make("a", 1, 1000 + i * 37 % ENGINE_NOTIFY_WINDOW);

		assert_int_equal(execute(&notice), NOTIFIER_NEW);
	}
	for (uint64_t i = 0; i < ENGINE_NOTIFY_WINDOW; i++) {
		struct transport_notice notice = notice_make("a", 1, 1000 + i);

		assert_int_equal(execute(&notice), NOTIFIER_DONE);
	}
}

static void notifier_begin__what_was_not_delivered(void **state)
{
	struct transport_notice notice = notice_make("a", 1, 7);
	struct notifier_claim claim;
	struct notifier_claim other;

	(void)state;
	assert_int_equal(notifier_begin(&table, &notice, &claim), NOTIFIER_NEW);
	assert_int_equal(notifier_begin(&table, &notice, &other), NOTIFIER_BUSY);
	assert_false(notifier_has(&table, &notice));
	notifier_end(&claim, false);
	assert_int_equal(notifier_begin(&table, &notice, &claim), NOTIFIER_NEW);
	notifier_end(&claim, true);
	assert_int_equal(execute(&notice), NOTIFIER_DONE);
}

/* A number whose window has passed cannot be told from one that was executed: it is not. */
static void notifier_begin__below_the_window(void **state)
{
	struct transport_notice old = notice_make("a", 1, 7);
	struct transport_notice later = notice_make("a", 1, 7 + ENGINE_NOTIFY_WINDOW);

	(void)state;
	assert_int_equal(execute(&later), NOTIFIER_NEW);
	assert_int_equal(execute(&old), NOTIFIER_OVER);
}

static void notifier_begin__each_worker_for_itself(void **state)
{
	struct transport_notice notice = notice_make("a", 1, 7);

	(void)state;
	for (notice.worker = 0; notice.worker < 4; notice.worker++)
		assert_int_equal(execute(&notice), NOTIFIER_NEW);
	notice = notice_make("b", 1, 7);
	assert_int_equal(execute(&notice), NOTIFIER_NEW);
}

static void notifier_begin__another_incarnation(void **state)
{
	struct transport_notice first = notice_make("a", 1, 7);
	struct transport_notice second = notice_make("a", 2, 7);
	struct notifier_claim claim;

	(void)state;
	assert_int_equal(execute(&first), NOTIFIER_NEW);
	first.number++;
	assert_int_equal(notifier_begin(&table, &first, &claim), NOTIFIER_NEW);
	/* The same numbers mean nothing: these are others. */
	assert_int_equal(execute(&second), NOTIFIER_NEW);
	assert_int_equal(execute(&second), NOTIFIER_DONE);
	assert_int_equal(execute(&first), NOTIFIER_OVER);
	second.number++;
	assert_int_equal(execute(&second), NOTIFIER_NEW);
	/* What was under way for the first one takes nothing from the second. */
	notifier_end(&claim, true);
	assert_int_equal(execute(&second), NOTIFIER_DONE);
	second.incarnation = 3;
	assert_int_equal(execute(&second), NOTIFIER_NEW);
}

static void notifier_begin__bounded(void **state)
{
	char name[HAUL_NAME_BYTES];
	uint32_t made = 0;
	uint32_t full = 0;

	(void)state;
	for (uint32_t i = 0; i < 2 * ENGINE_NOTIFIERS_MAX; i++) {
		struct transport_notice notice = notice_make(name, 1, 7);
		enum notifier_verdict verdict;

		(void)snprintf(name, sizeof(name), "node-%u", i);
		verdict = execute(&notice);
		made += verdict == NOTIFIER_NEW;
		full += verdict == NOTIFIER_FULL;
	}
	assert_int_equal(made + full, 2 * ENGINE_NOTIFIERS_MAX);
	assert_in_range(made, ENGINE_NOTIFIERS_MAX / 2, ENGINE_NOTIFIERS_MAX);
	/* Those that are in it stay in it. */
	for (uint64_t number = 8; number < 20; number++) {
		struct transport_notice notice = notice_make("node-0", 1, number);

		assert_int_equal(execute(&notice), NOTIFIER_NEW);
	}
}

#define THREADS 3u
#define NUMBERS 30000u

static atomic_uint executed[NUMBERS];

/* Every thread makes an attempt at every number until it knows that it was executed. */
static void *attempt(void *argument)
{
	static const char *const names[2] = { "a", "b" };

	(void)argument;
	for (uint32_t i = 0; i < NUMBERS; i++) {
		struct transport_notice notice = notice_make(names[i % 2], 1, 1 + i / 2);

		for (;;) {
			struct notifier_claim claim;
			enum notifier_verdict verdict = notifier_begin(&table, &notice, &claim);

			if (verdict == NOTIFIER_NEW) {
				/* Every third is refused behind the claim. */
				bool is_delivered = (i + atomic_load(&executed[i])) % 3 != 0 ||
						    atomic_load(&executed[i]) >= 1000;

				atomic_fetch_add(&executed[i], is_delivered ? 1 : 1000);
				notifier_end(&claim, is_delivered);
			}
			if (verdict == NOTIFIER_DONE || verdict == NOTIFIER_OVER)
				break;
			if (verdict == NOTIFIER_BUSY)
				sched_yield();
		}
	}
	return NULL;
}

static void notifier_begin__many_workers(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, attempt, NULL), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < NUMBERS; i++)
		assert_int_equal(atomic_load(&executed[i]) % 1000, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(notifier_begin__once),
		CASE(notifier_begin__out_of_order),
		CASE(notifier_begin__what_was_not_delivered),
		CASE(notifier_begin__below_the_window),
		CASE(notifier_begin__each_worker_for_itself),
		CASE(notifier_begin__another_incarnation),
		CASE(notifier_begin__bounded),
		CASE(notifier_begin__many_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
