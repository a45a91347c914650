/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: defaults, phrases and print-outs follow from a table alone, and the files in conf/ are what
 * is printed. Method: a table with a key of every type; the daemons' own tables, printed and
 * compared with the files.
 */
#include "conf/controlplane.h"
#include "conf/dataplane.h"
#include "conf/schema.h"
#include "unit.h"

#include <string.h>

struct item {
	uint32_t number;
	char name[8];
};

struct sample {
	bool truth;
	uint32_t narrow;
	uint64_t wide;
	int64_t negative;
	uint64_t bytes;
	char text[8];
	uint32_t word;
	uint32_t mode;
	uint32_t numbers[3];
	uint32_t number_count;
	char texts[3][8];
	uint32_t text_count;
	struct item items[2];
	uint32_t item_count;
	char required[8];
};

static const struct conf_key item_keys[] = {
	CONF_KEY_U32(struct item, number, "number", 5, 0, 9, NULL, "a number"),
	CONF_KEY_REQUIRED(struct item, name, "name", "ann", conf_check_name, "a name"),
};

static const struct conf_table item_table = CONF_TABLE("", item_keys, NULL);

static const char *const words[] = { "red", "green", NULL };

static const struct conf_key sample_keys[] = {
	CONF_KEY_BOOL(struct sample, truth, "truth", true, "a truth"),
	CONF_KEY_U32(struct sample, narrow, "narrow", 3000000000, 1, UINT32_MAX, "things",
		     "narrow"),
	CONF_KEY_U64(struct sample, wide, "wide", INT64_MAX, 0, INT64_MAX, NULL, "wide"),
	CONF_KEY_I64(struct sample, negative, "negative", -7, -10, 10, NULL, "negative"),
	CONF_KEY_BYTES(struct sample, bytes, "bytes", 3 << 20, 1, 1 << 30, "bytes", "bytes"),
	CONF_KEY_STRING(struct sample, text, "inner.text", "abc", NULL, "a text"),
	CONF_KEY_WORD(struct sample, word, "inner.word", "green", words, "a word"),
	CONF_KEY_MODE(struct sample, mode, "mode", "0640", "a mode"),
	CONF_KEY_U32_LIST(struct sample, numbers, number_count, "numbers", 1, 8, "numbers"),
	CONF_KEY_STRING_LIST(struct sample, texts, text_count, "texts", "x,yz", NULL, "texts"),
	CONF_KEY_GROUP_LIST(struct sample, items, item_count, "items", &item_table, "items"),
	CONF_KEY_REQUIRED(struct sample, required, "required", "here", NULL, "needed"),
};

static const struct conf_table sample_table = CONF_TABLE("outer", sample_keys, NULL);

static void conf_defaults__every_type(void **state)
{
	struct sample sample;

	(void)state;
	memset(&sample, 0xff, sizeof(sample));
	conf_defaults(&sample_table, &sample);
	assert_true(sample.truth);
	assert_int_equal(sample.narrow, 3000000000);
	assert_int_equal(sample.wide, INT64_MAX);
	assert_int_equal(sample.negative, -7);
	assert_int_equal(sample.bytes, 3 << 20);
	assert_string_equal(sample.text, "abc");
	assert_int_equal(sample.word, 1);
	assert_int_equal(sample.mode, 0640);
	assert_int_equal(sample.number_count, 0);
	assert_int_equal(sample.text_count, 2);
	assert_string_equal(sample.texts[0], "x");
	assert_string_equal(sample.texts[1], "yz");
	assert_int_equal(sample.item_count, 0);
	assert_string_equal(sample.required, "");
}

static void allowed_is(unsigned int key, const char *expected)
{
	char text[256];

	conf_allowed(&sample_keys[key], text, sizeof(text));
	assert_string_equal(text, expected);
}

static void conf_allowed__every_type(void **state)
{
	(void)state;
	allowed_is(0, "true or false");
	allowed_is(1, "an integer from 1 to 4294967295 things");
	allowed_is(4, "from 1 to 1073741824 bytes, as an integer or as a string such as \"64G\"");
	allowed_is(5, "a string of at most 7 bytes");
	allowed_is(6, "one of \"red\", \"green\"");
	allowed_is(7, "a file mode in octal digits, such as \"0660\"");
	allowed_is(8, "an array of at most 3 integers from 1 to 8");
	allowed_is(9, "an array of at most 3 strings of at most 7 bytes each");
	allowed_is(10, "a list of at most 2 groups");
}

static void conf_text_set__bytes(void **state)
{
	const struct conf_key *key = &sample_keys[4];
	uint64_t bytes = 99;

	(void)state;
	assert_null(conf_text_set(key, &bytes, "17"));
	assert_int_equal(bytes, 17);
	assert_null(conf_text_set(key, &bytes, "1G"));
	assert_int_equal(bytes, 1 << 30);
	assert_null(conf_text_set(key, &bytes, "12K"));
	assert_int_equal(bytes, 12 << 10);
	assert_string_equal(conf_text_set(key, &bytes, "2G"), "out of range");
	assert_string_equal(conf_text_set(key, &bytes, "0"), "out of range");
	assert_string_equal(conf_text_set(key, &bytes, "999999999999T"), "out of range");
	assert_non_null(conf_text_set(key, &bytes, "9999999999999"));
	assert_non_null(conf_text_set(key, &bytes, ""));
	assert_non_null(conf_text_set(key, &bytes, "K"));
	assert_non_null(conf_text_set(key, &bytes, "1KB"));
	assert_non_null(conf_text_set(key, &bytes, "-1"));
	assert_int_equal(bytes, 12 << 10);
}

static void conf_text_set__mode(void **state)
{
	const struct conf_key *key = &sample_keys[7];
	uint32_t mode = 0;

	(void)state;
	assert_null(conf_text_set(key, &mode, "600"));
	assert_int_equal(mode, 0600);
	assert_non_null(conf_text_set(key, &mode, "0888"));
	assert_non_null(conf_text_set(key, &mode, "01777"));
	assert_non_null(conf_text_set(key, &mode, ""));
	assert_non_null(conf_text_set(key, &mode, "rw"));
}

static char *printed(const struct conf_table *table)
{
	const struct conf_section section = { table, NULL };
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	conf_print(file, &section, 1);
	fclose(file);
	return text;
}

static void conf_print__groups_and_elements(void **state)
{
	char *text = printed(&sample_table);

	(void)state;
	assert_non_null(strstr(text, "\nouter = {\n"));
	assert_non_null(strstr(text, "\n\tinner = {\n"));
	assert_non_null(strstr(text, "\n\t\ttext = \"abc\";\n"));
	assert_non_null(strstr(text, "\n\tnarrow = 3000000000L;\n"));
	assert_non_null(strstr(text, "\n\tbytes = \"3M\";\n"));
	assert_non_null(strstr(text, "\n\ttexts = [ \"x\", \"yz\" ];\n"));
	assert_non_null(
		strstr(text, "# For example: items = ( { number = 5; name = \"ann\"; } );\n"));
	assert_non_null(strstr(text, "\n\t# Required: a string of at most 7 bytes.\n"));
	free(text);
}

/* All of the file, or all before a line that begins with `end`. */
static void file_is_printed(const char *path, const struct conf_table *table, const char *end)
{
	static char text[65536];
	char *expected = printed(table);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	if (end != NULL) {
		assert_non_null(strstr(text, end));
		*strstr(text, end) = '\0';
	}
	assert_string_equal(text, expected);
	free(expected);
}

static void conf_print__the_files_are_the_defaults(void **state)
{
	(void)state;
	file_is_printed(CONF_DIRECTORY "/controlplane.conf", &controlplane_conf_table, NULL);
	/* Behind it stand keys of transports, for test_udp_conf to see. */
	file_is_printed(CONF_DIRECTORY "/dataplane.conf", &dataplane_conf_table,
			"\n# The udp transport");
}

static void conf_check__paths_and_names(void **state)
{
	(void)state;
	assert_null(conf_check_path("/run"));
	assert_non_null(conf_check_path("run"));
	assert_non_null(conf_check_path(""));
	assert_null(conf_check_path_or_none(""));
	assert_non_null(conf_check_path_or_none("run"));
	assert_null(conf_check_address_or_none(""));
	assert_null(conf_check_address_or_none("127.0.0.1:9464"));
	assert_null(conf_check_address_or_none("[::1]:65535"));
	assert_non_null(conf_check_address_or_none("127.0.0.1"));
	assert_non_null(conf_check_address_or_none("127.0.0.1:"));
	assert_non_null(conf_check_address_or_none("127.0.0.1:0"));
	assert_non_null(conf_check_address_or_none("127.0.0.1:65536"));
	assert_non_null(conf_check_address_or_none("127.0.0.1:80x"));
	assert_non_null(conf_check_address_or_none("localhost:80"));
	assert_non_null(conf_check_address_or_none(":80"));
	assert_non_null(conf_check_address_or_none("::1:80"));
	assert_non_null(conf_check_address_or_none("[]:80"));
	assert_non_null(conf_check_address_or_none("[:80"));
	assert_non_null(conf_check_address_or_none("[127.0.0.1]:80"));
	assert_null(conf_check_name("node-a"));
	assert_non_null(conf_check_name("node a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conf_defaults__every_type),
		cmocka_unit_test(conf_allowed__every_type),
		cmocka_unit_test(conf_text_set__bytes),
		cmocka_unit_test(conf_text_set__mode),
		cmocka_unit_test(conf_print__groups_and_elements),
		cmocka_unit_test(conf_print__the_files_are_the_defaults),
		cmocka_unit_test(conf_check__paths_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
