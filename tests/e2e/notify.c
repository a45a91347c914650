/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two applications for the end-to-end test of notifications: an owner of memory that is told what was written there, and a
 * writer that tells it.
 *
 *   notify owner NAME [PAUSE_US]                           until SIGTERM; READY when the segment is there
 *   notify write NAME TAG FIRST COUNT [MS [SECONDS]]       COUNT WRITEs that notify, values FIRST and on; with SECONDS for
 *                                                          so long, opening and attaching again when it must
 *
 * Value v of a tag below NOTIFY_TAGS is written to slot v % NOTIFY_SLOTS of that tag, with a length and contents that
 * follow from both; some are notifications alone. A slot is used again so late that its reader has been there: its ring
 * holds less than half as many notifications as there are slots. So the owner can verify every byte when it is told of
 * it, that no value comes twice, and by the counts that none is missing. A value whose WRITE failed is not used again.
 *
 * The last line of an owner: "OWNER seen=N doubled=N wrong=N". Of a writer: the statuses and how many, the reason of the
 * last that failed, "WRITER OK=N TIMEOUT=N ... reason". The exit status is 1 when something was doubled or wrong.
 */
#include "api/haul.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTIFY_TAGS       4u
#define NOTIFY_SLOTS      1024u
#define NOTIFY_SLOT_BYTES 512u
#define NOTIFY_TAG_BYTES  (NOTIFY_SLOTS * NOTIFY_SLOT_BYTES)
#define NOTIFY_DEPTH      64u
#define NOTIFY_VALUES     (1u << 20)

struct owner {
	struct haul *haul;
	struct haul_memory memory;
	uint32_t pause_us;
	uint64_t seen;
	uint64_t doubled;
	uint64_t wrong;
	uint8_t values[NOTIFY_TAGS][NOTIFY_VALUES];
};

struct writer {
	struct haul *haul;
	struct haul_memory memory;
	struct haul_remote remote;
	const char *name;
	uint32_t tag;
	uint32_t timeout_ms;
	uint64_t next;     /* value */
	uint64_t end;      /* behind the last value */
	uint64_t until_us; /* 0 = not by time: nothing is mended either */
	uint64_t counts[HAUL_ERROR_COUNT];
	uint16_t reason;
	bool is_open;
};

static uint64_t notify_mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* How long the WRITE of a value is: every eighth is a notification alone. */
static uint32_t notify_length(uint32_t tag, uint64_t value)
{
	return value % 8 == 0 ? 0 : 1 + (uint32_t)(notify_mix(value * 8 + tag) % NOTIFY_SLOT_BYTES);
}

static uint64_t notify_offset(uint32_t tag, uint64_t value)
{
	return tag * (uint64_t)NOTIFY_TAG_BYTES + value % NOTIFY_SLOTS * NOTIFY_SLOT_BYTES;
}

static void notify_fill(uint32_t tag, uint64_t value, uint8_t *bytes)
{
	uint64_t key = notify_mix(value + ((uint64_t)tag << 40));

	for (uint32_t i = 0; i < NOTIFY_SLOT_BYTES; i += 8) {
		uint64_t word = key + i;

		memcpy(bytes + i, &word, 8);
	}
}

static int notify_say(struct haul *haul, int error)
{
	printf("%s: %s\n", error_name(error), haul_reason(haul));
	return 1;
}

/* One notification against everything that is known of it. */
static void owner_check(struct owner *owner, const struct haul_notification *notification)
{
	uint8_t expected[NOTIFY_SLOT_BYTES];
	uint32_t tag = notification->tag;
	uint64_t value = notification->value;

	if (tag >= NOTIFY_TAGS || value >= NOTIFY_VALUES ||
	    notification->bytes != notify_length(tag, value) ||
	    notification->offset != notify_offset(tag, value) ||
	    notification->region != owner->memory.region || notification->incarnation == 0 ||
	    notification->node[0] == 0) {
		owner->wrong++;
		return;
	}
	owner->seen++;
	owner->doubled += owner->values[tag][value]++ != 0;
	notify_fill(tag, value, expected);
	if (memcmp((uint8_t *)owner->memory.address + notification->offset, expected,
		   notification->bytes) != 0)
		owner->wrong++;
}

static int owner_look(struct owner *owner)
{
	const struct haul_notification *notifications;
	int count = haul_notifications_peek(owner->haul, &notifications);

	for (int i = 0; i < count; i++) {
		owner_check(owner, &notifications[i]);
		if (owner->pause_us > 0) {
			haul_notifications_seen(owner->haul, 1);
			usleep(owner->pause_us);
		}
	}
	if (count > 0 && owner->pause_us == 0)
		haul_notifications_seen(owner->haul, (unsigned int)count);
	return count;
}

/* The name of an owner that has just gone is free when its record is. */
static int owner_create(struct owner *owner, const char *name)
{
	struct haul_segment_options options = { .name = name,
						.bytes = NOTIFY_TAGS * NOTIFY_TAG_BYTES,
						.writers = "*" };
	uint64_t limit_us = clock_now_us() + 10000000;
	int error;

	do {
		error = haul_segment_create(owner->haul, &options, &owner->memory);
		if (error == -HAUL_EXISTS)
			usleep(20000);
	} while (error == -HAUL_EXISTS && clock_now_us() < limit_us);
	return error;
}

static volatile sig_atomic_t owner_is_over;

static void owner_stop(int number)
{
	(void)number;
	owner_is_over = 1;
}

static int owner_run(const char *name, uint32_t pause_us)
{
	struct haul_options attach = { .name = "owner", .timeout_ms = 8000 };
	struct owner *owner = calloc(1, sizeof(*owner));
	const struct haul_completion *completions;
	int count = 0;
	int error;

	BUG_ON(owner == NULL);
	owner->pause_us = pause_us;
	error = haul_attach(&attach, &owner->haul);
	if (error == 0)
		error = owner_create(owner, name);
	if (error != 0)
		return notify_say(owner->haul, error);
	printf("READY\n");
	fflush(stdout);
	signal(SIGTERM, owner_stop);
	while (count >= 0 && (count > 0 || !owner_is_over)) {
		if (count == 0 && haul_wait(owner->haul, 1000000, &completions) < 0)
			break;
		count = owner_look(owner);
	}
	printf("OWNER seen=%" PRIu64 " doubled=%" PRIu64 " wrong=%" PRIu64 "\n", owner->seen,
	       owner->doubled, owner->wrong);
	haul_detach(owner->haul);
	return owner->doubled + owner->wrong > 0;
}

static int writer_attach(struct writer *writer)
{
	struct haul_options attach = { .name = "writer", .timeout_ms = 8000 };
	struct haul_segment_options memory = { .bytes = NOTIFY_DEPTH * NOTIFY_SLOT_BYTES,
					       .is_private = 1 };
	int error = haul_attach(&attach, &writer->haul);

	return error != 0 ? error : haul_segment_create(writer->haul, &memory, &writer->memory);
}

static int writer_open(struct writer *writer)
{
	int error = haul_segment_open(writer->haul, writer->name, HAUL_WRITE, &writer->remote);

	writer->is_open = error == 0;
	return error;
}

/* Memory of a value while it is under way: as many as may be, and values end out of order, so the room is looked for. */
static void writer_prepare(struct writer *writer, struct haul_entry *entry, uint32_t room)
{
	uint64_t value = writer->next++;

	notify_fill(writer->tag, value,
		    (uint8_t *)writer->memory.address + room * (size_t)NOTIFY_SLOT_BYTES);
	haul_prep_write(entry, &writer->memory, room * (uint64_t)NOTIFY_SLOT_BYTES, &writer->remote,
			notify_offset(writer->tag, value), notify_length(writer->tag, value));
	haul_prep_notify(entry, writer->tag, value);
	entry->timeout_ms = writer->timeout_ms;
	entry->user_data = room;
}

/* A burst of NOTIFY_DEPTH at most, to the end of each. Returns 0 or a negated error. */
static int writer_burst(struct writer *writer)
{
	const struct haul_completion *completions;
	uint64_t last = MIN(writer->end, writer->next + NOTIFY_DEPTH);
	uint64_t limit_us = clock_now_us() + writer->timeout_ms * 1000ull + 3000000;
	uint32_t open = 0;
	int count;

	while (writer->next < last) {
		struct haul_entry *entry = haul_entry_next(writer->haul);

		BUG_ON(entry == NULL);
		writer_prepare(writer, entry, open++);
	}
	count = haul_submit(writer->haul);
	while (count >= 0 && open > 0 && clock_now_us() < limit_us) {
		count = haul_wait(writer->haul, 1000000, &completions);
		for (int i = 0; i < count; i++) {
			writer->counts[completions[i].status]++;
			if (completions[i].status == HAUL_STALE)
				writer->is_open = false;
			if (completions[i].status != HAUL_OK)
				writer->reason = completions[i].reason;
		}
		if (count > 0) {
			open -= (uint32_t)count;
			haul_seen(writer->haul, (unsigned int)count);
		}
	}
	if (count < 0)
		return count;
	return open == 0 ? 0 : -HAUL_INTERNAL;
}

/* Attach and open again, as an application does whose daemon or whose peer was restarted. */
static void writer_recover(struct writer *writer)
{
	if (writer->haul == NULL && writer_attach(writer) != 0) {
		haul_detach(writer->haul);
		writer->haul = NULL;
	}
	if (writer->haul != NULL && !writer->is_open)
		writer_open(writer);
	if (!writer->is_open)
		usleep(20000);
}

static int writer_mend(struct writer *writer)
{
	int error;

	while (clock_now_us() < writer->until_us && writer->next < writer->end) {
		if (!writer->is_open) {
			writer_recover(writer);
			continue;
		}
		error = writer_burst(writer);
		if (error == -HAUL_INTERNAL)
			return error;
		if (error < 0) {
			haul_detach(writer->haul);
			writer->haul = NULL;
		}
		if (error < 0 || !writer->is_open) {
			if (writer->haul != NULL)
				haul_segment_close(writer->haul, &writer->remote);
			writer->is_open = false;
		}
	}
	return 0;
}

static int writer_run(struct writer *writer)
{
	int error = writer_attach(writer);

	if (error == 0)
		error = writer_open(writer);
	if (error != 0)
		return notify_say(writer->haul, error);
	if (writer->until_us != 0)
		error = writer_mend(writer);
	while (writer->until_us == 0 && error == 0 && writer->next < writer->end)
		error = writer_burst(writer);
	printf("WRITER");
	for (int i = 0; i < HAUL_ERROR_COUNT; i++) {
		if (writer->counts[i] > 0)
			printf(" %s=%" PRIu64, error_name(i), writer->counts[i]);
	}
	printf(" end=%s reason=%s\n", error_name(error), reason_text(writer->reason));
	haul_detach(writer->haul);
	return error != 0;
}

int main(int argc, char **argv)
{
	struct writer writer = { .timeout_ms = 20000 };

	if (argc >= 3 && strcmp(argv[1], "owner") == 0)
		return owner_run(argv[2], argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 0);
	if (argc >= 6 && strcmp(argv[1], "write") == 0) {
		writer.name = argv[2];
		writer.tag = (uint32_t)strtoul(argv[3], NULL, 0);
		writer.next = strtoull(argv[4], NULL, 0);
		writer.end = writer.next + strtoull(argv[5], NULL, 0);
		if (argc > 6)
			writer.timeout_ms = (uint32_t)strtoul(argv[6], NULL, 0);
		if (argc > 7)
			writer.until_us = clock_now_us() + strtoull(argv[7], NULL, 0) * 1000000;
		return writer_run(&writer);
	}
	fprintf(stderr, "notify: see the head of notify.c for its commands\n");
	return 2;
}
