/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts of times on a log-linear scale; histogram.h says how fine. */
#include "histogram.h"

#include "base/check.h"

#include <string.h>

#define HISTOGRAM_SUB (UINT64_C(1) << HISTOGRAM_SHIFT)

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

/*
 * Below 2 x 64 a bucket is one nanosecond. Above, the leading one and the six bits after it choose the bucket: times of
 * 64 << n to (128 << n) - 1 are in row n, in steps of 1 << n.
 */
static uint32_t histogram_index(uint64_t time_ns)
{
	uint32_t row;

	if (time_ns < 2 * HISTOGRAM_SUB)
		return (uint32_t)time_ns;
	row = 63 - (uint32_t)__builtin_clzll(time_ns) - HISTOGRAM_SHIFT;
	return (uint32_t)(row * HISTOGRAM_SUB + (time_ns >> row));
}

/* The largest time of a bucket. */
static uint64_t histogram_upper_ns(uint32_t index)
{
	uint32_t row;

	if (index < 2 * HISTOGRAM_SUB)
		return index;
	row = (uint32_t)(index / HISTOGRAM_SUB) - 1;
	return ((index - row * HISTOGRAM_SUB + 1) << row) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t time_ns)
{
	uint64_t bounded_ns = MIN(time_ns, (UINT64_C(1) << HISTOGRAM_BITS) - 1);

	histogram->counts[histogram_index(bounded_ns)]++;
	histogram->total++;
	histogram->max_ns = MAX(histogram->max_ns, time_ns);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->counts[i] += other->counts[i];
	histogram->total += other->total;
	histogram->max_ns = MAX(histogram->max_ns, other->max_ns);
}

uint64_t histogram_percentile_ns(const struct histogram *histogram, uint32_t part, uint32_t whole)
{
	/* Rounded up: of 10 times the 99th percentile is the tenth. */
	uint64_t wanted = (histogram->total * part + whole - 1) / whole;
	uint64_t seen = 0;

	if (histogram->total == 0)
		return 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen >= wanted && seen > 0)
			return MIN(histogram_upper_ns(i), histogram->max_ns);
	}
	return histogram->max_ns;
}
