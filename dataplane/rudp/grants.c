/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All of it is rare but grants_find, grants_use and grants_leave, which are called for each operation and find the slot
 * where they found it last. The other steps look through all slots.
 */
#include "rudp/grants.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/seq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(RUDP_GRANTS == 1u << 8, "a packet names a slot in 8 bits");

size_t grants_bytes(void)
{
	return RUDP_GRANTS *
	       (sizeof(struct rudp_right) + sizeof(struct grants_own) + sizeof(struct grants_peer));
}

/* Those with 64-bit fields stand first. */
void grants_init(struct grants *grants, void *memory)
{
	memset(grants, 0, sizeof(*grants));
	memset(memory, 0, grants_bytes());
	grants->own = memory;
	grants->held = (void *)(grants->own + RUDP_GRANTS);
	grants->peer = (void *)(grants->held + RUDP_GRANTS);
}

static bool grants_is(const struct grants_own *own, uint32_t segment, uint8_t rights)
{
	return own->segment == segment && own->rights == rights;
}

/* RUDP_GRANTS when there is none. */
static uint32_t grants_slot(const struct grants *grants, uint32_t segment, uint8_t rights)
{
	for (uint32_t i = 0; i < grants->used; i++) {
		if (grants_is(&grants->own[i], segment, rights))
			return i;
	}
	return RUDP_GRANTS;
}

/* May its slot be another's? Not while somebody works on it, or its claim is on the way, or operations name it. */
static bool grants_is_idle(const struct grants_own *own)
{
	return own->uses == 0 && (own->state == GRANTS_FREE || own->state >= GRANTS_GRANTED);
}

/* A slot for a new grant: a fresh one, or that which was used the longest ago; RUDP_GRANTS when all are busy. */
static uint32_t grants_take(struct grants *grants)
{
	uint32_t best = RUDP_GRANTS;

	if (grants->used < RUDP_GRANTS)
		return grants->used++;
	for (uint32_t i = 0; i < RUDP_GRANTS; i++) {
		if (grants_is_idle(&grants->own[i]) &&
		    (best == RUDP_GRANTS || grants->own[i].used_us < grants->own[best].used_us))
			best = i;
	}
	return best;
}

static void grants_want(struct grants *grants, struct grants_own *own)
{
	own->serial = ++grants->serial;
	own->state = GRANTS_WANTED;
	own->status = HAUL_OK;
	grants->wanted++;
}

/* That there was no key by one tag says nothing of another's: who had the segment open may have closed it. */
static bool grants_may_be_made(const struct grants_own *own)
{
	return own->is_unmade && own->tag != own->asked;
}

/* A grant that is not GRANTED: begin with it, wait for it, or tell that it was refused. */
RARELY static int grants_begin(struct grants *grants, uint64_t now_us, uint32_t segment,
			       uint8_t rights, uint32_t tag, uint32_t slot)
{
	struct grants_own *own;

	if (segment == 0)
		return HAUL_DENIED; /* no owner has such a number */
	if (slot == RUDP_GRANTS)
		slot = grants_take(grants);
	if (slot == RUDP_GRANTS)
		return -EAGAIN;
	own = &grants->own[slot];
	if (grants_is(own, segment, rights) && own->state != GRANTS_FREE) {
		own->tag = tag; /* whoever asks last has the segment open */
		if (own->state != GRANTS_REFUSED)
			return -EAGAIN;
		if (now_us - own->used_us < GRANTS_REFUSED_US && !grants_may_be_made(own))
			return own->status;
	}
	own->segment = segment;
	own->rights = rights;
	own->tag = tag;
	own->used_us = now_us;
	grants_want(grants, own);
	return -EAGAIN;
}

int grants_find(struct grants *grants, uint64_t now_us, uint32_t segment, uint8_t rights,
		uint32_t tag, uint8_t *slot_out)
{
	uint32_t slot = grants->last;

	if (UNLIKELY(!grants_is(&grants->own[slot], segment, rights)))
		slot = grants_slot(grants, segment, rights);
	if (UNLIKELY(slot == RUDP_GRANTS || grants->own[slot].state != GRANTS_GRANTED))
		return grants_begin(grants, now_us, segment, rights, tag, slot);
	grants->last = slot;
	*slot_out = (uint8_t)slot;
	return 0;
}

void grants_use(struct grants *grants, uint8_t slot, uint64_t now_us)
{
	grants->own[slot].uses++;
	grants->own[slot].used_us = now_us;
}

void grants_leave(struct grants *grants, uint8_t slot)
{
	ASSERT(grants->own[slot].uses > 0);
	grants->own[slot].uses--;
}

static void grants_refuse(struct grants_own *own, uint64_t now_us, int status)
{
	own->state = GRANTS_REFUSED;
	own->is_unmade = false;
	own->status = (uint8_t)status;
	own->used_us = now_us;
}

void grants_made(struct grants *grants, uint64_t now_us, uint8_t slot, uint32_t serial, int status,
		 const uint8_t *proof)
{
	struct grants_own *own = &grants->own[slot];

	if (own->state != GRANTS_WORKED || own->serial != serial)
		return;
	if (status != HAUL_OK) {
		grants_refuse(own, now_us, status);
		own->is_unmade = true;
		if (grants_may_be_made(own))
			grants_want(grants, own);
		return;
	}
	memcpy(own->proof, proof, sizeof(own->proof));
	own->state = GRANTS_DUE;
	grants->due++;
}

void grants_answered(struct grants *grants, uint64_t now_us, const struct wire_granted *answer)
{
	struct grants_own *own = &grants->own[answer->slot];

	/* DUE: the claim is to be said again, but the answer to the first has come. */
	if ((own->state != GRANTS_SAID && own->state != GRANTS_DUE) ||
	    own->serial != answer->serial)
		return;
	if (own->state == GRANTS_DUE)
		grants->due--;
	if (answer->status != HAUL_OK)
		grants_refuse(own, now_us, answer->status);
	else
		own->state = GRANTS_GRANTED;
}

void grants_claimed(struct grants *grants, const struct wire_grant *claim)
{
	struct grants_peer *peer = &grants->peer[claim->slot];

	if (peer->state != GRANTS_FREE && !seq32_before(peer->serial, claim->serial))
		return; /* a copy, or overtaken by a later one */
	if (peer->state == GRANTS_WANTED)
		grants->wanted--;
	if (peer->state == GRANTS_DUE)
		grants->due--;
	memset(&grants->held[claim->slot], 0, sizeof(grants->held[0]));
	peer->segment = claim->segment;
	peer->rights = claim->rights;
	peer->serial = claim->serial;
	memcpy(peer->proof, claim->proof, sizeof(peer->proof));
	peer->state = GRANTS_WANTED;
	grants->wanted++;
}

void grants_checked(struct grants *grants, uint8_t slot, uint32_t serial, int status)
{
	struct grants_peer *peer = &grants->peer[slot];

	if (peer->state != GRANTS_WORKED || peer->serial != serial)
		return; /* the slot is another grant's by now */
	if (status == HAUL_OK) {
		grants->held[slot].segment = peer->segment;
		grants->held[slot].rights = peer->rights;
	}
	peer->status = (uint8_t)status;
	peer->state = GRANTS_DUE;
	grants->due++;
}

bool grants_take_wanted(struct grants *grants, uint32_t *cursor, struct rudp_grant *out,
			bool *is_own_out)
{
	for (; grants->wanted > 0 && *cursor < 2 * RUDP_GRANTS; ++*cursor) {
		bool is_own = *cursor < RUDP_GRANTS;
		uint8_t slot = (uint8_t)*cursor;
		struct grants_own *own = &grants->own[slot];
		struct grants_peer *peer = &grants->peer[slot];
		uint8_t *state = is_own ? &own->state : &peer->state;

		if (*state != GRANTS_WANTED)
			continue;
		*state = GRANTS_WORKED;
		grants->wanted--;
		out->slot = slot;
		out->segment = is_own ? own->segment : peer->segment;
		out->serial = is_own ? own->serial : peer->serial;
		out->rights = is_own ? own->rights : peer->rights;
		out->tag = is_own ? own->tag : 0;
		if (is_own)
			own->asked = own->tag;
		memcpy(out->proof, is_own ? own->proof : peer->proof, sizeof(out->proof));
		*is_own_out = is_own;
		return true;
	}
	return false;
}

void grants_put_back(struct grants *grants, uint8_t slot, bool is_own)
{
	uint8_t *state = is_own ? &grants->own[slot].state : &grants->peer[slot].state;

	ASSERT(*state == GRANTS_WORKED);
	*state = GRANTS_WANTED;
	grants->wanted++;
}

static size_t grants_write_own(const struct grants_own *own, uint8_t slot, uint8_t *out,
			       size_t room)
{
	struct wire_grant claim = {
		.segment = own->segment,
		.serial = own->serial,
		.slot = slot,
		.rights = own->rights,
	};

	memcpy(claim.proof, own->proof, sizeof(claim.proof));
	return wire_grant_write(out, room, &claim);
}

static size_t grants_write_peer(const struct grants_peer *peer, uint8_t slot, uint8_t *out,
				size_t room)
{
	struct wire_granted answer = {
		.serial = peer->serial,
		.slot = slot,
		.status = peer->status,
	};

	return wire_granted_write(out, room, &answer);
}

size_t grants_write(struct grants *grants, uint32_t number, uint8_t *out, size_t room)
{
	size_t written = 0;

	for (uint32_t i = 0; grants->due > 0 && i < 2 * RUDP_GRANTS; i++) {
		uint8_t slot = (uint8_t)i;
		struct grants_own *own = &grants->own[slot];
		struct grants_peer *peer = &grants->peer[slot];
		bool is_own = i < RUDP_GRANTS;
		size_t bytes;

		if ((is_own ? own->state : peer->state) != GRANTS_DUE)
			continue;
		bytes = is_own ? grants_write_own(own, slot, out + written, room - written)
			       : grants_write_peer(peer, slot, out + written, room - written);
		if (bytes == 0)
			break;
		written += bytes;
		*(is_own ? &own->number : &peer->number) = number;
		*(is_own ? &own->state : &peer->state) = GRANTS_SAID;
		grants->due--;
	}
	return written;
}

bool grants_resay(struct grants *grants, uint32_t number)
{
	bool any = false;

	for (uint32_t i = 0; i < RUDP_GRANTS; i++) {
		struct grants_own *own = &grants->own[i];
		struct grants_peer *peer = &grants->peer[i];

		if (own->state == GRANTS_SAID && own->number == number) {
			own->state = GRANTS_DUE;
			grants->due++;
			any = true;
		}
		if (peer->state == GRANTS_SAID && peer->number == number) {
			peer->state = GRANTS_DUE;
			grants->due++;
			any = true;
		}
	}
	return any;
}
