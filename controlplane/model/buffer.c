/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * There may be 65,536 buffers, so rows have a fixed width: parsing is one pass without a search, and a row that is cut
 * short is found by the length alone.
 */
#include "controlplane/model/buffer.h"

#include "api/haul_attach.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Columns of a row. */
enum {
	ROW_OFFSET = 0,
	ROW_LENGTH = 17,
	ROW_REGION = 34,
	ROW_RIGHTS = 47,
	ROW_STATE = 50,
	ROW_END = 52,
};

_Static_assert(ROW_END + 1 == BUFFER_ROW_BYTES, "a row ends with its line feed");

const char *buffer_state_word(uint32_t state)
{
	return state == HAUL_BUFFER_ACTIVE ? "active" : "unknown";
}

size_t buffer_rows_format(const struct haul_descriptor_buffer *buffers, uint32_t count, char *out)
{
	char *at = out;

	*at = '\0';
	for (uint32_t i = 0; i < count; i++) {
		at += snprintf(at, BUFFER_ROW_BYTES + 1,
			       "%016" PRIx64 " %016" PRIx64 " %012" PRIx64 " %02x %02x\n",
			       buffers[i].offset, buffers[i].length, buffers[i].region,
			       buffers[i].rights, buffers[i].state);
	}
	return (size_t)(at - out);
}

uint32_t buffer_rows_count(struct text rows)
{
	size_t count = rows.length / BUFFER_ROW_BYTES;

	if (rows.length % BUFFER_ROW_BYTES != 0 || count > HAUL_DESCRIPTOR_BUFFERS_MAX)
		return UINT32_MAX;
	return (uint32_t)count;
}

static bool buffer_row_parse(const char *row, struct haul_descriptor_buffer *out)
{
	uint64_t rights, state;

	if (row[ROW_LENGTH - 1] != ' ' || row[ROW_REGION - 1] != ' ' ||
	    row[ROW_RIGHTS - 1] != ' ' || row[ROW_STATE - 1] != ' ' || row[ROW_END] != '\n')
		return false;
	if (!text_hexadecimal(row + ROW_OFFSET, 16, &out->offset) ||
	    !text_hexadecimal(row + ROW_LENGTH, 16, &out->length) ||
	    !text_hexadecimal(row + ROW_REGION, 12, &out->region) ||
	    !text_hexadecimal(row + ROW_RIGHTS, 2, &rights) ||
	    !text_hexadecimal(row + ROW_STATE, 2, &state))
		return false;
	out->rights = (uint32_t)rights;
	out->state = (uint32_t)state;
	return true;
}

bool buffer_rows_parse(struct text rows, struct haul_descriptor_buffer *buffers_out)
{
	uint32_t count = buffer_rows_count(rows);

	if (count == UINT32_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!buffer_row_parse(rows.bytes + (size_t)i * BUFFER_ROW_BYTES, &buffers_out[i]))
			return false;
	}
	return true;
}
