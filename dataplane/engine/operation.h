/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One READ or WRITE of a client, from its entry to its completion.
 *
 * An operation is cut into slices, which go over rails; a slice that a rail gave back unplaced goes out again on
 * whatever rail is best then. What no path can cure ends it at once, everything else is bounded by its deadline.
 *
 *   start -> WAITING -> POSTED -> done          every byte placed
 *              |  ^        |
 *              v  |        v
 *           PARKED ------> ENDING -> done       deadline, cancellation, refusal: slices come back first
 *           PAUSED <------ RECALLING            refused as stale: slices come back, then it looks for the new region
 *
 * A WRITE that notifies posts one slice more when its last byte has been placed, and ends when that has been delivered.
 * While the target has no room for it the operation is PAUSED between two attempts. All attempts have one number, by
 * which the target knows them (numbers.h), and never are two of them under way: a slice is given back only when
 * nothing of it can happen any more.
 *
 * Before it posts anything it looks whether it was resolved by the segment's newest version (target.h). If not it is
 * resolved anew: what has not begun goes to the new place; what has is refused, unless the entry says
 * HAUL_ENTRY_RETRY_STALE: then it begins again from its first byte, once, when nothing of its first try can land any more.
 *
 * It belongs to one worker and lives in that worker's pool.
 */
#ifndef ENGINE_OPERATION_H
#define ENGINE_OPERATION_H

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/wheel.h"
#include "engine/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct cancel;
struct channel;
struct worker;

enum operation_state {
	OPERATION_WAITING = 1, /**< has bytes to post: on its endpoint's waiting list */
	OPERATION_PARKED = 2, /**< waits for the view of its segment: on the worker's parked list */
	OPERATION_POSTED = 3, /**< every byte is placed or on its way */
	OPERATION_ENDING = 4, /**< its end is decided; cancelled slices are coming back */
	OPERATION_PAUSED =
		5, /**< waits before it notifies (again): on no list, its timer is armed */
	OPERATION_RECALLING = 6, /**< is to begin again; cancelled slices are coming back */
};

/** How far the notification of a WRITE has come. */
enum operation_notify {
	OPERATION_NOTIFY_DUE = 0, /**< has no slice: the bytes come first, or the target was busy */
	OPERATION_NOTIFY_OUT = 1, /**< its slice is posted, or returned */
	OPERATION_NOTIFY_DONE = 2, /**< delivered */
};

struct operation {
	TAILQ_ENTRY(operation) link;     /**< endpoint's waiting list or worker's parked list */
	TAILQ_ENTRY(operation) siblings; /**< channel's open operations */
	struct channel *channel;
	struct worker *worker;
	struct cancel *cancel; /**< the first that matched it and waits for its end; NULL = none */
	struct timer deadline;
	struct timer pause; /**< while PAUSED */

	struct slice_list posted;   /**< slices that a driver has */
	struct slice_list returned; /**< slices to be posted again */

	uint64_t local_region;
	uint64_t local_offset;
	uint64_t remote_region; /**< resolved by the view; 48-bit handle */
	uint64_t remote_offset; /**< from the remote region's start */
	uint64_t entry_offset;  /**< remote_offset as the entry gave it */
	uint64_t entry_region;  /**< remote_region as the entry gave it; 0 = by the view */
	uint64_t user_data;
	uint64_t incarnation;     /**< of the target that the operation is bound to */
	uint64_t version;         /**< of the view that it was resolved by */
	uint64_t refused_version; /**< that the target told with STALE; 0 = none */
	uint64_t refused_region;  /**< that was meant then */
	uint32_t refresh_asked;   /**< remote.asked then */
	bool is_retried;          /**< began again once */
	bool is_refused;          /**< since then no other region was found yet */
	uint64_t started_us;
	uint64_t value;         /**< of the notification */
	uint64_t notify_number; /**< of all its attempts; 0 = none was made yet */

	uint32_t length;
	uint32_t cut;          /**< bytes that have become slices */
	uint32_t placed;       /**< bytes of slices that came back OK */
	uint32_t slices_count; /**< length of `posted` */
	uint32_t slices_held;  /**< of that and `returned` */
	uint32_t batch;        /**< id, 0 = none */
	uint32_t remote;       /**< index in the table of remote segments */
	uint32_t peer;         /**< index in the table of peers */
	uint32_t segment;      /**< the owner's number of it, by the view */
	uint32_t tag;          /**< of the notification */
	uint32_t pause_us;     /**< the last pause; 0 = there was none */
	uint16_t endpoint;     /**< whose waiting list it is on, while WAITING */
	uint8_t state;         /**< enum operation_state */
	uint8_t opcode;        /**< HAUL_OP_READ or HAUL_OP_WRITE */
	uint8_t flags;         /**< of the entry */
	uint8_t transport;     /**< that its last slice went over */
	uint8_t attempts;      /**< transports tried */
	uint8_t notify_state;  /**< enum operation_notify */
	uint8_t rights;        /**< HAUL_RIGHT_* that were granted, by the view */
	uint16_t busy_reason;  /**< why the target had no room the last time; 0 = it had */
	uint16_t status;       /**< how it ends, once ENDING */
	uint16_t reason;
};

TAILQ_HEAD(operation_list, operation);

/**
 * Take one entry, already copied out of the ring. Completes it at once when it is a NOP or invalid. Returns false,
 * and has done nothing, when the pool of operations is empty or too many cancellations wait: the entry stays in its ring.
 */
bool operation_start(struct worker *worker, struct channel *channel, const struct haul_entry *entry,
		     uint64_t now_us);

/** Post what can be posted; returns the number of slices posted. 0 with WAITING means back-pressure. */
uint32_t operation_drive(struct operation *operation, uint64_t now_us);

/** Decide its end: slices that are out are cancelled, and when the last is back it completes. */
void operation_end(struct operation *operation, enum haul_error status, enum haul_reason reason);

/** A driver gave a slice back (transport_host.slice_done). */
void operation_slice_done(struct worker *worker, struct slice *slice, enum haul_error status,
			  enum haul_reason reason);

/** Take back what was posted on rails that are doubtful, where another one is up; returns the slices. */
uint32_t operation_leave_doubtful(struct operation *operation);

/** Look again whether a parked operation's view is current. */
void operation_unpark(struct operation *operation, uint64_t now_us);

#endif
