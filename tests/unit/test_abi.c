/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the ring layout is byte for byte what docs/rings.md says, whatever compiler reads the header.
 * Method: the tables of that page once more, as numbers.
 */
#include "api/haul_abi.h"
#include "unit.h"

#define AT(type, field, offset, bytes)                                           \
	do {                                                                     \
		assert_int_equal(offsetof(struct type, field), offset);          \
		assert_int_equal(sizeof(((struct type *)NULL)->field), (bytes)); \
	} while (0)

static void haul_channel_header__layout(void **state)
{
	(void)state;
	AT(haul_channel_header, magic, 0, 8);
	AT(haul_channel_header, version, 8, 4);
	AT(haul_channel_header, entries, 12, 4);
	AT(haul_channel_header, completions, 16, 4);
	AT(haul_channel_header, state, 20, 4);
	AT(haul_channel_header, error, 24, 4);
	AT(haul_channel_header, notifications, 28, 4);
	AT(haul_channel_header, reserved, 32, 32);
	AT(haul_channel_header, reason, 64, 192);
	AT(haul_channel_header, submission_tail, 256, 64);
	AT(haul_channel_header, submission_head, 320, 64);
	AT(haul_channel_header, completion_tail, 384, 64);
	AT(haul_channel_header, completion_head, 448, 64);
	AT(haul_channel_header, daemon_sleeps, 512, 64);
	AT(haul_channel_header, client_sleeps, 576, 64);
	AT(haul_channel_header, notification_head, 640, 64);
	AT(haul_channel_header, padding, 704, 3392);
	assert_int_equal(sizeof(struct haul_channel_header), 4096);
	assert_int_equal(HAUL_ABI_MAGIC, UINT64_C(0x474e49524c554148));
	assert_memory_equal(&(uint64_t){ HAUL_ABI_MAGIC }, "HAULRING", 8);
}

static void haul_entry__layout(void **state)
{
	(void)state;
	AT(haul_entry, opcode, 0, 1);
	AT(haul_entry, flags, 1, 1);
	AT(haul_entry, reserved, 2, 2);
	AT(haul_entry, batch, 4, 4);
	AT(haul_entry, user_data, 8, 8);
	AT(haul_entry, local_region, 16, 6);
	AT(haul_entry, local_offset, 22, 6);
	AT(haul_entry, remote_region, 28, 6);
	AT(haul_entry, remote_offset, 34, 6);
	AT(haul_entry, length, 40, 4);
	AT(haul_entry, remote_segment, 44, 4);
	AT(haul_entry, timeout_ms, 48, 4);
	AT(haul_entry, tag, 52, 4);
	AT(haul_entry, value, 56, 8);
	assert_int_equal(sizeof(struct haul_entry), 64);
}

static void haul_completion__layout(void **state)
{
	(void)state;
	AT(haul_completion, user_data, 0, 8);
	AT(haul_completion, bytes, 8, 8);
	AT(haul_completion, batch, 16, 4);
	AT(haul_completion, status, 20, 2);
	AT(haul_completion, reason, 22, 2);
	AT(haul_completion, transport, 24, 1);
	AT(haul_completion, attempts, 25, 1);
	AT(haul_completion, members, 26, 2);
	AT(haul_completion, time_us, 28, 4);
	assert_int_equal(sizeof(struct haul_completion), 32);
}

static void haul_notification__layout(void **state)
{
	(void)state;
	AT(haul_notification, sequence, 0, 4);
	AT(haul_notification, tag, 4, 4);
	AT(haul_notification, value, 8, 8);
	AT(haul_notification, region, 16, 8);
	AT(haul_notification, offset, 24, 8);
	AT(haul_notification, bytes, 32, 4);
	AT(haul_notification, reserved, 36, 4);
	AT(haul_notification, incarnation, 40, 8);
	AT(haul_notification, zero, 48, 16);
	AT(haul_notification, node, 64, 64);
	assert_int_equal(sizeof(struct haul_notification), 128);
}

static void haul_u48__there_and_back(void **state)
{
	const uint64_t number = UINT64_C(0x123456789abc);
	struct haul_u48 u48 = haul_u48_make(number | UINT64_C(0xffff) << 48);
	const uint8_t bytes[6] = { 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12 };

	(void)state;
	assert_int_equal(haul_u48_get(u48), number);
	assert_memory_equal(&u48, bytes, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(haul_channel_header__layout),
		cmocka_unit_test(haul_entry__layout),
		cmocka_unit_test(haul_completion__layout),
		cmocka_unit_test(haul_notification__layout),
		cmocka_unit_test(haul_u48__there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
