/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Who has notified here, and with which numbers: the target's side of "exactly once".
 *
 * A notifier is one worker of one node. It numbers its notifications for this node (numbers.h) and makes sure that an
 * attempt is over before the next one of the same number begins, and that no number is open when one a window above it
 * is given out. So a word for each number modulo the window is all the memory that it takes: the word holds the
 * number that was executed there last, and what equals it was executed.
 *
 * All workers share the table. An attempt claims its word by compare-and-swap before it delivers and settles it after,
 * so that even an attempt that was taken off its core in between, for longer than the initiator believes, cannot be
 * executed beside the next one. Nobody waits: who meets a claimed word is told BUSY, and its initiator comes again.
 *
 * An entry is made with the first notification and belongs to the node's name for good. When another incarnation of that
 * node notifies, the one before is over, since a name has one daemon at a time; from then on it is refused, the
 * words are cleared and the entry is the new one's. So the table is bounded by the names and workers that there are,
 * and is never short of room because of restarts.
 */
#ifndef ENGINE_NOTIFIER_H
#define ENGINE_NOTIFIER_H

#include "engine/limits.h"
#include "engine/transport.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum notifier_state {
	NOTIFIER_FREE = 0,     /**< was never used */
	NOTIFIER_CHANGING = 1, /**< a worker makes it, or gives it to another incarnation */
	NOTIFIER_READY = 2,
};

struct notifier {
	_Atomic uint32_t state; /**< enum notifier_state; workers, CHANGING by compare-and-swap */
	uint32_t worker;        /**< of that node; written once, before the first READY */
	char node[HAUL_NAME_BYTES];   /**< likewise */
	_Atomic uint64_t incarnation; /**< whose numbers these are; written while CHANGING */
	_Atomic uint64_t gone;        /**< the one before it; 0 = none; written while CHANGING */
	/** By number % window: executed last, 0 = none; the top bit while an attempt is at it. */
	_Atomic uint64_t executed[ENGINE_NOTIFY_WINDOW];
};

struct notifier_table {
	struct notifier *notifiers; /**< ENGINE_NOTIFIERS_MAX; hashed by node and worker */
};

/** An attempt between begin and end. */
struct notifier_claim {
	_Atomic uint64_t *word;
	uint64_t before; /**< what it held */
	uint64_t number;
};

enum notifier_verdict {
	NOTIFIER_NEW = 1,  /**< deliver it, then call notifier_end */
	NOTIFIER_DONE = 2, /**< was delivered by an earlier attempt */
	NOTIFIER_BUSY = 3, /**< somebody is at this very moment at the word or the entry */
	NOTIFIER_FULL = 4, /**< no room for one more notifier */
	NOTIFIER_OVER = 5, /**< its incarnation, or its number's window, is over */
};

/** Returns 0 or -ENOMEM; pages are taken up as they are used. */
int notifier_table_init(struct notifier_table *table);
void notifier_table_destroy(struct notifier_table *table);

/** Any worker. On NOTIFIER_NEW the claim is filled. */
enum notifier_verdict notifier_begin(struct notifier_table *table,
				     const struct transport_notice *notice,
				     struct notifier_claim *claim_out);

/** It was delivered, or was not and may be tried again. The same worker. */
void notifier_end(const struct notifier_claim *claim, bool is_delivered);

/** Has it been delivered? Makes no entry. Any worker. */
bool notifier_has(struct notifier_table *table, const struct transport_notice *notice);

#endif
