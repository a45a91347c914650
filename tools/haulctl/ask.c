/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From HTTP to JSON and exit statuses. An error that the server words is passed on in its words, made printable.
 */
#include "tools/haulctl/ask.h"

#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/response.h"
#include "tools/haulctl/table.h"

#include <string.h>

static int ask_refused(const struct response *response, const json_t *body, char *reason)
{
	const char *error = json_string_value(json_object_get(body, "error"));
	const char *sentence = json_string_value(json_object_get(body, "reason"));

	if (error == NULL) {
		(void)snprintf(reason, ASK_REASON_BYTES, "HTTP status %u without a reason",
			       response->status);
	} else {
		(void)snprintf(reason, ASK_REASON_BYTES, "%.32s: %.400s", error,
			       sentence != NULL ? sentence : "no reason given");
	}
	return response->status == 404 ? HAULCTL_NOT_FOUND : HAULCTL_FAILED;
}

int ask_quietly(const struct haulctl *haulctl, const char *target, json_t **body_out,
		char reason[ASK_REASON_BYTES])
{
	const struct request request = { .socket_path = haulctl->socket_path,
					 .target = target,
					 .timeout_us = haulctl->timeout_us,
					 .body_max = RESPONSE_BODY_BYTES_MAX };
	char why[REQUEST_REASON_BYTES];
	struct response response;
	enum request_result result = request_get(&request, &response, why);
	json_t *body = NULL;
	int status = HAULCTL_DONE;

	if (result != REQUEST_ANSWERED) {
		(void)snprintf(reason, ASK_REASON_BYTES, "%s: %s", haulctl->socket_path, why);
		status = result == REQUEST_UNREACHABLE ? HAULCTL_UNREACHABLE : HAULCTL_FAILED;
		goto free_response;
	}
	if (response.body != NULL)
		body = json_loadb(response.body, response.body_bytes, JSON_REJECT_DUPLICATES, NULL);
	if (response.status != 200) {
		status = ask_refused(&response, body, reason);
	} else if (!json_is_object(body)) {
		(void)snprintf(reason, ASK_REASON_BYTES,
			       "%s: the answer is no JSON object; is this haul-controlplane's "
			       "http_socket?",
			       haulctl->socket_path);
		status = HAULCTL_FAILED;
	}
	if (status == HAULCTL_DONE)
		*body_out = json_incref(body);
	json_decref(body);
free_response:
	response_free(&response);
	return status;
}

int ask(const struct haulctl *haulctl, const char *what, const char *target, json_t **body_out)
{
	char reason[ASK_REASON_BYTES];
	int status = ask_quietly(haulctl, target, body_out, reason);

	if (status == HAULCTL_DONE)
		return status;
	fprintf(stderr, "haulctl: %s: ", what);
	table_print_text(stderr, reason);
	fputc('\n', stderr);
	return status;
}

int ask_print(const struct haulctl *haulctl, const json_t *body)
{
	int error = json_dumpf(body, haulctl->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	fputc('\n', haulctl->out);
	return error == 0 ? HAULCTL_DONE : HAULCTL_FAILED;
}
