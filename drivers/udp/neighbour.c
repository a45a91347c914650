/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ARP cache; neighbour.h says what it is. The table is small and looked at rarely, a few times a second, so a
 * walk over it is all the index it needs.
 */
#include "drivers/udp/neighbour.h"

#include "base/check.h"

#include <string.h>

#define US_PER_S UINT64_C(1000000)

void neighbours_init(struct neighbours *neighbours, uint32_t self, const uint8_t *self_mac)
{
	memset(neighbours, 0, sizeof(*neighbours));
	neighbours->self = self;
	memcpy(neighbours->self_mac, self_mac, FRAME_MAC_BYTES);
}

static struct neighbour *neighbour_of(struct neighbours *neighbours, uint32_t address)
{
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		if (neighbours->entries[i].address == address)
			return &neighbours->entries[i];
	}
	return NULL;
}

/* A full table gives up the entry that was heard of longest ago. */
static struct neighbour *neighbour_oldest(struct neighbours *neighbours)
{
	struct neighbour *oldest = &neighbours->entries[0];

	for (uint32_t i = 1; i < NEIGHBOURS_MAX; i++) {
		if (neighbours->entries[i].heard_us < oldest->heard_us)
			oldest = &neighbours->entries[i];
	}
	return oldest;
}

static struct neighbour *neighbour_make(struct neighbours *neighbours, uint32_t address,
					uint64_t now_us)
{
	struct neighbour *neighbour = neighbour_of(neighbours, 0);

	if (neighbour == NULL)
		neighbour = neighbour_oldest(neighbours);
	else
		neighbours->count++;
	memset(neighbour, 0, sizeof(*neighbour));
	neighbour->address = address;
	neighbour->heard_us = now_us;
	return neighbour;
}

const uint8_t *neighbours_find(struct neighbours *neighbours, uint32_t address, uint64_t now_us)
{
	struct neighbour *neighbour;

	if (address == 0)
		return NULL;
	neighbour = neighbour_of(neighbours, address);
	if (neighbour == NULL)
		neighbour = neighbour_make(neighbours, address, now_us);
	return neighbour->is_known ? neighbour->mac : NULL;
}

void neighbours_doubt(struct neighbours *neighbours, uint32_t address, uint64_t now_us)
{
	struct neighbour *neighbour = neighbour_of(neighbours, address);

	if (address == 0 || neighbour == NULL || !neighbour->is_known)
		return;
	/* As old as what is asked again; the pause between questions stays. */
	if (now_us - neighbour->heard_us > NEIGHBOUR_ASK_US)
		neighbour->heard_us = now_us > NEIGHBOUR_FRESH_US ? now_us - NEIGHBOUR_FRESH_US : 0;
}

bool neighbours_hold(struct neighbours *neighbours, uint32_t address, const uint8_t *frame,
		     uint32_t bytes)
{
	struct neighbour *neighbour = neighbour_of(neighbours, address);

	if (neighbour == NULL || bytes > NEIGHBOUR_FRAME_BYTES)
		return false;
	memcpy(neighbour->held, frame, bytes);
	neighbour->held_bytes = bytes;
	return true;
}

static bool neighbours_may_answer(struct neighbours *neighbours, uint64_t now_us)
{
	if (neighbours->second != now_us / US_PER_S) {
		neighbours->second = now_us / US_PER_S;
		neighbours->answers = 0;
	}
	return neighbours->answers++ < NEIGHBOUR_ANSWERS_PER_S;
}

static enum neighbour_news neighbour_hear(struct neighbour *neighbour, const uint8_t *mac,
					  uint64_t now_us)
{
	bool is_same = neighbour->is_known && memcmp(neighbour->mac, mac, FRAME_MAC_BYTES) == 0;

	memcpy(neighbour->mac, mac, FRAME_MAC_BYTES);
	neighbour->is_known = true;
	neighbour->heard_us = now_us;
	neighbour->questions = 0;
	return is_same ? NEIGHBOUR_NOTHING : NEIGHBOUR_LEARNT;
}

enum neighbour_news neighbours_receive(struct neighbours *neighbours, const struct frame_arp *arp,
				       uint64_t now_us, struct neighbour **learnt_out,
				       struct frame_arp *answer_out, bool *is_answer_due_out)
{
	bool is_for_me = arp->target == neighbours->self;
	struct neighbour *neighbour;

	*is_answer_due_out = false;
	*learnt_out = NULL;
	if (arp->sender == neighbours->self) {
		return memcmp(arp->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES) == 0
			       ? NEIGHBOUR_NOTHING
			       : NEIGHBOUR_CONFLICT;
	}
	if (is_for_me && !arp->is_answer && neighbours_may_answer(neighbours, now_us)) {
		*is_answer_due_out = true;
		answer_out->is_answer = true;
		answer_out->sender = neighbours->self;
		answer_out->target = arp->sender;
		memcpy(answer_out->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES);
		memcpy(answer_out->target_mac, arp->sender_mac, FRAME_MAC_BYTES);
	}
	if (arp->sender == 0) /* somebody looks whether an address is free */
		return NEIGHBOUR_NOTHING;
	neighbour = neighbour_of(neighbours, arp->sender);
	if (neighbour == NULL && is_for_me && !arp->is_answer)
		neighbour = neighbour_make(neighbours, arp->sender, now_us);
	if (neighbour == NULL)
		return NEIGHBOUR_NOTHING;
	*learnt_out = neighbour;
	return neighbour_hear(neighbour, arp->sender_mac, now_us);
}

/* Nobody has answered as often as it was asked. */
static void neighbour_forget(struct neighbours *neighbours, struct neighbour *neighbour)
{
	ASSERT(neighbours->count > 0);
	neighbour->address = 0;
	neighbours->count--;
}

static bool neighbour_is_due(const struct neighbour *neighbour, uint64_t now_us)
{
	if (neighbour->address == 0)
		return false;
	if (neighbour->is_known && now_us - neighbour->heard_us < NEIGHBOUR_FRESH_US)
		return false;
	return neighbour->asked_us == 0 || now_us - neighbour->asked_us >= NEIGHBOUR_ASK_US;
}

bool neighbours_question(struct neighbours *neighbours, uint64_t now_us,
			 struct frame_arp *question_out)
{
	for (uint32_t i = 0; i < NEIGHBOURS_MAX && neighbours->count > 0; i++) {
		struct neighbour *neighbour = &neighbours->entries[i];

		if (!neighbour_is_due(neighbour, now_us))
			continue;
		if (neighbour->questions >= NEIGHBOUR_QUESTIONS) {
			neighbour_forget(neighbours, neighbour);
			continue;
		}
		neighbour->questions++;
		neighbour->asked_us = now_us;
		memset(question_out, 0, sizeof(*question_out));
		question_out->sender = neighbours->self;
		question_out->target = neighbour->address;
		memcpy(question_out->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES);
		return true;
	}
	return false;
}

void neighbours_announce(const struct neighbours *neighbours, struct frame_arp *announcement_out)
{
	memset(announcement_out, 0, sizeof(*announcement_out));
	announcement_out->sender = neighbours->self;
	announcement_out->target = neighbours->self;
	memcpy(announcement_out->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES);
}
