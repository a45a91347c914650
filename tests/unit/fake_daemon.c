/* SPDX-License-Identifier: BSD-3-Clause */
/* The tests' own dataplane; fake_daemon.h says what it does. */
#include "fake_daemon.h"

#include "api/haul_error.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "base/ring.h"
#include "base/seqpacket.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers that the fake daemon hands out. */
#define FAKE_REGION  UINT64_C(0x123456789abc)
#define FAKE_SEGMENT 7u
#define FAKE_HANDLE  0x10001u

/* A failure here is one of the test's environment. */
#define MUST(cond)                                                                          \
	do {                                                                                \
		if (!(cond)) {                                                              \
			fprintf(stderr, "%s:%d: %s: errno %d\n", __FILE__, __LINE__, #cond, \
				errno);                                                     \
			abort();                                                            \
		}                                                                           \
	} while (0)

static void fake_drop_channel(struct fake_daemon *fake)
{
	memfd_unmap(fake->header, fake->ring_bytes);
	fake->header = NULL;
	if (fake->memory_fd >= 0) {
		close(fake->memory_fd);
		close(fake->doorbell_fd);
		close(fake->wake_fd);
		close(fake->client_wake_fd);
	}
	fake->memory_fd = -1;
	if (fake->held_fd >= 0)
		close(fake->held_fd);
	fake->held_fd = -1;
	fake->held_bytes = 0;
}

static void fake_drop_client(struct fake_daemon *fake)
{
	if (fake->client >= 0)
		close(fake->client);
	fake->client = -1;
	fake_drop_channel(fake);
}

static bool fake_is(const struct fake_daemon *fake, uint16_t type, enum fake_trouble trouble)
{
	return atomic_load(&fake->trouble) == trouble && atomic_load(&fake->trouble_type) == type;
}

/* Memory as the daemon makes it, or as the trouble wants it. */
static int fake_memory(const struct fake_daemon *fake, uint16_t type, uint64_t bytes)
{
	int fd;

	if (fake_is(fake, type, FAKE_MEMORY_SMALL))
		bytes -= PAGE_BYTES;
	if (fake_is(fake, type, FAKE_MEMORY_PLAIN)) {
		fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		MUST(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
		return fd;
	}
	fd = memfd_make("fake", bytes, 0);
	MUST(fd >= 0);
	return fd;
}

static void fake_make_channel(struct fake_daemon *fake)
{
	struct haul_channel_header *header;
	void *address = NULL;
	int pair[2];

	fake_drop_channel(fake);
	fake->ring_bytes = sizeof(*header) + fake->entries_count * sizeof(struct haul_entry) +
			   fake->completions_count * sizeof(struct haul_completion) +
			   fake->entries_count * sizeof(struct haul_notification);
	fake->ring_bytes = (fake->ring_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	fake->memory_fd = fake_memory(fake, HAUL_ATTACH_HELLO, fake->ring_bytes);
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_MEMORY_SMALL))
		fake->ring_bytes -= PAGE_BYTES;
	MUST(memfd_map(fake->memory_fd, fake->ring_bytes, 0, &address) == 0);
	header = address;
	header->magic = HAUL_ABI_MAGIC + fake_is(fake, HAUL_ATTACH_HELLO, FAKE_HEADER_MAGIC);
	header->version = HAUL_ABI_VERSION + fake_is(fake, HAUL_ATTACH_HELLO, FAKE_HEADER_VERSION);
	header->entries =
		fake->entries_count * (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_HEADER_ENTRIES) + 1u);
	header->completions = fake->completions_count;
	header->notifications =
		fake->entries_count * (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_HEADER_NOTICES) + 1u);
	header->state = HAUL_CHANNEL_OPEN;
	header->reserved[7] = fake_is(fake, HAUL_ATTACH_HELLO, FAKE_HEADER_RESERVED);
	fake->header = header;
	fake->entries = (struct haul_entry *)(void *)(header + 1);
	fake->completions = (struct haul_completion *)(void *)(fake->entries + fake->entries_count);
	fake->notifications =
		(struct haul_notification *)(void *)(fake->completions + fake->completions_count);
	fake->notified = 0;
	fake->head = atomic_load(&fake->start_index);
	fake->tail = fake->head;
	header->submission_tail.value = header->submission_head.value = fake->head;
	header->completion_tail.value = header->completion_head.value = fake->head;
	memset(fake->batches, 0, sizeof(fake->batches));
	fake->unclosed = 0;
	fake->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_NO_EVENT)) {
		close(fake->doorbell_fd);
		fake->doorbell_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	fake->wake_fd = pair[0];
	fake->client_wake_fd = pair[1];
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_NO_SOCKET)) {
		close(fake->client_wake_fd);
		fake->client_wake_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	MUST(fake->doorbell_fd >= 0 && fake->client_wake_fd >= 0);
}

/* An answer on its way out. */
struct fake_answer {
	struct haul_frame *frame;
	size_t bytes;
	int fds[HAUL_FRAME_FDS_MAX];
	unsigned int fd_count;
};

static void fake_bend(struct haul_frame *frame, enum fake_trouble trouble)
{
	switch (trouble) {
	case FAKE_STATUS:
		frame->status = HAUL_ERROR_COUNT;
		break;
	case FAKE_MAGIC:
		frame->magic++;
		break;
	case FAKE_FRAME_VERSION:
		frame->version += 6;
		break;
	case FAKE_RESERVED:
		frame->reserved = 1;
		break;
	case FAKE_LENGTH:
		frame->length++;
		break;
	case FAKE_OTHER_REQUEST:
		frame->request++;
		break;
	case FAKE_OTHER_TYPE:
		frame->type++;
		break;
	default:
		break;
	}
}

static size_t fake_resize(struct haul_frame *frame, size_t bytes, enum fake_trouble trouble)
{
	if (trouble == FAKE_SHORT)
		bytes = sizeof(*frame);
	if (trouble == FAKE_CUT)
		bytes--;
	if (trouble == FAKE_TOO_LONG)
		bytes = HAUL_FRAME_BYTES_MAX + 1;
	frame->length = (uint32_t)bytes;
	return bytes;
}

static void fake_send(struct fake_daemon *fake, const struct haul_frame *request,
		      struct fake_answer *answer)
{
	uint8_t bytes[HAUL_FRAME_BYTES_MAX + 1] = { 0 };
	struct haul_frame *frame = (struct haul_frame *)(void *)bytes;
	enum fake_trouble trouble = FAKE_NONE;
	uint32_t status = answer->frame->status;
	size_t length;

	if (atomic_load(&fake->trouble_type) == request->type)
		trouble = (enum fake_trouble)atomic_exchange(&fake->trouble, FAKE_NONE);
	memcpy(bytes, answer->frame, answer->bytes);
	frame_fill(frame, HAUL_ATTACH_VERSION, request->type | HAUL_FRAME_ANSWER, 0,
		   request->request);
	frame->status = status;
	length = fake_resize(frame, answer->bytes, trouble);
	fake_bend(frame, trouble);
	if (trouble == FAKE_FD_MISSING)
		answer->fd_count = 0;
	if (trouble == FAKE_FD_MORE)
		answer->fds[answer->fd_count++] = fake->command_fd;
	if (trouble == FAKE_SILENCE) {
		memcpy(fake->held, bytes, length);
		fake->held_bytes = (uint32_t)length;
		fake->held_fd = answer->fd_count > 0 ? dup(answer->fds[0]) : -1;
		return;
	}
	if (trouble == FAKE_UNASKED) {
		struct haul_frame news;

		frame_fill(&news, HAUL_ATTACH_VERSION, 99, sizeof(news), 0);
		seqpacket_send(fake->client, &news, sizeof(news), &fake->command_fd, 1);
	}
	seqpacket_send(fake->client, bytes, length, answer->fds, answer->fd_count);
}

static void fake_refuse(struct fake_daemon *fake, const struct haul_frame *request,
			enum haul_error status, const char *reason)
{
	struct haul_attach_plain_answer message = { .frame.status = (uint32_t)status };
	struct fake_answer answer = { .frame = &message.frame, .bytes = sizeof(message) };

	snprintf(message.answer.reason, sizeof(message.answer.reason), "%s", reason);
	fake_send(fake, request, &answer);
}

static void fake_hello(struct fake_daemon *fake, const struct haul_attach_hello *request)
{
	struct haul_attach_hello_answer message = { .abi_version = HAUL_ABI_VERSION,
						    .channel = 3,
						    .node = "fake-node",
						    .tenant = "fake-tenant" };
	struct fake_answer answer = { .frame = &message.frame,
				      .bytes = sizeof(message),
				      .fd_count = 3 };

	fake->hello = *request;
	fake->entries_count =
		request->entries != 0 ? request->entries : atomic_load(&fake->entries_default);
	fake->completions_count = fake->entries_count * atomic_load(&fake->completion_factor);
	fake_make_channel(fake);
	message.entries = fake->entries_count;
	message.completions = fake->completions_count;
	message.notifications = fake->entries_count;
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_ABI_VERSION))
		message.abi_version = HAUL_ABI_VERSION + 4;
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_ENTRIES))
		message.entries = 3;
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_COMPLETIONS))
		message.completions = 1u << 31;
	if (fake_is(fake, HAUL_ATTACH_HELLO, FAKE_NOTIFICATIONS))
		message.notifications = 3;
	answer.fds[0] = fake->memory_fd;
	answer.fds[1] = fake->doorbell_fd;
	answer.fds[2] = fake->client_wake_fd;
	fake_send(fake, &request->frame, &answer);
}

static void fake_create(struct fake_daemon *fake, const struct haul_attach_segment_create *request)
{
	struct haul_attach_segment_create_answer message = {
		.bytes = (request->bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
		.region = FAKE_REGION,
		.version = request->flags == 0 ? 5 : 0,
		.segment = FAKE_SEGMENT,
		.page_bytes = PAGE_BYTES,
	};
	struct fake_answer answer = { .frame = &message.frame,
				      .bytes = sizeof(message),
				      .fd_count = 1 };

	fake->create = *request;
	if ((request->flags & HAUL_SEGMENT_GIVEN) != 0) {
		answer.fd_count = 0;
		fake_send(fake, &request->frame, &answer);
		return;
	}
	answer.fds[0] = fake_memory(fake, HAUL_ATTACH_SEGMENT_CREATE, message.bytes);
	fake_send(fake, &request->frame, &answer);
	close(answer.fds[0]);
}

static void fake_add(struct fake_daemon *fake, const struct haul_attach_buffer_add *request)
{
	struct haul_attach_segment_create_answer message = {
		.bytes = (request->bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
		.region = FAKE_REGION + 1,
		.version = 6,
		.offset = request->offset == HAUL_OFFSET_ANY ? 12288 : request->offset,
		.segment = request->segment,
		.page_bytes = PAGE_BYTES,
	};
	struct fake_answer answer = { .frame = &message.frame,
				      .bytes = sizeof(message),
				      .fd_count = (request->flags & HAUL_SEGMENT_GIVEN) == 0 };

	fake->add = *request;
	answer.fds[0] = fake_memory(fake, HAUL_ATTACH_BUFFER_ADD, message.bytes);
	fake_send(fake, &request->frame, &answer);
	close(answer.fds[0]);
}

static void fake_publish(struct fake_daemon *fake, const struct haul_attach_extent_publish *request)
{
	struct haul_attach_extent_answer message = { .extent = FAKE_REGION + 2 };
	struct fake_answer answer = { .frame = &message.frame, .bytes = sizeof(message) };

	fake->publish = *request;
	fake_send(fake, &request->frame, &answer);
}

static void fake_open(struct fake_daemon *fake, const struct haul_attach_segment_open *request)
{
	struct haul_attach_segment_open_answer message = { .bytes = 1 << 20,
							   .version = 9,
							   .incarnation = 0xabcd,
							   .handle = FAKE_HANDLE,
							   .node = "far-node" };
	struct fake_answer answer = { .frame = &message.frame, .bytes = sizeof(message) };

	fake->open = *request;
	fake_send(fake, &request->frame, &answer);
}

static void fake_answer_request(struct fake_daemon *fake, const void *message)
{
	const struct haul_frame *frame = message;
	const struct haul_attach_segment_destroy *destroy = message;

	MUST(frame->type < FAKE_TYPES);
	atomic_fetch_add(&fake->requests[frame->type], 1);
	if (fake_is(fake, frame->type, FAKE_CLOSE)) {
		atomic_store(&fake->trouble, FAKE_NONE);
		fake_drop_client(fake);
		return;
	}
	if (fake_is(fake, frame->type, FAKE_REFUSAL)) {
		fake_refuse(fake, frame, HAUL_DENIED, "the fake daemon says no");
		return;
	}
	if (fake_is(fake, frame->type, FAKE_UNAVAILABLE)) {
		fake_refuse(fake, frame, HAUL_UNAVAILABLE, "the fake daemon cannot");
		return;
	}
	if (fake_is(fake, frame->type, FAKE_MUTE_REFUSAL)) {
		fake_refuse(fake, frame, HAUL_QUOTA, "");
		return;
	}
	switch (frame->type) {
	case HAUL_ATTACH_HELLO:
		fake_hello(fake, message);
		break;
	case HAUL_ATTACH_SEGMENT_CREATE:
		fake_create(fake, message);
		break;
	case HAUL_ATTACH_BUFFER_ADD:
		fake_add(fake, message);
		break;
	case HAUL_ATTACH_EXTENT_PUBLISH:
		fake_publish(fake, message);
		break;
	case HAUL_ATTACH_BUFFER_REMOVE:
	case HAUL_ATTACH_EXTENT_RETIRE:
		atomic_store(&fake->removed,
			     ((const struct haul_attach_buffer_remove *)message)->region);
		fake_refuse(fake, frame, HAUL_OK, "");
		break;
	case HAUL_ATTACH_SEGMENT_OPEN:
		fake_open(fake, message);
		break;
	default:
		/* CLOSE has the same layout. */
		atomic_store(&fake->given_back, destroy->segment);
		fake_refuse(fake, frame, HAUL_OK, "");
		break;
	}
}

static void fake_request(struct fake_daemon *fake)
{
	_Alignas(8) uint8_t bytes[HAUL_FRAME_BYTES_MAX];
	unsigned int fd_count = 0;
	int given = -1;
	ssize_t length =
		seqpacket_receive(fake->client, bytes, sizeof(bytes), &given, 1, &fd_count);

	if (length == -EAGAIN)
		return;
	if (length <= 0) {
		fake_drop_client(fake);
		return;
	}
	/* One at a time: what the real daemon punishes must not happen at all. */
	MUST(fake->held_bytes == 0);
	if (given >= 0) {
		struct stat status;

		MUST(fstat(given, &status) == 0);
		atomic_store(&fake->given_inode, status.st_ino);
		close(given);
	}
	fake_answer_request(fake, bytes);
}

static void fake_complete(struct fake_daemon *fake, const struct haul_completion *completion)
{
	uint32_t unseen = fake->tail - ring_load_acquire(&fake->header->completion_head.value);

	MUST(unseen < fake->completions_count); /* the library must never let it overflow */
	fake->completions[fake->tail & (fake->completions_count - 1)] = *completion;
	fake->tail++;
	ring_store_release(&fake->header->completion_tail.value, fake->tail);
}

/* Would the entry open a batch more than the completion ring can promise? */
static bool fake_has_no_room(const struct fake_daemon *fake, const struct haul_entry *entry)
{
	return entry->batch != 0 && fake->batches[entry->batch].members == 0 &&
	       (entry->flags & HAUL_ENTRY_BATCH_LAST) == 0 &&
	       fake->unclosed + HAUL_COMPLETIONS_KEPT >= fake->completions_count;
}

static void fake_execute(struct fake_daemon *fake, const struct haul_entry *entry)
{
	struct haul_completion completion = { .user_data = entry->user_data,
					      .bytes = entry->length,
					      .transport = HAUL_TRANSPORT_LOCAL,
					      .attempts = 1 };
	struct fake_batch *batch = &fake->batches[entry->batch];

	if (entry->opcode > HAUL_OP_READ) {
		completion.status = HAUL_INVALID;
		completion.reason = HAUL_REASON_OPCODE;
		completion.bytes = 0;
	}
	if (fake_has_no_room(fake, entry)) {
		completion.status = HAUL_BUSY;
		completion.reason = HAUL_REASON_BATCHES;
		fake_complete(fake, &completion);
		return;
	}
	if (entry->batch == 0 || (entry->flags & HAUL_ENTRY_BATCH_MEMBER) != 0)
		fake_complete(fake, &completion);
	if (entry->batch == 0)
		return;
	fake->unclosed += batch->members == 0;
	batch->members++;
	batch->bytes += completion.bytes;
	batch->status = completion.status > batch->status ? completion.status : batch->status;
	if ((entry->flags & HAUL_ENTRY_BATCH_LAST) == 0)
		return;
	completion.batch = entry->batch;
	completion.members = batch->members;
	completion.bytes = batch->bytes;
	completion.status = batch->status;
	fake_complete(fake, &completion);
	*batch = (struct fake_batch){ 0 };
	fake->unclosed--;
}

/* Be late, by a random time, so that the client meets every point of a sleep or a completion. */
static void fake_delay(struct fake_daemon *fake, uint32_t turns)
{
	if (turns > 0)
		turns = (uint32_t)unit_random_below(&fake->seed, turns);
	for (; turns > 0; turns--)
		__asm__ volatile("");
}

/* Take what is there; returns how many entries. */
static uint32_t fake_serve(struct fake_daemon *fake)
{
	uint32_t taken = 0;
	uint32_t tail;

	if (fake->header == NULL || atomic_load(&fake->is_blind))
		return 0;
	tail = ring_load_acquire(&fake->header->submission_tail.value);
	while (fake->head != tail) {
		struct haul_entry entry = fake->entries[fake->head & (fake->entries_count - 1)];

		fake_delay(fake, atomic_load(&fake->dawdle));
		if (!atomic_load(&fake->is_holding))
			fake_execute(fake, &entry);
		fake->head++;
		taken++;
	}
	ring_store_release(&fake->header->submission_head.value, fake->head);
	if (taken == 0)
		return 0;
	ring_full_fence();
	if (ring_load_relaxed(&fake->header->client_sleeps.value) != 0) {
		atomic_fetch_add(&fake->wakeups, 1);
		send(fake->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return taken;
}

/* Deliver what the test wants delivered, as far as there is room. */
static void fake_notify(struct fake_daemon *fake)
{
	uint32_t seen = ring_load_acquire(&fake->header->notification_head.value);
	bool is_any = false;

	for (; fake->notified != atomic_load(&fake->notify) &&
	       fake->notified - seen < fake->entries_count;
	     fake->notified++) {
		struct haul_notification *slot =
			&fake->notifications[fake->notified & (fake->entries_count - 1)];

		slot->tag = fake->notified * 3;
		slot->value = fake->notified;
		ring_store_release(&slot->sequence, fake->notified + 1);
		is_any = true;
	}
	if (!is_any)
		return;
	ring_full_fence();
	if (ring_load_relaxed(&fake->header->client_sleeps.value) != 0) {
		atomic_fetch_add(&fake->wakeups, 1);
		send(fake->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static void fake_obey(struct fake_daemon *fake)
{
	eventfd_t count;

	eventfd_read(fake->command_fd, &count);
	if (atomic_exchange(&fake->is_speaking, false) && fake->held_bytes > 0) {
		seqpacket_send(fake->client, fake->held, fake->held_bytes, &fake->held_fd,
			       fake->held_fd >= 0);
		if (fake->held_fd >= 0)
			close(fake->held_fd);
		fake->held_fd = -1;
		fake->held_bytes = 0;
	}
	if (fake->header != NULL)
		fake_notify(fake);
	if (atomic_exchange(&fake->is_closing, false) && fake->header != NULL) {
		strcpy((char *)fake->header->reason, "entries of the test are not liked");
		fake->header->error = HAUL_INVALID;
		ring_store_release(&fake->header->state, HAUL_CHANNEL_CLOSED);
		send(fake->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* Sleep until something comes, by the protocol of base/ring.h. */
static void fake_sleep(struct fake_daemon *fake, struct pollfd poll_fds[4])
{
	bool is_idle = true;

	fake_delay(fake, atomic_load(&fake->doze));
	if (fake->header != NULL && !atomic_load(&fake->is_blind)) {
		ring_store_relaxed(&fake->header->daemon_sleeps.value, 1);
		ring_full_fence();
		is_idle = ring_load_acquire(&fake->header->submission_tail.value) == fake->head;
	}
	poll_fds[0] = (struct pollfd){ .fd = fake->command_fd, .events = POLLIN };
	poll_fds[1] = (struct pollfd){ .fd = fake->listener, .events = POLLIN };
	poll_fds[2] = (struct pollfd){ .fd = fake->client, .events = POLLIN };
	poll_fds[3] = (struct pollfd){ .fd = fake->header != NULL ? fake->doorbell_fd : -1,
				       .events = POLLIN };
	poll(poll_fds, 4, is_idle ? -1 : 0);
	if (fake->header != NULL)
		ring_store_relaxed(&fake->header->daemon_sleeps.value, 0);
}

static void *fake_run(void *argument)
{
	struct fake_daemon *fake = argument;
	struct pollfd poll_fds[4];
	eventfd_t count;

	while (!atomic_load(&fake->is_stopping)) {
		if (fake_serve(fake) > 0)
			continue;
		fake_sleep(fake, poll_fds);
		if ((poll_fds[0].revents & POLLIN) != 0)
			fake_obey(fake);
		if ((poll_fds[3].revents & POLLIN) != 0 &&
		    eventfd_read(fake->doorbell_fd, &count) == 0)
			atomic_fetch_add(&fake->doorbells, 1);
		if (fake->client >= 0 && poll_fds[2].revents != 0)
			fake_request(fake);
		if ((poll_fds[1].revents & POLLIN) != 0 && fake->client < 0)
			fake->client = seqpacket_accept(fake->listener);
	}
	fake_drop_client(fake);
	close(fake->listener);
	return NULL;
}

void fake_daemon_start(struct fake_daemon *fake)
{
	const char *directory = getenv("TMPDIR");

	memset(fake, 0, sizeof(*fake));
	fake->client = -1;
	fake->memory_fd = -1;
	fake->held_fd = -1;
	atomic_store(&fake->entries_default, 8);
	atomic_store(&fake->completion_factor, 2);
	snprintf(fake->path, sizeof(fake->path), "%s/haul-fake-XXXXXX",
		 directory != NULL ? directory : "/tmp");
	MUST(mkdtemp(fake->path) != NULL);
	strcat(fake->path, "/socket");
	fake->listener = seqpacket_listen(fake->path, 0600);
	fake->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	MUST(fake->listener >= 0 && fake->command_fd >= 0);
	MUST(pthread_create(&fake->thread, NULL, fake_run, fake) == 0);
}

void fake_daemon_poke(struct fake_daemon *fake)
{
	eventfd_write(fake->command_fd, 1);
}

void fake_daemon_kill(struct fake_daemon *fake)
{
	atomic_store(&fake->is_stopping, true);
	fake_daemon_poke(fake);
	pthread_join(fake->thread, NULL);
}

void fake_daemon_stop(struct fake_daemon *fake)
{
	if (!atomic_load(&fake->is_stopping))
		fake_daemon_kill(fake);
	close(fake->command_fd);
	unlink(fake->path);
	*strrchr(fake->path, '/') = 0;
	rmdir(fake->path);
}

void fake_daemon_trouble(struct fake_daemon *fake, enum fake_trouble trouble, uint16_t type)
{
	atomic_store(&fake->trouble_type, type);
	atomic_store(&fake->trouble, trouble);
}

void fake_daemon_speak(struct fake_daemon *fake)
{
	atomic_store(&fake->is_speaking, true);
	fake_daemon_poke(fake);
}

void fake_daemon_notify(struct fake_daemon *fake, uint32_t count)
{
	atomic_fetch_add(&fake->notify, count);
	fake_daemon_poke(fake);
}

void fake_daemon_close_channel(struct fake_daemon *fake)
{
	atomic_store(&fake->is_closing, true);
	fake_daemon_poke(fake);
}
