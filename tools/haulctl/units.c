/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One digit behind the point, and always a unit that leaves less than four before it. Whoever needs every digit asks
 * for JSON.
 */
#include "tools/haulctl/units.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What prints as 1000.0 is a number of the next unit. */
#define UNITS_ROUNDED(limit) ((limit)-0.05)

static char *units_scale(double number, double step, const char *const *names, unsigned int count,
			 char *text)
{
	unsigned int at = 0;

	while (number >= UNITS_ROUNDED(step) && at + 1 < count) {
		number /= step;
		at++;
	}
	(void)snprintf(text, UNITS_BYTES, "%.1f%s", number, names[at]);
	return text;
}

char *units_of_bytes(uint64_t bytes, char text[UNITS_BYTES])
{
	static const char *const names[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB" };

	if (bytes < 1024) {
		(void)snprintf(text, UNITS_BYTES, "%" PRIu64 " B", bytes);
		return text;
	}
	return units_scale((double)bytes, 1024, names, ARRAY_SIZE(names), text);
}

char *units_of_ms(uint64_t time_ms, char text[UNITS_BYTES])
{
	double seconds = (double)time_ms / 1000;

	if (time_ms < 1000)
		(void)snprintf(text, UNITS_BYTES, "%" PRIu64 " ms", time_ms);
	else if (seconds < UNITS_ROUNDED(60))
		(void)snprintf(text, UNITS_BYTES, "%.1f s", seconds);
	else if (seconds / 60 < UNITS_ROUNDED(60))
		(void)snprintf(text, UNITS_BYTES, "%.1f min", seconds / 60);
	else if (seconds / 3600 < UNITS_ROUNDED(48))
		(void)snprintf(text, UNITS_BYTES, "%.1f h", seconds / 3600);
	else
		(void)snprintf(text, UNITS_BYTES, "%.1f d", seconds / 86400);
	return text;
}

char *units_of_us(uint64_t time_us, char text[UNITS_BYTES])
{
	if (time_us < 1000)
		(void)snprintf(text, UNITS_BYTES, "%" PRIu64 " us", time_us);
	else if ((double)time_us / 1000 < UNITS_ROUNDED(1000))
		(void)snprintf(text, UNITS_BYTES, "%.1f ms", (double)time_us / 1000);
	else
		units_of_ms(time_us / 1000 + (time_us % 1000 >= 500), text);
	return text;
}

char *units_of_rate(double per_second, const char *unit, char text[UNITS_BYTES])
{
	static const char *const names[] = { "", " k", " M", " G", " T", " P", " E" };

	if (strcmp(unit, "bytes") == 0)
		return units_of_bytes(per_second < 0 ? 0 : (uint64_t)per_second, text);
	if (per_second <= 0) {
		(void)snprintf(text, UNITS_BYTES, "0");
		return text;
	}
	return units_scale(per_second, 1000, names, ARRAY_SIZE(names), text);
}
