/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands that are nothing but a table, one description each.
 */
#include "tools/haulctl/list.h"

#include "tools/haulctl/ask.h"
#include "tools/haulctl/haulctl.h"

#include <inttypes.h>

static const struct list_column list_node_columns[] = {
	{ "NAME", "name", FIELD_TEXT, TABLE_LEFT },
	{ "STATE", "state", FIELD_TEXT, TABLE_LEFT },
	{ "SELF", "self", FIELD_FLAG, TABLE_LEFT },
	{ "BEAT", "beat_age_ms", FIELD_MS, TABLE_RIGHT },
	{ "TERM", "term", FIELD_TEXT, TABLE_RIGHT },
	{ "SEGMENTS", "segments", FIELD_TEXT, TABLE_RIGHT },
	{ "INCARNATION", "incarnation", FIELD_TEXT, TABLE_LEFT },
	{ "ADDRESSES", "addresses", FIELD_LIST, TABLE_FLEXIBLE },
};

static const struct list_column list_segment_columns[] = {
	{ "NAME", "name", FIELD_TEXT, TABLE_FLEXIBLE },
	{ "NODE", "node", FIELD_TEXT, TABLE_LEFT },
	{ "SIZE", "bytes", FIELD_SIZE, TABLE_RIGHT },
	{ "VERSION", "version", FIELD_TEXT, TABLE_RIGHT },
	{ "BUFFERS", "buffers", FIELD_TEXT, TABLE_RIGHT },
	{ "TENANT", "tenant", FIELD_TEXT, TABLE_LEFT },
	{ "INCARNATION", "incarnation", FIELD_TEXT, TABLE_LEFT },
};

static const struct list_column list_peer_columns[] = {
	{ "NODE", "node", FIELD_TEXT, TABLE_LEFT },
	{ "TRANSPORT", "transport", FIELD_TEXT, TABLE_LEFT },
	{ "RAIL", "rail", FIELD_TEXT, TABLE_RIGHT },
	{ "WAY", "way", FIELD_TEXT, TABLE_LEFT },
	{ "STATE", "state", FIELD_TEXT, TABLE_LEFT },
	{ "SINCE", "since_ms", FIELD_MS, TABLE_RIGHT },
	{ "RTT", "rtt_us", FIELD_US, TABLE_RIGHT },
	{ "MTU", "mtu_bytes", FIELD_TEXT, TABLE_RIGHT },
	{ "WINDOW", "window_packets", FIELD_TEXT, TABLE_RIGHT },
	{ "SEGMENTS", "segments", FIELD_TEXT, TABLE_RIGHT },
	{ "OUT", "bytes_out", FIELD_SIZE, TABLE_RIGHT },
	{ "IN", "bytes_in", FIELD_SIZE, TABLE_RIGHT },
	{ "RETRANSMITTED", "retransmissions", FIELD_TEXT, TABLE_RIGHT },
	{ "INCARNATION", "incarnation", FIELD_TEXT, TABLE_FLEXIBLE },
};

static const struct list_column list_transport_columns[] = {
	{ "TRANSPORT", "transport", FIELD_TEXT, TABLE_LEFT },
	{ "DEVICE", "device", FIELD_TEXT, TABLE_FLEXIBLE },
	{ "STATE", "state", FIELD_TEXT, TABLE_LEFT },
	{ "ADDRESS", "address", FIELD_TEXT, TABLE_FLEXIBLE },
	{ "MTU", "mtu_bytes", FIELD_TEXT, TABLE_RIGHT },
	{ "PACKETS OUT", "packets_out", FIELD_TEXT, TABLE_RIGHT },
	{ "PACKETS IN", "packets_in", FIELD_TEXT, TABLE_RIGHT },
};

static const struct list_column list_channel_columns[] = {
	{ "CHANNEL", "channel", FIELD_TEXT, TABLE_RIGHT },
	{ "NAME", "name", FIELD_TEXT, TABLE_FLEXIBLE },
	{ "TENANT", "tenant", FIELD_TEXT, TABLE_LEFT },
	{ "PROCESS", "process", FIELD_TEXT, TABLE_RIGHT },
	{ "OPERATIONS", "operations", FIELD_TEXT, TABLE_RIGHT },
	{ "OPEN", "open", FIELD_TEXT, TABLE_RIGHT },
	{ "BYTES", "bytes", FIELD_SIZE, TABLE_RIGHT },
	{ "NOTIFIED", "notified", FIELD_TEXT, TABLE_RIGHT },
	{ "UNREAD", "unread", FIELD_TEXT, TABLE_RIGHT },
	{ "REFUSED", "refused", FIELD_TEXT, TABLE_RIGHT },
	{ "WORKER", "worker", FIELD_TEXT, TABLE_RIGHT },
};

static const struct list_column list_worker_columns[] = {
	{ "WORKER", "worker", FIELD_TEXT, TABLE_RIGHT },
	{ "PROCESSOR", "processor", FIELD_TEXT, TABLE_LEFT },
	{ "LOAD", "load_permille", FIELD_PERMILLE, TABLE_RIGHT },
	{ "CHANNELS", "channels", FIELD_TEXT, TABLE_RIGHT },
};

static const struct list_column list_buffer_columns[] = {
	{ "OFFSET", "offset", FIELD_TEXT, TABLE_RIGHT },
	{ "SIZE", "length", FIELD_SIZE, TABLE_RIGHT },
	{ "REGION", "region", FIELD_TEXT, TABLE_LEFT },
	{ "RIGHTS", "rights", FIELD_TEXT, TABLE_LEFT },
	{ "STATE", "state", FIELD_TEXT, TABLE_LEFT },
};

const struct list list_of_nodes = LIST("nodes", "/v1/nodes", list_node_columns);
const struct list list_of_buffers = LIST("buffers", NULL, list_buffer_columns);
static const struct list list_of_segments = LIST("segments", "/v1/segments", list_segment_columns);
const struct list list_of_peers = LIST("peers", "/v1/peers", list_peer_columns);
static const struct list list_of_transports =
	LIST("transports", "/v1/transports", list_transport_columns);
static const struct list list_of_channels = LIST("channels", "/v1/channels", list_channel_columns);
static const struct list list_of_workers = LIST("workers", "/v1/workers", list_worker_columns);

/* A listing may be cut short, and records of Redis may be unusable. */
static void list_print_remarks(const struct list *list, const json_t *body)
{
	uint64_t malformed;

	if (json_is_true(json_object_get(body, "truncated")))
		fprintf(stderr, "haulctl: %s: there are more than are shown\n", list->key);
	if (!field_u64(body, "malformed", &malformed) || malformed == 0)
		return;
	fprintf(stderr, "haulctl: %s: %" PRIu64 " malformed records in Redis are left out\n",
		list->key, malformed);
}

int list_print(const struct haulctl *haulctl, const struct list *list, const json_t *body)
{
	struct table_column columns[TABLE_COLUMNS_MAX];
	const json_t *rows = json_object_get(body, list->key);
	char text[FIELD_TEXT_BYTES];
	struct table *table;
	json_t *row;
	size_t index;
	int error;

	for (unsigned int i = 0; i < list->column_count; i++) {
		columns[i].header = list->columns[i].header;
		columns[i].style = list->columns[i].style;
	}
	table = table_create(columns, list->column_count);
	if (table == NULL)
		return HAULCTL_FAILED;
	json_array_foreach(rows, index, row)
	{
		for (unsigned int i = 0; i < list->column_count; i++)
			table_add(table, field_format(row, list->columns[i].key,
						      list->columns[i].format, text));
	}
	error = table_print(table, haulctl->out, haulctl->width);
	table_destroy(table);
	list_print_remarks(list, body);
	return error == 0 ? HAULCTL_DONE : HAULCTL_FAILED;
}

int list_run(const struct haulctl *haulctl, const struct list *list)
{
	json_t *body = NULL;
	int status = ask(haulctl, list->key, list->target, &body);

	if (status != HAULCTL_DONE)
		return status;
	status = haulctl->is_json ? ask_print(haulctl, body) : list_print(haulctl, list, body);
	json_decref(body);
	return status;
}

int list_nodes(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &list_of_nodes);
}

int list_segments(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &list_of_segments);
}

int list_peers(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &list_of_peers);
}

int list_transports(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &list_of_transports);
}

int list_channels(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &list_of_channels);
}

int list_workers(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &list_of_workers);
}
