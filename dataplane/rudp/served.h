/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The peer's operations on a connection: the target's side.
 *
 * A table of the initiator's size, indexed by id modulo that size. An id that is below the low-water mark, or
 * whose slot says OVER, is over for good: nothing more is placed for it. Seeing an id proves that
 * the one a whole table before it is over, so the mark moves without a message; DONE only makes it move
 * sooner, and fences what is cancelled.
 */
#ifndef RUDP_SERVED_H
#define RUDP_SERVED_H

#include "rudp/list.h"
#include "rudp/rudp.h"
#include "rudp/wire.h"

enum served_state {
	SERVED_NEW = 0,     /**< nothing of it has been accepted yet */
	SERVED_WRITING = 1, /**< open: a first packet was placed, more may follow */
	SERVED_READING = 2, /**< open: its data is being sent */
	SERVED_REFUSED = 3, /**< ended here; the initiator is being told */
	SERVED_OVER = 4,    /**< ended; whatever comes is dropped */
};

struct served {
	struct list_link link; /**< of `reading` or `refusing`, or of neither */
	uint64_t region;
	uint64_t offset;  /**< READ: from the region's start */
	uint64_t version; /**< REFUSED: the current version, or 0 */
	uint32_t id;
	uint32_t length;  /**< READ: bytes */
	uint32_t sent;    /**< READ: bytes that were sent at least once */
	uint32_t settled; /**< READ: bytes acknowledged */
	uint32_t number;  /**< REFUSED: packet that said so last */
	uint8_t state;    /**< enum served_state */
	uint8_t said;     /**< 1 = `number` is valid */
	uint8_t status;   /**< REFUSED: enum haul_error */
	uint8_t grant;    /**< READ: slot that it names */
	uint16_t reason;  /**< REFUSED: enum haul_reason */
};

struct served_table;

/** Called when an operation that was open is over. */
typedef void (*served_closed_fn)(struct served_table *table, struct served *served);

struct served_table {
	struct served *slots;      /**< mask + 1 */
	uint32_t mask;             /**< size - 1 */
	uint32_t next;             /**< one above the highest id seen */
	uint32_t low_water;        /**< every id before it is over */
	uint32_t open;             /**< slots that are WRITING or READING */
	struct list_link reading;  /**< READs with bytes never sent, in turn */
	struct list_link refusing; /**< refusals that have to be sent */
	served_closed_fn closed;
};

/** Bytes of memory that served_init divides up. */
size_t served_bytes(uint32_t size);
void served_init(struct served_table *table, void *memory, uint32_t size, served_closed_fn closed);

/**
 * The slot of an id that a packet names, in state NEW if it was never seen; NULL when it is below the
 * low-water mark. May close older operations.
 */
struct served *served_claim(struct served_table *table, uint32_t id);
/** The slot of an id that is known, else NULL. */
struct served *served_find(const struct served_table *table, uint32_t id);
/** From NEW to WRITING or READING. */
void served_open(struct served_table *table, struct served *served, enum served_state state);
/** To OVER, from any state; calls `closed` if it was open. */
void served_over(struct served_table *table, struct served *served);
/** To REFUSED, from any state but OVER; queues the refusal; calls `closed` if it was open. */
void served_refuse(struct served_table *table, struct served *served, uint8_t status,
		   uint16_t reason, uint64_t version);
/** What the initiator has told. */
void served_done(struct served_table *table, const struct wire_done *done);
/** All to OVER. */
void served_end(struct served_table *table);

#endif
