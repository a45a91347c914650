/* SPDX-License-Identifier: BSD-3-Clause */
/* Remote segments; remote.h says who may do what on which thread. */
#include "engine/remote.h"

#include "base/check.h"
#include "engine/region.h"

#include <stdlib.h>
#include <string.h>

static int remote_compare(const void *left, const void *right, void *argument)
{
	const struct haul_descriptor_buffer *buffers = argument;
	uint64_t a = buffers[*(const uint32_t *)left].region;
	uint64_t b = buffers[*(const uint32_t *)right].region;

	return a < b ? -1 : a > b;
}

static void remote_sort_regions(struct remote_view *view)
{
	for (uint32_t i = 0; i < view->buffer_count; i++)
		view->by_region[i] = i;
	qsort_r(view->by_region, view->buffer_count, sizeof(view->by_region[0]), remote_compare,
		view->buffers);
}

struct remote_view *remote_view_make(const struct haul_descriptor *descriptor, uint32_t peer)
{
	const struct haul_descriptor_buffer *buffers = (const void *)(descriptor + 1);
	size_t bytes = descriptor->buffer_count * sizeof(*buffers);
	struct remote_view *view;

	BUG_ON(descriptor->buffer_count > HAUL_DESCRIPTOR_BUFFERS_MAX);
	view = malloc(sizeof(*view) + bytes + descriptor->buffer_count * sizeof(uint32_t));
	if (view == NULL)
		return NULL;
	view->version = descriptor->metadata_version;
	view->incarnation = descriptor->incarnation;
	view->bytes = descriptor->bytes;
	view->peer = peer;
	view->segment = descriptor->number;
	view->rights = descriptor->rights;
	memcpy(view->key, descriptor->key, sizeof(view->key));
	view->buffer_count = descriptor->buffer_count;
	view->by_region = (void *)&view->buffers[view->buffer_count];
	memcpy(view->buffers, buffers, bytes);
	remote_sort_regions(view);
	return view;
}

/* The last buffer that begins at or before the offset; NULL when all begin behind it. */
static const struct haul_descriptor_buffer *remote_find(const struct remote_view *view,
							uint64_t offset)
{
	uint32_t low = 0;
	uint32_t high = view->buffer_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (view->buffers[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &view->buffers[low - 1];
}

/* Does the range, from the buffer's start, lie inside it, and may it be used? */
static enum haul_error remote_admit(const struct haul_descriptor_buffer *buffer, uint64_t inside,
				    uint64_t length, struct remote_range *range_out)
{
	if (buffer == NULL || buffer->region == REGION_NONE)
		return HAUL_RANGE;
	if (inside > buffer->length || length > buffer->length - inside)
		return HAUL_RANGE;
	if (buffer->state != HAUL_BUFFER_ACTIVE)
		return HAUL_STALE;
	range_out->region = buffer->region;
	range_out->offset = inside;
	return HAUL_OK;
}

enum haul_error remote_resolve(const struct remote_view *view, uint64_t offset, uint64_t length,
			       struct remote_range *range_out)
{
	const struct haul_descriptor_buffer *buffer = remote_find(view, offset);

	return remote_admit(buffer, buffer == NULL ? 0 : offset - buffer->offset, length,
			    range_out);
}

/* The buffer with that region; NULL when the segment has none. */
static const struct haul_descriptor_buffer *remote_find_region(const struct remote_view *view,
							       uint64_t region)
{
	uint32_t low = 0;
	uint32_t high = view->buffer_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct haul_descriptor_buffer *buffer =
			&view->buffers[view->by_region[middle]];

		if (buffer->region == region)
			return buffer;
		if (buffer->region < region)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

enum haul_error remote_resolve_region(const struct remote_view *view, uint64_t region,
				      uint64_t offset, uint64_t length,
				      struct remote_range *range_out)
{
	const struct haul_descriptor_buffer *buffer = remote_find_region(view, region);

	if (buffer != NULL || region == REGION_NONE)
		return remote_admit(buffer, offset, length, range_out);
	if (offset >= REGION_BYTES_MAX || length >= REGION_BYTES_MAX - offset)
		return HAUL_RANGE;
	range_out->region = region;
	range_out->offset = offset;
	return HAUL_OK;
}

void remote_retire(struct remote_table *table, uint32_t index)
{
	BUG_ON(index >= ENGINE_REMOTES_MAX);
	atomic_store_explicit(&table->remotes[index].state, REMOTE_RETIRED, memory_order_release);
	/* Orders the state before the number that has workers look for it. */
	atomic_fetch_add_explicit(&table->retirements, 1, memory_order_release);
}
