/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The notification ring of one channel, as the workers fill it.
 *
 * A notification is for whoever owns the memory that was written to, and arrives at whichever worker serves the rail
 * that it came by. So all workers write into this ring: each claims a position by compare-and-swap, writes the slot, and
 * shows it by the slot's own sequence. Nobody waits for anybody; what finds no room is refused, and its sender
 * tries again. A worker that stands still between claim and sequence holds up the notifications behind its own, and
 * nothing else.
 *
 * The client's index is believed nothing: it is bounded before use, and one that cannot be marks the ring as broken,
 * for the channel's own worker to close. A channel's notices outlive its regions, through which workers find them.
 */
#ifndef ENGINE_NOTICES_H
#define ENGINE_NOTICES_H

#include "api/haul_abi.h"
#include "api/haul_error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct notices {
	/* Set once, before any worker sees them. */
	struct haul_channel_header *header; /**< shared; read: notification_head, client_sleeps */
	struct haul_notification *slots;    /**< shared, workers write */
	uint32_t count;                     /**< slots, a power of two */
	int wake_fd;                        /**< the channel's: sent to when the client sleeps */

	_Atomic uint32_t tail;      /**< workers: positions claimed, ever */
	atomic_bool is_broken;      /**< workers: wo, the channel's worker: ro */
	_Atomic uint64_t delivered; /**< workers: wo; for listings */
	_Atomic uint64_t refused;   /**< workers: wo; times that the ring was full; for listings */
};

/** Before anybody sees it; wake_fd is the caller's to set. */
void notices_init(struct notices *notices, struct haul_channel_header *header,
		  struct haul_notification *slots, uint32_t count);

/**
 * Deliver one; its sequence is not looked at. Returns HAUL_OK, or HAUL_BUSY when the ring is full, broken, or wanted
 * by too many workers at this moment. Any worker.
 */
enum haul_error notices_push(struct notices *notices, const struct haul_notification *notification);

/** How many are in the ring, by the client's account: at most its size. Any thread. */
uint32_t notices_unread(const struct notices *notices);

/** Wake the client when it sleeps, after one or more pushes; true when it did. Any worker. */
bool notices_wake(const struct notices *notices);

#endif
