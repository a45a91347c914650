/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ends of rudp for the tests of its promises; rudp_ends.h says what they are. */
#include "rudp_ends.h"

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/check.h"
#include "unit.h"

struct end ends[2];
uint32_t ends_capabilities;
uint64_t now_us;

static int end_place(void *context, struct rudp_placement *placement)
{
	struct end *end = context;

	end->placement = *placement;
	end->placed_byte = *(const uint8_t *)placement->payload;
	placement->version = 77;
	placement->reason = HAUL_REASON_REGION_GENERATION;
	if (end->place_status != 0)
		return end->place_status;
	end->placed++;
	end->bytes += placement->length;
	if ((placement->flags & RUDP_PLACE_FIRST) != 0 && (placement->flags & RUDP_PLACE_ONLY) == 0)
		end->opened++;
	return 0;
}

static int end_notify(void *context, struct rudp_notification *notification)
{
	struct end *end = context;

	end->notification = *notification;
	notification->version = 79;
	notification->reason = HAUL_REASON_NOTIFICATIONS_FULL;
	end->notified += end->notify_status == 0;
	return end->notify_status;
}

static int end_open(void *context, struct rudp_opening *opening)
{
	struct end *end = context;

	opening->version = 78;
	end->opened += end->open_status == 0;
	return end->open_status;
}

static void end_closed(void *context, struct rudp_connection *connection, uint64_t region)
{
	struct end *end = context;

	(void)connection;
	(void)region;
	end->closed++;
}

static int end_source(void *context, struct rudp_source *source)
{
	struct end *end = context;

	if (source->kind == RUDP_NOTIFY)
		source->notice = end->notice;
	else
		memset(source->destination, end->source_byte != 0 ? end->source_byte : 's',
		       source->length);
	return end->source_status;
}

static int end_deliver(void *context, uint64_t cookie, uint32_t offset, const void *payload,
		       uint32_t length)
{
	struct end *end = context;

	(void)cookie;
	(void)offset;
	assert_int_equal(*(const char *)payload, 's');
	end->delivered += length;
	return 0;
}

static void end_done(void *context, const struct rudp_completion *completion)
{
	struct end *end = context;

	end->done++;
	end->completion = *completion;
}

static void end_state(void *context, struct rudp_connection *connection, enum rudp_state state,
		      enum rudp_end_reason reason)
{
	struct end *end = context;

	(void)connection;
	end->state = state;
	end->reason = reason;
}

static bool end_prove(void *context, const struct rudp_grant *grant)
{
	struct end *end = context;

	if (end->is_full)
		return false;
	end->grant = *grant;
	end->proves++;
	return true;
}

static bool end_check(void *context, const struct rudp_grant *grant)
{
	struct end *end = context;

	if (end->is_full)
		return false;
	end->grant = *grant;
	end->checks++;
	return true;
}

static const struct rudp_callbacks callbacks = {
	.place = end_place,
	.notify = end_notify,
	.open = end_open,
	.closed = end_closed,
	.source = end_source,
	.deliver = end_deliver,
	.done = end_done,
	.state = end_state,
	.prove = end_prove,
	.check = end_check,
};

struct rudp_config config_make(unsigned i)
{
	return (struct rudp_config){
		.connections_max = 2,
		.operations = OPERATIONS,
		.packets = RUDP_PACKETS_MIN,
		.datagram_bytes = DATAGRAM,
		.worker = (uint8_t)i,
		.now_us = now_us,
		.counters = ends[i].counters,
		.callbacks = &callbacks,
		.context = &ends[i],
	};
}

struct rudp_params params_make(unsigned i)
{
	struct rudp_params params = {
		.local_id = (uint64_t)i << 56 | 0x1001,
		.remote_id = (uint64_t)!i << 56 | 0x1001,
		.address = { .family = 4, .port = (uint16_t)(!i + 1) },
		.packet_number_local = i == 0 ? UINT32_MAX - 3 : 50,
		.packet_number_remote = i == 0 ? 50 : UINT32_MAX - 3,
		.datagram_bytes = DATAGRAM,
		.operations = OPERATIONS,
		.packets = RUDP_PACKETS_MIN,
		.capabilities = ends_capabilities,
		.initiator = i == 0,
	};

	memset(params.token, (int)(i + 1), RUDP_TOKEN_BYTES);
	memset(params.token_peer, (int)(!i + 1), RUDP_TOKEN_BYTES);
	return params;
}

/* The next packet of an end; 0 bytes = it has nothing to send. */
struct packet take(unsigned i)
{
	struct rudp_connection *connection;
	struct packet packet = { 0 };

	while (packet.bytes == 0 && (connection = rudp_next_to_send(ends[i].rudp, now_us)) != NULL)
		packet.bytes =
			rudp_transmit(connection, now_us, NULL, packet.data, sizeof(packet.data));
	return packet;
}

enum rudp_receive give(unsigned to, const struct packet *packet)
{
	return rudp_receive(ends[to].rudp, now_us, &ends[!to].address, packet->data, packet->bytes);
}

/* Back and forth until both are silent. */
void settle(void)
{
	struct packet packet;
	bool any = true;

	while (any) {
		any = false;
		for (unsigned i = 0; i < 2; i++) {
			while ((packet = take(i)).bytes > 0) {
				give(!i, &packet);
				any = true;
			}
		}
	}
}

void pass(uint64_t us)
{
	uint64_t until_us = now_us + us;

	while (now_us < until_us) {
		uint64_t next_us = until_us;

		for (unsigned i = 0; i < 2; i++)
			next_us = MIN(next_us, rudp_next_deadline_us(ends[i].rudp));
		now_us = MAX(next_us, now_us + 1);
		for (unsigned i = 0; i < 2; i++)
			rudp_advance(ends[i].rudp, now_us);
	}
}

/* Time passes, and whatever anybody sends is lost. */
void pass_black(uint64_t us)
{
	uint64_t until_us = now_us + us;

	while (now_us < until_us) {
		for (unsigned i = 0; i < 2; i++) {
			while (take(i).bytes > 0) {}
		}
		pass(MIN(until_us - now_us, UINT64_C(100)));
	}
}

int setup(void **state)
{
	(void)state;
	memset(ends, 0, sizeof(ends));
	now_us = START_US;
	for (unsigned i = 0; i < 2; i++) {
		struct rudp_config config = config_make(i);
		struct rudp_params params = params_make(i);

		ends[i].address.family = 4;
		ends[i].address.port = (uint16_t)(i + 1);
		assert_int_equal(rudp_create(&config, &ends[i].rudp), 0);
		assert_int_equal(rudp_connection_add(ends[i].rudp, now_us, &params, &ends[i],
						     &ends[i].connection),
				 0);
	}
	settle();
	return 0;
}

int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		rudp_destroy(ends[i].rudp);
	return 0;
}

uint32_t submit(enum rudp_kind kind, uint32_t length)
{
	struct rudp_operation_request request = {
		.kind = kind, .length = length, .region = 0xabc, .offset = 0x100, .cookie = 42
	};
	uint32_t id = 0;

	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), 0);
	return id;
}
