/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The quick clock. Its scale is measured from a thread's own looks at the clock, so it costs nothing at start; until it is
 * known, a tenth of a second, and wherever the kernel itself does not trust the counter, the clock is asked.
 *
 * It must never say less than the clock: a placement would land after the moment that its initiator counts on. So the
 * counter is read before the clock is, the scale is taken larger than measured by more than any slewing of the clock
 * (500 ppm, adjtimex(2)) and the error of measuring, and a round that finds the clock ahead all the same begins anew.
 */
#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define CLOCK_SOURCE_FILE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* For so long the scale is measured: an error of 2 us at its ends is 20 ppm. */
#define CLOCK_MEASURE_US UINT64_C(100000)

/* A look at the clock that took longer, in ticks, was interrupted: nothing is measured by it. 2 us at 2.5 GHz. */
#define CLOCK_LOOK_TICKS_MAX UINT64_C(5000)

_Thread_local struct clock_quick clock_quick;

static pthread_once_t clock_once = PTHREAD_ONCE_INIT;
static bool clock_has_ticks;

static void clock_measure(struct clock_quick *quick, uint64_t ticks, uint64_t now_us)
{
	uint64_t passed = ticks - quick->first_ticks;

	if (quick->first_ticks == 0 || ticks < quick->first_ticks || passed > CLOCK_TICKS_MAX) {
		quick->first_ticks = ticks;
		quick->first_us = now_us;
		return;
	}
	if (now_us - quick->first_us < CLOCK_MEASURE_US)
		return;
	quick->scale = ((now_us - quick->first_us) << 32) / passed;
	quick->scale += quick->scale / 1024 + 1; /* 977 ppm */
}

void clock_quick_learn(struct clock_quick *quick, uint64_t ticks_before, uint64_t now_us,
		       uint64_t ticks_after)
{
	bool is_exact = ticks_after - ticks_before <= CLOCK_LOOK_TICKS_MAX;
	uint64_t told_us = clock_quick_at(quick, ticks_after);

	if (told_us != 0 && told_us < now_us) {
		memset(quick, 0,
		       sizeof(*quick)); /* the counter has stood still, or has another pace */
		return;
	}
	if (quick->scale == 0 && is_exact)
		clock_measure(quick, ticks_before, now_us);
	quick->base_ticks = ticks_before;
	quick->base_us = now_us;
}

/* The kernel uses the counter itself only while it is invariant and the same on all processors. */
static void clock_find_source(void)
{
	char name[8] = { 0 };
	int fd = open(CLOCK_SOURCE_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	clock_has_ticks = clock_ticks() != 0 && read(fd, name, sizeof(name) - 1) == 4 &&
			  memcmp(name, "tsc\n", 4) == 0;
	close(fd);
}

uint64_t clock_sync_us(void)
{
	uint64_t before;
	uint64_t now_us;

	pthread_once(&clock_once, clock_find_source);
	if (!clock_has_ticks)
		return clock_now_us();
	before = clock_ticks();
	now_us = clock_now_us();
	clock_quick_learn(&clock_quick, before, now_us, clock_ticks());
	return now_us;
}
