/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * For tests that show what a check is worth: it is taken out, and a test that looks for stale bytes has to find some.
 *
 * In all builds but a release, where nothing of it is compiled. $HAUL_WEAKEN names what is taken out, separated by commas:
 *
 *     generation   a target takes a handle whose slot has had another region since
 *     fence        a WRITE that is ended completes though what was sent of it may still land
 *     freshness    a target places what it should have dropped as too old
 *     grant        a target does not ask whether the connection has proven the segment: the second line behind `generation`,
 *                  which stops a stale handle too when what is there now is of another segment
 */
#ifndef BASE_WEAKEN_H
#define BASE_WEAKEN_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

enum weakness {
	WEAKEN_GENERATION = 0,
	WEAKEN_FENCE = 1,
	WEAKEN_FRESHNESS = 2,
	WEAKEN_GRANT = 3,
};

#ifdef HAUL_DEBUG

/** Bit of an enum weakness: that check is out. Written at start, before there are other threads. */
extern uint32_t weaken_bits;

/** Take out what a text names, which may be NULL or empty. Returns 0, or -1 when it names what is not known. */
int weaken_parse(const char *text);

/** Is that check taken out? Any thread. */
static inline bool weaken_has(enum weakness weakness)
{
	return UNLIKELY((weaken_bits >> weakness & 1u) != 0);
}

#else

static inline bool weaken_has(enum weakness weakness)
{
	(void)weakness;
	return false;
}

#endif
#endif
