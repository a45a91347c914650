/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a buffer's states change as the one table says, whatever else a publication changes beside them. Method: every
 * pair of states against what the design says; then sets of buffers with one legal or illegal change each, in the
 * middle of others; then random walks of legal changes, each followed by one that breaks them.
 */
#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/check.h"
#include "controlplane/model/buffer.h"
#include "unit.h"

#define ACTIVE   HAUL_BUFFER_ACTIVE
#define DRAINING HAUL_BUFFER_DRAINING
#define ABSENT   BUFFER_ABSENT

/* Slots of the random walk. */
#define SLOTS 32u

static char reason[HAUL_REASON_BYTES];

static struct haul_descriptor_buffer buffer(uint64_t offset, uint64_t region, uint32_t state)
{
	return (struct haul_descriptor_buffer){ offset, 4096, region, HAUL_RIGHT_READ, state };
}

static int check(const struct haul_descriptor_buffer *before, uint32_t before_count,
		 const struct haul_descriptor_buffer *after, uint32_t after_count)
{
	reason[0] = '\0';
	return buffer_sets_check((struct buffer_set){ before, before_count },
				 (struct buffer_set){ after, after_count }, reason);
}

static void buffer_transition_is_legal__is_the_table_of_the_design(void **state)
{
	static const struct {
		uint32_t from;
		uint32_t to;
	} legal[] = { { ABSENT, ABSENT },   { ABSENT, ACTIVE },     { ACTIVE, ACTIVE },
		      { ACTIVE, DRAINING }, { DRAINING, DRAINING }, { DRAINING, ABSENT } };

	(void)state;
	for (uint32_t from = 0; from < 5; from++) {
		for (uint32_t to = 0; to < 5; to++) {
			bool is_legal = false;

			for (unsigned int i = 0; i < ARRAY_SIZE(legal); i++)
				is_legal = is_legal || (legal[i].from == from && legal[i].to == to);
			assert_int_equal(buffer_transition_is_legal(from, to), is_legal);
		}
	}
}

static void buffer_state_word__has_one_for_each(void **state)
{
	(void)state;
	assert_string_equal(buffer_state_word(ABSENT), "absent");
	assert_string_equal(buffer_state_word(ACTIVE), "active");
	assert_string_equal(buffer_state_word(DRAINING), "draining");
	assert_string_equal(buffer_state_word(3), "unknown");
}

static void buffer_rows__there_and_back_with_each_state(void **state)
{
	struct haul_descriptor_buffer in[2] = { buffer(0, 7, DRAINING), buffer(4096, 0, ACTIVE) };
	struct haul_descriptor_buffer out[2];
	char rows[2 * BUFFER_ROW_BYTES + 1];
	struct text text = { rows, 0 };

	(void)state;
	text.length = buffer_rows_format(in, 2, rows);
	assert_int_equal(text.length, 2 * BUFFER_ROW_BYTES);
	assert_true(buffer_rows_parse(text, out));
	assert_memory_equal(in, out, sizeof(in));
}

static void buffer_sets_check__takes_the_life_of_a_buffer(void **state)
{
	struct haul_descriptor_buffer one[3] = { buffer(0, 1, ACTIVE), buffer(8192, 3, ACTIVE) };
	struct haul_descriptor_buffer two[3] = { buffer(0, 1, ACTIVE), buffer(4096, 2, ACTIVE),
						 buffer(8192, 3, ACTIVE) };
	struct haul_descriptor_buffer three[3] = { buffer(0, 1, ACTIVE), buffer(4096, 2, DRAINING),
						   buffer(8192, 3, ACTIVE) };
	struct haul_descriptor_buffer again[3] = { buffer(0, 1, ACTIVE), buffer(4096, 4, ACTIVE),
						   buffer(8192, 3, ACTIVE) };

	(void)state;
	assert_int_equal(check(NULL, 0, one, 2), 0);
	assert_int_equal(check(one, 2, two, 3), 0);
	assert_int_equal(check(two, 3, three, 3), 0);
	assert_int_equal(check(three, 3, one, 2), 0);
	/* The place is used again in the same publication, under another handle. */
	assert_int_equal(check(three, 3, again, 3), 0);
}

static void buffer_sets_check__refuses_what_the_table_does_not_have(void **state)
{
	struct haul_descriptor_buffer two[2] = { buffer(0, 1, ACTIVE), buffer(4096, 2, ACTIVE) };
	struct haul_descriptor_buffer drained[2] = { buffer(0, 1, ACTIVE),
						     buffer(4096, 2, DRAINING) };
	struct haul_descriptor_buffer other[2] = { buffer(0, 1, ACTIVE), buffer(4096, 3, ACTIVE) };

	(void)state;
	assert_int_equal(check(two, 2, two, 1), -HAUL_INVALID);
	assert_string_equal(reason, "the buffer at 4096 goes from active to absent; legal is "
				    "absent, active, draining, absent");
	assert_int_equal(check(two, 1, drained, 2), -HAUL_INVALID);
	assert_non_null(strstr(reason, "from absent to draining"));
	assert_int_equal(check(drained, 2, two, 2), -HAUL_INVALID);
	assert_non_null(strstr(reason, "from draining to active"));
	/* Another buffer in its place: the first one vanished. */
	assert_int_equal(check(two, 2, other, 2), -HAUL_INVALID);
	assert_non_null(strstr(reason, "from active to absent"));
}

static void buffer_sets_check__keeps_a_handle_to_its_buffer(void **state)
{
	struct haul_descriptor_buffer before[2] = { buffer(0, 1, ACTIVE), buffer(4096, 2, ACTIVE) };
	struct haul_descriptor_buffer after[2] = { before[0], before[1] };

	(void)state;
	after[1].length = 2048;
	assert_int_equal(check(before, 2, after, 2), -HAUL_INVALID);
	assert_non_null(strstr(reason, "region 000000000002"));
	after[1] = before[1];
	after[1].rights = HAUL_RIGHT_WRITE;
	assert_int_equal(check(before, 2, after, 2), -HAUL_INVALID);
	/* It drained and went, and its handle names another place at once. */
	before[1].state = DRAINING;
	after[1] = buffer(8192, 2, ACTIVE);
	assert_int_equal(check(before, 2, after, 2), -HAUL_INVALID);
	assert_string_equal(reason,
			    "region 000000000002 moves to offset 8192; another buffer needs "
			    "another handle");
	after[1].region = 3;
	assert_int_equal(check(before, 2, after, 2), 0);
}

static void buffer_sets_check__tells_divided_buffers_by_their_place(void **state)
{
	struct haul_descriptor_buffer before[2] = { buffer(0, 0, ACTIVE), buffer(4096, 0, ACTIVE) };
	struct haul_descriptor_buffer after[2] = { buffer(0, 0, ACTIVE),
						   buffer(4096, 0, DRAINING) };

	(void)state;
	assert_int_equal(check(NULL, 0, before, 2), 0);
	assert_int_equal(check(before, 2, after, 2), 0);
	assert_int_equal(check(after, 2, after, 1), 0);
	assert_int_equal(check(after, 2, before, 2), -HAUL_INVALID);
	assert_int_equal(check(before, 2, before, 1), -HAUL_INVALID);
}

/* The set of a walk's states. */
static uint32_t set_make(const uint32_t states[SLOTS], const uint64_t regions[SLOTS],
			 struct haul_descriptor_buffer *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SLOTS; i++) {
		if (states[i] != ABSENT)
			out[count++] = buffer(i * UINT64_C(4096), regions[i], states[i]);
	}
	return count;
}

static void buffer_sets_check__agrees_with_the_table_on_random_walks(void **state)
{
	uint32_t states[SLOTS] = { 0 };
	uint64_t regions[SLOTS] = { 0 }, region = 0, dice = unit_seed();
	struct haul_descriptor_buffer sets[2][SLOTS];
	uint32_t counts[2] = { 0 };

	(void)state;
	for (unsigned int round = 0; round < 5000; round++) {
		uint32_t before[SLOTS];
		uint64_t regions_before[SLOTS];
		bool is_legal = true;

		memcpy(before, states, sizeof(before));
		memcpy(regions_before, regions, sizeof(regions));
		for (unsigned int change = 0; change < 3; change++) {
			uint32_t slot = (uint32_t)unit_random_below(&dice, SLOTS);

			states[slot] =
				(before[slot] + (unit_random_below(&dice, 8) == 0 ? 2 : 1)) % 3;
			regions[slot] = before[slot] == ABSENT ? ++region : regions_before[slot];
		}
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			is_legal =
				is_legal && buffer_transition_is_legal(before[slot], states[slot]);
		counts[1] = set_make(states, regions, sets[1]);
		assert_int_equal(check(sets[0], counts[0], sets[1], counts[1]),
				 is_legal ? 0 : -HAUL_INVALID);
		if (is_legal) {
			memcpy(sets[0], sets[1], sizeof(sets[0]));
			counts[0] = counts[1];
		} else {
			memcpy(states, before, sizeof(states));
			memcpy(regions, regions_before, sizeof(regions));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_transition_is_legal__is_the_table_of_the_design),
		cmocka_unit_test(buffer_state_word__has_one_for_each),
		cmocka_unit_test(buffer_rows__there_and_back_with_each_state),
		cmocka_unit_test(buffer_sets_check__takes_the_life_of_a_buffer),
		cmocka_unit_test(buffer_sets_check__refuses_what_the_table_does_not_have),
		cmocka_unit_test(buffer_sets_check__keeps_a_handle_to_its_buffer),
		cmocka_unit_test(buffer_sets_check__tells_divided_buffers_by_their_place),
		cmocka_unit_test(buffer_sets_check__agrees_with_the_table_on_random_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
