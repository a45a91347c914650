/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long the first operation after a pause takes: an application that does nothing for a while, writes 8 bytes into a
 * segment of another node, and waits for the completion, again and again. Pauses differ, so that none keeps step with
 * anybody's sleeps. HAUL_SOCKET names the daemon.
 *
 *     first SEGMENT COUNT PAUSE-MS      prints p50_us=65.1 p99_us=540.2 max_us=601.0
 */
#include "api/haul.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_BYTES   8u
#define FIRST_WAIT_US UINT64_C(5000000)

struct first {
	struct haul *haul;
	struct haul_memory memory;
	struct haul_remote remote;
};

static void first_check(const struct first *first, int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "first: %s: %s: %s\n", what, haul_error_text(result),
		first->haul != NULL ? haul_reason(first->haul) : "");
	exit(EXIT_FAILURE);
}

static uint32_t first_write(struct first *first)
{
	const struct haul_completion *completion;
	uint64_t start_ns = clock_now_ns();
	struct haul_entry *entry = haul_entry_next(first->haul);

	haul_prep_write(entry, &first->memory, 0, &first->remote, 0, FIRST_BYTES);
	first_check(first, haul_submit(first->haul), "submit");
	first_check(first, haul_wait(first->haul, FIRST_WAIT_US, &completion), "wait");
	first_check(first, -(int)completion->status, "an operation");
	haul_seen(first->haul, 1);
	return (uint32_t)(clock_now_ns() - start_ns);
}

static int first_compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left;
	uint32_t b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	struct haul_segment_options options = { .name = "first", .bytes = 4096, .is_private = 1 };
	struct first first = { 0 };
	uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	uint32_t pause_ms = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	uint32_t *times_ns = calloc(count + 1, sizeof(*times_ns));

	if (count == 0 || pause_ms == 0 || times_ns == NULL) {
		fprintf(stderr, "usage: first SEGMENT COUNT PAUSE-MS\n");
		return 2;
	}
	first_check(&first, haul_attach(NULL, &first.haul), "attach");
	first_check(&first, haul_segment_create(first.haul, &options, &first.memory), "memory");
	first_check(&first, haul_segment_open(first.haul, argv[1], HAUL_WRITE, &first.remote),
		    argv[1]);
	first_write(&first); /* connects */
	for (uint32_t i = 0; i < count; i++) {
		usleep(pause_ms * 500 + (uint32_t)(i * 7919u % 1000u) * pause_ms);
		times_ns[i] = first_write(&first);
	}
	qsort(times_ns, count, sizeof(*times_ns), first_compare);
	printf("p50_us=%.1f p99_us=%.1f max_us=%.1f\n", times_ns[(count - 1) / 2] / 1e3,
	       times_ns[(uint64_t)(count - 1) * 99 / 100] / 1e3, times_ns[count - 1] / 1e3);
	haul_detach(first.haul);
	free(times_ns);
	return 0;
}
