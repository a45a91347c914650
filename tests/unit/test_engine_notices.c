/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every notification that was accepted is in the ring once and whole, whoever else writes; a full ring refuses,
 * and a client's index is believed nothing.
 * Method: one thread first; then several that push numbered notifications while another reads, as workers and a client
 * do. With the compare-and-swap replaced by a plain store the last case loses notifications.
 */
#include "base/ring.h"
#include "engine/notices.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS   16u
#define THREADS 3u
#define PUSHED  20000u

static struct haul_channel_header header;
static struct haul_notification slots[SLOTS];
static struct notices notices;

static int setup(void **state)
{
	(void)state;
	memset(&header, 0, sizeof(header));
	memset(slots, 0, sizeof(slots));
	notices_init(&notices, &header, slots, SLOTS);
	return 0;
}

static enum haul_error push(uint64_t value)
{
	struct haul_notification notification = { .value = value, .tag = (uint32_t)value * 7 };

	return notices_push(&notices, &notification);
}

static void notices_push__in_order(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(push(i), HAUL_OK);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(slots[i].sequence, i + 1);
		assert_int_equal(slots[i].value, i);
		assert_int_equal(slots[i].tag, i * 7);
	}
	assert_int_equal(slots[5].sequence, 0);
	assert_int_equal(notices.delivered, 5);
}

static void notices_push__full(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SLOTS; i++)
		assert_int_equal(push(i), HAUL_OK);
	assert_int_equal(push(99), HAUL_BUSY);
	assert_int_equal(slots[0].value, 0);
	header.notification_head.value = 1;
	assert_int_equal(push(99), HAUL_OK);
	assert_int_equal(slots[0].value, 99);
	assert_int_equal(slots[0].sequence, SLOTS + 1);
	assert_int_equal(push(100), HAUL_BUSY);
	assert_int_equal(notices.refused, 2);
	assert_int_equal(notices_unread(&notices), SLOTS);
	header.notification_head.value = SLOTS;
	assert_int_equal(notices_unread(&notices), 1);
	header.notification_head.value = 77; /* what cannot be */
	assert_int_equal(notices_unread(&notices), SLOTS);
	assert_false(notices.is_broken);
}

static void notices_push__index_wraps(void **state)
{
	(void)state;
	notices.tail = UINT32_MAX - 2;
	header.notification_head.value = UINT32_MAX - 2;
	for (uint64_t i = 0; i < SLOTS; i++)
		assert_int_equal(push(i), HAUL_OK);
	assert_int_equal(push(99), HAUL_BUSY);
	assert_int_equal(slots[(UINT32_MAX - 2) & (SLOTS - 1)].sequence, UINT32_MAX - 1);
	assert_int_equal(slots[0].sequence, 1);
}

/* Beyond what was written, or so far behind that the ring would have overflowed. */
static void notices_push__hostile_index(void **state)
{
	const uint32_t heads[] = { 4, UINT32_MAX, 3 - SLOTS - 1, 0x80000003 };

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		setup(state);
		for (uint64_t j = 0; j < 3; j++)
			assert_int_equal(push(j), HAUL_OK);
		header.notification_head.value = heads[i];
		if (heads[i] == UINT32_MAX) {
			/* One position before the first: the ring looks fuller than it is, no more. */
			assert_int_equal(push(3), HAUL_OK);
			continue;
		}
		assert_int_equal(push(3), HAUL_BUSY);
		assert_true(notices.is_broken);
		assert_int_equal(slots[3].sequence, 0);
	}
}

static void notices_wake__only_a_sleeper(void **state)
{
	int pair[2];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	notices.wake_fd = pair[0];
	assert_false(notices_wake(&notices));
	header.client_sleeps.value = 1;
	assert_true(notices_wake(&notices));
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	close(pair[0]);
	close(pair[1]);
}

static void *produce(void *argument)
{
	uint64_t thread = (uintptr_t)argument;

	for (uint64_t i = 0; i < PUSHED; i++) {
		while (push(thread << 32 | i) != HAUL_OK)
			sched_yield();
	}
	return NULL;
}

static void notices_push__many_producers(void **state)
{
	uint64_t next[THREADS] = { 0 };
	pthread_t threads[THREADS];
	uint32_t head = 0;

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
	while (head < THREADS * PUSHED) {
		const struct haul_notification *slot = &slots[head & (SLOTS - 1)];

		if (ring_load_acquire(&slot->sequence) != head + 1) {
			sched_yield();
			continue;
		}
		assert_in_range(slot->value >> 32, 0, THREADS - 1);
		assert_int_equal((uint32_t)slot->value, next[slot->value >> 32]++);
		assert_int_equal(slot->tag, (uint32_t)slot->value * 7);
		ring_store_release(&header.notification_head.value, ++head);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(notices.delivered, THREADS * PUSHED);
	assert_false(notices.is_broken);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(notices_push__in_order),       CASE(notices_push__full),
		CASE(notices_push__index_wraps),    CASE(notices_push__hostile_index),
		CASE(notices_wake__only_a_sleeper), CASE(notices_push__many_producers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
