/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every number has words, and no number from outside leads past a table.
 * Method: the whole of both enums, then values beyond them with either sign.
 */
#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/error.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>

static void error_text__every_error(void **state)
{
	(void)state;
	for (int i = 0; i < HAUL_ERROR_COUNT; i++) {
		assert_non_null(error_text(i));
		assert_ptr_equal(error_text(i), error_text(-i));
		assert_non_null(error_name(i));
	}
	assert_string_equal(error_text(-HAUL_TIMEOUT), "the deadline passed");
	assert_string_equal(error_name(-HAUL_NO_PATH), "NO_PATH");
}

static void error_text__beyond(void **state)
{
	const int beyond[] = { HAUL_ERROR_COUNT, -HAUL_ERROR_COUNT, INT_MAX, INT_MIN };

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_string_equal(error_text(beyond[i]), "an error of another version");
		assert_string_equal(error_name(beyond[i]), "UNKNOWN");
	}
}

static void reason_text__every_reason_and_beyond(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < HAUL_REASON_COUNT; i++)
		assert_non_null(reason_text(i));
	assert_string_equal(reason_text(HAUL_REASON_COUNT), "a reason of another version");
	assert_string_equal(reason_text(UINT_MAX), "a reason of another version");
}

static void errno_text__either_sign(void **state)
{
	(void)state;
	assert_string_equal(errno_text(-ENOENT), "No such file or directory");
	assert_string_equal(errno_text(ENOENT), "No such file or directory");
	assert_string_equal(errno_text(INT_MIN), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_text__every_error),
		cmocka_unit_test(error_text__beyond),
		cmocka_unit_test(reason_text__every_reason_and_beyond),
		cmocka_unit_test(errno_text__either_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
