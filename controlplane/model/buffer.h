/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Buffers of a segment: their states, their check and their rows in Redis.
 *
 * A row is of fixed width: "OFFSET16 LENGTH16 REGION12 RR SS\n", all hexadecimal: offset, length, the owner's region
 * handle (48 bits; zero when the buffer is divided into extents, which stand in no record), rights and state.
 *
 * States change as the owner publishes them, and one table says how they may: absent -> ACTIVE -> DRAINING -> absent.
 * An ACTIVE buffer never just vanishes: whoever reads the record must have had the chance to see that it drains. Only
 * with its whole segment does it go at once, by erasure or with its owner's incarnation.
 */
#ifndef MODEL_BUFFER_H
#define MODEL_BUFFER_H

#include "api/haul_control.h"
#include "controlplane/model/text.h"

#include <stdbool.h>

/** Bytes of one row. */
#define BUFFER_ROW_BYTES 53u

/** The state of a buffer that stands in no descriptor: not published yet, or gone. */
#define BUFFER_ABSENT 0u

/** The word of a state; "unknown" for what is none. */
const char *buffer_state_word(uint32_t state);

/** True when a publication may bring a buffer from one state (BUFFER_ABSENT, HAUL_BUFFER_*) to another, or leave it. */
bool buffer_transition_is_legal(uint32_t from, uint32_t to);

/** A set of buffers as a descriptor has them: ascending and disjoint. */
struct buffer_set {
	const struct haul_descriptor_buffer *buffers;
	uint32_t count;
};

/**
 * May a publication replace the one set by the other? Every buffer must make a legal transition, and a region's handle
 * must keep its offset, length and rights, and be for nothing else while its buffer is known. Returns 0; -HAUL_INVALID
 * with which buffer does what, and what would be right, in reason (HAUL_REASON_BYTES); -ENOMEM.
 */
int buffer_sets_check(struct buffer_set before, struct buffer_set after, char *reason);

/** Format rows; out has room for count * BUFFER_ROW_BYTES + 1. Returns the bytes, without the final zero. */
size_t buffer_rows_format(const struct haul_descriptor_buffer *buffers, uint32_t count, char *out);

/** The number of rows in a text, or UINT32_MAX when its length is none of whole rows or above the maximum. */
uint32_t buffer_rows_count(struct text rows);

/** Parse all rows of a text into as many buffers; only the notation is checked. */
bool buffer_rows_parse(struct text rows, struct haul_descriptor_buffer *buffers_out);

#endif
