/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An origin's `newest` has no other use once its chunk is cut: the low byte says which pieces are settled, the high byte
 * which wait. Pieces that the chunk does not have are settled from the start. Transmissions of pieces have their number plus
 * one there.
 */
#include "rudp/piece.h"

#include "base/check.h"

#include <assert.h>

#define ALL     0xffu
#define WAITING 8u /* shift */

static_assert(RUDP_DATA_HEADER_BYTES + RUDP_CRC_BYTES + PIECE_BYTES <= RUDP_DATAGRAM_BYTES_MIN,
	      "a piece passes");
static_assert(RUDP_DATAGRAM_BYTES_MAX - RUDP_DATA_HEADER_BYTES <= PIECES_MAX * PIECE_BYTES,
	      "every chunk can be cut");
static_assert(PIECES_MAX == 8, "a byte has a bit for each");

void piece_cut(struct sent_packet *origin)
{
	uint32_t count = (origin->length + PIECE_BYTES - 1) / PIECE_BYTES;
	uint32_t mine = (1u << count) - 1;

	ASSERT((origin->flags & SENT_CUT) == 0 && origin->length > 0);
	origin->flags |= SENT_CUT;
	origin->newest = (uint16_t)(mine << WAITING | (ALL & ~mine));
}

uint32_t piece_waiting(const struct sent_packet *origin)
{
	uint32_t waiting = origin->newest >> WAITING;

	return waiting != 0 ? (uint32_t)__builtin_ctz(waiting) : PIECES_MAX;
}

void piece_sent(struct sent_packet *origin, struct sent_packet *packet, uint32_t piece)
{
	origin->newest &= (uint16_t) ~(1u << (WAITING + piece));
	packet->newest = (uint16_t)(piece + 1);
}

bool piece_again(struct sent_packet *origin, const struct sent_packet *packet)
{
	uint32_t piece = packet->newest - 1u;

	if (!piece_is(packet) || (origin->newest >> piece & 1) != 0)
		return false;
	origin->newest |= (uint16_t)(1u << (WAITING + piece));
	return true;
}

bool piece_settled(struct sent_packet *origin, const struct sent_packet *packet)
{
	uint32_t piece = packet->newest - 1u;

	ASSERT(piece_is(packet) && piece < PIECES_MAX);
	origin->newest |= (uint16_t)(1u << piece);
	origin->newest &= (uint16_t) ~(1u << (WAITING + piece));
	return (origin->newest & ALL) == ALL;
}

void pieces_move(struct pieces *pieces, uint32_t next, uint32_t number)
{
	if (number - next >= WIRE_AGE_LIMIT)
		return;
	for (; pieces->count > 0 && next != number + 1; next++) {
		pieces->count -= pieces->bits[next % WIRE_AGE_LIMIT] != 0;
		pieces->bits[next % WIRE_AGE_LIMIT] = 0;
	}
}

bool pieces_set(struct pieces *pieces, uint32_t identity, uint8_t flags)
{
	uint8_t *bits = &pieces->bits[identity % WIRE_AGE_LIMIT];
	uint32_t mine = 1u << wire_piece(flags);

	if ((flags & WIRE_FLAG_LAST) != 0)
		mine = ALL << wire_piece(flags);
	pieces->count += *bits == 0;
	*bits |= (uint8_t)mine;
	return *bits == ALL;
}
