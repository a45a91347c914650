/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/nodes, /v1/segments and /v1/segments/NAME: records of Redis, asked for anew each time. A listing goes through
 * all pages; rows are collected under their names, since a page may bring a name twice.
 */
#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/names.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"
#include "controlplane/model/address.h"
#include "controlplane/model/buffer.h"
#include "controlplane/model/liveness.h"
#include "controlplane/model/node.h"
#include "controlplane/model/segment.h"

#include <stdlib.h>
#include <string.h>

/* Rows of one listing; what is beyond is cut, and the answer says so. */
#define RECORDS_ROWS_MAX 10000u

/* Room for a cursor of SSCAN. */
#define RECORDS_CURSOR_BYTES 24u

struct listing {
	struct reply *reply;
	bool is_of_nodes;
	char cursor[RECORDS_CURSOR_BYTES];
	json_t *rows;           /* object: name -> row */
	unsigned int malformed; /* records that could not be parsed */
};

static void page_ask(struct listing *listing);

static json_t *addresses_make(const struct haul_address *addresses, unsigned int count)
{
	json_t *array = json_array();
	char words[ADDRESS_WORDS_BYTES];

	for (unsigned int i = 0; i < count; i++) {
		address_words(&addresses[i], words);
		(void)json_array_append_new(array, json_string(words));
	}
	return array;
}

static json_t *node_make(const struct http_scene *scene, const struct node_record *record)
{
	uint64_t still_ms = 0;
	enum liveness_state state = liveness_state(link_liveness(scene->link), record->name,
						   record->incarnation, clock_now_us(), &still_ms);
	json_t *node = json_object();

	if (record->has_left)
		state = LIVENESS_LEFT;
	(void)json_object_set_new(node, "name", json_string(record->name));
	(void)json_object_set_new(node, "state", json_string(liveness_word(state)));
	(void)json_object_set_new(node, "still_ms", json_u64(still_ms));
	(void)json_object_set_new(node, "incarnation", json_identity(record->incarnation));
	(void)json_object_set_new(node, "term", json_u64(record->term));
	(void)json_object_set_new(node, "beat", json_u64(record->beat));
	(void)json_object_set_new(node, "host", json_bytes(record->host, sizeof(record->host)));
	(void)json_object_set_new(node, "addresses",
				  addresses_make(record->addresses, record->address_count));
	return node;
}

static json_t *segment_make(const struct haul_descriptor *descriptor)
{
	json_t *segment = json_object();

	(void)json_object_set_new(segment, "name",
				  json_bytes(descriptor->segment, HAUL_NAME_BYTES));
	(void)json_object_set_new(segment, "node", json_bytes(descriptor->node, HAUL_NAME_BYTES));
	(void)json_object_set_new(segment, "incarnation", json_identity(descriptor->incarnation));
	(void)json_object_set_new(segment, "version", json_u64(descriptor->metadata_version));
	(void)json_object_set_new(segment, "bytes", json_u64(descriptor->bytes));
	(void)json_object_set_new(segment, "tenant",
				  json_bytes(descriptor->tenant, HAUL_NAME_BYTES));
	(void)json_object_set_new(segment, "readers",
				  json_bytes(descriptor->readers, sizeof(descriptor->readers)));
	(void)json_object_set_new(segment, "writers",
				  json_bytes(descriptor->writers, sizeof(descriptor->writers)));
	return segment;
}

static void row_take(struct listing *listing, const struct text *fields)
{
	const struct http_scene *scene = reply_scene(listing->reply);
	struct node_record node;
	struct haul_descriptor segment;
	char reason[HAUL_REASON_BYTES];
	json_t *row = NULL;

	if (listing->is_of_nodes && node_parse(fields, &node, reason) == 0)
		row = node_make(scene, &node);
	else if (!listing->is_of_nodes && segment_row_parse(fields, &segment, reason) == 0)
		row = segment_make(&segment);
	if (row == NULL) {
		listing->malformed++;
		return;
	}
	(void)json_object_set_new(listing->rows, json_string_value(json_object_get(row, "name")),
				  row);
}

/* By name, which jansson sorts by when asked to dump so; the rows are an array in that order. */
static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *rows_sort(json_t *rows)
{
	size_t count = json_object_size(rows), at = 0;
	const char **names = calloc(count + 1, sizeof(*names));
	json_t *array = json_array();
	const char *name = NULL;
	json_t *row = NULL;

	if (names == NULL)
		return array;
	json_object_foreach(rows, name, row) names[at++] = name;
	qsort(names, count, sizeof(*names), name_compare);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append(array, json_object_get(rows, names[i]));
	free(names);
	return array;
}

static void listing_end(struct listing *listing, bool is_cut)
{
	json_t *body = json_object();

	(void)json_object_set_new(body, listing->is_of_nodes ? "nodes" : "segments",
				  rows_sort(listing->rows));
	(void)json_object_set_new(body, "truncated", json_boolean(is_cut));
	(void)json_object_set_new(body, "malformed", json_integer(listing->malformed));
	reply_json(listing->reply, 200, body);
	json_decref(listing->rows);
	free(listing);
}

static void listing_fail(struct listing *listing, int error, const char *reason)
{
	reply_error(listing->reply, error, reason);
	json_decref(listing->rows);
	free(listing);
}

static void page_answered(void *arg, const struct registry_answer *answer)
{
	struct listing *listing = arg;
	unsigned int fields = listing->is_of_nodes ? (unsigned int)NODE_FIELD_COUNT
						   : (unsigned int)SEGMENT_LIST_FIELD_COUNT;

	if (answer->error != 0) {
		listing_fail(listing, answer->error, answer->reason);
		return;
	}
	if (answer->count % fields != 1 ||
	    !text_copy(answer->texts[0], listing->cursor, sizeof(listing->cursor))) {
		listing_fail(listing, HAUL_CORRUPT, "the script's answer is malformed");
		return;
	}
	for (unsigned int at = 1; at < answer->count; at += fields)
		row_take(listing, answer->texts + at);
	if (strcmp(listing->cursor, "0") == 0)
		listing_end(listing, false);
	else if (json_object_size(listing->rows) >= RECORDS_ROWS_MAX)
		listing_end(listing, true);
	else
		page_ask(listing);
}

static void page_ask(struct listing *listing)
{
	struct registry *registry = link_registry(reply_scene(listing->reply)->link);
	char reason[HAUL_REASON_BYTES];
	int error = listing->is_of_nodes
			    ? registry_node_list(registry, listing->cursor, page_answered, listing)
			    : registry_segment_list(registry, listing->cursor, "", page_answered,
						    listing);

	if (error == 0)
		return;
	registry_reason(registry, reason);
	listing_fail(listing, error, reason);
}

static void listing_begin(struct reply *reply, bool is_of_nodes)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (listing == NULL) {
		reply_error(reply, HAUL_SYSTEM, "no memory");
		return;
	}
	listing->reply = reply;
	listing->is_of_nodes = is_of_nodes;
	listing->cursor[0] = '0';
	listing->rows = json_object();
	page_ask(listing);
}

void route_nodes(struct reply *reply, const char *rest)
{
	(void)rest;
	listing_begin(reply, true);
}

void route_segments(struct reply *reply, const char *rest)
{
	(void)rest;
	listing_begin(reply, false);
}

static const char *rights_word(uint32_t rights)
{
	static const char *const words[] = { "none", "read", "write", "read,write" };

	return words[rights & (HAUL_RIGHT_READ | HAUL_RIGHT_WRITE)];
}

static json_t *buffers_make(const struct haul_descriptor *descriptor)
{
	const struct haul_descriptor_buffer *buffers = descriptor_buffers(descriptor);
	json_t *array = json_array();

	for (uint32_t i = 0; i < descriptor->buffer_count; i++) {
		json_t *buffer = json_object();

		(void)json_object_set_new(buffer, "offset", json_u64(buffers[i].offset));
		(void)json_object_set_new(buffer, "length", json_u64(buffers[i].length));
		(void)json_object_set_new(buffer, "region", json_identity(buffers[i].region));
		(void)json_object_set_new(buffer, "rights",
					  json_string(rights_word(buffers[i].rights)));
		(void)json_object_set_new(buffer, "state",
					  json_string(buffer_state_word(buffers[i].state)));
		(void)json_array_append_new(array, buffer);
	}
	return array;
}

static void segment_answered(void *arg, const struct registry_answer *answer)
{
	struct reply *reply = arg;
	struct haul_descriptor *descriptor = NULL;
	struct node_record owner;
	size_t length = 0;
	char reason[HAUL_REASON_BYTES] = "the script's answer is malformed";
	int error = answer->error;
	json_t *body = NULL;

	if (error != 0) {
		reply_error(reply, error, answer->reason);
		return;
	}
	error = HAUL_CORRUPT;
	if (answer->count == (unsigned int)SEGMENT_FIELD_COUNT + NODE_FIELD_COUNT)
		error = segment_parse(answer->texts, &descriptor, &length, reason);
	if (error == 0)
		error = node_parse(answer->texts + SEGMENT_FIELD_COUNT, &owner, reason);
	if (error != 0) {
		free(descriptor);
		reply_error(reply, error, reason);
		return;
	}
	body = segment_make(descriptor);
	(void)json_object_set_new(
		body, "addresses",
		addresses_make(descriptor_addresses(descriptor), descriptor->address_count));
	(void)json_object_set_new(body, "buffers", buffers_make(descriptor));
	(void)json_object_set_new(body, "owner", node_make(reply_scene(reply), &owner));
	free(descriptor);
	reply_json(reply, 200, body);
}

void route_segment(struct reply *reply, const char *rest)
{
	struct registry *registry = link_registry(reply_scene(reply)->link);
	char reason[HAUL_REASON_BYTES];

	if (!name_is_valid(rest, strlen(rest) + 1)) {
		reply_error(reply, HAUL_INVALID, "a segment's name is " NAMES_ALLOWED);
		return;
	}
	if (registry_segment_get(registry, rest, segment_answered, reply) == 0)
		return;
	registry_reason(registry, reason);
	reply_error(reply, HAUL_UNAVAILABLE, reason);
}
