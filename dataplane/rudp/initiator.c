/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attempts of this node: HELLO until a cookie comes, CONNECT until a proven answer comes, with back-off, until
 * the deadline. What is not proven is at most a hint that the report mentions.
 */
#include "base/auth.h"
#include "rudp/handshake_state.h"

#include <string.h>

static struct handshake_attempt *attempt_find(struct handshake *handshake,
					      const struct rudp_address *address,
					      const struct handshake_packet *packet)
{
	for (uint32_t i = 0; i < handshake->config.attempts_max; i++) {
		struct handshake_attempt *attempt = &handshake->attempts[i];

		if (attempt->number != 0 &&
		    memcmp(attempt->nonce, packet->nonce, sizeof(packet->nonce)) == 0 &&
		    memcmp(&attempt->target.address, address, RUDP_ADDRESS_BYTES) == 0)
			return attempt;
	}
	return NULL;
}

void initiator_begin(struct handshake *handshake, struct handshake_attempt *attempt)
{
	const struct handshake_config *config = &handshake->config;
	struct handshake_packet hello = {
		.type = HANDSHAKE_HELLO,
		.version_min = config->version_min,
		.version_max = config->version_max,
	};

	config->callbacks->random(config->context, attempt->nonce, sizeof(attempt->nonce));
	handshake_end_make(handshake, attempt->target.worker, &attempt->target.address,
			   &attempt->end);
	memcpy(hello.nonce, attempt->nonce, sizeof(hello.nonce));
	attempt->bytes = handshake_write(attempt->packet, &hello);
	attempt->has_cookie = false;
	attempt->tries = 0;
}

/* Nothing is spent at the responder yet: the owner may want to come by another way. */
bool initiator_steers(struct handshake *handshake, struct handshake_attempt *attempt,
		      const struct rudp_address *came_by)
{
	const struct handshake_config *config = &handshake->config;

	if (config->callbacks->steer == NULL ||
	    config->callbacks->steer(config->context, attempt->target.user, came_by,
				     &attempt->target.address))
		return false;
	initiator_begin(handshake, attempt);
	attempt->again_us = HANDSHAKE_AGAIN_US;
	attempt->next_us = 0;
	return true;
}

static void initiator_retry(struct handshake *handshake, struct handshake_attempt *attempt,
			    const struct rudp_address *address,
			    const struct handshake_packet *retry)
{
	const struct handshake_config *config = &handshake->config;
	struct handshake_packet connect = {
		.type = HANDSHAKE_CONNECT,
		.version_min = config->version_min,
		.version_max = config->version_max,
		.window = retry->window,
		.end = attempt->end,
		.incarnation = attempt->target.incarnation,
	};
	struct cookie_transcript transcript = {
		.label = HANDSHAKE_LABEL_CONNECT,
		.answer = attempt->packet,
	};

	/* A second cookie would make a second connection of one attempt. */
	if (attempt->has_cookie) {
		handshake_count(handshake, HANDSHAKE_COUNTER_DUPLICATE);
		return;
	}
	if (initiator_steers(handshake, attempt, address))
		return;
	memcpy(connect.nonce, attempt->nonce, sizeof(connect.nonce));
	memcpy(connect.cookie, retry->cookie, sizeof(connect.cookie));
	memcpy(connect.name, attempt->target.name, sizeof(connect.name));
	attempt->bytes = handshake_write(attempt->packet, &connect);
	transcript.answer_bytes = attempt->bytes - HANDSHAKE_PROOF_BYTES;
	cookie_prove(config->key, &transcript, attempt->packet + transcript.answer_bytes);
	attempt->has_cookie = true;
	attempt->tries = 0;
	attempt->again_us = HANDSHAKE_AGAIN_US;
	attempt->next_us = 0;
}

/* The proof covers the question as this node sent it, and the answer. */
static bool initiator_believes(const struct handshake *handshake,
			       const struct handshake_attempt *attempt, const char *label,
			       const uint8_t *bytes, const struct handshake_packet *packet)
{
	struct cookie_transcript transcript = {
		.label = label,
		.question = attempt->packet,
		.question_bytes = attempt->bytes,
		.answer = bytes,
		.answer_bytes = packet->proven_bytes,
	};
	uint8_t proof[HANDSHAKE_PROOF_BYTES];

	cookie_prove(handshake->config.key, &transcript, proof);
	return auth_equal(proof, packet->proof, sizeof(proof));
}

static void initiator_fail(struct handshake *handshake, struct handshake_attempt *attempt,
			   const struct handshake_report *report)
{
	const struct handshake_config *config = &handshake->config;
	void *user = attempt->target.user;

	attempt->number = 0;
	handshake_count(handshake, HANDSHAKE_COUNTER_FAILED);
	config->callbacks->failed(config->context, user, report);
}

void initiator_timeout(struct handshake *handshake, struct handshake_attempt *attempt)
{
	struct handshake_report report = {
		.failure = attempt->has_key_hint ? HANDSHAKE_KEY : HANDSHAKE_TIMEOUT,
	};

	initiator_fail(handshake, attempt, &report);
}

static void initiator_accept(struct handshake *handshake, struct handshake_attempt *attempt,
			     const struct handshake_packet *packet)
{
	const struct handshake_config *config = &handshake->config;
	void *user = attempt->target.user;
	struct rudp_params params;

	handshake_params(handshake, &attempt->end, &packet->end, &params);
	params.address = attempt->target.address;
	params.version = packet->version;
	params.initiator = 1;
	attempt->number = 0;
	handshake_count(handshake, HANDSHAKE_COUNTER_ESTABLISHED);
	config->callbacks->established(config->context, user, &params);
}

static void initiator_refused(struct handshake *handshake, struct handshake_attempt *attempt,
			      const struct handshake_packet *packet)
{
	struct handshake_report report = {
		.failure = packet->refusal == HANDSHAKE_REFUSAL_INCARNATION ? HANDSHAKE_INCARNATION
									    : HANDSHAKE_BUSY,
		.incarnation = packet->incarnation,
	};

	memcpy(report.name, packet->name, sizeof(report.name));
	initiator_fail(handshake, attempt, &report);
}

static void initiator_noversion(struct handshake *handshake, struct handshake_attempt *attempt,
				const struct handshake_packet *packet)
{
	struct handshake_report report = {
		.failure = HANDSHAKE_VERSION,
		.version_min = packet->version_min,
		.version_max = packet->version_max,
		.version_min_here = handshake->config.version_min,
		.version_max_here = handshake->config.version_max,
	};

	initiator_fail(handshake, attempt, &report);
}

/* An ACCEPT must be of the version that both ranges give: nothing is negotiated down. */
static bool initiator_agrees(const struct handshake *handshake,
			     const struct handshake_attempt *attempt,
			     const struct handshake_packet *packet)
{
	const struct handshake_target *target = &attempt->target;

	return packet->version != 0 && packet->version == handshake_version(handshake, packet) &&
	       (target->incarnation == 0 || target->incarnation == packet->end.incarnation) &&
	       (target->name[0] == 0 || strcmp(target->name, packet->end.name) == 0);
}

static void initiator_answer(struct handshake *handshake, struct handshake_attempt *attempt,
			     const uint8_t *bytes, const struct handshake_packet *packet)
{
	bool is_for_hello = packet->type == HANDSHAKE_NOVERSION;
	const char *label = packet->type == HANDSHAKE_ACCEPT   ? HANDSHAKE_LABEL_ACCEPT
			    : packet->type == HANDSHAKE_REFUSE ? HANDSHAKE_LABEL_REFUSE
							       : HANDSHAKE_LABEL_NOVERSION;

	if (attempt->has_cookie == is_for_hello) {
		handshake_count(handshake, HANDSHAKE_COUNTER_UNEXPECTED);
		return;
	}
	if (packet->type == HANDSHAKE_REFUSE && packet->refusal == HANDSHAKE_REFUSAL_KEY) {
		attempt->has_key_hint = true;
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_PROOF);
		return;
	}
	if (!initiator_believes(handshake, attempt, label, bytes, packet) ||
	    (packet->type == HANDSHAKE_ACCEPT && !initiator_agrees(handshake, attempt, packet))) {
		attempt->has_key_hint = true;
		handshake_count(handshake, HANDSHAKE_COUNTER_BAD_PROOF);
		return;
	}
	if (packet->type == HANDSHAKE_ACCEPT)
		initiator_accept(handshake, attempt, packet);
	else if (packet->type == HANDSHAKE_REFUSE)
		initiator_refused(handshake, attempt, packet);
	else
		initiator_noversion(handshake, attempt, packet);
}

void initiator_receive(struct handshake *handshake, uint64_t now_us,
		       const struct rudp_address *address, const uint8_t *bytes,
		       const struct handshake_packet *packet)
{
	struct handshake_attempt *attempt = attempt_find(handshake, address, packet);

	(void)now_us;
	if (attempt == NULL) {
		handshake_count(handshake, HANDSHAKE_COUNTER_UNEXPECTED);
		return;
	}
	if (packet->type == HANDSHAKE_RETRY)
		initiator_retry(handshake, attempt, address, packet);
	else
		initiator_answer(handshake, attempt, bytes, packet);
}
