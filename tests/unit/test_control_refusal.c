/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every error that a client is refused with counts exactly once, and a client that asks in a loop does not fill the
 * trace. Method: all errors into a block of the test; STALE many times, and the trace's records read back.
 */
#include "base/trace.h"
#include "control/refusal.h"
#include "unit.h"

#include <unistd.h>

static void refusal_count__has_a_counter_for_each_error(void **state)
{
	uint64_t block[REFUSAL_COUNTER_COUNT] = { 0 };
	struct refusals refusals = { .counters = block };
	uint64_t sum = 0;

	(void)state;
	for (int error = 1; error < HAUL_ERROR_COUNT; error++)
		refusal_count(&refusals, (enum haul_error)error, "c", "why");
	for (unsigned int i = 0; i < REFUSAL_COUNTER_COUNT; i++) {
		assert_true(block[i] > 0);
		sum += block[i];
	}
	assert_int_equal(sum, HAUL_ERROR_COUNT - 1);
	assert_int_equal(block[REFUSAL_STALE], 1);
	assert_int_equal(block[REFUSAL_DENIED], 1);
	assert_int_equal(refusal_counters.count, REFUSAL_COUNTER_COUNT);
}

static void refusal_count__tells_the_trace_once_a_second(void **state)
{
	uint64_t block[REFUSAL_COUNTER_COUNT] = { 0 };
	struct refusals refusals = { .counters = block };
	char directory[] = "/tmp/test-refusal-XXXXXX", path[64];
	struct trace_view *view = NULL;
	struct trace *trace = NULL;
	struct trace_record record;
	uint64_t missed = 0, records = 0, told = 0;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/trace", directory);
	assert_int_equal(trace_create(path, 1, &trace), 0);
	trace_bind(trace, 0);
	for (unsigned int i = 0; i < 10000; i++)
		refusal_count(&refusals, HAUL_STALE, "c", "it is gone");
	refusal_count(&refusals, HAUL_INVALID, "c", "not traced");
	assert_int_equal(trace_open(path, &view), 0);
	while (trace_next(view, &record, &missed)) {
		assert_int_equal(record.kind, TRACE_REFUSAL);
		assert_string_equal(record.to, "STALE");
		assert_string_equal(record.node, "c");
		assert_string_equal(record.why, "it is gone");
		told += record.number;
		records++;
	}
	/* One for each second that this took. */
	assert_true(records >= 1 && records < 100);
	assert_int_equal(told + refusals.untold[REFUSAL_STALE], 10000);
	assert_int_equal(block[REFUSAL_STALE], 10000);
	trace_close(view);
	trace_destroy(trace);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_count__has_a_counter_for_each_error),
		cmocka_unit_test(refusal_count__tells_the_trace_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
