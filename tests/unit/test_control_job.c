/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a job runs on the lane's thread and ends on the control thread, in order, each once, also when the lane stops.
 * Method: jobs that note where they ran; the test turns the event loop.
 */
#include "base/check.h"
#include "base/clock.h"
#include "control/job.h"
#include "unit.h"

#include <event2/event.h>
#include <pthread.h>
#include <unistd.h>

#define JOBS 20

struct counted {
	struct job job;
	struct job_lane *lane;
	pthread_t ran_on;
	int ran_as;  /* place in the order of runs, from 1 */
	int done_as; /* and of ends */
	struct counted *next;
};

static int runs;
static int ends;

static void counted_run(struct job *job)
{
	struct counted *counted = CONTAINER_OF(job, struct counted, job);

	usleep(200);
	counted->ran_on = pthread_self();
	counted->ran_as = ++runs;
}

static void counted_done(struct job *job)
{
	struct counted *counted = CONTAINER_OF(job, struct counted, job);

	counted->done_as = ++ends;
	if (counted->next != NULL)
		job_submit(counted->lane, &counted->next->job);
}

static void counted_make(struct counted *counted, struct job_lane *lane)
{
	memset(counted, 0, sizeof(*counted));
	counted->job.run = counted_run;
	counted->job.done = counted_done;
	counted->lane = lane;
}

static void job_submit__runs_there_and_ends_here_in_order(void **state)
{
	struct event_base *base = event_base_new();
	struct counted jobs[JOBS];
	struct job_lane lane;
	uint64_t until_us = clock_now_us() + 10 * 1000 * 1000;

	(void)state;
	runs = ends = 0;
	assert_int_equal(job_lane_start(&lane, base, "test"), 0);
	for (int i = 0; i < JOBS; i++) {
		counted_make(&jobs[i], &lane);
		job_submit(&lane, &jobs[i].job);
	}
	while (ends < JOBS) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_true(clock_now_us() < until_us);
	}
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].ran_as, i + 1);
		assert_int_equal(jobs[i].done_as, i + 1);
		assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
	}
	job_lane_stop(&lane);
	job_lane_stop(&lane);
	event_base_free(base);
}

static void job_lane_stop__ends_what_waits_and_what_that_submits(void **state)
{
	struct event_base *base = event_base_new();
	struct counted jobs[JOBS];
	struct counted later;
	struct job_lane lane;

	(void)state;
	runs = ends = 0;
	assert_int_equal(job_lane_start(&lane, base, "test"), 0);
	counted_make(&later, &lane);
	for (int i = 0; i < JOBS; i++) {
		counted_make(&jobs[i], &lane);
		job_submit(&lane, &jobs[i].job);
	}
	jobs[3].next = &later;
	job_lane_stop(&lane);
	assert_int_equal(ends, JOBS + 1);
	assert_int_equal(later.done_as, 5);
	assert_true(pthread_equal(later.ran_on, pthread_self()));
	event_base_free(base);
}

static void job_submit__to_a_stopped_lane_ends_within_the_call(void **state)
{
	struct event_base *base = event_base_new();
	struct counted job;
	struct job_lane lane;

	(void)state;
	runs = ends = 0;
	assert_int_equal(job_lane_start(&lane, base, "test"), 0);
	job_lane_stop(&lane);
	counted_make(&job, &lane);
	job_submit(&lane, &job.job);
	assert_int_equal(job.done_as, 1);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(job_submit__runs_there_and_ends_here_in_order),
		cmocka_unit_test(job_lane_stop__ends_what_waits_and_what_that_submits),
		cmocka_unit_test(job_submit__to_a_stopped_lane_ends_within_the_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
