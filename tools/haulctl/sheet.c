/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cells are kept until all widths are known. Rows are allocated in growing blocks; without memory rows are dropped,
 * which a tool for people may do.
 */
#include "tools/haulctl/sheet.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct sheet {
	char heads[SHEET_COLUMNS_MAX][24];
	bool is_right[SHEET_COLUMNS_MAX];
	unsigned int columns;
	char (*cells)[SHEET_CELL_BYTES]; /* row after row */
	size_t rows;
	size_t room;         /* in rows */
	unsigned int column; /* next cell of the last row */
};

struct sheet *sheet_make(const char *heads)
{
	struct sheet *sheet = calloc(1, sizeof(*sheet));

	while (sheet != NULL && *heads != '\0') {
		size_t length = strcspn(heads, " ");
		unsigned int at = sheet->columns++;

		BUG_ON(at >= SHEET_COLUMNS_MAX);
		sheet->is_right[at] = heads[0] == '>';
		(void)snprintf(sheet->heads[at], sizeof(sheet->heads[at]), "%.*s",
			       (int)length - (heads[0] == '>' ? 1 : 0),
			       heads + (heads[0] == '>' ? 1 : 0));
		heads += length + (heads[length] == ' ' ? 1 : 0);
	}
	return sheet;
}

void sheet_free(struct sheet *sheet)
{
	if (sheet == NULL)
		return;
	free(sheet->cells);
	free(sheet);
}

void sheet_row(struct sheet *sheet)
{
	sheet->column = sheet->columns;
	if (sheet->rows == sheet->room) {
		size_t room = sheet->room == 0 ? 64 : 2 * sheet->room;
		void *cells = realloc(sheet->cells, room * sheet->columns * SHEET_CELL_BYTES);

		if (cells == NULL)
			return;
		sheet->cells = cells;
		sheet->room = room;
	}
	memset(sheet->cells[sheet->rows * sheet->columns], 0,
	       (size_t)sheet->columns * SHEET_CELL_BYTES);
	sheet->rows++;
	sheet->column = 0;
}

void sheet_text(struct sheet *sheet, const char *text)
{
	if (sheet->column >= sheet->columns)
		return;
	(void)snprintf(sheet->cells[(sheet->rows - 1) * sheet->columns + sheet->column++],
		       SHEET_CELL_BYTES, "%s", text == NULL || *text == '\0' ? "-" : text);
}

void sheet_number(struct sheet *sheet, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	sheet_text(sheet, text);
}

void sheet_bytes(struct sheet *sheet, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned int unit = 0;
	char text[40];

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(text, sizeof(text), "%.*f %s",
		       unit == 0    ? 0
		       : value < 10 ? 2
				    : value < 100,
		       value, units[unit]);
	sheet_text(sheet, text);
}

void sheet_ms(struct sheet *sheet, uint64_t ms)
{
	char text[40];

	if (ms < 1000)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " ms", ms);
	else if (ms < 60 * UINT64_C(1000))
		(void)snprintf(text, sizeof(text), "%.1f s", (double)ms / 1000);
	else if (ms < 3600 * UINT64_C(1000))
		(void)snprintf(text, sizeof(text), "%.1f min", (double)ms / 60000);
	else
		(void)snprintf(text, sizeof(text), "%.1f h", (double)ms / 3600000);
	sheet_text(sheet, text);
}

static void line_print(const struct sheet *sheet, const char *const *cells, const int *widths)
{
	for (unsigned int i = 0; i < sheet->columns; i++) {
		bool is_last = i + 1 == sheet->columns;

		if (sheet->is_right[i])
			printf("%*s%s", widths[i], cells[i], is_last ? "\n" : "  ");
		else if (is_last)
			printf("%s\n", cells[i]);
		else
			printf("%-*s  ", widths[i], cells[i]);
	}
}

void sheet_print(const struct sheet *sheet, const char *empty)
{
	const char *cells[SHEET_COLUMNS_MAX] = { NULL };
	int widths[SHEET_COLUMNS_MAX] = { 0 };

	if (sheet->rows == 0) {
		printf("%s\n", empty);
		return;
	}
	for (unsigned int i = 0; i < sheet->columns; i++) {
		cells[i] = sheet->heads[i];
		widths[i] = (int)strlen(sheet->heads[i]);
		for (size_t row = 0; row < sheet->rows; row++)
			widths[i] =
				MAX(widths[i], (int)strlen(sheet->cells[row * sheet->columns + i]));
	}
	line_print(sheet, cells, widths);
	for (size_t row = 0; row < sheet->rows; row++) {
		for (unsigned int i = 0; i < sheet->columns; i++)
			cells[i] = sheet->cells[row * sheet->columns + i];
		line_print(sheet, cells, widths);
	}
}
