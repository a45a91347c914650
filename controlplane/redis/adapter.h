/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * hiredis on the libevent loop. hiredis ships an adapter as a header of functions; this wraps it, so that one file
 * alone compiles it, and checks the allocations that it does not.
 */
#ifndef REDIS_ADAPTER_H
#define REDIS_ADAPTER_H

struct event_base;
struct redisAsyncContext;

/** Let the loop drive the context, until the context is freed. Returns 0 or -ENOMEM. */
int adapter_attach(struct redisAsyncContext *context, struct event_base *base);

#endif
