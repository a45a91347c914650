/* SPDX-License-Identifier: BSD-3-Clause */
/* A proof is a mix of what it is for, which does as long as nobody guesses: other claims have other proofs. */
#include "proofs.h"

#include "api/haul_error.h"
#include "base/check.h"

#include <string.h>

#define WORK_US 400u

bool proofs_begin(struct proofs *proofs, struct random *random, uint64_t now_us,
		  const struct rudp_grant *grant, bool is_own)
{
	struct proof *proof = &proofs->proofs[proofs->count];

	if (proofs->count == PROOFS_MAX)
		return false;
	*proof = (struct proof){
		.grant = *grant,
		.due_us = now_us + random_below(random, WORK_US),
		.local_id = rudp_connection_params(grant->connection)->local_id,
		.connection = rudp_connection_handle(grant->connection),
		.is_own = is_own,
	};
	proofs->count++;
	return true;
}

static void proof_compute(const struct proof *proof, const struct rudp_params *params,
			  uint64_t incarnation, uint8_t out[RUDP_PROOF_BYTES])
{
	const uint64_t parts[] = {
		proof->is_own ? params->local_id : params->remote_id,
		proof->is_own ? params->remote_id : params->local_id,
		proof->is_own ? incarnation : params->incarnation,
		proof->is_own ? params->incarnation : incarnation,
		proof->grant.segment,
		proof->grant.rights,
	};
	uint64_t mixed = 1;

	for (uint32_t i = 0; i < ARRAY_SIZE(parts); i++)
		mixed = random_mix(mixed * 3 + parts[i]);
	memset(out, 0xa5, RUDP_PROOF_BYTES);
	memcpy(out, &mixed, sizeof(mixed));
}

static void proof_end(const struct proof *proof, struct rudp *rudp, uint64_t incarnation,
		      uint64_t now_us)
{
	struct rudp_connection *connection = rudp_connection_find(rudp, proof->connection);
	const struct rudp_grant *grant = &proof->grant;
	uint8_t right[RUDP_PROOF_BYTES];

	if (connection == NULL || rudp_connection_params(connection)->local_id != proof->local_id)
		return;
	proof_compute(proof, rudp_connection_params(connection), incarnation, right);
	if (proof->is_own)
		rudp_grant_made(connection, now_us, grant->slot, grant->serial, HAUL_OK, right);
	else
		rudp_grant_checked(connection, grant->slot, grant->serial,
				   memcmp(right, grant->proof, sizeof(right)) == 0 ? HAUL_OK
										   : HAUL_DENIED);
}

void proofs_advance(struct proofs *proofs, struct rudp *rudp, uint64_t incarnation, uint64_t now_us)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < proofs->count; i++) {
		if (now_us >= proofs->proofs[i].due_us)
			proof_end(&proofs->proofs[i], rudp, incarnation, now_us);
		else
			proofs->proofs[left++] = proofs->proofs[i];
	}
	proofs->count = left;
}

uint64_t proofs_next_us(const struct proofs *proofs)
{
	uint64_t next_us = UINT64_MAX;

	for (uint32_t i = 0; i < proofs->count; i++)
		next_us = MIN(next_us, proofs->proofs[i].due_us);
	return next_us;
}
