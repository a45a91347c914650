/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one file that includes hiredis' adapter for libevent. The guard stands in hiredis' table of functions that build
 * answers: one that returns NULL makes the parser fail and hiredis disconnect, which is a way it is prepared for.
 */
#include "controlplane/redis/adapter.h"

#include <hiredis/adapters/libevent.h>

#include <errno.h>

/* May this be built? An answer at the top level needs somebody who waits for it. */
static bool guard_lets(const redisReadTask *task)
{
	struct adapter_guard *guard = task->privdata;

	if (task->parent != NULL || guard->pending > 0)
		return true;
	guard->is_babbling = true;
	return false;
}

static void *guard_string(const redisReadTask *task, char *bytes, size_t length)
{
	const struct adapter_guard *guard = task->privdata;

	return guard_lets(task) ? guard->builders->createString(task, bytes, length) : NULL;
}

static void *guard_array(const redisReadTask *task, int elements)
{
	struct adapter_guard *guard = task->privdata;

	if (elements > ADAPTER_ELEMENTS_MAX) {
		guard->is_babbling = true;
		return NULL;
	}
	return guard_lets(task) ? guard->builders->createArray(task, elements) : NULL;
}

static void *guard_integer(const redisReadTask *task, long long value)
{
	const struct adapter_guard *guard = task->privdata;

	return guard_lets(task) ? guard->builders->createInteger(task, value) : NULL;
}

static void *guard_nil(const redisReadTask *task)
{
	const struct adapter_guard *guard = task->privdata;

	return guard_lets(task) ? guard->builders->createNil(task) : NULL;
}

static redisReplyObjectFunctions guard_builders = {
	guard_string, guard_array, guard_integer, guard_nil, freeReplyObject,
};

int adapter_attach(struct redisAsyncContext *context, struct event_base *base,
		   struct adapter_guard *guard)
{
	redisLibeventEvents *events = NULL;

	guard->builders = context->c.reader->fn;
	context->c.reader->privdata = guard;
	context->c.reader->fn = &guard_builders;
	if (redisLibeventAttach(context, base) != REDIS_OK)
		return -ENOMEM;
	events = context->ev.data;
	return events->rev != NULL && events->wev != NULL ? 0 : -ENOMEM;
}
