/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: only what may stand unquoted in keys, paths and lists passes, and no buffer is read past
 * its end. Method: every byte value; lengths around the limit; buffers without their final zero.
 */
#include "base/names.h"
#include "unit.h"

#include <ctype.h>
#include <string.h>

static void name_is_valid__every_byte(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char name[3] = { 'a', (char)byte, '\0' };
		bool is_allowed = byte < 128 && (isalnum(byte) || strchr("._:/-", byte) != NULL);

		assert_int_equal(name_is_valid(name, sizeof(name)), is_allowed);
	}
}

static void name_is_valid__lengths(void **state)
{
	char name[65];

	(void)state;
	assert_false(name_is_valid("", 1));
	assert_true(name_is_valid("a", 2));
	memset(name, 'n', sizeof(name));
	name[63] = '\0';
	assert_true(name_is_valid(name, 64));
	name[63] = 'n';
	name[64] = '\0';
	assert_false(name_is_valid(name, 65));
}

static void name_is_valid__without_its_end(void **state)
{
	const char name[3] = { 'a', 'b', 'c' };

	(void)state;
	assert_false(name_is_valid(name, sizeof(name)));
	assert_false(name_is_valid(name, 0));
}

static void name_list_is_valid__cases(void **state)
{
	(void)state;
	assert_true(name_list_is_valid("", 1));
	assert_true(name_list_is_valid("*", 2));
	assert_true(name_list_is_valid("a,b:c", 6));
	assert_false(name_list_is_valid("a,", 3));
	assert_false(name_list_is_valid(",a", 3));
	assert_false(name_list_is_valid("a,,b", 5));
	assert_false(name_list_is_valid("a,*", 4));
	assert_false(name_list_is_valid("a b", 4));
	assert_false(name_list_is_valid("a,b", 3));
}

static void name_list_has__whole_names_only(void **state)
{
	(void)state;
	assert_true(name_list_has("a,bc,d", "bc"));
	assert_true(name_list_has("a,bc,d", "d"));
	assert_false(name_list_has("a,bc,d", "b"));
	assert_false(name_list_has("a,bc,d", "bcd"));
	assert_true(name_list_has("*", "anything"));
	assert_false(name_list_has("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_valid__every_byte),
		cmocka_unit_test(name_is_valid__lengths),
		cmocka_unit_test(name_is_valid__without_its_end),
		cmocka_unit_test(name_list_is_valid__cases),
		cmocka_unit_test(name_list_has__whole_names_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
