/* SPDX-License-Identifier: BSD-3-Clause */
/* Extents of divided buffers, by way of the attach socket; segment.c says how such calls wait. */
#include "base/seqpacket.h"
#include "client/attachment.h"

int haul_extent_publish(struct haul *haul, const struct haul_memory *memory, uint64_t offset,
			uint64_t bytes, uint64_t *extent_out)
{
	struct haul_attach_extent_publish message = { .region = memory->region,
						      .offset = offset,
						      .bytes = bytes };
	const struct question question = { .message = &message,
					   .bytes = sizeof(message),
					   .type = HAUL_ATTACH_EXTENT_PUBLISH,
					   .answer_bytes =
						   sizeof(struct haul_attach_extent_answer) };
	struct answer answer;
	int error;

	CLIENT_REFUSE_IN_CHILD(haul);
	error = ask_exchange(haul, &question, &answer, client_deadline_ns(haul));
	if (error == 0)
		*extent_out = answer.message.extent.extent;
	return error;
}

int haul_extent_retire(struct haul *haul, uint64_t extent)
{
	struct haul_attach_buffer_remove message = { .region = extent };
	const struct question question = { .message = &message,
					   .bytes = sizeof(message),
					   .type = HAUL_ATTACH_EXTENT_RETIRE,
					   .answer_bytes =
						   sizeof(struct haul_attach_plain_answer) };
	struct answer answer;

	CLIENT_REFUSE_IN_CHILD(haul);
	return ask_exchange(haul, &question, &answer, client_deadline_ns(haul));
}
