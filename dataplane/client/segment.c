/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments: making and taking back one's own, opening and closing those of others. */
#include "base/memfd.h"
#include "base/names.h"
#include "client/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Copy a string that must fit with its end; NULL counts as empty. */
static bool segment_copy(char *target, size_t bytes, const char *source)
{
	size_t length = source == NULL ? 0 : strnlen(source, bytes);

	if (length == bytes)
		return false;
	memcpy(target, source == NULL ? "" : source, length);
	target[length] = 0;
	return true;
}

static int segment_ask_destroy(struct haul *haul, uint32_t segment)
{
	struct haul_attach_segment_destroy message = { .segment = segment };
	struct haul_attach_plain_answer answer;
	struct client_call call = { .message = &message,
				    .message_bytes = sizeof(message),
				    .type = HAUL_ATTACH_SEGMENT_DESTROY,
				    .answer = &answer,
				    .answer_bytes = sizeof(answer) };

	return client_ask(haul, &call);
}

/* Map what the daemon made and remember it for detaching. */
static int segment_map(struct haul *haul, const struct haul_attach_segment_create_answer *answer,
		       int fd, struct haul_memory *memory_out)
{
	struct client_memory *memory = calloc(1, sizeof(*memory));
	uint64_t bytes;

	if (memory == NULL || memfd_check(fd, UINT64_MAX, &bytes) != 0 || bytes < answer->bytes ||
	    memfd_map(fd, answer->bytes, 0, &memory->address) != 0) {
		free(memory);
		segment_ask_destroy(haul, answer->segment);
		return client_fail(haul, HAUL_SYSTEM, "the segment's memory cannot be mapped");
	}
	memory->bytes = answer->bytes;
	memory->segment = answer->segment;
	LIST_INSERT_HEAD(&haul->memories, memory, link);
	memory_out->address = memory->address;
	memory_out->bytes = answer->bytes;
	memory_out->region = answer->region;
	memory_out->version = answer->version;
	memory_out->segment = answer->segment;
	memory_out->page_bytes = answer->page_bytes;
	return 0;
}

HAUL_PUBLIC int haul_segment_create(struct haul *haul, const struct haul_segment_options *options,
				    struct haul_memory *memory_out)
{
	struct haul_attach_segment_create message = { .bytes = options->bytes };
	struct haul_attach_segment_create_answer answer;
	struct client_call call = { .message = &message,
				    .message_bytes = sizeof(message),
				    .type = HAUL_ATTACH_SEGMENT_CREATE,
				    .answer = &answer,
				    .answer_bytes = sizeof(answer),
				    .fd_count = 1 };
	int error;

	if (!segment_copy(message.name, sizeof(message.name), options->name) ||
	    !segment_copy(message.readers, sizeof(message.readers), options->readers) ||
	    !segment_copy(message.writers, sizeof(message.writers), options->writers))
		return client_fail(haul, HAUL_INVALID,
				   "a name has up to 63 characters, a list of tenants 255");
	message.flags = options->is_private != 0 ? HAUL_SEGMENT_PRIVATE : 0;
	error = client_ask(haul, &call);
	if (error != 0)
		return error;
	error = segment_map(haul, &answer, call.fds[0], memory_out);
	close(call.fds[0]);
	return error;
}

HAUL_PUBLIC int haul_segment_destroy(struct haul *haul, struct haul_memory *memory)
{
	struct client_memory *entry;
	int error;

	LIST_FOREACH(entry, &haul->memories, link)
	{
		if (entry->segment == memory->segment)
			break;
	}
	if (entry == NULL)
		return client_fail(haul, HAUL_NOT_FOUND, "this attachment has no segment number %u",
				   memory->segment);
	error = segment_ask_destroy(haul, memory->segment);
	if (error != 0)
		return error;
	LIST_REMOVE(entry, link);
	munmap(entry->address, entry->bytes);
	free(entry);
	memset(memory, 0, sizeof(*memory));
	return 0;
}

HAUL_PUBLIC int haul_segment_open(struct haul *haul, const char *name, unsigned int rights,
				  struct haul_remote *remote_out)
{
	struct haul_attach_segment_open message = { .rights = rights };
	struct haul_attach_segment_open_answer answer;
	struct client_call call = { .message = &message,
				    .message_bytes = sizeof(message),
				    .type = HAUL_ATTACH_SEGMENT_OPEN,
				    .answer = &answer,
				    .answer_bytes = sizeof(answer) };
	int error;

	if (!segment_copy(message.name, sizeof(message.name), name) ||
	    !name_is_valid(message.name, sizeof(message.name)))
		return client_fail(haul, HAUL_INVALID, "a segment's name is " NAMES_ALLOWED);
	error = client_ask(haul, &call);
	if (error != 0)
		return error;
	memset(remote_out, 0, sizeof(*remote_out));
	remote_out->bytes = answer.bytes;
	remote_out->version = answer.version;
	remote_out->incarnation = answer.incarnation;
	remote_out->handle = answer.handle;
	remote_out->rights = rights;
	memcpy(remote_out->node, answer.node, sizeof(remote_out->node) - 1);
	return 0;
}

HAUL_PUBLIC int haul_segment_close(struct haul *haul, struct haul_remote *remote)
{
	struct haul_attach_segment_close message = { .handle = remote->handle };
	struct haul_attach_plain_answer answer;
	struct client_call call = { .message = &message,
				    .message_bytes = sizeof(message),
				    .type = HAUL_ATTACH_SEGMENT_CLOSE,
				    .answer = &answer,
				    .answer_bytes = sizeof(answer) };
	int error = client_ask(haul, &call);

	if (error == 0)
		memset(remote, 0, sizeof(*remote));
	return error;
}
