/* SPDX-License-Identifier: BSD-3-Clause */
/* The submission side: entries are handed out, filled by the application, and made visible together. */
#include "base/check.h"
#include "base/ring.h"
#include "client/client.h"

#include <string.h>
#include <sys/eventfd.h>

int client_check_channel(struct haul *haul)
{
	if (ring_load_acquire(&haul->header->state) != HAUL_CHANNEL_CLOSED)
		return haul->is_broken ? -HAUL_DISCONNECTED : 0;
	haul->is_broken = true;
	return client_fail(haul, HAUL_DISCONNECTED, "the daemon closed the channel: %.150s",
			   (const char *)haul->header->reason);
}

HAUL_PUBLIC struct haul_entry *haul_entry_next(struct haul *haul)
{
	uint32_t head = ring_load_acquire(&haul->header->submission_head.value);
	struct haul_entry *entry;

	if (haul->taken - head >= haul->entries_count)
		return NULL;
	/* An entry brings one completion, and a batch one more: both must have room, whatever order they end in. */
	if (haul->promised + 2 > haul->completions_count)
		return NULL;
	entry = &haul->entries[haul->taken & (haul->entries_count - 1)];
	memset(entry, 0, sizeof(*entry));
	haul->taken++;
	haul->promised++;
	return entry;
}

/* The doorbell, when the worker said that it sleeps. */
static void submit_ring_doorbell(struct haul *haul)
{
	/* Orders submission_tail's store before the load of the flag, against the fence in the worker's idle wait. */
	ring_full_fence();
	if (ring_load_relaxed(&haul->header->daemon_sleeps.value) != 0)
		eventfd_write(haul->doorbell_fd, 1);
}

HAUL_PUBLIC int haul_submit(struct haul *haul)
{
	uint32_t count = haul->taken - haul->submitted;
	int error;

	if (!client_is_own(haul))
		return client_fail(haul, HAUL_INVALID, "this attachment is the parent process's");
	error = client_check_channel(haul);
	if (error != 0)
		return error;
	if (count == 0)
		return 0;
	haul->submitted = haul->taken;
	/* Orders the entries before the index that shows them. */
	ring_store_release(&haul->header->submission_tail.value, haul->submitted);
	submit_ring_doorbell(haul);
	return (int)count;
}
