/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Clients: the attach socket, and one struct client a connection.
 *
 * A client asks one thing at a time; while an answer is on its way nothing more is read from it. Closing the socket,
 * by whatever cause, ends the client: its regions are refused at once, its operations cancelled, its handles closed,
 * and its memory goes when every worker has gone round. The struct lives until the last of that is done.
 */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/limits.h"
#include "base/log.h"
#include "engine/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct event;
struct node;
struct opening;
struct rings;
struct worker_request;

struct client {
	TAILQ_ENTRY(client) link;
	struct node *node;
	struct event *readable;
	struct rings *rings; /**< NULL before HELLO */
	int fd;              /**< -1 once it has ended */
	uint32_t number;     /**< of its channel; the owner of its regions */
	uint32_t request;    /**< being answered */
	uint16_t request_type;
	bool is_waiting; /**< an answer is on its way: nothing more is read */
	uint32_t
		pending; /**< things that still name this struct: segments, openings, the channel */
	uid_t uid;
	pid_t pid;
	const char *tenant;
	uint32_t segments; /**< owned now, for the quota */
	uint32_t buffers;  /**< of those */
	uint64_t bytes;    /**< of those */
	char name[HAUL_NAME_BYTES];
	struct opening *openings[ENGINE_HANDLES_MAX]; /**< by handle index */
};

TAILQ_HEAD(client_list, client);

struct client_table {
	struct client_list list;
	struct event *acceptable;
	struct log_limit limit;
	int listener;      /**< -1 = not listening */
	uint32_t channels; /**< clients that have passed HELLO */
	uint32_t next_number;
};

/** Listen. Returns 0 or -errno after logging. */
int client_listen(struct node *node);

/** Stop listening and end every client. */
void client_stop(struct node *node);

/** With the workers stopped: free the channels that they had no time to give back. */
void client_free_channels(struct node *node);

/** Accept again after descriptors were short. */
void client_listen_again(struct node *node);

/** Some range was poisoned: end the clients whose rings it was. */
void client_check_faults(struct node *node);

/**
 * Answer the client's request; `message` begins with struct haul_frame and struct haul_attach_answer, whose frame is
 * filled here. The descriptors stay the caller's.
 */
void client_answer(struct client *client, enum haul_error status, void *message, size_t length,
		   const int *fds, unsigned int fd_count);

/** Refuse it with a sentence. */
void client_refuse(struct client *client, enum haul_error status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** End a client: the reason goes into its channel's error page. */
void client_end(struct client *client, enum haul_error error, const char *reason);

/** Something that named the client does no more; it is freed when it has ended and nothing does. */
void client_release(struct client *client);

/** A worker tells that a channel broke its rules, or that it is idle and may be freed. */
void client_channel_bad(struct node *node, const struct worker_request *request);
void client_channel_gone(struct node *node, const struct worker_request *request);

#endif
