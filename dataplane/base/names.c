/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names come from clients, peers and files: every function here takes a buffer that may lack its
 * final zero.
 */
#include "base/names.h"

#include "api/haul_frame.h"

#include <string.h>

static bool byte_is_allowed(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == ':' ||
	       byte == '/' || byte == '-';
}

static bool bytes_are_name(const char *name, size_t length)
{
	if (length == 0 || length >= HAUL_NAME_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!byte_is_allowed(name[i]))
			return false;
	}
	return true;
}

bool name_is_valid(const char *name, size_t size)
{
	size_t length = strnlen(name, size);

	return length < size && bytes_are_name(name, length);
}

bool name_list_is_valid(const char *list, size_t size)
{
	size_t length = strnlen(list, size);
	size_t start = 0;

	if (length == size)
		return false;
	if (length == 0 || (length == 1 && list[0] == '*'))
		return true;
	for (size_t i = 0; i <= length; i++) {
		if (i < length && list[i] != ',')
			continue;
		if (!bytes_are_name(list + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

bool name_list_has(const char *list, const char *name)
{
	size_t length = strlen(name);
	const char *at = list;

	while (*at != '\0') {
		size_t element = strcspn(at, ",");

		if (element == 1 && at[0] == '*')
			return true;
		if (element == length && memcmp(at, name, length) == 0)
			return true;
		at += element + (at[element] == ',' ? 1 : 0);
	}
	return false;
}
