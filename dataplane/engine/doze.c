/* SPDX-License-Identifier: BSD-3-Clause */
/* How an idle worker sleeps until something comes; doze.h has the order of flags and looks. */
#include "engine/doze.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "engine/worker.h"

#include <sys/epoll.h>

/* Events looked at after a sleep: they only say that it is time to go round. */
#define DOZE_EVENTS 8

/* Is everything that waits here waiting for something that wakes? */
static bool doze_is_quiet(const struct worker *worker)
{
	if (!TAILQ_EMPTY(&worker->parked) || !TAILQ_EMPTY(&worker->ready))
		return false;
	for (uint32_t i = 0; i < worker->channel_count; i++) {
		const struct channel *channel = worker->channels[i];

		/* Entries left in their ring, for want of room: whoever makes room does not ring. */
		if (!channel->is_closing && channel->submission_seen != channel->submission_head)
			return false;
	}
	return true;
}

static bool doze_arm(struct worker *worker)
{
	const struct engine *engine = worker->engine;
	bool is_armed = true;

	for (uint32_t i = 0; i < engine->order_count; i++) {
		uint32_t id = engine->order[i];

		if (!engine->ops[id]->arm(worker->transports[id], worker->epoll_fd))
			is_armed = false;
	}
	return is_armed;
}

static void doze_leave(struct worker *worker)
{
	const struct engine *engine = worker->engine;

	atomic_store_explicit(&worker->is_asleep, false, memory_order_relaxed);
	worker_show_sleep(worker, 0);
	for (uint32_t i = 0; i < engine->order_count; i++)
		engine->ops[engine->order[i]]->disarm(worker->transports[engine->order[i]]);
}

/* Flags up; false, and down again, when something cannot wake. */
static bool doze_enter(struct worker *worker)
{
	if (!doze_is_quiet(worker))
		return false;
	worker_show_sleep(worker, 1);
	atomic_store_explicit(&worker->is_asleep, true, memory_order_relaxed);
	if (!doze_arm(worker)) {
		doze_leave(worker);
		return false;
	}
	/* Orders the flags before the last round, against the fences of haul_submit, worker_wake and the ports' peers. */
	ring_full_fence();
	return true;
}

static void doze_wait(struct worker *worker)
{
	uint64_t deadline_us = worker_next_deadline_us(worker);
	struct epoll_event events[DOZE_EVENTS];
	struct timespec timeout;
	uint64_t sleep_us;

	if (deadline_us <= worker->now_us)
		return;
	sleep_us = MIN(deadline_us - worker->now_us, worker->engine->options.doze_max_us);
	timeout.tv_sec = (time_t)(sleep_us * CLOCK_NS_PER_US / CLOCK_NS_PER_S);
	timeout.tv_nsec = (long)(sleep_us * CLOCK_NS_PER_US % CLOCK_NS_PER_S);
	counter_add(&worker->counters[WORKER_SLEEPS], 1);
	epoll_pwait2(worker->epoll_fd, events, DOZE_EVENTS, &timeout, NULL);
	worker_count_sleep(worker);
}

bool doze(struct worker *worker)
{
	if (!doze_enter(worker))
		return false;
	if (worker_round(worker, clock_sync_us()) > 0) {
		worker->busy_at_us = worker->now_us;
		worker->sleep_us = 0;
	} else if (doze_is_quiet(worker) &&
		   !atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		doze_wait(worker);
	}
	doze_leave(worker);
	return true;
}
