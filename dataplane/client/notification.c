/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications out: peek and seen; haul_wait (reap.c) asks here whether one has come.
 *
 * The ring has many producers, the daemon's workers, so there is no tail to compare with: a slot is whole when its
 * sequence is its position + 1. `notification_told` stands behind what the application knows of, so that a
 * notification that it leaves in the ring ends one wait and not all of them.
 */
#include "base/seq.h"
#include "client/attachment.h"

/* Is the notification of this position whole? */
static bool notification_is_there(const struct haul *haul, uint32_t position)
{
	const struct haul_notification *slot =
		&haul->notifications[position & (haul->notifications_count - 1)];

	/* Acquire: the notification, and the bytes that it tells of, were written before its sequence. */
	return ring_load_acquire(&slot->sequence) == position + 1;
}

bool notification_is_new(struct haul *haul)
{
	uint32_t end = haul->notification_head + haul->notifications_count;
	uint32_t told = haul->notification_told;

	while (told != end && notification_is_there(haul, told))
		told++;
	if (told == haul->notification_told)
		return false;
	haul->notification_told = told;
	return true;
}

/* There is none: is the daemon still there? */
static int notification_none(struct haul *haul)
{
	int count = reap_look_again(haul);

	if (count == 0)
		count = reap_look(haul);
	return MIN(count, 0);
}

int haul_notifications_peek(struct haul *haul, const struct haul_notification **notifications_out)
{
	uint32_t index = haul->notification_head & (haul->notifications_count - 1);
	uint32_t room = haul->notifications_count - index;
	uint32_t count = 0;

	if (!client_is_alive(haul))
		return -HAUL_INVALID;
	while (count < room && notification_is_there(haul, haul->notification_head + count))
		count++;
	haul->notified = count;
	if (count == 0)
		return notification_none(haul);
	haul->empty_peeks = 0;
	if (seq32_before(haul->notification_told, haul->notification_head + count))
		haul->notification_told = haul->notification_head + count;
	*notifications_out = &haul->notifications[index];
	return (int)count;
}

void haul_notifications_seen(struct haul *haul, unsigned int count)
{
	if (!client_is_alive(haul))
		return;
	count = MIN(count, haul->notified);
	haul->notified -= count;
	haul->notification_head += count;
	/* Orders our reads of the notifications before the daemon's next writes to their slots. */
	ring_store_release(&haul->header->notification_head.value, haul->notification_head);
}
