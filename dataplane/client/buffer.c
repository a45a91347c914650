/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers of this attachment's segments, by way of the attach socket; segment.c says how such calls wait. */
#include "base/seqpacket.h"
#include "client/attachment.h"

/* What the daemon is asked for. Returns 0 or -HAUL_INVALID with the sentence. */
static int buffer_fill_add(struct haul *haul, uint32_t segment,
			   const struct haul_buffer_options *options,
			   struct haul_attach_buffer_add *message)
{
	message->segment = segment;
	message->bytes = options->bytes;
	message->offset = options->offset;
	message->flags = options->is_read_only ? HAUL_SEGMENT_READ_ONLY : 0;
	if (options->is_given)
		message->flags |= HAUL_SEGMENT_GIVEN;
	if (options->is_divided)
		message->flags |= HAUL_SEGMENT_DIVIDED;
	return segment_check_given(haul, options->is_given, options->fd);
}

int haul_buffer_add(struct haul *haul, uint32_t segment, const struct haul_buffer_options *options,
		    struct haul_memory *memory_out)
{
	struct haul_attach_buffer_add message = { 0 };
	const struct question question = {
		.message = &message,
		.bytes = sizeof(message),
		.type = HAUL_ATTACH_BUFFER_ADD,
		.fds = &options->fd,
		.fd_count = options->is_given ? 1 : 0,
		.answer_bytes = sizeof(struct haul_attach_segment_create_answer),
		.answer_fds = options->is_given ? 0 : 1,
	};
	struct answer answer;
	int error;

	CLIENT_REFUSE_IN_CHILD(haul);
	error = buffer_fill_add(haul, segment, options, &message);
	if (error == 0)
		error = ask_exchange(haul, &question, &answer, client_deadline_ns(haul));
	if (error != 0)
		return error;
	error = segment_take(haul, &answer.message.create, options->is_given ? -1 : answer.fds[0],
			     memory_out);
	seqpacket_close_fds(answer.fds, answer.fd_count);
	if (error != 0) {
		/* The next call gives it back, so that the sentence stays that of this failure. */
		haul->undo = (struct undo){ .type = HAUL_ATTACH_BUFFER_REMOVE,
					    .number = answer.message.create.region };
	}
	return error;
}

int haul_buffer_unmap(struct haul *haul, struct haul_memory *memory)
{
	struct mapping **link = &haul->mappings;

	CLIENT_REFUSE_IN_CHILD(haul);
	while (*link != NULL && ((*link)->region != memory->region || memory->region == 0))
		link = &(*link)->next;
	if (*link == NULL) {
		return client_fail(haul, HAUL_NOT_FOUND,
				   "this attachment has no buffer with region %012llx",
				   (unsigned long long)memory->region);
	}
	segment_unmap(link);
	*memory = (struct haul_memory){ 0 };
	return 0;
}
