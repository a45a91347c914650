/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a segment's record and its descriptor are the same thing, and a malformed record is neither of them. Method:
 * there and back with no, one and the most buffers; then each field spoilt in turn.
 */
#include "api/haul_error.h"
#include "controlplane/model/buffer.h"
#include "controlplane/model/format.h"
#include "controlplane/model/segment.h"
#include "descriptors.h"
#include "unit.h"

static char reason[HAUL_REASON_BYTES];

/* The fields as segment_get gives them. */
static void fields_of(const struct haul_descriptor *descriptor, struct segment_content *content,
		      struct text fields[SEGMENT_FIELD_COUNT])
{
	assert_int_equal(segment_content_make(descriptor, content), 0);
	fields[SEGMENT_FORMAT] = text_of(FORMAT_VERSION);
	fields[SEGMENT_NAME] = text_of(descriptor->segment);
	fields[SEGMENT_NODE] = text_of("a");
	fields[SEGMENT_INCARNATION] = text_of("000000000000a1a1");
	fields[SEGMENT_VERSION] = text_of("00000000000000000005");
	memcpy(fields + SEGMENT_BYTES, content->texts, sizeof(content->texts));
}

static void there_and_back(uint32_t buffer_count)
{
	struct haul_descriptor *in = descriptor_make("s", buffer_count), *out = NULL;
	struct segment_content content;
	struct text fields[SEGMENT_FIELD_COUNT];
	size_t length = 0;

	in->metadata_version = 5;
	fields_of(in, &content, fields);
	assert_int_equal(segment_parse(fields, &out, &length, reason), 0);
	assert_int_equal(length, descriptor_bytes(buffer_count, 1));
	assert_memory_equal(in, out, length);
	segment_content_free(&content);
	free(in);
	free(out);
}

static void segment_parse__gives_the_descriptor_back(void **state)
{
	(void)state;
	there_and_back(0);
	there_and_back(1);
	there_and_back(HAUL_DESCRIPTOR_BUFFERS_MAX);
}

static void segment_parse__names_the_malformed_field(void **state)
{
	struct haul_descriptor *in = descriptor_make("s", 2), *out = NULL;
	struct segment_content content;
	struct text fields[SEGMENT_FIELD_COUNT];
	size_t length = 0;

	(void)state;
	fields_of(in, &content, fields);
	for (unsigned int i = 0; i < SEGMENT_FIELD_COUNT; i++) {
		struct text good = fields[i];

		fields[i] = text_of(i == SEGMENT_TENANT || i == SEGMENT_READERS ? "a b" : "?");
		if (i == SEGMENT_NAME || i == SEGMENT_NODE || i == SEGMENT_WRITERS)
			fields[i] = text_of("/ *");
		assert_int_equal(segment_parse(fields, &out, &length, reason),
				 i == SEGMENT_FORMAT ? -HAUL_VERSION : -HAUL_CORRUPT);
		assert_null(out);
		fields[i] = good;
	}
	segment_content_free(&content);
	free(in);
}

static void segment_parse__refuses_oversized_and_cut_buffers(void **state)
{
	struct haul_descriptor *in = descriptor_make("s", 1), *out = NULL;
	struct segment_content content;
	struct text fields[SEGMENT_FIELD_COUNT];
	size_t length = 0;
	size_t rows = (size_t)(HAUL_DESCRIPTOR_BUFFERS_MAX + 1) * BUFFER_ROW_BYTES;
	char *many = malloc(rows);

	(void)state;
	memset(many, '0', rows);
	fields_of(in, &content, fields);
	fields[SEGMENT_BUFFERS].length--;
	assert_int_equal(segment_parse(fields, &out, &length, reason), -HAUL_CORRUPT);
	fields[SEGMENT_BUFFERS] = (struct text){ many, rows };
	assert_int_equal(segment_parse(fields, &out, &length, reason), -HAUL_CORRUPT);
	fields[SEGMENT_BUFFERS] = (struct text){ many, rows - BUFFER_ROW_BYTES };
	assert_int_equal(segment_parse(fields, &out, &length, reason), -HAUL_CORRUPT);
	segment_content_free(&content);
	free(many);
	free(in);
}

static void segment_parse__names_both_formats(void **state)
{
	struct haul_descriptor *in = descriptor_make("s", 1), *out = NULL;
	struct segment_content content;
	struct text fields[SEGMENT_FIELD_COUNT];
	size_t length = 0;

	(void)state;
	fields_of(in, &content, fields);
	fields[SEGMENT_FORMAT] = text_of("42");
	assert_int_equal(segment_parse(fields, &out, &length, reason), -HAUL_VERSION);
	assert_non_null(strstr(reason, "42"));
	assert_non_null(strstr(reason, "speaks " FORMAT_VERSION));
	segment_content_free(&content);
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segment_parse__gives_the_descriptor_back),
		cmocka_unit_test(segment_parse__names_the_malformed_field),
		cmocka_unit_test(segment_parse__refuses_oversized_and_cut_buffers),
		cmocka_unit_test(segment_parse__names_both_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
