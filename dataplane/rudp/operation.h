/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The operations that this node has begun on a connection: the initiator's side.
 *
 * Ids are consecutive. A slot is id modulo the table's size, so an id can be given out when its slot is
 * free and fewer than `size` ids are open above the low-water mark; the target keeps a table of the same
 * size and needs no more memory. An operation is over when nothing more of it is wanted: the target learns that
 * by DONE. Its slot is free when its completion has been reported, which for a cancelled WRITE is later.
 */
#ifndef RUDP_OPERATION_H
#define RUDP_OPERATION_H

#include "rudp/list.h"
#include "rudp/rudp.h"
#include "rudp/wire.h"

enum operation_state {
	OPERATION_FREE = 0,    /**< the slot can be taken */
	OPERATION_ACTIVE = 1,  /**< sending, or waiting for acknowledgements or data */
	OPERATION_FENCING = 2, /**< a WRITE that ends once nothing of it can land any more */
};

struct operation {
	struct list_link link; /**< of `sending` or `requesting`, or of neither */
	uint64_t cookie;
	uint64_t region;
	uint64_t offset;
	uint64_t
		fence_base_us; /**< WRITE: when the tick of its newest packet was learnt; 0 = none */
	uint32_t id;
	uint32_t length;  /**< NOTIFY: of its payload, which is sent as that of a WRITE is */
	uint32_t sent;    /**< WRITE: bytes that were sent at least once */
	uint32_t settled; /**< WRITE: bytes acknowledged; READ: bytes delivered */
	uint32_t number;  /**< packet of the READ's newest request, or of the fence's first DONE */
	uint8_t kind;     /**< enum rudp_kind */
	uint8_t state;    /**< enum operation_state */
	uint8_t said;     /**< 1 = `number` is valid */
	uint8_t status;   /**< FENCING: enum haul_error to end with */
	uint8_t grant;    /**< slot that it names */
	uint16_t reason;  /**< FENCING: enum haul_reason to end with */
};

struct operations {
	struct operation *slots;     /**< mask + 1 */
	uint64_t *over;              /**< bit of a slot: its id, at or above low_water, is over */
	uint32_t mask;               /**< size - 1 */
	uint32_t next;               /**< id of the next operation */
	uint32_t low_water;          /**< every id before it is over */
	uint32_t open;               /**< slots that are not free */
	uint32_t fencing;            /**< slots that are FENCING */
	struct list_link sending;    /**< WRITEs and NOTIFYs with bytes never sent, in turn */
	struct list_link requesting; /**< READs whose request has to be sent */
};

/** Bytes of memory that operations_init divides up. */
size_t operations_bytes(uint32_t size);
void operations_init(struct operations *operations, void *memory, uint32_t size);

/** Takes the next id; NULL when none is free. The request has been checked. */
struct operation *operation_begin(struct operations *operations,
				  const struct rudp_operation_request *request);

/** The operation of an id whose completion has not been reported; NULL for all others. */
static inline struct operation *operation_find(const struct operations *operations, uint32_t id)
{
	struct operation *operation = &operations->slots[id & operations->mask];

	return operation->id == id && operation->state != OPERATION_FREE ? operation : NULL;
}

/** Nothing more is wanted of it; moves the low-water mark. Not for one that is over already. */
void operation_over(struct operations *operations, struct operation *operation);
/** Frees the slot of an operation that is over. */
void operation_free(struct operations *operations, struct operation *operation);
/** What the target is to be told. */
void operations_done(const struct operations *operations, struct wire_done *out);

/** When nothing of a WRITE can land any more, by this node's clock. */
static inline uint64_t operation_fence_us(const struct operation *operation)
{
	const uint64_t span_us = (RUDP_TICKS_FRESH + 1) * (uint64_t)RUDP_TICK_US;

	/* One more for the fractions of both clocks. */
	return operation->fence_base_us + span_us + span_us * RUDP_DRIFT_PPM / 1000000 + 1;
}

#endif
