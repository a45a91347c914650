/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Chunks that have become too large for their path, and are sent in pieces.
 *
 * A chunk has one identity for its whole life, so that it is placed once whatever the network still holds of it. When the
 * path shrinks under it, it keeps its identity, and is cut where every path can carry it: piece i is the bytes from i *
 * PIECE_BYTES on. A receiver has a bit for each piece of the chunks that it has met in pieces; a whole transmission of
 * such a chunk that turns up late is dropped, and the chunk is settled with its last piece.
 *
 * Both sides' halves are here. One worker's thread.
 */
#ifndef RUDP_PIECE_H
#define RUDP_PIECE_H

#include "rudp/rudp_types.h"
#include "rudp/sent.h"
#include "rudp/wire.h"

/** Fits with any header into what every path carries; cache lines, so that copies of them are aligned alike. */
#define PIECE_BYTES 1152u
/** Of the largest chunk: the wire has three bits. */
#define PIECES_MAX 8u

/* What a sender knows of a chunk that it has cut stands in its origin's record. */

/** Cuts a chunk: none of its pieces is settled, all wait to be sent. */
void piece_cut(struct sent_packet *origin);
/** One of the pieces that wait, PIECES_MAX when there is none. */
uint32_t piece_waiting(const struct sent_packet *origin);
/** A transmission of the piece has been made. */
void piece_sent(struct sent_packet *origin, struct sent_packet *packet, uint32_t piece);
/** The piece of a transmission is to be sent again unless it is settled; false = it is no piece, or settled. */
bool piece_again(struct sent_packet *origin, const struct sent_packet *packet);
/** The piece of a transmission is settled; true when all are. */
bool piece_settled(struct sent_packet *origin, const struct sent_packet *packet);

/** Bytes of a piece of a chunk of `length`. */
static inline uint32_t piece_bytes(uint32_t length, uint32_t piece)
{
	uint32_t rest = length - piece * PIECE_BYTES;

	return rest < PIECE_BYTES ? rest : PIECE_BYTES;
}

/** What a piece's header says beside PIECE. */
static inline uint8_t piece_flags(uint32_t length, uint32_t piece)
{
	bool is_last = length <= (piece + 1) * PIECE_BYTES;

	return (uint8_t)(WIRE_FLAG_PIECE | piece << WIRE_PIECE_SHIFT |
			 (is_last ? WIRE_FLAG_LAST : 0u));
}

/** Is a transmission, which is not the origin itself, one of a piece? */
static inline bool piece_is(const struct sent_packet *packet)
{
	return packet->age != 0 && packet->newest != 0;
}

/** What a receiver has of chunks in pieces, by identity modulo the window. */
struct pieces {
	uint32_t count;               /**< chunks with a bit; 0 = nothing to look at */
	uint8_t bits[WIRE_AGE_LIMIT]; /**< bit i = piece i was placed, or there is none */
};

/** Forgets those whose identities leave the window when `number` comes into it. */
void pieces_move(struct pieces *pieces, uint32_t next, uint32_t number);
/** The piece of these flags has been placed. True when the chunk is whole. */
bool pieces_set(struct pieces *pieces, uint32_t identity, uint8_t flags);

/** Has any piece of the chunk been placed? */
static inline bool pieces_any(const struct pieces *pieces, uint32_t identity)
{
	return pieces->bits[identity % WIRE_AGE_LIMIT] != 0;
}

/** Has the piece of these flags been placed? */
static inline bool pieces_test(const struct pieces *pieces, uint32_t identity, uint8_t flags)
{
	return (pieces->bits[identity % WIRE_AGE_LIMIT] >> wire_piece(flags) & 1) != 0;
}

#endif
