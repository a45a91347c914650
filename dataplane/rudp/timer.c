/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens when nothing happens: probes, losses by time, fences by freshness, DONE, keep-alive, silence.
 *
 * A connection has one timer in the wheel. It is armed for the earliest deadline when that moves forward, and left
 * alone when it moves back: a timer that fires too early looks again and arms itself anew. So sending a
 * packet costs a comparison.
 */
#include "api/haul_error.h"
#include "rudp/conn.h"

/* Returns when the next fence ends by itself. */
static uint64_t timer_fences(struct rudp_connection *connection, uint64_t now_us)
{
	struct operations *operations = &connection->operations;
	uint64_t next_us = UINT64_MAX;

	for (uint32_t i = 0; i <= operations->mask && operations->fencing > 0; i++) {
		struct operation *operation = &operations->slots[i];
		uint64_t fence_us = operation_fence_us(operation);

		if (operation->state != OPERATION_FENCING)
			continue;
		if (now_us < fence_us) {
			next_us = MIN(next_us, fence_us);
			continue;
		}
		rudp_count(connection->rudp, RUDP_COUNTER_FENCED_BY_TIME);
		conn_finish(connection, operation, operation->status, operation->reason, 0);
	}
	return next_us;
}

static void timer_gone(struct rudp_connection *connection)
{
	struct rudp *rudp = connection->rudp;

	list_remove(&connection->ready);
	wheel_cancel(&rudp->wheel, &connection->timer);
	conn_state_set(connection, RUDP_GONE);
	connection->state = 0;
	connection->generation++;
	rudp->connection_count--;
}

static void timer_ended(struct rudp_connection *connection, uint64_t now_us)
{
	uint64_t next_us = timer_fences(connection, now_us);
	uint64_t linger_us = connection->ended_us + CONN_LINGER_US;

	if (connection->close_pending && now_us < linger_us)
		next_us = MIN(next_us, linger_us);
	if (connection->operations.open > 0 || next_us != UINT64_MAX) {
		conn_arm(connection, next_us);
		return;
	}
	timer_gone(connection);
}

static void timer_doubt(struct rudp_connection *connection, uint64_t now_us)
{
	if (connection->loss.probes < CONN_DOUBT_PROBES)
		return;
	connection->cc.ops->timeout(&connection->cc, connection->loss.probes, now_us);
	if (connection->state != RUDP_ESTABLISHED ||
	    now_us - connection->waiting_us < CONN_DOUBT_US)
		return;
	rudp_count(connection->rudp, RUDP_COUNTER_DOUBTFUL);
	conn_state_set(connection, RUDP_DOUBTFUL);
}

/* Marks what a packet carries to be sent again; false when it is on its way in pieces. */
static bool timer_again(struct sent *sent, uint32_t origin, const struct sent_packet *packet)
{
	struct sent_packet *first = sent_at(sent, origin);

	if ((first->flags & SENT_CUT) != 0 && !piece_again(first, packet))
		return false;
	sent_again_set(sent, origin);
	return true;
}

/* Sends the oldest packet in flight again without calling it lost, or pings when it is moot. */
static void timer_probe(struct rudp_connection *connection, uint64_t now_us)
{
	struct sent *sent = &connection->sent;
	uint32_t number = sent_find(sent, sent->flight, sent->tail, sent->next);
	const struct sent_packet *packet = sent_at(sent, number);
	uint32_t origin = number - packet->age;

	timer_doubt(connection, now_us);
	/* Nothing has ever come through: perhaps since it is marked. */
	if (UNLIKELY(connection->ecn.is_on && !connection->ecn.is_heard) &&
	    connection->loss.probes >= ECN_PROBES_MAX)
		conn_unmark(connection);
	connection->loss.probes++;
	connection->last_sent_us = now_us;
	rudp_count(connection->rudp, RUDP_COUNTER_PROBES);
	conn_wake(connection);
	if (packet->kind == SENT_CONTROL) {
		if (!ack_resay(connection, number, packet->flags))
			connection->ping_pending = true;
		return;
	}
	if (origin - sent->tail < sent_span(sent) &&
	    !ack_is_moot(connection, sent_at(sent, origin)) && timer_again(sent, origin, packet)) {
		connection->probe_pending = true;
		/* Data may have to wait for a fresh tick, or be too large by now; the ping is answered. */
		if (!conn_tick_is_fresh(connection, now_us) ||
		    packet->length + conn_data_header_bytes(connection) > RUDP_DATAGRAM_BYTES_MIN)
			connection->ping_pending = true;
		return;
	}
	connection->ping_pending = true;
}

/* Something is unacknowledged. Returns the next deadline. */
static uint64_t timer_waiting(struct rudp_connection *connection, uint64_t now_us)
{
	uint64_t probe_us;

	if (connection->loss_due_us <= now_us)
		ack_detect_loss(connection, now_us);
	probe_us = connection->last_sent_us + loss_probe_us(&connection->loss);
	if (probe_us <= now_us && connection->sent.in_flight > 0) {
		timer_probe(connection, now_us);
		probe_us = now_us + loss_probe_us(&connection->loss);
	}
	return MIN(probe_us, connection->loss_due_us);
}

/* Nothing is unacknowledged. Somebody who waits for a READ asks sooner whether its source is still there. */
static uint64_t timer_idle(struct rudp_connection *connection, uint64_t now_us)
{
	const struct rudp_config *config = &connection->rudp->config;
	uint32_t patience_us =
		connection->operations.open > 0 ? CONN_LISTEN_US : config->keepalive_us;
	uint64_t ping_us = connection->heard_us + patience_us;

	if (connection->state == RUDP_OPENING)
		return connection->heard_us + config->silence_us;
	if (now_us < ping_us)
		return ping_us;
	connection->ping_pending = true;
	conn_wake(connection);
	return now_us + patience_us;
}

static void timer_alive(struct rudp_connection *connection, uint64_t now_us)
{
	uint64_t silence_us = connection->rudp->config.silence_us;
	uint64_t next_us;

	if ((connection->sent.in_flight > 0 || connection->state == RUDP_OPENING) &&
	    now_us >= MAX(connection->heard_us, connection->waiting_us) + silence_us) {
		rudp_count(connection->rudp, RUDP_COUNTER_SILENT);
		conn_end(connection, RUDP_END_SILENCE, now_us);
		return;
	}
	/* Not even the oldest chunk can be sent again: its number would leave the peer's window. */
	if (connection->sent.in_flight == 0 &&
	    sent_span(&connection->sent) > connection->sent.mask) {
		conn_end(connection, RUDP_END_LOSS, now_us);
		return;
	}
	if (connection->sent.in_flight > 0)
		next_us = timer_waiting(connection, now_us);
	else
		next_us = timer_idle(connection, now_us);
	if (connection->done_due_us <= now_us)
		conn_wake(connection);
	else
		next_us = MIN(next_us, connection->done_due_us);
	if (connection->mtu.raise_us <= now_us) {
		mtu_raise(&connection->mtu);
		conn_wake(connection);
	}
	next_us = MIN(next_us, connection->mtu.raise_us);
	next_us = MIN(next_us, timer_fences(connection, now_us));
	ack_retire(connection);
	conn_arm(connection, next_us);
}

void timer_fire_connection(struct timer *timer, uint64_t now_us)
{
	struct rudp_connection *connection = CONTAINER_OF(timer, struct rudp_connection, timer);

	connection->deadline_us = UINT64_MAX;
	if (connection->state == RUDP_ENDED)
		timer_ended(connection, now_us);
	else
		timer_alive(connection, now_us);
}
