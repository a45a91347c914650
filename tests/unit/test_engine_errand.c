/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: each errand is handed to the control thread once and completes once, when and as that says; too many wait in
 * their ring; a channel is not given back before its errands are finished; cancellations leave them alone.
 * Method: one worker; the test is the control thread.
 */
#include "base/check.h"
#include "engine/errand.h"
#include "engine_rig.h"
#include "unit.h"

static const struct haul_entry removal = { .opcode = HAUL_OP_BUFFER_REMOVE, .user_data = 5 };

static void submit(struct rig_fixture *fixture, uint64_t user_data)
{
	struct haul_entry entry = removal;

	entry.user_data = user_data;
	entry.local_region = haul_u48_make(user_data + 100);
	rig_submit(fixture->channel, &entry);
}

static struct errand *expect_errand(struct rig_fixture *fixture)
{
	struct worker_request request = rig_expect_request(fixture->rig, WORKER_ERRAND);

	assert_ptr_equal(request.channel, fixture->channel);
	assert_in_range(request.index, 0, ENGINE_ERRANDS_MAX - 1);
	return &fixture->channel->errands.errands[request.index];
}

static void errand_check__refuses_what_says_nothing(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry entry;

	for (unsigned int field = 0; field < 10; field++) {
		static const uint8_t flags[] = { HAUL_ENTRY_NOTIFY, HAUL_ENTRY_RETRY_STALE };

		entry = removal;
		if (field < 2)
			entry.flags = flags[field];
		entry.reserved = field == 2;
		entry.length = field == 3;
		entry.timeout_ms = field == 4;
		entry.tag = field == 5;
		entry.remote_segment = field == 6;
		entry.remote_region = haul_u48_make(field == 7);
		entry.local_offset = haul_u48_make(field == 8);
		entry.value = field == 9;
		assert_int_equal(errand_check(&entry), HAUL_REASON_FLAGS);
		rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_FLAGS);
	}
	entry = removal;
	entry.flags = HAUL_ENTRY_BATCH_LAST;
	rig_refused(fixture, &entry, HAUL_INVALID, HAUL_REASON_BATCH);
	/* A handle is no sum. */
	entry = (struct haul_entry){ .opcode = HAUL_OP_EXTENT_PUBLISH, .batch = 1 };
	assert_int_equal(errand_check(&entry), HAUL_REASON_BATCH);
	entry = (struct haul_entry){ .opcode = HAUL_OP_EXTENT_PUBLISH, .value = 7 };
	entry.local_offset = haul_u48_make(9);
	assert_int_equal(errand_check(&entry), HAUL_REASON_NONE);
}

static void errand_finish__completes_it_once(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_completion completion;
	struct errand *errand;

	submit(fixture, 5);
	rig_round(fixture->rig, 1);
	errand = expect_errand(fixture);
	assert_int_equal(errand->opcode, HAUL_OP_BUFFER_REMOVE);
	assert_int_equal(errand->region, 105);
	rig_round(fixture->rig, 1);
	rig_reap_none(fixture);
	errand_finish(fixture->channel, errand, HAUL_UNAVAILABLE, HAUL_REASON_NOT_PUBLISHED, 17);
	rig_round(fixture->rig, 1);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 5);
	assert_int_equal(completion.status, HAUL_UNAVAILABLE);
	assert_int_equal(completion.reason, HAUL_REASON_NOT_PUBLISHED);
	assert_int_equal(completion.bytes, 17);
	rig_round(fixture->rig, 1);
	rig_reap_none(fixture);
	assert_int_equal(fixture->channel->reserved, 0);
	assert_int_equal(fixture->channel->errands.open, 0);
}

/* In the order in which they end; a cancellation neither finds nor awaits them. */
static void errand_finish__in_any_order(void **state)
{
	struct rig_fixture *fixture = *state;
	struct haul_entry cancel = { .opcode = HAUL_OP_CANCEL,
				     .user_data = 9,
				     .tag = HAUL_MATCH_ALL };
	struct errand *errands[3];

	for (uint32_t i = 0; i < 3; i++)
		submit(fixture, i);
	rig_submit(fixture->channel, &cancel);
	rig_round(fixture->rig, 1);
	assert_int_equal(rig_reap_one(fixture).status, HAUL_NOT_FOUND);
	for (uint32_t i = 0; i < 3; i++)
		errands[i] = expect_errand(fixture);
	for (uint32_t i = 3; i-- > 0;) {
		errand_finish(fixture->channel, errands[i], HAUL_OK, HAUL_REASON_NONE, 0);
		rig_round(fixture->rig, 1);
		assert_int_equal(rig_reap_one(fixture).user_data, i);
	}
}

/* A client that hands in more than may be under way, and reads nothing, takes nothing from others. */
static void errand_start__too_many_wait_in_the_ring(void **state)
{
	struct rig_fixture *fixture = *state;
	uint32_t asked = 0;
	uint32_t done = 0;
	struct worker_request request;
	struct haul_completion completion;

	for (uint32_t submitted = 0; done < 2 * ENGINE_ERRANDS_MAX;) {
		if (submitted < 2 * ENGINE_ERRANDS_MAX && submitted - done < 8)
			submit(fixture, submitted++);
		rig_round(fixture->rig, 1);
		while (rig_request(fixture->rig, &request)) {
			assert_int_equal(request.kind, WORKER_ERRAND);
			asked++;
			errand_finish(request.channel,
				      &request.channel->errands.errands[request.index], HAUL_OK,
				      HAUL_REASON_NONE, 0);
		}
		while (rig_reap(fixture->channel, &completion))
			assert_int_equal(completion.user_data, done++);
	}
	assert_int_equal(asked, 2 * ENGINE_ERRANDS_MAX);
	/* None is free: the entry stays. */
	fixture->channel->errands.open = ENGINE_ERRANDS_MAX;
	assert_false(errand_start(fixture->channel, &removal));
	fixture->channel->errands.open = 0;
}

static void channel_is_idle__when_errands_are_finished(void **state)
{
	struct rig_fixture *fixture = *state;
	struct errand *errand;

	submit(fixture, 1);
	rig_round(fixture->rig, 1);
	errand = expect_errand(fixture);
	channel_close(fixture->channel, HAUL_DISCONNECTED, "the test ends it");
	assert_false(channel_is_idle(fixture->channel));
	errand_finish(fixture->channel, errand, HAUL_CANCELLED, HAUL_REASON_CLIENT_GONE, 0);
	rig_round(fixture->rig, 1);
	assert_true(channel_is_idle(fixture->channel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_fixture_make, rig_fixture_free)
		CASE(errand_check__refuses_what_says_nothing),
		CASE(errand_finish__completes_it_once),
		CASE(errand_finish__in_any_order),
		CASE(errand_start__too_many_wait_in_the_ring),
		CASE(channel_is_idle__when_errands_are_finished),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
