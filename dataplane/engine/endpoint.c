/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's state for a peer on a transport; endpoint.h has the picture. */
#include "engine/endpoint.h"

#include "base/check.h"
#include "engine/worker.h"

const char *endpoint_state_text(unsigned int state)
{
	static const char *const texts[ENDPOINT_STATE_COUNT] = {
		[ENDPOINT_IDLE] = "idle",       [ENDPOINT_CONNECTING] = "connecting",
		[ENDPOINT_UP] = "up",           [ENDPOINT_DOUBTFUL] = "doubtful",
		[ENDPOINT_PAUSED] = "paused",   [ENDPOINT_GONE] = "gone",
		[ENDPOINT_CLOSING] = "closing",
	};

	return state < ENDPOINT_STATE_COUNT ? texts[state] : "unknown";
}

/* The legal transitions, one bit a target state. endpoint_init brings CLOSING, and what has no rail, back to IDLE. */
static const uint8_t endpoint_transitions[ENDPOINT_STATE_COUNT] = {
	[ENDPOINT_IDLE] = 1 << ENDPOINT_CONNECTING,
	[ENDPOINT_CONNECTING] = 1 << ENDPOINT_UP | 1 << ENDPOINT_PAUSED | 1 << ENDPOINT_GONE |
				1 << ENDPOINT_CLOSING,
	[ENDPOINT_UP] = 1 << ENDPOINT_DOUBTFUL | 1 << ENDPOINT_PAUSED | 1 << ENDPOINT_GONE |
			1 << ENDPOINT_CLOSING,
	[ENDPOINT_DOUBTFUL] = 1 << ENDPOINT_UP | 1 << ENDPOINT_PAUSED | 1 << ENDPOINT_GONE |
			      1 << ENDPOINT_CLOSING,
	[ENDPOINT_PAUSED] = 1 << ENDPOINT_CONNECTING | 1 << ENDPOINT_UP | 1 << ENDPOINT_GONE,
	[ENDPOINT_GONE] = 0,
};

static void endpoint_set_state(struct endpoint *endpoint, enum endpoint_state state,
			       uint64_t now_us)
{
	BUG_ON((endpoint_transitions[endpoint->state] & 1u << state) == 0);
	endpoint->state = (uint8_t)state;
	endpoint->since_us = now_us;
}

void endpoint_init(struct endpoint *endpoint, uint32_t peer, uint32_t transport)
{
	TAILQ_INIT(&endpoint->waiting);
	endpoint->retry_at_us = 0;
	endpoint->since_us = 0;
	endpoint->pause_us = 0;
	endpoint->peer = peer;
	endpoint->waiting_count = 0;
	endpoint->transport = (uint8_t)transport;
	endpoint->state = ENDPOINT_IDLE;
	endpoint->is_ready = false;
}

bool endpoint_takes(const struct endpoint *endpoint)
{
	return endpoint->state == ENDPOINT_UP || endpoint->state == ENDPOINT_DOUBTFUL;
}

/* Ask the control thread for a connection, when the endpoint may have one now. */
static void endpoint_want(struct worker *worker, struct endpoint *endpoint, uint64_t now_us)
{
	struct worker_request request = { .kind = WORKER_CONNECT, .worker = worker->number };

	if (endpoint->state == ENDPOINT_PAUSED && now_us < endpoint->retry_at_us)
		return;
	if (endpoint->state != ENDPOINT_IDLE && endpoint->state != ENDPOINT_PAUSED)
		return;
	endpoint_set_state(endpoint, ENDPOINT_CONNECTING, now_us);
	request.index = endpoint_number(endpoint->peer, endpoint->transport);
	worker_ask(worker, &request);
}

/* Can this transport reach that peer at all? */
static bool endpoint_fits(const struct worker *worker, uint32_t transport, uint32_t peer)
{
	const struct transport_ops *ops = worker->engine->ops[transport];

	if (ops == NULL)
		return false;
	return ((ops->capabilities & TRANSPORT_SAME_NODE) != 0) ==
	       worker->engine->peers.peers[peer].is_self;
}

/* How good an endpoint's state is for new work; the order of transports decides between equals. */
static uint32_t endpoint_rank(const struct endpoint *endpoint)
{
	static const uint8_t ranks[ENDPOINT_STATE_COUNT] = {
		[ENDPOINT_UP] = 4,     [ENDPOINT_DOUBTFUL] = 3, [ENDPOINT_CONNECTING] = 2,
		[ENDPOINT_PAUSED] = 1, [ENDPOINT_GONE] = 1,
	};

	return ranks[endpoint->state];
}

struct endpoint *endpoint_pick(struct worker *worker, uint32_t peer, uint64_t now_us)
{
	const struct engine *engine = worker->engine;
	struct endpoint *best = NULL;

	for (uint32_t i = 0; i < engine->order_count; i++) {
		struct endpoint *endpoint;

		if (!endpoint_fits(worker, engine->order[i], peer))
			continue;
		endpoint = &worker->endpoints[endpoint_number(peer, engine->order[i])];
		endpoint_want(worker, endpoint, now_us);
		if (best == NULL || endpoint_rank(endpoint) > endpoint_rank(best))
			best = endpoint;
		if (best->state == ENDPOINT_UP)
			break; /* a less preferred transport is not even connected */
	}
	return best;
}

void endpoint_wait(struct worker *worker, struct endpoint *endpoint, struct operation *operation)
{
	operation->endpoint = (uint16_t)endpoint_number(endpoint->peer, endpoint->transport);
	TAILQ_INSERT_TAIL(&endpoint->waiting, operation, link);
	endpoint->waiting_count++;
	if (!endpoint->is_ready) {
		endpoint->is_ready = true;
		TAILQ_INSERT_TAIL(&worker->ready, endpoint, ready);
	}
}

void endpoint_leave(struct worker *worker, struct endpoint *endpoint, struct operation *operation)
{
	ASSERT(endpoint->waiting_count > 0);
	TAILQ_REMOVE(&endpoint->waiting, operation, link);
	if (--endpoint->waiting_count == 0) {
		endpoint->is_ready = false;
		TAILQ_REMOVE(&worker->ready, endpoint, ready);
	}
}

/* Let the operations that wait here post; stops at the first that meets back-pressure. */
static uint32_t endpoint_drive(struct worker *worker, struct endpoint *endpoint, uint64_t now_us)
{
	uint32_t posted = 0;

	for (uint32_t i = 0; i < ENGINE_ENDPOINT_BUDGET && endpoint->waiting_count > 0; i++) {
		struct operation *operation = TAILQ_FIRST(&endpoint->waiting);
		uint32_t count;

		endpoint_leave(worker, endpoint, operation);
		count = operation_drive(operation, now_us);
		posted += count;
		if (count == 0)
			break;
	}
	return posted;
}

uint32_t endpoint_drive_all(struct worker *worker, uint64_t now_us)
{
	struct endpoint *last = TAILQ_LAST(&worker->ready, endpoint_list);
	struct endpoint *endpoint = TAILQ_FIRST(&worker->ready);
	uint32_t posted = 0;

	/* An endpoint may leave the list and join it again behind `last`: that one is the next round's. */
	while (endpoint != NULL) {
		struct endpoint *next = endpoint == last ? NULL : TAILQ_NEXT(endpoint, ready);

		posted += endpoint_drive(worker, endpoint, now_us);
		endpoint = next;
	}
	return posted;
}

/* End what waits here: no path will come any more, or not to the incarnation that was meant. */
static void endpoint_fail_waiting(struct endpoint *endpoint, enum haul_error status,
				  enum haul_reason reason)
{
	while (endpoint->waiting_count > 0) {
		struct operation *operation = TAILQ_FIRST(&endpoint->waiting);
		uint32_t before = endpoint->waiting_count;

		operation_end(operation, status, reason);
		BUG_ON(endpoint->waiting_count != before - 1);
	}
}

/* The next pause is twice the last one, within bounds. */
static void endpoint_pause(struct endpoint *endpoint, uint64_t now_us)
{
	uint32_t pause_us = endpoint->pause_us * 2;

	endpoint->pause_us = MIN(MAX(pause_us, ENGINE_RETRY_MIN_US), ENGINE_RETRY_MAX_US);
	endpoint->retry_at_us = now_us + endpoint->pause_us;
	endpoint_set_state(endpoint, ENDPOINT_PAUSED, now_us);
}

static void endpoint_down(struct worker *worker, struct endpoint *endpoint, enum rail_cause cause)
{
	struct worker_request request = { .kind = WORKER_PEER_RESTARTED,
					  .worker = worker->number,
					  .index = endpoint->peer };

	switch (cause) {
	case RAIL_CAUSE_RESTARTED:
		endpoint_set_state(endpoint, ENDPOINT_GONE, worker->now_us);
		endpoint_fail_waiting(endpoint, HAUL_STALE, HAUL_REASON_INCARNATION);
		worker_ask(worker, &request);
		break;
	case RAIL_CAUSE_REFUSED:
		endpoint_pause(endpoint, worker->now_us);
		endpoint_fail_waiting(endpoint, HAUL_NO_PATH, HAUL_REASON_PEER_REFUSED);
		break;
	default:
		endpoint_pause(endpoint, worker->now_us);
		break;
	}
}

/* When none of a forgotten peer's endpoints can have a rail any more its slot may be used again: say so. */
static void endpoint_tell_forgotten(struct worker *worker, uint32_t peer)
{
	struct worker_request request = { .kind = WORKER_PEER_FORGOTTEN,
					  .worker = worker->number,
					  .index = peer };

	for (uint32_t transport = 0; transport < ENGINE_TRANSPORTS; transport++) {
		uint32_t number = endpoint_number(peer, transport);

		if (worker->endpoints[number].state == ENDPOINT_CLOSING)
			return;
	}
	worker_ask(worker, &request);
}

void endpoint_rail_state(struct worker *worker, uint32_t number, enum rail_state state,
			 enum rail_cause cause)
{
	struct endpoint *endpoint = &worker->endpoints[number];

	BUG_ON(number >= ENGINE_ENDPOINTS_MAX);
	if (endpoint->state == ENDPOINT_IDLE || endpoint->state == ENDPOINT_GONE)
		return; /* news of a connection that is not wanted any more */
	if (endpoint->state == ENDPOINT_CLOSING) {
		if (state != RAIL_DOWN)
			return;
		endpoint_fail_waiting(endpoint, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
		endpoint_init(endpoint, endpoint->peer, endpoint->transport);
		endpoint_tell_forgotten(worker, endpoint->peer);
		return;
	}
	if (endpoint->state == ENDPOINT_CONNECTING && cause == RAIL_CAUSE_CLOSED)
		return; /* a second word on what was disconnected before; connecting has not ended yet */
	switch (state) {
	case RAIL_UP:
		endpoint->pause_us = 0;
		if (endpoint->state != ENDPOINT_UP)
			endpoint_set_state(endpoint, ENDPOINT_UP, worker->now_us);
		break;
	case RAIL_DOUBTFUL:
		if (endpoint->state == ENDPOINT_UP)
			endpoint_set_state(endpoint, ENDPOINT_DOUBTFUL, worker->now_us);
		break;
	case RAIL_DOWN:
		if (endpoint->state != ENDPOINT_PAUSED)
			endpoint_down(worker, endpoint, cause);
		break;
	}
}

/* May the driver have, or be about to make, a connection for it? */
static bool endpoint_has_rail(const struct endpoint *endpoint)
{
	return endpoint->state == ENDPOINT_CONNECTING || endpoint_takes(endpoint);
}

void endpoint_forget_peer(struct worker *worker, uint32_t peer)
{
	struct worker_request request = { .kind = WORKER_DISCONNECT, .worker = worker->number };

	for (uint32_t transport = 0; transport < ENGINE_TRANSPORTS; transport++) {
		uint32_t number = endpoint_number(peer, transport);
		struct endpoint *endpoint = &worker->endpoints[number];

		endpoint_fail_waiting(endpoint, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
		if (!endpoint_has_rail(endpoint)) {
			endpoint_init(endpoint, peer, transport);
			continue;
		}
		endpoint_set_state(endpoint, ENDPOINT_CLOSING, worker->now_us);
		request.index = number;
		worker_ask(worker, &request);
	}
	endpoint_tell_forgotten(worker, peer);
}
