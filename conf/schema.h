/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The tables that describe configuration: every key with its type, unit, default, range and one
 * sentence. The loader fills structs by them, --print-defaults prints them, and error messages
 * quote them, so that there is no second place to keep true.
 *
 * A table describes one struct. A daemon loads a file into several sections, a section being a
 * table and the struct to fill: its own at the top level, and one for each driver inside a group of
 * the driver's name. Keys are made with the macros below:
 *
 *     static const struct conf_key port_keys[] = {
 *             CONF_KEY_STRING(struct udp_port_conf, name, "name", "port0", NULL, "name in listings"),
 *             CONF_KEY_U32(struct udp_port_conf, mtu_bytes, "mtu", 1500, 576, 9000, "bytes", "largest IP packet"),
 *     };
 *     static const struct conf_table port_table = CONF_TABLE("", port_keys, NULL);
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_type {
	CONF_BOOL, /**< true or false -> bool */
	CONF_U32,  /**< integer -> uint32_t */
	CONF_U64,  /**< integer -> uint64_t, up to INT64_MAX */
	CONF_I64,  /**< integer -> int64_t */
	CONF_BYTES, /**< integer, or a string such as "64G" (K, M, G, T: powers of 1024) -> uint64_t */
	CONF_STRING,      /**< string -> char[size] */
	CONF_WORD,        /**< string, one of words -> uint32_t, its index */
	CONF_MODE,        /**< string of octal digits, a file mode -> uint32_t */
	CONF_U32_LIST,    /**< [ 1, 2 ] -> uint32_t[count_max] and a count */
	CONF_STRING_LIST, /**< [ "a", "b" ] -> char[count_max][size] and a count */
	CONF_GROUP_LIST,  /**< ( { ... }, { ... } ) -> struct[count_max] and a count */
};

/**
 * Says what is wrong with a value that has the right type and lies in range; NULL when nothing is.
 */
typedef const char *(*conf_check_fn)(const void *value);

struct conf_key {
	const char *path;     /**< name; "group.name" for one inside a group */
	const char *sentence; /**< what it does; ends without a full stop */
	const char *unit;     /**< NULL = none */

	enum conf_type type;
	conf_check_fn check;              /**< of strings, also of each in a list; NULL = none */
	int64_t minimum;                  /**< of numbers, and of each number in a list */
	int64_t maximum;                  /**< likewise */
	uint32_t count_max;               /**< of lists: most elements */
	const char *const *words;         /**< of CONF_WORD, NULL-terminated */
	const struct conf_table *element; /**< of CONF_GROUP_LIST */

	int64_t integer;     /**< default of bool and numbers */
	const char *text;    /**< default of all others; of string lists, with commas between */
	const char *example; /**< not NULL = the key is required, and this is printed for it */

	size_t offset;       /**< of the member in the table's struct */
	size_t size;         /**< of the member, or of one element of a list, in bytes */
	size_t count_offset; /**< of lists: of the uint32_t that gets their length */
};

struct conf_table {
	const char
		*group; /**< that holds the keys; "" = none: the top level, or a list's element */
	const struct conf_key *keys;
	unsigned int key_count;
	/**
	 * Of the whole struct, when all keys are in: NULL, or "key: what is wrong"; NULL = none.
	 */
	conf_check_fn check;
};

/** A table and the struct to fill. */
struct conf_section {
	const struct conf_table *table;
	void *target;
};

#define CONF_TABLE(group_, keys_, check_)                                           \
	{                                                                           \
		.group = (group_), .keys = (keys_),                                 \
		.key_count = sizeof(keys_) / sizeof((keys_)[0]), .check = (check_), \
	}

#define CONF_MEMBER(struct_, member_) \
	.offset = offsetof(struct_, member_), .size = sizeof(((struct_ *)0)->member_)

#define CONF_LIST(struct_, member_, count_)                                              \
	.offset = offsetof(struct_, member_), .count_offset = offsetof(struct_, count_), \
	.size = sizeof(((struct_ *)0)->member_[0]),                                      \
	.count_max = sizeof(((struct_ *)0)->member_) / sizeof(((struct_ *)0)->member_[0])

#define CONF_KEY_BOOL(struct_, member_, path_, default_, sentence_)        \
	{                                                                  \
		.path = (path_), .type = CONF_BOOL, .integer = (default_), \
		.sentence = (sentence_), CONF_MEMBER(struct_, member_),    \
	}

#define CONF_KEY_NUMBER(type_, struct_, member_, path_, default_, min_, max_, unit_, sentence_) \
	{                                                                                       \
		.path = (path_), .type = (type_), .integer = (default_), .minimum = (min_),     \
		.maximum = (max_), .unit = (unit_), .sentence = (sentence_),                    \
		CONF_MEMBER(struct_, member_),                                                  \
	}
#define CONF_KEY_U32(...)   CONF_KEY_NUMBER(CONF_U32, __VA_ARGS__)
#define CONF_KEY_U64(...)   CONF_KEY_NUMBER(CONF_U64, __VA_ARGS__)
#define CONF_KEY_I64(...)   CONF_KEY_NUMBER(CONF_I64, __VA_ARGS__)
#define CONF_KEY_BYTES(...) CONF_KEY_NUMBER(CONF_BYTES, __VA_ARGS__)

#define CONF_KEY_STRING(struct_, member_, path_, default_, check_, sentence_)                \
	{                                                                                    \
		.path = (path_), .type = CONF_STRING, .text = (default_), .check = (check_), \
		.sentence = (sentence_), CONF_MEMBER(struct_, member_),                      \
	}
/** A number and a string that must be set; the example is what --print-defaults shows. */
#define CONF_KEY_REQUIRED_I64(struct_, member_, path_, example_, min_, max_, unit_, sentence_) \
	{                                                                                      \
		.path = (path_), .type = CONF_I64, .example = (example_), .minimum = (min_),   \
		.maximum = (max_), .unit = (unit_), .sentence = (sentence_),                   \
		CONF_MEMBER(struct_, member_),                                                 \
	}
#define CONF_KEY_REQUIRED(struct_, member_, path_, example_, check_, sentence_)            \
	{                                                                                  \
		.path = (path_), .type = CONF_STRING, .text = "", .example = (example_),   \
		.check = (check_), .sentence = (sentence_), CONF_MEMBER(struct_, member_), \
	}
#define CONF_KEY_WORD(struct_, member_, path_, default_, words_, sentence_)                \
	{                                                                                  \
		.path = (path_), .type = CONF_WORD, .text = (default_), .words = (words_), \
		.sentence = (sentence_), CONF_MEMBER(struct_, member_),                    \
	}
#define CONF_KEY_MODE(struct_, member_, path_, default_, sentence_)                              \
	{                                                                                        \
		.path = (path_), .type = CONF_MODE, .text = (default_), .sentence = (sentence_), \
		CONF_MEMBER(struct_, member_),                                                   \
	}
#define CONF_KEY_U32_LIST(struct_, member_, count_, path_, min_, max_, sentence_)             \
	{                                                                                     \
		.path = (path_), .type = CONF_U32_LIST, .minimum = (min_), .maximum = (max_), \
		.sentence = (sentence_), CONF_LIST(struct_, member_, count_),                 \
	}
#define CONF_KEY_STRING_LIST(struct_, member_, count_, path_, default_, check_, sentence_)        \
	{                                                                                         \
		.path = (path_), .type = CONF_STRING_LIST, .text = (default_), .check = (check_), \
		.sentence = (sentence_), CONF_LIST(struct_, member_, count_),                     \
	}
#define CONF_KEY_GROUP_LIST(struct_, member_, count_, path_, element_, sentence_) \
	{                                                                         \
		.path = (path_), .type = CONF_GROUP_LIST, .element = (element_),  \
		.sentence = (sentence_), CONF_LIST(struct_, member_, count_),     \
	}

/** Set every key of a table's struct to its default; a required string becomes empty. */
void conf_defaults(const struct conf_table *table, void *target);

/**
 * What a key may be, as a phrase for messages and comments: "an integer from 1 to 8". Returns its
 * length.
 */
int conf_allowed(const struct conf_key *key, char *text, size_t size);

/** Print a commented file with every default, which conf_load accepts. */
void conf_print(FILE *file, const struct conf_section *sections, unsigned int section_count);

/**
 * Set a string, word, mode or size from its text. Returns NULL, or what is wrong with it; what the
 * key may be is for conf_allowed to say. For the loader and the defaults.
 */
const char *conf_text_set(const struct conf_key *key, void *member, const char *text);

/** Checks for tables: a name as base/names.h has it; an absolute path; that or nothing. */
const char *conf_check_name(const void *value);
const char *conf_check_path(const void *value);
const char *conf_check_path_or_none(const void *value);

/** A TCP address with its port, IPV4:PORT or [IPV6]:PORT, or nothing. */
const char *conf_check_address_or_none(const void *value);

#endif
