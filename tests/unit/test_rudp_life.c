/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: when a connection is doubtful, when it ends, and who may end it. Method: two ends joined by hand under a virtual
 * clock (rudp_ends.h).
 */
#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/check.h"
#include "rudp/conn.h"
#include "rudp/rudp.h"
#include "rudp_ends.h"
#include "unit.h"

#include <errno.h>

static void connection__doubtful_then_heard_again(void **state)
{
	(void)state;
	submit(RUDP_WRITE, 10);
	pass_black(7000);
	assert_int_not_equal(ends[0].state, RUDP_DOUBTFUL);
	pass_black(20000);
	assert_int_equal(ends[0].state, RUDP_DOUBTFUL);
	for (int i = 0; i < 200 && ends[0].done == 0; i++) {
		settle();
		pass(1000);
	}
	assert_int_equal(ends[0].state, RUDP_ESTABLISHED);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[1].placed, 1);
}

/* A reader whose request was acknowledged has nothing to send, and must notice all the same that nothing comes. */
static void connection__doubtful_while_it_waits_for_a_read(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_READ, 100 * PAYLOAD);
	packet = take(0); /* the request */
	give(1, &packet);
	packet = take(1); /* the first data, or an acknowledgement alone */
	give(0, &packet);
	assert_int_equal(ends[0].done, 0);
	pass_black(30000);
	assert_int_equal(ends[0].state, RUDP_DOUBTFUL);
	for (int i = 0; i < 400 && (ends[0].done == 0 || ends[0].state == RUDP_DOUBTFUL); i++) {
		settle();
		pass(1000);
	}
	assert_int_equal(ends[0].state, RUDP_ESTABLISHED);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
}

static void connection__silence_ends_it(void **state)
{
	(void)state;
	submit(RUDP_WRITE, 10);
	pass_black(4900000);
	assert_int_equal(ends[0].state, RUDP_DOUBTFUL);
	assert_int_equal(ends[0].done, 0);
	pass_black(400000);
	assert_int_equal(ends[0].state, RUDP_GONE);
	assert_int_equal(ends[0].reason, RUDP_END_SILENCE);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_NO_PATH);
	assert_int_equal(ends[0].completion.reason, HAUL_REASON_PEER_SILENT);
}

static void connection__idle_stays(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		pass(100000);
		settle();
	}
	assert_int_equal(rudp_connection_state(ends[0].connection), RUDP_ESTABLISHED);
	assert_int_equal(rudp_connection_state(ends[1].connection), RUDP_ESTABLISHED);
	assert_in_range(ends[0].counters[RUDP_COUNTER_PACKETS_SENT], 10, 60);
}

static void connection__opening_is_silent(void **state)
{
	struct rudp_params params = params_make(1);
	struct rudp_connection *connection;
	struct rudp_operation_request request = { .kind = RUDP_WRITE, .length = 1 };
	uint32_t id;

	(void)state;
	params.local_id++;
	params.remote_id++;
	assert_int_equal(rudp_connection_add(ends[1].rudp, now_us, &params, NULL, &connection), 0);
	assert_int_equal(rudp_connection_state(connection), RUDP_OPENING);
	assert_int_equal(rudp_submit(connection, now_us, &request, &id), -EAGAIN);
	assert_int_equal(take(1).bytes, 0);
	pass_black(RUDP_SILENCE_US + 1000);
	assert_int_equal(ends[1].reason, RUDP_END_SILENCE);
}

static void rudp_receive__reset(void **state)
{
	struct wire_header header = { .type = WIRE_RESET,
				      .connection = params_make(0).remote_id,
				      .number = WIRE_RESET_UNKNOWN };
	struct packet packet = { .bytes = WIRE_RESET_BYTES };

	(void)state;
	submit(RUDP_WRITE, 10);
	take(0);
	wire_header_write(packet.data, &header);
	memset(packet.data + WIRE_HEADER_BYTES, 2, RUDP_TOKEN_BYTES);
	packet.data[31] ^= 1;
	assert_int_equal(give(0, &packet), RUDP_RECEIVE_MALFORMED);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_FORGED_RESET], 1);
	packet.data[31] ^= 1;
	assert_int_equal(give(0, &packet), RUDP_RECEIVE_TAKEN);
	assert_int_equal(ends[0].state, RUDP_ENDED);
	assert_int_equal(ends[0].reason, RUDP_END_RESTARTED);
	/* The old process may have handed its last packet to the wire: freshness still counts. */
	assert_int_equal(ends[0].done, 0);
	pass_black(FENCE_US + 100);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].state, RUDP_GONE);
	assert_int_equal(give(0, &packet), RUDP_RECEIVE_ELSEWHERE);
}

static void rudp_connection_close__tells_the_peer(void **state)
{
	(void)state;
	submit(RUDP_READ, 10);
	rudp_connection_close(ends[0].connection, now_us);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_CANCELLED);
	settle();
	assert_int_equal(ends[1].reason, RUDP_END_PEER);
	pass(1000);
	assert_int_equal(ends[0].state, RUDP_GONE);
	assert_int_equal(ends[1].state, RUDP_GONE);
}

static void rudp_receive__strangers(void **state)
{
	struct packet packet;
	struct rudp_address other = ends[0].address;

	(void)state;
	submit(RUDP_WRITE, 10);
	packet = take(0);
	other.port++;
	assert_int_equal(rudp_receive(ends[1].rudp, now_us, &other, packet.data, packet.bytes),
			 RUDP_RECEIVE_FOREIGN);
	packet.data[11] ^= 1;
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_UNKNOWN);
	packet.data[11] ^= 1;
	packet.data[0] = 99;
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_MALFORMED);
	assert_int_equal(ends[1].placed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(connection__doubtful_then_heard_again),
		CASE(connection__doubtful_while_it_waits_for_a_read),
		CASE(connection__silence_ends_it),
		CASE(connection__idle_stays),
		CASE(connection__opening_is_silent),
		CASE(rudp_receive__reset),
		CASE(rudp_connection_close__tells_the_peer),
		CASE(rudp_receive__strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
