/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What may be a name of a node, segment, tenant or cluster. The alphabet is small on purpose: a
 * name stands unquoted in Redis keys, HTTP paths, log lines and lists separated by commas.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/** What is allowed, for messages. */
#define NAMES_ALLOWED "1 to 63 of [A-Za-z0-9._:/-]"

/** True when the buffer holds a valid name and its final zero within size and HAUL_NAME_BYTES. */
bool name_is_valid(const char *name, size_t size);

/**
 * True when it holds a list of tenants: names separated by single commas, "*" alone, or nothing.
 */
bool name_list_is_valid(const char *list, size_t size);

/** True when the name, or "*", is an element of a valid list. */
bool name_list_has(const char *list, const char *name);

#endif
