/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The one clock: CLOCK_MONOTONIC, read through the vDSO (some 20 ns, no system call), the same on
 * all cores. Code that has to be tested without real time (rudp, wheel) takes `now` as a parameter
 * instead.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

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

#endif
