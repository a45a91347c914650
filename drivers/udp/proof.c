/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ends of the rings; proof.h says what goes over them. */
#include "drivers/udp/proof.h"

#include "base/auth.h"
#include "base/check.h"
#include "base/grant.h"
#include "drivers/udp/control.h"

#include <string.h>

/* Of one worker in one call: two or three HMACs each, so that nobody else waits longer than for a handshake or two. */
#define UDP_PROOF_BUDGET 32u

_Static_assert(RUDP_PROOF_BYTES == GRANT_PROOF_BYTES, "a packet carries what grant_prove makes");

static bool udp_proof_ask(struct transport_worker *worker, const struct rudp_grant *grant,
			  bool is_own)
{
	const struct rudp_params *params = rudp_connection_params(grant->connection);
	struct udp_proof proof = {
		.local_id = params->local_id,
		.remote_id = params->remote_id,
		.incarnation = params->incarnation,
		.connection = rudp_connection_handle(grant->connection),
		.segment = grant->segment,
		.serial = grant->serial,
		.remote = grant->tag,
		.slot = grant->slot,
		.rights = grant->rights,
		.is_own = is_own,
	};

	if (worker->proofs_out == UDP_PROOFS)
		return false;
	memcpy(proof.proof, grant->proof, sizeof(proof.proof));
	if (!spsc_push(&worker->proofs, &proof))
		return false;
	worker->proofs_out++;
	worker->has_events = true;
	return true;
}

bool udp_proof_make(void *context, const struct rudp_grant *grant)
{
	return udp_proof_ask(context, grant, true);
}

bool udp_proof_check(void *context, const struct rudp_grant *grant)
{
	return udp_proof_ask(context, grant, false);
}

void udp_proofs_take(struct transport_worker *worker)
{
	struct udp_proof proof;

	while (worker->proofs_out > 0 && spsc_pop(&worker->proven, &proof)) {
		struct rudp_connection *connection =
			rudp_connection_find(worker->rudp, proof.connection);

		worker->proofs_out--;
		if (connection == NULL ||
		    rudp_connection_params(connection)->local_id != proof.local_id)
			continue; /* it has gone meanwhile, and its grants with it */
		if (proof.is_own) {
			rudp_grant_made(connection, worker->now_us, proof.slot, proof.serial,
					proof.status, proof.proof);
		} else {
			rudp_grant_checked(connection, proof.slot, proof.serial, proof.status);
		}
	}
}

/* The proof that belongs to a claim, by a key that this node knows. */
static enum haul_error udp_proof_compute(const struct transport *transport, uint32_t worker,
					 const struct udp_proof *proof,
					 uint8_t out[GRANT_PROOF_BYTES])
{
	const struct transport_setup *setup = &transport->setup;
	struct transport_grant grant = {
		.incarnation = proof->is_own ? proof->incarnation : setup->incarnation,
		.segment = proof->segment,
		.remote = proof->remote,
		.rights = proof->rights,
	};
	struct grant_claim claim = {
		.initiator_id = proof->is_own ? proof->local_id : proof->remote_id,
		.target_id = proof->is_own ? proof->remote_id : proof->local_id,
		.initiator_incarnation = proof->is_own ? setup->incarnation : proof->incarnation,
		.target_incarnation = grant.incarnation,
		.segment = proof->segment,
		.rights = proof->rights,
	};
	uint8_t key[GRANT_KEY_BYTES];
	enum haul_error error;

	error = proof->is_own ? setup->host->remote_key(setup->workers[worker], &grant, key)
			      : setup->host->own_key(setup->workers[worker], &grant, key);
	if (error == HAUL_OK && grant_prove(key, &claim, out) != 0)
		error = HAUL_SYSTEM;
	explicit_bzero(key, sizeof(key));
	return error;
}

static void udp_proof_answer(const struct transport *transport, uint32_t worker,
			     struct udp_proof *proof)
{
	uint8_t right[GRANT_PROOF_BYTES] = { 0 };
	enum haul_error error = udp_proof_compute(transport, worker, proof, right);

	if (error == HAUL_OK && proof->is_own)
		memcpy(proof->proof, right, sizeof(right));
	else if (error == HAUL_OK && !auth_equal(proof->proof, right, sizeof(right)))
		error = HAUL_DENIED;
	/* A peer learns no more than that: it may not have been granted anything. */
	if (!proof->is_own && error != HAUL_OK && error != HAUL_STALE)
		error = HAUL_DENIED;
	proof->status = (uint8_t)error;
}

bool udp_proofs_answer(struct transport *transport)
{
	struct udp_proof proof;
	bool is_more = false;

	for (uint32_t i = 0; i < transport->worker_count; i++) {
		struct transport_worker *worker = &transport->workers[i];
		uint32_t count = 0;

		while (count < UDP_PROOF_BUDGET && spsc_pop(&worker->proofs, &proof)) {
			bool pushed;

			udp_proof_answer(transport, i, &proof);
			pushed = spsc_push(&worker->proven, &proof);
			BUG_ON(!pushed); /* as many as the worker has out, for which there is room */
			count++;
		}
		if (count > 0)
			udp_control_wake(transport, i);
		is_more |= count == UDP_PROOF_BUDGET;
	}
	return is_more;
}
