/* SPDX-License-Identifier: BSD-3-Clause */
/* Lanes for what blocks; job.h says what belongs there. */
#include "control/job.h"

#include "base/check.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct job *lane_take(struct job_lane *lane)
{
	struct job *job;

	pthread_mutex_lock(&lane->lock);
	while (STAILQ_EMPTY(&lane->waiting) && !lane->is_stopping)
		pthread_cond_wait(&lane->wake, &lane->lock);
	job = STAILQ_FIRST(&lane->waiting);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&lane->waiting, link);
	pthread_mutex_unlock(&lane->lock);
	return job;
}

static void lane_give(struct job_lane *lane, struct job *job)
{
	pthread_mutex_lock(&lane->lock);
	STAILQ_INSERT_TAIL(&lane->finished, job, link);
	pthread_mutex_unlock(&lane->lock);
	eventfd_write(lane->done_fd, 1);
}

static void *lane_main(void *argument)
{
	struct job_lane *lane = argument;
	struct job *job;

	while ((job = lane_take(lane)) != NULL) {
		job->run(job);
		lane_give(lane, job);
	}
	return NULL;
}

static struct job *lane_next_finished(struct job_lane *lane)
{
	struct job *job;

	pthread_mutex_lock(&lane->lock);
	job = STAILQ_FIRST(&lane->finished);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&lane->finished, link);
	pthread_mutex_unlock(&lane->lock);
	return job;
}

static void lane_on_done(int fd, short what, void *argument)
{
	struct job_lane *lane = argument;
	struct job *job;
	eventfd_t value;

	(void)what;
	eventfd_read(fd, &value);
	while ((job = lane_next_finished(lane)) != NULL)
		job->done(job);
}

int job_lane_start(struct job_lane *lane, struct event_base *base, const char *name)
{
	int error;

	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->wake, NULL);
	STAILQ_INIT(&lane->waiting);
	STAILQ_INIT(&lane->finished);
	lane->is_stopping = false;
	lane->is_started = false;
	lane->event = NULL;
	lane->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lane->done_fd < 0)
		return -errno;
	lane->event = event_new(base, lane->done_fd, EV_READ | EV_PERSIST, lane_on_done, lane);
	if (lane->event == NULL || event_add(lane->event, NULL) != 0)
		return -ENOMEM;
	error = pthread_create(&lane->thread, NULL, lane_main, lane);
	if (error != 0)
		return -error;
	pthread_setname_np(lane->thread, name);
	lane->is_started = true;
	return 0;
}

void job_lane_stop(struct job_lane *lane)
{
	if (lane->is_started) {
		pthread_mutex_lock(&lane->lock);
		lane->is_stopping = true;
		pthread_cond_signal(&lane->wake);
		pthread_mutex_unlock(&lane->lock);
		pthread_join(lane->thread, NULL);
		lane->is_started = false;
		lane_on_done(lane->done_fd, 0, lane);
	}
	if (lane->event != NULL)
		event_free(lane->event);
	if (lane->done_fd >= 0)
		close(lane->done_fd);
	lane->event = NULL;
	lane->done_fd = -1;
}

void job_submit(struct job_lane *lane, struct job *job)
{
	if (!lane->is_started) {
		job->run(job);
		job->done(job);
		return;
	}
	pthread_mutex_lock(&lane->lock);
	STAILQ_INSERT_TAIL(&lane->waiting, job, link);
	pthread_cond_signal(&lane->wake);
	pthread_mutex_unlock(&lane->lock);
}
