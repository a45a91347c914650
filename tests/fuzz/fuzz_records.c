/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: whatever Redis answers, a record parses into something that passes the check of descriptors, or it is refused;
 * nothing is read or written beyond. Method: the texts of a good record, with bytes changed, texts cut, doubled and
 * swapped as the input says. Run under AddressSanitizer to see a read beyond.
 *
 * With libFuzzer this is LLVMFuzzerTestOneInput alone; else main runs seeded random inputs for some seconds:
 *
 *     fuzz_records [--seconds N] [--seed S]
 */
#include "api/haul_abi.h"
#include "api/haul_attach.h"
#include "base/check.h"
#include "base/descriptor.h"
#include "controlplane/model/node.h"
#include "controlplane/model/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define TEXTS (SEGMENT_FIELD_COUNT + NODE_LIST_FIELD_COUNT)

/* A segment's record and its owner's, as segment_get gives them, and the count that a listing adds. */
static const char *const good[TEXTS] = {
	"2",
	"segment",
	"a",
	"00000000000000a1",
	"00000000000000000007",
	"00000000000000016384",
	"owner",
	"guest,friend",
	"*",
	"02 04 12b7 0a000001000000000000000000000000\n"
	"02 06 12b7 00000000000000000000000000000001\n",
	"0000000000000000 0000000000001000 000001000000 03 01\n"
	"0000000000002000 0000000000001000 000001000001 01 01\n",
	"00000000000000000003",
	"00112233445566778899aabbccddeeff",
	"2",
	"a",
	"00000000000000a1",
	"00000000000000000001",
	"6a0e0f3c-9bb5-4cde-9d0e-37c5e3c44c3b",
	"00000000000000000042",
	"present",
	"02 04 12b7 0a000001000000000000000000000000\n",
	"00000000000000000003",
};

/* The texts under test, each in memory of its own and of its own length, so that a byte beyond is seen. */
struct copy {
	struct text texts[TEXTS];
	char *memory[TEXTS];
};

static void text_set(struct copy *copy, unsigned int index, const char *bytes, size_t length)
{
	char *memory = malloc(length + (length == 0));

	BUG_ON(memory == NULL);
	memcpy(memory, bytes, length);
	free(copy->memory[index]);
	copy->memory[index] = memory;
	copy->texts[index] = (struct text){ memory, length };
}

static void text_double(struct copy *copy, unsigned int index)
{
	size_t length = copy->texts[index].length;
	char *twice = malloc(2 * length + 1);

	BUG_ON(twice == NULL);
	memcpy(twice, copy->texts[index].bytes, length);
	memcpy(twice + length, copy->texts[index].bytes, length);
	text_set(copy, index, twice, 2 * length);
	free(twice);
}

/* One change, said by four bytes of the input: which text, what is done to it, where, and with what. */
static void change(struct copy *copy, const uint8_t step[4])
{
	unsigned int index = step[0] % TEXTS, other = step[2] % TEXTS;
	struct text *text = &copy->texts[index];

	switch (step[1] % 5) {
	case 0:
		if (text->length > 0)
			copy->memory[index][step[2] % text->length] = (char)step[3];
		break;
	case 1:
		text_set(copy, index, good[index], step[2] % (strlen(good[index]) + 1));
		break;
	case 2:
		if (text->length < (1u << 20))
			text_double(copy, index);
		break;
	case 3:
		text_set(copy, index, good[other], strlen(good[other]));
		break;
	default:
		if (text->length > 0)
			copy->memory[index][step[2] % text->length] =
				"0123456789abcdef \n"[step[3] % 18];
		break;
	}
}

static void parse_all(const struct copy *copy)
{
	struct haul_descriptor header, *descriptor = NULL;
	struct node_record record;
	size_t length = 0;
	char reason[HAUL_REASON_BYTES];

	if (segment_parse(copy->texts, &descriptor, &length, reason) == 0) {
		BUG_ON(descriptor_check(descriptor, length, reason) != 0);
		free(descriptor);
	}
	if (segment_row_parse(copy->texts, &header, reason) == 0)
		BUG_ON(header.buffer_count > HAUL_DESCRIPTOR_BUFFERS_MAX);
	if (node_parse(copy->texts + SEGMENT_FIELD_COUNT, &record, reason) == 0) {
		BUG_ON(record.incarnation == 0);
		BUG_ON(record.address_count > HAUL_DESCRIPTOR_ADDRESSES_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct copy copy = { 0 };

	for (unsigned int i = 0; i < TEXTS; i++)
		text_set(&copy, i, good[i], strlen(good[i]));
	parse_all(&copy);
	for (size_t at = 0; at + 4 <= bytes; at += 4) {
		change(&copy, data + at);
		parse_all(&copy);
	}
	for (unsigned int i = 0; i < TEXTS; i++)
		free(copy.memory[i]);
	return 0;
}

#ifndef FUZZ_LIBFUZZER

static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), runs = 0;
	time_t end = time(NULL) + 5;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			end = time(NULL) + (time_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
	}
	printf("HAUL_SEED=%" PRIu64 "\n", seed);
	(void)fflush(stdout);
	for (; time(NULL) < end; runs++) {
		uint8_t input[64];

		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)mix(&seed);
		(void)LLVMFuzzerTestOneInput(input, 4 * (1 + mix(&seed) % (sizeof(input) / 4)));
	}
	printf("%" PRIu64 " inputs\n", runs);
	return 0;
}

#endif
