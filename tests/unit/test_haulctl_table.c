/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: columns stand under their headers, what does not fit is cut where that is allowed, and no cell can command a
 * terminal. Method: tables printed into memory and compared whole.
 */
#include "tools/haulctl/table.h"
#include "unit.h"

static const struct table_column columns[] = {
	{ "NAME", TABLE_FLEXIBLE },
	{ "SIZE", TABLE_RIGHT },
	{ "STATE", TABLE_LEFT },
};

static void expect_table(const char *const *cells, unsigned int count, unsigned int width,
			 const char *wanted)
{
	struct table *table = table_create(columns, 3);
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	for (unsigned int i = 0; i < count; i++)
		table_add(table, cells[i]);
	assert_int_equal(table_print(table, file, width), 0);
	fclose(file);
	assert_string_equal(text, wanted);
	free(text);
	table_destroy(table);
}

static void table_print__empty(void **state)
{
	(void)state;
	expect_table(NULL, 0, 0, "NAME  SIZE  STATE\n");
}

static void table_print__aligned(void **state)
{
	const char *cells[] = { "a", "1.5 GiB", "up", "a longer name", "2 B", "" };

	(void)state;
	expect_table(cells, 6, 0,
		     "NAME              SIZE  STATE\n"
		     "a              1.5 GiB  up\n"
		     "a longer name      2 B  -\n");
}

static void table_print__cut_to_width(void **state)
{
	const char *cells[] = { "0123456789abcdef", "12", "up" };

	(void)state;
	expect_table(cells, 3, 24,
		     "NAME         SIZE  STATE\n"
		     "012345678..    12  up\n");
	/* Not below what still says something. */
	expect_table(cells, 3, 5,
		     "NAME      SIZE  STATE\n"
		     "012345..    12  up\n");
	expect_table(cells, 3, 29,
		     "NAME              SIZE  STATE\n"
		     "0123456789abcdef    12  up\n");
}

static void table_add__no_commands(void **state)
{
	const char *cells[] = { "\033[2Jx\n\t", "\177\200\377", NULL };

	(void)state;
	expect_table(cells, 3, 0,
		     "NAME     SIZE  STATE\n"
		     "?[2Jx??   ???  -\n");
}

static void table_add__long_and_many(void **state)
{
	struct table *table = table_create(columns, 3);
	static char cell[TABLE_CELL_BYTES_MAX * 2];
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	memset(cell, 'x', sizeof(cell) - 1);
	for (unsigned int i = 0; i < 3000; i++)
		table_add(table, i % 3 == 0 ? cell : "y");
	assert_int_equal(table_print(table, file, 0), 0);
	fclose(file);
	assert_int_equal(strcspn(text, "\n"), TABLE_CELL_BYTES_MAX + 2 + 4 + 2 + 5);
	assert_non_null(strstr(text, "xx..     y  y\n"));
	free(text);
	table_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_print__empty),
		cmocka_unit_test(table_print__aligned),
		cmocka_unit_test(table_print__cut_to_width),
		cmocka_unit_test(table_add__no_commands),
		cmocka_unit_test(table_add__long_and_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
