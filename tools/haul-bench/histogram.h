/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Counts of times, by a log-linear scale: 64 buckets for each doubling, so that a percentile is at most 1.6 % too high,
 * over the whole range from a nanosecond to half an hour, in 19 KiB and without a branch on the data.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

/** Buckets for each doubling, as a power of two. */
#define HISTOGRAM_SHIFT 6u

/** Times from 2^41 ns on (37 minutes) are counted as that. */
#define HISTOGRAM_BITS 41u

#define HISTOGRAM_BUCKETS ((HISTOGRAM_BITS - HISTOGRAM_SHIFT + 1) << HISTOGRAM_SHIFT)

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;  /**< of all counts */
	uint64_t max_ns; /**< exact */
};

/** Forget everything. */
void histogram_clear(struct histogram *histogram);

/** Count what another one has counted as well. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/** Count one time. */
void histogram_add(struct histogram *histogram, uint64_t time_ns);

/**
 * The time that `part` of `whole` counted ones do not exceed: 99 of 100, 999 of 1000. The upper end of its bucket, or
 * the maximum if that is less; 0 when nothing was counted.
 */
uint64_t histogram_percentile_ns(const struct histogram *histogram, uint32_t part, uint32_t whole);

#endif
