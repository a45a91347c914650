/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What is inside a struct haul, for libhaul's own files.
 *
 * One thread at a time uses an attachment, so nothing here is locked; the only other party is the daemon, in the
 * shared header and rings. The library keeps its own copy of every index that it owns and of every size, and reads
 * from the shared memory only what the daemon writes.
 *
 *     attach.c   connect, hello, map, detach          ask.c      one request and its answer on the attach socket
 *     segment.c  create, destroy, open, close         submit.c   entries in            reap.c   completions out
 *     buffer.c   add, unmap                         extent.c   publish, retire
 *     error.c    sentences                            notification.c   notifications out
 */
#ifndef CLIENT_ATTACHMENT_H
#define CLIENT_ATTACHMENT_H

#include "api/haul.h"
#include "api/haul_attach.h"
#include "base/check.h"
#include "base/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of each blocking call when the application names no time: longer than any answer of a healthy daemon. */
#define CLIENT_TIMEOUT_MS 10000u

/** The most completions one ring may have: the daemon makes two for each entry, and may come to make more. */
#define CLIENT_COMPLETIONS_MAX (8u * HAUL_RING_ENTRIES_MAX)

/** How long the first wait polls the ring before it sleeps; later ones adapt it (reap.c). */
#define CLIENT_SPIN_NS 20000u

/** Memory of a buffer that this attachment owns; in the list until its segment is destroyed. */
struct mapping {
	struct mapping *next;
	void *address; /**< unmapped then; NULL = it was given, and is the application's to map */
	size_t bytes;
	uint64_t region;  /**< its handle; 0 = a segment without a buffer */
	uint32_t segment; /**< the daemon's number for it */
};

/** Where a batch id of this attachment is in its life. */
enum batch_state {
	BATCH_FREE = 0,  /**< no member was submitted since its last completion */
	BATCH_OPEN = 1,  /**< members were submitted: one completion of the whole is due */
	BATCH_ENDED = 2, /**< so was the last one: what follows is refused, each by itself */
};

/** A request on the attach socket whose answer has not come. */
struct asked {
	uint32_t request; /**< its number; 0 = none is open */
	uint16_t type;    /**< enum haul_attach_type */
};

/** What an answer that came too late gave to this attachment, and nobody wants any more. */
struct undo {
	uint16_t type; /**< enum haul_attach_type of the request that gives it back; 0 = nothing */
	bool is_asked; /**< that request is the open one */
	uint64_t number; /**< of the segment, or the handle, or the region of a buffer */
};

struct haul {
	/* Looked at by every call on the rings. */
	const uint32_t *alive;              /**< own page: 1, and 0 in a forked child */
	struct haul_channel_header *header; /**< shared; which side writes what: haul_abi.h */
	struct haul_entry *entries;         /**< shared, written here */
	const struct haul_completion *completions;     /**< shared, read here */
	const struct haul_notification *notifications; /**< shared, read here */
	uint32_t entries_count; /**< checked once at attach, as the next two */
	uint32_t completions_count;
	uint32_t notifications_count;
	uint32_t submission_tail;   /**< own copy: entries made visible */
	uint32_t submission_head;   /**< the daemon's, as last seen */
	uint32_t taken;             /**< entries given out since the last submit */
	uint32_t completion_head;   /**< own copy: completions seen */
	uint32_t peeked;            /**< completions that the last peek or wait gave out */
	uint32_t notification_head; /**< own copy: notifications seen */
	uint32_t notification_told; /**< those before it were given out, or have ended a wait */
	uint32_t notified;          /**< notifications that the last peek gave out */
	uint32_t due;               /**< completions that submitted entries will still bring */
	uint32_t unclosed;          /**< batches whose last entry was not submitted */
	uint32_t empty_peeks; /**< one after the other; now and then one looks at the socket */
	uint32_t spin_ns;     /**< how long the next wait polls the ring before it sleeps */
	int doorbell_fd;      /**< eventfd, written here when the daemon sleeps */
	int wake_fd;   /**< stream socket, where the daemon sends a byte when this side sleeps */
	int socket_fd; /**< attach socket, never blocking */
	bool is_gone;  /**< the daemon is gone, has closed the channel or cannot be understood */
	uint8_t batches[HAUL_BATCHES_MAX + 1]; /**< enum batch_state by id; 0 is not used */

	/* Attaching, segments and errors. */
	uint64_t timeout_ns; /**< of each blocking call */
	uint64_t ring_bytes; /**< mapped at header */
	struct mapping *mappings;
	struct asked asked; /**< the open request */
	struct undo undo;
	uint32_t last_request; /**< numbers count up from 1 */
	char node[HAUL_NAME_BYTES];
	char reason[HAUL_REASON_BYTES]; /**< of the last refusal */
	char gone_reason
		[HAUL_REASON_BYTES]; /**< why is_gone, when this side noticed it; may be empty */
};

/** One request, and what the answer to it must bring when it succeeds. */
struct question {
	void *message;  /**< begins with its frame, which ask_exchange fills */
	const int *fds; /**< descriptors to send along; the caller's */
	unsigned int fd_count;
	size_t bytes;            /**< of the message */
	uint16_t type;           /**< enum haul_attach_type */
	size_t answer_bytes;     /**< of the answer's struct */
	unsigned int answer_fds; /**< descriptors */
};

/** An answer as it was received; room for the longest message there is. */
struct answer {
	union {
		struct haul_frame frame;
		struct haul_attach_plain_answer plain;
		struct haul_attach_hello_answer hello;
		struct haul_attach_segment_create_answer create;
		struct haul_attach_segment_open_answer open;
		struct haul_attach_extent_answer extent;
		uint8_t bytes[HAUL_FRAME_BYTES_MAX];
	} message;

	int fds[HAUL_FRAME_FDS_MAX]; /**< the caller's after a success */
	unsigned int fd_count;
	size_t length;
};

/** May this process use the attachment? False in a forked child, whose copy of the page the kernel cleared. */
static inline bool client_is_alive(const struct haul *haul)
{
	return LIKELY(*haul->alive != 0);
}

/** Calls in a forked child are refused without a sentence, since that would be written into the parent's copy. */
#define CLIENT_REFUSE_IN_CHILD(haul)          \
	do {                                  \
		if (!client_is_alive(haul))   \
			return -HAUL_INVALID; \
	} while (0)

/** Keep a sentence for haul_reason and return the error, negated. */
int client_fail(struct haul *haul, enum haul_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** The same for a failed haul_attach, whose attachment does not outlive the call; `reason` is copied. */
void client_keep_attach_reason(const char *reason);

/** Nothing more can be had from this daemon, for a reason that this side found. Returns the error, negated. */
int client_give_up(struct haul *haul, enum haul_error error, const char *reason);

/**
 * The daemon is gone, or closed the channel, or was given up: keep why, in its own words if it left some. Returns
 * -HAUL_DISCONNECTED.
 */
int client_disconnected(struct haul *haul);

/**
 * Send one request and wait for its answer, at the latest until deadline_ns; before it, for the answer to an earlier
 * request that was given up, whose effect is then undone. Returns 0, or -HAUL_* with the sentence kept and no
 * descriptor left open.
 */
int ask_exchange(struct haul *haul, const struct question *question, struct answer *answer,
		 uint64_t deadline_ns);

/** Look at the attach socket without waiting; what lies there is a late answer. False when the daemon is gone. */
bool ask_is_connected(struct haul *haul);

/** The two full fences of the sleeping protocol (base/ring.h) on the client's side. */
enum client_fence {
	CLIENT_FENCE_SUBMIT =
		1,             /**< between submission_tail's store and the load of daemon_sleeps */
	CLIENT_FENCE_REAP = 2, /**< between client_sleeps' store and the last look at the ring */
};

#ifndef CLIENT_TEST_WITHOUT_FENCE
#define CLIENT_TEST_WITHOUT_FENCE 0 /* a test is built without one, to show that it would notice */
#endif

static inline void client_fence(enum client_fence place)
{
	if (place == CLIENT_TEST_WITHOUT_FENCE)
		__asm__ volatile("" ::: "memory");
	else
		ring_full_fence();
}

/** When a blocking call that begins now must end. */
uint64_t client_deadline_ns(const struct haul *haul);

/** Milliseconds for poll until then: rounded up, 0 when it has passed. */
int client_remaining_ms(uint64_t deadline_ns);

/** Completions, or the end of the channel: a count, 0 or -HAUL_DISCONNECTED. */
int reap_look(struct haul *haul);

/** An empty look, one after the other: now and then it asks the kernel whether the daemon lives. As reap_look. */
int reap_look_again(struct haul *haul);

/** Has a notification come that nobody was told of yet? It counts as told from now on. */
bool notification_is_new(struct haul *haul);

/** May memory be given by this descriptor? 0 or -HAUL_INVALID with the sentence. */
int segment_check_given(struct haul *haul, int is_given, int fd);

/**
 * Note a buffer that the daemon has made, and map its memory (fd, which stays the caller's), or that there is none to
 * map (-1). Returns 0, or -HAUL_SYSTEM with the sentence kept; then nothing is noted.
 */
int segment_take(struct haul *haul, const struct haul_attach_segment_create_answer *created, int fd,
		 struct haul_memory *memory_out);

/** Unmap the memory that *link points to, and take it off the list. */
void segment_unmap(struct mapping **link);

/** Unmap all segments; their region handles die with the attachment. */
void segment_unmap_all(struct haul *haul);

#endif
