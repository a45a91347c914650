/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of the ports, as the control thread sees it: those that have come up are given to the workers, those that
 * are gone are taken from them, and closed when the last one has let go. One line of the log for each change.
 */
#include "base/check.h"
#include "drivers/udp/control.h"
#include "drivers/udp/counters.h"

#include <stdlib.h>
#include <string.h>

static uint32_t udp_port_bit(const struct port *port)
{
	return 1u << port->index;
}

static void udp_port_count(struct transport *transport, enum udp_counter counter)
{
	counter_add(&transport->counters[counter], 1);
}

/* Of each family that it has an address of; again after it was gone, since its MAC may be another. */
static bool udp_port_make_neighbours(struct transport *transport, const struct port *port)
{
	for (uint32_t i = 0; i < PORT_FAMILIES; i++) {
		const struct frame_ip *ip = &port->addresses[i].ip;
		struct neighbours **neighbours = &transport->neighbours[port->index][i];

		if (ip->family == 0)
			continue;
		if (*neighbours == NULL)
			*neighbours = malloc(sizeof(**neighbours));
		if (*neighbours == NULL)
			return false;
		neighbours_init(*neighbours, ip, port->mac);
	}
	return true;
}

static void udp_port_log_up(const struct port *port)
{
	const struct udp_port_conf *conf = port->conf;

	log_info(
		"udp",
		"port %s: up: %s%s%s, mtu %u, %02x:%02x:%02x:%02x:%02x:%02x, checksums %s, queues %u",
		conf->name, conf->address,
		conf->address[0] != '\0' && conf->address6[0] != '\0' ? " " : "", conf->address6,
		conf->mtu_bytes, port->mac[0], port->mac[1], port->mac[2], port->mac[3],
		port->mac[4], port->mac[5],
		port->sum == FRAME_SUM_NONE    ? "not sent"
		: port->sum == FRAME_SUM_WHOLE ? "made here"
					       : "made by the port",
		port->queues);
	if (port->is_bell_wanted && port->bell.kind == BELL_NONE) {
		log_info("udp",
			 "port %s: its device wakes nobody: idle workers sleep in short steps",
			 conf->name);
	}
}

/* The set of ports that are up has changed: workers that sleep are to look. */
static void udp_ports_wake(const struct transport *transport)
{
	for (uint32_t i = 0; i < transport->worker_count; i++)
		udp_control_wake(transport, i);
}

/* It has come up: workers may use it. */
static void udp_port_up(struct transport *transport, struct port *port, uint64_t now_us)
{
	if (!udp_port_make_neighbours(transport, port)) {
		log_limited(&transport->limit, LOG_LEVEL_ERROR, "udp",
			    "port %s: no memory for its neighbours", port->conf->name);
		return;
	}
	port->linked_us = now_us;
	port->told[0] = '\0';
	atomic_fetch_or_explicit(&transport->ports_up, udp_port_bit(port), memory_order_release);
	udp_ports_wake(transport);
	udp_port_count(transport, UDP_PORTS_UP);
	udp_port_log_up(port);
}

static void udp_port_link(struct transport *transport, struct port *port, uint64_t now_us)
{
	bool had_link = port->has_link;

	if (port_look_at_link(port, now_us) == had_link)
		return;
	if (port->has_link) {
		log_info("udp", "port %s: link up", port->conf->name);
		udp_control_announce(transport, port);
		return;
	}
	udp_port_count(transport, UDP_LINKS_DOWN);
	log_warning("udp", "port %s: link down: %s", port->conf->name, port_link_text(port));
}

/* Its queues are the workers' until each of them has seen that the port is not up any more. */
static void udp_port_gone(struct transport *transport, struct port *port, const char *why)
{
	udp_port_count(transport, UDP_PORTS_GONE);
	log_warning("udp", "port %s: gone: %s; it is opened again when it is back",
		    port->conf->name, why);
	port_leave(port);
	port->is_draining = true;
	atomic_fetch_and_explicit(&transport->ports_up, ~udp_port_bit(port), memory_order_release);
	udp_ports_wake(transport);
}

static bool udp_port_is_held(const struct transport *transport, const struct port *port)
{
	for (uint32_t i = 0; i < transport->worker_count; i++) {
		/* Acquire: what the worker has done with its queue comes before. */
		uint32_t held = atomic_load_explicit(&transport->workers[i].ports_held,
						     memory_order_acquire);

		if ((held & udp_port_bit(port)) != 0)
			return true;
	}
	return false;
}

/* Once nobody holds it, nothing more of it goes into relays: have they all come out again? */
static bool udp_port_is_relayed(const struct transport *transport, const struct port *port)
{
	uint64_t inside = 0;

	for (uint32_t i = 0; i < transport->worker_count; i++) {
		const struct transport_worker *worker = &transport->workers[i];

		inside += atomic_load_explicit(&worker->relayed_out[port->index],
					       memory_order_acquire) -
			  atomic_load_explicit(&worker->relayed_done[port->index],
					       memory_order_acquire);
	}
	return inside != 0;
}

static void udp_port_failures(struct transport *transport, struct port *port)
{
	char reason[OPENER_REASON_BYTES];
	uint32_t failures = opener_failures(port, reason);

	if (failures == port->failures_told)
		return;
	port->failures_told = failures;
	if (failures == 0)
		return;
	udp_port_count(transport, UDP_PORTS_FAILED);
	if (strcmp(reason, port->told) == 0)
		return;
	memcpy(port->told, reason, sizeof(port->told));
	log_error("udp", "port %s: %s: %s; trying on", port->conf->name, port->conf->device,
		  reason);
}

static void udp_port_look(struct transport *transport, struct port *port, uint64_t now_us)
{
	bool is_given = (atomic_load_explicit(&transport->ports_up, memory_order_relaxed) &
			 udp_port_bit(port)) != 0;
	const char *why;

	if (port_state(port) != PORT_UP) {
		if (port->is_draining && !udp_port_is_held(transport, port) &&
		    !udp_port_is_relayed(transport, port)) {
			port->is_draining = false;
			opener_reopen(port);
		}
		udp_port_failures(transport, port);
		return;
	}
	if (!is_given)
		udp_port_up(transport, port, now_us);
	why = port_loss(port, now_us);
	if (why != NULL)
		udp_port_gone(transport, port, why);
	else
		udp_port_link(transport, port, now_us);
}

void udp_ports_look(struct transport *transport, uint64_t now_us)
{
	transport->ports_us = now_us;
	for (uint32_t i = 0; i < transport->conf->port_count; i++) {
		struct port *port = &transport->ports[i];

		/* Acquire, and before looking: what happens meanwhile is looked at the next time. */
		atomic_exchange_explicit(&port->has_event, false, memory_order_acquire);
		udp_port_look(transport, port, now_us);
	}
}

bool udp_ports_have_news(const struct transport *transport)
{
	for (uint32_t i = 0; i < transport->conf->port_count; i++) {
		const struct port *port = &transport->ports[i];

		if (atomic_load_explicit(&port->has_event, memory_order_acquire) ||
		    port->is_draining)
			return true;
	}
	return false;
}

const char *udp_port_text(const struct port *port)
{
	switch (port_state(port)) {
	case PORT_OPENING:
		return "opening";
	case PORT_FAILED:
		return "failed";
	case PORT_GONE:
		return "gone";
	default:
		if (!port->has_link)
			return "no link";
		return port->is_bell_wanted && port->bell.kind == BELL_NONE ? "up, polled" : "up";
	}
}
