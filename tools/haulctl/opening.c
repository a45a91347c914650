/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl opening list, and the part of `segment show` and `peer show` that comes from the own dataplane.
 */
#include "tools/haulctl/opening.h"

#include "base/check.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/list.h"

#include <string.h>

/* In the middle of each listing of openings. */
#define OPENING_COLUMNS                                                  \
	{ "TENANT", "tenant", FIELD_TEXT, TABLE_LEFT },                  \
		{ "RIGHTS", "rights", FIELD_TEXT, TABLE_LEFT },          \
		{ "CACHED", "version_cached", FIELD_TEXT, TABLE_RIGHT }, \
		{ "SEEN", "version_seen", FIELD_TEXT, TABLE_RIGHT },     \
		{ "STATE", "state", FIELD_TEXT, TABLE_LEFT },            \
		{ "SINCE", "since_ms", FIELD_MS, TABLE_RIGHT },          \
		{ "HANDLES", "handles", FIELD_TEXT, TABLE_RIGHT },       \
		{ "REFRESHES", "refreshes", FIELD_TEXT, TABLE_RIGHT },   \
		{ "FAILED", "failed", FIELD_TEXT, TABLE_RIGHT },         \
	{                                                                \
		"LAST FAILURE", "last_failure", FIELD_TEXT, TABLE_LEFT   \
	}

static const struct list_column opening_columns[] = {
	{ "SEGMENT", "segment", FIELD_TEXT, TABLE_FLEXIBLE },
	{ "NODE", "node", FIELD_TEXT, TABLE_LEFT },
	OPENING_COLUMNS,
	{ "INCARNATION", "incarnation", FIELD_TEXT, TABLE_LEFT },
};

static const struct list_column opening_segment_columns[] = {
	OPENING_COLUMNS,
	{ "NODE", "node", FIELD_TEXT, TABLE_LEFT },
	{ "INCARNATION", "incarnation", FIELD_TEXT, TABLE_LEFT },
};

static const struct list_column opening_peer_columns[] = {
	{ "SEGMENT", "segment", FIELD_TEXT, TABLE_FLEXIBLE },
	OPENING_COLUMNS,
	{ "INCARNATION", "incarnation", FIELD_TEXT, TABLE_LEFT },
};

static const struct list opening_list = LIST("openings", "/v1/openings", opening_columns);
static const struct list opening_segment_list = LIST("openings", NULL, opening_segment_columns);
static const struct list opening_peer_list = LIST("openings", NULL, opening_peer_columns);

int list_openings(const struct haulctl *haulctl, char **arguments)
{
	(void)arguments;
	return list_run(haulctl, &opening_list);
}

/* The name of the array in the answer of "/v1/NAME". */
static const char *opening_key(const char *target)
{
	return strrchr(target, '/') + 1;
}

json_t *opening_ask(const struct haulctl *haulctl, const char *target, const char *key,
		    const char *value, char reason[ASK_REASON_BYTES])
{
	json_t *body = NULL, *kept = NULL, *row = NULL;
	size_t index;

	if (ask_quietly(haulctl, target, &body, reason) != HAULCTL_DONE)
		return NULL;
	kept = json_array();
	json_array_foreach(json_object_get(body, opening_key(target)), index, row)
	{
		if (strcmp(field_string(row, key), value) == 0)
			(void)json_array_append(kept, row);
	}
	json_decref(body);
	return kept;
}

int opening_print(const struct haulctl *haulctl, const json_t *rows, bool is_of_peer)
{
	json_t *body;
	int status;

	if (json_array_size(rows) == 0) {
		fputs("\nnothing of it is open on this node\n", haulctl->out);
		return HAULCTL_DONE;
	}
	fputs("\nopen on this node:\n", haulctl->out);
	body = json_object();
	(void)json_object_set(body, "openings", (json_t *)(uintptr_t)rows);
	status = list_print(haulctl, is_of_peer ? &opening_peer_list : &opening_segment_list, body);
	json_decref(body);
	return status;
}
