/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a worker that sleeps until it is woken misses nothing: not what comes while it goes to sleep, from a client, a
 * port or another thread; and it does not sleep so while anything is left that wakes nobody.
 * Method: single calls without a thread; then a thread whose sleeps have no end, so that a lost wake-up runs into a limit.
 */
#include "base/clock.h"
#include "base/ring.h"
#include "engine/doze.h"
#include "engine_rig.h"
#include "unit.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Far beyond what a scheduler does, and below the time limit of a test. */
#define LIMIT_US UINT64_C(10000000)

/* Trains of wake-ups: each one may fall anywhere into the worker's going to sleep. */
#define WAKEUPS 4000u

static struct rig *dozy_rig(struct channel **channel_out)
{
	struct rig *rig = rig_create_ready(channel_out);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET,
				     .data.fd = (*channel_out)->doorbell_fd };

	rig->engine.options.idle_policy = IDLE_INTERRUPT;
	rig->engine.options.idle_sleep_max_us = 1;
	rig->engine.options.doze_max_us = 100 * LIMIT_US;
	rig->udp.arrival_fd = eventfd(0, EFD_NONBLOCK);
	rig->local.arrival_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(epoll_ctl(rig->worker->epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event), 0);
	return rig;
}

static void dozy_destroy(struct rig *rig, struct channel *channel)
{
	close(rig->udp.arrival_fd);
	close(rig->local.arrival_fd);
	rig_destroy_ready(rig, channel);
}

static bool is_asleep(const struct rig *rig)
{
	return atomic_load(&rig->worker->is_asleep);
}

static void await(const uint64_t *counter, uint64_t value)
{
	uint64_t until_us = clock_now_us() + LIMIT_US;

	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < value)
		assert_true(clock_now_us() < until_us);
}

static void await_sleep(const struct rig *rig)
{
	uint64_t sleeps = __atomic_load_n(&rig->counters[WORKER_SLEEPS], __ATOMIC_RELAXED);
	uint64_t until_us = clock_now_us() + LIMIT_US;

	while (sleeps == 0 || !is_asleep(rig)) {
		assert_true(clock_now_us() < until_us);
		sleeps = __atomic_load_n(&rig->counters[WORKER_SLEEPS], __ATOMIC_RELAXED);
	}
}

static void arrive(struct transport_worker *fake)
{
	atomic_fetch_add(&fake->arrivals, 1);
	ring_full_fence();
	if (atomic_load(&fake->is_armed))
		eventfd_write(fake->arrival_fd, 1);
}

static void doze__looks_once_more_when_armed(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);

	(void)state;
	atomic_store(&rig->udp.arrivals, 1); /* and nothing rang, since nothing was armed */
	assert_true(doze(rig->worker));
	assert_int_equal(rig->udp.found, 1);
	assert_int_equal(rig->counters[WORKER_SLEEPS], 0);
	assert_false(atomic_load(&rig->udp.is_armed));
	assert_false(is_asleep(rig));
	assert_int_equal(channel->header->daemon_sleeps.value, 0);
	dozy_destroy(rig, channel);
}

static void doze__wants_every_transport_to_wake(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	int fd = rig->udp.arrival_fd;

	(void)state;
	rig->udp.arrival_fd = -1;
	assert_false(doze(rig->worker));
	assert_false(atomic_load(&rig->local.is_armed));
	assert_false(is_asleep(rig));
	assert_int_equal(channel->header->daemon_sleeps.value, 0);
	assert_int_equal(rig->counters[WORKER_SLEEPS], 0);
	rig->udp.arrival_fd = fd;
	dozy_destroy(rig, channel);
}

/* A client that reaps makes room without a word, so somebody has to look again. */
static void doze__is_not_for_entries_that_wait_for_room(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	struct haul_entry entry = { .opcode = HAUL_OP_NOP };
	struct haul_completion completion;

	(void)state;
	for (uint32_t i = 0; i < channel->completions_count + 1; i++) {
		rig_submit(channel, &entry);
		rig_round(rig, 1);
	}
	assert_false(doze(rig->worker));
	while (rig_reap(channel, &completion))
		rig_round(rig, 1);
	eventfd_write(channel->doorbell_fd, 1);
	assert_true(doze(rig->worker));
	dozy_destroy(rig, channel);
}

static void doze__is_not_for_operations_that_look_again(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	struct remote *remote = &rig->engine.remotes.remotes[RIG_REMOTE];
	struct haul_entry entry = rig_write(rig, 1, 100);

	(void)state;
	atomic_store(&remote->version_seen, 2); /* it will be parked */
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	assert_false(doze(rig->worker));
	atomic_store(&remote->version_seen, 1);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	rig->udp.accept = 0; /* back-pressure: it stays with its endpoint */
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	assert_false(doze(rig->worker));
	dozy_destroy(rig, channel);
}

static void doze__ends_with_the_next_deadline(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct haul_completion completion;

	(void)state;
	entry.timeout_ms = 20;
	rig->now_us = clock_now_us();
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	assert_int_equal(worker_start(rig->worker, -1), 0);
	await(&channel->completed, 1);
	worker_stop(rig->worker);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.status, HAUL_TIMEOUT);
	dozy_destroy(rig, channel);
}

static void doze__is_ended_by_each_packet(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	uint64_t seed = unit_seed();

	(void)state;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	for (uint32_t i = 1; i <= WAKEUPS; i++) {
		for (uint64_t pauses = unit_random_below(&seed, 2000); pauses > 0; pauses--)
			ring_pause();
		arrive(&rig->udp);
		await(&rig->udp.found, i);
	}
	worker_stop(rig->worker);
	dozy_destroy(rig, channel);
}

static void doze__is_ended_by_each_doorbell(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	struct haul_entry entry = { .opcode = HAUL_OP_NOP };
	struct haul_completion completion;
	uint64_t seed = unit_seed();

	(void)state;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	for (uint32_t i = 1; i <= WAKEUPS; i++) {
		uint64_t until_us = clock_now_us() + LIMIT_US;

		for (uint64_t pauses = unit_random_below(&seed, 2000); pauses > 0; pauses--)
			ring_pause();
		rig_submit(channel, &entry);
		ring_full_fence();
		if (ring_load_relaxed(&channel->header->daemon_sleeps.value) != 0)
			eventfd_write(channel->doorbell_fd, 1);
		while (!rig_reap(channel, &completion))
			assert_true(clock_now_us() < until_us);
	}
	worker_stop(rig->worker);
	dozy_destroy(rig, channel);
}

/* The adaptive policy's short sleeps grow into one that has no end, and begin again with each packet. */
static void doze__follows_short_sleeps(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);

	(void)state;
	rig->engine.options.idle_policy = IDLE_ADAPTIVE;
	rig->engine.options.idle_sleep_max_us = 500;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	for (uint32_t i = 1; i <= 20; i++) {
		/* Perhaps still the flag of the last one: then this packet is found without another sleep. */
		await_sleep(rig);
		arrive(&rig->udp);
		await(&rig->udp.found, i);
	}
	worker_stop(rig->worker);
	dozy_destroy(rig, channel);
}

/* Where a port cannot wake, other threads can: what they hand over does not wait for the end of a sleep. */
static void doze__short_sleeps_are_ended_by_other_threads(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	int fd = rig->udp.arrival_fd;

	(void)state;
	rig->udp.arrival_fd = -1;
	rig->engine.options.idle_policy = IDLE_ADAPTIVE;
	/* Shorter than those that would be tried as sleeps without an end. */
	rig->engine.options.idle_sleep_max_us = 50;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	await_sleep(rig); /* so that worker_wake wakes it */
	atomic_fetch_add(&rig->udp.arrivals, 1);
	worker_wake(rig->worker);
	await(&rig->udp.found, 1);
	worker_stop(rig->worker);
	rig->udp.arrival_fd = fd;
	dozy_destroy(rig, channel);
}

/* Commands, and the two rounds of a quiescent point, without any time of polling in between. */
static void doze__is_ended_by_the_control_thread(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);
	struct worker_command command = { .kind = WORKER_PEER_FORGET };
	struct worker_request request;
	uint64_t seed = unit_seed();

	(void)state;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	await_sleep(rig);
	for (uint32_t i = 1; i <= WAKEUPS / 10; i++) {
		uint64_t until_us = clock_now_us() + LIMIT_US;
		uint64_t mark;

		for (uint64_t pauses = unit_random_below(&seed, 2000); pauses > 0; pauses--)
			ring_pause();
		command.index = 1 + i % (ENGINE_PEERS_MAX - 1);
		assert_true(worker_command(rig->worker, &command));
		while (!rig_request(rig, &request))
			assert_true(clock_now_us() < until_us);
		assert_int_equal(request.kind, WORKER_PEER_FORGOTTEN);
		mark = worker_mark(rig->worker);
		while (!worker_has_passed(rig->worker, mark))
			assert_true(clock_now_us() < until_us);
	}
	worker_stop(rig->worker);
	dozy_destroy(rig, channel);
}

static void doze__is_ended_by_a_stop(void **state)
{
	struct channel *channel;
	struct rig *rig = dozy_rig(&channel);

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(worker_start(rig->worker, -1), 0);
		if (i % 2 == 0)
			await_sleep(rig);
		worker_stop(rig->worker);
	}
	dozy_destroy(rig, channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doze__looks_once_more_when_armed),
		cmocka_unit_test(doze__wants_every_transport_to_wake),
		cmocka_unit_test(doze__is_not_for_entries_that_wait_for_room),
		cmocka_unit_test(doze__is_not_for_operations_that_look_again),
		cmocka_unit_test(doze__ends_with_the_next_deadline),
		cmocka_unit_test(doze__is_ended_by_each_packet),
		cmocka_unit_test(doze__is_ended_by_each_doorbell),
		cmocka_unit_test(doze__follows_short_sleeps),
		cmocka_unit_test(doze__short_sleeps_are_ended_by_other_threads),
		cmocka_unit_test(doze__is_ended_by_the_control_thread),
		cmocka_unit_test(doze__is_ended_by_a_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
