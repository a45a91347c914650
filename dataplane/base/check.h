/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Assertion tiers and the few macros that everything uses.
 *
 * BUG_ON stays in every build and belongs on cold paths; ASSERT is for hot ones and vanishes from a
 * release. Both are for defects of haul alone. What comes from outside (clients, packets, peers,
 * Redis, files) is never asserted: it is refused and counted, and COUNT_IF does the counting where
 * the odd thing is legal.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
/** A function off the fast path: it costs its callers a branch, and none of their registers. */
#define RARELY      __attribute__((noinline, cold))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/** Print the condition with its place to stderr and abort; for the macros below. */
_Noreturn void check_failed(const char *file, int line, const char *condition);

/** Abort when the condition, a defect of haul, holds. In every build. */
#define BUG_ON(cond)                                             \
	do {                                                     \
		if (UNLIKELY(cond))                              \
			check_failed(__FILE__, __LINE__, #cond); \
	} while (0)

/** Abort unless the condition holds. Not in a release, where the condition is not evaluated. */
#ifdef HAUL_DEBUG
#define ASSERT(cond)                                             \
	do {                                                     \
		if (UNLIKELY(!(cond)))                           \
			check_failed(__FILE__, __LINE__, #cond); \
	} while (0)
#else
#define ASSERT(cond)                \
	do {                        \
		(void)sizeof(cond); \
	} while (0)
#endif

/** The condition's truth; when it holds, *counter goes up by one. */
#define COUNT_IF(cond, counter) (UNLIKELY(cond) ? ((void)++*(counter), true) : false)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/** The struct of the given type whose member ptr points to. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/** True for 1, 2, 4, ...; false for 0. */
#define IS_POWER_OF_TWO(x) ((x) != 0 && ((x) & ((x)-1)) == 0)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
