/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one file that includes hiredis' adapter for libevent.
 */
#include "controlplane/redis/adapter.h"

#include <hiredis/adapters/libevent.h>

#include <errno.h>

int adapter_attach(struct redisAsyncContext *context, struct event_base *base)
{
	redisLibeventEvents *events = NULL;

	if (redisLibeventAttach(context, base) != REDIS_OK)
		return -ENOMEM;
	events = context->ev.data;
	return events->rev != NULL && events->wev != NULL ? 0 : -ENOMEM;
}
