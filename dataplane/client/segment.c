/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments by way of the attach socket: memory that the daemon made, or this process gave, and both map, and segments of
 * other nodes as handles for entries. Blocking calls, each with a deadline; ask.c does the waiting.
 */
#include "base/error.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "client/attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Copy a text with its final zero into a field of a message. Returns 0 or -HAUL_INVALID with the sentence. */
static int segment_copy_text(struct haul *haul, const char *what, const char *text, char *field,
			     size_t field_bytes)
{
	size_t bytes = text != NULL ? strlen(text) + 1 : 0;

	if (bytes > field_bytes)
		return client_fail(haul, HAUL_INVALID, "%s \"%.32s...\" has %zu bytes, %zu fit",
				   what, text, bytes - 1, field_bytes - 1);
	if (bytes > 0)
		memcpy(field, text, bytes);
	return 0;
}

int segment_check_given(struct haul *haul, int is_given, int fd)
{
	if (is_given && fcntl(fd, F_GETFD) < 0)
		return client_fail(haul, HAUL_INVALID, "the memory given: %d is no descriptor", fd);
	return 0;
}

static int segment_fill_create(struct haul *haul, const struct haul_segment_options *options,
			       struct haul_attach_segment_create *message)
{
	const char *name = options->name;
	int error;

	error = segment_check_given(haul, options->is_given, options->fd);
	if (error != 0)
		return error;
	message->bytes = options->bytes;
	message->space_bytes = options->space_bytes;
	message->flags = options->is_private ? HAUL_SEGMENT_PRIVATE : 0;
	if (options->is_given)
		message->flags |= HAUL_SEGMENT_GIVEN;
	if (options->is_read_only)
		message->flags |= HAUL_SEGMENT_READ_ONLY;
	if (options->is_divided)
		message->flags |= HAUL_SEGMENT_DIVIDED;
	if (name == NULL && options->is_private)
		name = "private"; /* a label only */
	error = segment_copy_text(haul, "the name", name, message->name, sizeof(message->name));
	if (error == 0)
		error = segment_copy_text(haul, "the list of readers", options->readers,
					  message->readers, sizeof(message->readers));
	if (error == 0)
		error = segment_copy_text(haul, "the list of writers", options->writers,
					  message->writers, sizeof(message->writers));
	return error;
}

/* Ask for a number to be given back: a segment destroyed or a handle closed. */
static int segment_give_back(struct haul *haul, uint16_t type, uint32_t number,
			     uint64_t deadline_ns)
{
	/* SEGMENT_CLOSE has the same layout; ask.c asserts it. */
	struct haul_attach_segment_destroy message = { .segment = number };
	const struct question question = { .message = &message,
					   .bytes = sizeof(message),
					   .type = type,
					   .answer_bytes =
						   sizeof(struct haul_attach_plain_answer) };
	struct answer answer;

	return ask_exchange(haul, &question, &answer, deadline_ns);
}

/* Map the memfd that the daemon made. Returns 0 or -errno. */
static int segment_map_fd(const struct haul_attach_segment_create_answer *created, int fd,
			  void **address_out)
{
	uint64_t bytes = 0;
	int error = memfd_check(fd, created->bytes, &bytes);

	if (error == 0 && bytes != created->bytes)
		error = -EBADMSG;
	return error == 0 ? memfd_map(fd, bytes, MEMFD_POPULATE, address_out) : error;
}

/* Note what was created, mapped when the daemon made it (fd >= 0). Returns NULL with the sentence kept when that fails. */
static struct mapping *segment_map(struct haul *haul,
				   const struct haul_attach_segment_create_answer *created, int fd)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	int error = mapping != NULL ? 0 : -ENOMEM;

	if (error == 0 && fd >= 0)
		error = segment_map_fd(created, fd, &mapping->address);
	if (error != 0) {
		free(mapping);
		client_fail(haul, HAUL_SYSTEM, "the memory's %llu bytes cannot be mapped: %s",
			    (unsigned long long)created->bytes, errno_text(error));
		return NULL;
	}
	mapping->bytes = created->bytes;
	mapping->region = created->region;
	mapping->segment = created->segment;
	return mapping;
}

int segment_take(struct haul *haul, const struct haul_attach_segment_create_answer *created, int fd,
		 struct haul_memory *memory_out)
{
	struct mapping *mapping = segment_map(haul, created, fd);

	if (mapping == NULL)
		return -HAUL_SYSTEM;
	mapping->next = haul->mappings;
	haul->mappings = mapping;
	*memory_out = (struct haul_memory){ .address = mapping->address,
					    .bytes = mapping->bytes,
					    .region = created->region,
					    .version = created->version,
					    .offset = created->offset,
					    .segment = created->segment,
					    .page_bytes = created->page_bytes };
	return 0;
}

int haul_segment_create(struct haul *haul, const struct haul_segment_options *options,
			struct haul_memory *memory_out)
{
	struct haul_attach_segment_create message = { 0 };
	const struct question question = {
		.message = &message,
		.bytes = sizeof(message),
		.type = HAUL_ATTACH_SEGMENT_CREATE,
		.fds = &options->fd,
		.fd_count = options->is_given ? 1 : 0,
		.answer_bytes = sizeof(struct haul_attach_segment_create_answer),
		.answer_fds = options->is_given || options->bytes == 0 ? 0 : 1,
	};
	uint64_t deadline_ns = client_deadline_ns(haul);
	struct answer answer;
	int error;

	CLIENT_REFUSE_IN_CHILD(haul);
	error = segment_fill_create(haul, options, &message);
	if (error == 0)
		error = ask_exchange(haul, &question, &answer, deadline_ns);
	if (error != 0)
		return error;
	error = segment_take(haul, &answer.message.create, answer.fd_count > 0 ? answer.fds[0] : -1,
			     memory_out);
	seqpacket_close_fds(answer.fds, answer.fd_count);
	if (error != 0) {
		/* The next call gives it back, so that the sentence stays that of this failure. */
		haul->undo = (struct undo){ .type = HAUL_ATTACH_SEGMENT_DESTROY,
					    .number = answer.message.create.segment };
	}
	return error;
}

void segment_unmap(struct mapping **link)
{
	struct mapping *mapping = *link;

	*link = mapping->next;
	memfd_unmap(mapping->address, mapping->bytes);
	free(mapping);
}

void segment_unmap_all(struct haul *haul)
{
	while (haul->mappings != NULL)
		segment_unmap(&haul->mappings);
}

/* Some mapping of the segment; NULL = this attachment has none of that number. */
static struct mapping **segment_find(struct haul *haul, uint32_t number)
{
	struct mapping **link = &haul->mappings;

	while (*link != NULL && (*link)->segment != number)
		link = &(*link)->next;
	return *link != NULL ? link : NULL;
}

static void segment_unmap_buffers(struct haul *haul, uint32_t number)
{
	struct mapping **link;

	while ((link = segment_find(haul, number)) != NULL)
		segment_unmap(link);
}

int haul_segment_destroy(struct haul *haul, struct haul_memory *memory)
{
	int error;

	CLIENT_REFUSE_IN_CHILD(haul);
	if (segment_find(haul, memory->segment) == NULL)
		return client_fail(haul, HAUL_NOT_FOUND,
				   "this attachment owns no segment number %u", memory->segment);
	error = segment_give_back(haul, HAUL_ATTACH_SEGMENT_DESTROY, memory->segment,
				  client_deadline_ns(haul));
	/* NOT_FOUND: an earlier call that was given up has destroyed it, only the mapping is left. */
	if (error != 0 && error != -HAUL_NOT_FOUND)
		return error;
	segment_unmap_buffers(haul, memory->segment);
	memset(memory, 0, sizeof(*memory));
	return 0;
}

int haul_segment_open(struct haul *haul, const char *name, unsigned int rights,
		      struct haul_remote *remote_out)
{
	struct haul_attach_segment_open message = { .rights = rights };
	const struct question question = {
		.message = &message,
		.bytes = sizeof(message),
		.type = HAUL_ATTACH_SEGMENT_OPEN,
		.answer_bytes = sizeof(struct haul_attach_segment_open_answer),
	};
	const struct haul_attach_segment_open_answer *opened;
	struct answer answer;
	int error;

	CLIENT_REFUSE_IN_CHILD(haul);
	error = segment_copy_text(haul, "the name", name, message.name, sizeof(message.name));
	if (error == 0)
		error = ask_exchange(haul, &question, &answer, client_deadline_ns(haul));
	if (error != 0)
		return error;
	opened = &answer.message.open;
	*remote_out = (struct haul_remote){ .bytes = opened->bytes,
					    .version = opened->version,
					    .incarnation = opened->incarnation,
					    .handle = opened->handle,
					    .rights = rights };
	memcpy(remote_out->node, opened->node, sizeof(remote_out->node) - 1);
	return 0;
}

int haul_segment_close(struct haul *haul, struct haul_remote *remote)
{
	int error;

	CLIENT_REFUSE_IN_CHILD(haul);
	error = segment_give_back(haul, HAUL_ATTACH_SEGMENT_CLOSE, remote->handle,
				  client_deadline_ns(haul));
	if (error == 0)
		memset(remote, 0, sizeof(*remote));
	return error;
}
