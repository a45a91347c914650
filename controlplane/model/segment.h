/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The record of a segment in Redis, to and from a descriptor. docs/metadata.md names every field.
 *
 * The order of the texts here is the order in which the scripts take and give them.
 */
#ifndef MODEL_SEGMENT_H
#define MODEL_SEGMENT_H

#include "base/descriptor.h"
#include "controlplane/model/address.h"
#include "controlplane/model/text.h"

/** What segment_get answers of a segment, in this order. */
enum segment_field {
	SEGMENT_FORMAT,
	SEGMENT_NAME,
	SEGMENT_NODE,
	SEGMENT_INCARNATION,
	SEGMENT_VERSION,
	SEGMENT_BYTES,
	SEGMENT_TENANT,
	SEGMENT_READERS,
	SEGMENT_WRITERS,
	SEGMENT_ADDRESSES,
	SEGMENT_BUFFERS,
	SEGMENT_NUMBER,
	SEGMENT_KEY,
	SEGMENT_FIELD_COUNT,
};

/** Fields of a row of a listing: in the place of the buffers the length of their rows, as a number; nothing behind it. */
#define SEGMENT_LIST_FIELD_COUNT (SEGMENT_BUFFERS + 1)

/** What segment_publish takes as a segment's content, in this order. */
#define SEGMENT_CONTENT_COUNT 8u

/** Room for a key as hexadecimal digits, with its final zero. */
#define SEGMENT_KEY_TEXT_BYTES (2 * HAUL_KEY_BYTES + 1)

/** A descriptor's content as texts, ready for the script. */
struct segment_content {
	/** bytes, tenant, readers, writers, addresses, buffers, number, key */
	struct text texts[SEGMENT_CONTENT_COUNT];
	char bytes[TEXT_NUMBER_BYTES];
	char addresses[ADDRESS_ROWS_BYTES];
	char number[TEXT_NUMBER_BYTES];
	char key[SEGMENT_KEY_TEXT_BYTES];
	char *buffers; /**< owned */
};

/** Format a checked descriptor, which must outlive the content. Returns 0 or -ENOMEM. */
int segment_content_make(const struct haul_descriptor *descriptor, struct segment_content *out);
void segment_content_free(struct segment_content *content);

/**
 * Turn a record into a descriptor (allocated, the caller's). Returns 0; -HAUL_VERSION when it is of another format;
 * -HAUL_CORRUPT when it is malformed, with the field in reason (HAUL_REASON_BYTES); -ENOMEM.
 */
int segment_parse(const struct text fields[SEGMENT_FIELD_COUNT], struct haul_descriptor **out,
		  size_t *length_out, char *reason);

/**
 * Parse a row of a listing: the header of a descriptor with the number of its buffers; its addresses are not looked at.
 * Returns 0 or as segment_parse.
 */
int segment_row_parse(const struct text fields[SEGMENT_LIST_FIELD_COUNT],
		      struct haul_descriptor *out, char *reason);

#endif
