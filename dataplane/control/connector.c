/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread's side of workers and transports; connector.h says what it does. */
#include "control/connector.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/node.h"
#include "control/refresh.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/eventfd.h>

/* Requests taken from one worker in one event. */
#define CONNECTOR_BUDGET 64

/* The drivers' control halves run at least so often, whatever they said. */
#define CONNECTOR_TIMER_MAX_US 100000

struct transport_peer connector_peer(const struct node *node, uint32_t index)
{
	const struct peer *peer = &node->engine.peers.peers[index];

	return (struct transport_peer){
		.node = peer->node,
		.incarnation = peer->incarnation,
		.addresses = peer->addresses,
		.address_count = peer->address_count,
	};
}

void connector_count_ways(struct node *node, uint32_t index)
{
	struct transport_peer whom = connector_peer(node, index);
	struct peer *peer = &node->engine.peers.peers[index];

	if (peer->references > 1)
		return; /* workers may be looking */
	for (uint32_t i = 0; i < node->engine.order_count; i++) {
		uint32_t id = node->engine.order[i];

		peer->ways[id] = (uint8_t)node->engine.ops[id]->rails(node->engine.transports[id],
								      &whom, ENGINE_RAILS_MAX);
	}
}

/* Which transport a rail is of, by its number. */
static uint32_t connector_transport(uint32_t rail)
{
	return rail / ENGINE_RAILS_MAX % ENGINE_TRANSPORTS;
}

static void connector_connect(struct node *node, uint32_t worker, uint32_t rail)
{
	uint32_t transport = connector_transport(rail);
	struct transport_peer whom =
		connector_peer(node, rail / ENGINE_RAILS_MAX / ENGINE_TRANSPORTS);

	whom.way = rail % ENGINE_RAILS_MAX;
	/* Also when the peer was given up meanwhile: the worker's DISCONNECT then follows, and ends what it began. */
	node->engine.ops[transport]->connect(node->engine.transports[transport], worker, rail,
					     &whom);
}

static void connector_disconnect(struct node *node, uint32_t worker, uint32_t rail)
{
	uint32_t transport = connector_transport(rail);

	node->engine.ops[transport]->disconnect(node->engine.transports[transport], worker, rail);
}

static void connector_obey(struct node *node, const struct worker_request *request)
{
	switch (request->kind) {
	case WORKER_CONNECT:
		connector_connect(node, request->worker, request->index);
		break;
	case WORKER_CHANNEL_BAD:
		client_channel_bad(node, request);
		break;
	case WORKER_CHANNEL_GONE:
		client_channel_gone(node, request);
		break;
	case WORKER_REMOTE_STALE:
		opening_refresh_remote(node, request->index);
		break;
	case WORKER_PEER_RESTARTED:
		opening_retire_peer(node, request->index);
		break;
	case WORKER_DISCONNECT:
		connector_disconnect(node, request->worker, request->index);
		break;
	case WORKER_PEER_UNREACHABLE:
		refresh_seek_peer(node, request->index);
		break;
	case WORKER_PEER_FORGOTTEN:
		peer_forgotten(&node->engine.peers, request->index);
		break;
	case WORKER_ERRAND:
		asker_obey(node, request);
		break;
	}
}

/* Run every driver's control half and arm the timer for the next time. */
static void connector_run_drivers(struct connector *connector)
{
	struct node *node = connector->node;
	uint64_t now_us = clock_now_us();
	uint64_t next_us = now_us + CONNECTOR_TIMER_MAX_US;
	struct timeval wait = { 0 };

	for (uint32_t i = 0; i < node->engine.order_count; i++) {
		uint32_t id = node->engine.order[i];
		uint64_t due_us =
			node->engine.ops[id]->control(node->engine.transports[id], now_us);

		next_us = MIN(next_us, due_us);
	}
	wait.tv_usec = next_us > now_us ? (suseconds_t)(next_us - now_us) : 0;
	event_add(connector->timer, &wait);
}

static void connector_on_requests(int fd, short what, void *argument)
{
	struct connector *connector = argument;
	struct node *node = connector->node;
	struct worker_request request;
	eventfd_t value;

	(void)what;
	eventfd_read(fd, &value);
	for (uint32_t i = 0; i < node->engine.options.worker_count; i++) {
		struct worker *worker = node->engine.workers[i];
		uint32_t taken = 0;

		while (taken < CONNECTOR_BUDGET && spsc_pop(&worker->requests, &request)) {
			connector_obey(node, &request);
			taken++;
		}
		if (taken == CONNECTOR_BUDGET)
			eventfd_write(worker->request_fd, 1); /* there may be more: come again */
	}
	connector_run_drivers(connector);
}

static void connector_on_drivers(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	connector_run_drivers(argument);
}

static struct event *connector_event(struct node *node, int fd, event_callback_fn fn)
{
	struct event *event = event_new(node->base, fd, EV_READ | EV_PERSIST, fn, &node->connector);

	if (event != NULL)
		event_add(event, NULL);
	return event;
}

int connector_start(struct node *node)
{
	struct connector *connector = &node->connector;

	connector->node = node;
	connector->timer = evtimer_new(node->base, connector_on_drivers, connector);
	if (connector->timer == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < node->engine.options.worker_count; i++) {
		connector->requests[i] = connector_event(node, node->engine.workers[i]->request_fd,
							 connector_on_requests);
		if (connector->requests[i] == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < node->engine.order_count; i++) {
		uint32_t id = node->engine.order[i];
		int fd = node->engine.ops[id]->control_fd(node->engine.transports[id]);

		if (fd < 0)
			continue;
		connector->drivers[i] = connector_event(node, fd, connector_on_drivers);
		if (connector->drivers[i] == NULL)
			return -ENOMEM;
	}
	connector_run_drivers(connector);
	return 0;
}

void connector_stop(struct node *node)
{
	struct connector *connector = &node->connector;

	for (uint32_t i = 0; i < ARRAY_SIZE(connector->requests); i++) {
		if (connector->requests[i] != NULL)
			event_free(connector->requests[i]);
		connector->requests[i] = NULL;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(connector->drivers); i++) {
		if (connector->drivers[i] != NULL)
			event_free(connector->drivers[i]);
		connector->drivers[i] = NULL;
	}
	if (connector->timer != NULL)
		event_free(connector->timer);
	connector->timer = NULL;
}
