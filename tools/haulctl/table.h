/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A table of text with headers and aligned columns. Cells are copied; whatever a terminal could take for a command
 * becomes a question mark. When a row is wider than the terminal, the flexible columns are cut.
 */
#ifndef HAULCTL_TABLE_H
#define HAULCTL_TABLE_H

#include <stdio.h>

/** A longer cell is cut. */
#define TABLE_CELL_BYTES_MAX 512u

/** A flexible column is not cut below this. */
#define TABLE_FLEXIBLE_WIDTH_MIN 8u

#define TABLE_COLUMNS_MAX 16u

enum table_style {
	TABLE_LEFT,
	TABLE_RIGHT,    /**< numbers */
	TABLE_FLEXIBLE, /**< to the left, and the first to give way */
};

struct table_column {
	const char *header;
	enum table_style style;
};

struct table;

/** Make an empty table; the columns must live as long. NULL without memory. */
struct table *table_create(const struct table_column *columns, unsigned int column_count);

/** Free it; NULL is allowed. */
void table_destroy(struct table *table);

/** Add the next cell, row by row from the left; NULL and "" show as "-". */
void table_add(struct table *table, const char *text);

/**
 * Print the headers and all rows. width is that of the terminal; 0 = there is none, and nothing is cut. Returns 0, or
 * -ENOMEM when a cell could not be kept.
 */
int table_print(const struct table *table, FILE *file, unsigned int width);

/** Print text with whatever is not printable as question marks. */
void table_print_text(FILE *file, const char *text);

#endif
