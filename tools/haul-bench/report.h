/* SPDX-License-Identifier: BSD-3-Clause */
/** Rows of figures on stdout, as a table or as JSON. */
#ifndef REPORT_H
#define REPORT_H

#include "load.h"

#include <stdbool.h>

/** Before the first row. */
void report_begin(bool is_json);

/** One row. */
void report_row(bool is_json, const struct load *load, const struct load_row *row,
		const struct load_result *result);

/** After the last row. */
void report_end(bool is_json);

#endif
