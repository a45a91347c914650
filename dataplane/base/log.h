/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Log lines on stderr: `TIME LEVEL area: message`. For control threads, jobs and tools from any
 * thread; a worker counts instead. Messages are lower case, `noun id: what: cause`, without a full
 * stop; the cause of a failed call is errno_text(error) of base/error.h.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

/** Levels by volume: how often a healthy or a sick daemon writes such a line. */
enum log_level {
	LOG_LEVEL_ERROR = 0,   /**< haul cannot do what it was asked to; rare */
	LOG_LEVEL_WARNING = 1, /**< somebody else did wrong, or a resource ran out; rare */
	LOG_LEVEL_INFO = 2,    /**< start, stop, links up and down; a few a minute */
	LOG_LEVEL_DEBUG = 3,   /**< each control request */
};

/** One line a call; longer ones are cut there. */
#define LOG_LINE_BYTES 1024u

/** Lines of one limiter that pass in each second. */
#define LOG_LIMIT_LINES 5u

void log_error(const char *area, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const char *area, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *area, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *area, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Lets LOG_LIMIT_LINES lines a second pass and counts the rest; all zero at first, one thread. */
struct log_limit {
	uint64_t second;   /**< since when `lines` counts, in whole seconds of CLOCK_MONOTONIC */
	uint64_t squashed; /**< lines kept back and not yet told of */
	uint32_t lines;    /**< passed in this second */
};

/**
 * As the functions above, rate limited; the first line that passes again says how many were kept
 * back.
 */
void log_limited(struct log_limit *limit, enum log_level level, const char *area,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Lines above this level are dropped; LOG_LEVEL_INFO at start. Any thread. */
void log_set_level(enum log_level level);

#endif
