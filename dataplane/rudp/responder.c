/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The responder's half. A HELLO costs an HMAC and leaves nothing behind. A CONNECT with a good cookie and a
 * good proof is remembered for as long as its cookie is good, so that its copies, from the network or from an
 * attacker, get the same answer and make nothing new.
 */
#include "base/auth.h"
#include "rudp/handshake_state.h"

#include <errno.h>
#include <string.h>

static void responder_hello(struct handshake *handshake, uint64_t now_us,
			    const struct rudp_address *address, const uint8_t *bytes,
			    const struct handshake_packet *hello)
{
	bool has_version = handshake_version(handshake, hello) != 0;
	struct handshake_answer *answer = handshake_answer(handshake, address);
	struct handshake_packet packet = {
		.type = has_version ? HANDSHAKE_RETRY : HANDSHAKE_NOVERSION,
		.version_min = handshake->config.version_min,
		.version_max = handshake->config.version_max,
		.window = cookie_window(now_us),
	};
	struct cookie_transcript transcript = {
		.label = HANDSHAKE_LABEL_NOVERSION,
		.question = bytes,
		.question_bytes = HANDSHAKE_HELLO_BYTES,
	};

	handshake_count(handshake, HANDSHAKE_COUNTER_HELLOS);
	if (answer == NULL)
		return;
	memcpy(packet.nonce, hello->nonce, sizeof(packet.nonce));
	if (has_version)
		cookie_make(handshake->secret, address, packet.window, packet.nonce, packet.cookie);
	else
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_VERSION);
	answer->bytes = (uint32_t)handshake_write(answer->packet, &packet);
	if (has_version)
		return;
	transcript.answer = answer->packet;
	transcript.answer_bytes = answer->bytes - HANDSHAKE_PROOF_BYTES;
	cookie_prove(handshake->config.key, &transcript, answer->packet + transcript.answer_bytes);
}

/* Sends an answer to a CONNECT; the hint about the key carries no proof. */
static void responder_answer(struct handshake *handshake, const struct rudp_address *address,
			     const uint8_t *connect, const struct handshake_packet *packet)
{
	struct handshake_answer *answer = handshake_answer(handshake, address);
	struct cookie_transcript transcript = {
		.label = packet->type == HANDSHAKE_ACCEPT ? HANDSHAKE_LABEL_ACCEPT
							  : HANDSHAKE_LABEL_REFUSE,
		.question = connect,
		.question_bytes = HANDSHAKE_CONNECT_BYTES,
	};

	if (answer == NULL)
		return;
	answer->bytes = (uint32_t)handshake_write(answer->packet, packet);
	if (packet->type == HANDSHAKE_REFUSE && packet->refusal == HANDSHAKE_REFUSAL_KEY)
		return;
	transcript.answer = answer->packet;
	transcript.answer_bytes = answer->bytes - HANDSHAKE_PROOF_BYTES;
	cookie_prove(handshake->config.key, &transcript, answer->packet + transcript.answer_bytes);
}

static void responder_packet(const struct handshake *handshake,
			     const struct handshake_packet *connect, uint8_t type,
			     struct handshake_packet *out)
{
	memset(out, 0, sizeof(*out));
	out->type = type;
	out->version_min = handshake->config.version_min;
	out->version_max = handshake->config.version_max;
	memcpy(out->nonce, connect->nonce, sizeof(out->nonce));
}

static void responder_refuse(struct handshake *handshake, const struct rudp_address *address,
			     const uint8_t *bytes, const struct handshake_packet *connect,
			     enum handshake_refusal refusal)
{
	struct handshake_packet packet;

	responder_packet(handshake, connect, HANDSHAKE_REFUSE, &packet);
	packet.refusal = (uint8_t)refusal;
	if (refusal == HANDSHAKE_REFUSAL_INCARNATION) {
		packet.incarnation = handshake->config.incarnation;
		memcpy(packet.name, handshake->config.name, sizeof(packet.name));
	}
	responder_answer(handshake, address, bytes, &packet);
}

static bool responder_believes(const struct handshake *handshake, const uint8_t *bytes,
			       const struct handshake_packet *connect)
{
	struct cookie_transcript transcript = {
		.label = HANDSHAKE_LABEL_CONNECT,
		.answer = bytes,
		.answer_bytes = connect->proven_bytes,
	};
	uint8_t proof[HANDSHAKE_PROOF_BYTES];

	cookie_prove(handshake->config.key, &transcript, proof);
	return auth_equal(proof, connect->proof, sizeof(proof));
}

static bool responder_is_meant(const struct handshake *handshake,
			       const struct handshake_packet *connect)
{
	const struct handshake_config *config = &handshake->config;

	return (connect->incarnation == 0 || connect->incarnation == config->incarnation) &&
	       (connect->name[0] == 0 || strcmp(connect->name, config->name) == 0);
}

/* The memory of this CONNECT, or a free slot, or NULL when all are taken. */
static struct handshake_accepted *accepted_find(struct handshake *handshake, uint64_t now_us,
						const struct handshake_packet *connect)
{
	struct handshake_accepted *free = NULL;

	for (uint32_t i = 0; i < handshake->config.accepted_max; i++) {
		struct handshake_accepted *accepted = &handshake->accepted[i];

		if (accepted->expires_us <= now_us && !accepted->is_pending)
			accepted->expires_us = 0;
		if (accepted->expires_us == 0)
			free = free != NULL ? free : accepted;
		else if (memcmp(accepted->nonce, connect->nonce, sizeof(connect->nonce)) == 0)
			return accepted;
	}
	return free;
}

void responder_decided(struct handshake *handshake, struct handshake_accepted *accepted, int result)
{
	struct handshake_packet *answer = &accepted->answer;

	accepted->is_pending = false;
	if (result == 0) {
		handshake_count(handshake, HANDSHAKE_COUNTER_ESTABLISHED);
	} else {
		handshake_count(handshake, HANDSHAKE_COUNTER_BUSY);
		answer->type = HANDSHAKE_REFUSE;
		answer->refusal = HANDSHAKE_REFUSAL_BUSY;
		answer->incarnation = 0;
		memset(answer->name, 0, sizeof(answer->name));
	}
	responder_answer(handshake, &accepted->address, accepted->connect, answer);
}

/* A CONNECT of which everything is proven, for the first time. */
static void responder_accept(struct handshake *handshake, uint64_t now_us,
			     struct handshake_accepted *accepted, const uint8_t *bytes,
			     const struct handshake_packet *connect)
{
	const struct handshake_config *config = &handshake->config;
	int worker = config->callbacks->choose(config->context, &accepted->address);
	struct handshake_packet *answer = &accepted->answer;
	struct rudp_params params;
	int result;

	memcpy(accepted->nonce, connect->nonce, sizeof(accepted->nonce));
	memcpy(accepted->connect, bytes, sizeof(accepted->connect));
	accepted->expires_us = now_us + HANDSHAKE_REMEMBER_US;
	accepted->local_id = 0;
	responder_packet(handshake, connect, HANDSHAKE_ACCEPT, answer);
	if (worker < 0) {
		responder_decided(handshake, accepted, -ENOSPC);
		return;
	}
	handshake_end_make(handshake, (uint8_t)worker, &accepted->address, &answer->end);
	answer->version = handshake_version(handshake, connect);
	accepted->local_id = answer->end.id;
	handshake_params(handshake, &answer->end, &connect->end, &params);
	params.address = accepted->address;
	params.version = answer->version;
	accepted->is_pending = true;
	result = config->callbacks->accept(config->context, &params);
	/* handshake_accepted may have been called from inside. */
	if (result != -EINPROGRESS && accepted->is_pending)
		responder_decided(handshake, accepted, result);
}

/* The same CONNECT again: answered as before. Another with its nonce is nobody's. */
static void responder_again(struct handshake *handshake, const struct rudp_address *address,
			    const uint8_t *bytes, struct handshake_accepted *accepted)
{
	if (memcmp(accepted->connect, bytes, sizeof(accepted->connect)) != 0 ||
	    memcmp(&accepted->address, address, RUDP_ADDRESS_BYTES) != 0) {
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_PROOF);
		return;
	}
	handshake_count(handshake, HANDSHAKE_COUNTER_DUPLICATE);
	if (!accepted->is_pending)
		responder_answer(handshake, address, accepted->connect, &accepted->answer);
}

static void responder_connect(struct handshake *handshake, uint64_t now_us,
			      const struct rudp_address *address, const uint8_t *bytes,
			      const struct handshake_packet *connect)
{
	struct handshake_accepted *accepted;

	if (!cookie_is_good(handshake->secret, address, now_us, connect)) {
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_COOKIE);
		return;
	}
	handshake_count(handshake, HANDSHAKE_COUNTER_CONNECTS);
	accepted = accepted_find(handshake, now_us, connect);
	if (accepted != NULL && accepted->expires_us != 0) {
		responder_again(handshake, address, bytes, accepted);
		return;
	}
	if (!responder_believes(handshake, bytes, connect)) {
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_PROOF);
		responder_refuse(handshake, address, bytes, connect, HANDSHAKE_REFUSAL_KEY);
		return;
	}
	if (!responder_is_meant(handshake, connect)) {
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_INCARNATION);
		responder_refuse(handshake, address, bytes, connect, HANDSHAKE_REFUSAL_INCARNATION);
		return;
	}
	/* Versions were settled by HELLO; one that lied there does not exist here. */
	if (accepted == NULL || handshake_version(handshake, connect) == 0) {
		handshake_count(handshake, HANDSHAKE_COUNTER_BUSY);
		responder_refuse(handshake, address, bytes, connect, HANDSHAKE_REFUSAL_BUSY);
		return;
	}
	accepted->address = *address;
	responder_accept(handshake, now_us, accepted, bytes, connect);
}

void responder_receive(struct handshake *handshake, uint64_t now_us,
		       const struct rudp_address *address, const uint8_t *bytes,
		       const struct handshake_packet *packet)
{
	if (packet->type == HANDSHAKE_HELLO)
		responder_hello(handshake, now_us, address, bytes, packet);
	else
		responder_connect(handshake, now_us, address, bytes, packet);
}
