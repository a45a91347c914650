/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The dataplane's end of the control socket: it connects, says HELLO, and carries requests and answers.
 *
 * While there is no control plane a request waits, bounded by LINK_REQUEST_MS, and then ends with UNAVAILABLE. When the
 * socket breaks, requests that were not answered are sent again after the next HELLO; each of them may be repeated
 * safely. Control thread only.
 */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include "api/haul_control.h"
#include "api/haul_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct event_base;

/** How long a request may take, control plane and Redis included. */
#define LINK_REQUEST_MS 5000u

/** Pauses between two tries to connect: doubling between these. */
#define LINK_RETRY_MIN_MS 20u
#define LINK_RETRY_MAX_MS 1000u

/** Answers that may wait for a full socket: as many listings as a control plane asks for at a time, and a ping. */
#define LINK_OWED_MAX 65u

/** A request of the control plane whose answer met a full socket: it is made anew. */
struct link_owed {
	uint16_t type;    /**< HAUL_CONTROL_TABLE or HAUL_CONTROL_PING */
	uint32_t request; /**< its number */
	uint32_t table;   /**< of a TABLE */
};

/** What came of a request. Valid during the call. */
struct link_answer {
	enum haul_error status;
	uint64_t version;   /**< of SEGMENT_PUBLISH and SEGMENT_ERASE */
	const char *reason; /**< a sentence, empty with HAUL_OK */
	int fd;             /**< a memfd that the callee must close; -1 = none */
};

typedef void (*link_answer_fn)(void *argument, const struct link_answer *answer);

/** One request on its way: as it was sent, so that it can be sent again. */
struct link_request {
	TAILQ_ENTRY(link_request) link;
	uint64_t deadline_us;
	link_answer_fn answer;
	void *argument;
	int fd;       /**< memfd to send along, owned; -1 = none */
	bool is_sent; /**< on the socket that is open now */

	union {
		struct haul_frame frame;
		struct haul_control_segment segment;
		struct haul_control_open open;
	} message;
};

/** What the link tells: things nobody asked for. */
struct link_events {
	/** HELLO was answered: publish and open everything again. */
	void (*connected)(void *context);
	void (*version_seen)(void *context, const struct haul_control_version_seen *message);
	/** The control plane asks whether loop and workers go round; answer with link_answer_ping. */
	void (*ping)(void *context, uint32_t request);
	/** Fill a listing: returns a memfd of rows and their number, or -HAUL_*. */
	int (*table)(void *context, uint32_t table, uint32_t *rows_out, uint32_t *row_bytes_out);
};

struct link {
	struct event_base *base;
	const char *path;
	const struct link_events *events;
	void *context;
	struct haul_control_hello hello; /**< sent first on each connection */
	struct event *readable;
	struct event *timer; /**< the next try to connect, or the next deadline */
	int fd;              /**< -1 = not connected */
	bool is_greeted;     /**< HELLO was answered on this connection */
	bool is_blocked;     /**< the socket was full: requests wait to be sent */
	bool is_closed;      /**< nothing may be asked any more */
	uint8_t complaint;   /**< what was logged last of this outage; 0 = nothing */
	uint32_t request_ms; /**< how long a request may take: LINK_REQUEST_MS */
	uint32_t retry_ms;
	uint64_t retry_at_us;
	uint32_t next_number;
	uint32_t request_count;
	TAILQ_HEAD(, link_request) requests;  /**< in order of their deadlines */
	struct link_owed owed[LINK_OWED_MAX]; /**< in order */
	uint32_t owed_count;
	enum haul_node_state node_state; /**< as last told */
};

/** Begin to connect. hello's frame is filled here. Returns 0 or -ENOMEM. */
int link_open(struct link *link, struct event_base *base, const char *path,
	      const struct haul_control_hello *hello, const struct link_events *events,
	      void *context);

/** Ends every request with UNAVAILABLE. A zeroed one is allowed. */
void link_close(struct link *link);

/**
 * Ask. `message` is the struct of its type, as in link_request; its frame is filled here. fd (or -1) is taken over.
 * The answer always comes later, exactly once. Returns 0, or -HAUL_BUSY when too many are open or the link is closed
 * (fd is closed then).
 */
int link_ask(struct link *link, enum haul_control_type type, const void *message, int fd,
	     link_answer_fn answer, void *argument);

/** Is the opening of that segment being asked for? */
bool link_is_opening(const struct link *link, const char *segment);

/** Tell without an answer: SEGMENT_CLOSE. Lost when not connected, which is as good. */
void link_tell_close(struct link *link, const char *segment);

/** Answer a ping. */
void link_answer_ping(struct link *link, uint32_t request);

#endif
