/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cold side of the trace ring: its memory, and its print-out. The cycle counter's rate is
 * measured between init and dump, which is exact enough after a millisecond.
 */
#include "base/trace.h"

#include "base/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int trace_init(struct trace_ring *ring, uint32_t records)
{
	memset(ring, 0, sizeof(*ring));
	if (!IS_POWER_OF_TWO(records))
		return -EINVAL;
	ring->records = calloc(records, sizeof(*ring->records));
	if (ring->records == NULL)
		return -ENOMEM;
	ring->mask = records - 1;
	ring->ticks_start = trace_ticks();
	ring->ns_start = clock_now_ns();
	return 0;
}

void trace_destroy(struct trace_ring *ring)
{
	if (ring == NULL)
		return;
	free(ring->records);
	memset(ring, 0, sizeof(*ring));
}

static void number_print(FILE *file, const char *name, uint64_t number)
{
	if (name != NULL)
		fprintf(file, " %s %" PRIu64, name, number);
}

void trace_dump(const struct trace_ring *ring, FILE *file)
{
	uint64_t ticks = trace_ticks() - ring->ticks_start;
	double us_per_tick =
		(double)(clock_now_ns() - ring->ns_start) / 1e3 / (double)MAX(ticks, 1);
	uint64_t first = ring->next > ring->mask ? ring->next - ring->mask - 1 : 0;
	uint64_t last_ticks = ring->ticks_start;

	for (uint64_t i = first; i < ring->next; i++) {
		const struct trace_record *record = &ring->records[i & ring->mask];

		fprintf(file, "%12.3f %+10.3f %s",
			(double)(record->ticks - ring->ticks_start) * us_per_tick,
			(double)(int64_t)(record->ticks - last_ticks) * us_per_tick,
			record->event->name);
		number_print(file, record->event->a, record->a);
		number_print(file, record->event->b, record->b);
		number_print(file, record->event->c, record->c);
		fputc('\n', file);
		last_ticks = record->ticks;
	}
}
