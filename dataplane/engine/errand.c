/* SPDX-License-Identifier: BSD-3-Clause */
/* Entries that the control thread carries out; errand.h says who owns one when. */
#include "engine/errand.h"

#include "base/check.h"
#include "engine/channel.h"
#include "engine/worker.h"

/* Flags that say something of a batch: no others mean anything here. */
#define ERRAND_FLAGS (HAUL_ENTRY_BATCH_LAST | HAUL_ENTRY_BATCH_MEMBER)

/* The fields that say nothing in any errand. */
static bool errand_is_bare(const struct haul_entry *entry)
{
	return entry->reserved == 0 && entry->length == 0 && entry->timeout_ms == 0 &&
	       entry->tag == 0 && entry->remote_segment == 0 &&
	       haul_u48_get(entry->remote_region) == 0 && haul_u48_get(entry->remote_offset) == 0;
}

enum haul_reason errand_check(const struct haul_entry *entry)
{
	if ((entry->flags & ~ERRAND_FLAGS) != 0 || !errand_is_bare(entry))
		return HAUL_REASON_FLAGS;
	if (entry->batch > HAUL_BATCHES_MAX || (entry->batch == 0 && entry->flags != 0))
		return HAUL_REASON_BATCH;
	/* The sum of a batch's bytes would make no handle of its members' ones. */
	if (entry->opcode == HAUL_OP_EXTENT_PUBLISH)
		return entry->batch != 0 ? HAUL_REASON_BATCH : HAUL_REASON_NONE;
	if (haul_u48_get(entry->local_offset) != 0 || entry->value != 0)
		return HAUL_REASON_FLAGS;
	return HAUL_REASON_NONE;
}

static struct errand *errand_find_free(struct errand_table *table)
{
	for (uint32_t i = 0; i < ENGINE_ERRANDS_MAX; i++) {
		struct errand *errand = &table->errands[i];

		if (atomic_load_explicit(&errand->state, memory_order_relaxed) == ERRAND_FREE)
			return errand;
	}
	return NULL;
}

bool errand_start(struct channel *channel, const struct haul_entry *entry)
{
	struct errand_table *table = &channel->errands;
	struct worker_request request = { .kind = WORKER_ERRAND,
					  .worker = channel->worker->number,
					  .channel = channel };
	struct errand *errand;

	if (table->open == ENGINE_ERRANDS_MAX)
		return false;
	errand = errand_find_free(table);
	ASSERT(errand != NULL);
	table->open++;
	errand->opcode = entry->opcode;
	errand->flags = entry->flags;
	errand->batch = entry->batch;
	errand->user_data = entry->user_data;
	errand->started_us = channel->worker->now_us;
	errand->region = haul_u48_get(entry->local_region);
	errand->offset = haul_u48_get(entry->local_offset);
	errand->bytes = entry->value;
	atomic_store_explicit(&errand->state, ERRAND_OUT, memory_order_relaxed);
	request.index = (uint32_t)(errand - table->errands);
	/* The ring orders the errand before the request that tells of it. */
	worker_ask(channel->worker, &request);
	return true;
}

static void errand_complete(struct channel *channel, struct errand *errand)
{
	const struct channel_result result = {
		.user_data = errand->user_data,
		.bytes = errand->result,
		.started_us = errand->started_us,
		.batch = errand->batch,
		.status = (enum haul_error)errand->status,
		.reason = (enum haul_reason)errand->reason,
		.flags = errand->flags,
	};

	atomic_store_explicit(&errand->state, ERRAND_FREE, memory_order_relaxed);
	channel->errands.open--;
	channel->worker->counters[WORKER_ERRANDS]++;
	channel_complete(channel, &result);
}

uint32_t errand_poll(struct channel *channel)
{
	struct errand_table *table = &channel->errands;
	uint32_t work = 0;

	if (LIKELY(table->open == 0) ||
	    atomic_load_explicit(&table->done, memory_order_relaxed) == table->seen)
		return 0;
	for (uint32_t i = 0; i < ENGINE_ERRANDS_MAX; i++) {
		struct errand *errand = &table->errands[i];

		/* Orders the state before how it ended, against errand_finish. */
		if (atomic_load_explicit(&errand->state, memory_order_acquire) != ERRAND_DONE)
			continue;
		table->seen++;
		errand_complete(channel, errand);
		work++;
	}
	return work;
}

void errand_finish(struct channel *channel, struct errand *errand, enum haul_error status,
		   enum haul_reason reason, uint64_t result)
{
	BUG_ON(atomic_load_explicit(&errand->state, memory_order_relaxed) != ERRAND_OUT);
	errand->status = (uint16_t)status;
	errand->reason = (uint16_t)reason;
	errand->result = result;
	/* Orders how it ended before the state that gives it back. */
	atomic_store_explicit(&errand->state, ERRAND_DONE, memory_order_release);
	atomic_fetch_add_explicit(&channel->errands.done, 1, memory_order_release);
	worker_wake(channel->worker);
}
