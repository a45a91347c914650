/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What this node's dataplane has open: segments of peers, with the versions that it has and has heard of.
 */
#ifndef HAULCTL_OPENING_H
#define HAULCTL_OPENING_H

#include "tools/haulctl/ask.h"

#include <stdbool.h>

/**
 * Ask for a listing and keep the rows whose member has this value, as an array that the caller releases. NULL when it
 * cannot be had, and why in reason.
 */
json_t *opening_ask(const struct haulctl *haulctl, const char *target, const char *key,
		    const char *value, char reason[ASK_REASON_BYTES]);

/**
 * Print below a record what of it is open here: rows (an array of openings, or NULL) by the columns that a segment's or
 * a peer's need. Returns an exit status.
 */
int opening_print(const struct haulctl *haulctl, const json_t *rows, bool is_of_peer);

#endif
