/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control plane writes numbers of 64 bits as strings, since JSON's readers have doubles; small ones are integers.
 */
#include "tools/haulctl/field.h"

#include "tools/haulctl/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The longest name in a path. */
#define FIELD_NAME_BYTES 64u

const json_t *field_find(const json_t *object, const char *path)
{
	char name[FIELD_NAME_BYTES];
	size_t length = strcspn(path, ".");

	while (length < sizeof(name) && path[length] == '.') {
		memcpy(name, path, length);
		name[length] = '\0';
		object = json_object_get(object, name);
		path += length + 1;
		length = strcspn(path, ".");
	}
	return json_object_get(object, path);
}

static bool field_parse(const char *text, uint64_t *number_out)
{
	uint64_t number = 0;
	const char *at;

	for (at = text; *at >= '0' && *at <= '9'; at++) {
		unsigned int digit = (unsigned int)(*at - '0');

		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (at == text || *at != '\0')
		return false;
	*number_out = number;
	return true;
}

bool field_u64(const json_t *object, const char *path, uint64_t *number_out)
{
	const json_t *value = field_find(object, path);

	if (json_is_string(value))
		return field_parse(json_string_value(value), number_out);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*number_out = (uint64_t)json_integer_value(value);
	return true;
}

const char *field_string(const json_t *object, const char *path)
{
	const char *text = json_string_value(field_find(object, path));

	return text != NULL ? text : "";
}

static void field_join(const json_t *array, char *text)
{
	size_t length = 0;
	size_t index;
	json_t *value;

	json_array_foreach(array, index, value)
	{
		const char *word = json_string_value(value);

		if (word == NULL || length >= FIELD_TEXT_BYTES)
			continue;
		length += (size_t)snprintf(text + length, FIELD_TEXT_BYTES - length, "%s%s",
					   length > 0 ? ", " : "", word);
	}
}

static void field_as_is(const json_t *value, char *text)
{
	if (json_is_string(value))
		(void)snprintf(text, FIELD_TEXT_BYTES, "%s", json_string_value(value));
	else if (json_is_array(value))
		(void)snprintf(text, FIELD_TEXT_BYTES, "%zu", json_array_size(value));
	if (!json_is_integer(value))
		return;
	(void)snprintf(text, FIELD_TEXT_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

static void field_number(uint64_t number, enum field_format format, char *text)
{
	switch (format) {
	case FIELD_SIZE:
		units_of_bytes(number, text);
		break;
	case FIELD_MS:
		units_of_ms(number, text);
		break;
	case FIELD_PERMILLE:
		(void)snprintf(text, FIELD_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 " %%", number / 10,
			       number % 10);
		break;
	default:
		if (number > 0)
			units_of_us(number, text);
	}
}

char *field_format(const json_t *object, const char *path, enum field_format format,
		   char text[FIELD_TEXT_BYTES])
{
	const json_t *value = field_find(object, path);
	uint64_t number;

	text[0] = '\0';
	if (format == FIELD_TEXT)
		field_as_is(value, text);
	else if (format == FIELD_LIST)
		field_join(value, text);
	else if (format == FIELD_FLAG)
		(void)snprintf(text, FIELD_TEXT_BYTES, "%s", json_is_true(value) ? "yes" : "");
	else if (field_u64(object, path, &number))
		field_number(number, format, text);
	return text;
}
