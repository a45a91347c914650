/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Listings: an array of JSON objects as a table, described by its columns.
 */
#ifndef HAULCTL_LIST_H
#define HAULCTL_LIST_H

#include "base/check.h"
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

/** A list of these columns; the rows stand under the key in what the target answers. */
#define LIST(key_, target_, columns_)                                      \
	{                                                                  \
		.key = (key_), .target = (target_), .columns = (columns_), \
		.column_count = ARRAY_SIZE(columns_),                      \
	}

extern const struct list list_of_nodes;
extern const struct list list_of_peers;
extern const struct list list_of_buffers;

/** Ask for a list and print it, as a table or as JSON. Returns an exit status. */
int list_run(const struct haulctl *haulctl, const struct list *list);

/** Print the list's array out of an answer. Returns an exit status. */
int list_print(const struct haulctl *haulctl, const struct list *list, const json_t *body);

#endif
