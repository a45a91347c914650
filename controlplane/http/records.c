/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/nodes, /v1/segments and /v1/segments/NAME: records of Redis as rows of JSON, asked for anew each time.
 */
#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/names.h"
#include "controlplane/http/pages.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"
#include "controlplane/model/address.h"
#include "controlplane/model/buffer.h"
#include "controlplane/model/liveness.h"
#include "controlplane/model/node.h"
#include "controlplane/model/segment.h"

#include <stdlib.h>
#include <string.h>

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
	struct link_status status;
	json_t *node = json_object();

	link_status(scene->link, &status);
	if (record->has_left)
		state = LIVENESS_LEFT;
	(void)json_object_set_new(node, "name", json_string(record->name));
	(void)json_object_set_new(node, "state", json_string(liveness_word(state)));
	(void)json_object_set_new(node, "self",
				  json_boolean(status.incarnation == record->incarnation));
	(void)json_object_set_new(node, "incarnation", json_identity(record->incarnation));
	(void)json_object_set_new(node, "term", json_u64(record->term));
	(void)json_object_set_new(node, "beat", json_u64(record->beat));
	(void)json_object_set_new(node, "beat_age_ms", json_u64(still_ms));
	(void)json_object_set_new(node, "host", json_bytes(record->host, sizeof(record->host)));
	(void)json_object_set_new(node, "addresses",
				  addresses_make(record->addresses, record->address_count));
	return node;
}

static json_t *node_row(const struct http_scene *scene, const struct text *fields)
{
	struct node_record record;
	uint64_t segments = 0;
	char reason[HAUL_REASON_BYTES];
	json_t *row = NULL;

	if (node_parse(fields, &record, reason) != 0 ||
	    !text_number(fields[NODE_SEGMENTS], &segments))
		return NULL;
	row = node_make(scene, &record);
	(void)json_object_set_new(row, "segments", json_integer((json_int_t)segments));
	return row;
}

static int nodes_ask(struct http_scene *scene, const char *cursor, registry_fn *fn, void *arg)
{
	return registry_node_list(link_registry(scene->link), cursor, fn, arg);
}

const struct pages_kind pages_of_nodes = { "nodes", NODE_LIST_FIELD_COUNT, nodes_ask, node_row };

/* What a listing and a single segment have in common. */
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

static json_t *segment_row(const struct http_scene *scene, const struct text *fields)
{
	struct haul_descriptor header;
	char reason[HAUL_REASON_BYTES];
	json_t *row = NULL;

	(void)scene;
	if (segment_row_parse(fields, &header, reason) != 0)
		return NULL;
	row = segment_make(&header);
	(void)json_object_set_new(row, "buffers", json_integer(header.buffer_count));
	return row;
}

static int segments_ask(struct http_scene *scene, const char *cursor, registry_fn *fn, void *arg)
{
	return registry_segment_list(link_registry(scene->link), cursor, "", fn, arg);
}

const struct pages_kind pages_of_segments = { "segments", SEGMENT_LIST_FIELD_COUNT, segments_ask,
					      segment_row };

static void pages_answered(void *arg, json_t *body, int error, const char *reason)
{
	if (error == 0)
		reply_json(arg, 200, body);
	else
		reply_error(arg, error, reason);
}

void route_nodes(struct reply *reply, const char *rest)
{
	(void)rest;
	pages_gather(reply_scene(reply), &pages_of_nodes, pages_answered, reply);
}

void route_segments(struct reply *reply, const char *rest)
{
	(void)rest;
	pages_gather(reply_scene(reply), &pages_of_segments, pages_answered, reply);
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
		(void)json_object_set_new(buffer, "region",
					  buffers[i].region != 0 ? json_identity(buffers[i].region)
								 : json_null());
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
	error = -HAUL_CORRUPT;
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
		reply_error(reply, -HAUL_INVALID, "a segment's name is " NAMES_ALLOWED);
		return;
	}
	if (registry_segment_get(registry, rest, segment_answered, reply) == 0)
		return;
	registry_reason(registry, reason);
	reply_error(reply, -HAUL_UNAVAILABLE, reason);
}
