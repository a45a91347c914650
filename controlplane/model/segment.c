/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strict in both directions: a record that does not parse is malformed, which is neither absent nor unreachable, and
 * never replaces what was known.
 */
#include "controlplane/model/segment.h"

#include "api/haul_error.h"
#include "controlplane/model/buffer.h"
#include "controlplane/model/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void key_format(const uint8_t key[HAUL_KEY_BYTES], char out[SEGMENT_KEY_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < HAUL_KEY_BYTES; i++) {
		out[2 * i] = digits[key[i] >> 4];
		out[2 * i + 1] = digits[key[i] & 15];
	}
	out[SEGMENT_KEY_TEXT_BYTES - 1] = '\0';
}

static bool key_parse(struct text text, uint8_t out[HAUL_KEY_BYTES])
{
	uint64_t byte = 0;

	if (text.length != SEGMENT_KEY_TEXT_BYTES - 1)
		return false;
	for (size_t i = 0; i < HAUL_KEY_BYTES; i++) {
		if (!text_hexadecimal(text.bytes + 2 * i, 2, &byte))
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

int segment_content_make(const struct haul_descriptor *descriptor, struct segment_content *out)
{
	size_t rows = 0, addresses = 0;

	out->buffers = malloc((size_t)descriptor->buffer_count * BUFFER_ROW_BYTES + 1);
	if (out->buffers == NULL)
		return -ENOMEM;
	rows = buffer_rows_format(descriptor_buffers(descriptor), descriptor->buffer_count,
				  out->buffers);
	addresses = address_rows_format(descriptor_addresses(descriptor), descriptor->address_count,
					out->addresses);
	text_number_format(descriptor->bytes, out->bytes);
	out->texts[0] = text_of(out->bytes);
	out->texts[1] = text_of(descriptor->tenant);
	out->texts[2] = text_of(descriptor->readers);
	out->texts[3] = text_of(descriptor->writers);
	out->texts[4] = (struct text){ out->addresses, addresses };
	out->texts[5] = (struct text){ out->buffers, rows };
	text_number_format(descriptor->number, out->number);
	out->texts[6] = text_of(out->number);
	key_format(descriptor->key, out->key);
	out->texts[7] = text_of(out->key);
	return 0;
}

void segment_content_free(struct segment_content *content)
{
	free(content->buffers);
	content->buffers = NULL;
}

static int malformed(const char *field, char *reason)
{
	(void)snprintf(reason, HAUL_REASON_BYTES, "the segment's record is malformed: field %s",
		       field);
	return -HAUL_CORRUPT;
}

/* What a record and a row of a listing have in common. */
static int segment_header_parse(const struct text *fields, struct haul_descriptor *out,
				char *reason)
{
	int error = format_check(fields[SEGMENT_FORMAT], "segment", reason);

	memset(out, 0, sizeof(*out));
	if (error != 0)
		return error;
	out->magic = HAUL_DESCRIPTOR_MAGIC;
	out->version = HAUL_DESCRIPTOR_VERSION;
	if (!text_copy(fields[SEGMENT_NAME], out->segment, sizeof(out->segment)))
		return malformed("segment", reason);
	if (!text_copy(fields[SEGMENT_NODE], out->node, sizeof(out->node)))
		return malformed("node", reason);
	if (!text_identity(fields[SEGMENT_INCARNATION], &out->incarnation))
		return malformed("incarnation", reason);
	if (!text_number(fields[SEGMENT_VERSION], &out->metadata_version))
		return malformed("version", reason);
	if (!text_number(fields[SEGMENT_BYTES], &out->bytes))
		return malformed("bytes", reason);
	if (!text_copy(fields[SEGMENT_TENANT], out->tenant, sizeof(out->tenant)))
		return malformed("tenant", reason);
	if (!text_copy(fields[SEGMENT_READERS], out->readers, sizeof(out->readers)))
		return malformed("readers", reason);
	if (!text_copy(fields[SEGMENT_WRITERS], out->writers, sizeof(out->writers)))
		return malformed("writers", reason);
	return 0;
}

int segment_row_parse(const struct text fields[SEGMENT_LIST_FIELD_COUNT],
		      struct haul_descriptor *out, char *reason)
{
	uint64_t rows_bytes = 0;
	int error = segment_header_parse(fields, out, reason);

	if (error != 0)
		return error;
	if (!text_number(fields[SEGMENT_BUFFERS], &rows_bytes) ||
	    rows_bytes > (uint64_t)HAUL_DESCRIPTOR_BUFFERS_MAX * BUFFER_ROW_BYTES)
		return malformed("buffers", reason);
	out->buffer_count = (uint32_t)(rows_bytes / BUFFER_ROW_BYTES);
	return 0;
}

/* What only a whole record has: a listing has no use for it. */
static int segment_secret_parse(const struct text *fields, struct haul_descriptor *out,
				char *reason)
{
	uint64_t number = 0;

	if (!text_number(fields[SEGMENT_NUMBER], &number) || number > UINT32_MAX)
		return malformed("number", reason);
	out->number = (uint32_t)number;
	return key_parse(fields[SEGMENT_KEY], out->key) ? 0 : malformed("key", reason);
}

/* Fill what stands behind the header. */
static int segment_body_parse(const struct text *fields, const struct haul_address *addresses,
			      struct haul_descriptor *out, char *reason)
{
	void *behind = out + 1;
	struct haul_descriptor_buffer *buffers = behind;
	size_t address_bytes = out->address_count * sizeof(*addresses);

	if (!buffer_rows_parse(fields[SEGMENT_BUFFERS], buffers))
		return malformed("buffers", reason);
	memcpy(buffers + out->buffer_count, addresses, address_bytes);
	return 0;
}

int segment_parse(const struct text fields[SEGMENT_FIELD_COUNT], struct haul_descriptor **out,
		  size_t *length_out, char *reason)
{
	struct haul_address addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX];
	struct haul_descriptor header, *descriptor = NULL;
	unsigned int address_count = 0;
	size_t length = 0;
	int error = segment_header_parse(fields, &header, reason);

	if (error == 0)
		error = segment_secret_parse(fields, &header, reason);
	if (error != 0)
		return error;
	if (!address_rows_parse(fields[SEGMENT_ADDRESSES], addresses, &address_count))
		return malformed("addresses", reason);
	header.buffer_count = buffer_rows_count(fields[SEGMENT_BUFFERS]);
	if (header.buffer_count == UINT32_MAX)
		return malformed("buffers", reason);
	header.address_count = address_count;
	length = descriptor_bytes(header.buffer_count, header.address_count);
	descriptor = malloc(length);
	if (descriptor == NULL)
		return -ENOMEM;
	*descriptor = header;
	error = segment_body_parse(fields, addresses, descriptor, reason);
	if (error == 0 && descriptor_check(descriptor, length, reason) != 0)
		error = -HAUL_CORRUPT;
	if (error != 0) {
		free(descriptor);
		return error;
	}
	*out = descriptor;
	*length_out = length;
	return 0;
}
