/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a timer stands follows from how far off it is: less than 64 ticks on level 0, less than
 * 64^2 on level 1, and so on. When the wheel's hand reaches the start of a slot above level 0, its
 * timers are placed anew, further down; so a timer moves at most WHEEL_LEVELS times. The hand jumps
 * from one occupied slot to the next, found by one bit scan a level, so idle time costs nothing
 * however long it was.
 *
 * Why the slot at the hand is never ambiguous: on each level the slot that the hand is in has been
 * emptied when the hand entered it, so what is found in it later lies one full turn ahead.
 */
#include "base/wheel.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

#define SLOT_MASK (WHEEL_SLOTS - 1)

/* The farthest that a timer can be placed, in ticks; one less than a turn of the last level. */
#define SPAN_TICKS ((UINT64_C(1) << (WHEEL_SLOT_SHIFT * WHEEL_LEVELS)) - 1)

static struct timer *timer_of(struct timer_link *link)
{
	return CONTAINER_OF(link, struct timer, link);
}

static bool list_is_empty(const struct timer_link *list)
{
	return list->next == list;
}

static void list_append(struct timer_link *list, struct timer_link *link)
{
	link->next = list;
	link->previous = list->previous;
	list->previous->next = link;
	list->previous = link;
}

static void list_unlink(struct timer_link *link)
{
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = NULL;
}

void wheel_init(struct wheel *wheel, uint64_t now_us)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now_us >> WHEEL_TICK_SHIFT;
	for (unsigned int i = 0; i <= WHEEL_DUE; i++) {
		wheel->slots[i].next = &wheel->slots[i];
		wheel->slots[i].previous = &wheel->slots[i];
	}
}

void timer_init(struct timer *timer, timer_fire_fn fire)
{
	memset(timer, 0, sizeof(*timer));
	timer->fire = fire;
}

/* The lowest level whose turn spans the distance. */
static unsigned int level_of(uint64_t distance)
{
	unsigned int highest_bit = 63u - (unsigned int)__builtin_clzll(distance);

	ASSERT(distance != 0 && distance <= SPAN_TICKS);
	return highest_bit / WHEEL_SLOT_SHIFT;
}

/* Put a timer that is in no list where its tick belongs. */
static void timer_place(struct wheel *wheel, struct timer *timer)
{
	uint64_t distance;
	uint64_t tick;
	unsigned int level;
	unsigned int slot;

	if (timer->tick <= wheel->tick) {
		timer->slot = WHEEL_DUE;
		list_append(&wheel->slots[WHEEL_DUE], &timer->link);
		return;
	}
	distance = MIN(timer->tick - wheel->tick, SPAN_TICKS);
	tick = wheel->tick + distance;
	level = level_of(distance);
	slot = (unsigned int)(tick >> (level * WHEEL_SLOT_SHIFT)) & SLOT_MASK;
	timer->slot = level * WHEEL_SLOTS + slot;
	wheel->occupied[level] |= UINT64_C(1) << slot;
	list_append(&wheel->slots[timer->slot], &timer->link);
}

void wheel_arm(struct wheel *wheel, struct timer *timer, uint64_t deadline_us)
{
	uint64_t rest = deadline_us & ((1u << WHEEL_TICK_SHIFT) - 1);

	ASSERT(timer->fire != NULL);
	wheel_cancel(wheel, timer);
	timer->tick = (deadline_us >> WHEEL_TICK_SHIFT) + (rest != 0 ? 1 : 0);
	timer_place(wheel, timer);
	wheel->armed++;
}

void wheel_cancel(struct wheel *wheel, struct timer *timer)
{
	unsigned int slot = timer->slot;

	if (!timer_is_armed(timer))
		return;
	ASSERT(wheel->armed > 0 && slot <= WHEEL_DUE);
	list_unlink(&timer->link);
	wheel->armed--;
	if (slot != WHEEL_DUE && list_is_empty(&wheel->slots[slot]))
		wheel->occupied[slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << (slot & SLOT_MASK));
}

/* The tick at which the hand enters the level's next occupied slot, or UINT64_MAX. */
static uint64_t level_next_tick(const struct wheel *wheel, unsigned int level)
{
	unsigned int shift = level * WHEEL_SLOT_SHIFT;
	uint64_t hand = wheel->tick >> shift;
	unsigned int turn = (unsigned int)(hand + 1) & SLOT_MASK;
	uint64_t bits = wheel->occupied[level];

	if (bits == 0)
		return UINT64_MAX;
	/* Bit 0 becomes the slot right after the hand. */
	if (turn != 0)
		bits = bits >> turn | bits << (WHEEL_SLOTS - turn);
	return (hand + 1 + (unsigned int)__builtin_ctzll(bits)) << shift;
}

static uint64_t wheel_next_tick(const struct wheel *wheel)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t tick = level_next_tick(wheel, level);

		next = MIN(next, tick);
	}
	return next;
}

/* Place the timers of one slot anew: further down, or into the due list. */
static void slot_empty(struct wheel *wheel, unsigned int level, unsigned int slot)
{
	struct timer_link *list = &wheel->slots[level * WHEEL_SLOTS + slot];

	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	while (!list_is_empty(list)) {
		struct timer *timer = timer_of(list->next);

		list_unlink(&timer->link);
		timer_place(wheel, timer);
	}
}

/*
 * Move the hand to a tick that it may reach without passing an occupied slot, and empty the slots
 * it enters.
 */
static void hand_move(struct wheel *wheel, uint64_t tick)
{
	ASSERT(tick > wheel->tick);
	wheel->tick = tick;
	for (unsigned int level = 0; level < WHEEL_LEVELS; level++) {
		unsigned int shift = level * WHEEL_SLOT_SHIFT;
		unsigned int slot = (unsigned int)(tick >> shift) & SLOT_MASK;

		if ((tick & ((UINT64_C(1) << shift) - 1)) != 0)
			break;
		if ((wheel->occupied[level] >> slot & 1) != 0)
			slot_empty(wheel, level, slot);
	}
}

/* Fire from the due list. */
static unsigned int due_fire(struct wheel *wheel, uint64_t now_us, unsigned int budget)
{
	struct timer_link *due = &wheel->slots[WHEEL_DUE];
	unsigned int fired = 0;

	while (fired < budget && !list_is_empty(due)) {
		struct timer *timer = timer_of(due->next);

		wheel_cancel(wheel, timer);
		timer->fire(timer, now_us);
		fired++;
	}
	return fired;
}

unsigned int wheel_advance(struct wheel *wheel, uint64_t now_us, unsigned int budget)
{
	uint64_t target = now_us >> WHEEL_TICK_SHIFT;
	unsigned int fired = due_fire(wheel, now_us, budget);

	while (fired < budget && wheel->tick < target) {
		uint64_t next = wheel_next_tick(wheel);

		hand_move(wheel, MIN(next, target));
		fired += due_fire(wheel, now_us, budget - fired);
	}
	return fired;
}

uint64_t wheel_next_us(const struct wheel *wheel)
{
	if (wheel->armed == 0)
		return UINT64_MAX;
	if (!list_is_empty(&wheel->slots[WHEEL_DUE]))
		return wheel->tick << WHEEL_TICK_SHIFT;
	return wheel_next_tick(wheel) << WHEEL_TICK_SHIFT;
}
