/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file, all in host order:
 *
 *     struct file_header
 *     struct file_ring    x thread_count: how many were written, then TRACE_RECORDS slots
 *
 * Record n of a ring stands in slot n modulo TRACE_RECORDS, under the sequence n + 1; a slot that is being written has
 * sequence 0. The writer clears the sequence, writes the words, and sets the sequence; a reader takes the words between
 * two looks at the sequence, and what it took counts when both were the one that it wanted.
 */
#include "base/trace.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAGIC   UINT64_C(0x45434152544c5548) /* "HULTRACE" */
#define FILE_VERSION 1u
#define FILE_MODE    0644

#define RECORD_WORDS (sizeof(struct trace_record) / sizeof(uint32_t))

_Static_assert(sizeof(struct trace_record) % sizeof(uint32_t) == 0, "a record is whole words");
_Static_assert(sizeof(struct trace_record) == 256, "part of the format");

struct file_header {
	uint64_t magic;
	uint32_t version;
	uint32_t thread_count;
	uint32_t record_count; /* of one ring */
	uint32_t record_bytes;
	uint64_t bytes;  /* of the file */
	int64_t wall_us; /* of the wall clock at monotonic 0 */
	uint8_t padding[RING_CACHE_LINE - 40];
};

struct file_slot {
	uint32_t sequence; /* of the record + 1; 0 = being written, or never was */
	uint32_t padding;
	uint32_t words[RECORD_WORDS];
};

struct file_ring {
	uint32_t count; /* records written; wraps */
	uint8_t padding[RING_CACHE_LINE - sizeof(uint32_t)];
	struct file_slot slots[TRACE_RECORDS];
};

struct trace {
	uint8_t *base;
	uint64_t bytes;
	unsigned int thread_count;
	char *path;
};

struct trace_view {
	uint8_t *base;
	uint64_t bytes;
	struct file_header header;
	uint32_t *next; /* of each ring: the record to read next */
};

/* The ring of this thread. A thread belongs to one node, so this does too. */
static _Thread_local struct file_ring *trace_ring;

static struct file_ring *ring_at(uint8_t *base, unsigned int thread)
{
	return (struct file_ring *)(void *)(base + sizeof(struct file_header)) + thread;
}

static uint64_t file_bytes(unsigned int thread_count)
{
	return sizeof(struct file_header) + thread_count * (uint64_t)sizeof(struct file_ring);
}

static int64_t wall_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - (int64_t)clock_now_us();
}

static int trace_map(struct trace *trace, int fd)
{
	struct file_header header = { .magic = FILE_MAGIC,
				      .version = FILE_VERSION,
				      .thread_count = trace->thread_count,
				      .record_count = TRACE_RECORDS,
				      .record_bytes = sizeof(struct trace_record),
				      .bytes = trace->bytes,
				      .wall_us = wall_now_us() };
	void *base;

	if (ftruncate(fd, (off_t)trace->bytes) != 0)
		return -errno;
	/* All pages now: a worker's first record must not wait for one. */
	base = mmap(NULL, trace->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	trace->base = base;
	memcpy(trace->base, &header, sizeof(header));
	return 0;
}

/* As counters.c: under a temporary name until it is complete. */
static int trace_make_file(struct trace *trace)
{
	char path_new[4096];
	int length = snprintf(path_new, sizeof(path_new), "%s.new", trace->path);
	int error;
	int fd;

	if (length < 0 || (size_t)length >= sizeof(path_new))
		return -ENAMETOOLONG;
	unlink(path_new);
	fd = open(path_new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -errno;
	error = trace_map(trace, fd);
	close(fd);
	if (error == 0 && rename(path_new, trace->path) != 0)
		error = -errno;
	if (error != 0)
		unlink(path_new);
	return error;
}

int trace_create(const char *path, unsigned int thread_count, struct trace **out)
{
	struct trace *trace;
	int error;

	if (thread_count == 0 || thread_count > TRACE_THREADS_MAX)
		return -EINVAL;
	trace = calloc(1, sizeof(*trace));
	if (trace == NULL)
		return -ENOMEM;
	trace->thread_count = thread_count;
	trace->bytes = file_bytes(thread_count);
	trace->path = strdup(path);
	error = trace->path == NULL ? -ENOMEM : trace_make_file(trace);
	if (error != 0) {
		if (trace->base != NULL)
			munmap(trace->base, trace->bytes);
		free(trace->path);
		free(trace);
		return error;
	}
	*out = trace;
	return 0;
}

void trace_destroy(struct trace *trace)
{
	if (trace == NULL)
		return;
	trace_ring = NULL;
	unlink(trace->path);
	munmap(trace->base, trace->bytes);
	free(trace->path);
	free(trace);
}

void trace_bind(struct trace *trace, unsigned int thread)
{
	if (trace == NULL) {
		trace_ring = NULL;
		return;
	}
	BUG_ON(thread >= trace->thread_count);
	trace_ring = ring_at(trace->base, thread);
}

/* At most size - 1 bytes; the field is zero already. */
static void text_put(char *field, size_t size, const char *text)
{
	if (text != NULL)
		memcpy(field, text, strnlen(text, size - 1));
}

void trace_write(const struct trace_event *event)
{
	struct file_ring *ring = trace_ring;
	struct trace_record record = { .kind = event->kind,
				       .incarnation = event->incarnation,
				       .number = event->number };
	struct file_slot *slot;
	uint32_t words[RECORD_WORDS];
	uint32_t count;

	if (ring == NULL)
		return;
	record.time_us = clock_now_us();
	text_put(record.segment, sizeof(record.segment), event->segment);
	text_put(record.node, sizeof(record.node), event->node);
	text_put(record.from, sizeof(record.from), event->from);
	text_put(record.to, sizeof(record.to), event->to);
	text_put(record.why, sizeof(record.why), event->why);
	memcpy(words, &record, sizeof(words));
	count = ring_load_relaxed(&ring->count);
	slot = &ring->slots[count % TRACE_RECORDS];
	ring_store_relaxed(&slot->sequence, 0);
	/* No word of the new record may be seen under the old one's sequence. */
	ring_full_fence();
	for (unsigned int i = 0; i < RECORD_WORDS; i++)
		ring_store_relaxed(&slot->words[i], words[i]);
	ring_store_release(&slot->sequence, count + 1);
	ring_store_release(&ring->count, count + 1);
}

const char *trace_kind_text(unsigned int kind)
{
	static const char *const words[TRACE_KIND_COUNT] = {
		[TRACE_NONE] = "none",       [TRACE_BUFFER] = "buffer",
		[TRACE_OPENING] = "opening", [TRACE_ENDPOINT] = "endpoint",
		[TRACE_RAIL] = "rail",       [TRACE_NODE] = "node",
		[TRACE_SEGMENT] = "segment", [TRACE_REFUSAL] = "refusal",
	};

	return kind < TRACE_KIND_COUNT ? words[kind] : "unknown";
}

static int header_check(const struct file_header *header, uint64_t bytes)
{
	if (header->magic != FILE_MAGIC)
		return -EINVAL;
	if (header->version != FILE_VERSION)
		return -EPROTONOSUPPORT;
	if (header->thread_count == 0 || header->thread_count > TRACE_THREADS_MAX ||
	    header->record_count != TRACE_RECORDS ||
	    header->record_bytes != sizeof(struct trace_record) || header->bytes != bytes ||
	    bytes != file_bytes(header->thread_count))
		return -EINVAL;
	return 0;
}

static int view_fill(struct trace_view *view, int fd)
{
	struct stat status;
	void *base;
	int error;

	if (fstat(fd, &status) != 0)
		return -errno;
	if ((size_t)status.st_size < sizeof(view->header))
		return -EINVAL;
	base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	view->base = base;
	view->bytes = (uint64_t)status.st_size;
	memcpy(&view->header, base, sizeof(view->header));
	error = header_check(&view->header, view->bytes);
	if (error != 0)
		return error;
	view->next = calloc(view->header.thread_count, sizeof(*view->next));
	return view->next == NULL ? -ENOMEM : 0;
}

int trace_open(const char *path, struct trace_view **out)
{
	struct trace_view *view;
	int error;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	view = calloc(1, sizeof(*view));
	error = view == NULL ? -ENOMEM : view_fill(view, fd);
	close(fd);
	if (error != 0) {
		trace_close(view);
		return error;
	}
	*out = view;
	return 0;
}

unsigned int trace_threads(const struct trace_view *view)
{
	return view->header.thread_count;
}

int64_t trace_wall_us(const struct trace_view *view)
{
	return view->header.wall_us;
}

/* Copy a record out; false when the writer has taken its slot for another. */
static bool slot_read(const struct file_slot *slot, uint32_t sequence, struct trace_record *out)
{
	uint32_t words[RECORD_WORDS];

	if (ring_load_acquire(&slot->sequence) != sequence)
		return false;
	for (unsigned int i = 0; i < RECORD_WORDS; i++)
		words[i] = ring_load_relaxed(&slot->words[i]);
	/* All words were taken before the sequence is looked at again. */
	ring_full_fence();
	if (ring_load_relaxed(&slot->sequence) != sequence)
		return false;
	memcpy(out, words, sizeof(*out));
	return true;
}

/* The oldest record of a ring that was not read yet; it stays. Skips what is gone. */
static bool ring_peek(struct trace_view *view, unsigned int thread, struct trace_record *out,
		      uint64_t *missed)
{
	const struct file_ring *ring = ring_at(view->base, thread);
	uint32_t *next = &view->next[thread];

	/* At most one round: a slot that is not the wanted record's any more belongs to a later one. */
	for (unsigned int i = 0; i < TRACE_RECORDS; i++) {
		uint32_t count = ring_load_acquire(&ring->count);

		if (count - *next > TRACE_RECORDS) {
			*missed += count - *next - TRACE_RECORDS;
			*next = count - TRACE_RECORDS;
		}
		if (*next == count)
			return false;
		if (slot_read(&ring->slots[*next % TRACE_RECORDS], *next + 1, out))
			return true;
		*next += 1;
		*missed += 1;
	}
	return false;
}

/* It came out of another process's memory. */
static void record_clean(struct trace_record *record, unsigned int thread)
{
	record->thread = thread;
	record->segment[sizeof(record->segment) - 1] = '\0';
	record->node[sizeof(record->node) - 1] = '\0';
	record->from[sizeof(record->from) - 1] = '\0';
	record->to[sizeof(record->to) - 1] = '\0';
	record->why[sizeof(record->why) - 1] = '\0';
}

bool trace_next(struct trace_view *view, struct trace_record *out, uint64_t *missed_out)
{
	unsigned int best = view->header.thread_count;

	for (unsigned int i = 0; i < view->header.thread_count; i++) {
		struct trace_record record;

		if (!ring_peek(view, i, &record, missed_out) ||
		    (best < view->header.thread_count && record.time_us >= out->time_us))
			continue;
		best = i;
		*out = record;
	}
	if (best == view->header.thread_count)
		return false;
	view->next[best]++;
	record_clean(out, best);
	return true;
}

void trace_close(struct trace_view *view)
{
	if (view == NULL)
		return;
	if (view->base != NULL)
		munmap(view->base, view->bytes);
	free(view->next);
	free(view);
}
