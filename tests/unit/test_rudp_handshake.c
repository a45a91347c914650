/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: two nodes that hold one key agree, under loss and copies, once; everybody else changes nothing, and is told
 * no more than he sent.
 * Method: two handshakes joined by hand, packet by packet; every packet damaged in every byte, cut at every length,
 * replayed before and after; other keys, versions, incarnations, names, and a full table.
 */
#include "base/check.h"
#include "rudp/cookie.h"
#include "rudp/handshake.h"
#include "rudp/handshake_wire.h"
#include "rudp/rudp.h"
#include "rudp/wire.h"
#include "unit.h"

#include <errno.h>

#define NOW_US UINT64_C(1000000000)

struct side {
	struct handshake *handshake;
	struct handshake_config config;
	struct rudp_address address;
	uint64_t counters[HANDSHAKE_COUNTER_COUNT];
	uint64_t seed;
	unsigned established;
	unsigned failed;
	unsigned accepted;
	int accept_result;
	int worker;
	uint16_t wanting_port; /* wants a checksum on paths to it */
	struct rudp_params params;
	struct handshake_report report;
};

struct packet {
	size_t bytes;
	uint8_t data[HANDSHAKE_PACKET_BYTES_MAX];
};

static void side_random(void *context, void *out, size_t bytes)
{
	struct side *side = context;

	for (uint8_t *at = out; bytes > 0; bytes--)
		*at++ = (uint8_t)unit_random(&side->seed);
}

static void side_established(void *context, void *user, const struct rudp_params *params)
{
	struct side *side = context;

	assert_ptr_equal(user, side);
	side->established++;
	side->params = *params;
}

static void side_failed(void *context, void *user, const struct handshake_report *report)
{
	struct side *side = context;

	assert_ptr_equal(user, side);
	side->failed++;
	side->report = *report;
}

static int side_choose(void *context, const struct rudp_address *address)
{
	(void)address;
	return ((struct side *)context)->worker;
}

static int side_accept(void *context, const struct rudp_params *params)
{
	struct side *side = context;

	side->accepted++;
	side->params = *params;
	return side->accept_result;
}

static const struct handshake_callbacks callbacks = {
	.random = side_random,
	.established = side_established,
	.failed = side_failed,
	.choose = side_choose,
	.accept = side_accept,
};

static void side_setup(struct side *side, char name)
{
	memset(side, 0, sizeof(*side));
	side->seed = (uint64_t)name;
	side->worker = 2;
	side->address.family = 4;
	side->address.port = (uint16_t)name;
	memcpy(side->config.key, "0123456789abcdef0123456789abcdef", RUDP_KEY_BYTES);
	side->config.name[0] = name;
	side->config.incarnation = (uint64_t)name * 1000;
	side->config.datagram_bytes = 1472;
	side->config.operations = 256;
	side->config.packets = 1024;
	side->config.accepted_max = 4;
	side->config.callbacks = &callbacks;
	side->config.context = side;
	side->config.counters = side->counters;
}

static void side_start(struct side *side)
{
	assert_int_equal(handshake_create(&side->config, NOW_US, &side->handshake), 0);
}

static void sides_start(struct side *a, struct side *b)
{
	side_setup(a, 'a');
	side_setup(b, 'b');
	side_start(a);
	side_start(b);
}

static void sides_stop(struct side *a, struct side *b)
{
	handshake_destroy(a->handshake);
	handshake_destroy(b->handshake);
}

static void side_connect(struct side *a, const struct side *b, uint64_t incarnation)
{
	struct handshake_target target = {
		.address = b->address,
		.incarnation = incarnation,
		.name = "b",
		.worker = 1,
		.deadline_us = NOW_US + 2000000,
		.user = a,
	};
	uint64_t attempt;

	assert_int_equal(handshake_connect(a->handshake, NOW_US, &target, &attempt), 0);
	assert_true(attempt != 0);
}

static struct packet side_send(struct side *side, uint64_t now_us)
{
	struct rudp_address address;
	struct packet packet;

	packet.bytes = handshake_transmit(side->handshake, now_us, &address, packet.data,
					  sizeof(packet.data));
	return packet;
}

static void side_take(struct side *to, const struct side *from, const struct packet *packet,
		      uint64_t now_us)
{
	handshake_receive(to->handshake, now_us, &from->address, packet->data, packet->bytes);
}

/* Everything back and forth until nobody has more to say. */
static void sides_run(struct side *a, struct side *b, uint64_t now_us)
{
	struct packet packet;

	for (int i = 0; i < 10; i++) {
		while ((packet = side_send(a, now_us)).bytes > 0)
			side_take(b, a, &packet, now_us);
		while ((packet = side_send(b, now_us)).bytes > 0)
			side_take(a, b, &packet, now_us);
	}
}

static void handshake__agrees(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	side_setup(&a, 'a');
	side_setup(&b, 'b');
	b.config.datagram_bytes = 8972;
	b.config.operations = 64;
	a.config.packets = 512;
	side_start(&a);
	side_start(&b);
	side_connect(&a, &b, 'b' * 1000);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.established, 1);
	assert_int_equal(b.accepted, 1);
	assert_true(a.params.local_id == b.params.remote_id);
	assert_true(a.params.remote_id == b.params.local_id);
	assert_int_equal(a.params.local_id >> 56, 1);
	assert_int_equal(b.params.local_id >> 56, 2);
	assert_int_equal(a.params.packet_number_local, b.params.packet_number_remote);
	assert_int_equal(a.params.packet_number_remote, b.params.packet_number_local);
	assert_int_equal(a.params.datagram_bytes, 1472);
	assert_int_equal(b.params.datagram_bytes, 1472);
	assert_int_equal(a.params.operations, 64);
	assert_int_equal(b.params.packets, 512);
	assert_int_equal(a.params.initiator, 1);
	assert_int_equal(b.params.initiator, 0);
	assert_int_equal(a.params.version, RUDP_VERSION);
	assert_string_equal(a.params.name, "b");
	assert_string_equal(b.params.name, "a");
	assert_true(a.params.incarnation == 'b' * 1000 && b.params.incarnation == 'a' * 1000);
	assert_memory_equal(a.params.token, b.params.token_peer, RUDP_TOKEN_BYTES);
	assert_memory_equal(a.params.token_peer, b.params.token, RUDP_TOKEN_BYTES);
	assert_memory_equal(&a.params.address, &b.address, sizeof(b.address));
	sides_stop(&a, &b);
}

static void handshake__answers_are_no_longer_than_questions(void **state)
{
	struct side a;
	struct side b;
	struct packet question;
	struct packet answer;

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 0);
	for (int i = 0; i < 2; i++) {
		question = side_send(&a, NOW_US);
		side_take(&b, &a, &question, NOW_US);
		answer = side_send(&b, NOW_US);
		assert_true(answer.bytes > 0 && answer.bytes <= question.bytes);
		side_take(&a, &b, &answer, NOW_US);
	}
	assert_int_equal(a.established, 1);
	sides_stop(&a, &b);
}

/* Each packet is lost three times in a row; what arrives, arrives twice. */
static void handshake__loss_and_copies(void **state)
{
	struct side a;
	struct side b;
	struct packet packet;
	uint64_t now_us = NOW_US;
	unsigned sent[2] = { 0 };

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 0);
	for (int i = 0; i < 2000 && a.established == 0; i++, now_us += 1000) {
		while ((packet = side_send(&a, now_us)).bytes > 0) {
			if (++sent[0] % 3 != 0)
				continue;
			side_take(&b, &a, &packet, now_us);
			side_take(&b, &a, &packet, now_us);
		}
		while ((packet = side_send(&b, now_us)).bytes > 0) {
			if (++sent[1] % 3 != 0)
				continue;
			side_take(&a, &b, &packet, now_us);
			side_take(&a, &b, &packet, now_us);
		}
		handshake_advance(a.handshake, now_us);
	}
	assert_int_equal(a.established, 1);
	assert_int_equal(a.failed, 0);
	/* Begun anew after unanswered CONNECTs at most; the one agreed on is the last. */
	assert_true(a.params.remote_id == b.params.local_id);
	sides_stop(&a, &b);
}

static void handshake_receive__a_replay_changes_nothing(void **state)
{
	struct side a;
	struct side b;
	struct packet hello;
	struct packet retry;
	struct packet connect;
	struct packet accept;
	struct packet again;
	struct side stranger;

	(void)state;
	sides_start(&a, &b);
	side_setup(&stranger, 'c');
	side_connect(&a, &b, 0);
	hello = side_send(&a, NOW_US);
	side_take(&b, &a, &hello, NOW_US);
	retry = side_send(&b, NOW_US);
	side_take(&a, &b, &retry, NOW_US);
	connect = side_send(&a, NOW_US);
	side_take(&b, &a, &connect, NOW_US);
	accept = side_send(&b, NOW_US);
	side_take(&a, &b, &accept, NOW_US);
	assert_int_equal(b.accepted, 1);
	for (int i = 0; i < 5; i++) {
		side_take(&b, &a, &connect, NOW_US + 1000);
		again = side_send(&b, NOW_US + 1000);
		assert_int_equal(again.bytes, accept.bytes);
		assert_memory_equal(again.data, accept.data, accept.bytes);
		side_take(&a, &b, &accept, NOW_US + 1000);
		side_take(&a, &b, &retry, NOW_US + 1000);
	}
	/* From another address the cookie is worth nothing. */
	side_take(&b, &stranger, &connect, NOW_US + 1000);
	assert_int_equal(side_send(&b, NOW_US + 1000).bytes, 0);
	/* And for nobody once its windows have passed, which is before it is forgotten. */
	side_take(&b, &a, &connect, NOW_US + 2 * COOKIE_WINDOW_US);
	assert_int_equal(side_send(&b, NOW_US + 2 * COOKIE_WINDOW_US).bytes, 0);
	assert_int_equal(b.counters[HANDSHAKE_COUNTER_BAD_COOKIE], 2);
	assert_int_equal(b.accepted, 1);
	assert_int_equal(a.established, 1);
	sides_stop(&a, &b);
}

static void handshake_receive__damage_changes_nothing(void **state)
{
	struct side a;
	struct side b;
	struct packet packet;
	struct packet bad;

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 0);
	for (int step = 0; step < 4; step++) {
		struct side *from = step % 2 == 0 ? &a : &b;
		struct side *to = step % 2 == 0 ? &b : &a;
		unsigned accepted = b.accepted;

		packet = side_send(from, NOW_US);
		assert_true(packet.bytes > 0);
		for (size_t at = 0; at < packet.bytes; at++) {
			bad = packet;
			bad.data[at] ^= 0x10;
			/* A HELLO has no proof, and a RETRY binds nobody: the cookie fails later. */
			if (step >= 2)
				side_take(to, from, &bad, NOW_US);
			bad = packet;
			bad.bytes = at;
			side_take(to, from, &bad, NOW_US);
		}
		assert_int_equal(b.accepted, accepted);
		assert_int_equal(a.established, 0);
		assert_int_equal(a.failed, 0);
		while (step >= 2 && side_send(to, NOW_US).bytes > 0) {}
		side_take(to, from, &packet, NOW_US);
	}
	assert_int_equal(a.established, 1);
	assert_int_equal(b.accepted, 1);
	sides_stop(&a, &b);
}

/* Used when both can, and one of them wants it; bits of a version to come change nothing. */
static void handshake__agrees_on_a_checksum(void **state)
{
	static const struct {
		uint32_t a;
		uint32_t b;
		uint32_t agreed;
	} rows[] = {
		{ 0, 0, 0 },
		{ RUDP_CAN_CRC, RUDP_CAN_CRC, RUDP_CAN_CRC },
		{ RUDP_CAN_CRC | RUDP_WANTS_CRC, RUDP_CAN_CRC, RUDP_CAN_CRC | RUDP_WANTS_CRC },
		{ RUDP_CAN_CRC, RUDP_CAN_CRC | RUDP_WANTS_CRC, RUDP_CAN_CRC | RUDP_WANTS_CRC },
		{ RUDP_CAN_CRC | RUDP_WANTS_CRC, 0, 0 },
		{ 0, RUDP_CAN_CRC | RUDP_WANTS_CRC, 0 },
		{ 0xfffffff0, 0xfffffff0, 0 },
		{ UINT32_MAX, RUDP_CAN_CRC, RUDP_CAN_CRC | RUDP_WANTS_CRC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct side a;
		struct side b;

		side_setup(&a, 'a');
		side_setup(&b, 'b');
		a.config.capabilities = rows[i].a;
		b.config.capabilities = rows[i].b;
		side_start(&a);
		side_start(&b);
		side_connect(&a, &b, 0);
		sides_run(&a, &b, NOW_US);
		assert_int_equal(a.established, 1);
		assert_int_equal(b.accepted, 1);
		assert_int_equal(a.params.capabilities, rows[i].agreed);
		assert_int_equal(b.params.capabilities, rows[i].agreed);
		sides_stop(&a, &b);
	}
}

static uint32_t side_capabilities(void *context, const struct rudp_address *address)
{
	const struct side *side = context;

	return address->port == side->wanting_port ? RUDP_CAN_CRC | RUDP_WANTS_CRC : RUDP_CAN_CRC;
}

/* An end may want it on one path and not on another: it is asked with the other end's address, on either side. */
static void handshake__asks_what_a_path_wants(void **state)
{
	struct handshake_callbacks asking = callbacks;

	(void)state;
	asking.capabilities = side_capabilities;
	for (unsigned i = 0; i < 3; i++) {
		struct side a;
		struct side b;

		side_setup(&a, 'a');
		side_setup(&b, 'b');
		a.config.callbacks = b.config.callbacks = &asking;
		a.wanting_port = i == 1 ? b.address.port : 0;
		b.wanting_port = i == 2 ? a.address.port : 0;
		side_start(&a);
		side_start(&b);
		side_connect(&a, &b, 0);
		sides_run(&a, &b, NOW_US);
		assert_int_equal(a.params.capabilities & RUDP_WANTS_CRC,
				 i == 0 ? 0 : RUDP_WANTS_CRC);
		assert_int_equal(b.params.capabilities, a.params.capabilities);
		sides_stop(&a, &b);
	}
}

static void handshake__another_key(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	side_setup(&a, 'a');
	side_setup(&b, 'b');
	b.config.key[31] ^= 1;
	side_start(&a);
	side_start(&b);
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.established + b.accepted, 0);
	/* The hint is no proof: it goes on trying until its deadline, and says so then. */
	assert_int_equal(a.failed, 0);
	handshake_advance(a.handshake, NOW_US + 2000000);
	assert_int_equal(a.failed, 1);
	assert_int_equal(a.report.failure, HANDSHAKE_KEY);
	assert_int_equal(b.counters[HANDSHAKE_COUNTER_BAD_PROOF], 1);
	sides_stop(&a, &b);
}

static void handshake__another_version(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	side_setup(&a, 'a');
	side_setup(&b, 'b');
	b.config.version_min = RUDP_VERSION + 1;
	b.config.version_max = RUDP_VERSION + 3;
	side_start(&a);
	side_start(&b);
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.failed, 1);
	assert_int_equal(a.report.failure, HANDSHAKE_VERSION);
	assert_int_equal(a.report.version_min, RUDP_VERSION + 1);
	assert_int_equal(a.report.version_max, RUDP_VERSION + 3);
	assert_int_equal(a.report.version_min_here, RUDP_VERSION);
	assert_int_equal(a.report.version_max_here, RUDP_VERSION);
	assert_true(b.counters[HANDSHAKE_COUNTER_BAD_VERSION] > 0);
	assert_int_equal(b.counters[HANDSHAKE_COUNTER_ESTABLISHED], 0);
	sides_stop(&a, &b);
}

static void handshake__the_highest_common_version(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	side_setup(&a, 'a');
	side_setup(&b, 'b');
	a.config.version_min = 1;
	a.config.version_max = 3;
	b.config.version_min = 2;
	b.config.version_max = 4;
	side_start(&a);
	side_start(&b);
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.established, 1);
	assert_int_equal(a.params.version, 3);
	assert_int_equal(b.params.version, 3);
	sides_stop(&a, &b);
}

static void handshake__another_incarnation_or_name(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 4711);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.failed, 1);
	assert_int_equal(a.report.failure, HANDSHAKE_INCARNATION);
	assert_true(a.report.incarnation == 'b' * 1000);
	assert_string_equal(a.report.name, "b");
	assert_int_equal(b.accepted, 0);
	sides_stop(&a, &b);
	side_setup(&a, 'a');
	side_setup(&b, 'c');
	side_start(&a);
	side_start(&b);
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.report.failure, HANDSHAKE_INCARNATION);
	assert_string_equal(a.report.name, "c");
	sides_stop(&a, &b);
}

static void handshake__no_room(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	sides_start(&a, &b);
	b.worker = -1;
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.report.failure, HANDSHAKE_BUSY);
	b.worker = 2;
	b.accept_result = -ENOSPC;
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	assert_int_equal(a.failed, 2);
	b.accept_result = 0;
	for (int i = 0; i < 3; i++) {
		side_connect(&a, &b, 0);
		sides_run(&a, &b, NOW_US);
	}
	/* Four are remembered; the fifth has to wait until a cookie has grown old. */
	assert_int_equal(a.established, 2);
	assert_int_equal(a.failed, 3);
	sides_stop(&a, &b);
}

static void handshake_accepted__lets_the_answer_go(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	sides_start(&a, &b);
	b.accept_result = -EINPROGRESS;
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	sides_run(&a, &b, NOW_US + 100000);
	assert_int_equal(b.accepted, 1);
	assert_int_equal(a.established, 0);
	handshake_accepted(b.handshake, NOW_US, b.params.local_id, 0);
	sides_run(&a, &b, NOW_US + 100000);
	assert_int_equal(a.established, 1);
	sides_stop(&a, &b);
}

static void handshake_connect__ends_by_its_deadline(void **state)
{
	struct side a;
	struct side b;
	uint64_t now_us = NOW_US;
	unsigned packets = 0;

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 0);
	while (a.failed == 0) {
		now_us = MAX(handshake_next_deadline_us(a.handshake), now_us);
		assert_true(now_us <= NOW_US + 2000000);
		handshake_advance(a.handshake, now_us);
		while (side_send(&a, now_us).bytes > 0)
			packets++;
	}
	assert_int_equal(a.report.failure, HANDSHAKE_TIMEOUT);
	assert_in_range(packets, 4, 20);
	assert_true(handshake_next_deadline_us(a.handshake) == UINT64_MAX);
	sides_stop(&a, &b);
}

static void handshake_drop__is_silent(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 0);
	handshake_drop(a.handshake, 1);
	handshake_drop(a.handshake, 99);
	sides_run(&a, &b, NOW_US);
	handshake_advance(a.handshake, NOW_US + 5000000);
	assert_int_equal(a.failed + a.established + b.accepted, 0);
	sides_stop(&a, &b);
}

/* A whole ring of packets for one that is over is answered once, and again when there still are some later. */
static void handshake_reset__once_for_a_burst(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	sides_start(&a, &b);
	for (uint64_t i = 0; i < 100; i++) {
		handshake_reset(b.handshake, NOW_US + i * 99, &a.address, 7, 100);
		assert_int_equal(side_send(&b, NOW_US).bytes > 0, i == 0);
	}
	handshake_reset(b.handshake, NOW_US + 9900, &a.address, 8, 100);
	assert_true(side_send(&b, NOW_US).bytes > 0);
	handshake_reset(b.handshake, NOW_US + 9901, &a.address, 7, 100);
	assert_true(side_send(&b, NOW_US).bytes > 0);
	handshake_reset(b.handshake, NOW_US + 19901, &a.address, 7, 100);
	assert_true(side_send(&b, NOW_US).bytes > 0);
	sides_stop(&a, &b);
}

static void handshake_reset__carries_the_token_and_is_limited(void **state)
{
	struct side a;
	struct side b;
	struct packet packet;
	unsigned sent = 0;

	(void)state;
	sides_start(&a, &b);
	side_connect(&a, &b, 0);
	sides_run(&a, &b, NOW_US);
	/* b has lost its memory, but not the key. */
	handshake_reset(b.handshake, NOW_US, &a.address, a.params.remote_id, 100);
	packet = side_send(&b, NOW_US);
	assert_int_equal(packet.bytes, WIRE_RESET_BYTES);
	assert_int_equal(rudp_packet_kind(packet.data, packet.bytes), RUDP_PACKET_RESET);
	assert_memory_equal(packet.data + WIRE_HEADER_BYTES, a.params.token_peer, RUDP_TOKEN_BYTES);
	/* Never longer than its cause. */
	handshake_reset(b.handshake, NOW_US, &a.address, 1, WIRE_RESET_BYTES - 1);
	assert_int_equal(side_send(&b, NOW_US).bytes, 0);
	for (uint64_t i = 2; i < 1000; i++) {
		handshake_reset(b.handshake, NOW_US, &a.address, i, 100);
		sent += side_send(&b, NOW_US).bytes > 0;
	}
	assert_in_range(sent, 1, 64);
	handshake_reset(b.handshake, NOW_US + 1000000, &a.address, 1, 100);
	assert_true(side_send(&b, NOW_US + 1000000).bytes > 0);
	sides_stop(&a, &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake__agrees),
		cmocka_unit_test(handshake__answers_are_no_longer_than_questions),
		cmocka_unit_test(handshake__loss_and_copies),
		cmocka_unit_test(handshake_receive__a_replay_changes_nothing),
		cmocka_unit_test(handshake_receive__damage_changes_nothing),
		cmocka_unit_test(handshake__agrees_on_a_checksum),
		cmocka_unit_test(handshake__asks_what_a_path_wants),
		cmocka_unit_test(handshake__another_key),
		cmocka_unit_test(handshake__another_version),
		cmocka_unit_test(handshake__the_highest_common_version),
		cmocka_unit_test(handshake__another_incarnation_or_name),
		cmocka_unit_test(handshake__no_room),
		cmocka_unit_test(handshake_accepted__lets_the_answer_go),
		cmocka_unit_test(handshake_connect__ends_by_its_deadline),
		cmocka_unit_test(handshake_drop__is_silent),
		cmocka_unit_test(handshake_reset__once_for_a_burst),
		cmocka_unit_test(handshake_reset__carries_the_token_and_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
