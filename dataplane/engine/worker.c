/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The poll loop and what a worker is made of. worker_round is the loop's body in one screen: every phase has a
 * budget and returns the work that it did. No allocation, lock or log line from there on; the system calls are the
 * named ones: the idle wait, one byte sent to a client that sleeps, one eventfd write for requests to the control thread.
 */
#include "engine/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/grant.h"
#include "base/log.h"
#include "base/trace.h"
#include "engine/doze.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * Each sleep is so much longer than the one before, up to idle_sleep_max_us, and the first round with work begins anew
 * (the rule of Open vSwitch's pmd-sleep-max). So gaps of a few hundred microseconds between trains of work cost little
 * delay, and only a worker that has found nothing for a tenth of a second sleeps at its longest.
 */
#define WORKER_SLEEP_STEP_US 1u

/*
 * From sleeps of this length on an adaptive worker, too, sleeps until something comes, where everything can wake it: a
 * wake-up is no later than the end of such a sleep, and costs nothing while nothing comes. Shorter ones are over before
 * ports have been armed and disarmed for them, and a peer does not have to ring. Some 5 ms after the last work.
 */
#define WORKER_DOZE_FROM_US 100u

/*
 * A sleep as short as this ends before the kernel has given the processor to anybody: who waits for it there, perhaps the
 * very peer whose answer would be next, gets it by a yield.
 */
#define WORKER_YIELD_UNTIL_US 20u

/* Events looked at after a sleep: they only say that it is time to go round. */
#define WORKER_EVENTS 8

_Static_assert(2 * ENGINE_CHANNELS_MAX + ENGINE_PEERS_MAX <= ENGINE_COMMANDS,
	       "a worker's ring has room for every command that can be under way");
_Static_assert(ENGINE_REQUESTS_STALE + 2 * ENGINE_CHANNELS_MAX + 2 * ENGINE_RAIL_NUMBERS +
			       ENGINE_ENDPOINTS_MAX + ENGINE_PEERS_MAX +
			       ENGINE_CHANNELS_MAX * ENGINE_ERRANDS_MAX <=
		       ENGINE_REQUESTS,
	       "so has the ring of its requests");
_Static_assert(ENGINE_RAIL_NUMBERS <= UINT16_MAX, "a slice has room for a rail's number");

static const struct counter_spec worker_counter_specs[WORKER_COUNTER_COUNT] = {
	[WORKER_ROUNDS] = { "rounds", "rounds", "times the poll loop went round" },
	[WORKER_SLEEPS] = { "sleeps", "sleeps", "times it slept since there was no work" },
	[WORKER_BUSY_US] = { "busy_us", "microseconds", "that rounds took which found work" },
	[WORKER_SLEPT_US] = { "slept_us", "microseconds", "for which it slept" },
	[WORKER_ENTRIES] = { "entries", "entries", "entries taken from submission rings" },
	[WORKER_ENTRIES_REFUSED] = { "entries_refused", "entries",
				     "entries that were malformed or named what they may not" },
	[WORKER_OPERATIONS_OK] = { "operations_ok", "operations",
				   "operations whose every byte was placed" },
	[WORKER_OPERATIONS_FAILED] = { "operations_failed", "operations",
				       "operations that ended with another status" },
	[WORKER_OPERATIONS_TIMEOUT] = { "operations_timeout", "operations",
					"operations ended by their deadline" },
	[WORKER_OPERATIONS_STALE] = { "operations_stale", "operations",
				      "operations whose target was gone or replaced" },
	[WORKER_OPERATIONS_CANCELLED] = { "operations_cancelled", "operations",
					  "operations ended by a cancellation or their client's end" },
	[WORKER_CANCELS] = { "cancels", "entries", "cancellations that were completed" },
	[WORKER_ERRANDS] = { "errands", "entries",
			     "entries that the control thread carried out, such as removals" },
	[WORKER_SLICES_POSTED] = { "slices_posted", "slices", "slices handed to a transport" },
	[WORKER_SLICES_RETURNED] = { "slices_returned", "slices",
				     "slices that came back unplaced and went out again" },
	[WORKER_POOL_EMPTY] = { "pool_empty", "entries",
				"entries left in their ring for want of an operation, or of a "
				"cancellation" },
	[WORKER_WAKEUPS] = { "wakeups", "wake-ups", "sleeping clients woken" },
	[WORKER_CHANNELS_BROKEN] = { "channels_broken", "channels",
				     "channels closed since their client broke the rings" },
	[WORKER_NOTIFICATIONS] = { "notifications", "notifications",
				   "notifications delivered to clients of this node" },
	[WORKER_NOTIFICATIONS_AGAIN] = { "notifications_again", "notifications",
					 "notifications that an earlier attempt had delivered" },
	[WORKER_NOTIFICATIONS_BUSY] = { "notifications_busy", "notifications",
					"notifications refused for want of room; they come again" },
	[WORKER_NOTIFY_PAUSES] = { "notify_pauses", "pauses",
				   "times a WRITE waited before it notified its target again" },
	[WORKER_STALE_RETRIES] = { "stale_retries", "operations",
				   "operations begun again by a newer descriptor, since their "
				   "entries ask for it" },
};

const struct counter_group worker_counters = { "worker", worker_counter_specs,
					       WORKER_COUNTER_COUNT };

static enum haul_error worker_place(struct worker *worker, const struct transport_access *access,
				    const void *payload, uint64_t *version_out)
{
	enum haul_error error = region_place(&worker->engine->regions, worker->region_counters,
					     access, payload, version_out);

	if (access->phase == TRANSPORT_FIRST && error == HAUL_OK)
		uses_add(&worker->uses, access->region);
	return error;
}

static enum haul_error worker_open(struct worker *worker, const struct transport_access *access,
				   uint64_t *version_out)
{
	enum haul_error error =
		region_open(&worker->engine->regions, worker->region_counters, access, version_out);

	if (error == HAUL_OK)
		uses_add(&worker->uses, access->region);
	return error;
}

static void worker_closed(struct worker *worker, uint64_t region)
{
	uses_drop(&worker->uses, region);
}

static enum haul_error worker_source(struct worker *worker, const struct transport_access *access,
				     void *destination, uint64_t *version_out)
{
	return region_source(&worker->engine->regions, worker->region_counters, access, destination,
			     version_out);
}

static enum haul_error worker_lend(struct worker *worker, const struct transport_access *access,
				   const void **bytes_out, uint64_t *version_out)
{
	return region_lend(&worker->engine->regions, worker->region_counters, access, bytes_out,
			   version_out);
}

static bool worker_is_sound(struct worker *worker, uint64_t region)
{
	return region_is_sound(&worker->engine->regions, region);
}

static enum haul_error worker_copy(struct worker *worker, const struct transport_access *target,
				   const struct transport_access *source, uint64_t *version_out)
{
	enum haul_error error = region_copy(&worker->engine->regions, worker->region_counters,
					    target, source, version_out);

	if (error != HAUL_OK)
		return error;
	if (target->phase == TRANSPORT_FIRST)
		uses_add(&worker->uses, target->region);
	if (source->phase == TRANSPORT_FIRST)
		uses_add(&worker->uses, source->region);
	return HAUL_OK;
}

static enum haul_error worker_remote_key(const struct worker *worker,
					 const struct transport_grant *grant, uint8_t *key_out)
{
	const struct remote *remote;
	const struct remote_view *view;

	BUG_ON(grant->remote >= ENGINE_REMOTES_MAX);
	remote = &worker->engine->remotes.remotes[grant->remote];
	view = atomic_load_explicit(&remote->view, memory_order_relaxed);
	/* The slot may hold another segment by now. */
	if (atomic_load_explicit(&remote->state, memory_order_relaxed) != REMOTE_OPEN ||
	    view == NULL || view->incarnation != grant->incarnation ||
	    view->segment != grant->segment || view->rights != grant->rights)
		return HAUL_STALE;
	memcpy(key_out, view->key, HAUL_KEY_BYTES);
	return HAUL_OK;
}

static enum haul_error worker_own_key(const struct worker *worker,
				      const struct transport_grant *grant, uint8_t *key_out)
{
	const uint8_t *key = keyring_find(&worker->engine->keyring, grant->segment);

	if (key == NULL)
		return HAUL_STALE;
	return grant_key_derive(key, grant->rights, key_out) == 0 ? HAUL_OK : HAUL_SYSTEM;
}

const struct transport_host worker_host = {
	.rail_state = endpoint_rail_state,
	.slice_done = operation_slice_done,
	.place = worker_place,
	.open = worker_open,
	.closed = worker_closed,
	.source = worker_source,
	.lend = worker_lend,
	.is_sound = worker_is_sound,
	.copy = worker_copy,
	.notify = notify_deliver,
	.remote_key = worker_remote_key,
	.own_key = worker_own_key,
	.wake = worker_wake,
};

static int worker_make_pools(struct worker *worker)
{
	int error = pool_init(&worker->operations, sizeof(struct operation), ENGINE_OPERATIONS_MAX);

	if (error == 0)
		error = pool_init(&worker->slices, sizeof(struct slice), ENGINE_SLICES_MAX);
	if (error == 0)
		error = spsc_init(&worker->commands, sizeof(struct worker_command),
				  ENGINE_COMMANDS);
	if (error == 0)
		error = spsc_init(&worker->requests, sizeof(struct worker_request),
				  ENGINE_REQUESTS);
	return error;
}

static int worker_make_endpoints(struct worker *worker)
{
	worker->endpoints = calloc((size_t)ENGINE_ENDPOINTS_MAX, sizeof(*worker->endpoints));
	if (worker->endpoints == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < ENGINE_ENDPOINTS_MAX; i++)
		endpoint_init(&worker->endpoints[i], i / ENGINE_TRANSPORTS, i % ENGINE_TRANSPORTS);
	return 0;
}

static int worker_make_descriptors(struct worker *worker)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	worker->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->request_fd < 0)
		return -errno;
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->wake_fd < 0)
		return -errno;
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll_fd < 0)
		return -errno;
	event.data.fd = worker->wake_fd;
	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->wake_fd, &event) == 0 ? 0
											: -errno;
}

int worker_create(struct engine *engine, uint32_t number, uint64_t *counters,
		  uint64_t *region_counters_block, struct worker **worker_out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int error;

	if (worker == NULL)
		return -ENOMEM;
	worker->engine = engine;
	worker->number = number;
	worker->numbers_floor = numbers_floor(engine->options.incarnation, number);
	worker->counters = counters;
	worker->region_counters = region_counters_block;
	worker->request_fd = -1;
	worker->wake_fd = -1;
	worker->epoll_fd = -1;
	TAILQ_INIT(&worker->parked);
	TAILQ_INIT(&worker->ready);
	worker->leave_at_us = UINT64_MAX;
	worker->now_us = clock_now_us();
	worker->tend_at_us = worker->now_us + ENGINE_TEND_STEP_US;
	wheel_init(&worker->wheel, worker->now_us);
	error = worker_make_pools(worker);
	if (error == 0)
		error = worker_make_endpoints(worker);
	if (error == 0)
		error = uses_init(&worker->uses, engine->regions.slots);
	if (error == 0)
		error = worker_make_descriptors(worker);
	if (error != 0) {
		worker_destroy(worker);
		return error;
	}
	*worker_out = worker;
	return 0;
}

/* A worker without clients has nothing in use: then something was lost. */
static void worker_tell_left(const struct worker *worker)
{
	uint32_t operations = worker->operations.count - pool_free_count(&worker->operations);
	uint32_t slices = worker->slices.count - pool_free_count(&worker->slices);

	if (operations > 0 || slices > 0)
		log_warning("worker", "%u: ends with %u operations and %u slices in use",
			    worker->number, operations, slices);
}

void worker_destroy(struct worker *worker)
{
	if (worker == NULL)
		return;
	BUG_ON(worker->is_started);
	worker_tell_left(worker);
	pool_destroy(&worker->operations);
	pool_destroy(&worker->slices);
	spsc_destroy(&worker->commands);
	spsc_destroy(&worker->requests);
	uses_destroy(&worker->uses);
	free(worker->endpoints);
	if (worker->request_fd >= 0)
		close(worker->request_fd);
	if (worker->wake_fd >= 0)
		close(worker->wake_fd);
	if (worker->epoll_fd >= 0)
		close(worker->epoll_fd);
	free(worker);
}

uint64_t engine_region_uses(const struct engine *engine, uint64_t handle)
{
	uint64_t uses = 0;

	for (uint32_t i = 0; i < engine->options.worker_count; i++)
		uses += uses_count(&engine->workers[i]->uses, handle);
	return uses;
}

static void worker_add_channel(struct worker *worker, struct channel *channel)
{
	BUG_ON(worker->channel_count >= ENGINE_CHANNELS_MAX);
	BUG_ON(channel->worker != worker);
	channel->slot = worker->channel_count;
	worker->operations_promised += ENGINE_OPERATIONS_SHARE;
	worker->channels[worker->channel_count++] = channel;
}

/* Hand a closed channel without operations back to the control thread. */
static void worker_give_channel(struct worker *worker, struct channel *channel)
{
	struct worker_request request = { .kind = WORKER_CHANNEL_GONE,
					  .worker = worker->number,
					  .channel = channel };
	struct channel *last = worker->channels[--worker->channel_count];

	worker->operations_promised -= ENGINE_OPERATIONS_SHARE;
	worker->channels[channel->slot] = last;
	last->slot = channel->slot;
	worker_ask(worker, &request);
}

static void worker_end_retired(struct worker *worker, struct channel *channel)
{
	const struct remote *remotes = worker->engine->remotes.remotes;
	struct operation *operation = TAILQ_FIRST(&channel->operations);

	while (operation != NULL) {
		struct operation *next = TAILQ_NEXT(operation, siblings);

		if (atomic_load_explicit(&remotes[operation->remote].state, memory_order_acquire) !=
		    REMOTE_OPEN)
			operation_end(operation, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
		operation = next;
	}
}

/* End what is bound to remote segments that are gone. Rare, so a walk over everything open will do. */
static uint32_t worker_poll_retirements(struct worker *worker)
{
	uint32_t retirements =
		atomic_load_explicit(&worker->engine->remotes.retirements, memory_order_acquire);

	if (LIKELY(retirements == worker->retirements))
		return 0;
	worker->retirements = retirements;
	for (uint32_t i = 0; i < worker->channel_count; i++)
		worker_end_retired(worker, worker->channels[i]);
	return 1;
}

static void worker_obey(struct worker *worker, const struct worker_command *command)
{
	switch (command->kind) {
	case WORKER_CHANNEL_ADD:
		worker_add_channel(worker, command->channel);
		break;
	case WORKER_CHANNEL_CLOSE:
		channel_close(command->channel, command->error, command->reason);
		command->channel->is_released = true;
		break;
	case WORKER_PEER_FORGET:
		endpoint_forget_peer(worker, command->index);
		break;
	}
}

static uint32_t worker_poll_commands(struct worker *worker)
{
	struct worker_command command;
	uint32_t work = 0;

	while (work < ENGINE_COMMANDS && spsc_pop(&worker->commands, &command)) {
		worker_obey(worker, &command);
		work++;
	}
	return work;
}

static uint32_t worker_poll_transports(struct worker *worker)
{
	const struct engine *engine = worker->engine;
	uint32_t work = 0;

	for (uint32_t i = 0; i < engine->order_count; i++) {
		uint32_t id = engine->order[i];

		work += engine->ops[id]->poll(worker->transports[id], worker->now_us,
					      ENGINE_TRANSPORT_BUDGET);
	}
	return work;
}

static uint32_t worker_flush_transports(struct worker *worker)
{
	const struct engine *engine = worker->engine;
	uint32_t work = 0;

	for (uint32_t i = 0; i < engine->order_count; i++) {
		uint32_t id = engine->order[i];

		work += engine->ops[id]->flush(worker->transports[id], worker->now_us,
					       ENGINE_TRANSPORT_BUDGET);
	}
	return work;
}

static uint32_t worker_poll_channels(struct worker *worker)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < worker->channel_count; i++) {
		work += errand_poll(worker->channels[i]);
		work += channel_poll(worker->channels[i], worker->now_us, ENGINE_CHANNEL_BUDGET);
	}
	return work;
}

/* Operations whose view was not current look again now and then. */
static void worker_poll_parked(struct worker *worker)
{
	struct operation *operation = TAILQ_FIRST(&worker->parked);
	struct operation *last = TAILQ_LAST(&worker->parked, operation_list);

	if (operation == NULL || worker->now_us < worker->parked_at_us + ENGINE_PARKED_INTERVAL_US)
		return;
	worker->parked_at_us = worker->now_us;
	while (operation != NULL) {
		struct operation *next = operation == last ? NULL : TAILQ_NEXT(operation, link);

		operation_unpark(operation, worker->now_us);
		operation = next;
	}
}

/* The end of a round: clients woken, closed channels given back. */
static void worker_finish_channels(struct worker *worker)
{
	uint32_t i = 0;

	while (i < worker->channel_count) {
		struct channel *channel = worker->channels[i];

		channel_wake(channel);
		if (channel->is_released && channel_is_idle(channel))
			worker_give_channel(worker, channel); /* another one stands at i now */
		else
			i++;
	}
}

static void worker_tell_requests(struct worker *worker)
{
	if (!worker->is_request_due)
		return;
	worker->is_request_due = false;
	eventfd_write(worker->request_fd, 1);
}

/* The quiescent point: nothing shared is held from here to the next round. */
static void worker_pass(struct worker *worker)
{
	uint64_t rounds = atomic_load_explicit(&worker->rounds, memory_order_relaxed);

	/* Orders this round's reads before the number, against worker_has_passed. */
	atomic_store_explicit(&worker->rounds, rounds + 1, memory_order_release);
	/* Orders the number before the next round's reads, against the fence in worker_mark. */
	atomic_thread_fence(memory_order_seq_cst);
}

uint32_t worker_round(struct worker *worker, uint64_t now_us)
{
	uint32_t work = 0;

	worker->now_us = now_us;
	work += worker_poll_transports(worker);
	work += wheel_advance(&worker->wheel, worker->now_us, ENGINE_OPERATIONS_MAX);
	work += worker_poll_commands(worker);
	work += worker_poll_retirements(worker);
	work += worker_poll_channels(worker);
	worker_poll_parked(worker);
	work += endpoint_leave_doubtful(worker, worker->now_us);
	endpoint_tend_due(worker, worker->now_us);
	work += endpoint_drive_all(worker, worker->now_us);
	work += worker_flush_transports(worker);
	worker_finish_channels(worker);
	notify_wake_all(worker);
	worker_tell_requests(worker);
	worker->counters[WORKER_ROUNDS]++;
	worker_pass(worker);
	return work;
}

uint64_t worker_next_deadline_us(struct worker *worker)
{
	const struct engine *engine = worker->engine;
	uint64_t deadline_us = MIN(wheel_next_us(&worker->wheel), worker->leave_at_us);

	if (!TAILQ_EMPTY(&worker->parked))
		deadline_us = MIN(deadline_us, worker->parked_at_us + ENGINE_PARKED_INTERVAL_US);

	for (uint32_t i = 0; i < engine->order_count; i++) {
		uint32_t id = engine->order[i];
		uint64_t next_us = engine->ops[id]->next_deadline_us(worker->transports[id]);

		deadline_us = MIN(deadline_us, next_us);
	}
	return deadline_us;
}

void worker_show_sleep(struct worker *worker, uint32_t value)
{
	for (uint32_t i = 0; i < worker->channel_count; i++)
		ring_store_relaxed(&worker->channels[i]->header->daemon_sleeps.value, value);
}

/*
 * After the flags are up: is there an entry that its client submitted without ringing the bell? Those that were seen
 * and left, for want of room, do not count: a client that reaps nothing must not keep the worker awake.
 */
static bool worker_has_entries(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->channel_count; i++) {
		const struct channel *channel = worker->channels[i];

		if (ring_load_acquire(&channel->header->submission_tail.value) !=
			    channel->submission_seen &&
		    !channel->is_closing)
			return true;
	}
	return false;
}

void worker_count_sleep(struct worker *worker)
{
	uint64_t now_us = clock_now_us();

	if (now_us > worker->now_us)
		worker->counters[WORKER_SLEPT_US] += now_us - worker->now_us;
}

/*
 * A short sleep, for `sleep_us` at most. Other workers wake it, too: what they hand over, packets of a queue that it shares
 * with them, would else be late by a whole sleep at each end, and be taken for a slow path.
 */
static void worker_sleep(struct worker *worker, uint64_t sleep_us)
{
	struct epoll_event events[WORKER_EVENTS];
	uint64_t deadline_us;

	worker_show_sleep(worker, 1);
	atomic_store_explicit(&worker->is_asleep, true, memory_order_relaxed);
	/* Orders the flags before the last look, against the fences in haul_submit and worker_wake. */
	ring_full_fence();
	deadline_us = worker_next_deadline_us(worker);
	if (deadline_us > worker->now_us && !worker_has_entries(worker)) {
		const struct timespec timeout = {
			.tv_nsec = (long)(MIN(sleep_us, deadline_us - worker->now_us) *
					  CLOCK_NS_PER_US)
		};

		counter_add(&worker->counters[WORKER_SLEEPS], 1);
		/* Doorbells are edge-triggered, so nobody has to empty them. */
		epoll_pwait2(worker->epoll_fd, events, WORKER_EVENTS, &timeout, NULL);
		worker_count_sleep(worker);
	}
	atomic_store_explicit(&worker->is_asleep, false, memory_order_relaxed);
	worker_show_sleep(worker, 0);
}

/*
 * What to do after a round without work. Polling goes on for idle_spin_us, since work often comes in trains; then it
 * sleeps: a channel has a doorbell and not every port has one, so the longest sleep is what a first packet may wait.
 */
static void worker_idle(struct worker *worker)
{
	const struct engine_options *options = &worker->engine->options;

	if (options->idle_policy == IDLE_POLL ||
	    worker->now_us < worker->busy_at_us + options->idle_spin_us) {
		ring_pause();
		return;
	}
	if ((options->idle_policy == IDLE_INTERRUPT || worker->sleep_us >= WORKER_DOZE_FROM_US) &&
	    doze(worker))
		return;
	worker->sleep_us = MIN(worker->sleep_us + WORKER_SLEEP_STEP_US, options->idle_sleep_max_us);
	if (worker->sleep_us < WORKER_YIELD_UNTIL_US)
		sched_yield();
	worker_sleep(worker, worker->sleep_us);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	bool is_busy = false;

	/* Sleeps of microseconds mean nothing with the default slack of 50 us. */
	prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul);
	trace_bind(worker->engine->trace, worker->number);
	worker->busy_at_us = clock_now_us();
	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		uint64_t now_us = clock_sync_us();

		if (is_busy && now_us > worker->now_us)
			counter_add(&worker->counters[WORKER_BUSY_US], now_us - worker->now_us);
		is_busy = worker_round(worker, now_us) > 0;
		if (is_busy) {
			worker->busy_at_us = worker->now_us;
			worker->sleep_us = 0;
		} else {
			worker_idle(worker);
		}
	}
	return NULL;
}

int worker_start(struct worker *worker, int cpu)
{
	int error;

	BUG_ON(worker->is_started);
	atomic_store(&worker->stop, false);
	error = pthread_create(&worker->thread, NULL, worker_main, worker);
	if (error != 0)
		return -error;
	worker->is_started = true;
	if (cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((unsigned int)cpu, &set);
		error = pthread_setaffinity_np(worker->thread, sizeof(set), &set);
	}
	return -error;
}

void worker_stop(struct worker *worker)
{
	if (!worker->is_started)
		return;
	atomic_store(&worker->stop, true);
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	worker->is_started = false;
}

bool worker_command(struct worker *worker, const struct worker_command *command)
{
	if (!spsc_push(&worker->commands, command))
		return false;
	worker_wake(worker);
	return true;
}

void worker_wake(const struct worker *worker)
{
	/* Orders what was left for the worker before the look at the flag, against the fences in doze_enter and worker_sleep. */
	ring_full_fence();
	if (atomic_load_explicit(&worker->is_asleep, memory_order_relaxed))
		eventfd_write(worker->wake_fd, 1); /* full = it was woken before */
}

void worker_ask(struct worker *worker, const struct worker_request *request)
{
	bool pushed;

	/* A target decides how often it says STALE: it must not take the room of what has to be said. */
	if ((request->kind == WORKER_REMOTE_STALE || request->kind == WORKER_PEER_UNREACHABLE) &&
	    spsc_count(&worker->requests) >= ENGINE_REQUESTS_STALE)
		return;
	pushed = spsc_push(&worker->requests, request);
	/* What can be asked is bounded: a rail connects once, a channel ends once. */
	BUG_ON(!pushed);
	worker->is_request_due = true;
}

uint64_t worker_mark(const struct worker *worker)
{
	/* Orders what was retired before the mark, against the worker's next round. */
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&worker->rounds, memory_order_acquire);
}

/* Whoever waits for a sleeper to go round wakes it; it asks again, so one that is about to sleep is woken next time. */
static bool worker_hurry(const struct worker *worker)
{
	worker_wake(worker);
	return false;
}

bool worker_has_passed(const struct worker *worker, uint64_t mark)
{
	if (!worker->is_started)
		return true;
	/*
	 * The round that was under way at the mark has ended once the number has moved; one more is asked for in case
	 * the mark fell between the increment and the next loads.
	 */
	return atomic_load_explicit(&worker->rounds, memory_order_acquire) >= mark + 2 ||
	       worker_hurry(worker);
}
