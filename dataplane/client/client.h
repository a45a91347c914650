/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What libhaul keeps of one attachment; opaque to applications.
 *
 * It belongs to one thread at a time, as haul.h says, so nothing here is atomic but the shared indexes, whose ordering
 * is all in base/ring.h. The daemon is trusted with this process's segments, but its answers are checked as any
 * message is, so that a wrong daemon ends in an error and not in a crash.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "api/haul.h"
#include "api/haul_attach.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/** Only what is marked is exported; the library is built with hidden visibility. */
#define HAUL_PUBLIC __attribute__((visibility("default")))

/** Memory of a segment that this attachment created. */
struct client_memory {
	LIST_ENTRY(client_memory) link;
	void *address;
	size_t bytes;
	uint32_t segment;
};

struct haul {
	int socket_fd;   /**< -1 in a forked child's copy */
	int doorbell_fd; /**< written when the worker sleeps */
	int wake_fd;     /**< the worker writes when this side sleeps */
	pid_t process;   /**< that attached; another one is a forked child */
	uint32_t timeout_ms;
	uint32_t request; /**< number of the last request on the socket */
	bool is_broken; /**< the socket is closed or out of step: only DISCONNECTED from here on */

	struct haul_channel_header *header;
	struct haul_entry *entries;
	const struct haul_completion *completions;
	size_t mapped_bytes;
	uint32_t entries_count;
	uint32_t completions_count;

	uint32_t
		taken; /**< entries handed out by haul_entry_next: the tail after the next submit */
	uint32_t submitted; /**< submission_tail as it was last published */
	uint32_t seen;      /**< completion_head as it was last published */
	uint32_t promised;  /**< completions that what was taken may still bring */

	char node[HAUL_NAME_BYTES];
	char reason[HAUL_REASON_BYTES];
	LIST_HEAD(, client_memory) memories;
};

/** May this process use it? False in a forked child. */
bool client_is_own(const struct haul *haul);

/** Keep a sentence for haul_reason; returns -error. */
int client_fail(struct haul *haul, enum haul_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** A request with its answer. */
struct client_call {
	void *message; /**< begins with struct haul_frame */
	size_t message_bytes;
	uint16_t type; /**< enum haul_attach_type */
	void *answer;  /**< begins with struct haul_frame and struct haul_attach_answer */
	size_t answer_bytes;
	int fds[HAUL_FRAME_FDS_MAX]; /**< out: what the answer brought, the caller's to close */
	unsigned int fd_count;       /**< in: how many are expected with HAUL_OK */
};

/** Ask the daemon and wait for its answer, up to timeout_ms. Returns 0 or -HAUL_*, with the reason kept. */
int client_ask(struct haul *haul, struct client_call *call);

/** The channel's end, when the daemon closed it: keeps the reason, returns -HAUL_DISCONNECTED; else 0. */
int client_check_channel(struct haul *haul);

#endif
