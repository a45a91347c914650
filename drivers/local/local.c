/* SPDX-License-Identifier: BSD-3-Clause */
/* The local transport; local.h says what it is. Each function's thread stands in engine/transport.h. */
#include "drivers/local/local.h"

#include "base/check.h"
#include "base/counters.h"
#include "base/limits.h"
#include "base/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Bytes copied in one poll. 256 KiB take some 25 us from memory to memory, about what the rest of a busy round
 * takes, and are long enough that the loop around them does not show in the throughput.
 */
#define LOCAL_STEP_BYTES (256u * 1024u)

/* Connects and disconnects that may be under way for one worker; a power of two. */
#define LOCAL_NEWS 1024u

/* The words of slice->driver: how many bytes have been copied, the slice before it in the queue, is it open? */
#define LOCAL_COPIED 0
#define LOCAL_BEFORE 1
#define LOCAL_OPENED 2

#define LOCAL_COUNTERS(X)                                                             \
	X(LOCAL_SLICES, "slices", "slices", "slices copied to their end")             \
	X(LOCAL_REFUSED, "refused", "slices", "slices ended by a region's refusal")   \
	X(LOCAL_CANCELLED, "cancelled", "slices", "slices ended early by the engine") \
	X(LOCAL_NOTIFIED, "notified", "slices", "notifications delivered")

enum local_counter {
	LOCAL_COUNTERS(COUNTER_ENUM) LOCAL_COUNTER_COUNT
};

static const struct counter_spec local_specs[] = { LOCAL_COUNTERS(COUNTER_SPEC) };

static const struct counter_group local_counters = { "local", local_specs, LOCAL_COUNTER_COUNT };

/* Control half -> worker half: what a rail shall be told. */
struct local_news {
	uint32_t rail;
	enum rail_state state;
};

struct transport_worker {
	const char *node; /* this one; outlives the driver */
	uint64_t incarnation;
	uint32_t number;
	struct slice *head; /* posted, in order, linked by next and LOCAL_BEFORE */
	struct slice *tail;
	uint32_t queued;
	uint32_t slices_max;
	struct spsc news; /* struct local_news */
	struct worker *worker;
	const struct transport_host *host;
	uint64_t *counters;
	struct rail_stats stats;
};

struct transport {
	uint32_t worker_count;
	struct transport_worker workers[];
};

static void local_close(struct transport *transport)
{
	if (transport == NULL)
		return;
	for (uint32_t i = 0; i < transport->worker_count; i++)
		spsc_destroy(&transport->workers[i].news);
	free(transport);
}

static int local_open(const struct transport_setup *setup, struct transport **transport_out)
{
	struct transport *transport;

	transport =
		calloc(1, sizeof(*transport) + setup->worker_count * sizeof(transport->workers[0]));
	if (transport == NULL)
		return -ENOMEM;
	transport->worker_count = setup->worker_count;
	for (uint32_t i = 0; i < setup->worker_count; i++) {
		struct transport_worker *worker = &transport->workers[i];

		worker->node = setup->node;
		worker->incarnation = setup->incarnation;
		worker->number = i;
		worker->worker = setup->workers[i];
		worker->host = setup->host;
		worker->counters = setup->counters[i];
		worker->slices_max = setup->slices_max;
		if (spsc_init(&worker->news, sizeof(struct local_news), LOCAL_NEWS) != 0) {
			local_close(transport);
			return -ENOMEM;
		}
	}
	*transport_out = transport;
	return 0;
}

static struct transport_worker *local_worker(struct transport *transport, uint32_t index)
{
	BUG_ON(index >= transport->worker_count);
	return &transport->workers[index];
}

static uint32_t local_addresses(struct transport *transport, struct haul_address *addresses_out,
				uint32_t max)
{
	static const struct haul_address here = { .transport = HAUL_TRANSPORT_LOCAL,
						  .family = 4,
						  .ip = { 127, 0, 0, 1 } };

	(void)transport;
	if (max == 0)
		return 0;
	addresses_out[0] = here;
	return 1;
}

/* There is one memory. */
static uint32_t local_rails(struct transport *transport, const struct transport_peer *peer,
			    uint32_t max)
{
	(void)transport;
	(void)peer;
	return MIN(1u, max);
}

static void local_describe_way(struct transport *transport, const struct transport_peer *peer,
			       char *text_out)
{
	(void)transport;
	(void)peer;
	memcpy(text_out, "memory", sizeof("memory"));
}

static void local_tell(struct transport *transport, uint32_t index, uint32_t rail,
		       enum rail_state state)
{
	struct local_news news = { .rail = rail, .state = state };
	bool pushed = spsc_push(&transport->workers[index].news, &news);

	BUG_ON(!pushed); /* one connect and one disconnect a rail, and only this node has one */
	transport->workers[index].host->wake(transport->workers[index].worker);
}

static void local_connect(struct transport *transport, uint32_t worker, uint32_t rail,
			  const struct transport_peer *peer)
{
	(void)peer;
	local_tell(transport, worker, rail, RAIL_UP);
}

static void local_disconnect(struct transport *transport, uint32_t worker, uint32_t rail)
{
	local_tell(transport, worker, rail, RAIL_DOWN);
}

static uint64_t local_control(struct transport *transport, uint64_t now_us)
{
	(void)transport;
	(void)now_us;
	return UINT64_MAX;
}

static int local_control_fd(struct transport *transport)
{
	(void)transport;
	return -1;
}

static uint32_t local_describe(struct transport *transport, struct haul_transport_row *rows_out,
			       uint32_t max)
{
	(void)transport;
	if (max == 0)
		return 0;
	memset(rows_out, 0, sizeof(*rows_out));
	strcpy(rows_out->transport, "local");
	strcpy(rows_out->device, "memory");
	strcpy(rows_out->state, "up");
	strcpy(rows_out->address, "this node");
	return 1;
}

static struct slice *local_before(const struct slice *slice)
{
	return (struct slice *)(uintptr_t)slice->driver[LOCAL_BEFORE];
}

/* Put a slice at the end of the queue. */
static void local_link(struct transport_worker *worker, struct slice *slice)
{
	slice->next = NULL;
	slice->driver[LOCAL_COPIED] = 0;
	slice->driver[LOCAL_OPENED] = 0;
	slice->version = 0;
	slice->driver[LOCAL_BEFORE] = (uintptr_t)worker->tail;
	if (worker->head == NULL)
		worker->head = slice;
	else
		worker->tail->next = slice;
	worker->tail = slice;
	worker->queued++;
}

/* Take a slice out of it, wherever it stands: a client's end takes thousands out at once. */
static void local_unlink(struct transport_worker *worker, struct slice *slice)
{
	struct slice *before = local_before(slice);

	if (before == NULL)
		worker->head = slice->next;
	else
		before->next = slice->next;
	if (slice->next == NULL)
		worker->tail = before;
	else
		slice->next->driver[LOCAL_BEFORE] = (uintptr_t)before;
	worker->queued--;
}

static uint32_t local_post(struct transport_worker *worker, uint32_t rail, struct slice **slices,
			   uint32_t count)
{
	uint32_t taken = 0;

	(void)rail;
	while (taken < count && worker->queued < worker->slices_max) {
		struct slice *slice = slices[taken++];

		local_link(worker, slice);
	}
	return taken;
}

static void local_done(struct transport_worker *worker, struct slice *slice, enum haul_error status,
		       enum haul_reason reason)
{
	local_unlink(worker, slice);
	if (slice->driver[LOCAL_OPENED] != 0)
		worker->host->closed(worker->worker, slice->remote_region);
	worker->host->slice_done(worker->worker, slice, status, reason);
}

/* The finer cause of what a region refused. */
static enum haul_reason local_reason(enum haul_error error)
{
	switch (error) {
	case HAUL_STALE:
		return HAUL_REASON_REGION_GENERATION;
	case HAUL_RANGE:
		return HAUL_REASON_REMOTE_RANGE;
	case HAUL_DENIED:
		return HAUL_REASON_REMOTE_RIGHT;
	case HAUL_FAULT:
		return HAUL_REASON_MEMORY_POISONED;
	default:
		return HAUL_REASON_NONE;
	}
}

/* What the copy of so many bytes is to the far side. */
static uint8_t local_phase(const struct slice *slice, uint32_t length)
{
	if (slice->driver[LOCAL_COPIED] > 0)
		return TRANSPORT_NEXT;
	return length == slice->length ? TRANSPORT_ONLY : TRANSPORT_FIRST;
}

/* Copy up to bytes_max of a slice; returns how many, or 0 with the refusal. */
static uint32_t local_copy(struct transport_worker *worker, struct slice *slice, uint32_t bytes_max,
			   enum haul_error *error_out)
{
	uint64_t copied = slice->driver[LOCAL_COPIED];
	uint32_t length = (uint32_t)MIN(slice->length - copied, bytes_max);
	struct transport_access near = { .region = slice->local_region,
					 .offset = slice->local_offset + copied,
					 .length = length,
					 .not_after_us = UINT64_MAX,
					 .phase = TRANSPORT_NEXT };
	struct transport_access far = { .region = slice->remote_region,
					.offset = slice->remote_offset + copied,
					.length = length,
					.not_after_us = UINT64_MAX,
					.is_remote = true,
					.rights = slice->rights,
					.segment = slice->segment,
					.phase = local_phase(slice, length) };

	*error_out = worker->host->copy(worker->worker, slice->kind == SLICE_WRITE ? &far : &near,
					slice->kind == SLICE_WRITE ? &near : &far, &slice->version);
	if (*error_out != HAUL_OK)
		return 0;
	if (far.phase == TRANSPORT_FIRST)
		slice->driver[LOCAL_OPENED] = 1;
	return length;
}

/* End what was posted on a rail that is disconnected. */
static void local_drop(struct transport_worker *worker, uint32_t rail)
{
	struct slice *slice = worker->head;

	while (slice != NULL) {
		struct slice *next = slice->next;

		if (slice->rail == rail)
			local_done(worker, slice, HAUL_NO_PATH, HAUL_REASON_NONE);
		slice = next;
	}
}

static void local_hear_news(struct transport_worker *worker)
{
	struct local_news news;

	while (spsc_pop(&worker->news, &news)) {
		if (news.state == RAIL_DOWN)
			local_drop(worker, news.rail);
		worker->host->rail_state(worker->worker, news.rail, news.state,
					 news.state == RAIL_DOWN ? RAIL_CAUSE_CLOSED
								 : RAIL_CAUSE_NONE);
	}
}

/* The bytes are there: tell their owner. */
static void local_notify(struct transport_worker *worker, struct slice *slice)
{
	struct transport_notice notice = {
		.access = { .region = slice->remote_region,
			    .offset = slice->remote_offset,
			    .length = slice->written,
			    .not_after_us = UINT64_MAX,
			    .is_remote = true,
			    .rights = slice->rights,
			    .segment = slice->segment },
		.node = worker->node,
		.incarnation = worker->incarnation,
		.number = slice->number,
		.value = slice->value,
		.tag = slice->tag,
		.worker = worker->number,
	};
	struct transport_refusal refusal = { 0 };
	enum haul_error error = worker->host->notify(worker->worker, &notice, &refusal);

	slice->version = refusal.version;
	if (refusal.reason == HAUL_REASON_NONE)
		refusal.reason = local_reason(error);
	counter_add(&worker->counters[error == HAUL_OK ? LOCAL_NOTIFIED : LOCAL_REFUSED], 1);
	local_done(worker, slice, error, refusal.reason);
}

/* Go on with the first slice, and end it when it is done or refused. Returns the bytes that were copied. */
static uint32_t local_step(struct transport_worker *worker, uint32_t bytes_max)
{
	struct slice *slice = worker->head;
	enum haul_error error;
	uint32_t length;

	if (slice->kind == SLICE_NOTIFY) {
		local_notify(worker, slice);
		return 0;
	}
	length = local_copy(worker, slice, bytes_max, &error);
	if (length == 0) {
		counter_add(&worker->counters[LOCAL_REFUSED], 1);
		local_done(worker, slice, error, local_reason(error));
		return 0;
	}
	counter_add(&worker->stats.bytes_out, length);
	slice->driver[LOCAL_COPIED] += length;
	if (slice->driver[LOCAL_COPIED] == slice->length) {
		counter_add(&worker->counters[LOCAL_SLICES], 1);
		local_done(worker, slice, HAUL_OK, HAUL_REASON_NONE);
	}
	return length;
}

/* `budget` is in packets: for small slices a slice is one. */
static uint32_t local_poll(struct transport_worker *worker, uint64_t now_us, uint32_t budget)
{
	uint32_t copied = 0;
	uint32_t steps = 0;

	(void)now_us;
	local_hear_news(worker);
	while (worker->head != NULL && copied < LOCAL_STEP_BYTES && steps < budget) {
		copied += local_step(worker, LOCAL_STEP_BYTES - copied);
		steps++;
	}
	return steps;
}

static uint32_t local_flush(struct transport_worker *worker, uint64_t now_us, uint32_t budget)
{
	(void)worker;
	(void)now_us;
	(void)budget;
	return 0;
}

/* A copy is never half under way between polls, so nothing lands after this. */
static void local_cancel(struct transport_worker *worker, struct slice *slice,
			 enum haul_error status, enum haul_reason reason)
{
	counter_add(&worker->counters[LOCAL_CANCELLED], 1);
	local_done(worker, slice, status, reason);
}

static void local_stats(struct transport_worker *worker, uint32_t rail,
			struct rail_stats *stats_out)
{
	(void)rail;
	*stats_out = (struct rail_stats){ .bytes_out = __atomic_load_n(&worker->stats.bytes_out,
								       __ATOMIC_RELAXED) };
}

/* What it has to do comes from the worker itself, or with a wake. */
static bool local_arm(struct transport_worker *worker, int epoll_fd)
{
	(void)worker;
	(void)epoll_fd;
	return true;
}

static void local_disarm(struct transport_worker *worker)
{
	(void)worker;
}

static uint64_t local_next_deadline_us(struct transport_worker *worker)
{
	return worker->head != NULL ? 0 : UINT64_MAX;
}

const struct transport_ops local_ops = {
	.name = "local",
	.id = HAUL_TRANSPORT_LOCAL,
	.capabilities = TRANSPORT_SAME_NODE,
	.counters = &local_counters,
	.open = local_open,
	.close = local_close,
	.worker = local_worker,
	.addresses = local_addresses,
	.rails = local_rails,
	.describe_way = local_describe_way,
	.connect = local_connect,
	.disconnect = local_disconnect,
	.control = local_control,
	.control_fd = local_control_fd,
	.describe = local_describe,
	.post = local_post,
	.poll = local_poll,
	.flush = local_flush,
	.cancel = local_cancel,
	.stats = local_stats,
	.arm = local_arm,
	.disarm = local_disarm,
	.next_deadline_us = local_next_deadline_us,
};
