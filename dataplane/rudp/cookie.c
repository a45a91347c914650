/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All of it is HMAC-SHA-256 with a label first, so that no output can serve for another purpose.
 */
#include "rudp/cookie.h"

#include "base/auth.h"
#include "base/check.h"
#include "rudp/wire.h"

#include <string.h>

#define LABEL_COOKIE "haul rudp cookie"
#define LABEL_RESET  "haul rudp reset"

static struct iovec part(const void *base, size_t bytes)
{
	/* iovec has no const; the HMAC only reads. */
	union {
		const void *in;
		void *out;
	} pointer = { .in = base };

	return (struct iovec){ .iov_base = pointer.out, .iov_len = bytes };
}

/* libcrypto fails only for want of memory; random bytes then match nobody's proof. */
static void digest(const uint8_t *key, const struct iovec *parts, unsigned count, uint8_t *out)
{
	if (auth_hmac_sha256(key, RUDP_KEY_BYTES, parts, count, out) != 0)
		auth_random(out, AUTH_DIGEST_BYTES);
}

void cookie_make(const uint8_t secret[RUDP_KEY_BYTES], const struct rudp_address *address,
		 uint32_t window, const uint8_t nonce[HANDSHAKE_NONCE_BYTES],
		 uint8_t out[HANDSHAKE_COOKIE_BYTES])
{
	uint8_t number[4];
	struct iovec parts[] = {
		part(LABEL_COOKIE, sizeof(LABEL_COOKIE)),
		part(address, RUDP_ADDRESS_BYTES),
		part(number, sizeof(number)),
		part(nonce, HANDSHAKE_NONCE_BYTES),
	};

	wire_u32_write(number, window);
	digest(secret, parts, ARRAY_SIZE(parts), out);
}

bool cookie_is_good(const uint8_t secret[RUDP_KEY_BYTES], const struct rudp_address *address,
		    uint64_t now_us, const struct handshake_packet *connect)
{
	uint8_t expected[HANDSHAKE_COOKIE_BYTES];
	uint32_t age = cookie_window(now_us) - connect->window;

	if (age > 1)
		return false;
	cookie_make(secret, address, connect->window, connect->nonce, expected);
	return auth_equal(expected, connect->cookie, sizeof(expected));
}

void cookie_prove(const uint8_t key[RUDP_KEY_BYTES], const struct cookie_transcript *transcript,
		  uint8_t out[HANDSHAKE_PROOF_BYTES])
{
	struct iovec parts[] = {
		part(transcript->label, strlen(transcript->label) + 1),
		part(transcript->question, transcript->question_bytes),
		part(transcript->answer, transcript->answer_bytes),
	};

	digest(key, parts, ARRAY_SIZE(parts), out);
}

void cookie_token(const uint8_t key[RUDP_KEY_BYTES], uint64_t connection,
		  uint8_t out[RUDP_TOKEN_BYTES])
{
	uint8_t full[AUTH_DIGEST_BYTES];
	uint8_t id[8];
	struct iovec parts[] = {
		part(LABEL_RESET, sizeof(LABEL_RESET)),
		part(id, sizeof(id)),
	};

	wire_u64_write(id, connection);
	digest(key, parts, ARRAY_SIZE(parts), full);
	memcpy(out, full, RUDP_TOKEN_BYTES);
}
