/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker half's life, its connections and slices; worker.h says what it is, receive.c and send.c move packets. */
#include "drivers/udp/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "drivers/udp/counters.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/octets.h"
#include "drivers/udp/slices.h"
#include "drivers/udp/way.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* How often the rails' numbers are copied for listings. */
#define UDP_STATS_US UINT64_C(100000)

/* Commands taken in one round. */
#define UDP_COMMAND_BUDGET 32u

static int udp_worker_make_rings(struct transport_worker *worker)
{
	int error = spsc_init(&worker->commands, sizeof(struct udp_command), UDP_COMMANDS);

	if (error == 0)
		error = spsc_init(&worker->frames, sizeof(struct udp_frame), UDP_FRAMES);
	if (error == 0)
		error = spsc_init(&worker->events, sizeof(struct udp_event), UDP_EVENTS);
	if (error == 0)
		error = spsc_init(&worker->results, sizeof(struct udp_result), UDP_COMMANDS);
	if (error == 0)
		error = spsc_init(&worker->proofs, sizeof(struct udp_proof), UDP_PROOFS);
	if (error == 0)
		error = spsc_init(&worker->proven, sizeof(struct udp_proof), UDP_PROOFS);
	return error;
}

static int udp_worker_make_rudp(struct transport_worker *worker,
				const struct udp_worker_setup *setup)
{
	struct rudp_config config = {
		.connections_max = UDP_CONNECTIONS_MAX,
		.operations = RUDP_OPERATIONS_DEFAULT,
		.packets = RUDP_PACKETS_DEFAULT,
		.datagram_bytes = setup->datagram_bytes,
		.window_packets = setup->conf->window_packets,
		.silence_us = setup->conf->peer_silence_ms * 1000,
		.worker = (uint8_t)setup->number,
		.now_us = clock_now_us(),
		.counters = worker->counters + UDP_RUDP_FIRST,
		.callbacks = &udp_callbacks,
		.context = worker,
	};

	return rudp_create(&config, &worker->rudp);
}

/* A bad wire before each port that is to have one. */
static int udp_worker_make_impairs(struct transport_worker *worker)
{
#ifdef HAUL_DEBUG
	for (uint32_t i = 0; i < worker->port_count; i++) {
		const char *text = worker->conf->ports[i].impair;
		struct impair_options options;

		if (text[0] == '\0' || impair_parse(text, &options) != NULL)
			continue;
		worker->queues[i].impair = impair_create(&options, worker->number * PORTS_MAX + i,
							 worker->counters + UDP_IMPAIR_DROPPED);
		if (worker->queues[i].impair == NULL)
			return -ENOMEM;
	}
#else
	(void)worker;
#endif
	return 0;
}

int udp_worker_init(struct transport_worker *worker, const struct udp_worker_setup *setup)
{
	const struct transport_setup *engine = setup->setup;
	int error;

	memset(worker, 0, sizeof(*worker));
	TAILQ_INIT(&worker->news);
	TAILQ_INIT(&worker->connections);
	worker->engine = engine->workers[setup->number];
	worker->host = engine->host;
	worker->counters = engine->counters[setup->number];
	worker->number = setup->number;
	worker->worker_count = engine->worker_count;
	worker->relays = setup->relays;
	worker->engines = engine->workers;
	worker->rails_max = engine->rails_max;
	worker->conf = setup->conf;
	worker->ports = setup->ports;
	worker->port_count = setup->conf->port_count;
	worker->ports_up = setup->ports_up;
	worker->udp_port = (uint16_t)setup->conf->udp_port;
	worker->event_fd = setup->event_fd;
	reference_init(&worker->reference);
	worker->rails = calloc(worker->rails_max, sizeof(struct udp_connection *));
	worker->stats = calloc(worker->rails_max, sizeof(*worker->stats));
	if (worker->rails == NULL || worker->stats == NULL)
		return -ENOMEM;
	error = udp_worker_make_rings(worker);
	if (error == 0)
		error = pool_init(&worker->pool, sizeof(struct udp_connection),
				  UDP_CONNECTIONS_MAX);
	if (error == 0)
		error = udp_worker_make_rudp(worker, setup);
	if (error == 0)
		error = udp_worker_make_impairs(worker);
	return error;
}

void udp_worker_destroy(struct transport_worker *worker)
{
	for (uint32_t i = 0; i < PORTS_MAX; i++) {
		udp_queue_empty(&worker->queues[i]);
		udp_queue_empty(&worker->detours[i]);
		bell_unwatch(&worker->queues[i].watch);
#ifdef HAUL_DEBUG
		impair_destroy(worker->queues[i].impair);
#endif
	}
	rudp_destroy(worker->rudp);
	pool_destroy(&worker->pool);
	spsc_destroy(&worker->commands);
	spsc_destroy(&worker->frames);
	spsc_destroy(&worker->events);
	spsc_destroy(&worker->results);
	spsc_destroy(&worker->proofs);
	spsc_destroy(&worker->proven);
	free(worker->rails);
	free(worker->stats);
}

/* What a port is to those who send to it. */
static void udp_worker_take_self(struct transport_worker *worker, struct frame_self *self,
				 const struct port *port)
{
	const struct frame_ip *ipv4 = &port->addresses[PORT_IPV4].ip;
	const struct frame_ip *ipv6 = &port->addresses[PORT_IPV6].ip;

	memcpy(self->mac, port->mac, FRAME_MAC_BYTES);
	self->address = ipv4->family == 4 ? get32(ipv4->bytes) : 0;
	self->has_ipv6 = ipv6->family == 6;
	memcpy(self->address6, ipv6->bytes, sizeof(self->address6));
	self->udp_port = worker->udp_port;
	self->udp_port_count = 1 + UDP_SOURCE_PORTS;
	self->vlan = (uint16_t)port->conf->vlan;
	self->is_sum_needed = port->is_sum_needed;
}

/* The connections that a port had before it was gone go on with what it is now. */
static void udp_worker_take_connections(struct transport_worker *worker, uint32_t port)
{
	const struct udp_queue *queue = &worker->queues[port];
	struct udp_connection *connection;

	TAILQ_FOREACH(connection, &worker->connections, link)
	{
		if (connection->port == port)
			frame_template_move(&connection->template, queue->self.mac);
	}
}

/* A worker beyond the port's queues sends by the owner of one, and receives what the owners hand over. */
static void udp_worker_take_queue(struct transport_worker *worker, uint32_t index)
{
	struct udp_queue *queue = &worker->queues[index];
	struct port *port = &worker->ports[index];
	uint32_t owner = worker->number % port->queues;

	udp_worker_take_self(worker, &queue->self, port);
	queue->number = (uint16_t)owner;
	queue->owner = owner == worker->number ? NULL : &udp_relay_to(worker, owner)->to_send;
	queue->port = port;
	if (owner != 0) {
		struct udp_queue *detour = &worker->detours[index];

		detour->port = port;
		detour->number = 0;
		detour->owner = &udp_relay_to(worker, 0)->to_send;
		detour->self = queue->self;
	}
	udp_worker_take_connections(worker, index);
}

static void udp_worker_leave_queue(struct transport_worker *worker, uint32_t index)
{
	struct udp_queue *queue = &worker->queues[index];

	bell_unwatch(&queue->watch);
	udp_queue_empty(queue);
	udp_queue_empty(&worker->detours[index]);
	worker->detours[index].port = NULL;
	queue->port = NULL;
	queue->owner = NULL;
	for (uint32_t i = 0; worker->relays != NULL && i < worker->worker_count; i++) {
		struct relay *relay = udp_relay_from(worker, i);

		if (relay->held.mbuf == NULL || relay->held.port != index)
			continue;
		rte_pktmbuf_free(relay->held.mbuf);
		relay->held.mbuf = NULL;
		udp_relayed_add(&worker->relayed_done[index], 1);
	}
}

/* Take up the queues of ports that have come up since the last round, and give back those of ports that are gone. */
static void udp_worker_take_ports(struct transport_worker *worker, uint32_t ports_up)
{
	uint32_t changed = ports_up ^ worker->ports_seen;

	eal_thread_enter();
	for (uint32_t i = 0; i < worker->port_count; i++) {
		if ((changed & 1u << i) == 0)
			continue;
		if ((ports_up & 1u << i) != 0)
			udp_worker_take_queue(worker, i);
		else
			udp_worker_leave_queue(worker, i);
	}
	worker->ports_seen = ports_up;
	/* Release: whoever sees it sees the queues left alone. */
	atomic_store_explicit(&worker->ports_held, ports_up, memory_order_release);
}

static void udp_worker_rail(struct transport_worker *worker, uint32_t rail, enum rail_state state,
			    enum rail_cause cause)
{
	if (rail != UDP_NO_RAIL)
		worker->host->rail_state(worker->engine, rail, state, cause);
}

/* Data goes by the queue that the handshake went by. */
static struct udp_queue *udp_worker_queue(struct transport_worker *worker,
					  const struct udp_command *command)
{
	struct udp_queue *queue = &worker->queues[command->port];
	struct udp_queue *detour = &worker->detours[command->port];

	return command->params.address.queue == 0 && queue->number != 0 && detour->port != NULL
		       ? detour
		       : queue;
}

static struct udp_connection *udp_connection_make(struct transport_worker *worker,
						  const struct udp_command *command)
{
	struct udp_queue *queue = udp_worker_queue(worker, command);
	struct udp_connection *connection;
	struct frame_path path = {
		.source_mac = queue->self.mac,
		.target_mac = command->is_resolved ? command->mac : NULL,
		.source_port = command->params.address.local_port,
		.target_port = command->params.address.port,
	};

	if (queue->port == NULL)
		return NULL;
	path.target.family = command->params.address.family;
	memcpy(path.target.bytes, command->params.address.ip, sizeof(path.target.bytes));
	path.source = queue->port->addresses[port_family_of(&path.target)].ip;
	path.sum = queue->port->sum;
	path.vlan = queue->self.vlan;
	connection = pool_get(&worker->pool);
	if (connection == NULL)
		return NULL;
	memset(connection, 0, sizeof(*connection));
	connection->queue = queue;
	connection->port = command->port;
	connection->address = path.target;
	connection->rail = command->rail;
	frame_template_make(&connection->template, &path);
	connection->capacity = queue->port->frame_bytes - connection->template.header_bytes;
	connection->datagram_at = UDP_PAYLOAD_AT - RUDP_DATA_HEADER_BYTES;
	if ((command->params.capabilities & RUDP_WANTS_CRC) != 0)
		connection->datagram_at -= RUDP_CRC_BYTES;
	connection->tx_flags = queue->port->tx_flags;
	if (connection->tx_flags != 0)
		connection->tx_flags |=
			path.target.family == 4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	return connection;
}

static int udp_worker_add(struct transport_worker *worker, const struct udp_command *command)
{
	struct udp_connection *connection = udp_connection_make(worker, command);
	struct rudp_params params = command->params;
	int error;

	if (connection == NULL)
		return -ENOSPC;
	params.cc = udp_conf_cc(worker->conf, connection->queue->port->is_memory);
	error = rudp_connection_add(worker->rudp, worker->now_us, &params, connection,
				    &connection->rudp);
	if (error != 0) {
		pool_put(&worker->pool, connection);
		return error;
	}
	connection->state = (uint8_t)rudp_connection_state(connection->rudp);
	reference_begin(worker, connection);
	frame_template_mark(&connection->template, rudp_connection_is_marked(connection->rudp));
	TAILQ_INSERT_TAIL(&worker->connections, connection, link);
	if (command->rail != UDP_NO_RAIL)
		worker->rails[command->rail] = connection;
	return 0;
}

static void udp_worker_install(struct transport_worker *worker, const struct udp_command *command)
{
	struct udp_result result = { .local_id = command->params.local_id };

	result.result = udp_worker_add(worker, command);
	counter_add(
		&worker->counters[result.result == 0 ? UDP_CONNECTIONS : UDP_CONNECTIONS_REFUSED],
		1);
	if (command->rail == UDP_NO_RAIL) {
		bool pushed = spsc_push(&worker->results, &result);

		BUG_ON(!pushed); /* as many as commands, which control answers before it sends more */
		worker->has_events = true;
	} else if (result.result == 0) {
		udp_worker_rail(worker, command->rail, RAIL_UP, RAIL_CAUSE_NONE);
	} else {
		udp_worker_rail(worker, command->rail, RAIL_DOWN, RAIL_CAUSE_UNREACHABLE);
	}
}

static void udp_worker_disconnect(struct transport_worker *worker, uint32_t rail)
{
	struct udp_connection *connection = worker->rails[rail];

	if (connection == NULL) /* it has ended by itself meanwhile */
		udp_worker_rail(worker, rail, RAIL_DOWN, RAIL_CAUSE_CLOSED);
	else
		rudp_connection_close(connection->rudp, worker->now_us);
}

static void udp_worker_resolve(struct transport_worker *worker, const struct udp_command *command)
{
	struct udp_connection *connection;

	TAILQ_FOREACH(connection, &worker->connections, link)
	{
		if (connection->port == command->port &&
		    memcmp(&connection->address, &command->address, sizeof(command->address)) == 0)
			frame_template_resolve(&connection->template, command->mac);
	}
}

static uint32_t udp_worker_obey(struct transport_worker *worker)
{
	struct udp_command command;
	uint32_t work = 0;

	while (work < UDP_COMMAND_BUDGET && spsc_pop(&worker->commands, &command)) {
		work++;
		switch (command.kind) {
		case UDP_INSTALL:
			udp_worker_install(worker, &command);
			break;
		case UDP_DISCONNECT:
			udp_worker_disconnect(worker, command.rail);
			break;
		case UDP_RAIL_DOWN:
			udp_worker_rail(worker, command.rail, RAIL_DOWN, command.cause);
			break;
		case UDP_RESOLVED:
			udp_worker_resolve(worker, &command);
			break;
		}
	}
	return work;
}

static enum rail_cause udp_cause(enum rudp_end_reason reason)
{
	switch (reason) {
	case RUDP_END_CLOSED:
		return RAIL_CAUSE_CLOSED;
	case RUDP_END_PEER:
	case RUDP_END_RESTARTED:
		/* It may be another incarnation by now: the next handshake tells, with proof. */
		return RAIL_CAUSE_UNREACHABLE;
	default:
		return RAIL_CAUSE_SILENT;
	}
}

/* The rail is down; the connection may still be ending its operations. */
static void udp_connection_leave(struct transport_worker *worker, struct udp_connection *connection)
{
	uint32_t rail = connection->rail;

	if (rail == UDP_NO_RAIL)
		return;
	worker->rails[rail] = NULL;
	connection->rail = UDP_NO_RAIL;
	udp_worker_rail(worker, rail, RAIL_DOWN,
			udp_cause((enum rudp_end_reason)connection->reason));
}

static void udp_connection_tell(struct transport_worker *worker, struct udp_connection *connection)
{
	switch ((enum rudp_state)connection->state) {
	case RUDP_OPENING: /* only ever of accepted ones, which are no rail of this node's */
		break;
	case RUDP_ESTABLISHED:
		udp_worker_rail(worker, connection->rail, RAIL_UP, RAIL_CAUSE_NONE);
		break;
	case RUDP_DOUBTFUL:
		udp_worker_rail(worker, connection->rail, RAIL_DOUBTFUL, RAIL_CAUSE_NONE);
		break;
	case RUDP_ENDED:
		/* Ended on purpose: the engine hears of it when all its slices are done. */
		if (connection->reason != RUDP_END_CLOSED)
			udp_connection_leave(worker, connection);
		break;
	case RUDP_GONE:
		udp_connection_leave(worker, connection);
		TAILQ_REMOVE(&worker->connections, connection, link);
		pool_put(&worker->pool, connection);
		break;
	}
}

/* Tell the engine what rudp has ended, now that no call into rudp is open. The engine may end more meanwhile. */
static void udp_worker_tell(struct transport_worker *worker)
{
	struct udp_connection *connection;
	struct slice *slice;

	do {
		while ((slice = worker->done_head) != NULL) {
			worker->done_head = slice->next;
			counter_add(&worker->counters[UDP_SLICES], 1);
			worker->host->slice_done(worker->engine, slice, udp_slice_status(slice),
						 udp_slice_reason(slice));
		}
		connection = TAILQ_FIRST(&worker->news);
		if (connection != NULL) {
			TAILQ_REMOVE(&worker->news, connection, news);
			connection->has_news = false;
			udp_connection_tell(worker, connection);
		}
	} while (connection != NULL || worker->done_head != NULL);
}

static void udp_worker_copy_stats(struct transport_worker *worker)
{
	const struct udp_connection *connection;

	worker->stats_us = worker->now_us;
	TAILQ_FOREACH(connection, &worker->connections, link)
	{
		struct rudp_stats stats;

		if (connection->rail == UDP_NO_RAIL)
			continue;
		rudp_connection_stats(connection->rudp, &stats);
		worker->stats[connection->rail].rtt_us = stats.rtt_us;
		worker->stats[connection->rail].retransmissions = stats.packets_again;
		worker->stats[connection->rail].mtu_bytes = stats.mtu_bytes;
		worker->stats[connection->rail].window_packets = stats.window_packets;
		worker->stats[connection->rail].rtt_target_us = stats.rtt_target_us;
		worker->stats[connection->rail].congestion_name = stats.congestion_name;
	}
}

/* One write a round at most, and only when something came that is for the control thread: a few a second. */
static void udp_worker_wake_control(struct transport_worker *worker)
{
	if (LIKELY(!worker->has_events))
		return;
	worker->has_events = false;
	eventfd_write(worker->event_fd, 1);
}

uint32_t udp_worker_poll(struct transport_worker *worker, uint64_t now_us, uint32_t budget)
{
	uint32_t ports_up = atomic_load_explicit(worker->ports_up, memory_order_acquire);
	uint32_t work;

	worker->now_us = now_us;
	if (UNLIKELY(ports_up != worker->ports_seen))
		udp_worker_take_ports(worker, ports_up);
	work = udp_worker_obey(worker);
	udp_proofs_take(worker);
	work += udp_receive_all(worker, budget);
	if (rudp_next_deadline_us(worker->rudp) <= now_us)
		work += rudp_advance(worker->rudp, now_us);
	udp_worker_tell(worker);
	if (now_us - worker->stats_us >= UDP_STATS_US)
		udp_worker_copy_stats(worker);
	udp_worker_wake_control(worker);
	return work;
}

uint32_t udp_worker_flush(struct transport_worker *worker, uint64_t now_us, uint32_t budget)
{
	uint32_t work;

	worker->now_us = now_us;
	/* Of what was received or posted in this round. */
	rudp_grants_ask(worker->rudp);
	work = udp_send_all(worker, budget);
	udp_worker_tell(worker); /* a source that was refused ends its operation */
	udp_worker_wake_control(worker);
	return work;
}

/*
 * The slot of what was granted, for an operation on a slice's segment; false when the slice has to wait until it has been
 * proven. A slice whose grant was refused is done with it, which needs no connection any more.
 */
static bool udp_worker_may_post(struct transport_worker *worker,
				const struct udp_connection *connection, struct slice *slice,
				uint8_t *grant_out, bool *is_refused_out)
{
	int status = rudp_grant_find(connection->rudp, worker->now_us, slice->segment,
				     slice->rights, slice->remote, grant_out);

	*is_refused_out = UNLIKELY(status > 0);
	if (UNLIKELY(status > 0)) {
		udp_end_slice(worker, slice, (uint16_t)status,
			      status == HAUL_STALE ? HAUL_REASON_SEGMENT_RETIRED
						   : HAUL_REASON_UNPROVEN);
	}
	return status >= 0;
}

uint32_t udp_worker_post(struct transport_worker *worker, uint32_t rail, struct slice **slices,
			 uint32_t count)
{
	const struct udp_connection *connection = worker->rails[rail];

	static const enum rudp_kind kinds[] = {
		[SLICE_WRITE] = RUDP_WRITE,
		[SLICE_READ] = RUDP_READ,
		[SLICE_NOTIFY] = RUDP_NOTIFY,
	};

	uint32_t taken = 0;

	if (connection == NULL)
		return 0;
	while (taken < count) {
		struct slice *slice = slices[taken];
		struct rudp_operation_request request = {
			.kind = kinds[slice->kind],
			.length = slice->kind == SLICE_NOTIFY ? 0 : slice->length,
			.region = slice->remote_region,
			.offset = slice->remote_offset,
			.cookie = (uintptr_t)slice,
		};
		uint32_t operation;
		bool is_refused;

		if (!udp_worker_may_post(worker, connection, slice, &request.grant, &is_refused))
			break;
		if (is_refused) {
			taken++;
			continue;
		}
		if (rudp_submit(connection->rudp, worker->now_us, &request, &operation) != 0)
			break;
		udp_slice_set_posted(slice, rudp_connection_handle(connection->rudp), operation);
		taken++;
	}
	return taken;
}

void udp_worker_cancel(struct transport_worker *worker, struct slice *slice, enum haul_error status,
		       enum haul_reason reason)
{
	struct rudp_connection *connection;

	if (udp_slice_is_done(slice))
		return; /* ended already, and told with the others */
	connection = rudp_connection_find(worker->rudp, udp_slice_connection(slice));
	BUG_ON(connection == NULL); /* it is not gone before its operations are done */
	rudp_cancel(connection, worker->now_us, udp_slice_operation(slice), (uint16_t)status,
		    (uint16_t)reason);
}

void udp_worker_stats(struct transport_worker *worker, uint32_t rail, struct rail_stats *stats_out)
{
	*stats_out = worker->stats[rail];
}

bool udp_worker_arm(struct transport_worker *worker, int epoll_fd)
{
	bool is_armed = true;

	for (uint32_t i = 0; i < worker->port_count; i++) {
		struct udp_queue *queue = &worker->queues[i];

		/* Who has the queue of another worker is woken by that one. */
		if (queue->port != NULL && queue->owner == NULL &&
		    !bell_arm(&queue->port->bell, &queue->watch, queue->number, epoll_fd))
			is_armed = false;
	}
	return is_armed;
}

void udp_worker_disarm(struct transport_worker *worker)
{
	for (uint32_t i = 0; i < worker->port_count; i++) {
		struct udp_queue *queue = &worker->queues[i];

		if (queue->port != NULL && queue->owner == NULL)
			bell_disarm(&queue->port->bell, &queue->watch, queue->number);
	}
}

bool udp_limit_take(struct udp_limit *limit, uint64_t now_us, uint32_t most)
{
	if (now_us - limit->second_us >= 1000000) {
		limit->second_us = now_us;
		limit->count = 0;
	}
	return limit->count++ < most;
}

void udp_wake_relayed(struct transport_worker *worker)
{
	while (worker->relayed != 0) {
		uint32_t to = (uint32_t)__builtin_ctzll(worker->relayed);

		worker->relayed &= worker->relayed - 1;
		worker->host->wake(worker->engines[to]);
	}
}

static bool udp_worker_has_relayed(const struct transport_worker *worker)
{
	for (uint32_t i = 0; worker->relays != NULL && i < worker->worker_count; i++) {
		if (relay_has_work(udp_relay_from(worker, i)))
			return true;
	}
	return false;
}

uint64_t udp_worker_next_deadline_us(struct transport_worker *worker)
{
	uint64_t next_us = UINT64_MAX;

	for (uint32_t i = 0; i < worker->port_count; i++) {
		if (worker->queues[i].waiting_count > 0 || worker->detours[i].waiting_count > 0)
			return 0;
		next_us = MIN(next_us, udp_queue_late_us(&worker->queues[i]));
	}
	if (worker->done_head != NULL || udp_worker_has_relayed(worker))
		return 0;
	return MIN(next_us, rudp_next_deadline_us(worker->rudp));
}
