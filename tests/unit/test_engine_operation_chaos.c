/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: whatever happens to operations, each ends exactly once, and no slice and no operation is lost on the way.
 * Method: as test_engine_operation.c; thousands of operations with everything going wrong at random, with a seed to run it
 * again, against an account of each entry.
 */
#include "api/haul_attach.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

/* The random test's own account of each accepted entry. */
#define RANDOM_OPERATIONS 20000u
#define RANDOM_REMOTES    4u

struct chaos {
	struct rig *rig;
	struct channel *channel;
	uint64_t seed;
	uint8_t completed[RANDOM_OPERATIONS]; /* completions of its own */
	uint8_t batch_of[RANDOM_OPERATIONS];
	uint32_t batched; /* entries that named a batch */
	uint32_t folded;  /* members that aggregates told of */
	uint32_t refused; /* entries that could not join theirs */
	uint32_t handles[RANDOM_REMOTES];
	uint32_t submitted;
};

static uint32_t below(struct chaos *chaos, uint32_t bound)
{
	return (uint32_t)unit_random_below(&chaos->seed, bound);
}

static void chaos_submit(struct chaos *chaos)
{
	struct channel *channel = chaos->channel;
	struct haul_entry entry;

	if (chaos->submitted == RANDOM_OPERATIONS ||
	    channel->header->submission_tail.value - channel->header->submission_head.value >= 64)
		return;
	entry = rig_write(chaos->rig, chaos->submitted, 1 + below(chaos, RIG_BYTES));
	entry.opcode = (uint8_t)below(chaos, 20) == 0 ? (uint8_t)below(chaos, 256)
						      : (uint8_t)below(chaos, 3);
	entry.remote_segment = chaos->handles[below(chaos, RANDOM_REMOTES)];
	entry.local_offset = haul_u48_make(below(chaos, 10) == 0 ? below(chaos, RIG_BYTES) : 0);
	entry.timeout_ms = below(chaos, 5) == 0 ? 1 + below(chaos, 20) : 0;
	/* A cancellation that names a batch is refused for it, but may have joined: the account could not tell. */
	if (entry.opcode != HAUL_OP_CANCEL && below(chaos, 4) == 0) {
		entry.batch = 1 + below(chaos, 8);
		entry.flags = below(chaos, 3) == 0 ? HAUL_ENTRY_BATCH_LAST : 0;
		if (below(chaos, 5) == 0)
			entry.flags |= HAUL_ENTRY_BATCH_MEMBER;
		chaos->batch_of[chaos->submitted] = (uint8_t)entry.batch;
		chaos->batched++;
	}
	if (entry.opcode == HAUL_OP_WRITE && below(chaos, 3) == 0) {
		entry.flags |= HAUL_ENTRY_NOTIFY;
		entry.value = chaos->submitted;
		if (below(chaos, 3) == 0)
			entry.length = 0;
	}
	if ((entry.opcode == HAUL_OP_WRITE || entry.opcode == HAUL_OP_READ) && below(chaos, 3) == 0)
		entry.flags |= HAUL_ENTRY_RETRY_STALE;
	rig_submit(channel, &entry);
	chaos->submitted++;
}

static void chaos_reap(struct chaos *chaos)
{
	struct haul_completion completion;

	while (rig_reap(chaos->channel, &completion)) {
		assert_in_range(completion.status, 0, HAUL_ERROR_COUNT - 1);
		assert_in_range(completion.reason, 0, HAUL_REASON_COUNT - 1);
		assert_in_range(completion.user_data, 0, chaos->submitted - 1);
		if (completion.batch != 0) {
			assert_int_equal(chaos->batch_of[completion.user_data], completion.batch);
			assert_true(completion.members > 0);
			chaos->folded += completion.members;
			continue;
		}
		chaos->refused += completion.reason == HAUL_REASON_BATCH;
		assert_int_equal(chaos->completed[completion.user_data]++, 0);
	}
}

/* The transport ends some of what it holds, in any order, in any way. */
static void chaos_finish(struct chaos *chaos)
{
	static const enum haul_error statuses[] = { HAUL_OK,    HAUL_OK,          HAUL_OK,
						    HAUL_OK,    HAUL_STALE,       HAUL_NO_PATH,
						    HAUL_FAULT, HAUL_DISCONNECTED };
	struct transport_worker *udp = &chaos->rig->udp;
	uint32_t count = below(chaos, 8);

	while (count-- > 0 && udp->held_count > 0) {
		struct slice *slice = udp->held[below(chaos, udp->held_count)];

		slice->version = below(chaos, 12);
		rig_finish(udp, slice,
			   slice->kind == SLICE_NOTIFY && below(chaos, 2) == 0
				   ? HAUL_BUSY
				   : statuses[below(chaos, 8)],
			   0);
	}
}

/* No operation ever goes to two places at a time. */
static void chaos_check(const struct chaos *chaos)
{
	const struct transport_worker *udp = &chaos->rig->udp;

	for (uint32_t i = 0; i < udp->held_count; i++) {
		const struct operation *operation = udp->held[i]->operation;

		if (operation->state != OPERATION_ENDING)
			assert_int_equal(udp->held[i]->remote_region, operation->remote_region);
	}
}

/* A rail goes down, becomes doubtful or recovers; a segment is retired and opened again. */
static void chaos_strike(struct chaos *chaos)
{
	struct rig *rig = chaos->rig;
	uint32_t index = below(chaos, RANDOM_REMOTES);
	struct remote *remote = &rig->engine.remotes.remotes[index];
	uint32_t number =
		rig_rail(remote->peer, HAUL_TRANSPORT_UDP, below(chaos, ENGINE_RAILS_MAX));
	bool is_there = rail_takes(endpoint_rail(rig->worker, number));
	struct worker_request request;

	switch (below(chaos, 10)) {
	case 8:
		if (is_there)
			worker_host.rail_state(rig->worker, number, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
		break;
	case 9:
		if (is_there)
			worker_host.rail_state(rig->worker, number, RAIL_UP, RAIL_CAUSE_NONE);
		break;
	case 0:
		worker_host.rail_state(rig->worker, number, RAIL_DOWN,
				       (enum rail_cause)(RAIL_CAUSE_UNREACHABLE + below(chaos, 2)));
		break;
	case 1:
		remote_retire(&rig->engine.remotes, index);
		rig_round(rig, 1);
		rig_set_view(rig, index, 1 + below(chaos, 9), 77, RIG_BYTES);
		atomic_store(&remote->state, REMOTE_OPEN);
		break;
	case 2:
		atomic_fetch_add(&remote->version_seen, 1);
		break;
	case 3:
		rig_set_view(rig, index, atomic_load(&remote->version_seen), 77 + below(chaos, 3),
			     RIG_BYTES);
		break;
	case 6:
		atomic_fetch_add(&remote->asked, 1);
		break;
	case 7:
		atomic_store(&remote->answered, atomic_load(&remote->asked));
		break;
	case 4:
		rig->udp.is_cancel_slow = !rig->udp.is_cancel_slow;
		break;
	case 5:
		rig->udp.accept = below(chaos, 3) == 0 ? below(chaos, 5) : UINT32_MAX;
		break;
	default:
		break;
	}
	while (rig_request(rig, &request)) {
		if (request.kind == WORKER_CONNECT)
			worker_host.rail_state(rig->worker, request.index,
					       below(chaos, 4) == 0 ? RAIL_DOWN : RAIL_UP,
					       RAIL_CAUSE_UNREACHABLE);
	}
}

static void operation__everything_at_random_completes_once(void **state)
{
	struct rig_fixture *fixture = *state;
	struct chaos *chaos = calloc(1, sizeof(*chaos));
	struct rig *rig = fixture->rig;
	uint32_t rounds = 0;

	assert_non_null(chaos);
	chaos->rig = rig;
	chaos->channel = fixture->channel;
	chaos->seed = unit_seed();
	chaos->handles[0] = rig->handle;
	for (uint32_t i = 1; i < RANDOM_REMOTES; i++)
		chaos->handles[i] = rig_open_handle(chaos->channel, i,
						    rig_add_remote(rig, false, 77, RIG_BYTES),
						    HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	/* Peers with one way and with several. */
	for (uint32_t i = 0; i < RANDOM_REMOTES; i++)
		rig->engine.peers.peers[rig->engine.remotes.remotes[i].peer]
			.ways[HAUL_TRANSPORT_UDP] = (uint8_t)below(chaos, ENGINE_RAILS_MAX + 1);
	while (chaos->channel->completed < RANDOM_OPERATIONS) {
		for (uint32_t i = below(chaos, 6); i > 0; i--)
			chaos_submit(chaos);
		rig_round(rig, below(chaos, 300));
		chaos_check(chaos);
		chaos_finish(chaos);
		chaos_strike(chaos);
		if (below(chaos, 3) == 0)
			chaos_reap(chaos);
		assert_true(rounds++ < 50 * RANDOM_OPERATIONS);
	}
	rig->udp.accept = UINT32_MAX;
	rig->udp.is_cancel_slow = false;
	chaos_reap(chaos);
	assert_int_equal(chaos->channel->accepted, RANDOM_OPERATIONS);
	for (uint32_t i = 0; i < RANDOM_OPERATIONS; i++) {
		if (chaos->batch_of[i] == 0)
			assert_int_equal(chaos->completed[i], 1);
	}
	/* Each entry of a batch is in one aggregate, or was refused, or its batch was never closed. */
	for (uint32_t i = 1; i <= HAUL_BATCHES_MAX; i++)
		chaos->batched -= chaos->channel->batches[i].members;
	assert_int_equal(chaos->folded + chaos->refused, chaos->batched);
	assert_true(rig->udp.posted > RANDOM_OPERATIONS / 4);
	assert_int_equal(rig->udp.held_count, 0);
	free(chaos);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_fixture_make, rig_fixture_free)
		CASE(operation__everything_at_random_completes_once),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
