/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Buffers of a segment: their states, their check and their rows in Redis.
 *
 * A row is of fixed width: "OFFSET16 LENGTH16 REGION12 RR SS\n", all hexadecimal: offset, length, the owner's region
 * handle (48 bits), rights and state.
 */
#ifndef MODEL_BUFFER_H
#define MODEL_BUFFER_H

#include "api/haul_control.h"
#include "controlplane/model/text.h"

/** Bytes of one row. */
#define BUFFER_ROW_BYTES 53u

/** The word of a state; "unknown" for what is none. */
const char *buffer_state_word(uint32_t state);

/** Format rows; out has room for count * BUFFER_ROW_BYTES + 1. Returns the bytes, without the final zero. */
size_t buffer_rows_format(const struct haul_descriptor_buffer *buffers, uint32_t count, char *out);

/** The number of rows in a text, or UINT32_MAX when its length is none of whole rows or above the maximum. */
uint32_t buffer_rows_count(struct text rows);

/** Parse all rows of a text into as many buffers; only the notation is checked. */
bool buffer_rows_parse(struct text rows, struct haul_descriptor_buffer *buffers_out);

#endif
