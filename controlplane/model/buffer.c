/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * There may be 65,536 buffers, so rows have a fixed width: parsing is one pass without a search, and a row that is cut
 * short is found by the length alone.
 */
#include "controlplane/model/buffer.h"

#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The one table: row = state before, column = state behind. segment_publish.lua says the same of rows. */
static const bool transitions[3][3] = {
	[BUFFER_ABSENT] = { [BUFFER_ABSENT] = true, [HAUL_BUFFER_ACTIVE] = true },
	[HAUL_BUFFER_ACTIVE] = { [HAUL_BUFFER_ACTIVE] = true, [HAUL_BUFFER_DRAINING] = true },
	[HAUL_BUFFER_DRAINING] = { [HAUL_BUFFER_DRAINING] = true, [BUFFER_ABSENT] = true },
};

const char *buffer_state_word(uint32_t state)
{
	static const char *const words[] = { "absent", "active", "draining" };

	return state < ARRAY_SIZE(words) ? words[state] : "unknown";
}

bool buffer_transition_is_legal(uint32_t from, uint32_t to)
{
	return from < ARRAY_SIZE(transitions) && to < ARRAY_SIZE(transitions[0]) &&
	       transitions[from][to];
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

/* Both walks of buffer_sets_check go through the sets side by side, by offset. */
struct buffer_pair {
	const struct haul_descriptor_buffer *before; /* NULL: not there before */
	const struct haul_descriptor_buffer *after;  /* NULL: not there behind */
};

struct buffer_walk {
	struct buffer_set before;
	struct buffer_set after;
	uint32_t before_index;
	uint32_t after_index;
};

/* The same buffer, in two publications. */
static bool buffer_is_same(const struct haul_descriptor_buffer *a,
			   const struct haul_descriptor_buffer *b)
{
	if (a->region != 0 || b->region != 0)
		return a->region == b->region;
	return a->length == b->length && a->rights == b->rights;
}

/* The next pair; false at the end. Two buffers that follow each other at one offset come one by one. */
static bool walk_next(struct buffer_walk *walk, struct buffer_pair *pair)
{
	bool has_before = walk->before_index < walk->before.count;
	bool has_after = walk->after_index < walk->after.count;
	const struct haul_descriptor_buffer *before = NULL, *after = NULL;

	if (has_before)
		before = &walk->before.buffers[walk->before_index];
	if (has_after)
		after = &walk->after.buffers[walk->after_index];
	if (has_before && has_after && before->offset != after->offset) {
		if (before->offset < after->offset)
			after = NULL;
		else
			before = NULL;
	} else if (has_before && has_after && !buffer_is_same(before, after)) {
		after = NULL;
	}
	walk->before_index += before != NULL ? 1 : 0;
	walk->after_index += after != NULL ? 1 : 0;
	pair->before = before;
	pair->after = after;
	return before != NULL || after != NULL;
}

static int pair_check(const struct buffer_pair *pair, char *reason)
{
	const struct haul_descriptor_buffer *one =
		pair->before != NULL ? pair->before : pair->after;
	uint32_t from = pair->before != NULL ? pair->before->state : BUFFER_ABSENT;
	uint32_t to = pair->after != NULL ? pair->after->state : BUFFER_ABSENT;

	if (pair->before != NULL && pair->after != NULL &&
	    (pair->before->length != pair->after->length ||
	     pair->before->rights != pair->after->rights)) {
		(void)snprintf(reason, HAUL_REASON_BYTES,
			       "the buffer at %" PRIu64
			       " changes its length or rights and keeps region %012" PRIx64
			       "; another one needs another handle",
			       one->offset, one->region);
		return -HAUL_INVALID;
	}
	if (buffer_transition_is_legal(from, to))
		return 0;
	(void)snprintf(reason, HAUL_REASON_BYTES,
		       "the buffer at %" PRIu64 " goes from %s to %s; legal is absent, active, "
		       "draining, absent",
		       one->offset, buffer_state_word(from), buffer_state_word(to));
	return -HAUL_INVALID;
}

static int handle_compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* The handles of the buffers that went, in order. Returns how many. */
static uint32_t handles_gone(struct buffer_walk walk, uint64_t *handles)
{
	struct buffer_pair pair;
	uint32_t count = 0;

	while (walk_next(&walk, &pair)) {
		if (pair.after == NULL && pair.before->region != 0)
			handles[count++] = pair.before->region;
	}
	qsort(handles, count, sizeof(*handles), handle_compare);
	return count;
}

/* A handle whose buffer went in this publication must not name another buffer in it. */
static int handles_check(struct buffer_walk walk, const uint64_t *handles, uint32_t count,
			 char *reason)
{
	struct buffer_pair pair;

	while (walk_next(&walk, &pair)) {
		if (pair.before != NULL || bsearch(&pair.after->region, handles, count,
						   sizeof(*handles), handle_compare) == NULL)
			continue;
		(void)snprintf(reason, HAUL_REASON_BYTES,
			       "region %012" PRIx64 " moves to offset %" PRIu64
			       "; another buffer needs another handle",
			       pair.after->region, pair.after->offset);
		return -HAUL_INVALID;
	}
	return 0;
}

int buffer_sets_check(struct buffer_set before, struct buffer_set after, char *reason)
{
	const struct buffer_walk begin = { .before = before, .after = after };
	struct buffer_walk walk = begin;
	struct buffer_pair pair;
	uint64_t *handles = NULL;
	uint32_t gone = 0;
	int error = 0;

	while (error == 0 && walk_next(&walk, &pair)) {
		error = pair_check(&pair, reason);
		gone += pair.after == NULL ? 1 : 0;
	}
	if (error != 0 || gone == 0)
		return error;
	handles = malloc(gone * sizeof(*handles));
	if (handles == NULL)
		return -ENOMEM;
	gone = handles_gone(begin, handles);
	error = handles_check(begin, handles, gone, reason);
	free(handles);
	return error;
}
