/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is where; neighbour.h says what it is. The table is small and looked at rarely, a few times a second, so a
 * walk over it is all the index it needs.
 */
#include "drivers/udp/neighbour.h"

#include "base/check.h"

#include <string.h>

#define US_PER_S UINT64_C(1000000)

void neighbours_init(struct neighbours *neighbours, const struct frame_ip *self,
		     const uint8_t *self_mac)
{
	memset(neighbours, 0, sizeof(*neighbours));
	neighbours->self = *self;
	memcpy(neighbours->self_mac, self_mac, FRAME_MAC_BYTES);
}

static bool neighbour_is_same(const struct frame_ip *one, const struct frame_ip *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}

static struct neighbour *neighbour_of(struct neighbours *neighbours, const struct frame_ip *address)
{
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		if (neighbour_is_same(&neighbours->entries[i].address, address))
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

static struct neighbour *neighbour_make(struct neighbours *neighbours,
					const struct frame_ip *address, uint64_t now_us)
{
	static const struct frame_ip free_address;
	struct neighbour *neighbour = neighbour_of(neighbours, &free_address);

	if (neighbour == NULL)
		neighbour = neighbour_oldest(neighbours);
	else
		neighbours->count++;
	memset(neighbour, 0, sizeof(*neighbour));
	neighbour->address = *address;
	neighbour->heard_us = now_us;
	return neighbour;
}

const uint8_t *neighbours_find(struct neighbours *neighbours, const struct frame_ip *address,
			       uint64_t now_us)
{
	struct neighbour *neighbour;

	if (lookup_is_nobody(address))
		return NULL;
	neighbour = neighbour_of(neighbours, address);
	if (neighbour == NULL)
		neighbour = neighbour_make(neighbours, address, now_us);
	return neighbour->is_known ? neighbour->mac : NULL;
}

void neighbours_doubt(struct neighbours *neighbours, const struct frame_ip *address,
		      uint64_t now_us)
{
	struct neighbour *neighbour = neighbour_of(neighbours, address);

	if (neighbour == NULL || !neighbour->is_known)
		return;
	/* As old as what is asked again; the pause between questions stays. */
	if (now_us - neighbour->heard_us > NEIGHBOUR_ASK_US)
		neighbour->heard_us = now_us > NEIGHBOUR_FRESH_US ? now_us - NEIGHBOUR_FRESH_US : 0;
}

bool neighbours_hold(struct neighbours *neighbours, const struct frame_ip *address,
		     const uint8_t *frame, uint32_t bytes)
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

static enum neighbour_news neighbour_hear(struct neighbour *neighbour, const struct lookup *lookup,
					  uint64_t now_us)
{
	const uint8_t *mac = lookup->sender_mac;
	bool is_same = neighbour->is_known && memcmp(neighbour->mac, mac, FRAME_MAC_BYTES) == 0;

	/* Somebody answers for another one, who may have answered already. */
	if (neighbour->is_known && !is_same && !lookup->is_final && lookup->is_answer)
		return NEIGHBOUR_NOTHING;
	memcpy(neighbour->mac, mac, FRAME_MAC_BYTES);
	neighbour->is_known = true;
	neighbour->heard_us = now_us;
	neighbour->questions = 0;
	return is_same ? NEIGHBOUR_NOTHING : NEIGHBOUR_LEARNT;
}

static void neighbours_answer(const struct neighbours *neighbours, const struct lookup *question,
			      struct lookup *answer_out)
{
	*answer_out = (struct lookup){ .is_answer = true, .is_final = true };
	answer_out->sender = neighbours->self;
	answer_out->target = question->sender;
	memcpy(answer_out->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES);
	memcpy(answer_out->target_mac, question->sender_mac, FRAME_MAC_BYTES);
}

enum neighbour_news neighbours_receive(struct neighbours *neighbours, const struct lookup *lookup,
				       uint64_t now_us, struct neighbour **learnt_out,
				       struct lookup *answer_out, bool *is_answer_due_out)
{
	bool is_for_me = neighbour_is_same(&lookup->target, &neighbours->self);
	struct neighbour *neighbour;

	*is_answer_due_out = false;
	*learnt_out = NULL;
	if (neighbour_is_same(&lookup->sender, &neighbours->self)) {
		return memcmp(lookup->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES) == 0
			       ? NEIGHBOUR_NOTHING
			       : NEIGHBOUR_CONFLICT;
	}
	if (is_for_me && !lookup->is_answer && neighbours_may_answer(neighbours, now_us)) {
		*is_answer_due_out = true;
		neighbours_answer(neighbours, lookup, answer_out);
	}
	if (lookup_is_nobody(&lookup->sender)) /* somebody looks whether an address is free */
		return NEIGHBOUR_NOTHING;
	neighbour = neighbour_of(neighbours, &lookup->sender);
	if (neighbour == NULL && is_for_me && !lookup->is_answer)
		neighbour = neighbour_make(neighbours, &lookup->sender, now_us);
	if (neighbour == NULL)
		return NEIGHBOUR_NOTHING;
	*learnt_out = neighbour;
	return neighbour_hear(neighbour, lookup, now_us);
}

/* Nobody has answered as often as it was asked. */
static void neighbour_forget(struct neighbours *neighbours, struct neighbour *neighbour)
{
	ASSERT(neighbours->count > 0);
	memset(&neighbour->address, 0, sizeof(neighbour->address));
	neighbours->count--;
}

static bool neighbour_is_due(const struct neighbour *neighbour, uint64_t now_us)
{
	if (neighbour->address.family == 0)
		return false;
	if (neighbour->is_known && now_us - neighbour->heard_us < NEIGHBOUR_FRESH_US)
		return false;
	return neighbour->asked_us == 0 || now_us - neighbour->asked_us >= NEIGHBOUR_ASK_US;
}

bool neighbours_question(struct neighbours *neighbours, uint64_t now_us,
			 struct lookup *question_out)
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

void neighbours_announce(const struct neighbours *neighbours, struct lookup *announcement_out)
{
	*announcement_out = (struct lookup){ .is_final = true };
	announcement_out->sender = neighbours->self;
	announcement_out->target.family = neighbours->self.family;
	memcpy(announcement_out->sender_mac, neighbours->self_mac, FRAME_MAC_BYTES);
	/* ARP asks for its own address (RFC 5227), discovery answers all nodes unasked. */
	if (neighbours->self.family == 4)
		announcement_out->target = neighbours->self;
	else
		announcement_out->is_answer = true;
}
