/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A hierarchical timing wheel: arm and cancel in O(1), no memory of its own beyond the struct, no
 * clock.
 *
 * Five levels of 64 slots; a slot of level 0 is one tick of 64 us, of each further level 64 times
 * as long, so that the wheel spans 19 hours; later deadlines are parked in its last slot and placed
 * again from there. Timers never fire early and, when the wheel is advanced in time, at most one
 * tick late. One thread uses a wheel.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_TICK_SHIFT 6u /**< a tick is 2^6 us: acknowledgement delays are a few hundred */
#define WHEEL_SLOT_SHIFT 6u /**< 64 slots, one bit each in a word */
#define WHEEL_SLOTS      64u
#define WHEEL_LEVELS     5u

struct timer;

/**
 * Called by wheel_advance with the timer disarmed; may arm and cancel any timer, this one included.
 */
typedef void (*timer_fire_fn)(struct timer *timer, uint64_t now_us);

/** A link of a slot's circular list. */
struct timer_link {
	struct timer_link *next;
	struct timer_link *previous;
};

/** Lives inside what it times; zero it and set `fire`, or call timer_init. */
struct timer {
	struct timer_link link; /**< next is NULL while not armed */
	timer_fire_fn fire;     /**< set once by the owner */
	uint64_t tick;          /**< of the deadline, rounded up */
	uint32_t slot;          /**< level * WHEEL_SLOTS + slot, or WHEEL_DUE */
};

/** The slot of timers that may fire now. */
#define WHEEL_DUE ((size_t)(WHEEL_LEVELS * WHEEL_SLOTS))

struct wheel {
	uint64_t tick;                   /**< every timer up to this one is in the due list */
	uint64_t occupied[WHEEL_LEVELS]; /**< bit s: slot s of the level is not empty */
	uint32_t armed;                  /**< timers in the wheel */
	struct timer_link slots[WHEEL_DUE + 1];
};

/** Make an empty wheel that stands at now_us. */
void wheel_init(struct wheel *wheel, uint64_t now_us);

/** Make a timer that is not armed. */
void timer_init(struct timer *timer, timer_fire_fn fire);

static inline bool timer_is_armed(const struct timer *timer)
{
	return timer->link.next != NULL;
}

/** Arm or re-arm; a deadline that has passed fires at the next advance. */
void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t deadline_us);

/** Disarm; nothing happens when it is not armed. */
void wheel_cancel(struct wheel *wheel, struct timer *timer);

/**
 * Fire what is due at now_us, at most budget timers; the rest is due at once. Returns how many
 * fired.
 */
unsigned int wheel_advance(struct wheel *wheel, uint64_t now_us, unsigned int budget);

/**
 * When to advance next: not after the earliest deadline's tick, perhaps before it (a timer on a
 * higher level has to be moved down). UINT64_MAX when no timer is armed.
 */
uint64_t wheel_next_us(const struct wheel *wheel);

#endif
