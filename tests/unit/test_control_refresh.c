/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what is known of an open segment is fetched again when it may have changed, without a storm; what comes instead of
 * a good descriptor never replaces one; what is gone for good ends everything on it.
 * Method: as in test_control_opening.c. Rows "meta" of the acceptance matrix are named where one is meant.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memfd.h"
#include "control/refresh.h"
#include "opening_rig.h"
#include "unit.h"

#include <event2/event.h>
#include <unistd.h>

/* Its erasure was missed, and the name stands for other memory by now. */
static void opening_refresh__of_another_segment_of_the_name_retires(void **state)
{
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	descriptor->number++;
	tell_version(descriptor->metadata_version + 1, descriptor->incarnation);
	descriptor->metadata_version++;
	answer_refresh(HAUL_OK, true);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_retired);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
}

static void opening_refresh__two_absences_retire(void **state)
{
	const struct opening *opening;
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	opening = TAILQ_FIRST(&rig->node.openings);
	assert_int_equal(opening->state, OPENING_CURRENT);
	tell_version(descriptor->metadata_version + 1, descriptor->incarnation);
	answer_refresh(HAUL_NOT_FOUND, false);
	answer_refresh(HAUL_UNAVAILABLE, false);
	NODE_AWAIT(rig, opening->failure == HAUL_UNAVAILABLE);
	assert_false(opening->is_retired);
	answer_refresh(HAUL_NOT_FOUND, false);
	NODE_AWAIT(rig, opening->is_retired);
	assert_int_equal(opening->state, OPENING_RETIRED);
	assert_int_equal(opening->failures[OPENING_ABSENT], 2);
	assert_int_equal(opening->failures[OPENING_UNREACHABLE], 1);
	assert_int_equal(opening->refreshes, 3);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
}

static void opening_refresh__when_refused_retires(void **state)
{
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	tell_version(descriptor->metadata_version + 1, descriptor->incarnation);
	answer_refresh(HAUL_DENIED, false);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_retired);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
}

/* Writing is granted no more: who only reads goes on, whoever of them came first. */
static void opening_refresh__takes_a_right_from_who_had_it(void **state)
{
	union node_message request;
	uint32_t reader;
	uint32_t writer;

	(void)state;
	assert_int_equal(open_target(BOTH, &writer), HAUL_OK);
	assert_int_equal(open_target(HAUL_RIGHT_READ, &reader), HAUL_OK);
	tell_version(++descriptor->metadata_version, descriptor->incarnation);
	for (int i = 0; i < 2; i++) {
		int fd;

		control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &request, &fd);
		fd = request.control_open.rights == HAUL_RIGHT_READ ? descriptor_send() : -1;
		control_answer(rig, &request, fd >= 0 ? HAUL_OK : HAUL_DENIED, fd);
		if (fd >= 0)
			close(fd);
	}
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_retired);
	expect_transfer(HAUL_OP_WRITE, writer, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	expect_transfer(HAUL_OP_READ, reader, HAUL_OK, HAUL_REASON_NONE);
	/* The one that is left is who tells the control plane when it closes. */
	assert_int_equal(close_handle(writer), HAUL_OK);
	assert_int_equal(close_handle(reader), HAUL_OK);
	control_expect(rig, HAUL_CONTROL_SEGMENT_CLOSE, &request, &(int){ 0 });
}

/* The owner's own table is the last line: a view that is behind is refused there, and fetched again. */
static void opening_refresh__after_a_target_said_stale(void **state)
{
	union node_message message;
	uint32_t handle;
	int fd;

	(void)state;
	((struct haul_descriptor_buffer *)(uintptr_t)descriptor_buffers(descriptor))->region +=
		1u << 24;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &message, &fd);
	control_answer(rig, &message, HAUL_NOT_FOUND, -1);
}

static uint64_t counted(enum opening_counter counter)
{
	return rig->node.opening_counters[counter];
}

/* Have the node look at everything that is open again, though nothing has changed. */
static void look_again(void)
{
	control_hang_up(rig);
	control_greet(rig);
}

/* An answer with these bytes for a descriptor; NULL = with none. */
static void answer_bytes(const void *bytes, size_t length)
{
	union node_message request;
	int fd;

	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &request, &fd);
	fd = bytes != NULL ? memfd_from_bytes("descriptor", bytes, length) : -1;
	control_answer(rig, &request, HAUL_OK, fd);
	if (fd >= 0)
		close(fd);
}

/* The row "malformed descriptor on refresh", and "null or empty": the one that is there stays, and another is fetched. */
static void opening_refresh__keeps_a_good_view_over_a_bad_one(void **state)
{
	struct haul_descriptor half = *descriptor;
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	half.buffer_count++;
	look_again();
	answer_bytes(NULL, 0);
	answer_bytes("", 0);
	answer_bytes("x", 1);
	answer_bytes(&half, sizeof(half));
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	NODE_AWAIT(rig, counted(OPENING_COUNTER_MALFORMED) == 4);
	answer_refresh(HAUL_OK, true);
	NODE_AWAIT(rig, counted(OPENING_COUNTER_UNCHANGED) == 1);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	assert_int_equal(counted(OPENING_COUNTER_REFRESHES), 5);
	assert_int_equal(counted(OPENING_COUNTER_ABSENT), 0);
}

/* The row "store unreachable below the threshold": however often, it is no absence; transfers go on. */
static void opening_refresh__unreachable_is_no_absence(void **state)
{
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	look_again();
	for (int i = 0; i < 4; i++) {
		answer_refresh(HAUL_UNAVAILABLE, false);
		expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	}
	NODE_AWAIT(rig, counted(OPENING_COUNTER_UNREACHABLE) == 4);
	assert_int_equal(TAILQ_FIRST(&rig->node.openings)->absences, 0);
	/* An absence before the record is there again is forgotten. */
	answer_refresh(HAUL_NOT_FOUND, false);
	answer_refresh(HAUL_OK, true);
	look_again();
	answer_refresh(HAUL_NOT_FOUND, false);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	NODE_AWAIT(rig, counted(OPENING_COUNTER_ABSENT) == 2);
	assert_int_equal(counted(OPENING_COUNTER_PURGED), 0);
}

/* Each failure makes the pause longer; a version that was not told before makes it short again. */
static void opening_refresh__backs_off_until_there_is_news(void **state)
{
	struct opening *opening;
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	opening = TAILQ_FIRST(&rig->node.openings);
	look_again();
	for (uint32_t i = 1; i <= 5; i++) {
		answer_refresh(HAUL_UNAVAILABLE, false);
		NODE_AWAIT(rig, opening->pace.failures == i);
		assert_in_range(opening->pace.next_us - opening->pace.begun_us,
				(PACE_MIN_US << i) * 3 / 4, (PACE_MIN_US << i) * 5 / 4);
		assert_true(event_pending(opening->timer, EV_TIMEOUT, NULL) != 0);
	}
	tell_version(++descriptor->metadata_version, descriptor->incarnation);
	NODE_AWAIT(rig, opening->pace.failures == 0);
	assert_int_equal(opening->pace.next_us - opening->pace.begun_us, PACE_MIN_US);
	answer_refresh(HAUL_UNAVAILABLE, false);
	NODE_AWAIT(rig, opening->pace.failures == 1);
	/* The same version again, as each reconcile tells it, is no news. */
	tell_version(descriptor->metadata_version, descriptor->incarnation);
	answer_refresh(HAUL_OK, true);
	NODE_AWAIT(rig, counted(OPENING_COUNTER_REFRESHED) == 1);
	assert_true(counted(OPENING_COUNTER_COALESCED) >= 1);
}

/* The row "peer's port changes": one refresh for all that is open of the peer, which brings where it is now. */
static void refresh_seek_peer__asks_once_and_takes_the_new_address(void **state)
{
	struct haul_address *address;
	struct peer *peer;
	uint32_t reader;
	uint32_t both;

	(void)state;
	assert_int_equal(open_target(BOTH, &both), HAUL_OK);
	assert_int_equal(open_target(HAUL_RIGHT_READ, &reader), HAUL_OK);
	peer = &rig->node.engine.peers
			.peers[atomic_load(
				       &rig->node.engine.remotes
						.remotes[TAILQ_FIRST(&rig->node.openings)->remote]
						.view)
				       ->peer];
	for (int i = 0; i < 20; i++)
		refresh_seek_peer(&rig->node, (uint32_t)(peer - rig->node.engine.peers.peers));
	assert_int_equal(counted(OPENING_COUNTER_SEEKS), 1);
	assert_int_equal(counted(OPENING_COUNTER_SEEKS_SPARED), 19);
	assert_int_equal(counted(OPENING_COUNTER_REFRESHES), 1);
	address = (struct haul_address *)(uintptr_t)descriptor_addresses(descriptor);
	assert_true(descriptor->address_count > 0);
	address->port = 4711;
	answer_refresh(HAUL_OK, true); /* of the same version */
	NODE_AWAIT(rig, counted(OPENING_COUNTER_MOVES) == 1);
	assert_int_equal(peer->addresses[0].port, 4711);
	assert_int_equal(counted(OPENING_COUNTER_UNCHANGED), 1);
	expect_transfer(HAUL_OP_WRITE, both, HAUL_OK, HAUL_REASON_NONE);
	node_rig_rest(rig, 2 * PACE_MIN_US);
	assert_int_equal(counted(OPENING_COUNTER_REFRESHES), 1);
}

/* Rails of what is gone are forgotten though somebody has not closed his handle. */
static void opening_retire__lets_go_of_its_peer(void **state)
{
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	tell_version(0, descriptor->incarnation);
	for (uint32_t i = 0; i < ENGINE_PEERS_MAX; i++)
		NODE_AWAIT(rig, rig->node.engine.peers.peers[i].references +
						rig->node.engine.peers.peers[i].forgetting ==
					0);
	for (uint32_t i = 0; i < ENGINE_ENDPOINTS_MAX; i++)
		assert_int_equal(rig->node.engine.workers[0]->endpoints[i].state, ENDPOINT_IDLE);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	assert_int_equal(counted(OPENING_COUNTER_ERASED), 1);
	assert_int_equal(close_handle(handle), HAUL_OK);
	NODE_AWAIT(rig, is_bare());
}

/* The target refuses by its own table; with the flag the operation goes by the descriptor that this has fetched. */
static void opening_refresh__lets_a_stale_operation_begin_again(void **state)
{
	struct haul_descriptor_buffer *buffer =
		(struct haul_descriptor_buffer *)(uintptr_t)descriptor_buffers(descriptor);
	struct haul_entry entry = { .opcode = HAUL_OP_WRITE,
				    .flags = HAUL_ENTRY_RETRY_STALE,
				    .length = 4096,
				    .local_region = haul_u48_make(source_region) };
	struct haul_completion completion;

	(void)state;
	buffer->region += 1u << 24;
	assert_int_equal(open_target(BOTH, &entry.remote_segment), HAUL_OK);
	client_submit(&client, &entry);
	buffer->region -= 1u << 24;
	descriptor->metadata_version++;
	answer_refresh(HAUL_OK, true);
	completion = client_reap(rig, &client);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.bytes, 4096);
	assert_memory_equal(target, source, 4096);
	assert_int_equal(counted(OPENING_COUNTER_REFRESHED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, opening_setup, opening_teardown)
		CASE(opening_refresh__of_another_segment_of_the_name_retires),
		CASE(opening_refresh__two_absences_retire),
		CASE(opening_refresh__when_refused_retires),
		CASE(opening_refresh__takes_a_right_from_who_had_it),
		CASE(opening_refresh__after_a_target_said_stale),
		CASE(opening_refresh__keeps_a_good_view_over_a_bad_one),
		CASE(opening_refresh__unreachable_is_no_absence),
		CASE(opening_refresh__backs_off_until_there_is_news),
		CASE(refresh_seek_peer__asks_once_and_takes_the_new_address),
		CASE(opening_retire__lets_go_of_its_peer),
		CASE(opening_refresh__lets_a_stale_operation_begin_again),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
