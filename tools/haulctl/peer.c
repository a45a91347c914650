/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl peer show NODE: one node as this one sees it. Its record comes from Redis, its rails and what is open of it
 * from the own dataplane; either may be missing, and the other is shown all the same.
 */
#include "base/check.h"
#include "base/names.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/list.h"
#include "tools/haulctl/opening.h"

#include <string.h>

struct peer_line {
	const char *label;
	const char *key;
	enum field_format format;
};

static const struct peer_line peer_lines[] = {
	{ "state", "state", FIELD_TEXT },       { "beat", "beat_age_ms", FIELD_MS },
	{ "term", "term", FIELD_TEXT },         { "incarnation", "incarnation", FIELD_TEXT },
	{ "segments", "segments", FIELD_TEXT }, { "addresses", "addresses", FIELD_LIST },
};

static void peer_remark(const char *what, const char *reason)
{
	fprintf(stderr, "haulctl: %s: ", what);
	table_print_text(stderr, reason);
	fputc('\n', stderr);
}

static int peer_print(const struct haulctl *haulctl, const char *name, const json_t *peer)
{
	const json_t *record = json_object_get(peer, "node");
	char text[FIELD_TEXT_BYTES];
	int status;

	fprintf(haulctl->out, "%-11s  %s\n", "node", name);
	for (unsigned int i = 0; i < ARRAY_SIZE(peer_lines); i++) {
		const struct peer_line *line = &peer_lines[i];

		field_format(record, line->key, line->format, text);
		fprintf(haulctl->out, "%-11s  ", line->label);
		table_print_text(haulctl->out, text[0] != '\0' ? text : "-");
		fputc('\n', haulctl->out);
	}
	if (json_array_size(json_object_get(peer, "peers")) == 0) {
		fputs("\nno rail leads there\n", haulctl->out);
	} else {
		fputc('\n', haulctl->out);
		status = list_print(haulctl, &list_of_peers, peer);
		if (status != HAULCTL_DONE)
			return status;
	}
	return opening_print(haulctl, json_object_get(peer, "openings"), true);
}

/* Put the rows of a node into the object; what cannot be had is null, and said. Returns how many. */
static size_t peer_gather(const struct haulctl *haulctl, json_t *peer, const char *target,
			  const char *key, const char *name)
{
	const char *what = strrchr(target, '/') + 1;
	char reason[ASK_REASON_BYTES];
	json_t *rows = opening_ask(haulctl, target, key, name, reason);
	size_t count = json_array_size(rows);

	if (rows == NULL)
		peer_remark(what, reason);
	(void)json_object_set_new(peer, what, rows != NULL ? rows : json_null());
	return count;
}

int peer_show(const struct haulctl *haulctl, char **arguments)
{
	const char *name = arguments[0];
	json_t *peer = NULL, *records = NULL;
	char reason[ASK_REASON_BYTES];
	int status;
	size_t count;

	if (!name_is_valid(name, strlen(name) + 1)) {
		peer_remark("node", "a name is " NAMES_ALLOWED);
		return HAULCTL_USAGE;
	}
	/* Is there a control plane at all? Three questions without an answer would say the same thrice. */
	status = ask_quietly(haulctl, "/", &records, reason);
	json_decref(records);
	if (status != HAULCTL_DONE) {
		peer_remark("peer", reason);
		return status;
	}
	peer = json_object();
	count = peer_gather(haulctl, peer, "/v1/peers", "node", name) +
		peer_gather(haulctl, peer, "/v1/openings", "node", name) +
		peer_gather(haulctl, peer, "/v1/nodes", "name", name);
	records = json_object_get(peer, "nodes");
	(void)json_object_set(peer, "node",
			      json_array_size(records) > 0 ? json_array_get(records, 0)
							   : json_null());
	(void)json_object_del(peer, "nodes");
	if (count == 0) {
		peer_remark(name, "there is no such node, and nothing of it here");
		status = HAULCTL_NOT_FOUND;
	} else {
		status = haulctl->is_json ? ask_print(haulctl, peer)
					  : peer_print(haulctl, name, peer);
	}
	json_decref(peer);
	return status;
}
