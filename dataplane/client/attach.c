/* SPDX-License-Identifier: BSD-3-Clause */
/* Attaching and detaching: the socket, HELLO, and the mapping of the rings. */
#include "base/check.h"
#include "base/error.h"
#include "base/memfd.h"
#include "base/ring.h"
#include "base/seqpacket.h"
#include "client/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ATTACH_SOCKET_DEFAULT "/run/haul/attach.sock"
#define ATTACH_TIMEOUT_MS     10000u

/* Why the last haul_attach of this thread failed, when there is no attachment to ask. */
static _Thread_local char attach_reason[HAUL_REASON_BYTES];

HAUL_PUBLIC const char *haul_error_text(int error)
{
	return error_text(error);
}

HAUL_PUBLIC const char *haul_reason_text(unsigned int reason)
{
	return reason_text(reason);
}

HAUL_PUBLIC const char *haul_reason(const struct haul *haul)
{
	return haul == NULL ? attach_reason : haul->reason;
}

HAUL_PUBLIC const char *haul_node(const struct haul *haul)
{
	return haul->node;
}

bool client_is_own(const struct haul *haul)
{
	return haul->process == getpid();
}

int client_fail(struct haul *haul, enum haul_error error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(haul->reason, sizeof(haul->reason), format, arguments);
	va_end(arguments);
	return -(int)error;
}

static void attach_unmap(struct haul *haul)
{
	struct client_memory *memory;

	while ((memory = LIST_FIRST(&haul->memories)) != NULL) {
		LIST_REMOVE(memory, link);
		munmap(memory->address, memory->bytes);
		free(memory);
	}
	if (haul->header != NULL)
		munmap(haul->header, haul->mapped_bytes);
}

static void attach_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

HAUL_PUBLIC void haul_detach(struct haul *haul)
{
	if (haul == NULL)
		return;
	attach_unmap(haul);
	attach_close(haul->socket_fd);
	attach_close(haul->doorbell_fd);
	attach_close(haul->wake_fd);
	free(haul);
}

static const char *attach_path(const struct haul_options *options)
{
	const char *path = options->socket_path;

	if (path == NULL)
		path = secure_getenv("HAUL_SOCKET");
	return path != NULL ? path : ATTACH_SOCKET_DEFAULT;
}

static int attach_connect(struct haul *haul, const char *path)
{
	haul->socket_fd = seqpacket_connect(path, SEQPACKET_NONBLOCK);
	if (haul->socket_fd >= 0)
		return 0;
	if (haul->socket_fd == -ENOENT || haul->socket_fd == -ECONNREFUSED)
		return client_fail(haul, HAUL_DISCONNECTED,
				   "no daemon listens at %.120s: start haul-dataplane, or set "
				   "HAUL_SOCKET",
				   path);
	return client_fail(haul, (enum haul_error)error_from_errno(haul->socket_fd),
			   "attach socket %.120s: %s", path, strerrordesc_np(-haul->socket_fd));
}

/* Map the rings that the answer described, after checking that they are what both sides mean. */
static int attach_map(struct haul *haul, const struct haul_attach_hello_answer *answer, int fd)
{
	uint64_t least = sizeof(struct haul_channel_header) +
			 (uint64_t)answer->entries * sizeof(struct haul_entry) +
			 (uint64_t)answer->completions * sizeof(struct haul_completion);
	uint64_t bytes;
	void *address;

	if (answer->abi_version != HAUL_ABI_VERSION)
		return client_fail(haul, HAUL_VERSION,
				   "the daemon's ring layout is version %u, this library's is %u",
				   answer->abi_version, HAUL_ABI_VERSION);
	if (!IS_POWER_OF_TWO(answer->entries) || !IS_POWER_OF_TWO(answer->completions) ||
	    memfd_check(fd, UINT64_MAX, &bytes) != 0 || bytes < least ||
	    memfd_map(fd, bytes, 0, &address) != 0)
		return client_fail(haul, HAUL_INTERNAL,
				   "the daemon sent rings that cannot be mapped");
	haul->header = address;
	haul->mapped_bytes = bytes;
	haul->entries_count = answer->entries;
	haul->completions_count = answer->completions;
	haul->entries = (struct haul_entry *)(void *)(haul->header + 1);
	haul->completions =
		(const struct haul_completion *)(void *)(haul->entries + haul->entries_count);
	if (haul->header->magic != HAUL_ABI_MAGIC || haul->header->version != HAUL_ABI_VERSION)
		return client_fail(haul, HAUL_VERSION,
				   "the rings have version %u, this library's is %u",
				   haul->header->version, HAUL_ABI_VERSION);
	return 0;
}

static int attach_hello(struct haul *haul, const struct haul_options *options)
{
	const char *name = options->name != NULL ? options->name : program_invocation_short_name;
	struct haul_attach_hello message = { .abi_version = HAUL_ABI_VERSION,
					     .entries = options->entries };
	struct haul_attach_hello_answer answer;
	struct client_call call = { .message = &message,
				    .message_bytes = sizeof(message),
				    .type = HAUL_ATTACH_HELLO,
				    .answer = &answer,
				    .answer_bytes = sizeof(answer),
				    .fd_count = 3 };
	int error;

	memcpy(message.name, name, strnlen(name, sizeof(message.name) - 1));
	error = client_ask(haul, &call);
	if (error != 0)
		return error;
	haul->doorbell_fd = call.fds[1];
	haul->wake_fd = call.fds[2];
	error = attach_map(haul, &answer, call.fds[0]);
	close(call.fds[0]);
	memcpy(haul->node, answer.node, sizeof(haul->node) - 1);
	return error;
}

HAUL_PUBLIC int haul_attach(const struct haul_options *options, struct haul **haul_out)
{
	static const struct haul_options defaults;
	struct haul *haul = calloc(1, sizeof(*haul));
	int error;

	*haul_out = NULL;
	if (options == NULL)
		options = &defaults;
	if (haul == NULL) {
		snprintf(attach_reason, sizeof(attach_reason), "out of memory");
		return -HAUL_SYSTEM;
	}
	LIST_INIT(&haul->memories);
	haul->socket_fd = -1;
	haul->doorbell_fd = -1;
	haul->wake_fd = -1;
	haul->process = getpid();
	haul->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : ATTACH_TIMEOUT_MS;
	error = attach_connect(haul, attach_path(options));
	if (error == 0)
		error = attach_hello(haul, options);
	if (error != 0) {
		memcpy(attach_reason, haul->reason, sizeof(attach_reason));
		haul_detach(haul);
		return error;
	}
	*haul_out = haul;
	return 0;
}
