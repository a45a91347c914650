/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the dataplane is told the latest version of what it has open, once, and nothing that is older or unsure.
 * Method: reports in every awkward order; what is told is written down and compared as text.
 */
#include "controlplane/link/watch.h"
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>

static struct watches *watches;
static char told[512];
static int tell_error;

static int tell(void *arg, const char *segment, uint64_t incarnation, uint64_t version)
{
	size_t used = strlen(told);

	(void)arg;
	if (tell_error != 0)
		return tell_error;
	(void)snprintf(told + used, sizeof(told) - used, "%s:%" PRIu64 "@%" PRIu64 " ", segment,
		       version, incarnation);
	return 0;
}

static int make(void **state)
{
	(void)state;
	told[0] = '\0';
	tell_error = 0;
	return watches_create(tell, NULL, &watches);
}

static int unmake(void **state)
{
	(void)state;
	watches_destroy(watches);
	return 0;
}

/* "s" is open in version 5 of incarnation 1, epoch 1. */
static void open_five(void)
{
	watches_ask(watches, "s");
	watches_opened(watches, "s", 1, 5, 1);
}

static void watches_report__tells_each_version_once(void **state)
{
	(void)state;
	open_five();
	watches_report(watches, "s", 1, 5, 1);
	watches_report(watches, "s", 1, 6, 1);
	watches_report(watches, "s", 1, 6, 1);
	watches_report(watches, "other", 1, 9, 1);
	assert_string_equal(told, "s:6@1 ");
}

static void watches_report__never_goes_back_within_an_epoch(void **state)
{
	(void)state;
	open_five();
	watches_report(watches, "s", 1, 7, 1);
	watches_report(watches, "s", 1, 6, 1);
	assert_string_equal(told, "s:7@1 ");
	watches_report(watches, "s", 1, 3, 2);
	assert_string_equal(told, "s:7@1 s:3@1 ");
}

static void watches_opened__tells_what_came_before_the_answer(void **state)
{
	(void)state;
	watches_ask(watches, "s");
	watches_report(watches, "s", 1, 6, 1);
	assert_string_equal(told, "");
	watches_opened(watches, "s", 1, 5, 1);
	assert_string_equal(told, "s:6@1 ");
}

static void watches_failed__forgets_what_is_not_open(void **state)
{
	(void)state;
	watches_ask(watches, "s");
	watches_failed(watches, "s");
	assert_int_equal(watches_count(watches), 0);
	open_five();
	watches_ask(watches, "s");
	watches_failed(watches, "s");
	assert_int_equal(watches_count(watches), 1);
	watches_close(watches, "s");
	assert_int_equal(watches_count(watches), 0);
}

static void watches_close__waits_for_an_open_under_way(void **state)
{
	(void)state;
	open_five();
	watches_ask(watches, "s");
	watches_close(watches, "s");
	assert_int_equal(watches_count(watches), 1);
	watches_opened(watches, "s", 1, 6, 1);
	watches_report(watches, "s", 1, 7, 1);
	assert_string_equal(told, "s:7@1 ");
}

static void watches_absent__believes_the_second_time(void **state)
{
	(void)state;
	open_five();
	watches_absent(watches, "s");
	watches_report(watches, "s", 1, 5, 1);
	watches_absent(watches, "s");
	assert_string_equal(told, "");
	watches_absent(watches, "s");
	assert_string_equal(told, "s:0@0 ");
	watches_absent(watches, "s");
	assert_string_equal(told, "s:0@0 ");
	watches_report(watches, "s", 1, 5, 1);
	assert_string_equal(told, "s:0@0 s:5@1 ");
}

static void watches_erased__is_believed_at_once(void **state)
{
	(void)state;
	open_five();
	watches_erased(watches, "s", 6, 1);
	assert_string_equal(told, "s:0@0 ");
	watches_report(watches, "s", 1, 5, 1);
	assert_string_equal(told, "s:0@0 ");
	watches_report(watches, "s", 2, 7, 1);
	assert_string_equal(told, "s:0@0 s:7@2 ");
}

static void watches_flush__tells_the_latest_only(void **state)
{
	(void)state;
	open_five();
	tell_error = -1;
	watches_report(watches, "s", 1, 6, 1);
	watches_report(watches, "s", 1, 7, 1);
	tell_error = 0;
	assert_string_equal(told, "");
	watches_flush(watches);
	watches_flush(watches);
	assert_string_equal(told, "s:7@1 ");
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(watches_opened__tells_what_came_before_the_answer),
		WATCH_TEST(watches_failed__forgets_what_is_not_open),
		WATCH_TEST(watches_close__waits_for_an_open_under_way),
		WATCH_TEST(watches_report__tells_each_version_once),
		WATCH_TEST(watches_report__never_goes_back_within_an_epoch),
		WATCH_TEST(watches_erased__is_believed_at_once),
		WATCH_TEST(watches_absent__believes_the_second_time),
		WATCH_TEST(watches_flush__tells_the_latest_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
