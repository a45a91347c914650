/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an endpoint is as good as its best rail; work goes to the best one; what waits is served or ended, never lost;
 * slices leave a doubtful rail for one that is up, and end once; a forgotten peer's rails are down before its slot is said
 * to be free.
 * Method: drivers' news by hand, time by hand.
 */
#include "api/haul_attach.h"
#include "engine/endpoint.h"
#include "engine_rig.h"
#include "unit.h"

#define UDP   HAUL_TRANSPORT_UDP
#define LOCAL HAUL_TRANSPORT_LOCAL

static struct endpoint *endpoint_of(struct rig *rig, uint32_t peer, uint32_t transport)
{
	return &rig->worker->endpoints[endpoint_number(peer, transport)];
}

static void tell_rail(struct rig *rig, uint32_t index, enum rail_state state, enum rail_cause cause)
{
	rig->worker->now_us = rig->now_us;
	worker_host.rail_state(rig->worker, rig_rail(RIG_PEER, UDP, index), state, cause);
}

static void tell(struct rig *rig, uint32_t peer, enum rail_state state, enum rail_cause cause)
{
	rig->worker->now_us = rig->now_us;
	worker_host.rail_state(rig->worker, rig_rail(peer, UDP, 0), state, cause);
}

static void endpoint_pick__asks_for_a_connection_once(void **state)
{
	struct rig *rig = rig_create();
	uint32_t remote = rig_add_remote(rig, false, 1, 64);
	uint32_t peer = rig->engine.remotes.remotes[remote].peer;
	struct endpoint *endpoint = endpoint_of(rig, peer, UDP);
	struct worker_request request;

	(void)state;
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), endpoint);
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	assert_false(endpoint_takes(endpoint));
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), endpoint);
	assert_true(rig_request(rig, &request));
	assert_int_equal(request.kind, WORKER_CONNECT);
	assert_int_equal(request.index, rig_rail(peer, UDP, 0));
	assert_false(rig_request(rig, &request));
	rig_destroy(rig);
}

static void endpoint_pick__keeps_this_node_and_peers_apart(void **state)
{
	struct rig *rig = rig_create();
	uint32_t here = rig_add_remote(rig, true, 1, 64);
	uint32_t there = rig_add_remote(rig, false, 1, 64);

	(void)state;
	assert_int_equal(endpoint_pick(rig->worker, here, rig->now_us)->transport, LOCAL);
	assert_int_equal(endpoint_pick(rig->worker, there, rig->now_us)->transport, UDP);
	rig->engine.order_count = 1; /* local alone */
	assert_null(endpoint_pick(rig->worker, there, rig->now_us));
	rig_destroy(rig);
}

/* Two transports that reach peers: the order decides between equals, the state before it. */
static void endpoint_pick__prefers_up_then_doubtful_then_order(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct transport_ops second = *rig->engine.ops[UDP];
	struct endpoint *first;
	struct endpoint *other;

	(void)state;
	second.id = HAUL_TRANSPORT_TCP;
	rig->engine.ops[second.id] = &second;
	rig->engine.order[rig->engine.order_count++] = second.id;
	rig->worker->transports[second.id] = &rig->udp;
	first = endpoint_of(rig, peer, UDP);
	other = endpoint_of(rig, peer, second.id);
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), first);
	assert_int_equal(other->state, ENDPOINT_CONNECTING);
	worker_host.rail_state(rig->worker, rig_rail(peer, second.id, 0), RAIL_UP, RAIL_CAUSE_NONE);
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), other);
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), first);
	tell(rig, peer, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), other);
	worker_host.rail_state(rig->worker, rig_rail(peer, second.id, 0), RAIL_DOWN,
			       RAIL_CAUSE_SILENT);
	assert_ptr_equal(endpoint_pick(rig->worker, peer, rig->now_us), first);
	assert_true(endpoint_takes(first)); /* the last rail is kept */
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	assert_int_equal(first->state, ENDPOINT_UP);
	rig_destroy(rig);
}

static void endpoint_pause__grows_and_is_bounded(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct endpoint *endpoint = endpoint_of(rig, peer, UDP);
	uint32_t expected_us = ENGINE_RETRY_MIN_US;
	struct worker_request request;

	(void)state;
	for (int i = 0; i < 12; i++) {
		endpoint_pick(rig->worker, peer, rig->now_us);
		assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
		tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
		assert_int_equal(endpoint->state, ENDPOINT_PAUSED);
		assert_int_equal(endpoint->rails[0].pause_us, expected_us);
		rig->now_us += expected_us - 1;
		endpoint_pick(rig->worker, peer, rig->now_us);
		assert_int_equal(endpoint->state, ENDPOINT_PAUSED);
		rig->now_us++;
		expected_us = expected_us * 2 < ENGINE_RETRY_MAX_US ? expected_us * 2
								    : ENGINE_RETRY_MAX_US;
		assert_true(rig_request(rig, &request));
		assert_int_equal(request.kind, WORKER_CONNECT);
		/* Perhaps the peer is elsewhere now. */
		assert_true(rig_request(rig, &request));
		assert_int_equal(request.kind, WORKER_PEER_UNREACHABLE);
		assert_int_equal(request.index, peer);
		assert_false(rig_request(rig, &request));
	}
	assert_int_equal(expected_us, ENGINE_RETRY_MAX_US);
	/* A success is forgiven at once. */
	endpoint_pick(rig->worker, peer, rig->now_us);
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_SILENT);
	assert_int_equal(endpoint->rails[0].pause_us, ENGINE_RETRY_MIN_US);
	rig_destroy(rig);
}

static void endpoint_rail_state__ignores_news_nobody_wants(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct endpoint *endpoint = endpoint_of(rig, peer, UDP);

	(void)state;
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(endpoint->state, ENDPOINT_IDLE);
	endpoint_pick(rig->worker, peer, rig->now_us);
	tell(rig, peer, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_RESTARTED);
	assert_int_equal(endpoint->state, ENDPOINT_GONE);
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	assert_int_equal(endpoint->state, ENDPOINT_GONE);
	rig_destroy(rig);
}

/* Have channel 1 wait for a peer that is being connected, and return its completion once the news is told. */
static struct haul_completion outcome(enum rail_cause cause, enum endpoint_state state_expected)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct endpoint *endpoint = endpoint_of(rig, RIG_PEER, UDP);
	struct haul_entry entry = rig_write(rig, 5, 100);
	struct haul_completion completion = { 0 };

	tell(rig, RIG_PEER, RAIL_DOWN, RAIL_CAUSE_SILENT);
	rig->now_us += ENGINE_RETRY_MIN_US;
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	assert_int_equal(endpoint->waiting_count, 1);
	tell(rig, RIG_PEER, RAIL_DOWN, cause);
	assert_int_equal(endpoint->state, state_expected);
	assert_int_equal(endpoint->waiting_count, 0);
	assert_true(rig_reap(channel, &completion));
	if (cause == RAIL_CAUSE_RESTARTED)
		assert_int_equal(rig_expect_request(rig, WORKER_PEER_RESTARTED).index, RIG_PEER);
	rig_destroy_ready(rig, channel);
	return completion;
}

static void endpoint_down__restarted_ends_what_waits_as_stale(void **state)
{
	struct haul_completion completion = outcome(RAIL_CAUSE_RESTARTED, ENDPOINT_GONE);

	(void)state;
	assert_int_equal(completion.status, HAUL_STALE);
	assert_int_equal(completion.reason, HAUL_REASON_INCARNATION);
}

static void endpoint_down__refused_ends_what_waits(void **state)
{
	struct haul_completion completion = outcome(RAIL_CAUSE_REFUSED, ENDPOINT_PAUSED);

	(void)state;
	assert_int_equal(completion.status, HAUL_NO_PATH);
	assert_int_equal(completion.reason, HAUL_REASON_PEER_REFUSED);
}

static void endpoint_down__unreachable_keeps_what_waits(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct endpoint *endpoint = endpoint_of(rig, RIG_PEER, UDP);
	struct haul_entry entry = rig_write(rig, 5, 100);
	struct haul_completion completion;

	(void)state;
	tell(rig, RIG_PEER, RAIL_DOWN, RAIL_CAUSE_SILENT);
	rig_submit(channel, &entry);
	rig_round(rig, ENGINE_RETRY_MIN_US);
	assert_int_equal(endpoint->state, ENDPOINT_PAUSED);
	rig_round(rig, 1); /* somebody waits, so it is tried again */
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	tell(rig, RIG_PEER, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	assert_int_equal(endpoint->waiting_count, 1);
	rig_round(rig, 2 * ENGINE_RETRY_MIN_US);
	rig_round(rig, 1);
	tell(rig, RIG_PEER, RAIL_UP, RAIL_CAUSE_NONE);
	rig_round(rig, 1);
	assert_int_equal(rig_drain(&rig->udp, HAUL_OK), 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.status, HAUL_OK);
	rig_destroy_ready(rig, channel);
}

static void endpoint_forget_peer__without_rails_is_told_at_once(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct worker_request request;

	(void)state;
	endpoint_forget_peer(rig->worker, peer);
	assert_true(rig_request(rig, &request));
	assert_int_equal(request.kind, WORKER_PEER_FORGOTTEN);
	assert_int_equal(request.index, peer);
	assert_false(rig_request(rig, &request));
	rig_destroy(rig);
}

static void endpoint_forget_peer__waits_for_the_rail_to_go_down(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct endpoint *endpoint = endpoint_of(rig, peer, UDP);
	struct worker_request request;

	(void)state;
	rig_connect(rig, peer, UDP);
	rig_expect_request(rig, WORKER_CONNECT);
	endpoint_forget_peer(rig->worker, peer);
	assert_int_equal(endpoint->state, ENDPOINT_CLOSING);
	assert_false(endpoint_takes(endpoint));
	assert_true(rig_request(rig, &request));
	assert_int_equal(request.kind, WORKER_DISCONNECT);
	assert_int_equal(request.index, rig_rail(peer, UDP, 0));
	/* Late news of the old rail are not news of it being gone. */
	tell(rig, peer, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	assert_int_equal(endpoint->state, ENDPOINT_CLOSING);
	assert_false(rig_request(rig, &request));
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(endpoint->state, ENDPOINT_IDLE);
	assert_int_equal(rig_expect_request(rig, WORKER_PEER_FORGOTTEN).index, peer);
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_CLOSED); /* once more: nobody cares */
	assert_false(rig_request(rig, &request));
	rig_destroy(rig);
}

/* The driver may say CLOSED twice of one rail; the second must not end the connecting of the slot's next peer. */
static void endpoint_rail_state__closed_is_no_answer_to_connect(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct endpoint *endpoint = endpoint_of(rig, peer, UDP);

	(void)state;
	endpoint_pick(rig->worker, peer, rig->now_us);
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	tell(rig, peer, RAIL_UP, RAIL_CAUSE_NONE);
	assert_int_equal(endpoint->state, ENDPOINT_UP);
	tell(rig, peer, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(endpoint->state, ENDPOINT_PAUSED);
	rig_destroy(rig);
}

static void endpoint_forget_peer__ends_what_waits(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_entry entry = rig_write(rig, 5, 100);
	struct haul_completion completion;

	(void)state;
	rig->udp.accept = 0;
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	endpoint_forget_peer(rig->worker, RIG_PEER);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.status, HAUL_STALE);
	rig_destroy_ready(rig, channel);
}

/* One endpoint's back-pressure must not end the walk, and a walk must end though lists change under it. */
static void endpoint_drive_all__serves_every_endpoint(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_entry entries[3];
	struct haul_completion completion;

	(void)state;
	rig->udp.accept = 0;
	for (uint32_t i = 0; i < 3; i++) {
		entries[i] = rig_write(rig, i, 100);
		if (i > 0) {
			uint32_t remote = rig_add_remote(rig, false, 1, 4096);

			rig_connect(rig, rig->engine.remotes.remotes[remote].peer, UDP);
			entries[i].remote_segment =
				rig_open_handle(channel, i, remote, HAUL_RIGHT_WRITE);
		}
		rig_submit(channel, &entries[i]);
	}
	rig_round(rig, 1);
	assert_int_equal(rig->udp.held_count, 0);
	rig->udp.accept = 2;
	rig_round(rig, 1);
	assert_int_equal(rig->udp.held_count, 2);
	rig->udp.accept = UINT32_MAX;
	rig_round(rig, 1);
	assert_int_equal(rig_drain(&rig->udp, HAUL_OK), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(rig_reap(channel, &completion));
	assert_true(TAILQ_EMPTY(&rig->worker->ready));
	rig_destroy_ready(rig, channel);
}

/* A rig whose peer can be reached in `ways` ways, all of them up. */
static struct rig *rails_create(uint32_t ways, struct channel **channel_out)
{
	struct rig *rig = rig_create_ready(channel_out);
	struct worker_request request;

	rig->engine.peers.peers[RIG_PEER].ways[UDP] = (uint8_t)ways;
	endpoint_init(endpoint_of(rig, RIG_PEER, UDP), RIG_PEER, UDP); /* as if never connected */
	endpoint_pick(rig->worker, RIG_PEER, rig->now_us);
	for (uint32_t i = 0; i < ways; i++) {
		assert_int_equal(rig_expect_request(rig, WORKER_CONNECT).index,
				 rig_rail(RIG_PEER, UDP, i));
		tell_rail(rig, i, RAIL_UP, RAIL_CAUSE_NONE);
	}
	assert_false(rig_request(rig, &request));
	assert_int_equal(endpoint_of(rig, RIG_PEER, UDP)->up_count, ways);
	return rig;
}

static void write_bytes(struct rig *rig, struct channel *channel, uint32_t length)
{
	struct haul_entry entry = rig_write(rig, 5, length);

	rig_submit(channel, &entry);
	rig_round(rig, 1);
}

/* The one operation completes, with that status, and nothing else does. */
static void expect_end(struct rig *rig, struct channel *channel, enum haul_error status)
{
	struct haul_completion completion;

	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.status, status);
	assert_int_equal(completion.attempts, 1); /* another rail is no attempt */
	assert_false(rig_reap(channel, &completion));
}

static void endpoint_pick__asks_for_all_rails(void **state)
{
	struct rig *rig = rig_create();
	uint32_t peer = rig_add_remote(rig, false, 1, 64);
	struct endpoint *endpoint = endpoint_of(rig, peer, UDP);
	struct worker_request request;

	(void)state;
	rig->engine.peers.peers[peer].ways[UDP] =
		200; /* a driver that does not keep to its bound */
	endpoint_pick(rig->worker, peer, rig->now_us);
	assert_int_equal(endpoint->rail_count, ENGINE_RAILS_MAX);
	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++)
		assert_int_equal(rig_expect_request(rig, WORKER_CONNECT).index,
				 rig_rail(peer, UDP, i));
	endpoint_pick(rig->worker, peer, rig->now_us + 1000000000);
	assert_false(rig_request(rig, &request));
	rig_destroy(rig);
}

static void endpoint_settle__is_as_good_as_the_best_rail(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);
	struct endpoint *endpoint = endpoint_of(rig, RIG_PEER, UDP);

	(void)state;
	tell_rail(rig, 0, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	assert_int_equal(endpoint->state, ENDPOINT_UP);
	assert_int_equal(endpoint->up_count, 1);
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_SILENT);
	assert_int_equal(endpoint->state, ENDPOINT_DOUBTFUL);
	assert_true(endpoint_takes(endpoint));
	tell_rail(rig, 0, RAIL_DOWN, RAIL_CAUSE_SILENT);
	assert_int_equal(endpoint->state, ENDPOINT_PAUSED);
	endpoint_pick(rig->worker, RIG_PEER, rig->now_us + ENGINE_RETRY_MIN_US);
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	assert_int_equal(endpoint->state, ENDPOINT_CONNECTING);
	tell_rail(rig, 0, RAIL_UP, RAIL_CAUSE_NONE);
	assert_int_equal(endpoint->state, ENDPOINT_UP);
	rig_destroy_ready(rig, channel);
}

static void rails__share_one_operation(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	write_bytes(rig, channel, 2u << 20);
	assert_int_equal(rig->udp.held_count, 8);
	assert_int_equal(rig_held_on(&rig->udp, 0), 4);
	assert_int_equal(rig_held_on(&rig->udp, 1), 4);
	rig_drain(&rig->udp, HAUL_OK);
	expect_end(rig, channel, HAUL_OK);
	rig_destroy_ready(rig, channel);
}

/* Back-pressure of one rail is not that of the other. */
static void rails__go_round_one_that_is_full(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(3, &channel);

	(void)state;
	rig->udp.refuses = 1 << 0 | 1 << 2;
	write_bytes(rig, channel, 1u << 20);
	assert_int_equal(rig_held_on(&rig->udp, 1), 4);
	rig_drain(&rig->udp, HAUL_OK);
	expect_end(rig, channel, HAUL_OK);
	rig->udp.refuses = 7;
	write_bytes(rig, channel, 1u << 20);
	assert_int_equal(rig->udp.held_count, 0);
	assert_int_equal(endpoint_of(rig, RIG_PEER, UDP)->waiting_count, 1);
	rig->udp.refuses = 0;
	rig_round(rig, 1);
	assert_int_equal(rig_drain(&rig->udp, HAUL_OK), 4);
	expect_end(rig, channel, HAUL_OK);
	rig_destroy_ready(rig, channel);
}

static void endpoint_leave_doubtful__takes_slices_to_the_rail_that_is_up(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	write_bytes(rig, channel, 2u << 20);
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US - 1;
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 0);
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 4);
	assert_int_equal(rig_held_on(&rig->udp, 0), 8);
	write_bytes(rig, channel, 100); /* nothing new goes there either */
	assert_int_equal(rig_held_on(&rig->udp, 1), 0);
	rig_drain(&rig->udp, HAUL_OK);
	rig_round(rig, 1);
	assert_int_equal(channel->completed, 2);
	rig_destroy_ready(rig, channel);
}

/* A slice goes out again only when nothing of it can land from the doubtful rail: when the driver has given it back. */
static void endpoint_leave_doubtful__waits_for_the_fence(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	rig->udp.is_cancel_slow = true;
	write_bytes(rig, channel, 512u << 10);
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US;
	rig_round(rig, 1);
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 1);
	assert_int_equal(rig_held_on(&rig->udp, 1), 1);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_OK, 0);
	assert_int_equal(rig->udp.held_count, 1);
	assert_int_equal(channel->completed, 0);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_CANCELLED, 0);
	rig_round(rig, 1);
	assert_int_equal(rig_held_on(&rig->udp, 0), 1);
	rig_drain(&rig->udp, HAUL_OK);
	expect_end(rig, channel, HAUL_OK);
	rig_destroy_ready(rig, channel);
}

/* An operation that ends meanwhile asks for its slices again, and they come back once. */
static void endpoint_leave_doubtful__and_the_end_of_the_operation(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	rig->udp.is_cancel_slow = true;
	write_bytes(rig, channel, 512u << 10);
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US;
	rig_round(rig, 1);
	rig->now_us += 2000000; /* its deadline */
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 3);
	tell_rail(rig, 1, RAIL_UP, RAIL_CAUSE_NONE);
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US;
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 3); /* what is ending is not asked for once more */
	assert_int_equal(rig_drain(&rig->udp, HAUL_TIMEOUT), 2);
	expect_end(rig, channel, HAUL_TIMEOUT);
	rig_destroy_ready(rig, channel);
}

static void endpoint_leave_doubtful__stays_where_nothing_is_better(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	write_bytes(rig, channel, 512u << 10);
	/* The peer is off its core: both. */
	tell_rail(rig, 0, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US / 2;
	rig_round(rig, 1);
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US;
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 0);
	/* The first that comes back takes all. */
	tell_rail(rig, 0, RAIL_UP, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US;
	rig_round(rig, 1);
	assert_int_equal(rig->udp.cancelled, 1);
	assert_int_equal(rig_held_on(&rig->udp, 0), 2);
	rig_drain(&rig->udp, HAUL_OK);
	expect_end(rig, channel, HAUL_OK);
	rig_destroy_ready(rig, channel);
}

static void rails__one_that_recovers_is_tried_first(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	rig->now_us += ENGINE_LEAVE_US;
	tell_rail(rig, 1, RAIL_UP, RAIL_CAUSE_NONE);
	write_bytes(rig, channel, 1u << 20);
	assert_int_equal(rig_held_on(&rig->udp, 1), 0);
	rig_drain(&rig->udp, HAUL_OK);
	expect_end(rig, channel, HAUL_OK);
	rig->now_us += ENGINE_RETRY_MIN_US;
	write_bytes(rig, channel, 1u << 20);
	assert_int_equal(rig_held_on(&rig->udp, 1), 1);
	rig_drain(&rig->udp, HAUL_OK);
	expect_end(rig, channel, HAUL_OK);
	assert_false(endpoint_rail(rig->worker, rig_rail(RIG_PEER, UDP, 1))->is_on_trial);
	rig_destroy_ready(rig, channel);
}

static void endpoint_tend_due__asks_for_missing_rails(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);
	struct worker_request request;

	(void)state;
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_SILENT);
	write_bytes(rig, channel, 1); /* its pause is not over */
	assert_false(rig_request(rig, &request));
	rig->now_us += ENGINE_RETRY_MIN_US;
	write_bytes(rig, channel, 1); /* traffic asks */
	assert_int_equal(rig_expect_request(rig, WORKER_CONNECT).index, rig_rail(RIG_PEER, UDP, 1));
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	rig_drain(&rig->udp, HAUL_OK);
	rig->now_us += ENGINE_TEND_INTERVAL_US;
	rig_round(rig, 1); /* so does time */
	assert_int_equal(rig_expect_request(rig, WORKER_CONNECT).index, rig_rail(RIG_PEER, UDP, 1));
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	assert_false(rig_request(rig, &request)); /* the other one reaches the peer */
	tell_rail(rig, 0, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	assert_int_equal(rig_expect_request(rig, WORKER_PEER_UNREACHABLE).index, RIG_PEER);
	rig->now_us += ENGINE_TEND_INTERVAL_US;
	rig_round(rig, 1); /* but not when nothing is left and nobody wants anything */
	assert_false(rig_request(rig, &request));
	rig_destroy_ready(rig, channel);
}

/* Few in a round, each once in an interval, and after a sleep as many as were left out. */
static void endpoint_tend_due__goes_round_them(void **state)
{
	const uint32_t turns = ENGINE_ENDPOINTS_MAX / ENGINE_TEND_BUDGET;
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);
	struct worker_request request;
	uint32_t asked = 0;
	uint32_t next;

	(void)state;
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_SILENT);
	for (uint32_t i = 0; i < 3 * turns; i++) {
		next = (rig->worker->tend_next + ENGINE_TEND_BUDGET) % ENGINE_ENDPOINTS_MAX;
		rig->now_us = rig->worker->tend_at_us - 1;
		rig_round(rig, 1);
		assert_int_not_equal(rig->worker->tend_next, next);
		rig_round(rig, 0);
		assert_int_equal(rig->worker->tend_next, next);
		for (; rig_request(rig, &request); asked++)
			tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	}
	assert_int_equal(asked, 3);
	next = rig->worker->tend_next;
	rig->now_us = rig->worker->tend_at_us + 9ull * ENGINE_TEND_STEP_US;
	rig_round(rig, 0);
	assert_int_equal(rig->worker->tend_next,
			 (next + 10 * ENGINE_TEND_BUDGET) % ENGINE_ENDPOINTS_MAX);
	next = rig->worker->tend_next;
	rig->now_us += UINT64_C(1) << 40;
	rig_round(rig, 0);
	assert_int_equal(rig->worker->tend_next, next);
	assert_int_equal(rig->worker->tend_at_us, rig->now_us + ENGINE_TEND_STEP_US);
	rig_destroy_ready(rig, channel);
}

static void endpoint_rail_down__restarted_counts_when_none_is_up(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(3, &channel);
	struct endpoint *endpoint = endpoint_of(rig, RIG_PEER, UDP);
	struct worker_request request;

	(void)state;
	tell_rail(rig, 0, RAIL_DOWN, RAIL_CAUSE_RESTARTED);
	assert_int_equal(endpoint->state, ENDPOINT_UP);
	assert_false(rig_request(rig, &request));
	tell_rail(rig, 1, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
	tell_rail(rig, 2, RAIL_DOWN, RAIL_CAUSE_RESTARTED);
	assert_int_equal(endpoint->state, ENDPOINT_GONE);
	assert_int_equal(rig_expect_request(rig, WORKER_PEER_RESTARTED).index, RIG_PEER);
	tell_rail(rig, 1, RAIL_UP, RAIL_CAUSE_NONE); /* too late */
	assert_int_equal(endpoint->state, ENDPOINT_GONE);
	assert_int_equal(endpoint->want_at_us, UINT64_MAX);
	/* What the driver still has of it is ended before the slot is free. */
	endpoint_forget_peer(rig->worker, RIG_PEER);
	assert_true(rig_request(rig, &request));
	assert_int_equal(request.kind, WORKER_DISCONNECT);
	assert_int_equal(request.index, rig_rail(RIG_PEER, UDP, 1));
	assert_false(rig_request(rig, &request));
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(rig_expect_request(rig, WORKER_PEER_FORGOTTEN).index, RIG_PEER);
	assert_int_equal(endpoint->state, ENDPOINT_IDLE);
	rig_destroy_ready(rig, channel);
}

static void endpoint_rail_down__refused_by_the_last_ends_what_waits(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);

	(void)state;
	tell_rail(rig, 0, RAIL_DOWN, RAIL_CAUSE_SILENT);
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_SILENT);
	rig->now_us += ENGINE_RETRY_MIN_US;
	write_bytes(rig, channel, 100);
	tell_rail(rig, 0, RAIL_DOWN, RAIL_CAUSE_REFUSED);
	rig_round(rig, 1);
	assert_int_equal(channel->completed, 0); /* the other may still come */
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_REFUSED);
	assert_int_equal(channel->completed, 1);
	rig_destroy_ready(rig, channel);
}

static void endpoint_forget_peer__waits_for_every_rail(void **state)
{
	struct channel *channel;
	struct rig *rig = rails_create(2, &channel);
	struct endpoint *endpoint = endpoint_of(rig, RIG_PEER, UDP);
	struct worker_request request;

	(void)state;
	endpoint_forget_peer(rig->worker, RIG_PEER);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(rig_expect_request(rig, WORKER_DISCONNECT).index,
				 rig_rail(RIG_PEER, UDP, i));
	tell_rail(rig, 1, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(endpoint->state, ENDPOINT_CLOSING);
	assert_false(rig_request(rig, &request));
	tell_rail(rig, 1, RAIL_UP, RAIL_CAUSE_NONE); /* not wanted any more */
	tell_rail(rig, 0, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	assert_int_equal(endpoint->state, ENDPOINT_IDLE);
	assert_int_equal(rig_expect_request(rig, WORKER_PEER_FORGOTTEN).index, RIG_PEER);
	rig_destroy_ready(rig, channel);
}

static void endpoint_state_text__names_every_state(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ENDPOINT_STATE_COUNT; i++)
		assert_string_not_equal(endpoint_state_text(i), "unknown");
	assert_string_equal(endpoint_state_text(ENDPOINT_STATE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_pick__asks_for_a_connection_once),
		cmocka_unit_test(endpoint_pick__keeps_this_node_and_peers_apart),
		cmocka_unit_test(endpoint_pick__prefers_up_then_doubtful_then_order),
		cmocka_unit_test(endpoint_pause__grows_and_is_bounded),
		cmocka_unit_test(endpoint_rail_state__ignores_news_nobody_wants),
		cmocka_unit_test(endpoint_down__restarted_ends_what_waits_as_stale),
		cmocka_unit_test(endpoint_down__refused_ends_what_waits),
		cmocka_unit_test(endpoint_down__unreachable_keeps_what_waits),
		cmocka_unit_test(endpoint_forget_peer__without_rails_is_told_at_once),
		cmocka_unit_test(endpoint_forget_peer__waits_for_the_rail_to_go_down),
		cmocka_unit_test(endpoint_rail_state__closed_is_no_answer_to_connect),
		cmocka_unit_test(endpoint_forget_peer__ends_what_waits),
		cmocka_unit_test(endpoint_drive_all__serves_every_endpoint),
		cmocka_unit_test(endpoint_pick__asks_for_all_rails),
		cmocka_unit_test(endpoint_settle__is_as_good_as_the_best_rail),
		cmocka_unit_test(rails__share_one_operation),
		cmocka_unit_test(rails__go_round_one_that_is_full),
		cmocka_unit_test(endpoint_leave_doubtful__takes_slices_to_the_rail_that_is_up),
		cmocka_unit_test(endpoint_leave_doubtful__waits_for_the_fence),
		cmocka_unit_test(endpoint_leave_doubtful__and_the_end_of_the_operation),
		cmocka_unit_test(endpoint_leave_doubtful__stays_where_nothing_is_better),
		cmocka_unit_test(rails__one_that_recovers_is_tried_first),
		cmocka_unit_test(endpoint_tend_due__asks_for_missing_rails),
		cmocka_unit_test(endpoint_tend_due__goes_round_them),
		cmocka_unit_test(endpoint_rail_down__restarted_counts_when_none_is_up),
		cmocka_unit_test(endpoint_rail_down__refused_by_the_last_ends_what_waits),
		cmocka_unit_test(endpoint_forget_peer__waits_for_every_rail),
		cmocka_unit_test(endpoint_state_text__names_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
