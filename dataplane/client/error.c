/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sentences of libhaul: who decides that something is an error writes one, and haul_reason hands it out. A
 * failed haul_attach leaves no attachment behind, so its sentence is kept for the calling thread.
 */
#include "base/error.h"

#include "client/attachment.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char attach_reason[HAUL_REASON_BYTES];

const char *haul_error_text(int error)
{
	return error_text(error);
}

const char *haul_reason_text(unsigned int reason)
{
	return reason_text(reason);
}

const char *haul_reason(const struct haul *haul)
{
	return haul != NULL ? haul->reason : attach_reason;
}

int client_fail(struct haul *haul, enum haul_error error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(haul->reason, sizeof(haul->reason), format, arguments);
	va_end(arguments);
	return -(int)error;
}

void client_keep_attach_reason(const char *reason)
{
	snprintf(attach_reason, sizeof(attach_reason), "%s", reason);
}

int client_give_up(struct haul *haul, enum haul_error error, const char *reason)
{
	haul->is_gone = true;
	snprintf(haul->gone_reason, sizeof(haul->gone_reason), "%s", reason);
	return client_fail(haul, error, "%s", haul->gone_reason);
}

int client_disconnected(struct haul *haul)
{
	const struct haul_channel_header *header = haul->header;

	haul->is_gone = true;
	/* Acquire: the daemon writes the sentence before the state. */
	if (header != NULL && ring_load_acquire(&header->state) == HAUL_CHANNEL_CLOSED)
		return client_fail(haul, HAUL_DISCONNECTED, "the daemon closed the channel: %.*s",
				   (int)sizeof(header->reason) - 1, (const char *)header->reason);
	if (haul->gone_reason[0] != 0)
		return client_fail(haul, HAUL_DISCONNECTED, "%s", haul->gone_reason);
	return client_fail(haul, HAUL_DISCONNECTED,
			   "the daemon closed the attach socket: it stopped or was killed");
}
