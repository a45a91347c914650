/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaf functions of every record parser; each looks at every byte it is given and at none behind.
 */
#include "controlplane/model/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct text text_of(const char *string)
{
	struct text text = { string, strlen(string) };

	return text;
}

bool text_is(struct text text, const char *string)
{
	return text.length == strlen(string) && memcmp(text.bytes, string, text.length) == 0;
}

bool text_copy(struct text text, char *out, size_t size)
{
	if (text.length >= size || memchr(text.bytes, '\0', text.length) != NULL)
		return false;
	memset(out, 0, size);
	memcpy(out, text.bytes, text.length);
	return true;
}

bool text_number(struct text text, uint64_t *value_out)
{
	uint64_t value = 0;

	if (text.length != TEXT_NUMBER_BYTES - 1)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		unsigned int digit = (unsigned char)text.bytes[i] - (unsigned int)'0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*value_out = value;
	return true;
}

bool text_hexadecimal(const char *bytes, unsigned int digits, uint64_t *value_out)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < digits; i++) {
		char byte = bytes[i];

		if (byte >= '0' && byte <= '9')
			value = value << 4 | (uint64_t)(byte - '0');
		else if (byte >= 'a' && byte <= 'f')
			value = value << 4 | (uint64_t)(byte - 'a' + 10);
		else
			return false;
	}
	*value_out = value;
	return true;
}

bool text_identity(struct text text, uint64_t *value_out)
{
	return text.length == TEXT_IDENTITY_BYTES - 1 &&
	       text_hexadecimal(text.bytes, TEXT_IDENTITY_BYTES - 1, value_out);
}

void text_number_format(uint64_t value, char out[TEXT_NUMBER_BYTES])
{
	(void)snprintf(out, TEXT_NUMBER_BYTES, "%020" PRIu64, value);
}

void text_identity_format(uint64_t value, char out[TEXT_IDENTITY_BYTES])
{
	(void)snprintf(out, TEXT_IDENTITY_BYTES, "%016" PRIx64, value);
}
