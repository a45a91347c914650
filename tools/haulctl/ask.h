/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Ask the control plane for JSON, and say why not when there is none.
 */
#ifndef HAULCTL_ASK_H
#define HAULCTL_ASK_H

#include "tools/haulctl/request.h"

#include <jansson.h>

struct haulctl;

/** Room for an answered error's name and its sentence. */
#define ASK_REASON_BYTES (REQUEST_REASON_BYTES + 256u)

/**
 * GET a target. Returns HAULCTL_DONE with an object in *body_out, which the caller releases; or another status, with
 * the reason as a phrase of printable text.
 */
int ask_quietly(const struct haulctl *haulctl, const char *target, json_t **body_out,
		char reason[ASK_REASON_BYTES]);

/** The same; prints the reason to standard error. what is what was asked for: "segment kv". */
int ask(const struct haulctl *haulctl, const char *what, const char *target, json_t **body_out);

/** Print JSON, indented, as nothing but printable ASCII. Returns HAULCTL_DONE or HAULCTL_FAILED. */
int ask_print(const struct haulctl *haulctl, const json_t *body);

#endif
