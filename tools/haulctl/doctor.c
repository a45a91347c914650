/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl doctor: what the control plane says of itself, its Redis, its dataplane and its node; then the cluster as it
 * sees it; then the host, looked at from here. A host is checked also when no control plane answers.
 */
#include "base/check.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/host.h"
#include "tools/haulctl/table.h"

#include <stdlib.h>
#include <string.h>

/* The widest name of a check, so that what was found is aligned. */
#define DOCTOR_NAME_WIDTH 14

static void doctor_add(json_t *checks, const char *name, enum host_state state, const char *detail,
		       const char *advice)
{
	json_t *check = json_object();

	(void)json_object_set_new(check, "name", json_string(name));
	(void)json_object_set_new(check, "state", json_string(host_state_word(state)));
	(void)json_object_set_new(check, "detail", json_string(detail));
	(void)json_object_set_new(check, "advice", json_string(advice));
	(void)json_array_append_new(checks, check);
}

static void doctor_add_finding(const struct host_finding *finding, void *argument)
{
	doctor_add(argument, finding->name, finding->state, finding->detail, finding->advice);
}

/* The control plane's own checks. Returns false when it does not answer. */
static bool doctor_ask(const struct haulctl *haulctl, json_t *checks)
{
	char reason[ASK_REASON_BYTES];
	json_t *body = NULL;
	int status = ask_quietly(haulctl, "/v1/doctor", &body, reason);

	if (status != HAULCTL_DONE) {
		doctor_add(checks, "control plane", HOST_FAIL, reason,
			   "start haul-controlplane; its log and --check-config say what it lacks");
		return false;
	}
	doctor_add(checks, "control plane", HOST_OK, "answers", "");
	(void)json_array_extend(checks, json_object_get(body, "checks"));
	json_decref(body);
	return true;
}

/* Nodes that have gone silent: not this node's fault, but what its transfers will meet. */
static void doctor_check_cluster(const struct haulctl *haulctl, json_t *checks)
{
	char reason[ASK_REASON_BYTES];
	char detail[64];
	json_t *body = NULL;
	json_t *nodes;
	json_t *node;
	size_t index;
	unsigned int silent = 0;

	if (ask_quietly(haulctl, "/v1/nodes", &body, reason) != HAULCTL_DONE)
		return; /* Redis does not answer, which is a finding already */
	nodes = json_object_get(body, "nodes");
	json_array_foreach(nodes, index, node)
	{
		const char *state = field_string(node, "state");

		silent += strcmp(state, "suspect") == 0 || strcmp(state, "dead") == 0 ? 1 : 0;
	}
	(void)snprintf(detail, sizeof(detail), "%zu known, %u silent", json_array_size(nodes),
		       silent);
	doctor_add(checks, "cluster", silent > 0 ? HOST_WARN : HOST_OK, detail,
		   silent > 0 ? "haulctl node list names them" : "");
	json_decref(body);
}

/* "state  name  what was found", and below it what would be right. */
static void doctor_print_check(const struct haulctl *haulctl, const json_t *check)
{
	const char *advice = field_string(check, "advice");
	const char *name = field_string(check, "name");

	fprintf(haulctl->out, "%-4.4s  ", field_string(check, "state"));
	table_print_text(haulctl->out, name);
	fprintf(haulctl->out, "%*s", MAX(2, DOCTOR_NAME_WIDTH + 2 - (int)strlen(name)), "");
	table_print_text(haulctl->out, field_string(check, "detail"));
	fputc('\n', haulctl->out);
	if (advice[0] == '\0')
		return;
	fprintf(haulctl->out, "%*s-> ", DOCTOR_NAME_WIDTH + 8, "");
	table_print_text(haulctl->out, advice);
	fputc('\n', haulctl->out);
}

/* Print all checks. A state that is unknown here counts as failed: better one look too many. */
static int doctor_print(const struct haulctl *haulctl, json_t *checks)
{
	unsigned int counts[HOST_FAIL + 1] = { 0 };
	json_t *check;
	size_t index;

	json_array_foreach(checks, index, check)
	{
		enum host_state state = HOST_OK;

		while (state < HOST_FAIL &&
		       strcmp(field_string(check, "state"), host_state_word(state)) != 0)
			state++;
		counts[state]++;
		if (!haulctl->is_json)
			doctor_print_check(haulctl, check);
	}
	if (!haulctl->is_json)
		fprintf(haulctl->out, "%u ok, %u warn, %u fail\n", counts[HOST_OK],
			counts[HOST_WARN], counts[HOST_FAIL]);
	return counts[HOST_FAIL] > 0 ? HAULCTL_FAILED : HAULCTL_DONE;
}

int doctor_run(const struct haulctl *haulctl, char **arguments)
{
	json_t *body = json_object();
	json_t *checks = json_array();
	int status;

	(void)arguments;
	(void)json_object_set_new(body, "checks", checks);
	if (doctor_ask(haulctl, checks))
		doctor_check_cluster(haulctl, checks);
	host_check("", doctor_add_finding, checks);
	status = doctor_print(haulctl, checks);
	if (haulctl->is_json && ask_print(haulctl, body) != HAULCTL_DONE)
		status = HAULCTL_FAILED;
	json_decref(body);
	return status;
}
