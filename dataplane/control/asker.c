/* SPDX-License-Identifier: BSD-3-Clause */
/* Who waits for what; asker.h says in which two ways. */
#include "control/asker.h"

#include "base/check.h"
#include "control/buffer.h"
#include "control/node.h"
#include "control/rings.h"

#include <stdarg.h>
#include <stdio.h>

static void asker_finish_errand(const struct asker *asker, enum haul_error status,
				enum haul_reason reason, uint64_t result)
{
	errand_finish(&asker->client->rings->channel, asker->errand, status, reason, result);
}

void asker_tell(struct asker *asker, uint64_t result)
{
	struct haul_attach_extent_answer message = { .extent = result };
	size_t bytes = result != 0 ? sizeof(message) : sizeof(struct haul_attach_plain_answer);
	struct asker whom = *asker;

	*asker = (struct asker){ 0 };
	if (whom.client == NULL)
		return;
	if (whom.errand != NULL)
		asker_finish_errand(&whom, HAUL_OK, HAUL_REASON_NONE, result);
	else
		client_answer(whom.client, HAUL_OK, &message, bytes, NULL, 0);
}

void asker_refuse(struct asker *asker, enum haul_error status, enum haul_reason reason,
		  const char *format, ...)
{
	char sentence[HAUL_REASON_BYTES];
	struct asker whom = *asker;
	va_list arguments;

	*asker = (struct asker){ 0 };
	if (whom.client == NULL)
		return;
	if (whom.errand != NULL) {
		asker_finish_errand(&whom, status, reason, 0);
		return;
	}
	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	client_refuse(whom.client, status, "%s", sentence);
}

void asker_forget(struct asker *asker)
{
	if (asker->client != NULL && asker->errand != NULL)
		asker_finish_errand(asker, HAUL_CANCELLED, HAUL_REASON_CLIENT_GONE, 0);
	*asker = (struct asker){ 0 };
}

static void asker_carry_out(struct asker *asker, const struct errand *errand)
{
	switch (errand->opcode) {
	case HAUL_OP_BUFFER_REMOVE:
		buffer_remove(asker, errand->region);
		break;
	case HAUL_OP_EXTENT_PUBLISH:
		extent_publish(asker, errand->region, errand->offset, errand->bytes);
		break;
	default:
		extent_retire(asker, errand->region);
		break;
	}
}

void asker_obey(struct node *node, const struct worker_request *request)
{
	struct rings *rings = CONTAINER_OF(request->channel, struct rings, channel);
	struct errand *errand = &request->channel->errands.errands[request->index];
	struct asker asker = { .client = rings->client, .errand = errand };

	(void)node;
	if (rings->client->fd < 0)
		asker_forget(&asker);
	else
		asker_carry_out(&asker, errand);
}
