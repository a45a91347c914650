/* SPDX-License-Identifier: BSD-3-Clause */
/** Listings for people: rows of peers, transports and channels, gathered on the control thread when asked for. */
#ifndef CONTROL_TABLE_H
#define CONTROL_TABLE_H

#include <stdint.h>

struct node;

/** A memfd with the rows of a table (enum haul_table), or -HAUL_*. The caller closes it. */
int table_make(struct node *node, uint32_t table, uint32_t *rows_out, uint32_t *row_bytes_out);

#endif
