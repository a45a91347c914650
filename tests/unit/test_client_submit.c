/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: entries arrive as prepared and in order, the doorbell rings only for a daemon that sleeps, and the
 * completion ring can never overflow, batches included.
 * Method: the fake daemon, which aborts when a completion would overflow; blind (it looks at no ring) where the test
 * looks at the shared memory itself.
 */
#include "api/haul.h"
#include "client/attachment.h"
#include "fake_daemon.h"
#include "unit.h"

#include <unistd.h>

static struct fake_daemon fake;
static struct haul *haul;

static int setup(void **state)
{
	struct haul_options options = { .timeout_ms = 20000 };

	(void)state;
	fake_daemon_start(&fake);
	options.socket_path = fake.path;
	return haul_attach(&options, &haul);
}

static int setup_blind(void **state)
{
	int error = setup(state);

	/* A daemon that polls: it neither sleeps nor serves. */
	atomic_store(&fake.is_blind, true);
	fake_daemon_poke(&fake);
	while (ring_load_acquire(&haul->header->daemon_sleeps.value) != 0)
		usleep(100);
	return error;
}

static int teardown(void **state)
{
	(void)state;
	haul_detach(haul);
	fake_daemon_stop(&fake);
	return 0;
}

/* See every completion that is due; returns how many came. */
static unsigned int drain(void)
{
	const struct haul_completion *completions;
	unsigned int total = 0;

	while (haul_open_operations(haul) > 0) {
		int count = haul_wait(haul, 20000000, &completions);

		assert_true(count > 0);
		haul_seen(haul, (unsigned int)count);
		total += (unsigned int)count;
	}
	return total;
}

static void haul_prep__fills_the_entry(void **state)
{
	const struct haul_memory memory = { .region = UINT64_C(0xa1b2c3d4e5f6) };
	const struct haul_remote remote = { .handle = 77 };
	struct haul_entry entry = { 0 };

	(void)state;
	haul_prep_write(&entry, &memory, 100, &remote, UINT64_C(1) << 40, 4096);
	haul_prep_batch(&entry, 9, 1);
	assert_int_equal(entry.opcode, HAUL_OP_WRITE);
	assert_int_equal(haul_u48_get(entry.local_region), memory.region);
	assert_int_equal(haul_u48_get(entry.local_offset), 100);
	assert_int_equal(haul_u48_get(entry.remote_region), 0);
	assert_int_equal(haul_u48_get(entry.remote_offset), UINT64_C(1) << 40);
	assert_int_equal(entry.remote_segment, 77);
	assert_int_equal(entry.length, 4096);
	assert_int_equal(entry.batch, 9);
	assert_int_equal(entry.flags, HAUL_ENTRY_BATCH_LAST);
	haul_prep_read(&entry, &memory, 0, &remote, 0, 1);
	assert_int_equal(entry.opcode, HAUL_OP_READ);
	haul_prep_nop(&entry);
	assert_int_equal(entry.opcode, HAUL_OP_NOP);
}

static void haul_entry_next__is_zero_each_time(void **state)
{
	const struct haul_entry zero = { 0 };

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct haul_entry *entry = haul_entry_next(haul);

		assert_non_null(entry);
		assert_memory_equal(entry, &zero, sizeof(zero));
		memset(entry, 0xff, sizeof(*entry));
		entry->batch = 0;
		assert_int_equal(haul_submit(haul), 1);
		assert_int_equal(drain(), 1);
	}
}

static void haul_entry_next__ring_full(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		assert_non_null(haul_entry_next(haul));
	assert_null(haul_entry_next(haul));
	assert_int_equal(haul_submit(haul), 8);
	assert_null(haul_entry_next(haul));
	/* The daemon takes three. */
	ring_store_release(&haul->header->submission_head.value, 3);
	for (int i = 0; i < 3; i++)
		assert_non_null(haul_entry_next(haul));
	assert_null(haul_entry_next(haul));
}

/* 8 entries and 16 completions: with 15 unseen there is no room for the two that one entry may bring. */
static void haul_entry_next__completions_full(void **state)
{
	unsigned int taken = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		if (haul_entry_next(haul) == NULL)
			continue;
		taken++;
		assert_int_equal(haul_submit(haul), 1);
		while (ring_load_acquire(&haul->header->submission_head.value) != taken)
			usleep(10);
	}
	assert_int_equal(taken, 15);
	assert_int_equal(haul_open_operations(haul), 15);
	assert_int_equal(drain(), 15);
	assert_non_null(haul_entry_next(haul));
}

static void haul_submit__nothing(void **state)
{
	(void)state;
	assert_int_equal(haul_submit(haul), 0);
	assert_int_equal(haul_open_operations(haul), 0);
}

static void haul_submit__shows_all_at_once(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		haul_entry_next(haul)->user_data = 100 + i;
	assert_int_equal(haul->header->submission_tail.value, 0);
	assert_int_equal(haul_submit(haul), 5);
	assert_int_equal(haul->header->submission_tail.value, 5);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(haul->entries[i].user_data, 100 + i);
	assert_int_equal(haul_open_operations(haul), 5);
}

static void haul_submit__rings_only_for_a_sleeper(void **state)
{
	uint64_t count;

	(void)state;
	assert_non_null(haul_entry_next(haul));
	assert_int_equal(haul_submit(haul), 1);
	assert_int_equal(read(haul->doorbell_fd, &count, sizeof(count)), -1);
	atomic_store(&fake.is_blind, false);
	fake_daemon_poke(&fake);
	assert_int_equal(drain(), 1);
	while (ring_load_acquire(&haul->header->daemon_sleeps.value) == 0)
		usleep(100);
	assert_non_null(haul_entry_next(haul));
	assert_int_equal(haul_submit(haul), 1);
	assert_int_equal(drain(), 1);
	while (atomic_load(&fake.doorbells) == 0)
		usleep(100);
	assert_int_equal(atomic_load(&fake.doorbells), 1);
}

static void batch_add(uint32_t batch, int is_last, uint8_t flags)
{
	struct haul_entry *entry;

	while ((entry = haul_entry_next(haul)) == NULL)
		usleep(10);
	entry->user_data = 5;
	haul_prep_batch(entry, batch, is_last);
	entry->flags |= flags;
	assert_int_equal(haul_submit(haul), 1);
}

static void haul_submit__batch_is_due_once(void **state)
{
	const struct haul_completion *completions;

	(void)state;
	/* More members than the completion ring has room for, since only the whole is completed. */
	for (int i = 0; i < 40; i++) {
		struct haul_entry *entry;

		while ((entry = haul_entry_next(haul)) == NULL)
			usleep(10);
		haul_prep_batch(entry, 3, i == 39);
		assert_int_equal(haul_submit(haul), 1);
		assert_int_equal(haul_open_operations(haul), 1);
	}
	assert_int_equal(haul_wait(haul, 20000000, &completions), 1);
	assert_int_equal(completions->batch, 3);
	assert_int_equal(completions->members, 40);
	haul_seen(haul, 1);
	assert_int_equal(haul_open_operations(haul), 0);
}

static void haul_submit__members_that_ask(void **state)
{
	(void)state;
	batch_add(200, 0, HAUL_ENTRY_BATCH_MEMBER);
	batch_add(200, 0, 0);
	batch_add(200, 1, HAUL_ENTRY_BATCH_MEMBER);
	assert_int_equal(haul_open_operations(haul), 3);
	assert_int_equal(drain(), 3);
	/* The id is free again. */
	batch_add(200, 1, 0);
	assert_int_equal(drain(), 1);
}

/* A member after the last one, before the completion was seen, is answered by itself. */
static void haul_submit__batch_id_too_early(void **state)
{
	(void)state;
	batch_add(1, 1, 0);
	assert_int_equal(haul_open_operations(haul), 1);
	batch_add(1, 1, 0);
	assert_int_equal(haul_open_operations(haul), 2);
	assert_int_equal(drain(), 2);
}

/* 16 completions: with 13 batches open another one is refused, and the account of what is due is the daemon's. */
static void haul_submit__too_many_batches(void **state)
{
	const unsigned int most = 16 - HAUL_COMPLETIONS_KEPT;
	const struct haul_completion *completions;

	(void)state;
	for (uint32_t i = 1; i <= most; i++)
		batch_add(i, 0, 0);
	assert_int_equal(haul_open_operations(haul), most);
	batch_add(100, 0, HAUL_ENTRY_BATCH_MEMBER);
	assert_int_equal(haul_open_operations(haul), most + 1);
	assert_int_equal(haul_wait(haul, 20000000, &completions), 1);
	assert_int_equal(completions->reason, HAUL_REASON_BATCHES);
	haul_seen(haul, 1);
	for (uint32_t i = 1; i <= most; i++)
		batch_add(i, 1, 0);
	assert_int_equal(drain(), most);
	batch_add(100, 0, 0);
	batch_add(100, 1, 0);
	assert_int_equal(drain(), 1);
}

static void haul_cancel__fills_an_entry(void **state)
{
	struct haul_entry wanted = {
		.opcode = HAUL_OP_CANCEL, .user_data = 9, .tag = HAUL_MATCH_BATCH, .value = 17
	};

	(void)state;
	memset(&haul->entries[0], 0xff, sizeof(haul->entries[0]));
	assert_int_equal(haul_cancel(haul, HAUL_MATCH_BATCH, 17, 9), 0);
	assert_int_equal(haul->header->submission_tail.value, 0);
	assert_int_equal(haul_submit(haul), 1);
	assert_memory_equal(&haul->entries[0], &wanted, sizeof(wanted));
	assert_int_equal(haul_open_operations(haul), 1);
}

/* As much is under way as may be: there is room for one cancellation, and for no second one until it was seen. */
static void haul_cancel__has_room_when_no_entry_has(void **state)
{
	struct haul_entry *entry;

	(void)state;
	atomic_store(&fake.is_holding, true);
	for (uint32_t i = 0; i < 15; i++) {
		while ((entry = haul_entry_next(haul)) == NULL)
			usleep(10);
		assert_int_equal(haul_submit(haul), 1);
	}
	while (ring_load_acquire(&haul->header->submission_head.value) != 15)
		usleep(10);
	assert_null(haul_entry_next(haul));
	assert_int_equal(haul_cancel(haul, HAUL_MATCH_ALL, 0, 1), 0);
	assert_int_equal(haul_submit(haul), 1);
	assert_int_equal(haul_open_operations(haul), 16);
	while (ring_load_acquire(&haul->header->submission_head.value) != 16)
		usleep(10);
	assert_int_equal(haul_cancel(haul, HAUL_MATCH_ALL, 0, 1), -HAUL_BUSY);
	assert_non_null(strstr(haul_reason(haul), "16 of 16 completions are due"));
}

static void haul_cancel__ring_full(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		assert_non_null(haul_entry_next(haul));
	assert_int_equal(haul_cancel(haul, HAUL_MATCH_ALL, 0, 1), -HAUL_BUSY);
	assert_non_null(strstr(haul_reason(haul), "8 of 8 are in use"));
}

static void haul_submit__closed_channel(void **state)
{
	(void)state;
	assert_non_null(haul_entry_next(haul));
	fake_daemon_close_channel(&fake);
	while (ring_load_acquire(&haul->header->state) == HAUL_CHANNEL_OPEN)
		usleep(100);
	assert_int_equal(haul_submit(haul), -HAUL_DISCONNECTED);
	assert_string_equal(haul_reason(haul),
			    "the daemon closed the channel: entries of the test are not liked");
	assert_int_equal(haul->header->submission_tail.value, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(haul_prep__fills_the_entry),
		cmocka_unit_test_setup_teardown(haul_entry_next__is_zero_each_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(haul_entry_next__ring_full, setup_blind, teardown),
		cmocka_unit_test_setup_teardown(haul_entry_next__completions_full, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_submit__nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_submit__shows_all_at_once, setup_blind,
						teardown),
		cmocka_unit_test_setup_teardown(haul_submit__rings_only_for_a_sleeper, setup_blind,
						teardown),
		cmocka_unit_test_setup_teardown(haul_submit__batch_is_due_once, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_submit__members_that_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_submit__batch_id_too_early, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_submit__too_many_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_cancel__fills_an_entry, setup_blind, teardown),
		cmocka_unit_test_setup_teardown(haul_cancel__has_room_when_no_entry_has, setup,
						teardown),
		cmocka_unit_test_setup_teardown(haul_cancel__ring_full, setup_blind, teardown),
		cmocka_unit_test_setup_teardown(haul_submit__closed_channel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
