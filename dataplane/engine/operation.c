/* SPDX-License-Identifier: BSD-3-Clause */
/* One READ or WRITE from its entry to its completion; operation.h has the picture. */
#include "engine/operation.h"

#include "api/haul_attach.h"
#include "base/check.h"
#include "engine/channel.h"
#include "engine/target.h"
#include "engine/worker.h"

#include <string.h>

static void operation_deadline(struct timer *timer, uint64_t now_us);
static void operation_resume(struct timer *timer, uint64_t now_us);
static void operation_retry(struct operation *operation, uint64_t version);
static bool operation_follow(struct operation *operation);

/* Flags that say something of a batch. */
#define ENTRY_BATCH_FLAGS (HAUL_ENTRY_BATCH_LAST | HAUL_ENTRY_BATCH_MEMBER)

/* Flags that an entry may have at all. */
#define ENTRY_FLAGS (ENTRY_BATCH_FLAGS | HAUL_ENTRY_NOTIFY | HAUL_ENTRY_RETRY_STALE)

/* What is wrong with an entry by itself, without looking at any table. */
static enum haul_reason entry_check(const struct haul_entry *entry)
{
	bool is_notifying = (entry->flags & HAUL_ENTRY_NOTIFY) != 0;

	if (entry->opcode == HAUL_OP_CANCEL)
		return cancel_check(entry);
	if (errand_is_one(entry))
		return errand_check(entry);
	if (entry->opcode > HAUL_OP_CANCEL)
		return HAUL_REASON_OPCODE;
	if ((entry->flags & ~ENTRY_FLAGS) != 0 || entry->reserved != 0)
		return HAUL_REASON_FLAGS;
	if (entry->opcode == HAUL_OP_NOP && (entry->flags & HAUL_ENTRY_RETRY_STALE) != 0)
		return HAUL_REASON_FLAGS;
	if (is_notifying ? entry->opcode != HAUL_OP_WRITE : (entry->tag | entry->value) != 0)
		return HAUL_REASON_FLAGS;
	if (entry->batch > HAUL_BATCHES_MAX ||
	    (entry->batch == 0 && (entry->flags & ENTRY_BATCH_FLAGS) != 0))
		return HAUL_REASON_BATCH;
	if (entry->opcode != HAUL_OP_NOP &&
	    ((entry->length == 0 && !is_notifying) || entry->length > HAUL_OPERATION_BYTES_MAX))
		return HAUL_REASON_LENGTH;
	return HAUL_REASON_NONE;
}

static uint32_t entry_right(const struct haul_entry *entry)
{
	return entry->opcode == HAUL_OP_WRITE ? HAUL_RIGHT_WRITE : HAUL_RIGHT_READ;
}

/* Complete an entry that never becomes an operation. */
static void entry_complete(struct worker *worker, struct channel *channel,
			   const struct haul_entry *entry, enum haul_error status,
			   enum haul_reason reason)
{
	struct channel_result result = {
		.user_data = entry->user_data,
		.started_us = worker->now_us,
		.batch = entry->batch <= HAUL_BATCHES_MAX ? entry->batch : 0,
		.status = status,
		.reason = reason,
		.flags = entry->flags,
	};

	if (status != HAUL_OK)
		worker->counters[WORKER_ENTRIES_REFUSED]++;
	channel_complete(channel, &result);
}

/* Both sides of an entry against the tables; on HAUL_OK *remote_out is the remote segment. */
static enum haul_error entry_admit(const struct worker *worker, const struct channel *channel,
				   const struct haul_entry *entry, uint32_t *remote_out,
				   enum haul_reason *reason_out)
{
	enum haul_error error = HAUL_OK;

	if (entry->opcode == HAUL_OP_READ || entry->length > 0) {
		error = region_check_local(&worker->engine->regions,
					   haul_u48_get(entry->local_region), channel->number,
					   haul_u48_get(entry->local_offset), entry->length);
	}
	if (error != HAUL_OK) {
		*reason_out =
			error == HAUL_RANGE ? HAUL_REASON_LOCAL_RANGE : HAUL_REASON_LOCAL_REGION;
		return error;
	}
	if (entry->opcode == HAUL_OP_READ &&
	    !region_is_writable(&worker->engine->regions, haul_u48_get(entry->local_region))) {
		*reason_out = HAUL_REASON_LOCAL_RIGHT;
		return HAUL_DENIED;
	}
	error = channel_resolve(channel, entry->remote_segment, entry_right(entry), remote_out);
	if (error != HAUL_OK)
		*reason_out = error == HAUL_DENIED ? HAUL_REASON_REMOTE_RIGHT
						   : HAUL_REASON_REMOTE_SEGMENT;
	return error;
}

/*
 * An operation for a channel: out of its share, or out of what no channel's share needs. NULL when there is none; then
 * the entry waits for one to end.
 */
static struct operation *operation_get(struct worker *worker, struct channel *channel)
{
	struct operation *operation;

	if (channel->operations_open >= ENGINE_OPERATIONS_SHARE &&
	    pool_free_count(&worker->operations) <= worker->operations_promised)
		return NULL;
	operation = pool_get(&worker->operations);
	if (operation == NULL)
		return NULL;
	if (channel->operations_open++ < ENGINE_OPERATIONS_SHARE)
		worker->operations_promised--;
	worker->operations_bare++;
	return operation;
}

static void operation_put(struct operation *operation)
{
	struct worker *worker = operation->worker;

	ASSERT(operation->slices_held == 0);
	ASSERT(operation->channel->operations_open > 0);
	if (--operation->channel->operations_open < ENGINE_OPERATIONS_SHARE)
		worker->operations_promised++;
	worker->operations_bare--;
	if (operation->length > 0)
		uses_drop(&worker->uses, operation->local_region);
	pool_put(&worker->operations, operation);
}

static void operation_fill(struct operation *operation, struct worker *worker,
			   struct channel *channel, const struct haul_entry *entry)
{
	memset(operation, 0, sizeof(*operation));
	TAILQ_INIT(&operation->posted);
	TAILQ_INIT(&operation->returned);
	operation->channel = channel;
	operation->worker = worker;
	operation->local_region = haul_u48_get(entry->local_region);
	operation->local_offset = haul_u48_get(entry->local_offset);
	operation->entry_region = haul_u48_get(entry->remote_region);
	operation->entry_offset = haul_u48_get(entry->remote_offset);
	operation->user_data = entry->user_data;
	operation->started_us = worker->now_us;
	operation->length = entry->length;
	operation->batch = entry->batch;
	operation->opcode = entry->opcode;
	operation->flags = entry->flags;
	operation->tag = entry->tag;
	operation->value = entry->value;
	operation->pause.fire = operation_resume;
}

static void operation_park(struct operation *operation)
{
	operation->state = OPERATION_PARKED;
	TAILQ_INSERT_TAIL(&operation->worker->parked, operation, link);
}

/* Bring an operation that is on no list to where it belongs: out, waiting, parked, or ended. */
static void operation_route(struct operation *operation, uint64_t now_us)
{
	enum haul_reason reason;
	enum haul_error error;

	if (!operation->is_refused && operation->remote_region != REGION_NONE) {
		if (!operation_follow(operation))
			return;
		error = HAUL_OK;
	} else {
		error = operation->is_refused ? target_resolve_again(operation, &reason)
					      : target_resolve(operation, &reason);
	}
	if (error == HAUL_OK) {
		operation->is_refused = false;
		operation->state = OPERATION_WAITING;
		operation_drive(operation, now_us);
	} else if (error == HAUL_UNAVAILABLE) {
		operation_park(operation);
	} else {
		operation->state = OPERATION_ENDING;
		operation_end(operation, error, reason);
	}
}

bool operation_start(struct worker *worker, struct channel *channel, const struct haul_entry *entry,
		     uint64_t now_us)
{
	enum haul_reason reason = entry_check(entry);
	struct operation *operation;
	enum haul_error error;
	uint32_t remote = 0;
	uint32_t timeout_ms;

	if (reason != HAUL_REASON_NONE || entry->opcode == HAUL_OP_NOP) {
		error = reason == HAUL_REASON_NONE ? HAUL_OK : HAUL_INVALID;
		entry_complete(worker, channel, entry, error, reason);
		return true;
	}
	if (entry->opcode == HAUL_OP_CANCEL)
		return cancel_start(channel, entry);
	if (errand_is_one(entry))
		return errand_start(channel, entry);
	error = entry_admit(worker, channel, entry, &remote, &reason);
	if (error != HAUL_OK) {
		entry_complete(worker, channel, entry, error, reason);
		return true;
	}
	operation = operation_get(worker, channel);
	if (operation == NULL)
		return false;

	operation_fill(operation, worker, channel, entry);
	operation->remote = remote;
	if (operation->length > 0)
		uses_add(&worker->uses, operation->local_region);
	TAILQ_INSERT_TAIL(&channel->operations, operation, siblings);
	timeout_ms = entry->timeout_ms != 0 ? entry->timeout_ms : channel->timeout_ms;
	operation->deadline.fire = operation_deadline;
	wheel_arm(&worker->wheel, &operation->deadline, now_us + (uint64_t)timeout_ms * 1000);
	operation_route(operation, now_us);
	return true;
}

static void operation_finish(struct operation *operation)
{
	struct worker *worker = operation->worker;
	struct channel_result result = {
		.user_data = operation->user_data,
		.bytes = operation->placed,
		.started_us = operation->started_us,
		.batch = operation->batch,
		.status = (enum haul_error)operation->status,
		.reason = (enum haul_reason)operation->reason,
		.flags = operation->flags,
		.transport = operation->transport,
		.attempts = operation->attempts,
	};

	ASSERT(operation->slices_count == 0);
	ASSERT(TAILQ_EMPTY(&operation->returned));
	if (operation->status == HAUL_OK)
		worker->counters[WORKER_OPERATIONS_OK]++;
	else
		worker->counters[WORKER_OPERATIONS_FAILED]++;
	if (operation->status == HAUL_TIMEOUT)
		worker->counters[WORKER_OPERATIONS_TIMEOUT]++;
	if (operation->status == HAUL_STALE)
		worker->counters[WORKER_OPERATIONS_STALE]++;
	if (operation->status == HAUL_CANCELLED)
		worker->counters[WORKER_OPERATIONS_CANCELLED]++;
	wheel_cancel(&worker->wheel, &operation->deadline);
	if (operation->notify_number != 0)
		numbers_close(&worker->numbers[operation->peer], operation->notify_number);
	TAILQ_REMOVE(&operation->channel->operations, operation, siblings);
	channel_complete(operation->channel, &result);
	if (operation->cancel != NULL)
		cancel_release(operation->channel, operation->cancel);
	operation_put(operation);
}

/*
 * A slice for an operation: its first one always, another when more are left than operations that have none, those
 * that are still to come included.
 */
static struct slice *operation_get_slice(struct operation *operation)
{
	struct worker *worker = operation->worker;
	uint32_t kept = worker->operations_bare + pool_free_count(&worker->operations);
	struct slice *slice;

	if (operation->slices_held > 0 && pool_free_count(&worker->slices) <= kept)
		return NULL;
	slice = pool_get(&worker->slices);
	BUG_ON(slice == NULL);
	if (operation->slices_held++ == 0)
		worker->operations_bare--;
	return slice;
}

static void operation_put_slice(struct operation *operation, struct slice *slice)
{
	struct worker *worker = operation->worker;

	ASSERT(operation->slices_held > 0);
	if (--operation->slices_held == 0)
		worker->operations_bare++;
	pool_put(&worker->slices, slice);
}

/* Slices that came back and will not go out again. */
static void operation_free_returned(struct operation *operation)
{
	while (!TAILQ_EMPTY(&operation->returned)) {
		struct slice *slice = TAILQ_FIRST(&operation->returned);

		TAILQ_REMOVE(&operation->returned, slice, siblings);
		operation_put_slice(operation, slice);
	}
}

/* Is all placed that there is, and its owner not told yet? */
static bool operation_is_to_notify(const struct operation *operation)
{
	return (operation->flags & HAUL_ENTRY_NOTIFY) != 0 &&
	       operation->placed == operation->length &&
	       operation->notify_state == OPERATION_NOTIFY_DUE;
}

/* What all slices of an operation have in common. */
static void operation_fill_slice(struct operation *operation, struct slice *slice)
{
	memset(slice, 0, sizeof(*slice));
	slice->remote_region = operation->remote_region;
	slice->segment = operation->segment;
	slice->remote = (uint16_t)operation->remote;
	slice->rights = operation->rights;
	slice->operation = operation;
}

/* The slice that tells the owner, behind all others. The number has been taken. */
static struct slice *operation_notify_slice(struct operation *operation)
{
	struct slice *slice = operation_get_slice(operation);

	if (slice == NULL)
		return NULL;
	operation_fill_slice(operation, slice);
	slice->kind = SLICE_NOTIFY;
	slice->length = SLICE_NOTIFY_BYTES;
	slice->remote_offset = operation->remote_offset;
	slice->written = operation->length;
	slice->number = operation->notify_number;
	slice->value = operation->value;
	slice->tag = operation->tag;
	operation->notify_state = OPERATION_NOTIFY_OUT;
	return slice;
}

/* Cut the next slice, or take one that came back; NULL when there is none to be had now. */
static struct slice *operation_next_slice(struct operation *operation, uint32_t bytes_max)
{
	struct slice *slice = TAILQ_FIRST(&operation->returned);
	uint32_t length = operation->length - operation->cut;

	if (operation->slices_count >= ENGINE_OPERATION_SLICES_MAX)
		return NULL;
	if (slice != NULL) {
		TAILQ_REMOVE(&operation->returned, slice, siblings);
		return slice;
	}
	if (length == 0)
		return operation_is_to_notify(operation) ? operation_notify_slice(operation) : NULL;
	slice = operation_get_slice(operation);
	if (slice == NULL)
		return NULL;
	operation_fill_slice(operation, slice);
	slice->length = MIN(length, bytes_max);
	slice->kind = operation->opcode == HAUL_OP_WRITE ? SLICE_WRITE : SLICE_READ;
	slice->local_region = operation->local_region;
	slice->local_offset = operation->local_offset + operation->cut;
	slice->remote_offset = operation->remote_offset + operation->cut;
	operation->cut += slice->length;
	return slice;
}

static bool operation_has_more(const struct operation *operation)
{
	return operation->cut < operation->length || !TAILQ_EMPTY(&operation->returned) ||
	       operation_is_to_notify(operation);
}

/* Wait for a while that grows each time, and then go on. */
static void operation_pause(struct operation *operation)
{
	struct worker *worker = operation->worker;
	uint32_t pause_us = MAX(operation->pause_us * 2, ENGINE_NOTIFY_PAUSE_MIN_US);

	operation->pause_us = MIN(pause_us, ENGINE_NOTIFY_PAUSE_MAX_US);
	operation->state = OPERATION_PAUSED;
	worker->counters[WORKER_NOTIFY_PAUSES]++;
	wheel_arm(&worker->wheel, &operation->pause, worker->now_us + operation->pause_us);
}

static void operation_resume(struct timer *timer, uint64_t now_us)
{
	struct operation *operation = CONTAINER_OF(timer, struct operation, pause);

	ASSERT(operation->state == OPERATION_PAUSED);
	operation->state = OPERATION_WAITING;
	operation_drive(operation, now_us);
}

/* A number for the notification, kept for all its attempts; false when too many are under way to this peer. */
static bool operation_take_number(struct operation *operation)
{
	struct worker *worker = operation->worker;

	if (operation->notify_number == 0)
		operation->notify_number =
			numbers_take(&worker->numbers[operation->peer], &worker->numbers_floor);
	return operation->notify_number != 0;
}

/* Hand one slice to the endpoint's best rail that takes it; false when none does. */
static bool operation_post(struct operation *operation, struct endpoint *endpoint,
			   struct slice *slice, uint64_t now_us)
{
	struct worker *worker = operation->worker;
	const struct transport_ops *ops = worker->engine->ops[endpoint->transport];
	uint32_t number = rail_number(endpoint_number(endpoint->peer, endpoint->transport), 0);
	uint32_t refused = 0;
	uint32_t index;

	slice->transport = endpoint->transport;
	TAILQ_INSERT_TAIL(&operation->posted, slice, siblings);
	operation->slices_count++;
	while ((index = rail_pick(endpoint->rails, endpoint->rail_count, refused, slice->length,
				  now_us)) != ENGINE_RAILS_MAX) {
		slice->rail = (uint16_t)(number + index);
		if (ops->post(worker->transports[endpoint->transport], slice->rail, &slice, 1) ==
		    1) {
			rail_take(&endpoint->rails[index], slice, now_us);
			worker->counters[WORKER_SLICES_POSTED]++;
			return true;
		}
		refused |= 1u << index;
	}
	TAILQ_REMOVE(&operation->posted, slice, siblings);
	operation->slices_count--;
	TAILQ_INSERT_HEAD(&operation->returned, slice, siblings);
	return false;
}

/* Note over which transport it goes; a change of transport is another attempt. */
static void operation_note_transport(struct operation *operation, uint8_t transport)
{
	if (operation->transport == transport)
		return;
	operation->transport = transport;
	if (operation->attempts < UINT8_MAX)
		operation->attempts++;
}

/* Nothing of it has been placed or is on its way: begin with its first byte. */
static void operation_rewind(struct operation *operation)
{
	ASSERT(operation->slices_count == 0);
	operation_free_returned(operation);
	operation->cut = 0;
	operation->placed = 0;
	operation->notify_state = OPERATION_NOTIFY_DUE;
}

/* May it begin again, since what it went to is not what is meant any more? */
static bool operation_may_retry(const struct operation *operation)
{
	return (operation->flags & HAUL_ENTRY_RETRY_STALE) != 0 && !operation->is_retried;
}

/*
 * The segment has changed since the operation was resolved: look where it goes now. One operation never goes to two
 * places: when its place has moved and it has begun already, it begins again or ends. True when it can go on.
 */
static bool operation_follow(struct operation *operation)
{
	const uint64_t region = operation->remote_region;
	const uint64_t offset = operation->remote_offset;
	const uint64_t version = operation->version;
	enum haul_reason reason;
	enum haul_error error = target_resolve(operation, &reason);
	uint64_t newer = operation->version;
	bool has_begun = operation->placed > 0 || operation->slices_count > 0;

	if (error == HAUL_UNAVAILABLE) {
		operation_park(operation);
		return false;
	}
	if (error == HAUL_OK && operation->remote_region == region &&
	    operation->remote_offset == offset)
		return true;
	if (error == HAUL_OK && !has_begun) {
		operation_rewind(operation);
		return true;
	}
	operation->state = OPERATION_POSTED; /* it is on no list */
	if (error == HAUL_OK && operation_may_retry(operation)) {
		operation->remote_region = region; /* what is not meant any more */
		operation->version = version;
		operation_retry(operation, newer);
	} else {
		operation_end(operation, HAUL_STALE,
			      error == HAUL_OK ? HAUL_REASON_BUFFER_GONE : reason);
	}
	return false;
}

uint32_t operation_drive(struct operation *operation, uint64_t now_us)
{
	struct worker *worker = operation->worker;
	struct endpoint *endpoint;
	uint32_t posted = 0;

	ASSERT(operation->state == OPERATION_WAITING);
	/* The slot of a peer that was given up may hold another by now: never a byte to anybody but who was meant. */
	if (worker->engine->peers.peers[operation->peer].incarnation != operation->incarnation) {
		operation->state = OPERATION_ENDING;
		operation_end(operation, HAUL_STALE, HAUL_REASON_INCARNATION);
		return 1;
	}
	if (UNLIKELY(!target_is_current(operation)) && !operation_follow(operation))
		return 1;
	endpoint = endpoint_pick(worker, operation->peer, now_us);
	if (endpoint == NULL || endpoint->state == ENDPOINT_GONE) {
		operation->state = OPERATION_ENDING;
		operation_end(operation, endpoint == NULL ? HAUL_NO_PATH : HAUL_STALE,
			      endpoint == NULL ? HAUL_REASON_NONE : HAUL_REASON_INCARNATION);
		return 1; /* it waits no more, which is progress for the list it came from */
	}
	if (operation_is_to_notify(operation) && !operation_take_number(operation)) {
		operation_pause(operation);
		return 1;
	}
	while (endpoint_takes(endpoint)) {
		struct slice *slice =
			operation_next_slice(operation, endpoint_slice_bytes(endpoint));

		if (slice == NULL)
			break;
		operation_note_transport(operation, endpoint->transport);
		if (!operation_post(operation, endpoint, slice, now_us))
			break;
		posted++;
	}
	if (operation_has_more(operation))
		endpoint_wait(worker, endpoint, operation);
	else
		operation->state = OPERATION_POSTED;
	return posted;
}

/* Slices that a driver is to give back; which is decided before the first comes, since the last may end the operation. */
struct operation_recall {
	struct slice *slices[ENGINE_OPERATION_SLICES_MAX];
	uint32_t count;
};

/* Ask the drivers for slices; each comes back by slice_done, perhaps within the call. */
static void operation_recall(struct worker *worker, const struct operation_recall *recall,
			     enum haul_error status, enum haul_reason reason)
{
	for (uint32_t i = 0; i < recall->count; i++) {
		uint8_t transport = recall->slices[i]->transport;

		worker->engine->ops[transport]->cancel(worker->transports[transport],
						       recall->slices[i], status, reason);
	}
}

static void operation_cancel_posted(struct operation *operation, enum haul_error status,
				    enum haul_reason reason)
{
	struct operation_recall recall = { .count = 0 };
	struct slice *slice;

	TAILQ_FOREACH(slice, &operation->posted, siblings)
	recall.slices[recall.count++] = slice;
	operation_recall(operation->worker, &recall, status, reason);
}

uint32_t operation_leave_doubtful(struct operation *operation)
{
	struct operation_recall recall = { .count = 0 };
	struct slice *slice;

	if (operation->state == OPERATION_ENDING || operation->state == OPERATION_RECALLING)
		return 0; /* all of it was asked for already */
	TAILQ_FOREACH(slice, &operation->posted, siblings)
	{
		if (endpoint_is_left(operation->worker, slice->rail))
			recall.slices[recall.count++] = slice;
	}
	operation_recall(operation->worker, &recall, HAUL_CANCELLED, HAUL_REASON_NONE);
	return recall.count;
}

/* Whatever it waits for, it does no more. */
static void operation_leave_lists(struct operation *operation)
{
	struct worker *worker = operation->worker;

	if (operation->state == OPERATION_WAITING)
		endpoint_leave(worker, &worker->endpoints[operation->endpoint], operation);
	if (operation->state == OPERATION_PARKED)
		TAILQ_REMOVE(&worker->parked, operation, link);
	if (operation->state == OPERATION_PAUSED)
		wheel_cancel(&worker->wheel, &operation->pause);
}

void operation_end(struct operation *operation, enum haul_error status, enum haul_reason reason)
{
	if (operation->state == OPERATION_ENDING && operation->status != HAUL_OK)
		return; /* the first cause stands */
	operation_leave_lists(operation);
	operation->state = OPERATION_ENDING;
	operation->status = (uint16_t)status;
	operation->reason = (uint16_t)reason;
	operation_free_returned(operation);
	if (operation->slices_count == 0)
		operation_finish(operation);
	else
		operation_cancel_posted(operation, status, reason);
}

/* All of its slices are back: it waits until its view has caught up, and is on the parked list till then. */
static void operation_recalled(struct operation *operation)
{
	operation_rewind(operation);
	operation_park(operation);
}

/* Begin again, once, when nothing of this try can land any more. `version` is what is not to be gone by any more. */
static void operation_retry(struct operation *operation, uint64_t version)
{
	target_note_refusal(operation, version);
	operation->worker->counters[WORKER_STALE_RETRIES]++;
	operation->is_retried = true;
	operation->is_refused = true;
	operation_leave_lists(operation);
	operation->state = OPERATION_RECALLING;
	operation_free_returned(operation);
	if (operation->slices_count == 0)
		operation_recalled(operation);
	else
		operation_cancel_posted(operation, HAUL_CANCELLED, HAUL_REASON_NONE);
}

static void operation_deadline(struct timer *timer, uint64_t now_us)
{
	struct operation *operation = CONTAINER_OF(timer, struct operation, deadline);
	enum haul_reason reason = HAUL_REASON_PEER_SILENT;

	(void)now_us;
	/* What the target said stands, when no newer descriptor came in time. */
	if (operation->is_refused) {
		operation_end(operation, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
		return;
	}
	/* A parked one never got as far as its peer, and one that was told to come again got further. */
	if (operation->state == OPERATION_PARKED)
		reason = HAUL_REASON_NONE;
	else if (operation->busy_reason != HAUL_REASON_NONE)
		reason = (enum haul_reason)operation->busy_reason;
	operation_end(operation, HAUL_TIMEOUT, reason);
}

/* Can another try cure it? Everything else is the same on every path. */
static bool operation_can_retry(enum haul_error status)
{
	return status == HAUL_NO_PATH || status == HAUL_DISCONNECTED || status == HAUL_CANCELLED;
}

/* A slice came back unplaced though nobody asked for it: it goes out again. */
static void operation_take_back(struct operation *operation, struct slice *slice)
{
	struct worker *worker = operation->worker;

	worker->counters[WORKER_SLICES_RETURNED]++;
	TAILQ_INSERT_TAIL(&operation->returned, slice, siblings);
	if (operation->state != OPERATION_POSTED)
		return;
	operation->state = OPERATION_WAITING;
	endpoint_wait(worker, &worker->endpoints[slice->rail / ENGINE_RAILS_MAX], operation);
}

/*
 * A slice was refused as STALE. When our own side is still there it was the target: its descriptor is fetched again, so
 * that opening, the retry or the next operation finds the new one; unless it has come already.
 */
static void operation_refused(struct operation *operation, uint64_t version,
			      enum haul_reason reason)
{
	struct worker_request request = { .kind = WORKER_REMOTE_STALE,
					  .worker = operation->worker->number,
					  .index = operation->remote };

	if (operation->length > 0 &&
	    !region_is_there(&operation->worker->engine->regions, operation->local_region)) {
		operation_end(operation, HAUL_STALE, HAUL_REASON_LOCAL_REGION);
		return;
	}
	if (!target_has_moved(operation, version))
		worker_ask(operation->worker, &request);
	if (operation_may_retry(operation))
		operation_retry(operation, version);
	else
		operation_end(operation, HAUL_STALE, reason);
}

/* Of a slice that came back whole. */
static void operation_note_placed(struct operation *operation, const struct slice *slice)
{
	if (slice->kind == SLICE_NOTIFY)
		operation->notify_state = OPERATION_NOTIFY_DONE;
	else
		operation->placed += slice->length;
}

/* The owner has no room for the notification now: it did not get it, and is asked again. */
static void operation_back_off(struct operation *operation, enum haul_reason reason)
{
	operation->notify_state = OPERATION_NOTIFY_DUE;
	operation->busy_reason = (uint16_t)reason;
	operation_pause(operation);
}

/* No slice is out: all is done, or the notification is to follow the bytes on the same endpoint. */
static void operation_go_on(struct operation *operation, uint32_t endpoint)
{
	if (operation->placed != operation->length)
		return; /* the rest waits to be posted */
	if (!operation_is_to_notify(operation)) {
		operation_finish(operation);
		return;
	}
	ASSERT(operation->state == OPERATION_POSTED);
	operation->state = OPERATION_WAITING;
	endpoint_wait(operation->worker, &operation->worker->endpoints[endpoint], operation);
}

void operation_slice_done(struct worker *worker, struct slice *slice, enum haul_error status,
			  enum haul_reason reason)
{
	struct operation *operation = slice->operation;
	uint32_t endpoint = slice->rail / ENGINE_RAILS_MAX;
	bool is_ending =
		operation->state == OPERATION_ENDING || operation->state == OPERATION_RECALLING;
	uint64_t version = slice->version;
	bool is_notify = slice->kind == SLICE_NOTIFY;

	ASSERT(operation->worker == worker);
	ASSERT(operation->slices_count > 0);
	TAILQ_REMOVE(&operation->posted, slice, siblings);
	operation->slices_count--;
	rail_give(endpoint_rail(worker, slice->rail), slice, status == HAUL_OK, worker->now_us);
	if (status == HAUL_OK)
		operation_note_placed(operation, slice);
	if (status != HAUL_OK && !is_ending && operation_can_retry(status)) {
		operation_take_back(operation, slice);
		return;
	}
	operation_put_slice(operation, slice);
	if (status == HAUL_BUSY && is_notify && !is_ending) {
		operation_back_off(operation, reason);
		return;
	}
	if (status == HAUL_STALE && !is_ending) {
		operation_refused(operation, version, reason);
		return;
	}
	if (status != HAUL_OK && !is_ending) {
		operation_end(operation, status, reason);
		return;
	}
	if (operation->slices_count > 0)
		return;
	if (operation->state == OPERATION_ENDING)
		operation_finish(operation);
	else if (operation->state == OPERATION_RECALLING)
		operation_recalled(operation);
	else
		operation_go_on(operation, endpoint);
}

void operation_unpark(struct operation *operation, uint64_t now_us)
{
	ASSERT(operation->state == OPERATION_PARKED);
	TAILQ_REMOVE(&operation->worker->parked, operation, link);
	operation_route(operation, now_us);
}
