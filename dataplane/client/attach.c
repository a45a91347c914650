/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attaching and detaching: connect, say hello, check and map the channel's memory.
 *
 * What the daemon sends is checked once here, so that the calls on the rings may rely on it: the sizes, the seals,
 * the versions. A daemon of another version is refused with both versions named.
 *
 * fork(): the child has a copy of everything but must not touch the parent's rings. A page of its own, which the
 * kernel clears in the child (MADV_WIPEONFORK), tells the two apart with one load, however the child was made.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "client/attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTACH_SOCKET_PATH "/run/haul/attach.sock"

/* How long to wait before another try while the daemon's backlog is full. */
#define ATTACH_RETRY_MS 2

/* The descriptors of a HELLO's answer, in their order. */
enum attach_fd {
	ATTACH_FD_MEMORY,
	ATTACH_FD_DOORBELL,
	ATTACH_FD_WAKE,
	ATTACH_FD_COUNT
};

static int attach_make_alive(struct haul *haul)
{
	uint32_t *page =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return client_fail(haul, HAUL_SYSTEM, "no memory for a page: %s",
				   errno_text(errno));
	haul->alive = page;
	if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK) != 0)
		return client_fail(haul, HAUL_SYSTEM, "madvise(MADV_WIPEONFORK): %s",
				   errno_text(errno));
	*page = 1;
	return 0;
}

static const char *attach_path(const struct haul_options *options)
{
	const char *path = options->socket_path;

	if (path == NULL)
		path = secure_getenv("HAUL_SOCKET");
	return path != NULL ? path : ATTACH_SOCKET_PATH;
}

static int attach_connect_failed(struct haul *haul, const char *path, int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		return client_fail(
			haul, HAUL_DISCONNECTED,
			"no daemon listens at %s: start haul-dataplane, or set HAUL_SOCKET", path);
	case EACCES:
	case EPERM:
		return client_fail(haul, HAUL_DENIED, "%s: this user may not connect: %s", path,
				   errno_text(error));
	case EAGAIN:
		return client_fail(haul, HAUL_TIMEOUT, "%s: the daemon accepts no connection",
				   path);
	case EINVAL:
	case ENAMETOOLONG:
		return client_fail(haul, HAUL_INVALID,
				   "%.40s...: a socket's path has 1 to %u bytes", path,
				   SOCKET_PATH_BYTES - 1);
	default:
		return client_fail(haul, HAUL_SYSTEM, "%s: cannot connect: %s", path,
				   errno_text(error));
	}
}

/* A Unix socket's connect does not wait for room in the backlog when it must not block: try until there is some. */
static int attach_connect(struct haul *haul, const char *path, uint64_t deadline_ns)
{
	for (;;) {
		int fd = seqpacket_connect(path, SEQPACKET_NONBLOCK);

		if (fd >= 0) {
			haul->socket_fd = fd;
			return 0;
		}
		if (fd == -EINTR)
			continue;
		if (fd != -EAGAIN || client_remaining_ms(deadline_ns) == 0)
			return attach_connect_failed(haul, path, fd);
		poll(NULL, 0, ATTACH_RETRY_MS);
	}
}

/* What the hello promises, before anything is mapped. */
static int attach_check_sizes(struct haul *haul, const struct haul_attach_hello_answer *hello)
{
	if (hello->abi_version != HAUL_ABI_VERSION) {
		return client_fail(haul, HAUL_VERSION,
				   "the daemon's ring layout is version %u, the library's is %u",
				   hello->abi_version, HAUL_ABI_VERSION);
	}
	if (!IS_POWER_OF_TWO(hello->entries) || hello->entries < HAUL_RING_ENTRIES_MIN ||
	    hello->entries > HAUL_RING_ENTRIES_MAX || !IS_POWER_OF_TWO(hello->completions) ||
	    hello->completions < HAUL_RING_ENTRIES_MIN ||
	    hello->completions > CLIENT_COMPLETIONS_MAX || !IS_POWER_OF_TWO(hello->notifications) ||
	    hello->notifications < HAUL_RING_ENTRIES_MIN ||
	    hello->notifications > CLIENT_COMPLETIONS_MAX) {
		return client_fail(
			haul, HAUL_INTERNAL,
			"the daemon's rings have %u entries, %u completions and %u notifications",
			hello->entries, hello->completions, hello->notifications);
	}
	haul->entries_count = hello->entries;
	haul->completions_count = hello->completions;
	haul->notifications_count = hello->notifications;
	haul->ring_bytes = sizeof(struct haul_channel_header) +
			   (uint64_t)hello->entries * sizeof(struct haul_entry) +
			   (uint64_t)hello->completions * sizeof(struct haul_completion) +
			   (uint64_t)hello->notifications * sizeof(struct haul_notification);
	haul->ring_bytes = (haul->ring_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	memcpy(haul->node, hello->node, sizeof(haul->node) - 1);
	return 0;
}

/* Is the doorbell an event descriptor that never blocks (its inode has no type), and the wake-up a socket? */
static bool attach_are_wakers(int doorbell_fd, int wake_fd)
{
	int flags = fcntl(doorbell_fd, F_GETFL);
	struct stat doorbell;
	struct stat wake;

	return flags >= 0 && (flags & O_NONBLOCK) != 0 && fstat(doorbell_fd, &doorbell) == 0 &&
	       (doorbell.st_mode & S_IFMT) == 0 && fstat(wake_fd, &wake) == 0 &&
	       S_ISSOCK(wake.st_mode);
}

/* Bytes that a later layout may give a meaning must be zero in this one. */
static bool attach_reserved_is_zero(const struct haul_channel_header *header)
{
	for (size_t i = 0; i < ARRAY_SIZE(header->reserved); i++) {
		if (header->reserved[i] != 0)
			return false;
	}
	return true;
}

/* The header must agree with the hello. */
static int attach_check_header(struct haul *haul)
{
	const struct haul_channel_header *header = haul->header;

	if (header->magic != HAUL_ABI_MAGIC)
		return client_fail(haul, HAUL_INTERNAL, "the ring memory has no magic number");
	if (header->version != HAUL_ABI_VERSION) {
		return client_fail(haul, HAUL_VERSION,
				   "the ring memory is of version %u, the library's is %u",
				   header->version, HAUL_ABI_VERSION);
	}
	if (header->entries != haul->entries_count ||
	    header->completions != haul->completions_count ||
	    header->notifications != haul->notifications_count)
		return client_fail(haul, HAUL_INTERNAL,
				   "the ring memory has other sizes than the daemon's answer");
	if (!attach_reserved_is_zero(header))
		return client_fail(haul, HAUL_INTERNAL,
				   "the ring memory's reserved bytes are not zero");
	return 0;
}

static int attach_map(struct haul *haul, int fd)
{
	uint64_t bytes = 0;
	void *address = NULL;
	int error;

	error = memfd_check(fd, haul->ring_bytes, &bytes);
	if (error != 0 || bytes != haul->ring_bytes) {
		return client_fail(haul, HAUL_INTERNAL,
				   "the ring memory is not %llu sealed bytes: %s",
				   (unsigned long long)haul->ring_bytes,
				   error != 0 ? errno_text(error) : "another size");
	}
	error = memfd_map(fd, bytes, MEMFD_POPULATE, &address);
	if (error != 0)
		return client_fail(haul, HAUL_SYSTEM, "the rings cannot be mapped: %s",
				   errno_text(error));
	haul->header = address;
	haul->entries = (struct haul_entry *)(void *)(haul->header + 1);
	haul->completions =
		(const struct haul_completion *)(const void *)(haul->entries + haul->entries_count);
	haul->notifications =
		(const struct haul_notification *)(const void *)(haul->completions +
								 haul->completions_count);
	return attach_check_header(haul);
}

/* Take over what the hello brought. */
static int attach_take(struct haul *haul, const struct answer *answer)
{
	int error;

	haul->doorbell_fd = answer->fds[ATTACH_FD_DOORBELL];
	haul->wake_fd = answer->fds[ATTACH_FD_WAKE];
	error = attach_check_sizes(haul, &answer->message.hello);
	if (error == 0 && !attach_are_wakers(haul->doorbell_fd, haul->wake_fd)) {
		error = client_fail(
			haul, HAUL_INTERNAL,
			"the daemon's doorbell is no event descriptor, or its wake-up no socket");
	}
	if (error == 0)
		error = attach_map(haul, answer->fds[ATTACH_FD_MEMORY]);
	close(answer->fds[ATTACH_FD_MEMORY]);
	return error;
}

static int attach_hello(struct haul *haul, const struct haul_options *options, uint64_t deadline_ns)
{
	struct haul_attach_hello message = { .abi_version = HAUL_ABI_VERSION,
					     .entries = options->entries };
	const struct question question = { .message = &message,
					   .bytes = sizeof(message),
					   .type = HAUL_ATTACH_HELLO,
					   .answer_bytes = sizeof(struct haul_attach_hello_answer),
					   .answer_fds = ATTACH_FD_COUNT };
	struct answer answer;
	int error;

	snprintf(message.name, sizeof(message.name), "%s",
		 options->name != NULL ? options->name : program_invocation_short_name);
	error = ask_exchange(haul, &question, &answer, deadline_ns);
	return error != 0 ? error : attach_take(haul, &answer);
}

static int attach_all(struct haul *haul, const struct haul_options *options)
{
	uint64_t deadline_ns = client_deadline_ns(haul);
	int error;

	error = attach_make_alive(haul);
	if (error == 0)
		error = attach_connect(haul, attach_path(options), deadline_ns);
	if (error == 0)
		error = attach_hello(haul, options, deadline_ns);
	return error;
}

int haul_attach(const struct haul_options *options, struct haul **haul_out)
{
	static const struct haul_options defaults;
	struct haul *haul = calloc(1, sizeof(*haul));
	uint32_t timeout_ms;
	int error;

	*haul_out = NULL;
	if (haul == NULL) {
		client_keep_attach_reason("no memory for an attachment");
		return -HAUL_SYSTEM;
	}
	if (options == NULL)
		options = &defaults;
	timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : CLIENT_TIMEOUT_MS;
	haul->timeout_ns = (uint64_t)timeout_ms * 1000000;
	haul->spin_ns = CLIENT_SPIN_NS;
	haul->socket_fd = -1;
	haul->doorbell_fd = -1;
	haul->wake_fd = -1;
	error = attach_all(haul, options);
	if (error != 0) {
		client_keep_attach_reason(haul->reason);
		haul_detach(haul);
		return error;
	}
	*haul_out = haul;
	return 0;
}

static void attach_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void haul_detach(struct haul *haul)
{
	if (haul == NULL)
		return;
	/* Shut down, not only closed: a forked child may still hold a copy. The child itself must not do it. */
	if (haul->socket_fd >= 0 && client_is_alive(haul))
		shutdown(haul->socket_fd, SHUT_RDWR);
	segment_unmap_all(haul);
	memfd_unmap(haul->header, haul->ring_bytes);
	attach_close(haul->doorbell_fd);
	attach_close(haul->wake_fd);
	attach_close(haul->socket_fd);
	if (haul->alive != NULL)
		munmap((void *)(uintptr_t)haul->alive, PAGE_BYTES);
	free(haul);
}

const char *haul_node(const struct haul *haul)
{
	return haul->node;
}
