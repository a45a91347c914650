/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: numbers and identities of records are read strictly. Method: values at the edges there and back, and every way
 * of being slightly wrong.
 */
#include "controlplane/model/text.h"
#include "unit.h"

static void text_number__keeps_values_at_the_edges(void **state)
{
	const uint64_t values[] = { 0, 1, 9, 10, UINT64_C(1) << 53, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char out[TEXT_NUMBER_BYTES];
		uint64_t back = 7;

		text_number_format(values[i], out);
		assert_true(text_number(text_of(out), &back));
		assert_int_equal(back, values[i]);
	}
}

static void text_number__refuses_what_is_none(void **state)
{
	const char *const wrong[] = { "",
				      "1",
				      "0000000000000000001",
				      "000000000000000000001",
				      "18446744073709551616",
				      "99999999999999999999",
				      "0000000000000000000a",
				      "-0000000000000000001",
				      " 0000000000000000001" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t value = 7;

		assert_false(text_number(text_of(wrong[i]), &value));
		assert_int_equal(value, 7);
	}
}

static void text_identity__is_sixteen_lower_case_digits(void **state)
{
	char out[TEXT_IDENTITY_BYTES];
	uint64_t value = 0;

	(void)state;
	text_identity_format(UINT64_C(0xfedcba9876543210), out);
	assert_string_equal(out, "fedcba9876543210");
	assert_true(text_identity(text_of(out), &value));
	assert_int_equal(value, UINT64_C(0xfedcba9876543210));
	assert_false(text_identity(text_of("FEDCBA9876543210"), &value));
	assert_false(text_identity(text_of("fedcba987654321"), &value));
	assert_false(text_identity(text_of("fedcba987654321g"), &value));
}

static void text_copy__refuses_the_long_and_the_cut(void **state)
{
	char out[4] = "xyz";
	struct text zero = { "a\0b", 3 };

	(void)state;
	assert_false(text_copy(text_of("abcd"), out, sizeof(out)));
	assert_false(text_copy(zero, out, sizeof(out)));
	assert_string_equal(out, "xyz");
	assert_true(text_copy(text_of("abc"), out, sizeof(out)));
	assert_string_equal(out, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_number__keeps_values_at_the_edges),
		cmocka_unit_test(text_number__refuses_what_is_none),
		cmocka_unit_test(text_identity__is_sixteen_lower_case_digits),
		cmocka_unit_test(text_copy__refuses_the_long_and_the_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
