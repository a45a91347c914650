/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What blocks is a job. A lane is one thread that takes jobs in order; its results come back to the control thread
 * by an event. Lanes do not queue behind one another: `long` populates and frees memory, and `short` is kept for
 * what takes microseconds to milliseconds.
 *
 * A job's memory belongs to who submitted it, from start to `done`.
 */
#ifndef CONTROL_JOB_H
#define CONTROL_JOB_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

struct event;
struct event_base;

struct job {
	STAILQ_ENTRY(job) link;
	void (*run)(struct job *job);  /**< on the lane's thread; may block */
	void (*done)(struct job *job); /**< on the control thread, afterwards */
};

STAILQ_HEAD(job_list, job);

struct job_lane {
	pthread_t thread;
	pthread_mutex_t lock; /**< guards both lists and is_stopping */
	pthread_cond_t wake;
	struct job_list waiting;
	struct job_list finished;
	struct event *event; /**< of done_fd, on the control thread */
	int done_fd;         /**< eventfd: there are finished jobs */
	bool is_started;
	bool is_stopping;
};

/** Start a lane. Returns 0 or -errno; job_lane_stop is right in either case. */
int job_lane_start(struct job_lane *lane, struct event_base *base, const char *name);

/** End it when its waiting jobs have run; calls `done` of each, which may submit more. */
void job_lane_stop(struct job_lane *lane);

/** Control thread: hand a job over. A lane that was stopped runs it, and calls `done`, within the call. */
void job_submit(struct job_lane *lane, struct job *job);

#endif
