/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Strings with a length, as they come out of Redis, and the two strict notations of numbers in its records.
 *
 * Numbers (versions, terms, beats, sizes) are 20 decimal digits, padded with zeros: a Lua script compares them as
 * strings, since its own numbers are doubles. Identities (epochs, incarnations) are 16 lower-case hexadecimal digits.
 * Redis is distrusted: anything else is refused, never repaired.
 */
#ifndef MODEL_TEXT_H
#define MODEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for a number, with its final zero. */
#define TEXT_NUMBER_BYTES 21u

/** Room for an identity, with its final zero. */
#define TEXT_IDENTITY_BYTES 17u

/** Bytes that belong to somebody else; not zero-terminated. */
struct text {
	const char *bytes;
	size_t length;
};

/** A text of a C string. */
struct text text_of(const char *string);

/** True when the text is exactly this string. */
bool text_is(struct text text, const char *string);

/** Copy a text into a zero-terminated buffer; false when it is too long or holds a zero byte. */
bool text_copy(struct text text, char *out, size_t size);

/** Parse a number of 20 digits; false when it is none or above 2^64 - 1. */
bool text_number(struct text text, uint64_t *value_out);

/** Parse an identity of 16 hexadecimal digits. */
bool text_identity(struct text text, uint64_t *value_out);

/** Parse exactly `digits` lower-case hexadecimal digits (1 to 16). */
bool text_hexadecimal(const char *bytes, unsigned int digits, uint64_t *value_out);

void text_number_format(uint64_t value, char out[TEXT_NUMBER_BYTES]);
void text_identity_format(uint64_t value, char out[TEXT_IDENTITY_BYTES]);

#endif
