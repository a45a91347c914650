/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the ring keeps the last events in order, and the print-out names them.
 * Method: fewer and more events than there is room for, dumped into memory.
 */
#include "base/trace.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static const struct trace_event event_sent = { "sent", "packet", "bytes", NULL };
static const struct trace_event event_plain = { "plain", NULL, NULL, NULL };

static char *dumped(const struct trace_ring *ring)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(file);
	trace_dump(ring, file);
	fclose(file);
	return text;
}

static void trace_init__refuses(void **state)
{
	struct trace_ring ring;

	(void)state;
	assert_int_equal(trace_init(&ring, 0), -EINVAL);
	assert_int_equal(trace_init(&ring, 6), -EINVAL);
	trace_destroy(&ring);
	trace_destroy(NULL);
	trace_point(NULL, &event_plain, 0, 0, 0);
}

static void trace_dump__names_numbers(void **state)
{
	struct trace_ring ring;
	char *text;

	(void)state;
	assert_int_equal(trace_init(&ring, 8), 0);
	trace_point(&ring, &event_sent, 17, 1400, 99);
	trace_point(&ring, &event_plain, 1, 2, 3);
	text = dumped(&ring);
	assert_non_null(strstr(text, " sent packet 17 bytes 1400\n"));
	assert_non_null(strstr(text, " plain\n"));
	free(text);
	trace_destroy(&ring);
}

static void trace_dump__keeps_the_last(void **state)
{
	struct trace_ring ring;
	const char *at;
	char *text;

	(void)state;
	assert_int_equal(trace_init(&ring, 4), 0);
	for (uint64_t i = 0; i < 11; i++)
		trace_point(&ring, &event_sent, i, 0, 0);
	text = dumped(&ring);
	at = text;
	for (unsigned int i = 7; i < 11; i++) {
		unsigned int packet = 0;

		at = strstr(at, "packet ");
		assert_non_null(at);
		assert_int_equal(sscanf(at, "packet %u", &packet), 1);
		assert_int_equal(packet, i);
		at++;
	}
	assert_null(strstr(at, "packet "));
	free(text);
	trace_destroy(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trace_init__refuses),
		cmocka_unit_test(trace_dump__names_numbers),
		cmocka_unit_test(trace_dump__keeps_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
