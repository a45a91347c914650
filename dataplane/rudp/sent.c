/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ring and bitmaps of the packets in flight. Plain data structure: what an acknowledgement or a loss means is
 * decided in ack.c and loss.c.
 */
#include "rudp/sent.h"

#include "base/check.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct sent_packet) == 20, "five words a packet");

static void bit_set(uint64_t *bits, uint32_t index)
{
	bits[index / 64] |= UINT64_C(1) << index % 64;
}

static void bit_clear(uint64_t *bits, uint32_t index)
{
	bits[index / 64] &= ~(UINT64_C(1) << index % 64);
}

/* Bitmaps stand first, since they need the stricter alignment. */
uint32_t sent_bytes(uint32_t packets)
{
	return 3 * packets / 8 + packets * (uint32_t)sizeof(struct sent_packet);
}

void sent_init(struct sent *sent, void *memory, uint32_t packets, uint32_t first)
{
	uint64_t *bits = memory;
	size_t words = packets / 64;

	ASSERT(IS_POWER_OF_TWO(packets) && packets >= 64);
	memset(sent, 0, sizeof(*sent));
	memset(memory, 0, 3 * packets / 8);
	sent->flight = bits;
	sent->lost = bits + words;
	sent->again = bits + 2 * words;
	sent->packets = (struct sent_packet *)(bits + 3 * words);
	sent->mask = packets - 1;
	sent->next = sent->tail = first;
}

struct sent_packet *sent_add(struct sent *sent, uint64_t now_us)
{
	uint32_t index = sent->next & sent->mask;
	struct sent_packet *packet = &sent->packets[index];

	ASSERT(sent_span(sent) <= sent->mask);
	ASSERT(!sent_bit(sent->flight, index) && !sent_bit(sent->again, index));
	packet->sent_us = (uint32_t)now_us;
	packet->age = 0;
	packet->newest = 0;
	packet->flags = 0;
	/* The number a whole ring ago can no longer be acknowledged after all. */
	if (sent->lost_count > 0 && sent_bit(sent->lost, index))
		sent_unlose(sent, sent->next);
	bit_set(sent->flight, index);
	sent->in_flight++;
	sent->next++;
	return packet;
}

uint32_t sent_find(const struct sent *sent, const uint64_t *bits, uint32_t from, uint32_t to)
{
	while (from != to) {
		uint32_t index = from & sent->mask;
		uint64_t word = bits[index / 64] >> index % 64;
		uint32_t step = MIN(64 - index % 64, to - from);

		if (word != 0) {
			uint32_t skip = (uint32_t)__builtin_ctzll(word);

			return skip < step ? from + skip : to;
		}
		from += step;
	}
	return to;
}

void sent_land(struct sent *sent, uint32_t number)
{
	ASSERT(sent_is_flying(sent, number));
	bit_clear(sent->flight, number & sent->mask);
	sent->in_flight--;
}

void sent_lose(struct sent *sent, uint32_t number)
{
	sent_land(sent, number);
	bit_set(sent->lost, number & sent->mask);
	sent->lost_count++;
}

void sent_unlose(struct sent *sent, uint32_t number)
{
	ASSERT(sent_bit(sent->lost, number & sent->mask));
	bit_clear(sent->lost, number & sent->mask);
	sent->lost_count--;
}

void sent_again_set(struct sent *sent, uint32_t origin)
{
	if (sent_bit(sent->again, origin & sent->mask))
		return;
	bit_set(sent->again, origin & sent->mask);
	sent->again_count++;
}

void sent_again_clear(struct sent *sent, uint32_t origin)
{
	if (!sent_bit(sent->again, origin & sent->mask))
		return;
	bit_clear(sent->again, origin & sent->mask);
	sent->again_count--;
}

void sent_retire(struct sent *sent)
{
	uint32_t index = sent->tail & sent->mask;

	ASSERT(sent_span(sent) > 0);
	ASSERT(!sent_bit(sent->flight, index) && !sent_bit(sent->again, index));
	sent->tail++;
}
