/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The one clock: CLOCK_MONOTONIC, read through the vDSO (some 20 ns, no system call), the same on
 * all cores. Code that has to be tested without real time (rudp, wheel) takes `now` as a parameter
 * instead.
 *
 * Beside it, for what has to look at the clock around each packet, the quick clock: the processor's time-stamp counter,
 * tied to the clock above again in each round of a thread. It never says less than the clock does, so a time that it
 * says has not passed has not passed.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S  UINT64_C(1000000000)
#define CLOCK_NS_PER_US UINT64_C(1000)

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_now_us(void)
{
	return clock_now_ns() / CLOCK_NS_PER_US;
}

/** How the counter stands to the clock. All zero = not known yet. */
struct clock_quick {
	uint64_t base_ticks; /**< of the counter, read just before base_us */
	uint64_t base_us;    /**< of the clock */
	uint64_t scale;      /**< 2^-32 us a tick, rounded up generously; 0 = not known */
	uint64_t
		first_ticks; /**< as base, of the round that measuring the scale began with; 0 = none */
	uint64_t first_us;
};

/** The thread's own; a thread that never calls clock_sync_us has none, and its quick clock is the clock. */
extern _Thread_local struct clock_quick clock_quick;

/** Longer than this after the last look at the clock, in ticks, the quick clock looks there: some minutes. */
#define CLOCK_TICKS_MAX (UINT64_C(1) << 40)

/** The time at a value of the counter; 0 = it cannot tell. Never less than the clock, up to 1 in 500 more. */
static inline uint64_t clock_quick_at(const struct clock_quick *quick, uint64_t ticks)
{
	uint64_t passed = ticks - quick->base_ticks;

	if (__builtin_expect(quick->scale == 0 || passed > CLOCK_TICKS_MAX, 0))
		return 0;
	return quick->base_us + 1 + (passed * quick->scale >> 32);
}

/** Learn from one look at the clock, at now_us, between two at the counter. Exposed for its test. */
void clock_quick_learn(struct clock_quick *quick, uint64_t ticks_before, uint64_t now_us,
		       uint64_t ticks_after);

/** The counter; 0 where there is none that can be used as a clock. */
static inline uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/** clock_now_us(), and the thread's quick clock is tied to it. Once a round. */
uint64_t clock_sync_us(void);

/** The quick clock: some 10 ns, and no wait for what is under way in the processor. */
static inline uint64_t clock_quick_us(void)
{
	uint64_t now_us = clock_quick_at(&clock_quick, clock_ticks());

	return __builtin_expect(now_us != 0, 1) ? now_us : clock_now_us();
}

#endif
