/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Another version is refused, never guessed at.
 */
#include "controlplane/model/format.h"

#include "api/haul_error.h"
#include "api/haul_frame.h"

#include <stdio.h>

/* What is printed of a version that we do not know. */
#define FORMAT_PRINT_BYTES 16

void format_reason(const char *what, struct text found, char *reason)
{
	int length = found.length < FORMAT_PRINT_BYTES ? (int)found.length : FORMAT_PRINT_BYTES;

	(void)snprintf(reason, HAUL_REASON_BYTES,
		       "%s in Redis has format %.*s, this control plane speaks %s", what, length,
		       found.bytes, FORMAT_VERSION);
}

int format_check(struct text found, const char *what, char *reason)
{
	if (text_is(found, FORMAT_VERSION))
		return 0;
	if (found.length == 0) {
		(void)snprintf(reason, HAUL_REASON_BYTES,
			       "the record of a %s is malformed: field format", what);
		return -HAUL_CORRUPT;
	}
	format_reason(what, found, reason);
	return -HAUL_VERSION;
}
