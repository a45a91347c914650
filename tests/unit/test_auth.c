/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: proofs are HMAC-SHA256 as others compute it, and a key file that others could touch is
 * refused. Method: the vectors of RFC 4231, split into parts at every place; files of every wrong
 * shape and mode.
 */
#include "base/auth.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 4231, test case 2. */
static const char vector_key[] = "Jefe";
static const char vector_text[] = "what do ya want for nothing?";
static const uint8_t vector_digest[AUTH_DIGEST_BYTES] = {
	0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
	0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
	0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
};

static void auth_hmac_sha256__vector_in_parts(void **state)
{
	size_t length = sizeof(vector_text) - 1;

	(void)state;
	for (size_t cut = 0; cut <= length; cut++) {
		char text[sizeof(vector_text)];
		struct iovec parts[2] = { { text, cut }, { text + cut, length - cut } };
		uint8_t digest[AUTH_DIGEST_BYTES];

		memcpy(text, vector_text, sizeof(text));
		assert_int_equal(auth_hmac_sha256((const uint8_t *)vector_key, 4, parts, 2, digest),
				 0);
		assert_memory_equal(digest, vector_digest, sizeof(digest));
	}
}

static void auth_equal__every_place(void **state)
{
	uint8_t digest[AUTH_DIGEST_BYTES];

	(void)state;
	memcpy(digest, vector_digest, sizeof(digest));
	assert_true(auth_equal(digest, vector_digest, sizeof(digest)));
	for (size_t i = 0; i < sizeof(digest); i++) {
		digest[i] ^= 1;
		assert_false(auth_equal(digest, vector_digest, sizeof(digest)));
		digest[i] ^= 1;
	}
}

static void auth_random__differs(void **state)
{
	uint8_t first[1000] = { 0 };
	uint8_t second[1000] = { 0 };

	(void)state;
	auth_random(first, sizeof(first));
	auth_random(second, sizeof(second));
	assert_memory_not_equal(first, second, sizeof(first));
	/* The last bytes too, behind several chunks. */
	assert_memory_not_equal(first + 984, second + 984, 16);
}

static char directory[] = "/tmp/haul-test-XXXXXX";
static char path[64];

static int directory_make(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", directory);
	return 0;
}

static int directory_remove(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void key_write(const char *text, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

#define KEY_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static void auth_key_load__good(void **state)
{
	uint8_t key[CLUSTER_KEY_BYTES];

	(void)state;
	key_write(KEY_TEXT "\n", 0640);
	assert_int_equal(auth_key_load(path, key), 0);
	for (unsigned int i = 0; i < sizeof(key); i++)
		assert_int_equal(key[i], i);
	key_write(KEY_TEXT, 0400);
	assert_int_equal(auth_key_load(path, key), 0);
}

static void auth_key_load__refuses_contents(void **state)
{
	const char *const texts[] = {
		"", "\n", "00", (KEY_TEXT "0"), (KEY_TEXT "\n\n"), (KEY_TEXT "00"), (" " KEY_TEXT)
	};
	uint8_t key[CLUSTER_KEY_BYTES] = { 0 };
	const uint8_t zero[CLUSTER_KEY_BYTES] = { 0 };
	char damaged[] = KEY_TEXT;

	(void)state;
	for (int i = 0; i < 7; i++) {
		key_write(texts[i], 0600);
		assert_int_equal(auth_key_load(path, key), -EINVAL);
	}
	damaged[63] = 'g';
	key_write(damaged, 0600);
	assert_int_equal(auth_key_load(path, key), -EINVAL);
	assert_memory_equal(key, zero, sizeof(key));
}

static void auth_key_load__refuses_modes(void **state)
{
	const mode_t modes[] = { 0604, 0602, 0620, 0644, 0666, 0601 };
	uint8_t key[CLUSTER_KEY_BYTES];

	(void)state;
	for (int i = 0; i < 6; i++) {
		key_write(KEY_TEXT, modes[i]);
		assert_int_equal(auth_key_load(path, key), -EPERM);
	}
	assert_int_equal(auth_key_load("/dev/zero", key), -EPERM);
	assert_int_equal(auth_key_load("/nonexistent", key), -ENOENT);
}

/* FIPS 180-2's vector of a million letters, in pieces of all lengths. */
static void auth_sha256__vector_in_pieces(void **state)
{
	static const uint8_t expected[AUTH_DIGEST_BYTES] = {
		0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
		0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
		0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0,
	};
	static char letters[1000];
	struct auth_sha256 *sha256;
	uint8_t digest[AUTH_DIGEST_BYTES];
	size_t left = 1000000;

	(void)state;
	memset(letters, 'a', sizeof(letters));
	assert_int_equal(auth_sha256_begin(&sha256), 0);
	for (size_t length = 0; left > 0; length = (length + 37) % sizeof(letters)) {
		size_t piece = length < left ? length : left;

		auth_sha256_add(sha256, letters, piece);
		left -= piece;
	}
	assert_int_equal(auth_sha256_end(sha256, digest), 0);
	assert_memory_equal(digest, expected, sizeof(digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_hmac_sha256__vector_in_parts),
		cmocka_unit_test(auth_sha256__vector_in_pieces),
		cmocka_unit_test(auth_equal__every_place),
		cmocka_unit_test(auth_random__differs),
		cmocka_unit_test(auth_key_load__good),
		cmocka_unit_test(auth_key_load__refuses_contents),
		cmocka_unit_test(auth_key_load__refuses_modes),
	};

	return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
