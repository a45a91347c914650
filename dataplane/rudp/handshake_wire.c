/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing the handshake's bytes. Offsets are written down once, here.
 */
#include "rudp/handshake_wire.h"

#include "base/check.h"
#include "base/names.h"
#include "rudp/wire.h"

#include <assert.h>
#include <string.h>

#define MAGIC 0x6861756cu /* "haul" */

#define AT_NONCE 16u
#define AT_BODY  32u

/* RETRY and CONNECT. */
#define AT_WINDOW 32u
#define AT_COOKIE 40u

/* The end in CONNECT and ACCEPT, from its start. */
#define END_ID            0u
#define END_INCARNATION   8u
#define END_PACKET_NUMBER 16u
#define END_DATAGRAM      20u
#define END_OPERATIONS    22u
#define END_PACKETS       24u
#define END_ZERO          26u
#define END_CAPABILITIES  28u
#define END_NAME          32u
#define END_BYTES         96u

#define AT_CONNECT_END         72u
#define AT_CONNECT_INCARNATION 168u
#define AT_CONNECT_NAME        176u
#define AT_CONNECT_ZERO        240u
#define AT_CONNECT_PROOF       244u

#define AT_ACCEPT_VERSION 32u
#define AT_ACCEPT_ZERO    34u
#define AT_ACCEPT_END     36u
#define AT_ACCEPT_PROOF   132u

#define AT_REFUSE_REASON      32u
#define AT_REFUSE_ZERO        33u
#define AT_REFUSE_INCARNATION 40u
#define AT_REFUSE_NAME        48u
#define AT_REFUSE_PROOF       112u

#define AT_NOVERSION_PROOF 32u

static_assert(AT_CONNECT_PROOF + HANDSHAKE_PROOF_BYTES == HANDSHAKE_CONNECT_BYTES, "CONNECT");
static_assert(AT_ACCEPT_PROOF + HANDSHAKE_PROOF_BYTES == HANDSHAKE_ACCEPT_BYTES, "ACCEPT");
static_assert(AT_REFUSE_PROOF + HANDSHAKE_PROOF_BYTES == HANDSHAKE_REFUSE_BYTES, "REFUSE");
static_assert(AT_NOVERSION_PROOF + HANDSHAKE_PROOF_BYTES == HANDSHAKE_NOVERSION_BYTES, "NOVERSION");
static_assert(AT_COOKIE + HANDSHAKE_COOKIE_BYTES == HANDSHAKE_RETRY_BYTES, "RETRY");
static_assert(HANDSHAKE_RETRY_BYTES <= HANDSHAKE_HELLO_BYTES &&
		      HANDSHAKE_NOVERSION_BYTES <= HANDSHAKE_HELLO_BYTES &&
		      HANDSHAKE_ACCEPT_BYTES <= HANDSHAKE_CONNECT_BYTES &&
		      HANDSHAKE_REFUSE_BYTES <= HANDSHAKE_CONNECT_BYTES,
	      "no answer is longer than its question");

static bool is_zero(const uint8_t *in, size_t bytes)
{
	while (bytes-- > 0) {
		if (*in++ != 0)
			return false;
	}
	return true;
}

static size_t type_bytes(uint8_t type)
{
	switch (type) {
	case HANDSHAKE_HELLO:
		return HANDSHAKE_HELLO_BYTES;
	case HANDSHAKE_RETRY:
		return HANDSHAKE_RETRY_BYTES;
	case HANDSHAKE_CONNECT:
		return HANDSHAKE_CONNECT_BYTES;
	case HANDSHAKE_ACCEPT:
		return HANDSHAKE_ACCEPT_BYTES;
	case HANDSHAKE_REFUSE:
		return HANDSHAKE_REFUSE_BYTES;
	case HANDSHAKE_NOVERSION:
		return HANDSHAKE_NOVERSION_BYTES;
	default:
		return 0;
	}
}

/* An empty name is all zeros. */
static bool name_parse(const uint8_t *in, char *out, bool may_be_empty)
{
	memcpy(out, in, RUDP_NAME_BYTES);
	if (is_zero(in, RUDP_NAME_BYTES))
		return may_be_empty;
	return name_is_valid(out, RUDP_NAME_BYTES);
}

static void end_write(uint8_t *out, const struct handshake_end *end)
{
	wire_u64_write(out + END_ID, end->id);
	wire_u64_write(out + END_INCARNATION, end->incarnation);
	wire_u32_write(out + END_PACKET_NUMBER, end->packet_number);
	wire_u16_write(out + END_DATAGRAM, end->datagram_bytes);
	wire_u16_write(out + END_OPERATIONS, end->operations);
	wire_u16_write(out + END_PACKETS, end->packets);
	wire_u32_write(out + END_CAPABILITIES, end->capabilities);
	memcpy(out + END_NAME, end->name, RUDP_NAME_BYTES);
}

static bool end_parse(const uint8_t *in, struct handshake_end *out)
{
	out->id = wire_u64_read(in + END_ID);
	out->incarnation = wire_u64_read(in + END_INCARNATION);
	out->packet_number = wire_u32_read(in + END_PACKET_NUMBER);
	out->datagram_bytes = wire_u16_read(in + END_DATAGRAM);
	out->operations = wire_u16_read(in + END_OPERATIONS);
	out->packets = wire_u16_read(in + END_PACKETS);
	out->capabilities = wire_u32_read(in + END_CAPABILITIES);
	return out->id != 0 && out->datagram_bytes >= RUDP_DATAGRAM_BYTES_MIN &&
	       out->datagram_bytes <= RUDP_DATAGRAM_BYTES_MAX && IS_POWER_OF_TWO(out->operations) &&
	       out->operations >= RUDP_OPERATIONS_MIN && out->operations <= RUDP_OPERATIONS_MAX &&
	       IS_POWER_OF_TWO(out->packets) && out->packets >= RUDP_PACKETS_MIN &&
	       out->packets <= RUDP_PACKETS_MAX && is_zero(in + END_ZERO, 2) &&
	       name_parse(in + END_NAME, out->name, false);
}

static bool connect_parse(const uint8_t *in, struct handshake_packet *out)
{
	out->window = wire_u32_read(in + AT_WINDOW);
	memcpy(out->cookie, in + AT_COOKIE, HANDSHAKE_COOKIE_BYTES);
	out->incarnation = wire_u64_read(in + AT_CONNECT_INCARNATION);
	out->proof = in + AT_CONNECT_PROOF;
	out->proven_bytes = AT_CONNECT_PROOF;
	return end_parse(in + AT_CONNECT_END, &out->end) && is_zero(in + AT_WINDOW + 4, 4) &&
	       is_zero(in + AT_CONNECT_ZERO, AT_CONNECT_PROOF - AT_CONNECT_ZERO) &&
	       name_parse(in + AT_CONNECT_NAME, out->name, true);
}

static bool accept_parse(const uint8_t *in, struct handshake_packet *out)
{
	out->version = wire_u16_read(in + AT_ACCEPT_VERSION);
	out->proof = in + AT_ACCEPT_PROOF;
	out->proven_bytes = AT_ACCEPT_PROOF;
	return end_parse(in + AT_ACCEPT_END, &out->end) &&
	       is_zero(in + AT_ACCEPT_ZERO, AT_ACCEPT_END - AT_ACCEPT_ZERO);
}

static bool refuse_parse(const uint8_t *in, struct handshake_packet *out)
{
	out->refusal = in[AT_REFUSE_REASON];
	out->incarnation = wire_u64_read(in + AT_REFUSE_INCARNATION);
	out->proof = in + AT_REFUSE_PROOF;
	out->proven_bytes = AT_REFUSE_PROOF;
	return out->refusal >= HANDSHAKE_REFUSAL_INCARNATION &&
	       out->refusal <= HANDSHAKE_REFUSAL_KEY &&
	       is_zero(in + AT_REFUSE_ZERO, AT_REFUSE_INCARNATION - AT_REFUSE_ZERO) &&
	       name_parse(in + AT_REFUSE_NAME, out->name, true);
}

bool handshake_parse(const uint8_t *packet, size_t bytes, struct handshake_packet *out)
{
	if (bytes < AT_BODY || bytes != type_bytes(packet[0]) || packet[1] != 0 ||
	    wire_u16_read(packet + 2) != bytes || wire_u32_read(packet + 4) != MAGIC ||
	    !is_zero(packet + 12, 4))
		return false;
	out->type = packet[0];
	out->version_min = wire_u16_read(packet + 8);
	out->version_max = wire_u16_read(packet + 10);
	memcpy(out->nonce, packet + AT_NONCE, HANDSHAKE_NONCE_BYTES);
	out->proof = NULL;
	out->proven_bytes = 0;
	if (out->version_min == 0 || out->version_min > out->version_max)
		return false;
	switch (out->type) {
	case HANDSHAKE_HELLO:
		return is_zero(packet + AT_BODY, bytes - AT_BODY);
	case HANDSHAKE_RETRY:
		out->window = wire_u32_read(packet + AT_WINDOW);
		memcpy(out->cookie, packet + AT_COOKIE, HANDSHAKE_COOKIE_BYTES);
		return is_zero(packet + AT_WINDOW + 4, 4);
	case HANDSHAKE_CONNECT:
		return connect_parse(packet, out);
	case HANDSHAKE_ACCEPT:
		return accept_parse(packet, out);
	case HANDSHAKE_REFUSE:
		return refuse_parse(packet, out);
	default:
		out->proof = packet + AT_NOVERSION_PROOF;
		out->proven_bytes = AT_NOVERSION_PROOF;
		return true;
	}
}

size_t handshake_write(uint8_t *packet, const struct handshake_packet *from)
{
	size_t bytes = type_bytes(from->type);

	ASSERT(bytes != 0);
	memset(packet, 0, bytes);
	packet[0] = from->type;
	wire_u16_write(packet + 2, (uint16_t)bytes);
	wire_u32_write(packet + 4, MAGIC);
	wire_u16_write(packet + 8, from->version_min);
	wire_u16_write(packet + 10, from->version_max);
	memcpy(packet + AT_NONCE, from->nonce, HANDSHAKE_NONCE_BYTES);
	switch (from->type) {
	case HANDSHAKE_CONNECT:
		end_write(packet + AT_CONNECT_END, &from->end);
		wire_u64_write(packet + AT_CONNECT_INCARNATION, from->incarnation);
		memcpy(packet + AT_CONNECT_NAME, from->name, RUDP_NAME_BYTES);
		/* fall through */
	case HANDSHAKE_RETRY:
		wire_u32_write(packet + AT_WINDOW, from->window);
		memcpy(packet + AT_COOKIE, from->cookie, HANDSHAKE_COOKIE_BYTES);
		break;
	case HANDSHAKE_ACCEPT:
		wire_u16_write(packet + AT_ACCEPT_VERSION, from->version);
		end_write(packet + AT_ACCEPT_END, &from->end);
		break;
	case HANDSHAKE_REFUSE:
		packet[AT_REFUSE_REASON] = from->refusal;
		wire_u64_write(packet + AT_REFUSE_INCARNATION, from->incarnation);
		memcpy(packet + AT_REFUSE_NAME, from->name, RUDP_NAME_BYTES);
		break;
	default:
		break;
	}
	return bytes;
}
