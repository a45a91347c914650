/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface of the handshake, its queue of answers, and what both halves share. Tables are searched
 * linearly: they are short, and everything here costs an HMAC anyway.
 */
#include "rudp/handshake.h"

#include "rudp/handshake_state.h"
#include "rudp/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void config_defaults(struct handshake_config *config)
{
	if (config->version_min == 0)
		config->version_min = RUDP_VERSION;
	if (config->version_max == 0)
		config->version_max = RUDP_VERSION;
	if (config->attempts_max == 0)
		config->attempts_max = HANDSHAKE_ATTEMPTS_MAX;
	if (config->accepted_max == 0)
		config->accepted_max = HANDSHAKE_ACCEPTED_MAX;
}

int handshake_create(const struct handshake_config *config, uint64_t now_us, struct handshake **out)
{
	struct handshake *handshake;

	if (config->callbacks == NULL || config->version_min > config->version_max)
		return -EINVAL;
	handshake = calloc(1, sizeof(*handshake));
	if (handshake == NULL)
		return -ENOMEM;
	handshake->config = *config;
	config_defaults(&handshake->config);
	handshake->counters = config->counters != NULL ? config->counters : handshake->counters_own;
	handshake->attempts = calloc(handshake->config.attempts_max, sizeof(*handshake->attempts));
	handshake->accepted = calloc(handshake->config.accepted_max, sizeof(*handshake->accepted));
	if (handshake->attempts == NULL || handshake->accepted == NULL) {
		handshake_destroy(handshake);
		return -ENOMEM;
	}
	config->callbacks->random(config->context, handshake->secret, sizeof(handshake->secret));
	handshake->resets_left = HANDSHAKE_RESETS_BURST;
	handshake->resets_us = now_us;
	*out = handshake;
	return 0;
}

void handshake_destroy(struct handshake *handshake)
{
	if (handshake == NULL)
		return;
	free(handshake->attempts);
	free(handshake->accepted);
	/* The key shall not outlive its user. */
	explicit_bzero(handshake, sizeof(*handshake));
	free(handshake);
}

struct handshake_answer *handshake_answer(struct handshake *handshake,
					  const struct rudp_address *address)
{
	struct handshake_answer *answer;

	if (handshake->answer_tail - handshake->answer_head == HANDSHAKE_ANSWERS_MAX) {
		handshake_count(handshake, HANDSHAKE_COUNTER_BUSY);
		return NULL;
	}
	answer = &handshake->answers[handshake->answer_tail++ % HANDSHAKE_ANSWERS_MAX];
	answer->address = *address;
	answer->bytes = 0;
	return answer;
}

void handshake_end_make(struct handshake *handshake, uint8_t worker,
			const struct rudp_address *address, struct handshake_end *out)
{
	const struct handshake_config *config = &handshake->config;

	memset(out, 0, sizeof(*out));
	config->callbacks->random(config->context, &out->id, sizeof(out->id));
	config->callbacks->random(config->context, &out->packet_number, sizeof(out->packet_number));
	/* 55 random bits; never 0, which marks no id. */
	out->id = (uint64_t)worker << 56 | (out->id >> 8) | 1;
	out->incarnation = config->incarnation;
	out->datagram_bytes = config->datagram_bytes;
	out->operations = config->operations;
	out->packets = config->packets;
	out->capabilities = config->callbacks->capabilities != NULL
				    ? config->callbacks->capabilities(config->context, address)
				    : config->capabilities;
	memcpy(out->name, config->name, sizeof(out->name));
}

/* What both can, if one of them wants it. */
static uint32_t capabilities_agreed(uint32_t ours, uint32_t theirs)
{
	uint32_t can = ours & theirs & RUDP_CAN_CRC;
	uint32_t wants = (ours | theirs) & RUDP_WANTS_CRC;

	return can != 0 ? can | wants : 0;
}

void handshake_params(const struct handshake *handshake, const struct handshake_end *local,
		      const struct handshake_end *remote, struct rudp_params *out)
{
	memset(out, 0, sizeof(*out));
	out->local_id = local->id;
	out->remote_id = remote->id;
	out->incarnation = remote->incarnation;
	out->packet_number_local = local->packet_number;
	out->packet_number_remote = remote->packet_number;
	out->datagram_bytes = MIN(local->datagram_bytes, remote->datagram_bytes);
	out->operations = MIN(local->operations, remote->operations);
	out->packets = MIN(local->packets, remote->packets);
	out->capabilities = capabilities_agreed(local->capabilities, remote->capabilities);
	memcpy(out->name, remote->name, sizeof(out->name));
	cookie_token(handshake->config.key, local->id, out->token);
	cookie_token(handshake->config.key, remote->id, out->token_peer);
}

uint16_t handshake_version(const struct handshake *handshake, const struct handshake_packet *packet)
{
	uint16_t version = MIN(handshake->config.version_max, packet->version_max);

	if (version < handshake->config.version_min || version < packet->version_min)
		return 0;
	return version;
}

int handshake_connect(struct handshake *handshake, uint64_t now_us,
		      const struct handshake_target *target, uint64_t *attempt_out)
{
	for (uint32_t i = 0; i < handshake->config.attempts_max; i++) {
		struct handshake_attempt *attempt = &handshake->attempts[i];

		if (attempt->number != 0)
			continue;
		memset(attempt, 0, sizeof(*attempt));
		attempt->number = ++handshake->attempt_last;
		attempt->target = *target;
		attempt->again_us = HANDSHAKE_AGAIN_US;
		attempt->next_us = now_us;
		initiator_begin(handshake, attempt);
		*attempt_out = attempt->number;
		return 0;
	}
	return -ENOSPC;
}

void handshake_drop(struct handshake *handshake, uint64_t number)
{
	for (uint32_t i = 0; number != 0 && i < handshake->config.attempts_max; i++) {
		if (handshake->attempts[i].number == number)
			handshake->attempts[i].number = 0;
	}
}

void handshake_accepted(struct handshake *handshake, uint64_t now_us, uint64_t local_id, int result)
{
	(void)now_us;
	for (uint32_t i = 0; i < handshake->config.accepted_max; i++) {
		struct handshake_accepted *accepted = &handshake->accepted[i];

		if (accepted->expires_us != 0 && accepted->is_pending &&
		    accepted->local_id == local_id) {
			responder_decided(handshake, accepted, result);
			return;
		}
	}
}

bool handshake_is_question(const void *packet)
{
	const uint8_t *type = packet;

	return *type == HANDSHAKE_HELLO || *type == HANDSHAKE_CONNECT;
}

void handshake_receive(struct handshake *handshake, uint64_t now_us,
		       const struct rudp_address *address, const void *packet, size_t bytes)
{
	struct handshake_packet parsed;

	if (!handshake_parse(packet, bytes, &parsed)) {
		handshake_count(handshake, HANDSHAKE_COUNTER_MALFORMED);
		return;
	}
	if (parsed.type == HANDSHAKE_HELLO || parsed.type == HANDSHAKE_CONNECT)
		responder_receive(handshake, now_us, address, packet, &parsed);
	else
		initiator_receive(handshake, now_us, address, packet, &parsed);
}

void handshake_reset(struct handshake *handshake, uint64_t now_us,
		     const struct rudp_address *address, uint64_t connection, size_t bytes)
{
	uint64_t earned = (now_us - handshake->resets_us) * HANDSHAKE_RESETS_SECOND / 1000000;
	struct wire_header header = {
		.connection = connection,
		.number = WIRE_RESET_UNKNOWN,
		.type = WIRE_RESET,
	};
	struct handshake_answer *answer;

	if (earned > 0) {
		handshake->resets_left = (uint32_t)MIN(handshake->resets_left + earned,
						       (uint64_t)HANDSHAKE_RESETS_BURST);
		handshake->resets_us = now_us;
	}
	if (bytes < WIRE_RESET_BYTES || handshake->resets_left == 0 ||
	    (connection == handshake->reset_id &&
	     now_us - handshake->reset_us < HANDSHAKE_RESET_AGAIN_US))
		return;
	answer = handshake_answer(handshake, address);
	if (answer == NULL)
		return;
	handshake->resets_left--;
	handshake->reset_id = connection;
	handshake->reset_us = now_us;
	handshake_count(handshake, HANDSHAKE_COUNTER_RESETS);
	wire_header_write(answer->packet, &header);
	cookie_token(handshake->config.key, connection, answer->packet + WIRE_HEADER_BYTES);
	answer->bytes = WIRE_RESET_BYTES;
}

static size_t attempt_transmit(struct handshake *handshake, struct handshake_attempt *attempt,
			       uint64_t now_us, void *buffer)
{
	if (attempt->tries > 0)
		handshake_count(handshake, HANDSHAKE_COUNTER_RETRANSMITTED);
	if (attempt->has_cookie && attempt->tries == HANDSHAKE_CONNECTS_MAX)
		initiator_begin(handshake, attempt);
	else if (!attempt->has_cookie && attempt->tries == HANDSHAKE_HELLOS_MAX)
		initiator_steers(handshake, attempt, NULL);
	attempt->tries++;
	attempt->next_us = now_us + attempt->again_us;
	attempt->again_us = MIN(attempt->again_us * 2, HANDSHAKE_AGAIN_US_MAX);
	memcpy(buffer, attempt->packet, attempt->bytes);
	return attempt->bytes;
}

size_t handshake_transmit(struct handshake *handshake, uint64_t now_us,
			  struct rudp_address *address_out, void *buffer, size_t capacity)
{
	BUG_ON(capacity < HANDSHAKE_PACKET_BYTES_MAX);
	while (handshake->answer_head != handshake->answer_tail) {
		struct handshake_answer *answer =
			&handshake->answers[handshake->answer_head++ % HANDSHAKE_ANSWERS_MAX];

		*address_out = answer->address;
		memcpy(buffer, answer->packet, answer->bytes);
		if (answer->bytes > 0)
			return answer->bytes;
	}
	for (uint32_t i = 0; i < handshake->config.attempts_max; i++) {
		struct handshake_attempt *attempt = &handshake->attempts[i];
		size_t bytes;

		if (attempt->number == 0 || attempt->next_us > now_us ||
		    attempt->target.deadline_us <= now_us)
			continue;
		bytes = attempt_transmit(handshake, attempt, now_us, buffer);
		*address_out = attempt->target.address; /* it may have been changed by that */
		return bytes;
	}
	return 0;
}

uint64_t handshake_next_deadline_us(const struct handshake *handshake)
{
	uint64_t next_us = UINT64_MAX;

	if (handshake->answer_head != handshake->answer_tail)
		return 0;
	for (uint32_t i = 0; i < handshake->config.attempts_max; i++) {
		const struct handshake_attempt *attempt = &handshake->attempts[i];

		if (attempt->number != 0)
			next_us = MIN(next_us, MIN(attempt->next_us, attempt->target.deadline_us));
	}
	return next_us;
}

void handshake_advance(struct handshake *handshake, uint64_t now_us)
{
	for (uint32_t i = 0; i < handshake->config.attempts_max; i++) {
		struct handshake_attempt *attempt = &handshake->attempts[i];

		if (attempt->number != 0 && attempt->target.deadline_us <= now_us)
			initiator_timeout(handshake, attempt);
	}
}
