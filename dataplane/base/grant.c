/* SPDX-License-Identifier: BSD-3-Clause */
/* Each HMAC begins with words of its own, so that none stands for another. */
#include "base/grant.h"

#include "base/auth.h"

#include <assert.h>
#include <string.h>

static_assert(GRANT_KEY_BYTES <= AUTH_DIGEST_BYTES && GRANT_PROOF_BYTES <= AUTH_DIGEST_BYTES,
	      "both are the beginning of a digest");

static const char grant_key_words[] = "haul segment right";
static const char grant_proof_words[] = "haul rudp grant";

static uint8_t *grant_put(uint8_t *out, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	return out + bytes;
}

/* The first 16 bytes of an HMAC over some words with their final zero, and what is behind them. */
static int grant_digest(const uint8_t key[GRANT_KEY_BYTES], const char *words, size_t words_bytes,
			const uint8_t *behind, size_t behind_bytes, uint8_t out[GRANT_KEY_BYTES])
{
	uint8_t digest[AUTH_DIGEST_BYTES];
	struct iovec parts[2] = { { (void *)words, words_bytes },
				  { (void *)behind, behind_bytes } };
	int error = auth_hmac_sha256(key, GRANT_KEY_BYTES, parts, 2, digest);

	memcpy(out, digest, GRANT_KEY_BYTES);
	return error;
}

int grant_key_derive(const uint8_t key[GRANT_KEY_BYTES], uint32_t rights,
		     uint8_t out[GRANT_KEY_BYTES])
{
	uint8_t right = (uint8_t)rights;

	return grant_digest(key, grant_key_words, sizeof(grant_key_words), &right, sizeof(right),
			    out);
}

int grant_prove(const uint8_t right_key[GRANT_KEY_BYTES], const struct grant_claim *claim,
		uint8_t out[GRANT_PROOF_BYTES])
{
	uint8_t bytes[4 * sizeof(uint64_t) + sizeof(uint32_t) + 1];
	uint8_t *at = bytes;

	at = grant_put(at, claim->initiator_id, 8);
	at = grant_put(at, claim->target_id, 8);
	at = grant_put(at, claim->initiator_incarnation, 8);
	at = grant_put(at, claim->target_incarnation, 8);
	at = grant_put(at, claim->segment, 4);
	*at = claim->rights;
	return grant_digest(right_key, grant_proof_words, sizeof(grant_proof_words), bytes,
			    sizeof(bytes), out);
}
