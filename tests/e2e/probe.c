/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application for the end-to-end tests: does one thing through libhaul and says in one line what came of it, so that a
 * script can compare it.
 *
 *   probe create NAME BYTES [READERS [WRITERS]]   own a segment until stdin ends; READY when it is there
 *   probe open NAME read|write|both               open it and close it
 *   probe hold NAME read|write|both               open it and keep it until stdin ends; OK when it is open
 *   probe write|read NAME OFFSET LENGTH [MS]      one operation, with a timeout of MS
 *   probe loop NAME SECONDS [MS [BYTES]]          WRITEs and READs of BYTES, 64 KiB unless said, with data verified, one
 *                                                 after another, in four places, until the time is over or SIGTERM comes;
 *                                                 opens again after STALE, attaches again after DISCONNECTED
 *
 * With PROBE_REGION, in hexadecimal, `write` and `read` name that region of the target, and OFFSET is from its start. With
 * PROBE_UID it becomes that user first. Lines: "OK ...", or "STATUS: reason" with the name of the error in capitals. `loop` ends with one line of counts;
 * its exit status is 1 when an operation did not end, ended twice, or read what was not written.
 */
#include "api/haul.h"
#include "base/clock.h"
#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_LOOP_BYTES 65536u

/* How much longer than its timeout an operation may take: scheduling on a busy machine, and the fence. */
#define PROBE_GRACE_US 2000000u

struct probe {
	struct haul *haul;
	struct haul_memory memory;
	struct haul_remote remote;
	bool is_open;
	uint32_t timeout_ms;
	uint64_t region;     /* of the target, 0 = found by the segment's descriptor */
	uint32_t loop_bytes; /* of each operation of a loop; once, the most */
	uint64_t counts[HAUL_ERROR_COUNT];
	uint64_t opened;
	uint64_t attached;
	uint64_t wrong;
	uint64_t overdue;
	uint64_t longest_us;
};

static int probe_say(const struct probe *probe, int error)
{
	printf("%s: %s\n", error_name(error), haul_reason(probe->haul));
	return 1;
}

static int probe_attach(struct probe *probe)
{
	struct haul_options options = { .name = "probe", .timeout_ms = 8000 };
	struct haul_segment_options memory = { .name = "probe/memory",
					       .bytes = 4ull * probe->loop_bytes,
					       .is_private = 1 };
	int error = haul_attach(&options, &probe->haul);

	if (error == 0)
		error = haul_segment_create(probe->haul, &memory, &probe->memory);
	if (error == 0)
		probe->attached++;
	return error;
}

static int probe_open(struct probe *probe, const char *name, const char *rights)
{
	unsigned int wanted = HAUL_READ | HAUL_WRITE;
	int error;

	if (strcmp(rights, "read") == 0)
		wanted = HAUL_READ;
	if (strcmp(rights, "write") == 0)
		wanted = HAUL_WRITE;
	error = haul_segment_open(probe->haul, name, wanted, &probe->remote);
	probe->is_open = error == 0;
	probe->opened += error == 0;
	return error;
}

/* One operation to its end. Returns its status, or a negated error when the channel is gone. */
static int probe_operate(struct probe *probe, bool is_read, uint64_t offset, uint32_t length,
			 struct haul_completion *completion_out)
{
	const struct haul_completion *completions;
	struct haul_entry *entry = haul_entry_next(probe->haul);
	uint64_t start_us = clock_now_us();
	int count;

	if (entry == NULL)
		return -HAUL_INTERNAL;
	if (is_read)
		haul_prep_read(entry, &probe->memory, probe->loop_bytes, &probe->remote, offset,
			       length);
	else
		haul_prep_write(entry, &probe->memory, 0, &probe->remote, offset, length);
	entry->remote_region = haul_u48_make(probe->region);
	entry->timeout_ms = probe->timeout_ms;
	entry->user_data = start_us;
	count = haul_submit(probe->haul);
	if (count < 0)
		return count;
	count = haul_wait(probe->haul, probe->timeout_ms * 1000ull + PROBE_GRACE_US, &completions);
	if (count < 0)
		return count;
	if (count == 0) {
		probe->overdue++;
		return -HAUL_TIMEOUT;
	}
	if (count > 1 || completions[0].user_data != start_us)
		probe->wrong++; /* a second completion of something that has ended */
	*completion_out = completions[0];
	haul_seen(probe->haul, (unsigned int)count);
	if (clock_now_us() - start_us > probe->longest_us)
		probe->longest_us = clock_now_us() - start_us;
	return completion_out->status;
}

static int probe_create(struct probe *probe, char **arguments, int count)
{
	struct haul_segment_options options = {
		.name = arguments[0],
		.bytes = strtoull(arguments[1], NULL, 0),
		.readers = count > 2 ? arguments[2] : "*",
		.writers = count > 3 ? arguments[3] : "*",
	};
	struct haul_memory memory;
	int error = haul_segment_create(probe->haul, &options, &memory);
	char byte;

	if (error != 0)
		return probe_say(probe, error);
	printf("READY version %lu\n", (unsigned long)memory.version);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0) {}
	return 0;
}

static int probe_open_only(struct probe *probe, char **arguments)
{
	int error = probe_open(probe, arguments[0], arguments[1]);

	if (error != 0)
		return probe_say(probe, error);
	printf("OK node %s version %lu bytes %lu\n", probe->remote.node,
	       (unsigned long)probe->remote.version, (unsigned long)probe->remote.bytes);
	return 0;
}

static int probe_hold(struct probe *probe, char **arguments)
{
	int status = probe_open_only(probe, arguments);
	char byte;

	fflush(stdout);
	while (status == 0 && read(STDIN_FILENO, &byte, 1) > 0) {}
	return status;
}

static int probe_once(struct probe *probe, bool is_read, char **arguments)
{
	struct haul_completion completion = { 0 };
	int error = probe_open(probe, arguments[0], is_read ? "read" : "write");

	if (error == 0)
		error = probe_operate(probe, is_read, strtoull(arguments[1], NULL, 0),
				      (uint32_t)strtoul(arguments[2], NULL, 0), &completion);
	if (error < 0)
		return probe_say(probe, error);
	printf("%s: %s (%lu bytes, transport %u, attempts %u)\n", error_name(completion.status),
	       reason_text(completion.reason), (unsigned long)completion.bytes,
	       completion.transport, completion.attempts);
	return completion.status == HAUL_OK ? 0 : 1;
}

static void probe_fill(uint8_t *bytes, uint32_t length, uint64_t seed)
{
	for (uint32_t i = 0; i < length; i += 8) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(bytes + i, &seed, 8);
	}
}

/* Write a pattern and read it back; what was read must be what was written. Returns as probe_operate. */
static int probe_round(struct probe *probe, uint64_t number)
{
	uint8_t *bytes = probe->memory.address;
	struct haul_completion completion;
	uint32_t length = probe->loop_bytes;
	uint64_t offset = number % 4 * length;
	int error;

	probe_fill(bytes, length, number);
	error = probe_operate(probe, false, offset, length, &completion);
	if (error != 0)
		return error;
	probe->counts[HAUL_OK]++;
	memset(bytes + length, 0x5a, length);
	error = probe_operate(probe, true, offset, length, &completion);
	if (error == 0 && memcmp(bytes, bytes + length, length) != 0)
		probe->wrong++;
	return error;
}

/* Mend what can be: attach again, open again. */
static void probe_recover(struct probe *probe, const char *name)
{
	if (probe->haul == NULL && probe_attach(probe) != 0)
		probe->haul = NULL;
	if (probe->haul != NULL && !probe->is_open)
		probe_open(probe, name, "both");
	if (!probe->is_open)
		usleep(20000);
}

static void probe_count(struct probe *probe, int error)
{
	probe->counts[abs(error)]++;
	if (error == HAUL_STALE) {
		haul_segment_close(probe->haul, &probe->remote);
		probe->is_open = false;
	}
	if (error < 0) {
		haul_detach(probe->haul);
		probe->haul = NULL;
		probe->is_open = false;
	}
}

static volatile sig_atomic_t probe_is_stopped;

static void probe_stop(int number)
{
	(void)number;
	probe_is_stopped = 1;
}

static int probe_loop(struct probe *probe, char **arguments)
{
	uint64_t until_us = clock_now_us() + strtoull(arguments[1], NULL, 0) * 1000000;
	uint64_t number = 0;

	signal(SIGTERM, probe_stop);
	probe_open(probe, arguments[0], "both");
	while (clock_now_us() < until_us && !probe_is_stopped) {
		if (!probe->is_open)
			probe_recover(probe, arguments[0]);
		else
			probe_count(probe, probe_round(probe, number++));
	}
	printf("LOOP");
	for (int i = 0; i < HAUL_ERROR_COUNT; i++) {
		if (probe->counts[i] > 0)
			printf(" %s=%lu", error_name(i), (unsigned long)probe->counts[i]);
	}
	printf(" attached=%lu opened=%lu wrong=%lu overdue=%lu longest_ms=%lu\n",
	       (unsigned long)probe->attached, (unsigned long)probe->opened,
	       (unsigned long)probe->wrong, (unsigned long)probe->overdue,
	       (unsigned long)(probe->longest_us / 1000));
	return probe->wrong > 0 || probe->overdue > 0 || probe->counts[HAUL_OK] == 0;
}

static int probe_run(struct probe *probe, int count, char **words)
{
	if (count >= 3 && strcmp(words[0], "create") == 0)
		return probe_create(probe, words + 1, count - 1);
	if (count == 3 && strcmp(words[0], "open") == 0)
		return probe_open_only(probe, words + 1);
	if (count == 3 && strcmp(words[0], "hold") == 0)
		return probe_hold(probe, words + 1);
	if (count >= 4 && (strcmp(words[0], "write") == 0 || strcmp(words[0], "read") == 0)) {
		if (count > 4)
			probe->timeout_ms = (uint32_t)strtoul(words[4], NULL, 0);
		return probe_once(probe, strcmp(words[0], "read") == 0, words + 1);
	}
	if (count >= 3 && strcmp(words[0], "loop") == 0) {
		if (count > 3)
			probe->timeout_ms = (uint32_t)strtoul(words[3], NULL, 0);
		return probe_loop(probe, words + 1);
	}
	fprintf(stderr, "probe: see the head of probe.c for its commands\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct probe probe = { .timeout_ms = 10000, .loop_bytes = PROBE_LOOP_BYTES };
	const char *uid = getenv("PROBE_UID");
	const char *region = getenv("PROBE_REGION");
	int status;
	int error;

	if (region != NULL)
		probe.region = strtoull(region, NULL, 16);
	if (uid != NULL && setuid((uid_t)strtoul(uid, NULL, 10)) != 0)
		return 2;
	if (argc > 5 && strcmp(argv[1], "loop") == 0)
		probe.loop_bytes = (uint32_t)strtoul(argv[5], NULL, 0) / 8 * 8;
	error = probe_attach(&probe);
	if (error != 0)
		return probe_say(&probe, error);
	status = probe_run(&probe, argc - 1, argv + 1);
	haul_detach(probe.haul);
	return status;
}
