/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an offset of a segment is resolved to the one buffer that holds the whole range, or refused.
 * Method: every offset and length of a small segment with gaps, against a map of its bytes; then the edges of 64 bits.
 */
#include "descriptors.h"
#include "engine/region.h"
#include "engine/remote.h"
#include "unit.h"

#define MAP_BYTES 64u

/* Buffers at 0-9, 10-15 (adjacent), 20-39 and 63; nothing at 16-19 and 40-62. */
static struct remote_view *view_make(void)
{
	static const struct {
		uint64_t offset;
		uint64_t length;
	} ranges[] = { { 0, 10 }, { 10, 6 }, { 20, 20 }, { 63, 1 } };
	struct haul_descriptor *descriptor = descriptor_make("segment", 4);
	struct remote_view *view;

	descriptor->bytes = MAP_BYTES;
	descriptor->metadata_version = 9;
	for (uint32_t i = 0; i < 4; i++) {
		buffers_of(descriptor)[i].offset = ranges[i].offset;
		buffers_of(descriptor)[i].length = ranges[i].length;
		buffers_of(descriptor)[i].region = 100 + (3 - i);
	}
	view = remote_view_make(descriptor, 5);
	free(descriptor);
	assert_non_null(view);
	return view;
}

static void remote_view_make__copies_the_descriptor(void **state)
{
	struct remote_view *view = view_make();

	(void)state;
	assert_int_equal(view->version, 9);
	assert_int_equal(view->incarnation, 0xa1a1);
	assert_int_equal(view->bytes, MAP_BYTES);
	assert_int_equal(view->peer, 5);
	assert_int_equal(view->buffer_count, 4);
	free(view);
}

static void remote_resolve__every_range_against_a_map(void **state)
{
	struct remote_view *view = view_make();
	uint8_t owner[MAP_BYTES] = { 0 }; /* buffer + 1 */

	(void)state;
	for (uint32_t i = 0; i < view->buffer_count; i++)
		memset(owner + view->buffers[i].offset, (int)i + 1, view->buffers[i].length);
	for (uint64_t offset = 0; offset < MAP_BYTES + 4; offset++) {
		for (uint64_t length = 1; length < MAP_BYTES; length++) {
			struct remote_range range = { 0 };
			bool is_inside = offset + length <= MAP_BYTES && owner[offset] != 0 &&
					 owner[offset] == owner[offset + length - 1];

			if (!is_inside) {
				assert_int_equal(remote_resolve(view, offset, length, &range),
						 HAUL_RANGE);
				continue;
			}
			assert_int_equal(remote_resolve(view, offset, length, &range), HAUL_OK);
			assert_int_equal(range.region, 100 + (4 - owner[offset]));
			assert_int_equal(range.offset,
					 offset - view->buffers[owner[offset] - 1].offset);
		}
	}
	free(view);
}

static void remote_resolve__refuses_ranges_that_wrap(void **state)
{
	struct remote_view *view = view_make();
	struct remote_range range;

	(void)state;
	assert_int_equal(remote_resolve(view, UINT64_MAX, 1, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve(view, 0, UINT64_MAX, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve(view, 5, UINT64_MAX - 4, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve(view, 63, UINT64_MAX, &range), HAUL_RANGE);
	free(view);
}

static void remote_resolve__finds_nothing_in_an_empty_segment(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("empty", 0);
	struct remote_view *view = remote_view_make(descriptor, 0);
	struct remote_range range;

	(void)state;
	assert_int_equal(remote_resolve(view, 0, 1, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve_region(view, 0, 0, 1, &range), HAUL_RANGE);
	free(view);
	free(descriptor);
}

static void remote_resolve__skips_buffers_that_take_nothing(void **state)
{
	struct remote_view *view = view_make();
	struct remote_range range;

	(void)state;
	view->buffers[0].state = HAUL_BUFFER_ACTIVE + 1;
	assert_int_equal(remote_resolve(view, 0, 1, &range), HAUL_STALE);
	assert_int_equal(remote_resolve(view, 0, 11, &range), HAUL_RANGE);
	view->buffers[0].state = HAUL_BUFFER_ACTIVE;
	view->buffers[0].region = 0; /* divided into extents */
	assert_int_equal(remote_resolve(view, 0, 1, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve(view, 10, 1, &range), HAUL_OK);
	free(view);
}

/* An extent is in no descriptor: its owner knows whether there is one, and of what segment. */
static void remote_resolve_region__leaves_what_it_does_not_know_to_the_owner(void **state)
{
	struct remote_view *view = view_make();
	struct remote_range range;

	(void)state;
	assert_int_equal(remote_resolve_region(view, 99, 5, 1, &range), HAUL_OK);
	assert_int_equal(range.region, 99);
	assert_int_equal(range.offset, 5);
	assert_int_equal(remote_resolve_region(view, 104, REGION_BYTES_MAX - 2, 1, &range),
			 HAUL_OK);
	assert_int_equal(remote_resolve_region(view, 104, REGION_BYTES_MAX - 2, 2, &range),
			 HAUL_RANGE);
	assert_int_equal(remote_resolve_region(view, 104, REGION_BYTES_MAX, 0, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve_region(view, 104, 1, UINT64_MAX, &range), HAUL_RANGE);
	free(view);
}

static void remote_resolve_region__knows_the_buffers_of_the_segment(void **state)
{
	struct remote_view *view = view_make();
	struct remote_range range;

	(void)state;
	assert_int_equal(remote_resolve_region(view, 103, 0, 10, &range), HAUL_OK);
	assert_int_equal(range.region, 103);
	assert_int_equal(range.offset, 0);
	assert_int_equal(remote_resolve_region(view, 101, 19, 1, &range), HAUL_OK);
	assert_int_equal(range.offset, 19);
	assert_int_equal(remote_resolve_region(view, 100, 0, 1, &range), HAUL_OK);
	assert_int_equal(remote_resolve_region(view, 101, 19, 2, &range), HAUL_RANGE);
	assert_int_equal(remote_resolve_region(view, 101, UINT64_MAX, 2, &range), HAUL_RANGE);
	free(view);
}

static void remote_retire__is_seen_in_state_and_number(void **state)
{
	static struct remote_table table;

	(void)state;
	atomic_store(&table.remotes[3].state, REMOTE_OPEN);
	remote_retire(&table, 3);
	assert_int_equal(atomic_load(&table.remotes[3].state), REMOTE_RETIRED);
	assert_int_equal(atomic_load(&table.retirements), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remote_view_make__copies_the_descriptor),
		cmocka_unit_test(remote_resolve__every_range_against_a_map),
		cmocka_unit_test(remote_resolve__refuses_ranges_that_wrap),
		cmocka_unit_test(remote_resolve__finds_nothing_in_an_empty_segment),
		cmocka_unit_test(remote_resolve__skips_buffers_that_take_nothing),
		cmocka_unit_test(remote_resolve_region__knows_the_buffers_of_the_segment),
		cmocka_unit_test(remote_resolve_region__leaves_what_it_does_not_know_to_the_owner),
		cmocka_unit_test(remote_retire__is_seen_in_state_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
