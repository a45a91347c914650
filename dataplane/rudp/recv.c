/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets in. Each is checked for form (wire.c), for its connection and address, for its number and its
 * chunk (window.h), and only then acted upon. What is dropped is counted.
 *
 * A number is acknowledged when nothing more is wanted of its packet: its chunk was placed, now or
 * before, or its operation is over. A packet that is refused, or too late, is not acknowledged: the refusal, or the
 * tick that goes with the next acknowledgement, is the answer. So acknowledged always means placed for
 * an operation that its initiator still has open.
 */
#include "api/haul_error.h"
#include "base/auth.h"
#include "base/seq.h"
#include "base/weaken.h"
#include "rudp/conn.h"

#include <string.h>

/* A packet on its way through this file. */
struct recv {
	struct rudp *rudp;
	struct rudp_connection *connection;
	struct wire_header header;
	struct wire_data data; /* of data packets */
	const uint8_t *payload;
	uint32_t length;   /* of the payload */
	uint32_t identity; /* number of its chunk's first transmission */
	uint64_t now_us;
	uint8_t ecn; /* of the IP header */
};

enum rudp_packet_kind rudp_packet_kind(const void *packet, size_t bytes)
{
	const uint8_t *first = packet;

	if (bytes < WIRE_HEADER_BYTES)
		return RUDP_PACKET_INVALID;
	if ((*first & WIRE_HANDSHAKE) != 0)
		return RUDP_PACKET_HANDSHAKE;
	if (*first == WIRE_RESET)
		return RUDP_PACKET_RESET;
	return *first >= WIRE_WRITE && *first <= WIRE_CONTROL ? RUDP_PACKET_CONNECTION
							      : RUDP_PACKET_INVALID;
}

uint64_t rudp_packet_connection(const void *packet)
{
	return wire_u64_read((const uint8_t *)packet + 4);
}

uint8_t rudp_packet_worker(const void *packet)
{
	return (uint8_t)(rudp_packet_connection(packet) >> 56);
}

static enum rudp_receive recv_malformed(const struct recv *recv)
{
	rudp_count(recv->rudp, RUDP_COUNTER_MALFORMED);
	return RUDP_RECEIVE_MALFORMED;
}

static void recv_owe_ack(struct rudp_connection *connection)
{
	connection->ack_pending = true;
	conn_wake(connection);
}

/* A chunk in pieces is settled with its last one. */
RARELY static void recv_settle_piece(const struct recv *recv)
{
	struct rudp_connection *connection = recv->connection;

	if (!window_test(&connection->window, recv->identity) &&
	    pieces_set(&connection->pieces, recv->identity, recv->header.flags))
		window_set(&connection->window, recv->identity);
}

/* Its chunk needs nothing more: says so with the next acknowledgement. */
static void recv_settle(const struct recv *recv)
{
	struct rudp_connection *connection = recv->connection;

	if (UNLIKELY((recv->header.flags & WIRE_FLAG_PIECE) != 0))
		recv_settle_piece(recv);
	else
		window_set(&connection->window, recv->identity);
	if (LIKELY(ranges_add(&connection->ranges, recv->header.number)))
		connection->ecn.seen[recv->ecn & ECN_MASK]++;
	if (recv->header.number == connection->window.next - 1)
		connection->largest_us = recv->now_us - rudp_away_us(recv->rudp, recv->now_us);
	recv_owe_ack(connection);
}

/* A tick that was known before was learnt then: the earlier time is the sharper bound. */
static void recv_tick(const struct recv *recv)
{
	struct rudp_connection *connection = recv->connection;

	if (connection->tick_known && !seq16_after(recv->header.tick, connection->tick))
		return;
	connection->tick = recv->header.tick;
	connection->tick_us = recv->now_us;
	connection->tick_known = true;
}

/* The same while there are chunks in pieces: of such a chunk, a piece that is missing is new. */
RARELY static bool recv_is_rest(struct recv *recv)
{
	struct rudp_connection *connection = recv->connection;
	bool is_piece = (recv->header.flags & WIRE_FLAG_PIECE) != 0;

	pieces_move(&connection->pieces, connection->window.next, recv->header.number);
	if (!window_cover(&connection->window, recv->header.number) ||
	    window_is_old(&connection->window, recv->identity)) {
		rudp_count(recv->rudp, RUDP_COUNTER_TOO_OLD);
		return false;
	}
	if (!window_test(&connection->window, recv->identity)) {
		if (is_piece ? !pieces_test(&connection->pieces, recv->identity, recv->header.flags)
			     : !pieces_any(&connection->pieces, recv->identity))
			return true;
		/* A late whole transmission is not acknowledged: some of the chunk is still missing. */
		if (!is_piece) {
			rudp_count(recv->rudp, RUDP_COUNTER_DUPLICATE);
			return false;
		}
	}
	rudp_count(recv->rudp, RUDP_COUNTER_DUPLICATE);
	recv_settle(recv);
	return false;
}

/* False when the packet is done with: below the window, or its chunk is settled. */
static bool recv_is_new(struct recv *recv, uint32_t age)
{
	struct rudp_connection *connection = recv->connection;

	recv->identity = recv->header.number - age;
	if (UNLIKELY(connection->pieces.count > 0))
		return recv_is_rest(recv);
	if (!window_cover(&connection->window, recv->header.number) ||
	    window_is_old(&connection->window, recv->identity)) {
		rudp_count(recv->rudp, RUDP_COUNTER_TOO_OLD);
		return false;
	}
	if (!window_test(&connection->window, recv->identity))
		return true;
	rudp_count(recv->rudp, RUDP_COUNTER_DUPLICATE);
	recv_settle(recv);
	return false;
}

static void recv_placed(const struct recv *recv)
{
	recv_settle(recv);
	rudp_count(recv->rudp, RUDP_COUNTER_DATA_PLACED);
	recv->rudp->counters[RUDP_COUNTER_BYTES_PLACED] += recv->length;
}

static void recv_over(const struct recv *recv)
{
	rudp_count(recv->rudp, RUDP_COUNTER_OPERATION_OVER);
	recv_settle(recv);
}

static void recv_stale(const struct recv *recv)
{
	rudp_count(recv->rudp, RUDP_COUNTER_STALE_TICK);
	recv_owe_ack(recv->connection);
}

static void recv_refuse(const struct recv *recv, struct served *served, uint8_t status,
			uint16_t reason, uint64_t version)
{
	rudp_count(recv->rudp, RUDP_COUNTER_REFUSED);
	served_refuse(&recv->connection->served, served, status, reason, version);
	conn_wake(recv->connection);
}

/* More comes for what was refused: the refusal is said again unless it is on its way. */
static void recv_refused_again(const struct recv *recv, struct served *served)
{
	struct rudp_connection *connection = recv->connection;

	rudp_count(recv->rudp, RUDP_COUNTER_OPERATION_OVER);
	if (served->said && sent_is_flying(&connection->sent, served->number))
		return;
	list_append(&connection->served.refusing, &served->link);
	conn_wake(connection);
}

static enum rudp_receive recv_place(const struct recv *recv, struct served *served,
				    uint64_t not_after_us)
{
	struct rudp *rudp = recv->rudp;
	bool is_first = served->state == SERVED_NEW;
	bool is_only = (recv->header.flags & WIRE_FLAG_ONLY) != 0;
	struct rudp_placement placement = {
		.connection = recv->connection,
		.region = recv->data.region,
		.offset = recv->data.offset,
		.payload = recv->payload,
		.length = recv->length,
		.operation = served->id,
		.flags = (is_first ? RUDP_PLACE_FIRST : 0) | (is_only ? RUDP_PLACE_ONLY : 0),
		.right = recv->connection->grants.held[recv->data.grant],
		.not_after_us = not_after_us,
	};
	int status;

	/* An operation names one region, and is one packet or more. */
	if (!is_first && (is_only || served->region != recv->data.region))
		return recv_malformed(recv);
	status = rudp->callbacks.place(rudp->context, &placement);
	if (status == HAUL_TIMEOUT) {
		recv_stale(recv);
		return RUDP_RECEIVE_TAKEN;
	}
	if (status != HAUL_OK) {
		recv_refuse(recv, served, (uint8_t)status, placement.reason, placement.version);
		return RUDP_RECEIVE_TAKEN;
	}
	if (is_only) {
		served->state = SERVED_OVER;
	} else if (is_first) {
		served->region = recv->data.region;
		served_open(&recv->connection->served, served, SERVED_WRITING);
	}
	recv_placed(recv);
	return RUDP_RECEIVE_TAKEN;
}

/* A notification is the whole operation; it is executed at most once like any chunk, and acknowledged when it was. */
static enum rudp_receive recv_notify(const struct recv *recv, struct served *served,
				     uint64_t not_after_us)
{
	struct rudp *rudp = recv->rudp;
	struct rudp_notification notification = {
		.connection = recv->connection,
		.region = recv->data.region,
		.offset = recv->data.offset,
		.operation = served->id,
		.not_after_us = not_after_us,
		.right = recv->connection->grants.held[recv->data.grant],
	};
	int status;

	if (served->state != SERVED_NEW || (recv->header.flags & WIRE_FLAG_ONLY) == 0 ||
	    !wire_notice_parse(recv->payload, recv->length, &notification.notice))
		return recv_malformed(recv);
	status = rudp->callbacks.notify(rudp->context, &notification);
	if (status == HAUL_TIMEOUT) {
		recv_stale(recv);
		return RUDP_RECEIVE_TAKEN;
	}
	if (status != HAUL_OK) {
		recv_refuse(recv, served, (uint8_t)status, notification.reason,
			    notification.version);
		return RUDP_RECEIVE_TAKEN;
	}
	served->state = SERVED_OVER;
	recv_settle(recv);
	rudp_count(rudp, RUDP_COUNTER_NOTIFIED);
	return RUDP_RECEIVE_TAKEN;
}

static enum rudp_receive recv_write(struct recv *recv)
{
	struct served_table *table = &recv->connection->served;
	uint64_t tick = recv->now_us / RUDP_TICK_US;
	uint16_t age = (uint16_t)(tick - recv->header.tick);
	uint64_t not_after_us;
	struct served *served;

	if (age > RUDP_TICKS_FRESH && !weaken_has(WEAKEN_FRESHNESS)) {
		recv_stale(recv);
		return RUDP_RECEIVE_TAKEN;
	}
	if (!recv_is_new(recv, recv->data.age))
		return RUDP_RECEIVE_TAKEN;
	served = served_claim(table, wire_operation_expand(table->next, recv->data.operation));
	if (served == NULL || served->state == SERVED_OVER) {
		recv_over(recv);
		return RUDP_RECEIVE_TAKEN;
	}
	if (served->state == SERVED_REFUSED) {
		recv_refused_again(recv, served);
		return RUDP_RECEIVE_TAKEN;
	}
	if (served->state == SERVED_READING)
		return recv_malformed(recv);
	not_after_us = (tick - age + RUDP_TICKS_FRESH + 1) * RUDP_TICK_US - 1;
	if (weaken_has(WEAKEN_FRESHNESS))
		not_after_us = UINT64_MAX;
	if (UNLIKELY((recv->header.flags & WIRE_FLAG_NOTIFY) != 0))
		return recv_notify(recv, served, not_after_us);
	return recv_place(recv, served, not_after_us);
}

static enum rudp_receive recv_read_data(struct recv *recv)
{
	struct rudp_connection *connection = recv->connection;
	struct operations *operations = &connection->operations;
	struct rudp *rudp = recv->rudp;
	struct operation *operation;
	int status;

	recv_tick(recv);
	if (!recv_is_new(recv, recv->data.age))
		return RUDP_RECEIVE_TAKEN;
	operation = operation_find(operations,
				   wire_operation_expand(operations->next, recv->data.operation));
	if (operation == NULL || operation->state != OPERATION_ACTIVE) {
		recv_over(recv);
		return RUDP_RECEIVE_TAKEN;
	}
	if (operation->kind != RUDP_READ || recv->data.offset >= operation->length ||
	    recv->length > operation->length - recv->data.offset ||
	    recv->length > operation->length - operation->settled)
		return recv_malformed(recv);
	status = rudp->callbacks.deliver(rudp->context, operation->cookie,
					 (uint32_t)recv->data.offset, recv->payload, recv->length);
	if (status != HAUL_OK) {
		conn_abort(connection, operation, (uint16_t)status, 0, recv->now_us);
		recv_over(recv);
		return RUDP_RECEIVE_TAKEN;
	}
	operation->settled += recv->length;
	recv_placed(recv);
	if (operation->settled == operation->length)
		conn_finish(connection, operation, HAUL_OK, 0, 0);
	return RUDP_RECEIVE_TAKEN;
}

static bool recv_read(const struct recv *recv, const struct wire_read *read)
{
	struct rudp_connection *connection = recv->connection;
	struct rudp_opening opening = {
		.connection = connection,
		.region = read->region,
		.offset = read->offset,
		.length = read->length,
		.operation = read->operation,
		.right = connection->grants.held[read->grant],
	};
	struct served *served;
	int status;

	if (read->length == 0 || read->length > RUDP_OPERATION_BYTES_MAX ||
	    read->length - 1 > WIRE_OFFSET_MAX - read->offset)
		return false;
	served = served_claim(&connection->served, read->operation);
	if (served != NULL && served->state == SERVED_REFUSED)
		recv_refused_again(recv, served);
	if (served == NULL || served->state != SERVED_NEW)
		return true;
	status = recv->rudp->callbacks.open(recv->rudp->context, &opening);
	if (status != HAUL_OK) {
		recv_refuse(recv, served, (uint8_t)status, opening.reason, opening.version);
		return true;
	}
	served->region = read->region;
	served->offset = read->offset;
	served->grant = read->grant;
	served->length = read->length;
	served->sent = 0;
	served->settled = 0;
	served_open(&connection->served, served, SERVED_READING);
	return true;
}

/* The target places nothing more of it, so this is also the answer to a fence. */
static bool recv_refusal(const struct recv *recv, const struct wire_refuse *refuse)
{
	struct rudp_connection *connection = recv->connection;
	struct operation *operation = operation_find(&connection->operations, refuse->operation);

	if (refuse->status == HAUL_OK || refuse->status >= HAUL_ERROR_COUNT)
		return false;
	if (operation == NULL)
		return true;
	if (operation->state == OPERATION_FENCING)
		conn_finish(connection, operation, operation->status, operation->reason, 0);
	else
		conn_finish(connection, operation, refuse->status, refuse->reason, refuse->version);
	return true;
}

/* A peer proves what it was granted; the answer comes later, or at once when nobody can check it. */
static bool recv_grant(const struct recv *recv, const struct wire_grant *claim)
{
	struct rudp_connection *connection = recv->connection;

	rudp_count(recv->rudp, RUDP_COUNTER_GRANTS_CLAIMED);
	grants_claimed(&connection->grants, claim);
	if (connection->grants.wanted > 0)
		list_append(&recv->rudp->asking, &connection->asking);
	return true;
}

static bool recv_granted(const struct recv *recv, const struct wire_granted *answer)
{
	/* Operations end with it: no status that would have them tried again, or that nobody knows. */
	if (answer->status != HAUL_OK && answer->status != HAUL_DENIED &&
	    answer->status != HAUL_STALE)
		return false;
	grants_answered(&recv->connection->grants, recv->now_us, answer);
	return true;
}

static bool recv_frame(const struct recv *recv, const struct wire_frame *frame)
{
	struct rudp_connection *connection = recv->connection;
	bool is_numbered = (recv->header.flags & WIRE_FLAG_NUMBERED) != 0;

	if (frame->type != WIRE_FRAME_ACK && !is_numbered)
		return false;
	switch (frame->type) {
	case WIRE_FRAME_ACK:
		return ack_receive(connection, &frame->ack, recv->now_us);
	case WIRE_FRAME_READ:
		return recv_read(recv, &frame->read);
	case WIRE_FRAME_REFUSE:
		return recv_refusal(recv, &frame->refuse);
	case WIRE_FRAME_DONE:
		served_done(&connection->served, &frame->done);
		return true;
	case WIRE_FRAME_GRANT:
		return recv_grant(recv, &frame->grant);
	case WIRE_FRAME_GRANTED:
		return recv_granted(recv, &frame->granted);
	case WIRE_FRAME_PING:
	case WIRE_FRAME_PAD:
	default:
		return true;
	}
}

static enum rudp_receive recv_control(struct recv *recv)
{
	bool is_numbered = (recv->header.flags & WIRE_FLAG_NUMBERED) != 0;
	const uint8_t *cursor = recv->payload;
	const uint8_t *end = cursor + recv->length;
	struct wire_frame frame;
	int found;

	if (is_numbered && !recv_is_new(recv, 0))
		return RUDP_RECEIVE_TAKEN;
	recv_tick(recv);
	while ((found = wire_frame_parse(&cursor, end, &frame)) > 0) {
		if (!recv_frame(recv, &frame))
			return recv_malformed(recv);
	}
	if (found < 0)
		return recv_malformed(recv);
	if (is_numbered)
		recv_settle(recv);
	conn_wake(recv->connection);
	return RUDP_RECEIVE_TAKEN;
}

/* Four bytes by a load of their own, which the compiler may not join with its neighbours'. */
static inline uint32_t recv_word(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	__asm__("" : "+r"(word));
	return word;
}

/*
 * Each field is read as it was written. A wider load of what has just been put together from narrower stores is not
 * forwarded: it waits until all stores before it, the last packet's payload among them, have reached the cache, and that
 * was a quarter of a packet's time.
 */
static bool recv_is_from(const struct rudp_connection *connection,
			 const struct rudp_address *address)
{
	const struct rudp_address *expected = &connection->params.address;
	uint32_t difference = (uint32_t)(expected->family ^ address->family) |
			      (uint32_t)(expected->link ^ address->link) |
			      (uint32_t)(expected->port ^ address->port) |
			      (uint32_t)(expected->local_port ^ address->local_port);

	for (size_t i = 0; i < sizeof(address->ip); i += sizeof(uint32_t))
		difference |= recv_word(expected->ip + i) ^ recv_word(address->ip + i);
	return difference == 0;
}

/* The header names the sender's id; the token proves that the sender holds the cluster's key. */
static enum rudp_receive recv_reset(const struct recv *recv, const struct rudp_address *address)
{
	struct rudp *rudp = recv->rudp;
	struct rudp_connection *connection = table_find(&rudp->remote, recv->header.connection);
	bool is_closed = recv->header.number == WIRE_RESET_CLOSED;

	if (recv->length != RUDP_TOKEN_BYTES || recv->header.tick != 0 ||
	    recv->header.number > WIRE_RESET_CLOSED)
		return recv_malformed(recv);
	/* Nobody is told of a reset that matches nothing: two such ends would talk for ever. */
	if (connection == NULL)
		return RUDP_RECEIVE_ELSEWHERE;
	if (!recv_is_from(connection, address) ||
	    !auth_equal(recv->payload, connection->params.token_peer, RUDP_TOKEN_BYTES)) {
		rudp_count(rudp, RUDP_COUNTER_FORGED_RESET);
		return RUDP_RECEIVE_MALFORMED;
	}
	rudp_count(rudp, RUDP_COUNTER_RESETS);
	conn_end(connection, is_closed ? RUDP_END_PEER : RUDP_END_RESTARTED, recv->now_us);
	return RUDP_RECEIVE_TAKEN;
}

/*
 * Before anything of the packet is believed: an offset with another bit would put good bytes into a wrong place, and an
 * acknowledgement complete what was never placed. What is damaged is lost, and comes again like all that is lost; that it
 * was damaged is no more to be held against the path than a loss is.
 */
static enum rudp_receive recv_check(struct recv *recv, const uint8_t *packet, size_t bytes)
{
	const struct rudp_connection *connection = recv->connection;

	if (connection->crc_flag == 0)
		return recv_malformed(recv);
	if ((recv->header.flags & WIRE_FLAG_CRC) == 0) {
		rudp_count(recv->rudp, RUDP_COUNTER_CRC_MISSING);
		return RUDP_RECEIVE_DAMAGED;
	}
	if (!wire_crc_is_good(packet, bytes)) {
		rudp_count(recv->rudp, RUDP_COUNTER_CRC_BAD);
		return RUDP_RECEIVE_DAMAGED;
	}
	recv->header.flags &=
		(uint8_t)~WIRE_FLAG_CRC; /* what is done with it does not depend on that */
	recv->payload += connection->crc_bytes;
	recv->length -= connection->crc_bytes;
	return RUDP_RECEIVE_TAKEN;
}

static enum rudp_receive recv_dispatch(struct recv *recv, const uint8_t *packet, size_t bytes)
{
	recv->connection->heard_us = recv->now_us;
	if (UNLIKELY(recv->connection->state == RUDP_OPENING)) {
		conn_state_set(recv->connection, RUDP_ESTABLISHED);
		conn_wake(recv->connection);
	}
	if (recv->header.type == WIRE_CONTROL)
		return recv_control(recv);
	if (!wire_data_parse(packet, &recv->header, &recv->data))
		return recv_malformed(recv);
	recv->payload = packet + conn_data_header_bytes(recv->connection);
	recv->length = (uint32_t)(bytes - conn_data_header_bytes(recv->connection));
	return recv->header.type == WIRE_WRITE ? recv_write(recv) : recv_read_data(recv);
}

enum rudp_receive rudp_receive_marked(struct rudp *rudp, uint64_t now_us,
				      const struct rudp_address *address, const void *packet,
				      size_t bytes, uint8_t ecn)
{
	struct recv recv;

	recv.rudp = rudp;
	recv.now_us = now_us;
	recv.ecn = ecn;
	rudp_count(rudp, RUDP_COUNTER_PACKETS_RECEIVED);
	if (bytes > RUDP_DATAGRAM_BYTES_MAX || !wire_header_parse(packet, bytes, &recv.header))
		return recv_malformed(&recv);
	recv.payload = (const uint8_t *)packet + WIRE_HEADER_BYTES;
	recv.length = (uint32_t)(bytes - WIRE_HEADER_BYTES);
	if (UNLIKELY(recv.header.type == WIRE_RESET))
		return recv_reset(&recv, address);
	recv.connection = table_find(&rudp->local, recv.header.connection);
	if (UNLIKELY(recv.connection == NULL)) {
		rudp_count(rudp, RUDP_COUNTER_UNKNOWN_CONNECTION);
		return RUDP_RECEIVE_UNKNOWN;
	}
	if (UNLIKELY(!recv_is_from(recv.connection, address))) {
		rudp_count(rudp, RUDP_COUNTER_FOREIGN_ADDRESS);
		return RUDP_RECEIVE_FOREIGN;
	}
	if (((recv.header.flags & WIRE_FLAG_CRC) | recv.connection->crc_flag) != 0) {
		enum rudp_receive checked = recv_check(&recv, packet, bytes);

		if (checked != RUDP_RECEIVE_TAKEN)
			return checked;
	}
	return recv_dispatch(&recv, packet, bytes);
}
