/* SPDX-License-Identifier: BSD-3-Clause */
/* The notification ring of one channel; notices.h says who writes it. */
#include "engine/notices.h"

#include "base/check.h"
#include "base/ring.h"

#include <string.h>
#include <sys/socket.h>

/* Tries to claim a position. Each that fails is another worker's success, so few are needed; the sender comes again. */
#define NOTICES_TRIES 16

void notices_init(struct notices *notices, struct haul_channel_header *header,
		  struct haul_notification *slots, uint32_t count)
{
	ASSERT(IS_POWER_OF_TWO(count));
	memset(notices, 0, sizeof(*notices));
	notices->header = header;
	notices->slots = slots;
	notices->count = count;
	notices->wake_fd = -1;
}

/* Write the slot of a position that is this worker's, and show it. */
static void notices_write(struct notices *notices, uint32_t position,
			  const struct haul_notification *notification)
{
	const size_t first = offsetof(struct haul_notification, tag);
	struct haul_notification *slot = &notices->slots[position & (notices->count - 1)];

	memcpy((char *)slot + first, (const char *)notification + first, sizeof(*slot) - first);
	/* Orders the slot, and the bytes that it tells of, before the sequence that shows it. */
	ring_store_release(&slot->sequence, position + 1);
	atomic_fetch_add_explicit(&notices->delivered, 1, memory_order_relaxed);
}

/* A position to write, and whether there is one: 1, 0 = full, -1 = somebody else was faster. */
static int notices_claim(struct notices *notices, uint32_t *position_out)
{
	uint32_t tail = atomic_load_explicit(&notices->tail, memory_order_relaxed);
	/* Orders the client's reads of the slot before our write, and its view of the tail before our next look. */
	uint32_t head = ring_load_acquire(&notices->header->notification_head.value);
	uint32_t unseen = tail - head;

	if (unseen > notices->count) {
		/* The client saw later notifications than this tail, or none that there were. */
		if (atomic_load_explicit(&notices->tail, memory_order_relaxed) != tail)
			return -1;
		atomic_store_explicit(&notices->is_broken, true, memory_order_relaxed);
		return 0;
	}
	if (unseen == notices->count)
		return 0;
	*position_out = tail;
	return atomic_compare_exchange_strong_explicit(&notices->tail, &tail, tail + 1,
						       memory_order_relaxed, memory_order_relaxed)
		       ? 1
		       : -1;
}

enum haul_error notices_push(struct notices *notices, const struct haul_notification *notification)
{
	uint32_t position;

	for (int i = 0; i < NOTICES_TRIES; i++) {
		int claimed = notices_claim(notices, &position);

		if (claimed > 0) {
			notices_write(notices, position, notification);
			return HAUL_OK;
		}
		if (claimed == 0)
			break;
	}
	atomic_fetch_add_explicit(&notices->refused, 1, memory_order_relaxed);
	return HAUL_BUSY;
}

uint32_t notices_unread(const struct notices *notices)
{
	uint32_t unread = atomic_load_explicit(&notices->tail, memory_order_relaxed) -
			  ring_load_relaxed(&notices->header->notification_head.value);

	return MIN(unread, notices->count);
}

bool notices_wake(const struct notices *notices)
{
	/* Orders the sequences before the load of the flag, against haul_wait's own fence. */
	ring_full_fence();
	if (ring_load_relaxed(&notices->header->client_sleeps.value) == 0)
		return false;
	send(notices->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}
