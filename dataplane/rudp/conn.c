/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Birth, states and death of a connection, and how operations end.
 *
 * An operation ends here and nowhere else: conn_finish reports it and frees its slot, once. A WRITE of
 * which something was sent, and that did not complete, first goes through FENCING: its slot stays taken until
 * DONE is acknowledged (ack.c) or nothing that was sent can land any more (timer.c).
 */
#include "rudp/conn.h"

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/weaken.h"

#include <string.h>

static void conn_closed(struct served_table *table, struct served *served)
{
	struct rudp_connection *connection = CONTAINER_OF(table, struct rudp_connection, served);
	struct rudp *rudp = connection->rudp;

	rudp->callbacks.closed(rudp->context, connection, served->region);
}

void conn_init(struct rudp_connection *connection, uint64_t now_us)
{
	const struct rudp_params *params = &connection->params;
	const struct rudp_config *config = &connection->rudp->config;
	uint8_t *memory = connection->memory;

	sent_init(&connection->sent, memory, params->packets, params->packet_number_local);
	memory += sent_bytes(params->packets);
	operations_init(&connection->operations, memory, params->operations);
	memory += operations_bytes(params->operations);
	served_init(&connection->served, memory, params->operations, conn_closed);
	memory += served_bytes(params->operations);
	grants_init(&connection->grants, memory);
	window_init(&connection->window, params->packet_number_remote);
	loss_init(&connection->loss);
	connection->ranges.count = 0;
	mtu_init(&connection->mtu, params->datagram_bytes, params->address.family);
	if ((params->capabilities & RUDP_WANTS_CRC) != 0) {
		connection->crc_flag = WIRE_FLAG_CRC;
		connection->crc_bytes = WIRE_CRC_BYTES;
		rudp_count(connection->rudp, RUDP_COUNTER_CRC_CONNECTIONS);
	}
	connection->largest_acked = params->packet_number_local - 1;
	connection->quantum = CONN_QUANTUM;
	connection->heard_us = connection->waiting_us = connection->last_sent_us = now_us;
	connection->done_due_us = connection->loss_due_us = UINT64_MAX;
	connection->deadline_us = UINT64_MAX;
	connection->cc.ops = params->cc != NULL ? params->cc : config->cc;
	conn_payload_set(connection);
	connection->cc.ops->init(&connection->cc);
	connection->ecn.is_on = connection->cc.ops->is_marked;
	timer_init(&connection->timer, timer_fire_connection);
	/* The first ping brings the peer's tick and a round-trip time before the first operation. */
	connection->ping_pending = true;
	/* A responder is silent at first: the initiator's worker may not have the connection yet, and
	 * would answer with a reset. */
	connection->state = params->initiator != 0 ? RUDP_ESTABLISHED : RUDP_OPENING;
	conn_wake(connection);
	conn_arm(connection, now_us + LOSS_PROBE_US_MIN);
}

void conn_payload_set(struct rudp_connection *connection)
{
	uint32_t payload = connection->mtu.datagram_bytes - conn_data_header_bytes(connection);
	uint32_t pieces = (payload + PIECE_BYTES - 1) / PIECE_BYTES;

	connection->payload_max = (uint16_t)payload;
	/* The half of the numbers that new chunks do not use has room for all that are on the way, in pieces. */
	cc_bound(&connection->cc, MIN(connection->rudp->config.window_packets,
				      connection->params.packets / 2 / pieces));
}

void conn_unmark(struct rudp_connection *connection)
{
	struct rudp *rudp = connection->rudp;

	connection->ecn.is_on = false;
	rudp_count(rudp, RUDP_COUNTER_ECN_FAILED);
	if (rudp->callbacks.unmark != NULL)
		rudp->callbacks.unmark(rudp->context, connection);
}

void conn_wake(struct rudp_connection *connection)
{
	list_append(&connection->rudp->ready, &connection->ready);
}

void conn_arm(struct rudp_connection *connection, uint64_t deadline_us)
{
	if (deadline_us >= connection->deadline_us)
		return;
	connection->deadline_us = deadline_us;
	wheel_arm(&connection->rudp->wheel, &connection->timer, deadline_us);
}

void conn_state_set(struct rudp_connection *connection, enum rudp_state state)
{
	struct rudp *rudp = connection->rudp;

	/* Established and doubtful alternate; all end; what has ended is gone at last. */
	ASSERT(state != (enum rudp_state)connection->state && state != RUDP_OPENING);
	ASSERT(state != RUDP_DOUBTFUL || connection->state == RUDP_ESTABLISHED);
	ASSERT(connection->state < RUDP_ENDED || state == RUDP_GONE);
	ASSERT(state != RUDP_GONE || connection->state == RUDP_ENDED);
	connection->state = (uint8_t)state;
	rudp->callbacks.state(rudp->context, connection, state,
			      (enum rudp_end_reason)connection->reason);
}

void conn_finish(struct rudp_connection *connection, struct operation *operation, uint16_t status,
		 uint16_t reason, uint64_t version)
{
	struct rudp *rudp = connection->rudp;
	struct rudp_completion completion = {
		.connection = connection,
		.cookie = operation->cookie,
		.bytes = operation->kind == RUDP_NOTIFY ? 0 : operation->settled,
		.status = status,
		.reason = reason,
		.version = version,
		.kind = operation->kind,
	};

	grants_leave(&connection->grants, operation->grant);
	if (operation->state == OPERATION_ACTIVE)
		operation_over(&connection->operations, operation);
	else
		connection->operations.fencing--;
	operation_free(&connection->operations, operation);
	rudp_count(rudp, RUDP_COUNTER_OPERATIONS_DONE);
	rudp->callbacks.done(rudp->context, &completion);
}

void conn_abort(struct rudp_connection *connection, struct operation *operation, uint16_t status,
		uint16_t reason, uint64_t now_us)
{
	ASSERT(operation->state == OPERATION_ACTIVE);
	ASSERT(status != HAUL_OK);
	/* Chunks that were placed cannot land again, so only those on the way need a fence. */
	if (operation->kind == RUDP_READ || operation->settled == operation->sent ||
	    weaken_has(WEAKEN_FENCE)) {
		conn_done_due(connection, now_us);
		conn_finish(connection, operation, status, reason, 0);
		return;
	}
	operation_over(&connection->operations, operation);
	operation->state = OPERATION_FENCING;
	operation->status = (uint8_t)status;
	operation->reason = reason;
	operation->said = 0;
	connection->operations.fencing++;
	conn_arm(connection, operation_fence_us(operation));
	if (connection->state == RUDP_ENDED)
		return;
	connection->done_urgent = true;
	conn_wake(connection);
}

void conn_done_due(struct rudp_connection *connection, uint64_t now_us)
{
	if (connection->done_due_us != UINT64_MAX)
		return;
	connection->done_due_us = now_us + CONN_DONE_DELAY_US;
	conn_arm(connection, connection->done_due_us);
}

/* Why operations end with their connection. */
static uint16_t conn_status(enum rudp_end_reason reason, uint16_t *reason_out)
{
	*reason_out = HAUL_REASON_NONE;
	if (reason == RUDP_END_CLOSED)
		return HAUL_CANCELLED;
	if (reason == RUDP_END_SILENCE || reason == RUDP_END_LOSS)
		*reason_out = HAUL_REASON_PEER_SILENT;
	return HAUL_NO_PATH;
}

void conn_end(struct rudp_connection *connection, enum rudp_end_reason reason, uint64_t now_us)
{
	struct rudp *rudp = connection->rudp;
	struct operations *operations = &connection->operations;
	uint16_t cause;
	uint16_t status = conn_status(reason, &cause);

	ASSERT(connection->state < RUDP_ENDED);
	table_remove(&rudp->local, connection->params.local_id);
	table_remove(&rudp->remote, connection->params.remote_id);
	connection->reason = (uint8_t)reason;
	connection->ended_us = now_us;
	/* A peer that closed, or does not know the connection, need not be told. */
	connection->close_pending = reason != RUDP_END_PEER && reason != RUDP_END_RESTARTED &&
				    connection->state != RUDP_OPENING;
	list_remove(&connection->ready);
	list_remove(&connection->paced);
	list_remove(&connection->asking);
	conn_state_set(connection, RUDP_ENDED);
	served_end(&connection->served);
	for (uint32_t i = 0; i <= operations->mask; i++) {
		if (operations->slots[i].state == OPERATION_ACTIVE)
			conn_abort(connection, &operations->slots[i], status, cause, now_us);
	}
	if (connection->close_pending)
		conn_wake(connection);
	/* GONE is reported from the timer: callers up the stack still hold the pointer. */
	conn_arm(connection, now_us);
}
