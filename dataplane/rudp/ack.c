/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of packets that were sent: acknowledged, lost, or lost and acknowledged after all.
 *
 * An acknowledgement of any transmission of a chunk settles the chunk, once; its origin remembers. A WRITE is
 * done when all its bytes are settled, since acknowledged means placed. A lost packet's chunk is marked to be
 * sent again if the lost transmission was its newest; a lost control packet's frames are said again.
 */
#include "api/haul_error.h"
#include "base/seq.h"
#include "rudp/conn.h"

static void ack_write(struct rudp_connection *connection, const struct sent_packet *origin,
		      uint64_t now_us)
{
	struct operation *operation = operation_find(&connection->operations, origin->operation);

	if (operation == NULL)
		return;
	operation->settled += origin->length;
	ASSERT(operation->settled <= operation->length);
	/* Of a cancelled one nothing is on the way any more: each chunk lands once, and has. */
	if (operation->state == OPERATION_FENCING && operation->settled == operation->sent)
		conn_finish(connection, operation, operation->status, operation->reason, 0);
	if (operation->settled != operation->length || operation->state != OPERATION_ACTIVE)
		return;
	/* A single packet said so itself; of more the target has to be told that it was all. */
	if (operation->length != origin->length || (origin->flags & SENT_CUT) != 0)
		conn_done_due(connection, now_us);
	conn_finish(connection, operation, HAUL_OK, 0, 0);
}

static void ack_read_data(struct rudp_connection *connection, const struct sent_packet *origin)
{
	struct served *served = served_find(&connection->served, origin->operation);

	if (served == NULL || served->state != SERVED_READING)
		return;
	served->settled += origin->length;
	ASSERT(served->settled <= served->length);
	if (served->settled == served->length)
		served_over(&connection->served, served);
}

/* Every DONE names all that is over, so the acknowledgement of one confirms the fences before it. */
static void ack_done(struct rudp_connection *connection, uint32_t number)
{
	struct operations *operations = &connection->operations;

	for (uint32_t i = 0; i <= operations->mask && operations->fencing > 0; i++) {
		struct operation *operation = &operations->slots[i];

		if (operation->state != OPERATION_FENCING || !operation->said ||
		    seq32_before(number, operation->number))
			continue;
		rudp_count(connection->rudp, RUDP_COUNTER_FENCED_BY_PEER);
		conn_finish(connection, operation, operation->status, operation->reason, 0);
	}
}

/* Larger than what every path must carry: only such packets vanish in a black hole. */
static bool ack_is_large(const struct rudp_connection *connection, const struct sent_packet *packet)
{
	return packet->kind != SENT_CONTROL &&
	       packet->length + conn_data_header_bytes(connection) > RUDP_DATAGRAM_BYTES_MIN;
}

RARELY static void ack_control(struct rudp_connection *connection, uint32_t number, uint64_t now_us)
{
	const struct sent_packet *packet = sent_at(&connection->sent, number);

	if ((packet->flags & SENT_HAS_DONE) != 0)
		ack_done(connection, number);
	if ((packet->flags & SENT_HAS_PROBE) == 0)
		return;
	mtu_acked(&connection->mtu, packet->length, now_us);
	conn_payload_set(connection);
	conn_wake(connection);
}

/* Of a chunk that is settled or cut: did this transmission bring what was missing? */
RARELY static bool ack_is_rest(struct sent *sent, uint32_t origin_number,
			       const struct sent_packet *packet)
{
	struct sent_packet *origin = sent_at(sent, origin_number);

	if ((origin->flags & SENT_SETTLED) != 0)
		return false;
	if (!piece_is(packet) || piece_settled(origin, packet))
		return true;
	if (piece_waiting(origin) == PIECES_MAX)
		sent_again_clear(sent, origin_number);
	return false;
}

/* The chunk of a transmission has arrived. An origin below tail was settled long ago. */
static void ack_settle(struct rudp_connection *connection, uint32_t number, uint64_t now_us)
{
	struct sent *sent = &connection->sent;
	struct sent_packet *packet = sent_at(sent, number);
	uint32_t origin_number = number - packet->age;
	struct sent_packet *origin = sent_at(sent, origin_number);

	if (packet->kind == SENT_CONTROL) {
		ack_control(connection, number, now_us);
		return;
	}
	if (UNLIKELY(connection->mtu.rounds > 0) && ack_is_large(connection, packet))
		mtu_confirm(&connection->mtu);
	if (seq32_before(origin_number, sent->tail))
		return;
	if (UNLIKELY((origin->flags & (SENT_SETTLED | SENT_CUT)) != 0) &&
	    !ack_is_rest(sent, origin_number, packet))
		return;
	origin->flags |= SENT_SETTLED;
	sent_again_clear(sent, origin_number);
	if (origin->kind == SENT_WRITE)
		ack_write(connection, origin, now_us);
	else
		ack_read_data(connection, origin);
}

static void ack_spurious(struct rudp_connection *connection, uint32_t number, uint64_t now_us)
{
	struct rudp *rudp = connection->rudp;

	sent_unlose(&connection->sent, number);
	connection->packets_spurious++;
	rudp_count(rudp, RUDP_COUNTER_SPURIOUS);
	loss_spurious(&connection->loss, connection->largest_acked - number,
		      connection->params.packets / 4);
	connection->cc.ops->spurious(&connection->cc, now_us);
	ack_settle(connection, number, now_us);
}

/*
 * The first number of a range that is in [base, base + size), end when none is. A peer may name any range, also one
 * half the number space away, where comparing numbers says nothing.
 */
static uint32_t ack_first(const struct wire_range *range, uint32_t base, uint32_t size)
{
	if (range->last - base >= size)
		return range->last + 1;
	return range->last - range->first > range->last - base ? base : range->first;
}

/* Newly acknowledged packets of one range, those that had been declared lost among them. */
static uint32_t ack_range(struct rudp_connection *connection, const struct wire_range *range,
			  uint64_t now_us)
{
	struct sent *sent = &connection->sent;
	uint32_t end = range->last + 1;
	uint32_t first = ack_first(range, sent->tail, sent_span(sent));
	uint32_t count = 0;
	uint32_t number;

	for (number = sent_find(sent, sent->flight, first, end); number != end;
	     number = sent_find(sent, sent->flight, number + 1, end)) {
		sent_land(sent, number);
		ack_settle(connection, number, now_us);
		count++;
	}
	if (sent->lost_count == 0)
		return count;
	/* Those are remembered beyond tail, for as long as their record is not used again. */
	first = ack_first(range, sent->next - 1 - sent->mask, sent->mask + 1);
	for (number = sent_find(sent, sent->lost, first, end); number != end;
	     number = sent_find(sent, sent->lost, number + 1, end)) {
		ack_spurious(connection, number, now_us);
		count++;
	}
	return count;
}

/* Raises the highest number acknowledged; a round-trip time only if that packet is newly so. */
static void ack_largest(struct rudp_connection *connection, const struct wire_ack *ack,
			struct cc_ack *told)
{
	uint32_t largest = ack->ranges[0].last;
	uint32_t sample_us;

	if (seq32_before(connection->largest_acked, largest))
		connection->largest_acked = largest;
	if (!sent_is_flying(&connection->sent, largest))
		return;
	sample_us = (uint32_t)told->now_us - sent_at(&connection->sent, largest)->sent_us;
	loss_rtt_sample(&connection->loss, sample_us,
			ack->delay_us + rudp_away_us(connection->rudp, told->now_us));
	told->sent_us = told->now_us - sample_us;
	told->rtt_us = connection->loss.latest_us;
}

static void ack_progress(struct rudp_connection *connection, uint32_t count, struct cc_ack *told)
{
	uint64_t now_us = told->now_us;

	connection->waiting_us = now_us;
	connection->loss.probes = 0;
	connection->probe_pending = false;
	told->packets = count;
	told->srtt_us = loss_rtt_us(&connection->loss);
	connection->cc.ops->acked(&connection->cc, told);
	if (connection->state == RUDP_DOUBTFUL)
		conn_state_set(connection, RUDP_ESTABLISHED);
}

/* Only an acknowledgement that raises the largest number tells counts that are newer than the last. */
static void ack_marks(struct rudp_connection *connection, const struct wire_ack *ack,
		      const struct cc_ack *told)
{
	int64_t marks =
		ecn_validate(&connection->ecn, ack, told->packets, connection->packets_sent);

	if (marks < 0) {
		conn_unmark(connection);
	} else if (marks > 0) {
		connection->rudp->counters[RUDP_COUNTER_ECN_MARKED] += (uint64_t)marks;
		connection->cc.ops->marked(&connection->cc, (uint32_t)marks, told);
	}
}

bool ack_receive(struct rudp_connection *connection, const struct wire_ack *ack, uint64_t now_us)
{
	struct sent *sent = &connection->sent;
	uint32_t largest = ack->ranges[0].last;
	struct cc_ack told = { .now_us = now_us, .in_flight = sent->in_flight };
	uint32_t count = 0;
	bool is_newest;

	if (!seq32_before(largest, sent->next))
		return false;
	is_newest = seq32_before(connection->largest_acked, largest);
	ack_largest(connection, ack, &told);
	for (uint32_t i = 0; i < ack->count; i++)
		count += ack_range(connection, &ack->ranges[i], now_us);
	if (count > 0)
		ack_progress(connection, count, &told);
	if (connection->ecn.is_on && is_newest && count > 0)
		ack_marks(connection, ack, &told);
	ack_detect_loss(connection, now_us);
	ack_retire(connection);
	return true;
}

bool ack_is_moot(const struct rudp_connection *connection, const struct sent_packet *origin)
{
	const struct operation *operation;
	const struct served *served;

	if (origin->kind == SENT_CONTROL || (origin->flags & SENT_SETTLED) != 0)
		return true;
	if (origin->kind == SENT_WRITE) {
		operation = operation_find(&connection->operations, origin->operation);
		return operation == NULL || operation->state != OPERATION_ACTIVE;
	}
	served = served_find(&connection->served, origin->operation);
	return served == NULL || served->state != SERVED_READING;
}

void ack_retire(struct rudp_connection *connection)
{
	struct sent *sent = &connection->sent;

	while (sent_span(sent) > 0) {
		const struct sent_packet *packet = sent_at(sent, sent->tail);

		if (sent_is_flying(sent, sent->tail))
			return;
		if (packet->age == 0 && !ack_is_moot(connection, packet))
			return;
		if (packet->age == 0)
			sent_again_clear(sent, sent->tail);
		sent_retire(sent);
	}
}

bool ack_resay(struct rudp_connection *connection, uint32_t number, uint8_t flags)
{
	struct operations *operations = &connection->operations;
	struct served_table *served = &connection->served;
	bool any = false;

	for (uint32_t i = 0; (flags & SENT_HAS_READ) != 0 && i <= operations->mask; i++) {
		struct operation *read = &operations->slots[i];

		if (read->state != OPERATION_ACTIVE || read->kind != RUDP_READ || !read->said ||
		    read->number != number || read->settled > 0)
			continue;
		list_append(&operations->requesting, &read->link);
		any = true;
	}
	for (uint32_t i = 0; (flags & SENT_HAS_REFUSE) != 0 && i <= served->mask; i++) {
		struct served *refused = &served->slots[i];

		if (refused->state != SERVED_REFUSED || !refused->said || refused->number != number)
			continue;
		list_append(&served->refusing, &refused->link);
		any = true;
	}
	if ((flags & SENT_HAS_GRANT) != 0 && grants_resay(&connection->grants, number))
		any = true;
	if ((flags & SENT_HAS_DONE) != 0 && connection->done_number == number) {
		connection->done_urgent = true;
		any = true;
	}
	if ((flags & SENT_HAS_PING) != 0 && connection->ping_number == number) {
		connection->ping_pending = true;
		any = true;
	}
	return any;
}

/* A loss like any other, unless for some round trips nothing of that size has come through. */
static void ack_suspect(struct rudp_connection *connection, const struct sent_packet *packet,
			uint64_t now_us)
{
	uint64_t sent_us = now_us - (uint32_t)((uint32_t)now_us - packet->sent_us);

	if (!mtu_suspect(&connection->mtu, sent_us, now_us))
		return;
	rudp_count(connection->rudp, RUDP_COUNTER_BLACK_HOLES);
	conn_payload_set(connection);
}

/* True when it is a loss that matters: refused and fenced packets are never acknowledged. */
static bool ack_lose(struct rudp_connection *connection, uint32_t number, uint64_t now_us)
{
	struct sent *sent = &connection->sent;
	struct sent_packet *packet = sent_at(sent, number);
	uint32_t origin_number = number - packet->age;
	struct sent_packet *origin = sent_at(sent, origin_number);

	if (packet->kind == SENT_CONTROL && (packet->flags & SENT_HAS_PROBE) != 0) {
		sent_land(sent, number);
		rudp_count(connection->rudp, RUDP_COUNTER_MTU_PROBES_LOST);
		mtu_lost(&connection->mtu, packet->length, now_us);
		conn_wake(connection);
		return false;
	}
	if (packet->kind != SENT_CONTROL &&
	    (seq32_before(origin_number, sent->tail) || ack_is_moot(connection, origin))) {
		sent_land(sent, number);
		return false;
	}
	if (ack_is_large(connection, packet))
		ack_suspect(connection, packet, now_us);
	sent_lose(sent, number);
	connection->packets_lost++;
	rudp_count(connection->rudp, RUDP_COUNTER_LOST);
	if (packet->kind == SENT_CONTROL) {
		ack_resay(connection, number, packet->flags);
	} else if ((origin->flags & SENT_CUT) != 0 ? piece_again(origin, packet)
						   : origin->newest == packet->age) {
		sent_again_set(sent, origin_number);
	}
	return true;
}

void ack_detect_loss(struct rudp_connection *connection, uint64_t now_us)
{
	struct sent *sent = &connection->sent;
	uint32_t delay_us = loss_delay_us(&connection->loss);
	uint32_t end = connection->largest_acked + 1;
	uint32_t number = sent->tail;
	uint32_t count = 0;
	uint64_t sent_us = 0;

	connection->loss_due_us = UINT64_MAX;
	if (!seq32_before(number, end))
		return;
	for (number = sent_find(sent, sent->flight, number, end); number != end;
	     number = sent_find(sent, sent->flight, number + 1, end)) {
		uint32_t age_us = (uint32_t)now_us - sent_at(sent, number)->sent_us;

		if (end - 1 - number < connection->loss.reorder_packets && age_us < delay_us) {
			connection->loss_due_us = now_us + (delay_us - age_us);
			conn_arm(connection, connection->loss_due_us);
			break;
		}
		sent_us = now_us - age_us;
		count += ack_lose(connection, number, now_us);
	}
	if (count == 0)
		return;
	loss_round(&connection->loss);
	connection->cc.ops->lost(&connection->cc, count, sent_us, now_us);
	conn_wake(connection);
}
