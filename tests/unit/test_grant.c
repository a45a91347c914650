/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: keys and proofs are those of docs/protocol.md, and a proof is good for what it names alone. Method: vectors that
 * another implementation of HMAC-SHA-256 has computed; then each field of a claim changed in turn.
 */
#include "base/grant.h"
#include "unit.h"

static const uint8_t key[GRANT_KEY_BYTES] = { 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
					      0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff };

/* Of the rights 1, 2 and 3. */
static const uint8_t derived[3][GRANT_KEY_BYTES] = {
	{ 0x90, 0xdf, 0x0d, 0x2e, 0x7b, 0xb7, 0x98, 0xa9, 0x96, 0xd1, 0xc9, 0xb4, 0x82, 0xd6, 0x51,
	  0xff },
	{ 0xe2, 0xa6, 0x59, 0x27, 0x80, 0x67, 0x6d, 0x0f, 0xb1, 0x90, 0x30, 0x00, 0x3b, 0x0b, 0x3f,
	  0x62 },
	{ 0x12, 0xc3, 0x22, 0x45, 0x8c, 0x5a, 0x4f, 0x8d, 0x70, 0xf2, 0x56, 0x04, 0xb7, 0xc5, 0xff,
	  0x79 },
};

static const struct grant_claim claim = {
	.initiator_id = 0x0102030405060708,
	.target_id = 0x1112131415161718,
	.initiator_incarnation = 0x2122232425262728,
	.target_incarnation = 0x3132333435363738,
	.segment = 0x41424344,
	.rights = 2,
};

/* By the key of right 2. */
static const uint8_t proof[GRANT_PROOF_BYTES] = { 0x20, 0x76, 0x54, 0xd5, 0x85, 0x31, 0xc6, 0x33,
						  0xaf, 0x9b, 0xe3, 0x1c, 0x38, 0x5a, 0xae, 0xd3 };

static void grant_key_derive__is_another_key_for_each_right(void **state)
{
	uint8_t out[GRANT_KEY_BYTES];

	(void)state;
	for (uint32_t rights = 1; rights <= 3; rights++) {
		assert_int_equal(grant_key_derive(key, rights, out), 0);
		assert_memory_equal(out, derived[rights - 1], sizeof(out));
	}
}

static void grant_key_derive__may_replace_the_key(void **state)
{
	uint8_t both[GRANT_KEY_BYTES];

	(void)state;
	memcpy(both, key, sizeof(both));
	assert_int_equal(grant_key_derive(both, 3, both), 0);
	assert_memory_equal(both, derived[2], sizeof(both));
}

static void grant_prove__vector(void **state)
{
	uint8_t out[GRANT_PROOF_BYTES];

	(void)state;
	assert_int_equal(grant_prove(derived[1], &claim, out), 0);
	assert_memory_equal(out, proof, sizeof(out));
}

static void grant_prove__each_field_counts(void **state)
{
	struct grant_claim other[6] = { claim, claim, claim, claim, claim, claim };
	uint8_t out[GRANT_PROOF_BYTES];

	(void)state;
	other[0].initiator_id ^= 1;
	other[1].target_id ^= 1;
	other[2].initiator_incarnation ^= 1;
	other[3].target_incarnation ^= 1;
	other[4].segment ^= 1;
	other[5].rights = 3;
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(grant_prove(derived[1], &other[i], out), 0);
		assert_memory_not_equal(out, proof, sizeof(out));
	}
	assert_int_equal(grant_prove(derived[2], &claim, out), 0);
	assert_memory_not_equal(out, proof, sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grant_key_derive__is_another_key_for_each_right),
		cmocka_unit_test(grant_key_derive__may_replace_the_key),
		cmocka_unit_test(grant_prove__vector),
		cmocka_unit_test(grant_prove__each_field_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
