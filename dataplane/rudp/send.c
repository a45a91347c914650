/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets out. rudp_transmit builds one packet a call, the most urgent first:
 *
 *     1. control: acknowledgements, and all small frames that wait, in one packet
 *     2. a chunk that was lost, the oldest first, or that probes
 *     3. new chunks: READ data and own WRITEs in turn, each operation for a quantum
 *
 * Payload is read from its source at each transmission, and summed up anew; nothing is buffered here. The numbers of unsettled
 * chunks are rationed, so that the oldest chunk can always be sent again: new chunks use half of
 * the ring, other retransmissions a quarter more, the rest is for the oldest chunk and for control.
 */
#include "api/haul_error.h"
#include "rudp/conn.h"

#include <string.h>

static void send_header(const struct rudp_connection *connection, uint8_t *buffer, uint8_t type,
			uint8_t flags, uint16_t tick)
{
	struct wire_header header = {
		.connection = connection->params.remote_id,
		.number = connection->sent.next,
		.tick = tick,
		.type = type,
		.flags = flags | connection->crc_flag,
	};

	wire_header_write(buffer, &header);
}

/* Takes the number that send_header has written, and starts the clock of its acknowledgement. */
static struct sent_packet *send_record(struct rudp_connection *connection, enum sent_kind kind,
				       uint64_t now_us)
{
	struct sent_packet *packet;

	if (connection->sent.in_flight == 0)
		connection->waiting_us = now_us;
	packet = sent_add(&connection->sent, now_us);
	packet->kind = (uint8_t)kind;
	connection->packets_sent++;
	connection->last_sent_us = now_us;
	conn_arm(connection, now_us + loss_probe_us(&connection->loss));
	return packet;
}

struct send_place {
	uint64_t now_us;
	void *token;     /* of the packet, for the source */
	uint8_t *buffer; /* of the packet */
	uint32_t offset; /* in the operation, of the chunk or of its piece */
	uint32_t length; /* of the chunk, or of its piece */
	uint32_t age;    /* of the chunk's first number; 0 = now */
	uint8_t flags;   /* WIRE_FLAG_PIECE and so on; 0 = the whole chunk */
};

/* A chunk of which the packet is built; origin is its first number, this one if it is new. */
static void send_chunk_record(struct rudp_connection *connection, enum sent_kind kind,
			      uint32_t operation, const struct send_place *place)
{
	struct sent *sent = &connection->sent;
	struct sent_packet *packet = send_record(connection, kind, place->now_us);
	struct sent_packet *origin;

	packet->operation = operation;
	packet->offset = place->offset;
	packet->length = (uint16_t)place->length;
	packet->age = (uint16_t)place->age;
	rudp_count(connection->rudp, RUDP_COUNTER_DATA_SENT);
	if (place->age == 0)
		return;
	origin = sent_at(sent, sent->next - 1 - place->age);
	connection->packets_again++;
	rudp_count(connection->rudp, RUDP_COUNTER_RETRANSMITTED);
	if (UNLIKELY(place->flags != 0)) {
		piece_sent(origin, packet, wire_piece(place->flags));
		rudp_count(connection->rudp, RUDP_COUNTER_PIECES);
		if (piece_waiting(origin) < PIECES_MAX)
			return;
	} else {
		origin->newest = packet->age;
	}
	sent_again_clear(sent, sent->next - 1 - place->age);
}

static size_t send_write(struct rudp_connection *connection, struct operation *operation,
			 const struct send_place *place)
{
	struct rudp *rudp = connection->rudp;
	uint8_t flags = place->length == operation->length ? WIRE_FLAG_ONLY : place->flags;
	struct rudp_source source = {
		.connection = connection,
		.kind = operation->kind,
		.length = place->length,
		.cookie = operation->cookie,
		.offset = place->offset,
		.packet = place->token,
		.destination = place->buffer + conn_data_header_bytes(connection),
	};
	struct wire_data data = {
		.region = operation->region,
		.offset = operation->offset + place->offset,
		.operation = operation->id,
		.age = place->age,
		.grant = operation->grant,
	};
	int status = rudp->callbacks.source(rudp->context, &source);

	if (UNLIKELY(status != HAUL_OK)) {
		conn_abort(connection, operation, (uint16_t)status, source.reason, place->now_us);
		return 0;
	}
	if (UNLIKELY(operation->kind == RUDP_NOTIFY)) {
		wire_notice_write(source.destination, &source.notice);
		flags |= WIRE_FLAG_NOTIFY;
	}
	send_header(connection, place->buffer, WIRE_WRITE, flags, connection->tick);
	wire_data_write(place->buffer, &data);
	operation->fence_base_us = connection->tick_us;
	send_chunk_record(connection, SENT_WRITE, operation->id, place);
	return conn_data_header_bytes(connection) + place->length;
}

static size_t send_read_data(struct rudp_connection *connection, struct served *served,
			     const struct send_place *place)
{
	struct rudp *rudp = connection->rudp;
	struct rudp_source source = {
		.connection = connection,
		.kind = RUDP_READ,
		.length = place->length,
		.region = served->region,
		.right = connection->grants.held[served->grant],
		.offset = served->offset + place->offset,
		.packet = place->token,
		.destination = place->buffer + conn_data_header_bytes(connection),
	};
	struct wire_data data = {
		.offset = place->offset,
		.operation = served->id,
		.age = place->age,
	};
	int status = rudp->callbacks.source(rudp->context, &source);

	if (UNLIKELY(status != HAUL_OK)) {
		rudp_count(rudp, RUDP_COUNTER_REFUSED);
		served_refuse(&connection->served, served, (uint8_t)status, source.reason,
			      source.version);
		return 0;
	}
	send_header(connection, place->buffer, WIRE_READ_DATA, place->flags,
		    conn_tick(place->now_us));
	wire_data_write(place->buffer, &data);
	send_chunk_record(connection, SENT_READ_DATA, served->id, place);
	return conn_data_header_bytes(connection) + place->length;
}

/* WRITE data goes out with a tick that leaves the target time to take it. */
static bool send_may_write(struct rudp_connection *connection, uint64_t now_us)
{
	if (LIKELY(conn_tick_is_fresh(connection, now_us)))
		return true;
	if (connection->ping_pending ||
	    (connection->ping_said && sent_is_flying(&connection->sent, connection->ping_number)))
		return false;
	connection->ping_pending = true;
	rudp_count(connection->rudp, RUDP_COUNTER_TICK_ASKED);
	return false;
}

/* The piece of a chunk that is sent next; one that is cut keeps to its pieces, also when the path grows again. */
RARELY static void send_piece(struct sent_packet *origin, struct send_place *place)
{
	uint32_t piece;

	if ((origin->flags & SENT_CUT) == 0)
		piece_cut(origin);
	piece = piece_waiting(origin);
	ASSERT(piece < PIECES_MAX);
	place->offset = origin->offset + piece * PIECE_BYTES;
	place->length = piece_bytes(origin->length, piece);
	place->flags = piece_flags(origin->length, piece);
}

/* The oldest chunk that waits to be sent again. */
static size_t send_again(struct rudp_connection *connection, struct send_place *place)
{
	struct sent *sent = &connection->sent;
	uint32_t number = sent_find(sent, sent->again, sent->tail, sent->next);
	struct sent_packet *origin = sent_at(sent, number);

	ASSERT(number != sent->next);
	if (ack_is_moot(connection, origin)) {
		sent_again_clear(sent, number);
		return 0;
	}
	place->age = sent->next - number;
	place->offset = origin->offset;
	place->length = origin->length;
	place->flags = 0;
	if (UNLIKELY(origin->length > connection->payload_max || (origin->flags & SENT_CUT) != 0))
		send_piece(origin, place);
	if (origin->kind == SENT_READ_DATA)
		return send_read_data(connection,
				      served_find(&connection->served, origin->operation), place);
	return send_write(connection, operation_find(&connection->operations, origin->operation),
			  place);
}

/* May the oldest chunk that waits be sent again now? */
static bool send_may_again(struct rudp_connection *connection, uint64_t now_us)
{
	const struct sent *sent = &connection->sent;
	uint32_t number = sent_find(sent, sent->again, sent->tail, sent->next);
	uint32_t ration = sent->mask / 4 * 3;

	if (number == sent->tail)
		ration = sent->mask + 1;
	if (sent_span(sent) >= ration)
		return false;
	return sent_at(sent, number)->kind != SENT_WRITE ||
	       ack_is_moot(connection, sent_at(sent, number)) || send_may_write(connection, now_us);
}

/* After a packet of an operation: gives the turn on when its quantum is used up. */
static void send_turn(struct rudp_connection *connection, struct list_link *list,
		      struct list_link *link, bool is_sent)
{
	connection->quantum--;
	if (!is_sent && connection->quantum > 0)
		return;
	list_remove(link);
	if (!is_sent)
		list_append(list, link);
	connection->quantum = CONN_QUANTUM;
	connection->read_turn = !connection->read_turn;
}

static size_t send_new_write(struct rudp_connection *connection, struct send_place *place)
{
	struct list_link *list = &connection->operations.sending;
	struct operation *operation = CONTAINER_OF(list->next, struct operation, link);
	size_t bytes;

	ASSERT(operation->sent < operation->length);
	place->offset = operation->sent;
	place->length = MIN(operation->length - operation->sent, connection->payload_max);
	bytes = send_write(connection, operation, place);
	if (bytes == 0)
		return 0;
	operation->sent += place->length;
	send_turn(connection, list, &operation->link, operation->sent == operation->length);
	return bytes;
}

static size_t send_new_read_data(struct rudp_connection *connection, struct send_place *place)
{
	struct list_link *list = &connection->served.reading;
	struct served *served = CONTAINER_OF(list->next, struct served, link);
	size_t bytes;

	ASSERT(served->sent < served->length);
	place->offset = served->sent;
	place->length = MIN(served->length - served->sent, connection->payload_max);
	bytes = send_read_data(connection, served, place);
	if (bytes == 0)
		return 0;
	served->sent += place->length;
	send_turn(connection, list, &served->link, served->sent == served->length);
	return bytes;
}

/* Has the next data packet's time come? If not, the connection waits for it. A probe goes at once. */
static bool send_may_now(struct rudp_connection *connection, uint64_t now_us)
{
	struct rudp *rudp = connection->rudp;

	if (LIKELY(connection->cc.pace_ns == 0) || connection->probe_pending ||
	    connection->pace_next_ns <= now_us * CONN_NS_PER_US)
		return true;
	pacer_hold(&rudp->pacer, &connection->paced, now_us,
		   (connection->pace_next_ns + CONN_NS_PER_US - 1) / CONN_NS_PER_US);
	return false;
}

static void send_pace(struct rudp_connection *connection, uint64_t now_us)
{
	uint64_t oldest_ns = now_us * CONN_NS_PER_US - CONN_PACE_CREDIT_NS;

	if (LIKELY(connection->cc.pace_ns == 0))
		return;
	connection->pace_next_ns =
		MAX(connection->pace_next_ns, oldest_ns) + connection->cc.pace_ns;
}

/* What fails to be built ends its operation, and the next one is tried: bounded by the tables. */
static size_t send_data(struct rudp_connection *connection, struct send_place *place)
{
	struct sent *sent = &connection->sent;
	size_t bytes = 0;

	if (!connection->probe_pending && sent->in_flight >= connection->cc.window_packets)
		return 0;
	if (!send_may_now(connection, place->now_us))
		return 0;
	while (bytes == 0 && sent->again_count > 0 && send_may_again(connection, place->now_us))
		bytes = send_again(connection, place);
	if (bytes > 0) {
		connection->probe_pending = false;
		return bytes;
	}
	place->age = 0;
	place->flags = 0;
	while (bytes == 0 && sent_span(sent) < (sent->mask + 1) / 2 &&
	       sent->in_flight < connection->cc.window_packets) {
		bool reads = !list_is_empty(&connection->served.reading);
		bool writes = !list_is_empty(&connection->operations.sending) &&
			      send_may_write(connection, place->now_us);

		if (reads && (connection->read_turn || !writes))
			bytes = send_new_read_data(connection, place);
		else if (writes)
			bytes = send_new_write(connection, place);
		else
			return 0;
	}
	return bytes;
}

/* Cursor of a control packet that is being built. */
struct send_frames {
	uint8_t *out;
	size_t room;
	uint8_t flags; /* SENT_HAS_* of what is in it */
};

static bool send_frame(struct send_frames *frames, size_t bytes, uint8_t flag)
{
	if (bytes == 0)
		return false;
	frames->out += bytes;
	frames->room -= bytes;
	frames->flags |= flag;
	return true;
}

static void send_refusals(struct rudp_connection *connection, struct send_frames *frames)
{
	struct list_link *list = &connection->served.refusing;

	while (!list_is_empty(list)) {
		struct served *served = CONTAINER_OF(list->next, struct served, link);
		struct wire_refuse refuse = {
			.version = served->version,
			.operation = served->id,
			.reason = served->reason,
			.status = served->status,
		};

		if (!send_frame(frames, wire_refuse_write(frames->out, frames->room, &refuse),
				SENT_HAS_REFUSE))
			return;
		list_remove(&served->link);
		served->number = connection->sent.next;
		served->said = 1;
	}
}

static void send_requests(struct rudp_connection *connection, struct send_frames *frames)
{
	struct list_link *list = &connection->operations.requesting;

	while (!list_is_empty(list)) {
		struct operation *operation = CONTAINER_OF(list->next, struct operation, link);
		struct wire_read read = {
			.region = operation->region,
			.offset = operation->offset,
			.operation = operation->id,
			.length = operation->length,
			.grant = operation->grant,
		};

		if (!send_frame(frames, wire_read_write(frames->out, frames->room, &read),
				SENT_HAS_READ))
			return;
		list_remove(&operation->link);
		operation->number = connection->sent.next;
		operation->said = 1;
	}
}

static void send_done(struct rudp_connection *connection, struct send_frames *frames)
{
	struct operations *operations = &connection->operations;
	struct wire_done done;

	if (connection->done_due_us == UINT64_MAX && !connection->done_urgent)
		return;
	operations_done(operations, &done);
	if (!send_frame(frames, wire_done_write(frames->out, frames->room, &done), SENT_HAS_DONE))
		return;
	connection->done_urgent = false;
	connection->done_due_us = UINT64_MAX;
	connection->done_number = connection->sent.next;
	for (uint32_t i = 0; i <= operations->mask && operations->fencing > 0; i++) {
		struct operation *operation = &operations->slots[i];

		if (operation->state != OPERATION_FENCING || operation->said)
			continue;
		operation->number = connection->sent.next;
		operation->said = 1;
	}
}

static void send_grants(struct rudp_connection *connection, struct send_frames *frames)
{
	if (LIKELY(connection->grants.due == 0))
		return;
	send_frame(
		frames,
		grants_write(&connection->grants, connection->sent.next, frames->out, frames->room),
		SENT_HAS_GRANT);
}

static void send_ack(struct rudp_connection *connection, struct send_frames *frames,
		     uint64_t now_us)
{
	struct wire_ack ack;

	if (!connection->ack_pending)
		return;
	connection->ack_pending = false;
	ranges_trim(&connection->ranges, connection->window.next - connection->params.packets);
	if (connection->ranges.count == 0)
		return;
	ranges_ack(&connection->ranges, &ack);
	ecn_tell(&connection->ecn, &ack);
	ack.delay_us = (uint32_t)MIN(now_us - connection->largest_us, (uint64_t)UINT16_MAX);
	send_frame(frames, wire_ack_write(frames->out, frames->room, &ack), 0);
}

static void send_ping(struct rudp_connection *connection, struct send_frames *frames)
{
	if (!connection->ping_pending ||
	    !send_frame(frames, wire_ping_write(frames->out, frames->room), SENT_HAS_PING))
		return;
	connection->ping_pending = false;
	connection->ping_said = true;
	connection->ping_number = connection->sent.next;
}

/* Anything that has to be acknowledged, and for which there is a number. */
static bool send_wants_number(const struct rudp_connection *connection, uint64_t now_us)
{
	if (sent_span(&connection->sent) > connection->sent.mask)
		return false;
	return connection->ping_pending || connection->done_urgent ||
	       now_us >= connection->done_due_us ||
	       !list_is_empty(&connection->operations.requesting) || connection->grants.due > 0 ||
	       !list_is_empty(&connection->served.refusing);
}

/* Refusals stand before the acknowledgement, so that what they end is not taken for lost. */
static size_t send_control(struct rudp_connection *connection, uint64_t now_us, uint8_t *buffer)
{
	bool is_numbered = send_wants_number(connection, now_us);
	struct send_frames frames = {
		.out = buffer + WIRE_HEADER_BYTES + connection->crc_bytes,
		.room = connection->mtu.datagram_bytes - WIRE_HEADER_BYTES - connection->crc_bytes,
	};
	size_t bytes;

	if (!is_numbered && !connection->ack_pending)
		return 0;
	send_header(connection, buffer, WIRE_CONTROL, is_numbered ? WIRE_FLAG_NUMBERED : 0,
		    conn_tick(now_us));
	if (is_numbered)
		send_refusals(connection, &frames);
	send_ack(connection, &frames, now_us);
	if (is_numbered) {
		send_ping(connection, &frames);
		send_done(connection, &frames);
		send_grants(connection, &frames);
		send_requests(connection, &frames);
		send_record(connection, SENT_CONTROL, now_us)->flags = frames.flags;
	}
	bytes = (size_t)(frames.out - buffer);
	if (bytes < WIRE_CONTROL_BYTES_MIN) {
		memset(frames.out, 0, WIRE_CONTROL_BYTES_MIN - bytes);
		bytes = WIRE_CONTROL_BYTES_MIN;
	}
	rudp_count(connection->rudp, RUDP_COUNTER_CONTROL_SENT);
	return bytes;
}

/*
 * Pings, as large together as the path is hoped to carry. Who acknowledges them has read each, so the path has also left
 * their bytes as they were.
 */
RARELY static size_t send_mtu_probe(struct rudp_connection *connection, uint64_t now_us,
				    uint8_t *buffer)
{
	uint16_t bytes = connection->mtu.probe_bytes;
	struct sent_packet *packet;

	/* Not before the first sample: the least round-trip time would be that of a large packet behind a small one. */
	if (sent_span(&connection->sent) > connection->sent.mask || connection->loss.srtt_us8 == 0)
		return 0;
	connection->mtu.is_due = false;
	memset(buffer + WIRE_HEADER_BYTES, 0, bytes - WIRE_HEADER_BYTES);
	send_header(connection, buffer, WIRE_CONTROL, WIRE_FLAG_NUMBERED, conn_tick(now_us));
	for (uint32_t at = WIRE_HEADER_BYTES + connection->crc_bytes; at + WIRE_PING_BYTES <= bytes;
	     at += WIRE_PING_BYTES)
		wire_ping_write(buffer + at, WIRE_PING_BYTES);
	packet = send_record(connection, SENT_CONTROL, now_us);
	packet->flags = SENT_HAS_PROBE;
	packet->length = bytes;
	rudp_count(connection->rudp, RUDP_COUNTER_MTU_PROBES);
	return bytes;
}

/* Tells the peer that it is over, with the token that only this side and the key's holders know. */
static size_t send_close(struct rudp_connection *connection, uint8_t *buffer)
{
	struct wire_header header = {
		.connection = connection->params.local_id,
		.number = WIRE_RESET_CLOSED,
		.type = WIRE_RESET,
	};

	if (!connection->close_pending)
		return 0;
	connection->close_pending = false;
	wire_header_write(buffer, &header);
	memcpy(buffer + WIRE_HEADER_BYTES, connection->params.token, RUDP_TOKEN_BYTES);
	conn_arm(connection, connection->ended_us);
	return WIRE_RESET_BYTES;
}

size_t rudp_transmit(struct rudp_connection *connection, uint64_t now_us, void *packet_token,
		     void *buffer, size_t capacity)
{
	struct send_place place = {
		.now_us = now_us,
		.token = packet_token,
		.buffer = buffer,
	};
	size_t bytes;

	ASSERT(capacity >= connection->params.datagram_bytes);
	(void)capacity;
	if (UNLIKELY(connection->state == RUDP_ENDED)) {
		bytes = send_close(connection, buffer);
	} else if (UNLIKELY(connection->state == RUDP_OPENING)) {
		bytes = 0;
	} else {
		bytes = send_control(connection, now_us, buffer);
		if (UNLIKELY(connection->mtu.is_due) && bytes == 0)
			bytes = send_mtu_probe(connection, now_us, buffer);
		if (bytes == 0 && (bytes = send_data(connection, &place)) > 0)
			send_pace(connection, now_us);
		/* Data that could not go may have asked for a ping. */
		if (bytes == 0)
			bytes = send_control(connection, now_us, buffer);
		/* Over the copy that was just made, which nobody changes any more, and which is in the cache. */
		if (connection->crc_bytes != 0 && bytes > 0)
			wire_crc_write(buffer, bytes);
	}
	if (bytes == 0)
		list_remove(&connection->ready);
	else
		rudp_count(connection->rudp, RUDP_COUNTER_PACKETS_SENT);
	return bytes;
}
