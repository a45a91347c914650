/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A first program: owns a segment, writes into it through the daemon, reads it back. Everything that an application
 * does with haul is here once; against a segment on another node the same calls go over the wire.
 *
 *     cc first.c $(pkg-config --cflags --libs haul) -o first && HAUL_SOCKET=/run/haul/attach.sock ./first
 */
#include <haul/haul.h>
#include <stdio.h>
#include <string.h>

#define BYTES 4096u

/* Two seconds: an operation ends by its own deadline anyway. */
#define WAIT_US 2000000u

static int fail(struct haul *haul, const char *what, int error)
{
	fprintf(stderr, "first: %s: %s: %s\n", what, haul_error_text(error), haul_reason(haul));
	return 1;
}

/* Submit what was prepared and wait for its one completion. Returns 0 or 1. */
static int run(struct haul *haul, const char *what)
{
	const struct haul_completion *completion;
	int count = haul_submit(haul);

	if (count >= 0)
		count = haul_wait(haul, WAIT_US, &completion);
	if (count < 0)
		return fail(haul, what, count);
	if (count == 0)
		return fail(haul, what, HAUL_TIMEOUT);
	printf("%s: %s, %llu bytes in %u us\n", what, haul_error_text(completion->status),
	       (unsigned long long)completion->bytes, completion->time_us);
	count = completion->status != HAUL_OK;
	haul_seen(haul, 1);
	return count;
}

static int first(struct haul *haul)
{
	/* Memory that others may open by name, and memory for this program's own side of operations. */
	const struct haul_segment_options shared = { .name = "examples/first", .bytes = BYTES };
	const struct haul_segment_options private = { .bytes = 2 * BYTES, .is_private = 1 };
	struct haul_memory target;
	struct haul_memory memory;
	struct haul_remote remote;
	char *text;
	int error;

	if ((error = haul_segment_create(haul, &shared, &target)) != 0)
		return fail(haul, "create examples/first", error);
	if ((error = haul_segment_create(haul, &private, &memory)) != 0)
		return fail(haul, "create memory", error);
	if ((error = haul_segment_open(haul, "examples/first", HAUL_READ | HAUL_WRITE, &remote)) !=
	    0)
		return fail(haul, "open examples/first", error);
	printf("node %s, segment of %llu bytes\n", remote.node, (unsigned long long)remote.bytes);

	text = memory.address;
	strcpy(text, "hello from haul");
	haul_prep_write(haul_entry_next(haul), &memory, 0, &remote, 0, BYTES);
	if (run(haul, "WRITE") != 0)
		return 1;
	haul_prep_read(haul_entry_next(haul), &memory, BYTES, &remote, 0, BYTES);
	if (run(haul, "READ") != 0)
		return 1;
	printf("read back: %s\n", text + BYTES);
	return strcmp(text, text + BYTES) != 0;
}

int main(void)
{
	struct haul *haul;
	int error = haul_attach(NULL, &haul);
	int status;

	if (error != 0)
		return fail(NULL, "attach", error);
	status = first(haul);
	haul_detach(haul); /* gives everything back */
	return status;
}
