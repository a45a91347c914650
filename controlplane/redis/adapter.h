/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * hiredis on the libevent loop, and a guard before what a server may say.
 *
 * hiredis ships an adapter as a header of functions; one file alone compiles it here, and checks the allocations that
 * it does not. hiredis 0.14 also trusts the server: an answer that nobody asked for ends the process by an assertion,
 * and an array may claim any length. The guard looks at every answer before it is built, and ends the connection
 * instead.
 */
#ifndef REDIS_ADAPTER_H
#define REDIS_ADAPTER_H

#include <stdbool.h>

struct event_base;
struct redisAsyncContext;
struct redisReplyObjectFunctions;

/** The most elements of an array: a page of a listing is what SSCAN gives, which small sets give whole. */
#define ADAPTER_ELEMENTS_MAX (1 << 16)

/** Lives as long as the context. */
struct adapter_guard {
	unsigned int pending; /**< commands sent and not answered; kept by the owner */
	bool is_babbling;     /**< the server said what nobody had asked for, or too much */
	struct redisReplyObjectFunctions *builders; /**< hiredis' own, behind the guard's */
};

/** Let the loop drive the context, until the context is freed, with a guard (all zero). Returns 0 or -ENOMEM. */
int adapter_attach(struct redisAsyncContext *context, struct event_base *base,
		   struct adapter_guard *guard);

#endif
