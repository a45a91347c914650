/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One connection to Redis: it comes up by itself, is checked before anybody may use it, and comes up again with a
 * growing pause after it broke. One libevent loop, one thread.
 *
 *   PAUSING --timer--> CONNECTING --connected--> CHECKING --all well--> READY
 *      ^                    |                       |                     |
 *      +---- refused, broken, or a command that was not answered in time -+
 *
 * Checks, in this order: AUTH when there is a password, PING, and INFO: the server must be a primary, must not evict
 * (maxmemory-policy noeviction) and should keep an append-only file.
 *
 * hiredis 0.14 has no time-outs: each command has a timer here. A server that does not answer one in time gets no
 * second: the connection is dropped, so that no late answer can be taken for another's.
 */
#ifndef REDIS_CONNECTION_H
#define REDIS_CONNECTION_H

#include "api/haul_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct redisReply;
struct text;

/** Room for "unix:PATH" or "tcp:HOST:PORT", for messages. */
#define CONNECTION_NAME_BYTES 160u

/** Room for a server's run_id (40 hexadecimal digits). */
#define CONNECTION_RUN_ID_BYTES 64u

enum connection_state {
	CONNECTION_PAUSING,    /**< nothing open; the next attempt is armed */
	CONNECTION_CONNECTING, /**< the socket is on its way */
	CONNECTION_CHECKING,   /**< connected; is it a server to trust? */
	CONNECTION_READY,      /**< commands are taken */
};

struct connection_conf {
	const char *socket; /**< path of a Unix socket; empty = TCP */
	const char
		*host; /**< TCP: a numeric address, or a name that is resolved once, at creation */
	uint16_t port;
	const char *password_file; /**< its first line is the password; empty = none */
	unsigned int timeout_ms;   /**< for connecting and for each command */
	unsigned int backoff_min_ms;
	unsigned int backoff_max_ms;
	bool is_quiet; /**< log nothing: another connection to the same server does */
};

/** Called from the loop; never from within a call to this module, but for destroy. */
struct connection_events {
	void (*ready)(void *arg);
	/** After READY only. The commands that were under way are answered with NULL, before or after this. */
	void (*lost)(void *arg);
	void *arg;
};

struct connection;

/**
 * Make a connection; the first attempt starts with the loop. Returns 0 or -errno; what is wrong has been logged.
 */
int connection_create(struct event_base *base, const struct connection_conf *conf,
		      const struct connection_events *events, struct connection **out);

/** Close it; the commands under way are answered with NULL, nothing else is called. NULL is allowed. */
void connection_destroy(struct connection *connection);

enum connection_state connection_state(const struct connection *connection);

/** Where the server is: "unix:PATH" or "tcp:HOST:PORT". */
const char *connection_name(const struct connection *connection);

/** True when the last server was reached and refused: it would lose records, wants a password, or makes no sense. */
bool connection_is_refused(const struct connection *connection);

/** The server's run_id; empty before the first READY. */
const char *connection_run_id(const struct connection *connection);

/** "redis at unix:/x does not answer since 3.2 s", or "" while it is READY. */
void connection_reason(const struct connection *connection, char reason[HAUL_REASON_BYTES]);

/** The same sentence for a command that has not been answered for so long, while the connection counts as READY. */
void connection_silence(const struct connection *connection, uint64_t silent_us,
			char reason[HAUL_REASON_BYTES]);

/** reply is NULL when the server was lost before it answered; it is freed when the function returns. */
typedef void connection_reply_fn(void *arg, const struct redisReply *reply);

/**
 * Send a command of count texts. Returns 0: fn is called exactly once, later. Returns -HAUL_UNAVAILABLE when the
 * connection is not READY or there is no memory: fn is not called. wait_ms is added to the command's time-out, for
 * commands that block.
 */
int connection_command(struct connection *connection, const struct text *texts, unsigned int count,
		       unsigned int wait_ms, connection_reply_fn *fn, void *arg);

/** What the server says makes sense: the next pause is a short one again, and the next loss is logged. */
void connection_trust(struct connection *connection);

/** Drop the connection and come back: the server said something that cannot be. */
void connection_distrust(struct connection *connection, const char *why);

#endif
