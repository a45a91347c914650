/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A private redis-server on a Unix socket in a directory of its own, for one test. It dies with the test, whatever
 * happens, and leaves no file. Never the machine's server.
 */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
	char directory[64];
	char socket[80];
	pid_t pid; /**< 0 = not running */
};

/** True when there is a redis-server to start; else says so. */
bool redis_server_exists(void);

/** Make the directory; the socket's path is known from then on. */
void redis_server_prepare(struct redis_server *server);

/** Start it with up to one more option and its value (or NULL), and wait until it answers. */
void redis_server_start(struct redis_server *server, const char *option, const char *value);

/** Kill it; its data are gone. */
void redis_server_kill(struct redis_server *server);

/** Send it a signal, e.g. SIGSTOP. */
void redis_server_signal(const struct redis_server *server, int signal);

/** Run one command, words separated by blanks, and return the first line of its raw answer (static memory). */
const char *redis_server_ask(const struct redis_server *server, const char *command);

/** Kill it if it runs, and remove the directory. */
void redis_server_remove(struct redis_server *server);

#endif
