/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rudp calls: memory is touched at once, through the engine's table of regions; ends are noted and told later
 * (worker.h says why). `context` is the worker half.
 */
#include "base/check.h"
#include "drivers/udp/slices.h"
#include "drivers/udp/worker.h"

/* The finer cause of what a region refused to who has that right. */
static uint16_t udp_reason(enum haul_error error, const struct rudp_right *right)
{
	switch (error) {
	case HAUL_STALE:
		return HAUL_REASON_REGION_GENERATION;
	case HAUL_RANGE:
		return HAUL_REASON_REMOTE_RANGE;
	case HAUL_DENIED:
		return right->segment == 0 ? HAUL_REASON_UNPROVEN : HAUL_REASON_REMOTE_RIGHT;
	case HAUL_FAULT:
		return HAUL_REASON_MEMORY_POISONED;
	default:
		return HAUL_REASON_NONE;
	}
}

/* Which of its operation's touches a packet's is. */
static uint8_t udp_phase(uint32_t flags)
{
	if ((flags & RUDP_PLACE_FIRST) == 0)
		return TRANSPORT_NEXT;
	return (flags & RUDP_PLACE_ONLY) != 0 ? TRANSPORT_ONLY : TRANSPORT_FIRST;
}

static int udp_place(void *context, struct rudp_placement *placement)
{
	struct transport_worker *worker = context;
	struct transport_access access = {
		.region = placement->region,
		.offset = placement->offset,
		.length = placement->length,
		.not_after_us = placement->not_after_us,
		.is_remote = true,
		.phase = udp_phase(placement->flags),
		.rights = (uint8_t)placement->right.rights,
		.segment = placement->right.segment,
	};
	enum haul_error error;

	error = worker->host->place(worker->engine, &access, placement->payload,
				    &placement->version);
	if (UNLIKELY(error != HAUL_OK))
		placement->reason = udp_reason(error, &placement->right);
	return (int)error;
}

static int udp_notify(void *context, struct rudp_notification *notification)
{
	struct transport_worker *worker = context;
	const struct rudp_params *params = rudp_connection_params(notification->connection);
	struct transport_notice notice = {
		.access = { .region = notification->region,
			    .offset = notification->offset,
			    .length = notification->notice.written,
			    .not_after_us = notification->not_after_us,
			    .is_remote = true,
			    .rights = (uint8_t)notification->right.rights,
			    .segment = notification->right.segment },
		.node = params->name,
		.incarnation = params->incarnation,
		.number = notification->notice.number,
		.value = notification->notice.value,
		.tag = notification->notice.tag,
		.worker = notification->notice.worker,
	};
	struct transport_refusal refusal = { 0 };
	enum haul_error error = worker->host->notify(worker->engine, &notice, &refusal);

	notification->version = refusal.version;
	notification->reason = refusal.reason != HAUL_REASON_NONE
				       ? (uint16_t)refusal.reason
				       : udp_reason(error, &notification->right);
	return (int)error;
}

/* The region is looked at again by each source of the READ. */
static int udp_open(void *context, struct rudp_opening *opening)
{
	struct transport_worker *worker = context;
	struct transport_access access = {
		.region = opening->region,
		.offset = opening->offset,
		.length = opening->length,
		.not_after_us = UINT64_MAX,
		.is_remote = true,
		.phase = TRANSPORT_FIRST,
		.rights = (uint8_t)opening->right.rights,
		.segment = opening->right.segment,
	};
	enum haul_error error = worker->host->open(worker->engine, &access, &opening->version);

	opening->reason = udp_reason(error, &opening->right);
	return (int)error;
}

static void udp_closed(void *context, struct rudp_connection *connection, uint64_t region)
{
	struct transport_worker *worker = context;

	(void)connection;
	worker->host->closed(worker->engine, region);
}

static struct slice *udp_slice(uint64_t cookie)
{
	return (struct slice *)(uintptr_t)cookie;
}

/* What a notification says; it is asked for at each transmission, like bytes. */
static int udp_source_notice(const struct transport_worker *worker, struct rudp_source *source)
{
	const struct slice *slice = udp_slice(source->cookie);

	source->notice.number = slice->number;
	source->notice.value = slice->value;
	source->notice.tag = slice->tag;
	source->notice.written = slice->written;
	source->notice.worker = (uint8_t)worker->number;
	return HAUL_OK;
}

static int udp_source(void *context, struct rudp_source *source)
{
	struct transport_worker *worker = context;
	struct transport_access access = { .length = source->length,
					   .not_after_us = UINT64_MAX,
					   .phase = TRANSPORT_NEXT };
	enum haul_error error;

	if (UNLIKELY(source->kind == RUDP_NOTIFY))
		return udp_source_notice(worker, source);
	if (source->kind == RUDP_WRITE) {
		const struct slice *slice = udp_slice(source->cookie);

		access.region = slice->local_region;
		access.offset = slice->local_offset + source->offset;
		worker->stats[slice->rail].bytes_out += source->length;
	} else {
		access.region = source->region;
		access.offset = source->offset;
		access.is_remote = true;
		access.rights = (uint8_t)source->right.rights;
		access.segment = source->right.segment;
	}
	if (reference_may_lend(source))
		error = reference_lend(worker, source, &access);
	else
		error = worker->host->source(worker->engine, &access, source->destination,
					     &source->version);
	if (UNLIKELY(error != HAUL_OK))
		source->reason = udp_reason(error, &source->right);
	return (int)error;
}

static int udp_deliver(void *context, uint64_t cookie, uint32_t offset, const void *payload,
		       uint32_t length)
{
	struct transport_worker *worker = context;
	const struct slice *slice = udp_slice(cookie);
	struct transport_access access = {
		.region = slice->local_region,
		.offset = slice->local_offset + offset,
		.length = length,
		.not_after_us = UINT64_MAX,
		.phase = TRANSPORT_NEXT,
	};
	uint64_t version;

	worker->stats[slice->rail].bytes_in += length;
	/* A local region that is gone means that its owner is: nothing to deliver to. */
	return worker->host->place(worker->engine, &access, payload, &version) == HAUL_OK
		       ? HAUL_OK
		       : HAUL_FAULT;
}

void udp_end_slice(struct transport_worker *worker, struct slice *slice, uint16_t status,
		   uint16_t reason)
{
	udp_slice_set_done(slice, status, reason);
	slice->next = NULL;
	if (worker->done_head == NULL)
		worker->done_head = slice;
	else
		worker->done_tail->next = slice;
	worker->done_tail = slice;
}

/* What was placed at the target of a WRITE may have been zeros, where its owner took the memory away under a port. */
static bool udp_is_spoilt(const struct transport_worker *worker,
			  const struct rudp_completion *completion, const struct slice *slice)
{
	return worker->reference.has_lent && completion->kind == RUDP_WRITE &&
	       completion->status == HAUL_OK &&
	       !worker->host->is_sound(worker->engine, slice->local_region);
}

static void udp_done(void *context, const struct rudp_completion *completion)
{
	struct slice *slice = udp_slice(completion->cookie);

	slice->version = completion->version;
	if (UNLIKELY(udp_is_spoilt(context, completion, slice)))
		udp_end_slice(context, slice, HAUL_FAULT, HAUL_REASON_MEMORY_POISONED);
	else
		udp_end_slice(context, slice, completion->status, completion->reason);
}

static void udp_state(void *context, struct rudp_connection *connection, enum rudp_state state,
		      enum rudp_end_reason reason)
{
	struct transport_worker *worker = context;
	struct udp_connection *mine = rudp_connection_user(connection);

	mine->state = (uint8_t)state;
	mine->reason = (uint8_t)reason;
	if (mine->has_news)
		return; /* the last state counts; GONE is always the last */
	mine->has_news = true;
	TAILQ_INSERT_TAIL(&worker->news, mine, news);
}

static void udp_unmark(void *context, struct rudp_connection *connection)
{
	struct udp_connection *mine = rudp_connection_user(connection);

	(void)context;
	frame_template_mark(&mine->template, false);
}

const struct rudp_callbacks udp_callbacks = {
	.place = udp_place,
	.notify = udp_notify,
	.open = udp_open,
	.closed = udp_closed,
	.source = udp_source,
	.deliver = udp_deliver,
	.done = udp_done,
	.state = udp_state,
	.unmark = udp_unmark,
	.prove = udp_proof_make,
	.check = udp_proof_check,
};
