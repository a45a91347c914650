/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What the handshake computes with secrets: cookies that prove an address without state, proofs of the
 * cluster's key, and the tokens of resets. Control thread only.
 */
#ifndef RUDP_COOKIE_H
#define RUDP_COOKIE_H

#include "rudp/handshake_wire.h"

/** A cookie is good in its time window and the next one. */
#define COOKIE_WINDOW_US 8000000u

static inline uint32_t cookie_window(uint64_t now_us)
{
	return (uint32_t)(now_us / COOKIE_WINDOW_US);
}

/** HMAC(secret, address, window, nonce): only who receives at the address knows it. */
void cookie_make(const uint8_t secret[RUDP_KEY_BYTES], const struct rudp_address *address,
		 uint32_t window, const uint8_t nonce[HANDSHAKE_NONCE_BYTES],
		 uint8_t out[HANDSHAKE_COOKIE_BYTES]);
/** True when it is the cookie of a window that is still good. */
bool cookie_is_good(const uint8_t secret[RUDP_KEY_BYTES], const struct rudp_address *address,
		    uint64_t now_us, const struct handshake_packet *connect);

/**
 * HMAC(key, label, question, answer): `question` is the whole packet that is answered, with its proof,
 * or NULL; `answer` the packet that carries the proof, up to it.
 */
struct cookie_transcript {
	const char *label;
	const uint8_t *question;
	size_t question_bytes;
	const uint8_t *answer;
	size_t answer_bytes;
};

void cookie_prove(const uint8_t key[RUDP_KEY_BYTES], const struct cookie_transcript *transcript,
		  uint8_t out[HANDSHAKE_PROOF_BYTES]);

/** What shows that a reset of the connection id comes from a holder of the key. */
void cookie_token(const uint8_t key[RUDP_KEY_BYTES], uint64_t connection,
		  uint8_t out[RUDP_TOKEN_BYTES]);

#endif
