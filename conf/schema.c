/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What follows from a table alone, without any file: defaults, the phrase that says what a key may
 * be, and the commented print-out. Cold; main thread.
 */
#include "conf/schema.h"

#include "api/haul_frame.h"
#include "base/check.h"
#include "base/names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *member_of(void *target, const struct conf_key *key)
{
	return (uint8_t *)target + key->offset;
}

static const char *word_set(const struct conf_key *key, void *member, const char *text)
{
	for (uint32_t i = 0; key->words[i] != NULL; i++) {
		if (strcmp(key->words[i], text) == 0) {
			memcpy(member, &i, sizeof(i));
			return NULL;
		}
	}
	return "not a word that is known here";
}

static const char *mode_set(void *member, const char *text)
{
	uint32_t mode = 0;
	size_t length = strlen(text);

	if (length == 0 || length > 5 || strspn(text, "01234567") != length)
		return "not a file mode";
	for (; *text != '\0'; text++)
		mode = mode << 3 | (uint32_t)(*text - '0');
	if (mode > 0777)
		return "not a file mode";
	memcpy(member, &mode, sizeof(mode));
	return NULL;
}

static const char *string_set(const struct conf_key *key, void *member, const char *text)
{
	size_t length = strlen(text);

	if (length >= key->size)
		return "too long";
	memcpy(member, text, length + 1);
	return NULL;
}

/* Digits and perhaps one letter; the range is checked by the caller's key. */
static const char *bytes_set(const struct conf_key *key, void *member, const char *text)
{
	static const char suffixes[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *suffix = text[digits] != '\0' ? strchr(suffixes, text[digits]) : NULL;
	uint64_t number = 0;
	unsigned int shift = suffix != NULL ? 10 * (unsigned int)(suffix - suffixes + 1) : 0;

	/* 12 digits fit 64 bits; the shift is checked against the range before it is done. */
	if (digits == 0 || digits > 12 || text[digits + (suffix != NULL ? 1 : 0)] != '\0')
		return "not a number of bytes";
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	if (number > (uint64_t)key->maximum >> shift || number << shift < (uint64_t)key->minimum)
		return "out of range";
	number <<= shift;
	memcpy(member, &number, sizeof(number));
	return NULL;
}

const char *conf_text_set(const struct conf_key *key, void *member, const char *text)
{
	switch (key->type) {
	case CONF_WORD:
		return word_set(key, member, text);
	case CONF_MODE:
		return mode_set(member, text);
	case CONF_BYTES:
		return bytes_set(key, member, text);
	case CONF_STRING:
	case CONF_STRING_LIST:
		return string_set(key, member, text);
	default:
		return "not a text";
	}
}

/* "local,udp" -> the elements of a list of strings. */
static void string_list_default(const struct conf_key *key, void *target)
{
	const char *at = key->text;
	uint32_t count = 0;

	while (at != NULL && *at != '\0') {
		size_t length = strcspn(at, ",");

		BUG_ON(count == key->count_max || length >= key->size);
		memcpy(member_of(target, key) + count * key->size, at, length);
		member_of(target, key)[count * key->size + length] = '\0';
		at += length + (at[length] == ',' ? 1 : 0);
		count++;
	}
	memcpy((uint8_t *)target + key->count_offset, &count, sizeof(count));
}

static void key_default(const struct conf_key *key, void *target)
{
	uint8_t *member = member_of(target, key);
	uint32_t narrow = (uint32_t)key->integer;
	uint32_t none = 0;
	bool truth = key->integer != 0;

	switch (key->type) {
	case CONF_BOOL:
		memcpy(member, &truth, sizeof(truth));
		break;
	case CONF_U32:
		memcpy(member, &narrow, sizeof(narrow));
		break;
	case CONF_U64:
	case CONF_I64:
	case CONF_BYTES:
		memcpy(member, &key->integer, sizeof(key->integer));
		break;
	case CONF_STRING:
	case CONF_WORD:
	case CONF_MODE:
		BUG_ON(conf_text_set(key, member, key->text) != NULL);
		break;
	case CONF_STRING_LIST:
		string_list_default(key, target);
		break;
	case CONF_U32_LIST:
	case CONF_GROUP_LIST:
		memcpy((uint8_t *)target + key->count_offset, &none, sizeof(none));
		break;
	}
}

void conf_defaults(const struct conf_table *table, void *target)
{
	for (unsigned int i = 0; i < table->key_count; i++)
		key_default(&table->keys[i], target);
}

static int words_allowed(const struct conf_key *key, char *text, size_t size)
{
	int length = snprintf(text, size, "one of");

	for (unsigned int i = 0; key->words[i] != NULL && length < (int)size; i++) {
		length += snprintf(text + length, size - (size_t)length, "%s \"%s\"",
				   i > 0 ? "," : "", key->words[i]);
	}
	return length;
}

int conf_allowed(const struct conf_key *key, char *text, size_t size)
{
	const char *space = key->unit != NULL ? " " : "";
	const char *unit = key->unit != NULL ? key->unit : "";

	switch (key->type) {
	case CONF_BOOL:
		return snprintf(text, size, "true or false");
	case CONF_U32:
	case CONF_U64:
	case CONF_I64:
		return snprintf(text, size, "an integer from %" PRId64 " to %" PRId64 "%s%s",
				key->minimum, key->maximum, space, unit);
	case CONF_BYTES:
		return snprintf(text, size,
				"from %" PRId64 " to %" PRId64
				" bytes, as an integer or as a string such as \"64G\"",
				key->minimum, key->maximum);
	case CONF_STRING:
		return snprintf(text, size, "a string of at most %zu bytes", key->size - 1);
	case CONF_WORD:
		return words_allowed(key, text, size);
	case CONF_MODE:
		return snprintf(text, size, "a file mode in octal digits, such as \"0660\"");
	case CONF_U32_LIST:
		return snprintf(text, size,
				"an array of at most %u integers from %" PRId64 " to %" PRId64,
				key->count_max, key->minimum, key->maximum);
	case CONF_STRING_LIST:
		return snprintf(text, size,
				"an array of at most %u strings of at most %zu bytes each",
				key->count_max, key->size - 1);
	case CONF_GROUP_LIST:
		return snprintf(text, size, "a list of at most %u groups", key->count_max);
	}
	return snprintf(text, size, "nothing");
}

/* The largest unit that divides the number, as conf reads it back. */
static void bytes_print(FILE *file, int64_t bytes)
{
	static const char suffixes[] = "TGMK";

	for (unsigned int i = 0; i < 4 && bytes != 0; i++) {
		unsigned int shift = 10 * (4 - i);

		if ((bytes & ((INT64_C(1) << shift) - 1)) == 0) {
			fprintf(file, "\"%" PRId64 "%c\"", bytes >> shift, suffixes[i]);
			return;
		}
	}
	fprintf(file, "%" PRId64, bytes);
}

static void string_list_print(FILE *file, const char *text)
{
	const char *at = text;

	fprintf(file, "[");
	while (at != NULL && *at != '\0') {
		int length = (int)strcspn(at, ",");

		fprintf(file, "%s \"%.*s\"", at == text ? "" : ",", length, at);
		at += length + (at[length] == ',' ? 1 : 0);
	}
	fprintf(file, " ]");
}

static void value_print(FILE *file, const struct conf_key *key)
{
	switch (key->type) {
	case CONF_BOOL:
		fprintf(file, "%s", key->integer != 0 ? "true" : "false");
		break;
	case CONF_U32:
	case CONF_U64:
	case CONF_I64:
		if (key->example != NULL) {
			fprintf(file, "%s", key->example);
			break;
		}
		/* libconfig wants an L behind what needs more than 32 bits. */
		fprintf(file, "%" PRId64 "%s", key->integer,
			key->integer > INT32_MAX || key->integer < INT32_MIN ? "L" : "");
		break;
	case CONF_BYTES:
		bytes_print(file, key->integer);
		break;
	case CONF_STRING:
	case CONF_WORD:
	case CONF_MODE:
		fprintf(file, "\"%s\"", key->example != NULL ? key->example : key->text);
		break;
	case CONF_U32_LIST:
		fprintf(file, "[ ]");
		break;
	case CONF_STRING_LIST:
		string_list_print(file, key->text);
		break;
	case CONF_GROUP_LIST:
		fprintf(file, "( )");
		break;
	}
}

static void comment_print(FILE *file, const char *indent, const struct conf_key *key)
{
	char allowed[256];

	conf_allowed(key, allowed, sizeof(allowed));
	fprintf(file, "%s# %c%s.\n%s# %s%s.\n", indent, toupper(key->sentence[0]),
		key->sentence + 1, indent, key->example != NULL ? "Required: " : "May be ",
		allowed);
}

/* The keys of a list's element, and one element of defaults, as comments. */
static void element_print(FILE *file, const char *indent, const struct conf_key *key)
{
	const struct conf_table *table = key->element;
	char allowed[256];

	fprintf(file, "%s# Each group has these keys:\n", indent);
	for (unsigned int i = 0; i < table->key_count; i++) {
		conf_allowed(&table->keys[i], allowed, sizeof(allowed));
		fprintf(file, "%s#   %s: %s; %s%s\n", indent, table->keys[i].path,
			table->keys[i].sentence, table->keys[i].example != NULL ? "required, " : "",
			allowed);
	}
	fprintf(file, "%s# For example: %s = ( {", indent, key->path);
	for (unsigned int i = 0; i < table->key_count; i++) {
		fprintf(file, " %s = ", table->keys[i].path);
		value_print(file, &table->keys[i]);
		fprintf(file, ";");
	}
	fprintf(file, " } );\n");
}

/* Bytes of the path before its last dot, 0 when it has none. */
static size_t prefix_length(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL ? (size_t)(dot - path) : 0;
}

static void key_print(FILE *file, const char *indent, const struct conf_key *key)
{
	size_t prefix = prefix_length(key->path);
	const char *name = key->path + prefix + (prefix > 0 ? 1 : 0);

	fprintf(file, "\n");
	comment_print(file, indent, key);
	if (key->type == CONF_GROUP_LIST)
		element_print(file, indent, key);
	fprintf(file, "%s%s = ", indent, name);
	value_print(file, key);
	fprintf(file, ";\n");
}

/* Keys of one inner group stand next to each other in a table; there is one such level. */
static void table_print(FILE *file, const struct conf_table *table, const char *indent)
{
	const char *open = "";
	size_t open_length = 0;
	char inner[8];

	snprintf(inner, sizeof(inner), "%s\t", indent);
	for (unsigned int i = 0; i < table->key_count; i++) {
		const char *path = table->keys[i].path;
		size_t length = prefix_length(path);

		if (length != open_length || memcmp(path, open, length) != 0) {
			if (open_length > 0)
				fprintf(file, "%s};\n", indent);
			if (length > 0)
				fprintf(file, "\n%s%.*s = {", indent, (int)length, path);
			open = path;
			open_length = length;
		}
		key_print(file, length > 0 ? inner : indent, &table->keys[i]);
	}
	if (open_length > 0)
		fprintf(file, "%s};\n", indent);
}

void conf_print(FILE *file, const struct conf_section *sections, unsigned int section_count)
{
	fprintf(file,
		"# Every key with its default; a key that is left out has the value shown here.\n"
		"# Keys marked as required have no default: what is shown is an example.\n");
	for (unsigned int i = 0; i < section_count; i++) {
		const struct conf_table *table = sections[i].table;

		if (table->group[0] == '\0') {
			table_print(file, table, "");
			continue;
		}
		fprintf(file, "\n%s = {", table->group);
		table_print(file, table, "\t");
		fprintf(file, "};\n");
	}
}

const char *conf_check_name(const void *value)
{
	if (!name_is_valid(value, HAUL_NAME_BYTES))
		return "not a name; allowed are " NAMES_ALLOWED;
	return NULL;
}

const char *conf_check_path(const void *value)
{
	const char *path = value;

	return path[0] == '/' ? NULL : "not an absolute path";
}

const char *conf_check_path_or_none(const void *value)
{
	const char *path = value;

	return path[0] == '\0' ? NULL : conf_check_path(value);
}

const char *conf_check_address_or_none(const void *value)
{
	static const char refusal[] = "not an address; allowed are IPV4:PORT and [IPV6]:PORT";
	const char *text = value;
	const char *port = strrchr(text, ':');
	bool is_ipv6 = text[0] == '[';
	char host[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	size_t length;

	if (text[0] == '\0')
		return NULL;
	if (port == NULL || port == text || (is_ipv6 && port[-1] != ']'))
		return refusal;
	length = (size_t)(port - text) - (is_ipv6 ? 2 : 0);
	if (length >= sizeof(host) || port[1] < '1' || port[1] > '9' ||
	    strspn(port + 1, "0123456789") != strlen(port + 1) || strlen(port + 1) > 5 ||
	    strtoul(port + 1, NULL, 10) > UINT16_MAX)
		return refusal;
	memcpy(host, text + is_ipv6, length);
	host[length] = '\0';
	return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, host, bytes) == 1 ? NULL : refusal;
}
