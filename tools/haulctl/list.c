/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The listings: one request, one table.
 */
#include "base/names.h"
#include "tools/haulctl/command.h"
#include "tools/haulctl/sheet.h"

#include <stdio.h>
#include <string.h>

/* How one object of a listing becomes a row. */
typedef void row_fn(struct sheet *sheet, const json_t *row);

static int rows_print(const json_t *rows, const char *heads, row_fn *fn, const char *empty)
{
	struct sheet *sheet = sheet_make(heads);
	const json_t *row = NULL;
	size_t index = 0;

	if (sheet == NULL)
		return EXIT_FAILED;
	json_array_foreach(rows, index, row)
	{
		sheet_row(sheet);
		fn(sheet, row);
	}
	sheet_print(sheet, empty);
	sheet_free(sheet);
	return EXIT_GOOD;
}

/* What a listing has beside its rows: it may be cut, and records may be malformed. */
static void remarks_print(const json_t *body)
{
	if (member_is_true(body, "truncated"))
		(void)fprintf(stderr, "haulctl: there are more than these\n");
	if (member_number(body, "malformed") > 0)
		(void)fprintf(stderr, "haulctl: %llu records in Redis are malformed and left out\n",
			      (unsigned long long)member_number(body, "malformed"));
}

static int list_print(const struct command_line *line, const char *path, const char *heads,
		      row_fn *fn, const char *empty)
{
	int status = EXIT_GOOD;
	json_t *body = command_get(line, path, &status);

	if (body == NULL)
		return status;
	if (line->is_json)
		command_print(body);
	else
		status =
			rows_print(json_object_get(body, strrchr(path, '/') + 1), heads, fn, empty);
	remarks_print(body);
	json_decref(body);
	return status;
}

/* The strings of an array, with commas between. */
static void texts_join(const json_t *array, char *out, size_t size)
{
	const json_t *text = NULL;
	size_t index = 0, used = 0;

	out[0] = '\0';
	json_array_foreach(array, index, text)
	{
		int length = snprintf(out + used, size - used, "%s%s", index > 0 ? ", " : "",
				      json_string_value(text));

		if (length < 0 || (size_t)length >= size - used)
			return;
		used += (size_t)length;
	}
}

static void node_row(struct sheet *sheet, const json_t *row)
{
	char addresses[SHEET_CELL_BYTES];

	texts_join(json_object_get(row, "addresses"), addresses, sizeof(addresses));
	sheet_text(sheet, member_text(row, "name"));
	sheet_text(sheet, member_text(row, "state"));
	sheet_ms(sheet, member_number(row, "still_ms"));
	sheet_number(sheet, member_number(row, "term"));
	sheet_text(sheet, member_text(row, "incarnation"));
	sheet_text(sheet, addresses);
}

int command_node_list(const struct command_line *line)
{
	return list_print(line, "/v1/nodes", "NODE STATE >SINCE >TERM INCARNATION ADDRESSES",
			  node_row, "no nodes");
}

static void segment_row(struct sheet *sheet, const json_t *row)
{
	sheet_text(sheet, member_text(row, "name"));
	sheet_text(sheet, member_text(row, "node"));
	sheet_number(sheet, member_number(row, "version"));
	sheet_bytes(sheet, member_number(row, "bytes"));
	sheet_text(sheet, member_text(row, "tenant"));
	sheet_text(sheet, member_text(row, "readers"));
	sheet_text(sheet, member_text(row, "writers"));
}

int command_segment_list(const struct command_line *line)
{
	return list_print(line, "/v1/segments",
			  "SEGMENT NODE >VERSION >SIZE TENANT READERS WRITERS", segment_row,
			  "no segments");
}

static void buffer_row(struct sheet *sheet, const json_t *row)
{
	sheet_number(sheet, member_number(row, "offset"));
	sheet_bytes(sheet, member_number(row, "length"));
	sheet_text(sheet, member_text(row, "region"));
	sheet_text(sheet, member_text(row, "rights"));
	sheet_text(sheet, member_text(row, "state"));
}

static void segment_print(const json_t *body)
{
	const json_t *owner = json_object_get(body, "owner");
	char addresses[SHEET_CELL_BYTES];

	texts_join(json_object_get(body, "addresses"), addresses, sizeof(addresses));
	printf("segment      %s\n", member_text(body, "name"));
	printf("version      %s\n", member_text(body, "version"));
	printf("size         %s bytes\n", member_text(body, "bytes"));
	printf("owner        %s, %s\n", member_text(body, "node"), member_text(owner, "state"));
	printf("incarnation  %s\n", member_text(body, "incarnation"));
	printf("tenant       %s\n", member_text(body, "tenant"));
	printf("readers      %s\n",
	       *member_text(body, "readers") != '\0' ? member_text(body, "readers") : "-");
	printf("writers      %s\n",
	       *member_text(body, "writers") != '\0' ? member_text(body, "writers") : "-");
	printf("addresses    %s\n\n", addresses);
}

int command_segment_show(const struct command_line *line)
{
	char path[3 * 64 + 32] = "/v1/segments/";
	int status = EXIT_GOOD;
	json_t *body = NULL;

	if (!name_is_valid(line->argument, strlen(line->argument) + 1)) {
		(void)fprintf(stderr, "haulctl: a segment's name is " NAMES_ALLOWED "\n");
		return EXIT_USAGE;
	}
	request_escape(line->argument, path + strlen(path));
	body = command_get(line, path, &status);
	if (body == NULL)
		return status;
	if (line->is_json) {
		command_print(body);
	} else {
		segment_print(body);
		status =
			rows_print(json_object_get(body, "buffers"),
				   ">OFFSET >LENGTH REGION RIGHTS STATE", buffer_row, "no buffers");
	}
	json_decref(body);
	return status;
}

static void peer_row(struct sheet *sheet, const json_t *row)
{
	sheet_text(sheet, member_text(row, "node"));
	sheet_text(sheet, member_text(row, "transport"));
	sheet_text(sheet, member_text(row, "state"));
	sheet_ms(sheet, member_number(row, "since_ms"));
	sheet_number(sheet, member_number(row, "rtt_us"));
	sheet_number(sheet, member_number(row, "segments"));
	sheet_bytes(sheet, member_number(row, "bytes_out"));
	sheet_bytes(sheet, member_number(row, "bytes_in"));
	sheet_number(sheet, member_number(row, "retransmissions"));
}

int command_peer_list(const struct command_line *line)
{
	return list_print(line, "/v1/peers",
			  "PEER TRANSPORT STATE >SINCE >RTT_US >SEGMENTS >OUT >IN >RETRANSMITTED",
			  peer_row, "no peers");
}

static void transport_row(struct sheet *sheet, const json_t *row)
{
	sheet_text(sheet, member_text(row, "transport"));
	sheet_text(sheet, member_text(row, "device"));
	sheet_text(sheet, member_text(row, "state"));
	sheet_text(sheet, member_text(row, "address"));
	sheet_number(sheet, member_number(row, "mtu_bytes"));
	sheet_number(sheet, member_number(row, "packets_out"));
	sheet_number(sheet, member_number(row, "packets_in"));
}

int command_transport_list(const struct command_line *line)
{
	return list_print(line, "/v1/transports",
			  "TRANSPORT DEVICE STATE ADDRESS >MTU >PACKETS_OUT >PACKETS_IN",
			  transport_row, "no transports");
}

static void channel_row(struct sheet *sheet, const json_t *row)
{
	sheet_number(sheet, member_number(row, "channel"));
	sheet_text(sheet, member_text(row, "name"));
	sheet_text(sheet, member_text(row, "tenant"));
	sheet_number(sheet, member_number(row, "process"));
	sheet_number(sheet, member_number(row, "operations"));
	sheet_number(sheet, member_number(row, "open"));
}

int command_channel_list(const struct command_line *line)
{
	return list_print(line, "/v1/channels", ">CHANNEL NAME TENANT >PROCESS >OPERATIONS >OPEN",
			  channel_row, "no channels");
}

static void status_print(const json_t *body)
{
	const json_t *node = json_object_get(body, "node");
	const json_t *dataplane = json_object_get(body, "dataplane");
	const json_t *redis = json_object_get(body, "redis");
	const json_t *segments = json_object_get(body, "segments");
	const char *reason = member_text(node, "reason");

	printf("cluster    %s\n", member_text(body, "cluster"));
	printf("node       %s, %s%s%s, term %s, incarnation %s\n",
	       *member_text(node, "name") != '\0' ? member_text(node, "name") : "(unnamed)",
	       member_text(node, "state"), *reason != '\0' ? ": " : "", reason,
	       member_text(node, "term"), member_text(node, "incarnation"));
	if (member_is_true(dataplane, "connected")) {
		printf("dataplane  process %llu, %s\n",
		       (unsigned long long)member_number(dataplane, "process"),
		       member_is_true(dataplane, "answering") ? "answering" : "not answering");
	} else {
		printf("dataplane  not connected\n");
	}
	if (member_is_true(redis, "ready"))
		printf("redis      ready, epoch %s\n", member_text(redis, "epoch"));
	else
		printf("redis      not ready: %s\n", member_text(redis, "reason"));
	printf("segments   %llu published, %llu open, %llu waiting for Redis\n\n",
	       (unsigned long long)member_number(segments, "published"),
	       (unsigned long long)member_number(segments, "open"),
	       (unsigned long long)member_number(segments, "doubtful"));
}

/* The node is known without Redis; the cluster is not, and the reason has been printed then. */
int command_status(const struct command_line *line)
{
	struct request_answer nodes;
	int status = EXIT_GOOD;
	json_t *body = command_get(line, "/v1/status", &status);

	if (body == NULL)
		return status;
	if (request_get(line->socket, "/v1/nodes", &nodes))
		(void)json_object_set(body, "nodes", json_object_get(nodes.body, "nodes"));
	if (line->is_json) {
		command_print(body);
	} else {
		status_print(body);
		if (json_object_get(body, "nodes") != NULL) {
			status = rows_print(json_object_get(body, "nodes"),
					    "NODE STATE >SINCE >TERM INCARNATION ADDRESSES",
					    node_row, "no nodes");
		}
	}
	request_free(&nodes);
	json_decref(body);
	return status;
}
