/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl stats: once, or again and again with rates.
 */
#include "tools/haulctl/command.h"
#include "tools/haulctl/sheet.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const planes[] = { "controlplane", "dataplane" };

#define PLANES 2u

/* The value that a counter had in an earlier answer; 0 when it was not there. */
static uint64_t value_before(const json_t *before, size_t index, const json_t *counter)
{
	const json_t *old = json_array_get(before, index);

	/* The table of a running daemon does not change, so the place is nearly always the same. */
	if (strcmp(member_text(old, "name"), member_text(counter, "name")) == 0 &&
	    strcmp(member_text(old, "group"), member_text(counter, "group")) == 0)
		return member_number(old, "value");
	return 0;
}

static void plane_print(const json_t *now, const json_t *before, const char *plane,
			const struct command_line *line, struct sheet *sheet)
{
	const json_t *counters = json_object_get(now, plane);
	const json_t *old = json_object_get(before, plane);
	const json_t *counter = NULL;
	size_t index = 0;

	json_array_foreach(counters, index, counter)
	{
		uint64_t value = member_number(counter, "value");
		uint64_t was = before == NULL ? 0 : value_before(old, index, counter);
		char name[SHEET_CELL_BYTES];

		if (!line->is_all && value == was)
			continue;
		(void)snprintf(name, sizeof(name), "%s.%s", member_text(counter, "group"),
			       member_text(counter, "name"));
		sheet_row(sheet);
		sheet_text(sheet, name);
		sheet_number(sheet, value);
		if (before != NULL)
			sheet_number(sheet, (value - was) / line->interval_s);
		sheet_text(sheet, member_text(counter, "unit"));
		sheet_text(sheet, member_text(counter, "meaning"));
	}
}

static int stats_print(const struct command_line *line, const json_t *now, const json_t *before)
{
	struct sheet *sheet =
		sheet_make(before == NULL ? "COUNTER >VALUE UNIT MEANING"
					  : "COUNTER >VALUE >PER_SECOND UNIT MEANING");

	if (line->is_json) {
		command_print(now);
		sheet_free(sheet);
		return EXIT_GOOD;
	}
	if (sheet == NULL)
		return EXIT_FAILED;
	for (unsigned int i = 0; i < PLANES; i++)
		plane_print(now, before, planes[i], line, sheet);
	sheet_print(sheet, before == NULL ? "all counters are zero" : "nothing has changed");
	if (*member_text(now, "dataplane_reason") != '\0')
		(void)fprintf(stderr, "haulctl: %s\n", member_text(now, "dataplane_reason"));
	(void)fflush(stdout);
	sheet_free(sheet);
	return EXIT_GOOD;
}

int command_stats(const struct command_line *line)
{
	struct timespec pause = { line->interval_s, 0 };
	json_t *before = NULL;
	int status = EXIT_GOOD;

	for (unsigned int round = 0; status == EXIT_GOOD; round++) {
		json_t *now = command_get(line, "/v1/stats", &status);

		if (now == NULL)
			break;
		/* The first round of a series is what the others are compared with. */
		if (line->interval_s == 0 || round > 0)
			status = stats_print(line, now, before);
		json_decref(before);
		before = now;
		if (line->interval_s == 0 || (line->count > 0 && round == line->count))
			break;
		(void)nanosleep(&pause, NULL);
	}
	json_decref(before);
	return status;
}
