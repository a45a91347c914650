/* SPDX-License-Identifier: BSD-3-Clause */
/* Extents of divided buffers; extent.h says what they are for. */
#include "control/extent.h"

#include "base/check.h"
#include "base/trace.h"
#include "control/buffer.h"
#include "control/node.h"
#include "control/quota.h"
#include "control/rings.h"

#include <stdio.h>
#include <stdlib.h>

static struct extent **extent_slot(const struct node *node, uint64_t region)
{
	return &node->extents[region_slot(region)];
}

/* Extents come and go too often for the trace: it has those whose end cut something off. */
static void extent_trace(const struct extent *extent)
{
	struct trace_event event = { .kind = TRACE_BUFFER,
				     .segment = extent->buffer->segment->name,
				     .number = extent->region,
				     .from = "draining",
				     .to = "gone" };
	char why[TRACE_WHY_BYTES];

	if (extent->drain.end == DRAIN_COUNTER_EMPTY)
		return;
	(void)snprintf(why, sizeof(why), "an extent's drain ended: %s",
		       drain_end_text(extent->drain.end));
	event.why = why;
	trace_write(&event);
}

/* Nothing touches it any more. */
static void extent_drained(struct drain *drain)
{
	struct extent *extent = CONTAINER_OF(drain, struct extent, drain);
	struct buffer *buffer = extent->buffer;
	struct node *node = buffer->segment->node;
	struct asker asker = extent->asker;

	extent_trace(extent);
	*extent_slot(node, extent->region) = NULL;
	region_release(&node->engine.regions, extent->region);
	TAILQ_REMOVE(&buffer->extents, extent, link);
	space_give(&buffer->space, extent->offset);
	buffer->segment->client->buffers--;
	free(extent);
	buffer_extent_gone(buffer);
	/* Its place and its quota are free when it is told. */
	asker_tell(&asker, 0);
}

void extent_drain(struct extent *extent)
{
	if (extent->is_draining)
		return;
	extent->is_draining = true;
	drain_begin(&extent->drain, extent->buffer->segment->node, extent->region, extent_drained);
}

void extent_retire(struct asker *asker, uint64_t region)
{
	struct extent *extent = NULL;

	if (region_slot(region) < ENGINE_REGIONS_MAX)
		extent = *extent_slot(asker->client->node, region);
	if (extent == NULL || extent->region != region ||
	    extent->buffer->segment->client != asker->client) {
		asker_refuse(asker, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION,
			     "this client has no extent with region %012lx", (unsigned long)region);
		return;
	}
	if (extent->is_draining) {
		asker_refuse(asker, HAUL_STALE, HAUL_REASON_BUFFER_GONE,
			     "the extent with region %012lx is being retired already",
			     (unsigned long)region);
		return;
	}
	extent->asker = *asker;
	extent_drain(extent);
}

/* May this range of the buffer become one? False when the refusal has been told. */
static bool extent_is_allowed(struct asker *asker, const struct buffer *buffer,
			      const struct space_range *range)
{
	const struct space_range *other;
	const char *name;

	if (buffer == NULL || buffer->state != BUFFER_ACTIVE || buffer->is_leaving ||
	    !buffer->is_divided) {
		asker_refuse(asker, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION,
			     "this client has no divided buffer with that region");
		return false;
	}
	name = buffer->segment->name;
	if (range->bytes == 0 || range->bytes > buffer->pages.bytes ||
	    range->offset > buffer->pages.bytes - range->bytes) {
		asker_refuse(asker, HAUL_RANGE, HAUL_REASON_LOCAL_RANGE,
			     "segment %s: %lu bytes at %lu do not lie inside a buffer of %lu", name,
			     (unsigned long)range->bytes, (unsigned long)range->offset,
			     (unsigned long)buffer->pages.bytes);
		return false;
	}
	other = space_overlap(&buffer->space, range->offset, range->bytes);
	if (other == NULL)
		return true;
	asker_refuse(asker, HAUL_EXISTS, HAUL_REASON_LOCAL_RANGE,
		     "segment %s: %lu bytes at %lu overlap the extent of %lu bytes at %lu", name,
		     (unsigned long)range->bytes, (unsigned long)range->offset,
		     (unsigned long)other->bytes, (unsigned long)other->offset);
	return false;
}

/* Its slot in the table of regions; REGION_NONE when there is none. */
static uint64_t extent_register(const struct buffer *buffer, const struct space_range *range)
{
	struct node *node = buffer->segment->node;
	struct region_spec spec;
	uint64_t region;

	buffer_fill_spec(buffer, &spec);
	spec.base = (char *)spec.base + range->offset;
	spec.length = range->bytes;
	spec.rights = buffer_rights(buffer);
	region = region_add(&node->engine.regions, &spec);
	if (region != REGION_NONE)
		region_set_version(&node->engine.regions, region, buffer->segment->version);
	return region;
}

/* Returns it, with its place and its region; NULL when there is no room for one of them. */
static struct extent *extent_make(struct buffer *buffer, struct space_range *range)
{
	struct extent *extent = calloc(1, sizeof(*extent));
	void *before;

	if (extent == NULL)
		return NULL;
	extent->buffer = buffer;
	extent->offset = range->offset;
	range->holder = extent;
	if (space_take(&buffer->space, range, &before) != 0) {
		free(extent);
		return NULL;
	}
	extent->region = extent_register(buffer, range);
	if (extent->region == REGION_NONE) {
		space_give(&buffer->space, range->offset);
		free(extent);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&buffer->extents, extent, link);
	*extent_slot(buffer->segment->node, extent->region) = extent;
	buffer->segment->client->buffers++;
	return extent;
}

void extent_publish(struct asker *asker, uint64_t region, uint64_t offset, uint64_t bytes)
{
	struct buffer *buffer = buffer_find(asker->client, region);
	struct space_range range = { .offset = offset, .bytes = bytes };
	struct extent *extent;

	if (!extent_is_allowed(asker, buffer, &range))
		return;
	if (!quota_has_buffer(asker->client)) {
		asker_refuse(asker, HAUL_QUOTA, HAUL_REASON_NONE,
			     "uid %u has as many buffers and extents as it may: %u",
			     asker->client->uid, asker->client->buffers);
		return;
	}
	extent = extent_make(buffer, &range);
	if (extent != NULL) {
		asker_tell(asker, extent->region);
		return;
	}
	asker_refuse(asker, HAUL_BUSY, HAUL_REASON_POOL,
		     "no memory for an extent, or all %u regions of this daemon are in use",
		     ENGINE_REGIONS_MAX);
}
