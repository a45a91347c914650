/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Listings: an array of JSON objects as a table, described by its columns.
 */
#ifndef HAULCTL_LIST_H
#define HAULCTL_LIST_H

#include "tools/haulctl/field.h"
#include "tools/haulctl/table.h"

#include <jansson.h>

struct haulctl;

struct list_column {
	const char *header;
	const char *key;
	enum field_format format;
	enum table_style style;
};

struct list {
	const char *key;    /**< of the array in the answer; also what the listing is called */
	const char *target; /**< whom to ask; NULL = it is part of another answer */
	const struct list_column *columns;
	unsigned int column_count;
};

extern const struct list list_of_nodes;
extern const struct list list_of_buffers;

/** Print the list's array out of an answer. Returns an exit status. */
int list_print(const struct haulctl *haulctl, const struct list *list, const json_t *body);

#endif
