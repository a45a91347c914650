/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application that adds and removes buffers while a peer writes to them, for buffers_test.sh.
 *
 *   remover INITIATOR TARGET churn SECONDS      buffers come and go at random, under load
 *   remover INITIATOR TARGET extents SECONDS    so do extents of one buffer, by their handles
 *   remover INITIATOR TARGET unavailable REDIS  one is to go while that process stands still
 *   remover INITIATOR TARGET hung DAEMON        one goes while that process, the initiator's daemon, stands still
 *   remover INITIATOR TARGET reads DAEMON       the same while it reads; DAEMON goes on at a line of standard input
 *
 * It attaches to the daemon at the socket INITIATOR, which writes, and to the one at TARGET, where it owns the segment:
 * so it sees what lands, and when. Memory is poisoned when its removal has completed, and looked at again later. The last
 * line has counts and times: `stale` are buffers in which something landed after that, `wrong` anything else that must not
 * be. HAUL_SEED runs it again.
 */
#include "api/haul.h"
#include "base/check.h"
#include "base/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS      8u
#define BUFFER_BYTES (4u << 20)
#define WRITE_BYTES  (256u << 10)
#define DEPTH        16u
#define READS        8u
#define SOURCE_BYTES (READS * BUFFER_BYTES)
#define POISON       0xee
#define PATTERN      0x22 /* what reads must bring */

/* How long after its removal memory is looked at again: twice what may land by the target's clock. */
#define QUARANTINE_US 300000u

/* Longer than anything here takes, on the busiest machine. */
#define PATIENCE_US UINT64_C(30000000)

#define TIMES_MAX 65536u

/* How often reads are stopped before one is certain to have been under way. */
#define READ_TRIES 20u

/* A removal that waits for nothing has ended by then: it takes some milliseconds. */
#define PENDING_US UINT64_C(500000)

enum buffer_state {
	BUFFER_LIVE = 0,
	BUFFER_LEAVES = 1,     /* its removal is under way */
	BUFFER_QUARANTINE = 2, /* poisoned; nothing may change */
};

struct buffer {
	enum buffer_state state;
	struct haul_memory memory;
	uint64_t began_us;
	uint64_t until_us;
};

static struct {
	struct haul *initiator;
	struct haul *owner;
	struct haul_memory source;
	struct haul_memory segment;
	struct haul_remote remote;
	struct buffer buffers[BUFFERS];
	uint64_t seed;
	bool is_divided; /* its buffers are extents of one */
	uint32_t open;   /* writes */
	uint64_t ok;
	uint64_t refused;
	uint64_t removed;
	uint64_t stale;
	uint64_t wrong;
	uint64_t times_us[TIMES_MAX];
} run;

static uint64_t draw(void)
{
	run.seed = run.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return run.seed >> 33;
}

static void must(int error, const struct haul *haul, const char *what)
{
	if (error >= 0)
		return;
	printf("%s: %s: %s\n", what, haul_error_text(error), haul_reason(haul));
	exit(1);
}

static void wrong(const char *what, const struct haul_completion *completion)
{
	run.wrong++;
	printf("wrong: %s: %s: %s\n", what, haul_error_text(completion->status),
	       haul_reason_text(completion->reason));
}

static void add(uint32_t index)
{
	const struct haul_buffer_options options = { .offset = (uint64_t)index * BUFFER_BYTES,
						     .bytes = BUFFER_BYTES };
	struct buffer *buffer = &run.buffers[index];

	buffer->state = BUFFER_LIVE;
	if (!run.is_divided) {
		must(haul_buffer_add(run.owner, run.segment.segment, &options, &buffer->memory),
		     run.owner, "add");
		return;
	}
	must(haul_extent_publish(run.owner, &run.segment, options.offset, BUFFER_BYTES,
				 &buffer->memory.region),
	     run.owner, "publish");
	buffer->memory.address = (char *)run.segment.address + options.offset;
}

static void begin(const char *initiator, const char *target)
{
	struct haul_options options = { .name = "remover", .entries = 64, .timeout_ms = 20000 };
	const struct haul_segment_options source = { .bytes = SOURCE_BYTES, .is_private = 1 };
	const struct haul_segment_options segment = {
		.name = "removed",
		.bytes = run.is_divided ? BUFFERS * BUFFER_BYTES : 0,
		.space_bytes = (uint64_t)BUFFERS * BUFFER_BYTES,
		.is_divided = run.is_divided,
	};

	options.socket_path = initiator;
	must(haul_attach(&options, &run.initiator), NULL, "attach to the initiator");
	options.socket_path = target;
	must(haul_attach(&options, &run.owner), NULL, "attach to the target");
	must(haul_segment_create(run.initiator, &source, &run.source), run.initiator, "source");
	memset(run.source.address, 0x11, SOURCE_BYTES);
	must(haul_segment_create(run.owner, &segment, &run.segment), run.owner, "segment");
	for (uint32_t i = 0; i < BUFFERS; i++)
		add(i);
	must(haul_segment_open(run.initiator, "removed", HAUL_READ | HAUL_WRITE, &run.remote),
	     run.initiator, "open");
}

/* Keep as many writes under way as there may be, to one buffer or (BUFFERS) to any. */
static void write_some(uint32_t index)
{
	while (run.open < DEPTH) {
		struct haul_entry *entry = haul_entry_next(run.initiator);
		uint64_t which = index < BUFFERS ? index : draw() % BUFFERS;
		uint64_t base = run.is_divided ? 0 : which * BUFFER_BYTES;

		if (entry == NULL)
			break;
		haul_prep_write(entry, &run.source, 0, &run.remote,
				base + draw() % (BUFFER_BYTES / WRITE_BYTES) * WRITE_BYTES,
				WRITE_BYTES);
		/* Also by a handle that was retired: it must not name what is there by now. */
		if (run.is_divided)
			haul_prep_extent(entry, run.buffers[which].memory.region);
		run.open++;
	}
	must(haul_submit(run.initiator), run.initiator, "submit");
}

static void count_outcome(const struct haul_completion *completion, const char *what)
{
	if (completion->status == HAUL_OK)
		run.ok++;
	else if (completion->status == HAUL_STALE || completion->status == HAUL_RANGE)
		run.refused++;
	else
		wrong(what, completion);
}

static void take_writes(uint64_t timeout_us)
{
	const struct haul_completion *completions;
	int count = haul_wait(run.initiator, timeout_us, &completions);

	must(count, run.initiator, "wait");
	for (int i = 0; i < count; i++) {
		run.open--;
		count_outcome(&completions[i], "a write");
	}
	haul_seen(run.initiator, (unsigned int)count);
}

static void leave(uint32_t index)
{
	struct buffer *buffer = &run.buffers[index];

	if (run.is_divided) {
		struct haul_entry *entry = haul_entry_next(run.owner);

		if (entry == NULL)
			return;
		haul_prep_extent_retire(entry, buffer->memory.region);
		entry->user_data = index;
	} else {
		must(haul_buffer_remove(run.owner, &buffer->memory, index), run.owner, "remove");
	}
	must(haul_submit(run.owner), run.owner, "submit a removal");
	buffer->state = BUFFER_LEAVES;
	buffer->began_us = clock_now_us();
}

/* The memory is our own: nothing may land in it from here on. */
static void removed(uint32_t index)
{
	struct buffer *buffer = &run.buffers[index];
	uint64_t now_us = clock_now_us();

	run.times_us[run.removed++ % TIMES_MAX] = now_us - buffer->began_us;
	memset(buffer->memory.address, POISON, BUFFER_BYTES);
	buffer->state = BUFFER_QUARANTINE;
	buffer->until_us = now_us + QUARANTINE_US;
}

/* The next completions of removals; returns the last one's status, or -1 when there was none. */
static int take_removals(uint64_t timeout_us)
{
	const struct haul_completion *completions;
	int count = haul_wait(run.owner, timeout_us, &completions);
	int status = -1;

	must(count, run.owner, "wait for removals");
	for (int i = 0; i < count; i++) {
		uint32_t index = (uint32_t)completions[i].user_data;

		status = completions[i].status;
		if (run.buffers[index].state != BUFFER_LEAVES)
			wrong("a second completion", &completions[i]);
		run.buffers[index].state = BUFFER_LIVE;
		if (status == HAUL_OK)
			removed(index);
	}
	haul_seen(run.owner, (unsigned int)count);
	return status;
}

static bool is_poisoned(const struct buffer *buffer)
{
	const uint8_t *bytes = buffer->memory.address;

	return bytes[0] == POISON && memcmp(bytes, bytes + 1, BUFFER_BYTES - 1) == 0;
}

static void look_again(struct buffer *buffer)
{
	run.stale += !is_poisoned(buffer);
	if (!run.is_divided)
		must(haul_buffer_unmap(run.owner, &buffer->memory), run.owner, "unmap");
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static uint64_t quantile(uint64_t count, uint64_t percent)
{
	return count > 0 ? run.times_us[(count - 1) * percent / 100] : 0;
}

static void finish(const char *mode)
{
	uint64_t count = MIN(run.removed, TIMES_MAX);
	uint64_t until_us = clock_now_us() + PATIENCE_US;

	while (run.open > 0 && clock_now_us() < until_us)
		take_writes(10000);
	qsort(run.times_us, count, sizeof(run.times_us[0]), compare);
	printf("REMOVED %s ok=%" PRIu64 " refused=%" PRIu64 " removed=%" PRIu64 " p50_us=%" PRIu64
	       " p99_us=%" PRIu64 " max_us=%" PRIu64 " open=%u stale=%" PRIu64 " wrong=%" PRIu64
	       "\n",
	       mode, run.ok, run.refused, run.removed, quantile(count, 50), quantile(count, 99),
	       quantile(count, 100), run.open, run.stale, run.wrong);
	haul_detach(run.initiator);
	haul_detach(run.owner);
}

static void churn(uint64_t seconds)
{
	uint64_t until_us = clock_now_us() + seconds * 1000000;

	while (clock_now_us() < until_us) {
		uint32_t index = (uint32_t)(draw() % BUFFERS);
		struct buffer *buffer = &run.buffers[index];

		write_some(BUFFERS);
		take_writes(200);
		take_removals(0);
		if (buffer->state == BUFFER_LIVE && draw() % 16 == 0)
			leave(index);
		if (buffer->state != BUFFER_QUARANTINE || clock_now_us() < buffer->until_us)
			continue;
		look_again(buffer);
		add(index);
	}
}

/* Writes to one buffer until some are placed after now. */
static void expect_writes(uint32_t index)
{
	uint64_t until_us = clock_now_us() + PATIENCE_US;
	uint64_t before = run.ok + DEPTH;

	while (run.ok < before && clock_now_us() < until_us) {
		write_some(index);
		take_writes(10000);
	}
	if (run.ok < before) {
		run.wrong++;
		printf("wrong: nothing is placed any more\n");
	}
}

static void unavailable(pid_t redis)
{
	uint64_t until_us = clock_now_us() + PATIENCE_US;

	expect_writes(0);
	kill(redis, SIGSTOP);
	leave(0);
	if (take_removals(PATIENCE_US) != HAUL_UNAVAILABLE) {
		run.wrong++;
		printf("wrong: the removal did not end with UNAVAILABLE\n");
	}
	expect_writes(0);
	kill(redis, SIGCONT);
	/* It may take a while until the control plane has Redis again. */
	do {
		leave(0);
	} while (take_removals(PATIENCE_US) != HAUL_OK && clock_now_us() < until_us);
	usleep(QUARANTINE_US);
	look_again(&run.buffers[0]);
}

static void hung(pid_t daemon)
{
	expect_writes(0);
	write_some(0);
	kill(daemon, SIGSTOP);
	leave(0);
	if (take_removals(PATIENCE_US) != HAUL_OK) {
		run.wrong++;
		printf("wrong: the removal did not end\n");
	}
	kill(daemon, SIGCONT);
	for (uint64_t until_us = clock_now_us() + 2 * QUARANTINE_US; clock_now_us() < until_us;)
		take_writes(10000);
	look_again(&run.buffers[0]);
}

/* Read all of buffer 0 some times over, each into a place of its own. */
static void read_some(void)
{
	memset(run.source.address, 0x11, SOURCE_BYTES);
	for (uint32_t i = 0; i < READS; i++) {
		struct haul_entry *entry = haul_entry_next(run.initiator);

		if (entry == NULL)
			break;
		haul_prep_read(entry, &run.source, (uint64_t)i * BUFFER_BYTES, &run.remote, 0,
			       BUFFER_BYTES);
		entry->user_data = i;
		run.open++;
	}
	must(haul_submit(run.initiator), run.initiator, "submit");
}

/* What was read with OK is what the buffer had before its removal ended: then it was poisoned. */
static void check_read(const struct haul_completion *completion)
{
	const uint8_t *bytes = (uint8_t *)run.source.address + completion->user_data * BUFFER_BYTES;

	if (completion->status != HAUL_OK)
		return;
	run.stale += bytes[0] != PATTERN || memcmp(bytes, bytes + 1, BUFFER_BYTES - 1) != 0;
}

/* Wait for reads until so many are left. */
static void take_reads(uint32_t left)
{
	uint64_t until_us = clock_now_us() + PATIENCE_US;

	while (run.open > left && clock_now_us() < until_us) {
		const struct haul_completion *completions;
		int count = haul_wait(run.initiator, 10000, &completions);

		must(count, run.initiator, "wait for reads");
		for (int i = 0; i < count; i++) {
			run.open--;
			count_outcome(&completions[i], "a read");
			check_read(&completions[i]);
		}
		haul_seen(run.initiator, (unsigned int)count);
	}
}

/* Have the removal of buffer 0 begin while reads of it are under way, and their daemon stands still. */
static bool leave_under_reads(pid_t daemon)
{
	for (uint32_t i = 0; i < READ_TRIES; i++) {
		memset(run.buffers[0].memory.address, PATTERN, BUFFER_BYTES);
		read_some();
		/* One has come, so others are at the target. */
		take_reads(READS - 1);
		kill(daemon, SIGSTOP);
		leave(0);
		if (take_removals(PENDING_US) < 0)
			return true;
		kill(daemon, SIGCONT);
		take_reads(0);
		usleep(QUARANTINE_US);
		look_again(&run.buffers[0]);
		add(0);
	}
	return false;
}

/* An operation of the owner's own node, to which the buffer is as it is at this moment. */
static void expect_refusal(const struct haul_remote *remote)
{
	struct haul_entry *entry = haul_entry_next(run.owner);
	const struct haul_completion *completion;

	haul_prep_read(entry, &run.buffers[1].memory, 0, remote, 0, 64);
	must(haul_submit(run.owner), run.owner, "submit to what drains");
	must(haul_wait(run.owner, PATIENCE_US, &completion), run.owner, "wait for a refusal");
	if (completion->status != HAUL_STALE)
		wrong("a new operation was not refused with STALE", completion);
	haul_seen(run.owner, 1);
}

static void reads(pid_t daemon)
{
	struct haul_remote remote;

	must(haul_segment_open(run.owner, "removed", HAUL_READ, &remote), run.owner, "open");
	if (!leave_under_reads(daemon)) {
		run.wrong++;
		printf("wrong: no removal waited for the reads that were under way\n");
		return;
	}
	expect_refusal(&remote);
	printf("PENDING\n");
	fflush(stdout);
	(void)getchar();
	kill(daemon, SIGCONT);
	if (take_removals(PATIENCE_US) != HAUL_OK) {
		run.wrong++;
		printf("wrong: the removal did not end\n");
	}
	take_reads(0);
	usleep(QUARANTINE_US);
	look_again(&run.buffers[0]);
}

int main(int argc, char **argv)
{
	const char *seed = getenv("HAUL_SEED");
	long number;

	if (argc != 5) {
		printf("usage: remover INITIATOR TARGET churn|extents SECONDS | unavailable|hung|reads PID\n");
		return 2;
	}
	number = strtol(argv[4], NULL, 10);
	run.seed = seed != NULL ? strtoull(seed, NULL, 0) : clock_now_us();
	printf("HAUL_SEED=%" PRIu64 "\n", run.seed);
	run.is_divided = strcmp(argv[3], "extents") == 0;
	begin(argv[1], argv[2]);
	if (run.is_divided || strcmp(argv[3], "churn") == 0)
		churn((uint64_t)number);
	else if (strcmp(argv[3], "unavailable") == 0)
		unavailable((pid_t)number);
	else if (strcmp(argv[3], "reads") == 0)
		reads((pid_t)number);
	else
		hung((pid_t)number);
	finish(argv[3]);
	return run.stale > 0 || run.wrong > 0 || run.open > 0;
}
