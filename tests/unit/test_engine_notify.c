/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a notification that a transport brings reaches the ring of the channel that owns the region, once, with every
 * field, and its client is woken; what may not be, has no room or comes late is refused and leaves no trace.
 * Method: one worker with a channel, notices by hand.
 */
#include "api/haul_attach.h"
#include "base/clock.h"
#include "base/fault.h"
#include "engine_rig.h"
#include "unit.h"

#include <sys/socket.h>

#define SLOTS 64u

struct fixture {
	struct rig *rig;
	struct channel *channel;
	uint64_t region; /* open to peers, of the channel */
	uint8_t memory[4096];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct region_spec spec = { .segment = RIG_SEGMENT,
				    .length = sizeof(fixture->memory),
				    .owner = 1,
				    .rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE,
				    .fault_id = FAULT_NONE };

	assert_non_null(fixture);
	fixture->rig = rig_create_ready(&fixture->channel);
	spec.base = fixture->memory;
	spec.notices = &fixture->channel->notices;
	fixture->region = region_add(&fixture->rig->engine.regions, &spec);
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

static struct transport_notice notice_make(const struct fixture *fixture, uint64_t number)
{
	return (struct transport_notice){ .access = { .region = fixture->region,
						      .offset = 96,
						      .length = 4000,
						      .not_after_us = UINT64_MAX,
						      .is_remote = true,
						      .segment = RIG_SEGMENT,
						      .rights = HAUL_RIGHT_WRITE },
					  .node = "far",
					  .incarnation = 99,
					  .number = number,
					  .value = number * 10,
					  .tag = 5 };
}

static enum haul_error deliver(struct fixture *fixture, const struct transport_notice *notice,
			       struct transport_refusal *refusal)
{
	*refusal = (struct transport_refusal){ 0 };
	return worker_host.notify(fixture->rig->worker, notice, refusal);
}

static void expect(struct fixture *fixture, const struct transport_notice *notice,
		   enum haul_error status, enum haul_reason reason)
{
	struct transport_refusal refusal;

	assert_int_equal(deliver(fixture, notice, &refusal), status);
	assert_int_equal(refusal.reason, reason);
}

static void notify_deliver__every_field(void **state)
{
	struct fixture *fixture = *state;
	struct transport_notice notice = notice_make(fixture, 7);
	const struct haul_notification *slot = fixture->channel->notices.slots;

	expect(fixture, &notice, HAUL_OK, 0);
	assert_int_equal(slot->sequence, 1);
	assert_int_equal(slot->tag, 5);
	assert_int_equal(slot->value, 70);
	assert_int_equal(slot->region, fixture->region);
	assert_int_equal(slot->offset, 96);
	assert_int_equal(slot->bytes, 4000);
	assert_int_equal(slot->incarnation, 99);
	assert_string_equal(slot->node, "far");
	assert_int_equal(slot[1].sequence, 0);
	assert_int_equal(fixture->rig->counters[WORKER_NOTIFICATIONS], 1);
}

static void notify_deliver__once(void **state)
{
	struct fixture *fixture = *state;
	struct transport_notice notice = notice_make(fixture, 7);

	expect(fixture, &notice, HAUL_OK, 0);
	expect(fixture, &notice, HAUL_OK, 0);
	/* Also when the region has gone since. */
	region_retire(&fixture->rig->engine.regions, fixture->region);
	expect(fixture, &notice, HAUL_OK, 0);
	assert_int_equal(fixture->channel->notices.delivered, 1);
	assert_int_equal(fixture->rig->counters[WORKER_NOTIFICATIONS_AGAIN], 2);
	notice.number++;
	expect(fixture, &notice, HAUL_STALE, 0);
}

static void notify_deliver__a_range_of_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct transport_notice notice = notice_make(fixture, 7);

	notice.access.length = 0;
	notice.access.offset = sizeof(fixture->memory);
	expect(fixture, &notice, HAUL_OK, 0);
	assert_int_equal(fixture->channel->notices.slots->bytes, 0);
}

static void notify_deliver__refuses(void **state)
{
	struct fixture *fixture = *state;
	struct region_spec spec = { .segment = RIG_SEGMENT,
				    .base = fixture->memory,
				    .length = 64,
				    .rights = HAUL_RIGHT_READ,
				    .fault_id = FAULT_NONE,
				    .notices = &fixture->channel->notices };
	struct transport_notice notice = notice_make(fixture, 7);

	notice.access.offset = 97;
	expect(fixture, &notice, HAUL_RANGE, 0);
	notice = notice_make(fixture, 7);
	notice.access.region = fixture->region + (1u << 24);
	expect(fixture, &notice, HAUL_STALE, 0);
	notice = notice_make(fixture, 7);
	notice.access.length = 1;
	notice.access.offset = 0;
	notice.access.region = region_add(&fixture->rig->engine.regions, &spec);
	expect(fixture, &notice, HAUL_DENIED, 0);
	spec.rights |= HAUL_RIGHT_WRITE;
	spec.notices = NULL;
	notice.access.region = region_add(&fixture->rig->engine.regions, &spec);
	expect(fixture, &notice, HAUL_DENIED, 0);
	notice = notice_make(fixture, 7);
	notice.access.not_after_us = clock_now_us() - 1000;
	expect(fixture, &notice, HAUL_TIMEOUT, 0);
	assert_int_equal(fixture->channel->notices.delivered, 0);
	assert_int_equal(fixture->channel->notices.slots->sequence, 0);
	notice = notice_make(fixture, 7);
	expect(fixture, &notice, HAUL_OK, 0);
}

static void notify_deliver__a_full_ring(void **state)
{
	struct fixture *fixture = *state;
	struct transport_notice notice;

	for (uint64_t i = 1; i <= SLOTS; i++) {
		notice = notice_make(fixture, i);
		expect(fixture, &notice, HAUL_OK, 0);
	}
	notice = notice_make(fixture, SLOTS + 1);
	expect(fixture, &notice, HAUL_BUSY, HAUL_REASON_NOTIFICATIONS_FULL);
	expect(fixture, &notice, HAUL_BUSY, HAUL_REASON_NOTIFICATIONS_FULL);
	fixture->channel->header->notification_head.value = 1;
	expect(fixture, &notice, HAUL_OK, 0);
	expect(fixture, &notice, HAUL_OK, 0);
	assert_int_equal(fixture->channel->notices.delivered, SLOTS + 1);
	assert_int_equal(fixture->rig->counters[WORKER_NOTIFICATIONS_BUSY], 2);
}

static void notify_deliver__no_room_for_notifiers(void **state)
{
	struct fixture *fixture = *state;
	struct notifier_table *table = &fixture->rig->engine.notifiers;
	struct transport_notice notice = notice_make(fixture, 7);

	for (uint32_t i = 0; i < ENGINE_NOTIFIERS_MAX; i++)
		atomic_store(&table->notifiers[i].state, NOTIFIER_READY);
	expect(fixture, &notice, HAUL_BUSY, HAUL_REASON_NOTIFIERS_FULL);
	assert_int_equal(fixture->channel->notices.delivered, 0);
}

/* One byte for all that came in a round, and none to who is awake. */
static void notify_wake_all__once_a_round(void **state)
{
	struct fixture *fixture = *state;
	struct transport_notice notice = notice_make(fixture, 1);
	char bytes[4];

	expect(fixture, &notice, HAUL_OK, 0);
	rig_round(fixture->rig, 1);
	assert_int_equal(recv(fixture->rig->wake_fd, bytes, 4, MSG_DONTWAIT), -1);
	fixture->channel->header->client_sleeps.value = 1;
	for (notice.number = 2; notice.number < 5; notice.number++)
		expect(fixture, &notice, HAUL_OK, 0);
	rig_round(fixture->rig, 1);
	assert_int_equal(recv(fixture->rig->wake_fd, bytes, 4, MSG_DONTWAIT), 1);
	rig_round(fixture->rig, 1);
	assert_int_equal(recv(fixture->rig->wake_fd, bytes, 4, MSG_DONTWAIT), -1);
}

/* An index that cannot be costs the client its channel, in the round of its own worker. */
static void notify_deliver__a_hostile_index(void **state)
{
	struct fixture *fixture = *state;
	struct transport_notice notice = notice_make(fixture, 1);

	fixture->channel->header->notification_head.value = 3;
	expect(fixture, &notice, HAUL_BUSY, HAUL_REASON_NOTIFICATIONS_FULL);
	assert_int_equal(fixture->channel->header->state, HAUL_CHANNEL_OPEN);
	rig_round(fixture->rig, 1);
	assert_int_equal(fixture->channel->header->state, HAUL_CHANNEL_CLOSED);
	assert_int_equal(fixture->channel->header->error, HAUL_INVALID);
	assert_non_null(strstr((char *)fixture->channel->header->reason, "notification_head"));
	rig_expect_request(fixture->rig, WORKER_CHANNEL_BAD);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(notify_deliver__every_field),
		CASE(notify_deliver__once),
		CASE(notify_deliver__a_range_of_nothing),
		CASE(notify_deliver__refuses),
		CASE(notify_deliver__a_full_ring),
		CASE(notify_deliver__no_room_for_notifiers),
		CASE(notify_wake_all__once_a_round),
		CASE(notify_deliver__a_hostile_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
