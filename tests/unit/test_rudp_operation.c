/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: ids are consecutive, never more than a table's worth open, and what is over is told exactly.
 * Method: by hand around the low-water mark and the table's end; the freshness bound against its arithmetic.
 */
#include "base/check.h"
#include "rudp/operation.h"
#include "unit.h"

#define SIZE 8u

static const struct rudp_operation_request write_request = { .kind = RUDP_WRITE, .length = 10 };

static void operation_begin__bounded(void **state)
{
	struct operations operations;
	void *memory = malloc(operations_bytes(SIZE));
	struct operation *first;

	(void)state;
	assert_non_null(memory);
	operations_init(&operations, memory, SIZE);
	first = operation_begin(&operations, &write_request);
	assert_non_null(first);
	assert_int_equal(first->id, 0);
	for (uint32_t i = 1; i < SIZE; i++)
		assert_int_equal(operation_begin(&operations, &write_request)->id, i);
	assert_null(operation_begin(&operations, &write_request));
	/* A later one being over does not help: ids stay within the table. */
	operation_over(&operations, operation_find(&operations, 5));
	operation_free(&operations, operation_find(&operations, 5));
	assert_null(operation_begin(&operations, &write_request));
	operation_over(&operations, first);
	/* Over, but its slot is still taken, as with a fence. */
	assert_null(operation_begin(&operations, &write_request));
	operation_free(&operations, first);
	assert_int_equal(operation_begin(&operations, &write_request)->id, SIZE);
	assert_null(operation_find(&operations, 0));
	free(memory);
}

static void operations_done__says_what_is_over(void **state)
{
	struct operations operations;
	void *memory = malloc(operations_bytes(SIZE));
	struct wire_done done;

	(void)state;
	assert_non_null(memory);
	operations_init(&operations, memory, SIZE);
	for (uint32_t i = 0; i < SIZE; i++)
		operation_begin(&operations, &write_request);
	operations_done(&operations, &done);
	assert_int_equal(done.low_water, 0);
	assert_int_equal(done.words, 0);
	operation_over(&operations, operation_find(&operations, 0));
	operation_over(&operations, operation_find(&operations, 2));
	operation_over(&operations, operation_find(&operations, 5));
	operations_done(&operations, &done);
	assert_int_equal(done.low_water, 1);
	assert_int_equal(done.words, 1);
	assert_int_equal(done.bits[0], 1u << 1 | 1u << 4);
	operation_over(&operations, operation_find(&operations, 1));
	operations_done(&operations, &done);
	assert_int_equal(done.low_water, 3);
	free(memory);
}

static void operation_fence_us__five_ticks_and_the_drift(void **state)
{
	struct operation operation = { .fence_base_us = 1000000 };

	(void)state;
	assert_int_equal(operation_fence_us(&operation), 1000000 + 125000 + 25 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operation_begin__bounded),
		cmocka_unit_test(operations_done__says_what_is_over),
		cmocka_unit_test(operation_fence_us__five_ticks_and_the_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
