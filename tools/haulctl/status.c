/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl status: this node, its Redis, and all nodes, on one screen.
 */
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/list.h"
#include "tools/haulctl/table.h"

/* One "label  text" line; the parts behind the text are shown when there is something in them. */
static void status_line(const struct haulctl *haulctl, const char *label, const char *text,
			const char *more, const char *reason)
{
	fprintf(haulctl->out, "%-9s  ", label);
	table_print_text(haulctl->out, text[0] != '\0' ? text : "-");
	if (more[0] != '\0') {
		fputs(", ", haulctl->out);
		table_print_text(haulctl->out, more);
	}
	if (reason[0] != '\0') {
		fputs(": ", haulctl->out);
		table_print_text(haulctl->out, reason);
	}
	fputc('\n', haulctl->out);
}

static void status_print_counts(const struct haulctl *haulctl, const json_t *body)
{
	char segments[FIELD_TEXT_BYTES];
	char channels[FIELD_TEXT_BYTES];

	field_format(body, "segments", FIELD_TEXT, segments);
	field_format(body, "channels", FIELD_TEXT, channels);
	status_line(haulctl, "segments", segments, "", "");
	status_line(haulctl, "channels", channels, "", "");
}

static void status_print(const struct haulctl *haulctl, const json_t *body)
{
	const json_t *redis = json_object_get(body, "redis");
	const json_t *dataplane = json_object_get(body, "dataplane");
	const json_t *answers =
		json_is_true(dataplane) ? json_object_get(body, "dataplane_answers") : NULL;

	status_line(haulctl, "cluster", field_string(body, "cluster"), "", "");
	status_line(haulctl, "node", field_string(body, "node"), field_string(body, "node_state"),
		    field_string(body, "node_reason"));
	status_line(haulctl, "dataplane", json_is_true(dataplane) ? "connected" : "not connected",
		    json_is_false(answers) ? "does not answer" : "", "");
	status_line(haulctl, "redis", field_string(redis, "state"), field_string(redis, "address"),
		    field_string(redis, "reason"));
	status_print_counts(haulctl, body);
	status_line(haulctl, "version", field_string(body, "version"), "", "");
}

/* The control plane leaves them out when Redis does not answer, or has something else. */
static int status_print_nodes(const struct haulctl *haulctl, const json_t *body)
{
	fputc('\n', haulctl->out);
	if (json_is_array(json_object_get(body, list_of_nodes.key)))
		return list_print(haulctl, &list_of_nodes, body);
	fputs("nodes: unknown; haulctl node list says why\n", haulctl->out);
	return HAULCTL_DONE;
}

int status_run(const struct haulctl *haulctl, char **arguments)
{
	json_t *body = NULL;
	int status = ask(haulctl, "status", "/v1/status", &body);

	(void)arguments;
	if (status != HAULCTL_DONE)
		return status;
	if (haulctl->is_json) {
		status = ask_print(haulctl, body);
	} else {
		status_print(haulctl, body);
		status = status_print_nodes(haulctl, body);
	}
	json_decref(body);
	return status;
}
