/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a worker obeys every command before it is said to have passed, gives channels back once and when they are
 * idle, ends what was retired, never runs out of room for what it must ask, and sleeps and wakes as told.
 * Method: rounds without a thread; then a thread with a real doorbell.
 */
#include "api/haul_attach.h"
#include "base/clock.h"
#include "base/ring.h"
#include "engine/worker.h"
#include "engine_rig.h"
#include "unit.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void close_channel(struct rig *rig, struct channel *channel)
{
	struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
					  .channel = channel,
					  .error = HAUL_DISCONNECTED,
					  .reason = "closed by the test" };

	assert_true(worker_command(rig->worker, &command));
}

static void worker_channels__are_given_back_when_idle(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct channel *second = rig_add_channel(rig, 2, 4);
	struct channel *third = rig_add_channel(rig, 3, 4);
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct worker_request request;

	(void)state;
	rig->udp.is_cancel_slow = true;
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	close_channel(rig, channel);
	close_channel(rig, third);
	rig_round(rig, 1);
	/* The first has a slice behind a fence; the third is idle. */
	assert_ptr_equal(rig_expect_request(rig, WORKER_CHANNEL_GONE).channel, third);
	assert_int_equal(rig->worker->channel_count, 2);
	rig_drain(&rig->udp, HAUL_CANCELLED);
	rig_round(rig, 1);
	assert_ptr_equal(rig_expect_request(rig, WORKER_CHANNEL_GONE).channel, channel);
	assert_ptr_equal(rig->worker->channels[0], second);
	assert_int_equal(second->slot, 0);
	rig_round(rig, 1);
	assert_false(rig_request(rig, &request));
	close_channel(rig, second);
	rig_round(rig, 1);
	assert_int_equal(rig->worker->operations_promised, 0);
	rig_free_channel(channel);
	rig_free_channel(second);
	rig_free_channel(third);
	rig_destroy(rig);
}

/* A channel that the client broke stays until the control thread has said that it knows. */
static void worker_channels__broken_ones_wait_for_the_control_thread(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct worker_request request;

	(void)state;
	channel->header->submission_tail.value = UINT32_MAX;
	rig_round(rig, 1);
	rig_round(rig, 1);
	assert_true(rig_request(rig, &request));
	assert_int_equal(request.kind, WORKER_CHANNEL_BAD);
	assert_false(rig_request(rig, &request));
	assert_int_equal(rig->worker->channel_count, 1);
	close_channel(rig, channel);
	rig_round(rig, 1);
	assert_true(rig_request(rig, &request));
	assert_int_equal(request.kind, WORKER_CHANNEL_GONE);
	assert_false(rig_request(rig, &request));
	rig_free_channel(channel);
	rig_destroy(rig);
}

/* However many there are: a quiescent point behind a command says that it was obeyed. */
static void worker_commands__are_all_obeyed_in_one_round(void **state)
{
	struct rig *rig = rig_create();
	struct worker_command command = { .kind = WORKER_PEER_FORGET };
	struct worker_request request;
	uint32_t forgotten = 0;

	(void)state;
	for (uint32_t i = 0; i < ENGINE_PEERS_MAX; i++) {
		command.index = i;
		assert_true(worker_command(rig->worker, &command));
	}
	rig_round(rig, 1);
	while (rig_request(rig, &request)) {
		assert_int_equal(request.kind, WORKER_PEER_FORGOTTEN);
		assert_int_equal(request.index, forgotten++);
	}
	assert_int_equal(forgotten, ENGINE_PEERS_MAX);
	rig_destroy(rig);
}

/*
 * A remote's slot may be used again as soon as the worker has passed: nothing of the old segment may be left then, or
 * an operation that was parked would go to the new one.
 */
static void worker_retirements__end_everything_before_the_slot_is_used_again(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct remote *remote = &rig->engine.remotes.remotes[RIG_REMOTE];
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct haul_completion completion;

	(void)state;
	atomic_store(&remote->version_seen, 2); /* it will be parked */
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	remote_retire(&rig->engine.remotes, RIG_REMOTE);
	rig_round(rig, 1);
	rig_set_view(rig, RIG_REMOTE, 1, 4711, RIG_BYTES);
	atomic_store(&remote->state, REMOTE_OPEN);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	rig_round(rig, ENGINE_PARKED_INTERVAL_US);
	assert_int_equal(rig->udp.posted, 0);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.status, HAUL_STALE);
	rig_destroy_ready(rig, channel);
}

/* A target may answer each of thousands of operations with STALE: what must be said still finds room. */
static void worker_ask__stale_news_leave_room(void **state)
{
	struct rig *rig = rig_create();
	struct worker_request stale = { .kind = WORKER_REMOTE_STALE };
	struct worker_request must = { .kind = WORKER_CHANNEL_GONE };
	struct worker_request request;
	uint32_t counts[8] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 2 * ENGINE_REQUESTS; i++)
		worker_ask(rig->worker, &stale);
	for (uint32_t i = 0; i < ENGINE_REQUESTS - ENGINE_REQUESTS_STALE; i++)
		worker_ask(rig->worker, &must);
	while (rig_request(rig, &request))
		counts[request.kind]++;
	assert_int_equal(counts[WORKER_REMOTE_STALE], ENGINE_REQUESTS_STALE);
	assert_int_equal(counts[WORKER_CHANNEL_GONE], ENGINE_REQUESTS - ENGINE_REQUESTS_STALE);
	rig_destroy(rig);
}

static void worker_ask__rings_once_a_round(void **state)
{
	struct rig *rig = rig_create();
	struct worker_command command = { .kind = WORKER_PEER_FORGET };
	eventfd_t value = 0;

	(void)state;
	assert_true(worker_command(rig->worker, &command));
	assert_true(worker_command(rig->worker, &command));
	rig_round(rig, 1);
	assert_int_equal(eventfd_read(rig->worker->request_fd, &value), 0);
	assert_int_equal(value, 1);
	rig_round(rig, 1);
	assert_int_not_equal(eventfd_read(rig->worker->request_fd, &value), 0);
	rig_destroy(rig);
}

static void worker_has_passed__wants_a_whole_round(void **state)
{
	struct rig *rig = rig_create();
	uint64_t mark = worker_mark(rig->worker);

	(void)state;
	assert_true(worker_has_passed(rig->worker, mark)); /* no thread: it holds nothing */
	rig->worker->is_started = true;
	assert_false(worker_has_passed(rig->worker, mark));
	rig_round(rig, 1);
	assert_false(worker_has_passed(rig->worker, mark));
	rig_round(rig, 1);
	assert_true(worker_has_passed(rig->worker, mark));
	rig->worker->is_started = false;
	rig_destroy(rig);
}

static void worker_round__without_anything_is_no_work(void **state)
{
	struct rig *rig = rig_create();

	(void)state;
	assert_int_equal(rig_round(rig, 1), 0);
	assert_int_equal(rig->counters[WORKER_ROUNDS], 1);
	rig_destroy(rig);
}

/* Wait, for a bounded time, until a counter of the worker's thread has moved so far. */
static void await(const uint64_t *counter, uint64_t value)
{
	uint64_t until_us = clock_now_us() + 10 * 1000 * 1000;

	while (__atomic_load_n(counter, __ATOMIC_RELAXED) < value) {
		assert_true(clock_now_us() < until_us);
		usleep(100);
	}
}

static struct rig *sleepy_rig(struct channel **channel_out)
{
	struct rig *rig = rig_create_ready(channel_out);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET,
				     .data.fd = (*channel_out)->doorbell_fd };

	rig->engine.options.idle_policy = IDLE_ADAPTIVE;
	rig->engine.options.idle_sleep_max_us = 900000;
	assert_int_equal(epoll_ctl(rig->worker->epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event), 0);
	return rig;
}

static void worker_thread__sleeps_and_is_woken_by_a_doorbell(void **state)
{
	struct channel *channel;
	struct rig *rig = sleepy_rig(&channel);
	struct haul_entry entry = { .opcode = HAUL_OP_NOP };

	(void)state;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	for (uint64_t i = 1; i <= 20; i++) {
		await(&rig->counters[WORKER_SLEEPS], rig->counters[WORKER_SLEEPS] + 3);
		rig_submit(channel, &entry);
		ring_full_fence();
		if (ring_load_relaxed(&channel->header->daemon_sleeps.value) != 0)
			eventfd_write(channel->doorbell_fd, 1);
		await(&channel->completed, i);
	}
	worker_stop(rig->worker);
	rig_destroy_ready(rig, channel);
}

/* A client that fills its rings and reaps nothing costs its worker no core. */
static void worker_thread__sleeps_beside_a_client_that_reaps_nothing(void **state)
{
	struct channel *channel;
	struct rig *rig = sleepy_rig(&channel);
	struct haul_entry entry = { .opcode = HAUL_OP_NOP };
	uint64_t rounds;

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		rig_submit(channel, &entry);
	for (uint32_t i = 0; i < 4; i++)
		rig_round(rig, 1);
	for (uint32_t i = 0; i < 64; i++)
		rig_submit(channel, &entry);
	for (uint32_t i = 0; i < 4; i++)
		rig_round(rig, 1);
	rig_submit(channel, &entry);
	assert_int_equal(worker_start(rig->worker, -1), 0);
	usleep(100000);
	rounds = rig->counters[WORKER_ROUNDS];
	assert_in_range(rounds, 1, 5000); /* awake it goes round some hundred thousand times */
	worker_stop(rig->worker);
	rig_destroy_ready(rig, channel);
}

static void worker_thread__goes_round_for_quiescence(void **state)
{
	struct rig *rig = rig_create();
	uint64_t until_us = clock_now_us() + 10 * 1000 * 1000;
	uint64_t mark;

	(void)state;
	assert_int_equal(worker_start(rig->worker, -1), 0);
	mark = worker_mark(rig->worker);
	while (!worker_has_passed(rig->worker, mark))
		assert_true(clock_now_us() < until_us);
	worker_stop(rig->worker);
	worker_stop(rig->worker);
	rig_destroy(rig);
}

static void worker_start__refuses_a_processor_there_is_not(void **state)
{
	struct rig *rig = rig_create();

	(void)state;
	assert_int_not_equal(worker_start(rig->worker, 1000), 0);
	worker_stop(rig->worker);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_channels__are_given_back_when_idle),
		cmocka_unit_test(worker_channels__broken_ones_wait_for_the_control_thread),
		cmocka_unit_test(worker_commands__are_all_obeyed_in_one_round),
		cmocka_unit_test(worker_retirements__end_everything_before_the_slot_is_used_again),
		cmocka_unit_test(worker_ask__stale_news_leave_room),
		cmocka_unit_test(worker_ask__rings_once_a_round),
		cmocka_unit_test(worker_has_passed__wants_a_whole_round),
		cmocka_unit_test(worker_round__without_anything_is_no_work),
		cmocka_unit_test(worker_thread__sleeps_and_is_woken_by_a_doorbell),
		cmocka_unit_test(worker_thread__sleeps_beside_a_client_that_reaps_nothing),
		cmocka_unit_test(worker_thread__goes_round_for_quiescence),
		cmocka_unit_test(worker_start__refuses_a_processor_there_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
