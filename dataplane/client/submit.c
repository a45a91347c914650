/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries in: take, prepare (inline in haul.h), submit. Neither call blocks; submit makes one system call, and only
 * when the daemon sleeps.
 *
 * The completion ring cannot overflow: `due` counts the completions that submitted entries will still bring, and an
 * entry is given out only when the two that it may bring at most (its own and its batch's) fit beside them. One
 * that brings a single one thereby leaves room for a cancellation: a client that has as much under way as it may can end it.
 */

#include "client/attachment.h"

#include <string.h>
#include <sys/eventfd.h>

/* The most completions that one entry brings. */
#define SUBMIT_COMPLETIONS_EACH 2u

/* Those of one that is in no batch: a cancellation or a removal. */
#define SUBMIT_COMPLETIONS_SINGLE 1u

/* Is a slot of the submission ring free? */
static bool submit_has_slot(struct haul *haul)
{
	uint32_t tail = haul->submission_tail + haul->taken;

	if (tail - haul->submission_head < haul->entries_count)
		return true;
	/* Orders the daemon's copy of the slot before our next write to it. */
	haul->submission_head = ring_load_acquire(&haul->header->submission_head.value);
	return tail - haul->submission_head < haul->entries_count;
}

/* Take an entry when so many completions fit beside what may come of what has been given out. */
static struct haul_entry *submit_take(struct haul *haul, uint32_t completions)
{
	uint32_t due = haul->due + haul->taken * SUBMIT_COMPLETIONS_EACH;
	struct haul_entry *entry;

	if (!client_is_alive(haul) || !submit_has_slot(haul) ||
	    due + completions > haul->completions_count)
		return NULL;
	entry = &haul->entries[(haul->submission_tail + haul->taken) & (haul->entries_count - 1)];
	haul->taken++;
	memset(entry, 0, sizeof(*entry));
	return entry;
}

/* There was no entry for what is to be done. */
static int submit_fail(struct haul *haul, const char *what)
{
	if (!client_is_alive(haul))
		return -HAUL_INVALID;
	return client_fail(haul, HAUL_BUSY,
			   "no entry for %s: %u of %u are in use, and %u of %u completions are "
			   "due: submit, reap and try again",
			   what, haul->submission_tail + haul->taken - haul->submission_head,
			   haul->entries_count, haul->due, haul->completions_count);
}

struct haul_entry *haul_entry_next(struct haul *haul)
{
	return submit_take(haul, SUBMIT_COMPLETIONS_EACH);
}

int haul_buffer_remove(struct haul *haul, const struct haul_memory *memory, uint64_t user_data)
{
	struct haul_entry *entry = submit_take(haul, SUBMIT_COMPLETIONS_SINGLE);

	if (entry == NULL)
		return submit_fail(haul, "the removal of a buffer");
	haul_prep_buffer_remove(entry, memory);
	entry->user_data = user_data;
	return 0;
}

int haul_cancel(struct haul *haul, enum haul_match match, uint64_t which, uint64_t user_data)
{
	struct haul_entry *entry = submit_take(haul, SUBMIT_COMPLETIONS_SINGLE);

	if (entry == NULL)
		return submit_fail(haul, "a cancellation");
	haul_prep_cancel(entry, match, which);
	entry->user_data = user_data;
	return 0;
}

/* Completions that an entry will bring, by the rules of the daemon for batches. */
static uint32_t submit_completions(struct haul *haul, const struct haul_entry *entry)
{
	uint32_t completions = (entry->flags & HAUL_ENTRY_BATCH_MEMBER) != 0;
	bool is_last = (entry->flags & HAUL_ENTRY_BATCH_LAST) != 0;
	uint8_t *state;

	if (entry->batch == 0 || entry->batch > HAUL_BATCHES_MAX)
		return 1;
	state = &haul->batches[entry->batch];
	if (*state == BATCH_ENDED)
		return 1; /* refused: the id was not free again */
	if (*state == BATCH_FREE) {
		if (!is_last && haul->unclosed + HAUL_COMPLETIONS_KEPT >= haul->completions_count)
			return 1; /* refused: too many are open */
		haul->unclosed++;
		completions++; /* that of the whole batch */
	}
	haul->unclosed -= is_last;
	*state = is_last ? BATCH_ENDED : BATCH_OPEN;
	return completions;
}

int haul_submit(struct haul *haul)
{
	uint32_t tail = haul->submission_tail;
	uint32_t count = haul->taken;

	if (!client_is_alive(haul))
		return -HAUL_INVALID;
	if (haul->is_gone || ring_load_relaxed(&haul->header->state) != HAUL_CHANNEL_OPEN)
		return client_disconnected(haul);
	if (count == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		haul->due += submit_completions(
			haul, &haul->entries[(tail + i) & (haul->entries_count - 1)]);
	haul->taken = 0;
	haul->submission_tail = tail + count;
	/* Orders the entries before the index that shows them to the daemon. */
	ring_store_release(&haul->header->submission_tail.value, haul->submission_tail);
	/* Orders that store before the load of the flag, against the fence in the daemon's idle wait. */
	client_fence(CLIENT_FENCE_SUBMIT);
	if (ring_load_relaxed(&haul->header->daemon_sleeps.value) != 0)
		eventfd_write(haul->doorbell_fd, 1); /* full = it has been rung already */
	return (int)count;
}

unsigned int haul_open_operations(const struct haul *haul)
{
	return haul->due;
}
