/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates between two looks; traffic.h says of what. */
#include "tools/haulctl/traffic.h"

#include "base/check.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/table.h"
#include "tools/haulctl/units.h"

#include <errno.h>
#include <string.h>

/* Members that name a row of a listing; each listing has some of them. */
static const char *const traffic_names[] = { "worker", "channel", "node",  "transport", "rail",
					     "device", "name",    "state", "address" };

/* Of those, what is not part of its identity: it may change while the row lives. */
static bool traffic_is_identity(const char *name)
{
	return strcmp(name, "state") != 0 && strcmp(name, "address") != 0;
}

/* A counter and the rate that is made of it. */
struct traffic_rate {
	const char *counter;
	const char *rate;
};

static const struct traffic_rate traffic_worker_rates[] = {
	{ "rounds", "rounds_per_s" },
	{ "sleeps", "sleeps_per_s" },
	{ "operations_ok", "operations_per_s" },
	{ "operations_failed", "failures_per_s" },
	{ NULL, NULL },
};

static const struct traffic_rate traffic_channel_rates[] = {
	{ "operations", "operations_per_s" },
	{ "bytes", "bytes_per_s" },
	{ NULL, NULL },
};

static const struct traffic_rate traffic_peer_rates[] = {
	{ "bytes_out", "bytes_out_per_s" },
	{ "bytes_in", "bytes_in_per_s" },
	{ "retransmissions", "retransmissions_per_s" },
	{ NULL, NULL },
};

static const struct traffic_rate traffic_transport_rates[] = {
	{ "packets_out", "packets_out_per_s" },
	{ "packets_in", "packets_in_per_s" },
	{ NULL, NULL },
};

void traffic_release(struct traffic_look *look)
{
	json_decref(look->stats);
	json_decref(look->channels);
	json_decref(look->peers);
	json_decref(look->transports);
	*look = (struct traffic_look){ 0 };
}

static bool traffic_is_same(const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(traffic_names); i++) {
		const json_t *one = json_object_get(a, traffic_names[i]);

		if (traffic_is_identity(traffic_names[i]) && one != NULL &&
		    !json_equal(one, json_object_get(b, traffic_names[i])))
			return false;
	}
	return true;
}

static const json_t *traffic_find(const json_t *rows, const json_t *row)
{
	const json_t *old;
	size_t index;

	json_array_foreach(rows, index, old)
	{
		if (traffic_is_same(old, row))
			return old;
	}
	return NULL;
}

/* What a counter has grown by; `old` may be NULL. */
static double traffic_growth(const json_t *old, const json_t *row, const char *counter)
{
	uint64_t before = 0;
	uint64_t after = 0;

	if (!field_u64(row, counter, &after))
		return 0;
	if (old == NULL || !field_u64(old, counter, &before) || before > after)
		before = 0;
	return (double)(after - before);
}

static json_t *traffic_row(const json_t *old, const json_t *row, const struct traffic_rate *rates,
			   double seconds)
{
	json_t *made = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(traffic_names); i++) {
		json_t *name = json_object_get(row, traffic_names[i]);

		if (name != NULL)
			(void)json_object_set(made, traffic_names[i], name);
	}
	for (; rates->counter != NULL; rates++) {
		(void)json_object_set_new(
			made, rates->rate,
			json_real(traffic_growth(old, row, rates->counter) / seconds));
	}
	return made;
}

/* A share of the time; what lasts is counted when it ends, so more than all of a short time may be found. */
static void traffic_add_share(json_t *made, const char *key, double time_us, double seconds)
{
	(void)json_object_set_new(made, key, json_real(MIN(time_us / 1e6 / seconds, 1.0)));
}

static void traffic_add_busy(json_t *made, const json_t *old, const json_t *row, double seconds)
{
	traffic_add_share(made, "busy", traffic_growth(old, row, "busy_us"), seconds);
	traffic_add_share(made, "asleep", traffic_growth(old, row, "slept_us"), seconds);
}

static void traffic_add_mean(json_t *made, const json_t *old, const json_t *row)
{
	uint64_t open = 0;
	uint64_t was_open = 0;
	double done = traffic_growth(old, row, "operations");

	(void)field_u64(row, "open", &open);
	if (old != NULL)
		(void)field_u64(old, "open", &was_open);
	done += (double)was_open - (double)open;
	(void)json_object_set_new(made, "open", json_integer((json_int_t)open));
	(void)json_object_set_new(made, "mean_us",
				  done > 0 ? json_real(traffic_growth(old, row, "time_us") / done)
					   : json_null());
}

static void traffic_add_rtt(json_t *made, const json_t *row)
{
	uint64_t rtt_us = 0;

	(void)field_u64(row, "rtt_us", &rtt_us);
	(void)json_object_set_new(made, "rtt_us", json_integer((json_int_t)rtt_us));
}

/* Of one listing; `key` is its array's name in both bodies. */
static json_t *traffic_rows(const json_t *before, const json_t *after, const char *key,
			    const struct traffic_rate *rates, double seconds)
{
	const json_t *olds = json_object_get(before, key);
	json_t *made = json_array();
	const json_t *row;
	size_t index;

	json_array_foreach(json_object_get(after, key), index, row)
	{
		const json_t *old = traffic_find(olds, row);
		json_t *one = traffic_row(old, row, rates, seconds);

		if (rates == traffic_worker_rates)
			traffic_add_busy(one, old, row, seconds);
		else if (rates == traffic_channel_rates)
			traffic_add_mean(one, old, row);
		else if (rates == traffic_peer_rates)
			traffic_add_rtt(one, row);
		(void)json_array_append_new(made, one);
	}
	return made;
}

/* Counters that say that something is lost or refused, and have moved. */
static json_t *traffic_problems(const json_t *before, const json_t *after, double seconds)
{
	static const char *const words[] = { "drop_", "refused", "timeout", "failed",
					     "stale", "faults",  "broken",  "retransmitted" };
	const json_t *olds = json_object_get(before, "counters");
	json_t *made = json_array();
	const json_t *counter;
	size_t index;

	json_array_foreach(json_object_get(after, "counters"), index, counter)
	{
		const char *name = field_string(counter, "name");
		double growth = traffic_growth(json_array_get(olds, index), counter, "value");
		size_t i = 0;

		while (i < ARRAY_SIZE(words) && strstr(name, words[i]) == NULL)
			i++;
		if (i < ARRAY_SIZE(words) && growth > 0) {
			(void)json_array_append_new(made, json_pack("{s:s, s:s, s:f}", "group",
								    field_string(counter, "group"),
								    "name", name, "per_s",
								    growth / seconds));
		}
	}
	return made;
}

json_t *traffic_between(const struct traffic_look *before, const struct traffic_look *after)
{
	double seconds = (double)(after->at_us - before->at_us) / 1e6;
	json_t *made = json_object();

	seconds = MAX(seconds, 1e-6);
	(void)json_object_set_new(made, "seconds", json_real(seconds));
	(void)json_object_set_new(made, "workers",
				  traffic_rows(before->stats, after->stats, "workers",
					       traffic_worker_rates, seconds));
	(void)json_object_set_new(made, "channels",
				  traffic_rows(before->channels, after->channels, "channels",
					       traffic_channel_rates, seconds));
	(void)json_object_set_new(
		made, "peers",
		traffic_rows(before->peers, after->peers, "peers", traffic_peer_rates, seconds));
	(void)json_object_set_new(made, "transports",
				  traffic_rows(before->transports, after->transports, "transports",
					       traffic_transport_rates, seconds));
	(void)json_object_set_new(made, "problems",
				  traffic_problems(before->stats, after->stats, seconds));
	return made;
}

/* How a cell is made of a member. */
enum traffic_format {
	TRAFFIC_TEXT,
	TRAFFIC_SHARE, /* 0 to 1 as "12.5 %" */
	TRAFFIC_RATE,
	TRAFFIC_BYTES, /* a rate too */
	TRAFFIC_US,
};

struct traffic_column {
	const char *header;
	const char *key;
	enum traffic_format format;
	enum table_style style;
};

static const struct traffic_column traffic_worker_columns[] = {
	{ "WORKER", "worker", TRAFFIC_TEXT, TABLE_LEFT },
	{ "BUSY", "busy", TRAFFIC_SHARE, TABLE_RIGHT },
	{ "ASLEEP", "asleep", TRAFFIC_SHARE, TABLE_RIGHT },
	{ "ROUNDS/S", "rounds_per_s", TRAFFIC_RATE, TABLE_RIGHT },
	{ "SLEEPS/S", "sleeps_per_s", TRAFFIC_RATE, TABLE_RIGHT },
	{ "OPERATIONS/S", "operations_per_s", TRAFFIC_RATE, TABLE_RIGHT },
	{ "FAILED/S", "failures_per_s", TRAFFIC_RATE, TABLE_RIGHT },
};

static const struct traffic_column traffic_channel_columns[] = {
	{ "CHANNEL", "channel", TRAFFIC_TEXT, TABLE_LEFT },
	{ "NAME", "name", TRAFFIC_TEXT, TABLE_FLEXIBLE },
	{ "OPERATIONS/S", "operations_per_s", TRAFFIC_RATE, TABLE_RIGHT },
	{ "BYTES/S", "bytes_per_s", TRAFFIC_BYTES, TABLE_RIGHT },
	{ "MEAN", "mean_us", TRAFFIC_US, TABLE_RIGHT },
	{ "OPEN", "open", TRAFFIC_TEXT, TABLE_RIGHT },
};

static const struct traffic_column traffic_peer_columns[] = {
	{ "PEER", "node", TRAFFIC_TEXT, TABLE_FLEXIBLE },
	{ "TRANSPORT", "transport", TRAFFIC_TEXT, TABLE_LEFT },
	{ "RAIL", "rail", TRAFFIC_TEXT, TABLE_LEFT },
	{ "STATE", "state", TRAFFIC_TEXT, TABLE_LEFT },
	{ "RTT", "rtt_us", TRAFFIC_US, TABLE_RIGHT },
	{ "OUT/S", "bytes_out_per_s", TRAFFIC_BYTES, TABLE_RIGHT },
	{ "IN/S", "bytes_in_per_s", TRAFFIC_BYTES, TABLE_RIGHT },
	{ "RETRANSMITTED/S", "retransmissions_per_s", TRAFFIC_RATE, TABLE_RIGHT },
};

static const struct traffic_column traffic_transport_columns[] = {
	{ "PORT", "device", TRAFFIC_TEXT, TABLE_FLEXIBLE },
	{ "TRANSPORT", "transport", TRAFFIC_TEXT, TABLE_LEFT },
	{ "STATE", "state", TRAFFIC_TEXT, TABLE_LEFT },
	{ "PACKETS OUT/S", "packets_out_per_s", TRAFFIC_RATE, TABLE_RIGHT },
	{ "PACKETS IN/S", "packets_in_per_s", TRAFFIC_RATE, TABLE_RIGHT },
};

static const struct traffic_column traffic_problem_columns[] = {
	{ "GROUP", "group", TRAFFIC_TEXT, TABLE_LEFT },
	{ "COUNTER", "name", TRAFFIC_TEXT, TABLE_LEFT },
	{ "RATE/S", "per_s", TRAFFIC_RATE, TABLE_RIGHT },
};

static const char *traffic_cell(const json_t *row, const struct traffic_column *column,
				char text[FIELD_TEXT_BYTES])
{
	const json_t *member = json_object_get(row, column->key);
	double number = json_number_value(member);

	text[0] = '\0';
	switch (column->format) {
	case TRAFFIC_TEXT:
		return field_format(row, column->key, FIELD_TEXT, text);
	case TRAFFIC_SHARE:
		(void)snprintf(text, FIELD_TEXT_BYTES, "%.1f %%", number * 100);
		break;
	case TRAFFIC_RATE:
		return units_of_rate(number, "", text);
	case TRAFFIC_BYTES:
		return units_of_rate(number, "bytes", text);
	case TRAFFIC_US:
		if (number > 0)
			return units_of_us((uint64_t)(number + 0.5), text);
		break;
	}
	return text;
}

static int traffic_print_rows(const json_t *rows, const struct traffic_column *columns,
			      unsigned int count, FILE *file, unsigned int width)
{
	struct table_column heads[TABLE_COLUMNS_MAX];
	char text[FIELD_TEXT_BYTES];
	struct table *table;
	const json_t *row;
	size_t index;
	int error;

	if (json_array_size(rows) == 0)
		return 0;
	for (unsigned int i = 0; i < count; i++)
		heads[i] = (struct table_column){ columns[i].header, columns[i].style };
	table = table_create(heads, count);
	if (table == NULL)
		return -ENOMEM;
	json_array_foreach(rows, index, row)
	{
		for (unsigned int i = 0; i < count; i++)
			table_add(table, traffic_cell(row, &columns[i], text));
	}
	error = table_print(table, file, width);
	table_destroy(table);
	return error;
}

int traffic_print(const json_t *traffic, FILE *file, unsigned int width)
{
	static const struct {
		const char *key;
		const struct traffic_column *columns;
		unsigned int count;
	} parts[] = {
		{ "workers", traffic_worker_columns, ARRAY_SIZE(traffic_worker_columns) },
		{ "channels", traffic_channel_columns, ARRAY_SIZE(traffic_channel_columns) },
		{ "peers", traffic_peer_columns, ARRAY_SIZE(traffic_peer_columns) },
		{ "transports", traffic_transport_columns, ARRAY_SIZE(traffic_transport_columns) },
		{ "problems", traffic_problem_columns, ARRAY_SIZE(traffic_problem_columns) },
	};

	bool is_first = true;
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && error == 0; i++) {
		const json_t *rows = json_object_get(traffic, parts[i].key);

		if (json_array_size(rows) > 0 && !is_first)
			fputc('\n', file);
		is_first = is_first && json_array_size(rows) == 0;
		error = traffic_print_rows(rows, parts[i].columns, parts[i].count, file, width);
	}
	return error;
}
