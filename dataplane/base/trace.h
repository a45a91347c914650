/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A ring of the last events of one thread, for a look at what led to something: a few nanoseconds
 * an event, no call, no lock. An event is a static struct that names itself and its three numbers,
 * so there is nothing to register:
 *
 *     static const struct trace_event event_lost = { "rudp_lost", "connection", "packet", "in_flight" };
 *     trace_point(ring, &event_lost, id, number, in_flight);
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trace_event {
	const char *name;
	const char *a; /**< what the first number is; NULL = not used */
	const char *b;
	const char *c;
};

struct trace_record {
	uint64_t ticks; /**< trace_ticks() at the event */
	const struct trace_event *event;
	uint64_t a;
	uint64_t b;
	uint64_t c;
};

/** Written by one thread; dumped by that thread, or by another while that one rests. */
struct trace_ring {
	struct trace_record *records; /**< mask + 1 of them */
	uint64_t next;                /**< events so far; the next one's record, masked */
	uint64_t mask;
	uint64_t
		ticks_start; /**< trace_ticks() and clock_now_ns() at init, to turn one into the other */
	uint64_t ns_start;
};

/** The processor's cycle counter, or nanoseconds where there is none. */
static inline uint64_t trace_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return clock_now_ns();
#endif
}

/** Make a ring for the last `records` events, a power of two. Returns 0, -EINVAL or -ENOMEM. */
int trace_init(struct trace_ring *ring, uint32_t records);

/** Free it; NULL or a zeroed one is allowed. */
void trace_destroy(struct trace_ring *ring);

/** Record an event; ring NULL records nothing. */
static inline void trace_point(struct trace_ring *ring, const struct trace_event *event, uint64_t a,
			       uint64_t b, uint64_t c)
{
	struct trace_record *record;

	if (ring == NULL)
		return;
	record = &ring->records[ring->next++ & ring->mask];
	record->ticks = trace_ticks();
	record->event = event;
	record->a = a;
	record->b = b;
	record->c = c;
}

/**
 * Print the records, oldest first, one a line: microseconds since init, since the last one, name,
 * numbers.
 */
void trace_dump(const struct trace_ring *ring, FILE *file);

#endif
