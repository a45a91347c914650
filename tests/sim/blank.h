/* SPDX-License-Identifier: BSD-3-Clause */
/** Callbacks of an end of rudp whose memory does not matter: everything is taken, and nothing is kept or given. */
#ifndef SIM_BLANK_H
#define SIM_BLANK_H

#include "rudp/rudp.h"

static inline int blank_notify(void *context, struct rudp_notification *notification)
{
	(void)context;
	(void)notification;
	return 0;
}

static inline int blank_open(void *context, struct rudp_opening *opening)
{
	(void)context;
	(void)opening;
	return 0;
}

static inline void blank_closed(void *context, struct rudp_connection *connection, uint64_t region)
{
	(void)context;
	(void)connection;
	(void)region;
}

static inline int blank_source(void *context, struct rudp_source *source)
{
	(void)context;
	(void)source;
	return 0;
}

static inline int blank_deliver(void *context, uint64_t cookie, uint32_t offset,
				const void *payload, uint32_t length)
{
	(void)context;
	(void)cookie;
	(void)offset;
	(void)payload;
	(void)length;
	return 0;
}

#endif
