/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client that does not keep to the rules: attaches through libhaul, then reaches past it into the rings, the memory and
 * the sockets. Each case is one word; it ends with "OK: ..." when the daemon did to this client what it should, and the
 * script around it looks whether anybody else was harmed.
 *
 *   hostile CASE [SEED]
 */
#include "api/haul.h"
#include "base/error.h"
#include "base/seqpacket.h"
#include "client/attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Everything must have ended long before. */
#define HOSTILE_LIMIT_S  30
#define HOSTILE_LIMIT_US (UINT64_C(10) * 1000000)

#define HOSTILE_MEMORY_BYTES (UINT64_C(4) << 20)
#define HOSTILE_ROUNDS       20000

/* More than a socket's buffer has room for, whatever its size. */
#define HOSTILE_WAKEUPS 2000u
#define HOSTILE_TRIES   100000u

/* Another user, who has no client yet. */
#define HOSTILE_UID 12346

struct hostile {
	struct haul *haul;
	struct haul_memory memory;
	struct haul_remote remote;
	uint64_t seed;
	atomic_bool is_over;
};

static uint64_t hostile_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int hostile_fail(const char *what, int error)
{
	printf("FAILED: %s (%d)\n", what, error);
	return 1;
}

static int hostile_ok(const char *what)
{
	printf("OK: %s\n", what);
	return 0;
}

static void hostile_attach(struct hostile *hostile)
{
	struct haul_options options = { .name = "hostile" };
	struct haul_segment_options memory = { .bytes = HOSTILE_MEMORY_BYTES, .is_private = 1 };
	int error = haul_attach(&options, &hostile->haul);

	if (error == 0)
		error = haul_segment_create(hostile->haul, &memory, &hostile->memory);
	if (error == 0)
		error = haul_segment_open(hostile->haul, "victim", HAUL_READ | HAUL_WRITE,
					  &hostile->remote);
	if (error == 0)
		return;
	printf("FAILED: %s: %s\n", error_name(error), haul_reason(hostile->haul));
	exit(1);
}

static int hostile_submit_nop(struct hostile *hostile)
{
	struct haul_entry *entry = haul_entry_next(hostile->haul);

	return entry != NULL ? haul_submit(hostile->haul) : -1;
}

/* The channel must end, for a reason with these words. */
static int hostile_expect_end(struct hostile *hostile, const char *words)
{
	const struct haul_completion *completions;
	int count;

	while ((count = haul_wait(hostile->haul, HOSTILE_LIMIT_US, &completions)) > 0)
		haul_seen(hostile->haul, (unsigned int)count);
	if (count != -HAUL_DISCONNECTED || strstr(haul_reason(hostile->haul), words) == NULL) {
		printf("the reason: %s\n", haul_reason(hostile->haul));
		return hostile_fail(words, count);
	}
	return hostile_ok(haul_reason(hostile->haul));
}

/* submission_tail far ahead of what the ring can hold. */
static int hostile_tail(struct hostile *hostile)
{
	struct haul *haul = hostile->haul;

	ring_store_release(&haul->header->submission_tail.value,
			   haul->submission_tail + haul->entries_count + 1);
	eventfd_write(haul->doorbell_fd, 1);
	return hostile_expect_end(hostile, "submission_tail");
}

/* completion_head beyond what was ever completed. */
static int hostile_head(struct hostile *hostile)
{
	ring_store_release(&hostile->haul->header->completion_head.value, 99);
	hostile_submit_nop(hostile);
	return hostile_expect_end(hostile, "completion_head");
}

/* The whole header overwritten with noise, except what would only make the daemon ignore us. */
static int hostile_header(struct hostile *hostile)
{
	struct haul *haul = hostile->haul;
	uint8_t *header = (uint8_t *)haul->header;

	for (size_t i = 0; i < sizeof(*haul->header); i++)
		header[i] = (uint8_t)hostile_random(&hostile->seed);
	eventfd_write(haul->doorbell_fd, 1);
	/* state was overwritten too, so libhaul cannot tell more than that the channel is closed. */
	for (int i = 0; i < 100; i++) {
		if (!ask_is_connected(haul))
			return hostile_ok("the daemon let go of a channel of noise");
		usleep(50000);
	}
	return hostile_fail("a channel of noise lives on", 0);
}

static void hostile_noise(struct haul_entry *entry, uint64_t *seed, uint64_t keep)
{
	uint64_t *words = (uint64_t *)(void *)entry;

	for (int i = 0; i < 8; i++)
		words[i] = hostile_random(seed);
	entry->user_data = keep;
	/* Some of it nearly right, to get past the first checks. */
	if (hostile_random(seed) % 2 != 0) {
		entry->opcode %= 8;
		entry->flags = 0;
		entry->reserved = 0;
		entry->batch = 0;
		entry->tag = 0;
		entry->value = 0;
		entry->length %= 100000;
		entry->timeout_ms = 2000;
	}
	if (entry->opcode == HAUL_OP_CANCEL && hostile_random(seed) % 2 != 0) {
		uint64_t user_data = entry->user_data;

		memset(entry, 0, sizeof(*entry));
		haul_prep_cancel(entry, (enum haul_match)(hostile_random(seed) % 5),
				 hostile_random(seed) % 2 != 0 ? 0 : user_data - 1);
		entry->user_data = user_data;
	}
}

/* Entries of noise, no two batches alike: each one is answered exactly once. */
static int hostile_garbage(struct hostile *hostile)
{
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;
	uint64_t submitted = 0;
	uint64_t expected = 0;

	while (submitted < HOSTILE_ROUNDS || haul_open_operations(haul) > 0) {
		struct haul_entry *entry;
		int count;

		while (submitted < HOSTILE_ROUNDS && (entry = haul_entry_next(haul)) != NULL) {
			hostile_noise(entry, &hostile->seed, submitted++);
			entry->batch = hostile_random(&hostile->seed) % 2 != 0 ? 0 : 256;
		}
		if (haul_submit(haul) < 0)
			return hostile_fail("the channel was closed for bad entries", 0);
		count = haul_wait(haul, HOSTILE_LIMIT_US, &completions);
		if (count <= 0)
			return hostile_fail("a bad entry was not answered", count);
		for (int i = 0; i < count; i++)
			expected += completions[i].user_data + 1;
		haul_seen(haul, (unsigned int)count);
	}
	if (expected != (uint64_t)HOSTILE_ROUNDS * (HOSTILE_ROUNDS + 1) / 2)
		return hostile_fail("an entry was answered twice", 0);
	return hostile_ok("each bad entry was answered once");
}

/* Noise in batches too; nobody knows what is due then, but all ends within the entries' time. */
static int hostile_batches(struct hostile *hostile)
{
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;

	for (int i = 0; i < HOSTILE_ROUNDS; i++) {
		struct haul_entry *entry = haul_entry_next(haul);
		int count = haul_peek(haul, &completions);

		if (entry != NULL) {
			hostile_noise(entry, &hostile->seed, 0);
			entry->batch = (uint32_t)hostile_random(&hostile->seed) % 4;
			entry->flags = (uint8_t)(hostile_random(&hostile->seed) % 4);
			entry->timeout_ms = 100;
			haul_submit(haul);
		}
		if (count < 0)
			return hostile_fail("the channel was closed for odd batches", count);
		haul_seen(haul, (unsigned int)count);
	}
	return hostile_ok("odd batches");
}

/* As many cancellations as the ring takes, most of the same operations, and of each other. */
static int hostile_cancels(struct hostile *hostile)
{
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;
	uint64_t completed = 0;
	uint64_t submitted = 0;

	while (submitted < HOSTILE_ROUNDS || haul_open_operations(haul) > 0) {
		struct haul_entry *entry;
		int count;

		while (submitted < HOSTILE_ROUNDS && (entry = haul_entry_next(haul)) != NULL) {
			uint64_t random = hostile_random(&hostile->seed);

			if (random % 4 == 0)
				haul_prep_write(entry, &hostile->memory, 0, &hostile->remote, 0,
						1 << 20);
			else
				haul_prep_cancel(entry,
						 random % 8 == 1 ? HAUL_MATCH_ALL
								 : HAUL_MATCH_USER_DATA,
						 random % 8 == 1 ? 0 : random >> 8 & 3);
			entry->user_data = random >> 16 & 3;
			submitted++;
		}
		if (haul_submit(haul) < 0)
			return hostile_fail("the channel was closed", 0);
		count = haul_wait(haul, HOSTILE_LIMIT_US, &completions);
		if (count <= 0)
			return hostile_fail("an entry was not answered", count);
		completed += (uint64_t)count;
		haul_seen(haul, (unsigned int)count);
	}
	return completed == HOSTILE_ROUNDS ? hostile_ok("each cancellation was answered once")
					   : hostile_fail("answers", (int)completed);
}

/* A removal, a publication or a retirement of its own memory, of nothing, or of what is another's. */
static void hostile_errand(struct hostile *hostile, struct haul_entry *entry)
{
	uint64_t random = hostile_random(&hostile->seed);
	uint64_t region = random % 2 != 0 ? hostile->memory.region : random >> 8 & 0x3ffffff;

	entry->opcode = (uint8_t)(HAUL_OP_BUFFER_REMOVE + random / 2 % 3);
	entry->local_region = haul_u48_make(region);
	if (entry->opcode != HAUL_OP_EXTENT_PUBLISH)
		return;
	entry->local_offset = haul_u48_make(random >> 16);
	entry->value = random >> (random % 64);
}

/* More of them than may be under way, beside operations on the very memory that goes: each is answered once. */
static int hostile_errands(struct hostile *hostile)
{
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;
	uint64_t completed = 0;
	uint64_t submitted = 0;

	while (submitted < HOSTILE_ROUNDS || haul_open_operations(haul) > 0) {
		struct haul_entry *entry;
		int count;

		while (submitted < HOSTILE_ROUNDS && (entry = haul_entry_next(haul)) != NULL) {
			if (++submitted % 4 == 0)
				haul_prep_write(entry, &hostile->memory, 0, &hostile->remote, 0,
						1 << 20);
			else
				hostile_errand(hostile, entry);
		}
		if (haul_submit(haul) < 0)
			return hostile_fail("the channel was closed", 0);
		count = haul_wait(haul, HOSTILE_LIMIT_US, &completions);
		if (count <= 0)
			return hostile_fail("an entry was not answered", count);
		completed += (uint64_t)count;
		haul_seen(haul, (unsigned int)count);
	}
	return completed == HOSTILE_ROUNDS ? hostile_ok("each errand was answered once")
					   : hostile_fail("answers", (int)completed);
}

static void *hostile_flip_entries(void *argument)
{
	struct hostile *hostile = argument;
	struct haul *haul = hostile->haul;
	volatile uint64_t *words = (volatile uint64_t *)(void *)haul->entries;
	uint64_t seed = hostile->seed + 1;

	while (!atomic_load(&hostile->is_over))
		words[hostile_random(&seed) % (haul->entries_count * 8)] = hostile_random(&seed);
	return NULL;
}

/* Entries that change while the daemon takes them: what it checked must be what it uses. */
static int hostile_flip(struct hostile *hostile)
{
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;
	pthread_t thread;
	int count = 0;

	if (pthread_create(&thread, NULL, hostile_flip_entries, hostile) != 0)
		return 1;
	for (int i = 0; i < HOSTILE_ROUNDS && count >= 0; i++) {
		struct haul_entry *entry = haul_entry_next(haul);

		if (entry != NULL) {
			haul_prep_write(entry, &hostile->memory, 0, &hostile->remote, 0, 64);
			entry->timeout_ms = 100;
		}
		haul_submit(haul);
		count = haul_peek(haul, &completions);
		if (count > 0)
			haul_seen(haul, (unsigned int)count);
		/* Flipped batches leave libhaul's own account behind: it is no party to this. */
		memset(haul->batches, 0, sizeof(haul->batches));
		haul->due = 0;
	}
	atomic_store(&hostile->is_over, true);
	pthread_join(thread, NULL);
	return count >= 0 ? hostile_ok("entries that change") : hostile_fail("closed", count);
}

static void *hostile_punch_holes(void *argument)
{
	struct hostile *hostile = argument;
	uint64_t seed = hostile->seed + 2;

	while (!atomic_load(&hostile->is_over)) {
		uint64_t page = hostile_random(&seed) % (HOSTILE_MEMORY_BYTES / 4096);

		/* As fallocate(FALLOC_FL_PUNCH_HOLE) on the memory's descriptor. */
		madvise((char *)hostile->memory.address + page * 4096, 4096, MADV_REMOVE);
	}
	return NULL;
}

/* Holes in registered memory while it is copied from and to: what is lost is this client's own. */
static int hostile_holes(struct hostile *hostile)
{
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;
	pthread_t thread;
	int count = 0;

	if (pthread_create(&thread, NULL, hostile_punch_holes, hostile) != 0)
		return 1;
	for (int i = 0; i < 400 && count >= 0; i++) {
		struct haul_entry *entry = haul_entry_next(haul);
		uint64_t offset = (uint64_t)(i % 3) << 20;

		if (i % 2 == 0)
			haul_prep_write(entry, &hostile->memory, offset, &hostile->remote, 0,
					1 << 20);
		else
			haul_prep_read(entry, &hostile->memory, offset, &hostile->remote, 0,
				       1 << 20);
		haul_submit(haul);
		count = haul_wait(haul, HOSTILE_LIMIT_US, &completions);
		if (count <= 0)
			break;
		if (completions->status != HAUL_OK && completions->status != HAUL_FAULT)
			return hostile_fail(error_text(completions->status), completions->reason);
		haul_seen(haul, (unsigned int)count);
	}
	atomic_store(&hostile->is_over, true);
	pthread_join(thread, NULL);
	return count > 0 ? hostile_ok("holes in memory")
			 : hostile_fail("an operation hangs", count);
}

/* Give memory that is not fit to be given: refused with a word of why, and the channel lives on. */
static int hostile_give(struct hostile *hostile, int fd, const char *words)
{
	struct haul_segment_options options = {
		.bytes = HOSTILE_MEMORY_BYTES, .is_private = 1, .is_given = 1, .fd = fd
	};
	struct haul_memory memory;
	int error = fd < 0 ? -errno : haul_segment_create(hostile->haul, &options, &memory);

	if (fd >= 0)
		close(fd);
	if (error == -HAUL_INVALID && strstr(haul_reason(hostile->haul), words) != NULL)
		return 0;
	printf("the reason: %s\n", haul_reason(hostile->haul));
	return hostile_fail(words, error);
}

static int hostile_memfd(uint64_t bytes, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0 ? fd : -1;
}

/* The same memory, opened again with another mode. */
static int hostile_reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	close(fd);
	return again;
}

/* Memory of this client's own: none that may vanish is taken, and what is taken is punched, grown and unmapped. */
static int hostile_given(struct hostile *hostile)
{
	const uint64_t bytes = HOSTILE_MEMORY_BYTES;
	struct haul_segment_options options = { .bytes = bytes,
						.is_private = 1,
						.is_given = 1,
						.fd = hostile_memfd(bytes, F_SEAL_SHRINK) };
	int error;

	if (hostile_give(hostile, hostile_memfd(bytes, F_SEAL_GROW), "F_SEAL_SHRINK") != 0 ||
	    hostile_give(hostile, hostile_memfd(bytes / 2, F_SEAL_SHRINK), "of a memfd of") != 0 ||
	    hostile_give(hostile, hostile_memfd(0, F_SEAL_SHRINK), "of a memfd of 0") != 0 ||
	    hostile_give(hostile, open("/dev/zero", O_RDWR | O_CLOEXEC), "no memfd") != 0 ||
	    hostile_give(hostile, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "no memfd") != 0 ||
	    hostile_give(hostile, dup(hostile->haul->wake_fd), "no memfd") != 0 ||
	    hostile_give(hostile, dup(hostile->haul->doorbell_fd), "no memfd") != 0 ||
	    hostile_give(hostile, hostile_reopen(hostile_memfd(bytes, F_SEAL_SHRINK), O_RDONLY),
			 "reading and writing") != 0 ||
	    hostile_give(hostile, hostile_memfd(bytes, F_SEAL_SHRINK | F_SEAL_WRITE),
			 "sealed against writing") != 0)
		return 1;
	error = haul_segment_create(hostile->haul, &options, &hostile->memory);
	if (error != 0)
		return hostile_fail(haul_reason(hostile->haul), error);
	hostile->memory.address =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, options.fd, 0);
	if (ftruncate(options.fd, (off_t)bytes / 2) == 0)
		return hostile_fail("the seal does not hold", 0);
	if (ftruncate(options.fd, (off_t)bytes * 2) != 0)
		return hostile_fail("ftruncate", errno);
	return hostile_holes(hostile);
}

/* A hole where the rings were: all indexes are zero again. */
static int hostile_ring_hole(struct hostile *hostile)
{
	struct haul *haul = hostile->haul;

	for (int i = 0; i < 5; i++) {
		const struct haul_completion *completions;

		hostile_submit_nop(hostile);
		if (haul_wait(haul, HOSTILE_LIMIT_US, &completions) != 1)
			return hostile_fail("a NOP", 0);
		haul_seen(haul, 1);
	}
	if (madvise(haul->header, haul->ring_bytes, MADV_REMOVE) != 0)
		return hostile_fail("madvise", errno);
	eventfd_write(haul->doorbell_fd, 1);
	for (int i = 0; i < 100; i++) {
		if (!ask_is_connected(haul))
			return hostile_ok("the daemon let go of a channel with a hole");
		usleep(50000);
	}
	return hostile_fail("a channel with a hole lives on", 0);
}

/* Notify ourselves, then claim to have read what was never written. */
static int hostile_notified(struct hostile *hostile)
{
	struct haul_segment_options options = { .name = "hostile/notified", .bytes = 4096 };
	struct haul *haul = hostile->haul;
	struct haul_memory memory;
	struct haul_remote remote;
	int error = haul_segment_create(haul, &options, &memory);

	if (error == 0)
		error = haul_segment_open(haul, options.name, HAUL_WRITE, &remote);
	if (error != 0)
		return hostile_fail(haul_reason(haul), error);
	ring_store_release(&haul->header->notification_head.value, 12345);
	for (int i = 0; i < 3; i++) {
		struct haul_entry *entry = haul_entry_next(haul);

		if (entry == NULL)
			return hostile_fail("no entry", i);
		haul_prep_notification(entry, &remote, 0, 1, 2);
		entry->timeout_ms = 1000;
	}
	haul_submit(haul);
	return hostile_expect_end(hostile, "notification_head");
}

/* Submit and never look at what comes back: the daemon stops taking, and goes on when we do look. */
static int hostile_flood(struct hostile *hostile)
{
	struct haul *haul = hostile->haul;
	uint32_t tail = 0;
	uint32_t seen = 0;

	for (int i = 0; i < 100; i++) {
		tail = ring_load_acquire(&haul->header->submission_head.value) +
		       haul->entries_count;
		memset(haul->entries, 0, haul->entries_count * sizeof(struct haul_entry));
		ring_store_release(&haul->header->submission_tail.value, tail);
		eventfd_write(haul->doorbell_fd, 1);
		usleep(1000);
	}
	if (ring_load_acquire(&haul->header->completion_tail.value) > haul->completions_count)
		return hostile_fail("the completion ring ran over", 0);
	for (int i = 0; i < 1000 && seen != tail; i++) {
		seen = ring_load_acquire(&haul->header->completion_tail.value);
		ring_store_release(&haul->header->completion_head.value, seen);
		eventfd_write(haul->doorbell_fd, 1);
		usleep(1000);
	}
	return seen == tail ? hostile_ok("all of a flood was answered")
			    : hostile_fail("a flood was not answered", (int)(tail - seen));
}

/* The wake-up made a trap: this end neither reads nor has room, and asks to be woken all the time. */
static int hostile_block_wake(struct hostile *hostile)
{
	struct haul *haul = hostile->haul;
	int bytes = 1;

	fcntl(haul->wake_fd, F_SETFL, 0);
	setsockopt(haul->wake_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	for (uint32_t i = 1; i <= HOSTILE_WAKEUPS; i++) {
		uint64_t tries = 0;

		ring_store_release(&haul->header->client_sleeps.value, 1);
		/* Past libhaul's own account, since nothing is seen by it. */
		haul->due = 0;
		if (hostile_submit_nop(hostile) < 0)
			return hostile_fail("the channel was closed", (int)i);
		while (ring_load_acquire(&haul->header->completion_tail.value) != i) {
			if (tries++ > HOSTILE_TRIES)
				return hostile_fail("the worker sleeps over its wake-up", (int)i);
			usleep(10);
		}
		ring_store_release(&haul->header->completion_head.value, i);
	}
	return hostile_ok("the worker does not wait to wake us");
}

static void *hostile_steal_rings(void *argument)
{
	const int *doorbell_fd = argument;
	eventfd_t value;

	/* Blocks, and ends with the process. */
	for (;;)
		eventfd_read(*doorbell_fd, &value);
	return NULL;
}

/* The doorbell made a trap: blocking, and emptied by somebody else before the daemon could read it. */
static int hostile_block_doorbell(struct hostile *hostile)
{
	static int doorbell_fd;
	const struct haul_completion *completions;
	struct haul *haul = hostile->haul;
	pthread_t thread;

	doorbell_fd = haul->doorbell_fd;
	fcntl(doorbell_fd, F_SETFL, 0);
	/* libhaul rings another bell from now on, which would otherwise free a worker that sleeps in a read. */
	haul->doorbell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (int i = 0; i < 4; i++) {
		if (pthread_create(&thread, NULL, hostile_steal_rings, &doorbell_fd) != 0)
			return 1;
	}
	for (int i = 0; i < 300; i++) {
		usleep(500);
		eventfd_write(doorbell_fd, 1);
		usleep(500);
		hostile_submit_nop(hostile);
		if (haul_wait(haul, HOSTILE_LIMIT_US / 2, &completions) != 1)
			return hostile_fail("the worker sleeps over its doorbell", i);
		haul_seen(haul, 1);
	}
	return hostile_ok("the worker does not wait for a doorbell");
}

/* As another user: many connections that never say hello. The well-behaved one is a child that stayed who it was. */
static int hostile_strangers(struct hostile *hostile)
{
	int started[2];
	char byte = 0;
	int count = 0;
	pid_t pid;

	(void)hostile;
	if (pipe(started) != 0)
		return 1;
	pid = fork();
	if (pid != 0) {
		if (setuid(HOSTILE_UID) != 0)
			return hostile_fail("setuid", errno);
		for (int i = 0; i < 1000; i++)
			count += seqpacket_connect(getenv("HAUL_SOCKET"), SEQPACKET_NONBLOCK) >= 0;
		usleep(200000);
		printf("%d strangers\n", count);
		if (write(started[1], &byte, 1) != 1)
			return 1;
		return waitpid(pid, &count, 0) == pid && count == 0 ? 0 : 1;
	}
	if (read(started[0], &byte, 1) != 1)
		return 1;
	if (haul_attach(NULL, &hostile->haul) == 0)
		return hostile_ok("strangers take nobody's place");
	printf("%s\n", haul_reason(NULL));
	return hostile_fail("strangers keep others out", 0);
}

/* What is sent raw on a socket of its own, and what becomes of it. */
struct hostile_message {
	const char *what;
	uint32_t bytes;
	uint16_t version;
	uint16_t type;
	uint32_t length; /* in the frame; 0 = as sent */
	uint32_t magic;  /* 0 = the right one */
	unsigned int fds;
	const char *words; /* in the refusal; NULL = the socket is closed */
};

static const struct hostile_message hostile_messages[] = {
	{ "noise", 24, 1, 1, 0, 0x12345678, 0, "magic" },
	{ "a frame cut short", 10, 1, 1, 0, 0, 0, "no room for a frame" },
	{ "a hello cut short", 40, 1, HAUL_ATTACH_HELLO, 0, 0, 0, "bytes" },
	{ "a length that lies", 96, 1, HAUL_ATTACH_HELLO, 4000, 0, 0, "its frame says" },
	{ "another version", 96, 9, HAUL_ATTACH_HELLO, 0, 0, 0, "version 9" },
	{ "an unknown type", 96, 1, 77, 0, 0, 0, "type 77" },
	{ "a create before the hello", sizeof(struct haul_attach_segment_create), 1,
	  HAUL_ATTACH_SEGMENT_CREATE, 0, 0, 0, "HELLO" },
	{ "a message longer than any", HAUL_FRAME_BYTES_MAX + 1, 1, 1, 0, 0, 0, NULL },
	{ "descriptors that nobody asked for", 96, 1, HAUL_ATTACH_HELLO, 0, 0, 2, NULL },
};

/* Send one and look at the answer; 0 when it is as it should be. */
static int hostile_send(const struct hostile_message *message)
{
	static uint8_t bytes[HAUL_FRAME_BYTES_MAX + 8];
	struct haul_frame *frame = (struct haul_frame *)(void *)bytes;
	struct haul_attach_plain_answer answer = { .frame.status = 0 };
	const int fds[2] = { STDIN_FILENO, STDOUT_FILENO };
	unsigned int fd_count = 0;
	ssize_t length;
	int fd = seqpacket_connect(getenv("HAUL_SOCKET"), 0);

	memset(bytes, 0, sizeof(bytes));
	frame_fill(frame, message->version, message->type,
		   message->length != 0 ? message->length : message->bytes, 7);
	if (message->magic != 0)
		frame->magic = message->magic;
	if (fd < 0 || seqpacket_send(fd, bytes, message->bytes, fds, message->fds) != 0)
		return hostile_fail(message->what, errno);
	length = seqpacket_receive(fd, &answer, sizeof(answer), NULL, 0, &fd_count);
	close(fd);
	if (message->words == NULL)
		return length <= 0 ? 0 : hostile_fail(message->what, (int)length);
	answer.answer.reason[HAUL_REASON_BYTES - 1] = 0;
	if (length > 0 && answer.frame.status != 0 &&
	    strstr(answer.answer.reason, message->words) != NULL)
		return 0;
	printf("status %u: %s\n", answer.frame.status, answer.answer.reason);
	return hostile_fail(message->what, (int)length);
}

static int hostile_messages_all(struct hostile *hostile)
{
	(void)hostile;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_messages); i++) {
		if (hostile_send(&hostile_messages[i]) != 0)
			return 1;
	}
	return hostile_ok("each bad message was refused with its sentence");
}

/* A second request before the answer to the first. */
static int hostile_impatient(struct hostile *hostile)
{
	struct haul_attach_segment_open message = { .rights = HAUL_RIGHT_READ, .name = "victim" };

	for (uint32_t i = 0; i < 64; i++) {
		frame_fill(&message.frame, HAUL_ATTACH_VERSION, HAUL_ATTACH_SEGMENT_OPEN,
			   sizeof(message), 100 + i);
		seqpacket_send(hostile->haul->socket_fd, &message, sizeof(message), NULL, 0);
	}
	return hostile_expect_end(hostile, "daemon");
}

static const struct {
	const char *name;
	int (*run)(struct hostile *hostile);
} hostile_cases[] = {
	{ "tail", hostile_tail },
	{ "head", hostile_head },
	{ "header", hostile_header },
	{ "garbage", hostile_garbage },
	{ "batches", hostile_batches },
	{ "flip", hostile_flip },
	{ "cancels", hostile_cancels },
	{ "errands", hostile_errands },
	{ "holes", hostile_holes },
	{ "given", hostile_given },
	{ "ring-hole", hostile_ring_hole },
	{ "notified", hostile_notified },
	{ "flood", hostile_flood },
	{ "block-wake", hostile_block_wake },
	{ "block-doorbell", hostile_block_doorbell },
	{ "strangers", hostile_strangers },
	{ "messages", hostile_messages_all },
	{ "impatient", hostile_impatient },
};

int main(int argc, char **argv)
{
	struct hostile hostile = { .seed = argc > 2 ? strtoull(argv[2], NULL, 0)
						    : (uint64_t)time(NULL) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(HOSTILE_LIMIT_S);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(hostile_cases); i++) {
		if (strcmp(argv[1], hostile_cases[i].name) != 0)
			continue;
		printf("seed %llu\n", (unsigned long long)hostile.seed);
		hostile_attach(&hostile);
		return hostile_cases[i].run(&hostile);
	}
	fprintf(stderr, "hostile: see the end of hostile.c for its cases\n");
	return 2;
}
