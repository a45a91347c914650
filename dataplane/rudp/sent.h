/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The numbered packets a connection has sent and not settled: a ring of small records indexed by packet
 * number, and three bitmaps over it, so that an acknowledgement costs a word a 64 numbers plus a step
 * for each packet that it settles.
 *
 *     tail                         next
 *      v                            v
 *      | o | A | o | L | o | o | o |        o in flight, A acknowledged, L lost
 *
 * A chunk's state (settled or not, which transmission is its newest) lives in the record of its first
 * transmission, its origin; later transmissions point back by their age. So `tail` stays at or below the
 * origin of every unsettled chunk, and next - tail never exceeds the ring.
 */
#ifndef RUDP_SENT_H
#define RUDP_SENT_H

#include <stdbool.h>
#include <stdint.h>

enum sent_kind {
	SENT_WRITE = 1,     /**< a chunk of an own WRITE */
	SENT_READ_DATA = 2, /**< a chunk of a peer's READ */
	SENT_CONTROL = 3,   /**< frames; its chunk is settled from the start */
};

/** Flags of an origin. */
#define SENT_SETTLED 0x01u /**< acknowledged through any transmission, or no longer wanted */
#define SENT_CUT     0x80u /**< it goes in pieces: see piece.h */
/** Flags of a control packet: what must be said again if it is lost. */
#define SENT_HAS_READ   0x02u
#define SENT_HAS_REFUSE 0x04u
#define SENT_HAS_DONE   0x08u
#define SENT_HAS_PING   0x10u
#define SENT_HAS_GRANT  0x20u /**< or the answer to one */
#define SENT_HAS_PROBE  0x40u /**< of the path's MTU: its loss means nothing else */

struct sent_packet {
	uint32_t sent_us;   /**< low 32 bits of the time of sending */
	uint32_t operation; /**< id; of the sender for a WRITE, of the peer for READ data */
	uint32_t offset;    /**< from the operation's start */
	uint16_t length;    /**< payload bytes; of a probe of the MTU the whole packet's */
	uint16_t age;       /**< number - origin's number; 0 = this is the origin */
	uint16_t
		newest; /**< of an origin: the age of the chunk's newest transmission; and see piece.h */
	uint8_t kind;  /**< enum sent_kind */
	uint8_t flags; /**< SENT_* */
};

struct sent {
	struct sent_packet *packets; /**< ring, mask + 1 */
	uint64_t *flight;            /**< bit = sent, not acknowledged, not declared lost */
	uint64_t *lost;              /**< bit = declared lost; acknowledged later it was spurious */
	uint64_t *again;             /**< bit = an origin whose chunk waits to be sent again */
	uint32_t mask;
	uint32_t next;        /**< number of the next packet */
	uint32_t tail;        /**< oldest number that is not settled */
	uint32_t in_flight;   /**< bits in flight */
	uint32_t lost_count;  /**< bits in lost */
	uint32_t again_count; /**< bits in again */
};

/** Bytes of memory that sent_init divides up. */
uint32_t sent_bytes(uint32_t packets);
void sent_init(struct sent *sent, void *memory, uint32_t packets, uint32_t first);

/** The record of a number between tail and next. */
static inline struct sent_packet *sent_at(const struct sent *sent, uint32_t number)
{
	return &sent->packets[number & sent->mask];
}

/** Numbers in use. */
static inline uint32_t sent_span(const struct sent *sent)
{
	return sent->next - sent->tail;
}

static inline bool sent_bit(const uint64_t *bits, uint32_t index)
{
	return (bits[index / 64] >> index % 64 & 1) != 0;
}

static inline bool sent_is_flying(const struct sent *sent, uint32_t number)
{
	return number - sent->tail < sent_span(sent) && sent_bit(sent->flight, number & sent->mask);
}

/** Takes the next number for a packet; the caller fills kind, operation, offset and length. */
struct sent_packet *sent_add(struct sent *sent, uint64_t now_us);
/** The first number in [from, to) whose bit is set, else `to`. */
uint32_t sent_find(const struct sent *sent, const uint64_t *bits, uint32_t from, uint32_t to);
/** Each takes a number out of flight, or out of lost. */
void sent_land(struct sent *sent, uint32_t number);
void sent_lose(struct sent *sent, uint32_t number);
void sent_unlose(struct sent *sent, uint32_t number);
/** Marks an origin's chunk to be sent again, or takes the mark away; both may be repeated. */
void sent_again_set(struct sent *sent, uint32_t origin);
void sent_again_clear(struct sent *sent, uint32_t origin);
/** Moves tail over one settled number. */
void sent_retire(struct sent *sent);

#endif
