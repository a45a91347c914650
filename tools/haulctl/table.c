/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All cells are kept until the widths are known. Text is bytes of ASCII, so that a byte is a column of the terminal.
 */
#include "tools/haulctl/table.h"

#include "base/check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_CELLS_MIN 64u

/* Between two columns. */
#define TABLE_GAP "  "

/* The end of a cell that was cut. */
#define TABLE_CUT ".."

struct table {
	const struct table_column *columns;
	unsigned int column_count;
	char **cells; /* row by row; each allocated */
	size_t count;
	size_t room;
	bool is_short; /* of memory */
};

struct table *table_create(const struct table_column *columns, unsigned int column_count)
{
	struct table *table = calloc(1, sizeof(*table));

	BUG_ON(column_count == 0 || column_count > TABLE_COLUMNS_MAX);
	if (table == NULL)
		return NULL;
	table->columns = columns;
	table->column_count = column_count;
	return table;
}

void table_destroy(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free((void *)table->cells);
	free(table);
}

static char table_char(char byte)
{
	if (byte < ' ' || byte > '~')
		return '?';
	return byte;
}

static char *table_copy(const char *text)
{
	size_t length = strnlen(text, TABLE_CELL_BYTES_MAX + 1);
	bool is_cut = length > TABLE_CELL_BYTES_MAX;
	char *copy;

	if (is_cut)
		length = TABLE_CELL_BYTES_MAX;
	copy = malloc(length + 1);
	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++)
		copy[i] = table_char(text[i]);
	copy[length] = '\0';
	if (is_cut)
		memcpy(copy + length - strlen(TABLE_CUT), TABLE_CUT, strlen(TABLE_CUT));
	return copy;
}

static bool table_make_room(struct table *table)
{
	size_t room = table->room == 0 ? TABLE_CELLS_MIN : table->room * 2;
	char **cells;

	if (table->count < table->room)
		return true;
	cells = (char **)reallocarray((void *)table->cells, room, sizeof(*cells));
	if (cells == NULL)
		return false;
	table->cells = cells;
	table->room = room;
	return true;
}

void table_add(struct table *table, const char *text)
{
	char *cell = NULL;

	if (!table->is_short && table_make_room(table))
		cell = table_copy(text == NULL || *text == '\0' ? "-" : text);
	if (cell != NULL)
		table->cells[table->count++] = cell;
	else
		table->is_short = true;
}

/* The column of the cell behind one. */
static unsigned int table_next(const struct table *table, unsigned int column)
{
	return column + 1 < table->column_count ? column + 1 : 0;
}

static void table_measure(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
	unsigned int column = 0;

	for (unsigned int i = 0; i < table->column_count; i++)
		widths[i] = strlen(table->columns[i].header);
	for (size_t i = 0; i < table->count; i++) {
		widths[column] = MAX(widths[column], strlen(table->cells[i]));
		column = table_next(table, column);
	}
}

/* Take from the widest flexible column until a row fits, or none can give any more. */
static void table_fit(const struct table *table, size_t widths[TABLE_COLUMNS_MAX], size_t width)
{
	size_t total = strlen(TABLE_GAP) * (table->column_count - 1);

	for (unsigned int i = 0; i < table->column_count; i++)
		total += widths[i];
	while (total > width) {
		size_t *widest = NULL;

		for (unsigned int i = 0; i < table->column_count; i++) {
			if (table->columns[i].style == TABLE_FLEXIBLE &&
			    (widest == NULL || widths[i] > *widest))
				widest = &widths[i];
		}
		if (widest == NULL || *widest <= TABLE_FLEXIBLE_WIDTH_MIN)
			return;
		(*widest)--;
		total--;
	}
}

static void table_print_cell(const struct table *table, FILE *file, unsigned int column,
			     const char *text, size_t width)
{
	bool is_last = column + 1 == table->column_count;
	bool is_cut = strlen(text) > width;
	int shown = (int)(is_cut ? width - strlen(TABLE_CUT) : strlen(text));
	int padding = (int)width - shown - (is_cut ? (int)strlen(TABLE_CUT) : 0);

	if (column > 0)
		fputs(TABLE_GAP, file);
	if (table->columns[column].style == TABLE_RIGHT)
		fprintf(file, "%*s%s", padding, "", text);
	else
		fprintf(file, "%.*s%s%*s", shown, text, is_cut ? TABLE_CUT : "",
			is_last ? 0 : padding, "");
	if (is_last)
		fputc('\n', file);
}

int table_print(const struct table *table, FILE *file, unsigned int width)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };
	unsigned int column = 0;

	if (table->is_short)
		return -ENOMEM;
	table_measure(table, widths);
	if (width > 0)
		table_fit(table, widths, width);
	for (unsigned int i = 0; i < table->column_count; i++)
		table_print_cell(table, file, i, table->columns[i].header, widths[i]);
	for (size_t i = 0; i < table->count; i++) {
		table_print_cell(table, file, column, table->cells[i], widths[column]);
		column = table_next(table, column);
	}
	return 0;
}

void table_print_text(FILE *file, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(table_char(*text), file);
}
