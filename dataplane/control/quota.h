/* SPDX-License-Identifier: BSD-3-Clause */
/** What the clients of a user may hold together, and all clients of the daemon. Control thread. */
#ifndef CONTROL_QUOTA_H
#define CONTROL_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct client;

/** What a client asks for. */
struct quota_wish {
	uint32_t segments;
	uint32_t buffers; /**< and extents */
	uint64_t bytes;
};

/** Would it be more than the user, or the daemon, may have? Then the refusal has been answered. */
bool quota_refuses(struct client *client, const struct quota_wish *wish);

/** May the client have one more buffer or extent? */
bool quota_has_buffer(const struct client *client);

#endif
