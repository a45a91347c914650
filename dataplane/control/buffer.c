/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers of segments; buffer.h has the picture of their life. */
#include "control/buffer.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/trace.h"
#include "control/node.h"
#include "control/rings.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The legal transitions, one bit a target state. */
static const uint8_t buffer_transitions[BUFFER_STATE_COUNT] = {
	[BUFFER_NONE] = 1 << BUFFER_REGISTERING,
	[BUFFER_REGISTERING] = 1 << BUFFER_ACTIVE | 1 << BUFFER_GONE,
	[BUFFER_ACTIVE] = 1 << BUFFER_DRAINING,
	[BUFFER_DRAINING] = 1 << BUFFER_GONE,
};

static void buffer_set_state(struct buffer *buffer, enum buffer_state state, const char *why)
{
	static const char *const words[BUFFER_STATE_COUNT] = {
		[BUFFER_NONE] = "none",     [BUFFER_REGISTERING] = "registering",
		[BUFFER_ACTIVE] = "active", [BUFFER_DRAINING] = "draining",
		[BUFFER_GONE] = "gone",
	};
	struct trace_event event = { .kind = TRACE_BUFFER,
				     .segment = buffer->segment->name,
				     .number = buffer->region,
				     .from = words[buffer->state],
				     .to = words[state],
				     .why = why };

	BUG_ON((buffer_transitions[buffer->state] & 1u << state) == 0);
	buffer->state = state;
	trace_write(&event);
}

/* Its slot in the node's table, by which it is found. */
static struct buffer **buffer_slot(const struct buffer *buffer)
{
	return &buffer->segment->node->buffers[region_slot(buffer->region)];
}

void buffer_reap(struct buffer *buffer)
{
	struct segment *segment = buffer->segment;
	struct node *node = segment->node;

	TAILQ_REMOVE(&node->buffers_over, buffer, over);
	TAILQ_REMOVE(&segment->buffers, buffer, link);
	space_give(&segment->space, buffer->offset);
	segment->buffer_count--;
	segment->client->buffers--;
	segment->client->bytes -= buffer->pages.bytes;
	if (buffer->region != REGION_NONE) {
		*buffer_slot(buffer) = NULL;
		region_release(&node->engine.regions, buffer->region);
	}
	/* Its place, its quota and its slot are free when it is told. */
	asker_tell(&buffer->asker, 0);
	space_destroy(&buffer->space);
	free(buffer);
	segment_settle(segment);
}

/* Gone, and something that it waited for has come. */
static void buffer_settle(struct buffer *buffer)
{
	struct node *node = buffer->segment->node;

	if (!buffer->is_freed || buffer->is_untold || buffer->is_over)
		return;
	buffer->is_over = true;
	TAILQ_INSERT_TAIL(&node->buffers_over, buffer, over);
	event_active(node->reaper, EV_TIMEOUT, 1);
}

/* Long lane: give the pages back, which takes time for many. */
static void buffer_run_free(struct job *job)
{
	struct buffer *buffer = CONTAINER_OF(job, struct buffer, job);

	pages_free(&buffer->pages);
}

static void buffer_freed(struct job *job)
{
	struct buffer *buffer = CONTAINER_OF(job, struct buffer, job);

	buffer->is_freed = true;
	buffer_settle(buffer);
}

/* Nothing touches it any more. */
static void buffer_free_pages(struct drain *drain)
{
	struct buffer *buffer = CONTAINER_OF(drain, struct buffer, drain);

	fault_range_remove(buffer->fault_id);
	buffer->fault_id = FAULT_NONE;
	buffer->job.run = buffer_run_free;
	buffer->job.done = buffer_freed;
	job_submit(&buffer->segment->node->lane_long, &buffer->job);
}

/* Why its segment goes, and it with that. */
static const char *buffer_why_abandoned(const struct buffer *buffer)
{
	return buffer->segment->client->fd < 0 ? "its client is gone" : "its segment goes";
}

/* Neither its own region nor an extent is touched any more: the row goes while the pages do. */
static void buffer_go(struct buffer *buffer)
{
	struct segment *segment = buffer->segment;

	char why[TRACE_WHY_BYTES];

	(void)snprintf(why, sizeof(why), "drain ended%s: %s",
		       segment->client->fd < 0 ? ", its client is gone" : "",
		       drain_end_text(buffer->drain.end));
	buffer_set_state(buffer, BUFFER_GONE, why);
	/* The record of a segment that goes is erased as a whole. */
	buffer->is_untold = segment->state != SEGMENT_RETIRING;
	if (buffer->is_untold)
		segment_change(segment);
	buffer_free_pages(&buffer->drain);
}

void buffer_extent_gone(struct buffer *buffer)
{
	if (buffer->is_drained && TAILQ_EMPTY(&buffer->extents))
		buffer_go(buffer);
}

static void buffer_drained(struct drain *drain)
{
	struct buffer *buffer = CONTAINER_OF(drain, struct buffer, drain);

	buffer->is_drained = true;
	buffer_extent_gone(buffer);
}

/* From now on it takes no new operation. */
static void buffer_drain(struct buffer *buffer, const char *why)
{
	struct extent *extent;

	buffer_set_state(buffer, BUFFER_DRAINING, why);
	buffer->is_leaving = false;
	buffer->is_untold = false;
	drain_begin(&buffer->drain, buffer->segment->node, buffer->region, buffer_drained);
	TAILQ_FOREACH(extent, &buffer->extents, link)
	extent_drain(extent);
}

/* One that never was ACTIVE: refuse it at once, and free it when the workers have gone round. */
static void buffer_retire(struct buffer *buffer, const char *why)
{
	buffer_set_state(buffer, BUFFER_GONE, why);
	buffer->is_untold = false;
	drain_cut(&buffer->drain, buffer->segment->node, buffer->region, buffer_free_pages);
}

/*
 * It cannot be had. Retired first of all, since a client that takes no answer is ended at once, with all that it has and
 * is not retired.
 */
__attribute__((format(printf, 3, 4))) static void buffer_fail(struct buffer *buffer,
							      enum haul_error status,
							      const char *format, ...)
{
	struct client *client = buffer->segment->client;
	char reason[HAUL_REASON_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	buffer_retire(buffer, reason);
	segment_buffer_failed(buffer->segment);
	client_refuse(client, status, "%s", reason);
}

static void buffer_answer(struct buffer *buffer)
{
	struct segment *segment = buffer->segment;
	struct haul_attach_segment_create_answer message = { 0 };

	message.bytes = buffer->pages.bytes;
	message.region = buffer->region;
	message.version = segment->version;
	message.offset = buffer->offset;
	message.segment = segment->number;
	message.page_bytes = buffer->pages.page_bytes;
	client_answer(segment->client, HAUL_OK, &message, sizeof(message), &buffer->pages.fd,
		      buffer->pages.is_given ? 0 : 1);
	/* The client has it, and we have the mapping. */
	close(buffer->pages.fd);
	buffer->pages.fd = -1;
}

uint32_t buffer_rights(const struct buffer *buffer)
{
	if (buffer->segment->is_private)
		return 0;
	return buffer->pages.is_read_only ? HAUL_RIGHT_READ : HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
}

/* The state that its row has in the next publication; 0 = it has none. */
static uint32_t buffer_row_state(const struct buffer *buffer)
{
	switch (buffer->state) {
	case BUFFER_REGISTERING:
		return buffer->is_untold ? HAUL_BUFFER_ACTIVE : 0;
	case BUFFER_ACTIVE:
		/* All of a segment that is to go drains, also what could not when it was removed by itself. */
		return buffer->is_leaving || buffer->segment->state == SEGMENT_CLOSING
			       ? HAUL_BUFFER_DRAINING
			       : HAUL_BUFFER_ACTIVE;
	case BUFFER_DRAINING:
		return HAUL_BUFFER_DRAINING;
	default:
		return 0;
	}
}

bool buffer_describe(struct buffer *buffer, struct haul_descriptor_buffer *row_out)
{
	uint32_t state = buffer_row_state(buffer);

	buffer->is_described = buffer->is_untold;
	if (state == 0)
		return false;
	row_out->offset = buffer->offset;
	row_out->length = buffer->pages.bytes;
	row_out->region = buffer->is_divided ? REGION_NONE : buffer->region;
	row_out->rights = buffer_rights(buffer);
	row_out->state = state;
	return true;
}

/* DRAINING could not be published: it stays, and whoever asked is told so. */
static void buffer_stay(struct buffer *buffer, const struct link_answer *answer)
{
	buffer->is_leaving = false;
	asker_refuse(&buffer->asker, answer->status, HAUL_REASON_NOT_PUBLISHED,
		     "segment %s: the buffer at %lu stays as it was: %.80s", buffer->segment->name,
		     (unsigned long)buffer->offset, answer->reason);
}

void buffer_told(struct buffer *buffer, const struct link_answer *answer)
{
	bool is_done = answer->status == HAUL_OK;

	buffer->is_untold = false;
	buffer->is_described = false;
	if (buffer->state == BUFFER_GONE) {
		buffer_settle(buffer);
	} else if (buffer->state == BUFFER_ACTIVE && is_done) {
		buffer_drain(buffer, buffer->segment->is_private ? "its removal was asked for"
								 : "its removal is published");
	} else if (buffer->state == BUFFER_ACTIVE) {
		buffer_stay(buffer, answer);
	} else if (is_done) {
		buffer_set_state(buffer, BUFFER_ACTIVE,
				 buffer->segment->is_private ? "registered"
							     : "registered and published");
		buffer_answer(buffer);
	} else {
		buffer_fail(buffer, answer->status, "%s", answer->reason);
	}
}

void buffer_leave(struct buffer *buffer)
{
	/* What is being published of its leaving already is told when that has come to its end. */
	if (buffer->state != BUFFER_ACTIVE || buffer->is_leaving)
		return;
	buffer->is_leaving = true;
	buffer->is_untold = true;
	buffer->is_described = false;
}

struct buffer *buffer_find(const struct client *client, uint64_t region)
{
	struct buffer *buffer = NULL;

	if (region_slot(region) < ENGINE_REGIONS_MAX)
		buffer = client->node->buffers[region_slot(region)];
	if (buffer == NULL || buffer->region != region || buffer->segment->client != client)
		return NULL;
	return buffer;
}

void buffer_remove(struct asker *asker, uint64_t region)
{
	struct buffer *buffer = buffer_find(asker->client, region);
	struct segment *segment = buffer != NULL ? buffer->segment : NULL;

	if (buffer == NULL || buffer->state == BUFFER_REGISTERING) {
		asker_refuse(asker, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION,
			     "this client has no buffer with region %012lx", (unsigned long)region);
		return;
	}
	if (buffer->state != BUFFER_ACTIVE || buffer->is_leaving ||
	    segment->state != SEGMENT_OPEN) {
		asker_refuse(asker, HAUL_STALE, HAUL_REASON_BUFFER_GONE,
			     "segment %s: the buffer at %lu is being removed already",
			     segment->name, (unsigned long)buffer->offset);
		return;
	}
	buffer->asker = *asker;
	buffer_leave(buffer);
	segment_change(segment);
}

void buffer_forget(struct buffer *buffer)
{
	struct extent *extent;

	TAILQ_FOREACH(extent, &buffer->extents, link)
	asker_forget(&extent->asker);
	asker_forget(&buffer->asker);
}

void buffer_abandon(struct buffer *buffer)
{
	switch (buffer->state) {
	case BUFFER_REGISTERING:
		/* One that is being made goes when its job is done. */
		if (buffer->is_untold)
			buffer_retire(buffer, buffer_why_abandoned(buffer));
		break;
	case BUFFER_ACTIVE:
		buffer_drain(buffer, buffer_why_abandoned(buffer));
		break;
	case BUFFER_GONE:
		buffer->is_untold = false;
		buffer_settle(buffer);
		break;
	default:
		break;
	}
}

bool buffer_is_poisoned(const struct buffer *buffer)
{
	return buffer->fault_id != FAULT_NONE && fault_poisoned(buffer->fault_id);
}

/* Long lane: the memory, and its first pages; buffer_made asks for the others. */
static void buffer_run_make(struct job *job)
{
	struct buffer *buffer = CONTAINER_OF(job, struct buffer, job);

	pages_map(&buffer->pages, buffer->segment->node->conf->huge_pages);
	if (buffer->pages.error == 0)
		pages_populate(&buffer->pages);
}

static void buffer_run_populate(struct job *job)
{
	pages_populate(&CONTAINER_OF(job, struct buffer, job)->pages);
}

/* Guard what a job has made, here, where all ranges are added and removed. */
static void buffer_guard(struct buffer *buffer)
{
	if (buffer->pages.error == 0)
		buffer->pages.error = fault_range_add(buffer->pages.address, buffer->pages.bytes,
						      buffer->pages.page_bytes, &buffer->fault_id);
}

void buffer_fill_spec(const struct buffer *buffer, struct region_spec *spec_out)
{
	const struct segment *segment = buffer->segment;

	*spec_out = (struct region_spec){
		.base = buffer->pages.address,
		.length = buffer->pages.bytes,
		.owner = segment->client->number,
		.is_read_only = buffer->pages.is_read_only,
		.segment = segment->number,
		.fault_id = buffer->fault_id,
		.notices = &segment->client->rings->channel.notices,
	};
}

void buffer_note_version(const struct buffer *buffer, uint64_t version)
{
	struct region_table *regions = &buffer->segment->node->engine.regions;
	const struct extent *extent;

	if (buffer->region != REGION_NONE)
		region_set_version(regions, buffer->region, version);
	TAILQ_FOREACH(extent, &buffer->extents, link)
	region_set_version(regions, extent->region, version);
}

static bool buffer_register(struct buffer *buffer)
{
	struct segment *segment = buffer->segment;
	struct region_spec spec;

	buffer_fill_spec(buffer, &spec);
	spec.rights = buffer->is_divided ? 0 : buffer_rights(buffer);
	buffer->region = region_add(&segment->node->engine.regions, &spec);
	if (buffer->region == REGION_NONE)
		return false;
	*buffer_slot(buffer) = buffer;
	return true;
}

static void buffer_warn_of_locks(const struct buffer *buffer)
{
	struct node *node = buffer->segment->node;

	if (buffer->pages.error != 0 || !buffer->pages.is_unlocked)
		return;
	log_limited(&node->lock_limit, LOG_LEVEL_WARNING, "buffer",
		    "segment %s: %lu bytes cannot be locked: raise LimitMEMLOCK, or they may be "
		    "swapped out",
		    buffer->segment->name, (unsigned long)buffer->pages.bytes);
}

/* There are no pages. */
static void buffer_fail_of_pages(struct buffer *buffer)
{
	const struct segment *segment = buffer->segment;

	buffer_fail(buffer, HAUL_SYSTEM, "segment %s: %lu bytes of memory: %s%s", segment->name,
		    (unsigned long)buffer->pages.bytes, strerrordesc_np(-buffer->pages.error),
		    segment->node->conf->huge_pages == CONF_HUGE_REQUIRE
			    ? "; huge_pages is \"require\" and there are not enough"
			    : "");
}

static void buffer_made(struct job *job)
{
	struct buffer *buffer = CONTAINER_OF(job, struct buffer, job);
	struct segment *segment = buffer->segment;

	if (segment->client->fd >= 0 && !pages_are_done(&buffer->pages)) {
		/* Behind what else waits in the lane. */
		buffer->job.run = buffer_run_populate;
		job_submit(&segment->node->lane_long, &buffer->job);
		return;
	}
	buffer_guard(buffer);
	buffer_warn_of_locks(buffer);
	if (segment->client->fd < 0) {
		buffer_retire(buffer, buffer_why_abandoned(buffer));
	} else if (buffer->pages.error != 0) {
		buffer_fail_of_pages(buffer);
	} else if (!buffer_register(buffer)) {
		buffer_fail(buffer, HAUL_BUSY, "all %u regions of this daemon are in use",
			    ENGINE_REGIONS_MAX);
	} else {
		buffer->is_untold = true;
		segment_change(segment);
	}
}

uint64_t buffer_round(uint64_t bytes, bool is_given, uint32_t huge_pages)
{
	bool is_huge = bytes >= HUGE_PAGE_BYTES || huge_pages == CONF_HUGE_REQUIRE;
	uint64_t page_bytes = is_huge ? HUGE_PAGE_BYTES : PAGE_BYTES;

	/* What is given is as large as it is. */
	return is_given ? bytes : (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

/* Is the memory that came fit to be used? Then it is the buffer's; else the refusal has been answered. */
static bool buffer_take_given(struct buffer *buffer, int *given)
{
	char reason[HAUL_REASON_BYTES];
	enum haul_error error;

	error = pages_check_given(*given, buffer->pages.bytes, buffer->pages.is_read_only,
				  &buffer->pages.page_bytes, reason);
	if (error != HAUL_OK) {
		client_refuse(buffer->segment->client, error,
			      "segment %s: the memory given: %.120s", buffer->segment->name,
			      reason);
		return false;
	}
	buffer->pages.fd = *given;
	*given = -1;
	return true;
}

/* Its place in the segment, which is free. False when the refusal has been answered. */
static bool buffer_take_space(struct buffer *buffer)
{
	struct segment *segment = buffer->segment;
	const struct space_range range = { .offset = buffer->offset,
					   .bytes = buffer->pages.bytes,
					   .holder = buffer };
	void *before;

	if (space_take(&segment->space, &range, &before) != 0) {
		client_refuse(segment->client, HAUL_SYSTEM, "segment %s: out of memory",
			      segment->name);
		return false;
	}
	if (before != NULL)
		TAILQ_INSERT_AFTER(&segment->buffers, (struct buffer *)before, buffer, link);
	else
		TAILQ_INSERT_HEAD(&segment->buffers, buffer, link);
	return true;
}

bool buffer_make(struct segment *segment, const struct buffer_spec *spec, int *given)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	if (buffer == NULL) {
		client_refuse(segment->client, HAUL_SYSTEM, "segment %s: out of memory",
			      segment->name);
		return false;
	}
	buffer->segment = segment;
	buffer->offset = spec->offset;
	buffer->fault_id = FAULT_NONE;
	buffer->pages.fd = -1;
	buffer->pages.bytes = spec->bytes;
	buffer->pages.is_given = spec->is_given;
	buffer->pages.is_read_only = spec->is_read_only;
	buffer->is_divided = spec->is_divided;
	buffer->space.bytes = spec->bytes;
	TAILQ_INIT(&buffer->extents);
	if (spec->is_given && !buffer_take_given(buffer, given)) {
		free(buffer);
		return false;
	}
	if (!buffer_take_space(buffer)) {
		if (buffer->pages.fd >= 0)
			close(buffer->pages.fd);
		free(buffer);
		return false;
	}
	buffer_set_state(buffer, BUFFER_REGISTERING, "asked for");
	segment->buffer_count++;
	segment->client->buffers++;
	segment->client->bytes += buffer->pages.bytes;
	buffer->job.run = buffer_run_make;
	buffer->job.done = buffer_made;
	job_submit(&segment->node->lane_long, &buffer->job);
	return true;
}
