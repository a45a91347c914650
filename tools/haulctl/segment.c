/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl segment show NAME: one segment with its buffers, and what the own dataplane has open of it. A segment whose
 * record is gone may still be open here: then that much is shown.
 */
#include "base/check.h"
#include "base/names.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/list.h"
#include "tools/haulctl/opening.h"
#include "tools/haulctl/table.h"

#include <string.h>

/* "/v1/segments/" and a name; names stand in a path as they are. */
#define SEGMENT_TARGET_BYTES 96u

struct segment_line {
	const char *label;
	const char *key;
	enum field_format format;
};

static const struct segment_line segment_lines[] = {
	{ "name", "name", FIELD_TEXT },           { "node", "node", FIELD_TEXT },
	{ "addresses", "addresses", FIELD_LIST }, { "incarnation", "incarnation", FIELD_TEXT },
	{ "version", "version", FIELD_TEXT },     { "size", "bytes", FIELD_SIZE },
	{ "tenant", "tenant", FIELD_TEXT },       { "readers", "readers", FIELD_TEXT },
	{ "writers", "writers", FIELD_TEXT },     { "owner", "owner.state", FIELD_TEXT },
};

static int segment_print(const struct haulctl *haulctl, const json_t *segment)
{
	char text[FIELD_TEXT_BYTES];

	for (unsigned int i = 0; i < ARRAY_SIZE(segment_lines); i++) {
		const struct segment_line *line = &segment_lines[i];

		field_format(segment, line->key, line->format, text);
		fprintf(haulctl->out, "%-11s  ", line->label);
		table_print_text(haulctl->out, text[0] != '\0' ? text : "-");
		fputc('\n', haulctl->out);
	}
	fputc('\n', haulctl->out);
	return list_print(haulctl, &list_of_buffers, segment);
}

/* Add what is open here of the segment to the record; null when the dataplane cannot say, and then why. */
static size_t segment_add_openings(const struct haulctl *haulctl, const char *name, json_t *segment)
{
	char reason[ASK_REASON_BYTES];
	json_t *rows = opening_ask(haulctl, "/v1/openings", "segment", name, reason);
	size_t count = json_array_size(rows);

	if (rows == NULL) {
		fputs("haulctl: openings: ", stderr);
		table_print_text(stderr, reason);
		fputc('\n', stderr);
	}
	(void)json_object_set_new(segment, "openings", rows != NULL ? rows : json_null());
	return count;
}

/* There is no record, or none to be had: is it open here all the same? */
static void segment_show_rest(const struct haulctl *haulctl, const char *name)
{
	json_t *rest = json_object();

	if (segment_add_openings(haulctl, name, rest) > 0) {
		if (haulctl->is_json)
			(void)ask_print(haulctl, rest);
		else
			(void)opening_print(haulctl, json_object_get(rest, "openings"), false);
	}
	json_decref(rest);
}

int segment_show(const struct haulctl *haulctl, char **arguments)
{
	char target[SEGMENT_TARGET_BYTES];
	char what[SEGMENT_TARGET_BYTES];
	json_t *body = NULL;
	int status;

	if (!name_is_valid(arguments[0], strlen(arguments[0]) + 1)) {
		fputs("haulctl: segment \"", stderr);
		table_print_text(stderr, arguments[0]);
		fputs("\": a name is " NAMES_ALLOWED "\n", stderr);
		return HAULCTL_USAGE;
	}
	(void)snprintf(target, sizeof(target), "/v1/segments/%s", arguments[0]);
	(void)snprintf(what, sizeof(what), "segment %s", arguments[0]);
	status = ask(haulctl, what, target, &body);
	if (status == HAULCTL_NOT_FOUND || status == HAULCTL_FAILED)
		segment_show_rest(haulctl, arguments[0]);
	if (status != HAULCTL_DONE)
		return status;
	(void)segment_add_openings(haulctl, arguments[0], body);
	status = haulctl->is_json ? ask_print(haulctl, body) : segment_print(haulctl, body);
	if (status == HAULCTL_DONE && !haulctl->is_json &&
	    !json_is_null(json_object_get(body, "openings")))
		status = opening_print(haulctl, json_object_get(body, "openings"), false);
	json_decref(body);
	return status;
}
