/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A link may leave by list_remove behind the pacer's back; its slot's bit then stays until the slot is looked at.
 */
#include "rudp/pacer.h"

#include "base/check.h"

#include <stddef.h>

void pacer_init(struct pacer *pacer, uint64_t now_us)
{
	pacer->at_us = now_us;
	pacer->occupied = 0;
	for (unsigned i = 0; i < PACER_SLOTS; i++)
		list_init(&pacer->slots[i]);
}

uint64_t pacer_next_us(const struct pacer *pacer)
{
	unsigned first = (unsigned)((pacer->at_us + 1) % PACER_SLOTS);
	uint64_t turned;

	if (pacer->occupied == 0)
		return UINT64_MAX;
	/* Bit 0 is the slot of the microsecond behind at_us. */
	turned = pacer->occupied >> first | pacer->occupied << (PACER_SLOTS - first) % PACER_SLOTS;
	return pacer->at_us + 1 + (uint64_t)__builtin_ctzll(turned);
}

void pacer_hold(struct pacer *pacer, struct list_link *link, uint64_t now_us, uint64_t until_us)
{
	if (list_has(link))
		return;
	if (pacer->occupied == 0)
		pacer->at_us = MAX(pacer->at_us, now_us);
	until_us = MIN(MAX(until_us, pacer->at_us + 1), pacer->at_us + PACER_SLOTS);
	list_append(&pacer->slots[until_us % PACER_SLOTS], link);
	pacer->occupied |= UINT64_C(1) << until_us % PACER_SLOTS;
}

struct list_link *pacer_take(struct pacer *pacer, uint64_t now_us)
{
	uint64_t next_us;

	while ((next_us = pacer_next_us(pacer)) <= now_us) {
		struct list_link *slot = &pacer->slots[next_us % PACER_SLOTS];

		if (!list_is_empty(slot)) {
			struct list_link *link = slot->next;

			list_remove(link);
			return link;
		}
		pacer->occupied &= ~(UINT64_C(1) << next_us % PACER_SLOTS);
		pacer->at_us = next_us;
	}
	pacer->at_us = MAX(pacer->at_us, now_us);
	return NULL;
}
