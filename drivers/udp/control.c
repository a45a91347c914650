/* SPDX-License-Identifier: BSD-3-Clause */
/* The control half; control.h says what it is. */
#include "drivers/udp/control.h"

#include "base/auth.h"
#include "base/check.h"
#include "base/clock.h"
#include "drivers/udp/counters.h"
#include "drivers/udp/way.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* How often ports are looked at: a person waits for "up", and a link's news may wait as long. */
#define UDP_PORTS_US UINT64_C(50000)

/* How often somebody who was asked for is looked for, while anybody is. */
#define UDP_NEIGHBOURS_US UINT64_C(100000)

/* How long an attempt to connect may take: the engine tries again after a pause. */
#define UDP_CONNECT_US UINT64_C(2000000)

/*
 * UDP ports that are tried beyond the first for one that answers to the right worker. With two workers that fails for one
 * connection in 2^17, with eight for one in ten, whose packets are handed over.
 */
#define UDP_PROBES_MAX 16u

/* Events taken from each worker, and packets sent, in one call: nobody else waits longer for this thread. */
#define UDP_EVENT_BUDGET 128u
#define UDP_SEND_BUDGET  128u

/* After something was put into a ring of a worker, which may be asleep. */
void udp_control_wake(const struct transport *transport, uint32_t worker)
{
	transport->setup.host->wake(transport->setup.workers[worker]);
}

static bool udp_control_command(struct transport *transport, uint32_t worker,
				const struct udp_command *command)
{
	if (!spsc_push(&transport->workers[worker].commands, command))
		return false;
	udp_control_wake(transport, worker);
	return true;
}

static struct udp_attempt *udp_attempt_of(struct transport *transport, uint32_t worker,
					  uint32_t rail)
{
	BUG_ON(worker >= transport->worker_count || rail >= transport->setup.rails_max);
	return &transport->attempts[(uint64_t)worker * transport->setup.rails_max + rail];
}

/* Tell a worker of the end of a rail's connection; what its ring does not take is told at the next tick. */
static void udp_control_tell(struct transport *transport, uint32_t worker,
			     const struct udp_command *command)
{
	struct udp_attempt *attempt = udp_attempt_of(transport, worker, command->rail);

	if (udp_control_command(transport, worker, command))
		return;
	transport->tellings_due += attempt->due == 0;
	attempt->due = command->kind;
	attempt->cause = command->cause;
}

/* There is no connection, and why. */
static void udp_control_down(struct transport *transport, uint32_t worker, uint32_t rail,
			     enum rail_cause cause)
{
	struct udp_command command = { .kind = UDP_RAIL_DOWN, .rail = rail, .cause = cause };

	udp_control_tell(transport, worker, &command);
}

static void udp_control_retry_tellings(struct transport *transport)
{
	uint32_t rails = transport->setup.rails_max;

	for (uint32_t i = 0; transport->tellings_due > 0 && i < transport->worker_count * rails;
	     i++) {
		struct udp_attempt *attempt = &transport->attempts[i];
		struct udp_command command = { .kind = attempt->due,
					       .rail = i % rails,
					       .cause = attempt->cause };

		if (attempt->due == 0)
			continue;
		attempt->due = 0;
		transport->tellings_due--;
		udp_control_tell(transport, i / rails, &command);
		if (attempt->due != 0)
			return; /* still full */
	}
}

/* Who is where on the link of a port, of an address's family; NULL when the port is not up or has no such address. */
static struct neighbours *udp_control_neighbours(struct transport *transport,
						 const struct rudp_address *address)
{
	BUG_ON(address->link >= PORTS_MAX);
	if (port_state(&transport->ports[address->link]) != PORT_UP)
		return NULL;
	return transport->neighbours[address->link][address->family == 6 ? PORT_IPV6 : PORT_IPV4];
}

static struct frame_ip udp_control_ip(uint8_t family, const uint8_t bytes[16])
{
	struct frame_ip ip = { .family = family };

	memcpy(ip.bytes, bytes, sizeof(ip.bytes));
	return ip;
}

/* Queue i is worker i's; one that there is not any more, since the port is another by now, is the first. */
static void udp_control_push(struct transport *transport, struct udp_frame *frame, uint32_t queue)
{
	uint32_t vlan = transport->conf->ports[frame->port].vlan;
	uint32_t worker = queue < transport->ports[frame->port].queues ? queue : 0;

	if (vlan != 0)
		frame->bytes = frame_tag(frame->data, frame->bytes, (uint16_t)vlan);
	if (!spsc_push(&transport->workers[worker].frames, frame))
		counter_add(&transport->counters[UDP_OUT_RING_FULL], 1);
	udp_control_wake(transport, worker);
}

static void udp_control_send_lookup(struct transport *transport, uint32_t port,
				    const struct lookup *lookup)
{
	struct udp_frame frame = { .port = port };

	frame.bytes = lookup_make(lookup, frame.data);
	udp_control_push(transport, &frame, 0);
}

/* A handshake packet as a frame. Few and small: always with a checksum, made here, whatever the port's policy. */
static void udp_control_make_frame(const struct frame_path *path, const uint8_t *payload,
				   uint32_t bytes, struct udp_frame *frame_out)
{
	uint8_t buffer[FRAME_TEMPLATE_BYTES + HANDSHAKE_PACKET_BYTES_MAX];
	uint8_t *datagram = buffer + FRAME_TEMPLATE_BYTES;
	struct frame_template template;

	frame_template_make(&template, path);
	if (path->target_mac == NULL)
		frame_template_resolve(&template, path->source_mac); /* until it is known */
	memcpy(datagram, payload, bytes);
	frame_finish(&template, datagram, bytes);
	memset(frame_out->data, 0, FRAME_BYTES_MIN);
	memcpy(frame_out->data, datagram - template.header_bytes, template.header_bytes + bytes);
	frame_out->bytes = MAX(template.header_bytes + bytes, FRAME_BYTES_MIN);
}

static void udp_control_send(struct transport *transport, const struct rudp_address *address,
			     const uint8_t *payload, uint32_t bytes, uint64_t now_us)
{
	struct frame_ip target = udp_control_ip(address->family, address->ip);
	struct neighbours *neighbours = udp_control_neighbours(transport, address);
	const struct port *port = &transport->ports[address->link];
	struct udp_frame frame;
	struct frame_path path = {
		.target = target,
		.source_port = address->local_port,
		.target_port = address->port,
		.sum = FRAME_SUM_WHOLE,
	};

	if (neighbours == NULL || !port_reaches(port, &target)) {
		counter_add(&transport->counters[UDP_OUT_NO_ROUTE], 1);
		return;
	}
	path.source = port->addresses[port_family_of(&target)].ip;
	path.source_mac = port->mac;
	path.target_mac = neighbours_find(neighbours, &target, now_us);
	udp_control_make_frame(&path, payload, bytes, &frame);
	frame.port = port->index;
	if (path.target_mac != NULL)
		udp_control_push(transport, &frame, address->queue);
	else
		neighbours_hold(neighbours, &target, frame.data, frame.bytes);
}

/* A neighbour's MAC is known now, or has changed: send what waits for it, and tell the connections. */
static void udp_control_learnt(struct transport *transport, const struct port *port,
			       struct neighbour *neighbour)
{
	struct udp_command command = { .kind = UDP_RESOLVED,
				       .port = port->index,
				       .address = neighbour->address };

	memcpy(command.mac, neighbour->mac, FRAME_MAC_BYTES);
	for (uint32_t i = 0; i < transport->worker_count; i++)
		udp_control_command(transport, i, &command);
	if (neighbour->held_bytes > 0) {
		struct udp_frame frame = { .port = port->index, .bytes = neighbour->held_bytes };

		memcpy(frame.data, neighbour->held, neighbour->held_bytes);
		memcpy(frame.data, neighbour->mac, FRAME_MAC_BYTES); /* the target stands first */
		udp_control_push(transport, &frame, 0);
		neighbour->held_bytes = 0;
	}
}

static void udp_control_lookup(struct transport *transport, const struct udp_event *event,
			       uint64_t now_us)
{
	const struct port *port = &transport->ports[event->port];
	struct neighbours *neighbours = NULL;
	struct neighbour *learnt;
	struct lookup answer;
	struct lookup lookup;
	bool is_answer_due;

	if (lookup_parse(event->data, event->bytes, &lookup))
		neighbours = transport->neighbours[event->port][port_family_of(&lookup.sender)];
	if (neighbours == NULL) {
		counter_add(&transport->counters[UDP_LOOKUP_BAD], 1);
		return;
	}
	switch (neighbours_receive(neighbours, &lookup, now_us, &learnt, &answer, &is_answer_due)) {
	case NEIGHBOUR_LEARNT:
		udp_control_learnt(transport, port, learnt);
		break;
	case NEIGHBOUR_CONFLICT:
		counter_add(&transport->counters[UDP_LOOKUP_CONFLICT], 1);
		log_limited(&transport->limit, LOG_LEVEL_WARNING, "udp",
			    "port %s: another station has the address %s too", port->conf->name,
			    lookup.sender.family == 4 ? port->conf->address : port->conf->address6);
		break;
	case NEIGHBOUR_NOTHING:
		break;
	}
	if (is_answer_due) {
		counter_add(&transport->counters[UDP_LOOKUP_ANSWERS], 1);
		udp_control_send_lookup(transport, event->port, &answer);
	}
}

static void udp_control_questions(struct transport *transport, uint64_t now_us)
{
	struct lookup question;

	for (uint32_t i = 0; i < transport->conf->port_count * PORT_FAMILIES; i++) {
		uint32_t port = i / PORT_FAMILIES;
		struct neighbours *neighbours = transport->neighbours[port][i % PORT_FAMILIES];

		if (neighbours == NULL)
			continue;
		while (neighbours_question(neighbours, now_us, &question)) {
			counter_add(&transport->counters[UDP_LOOKUP_QUESTIONS], 1);
			udp_control_send_lookup(transport, port, &question);
		}
	}
}

static void udp_control_event(struct transport *transport, const struct udp_event *event,
			      uint64_t now_us)
{
	switch (event->kind) {
	case UDP_EVENT_LOOKUP:
		udp_control_lookup(transport, event, now_us);
		break;
	case UDP_EVENT_HANDSHAKE:
		handshake_receive(transport->handshake, now_us, &event->address, event->data,
				  event->bytes);
		break;
	case UDP_EVENT_UNKNOWN:
		handshake_reset(transport->handshake, now_us, &event->address, event->connection,
				event->bytes);
		break;
	}
}

/* True when there is more than one call takes. */
static bool udp_control_events(struct transport *transport, uint64_t now_us)
{
	struct udp_event event;
	struct udp_result result;
	bool is_more = false;

	for (uint32_t i = 0; i < transport->worker_count; i++) {
		struct transport_worker *worker = &transport->workers[i];
		uint32_t count = 0;

		while (spsc_pop(&worker->results, &result))
			handshake_accepted(transport->handshake, now_us, result.local_id,
					   result.result);
		while (count < UDP_EVENT_BUDGET && spsc_pop(&worker->events, &event)) {
			udp_control_event(transport, &event, now_us);
			count++;
		}
		is_more |= count == UDP_EVENT_BUDGET;
	}
	return is_more;
}

static void udp_control_transmit(struct transport *transport, uint64_t now_us)
{
	uint8_t packet[HANDSHAKE_PACKET_BYTES_MAX];
	struct rudp_address address;

	for (uint32_t i = 0; i < UDP_SEND_BUDGET; i++) {
		size_t bytes = handshake_transmit(transport->handshake, now_us, &address, packet,
						  sizeof(packet));

		if (bytes == 0)
			return;
		udp_control_send(transport, &address, packet, (uint32_t)bytes, now_us);
	}
}

void udp_control_announce(struct transport *transport, const struct port *port)
{
	struct lookup announcement;

	for (uint32_t i = 0; i < PORT_FAMILIES; i++) {
		const struct neighbours *neighbours = transport->neighbours[port->index][i];

		if (neighbours == NULL)
			continue;
		neighbours_announce(neighbours, &announcement);
		udp_control_send_lookup(transport, port->index, &announcement);
	}
}

uint64_t udp_control(struct transport *transport, uint64_t now_us)
{
	uint64_t next_us = now_us + UDP_NEIGHBOURS_US;
	eventfd_t value;
	bool is_more;

	if (transport->conf->port_count == 0)
		return UINT64_MAX;
	eventfd_read(transport->event_fd, &value);
	if (now_us - transport->ports_us >= UDP_PORTS_US || udp_ports_have_news(transport))
		udp_ports_look(transport, now_us);
	is_more = udp_control_events(transport, now_us);
	is_more |= udp_proofs_answer(transport);
	handshake_advance(transport->handshake, now_us);
	udp_control_transmit(transport, now_us);
	udp_control_questions(transport, now_us);
	udp_control_retry_tellings(transport);
	if (is_more)
		return now_us;
	next_us = MIN(next_us, transport->ports_us + UDP_PORTS_US);
	return MIN(next_us, handshake_next_deadline_us(transport->handshake));
}

struct way_ports udp_control_ways(const struct transport *transport)
{
	return (struct way_ports){ .ports = transport->ports,
				   .count = transport->conf->port_count,
				   .connections = transport->conf->connections };
}

uint32_t udp_control_rails(struct transport *transport, const struct transport_peer *peer,
			   uint32_t max)
{
	struct way_ports ports = udp_control_ways(transport);

	return way_count(&ports, peer, max);
}

/* Where a rail leads to; false when it leads nowhere, or its port is not up. */
static bool udp_control_target(struct transport *transport, const struct transport_peer *peer,
			       struct rudp_address *address_out, uint64_t now_us)
{
	struct way_ports ports = udp_control_ways(transport);
	struct neighbours *neighbours;
	struct frame_ip ip;
	struct way way;

	if (!way_find(&ports, peer, peer->way, &way)) {
		log_limited(&transport->limit, LOG_LEVEL_INFO, "udp",
			    "peer %s: none of its addresses is on the link of a port", peer->node);
		return false;
	}
	*address_out = (struct rudp_address){ .family = way.address->family,
					      .link = (uint8_t)way.port,
					      .port = way.address->port };
	memcpy(address_out->ip, way.address->ip, sizeof(address_out->ip));
	neighbours = udp_control_neighbours(transport, address_out);
	if (neighbours == NULL) {
		log_limited(&transport->limit, LOG_LEVEL_INFO, "udp", "peer %s: port %s is not up",
			    peer->node, transport->conf->ports[way.port].name);
		return false;
	}
	ip = udp_control_ip(way.address->family, way.address->ip);
	neighbours_doubt(neighbours, &ip, now_us);
	return true;
}

/* The queue of a port by which a worker sends and receives. */
static uint32_t udp_control_queue(const struct transport *transport, uint32_t worker, uint32_t port)
{
	return worker % MAX(transport->ports[port].queues, 1u);
}

void udp_control_connect(struct transport *transport, uint32_t worker, uint32_t rail,
			 const struct transport_peer *peer)
{
	struct udp_attempt *attempt = udp_attempt_of(transport, worker, rail);
	uint64_t now_us = clock_now_us();
	struct handshake_target target = {
		.incarnation = peer->incarnation,
		.worker = (uint8_t)worker,
		.deadline_us = now_us + UDP_CONNECT_US,
		.user = attempt,
	};

	BUG_ON(attempt->number != 0);
	strncpy(target.name, peer->node, sizeof(target.name) - 1);
	if (!udp_control_target(transport, peer, &target.address, now_us)) {
		udp_control_down(transport, worker, rail, RAIL_CAUSE_UNREACHABLE);
		return;
	}
	attempt->way = peer->way;
	attempt->probes = 0;
	target.address.queue = (uint8_t)udp_control_queue(transport, worker, target.address.link);
	target.address.local_port = way_source_port((uint16_t)transport->conf->udp_port, worker,
						    peer->way, attempt->tries++);
	if (handshake_connect(transport->handshake, now_us, &target, &attempt->number) != 0) {
		udp_control_down(transport, worker, rail, RAIL_CAUSE_UNREACHABLE);
		return;
	}
	udp_control_transmit(transport, now_us);
	udp_control_questions(transport, now_us);
}

void udp_control_disconnect(struct transport *transport, uint32_t worker, uint32_t rail)
{
	struct udp_attempt *attempt = udp_attempt_of(transport, worker, rail);
	struct udp_command command = { .kind = UDP_DISCONNECT, .rail = rail };

	if (attempt->number != 0) {
		handshake_drop(transport->handshake, attempt->number);
		attempt->number = 0;
		udp_control_down(transport, worker, rail, RAIL_CAUSE_CLOSED);
	} else {
		udp_control_tell(transport, worker, &command);
	}
}

/* Who asked for checksums everywhere wants to know where there are none. */
static void udp_control_warn(struct transport *transport, const struct rudp_params *params)
{
	if (transport->conf->payload_crc != UDP_CRC_ALWAYS ||
	    (params->capabilities & RUDP_WANTS_CRC) != 0)
		return;
	log_limited(&transport->limit, LOG_LEVEL_WARNING, "udp",
		    "peer %s: packets go without a CRC: payload_crc is never there", params->name);
}

/* The command that hands a connection to its worker. */
static bool udp_control_install(struct transport *transport, uint32_t worker, uint32_t rail,
				const struct rudp_params *params)
{
	struct frame_ip ip = udp_control_ip(params->address.family, params->address.ip);
	struct neighbours *neighbours = udp_control_neighbours(transport, &params->address);
	struct udp_command command = { .kind = UDP_INSTALL, .rail = rail, .params = *params };
	const uint8_t *mac;

	if (neighbours == NULL)
		return false;
	udp_control_warn(transport, params);
	command.port = params->address.link;
	/* The ends have told what they carry with IPv4. */
	if (ip.family == 6)
		command.params.datagram_bytes -= FRAME_IPV6_MORE_BYTES;
	mac = neighbours_find(neighbours, &ip, clock_now_us());
	if (mac != NULL) {
		memcpy(command.mac, mac, FRAME_MAC_BYTES);
		command.is_resolved = true;
	}
	return udp_control_command(transport, worker, &command);
}

static void udp_handshake_random(void *context, void *out, size_t bytes)
{
	(void)context;
	auth_random(out, bytes);
}

static void udp_handshake_established(void *context, void *user, const struct rudp_params *params)
{
	struct transport *transport = context;
	struct udp_attempt *attempt = user;
	uint32_t index = (uint32_t)(attempt - transport->attempts);
	uint32_t worker = index / transport->setup.rails_max;
	uint32_t rail = index % transport->setup.rails_max;

	attempt->number = 0;
	if (!udp_control_install(transport, worker, rail, params))
		udp_control_down(transport, worker, rail, RAIL_CAUSE_UNREACHABLE);
}

/* One line for the person who has to find out why two nodes do not come together. */
static void udp_handshake_log(struct transport *transport, const struct handshake_report *report)
{
	struct log_limit *limit = &transport->limit;

	switch (report->failure) {
	case HANDSHAKE_TIMEOUT:
		log_limited(limit, LOG_LEVEL_DEBUG, "udp", "connect: no answer");
		break;
	case HANDSHAKE_INCARNATION:
		log_limited(limit, LOG_LEVEL_INFO, "udp",
			    "connect: node %s lives there, incarnation %016llx: it was restarted",
			    report->name, (unsigned long long)report->incarnation);
		break;
	case HANDSHAKE_VERSION:
		log_limited(limit, LOG_LEVEL_WARNING, "udp",
			    "connect: the peer speaks versions %u to %u, this node %u to %u",
			    report->version_min, report->version_max, report->version_min_here,
			    report->version_max_here);
		break;
	case HANDSHAKE_BUSY:
		log_limited(limit, LOG_LEVEL_WARNING, "udp", "connect: the peer has no room");
		break;
	case HANDSHAKE_KEY:
		log_limited(limit, LOG_LEVEL_WARNING, "udp",
			    "connect: the peer has another cluster key");
		break;
	}
}

static void udp_handshake_failed(void *context, void *user, const struct handshake_report *report)
{
	struct transport *transport = context;
	struct udp_attempt *attempt = user;
	uint32_t index = (uint32_t)(attempt - transport->attempts);
	enum rail_cause cause = RAIL_CAUSE_UNREACHABLE;

	attempt->number = 0;
	udp_handshake_log(transport, report);
	if (report->failure == HANDSHAKE_INCARNATION)
		cause = RAIL_CAUSE_RESTARTED;
	else if (report->failure == HANDSHAKE_VERSION || report->failure == HANDSHAKE_KEY)
		cause = RAIL_CAUSE_REFUSED;
	udp_control_down(transport, index / transport->setup.rails_max,
			 index % transport->setup.rails_max, cause);
}

/*
 * Some queues have no other end (the peer has fewer): after 300 ms of silence the first one is tried, which always has, and
 * whatever comes by it is right. Else an answer that came to another worker has the next UDP port tried. A port that
 * spreads by queues, not by UDP ports, has it right at once or never.
 */
static bool udp_handshake_steer(void *context, void *user, const struct rudp_address *came_by,
				struct rudp_address *target)
{
	struct transport *transport = context;
	struct udp_attempt *attempt = user;
	uint32_t worker = (uint32_t)(attempt - transport->attempts) / transport->setup.rails_max;
	uint32_t queue = udp_control_queue(transport, worker, target->link);

	if (came_by == NULL && target->queue != 0) {
		target->queue = 0;
		return false;
	}
	if (came_by == NULL || came_by->queue == queue || target->queue != queue)
		return true;
	if (attempt->probes == UDP_PROBES_MAX) {
		counter_add(&transport->counters[UDP_STEER_MISSED], 1);
		return true;
	}
	attempt->probes++;
	counter_add(&transport->counters[UDP_STEER_AGAIN], 1);
	target->local_port = way_source_port((uint16_t)transport->conf->udp_port, worker,
					     attempt->way, attempt->tries++);
	return false;
}

/* The worker whose queue it came in by, or one of those without a queue that it serves: they take turns. */
static int udp_handshake_choose(void *context, const struct rudp_address *address)
{
	struct transport *transport = context;
	struct frame_ip ip = udp_control_ip(address->family, address->ip);
	const struct port *port = &transport->ports[address->link];
	uint32_t workers;
	uint32_t queue;

	if (udp_control_neighbours(transport, address) == NULL || !port_reaches(port, &ip))
		return -1;
	queue = address->queue % port->queues;
	workers = (transport->worker_count - queue + port->queues - 1) / port->queues;
	return (int)(queue + transport->worker_next++ % workers * port->queues);
}

static int udp_handshake_accept(void *context, const struct rudp_params *params)
{
	struct transport *transport = context;
	uint32_t worker = (uint32_t)(params->local_id >> 56);

	BUG_ON(worker >= transport->worker_count); /* choose named it */
	return udp_control_install(transport, worker, UDP_NO_RAIL, params) ? -EINPROGRESS : -EBUSY;
}

/* By the wire, unless told otherwise; of a port that is not up nothing is known, and nothing comes of it. */
static uint32_t udp_handshake_capabilities(void *context, const struct rudp_address *address)
{
	const struct transport *transport = context;
	const struct port *port = &transport->ports[address->link];
	bool is_wanted = transport->conf->payload_crc == UDP_CRC_ALWAYS;

	if (transport->conf->payload_crc == UDP_CRC_NEVER)
		return 0;
	if (transport->conf->payload_crc == UDP_CRC_AUTO && port_state(port) == PORT_UP)
		is_wanted = port_is_blind(port, address->family == 6 ? PORT_IPV6 : PORT_IPV4);
	return is_wanted ? RUDP_CAN_CRC | RUDP_WANTS_CRC : RUDP_CAN_CRC;
}

const struct handshake_callbacks udp_handshake_callbacks = {
	.random = udp_handshake_random,
	.capabilities = udp_handshake_capabilities,
	.established = udp_handshake_established,
	.failed = udp_handshake_failed,
	.steer = udp_handshake_steer,
	.choose = udp_handshake_choose,
	.accept = udp_handshake_accept,
};
