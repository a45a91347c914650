/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A line is formatted on the caller's stack and leaves in one write(2), so lines of several threads
 * do not mix and nothing is lost when the process dies.
 */
#include "base/log.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static int log_threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&log_threshold, (int)level, __ATOMIC_RELAXED);
}

static bool is_logged(enum log_level level)
{
	return (int)level <= __atomic_load_n(&log_threshold, __ATOMIC_RELAXED);
}

static size_t prefix_format(char *line, size_t size, enum log_level level, const char *area)
{
	struct timespec now;
	struct tm date;
	char text[32];
	int length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &date);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &date);
	length = snprintf(line, size, "%s.%03ldZ %s %s: ", text, now.tv_nsec / 1000000,
			  level_words[level], area);
	return MIN((size_t)MAX(length, 0), size - 1);
}

/* A newline inside, as a peer's text might bring, would forge a line of its own. */
static void line_clean(char *line, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
}

__attribute__((format(printf, 3, 0))) static void line_write(enum log_level level, const char *area,
							     const char *format, va_list arguments)
{
	int errno_saved = errno;
	char line[LOG_LINE_BYTES];
	size_t length = prefix_format(line, sizeof(line) - 1, level, area);
	size_t room = sizeof(line) - 1 - length;
	ssize_t written;
	int added;

	added = vsnprintf(line + length, room, format, arguments);
	length += MIN((size_t)MAX(added, 0), room - 1);
	line_clean(line, length);
	line[length++] = '\n';
	written = write(STDERR_FILENO, line, length);
	(void)written; /* there is nowhere to complain to */
	errno = errno_saved;
}

#define LOG_FUNCTION(name, level)                             \
	void name(const char *area, const char *format, ...)  \
	{                                                     \
		va_list arguments;                            \
                                                              \
		if (!is_logged(level))                        \
			return;                               \
		va_start(arguments, format);                  \
		line_write((level), area, format, arguments); \
		va_end(arguments);                            \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

static void squashed_tell(struct log_limit *limit, enum log_level level, const char *area, ...)
{
	va_list arguments;

	va_start(arguments, area);
	line_write(level, area, "%" PRIu64 " similar lines were kept back", arguments);
	va_end(arguments);
	limit->squashed = 0;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *area,
		 const char *format, ...)
{
	uint64_t second = clock_now_ns() / CLOCK_NS_PER_S;
	va_list arguments;

	if (!is_logged(level))
		return;
	if (second != limit->second) {
		limit->second = second;
		limit->lines = 0;
	}
	if (limit->lines >= LOG_LIMIT_LINES) {
		limit->squashed++;
		return;
	}
	limit->lines++;
	if (limit->squashed > 0)
		squashed_tell(limit, level, area, limit->squashed);
	va_start(arguments, format);
	line_write(level, area, format, arguments);
	va_end(arguments);
}
