/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by http (ask) and link (answer, drop) on the loop's thread. The memfd is copied before it is looked at, and
 * the size of a row must be the one that this build knows: another one means another version.
 */
#include "controlplane/link/listing.h"

#include "api/haul_error.h"
#include "base/memfd.h"
#include "base/seqpacket.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct question {
	LIST_ENTRY(question) link;
	struct listings *listings;
	struct event *deadline;
	listing_fn *fn;
	void *arg;
	uint32_t id;
	enum haul_table table;
};

LIST_HEAD(question_list, question);

struct listings {
	struct listings_conf conf;
	struct question_list questions;
	unsigned int count;
	uint32_t next_id;
};

int listings_create(const struct listings_conf *conf, struct listings **out)
{
	struct listings *listings = calloc(1, sizeof(*listings));

	if (listings == NULL)
		return -ENOMEM;
	listings->conf = *conf;
	LIST_INIT(&listings->questions);
	*out = listings;
	return 0;
}

static void question_free(struct question *question)
{
	LIST_REMOVE(question, link);
	question->listings->count--;
	if (question->deadline != NULL)
		event_free(question->deadline);
	free(question);
}

static void question_fail(struct question *question, int error, const char *reason)
{
	listing_fn *fn = question->fn;
	void *arg = question->arg;

	question_free(question);
	fn(arg, error, NULL, 0, reason);
}

static void deadline_fired(evutil_socket_t fd, short what, void *arg)
{
	struct question *question = arg;
	char reason[HAUL_REASON_BYTES];

	(void)fd;
	(void)what;
	(void)snprintf(reason, sizeof(reason), "the dataplane has not answered within %u ms",
		       question->listings->conf.timeout_ms);
	question_fail(question, -HAUL_UNAVAILABLE, reason);
}

void listings_ask(struct listings *listings, enum haul_table table, listing_fn *fn, void *arg)
{
	const unsigned int timeout_ms = listings->conf.timeout_ms;
	struct timeval after = { timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct haul_control_table message = { .table = table };
	struct question *question = NULL;

	if (listings->count < LISTINGS_MAX)
		question = calloc(1, sizeof(*question));
	if (question == NULL) {
		fn(arg, -HAUL_BUSY, NULL, 0, "too many listings are being made");
		return;
	}
	/* 0 is for what nobody asked for. */
	listings->next_id = listings->next_id == UINT32_MAX ? 1 : listings->next_id + 1;
	question->listings = listings;
	question->fn = fn;
	question->arg = arg;
	question->table = table;
	question->id = listings->next_id;
	LIST_INSERT_HEAD(&listings->questions, question, link);
	listings->count++;
	question->deadline = evtimer_new(listings->conf.base, deadline_fired, question);
	frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_TABLE, sizeof(message),
		   question->id);
	if (question->deadline == NULL || evtimer_add(question->deadline, &after) != 0)
		question_fail(question, -HAUL_SYSTEM, "no memory for a timer");
	else if (listings->conf.ask(listings->conf.arg, &message) != 0)
		question_fail(question, -HAUL_UNAVAILABLE, "no dataplane is connected");
}

static size_t row_bytes_of(enum haul_table table)
{
	switch (table) {
	case HAUL_TABLE_PEERS:
		return sizeof(struct haul_peer_row);
	case HAUL_TABLE_TRANSPORTS:
		return sizeof(struct haul_transport_row);
	case HAUL_TABLE_OPENINGS:
		return sizeof(struct haul_opening_row);
	case HAUL_TABLE_WORKERS:
		return sizeof(struct haul_worker_row);
	default:
		return sizeof(struct haul_channel_row);
	}
}

/* The rows, copied; NULL with no error when there are none. */
static int rows_take(const struct question *question,
		     const struct haul_control_table_answer *answer, int fd, void **rows_out,
		     char *reason)
{
	size_t length = 0, row_bytes = row_bytes_of(question->table);
	int error = 0;

	*rows_out = NULL;
	if (answer->frame.status != 0) {
		(void)snprintf(reason, HAUL_REASON_BYTES, "the dataplane refuses: %.*s",
			       (int)strnlen(answer->reason, HAUL_REASON_BYTES - 30),
			       answer->reason);
		return -(int)answer->frame.status;
	}
	if (answer->rows == 0)
		return 0;
	(void)snprintf(reason, HAUL_REASON_BYTES,
		       "the dataplane's table has %u rows of %u bytes, of %zu are due",
		       answer->rows, answer->row_bytes, row_bytes);
	if (answer->row_bytes != row_bytes)
		return -HAUL_VERSION;
	error = memfd_to_bytes(fd, LISTING_BYTES_MAX, rows_out, &length);
	if (error == 0 && length / row_bytes < answer->rows) {
		free(*rows_out);
		*rows_out = NULL;
		error = -EINVAL;
	}
	return error == 0 ? 0 : -HAUL_INVALID;
}

void listings_answer(struct listings *listings, const struct haul_frame *frame, int fd)
{
	const struct haul_control_table_answer *answer = (const void *)frame;
	struct question *question = NULL;
	char reason[HAUL_REASON_BYTES] = "";
	void *rows = NULL;
	int error = 0;

	LIST_FOREACH(question, &listings->questions, link)
	{
		if (question->id == frame->request)
			break;
	}
	if (question != NULL && frame->length >= sizeof(*answer)) {
		error = rows_take(question, answer, fd, &rows, reason);
		if (error == 0) {
			question->fn(question->arg, 0, rows, answer->rows, "");
			question_free(question);
		} else {
			question_fail(question, error, reason);
		}
	}
	free(rows);
	if (fd >= 0)
		(void)close(fd);
}

void listings_drop(struct listings *listings)
{
	while (!LIST_EMPTY(&listings->questions))
		question_fail(LIST_FIRST(&listings->questions), -HAUL_UNAVAILABLE,
			      "the dataplane is gone");
}

void listings_destroy(struct listings *listings)
{
	if (listings == NULL)
		return;
	listings_drop(listings);
	free(listings);
}
