/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The keys of segments, and the proofs made with them; docs/protocol.md, Grants, has the bytes.
 *
 * A segment's owner makes one random key. Whoever is granted a right gets the key derived for it, with which it proves
 * on each of its connections to the owner that it may. Any thread but a worker's: these are HMACs.
 */
#ifndef BASE_GRANT_H
#define BASE_GRANT_H

#include <stdint.h>

/** As haul_control.h has them, which this folder does not stand on. */
#define GRANT_KEY_BYTES   16u
#define GRANT_PROOF_BYTES 16u

/** What is proven, and on which connection. */
struct grant_claim {
	uint64_t initiator_id;          /**< connection id that the initiator is addressed by */
	uint64_t target_id;             /**< that the target is addressed by */
	uint64_t initiator_incarnation; /**< of its node */
	uint64_t target_incarnation;    /**< of the owner's node */
	uint32_t segment;               /**< the owner's number of it */
	uint8_t rights;                 /**< HAUL_RIGHT_* */
};

/** The key of a right: 1 read, 2 write, 3 both. Returns 0, or -EIO when libcrypto fails (out is then zero). */
int grant_key_derive(const uint8_t key[GRANT_KEY_BYTES], uint32_t rights,
		     uint8_t out[GRANT_KEY_BYTES]);

/** The proof of a claim by the key of its right. Returns as grant_key_derive. */
int grant_prove(const uint8_t right_key[GRANT_KEY_BYTES], const struct grant_claim *claim,
		uint8_t out[GRANT_PROOF_BYTES]);

#endif
