/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Runs a command of haulctl against a server of the test, and keeps what it prints.
 */
#ifndef HAULCTL_RIG_H
#define HAULCTL_RIG_H

#include "http_server.h"
#include "tools/haulctl/haulctl.h"
#include "unit.h"

/** What the last command printed; valid until the next. */
static char *rig_text;

/** Run a command; the server answers the target with a body, or with the bytes of each further answer. */
static inline int rig_run(struct haulctl *haulctl, haulctl_fn *run, const char *argument,
			  const struct http_answer *answers)
{
	char *arguments[] = { (char *)(uintptr_t)argument, NULL };
	struct http_server server;
	size_t length;
	int status;

	free(rig_text);
	rig_text = NULL;
	http_server_start(&server, answers, HTTP_AT_ONCE);
	haulctl->out = open_memstream(&rig_text, &length);
	haulctl->socket_path = server.path;
	haulctl->timeout_us = 5000000;
	status = run(haulctl, arguments);
	fclose(haulctl->out);
	http_server_stop(&server);
	return status;
}

/** The same with one answer to everything, whose body is given. */
static inline int rig_run_body(struct haulctl *haulctl, haulctl_fn *run, const char *argument,
			       const char *body)
{
	char *bytes = http_good(body);
	const struct http_answer answers[] = { { NULL, bytes } };
	int status = rig_run(haulctl, run, argument, answers);

	free(bytes);
	return status;
}

#endif
