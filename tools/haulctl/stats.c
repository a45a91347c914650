/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl stats: all counters once, or with --interval again and again what has moved and how fast.
 *
 * A counter that is smaller than before belongs to a daemon that has been started anew: it counts from zero then.
 */
#include "base/clock.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/table.h"
#include "tools/haulctl/units.h"

#include <string.h>
#include <time.h>

/* "group.name" */
#define STATS_KEY_BYTES 160u

struct stats {
	const struct haulctl *haulctl;
	const char *group; /* NULL = all */
	json_t *before;    /* "group.name" -> value of the last round; NULL = this is the first */
	uint64_t before_us;
};

static void stats_key(const json_t *counter, char key[STATS_KEY_BYTES])
{
	(void)snprintf(key, STATS_KEY_BYTES, "%s.%s", field_string(counter, "group"),
		       field_string(counter, "name"));
}

/* What a counter has grown by since the last round. */
static uint64_t stats_growth(const struct stats *stats, const json_t *counter, uint64_t value)
{
	char key[STATS_KEY_BYTES];
	uint64_t before = 0;
	const json_t *old;

	stats_key(counter, key);
	old = json_object_get(stats->before, key);
	if (old != NULL && field_u64(old, "value", &before) && before <= value)
		return value - before;
	return value;
}

/* Leave only the group that was asked for. Returns false when there is none of that name. */
static bool stats_filter(const struct stats *stats, json_t *body)
{
	json_t *counters = json_object_get(body, "counters");
	size_t index = 0;

	if (stats->group == NULL)
		return true;
	while (index < json_array_size(counters)) {
		const json_t *counter = json_array_get(counters, index);

		if (strcmp(field_string(counter, "group"), stats->group) == 0)
			index++;
		else
			(void)json_array_remove(counters, index);
	}
	return index > 0;
}

static void stats_keep(struct stats *stats, const json_t *body, uint64_t now_us)
{
	const json_t *counters = json_object_get(body, "counters");
	json_t *kept = json_object();
	char key[STATS_KEY_BYTES];
	json_t *counter;
	size_t index;

	json_array_foreach(counters, index, counter)
	{
		stats_key(counter, key);
		(void)json_object_set(kept, key, counter);
	}
	json_decref(stats->before);
	stats->before = kept;
	stats->before_us = now_us;
}

static void stats_add_row(struct table *table, const json_t *counter, uint64_t value,
			  const double *per_second)
{
	const char *unit = field_string(counter, "unit");
	char text[UNITS_BYTES];

	table_add(table, field_string(counter, "group"));
	table_add(table, field_string(counter, "name"));
	if (strcmp(unit, "bytes") == 0)
		table_add(table, units_of_bytes(value, text));
	else
		table_add(table, field_string(counter, "value"));
	if (per_second != NULL)
		table_add(table, units_of_rate(*per_second, unit, text));
	table_add(table, unit);
	table_add(table, field_string(counter, "meaning"));
}

/* Without an interval what is not 0, with one what has moved; everything with --all. Returns how many were left out. */
static unsigned int stats_fill(const struct stats *stats, struct table *table, const json_t *body,
			       double seconds)
{
	const json_t *counters = json_object_get(body, "counters");
	unsigned int left_out = 0;
	json_t *counter;
	size_t index;

	json_array_foreach(counters, index, counter)
	{
		uint64_t value = 0;
		uint64_t growth;
		double per_second;

		(void)field_u64(counter, "value", &value);
		growth = stats_growth(stats, counter, value);
		per_second = seconds > 0 ? (double)growth / seconds : 0;
		if (growth > 0 || stats->haulctl->is_all)
			stats_add_row(table, counter, value, seconds > 0 ? &per_second : NULL);
		else
			left_out++;
	}
	return left_out;
}

/* The dataplane's counters are read from its file, which may not be there. */
static void stats_print_remark(const json_t *body)
{
	const char *reason = field_string(body, "dataplane_reason");

	if (reason[0] == '\0')
		return;
	fputs("haulctl: stats: ", stderr);
	table_print_text(stderr, reason);
	fputc('\n', stderr);
}

static int stats_print(const struct stats *stats, const json_t *body, double seconds)
{
	static const struct table_column once[] = {
		{ "GROUP", TABLE_LEFT }, { "NAME", TABLE_LEFT },        { "VALUE", TABLE_RIGHT },
		{ "UNIT", TABLE_LEFT },  { "MEANING", TABLE_FLEXIBLE },
	};
	static const struct table_column rates[] = {
		{ "GROUP", TABLE_LEFT },   { "NAME", TABLE_LEFT }, { "VALUE", TABLE_RIGHT },
		{ "RATE/S", TABLE_RIGHT }, { "UNIT", TABLE_LEFT }, { "MEANING", TABLE_FLEXIBLE },
	};
	struct table *table = seconds > 0 ? table_create(rates, 6) : table_create(once, 5);
	unsigned int left_out;
	int error;

	if (table == NULL)
		return HAULCTL_FAILED;
	left_out = stats_fill(stats, table, body, seconds);
	error = table_print(table, stats->haulctl->out, stats->haulctl->width);
	table_destroy(table);
	stats_print_remark(body);
	if (left_out > 0)
		fprintf(stats->haulctl->out, "%u more %s; --all shows them\n", left_out,
			seconds > 0 ? "have not moved" : "are 0");
	return error == 0 ? HAULCTL_DONE : HAULCTL_FAILED;
}

/* The server's JSON; of an interval with the rates in it. */
static int stats_print_json(const struct stats *stats, json_t *body, double seconds)
{
	json_t *counters = json_object_get(body, "counters");
	json_t *counter;
	size_t index;

	if (seconds <= 0)
		return ask_print(stats->haulctl, body);
	json_array_foreach(counters, index, counter)
	{
		uint64_t value = 0;
		double growth;

		if (!field_u64(counter, "value", &value))
			continue;
		growth = (double)stats_growth(stats, counter, value);
		(void)json_object_set_new(counter, "per_second", json_real(growth / seconds));
	}
	(void)json_object_set_new(body, "seconds", json_real(seconds));
	return ask_print(stats->haulctl, body);
}

static int stats_show(const struct stats *stats, json_t *body, double seconds)
{
	int status = stats->haulctl->is_json ? stats_print_json(stats, body, seconds)
					     : stats_print(stats, body, seconds);

	if (fflush(stats->haulctl->out) != 0)
		return HAULCTL_FAILED;
	return status;
}

/* Ask once; is_shown = print. */
static int stats_round(struct stats *stats, bool is_shown)
{
	json_t *body = NULL;
	int status = ask(stats->haulctl, "stats", "/v1/stats", &body);
	uint64_t now_us = clock_now_us();
	double seconds = 0;

	if (status != HAULCTL_DONE)
		return status;
	if (!stats_filter(stats, body)) {
		fputs("haulctl: stats: no counters of group \"", stderr);
		table_print_text(stderr, stats->group);
		fputs("\"; haulctl stats --all names the groups\n", stderr);
		json_decref(body);
		return HAULCTL_NOT_FOUND;
	}
	if (stats->before != NULL)
		seconds = (double)(now_us - stats->before_us) / 1e6;
	if (is_shown)
		status = stats_show(stats, body, seconds);
	stats_keep(stats, body, now_us);
	json_decref(body);
	return status;
}

static int stats_repeat(struct stats *stats)
{
	const uint64_t interval_us = stats->haulctl->interval_us;
	const struct timespec pause = { .tv_sec = (time_t)(interval_us / 1000000),
					.tv_nsec = (long)(interval_us % 1000000) * 1000 };
	int status = stats_round(stats, false);

	for (unsigned int round = 1; status == HAULCTL_DONE; round++) {
		(void)nanosleep(&pause, NULL);
		if (round > 1 && !stats->haulctl->is_json)
			fputc('\n', stats->haulctl->out);
		status = stats_round(stats, true);
		if (round == stats->haulctl->count)
			break;
	}
	return status;
}

int stats_run(const struct haulctl *haulctl, char **arguments)
{
	struct stats stats = { .haulctl = haulctl, .group = arguments[0] };
	int status = haulctl->interval_us == 0 ? stats_round(&stats, true) : stats_repeat(&stats);

	json_decref(stats.before);
	return status;
}
