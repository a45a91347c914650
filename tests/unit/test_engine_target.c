/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: nothing is posted by a view that has been overtaken; an operation goes to one place, whole; one that was refused
 * as stale begins again once, if its entry asks for it, when nothing of its first try can land and a newer view names
 * another region; everything else of it ends with STALE, once.
 * Method: a worker with a fake transport; the test plays the control thread, which stores versions and swaps views.
 */
#include "api/haul_attach.h"
#include "engine/operation.h"
#include "engine_rig.h"
#include "unit.h"

#define NEW_REGION 99u

struct fixture {
	struct rig *rig;
	struct channel *channel;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->rig = rig_create_ready(&fixture->channel);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	rig_destroy_ready(fixture->rig, fixture->channel);
	free(fixture);
	return 0;
}

static struct remote *remote_of(const struct fixture *fixture)
{
	return &fixture->rig->engine.remotes.remotes[RIG_REMOTE];
}

static void expect(struct fixture *fixture, enum haul_error status, enum haul_reason reason)
{
	struct haul_completion completion = { 0 };
	struct haul_completion more;

	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, reason);
	assert_false(rig_reap(fixture->channel, &more));
}

static void expect_nothing(struct fixture *fixture)
{
	struct haul_completion completion;

	assert_false(rig_reap(fixture->channel, &completion));
}

/* A WRITE of so many bytes; as many slices as `accept` are taken. */
static void start(struct fixture *fixture, uint8_t flags, uint32_t length, uint32_t accept)
{
	struct haul_entry entry = rig_write(fixture->rig, 1, length);

	entry.flags = flags;
	fixture->rig->udp.accept = accept;
	rig_submit(fixture->channel, &entry);
	rig_round(fixture->rig, 1);
	fixture->rig->udp.accept = UINT32_MAX;
}

/* Long enough for what is parked to look. */
static void pass(struct fixture *fixture)
{
	rig_round(fixture->rig, ENGINE_PARKED_INTERVAL_US);
	rig_round(fixture->rig, ENGINE_PARKED_INTERVAL_US);
}

static bool was_asked(struct fixture *fixture)
{
	struct worker_request request;
	bool was = false;

	while (rig_request(fixture->rig, &request))
		was = was || request.kind == WORKER_REMOTE_STALE;
	return was;
}

/* A refresh begins, or ends with nothing new, as the control thread notes it. */
static void ask(struct fixture *fixture)
{
	atomic_fetch_add(&remote_of(fixture)->asked, 1);
}

static void answer(struct fixture *fixture)
{
	atomic_store(&remote_of(fixture)->answered, atomic_load(&remote_of(fixture)->asked));
}

static void refuse(struct fixture *fixture, uint64_t version)
{
	struct slice *slice = fixture->rig->udp.held[0];

	slice->version = version;
	rig_finish(&fixture->rig->udp, slice, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
}

static void set_view(struct fixture *fixture, uint64_t version, uint64_t region)
{
	rig_set_view(fixture->rig, RIG_REMOTE, version, region, RIG_BYTES);
}

static void operation_drive__resolves_queued_work_anew(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 0, 100, 0);
	set_view(fixture, 2, NEW_REGION);
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.posted, 1);
	assert_int_equal(fixture->rig->udp.last->remote_region, NEW_REGION);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

/* From the store of the version on, before the newer view is there. */
static void operation_drive__posts_nothing_by_a_stale_view(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 0, 3u << 20, 1);
	assert_int_equal(fixture->rig->udp.posted, 1);
	atomic_store(&remote_of(fixture)->version_seen, 2);
	pass(fixture);
	assert_int_equal(fixture->rig->udp.posted, 1);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	pass(fixture);
	assert_int_equal(fixture->rig->udp.posted, 1);
	expect_nothing(fixture);
	set_view(fixture, 2, 77); /* another buffer has changed, not this one */
	pass(fixture);
	assert_int_equal(fixture->rig->udp.posted, 3);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

/* What came back unplaced has not begun: all of it goes to the new place, from the first byte. */
static void operation_drive__begins_anew_what_came_back(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 0, 2u << 20, 1);
	fixture->rig->udp.accept = 0;
	rig_finish(&fixture->rig->udp, fixture->rig->udp.held[0], HAUL_NO_PATH, 0);
	set_view(fixture, 2, NEW_REGION);
	fixture->rig->udp.accept = UINT32_MAX;
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.held_count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(fixture->rig->udp.held[i]->remote_region, NEW_REGION);
		assert_int_equal(fixture->rig->udp.held[i]->remote_offset, i << 20);
	}
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

/* One operation never goes to two places. */
static void operation_drive__ends_what_has_begun_elsewhere(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 0, 2u << 20, 1);
	set_view(fixture, 2, NEW_REGION);
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->rig->udp.posted, 1);
	assert_int_equal(fixture->rig->udp.cancelled, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_BUFFER_GONE);
}

/* The same when it waited for the newer view while its slices were out. */
static void operation_unpark__ends_what_has_begun_elsewhere(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 0, 2u << 20, 1);
	atomic_store(&remote_of(fixture)->version_seen, 2);
	pass(fixture);
	set_view(fixture, 2, NEW_REGION);
	pass(fixture);
	assert_int_equal(fixture->rig->udp.posted, 1);
	assert_int_equal(fixture->rig->udp.cancelled, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_BUFFER_GONE);
}

static void operation_drive__ends_queued_work_whose_buffer_goes(void **state)
{
	struct fixture *fixture = *state;
	struct remote_view *view;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 0);
	set_view(fixture, 2, 77);
	view = atomic_load(&remote_of(fixture)->view);
	view->buffers[0].state = HAUL_BUFFER_ACTIVE + 1; /* drains */
	rig_round(fixture->rig, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_BUFFER_GONE);
	start(fixture, 0, 100, 1); /* and refuses what is new */
	expect(fixture, HAUL_STALE, HAUL_REASON_BUFFER_GONE);
	set_view(fixture, 3, 77);
	start(fixture, 0, RIG_BYTES, 0);
	rig_set_view(fixture->rig, RIG_REMOTE, 4, 77, 100); /* it is smaller now */
	rig_round(fixture->rig, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_BUFFER_GONE);
	assert_int_equal(fixture->rig->udp.posted, 0);
}

static void operation_drive__begins_again_elsewhere_when_asked_to(void **state)
{
	struct fixture *fixture = *state;
	struct transport_worker *udp = &fixture->rig->udp;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 2u << 20, 1);
	udp->is_cancel_slow = true;
	set_view(fixture, 2, NEW_REGION);
	pass(fixture);
	assert_int_equal(udp->cancelled, 1);
	assert_int_equal(udp->posted, 1); /* the first try may still land */
	rig_drain(udp, HAUL_OK);          /* as that slice did */
	udp->is_cancel_slow = false;
	pass(fixture);
	assert_int_equal(udp->held_count, 2);
	assert_int_equal(udp->held[0]->remote_region, NEW_REGION);
	assert_int_equal(udp->held[0]->remote_offset, 0);
	rig_drain(udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
	assert_int_equal(fixture->rig->counters[WORKER_STALE_RETRIES], 1);
}

static void operation_refused__ends_without_the_flag(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 0, 100, 1);
	refuse(fixture, 2);
	assert_true(was_asked(fixture));
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	assert_int_equal(fixture->rig->counters[WORKER_STALE_RETRIES], 0);
}

/* The slices that are still out come back first, then the newer view comes, then all of it goes to the new region. */
static void operation_refused__begins_again_by_the_newer_view(void **state)
{
	struct fixture *fixture = *state;
	struct transport_worker *udp = &fixture->rig->udp;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 3u << 20, 3);
	udp->is_cancel_slow = true;
	refuse(fixture, 3);
	assert_true(was_asked(fixture));
	assert_int_equal(udp->cancelled, 2);
	set_view(fixture, 3, NEW_REGION);
	pass(fixture);
	assert_int_equal(udp->posted, 3);
	rig_finish(udp, udp->held[0], HAUL_OK, 0);
	rig_finish(udp, udp->held[0], HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	assert_false(was_asked(fixture));
	udp->is_cancel_slow = false;
	pass(fixture);
	assert_int_equal(udp->held_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(udp->held[i]->remote_region, NEW_REGION);
		assert_int_equal(udp->held[i]->remote_offset, i << 20);
	}
	expect_nothing(fixture);
	rig_drain(udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

/* A view that is newer than the one in use, and older than what the target told, is not the one to wait for. */
static void operation_refused__waits_for_the_version_that_was_told(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	ask(fixture); /* under way when the refusal comes */
	refuse(fixture, 3);
	set_view(fixture, 2, 77);
	answer(fixture);
	pass(fixture);
	expect_nothing(fixture);
	assert_int_equal(fixture->rig->udp.posted, 1);
	ask(fixture);
	set_view(fixture, 3, NEW_REGION);
	answer(fixture);
	pass(fixture);
	assert_int_equal(fixture->rig->udp.last->remote_region, NEW_REGION);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

static void operation_refused__asks_for_nothing_that_has_come(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	set_view(fixture, 2, NEW_REGION);
	refuse(fixture, 2);
	assert_false(was_asked(fixture));
	pass(fixture);
	assert_int_equal(fixture->rig->udp.last->remote_region, NEW_REGION);
	rig_drain(&fixture->rig->udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

static void operation_refused__twice_is_stale(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	refuse(fixture, 2);
	set_view(fixture, 2, NEW_REGION);
	pass(fixture);
	assert_int_equal(fixture->rig->udp.held_count, 1);
	refuse(fixture, 3);
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
	assert_int_equal(fixture->rig->counters[WORKER_STALE_RETRIES], 1);
}

/* The refresh that was asked for brings the same region, or a smaller segment, or nothing at all. */
static void operation_refused__ends_when_nothing_else_is_there(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	refuse(fixture, 0);
	pass(fixture);
	expect_nothing(fixture);
	ask(fixture);
	answer(fixture);
	pass(fixture);
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	refuse(fixture, 2);
	set_view(fixture, 2, 77);
	pass(fixture);
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	refuse(fixture, 3);
	rig_set_view(fixture->rig, RIG_REMOTE, 3, NEW_REGION, 99);
	pass(fixture);
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);

	rig_set_view(fixture->rig, RIG_REMOTE, 4, 77, RIG_BYTES);
	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	refuse(fixture, 5);
	remote_retire(&fixture->rig->engine.remotes, RIG_REMOTE);
	pass(fixture);
	expect(fixture, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
}

/* What a client named itself means that region and no other. */
static void operation_refused__never_renames_what_the_client_named(void **state)
{
	struct fixture *fixture = *state;
	struct haul_entry entry = rig_write(fixture->rig, 1, 100);

	entry.flags = HAUL_ENTRY_RETRY_STALE;
	entry.remote_region = haul_u48_make(77);
	rig_submit(fixture->channel, &entry);
	rig_round(fixture->rig, 1);
	refuse(fixture, 2);
	set_view(fixture, 2, NEW_REGION);
	pass(fixture);
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);
}

static void operation_refused__is_bounded_by_deadline_and_cancellation(void **state)
{
	struct fixture *fixture = *state;
	struct transport_worker *udp = &fixture->rig->udp;
	struct haul_entry cancel = { .opcode = HAUL_OP_CANCEL,
				     .tag = HAUL_MATCH_ALL,
				     .user_data = 9 };
	struct haul_completion completion;

	start(fixture, HAUL_ENTRY_RETRY_STALE, 100, 1);
	refuse(fixture, 2);
	fixture->rig->now_us += UINT64_C(2000000);
	rig_round(fixture->rig, 1);
	expect(fixture, HAUL_STALE, HAUL_REASON_REGION_GENERATION);

	/* While its slices are coming back. */
	start(fixture, HAUL_ENTRY_RETRY_STALE, 2u << 20, 2);
	udp->is_cancel_slow = true;
	refuse(fixture, 2);
	rig_submit(fixture->channel, &cancel);
	pass(fixture);
	expect_nothing(fixture);
	rig_drain(udp, HAUL_CANCELLED);
	udp->is_cancel_slow = false;
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 1);
	assert_int_equal(completion.status, HAUL_CANCELLED);
	assert_true(rig_reap(fixture->channel, &completion));
	assert_int_equal(completion.user_data, 9);
}

/* The bytes go again before the notification does, which has one number for both tries. */
static void operation_refused__notifies_once_behind_all_bytes(void **state)
{
	struct fixture *fixture = *state;
	struct transport_worker *udp = &fixture->rig->udp;
	uint64_t number;

	start(fixture, HAUL_ENTRY_RETRY_STALE | HAUL_ENTRY_NOTIFY, 100, 1);
	rig_drain(udp, HAUL_OK);
	rig_round(fixture->rig, 1);
	assert_int_equal(udp->last->kind, SLICE_NOTIFY);
	number = udp->last->number;
	refuse(fixture, 2);
	set_view(fixture, 2, NEW_REGION);
	pass(fixture);
	assert_int_equal(udp->held_count, 1);
	assert_int_equal(udp->last->kind, SLICE_WRITE);
	rig_drain(udp, HAUL_OK);
	rig_round(fixture->rig, 1);
	assert_int_equal(udp->last->kind, SLICE_NOTIFY);
	assert_int_equal(udp->last->number, number);
	assert_int_equal(udp->last->remote_region, NEW_REGION);
	rig_drain(udp, HAUL_OK);
	expect(fixture, HAUL_OK, HAUL_REASON_NONE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(operation_drive__resolves_queued_work_anew),
		CASE(operation_drive__posts_nothing_by_a_stale_view),
		CASE(operation_drive__begins_anew_what_came_back),
		CASE(operation_drive__ends_what_has_begun_elsewhere),
		CASE(operation_unpark__ends_what_has_begun_elsewhere),
		CASE(operation_drive__ends_queued_work_whose_buffer_goes),
		CASE(operation_drive__begins_again_elsewhere_when_asked_to),
		CASE(operation_refused__ends_without_the_flag),
		CASE(operation_refused__begins_again_by_the_newer_view),
		CASE(operation_refused__waits_for_the_version_that_was_told),
		CASE(operation_refused__asks_for_nothing_that_has_come),
		CASE(operation_refused__twice_is_stale),
		CASE(operation_refused__ends_when_nothing_else_is_there),
		CASE(operation_refused__never_renames_what_the_client_named),
		CASE(operation_refused__is_bounded_by_deadline_and_cancellation),
		CASE(operation_refused__notifies_once_behind_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
