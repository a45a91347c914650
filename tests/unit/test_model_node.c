/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a node's record is read strictly. Method: a good one, then each field spoilt in turn.
 */
#include "api/haul_error.h"
#include "controlplane/model/node.h"
#include "unit.h"

static const char *const good[NODE_FIELD_COUNT] = {
	[NODE_FORMAT] = "2",
	[NODE_NAME] = "a",
	[NODE_INCARNATION] = "000000000000a1a1",
	[NODE_TERM] = "00000000000000000002",
	[NODE_HOST] = "boot-1",
	[NODE_BEAT] = "00000000000000000099",
	[NODE_STATE] = "present",
	[NODE_ADDRESSES] = "02 04 12b7 0a000001000000000000000000000000\n",
};

static void node_parse__reads_every_field(void **state)
{
	struct text fields[NODE_FIELD_COUNT];
	struct node_record record;
	char reason[HAUL_REASON_BYTES];

	(void)state;
	for (unsigned int i = 0; i < NODE_FIELD_COUNT; i++)
		fields[i] = text_of(good[i]);
	assert_int_equal(node_parse(fields, &record, reason), 0);
	assert_string_equal(record.name, "a");
	assert_string_equal(record.host, "boot-1");
	assert_int_equal(record.incarnation, 0xa1a1);
	assert_int_equal(record.term, 2);
	assert_int_equal(record.beat, 99);
	assert_false(record.has_left);
	assert_int_equal(record.address_count, 1);
	assert_int_equal(record.addresses[0].port, 4791);
}

static void node_parse__refuses_each_malformed_field(void **state)
{
	struct text fields[NODE_FIELD_COUNT];
	struct node_record record;
	char reason[HAUL_REASON_BYTES];
	char longest[HAUL_NAME_BYTES + 8];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned int i = 0; i < NODE_FIELD_COUNT; i++)
		fields[i] = text_of(good[i]);
	for (unsigned int i = 0; i < NODE_FIELD_COUNT; i++) {
		fields[i] = text_of(longest);
		assert_int_equal(node_parse(fields, &record, reason),
				 i == NODE_FORMAT ? -HAUL_VERSION : -HAUL_CORRUPT);
		fields[i] = text_of("");
		if (i != NODE_HOST)
			assert_int_equal(node_parse(fields, &record, reason), -HAUL_CORRUPT);
		fields[i] = text_of(good[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_parse__reads_every_field),
		cmocka_unit_test(node_parse__refuses_each_malformed_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
