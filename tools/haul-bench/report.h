/* SPDX-License-Identifier: BSD-3-Clause */
/** Rows of figures: a table on stdout, JSON in a file or on stdout in its place. */
#ifndef REPORT_H
#define REPORT_H

#include "load.h"

#include <stdbool.h>
#include <stdio.h>

struct report {
	FILE *json;    /**< NULL = none */
	bool is_table; /**< on stdout */
	bool has_rows;
};

/** What a row was, beside its result. */
struct report_row {
	const struct load *load; /**< of any of its threads */
	const struct load_row *row;
	uint32_t threads;
};

/** Before the first row; `json` as in struct plan. False after a line on stderr. */
bool report_begin(struct report *report, const char *json);

/** One row: written at once, so that a long run can be watched. */
void report_add(struct report *report, const struct report_row *row,
		const struct load_result *result);

/** After the last row. False when the file could not be written. */
bool report_end(struct report *report);

#endif
