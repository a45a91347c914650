/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events are kept in a heap, ordered by time and by the order in which they were made, so that a seed replays a run.
 * A packet is copied once, into a block of a pool that grows with the flight.
 */
#include "fabric.h"

#include "base/check.h"
#include "blank.h"
#include "random.h"
#include "rudp/cc.h"
#include "rudp/ecn.h"
#include "rudp/rudp.h"
#include "rudp/rudp_counters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PS_PER_US       UINT64_C(1000000)
#define PS_PER_NS       UINT64_C(1000)
#define DATAGRAM_BYTES  1472u
#define DATAGRAM_ROOM   1536u
#define PAYLOAD_BYTES   (DATAGRAM_BYTES - RUDP_DATA_HEADER_BYTES)
#define WIRE_BYTES_PLUS 66u /* IPv4, UDP, Ethernet, check sequence, preamble, gap */
#define WIRE_BYTES_MIN  84u
/* Senders' ports: faster than the bottleneck, or nothing would ever queue there. */
#define PORT_RATE_MBIT 100000u
/* What a port's ring holds, in time: a worker stops there and comes back. */
#define PORT_RING_PS (4 * PS_PER_US)
#define START_US     UINT64_C(1000000000)
/* Work of a sender: enough that it never runs dry. */
#define OPERATION_BYTES (1u << 20)
#define OPERATION_DEPTH 4u
/* Waiting times are counted in steps of 100 ns up to 10 ms. */
#define QUEUE_STEP_PS UINT64_C(100000)
#define QUEUE_STEPS   100000u
#define INBOX_PACKETS 1024u
/* Packets that a worker takes in, and sends, in a round: as the udp driver does. */
#define ROUND_PACKETS 64u

enum event_kind {
	EVENT_POLL,
	EVENT_SWITCH, /* a data packet reaches the bottleneck */
	EVENT_ARRIVE, /* a packet reaches its host */
};

struct packet {
	struct packet *next; /* of the free ones */
	uint32_t from;
	uint32_t to;
	uint32_t bytes;
	uint8_t ecn; /* the two bits of the IP header */
	uint8_t data[DATAGRAM_ROOM];
};

struct event {
	uint64_t at_ps;
	uint64_t sequence;
	struct packet *packet;
	enum event_kind kind;
	uint32_t host;
};

struct host {
	struct fabric *fabric;
	struct rudp *rudp;
	struct rudp_connection *connections[FABRIC_SENDERS_MAX];
	struct packet *inbox[INBOX_PACKETS];
	uint32_t inbox_count;
	uint32_t index;
	uint32_t open;          /* operations */
	uint64_t poll_ps;       /* of the event that counts; UINT64_MAX = none */
	uint64_t phase_ps;      /* it polls at this moment of each microsecond */
	uint64_t work_ps;       /* the round's work is done then */
	uint64_t port_ps;       /* when the port has sent all it has */
	uint64_t start_us;      /* then the application begins */
	uint64_t away_until_us; /* sleeps, or is off its core */
	uint64_t nap_at_us;
	uint64_t stall_at_us;
	uint64_t counters[RUDP_COUNTER_COUNT];
	uint64_t counters_warm[RUDP_COUNTER_COUNT]; /* when measuring began */
};

struct fabric {
	const struct fabric_config *config;
	struct fabric_result *result;
	struct random random;
	uint64_t now_ps;
	uint64_t measure_ps;    /* measuring begins */
	uint64_t bottleneck_ps; /* when the bottleneck has sent all it has */
	uint64_t ps_per_byte;   /* of the bottleneck */
	uint64_t data_packets;  /* at the bottleneck, while measuring */
	uint64_t data_dropped;
	struct packet *free_packets;
	struct event *events;
	uint32_t event_count;
	uint32_t event_capacity;
	uint64_t event_sequence;
	uint32_t *queue_steps;
	struct host hosts[FABRIC_SENDERS_MAX + 1]; /* the last one in use is the receiver */
};

static uint32_t fabric_receiver(const struct fabric *fabric)
{
	return fabric->config->senders;
}

static bool event_before(const struct event *a, const struct event *b)
{
	return a->at_ps != b->at_ps ? a->at_ps < b->at_ps : a->sequence < b->sequence;
}

static void event_swap(struct event *a, struct event *b)
{
	struct event kept = *a;

	*a = *b;
	*b = kept;
}

static void event_put(struct fabric *fabric, struct event event)
{
	struct event *events;
	uint32_t at = fabric->event_count++;

	if (fabric->event_count > fabric->event_capacity) {
		fabric->event_capacity = MAX(fabric->event_capacity * 2, 1024u);
		fabric->events =
			realloc(fabric->events, fabric->event_capacity * sizeof(*fabric->events));
		BUG_ON(fabric->events == NULL);
	}
	events = fabric->events;
	event.sequence = fabric->event_sequence++;
	events[at] = event;
	for (; at > 0 && event_before(&events[at], &events[(at - 1) / 2]); at = (at - 1) / 2)
		event_swap(&events[at], &events[(at - 1) / 2]);
}

static struct event event_take(struct fabric *fabric)
{
	struct event *events = fabric->events;
	struct event first = events[0];
	uint32_t at = 0;

	events[0] = events[--fabric->event_count];
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < fabric->event_count &&
			    event_before(&events[child], &events[least]))
				least = child;
		}
		if (least == at)
			return first;
		event_swap(&events[at], &events[least]);
		at = least;
	}
}

static struct packet *packet_get(struct fabric *fabric)
{
	struct packet *packet = fabric->free_packets;

	if (packet != NULL) {
		fabric->free_packets = packet->next;
		return packet;
	}
	packet = malloc(sizeof(*packet));
	BUG_ON(packet == NULL);
	return packet;
}

static void packet_put(struct fabric *fabric, struct packet *packet)
{
	packet->next = fabric->free_packets;
	fabric->free_packets = packet;
}

static bool fabric_is_measuring(const struct fabric *fabric)
{
	return fabric->now_ps >= fabric->measure_ps;
}

static uint64_t wire_bytes(const struct packet *packet)
{
	return MAX(packet->bytes + WIRE_BYTES_PLUS, WIRE_BYTES_MIN);
}

static int host_place(void *context, struct rudp_placement *placement)
{
	const struct host *host = context;
	const uint64_t *sender = rudp_connection_user(placement->connection);
	struct fabric *fabric = host->fabric;

	if (fabric_is_measuring(fabric))
		fabric->result->bytes[sender - fabric->result->bytes] += placement->length;
	return 0;
}

static void host_done(void *context, const struct rudp_completion *completion)
{
	struct host *host = context;

	BUG_ON(completion->status != 0);
	host->open--;
}

static void host_state(void *context, struct rudp_connection *connection, enum rudp_state state,
		       enum rudp_end_reason reason)
{
	(void)context;
	(void)connection;
	(void)reason;
	BUG_ON(state >= RUDP_ENDED);
}

static const struct rudp_callbacks host_callbacks = {
	.place = host_place,
	.notify = blank_notify,
	.open = blank_open,
	.closed = blank_closed,
	.source = blank_source,
	.deliver = blank_deliver,
	.done = host_done,
	.state = host_state,
};

static struct rudp_address host_address(uint32_t index)
{
	struct rudp_address address = { .family = 4, .port = 7471 };

	address.ip[0] = 10;
	address.ip[3] = (uint8_t)(index + 1);
	return address;
}

/* One end of the connection between a sender and the receiver. */
static void host_join(struct fabric *fabric, uint32_t sender, bool is_sender)
{
	uint32_t receiver = fabric_receiver(fabric);
	uint32_t here = is_sender ? sender : receiver;
	uint32_t there = is_sender ? receiver : sender;
	struct host *host = &fabric->hosts[here];
	struct rudp_params params = {
		.local_id = (uint64_t)here << 56 | (0x1000 + sender),
		.remote_id = (uint64_t)there << 56 | (0x1000 + sender),
		.address = host_address(there),
		.datagram_bytes = DATAGRAM_BYTES,
		.operations = RUDP_OPERATIONS_DEFAULT,
		.packets = RUDP_PACKETS_DEFAULT,
		.initiator = is_sender,
	};

	BUG_ON(rudp_connection_add(host->rudp, START_US, &params, &fabric->result->bytes[sender],
				   &host->connections[sender]) != 0);
}

static uint64_t host_due_us(struct fabric *fabric, uint64_t now_us, uint32_t about_us)
{
	return about_us == 0 ? UINT64_MAX
			     : now_us + about_us / 2 + random_below(&fabric->random, about_us);
}

static void host_poll_at(struct host *host, uint64_t at_ps)
{
	uint64_t phase_ps = host->phase_ps;
	struct event event = { .kind = EVENT_POLL, .host = host->index };

	at_ps = MAX(at_ps, host->work_ps);
	at_ps = (at_ps + PS_PER_US - 1 - phase_ps) / PS_PER_US * PS_PER_US + phase_ps;
	if (at_ps >= host->poll_ps)
		return;
	host->poll_ps = at_ps;
	event.at_ps = at_ps;
	event_put(host->fabric, event);
}

static void host_create(struct fabric *fabric, uint32_t index)
{
	const struct fabric_config *config = fabric->config;
	struct host *host = &fabric->hosts[index];
	struct rudp_config rudp_config = {
		.connections_max = config->senders,
		.operations = RUDP_OPERATIONS_DEFAULT,
		.packets = RUDP_PACKETS_DEFAULT,
		.datagram_bytes = DATAGRAM_BYTES,
		.worker = (uint8_t)index,
		.now_us = START_US,
		.counters = host->counters,
		.cc = cc_find(config->cc),
		.callbacks = &host_callbacks,
		.context = host,
	};

	host->fabric = fabric;
	host->index = index;
	host->poll_ps = UINT64_MAX;
	host->start_us = START_US + (uint64_t)index * config->stagger_us +
			 random_below(&fabric->random, config->round_trip_us);
	host->phase_ps = random_below(&fabric->random, PS_PER_US);
	host->nap_at_us = host_due_us(fabric, START_US, config->nap_us);
	host->stall_at_us = host_due_us(fabric, START_US, config->stall_us);
	BUG_ON(rudp_config.cc == NULL || rudp_create(&rudp_config, &host->rudp) != 0);
}

/* Random loss and reordering, then the way's half. */
static void fabric_deliver(struct fabric *fabric, struct packet *packet, uint64_t leaves_ps)
{
	const struct fabric_config *config = fabric->config;
	struct event event = { .kind = EVENT_ARRIVE, .packet = packet, .host = packet->to };

	if (random_chance(&fabric->random, config->loss_ppm)) {
		packet_put(fabric, packet);
		return;
	}
	event.at_ps = leaves_ps + config->round_trip_us * PS_PER_US / 4;
	if (random_chance(&fabric->random, config->reorder_ppm))
		event.at_ps += random_below(&fabric->random, config->reorder_us * PS_PER_US);
	event_put(fabric, event);
}

/* A data packet at the bottleneck. */
static void fabric_switch(struct fabric *fabric, struct packet *packet)
{
	uint64_t wait_ps =
		fabric->bottleneck_ps > fabric->now_ps ? fabric->bottleneck_ps - fabric->now_ps : 0;
	uint64_t bytes = wire_bytes(packet);
	uint64_t queued = wait_ps / fabric->ps_per_byte;
	bool is_full =
		fabric->config->buffer_bytes != 0 && queued + bytes > fabric->config->buffer_bytes;

	if (fabric_is_measuring(fabric)) {
		fabric->data_packets++;
		fabric->data_dropped += is_full;
		if (!is_full)
			fabric->queue_steps[MIN(wait_ps / QUEUE_STEP_PS, QUEUE_STEPS - 1)]++;
	}
	if (is_full) {
		packet_put(fabric, packet);
		return;
	}
	if (fabric->config->mark_bytes != 0 && packet->ecn != ECN_NOT_ECT &&
	    queued >= fabric->config->mark_bytes)
		packet->ecn = ECN_CE;
	fabric->bottleneck_ps = fabric->now_ps + wait_ps + bytes * fabric->ps_per_byte;
	fabric_deliver(fabric, packet, fabric->bottleneck_ps);
}

/* Through the host's port to the switch; only what goes to the receiver meets the bottleneck. */
static void host_send(struct host *host, struct packet *packet)
{
	struct fabric *fabric = host->fabric;
	uint64_t port_ps_per_byte = 8 * PS_PER_US / PORT_RATE_MBIT;
	struct event event = { .kind = EVENT_SWITCH, .packet = packet };

	host->port_ps = MAX(host->port_ps, host->work_ps) + wire_bytes(packet) * port_ps_per_byte;
	event.at_ps = host->port_ps + fabric->config->round_trip_us * PS_PER_US / 4;
	if (packet->to == fabric_receiver(fabric))
		event_put(fabric, event);
	else
		fabric_deliver(fabric, packet, event.at_ps);
}

static void host_submit(struct host *host, uint64_t now_us)
{
	struct rudp_operation_request request = { .kind = RUDP_WRITE, .length = OPERATION_BYTES };
	uint32_t id;

	if (host->index == fabric_receiver(host->fabric) || now_us < host->start_us)
		return;
	while (host->open < OPERATION_DEPTH &&
	       rudp_submit(host->connections[host->index], now_us, &request, &id) == 0)
		host->open++;
}

static uint32_t host_peer(const struct host *host, const struct rudp_connection *connection)
{
	const uint64_t *sender = rudp_connection_user(connection);
	uint32_t receiver = fabric_receiver(host->fabric);

	return host->index == receiver ? (uint32_t)(sender - host->fabric->result->bytes)
				       : receiver;
}

/* A packet costs the host time. */
static void host_pay(struct host *host)
{
	host->work_ps += host->fabric->config->packet_ns * PS_PER_NS;
}

/* False when the round is over before all has been sent, or the port's ring is full. */
static bool host_transmit(struct host *host, uint64_t now_us)
{
	struct fabric *fabric = host->fabric;
	struct rudp_connection *connection;
	uint32_t sent = 0;

	while ((connection = rudp_next_to_send(host->rudp, now_us)) != NULL) {
		for (;;) {
			struct packet *packet;

			if (host->port_ps > host->work_ps + PORT_RING_PS || sent == ROUND_PACKETS)
				return false;
			packet = packet_get(fabric);
			packet->bytes = (uint32_t)rudp_transmit(connection, now_us, NULL,
								packet->data, DATAGRAM_ROOM);
			if (packet->bytes == 0) {
				packet_put(fabric, packet);
				break;
			}
			packet->from = host->index;
			packet->ecn =
				rudp_connection_is_marked(connection) ? ECN_ECT0 : ECN_NOT_ECT;
			packet->to = host_peer(host, connection);
			host_pay(host);
			sent++;
			host_send(host, packet);
		}
	}
	return true;
}

/* True while the host is away; what arrives then waits in its ring. */
static bool host_is_away(struct host *host, uint64_t now_us)
{
	struct fabric *fabric = host->fabric;
	const struct fabric_config *config = fabric->config;

	if (now_us < host->away_until_us)
		return true;
	if (now_us >= host->nap_at_us) {
		host->away_until_us = now_us + random_below(&fabric->random, config->nap_length_us);
		host->nap_at_us = host_due_us(fabric, now_us, config->nap_us);
	}
	if (now_us >= host->stall_at_us) {
		host->away_until_us = now_us + config->stall_length_us;
		host->stall_at_us = host_due_us(fabric, now_us, config->stall_us);
	}
	return now_us < host->away_until_us;
}

static void host_receive(struct host *host, uint64_t now_us)
{
	uint32_t count = MIN(host->inbox_count, ROUND_PACKETS);

	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = host->inbox[i];
		struct rudp_address address = host_address(packet->from);

		rudp_receive_marked(host->rudp, now_us, &address, packet->data, packet->bytes,
				    packet->ecn);
		packet_put(host->fabric, packet);
		host_pay(host);
	}
	host->inbox_count -= count;
	memmove(host->inbox, host->inbox + count, host->inbox_count * sizeof(struct packet *));
}

static void host_poll(struct host *host)
{
	struct fabric *fabric = host->fabric;
	uint64_t now_us = fabric->now_ps / PS_PER_US;
	bool was_away = host->away_until_us != 0;
	uint64_t next_us;

	host->poll_ps = UINT64_MAX;
	if (host_is_away(host, now_us)) {
		host_poll_at(host, host->away_until_us * PS_PER_US);
		return;
	}
	host->away_until_us = 0;
	was_away |= host->work_ps > fabric->now_ps - PS_PER_US;
	host->work_ps = fabric->now_ps;
	/* A host that was not away has looked all the time: events without effect are left out here. */
	if (!was_away)
		rudp_advance(host->rudp, now_us);
	host_receive(host, now_us);
	rudp_advance(host->rudp, now_us);
	host_submit(host, now_us);
	next_us = host_transmit(host, now_us) && host->inbox_count == 0
			  ? rudp_next_deadline_us(host->rudp)
			  : now_us + 1;
	if (now_us < host->start_us)
		next_us = MIN(next_us, host->start_us);
	if (next_us != UINT64_MAX)
		host_poll_at(host, MAX(next_us * PS_PER_US, fabric->now_ps + 1));
}

static void host_arrive(struct host *host, struct packet *packet)
{
	struct fabric *fabric = host->fabric;

	uint32_t ring =
		fabric->config->ring_packets != 0 ? fabric->config->ring_packets : INBOX_PACKETS;

	if (host->inbox_count == ring) {
		packet_put(fabric, packet);
		return;
	}
	host->inbox[host->inbox_count++] = packet;
	host_poll_at(host, fabric->now_ps);
}

static void fabric_event(struct fabric *fabric, const struct event *event)
{
	struct host *host = &fabric->hosts[event->host];

	fabric->now_ps = event->at_ps;
	if (event->kind == EVENT_SWITCH)
		fabric_switch(fabric, event->packet);
	else if (event->kind == EVENT_ARRIVE)
		host_arrive(host, event->packet);
	else if (event->at_ps == host->poll_ps)
		host_poll(host);
}

static void fabric_run_until(struct fabric *fabric, uint64_t until_ps)
{
	while (fabric->event_count > 0 && fabric->events[0].at_ps < until_ps) {
		struct event event = event_take(fabric);

		fabric_event(fabric, &event);
	}
	fabric->now_ps = until_ps;
}

static double queue_percentile_us(const struct fabric *fabric, double share)
{
	uint64_t total = fabric->data_packets - fabric->data_dropped;
	uint64_t below = 0;
	uint32_t step = 0;

	for (; step < QUEUE_STEPS - 1; step++) {
		below += fabric->queue_steps[step];
		if ((double)below >= share * (double)total)
			break;
	}
	return (double)(step + 1) * (double)QUEUE_STEP_PS / (double)PS_PER_US;
}

static void fabric_sum_senders(struct fabric *fabric)
{
	struct fabric_result *result = fabric->result;
	uint32_t senders = fabric->config->senders;
	double data = 0;

	for (uint32_t i = 0; i < senders; i++) {
		const struct host *host = &fabric->hosts[i];
		uint64_t delta[RUDP_COUNTER_COUNT];
		struct rudp_stats stats;

		for (uint32_t c = 0; c < RUDP_COUNTER_COUNT; c++)
			delta[c] = host->counters[c] - host->counters_warm[c];
		rudp_connection_stats(host->connections[i], &stats);
		data += (double)delta[RUDP_COUNTER_DATA_SENT];
		result->again += (double)delta[RUDP_COUNTER_RETRANSMITTED];
		result->spurious += (double)delta[RUDP_COUNTER_SPURIOUS];
		result->window += stats.window_packets / (double)senders;
		if (stats.rtt_target_us > fabric->config->round_trip_us)
			result->target_us += (stats.rtt_target_us - fabric->config->round_trip_us) /
					     (double)senders;
	}
	result->again /= MAX(data, 1);
	result->spurious /= MAX(data, 1);
}

static void fabric_sum(struct fabric *fabric)
{
	const struct fabric_config *config = fabric->config;
	struct fabric_result *result = fabric->result;
	double payload_share = (double)PAYLOAD_BYTES / (DATAGRAM_BYTES + WIRE_BYTES_PLUS);
	double sum = 0;
	double squares = 0;

	for (uint32_t i = 0; i < config->senders; i++) {
		double bytes = (double)result->bytes[i];

		sum += bytes;
		squares += bytes * bytes;
	}
	result->goodput_bits = sum * 8e6 / config->measure_us;
	result->share = result->goodput_bits / (config->rate_mbit * 1e6 * payload_share);
	result->jain = squares > 0 ? sum * sum / (config->senders * squares) : 0;
	result->queue_p50_us = queue_percentile_us(fabric, 0.5);
	result->queue_p99_us = queue_percentile_us(fabric, 0.99);
	result->queue_max_us = queue_percentile_us(fabric, 1.0);
	result->dropped =
		(double)fabric->data_dropped / (double)MAX(fabric->data_packets, UINT64_C(1));
	fabric_sum_senders(fabric);
}

static void fabric_destroy(struct fabric *fabric)
{
	for (uint32_t i = 0; i <= fabric->config->senders; i++) {
		struct host *host = &fabric->hosts[i];

		for (uint32_t p = 0; p < host->inbox_count; p++)
			free(host->inbox[p]);
		rudp_destroy(host->rudp);
	}
	for (uint32_t i = 0; i < fabric->event_count; i++)
		free(fabric->events[i].packet);
	while (fabric->free_packets != NULL) {
		struct packet *packet = fabric->free_packets;

		fabric->free_packets = packet->next;
		free(packet);
	}
	free(fabric->events);
	free(fabric->queue_steps);
	free(fabric);
}

void fabric_run(const struct fabric_config *config, struct fabric_result *out)
{
	struct fabric *fabric = calloc(1, sizeof(*fabric));
	uint64_t start_ps = START_US * PS_PER_US;

	BUG_ON(fabric == NULL || config->senders == 0 || config->senders > FABRIC_SENDERS_MAX);
	memset(out, 0, sizeof(*out));
	fabric->config = config;
	fabric->result = out;
	fabric->random.state = random_mix(config->seed ^ UINT64_C(0x6a09e667f3bcc908));
	fabric->now_ps = start_ps;
	fabric->measure_ps = start_ps + config->warm_us * PS_PER_US;
	fabric->ps_per_byte = 8 * PS_PER_US / config->rate_mbit;
	fabric->queue_steps = calloc(QUEUE_STEPS, sizeof(*fabric->queue_steps));
	BUG_ON(fabric->queue_steps == NULL);
	for (uint32_t i = 0; i <= config->senders; i++)
		host_create(fabric, i);
	for (uint32_t i = 0; i < config->senders; i++) {
		host_join(fabric, i, true);
		host_join(fabric, i, false);
	}
	for (uint32_t i = 0; i <= config->senders; i++)
		host_poll_at(&fabric->hosts[i], start_ps);
	fabric_run_until(fabric, fabric->measure_ps);
	for (uint32_t i = 0; i <= config->senders; i++)
		memcpy(fabric->hosts[i].counters_warm, fabric->hosts[i].counters,
		       sizeof(fabric->hosts[i].counters));
	fabric_run_until(fabric, fabric->measure_ps + config->measure_us * PS_PER_US);
	fabric_sum(fabric);
	fabric_destroy(fabric);
}
