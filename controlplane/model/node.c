/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strict, as everything that reads Redis.
 */
#include "controlplane/model/node.h"

#include "api/haul_error.h"
#include "base/names.h"
#include "controlplane/model/address.h"
#include "controlplane/model/format.h"

#include <stdio.h>
#include <string.h>

static int malformed(const char *field, char *reason)
{
	(void)snprintf(reason, HAUL_REASON_BYTES, "the node's record is malformed: field %s",
		       field);
	return -HAUL_CORRUPT;
}

int node_parse(const struct text fields[NODE_FIELD_COUNT], struct node_record *out, char *reason)
{
	int error = format_check(fields[NODE_FORMAT], "node", reason);

	memset(out, 0, sizeof(*out));
	if (error != 0)
		return error;
	if (!text_copy(fields[NODE_NAME], out->name, sizeof(out->name)) ||
	    !name_is_valid(out->name, sizeof(out->name)))
		return malformed("node", reason);
	if (!text_identity(fields[NODE_INCARNATION], &out->incarnation) || out->incarnation == 0)
		return malformed("incarnation", reason);
	if (!text_number(fields[NODE_TERM], &out->term))
		return malformed("term", reason);
	if (!text_copy(fields[NODE_HOST], out->host, sizeof(out->host)))
		return malformed("host", reason);
	if (!text_number(fields[NODE_BEAT], &out->beat))
		return malformed("beat", reason);
	out->has_left = text_is(fields[NODE_STATE], "left");
	if (!out->has_left && !text_is(fields[NODE_STATE], "present"))
		return malformed("state", reason);
	if (!address_rows_parse(fields[NODE_ADDRESSES], out->addresses, &out->address_count))
		return malformed("addresses", reason);
	return 0;
}
