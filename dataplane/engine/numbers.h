/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The numbers of the notifications that a worker has under way to one peer: the initiator's side of "exactly once".
 *
 * An attempt that was cut off may have been executed all the same, so the next one, on whatever rail, bears the same
 * number, and the target executes a number once (notifier.h). Its memory is a window: a number is given out only
 * while the lowest open one is less than a window below it, so the target may forget a number when one a window above
 * it comes. A number is closed when no attempt of it can be executed any more.
 *
 * A target knows a worker of an incarnation, whatever happens to the peer's slot here meanwhile. So no number is ever
 * given out twice by a worker: a slot that is used anew goes on above the highest number that the worker gave anybody.
 *
 * One worker's alone.
 */
#ifndef ENGINE_NUMBERS_H
#define ENGINE_NUMBERS_H

#include "engine/limits.h"

#include <stdint.h>

/** Numbers stay below this; the bits above are for whoever stores them. */
#define NUMBERS_MAX (UINT64_C(1) << 63)

struct numbers {
	uint64_t lowest; /**< every number before it is closed */
	uint64_t next;   /**< the next one to give out; 0 = none was given out for this peer yet */
	uint64_t open[ENGINE_NOTIFY_WINDOW / 64]; /**< bit of number % window: it is open */
};

/**
 * The next number, never 0; `floor` is the worker's: no number before it was ever given out, and it moves along.
 * Returns 0 when the window is full.
 */
uint64_t numbers_take(struct numbers *numbers, uint64_t *floor);

/** Close a number. One that was given out before the last numbers_forget is not known any more, and ignored. */
void numbers_close(struct numbers *numbers, uint64_t number);

/** The peer's slot is given up. */
void numbers_forget(struct numbers *numbers);

/**
 * Where the numbers of a worker begin: so far from those of other incarnations of its node that a target which has met
 * both never takes one for the other. At least 1, below 2^62.
 */
uint64_t numbers_floor(uint64_t incarnation, uint32_t worker);

#endif
