/* SPDX-License-Identifier: BSD-3-Clause */
/* Goal: members become text by their format, and odd ones become nothing. Method: small objects. */
#include "tools/haulctl/field.h"
#include "unit.h"

static json_t *object;
static char text[FIELD_TEXT_BYTES];

static int object_make(void **state)
{
	(void)state;
	object = json_loads(
		"{\"name\": \"a\", \"small\": 7, \"large\": \"18446744073709551615\","
		" \"over\": \"18446744073709551616\", \"sign\": \"-1\", \"minus\": -1, \"null\": null,"
		" \"list\": [\"x\", 1, \"y\"], \"yes\": true, \"no\": false, \"size\": \"1536\","
		" \"zero\": \"0\", \"inner\": {\"state\": \"up\", \"more\": {\"deep\": 1}}}",
		0, NULL);
	return object == NULL;
}

static int object_free(void **state)
{
	(void)state;
	json_decref(object);
	return 0;
}

static void field_find__paths(void **state)
{
	(void)state;
	assert_string_equal(field_string(object, "inner.state"), "up");
	assert_string_equal(field_format(object, "inner.more.deep", FIELD_TEXT, text), "1");
	assert_null(field_find(object, "name.state"));
	assert_null(field_find(object, "nothing.state"));
	assert_null(field_find(object, ""));
	assert_null(field_find(NULL, "name"));
}

static void field_u64__both_kinds(void **state)
{
	uint64_t number = 5;

	(void)state;
	assert_true(field_u64(object, "small", &number) && number == 7);
	assert_true(field_u64(object, "large", &number) && number == UINT64_MAX);
	assert_false(field_u64(object, "over", &number));
	assert_false(field_u64(object, "sign", &number));
	assert_false(field_u64(object, "minus", &number));
	assert_false(field_u64(object, "name", &number));
	assert_false(field_u64(object, "null", &number));
	assert_false(field_u64(object, "absent", &number));
}

static void field_format__each(void **state)
{
	(void)state;
	assert_string_equal(field_format(object, "name", FIELD_TEXT, text), "a");
	assert_string_equal(field_format(object, "list", FIELD_TEXT, text), "3");
	assert_string_equal(field_format(object, "size", FIELD_SIZE, text), "1.5 KiB");
	assert_string_equal(field_format(object, "small", FIELD_MS, text), "7 ms");
	assert_string_equal(field_format(object, "zero", FIELD_US, text), "");
	assert_string_equal(field_format(object, "size", FIELD_PERMILLE, text), "153.6 %");
	assert_string_equal(field_format(object, "zero", FIELD_PERMILLE, text), "0.0 %");
	assert_string_equal(field_format(object, "list", FIELD_LIST, text), "x, y");
	assert_string_equal(field_format(object, "yes", FIELD_FLAG, text), "yes");
	assert_string_equal(field_format(object, "no", FIELD_FLAG, text), "");
	assert_string_equal(field_format(object, "inner", FIELD_TEXT, text), "");
	assert_string_equal(field_format(object, "name", FIELD_SIZE, text), "");
	assert_string_equal(field_format(object, "name", FIELD_LIST, text), "");
}

static void field_format__long_list(void **state)
{
	json_t *long_one = json_pack("{s:[]}", "list");

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		json_array_append_new(json_object_get(long_one, "list"), json_string("12345"));
	field_format(long_one, "list", FIELD_LIST, text);
	assert_int_equal(strlen(text), FIELD_TEXT_BYTES - 1);
	json_decref(long_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field_find__paths),
		cmocka_unit_test(field_u64__both_kinds),
		cmocka_unit_test(field_format__each),
		cmocka_unit_test(field_format__long_list),
	};

	return cmocka_run_group_tests(tests, object_make, object_free);
}
