/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thin on purpose: algorithms are libcrypto's, randomness is the kernel's, and what is ours is the
 * refusal of a key file that others could have read or written.
 */
#include "base/auth.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* getrandom gives at least this much in one call without being interrupted. */
#define RANDOM_CHUNK_BYTES 256u

static int hmac_run(EVP_MAC_CTX *context, const struct iovec *parts, unsigned int part_count,
		    uint8_t *out)
{
	size_t length = 0;

	for (unsigned int i = 0; i < part_count; i++) {
		if (EVP_MAC_update(context, parts[i].iov_base, parts[i].iov_len) != 1)
			return -EIO;
	}
	if (EVP_MAC_final(context, out, &length, AUTH_DIGEST_BYTES) != 1 ||
	    length != AUTH_DIGEST_BYTES)
		return -EIO;
	return 0;
}

int auth_hmac_sha256(const uint8_t *key, size_t key_bytes, const struct iovec *parts,
		     unsigned int part_count, uint8_t out[AUTH_DIGEST_BYTES])
{
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	int error = -EIO;

	if (context != NULL && EVP_MAC_init(context, key, key_bytes, parameters) == 1)
		error = hmac_run(context, parts, part_count, out);
	if (error != 0)
		memset(out, 0, AUTH_DIGEST_BYTES);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return error;
}

/* The context is libcrypto's own; a failure stays until the end. */
struct auth_sha256 {
	EVP_MD_CTX *context;
	bool has_failed;
};

int auth_sha256_begin(struct auth_sha256 **out)
{
	struct auth_sha256 *sha256 = calloc(1, sizeof(*sha256));
	uint8_t none[AUTH_DIGEST_BYTES];

	if (sha256 == NULL)
		return -EIO;
	sha256->context = EVP_MD_CTX_new();
	if (sha256->context == NULL ||
	    EVP_DigestInit_ex(sha256->context, EVP_sha256(), NULL) != 1) {
		sha256->has_failed = true;
		return auth_sha256_end(sha256, none);
	}
	*out = sha256;
	return 0;
}

void auth_sha256_add(struct auth_sha256 *sha256, const void *bytes, size_t length)
{
	if (!sha256->has_failed)
		sha256->has_failed = EVP_DigestUpdate(sha256->context, bytes, length) != 1;
}

int auth_sha256_end(struct auth_sha256 *sha256, uint8_t out[AUTH_DIGEST_BYTES])
{
	bool is_good = sha256 != NULL && !sha256->has_failed &&
		       EVP_DigestFinal_ex(sha256->context, out, NULL) == 1;

	if (!is_good)
		memset(out, 0, AUTH_DIGEST_BYTES);
	if (sha256 != NULL)
		EVP_MD_CTX_free(sha256->context);
	free(sha256);
	return is_good ? 0 : -EIO;
}

bool auth_equal(const void *a, const void *b, size_t bytes)
{
	return CRYPTO_memcmp(a, b, bytes) == 0;
}

void auth_random(void *buffer, size_t bytes)
{
	uint8_t *at = buffer;

	while (bytes > 0) {
		size_t chunk = MIN(bytes, RANDOM_CHUNK_BYTES);
		ssize_t got = getrandom(at, chunk, 0);

		BUG_ON(got < 0 && errno != EINTR);
		if (got > 0) {
			at += got;
			bytes -= (size_t)got;
		}
	}
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static int key_parse(const char *text, size_t length, uint8_t *key_out)
{
	uint8_t key[CLUSTER_KEY_BYTES];

	if (length == sizeof(key) * 2 + 1 && text[length - 1] == '\n')
		length--;
	if (length != sizeof(key) * 2)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(key); i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		key[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(key_out, key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	return 0;
}

static int file_check(int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IRWXO | S_IWGRP | S_IXGRP)) != 0)
		return -EPERM;
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return -EPERM;
	return 0;
}

int auth_key_load(const char *path, uint8_t key_out[CLUSTER_KEY_BYTES])
{
	char text[CLUSTER_KEY_BYTES * 2 +
		  2]; /* one more than allowed, so that a longer file shows */
	ssize_t length;
	int error;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	error = file_check(fd);
	if (error == 0) {
		length = read(fd, text, sizeof(text));
		error = length < 0 ? -errno : key_parse(text, (size_t)length, key_out);
	}
	OPENSSL_cleanse(text, sizeof(text));
	close(fd);
	return error;
}
