/* SPDX-License-Identifier: BSD-3-Clause */
/* Remote segments; remote.h says who may do what on which thread. */
#include "engine/remote.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct remote_view *remote_view_make(const struct haul_descriptor *descriptor, uint32_t peer)
{
	const struct haul_descriptor_buffer *buffers = (const void *)(descriptor + 1);
	size_t bytes = descriptor->buffer_count * sizeof(*buffers);
	struct remote_view *view;

	BUG_ON(descriptor->buffer_count > HAUL_DESCRIPTOR_BUFFERS_MAX);
	view = malloc(sizeof(*view) + bytes);
	if (view == NULL)
		return NULL;
	view->version = descriptor->metadata_version;
	view->incarnation = descriptor->incarnation;
	view->bytes = descriptor->bytes;
	view->peer = peer;
	view->buffer_count = descriptor->buffer_count;
	memcpy(view->buffers, buffers, bytes);
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

enum haul_error remote_resolve(const struct remote_view *view, uint64_t offset, uint64_t length,
			       struct remote_range *range_out)
{
	const struct haul_descriptor_buffer *buffer = remote_find(view, offset);
	uint64_t inside;

	if (buffer == NULL || buffer->state != HAUL_BUFFER_ACTIVE)
		return HAUL_RANGE;
	inside = offset - buffer->offset;
	if (inside > buffer->length || length > buffer->length - inside)
		return HAUL_RANGE;
	range_out->region = buffer->region;
	range_out->offset = inside;
	return HAUL_OK;
}
