/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Members of JSON objects as numbers and as text for tables. A member that is missing, null or of an unexpected type
 * shows as nothing, since a newer or older control plane may say more or less.
 *
 * A path is a member's name, or names with dots between for one further in: "redis.state".
 */
#ifndef HAULCTL_FIELD_H
#define HAULCTL_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for a field's text; longer is cut. */
#define FIELD_TEXT_BYTES 512u

enum field_format {
	FIELD_TEXT,     /**< as it is: text, or a number's digits; of an array its length */
	FIELD_SIZE,     /**< "1.5 GiB" */
	FIELD_MS,       /**< "120 ms" */
	FIELD_US,       /**< "85 us"; 0 = not measured */
	FIELD_PERMILLE, /**< "12.5 %" */
	FIELD_LIST,     /**< an array of texts, with commas */
	FIELD_FLAG,     /**< true = "yes" */
};

/** The member at a path; NULL when there is none. */
const json_t *field_find(const json_t *object, const char *path);

/** A number, whether it comes as a number or as a string of digits. False when it is neither. */
bool field_u64(const json_t *object, const char *path, uint64_t *number_out);

/** A string; "" when it is none. */
const char *field_string(const json_t *object, const char *path);

/** Write a member's text; "" when there is none. Returns text. */
char *field_format(const json_t *object, const char *path, enum field_format format,
		   char text[FIELD_TEXT_BYTES]);

#endif
