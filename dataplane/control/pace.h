/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * How often something is tried that may go on failing: at once the first time, then with a pause that doubles with each
 * failure, and differs by chance, so that many who began together do not go on together. One success begins anew.
 */
#ifndef CONTROL_PACE_H
#define CONTROL_PACE_H

#include <stdint.h>

/** The pause between two tries that did not fail, and the longest after failures; by chance a quarter less or more. */
#define PACE_MIN_US UINT64_C(50000)
#define PACE_MAX_US UINT64_C(5000000)

struct pace {
	uint64_t begun_us; /**< when the last try began; 0 = there was none */
	uint64_t next_us;  /**< before that none begins */
	uint64_t random;   /**< state of its chance, never 0 */
	uint32_t failures; /**< in a row */
};

/** Any seed will do; those that begin together have different ones. */
void pace_init(struct pace *pace, uint64_t seed);

/** A try begins. */
void pace_begin(struct pace *pace, uint64_t now_us);

/** The last one has failed, or has not. */
void pace_fail(struct pace *pace);
void pace_succeed(struct pace *pace);

/** There is news: the next try need not wait for what failed before, only for the least pause. */
void pace_hurry(struct pace *pace);

#endif
