/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: whatever a client writes into its rings costs it a completion with an error, or the channel, and nothing
 * else; every accepted entry completes once; batches add up; the client is woken only when it asked for it.
 * Method: the test is the client and writes the shared memory itself. NOPs exercise the rings without a transport.
 */
#include "api/haul_attach.h"
#include "base/ring.h"
#include "engine/channel.h"
#include "engine_rig.h"
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

static struct haul_entry nop(uint64_t user_data, uint32_t batch, uint8_t flags)
{
	struct haul_entry entry = {
		.opcode = HAUL_OP_NOP, .flags = flags, .batch = batch, .user_data = user_data
	};

	return entry;
}

static void submit_nop(struct channel *channel, uint64_t user_data, uint32_t batch, uint8_t flags)
{
	struct haul_entry entry = nop(user_data, batch, flags);

	rig_submit(channel, &entry);
}

/* The channel was closed as broken: the reason stands in its header, and the control thread hears of it. */
static void expect_broken(struct rig *rig, struct channel *channel, const char *word)
{
	struct worker_request request;

	assert_true(channel->is_closing);
	assert_int_equal(channel->header->state, HAUL_CHANNEL_CLOSED);
	assert_int_equal(channel->header->error, HAUL_INVALID);
	assert_non_null(strstr((const char *)channel->header->reason, word));
	request = rig_expect_request(rig, WORKER_CHANNEL_BAD);
	assert_ptr_equal(request.channel, channel);
	assert_non_null(strstr(request.reason, word));
	assert_int_equal(rig->counters[WORKER_CHANNELS_BROKEN], 1);
}

static void channel_resolve__checks_slot_generation_and_right(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	uint32_t handle = rig_open_handle(channel, 3, 9, HAUL_RIGHT_READ);
	uint32_t remote = 0;

	(void)state;
	assert_int_equal(channel_resolve(channel, handle, HAUL_RIGHT_READ, &remote), HAUL_OK);
	assert_int_equal(remote, 9);
	assert_int_equal(channel_resolve(channel, handle, HAUL_RIGHT_WRITE, &remote), HAUL_DENIED);
	assert_int_equal(channel_resolve(channel, 0, HAUL_RIGHT_READ, &remote), HAUL_NOT_FOUND);
	assert_int_equal(channel_resolve(channel, handle + (1u << 16), HAUL_RIGHT_READ, &remote),
			 HAUL_NOT_FOUND);
	assert_int_equal(channel_resolve(channel, handle + 1, HAUL_RIGHT_READ, &remote),
			 HAUL_NOT_FOUND);
	assert_int_equal(channel_resolve(channel, UINT32_MAX, HAUL_RIGHT_READ, &remote),
			 HAUL_NOT_FOUND);
	assert_int_equal(channel_resolve(channel, ENGINE_HANDLES_MAX + 1, HAUL_RIGHT_READ, &remote),
			 HAUL_NOT_FOUND);
	rig_destroy_ready(rig, channel);
}

static void channel_poll__completes_in_order_over_many_turns(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;

	(void)state;
	/* Indexes run over 32 bits: begin right before they wrap. */
	channel->submission_head = UINT32_MAX - 100;
	channel->completion_tail = UINT32_MAX - 50;
	channel->header->submission_head.value = channel->submission_head;
	channel->header->submission_tail.value = channel->submission_head;
	channel->header->completion_head.value = channel->completion_tail;
	channel->header->completion_tail.value = channel->completion_tail;
	for (uint64_t i = 0; i < 1000; i++) {
		submit_nop(channel, i, 0, 0);
		if (i % 7 != 0)
			continue;
		while (rig_round(rig, 1) > 0)
			;
		while (rig_reap(channel, &completion)) {
			assert_int_equal(completion.status, HAUL_OK);
			assert_int_equal(completion.attempts, 0);
			assert_int_equal(completion.transport, HAUL_TRANSPORT_NONE);
		}
	}
	assert_int_equal(completion.user_data, 994);
	assert_false(channel->is_closing);
	rig_destroy_ready(rig, channel);
}

static void channel_poll__takes_no_more_than_its_budget(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);

	(void)state;
	for (uint32_t i = 0; i < ENGINE_CHANNEL_BUDGET + 5; i++)
		submit_nop(channel, i, 0, 0);
	rig_round(rig, 1);
	assert_int_equal(channel->header->submission_head.value, ENGINE_CHANNEL_BUDGET);
	rig_round(rig, 1);
	assert_int_equal(channel->header->submission_head.value, ENGINE_CHANNEL_BUDGET + 5);
	assert_int_equal(channel->accepted, ENGINE_CHANNEL_BUDGET + 5);
	assert_int_equal(channel->completed, ENGINE_CHANNEL_BUDGET + 5);
	rig_destroy_ready(rig, channel);
}

static void channel_poll__closes_on_a_tail_too_far_ahead(void **state)
{
	static const uint32_t tails[] = { 65, 1u << 31, UINT32_MAX, UINT32_MAX - 63 };

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct channel *channel;
		struct rig *rig = rig_create_ready(&channel);

		channel->header->submission_tail.value = tails[i];
		rig_round(rig, 1);
		expect_broken(rig, channel, "submission_tail");
		assert_int_equal(channel->accepted, 0);
		rig_round(rig, 1);
		rig_destroy_ready(rig, channel);
	}
}

static void channel_poll__closes_on_a_tail_that_moves_back(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);

	(void)state;
	submit_nop(channel, 1, 0, 0);
	submit_nop(channel, 2, 0, 0);
	rig_round(rig, 1);
	channel->header->submission_tail.value = 1;
	rig_round(rig, 1);
	expect_broken(rig, channel, "submission_tail");
	rig_destroy_ready(rig, channel);
}

static void channel_poll__closes_on_completions_never_written(void **state)
{
	static const uint32_t heads[] = { 1, 1u << 31, UINT32_MAX - 128 };

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct channel *channel;
		struct rig *rig = rig_create_ready(&channel);

		submit_nop(channel, 1, 0, 0);
		channel->header->completion_head.value = heads[i];
		rig_round(rig, 1);
		expect_broken(rig, channel, "completion_head");
		rig_destroy_ready(rig, channel);
	}
}

/* What the daemon shows of its own is for the client to read: nothing that it does there is believed. */
static void channel_poll__ignores_what_a_client_does_to_the_daemons_fields(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;

	(void)state;
	channel->header->magic = 0;
	channel->header->entries = UINT32_MAX;
	channel->header->completions = 0;
	channel->header->state = 77;
	submit_nop(channel, 1, 0, 0);
	channel->header->submission_head.value = 12345;
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(channel->header->submission_head.value, 1);
	assert_false(channel->is_closing);
	rig_destroy_ready(rig, channel);
}

static void channel_poll__stops_when_completions_have_no_room(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;
	uint32_t taken = 0;

	(void)state;
	for (uint64_t i = 0; i < 200; i++) {
		if (channel->header->submission_tail.value -
			    channel->header->submission_head.value <
		    64)
			submit_nop(channel, i, 0, 0);
		rig_round(rig, 1);
	}
	/* 128 completions fit; the rest stays in the submission ring. */
	assert_in_range(channel->accepted, 126, 128);
	assert_int_equal(channel->completed, channel->accepted);
	while (rig_reap(channel, &completion))
		assert_int_equal(completion.user_data, taken++);
	assert_int_equal(taken, channel->accepted);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.user_data, taken);
	rig_destroy_ready(rig, channel);
}

/* A client that changes an entry while it is read gets what was copied checked, never a mix. */
static void channel_take__uses_its_copy(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_entry entry = rig_write(rig, 1, 4096);
	struct haul_completion completion;

	(void)state;
	rig->udp.accept = 0;
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	memset(channel->entries, 0xff, channel->entries_count * sizeof(entry));
	rig->udp.accept = UINT32_MAX;
	rig_round(rig, 1);
	assert_int_equal(rig->udp.last->length, 4096);
	assert_int_equal(rig->udp.last->local_region, rig->region);
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.user_data, 1);
	assert_int_equal(completion.status, HAUL_OK);
	rig_destroy_ready(rig, channel);
}

static void channel_batch__completes_once_with_the_aggregate(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;
	struct haul_entry entry;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		entry = rig_write(rig, 10 + i, 1000 + i);
		entry.batch = 7;
		entry.flags = i == 2 ? HAUL_ENTRY_BATCH_LAST : 0;
		rig_submit(channel, &entry);
	}
	rig_round(rig, 5);
	assert_int_equal(rig->udp.held_count, 3);
	rig_finish(&rig->udp, rig->udp.held[2], HAUL_OK, 0);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_OK, 0);
	assert_false(rig_reap(channel, &completion));
	rig_round(rig, 5);
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.batch, 7);
	assert_int_equal(completion.user_data, 12);
	assert_int_equal(completion.bytes, 3003);
	assert_int_equal(completion.members, 3);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.transport, HAUL_TRANSPORT_UDP);
	assert_int_equal(completion.attempts, 1);
	assert_int_equal(completion.time_us, 5);
	assert_false(rig_reap(channel, &completion));
	assert_int_equal(channel->reserved, 0);
	rig_destroy_ready(rig, channel);
}

static void channel_batch__has_the_worst_status_and_its_reason(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;
	struct haul_entry entry = rig_write(rig, 1, 100);

	(void)state;
	entry.batch = 1;
	rig_submit(channel, &entry);
	rig_submit(channel, &entry);
	submit_nop(channel, 3, 1, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	rig_finish(&rig->udp, rig->udp.held[0], HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	assert_false(rig_reap(channel, &completion));
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.status, HAUL_STALE);
	assert_int_equal(completion.reason, HAUL_REASON_REGION_GENERATION);
	assert_int_equal(completion.bytes, 100);
	assert_int_equal(completion.members, 3);
	rig_destroy_ready(rig, channel);
}

/* A NOP among the members went over no transport: that must not hide over which the others went. */
static void channel_batch__says_which_transport_whatever_ended_last(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;
	struct haul_entry entry = rig_write(rig, 1, 100);

	(void)state;
	entry.batch = 1;
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	rig_drain(&rig->udp, HAUL_OK);
	submit_nop(channel, 2, 1, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.transport, HAUL_TRANSPORT_UDP);
	rig_destroy_ready(rig, channel);
}

static void channel_batch__members_can_be_asked_for(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;

	(void)state;
	submit_nop(channel, 1, 255, HAUL_ENTRY_BATCH_MEMBER);
	submit_nop(channel, 2, 255, 0);
	submit_nop(channel, 3, 255, HAUL_ENTRY_BATCH_MEMBER | HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.user_data, 1);
	assert_int_equal(completion.batch, 0);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.user_data, 3);
	assert_int_equal(completion.batch, 0);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.batch, 255);
	assert_int_equal(completion.members, 3);
	assert_false(rig_reap(channel, &completion));
	rig_destroy_ready(rig, channel);
}

static void channel_batch__refuses_members_after_the_last(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct haul_completion completion;

	(void)state;
	entry.batch = 9;
	entry.flags = HAUL_ENTRY_BATCH_LAST;
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	submit_nop(channel, 2, 9, 0);
	submit_nop(channel, 3, 9, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	for (uint64_t i = 2; i <= 3; i++) {
		assert_true(rig_reap(channel, &completion));
		assert_int_equal(completion.user_data, i);
		assert_int_equal(completion.status, HAUL_INVALID);
		assert_int_equal(completion.reason, HAUL_REASON_BATCH);
		assert_int_equal(completion.batch, 0);
	}
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.members, 1);
	assert_int_equal(completion.status, HAUL_OK);
	/* Its id is free again. */
	submit_nop(channel, 4, 9, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.batch, 9);
	assert_int_equal(completion.user_data, 4);
	rig_destroy_ready(rig, channel);
}

/* As many batches are open as may be, and every other completion waits to be seen: what closes them is still taken. */
static void channel_batch__can_be_closed_when_rings_are_tight(void **state)
{
	struct rig *rig = rig_create();
	struct channel *channel = rig_add_channel(rig, 1, 8);
	const uint32_t most = channel->completions_count - HAUL_COMPLETIONS_KEPT;
	struct haul_completion completion;

	(void)state;
	for (uint32_t id = 1; id <= most; id++) {
		submit_nop(channel, id, id, 0);
		rig_round(rig, 1);
	}
	for (uint32_t i = 0; i < HAUL_COMPLETIONS_KEPT; i++)
		submit_nop(channel, 100 + i, 0, 0);
	for (uint32_t id = 1; id <= most; id++) {
		submit_nop(channel, id, id, HAUL_ENTRY_BATCH_LAST);
		rig_round(rig, 1);
		assert_int_equal(channel->header->submission_head.value,
				 channel->header->submission_tail.value);
	}
	for (uint32_t i = 0; i < HAUL_COMPLETIONS_KEPT; i++)
		assert_true(rig_reap(channel, &completion));
	for (uint32_t id = 1; id <= most; id++) {
		assert_true(rig_reap(channel, &completion));
		assert_int_equal(completion.batch, id);
	}
	assert_int_equal(channel->reserved, 0);
	assert_int_equal(channel->batches_unclosed, 0);
	rig_destroy_ready(rig, channel);
}

static void channel_batch__one_too_many_is_refused(void **state)
{
	struct rig *rig = rig_create();
	struct channel *channel = rig_add_channel(rig, 1, 2);
	struct haul_completion completion;

	(void)state;
	submit_nop(channel, 1, 1, 0);
	submit_nop(channel, 2, 2, 0);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.user_data, 2);
	assert_int_equal(completion.status, HAUL_BUSY);
	assert_int_equal(completion.reason, HAUL_REASON_BATCHES);
	assert_int_equal(completion.batch, 0);
	/* One that is closed at once keeps nothing, and when the first is closed there is room again. */
	submit_nop(channel, 3, 2, HAUL_ENTRY_BATCH_LAST);
	submit_nop(channel, 4, 1, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.batch, 2);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.batch, 1);
	submit_nop(channel, 5, 2, 0);
	submit_nop(channel, 6, 2, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.members, 2);
	assert_int_equal(channel->reserved, 0);
	rig_destroy_ready(rig, channel);
}

/* A batch brings one completion, so it needs the room of one, however many of its members are open. */
static void channel_batch__promises_one_completion(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_entry entry = rig_write(rig, 1, 100);
	struct haul_completion completion;

	(void)state;
	entry.batch = 1;
	for (uint32_t i = 0; i < 300; i++) {
		entry.flags = i == 299 ? HAUL_ENTRY_BATCH_LAST : 0;
		rig_submit(channel, &entry);
		rig_round(rig, 1);
	}
	assert_int_equal(rig->udp.held_count, 300);
	assert_int_equal(channel->reserved, 1);
	submit_nop(channel, 2, 0, 0);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.user_data, 2);
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.members, 300);
	rig_destroy_ready(rig, channel);
}

static void channel_batch__too_many_members_are_refused_but_the_last(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_completion completion;

	(void)state;
	submit_nop(channel, 0, 1, 0);
	rig_round(rig, 1);
	channel->batches[1].members = UINT16_MAX - 1; /* as if so many had been taken */
	submit_nop(channel, 1, 1, 0);
	submit_nop(channel, 2, 1, HAUL_ENTRY_BATCH_LAST);
	rig_round(rig, 1);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.reason, HAUL_REASON_BATCH);
	assert_true(rig_reap(channel, &completion));
	assert_int_equal(completion.batch, 1);
	assert_int_equal(completion.members, UINT16_MAX);
	rig_destroy_ready(rig, channel);
}

static void channel_wake__writes_only_for_a_sleeper(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	char byte;

	(void)state;
	submit_nop(channel, 1, 0, 0);
	rig_round(rig, 1);
	assert_int_equal(recv(rig->wake_fd, &byte, 1, MSG_DONTWAIT), -1);
	channel->header->client_sleeps.value = 1;
	rig_round(rig, 1); /* nothing new: no wake-up */
	assert_int_equal(recv(rig->wake_fd, &byte, 1, MSG_DONTWAIT), -1);
	submit_nop(channel, 2, 0, 0);
	submit_nop(channel, 3, 0, 0);
	rig_round(rig, 1);
	assert_int_equal(recv(rig->wake_fd, &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(recv(rig->wake_fd, &byte, 1, MSG_DONTWAIT), -1); /* once a round */
	assert_int_equal(rig->counters[WORKER_WAKEUPS], 1);
	rig_destroy_ready(rig, channel);
}

/* The client makes its end block and never reads: the worker goes on, and the client has been woken. */
static void channel_wake__never_waits(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	char byte;

	(void)state;
	channel->header->client_sleeps.value = 1;
	for (uint64_t i = 0; i < 5000; i++) {
		struct haul_completion completion;

		submit_nop(channel, i, 0, 0);
		rig_round(rig, 1);
		assert_true(rig_reap(channel, &completion));
	}
	assert_int_equal(rig->counters[WORKER_WAKEUPS], 5000);
	assert_int_equal(recv(rig->wake_fd, &byte, 1, MSG_DONTWAIT), 1);
	/* Nor does it mind a client that has gone, or that reads no more. */
	close(rig->wake_fd);
	rig->wake_fd = -1;
	submit_nop(channel, 1, 0, 0);
	rig_round(rig, 1);
	rig_destroy_ready(rig, channel);
}

static void channel_close__cancels_what_is_open_and_tells_nobody_more(void **state)
{
	struct channel *channel;
	struct rig *rig = rig_create_ready(&channel);
	struct haul_entry entry = rig_write(rig, 1, 3 << 20);
	struct worker_request request;
	char byte;

	(void)state;
	rig->udp.is_cancel_slow = true;
	entry.batch = 3; /* a batch that is never closed */
	rig_submit(channel, &entry);
	rig_submit(channel, &entry);
	rig_round(rig, 1);
	assert_int_equal(rig->udp.held_count, 6);
	channel_close(channel, HAUL_FAULT, "the memory is gone");
	assert_int_equal(rig->udp.cancelled, 6);
	assert_false(channel_is_idle(channel));
	assert_int_equal(channel->header->state, HAUL_CHANNEL_CLOSED);
	assert_string_equal((const char *)channel->header->reason, "the memory is gone");
	assert_int_equal(recv(rig->wake_fd, &byte, 1, MSG_DONTWAIT), 1);
	assert_false(rig_request(rig, &request));
	submit_nop(channel, 9, 0, 0);
	rig_round(rig, 1);
	assert_int_equal(channel->accepted, 2);
	rig_drain(&rig->udp, HAUL_OK);
	assert_true(channel_is_idle(channel));
	assert_int_equal(channel->completed, 2);
	assert_int_equal(channel->header->completion_tail.value, 0);
	channel_close(channel, HAUL_INVALID, "again");
	assert_string_equal((const char *)channel->header->reason, "the memory is gone");
	rig_destroy_ready(rig, channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_resolve__checks_slot_generation_and_right),
		cmocka_unit_test(channel_poll__completes_in_order_over_many_turns),
		cmocka_unit_test(channel_poll__takes_no_more_than_its_budget),
		cmocka_unit_test(channel_poll__closes_on_a_tail_too_far_ahead),
		cmocka_unit_test(channel_poll__closes_on_a_tail_that_moves_back),
		cmocka_unit_test(channel_poll__closes_on_completions_never_written),
		cmocka_unit_test(channel_poll__ignores_what_a_client_does_to_the_daemons_fields),
		cmocka_unit_test(channel_poll__stops_when_completions_have_no_room),
		cmocka_unit_test(channel_take__uses_its_copy),
		cmocka_unit_test(channel_batch__completes_once_with_the_aggregate),
		cmocka_unit_test(channel_batch__has_the_worst_status_and_its_reason),
		cmocka_unit_test(channel_batch__says_which_transport_whatever_ended_last),
		cmocka_unit_test(channel_batch__members_can_be_asked_for),
		cmocka_unit_test(channel_batch__refuses_members_after_the_last),
		cmocka_unit_test(channel_batch__can_be_closed_when_rings_are_tight),
		cmocka_unit_test(channel_batch__one_too_many_is_refused),
		cmocka_unit_test(channel_batch__promises_one_completion),
		cmocka_unit_test(channel_batch__too_many_members_are_refused_but_the_last),
		cmocka_unit_test(channel_wake__writes_only_for_a_sleeper),
		cmocka_unit_test(channel_wake__never_waits),
		cmocka_unit_test(channel_close__cancels_what_is_open_and_tells_nobody_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
