/* SPDX-License-Identifier: BSD-3-Clause */
/* Cancellations of a channel; cancel.h says what they wait for. */
#include "engine/cancel.h"

#include "base/check.h"
#include "engine/channel.h"
#include "engine/worker.h"

_Static_assert(IS_POWER_OF_TWO(ENGINE_CANCELS_MAX), "indexes are masked");
_Static_assert(ENGINE_OPERATIONS_MAX <= UINT16_MAX, "a completion has 16 bits for what was found");

/* The fields that say nothing in a CANCEL. */
static bool cancel_is_bare(const struct haul_entry *entry)
{
	return entry->flags == 0 && entry->reserved == 0 && entry->length == 0 &&
	       entry->timeout_ms == 0 && entry->remote_segment == 0 &&
	       haul_u48_get(entry->local_region) == 0 && haul_u48_get(entry->local_offset) == 0 &&
	       haul_u48_get(entry->remote_region) == 0 && haul_u48_get(entry->remote_offset) == 0;
}

enum haul_reason cancel_check(const struct haul_entry *entry)
{
	if (entry->batch != 0)
		return HAUL_REASON_BATCH;
	if (!cancel_is_bare(entry))
		return HAUL_REASON_FLAGS;
	switch (entry->tag) {
	case HAUL_MATCH_USER_DATA:
		return HAUL_REASON_NONE;
	case HAUL_MATCH_BATCH:
		return entry->value == 0 || entry->value > HAUL_BATCHES_MAX ? HAUL_REASON_BATCH
									    : HAUL_REASON_NONE;
	case HAUL_MATCH_ALL:
		return entry->value == 0 ? HAUL_REASON_NONE : HAUL_REASON_FLAGS;
	default:
		return HAUL_REASON_FLAGS;
	}
}

static bool cancel_matches(const struct haul_entry *entry, const struct operation *operation)
{
	switch (entry->tag) {
	case HAUL_MATCH_USER_DATA:
		return operation->user_data == entry->value;
	case HAUL_MATCH_BATCH:
		return operation->batch == entry->value;
	default:
		return true;
	}
}

static void cancel_complete(struct channel *channel, const struct cancel *cancel)
{
	const struct channel_result result = {
		.user_data = cancel->user_data,
		.started_us = cancel->started_us,
		.status = cancel->found > 0 ? HAUL_OK : HAUL_NOT_FOUND,
		.found = cancel->found,
	};

	channel->worker->counters[WORKER_CANCELS]++;
	channel_complete(channel, &result);
}

void cancel_release(struct channel *channel, struct cancel *cancel)
{
	struct cancel_queue *queue = &channel->cancels;

	ASSERT(cancel->open > 0);
	cancel->open--;
	while (queue->head != queue->tail) {
		cancel = &queue->cancels[queue->head & (ENGINE_CANCELS_MAX - 1)];
		if (cancel->open > 0)
			return;
		queue->head++;
		cancel_complete(channel, cancel);
	}
}

/* End what matches. What is ending already, whatever for, counts as found and is waited for too. */
static void cancel_look(struct channel *channel, struct cancel *cancel,
			const struct haul_entry *entry)
{
	struct operation *operation = TAILQ_FIRST(&channel->operations);

	/* An operation without slices ends within the call, so its successor is taken first. */
	while (operation != NULL) {
		struct operation *next = TAILQ_NEXT(operation, siblings);

		if (cancel_matches(entry, operation)) {
			cancel->found++;
			if (operation->cancel == NULL) {
				operation->cancel = cancel;
				cancel->open++;
			}
			operation_end(operation, HAUL_CANCELLED, HAUL_REASON_NONE);
		}
		operation = next;
	}
}

bool cancel_start(struct channel *channel, const struct haul_entry *entry)
{
	struct cancel_queue *queue = &channel->cancels;
	struct cancel *cancel = &queue->cancels[queue->tail & (ENGINE_CANCELS_MAX - 1)];

	if (queue->tail - queue->head == ENGINE_CANCELS_MAX)
		return false;
	queue->tail++;
	queue->has_looked = true;
	*cancel = (struct cancel){
		.user_data = entry->user_data,
		.started_us = channel->worker->now_us,
		.open = 1, /* it looks */
	};
	cancel_look(channel, cancel, entry);
	cancel_release(channel, cancel);
	return true;
}
