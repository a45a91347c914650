/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: nothing but a whole, consistent descriptor passes. Method: a good one, and one defect after the other in it.
 * The checks of buffers are seen here too.
 */
#include "api/haul_error.h"
#include "base/descriptor.h"
#include "descriptors.h"
#include "unit.h"

static char reason[HAUL_REASON_BYTES];

static int check(const struct haul_descriptor *descriptor)
{
	return descriptor_check(
		descriptor, descriptor_bytes(descriptor->buffer_count, descriptor->address_count),
		reason);
}

static void descriptor_check__takes_a_good_one(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 3);

	(void)state;
	assert_int_equal(check(descriptor), 0);
	free(descriptor);
	descriptor = descriptor_make("s", 0);
	assert_int_equal(check(descriptor), 0);
	free(descriptor);
}

static void descriptor_check__names_both_versions(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 1);

	(void)state;
	descriptor->version = 77;
	assert_int_equal(check(descriptor), -HAUL_VERSION);
	assert_non_null(strstr(reason, "77"));
	assert_non_null(strstr(reason, "speaks 2"));
	free(descriptor);
}

static void descriptor_check__wants_the_exact_length(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 2);
	size_t length = descriptor_bytes(2, 1);

	(void)state;
	assert_int_equal(descriptor_check(descriptor, length - 1, reason), -HAUL_INVALID);
	assert_int_equal(descriptor_check(descriptor, 8, reason), -HAUL_INVALID);
	assert_int_equal(descriptor_check(descriptor, 0, reason), -HAUL_INVALID);
	descriptor->buffer_count = UINT32_MAX;
	assert_int_equal(descriptor_check(descriptor, length, reason), -HAUL_INVALID);
	free(descriptor);
}

static void descriptor_check__refuses_each_header_defect(void **state)
{
	struct haul_descriptor good, *descriptor = descriptor_make("s", 1);

	(void)state;
	good = *descriptor;
	descriptor->magic ^= 1;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	descriptor->reserved = 1;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	descriptor->incarnation = 0;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	descriptor->number = 0;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	memset(descriptor->key, 0, sizeof(descriptor->key));
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	descriptor->segment[0] = ' ';
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	memset(descriptor->node, 'n', sizeof(descriptor->node));
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	memcpy(descriptor->readers, "a,,b", 5);
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	memset(descriptor->writers, 'w', sizeof(descriptor->writers));
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	*descriptor = good;
	assert_int_equal(check(descriptor), 0);
	free(descriptor);
}

static void descriptor_check__refuses_each_buffer_defect(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 2);
	struct haul_descriptor_buffer *buffers = buffers_of(descriptor), good = buffers[1];

	(void)state;
	buffers[1].offset = 4095;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	buffers[1].length = 0;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	descriptor->bytes = UINT64_C(1) << 41;
	buffers[1].length = (UINT64_C(1) << 40) - 1;
	assert_int_equal(check(descriptor), 0);
	buffers[1].length++;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	descriptor->bytes = 16384;
	buffers[1].length = UINT64_MAX;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	buffers[1].offset = UINT64_MAX - 1;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	buffers[1].region = UINT64_C(1) << 48;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	buffers[1].rights = 4;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	buffers[1].state = 9;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	buffers[1] = good;
	assert_int_equal(check(descriptor), 0);
	free(descriptor);
}

static void descriptor_check__refuses_a_bad_address(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 2);

	(void)state;
	addresses_of(descriptor)->family = 0;
	assert_int_equal(check(descriptor), -HAUL_INVALID);
	free(descriptor);
}

static void descriptor_rights__follow_the_lists(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 1);

	(void)state;
	assert_int_equal(descriptor_rights(descriptor, "owner"),
			 HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	assert_int_equal(descriptor_rights(descriptor, "guest"), 0);
	memcpy(descriptor->readers, "*", 2);
	memcpy(descriptor->writers, "guest,other", 12);
	assert_int_equal(descriptor_rights(descriptor, "guest"),
			 HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	assert_int_equal(descriptor_rights(descriptor, "gues"), HAUL_RIGHT_READ);
	free(descriptor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptor_check__takes_a_good_one),
		cmocka_unit_test(descriptor_check__names_both_versions),
		cmocka_unit_test(descriptor_check__wants_the_exact_length),
		cmocka_unit_test(descriptor_check__refuses_each_header_defect),
		cmocka_unit_test(descriptor_check__refuses_each_buffer_defect),
		cmocka_unit_test(descriptor_check__refuses_a_bad_address),
		cmocka_unit_test(descriptor_rights__follow_the_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
