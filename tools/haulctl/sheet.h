/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A table for people: aligned columns under capital heads. Numbers stand to the right.
 */
#ifndef HAULCTL_SHEET_H
#define HAULCTL_SHEET_H

#include <stdint.h>
#include <stdio.h>

#define SHEET_COLUMNS_MAX 12u

/** Room for one cell; longer texts are cut. */
#define SHEET_CELL_BYTES 160u

struct sheet;

/** heads are separated by blanks; one that begins with '>' stands to the right. NULL without memory. */
struct sheet *sheet_make(const char *heads);
void sheet_free(struct sheet *sheet);

/** Begin a row, then fill its cells from the left; NULL is written as "-". */
void sheet_row(struct sheet *sheet);
void sheet_text(struct sheet *sheet, const char *text);
void sheet_number(struct sheet *sheet, uint64_t number);

/** A number of bytes in the largest unit that keeps three digits, as in 1.50 GiB. */
void sheet_bytes(struct sheet *sheet, uint64_t bytes);

/** A time in the largest unit that fits, as in 3.2 s. */
void sheet_ms(struct sheet *sheet, uint64_t ms);

/** Print it; with no rows the sentence instead. */
void sheet_print(const struct sheet *sheet, const char *empty);

#endif
