/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The cluster's key and the proofs made with it; the only user of libcrypto. Cold paths only: the
 * control thread makes and checks the proof of a handshake, no data packet carries one.
 */
#ifndef BASE_AUTH_H
#define BASE_AUTH_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define AUTH_DIGEST_BYTES 32u

/**
 * HMAC-SHA256 over the parts in their order. Returns 0, or -EIO when libcrypto fails (out is then
 * zero).
 */
int auth_hmac_sha256(const uint8_t *key, size_t key_bytes, const struct iovec *parts,
		     unsigned int part_count, uint8_t out[AUTH_DIGEST_BYTES]);

/** A SHA-256 of bytes that come one piece after another. Owned by one thread at a time. */
struct auth_sha256;

/** Returns 0, or -EIO when libcrypto fails. */
int auth_sha256_begin(struct auth_sha256 **out);
void auth_sha256_add(struct auth_sha256 *sha256, const void *bytes, size_t length);
/** Frees it too, and accepts NULL. Returns 0, or -EIO when libcrypto has failed since begin (out is then zero). */
int auth_sha256_end(struct auth_sha256 *sha256, uint8_t out[AUTH_DIGEST_BYTES]);

/** Compare in a time that does not tell where they differ. */
bool auth_equal(const void *a, const void *b, size_t bytes);

/**
 * Fill with random bytes from the kernel. Cannot fail once the machine has booted; ends the process
 * if it does.
 */
void auth_random(void *buffer, size_t bytes);

/**
 * Read the cluster's key: a file of 64 hexadecimal digits and perhaps a newline. Returns 0; -EPERM
 * when it is not a regular file of this user or root, or others may read or the group may write it;
 * -EINVAL when it holds anything else; or -errno. key_out is untouched on an error.
 */
int auth_key_load(const char *path, uint8_t key_out[CLUSTER_KEY_BYTES]);

#endif
