/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A node's round is the worker's: take in a burst, advance, let the application work, send. Restarting throws rudp
 * and handshake away as a killed process would, and begins anew with another incarnation.
 */
#include "node.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "rudp/ecn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAM_BYTES 1472u
#define TIMEOUT_US     10000000u
/* A cancelled operation must have ended by then: freshness, and a round of the wheel. */
#define ENDING_US 130000u
/* Before another look whether there is a connection for a notification. */
#define NOTIFY_AGAIN_US 500u
/* An attempt to connect. */
#define CONNECT_US 2000000u

static uint64_t due_us(struct node *node, uint32_t about_us)
{
	if (about_us == 0)
		return UINT64_MAX;
	return *node->now_us + about_us / 2 + random_below(node->random, about_us);
}

static void node_state(void *context, struct rudp_connection *connection, enum rudp_state state,
		       enum rudp_end_reason reason)
{
	struct node *node = CONTAINER_OF((struct memory *)context, struct node, memory);

	(void)reason;
	if (state == RUDP_ESTABLISHED && rudp_connection_params(connection)->initiator == 0)
		node->connection = connection;
	if (state == RUDP_ENDED)
		node->ended++;
	if (state >= RUDP_ENDED && node->connection == connection)
		node->connection = NULL;
}

static void node_random(void *context, void *out, size_t bytes)
{
	struct node *node = context;

	for (uint8_t *at = out; bytes > 0; bytes--)
		*at++ = (uint8_t)random_next(node->random);
}

static int node_choose(void *context, const struct rudp_address *address)
{
	const struct node *node = context;

	(void)address;
	return (int)node->index + 1;
}

static int node_accept(void *context, const struct rudp_params *params)
{
	struct node *node = context;
	struct rudp_connection *connection;
	int result = rudp_connection_add(node->rudp, *node->now_us, params, NULL, &connection);

	if (result == 0 && params->initiator != 0)
		node->connection = connection;
	return result;
}

static void node_established(void *context, void *user, const struct rudp_params *params)
{
	struct node *node = context;

	node->is_connecting = false;
	node->peer_incarnation = params->incarnation;
	if (user != node || node_accept(node, params) != 0)
		memory_violation(&node->memory, "a connection could not be added", 0);
}

static void node_failed(void *context, void *user, const struct handshake_report *report)
{
	struct node *node = context;

	(void)user;
	node->is_connecting = false;
	node->failures++;
	if (report->failure == HANDSHAKE_INCARNATION)
		node->peer_incarnation = report->incarnation;
}

static bool node_prove(void *context, const struct rudp_grant *grant)
{
	struct node *node = CONTAINER_OF((struct memory *)context, struct node, memory);

	return proofs_begin(&node->proofs, node->random, *node->now_us, grant, true);
}

static bool node_check_proof(void *context, const struct rudp_grant *grant)
{
	struct node *node = CONTAINER_OF((struct memory *)context, struct node, memory);

	return proofs_begin(&node->proofs, node->random, *node->now_us, grant, false);
}

static const struct handshake_callbacks node_handshake_callbacks = {
	.random = node_random,
	.established = node_established,
	.failed = node_failed,
	.choose = node_choose,
	.accept = node_accept,
};

static void node_boot(struct node *node)
{
	const struct scenario *scenario = node->scenario;
	uint32_t datagram_bytes =
		scenario->datagram_bytes != 0 ? scenario->datagram_bytes : DATAGRAM_BYTES;
	struct rudp_callbacks callbacks = memory_callbacks;
	struct rudp_config config = {
		.connections_max = 8,
		.operations = RUDP_OPERATIONS_DEFAULT,
		.packets = RUDP_PACKETS_DEFAULT,
		.datagram_bytes = datagram_bytes,
		.worker = (uint8_t)(node->index + 1),
		.now_us = *node->now_us,
		.counters = node->counters,
		.cc = node->cc,
		.callbacks = &callbacks,
		.context = &node->memory,
	};
	struct handshake_config handshake_config = {
		.key = "the cluster's key",
		.datagram_bytes = (uint16_t)datagram_bytes,
		.operations = RUDP_OPERATIONS_DEFAULT,
		.packets = RUDP_PACKETS_DEFAULT,
		.capabilities = RUDP_CAN_CRC | (node->has_crc ? RUDP_WANTS_CRC : 0u),
		.accepted_max = 64,
		.counters = node->handshake_counters,
		.callbacks = &node_handshake_callbacks,
		.context = node,
	};

	callbacks.state = node_state;
	callbacks.prove = node_prove;
	callbacks.check = node_check_proof;
	node->proofs.count = 0;
	node->incarnation = random_next(node->random);
	node->memory.numbers_floor = numbers_floor(node->incarnation, 0);
	handshake_config.name[0] = (char)('a' + node->index);
	handshake_config.incarnation = node->incarnation;
	BUG_ON(rudp_create(&config, &node->rudp) != 0);
	BUG_ON(handshake_create(&handshake_config, *node->now_us, &node->handshake) != 0);
	node->connection = NULL;
	node->is_connecting = false;
}

void node_init(struct node *node, const struct scenario *scenario, struct node *peer)
{
	memory_init(&node->memory, &peer->memory, node->random);
	node->memory.now_us = node->now_us;
	node->memory.stall_ppm = scenario->stall_ppm;
	node->memory.fault_ppm = scenario->fault_ppm;
	node->memory.busy_ppm = scenario->busy_ppm;
	node->memory.is_lenient = (scenario->expects & SCENARIO_LENIENT) != 0;
	node->scenario = scenario;
	node->has_crc |= scenario->has_crc != 0;
	if (node->is_blind)
		node->has_crc = false;
	node->address.family = 4;
	node->address.port = (uint16_t)(7000 + node->index);
	node->address.ip[0] = 10;
	node->address.ip[3] = (uint8_t)(1 + node->index);
	node->next_pause_us = due_us(node, scenario->pause_us);
	node->next_retire_us = due_us(node, scenario->retire_us);
	node->next_restart_us = due_us(node, scenario->restart_us);
	node->next_close_us = due_us(node, scenario->close_us);
	node_boot(node);
}

void node_destroy(struct node *node)
{
	rudp_destroy(node->rudp);
	handshake_destroy(node->handshake);
	notifier_table_destroy(&node->memory.notifiers);
	for (uint32_t i = 0; i < node->inbox_count; i++)
		free(node->inbox[i].data);
}

/* Node 0 sees to it that there is a connection. */
static void node_connect(struct node *node, struct node *peer)
{
	struct handshake_target target = {
		.address = peer->address,
		.incarnation = node->peer_incarnation,
		.worker = (uint8_t)(node->index + 1),
		.deadline_us = *node->now_us + CONNECT_US,
		.user = node,
	};
	uint64_t attempt;

	if (node->index != 0 || node->connection != NULL || node->is_connecting)
		return;
	target.name[0] = 'b';
	BUG_ON(handshake_connect(node->handshake, *node->now_us, &target, &attempt) != 0);
	node->is_connecting = true;
}

static void node_take(struct node *node, struct node *peer, const struct link_packet *packet)
{
	uint64_t now_us = *node->now_us;

	switch (rudp_packet_kind(packet->data, packet->bytes)) {
	case RUDP_PACKET_HANDSHAKE:
		handshake_receive(node->handshake, now_us, &peer->address, packet->data,
				  packet->bytes);
		return;
	case RUDP_PACKET_CONNECTION:
	case RUDP_PACKET_RESET:
		if (rudp_receive_marked(node->rudp, now_us, &peer->address, packet->data,
					packet->bytes, packet->ecn) == RUDP_RECEIVE_UNKNOWN)
			handshake_reset(node->handshake, now_us, &peer->address,
					rudp_packet_connection(packet->data), packet->bytes);
		return;
	case RUDP_PACKET_INVALID:
	default:
		return;
	}
}

static void node_receive(struct node *node, struct node *peer)
{
	for (uint32_t i = 0; i < node->inbox_count; i++) {
		struct link_packet *packet = &node->inbox[i];

		if (node->tamper != NULL)
			node->tamper(packet->data, packet->bytes, *node->now_us);
		node_take(node, peer, packet);
		free(packet->data);
		if (node->sabotage != NULL)
			node->sabotage(node);
	}
	node->inbox_count = 0;
}

static uint32_t length_pick(struct node *node)
{
	uint32_t max = node->scenario->length_max;
	uint64_t dice = random_below(node->random, 4);

	if (max == 0)
		max = dice == 0 ? 256 : dice == 1 ? 8000 : dice == 2 ? 64000 : MEMORY_SLOT_BYTES;
	return 1 + (uint32_t)random_below(node->random, max);
}

/* May the request go on the connection there is? Then it names the slot of its grant. */
static bool node_may(struct node *node, struct rudp_operation_request *request)
{
	uint8_t rights = request->kind == RUDP_READ ? MEMORY_MAY_READ : MEMORY_MAY_WRITE;
	int status = rudp_grant_find(node->connection, *node->now_us,
				     memory_segment(request->region), rights, 0, &request->grant);

	if (status > 0 && !node->memory.is_lenient)
		memory_violation(&node->memory, "refused what was granted", (uint64_t)status);
	return status == 0 || node->is_hasty;
}

static bool node_submit(struct node *node)
{
	const struct scenario *scenario = node->scenario;
	enum rudp_kind kind =
		random_chance(node->random, scenario->read_ppm) ? RUDP_READ : RUDP_WRITE;
	struct memory_operation *operation =
		memory_begin(&node->memory, kind, length_pick(node),
			     random_chance(node->random, scenario->stale_ppm));
	struct rudp_operation_request request;

	if (operation == NULL)
		return false;
	request = memory_request(operation);
	operation->notifies =
		kind == RUDP_WRITE && random_chance(node->random, scenario->notify_ppm);
	operation->deadline_us =
		*node->now_us + (scenario->timeout_us ? scenario->timeout_us : TIMEOUT_US);
	if (random_chance(node->random, scenario->cancel_ppm))
		operation->cancel_us =
			*node->now_us + random_below(node->random, scenario->cancel_us);
	operation->connection = rudp_connection_handle(node->connection);
	if (node_may(node, &request) &&
	    rudp_submit(node->connection, *node->now_us, &request, &operation->id) == 0)
		return true;
	node->memory.submitted--;
	memory_abandon(&node->memory, operation);
	return false;
}

/* The next attempt at a notification, on whatever connection there is now. */
static void node_notify(struct node *node, struct memory_operation *operation)
{
	struct rudp_operation_request request = memory_request(operation);
	uint64_t now_us = *node->now_us;

	if (now_us < operation->attempt_us) {
		node->wake_us = MIN(node->wake_us, operation->attempt_us);
		return;
	}
	if (node->connection == NULL || !node_may(node, &request) ||
	    !memory_take_number(&node->memory, operation) ||
	    rudp_submit(node->connection, now_us, &request, &operation->id) != 0) {
		operation->attempt_us = now_us + NOTIFY_AGAIN_US;
		node->wake_us = MIN(node->wake_us, operation->attempt_us);
		return;
	}
	operation->is_waiting = false;
	operation->connection = rudp_connection_handle(node->connection);
}

/* An operation's time has come. */
static void node_cancel(struct node *node, struct memory_operation *operation)
{
	struct memory *memory = &node->memory;
	uint64_t now_us = *node->now_us;
	uint16_t status = now_us < operation->deadline_us ? HAUL_CANCELLED : HAUL_TIMEOUT;
	struct rudp_connection *connection;

	operation->ending_us = now_us;
	if (operation->is_waiting) {
		memory_end(memory, operation, status);
		return;
	}
	connection = rudp_connection_find(node->rudp, operation->connection);
	if (connection == NULL)
		memory_violation(memory, "operation outlived its connection", operation->uid);
	else
		rudp_cancel(connection, now_us, operation->id, status, 0);
}

/* Deadlines, cancellations, notifications, and the bound on how long an end may take. */
static void node_supervise(struct node *node)
{
	struct memory *memory = &node->memory;
	uint64_t now_us = *node->now_us;

	memory_reap(memory);
	for (uint32_t i = 0; i < MEMORY_OPERATIONS; i++) {
		struct memory_operation *operation = &memory->operations[i];
		uint64_t due = MIN(operation->deadline_us, operation->cancel_us);

		if (operation->uid == 0 || operation->is_orphan)
			continue;
		if (operation->ending_us != 0) {
			if (now_us > operation->ending_us + ENDING_US && node->paused_until_us == 0)
				memory_violation(memory, "no completion in bounded time",
						 operation->uid);
			continue;
		}
		if (now_us >= due) {
			node_cancel(node, operation);
			continue;
		}
		node->wake_us = MIN(node->wake_us, due);
		if (operation->is_waiting)
			node_notify(node, operation);
	}
}

static void node_work(struct node *node)
{
	const struct scenario *scenario = node->scenario;
	uint64_t now_us = *node->now_us;

	if (now_us < node->think_until_us) {
		node->wake_us = MIN(node->wake_us, node->think_until_us);
		return;
	}
	while (node->memory.submitted < scenario->operations &&
	       node->memory.open < scenario->depth && node->connection != NULL &&
	       rudp_connection_state(node->connection) < RUDP_ENDED) {
		if (!node_submit(node))
			break;
		if (scenario->think_us == 0)
			continue;
		node->think_until_us = now_us + random_below(node->random, scenario->think_us);
		node->wake_us = MIN(node->wake_us, node->think_until_us);
		break;
	}
}

static void node_restart(struct node *node)
{
	rudp_destroy(node->rudp);
	handshake_destroy(node->handshake);
	memory_restart(&node->memory);
	node_boot(node);
}

/* What befalls the node about every so often. */
static void node_fate(struct node *node)
{
	const struct scenario *scenario = node->scenario;
	uint64_t now_us = *node->now_us;
	bool is_over = node->memory.submitted == scenario->operations;

	if (now_us >= node->next_retire_us) {
		uint32_t region = (uint32_t)random_below(node->random, MEMORY_REGIONS);

		if (random_chance(node->random, 500000))
			node->memory.regions[region].is_draining = true;
		else
			memory_retire(&node->memory, region);
		node->next_retire_us = is_over ? UINT64_MAX : due_us(node, scenario->retire_us);
	}
	if (now_us >= node->next_restart_us) {
		node_restart(node);
		node->next_restart_us = is_over ? UINT64_MAX : due_us(node, scenario->restart_us);
	}
	if (now_us >= node->next_close_us) {
		if (node->connection != NULL)
			rudp_connection_close(node->connection, now_us);
		node->next_close_us = is_over ? UINT64_MAX : due_us(node, scenario->close_us);
	}
	if (now_us >= node->next_pause_us) {
		node->paused_until_us =
			now_us + random_below(node->random, scenario->pause_length_us);
		node->next_pause_us = is_over ? UINT64_MAX : due_us(node, scenario->pause_us);
	}
	node->wake_us = MIN(node->wake_us, node->next_retire_us);
	node->wake_us = MIN(node->wake_us, node->next_restart_us);
	node->wake_us = MIN(node->wake_us, node->next_close_us);
	node->wake_us = MIN(node->wake_us, node->next_pause_us);
}

static void node_transmit(struct node *node)
{
	uint8_t buffer[RUDP_DATAGRAM_BYTES_MAX];
	struct rudp_connection *connection;
	struct rudp_address address;
	size_t bytes;

	while ((bytes = handshake_transmit(node->handshake, *node->now_us, &address, buffer,
					   sizeof(buffer))) > 0)
		link_send(node->link, *node->now_us, buffer, bytes, ECN_NOT_ECT);
	while ((connection = rudp_next_to_send(node->rudp, *node->now_us)) != NULL) {
		while ((bytes = rudp_transmit(connection, *node->now_us, NULL, buffer,
					      sizeof(buffer))) > 0)
			link_send(node->link, *node->now_us, buffer, bytes,
				  rudp_connection_is_marked(connection) ? ECN_ECT0 : ECN_NOT_ECT);
	}
}

void node_poll(struct node *node, struct node *peer)
{
	if (*node->now_us < node->paused_until_us)
		return;
	/* A node that did not stand still has polled all the time; rounds without effect are left out. */
	if (node->paused_until_us == 0)
		rudp_advance(node->rudp, *node->now_us);
	node->paused_until_us = 0;
	node->wake_us = UINT64_MAX;
	node_receive(node, peer);
	rudp_advance(node->rudp, *node->now_us);
	handshake_advance(node->handshake, *node->now_us);
	proofs_advance(&node->proofs, node->rudp, node->incarnation, *node->now_us);
	node_connect(node, peer);
	node_supervise(node);
	node_work(node);
	rudp_grants_ask(node->rudp);
	node_transmit(node);
	node_fate(node);
}

uint64_t node_next_us(const struct node *node)
{
	uint64_t next_us = MIN(node->wake_us, rudp_next_deadline_us(node->rudp));

	next_us = MIN(next_us, handshake_next_deadline_us(node->handshake));
	next_us = MIN(next_us, proofs_next_us(&node->proofs));
	return MAX(next_us, node->paused_until_us);
}

bool node_is_done(const struct node *node)
{
	return node->memory.submitted == node->scenario->operations && node->memory.open == 0;
}

static void node_expect(struct node *node)
{
	struct memory *memory = &node->memory;
	uint32_t expects = node->scenario->expects;

	if ((expects & SCENARIO_ALL_OK) != 0 && memory->by_status[HAUL_OK] != memory->completed)
		memory_violation(memory, "an operation did not end with OK", 0);
	if ((expects & SCENARIO_NO_LOSS) != 0 &&
	    node->counters[RUDP_COUNTER_LOST] + node->counters[RUDP_COUNTER_RETRANSMITTED] != 0)
		memory_violation(memory, "sent twice on a perfect wire", 0);
	if ((expects & SCENARIO_NONE_LOST) != 0 && node->counters[RUDP_COUNTER_LOST] != 0)
		memory_violation(memory, "lost where nothing is dropped", 0);
	if ((expects & SCENARIO_MARKS) != 0 && node->counters[RUDP_COUNTER_ECN_MARKED] == 0)
		memory_violation(memory, "nothing was marked", 0);
	if ((expects & SCENARIO_UNMARKED) != 0 && node->counters[RUDP_COUNTER_ECN_FAILED] == 0)
		memory_violation(memory, "marks that vanish were not missed", 0);
	if ((expects & SCENARIO_PIECES) != 0 && node->counters[RUDP_COUNTER_PIECES] == 0)
		memory_violation(memory, "nothing went in pieces", 0);
	if ((expects & SCENARIO_NOTIFIES) != 0 && memory->notified == 0)
		memory_violation(memory, "nothing was notified", 0);
	if ((expects & SCENARIO_DAMAGES) != 0 && node->counters[RUDP_COUNTER_CRC_BAD] == 0)
		memory_violation(memory, "nothing was damaged", 0);
	if ((expects & SCENARIO_REFUSES) != 0 && memory->by_status[HAUL_STALE] == 0)
		memory_violation(memory, "nothing was refused", 0);
}

void node_check(struct node *node)
{
	struct memory *memory = &node->memory;
	struct rudp_stats stats;

	if (memory->completed != memory->submitted)
		memory_violation(memory, "completions and submissions differ", 0);
	for (uint32_t i = 0; i < MEMORY_REGIONS; i++) {
		if (memory->regions[i].open != 0 && !memory->is_lenient)
			memory_violation(memory, "operations of peers stay open", i);
	}
	if (node->connection != NULL) {
		rudp_connection_stats(node->connection, &stats);
		if (node->scenario->mtu_bytes != 0 && stats.mtu_bytes != node->scenario->mtu_bytes)
			memory_violation(memory, "another MTU than the path's", stats.mtu_bytes);
		if (stats.operations != 0 || (stats.served != 0 && !memory->is_lenient))
			memory_violation(memory, "rudp holds operations at the end", 0);
	}
	node_expect(node);
}
