/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 9000, 13.4.2.1. Counts are modulo 2^32, so only differences are compared. */
#include "rudp/ecn.h"

#include "base/check.h"

int64_t ecn_validate(struct ecn *ecn, const struct wire_ack *ack, uint32_t packets, uint64_t sent)
{
	uint32_t ect0 = ack->ect0 - ecn->ect0;
	uint32_t ce = ack->ce - ecn->ce;

	/* Marks that vanish are counted by nobody; marks that nobody set are more than there were packets. */
	if (!ack->has_counts || (uint64_t)ect0 + ce < packets || (uint64_t)ect0 + ce > sent)
		return -1;
	ecn->ect0 = ack->ect0;
	ecn->ce = ack->ce;
	ecn->is_heard = true;
	return ce;
}

void ecn_tell(const struct ecn *ecn, struct wire_ack *out)
{
	out->ect0 = ecn->seen[ECN_ECT0];
	out->ce = ecn->seen[ECN_CE];
	out->has_counts = (out->ect0 | out->ce) != 0;
}
