/* SPDX-License-Identifier: BSD-3-Clause */
/* One client's set of rings as its worker serves it; channel.h says what is trusted. */
#include "engine/channel.h"

#include "base/check.h"
#include "base/counters.h"
#include "base/ring.h"
#include "engine/worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum haul_error channel_resolve(const struct channel *channel, uint32_t handle, uint32_t right,
				uint32_t *remote_out)
{
	uint32_t index = (handle & 0xffff) - 1;
	uint64_t word;

	if (index >= ENGINE_HANDLES_MAX)
		return HAUL_NOT_FOUND;
	word = atomic_load_explicit(&channel->handles[index].word, memory_order_acquire);
	if (word == 0 || word >> 48 != handle >> 16)
		return HAUL_NOT_FOUND;
	if ((word >> 32 & 0xffff & right) == 0)
		return HAUL_DENIED;
	*remote_out = (uint32_t)word - 1;
	return HAUL_OK;
}

/* Is there room for so many more completions than are promised? */
static bool channel_has_room(struct channel *channel, uint32_t count)
{
	uint32_t seen = ring_load_acquire(&channel->header->completion_head.value);
	uint32_t unseen = channel->completion_tail - seen;

	if (unseen > channel->completions_count) {
		channel_close(channel, HAUL_INVALID,
			      "completion_head lies outside the completions that were written");
		return false;
	}
	return unseen + channel->reserved + count <= channel->completions_count;
}

/* How many entries are there to take; closes the channel when the index cannot be. */
static uint32_t channel_pending(struct channel *channel)
{
	uint32_t tail = ring_load_acquire(&channel->header->submission_tail.value);
	uint32_t pending = tail - channel->submission_head;

	channel->submission_seen = tail;
	if (pending <= channel->entries_count)
		return pending;
	channel_close(channel, HAUL_INVALID,
		      "submission_tail is further ahead than the ring has entries");
	return 0;
}

/* The batch that an entry names; NULL when it names none that there is. */
static struct batch *channel_batch(struct channel *channel, const struct haul_entry *entry)
{
	if (entry->batch == 0 || entry->batch > HAUL_BATCHES_MAX)
		return NULL;
	return &channel->batches[entry->batch];
}

/*
 * May it join its batch? Not one that has had its last entry, or has room for that one only, since a batch that cannot
 * be closed would never complete. Nor may it open one when the completions of those that are open leave no room for what
 * closes them. Returns HAUL_REASON_NONE or why not.
 */
static enum haul_reason channel_check_batch(const struct channel *channel,
					    const struct haul_entry *entry)
{
	const struct batch *batch;
	bool is_last = (entry->flags & HAUL_ENTRY_BATCH_LAST) != 0;

	if (entry->batch == 0 || entry->batch > HAUL_BATCHES_MAX)
		return HAUL_REASON_NONE;
	batch = &channel->batches[entry->batch];
	if (batch->is_closed || (batch->members == UINT16_MAX - 1 && !is_last))
		return HAUL_REASON_BATCH;
	if (batch->members == 0 && !is_last &&
	    channel->batches_unclosed + HAUL_COMPLETIONS_KEPT >= channel->completions_count)
		return HAUL_REASON_BATCHES;
	return HAUL_REASON_NONE;
}

/* A member joins its batch, which it may. */
static void channel_join_batch(struct channel *channel, const struct haul_entry *entry)
{
	struct batch *batch = channel_batch(channel, entry);
	bool is_last = (entry->flags & HAUL_ENTRY_BATCH_LAST) != 0;

	if (batch == NULL)
		return;
	if (batch->members == 0) {
		memset(batch, 0, sizeof(*batch));
		batch->started_us = channel->worker->now_us;
		channel->batches_unclosed++;
	}
	batch->members++;
	batch->open++;
	if (is_last) {
		batch->is_closed = true;
		batch->user_data = entry->user_data;
		channel->batches_unclosed--;
	}
}

/* Undo the join of an entry that stays in its ring. */
static void channel_unjoin_batch(struct channel *channel, const struct haul_entry *entry)
{
	struct batch *batch = channel_batch(channel, entry);

	if (batch == NULL)
		return;
	if (batch->is_closed)
		channel->batches_unclosed++;
	batch->open--;
	batch->is_closed = false;
	if (--batch->members == 0)
		channel->batches_unclosed--;
}

/*
 * Completions that taking an entry promises: its own, which a member of a batch has only when it asks for it, and the
 * aggregate's when it is the first of its batch. So one that closes a batch can be taken when nothing else can.
 */
static uint32_t channel_needs(struct channel *channel, const struct haul_entry *entry)
{
	const struct batch *batch = channel_batch(channel, entry);
	uint32_t own = (entry->flags & HAUL_ENTRY_BATCH_MEMBER) != 0;

	if (batch == NULL)
		return 1;
	return batch->members == 0 ? own + 1 : own;
}

/* An entry that may not join its batch is refused for that, and completes by itself. */
static void channel_refuse(struct channel *channel, const struct haul_entry *entry,
			   enum haul_reason reason)
{
	const struct channel_result result = {
		.user_data = entry->user_data,
		.started_us = channel->worker->now_us,
		.status = reason == HAUL_REASON_BATCHES ? HAUL_BUSY : HAUL_INVALID,
		.reason = reason,
	};

	channel->worker->counters[WORKER_ENTRIES_REFUSED]++;
	channel_complete(channel, &result);
}

/* Take one entry out of the ring; false when it must stay there. */
static bool channel_take(struct channel *channel, uint64_t now_us)
{
	uint32_t index = channel->submission_head & (channel->entries_count - 1);
	struct haul_entry entry;
	enum haul_reason reason;
	uint32_t needs;

	/* The one copy: the client may change the ring's entry at any moment, and what is checked must be used. */
	memcpy(&entry, &channel->entries[index], sizeof(entry));
	reason = channel_check_batch(channel, &entry);
	needs = reason != HAUL_REASON_NONE ? 1 : channel_needs(channel, &entry);
	if (!channel_has_room(channel, needs))
		return false;
	channel->reserved += needs;
	if (reason != HAUL_REASON_NONE) {
		channel_refuse(channel, &entry, reason);
	} else {
		channel_join_batch(channel, &entry);
		if (!operation_start(channel->worker, channel, &entry, now_us)) {
			channel->reserved -= needs;
			channel_unjoin_batch(channel, &entry);
			channel->worker->counters[WORKER_POOL_EMPTY]++;
			return false;
		}
	}
	counter_add(&channel->accepted, 1);
	channel->worker->counters[WORKER_ENTRIES]++;
	return true;
}

uint32_t channel_poll(struct channel *channel, uint64_t now_us, uint32_t budget)
{
	uint32_t pending;
	uint32_t taken = 0;

	if (atomic_load_explicit(&channel->notices.is_broken, memory_order_relaxed))
		channel_close(channel, HAUL_INVALID,
			      "notification_head lies outside the notifications that were written");
	if (channel->is_closing)
		return 0;
	pending = MIN(channel_pending(channel), budget);
	channel->cancels.has_looked = false;
	/* A cancellation walks over all that is open, so it is the last entry of its round. */
	while (taken < pending && !channel->is_closing && !channel->cancels.has_looked &&
	       channel_take(channel, now_us)) {
		channel->submission_head++;
		taken++;
	}
	if (taken > 0) {
		/* Orders the copies of the entries before the client may write them again. */
		ring_store_release(&channel->header->submission_head.value,
				   channel->submission_head);
	}
	return taken;
}

static void channel_write(struct channel *channel, const struct haul_completion *completion)
{
	uint32_t index = channel->completion_tail & (channel->completions_count - 1);

	ASSERT(channel->reserved > 0);
	channel->reserved--;
	if (channel->is_closing)
		return; /* nobody reads it any more */
	channel->completions[index] = *completion;
	channel->completion_tail++;
	/* Orders the completion before the index that shows it. */
	ring_store_release(&channel->header->completion_tail.value, channel->completion_tail);
	channel->is_wake_due = true;
}

static uint32_t channel_elapsed(const struct channel *channel, uint64_t started_us)
{
	uint64_t elapsed_us = channel->worker->now_us - started_us;

	return elapsed_us > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed_us;
}

static void channel_write_aggregate(struct channel *channel, uint32_t id)
{
	struct batch *batch = &channel->batches[id];
	struct haul_completion completion = {
		.user_data = batch->user_data,
		.bytes = batch->bytes,
		.batch = id,
		.status = batch->status,
		.reason = batch->reason,
		.transport = batch->transport,
		.attempts = batch->attempts,
		.members = (uint16_t)batch->members,
		.time_us = channel_elapsed(channel, batch->started_us),
	};

	batch->members = 0;
	batch->is_closed = false;
	channel_write(channel, &completion);
}

/* Fold a member's end into its batch; returns whether it also wants a completion of its own. */
static bool channel_fold(struct channel *channel, const struct channel_result *result)
{
	struct batch *batch = &channel->batches[result->batch];

	ASSERT(batch->open > 0);
	batch->open--;
	batch->bytes += result->bytes;
	/* The worst is the member's that ended worst by the order of enum haul_error: OK is the least. */
	if (result->status > batch->status) {
		batch->status = (uint16_t)result->status;
		batch->reason = (uint16_t)result->reason;
	}
	if (result->transport != HAUL_TRANSPORT_NONE)
		batch->transport = result->transport;
	batch->attempts = MAX(batch->attempts, result->attempts);
	return (result->flags & HAUL_ENTRY_BATCH_MEMBER) != 0;
}

void channel_complete(struct channel *channel, const struct channel_result *result)
{
	struct haul_completion completion = {
		.user_data = result->user_data,
		.bytes = result->bytes,
		.status = (uint16_t)result->status,
		.reason = (uint16_t)result->reason,
		.transport = result->transport,
		.attempts = result->attempts,
		.members = result->found,
		.time_us = channel_elapsed(channel, result->started_us),
	};
	struct batch *batch;

	counter_add(&channel->completed, 1);
	counter_add(&channel->bytes, completion.bytes);
	counter_add(&channel->time_us, completion.time_us);
	if (result->batch == 0) {
		channel_write(channel, &completion);
		return;
	}
	if (channel_fold(channel, result))
		channel_write(channel, &completion);
	batch = &channel->batches[result->batch];
	if (batch->is_closed && batch->open == 0)
		channel_write_aggregate(channel, result->batch);
}

/*
 * A byte on the client's socket. Not an eventfd: its O_NONBLOCK belongs to both ends, so a client could clear it, fill
 * the counter, and have its worker sleep in the write for ever. A socket's sender decides by itself, and a full one
 * wakes the client already.
 */
static void channel_ring(const struct channel *channel)
{
	send(channel->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void channel_wake(struct channel *channel)
{
	if (!channel->is_wake_due)
		return;
	channel->is_wake_due = false;
	/* Orders completion_tail's store before the load of the flag, against haul_wait's own fence. */
	ring_full_fence();
	if (ring_load_relaxed(&channel->header->client_sleeps.value) == 0)
		return;
	/* The one system call that a round may make for a channel: the client said that it sleeps. */
	channel_ring(channel);
	channel->worker->counters[WORKER_WAKEUPS]++;
}

static void channel_cancel_all(struct channel *channel)
{
	struct operation *operation = TAILQ_FIRST(&channel->operations);

	/* An operation without slices ends within the call, so its successor is taken first. */
	while (operation != NULL) {
		struct operation *next = TAILQ_NEXT(operation, siblings);

		operation_end(operation, HAUL_CANCELLED, HAUL_REASON_CLIENT_GONE);
		operation = next;
	}
}

void channel_close(struct channel *channel, enum haul_error error, const char *reason)
{
	struct haul_channel_header *header = channel->header;
	size_t length = strnlen(reason, sizeof(header->reason) - 1);

	if (channel->is_closing)
		return;
	channel->is_closing = true;
	memcpy(header->reason, reason, length);
	header->reason[length] = 0;
	header->error = (uint32_t)error;
	/* Orders error and reason before the state that tells of them. */
	ring_store_release(&header->state, HAUL_CHANNEL_CLOSED);
	channel_ring(channel);
	if (error == HAUL_INVALID) {
		struct worker_request request = { .kind = WORKER_CHANNEL_BAD,
						  .worker = channel->worker->number,
						  .channel = channel,
						  .reason = reason };

		channel->worker->counters[WORKER_CHANNELS_BROKEN]++;
		worker_ask(channel->worker, &request);
	}
	channel_cancel_all(channel);
}

bool channel_is_idle(const struct channel *channel)
{
	if (!channel->is_closing || !TAILQ_EMPTY(&channel->operations) || channel->errands.open > 0)
		return false;
	ASSERT(channel->cancels.head == channel->cancels.tail);
	return true;
}
