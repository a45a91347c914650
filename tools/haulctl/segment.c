/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl segment show NAME: one segment with its buffers.
 */
#include "base/check.h"
#include "base/names.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/list.h"
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
	{ "writers", "writers", FIELD_TEXT },
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
	if (status != HAULCTL_DONE)
		return status;
	status = haulctl->is_json ? ask_print(haulctl, body) : segment_print(haulctl, body);
	json_decref(body);
	return status;
}
