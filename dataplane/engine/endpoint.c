/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's state for a peer on a transport; endpoint.h has the picture. */
#include "engine/endpoint.h"

#include "base/check.h"
#include "engine/transition.h"
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

static void endpoint_set_state(struct endpoint *endpoint, enum endpoint_state state,
			       uint64_t now_us)
{
	if (endpoint->state == state)
		return;
	/* The control thread reads both for listings, each for itself. */
	__atomic_store_n(&endpoint->state, (uint8_t)state, __ATOMIC_RELAXED);
	__atomic_store_n(&endpoint->since_us, now_us, __ATOMIC_RELAXED);
}

void endpoint_init(struct endpoint *endpoint, uint32_t peer, uint32_t transport)
{
	TAILQ_INIT(&endpoint->waiting);
	endpoint->want_at_us = 0;
	endpoint->since_us = 0;
	endpoint->peer = peer;
	endpoint->waiting_count = 0;
	endpoint->transport = (uint8_t)transport;
	endpoint->state = ENDPOINT_IDLE;
	endpoint->rail_count = 1;
	endpoint->up_count = 0;
	endpoint->is_ready = false;
	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++)
		rail_init(&endpoint->rails[i]);
}

bool endpoint_takes(const struct endpoint *endpoint)
{
	return endpoint->state == ENDPOINT_UP || endpoint->state == ENDPOINT_DOUBTFUL;
}

static struct endpoint *endpoint_of_rail(struct worker *worker, uint32_t number)
{
	BUG_ON(number >= ENGINE_RAIL_NUMBERS);
	return &worker->endpoints[number / ENGINE_RAILS_MAX];
}

struct rail *endpoint_rail(struct worker *worker, uint32_t number)
{
	return &endpoint_of_rail(worker, number)->rails[number % ENGINE_RAILS_MAX];
}

/* Has it a rail in this stage? */
static bool endpoint_has(const struct endpoint *endpoint, enum rail_stage stage)
{
	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++) {
		if (endpoint->rails[i].stage == stage)
			return true;
	}
	return false;
}

/* The state of the best rail is the endpoint's. GONE and CLOSING are not of its rails' making. */
static void endpoint_settle(struct endpoint *endpoint, uint64_t now_us)
{
	static const struct {
		enum rail_stage stage;
		enum endpoint_state state;
	} order[] = {
		{ RAIL_STAGE_UP, ENDPOINT_UP },
		{ RAIL_STAGE_DOUBTFUL, ENDPOINT_DOUBTFUL },
		{ RAIL_STAGE_CONNECTING, ENDPOINT_CONNECTING },
		{ RAIL_STAGE_PAUSED, ENDPOINT_PAUSED },
	};

	uint32_t i = 0;

	if (endpoint->state == ENDPOINT_GONE || endpoint->state == ENDPOINT_CLOSING)
		return;
	while (i < ARRAY_SIZE(order) && !endpoint_has(endpoint, order[i].stage))
		i++;
	endpoint_set_state(endpoint, i < ARRAY_SIZE(order) ? order[i].state : ENDPOINT_IDLE,
			   now_us);
	endpoint->up_count = 0;
	for (i = 0; i < ENGINE_RAILS_MAX; i++)
		endpoint->up_count += endpoint->rails[i].stage == RAIL_STAGE_UP;
}

/* When the next missing rail may be asked for. */
static void endpoint_plan(struct endpoint *endpoint)
{
	endpoint->want_at_us = UINT64_MAX;
	if (endpoint->state == ENDPOINT_GONE || endpoint->state == ENDPOINT_CLOSING)
		return;
	for (uint32_t i = 0; i < endpoint->rail_count; i++) {
		const struct rail *rail = &endpoint->rails[i];

		if (rail_is_missing(rail))
			endpoint->want_at_us = MIN(endpoint->want_at_us, rail->retry_at_us);
	}
}

static void endpoint_ask(struct worker *worker, const struct endpoint *endpoint, uint32_t index,
			 enum worker_request_kind kind)
{
	uint32_t number = endpoint_number(endpoint->peer, endpoint->transport);
	struct worker_request request = { .kind = kind,
					  .worker = worker->number,
					  .index = rail_number(number, index) };

	worker_ask(worker, &request);
}

/* Ask the control thread for each rail that is missing and may be there now. */
static void endpoint_want_rails(struct worker *worker, struct endpoint *endpoint, uint64_t now_us)
{
	uint32_t ways = worker->engine->peers.peers[endpoint->peer].ways[endpoint->transport];
	struct transition before;

	transition_begin(&before, endpoint);
	endpoint->rail_count = (uint8_t)MIN(MAX(ways, endpoint->rail_count), ENGINE_RAILS_MAX);
	for (uint32_t i = 0; i < endpoint->rail_count; i++) {
		struct rail *rail = &endpoint->rails[i];

		if (!rail_is_missing(rail) || now_us < rail->retry_at_us)
			continue;
		rail_begin(rail, now_us);
		endpoint_ask(worker, endpoint, i, WORKER_CONNECT);
	}
	endpoint_settle(endpoint, now_us);
	endpoint_plan(endpoint);
	transition_end(&before, worker, endpoint, "asked for");
}

static inline void endpoint_want(struct worker *worker, struct endpoint *endpoint, uint64_t now_us)
{
	if (UNLIKELY(now_us >= endpoint->want_at_us))
		endpoint_want_rails(worker, endpoint, now_us);
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

/*
 * A rail is down. One word that the peer has restarted ends the endpoint, but for when another rail is up: then this one
 * has met somebody else at its address, or the other will hear the same.
 */
static void endpoint_rail_down(struct worker *worker, struct endpoint *endpoint, struct rail *rail,
			       enum rail_cause cause)
{
	struct worker_request request = { .kind = WORKER_PEER_RESTARTED,
					  .worker = worker->number,
					  .index = endpoint->peer };

	rail_pause(rail, worker->now_us);
	if (endpoint->state == ENDPOINT_GONE || endpoint_has(endpoint, RAIL_STAGE_UP))
		return;
	if (cause == RAIL_CAUSE_RESTARTED) {
		endpoint_set_state(endpoint, ENDPOINT_GONE, worker->now_us);
		endpoint_fail_waiting(endpoint, HAUL_STALE, HAUL_REASON_INCARNATION);
		worker_ask(worker, &request);
	} else if (cause == RAIL_CAUSE_REFUSED && !endpoint_has(endpoint, RAIL_STAGE_DOUBTFUL) &&
		   !endpoint_has(endpoint, RAIL_STAGE_CONNECTING)) {
		endpoint_fail_waiting(endpoint, HAUL_NO_PATH, HAUL_REASON_PEER_REFUSED);
	} else if (cause == RAIL_CAUSE_UNREACHABLE || cause == RAIL_CAUSE_SILENT) {
		request.kind = WORKER_PEER_UNREACHABLE;
		worker_ask(worker, &request);
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

/* The last rail of a forgotten peer's endpoint is down. */
static void endpoint_closed(struct worker *worker, struct endpoint *endpoint)
{
	endpoint_fail_waiting(endpoint, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	endpoint_init(endpoint, endpoint->peer, endpoint->transport);
	endpoint_tell_forgotten(worker, endpoint->peer);
}

/* Does a doubtful rail hold slices that one which is up could take? */
static bool endpoint_has_stranded(const struct endpoint *endpoint)
{
	if (endpoint->up_count == 0)
		return false;
	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++) {
		if (endpoint->rails[i].stage == RAIL_STAGE_DOUBTFUL &&
		    endpoint->rails[i].slices > 0)
			return true;
	}
	return false;
}

bool endpoint_is_left(struct worker *worker, uint32_t number)
{
	return endpoint_of_rail(worker, number)->up_count > 0 &&
	       endpoint_rail(worker, number)->stage == RAIL_STAGE_DOUBTFUL;
}

uint32_t endpoint_leave_doubtful(struct worker *worker, uint64_t now_us)
{
	uint32_t left = 0;

	if (LIKELY(now_us < worker->leave_at_us))
		return 0;
	worker->leave_at_us = UINT64_MAX;
	/* A rail's slices are in no list of their own, which would cost each slice; this is rare. */
	for (uint32_t i = 0; i < worker->channel_count; i++) {
		struct operation *operation = TAILQ_FIRST(&worker->channels[i]->operations);

		while (operation != NULL) {
			struct operation *next = TAILQ_NEXT(operation, siblings);

			left += operation_leave_doubtful(operation);
			operation = next;
		}
	}
	return left;
}

_Static_assert(ENGINE_ENDPOINTS_MAX % ENGINE_TEND_BUDGET == 0, "the last ones are as many");

static void endpoint_tend(struct worker *worker, uint64_t now_us)
{
	for (uint32_t i = 0; i < ENGINE_TEND_BUDGET; i++) {
		struct endpoint *endpoint = &worker->endpoints[worker->tend_next + i];

		if (endpoint_takes(endpoint))
			endpoint_want(worker, endpoint, now_us);
	}
	worker->tend_next = (worker->tend_next + ENGINE_TEND_BUDGET) % ENGINE_ENDPOINTS_MAX;
}

void endpoint_tend_due(struct worker *worker, uint64_t now_us)
{
	if (LIKELY(now_us < worker->tend_at_us))
		return;
	/* A worker that slept makes up for it, but never looks at anything twice. */
	for (uint32_t i = 0; i < ENGINE_ENDPOINTS_MAX / ENGINE_TEND_BUDGET; i++) {
		endpoint_tend(worker, now_us);
		worker->tend_at_us += ENGINE_TEND_STEP_US;
		if (now_us < worker->tend_at_us)
			return;
	}
	worker->tend_at_us = now_us + ENGINE_TEND_STEP_US;
}

/* A driver's word on a rail that is wanted. */
static void endpoint_take_news(struct worker *worker, struct endpoint *endpoint, struct rail *rail,
			       enum rail_state state, enum rail_cause cause)
{
	switch (state) {
	case RAIL_UP:
		rail_up(rail, worker->now_us);
		break;
	case RAIL_DOUBTFUL:
		rail_doubt(rail, worker->now_us);
		break;
	case RAIL_DOWN:
		if (rail->stage != RAIL_STAGE_PAUSED)
			endpoint_rail_down(worker, endpoint, rail, cause);
		break;
	}
	endpoint_settle(endpoint, worker->now_us);
	endpoint_plan(endpoint);
	if (endpoint_has_stranded(endpoint))
		worker->leave_at_us = MIN(worker->leave_at_us, worker->now_us + ENGINE_LEAVE_US);
}

void endpoint_rail_state(struct worker *worker, uint32_t number, enum rail_state state,
			 enum rail_cause cause)
{
	struct endpoint *endpoint = endpoint_of_rail(worker, number);
	struct rail *rail = &endpoint->rails[number % ENGINE_RAILS_MAX];
	const char *why = transition_why(state, cause);
	struct transition before;

	transition_begin(&before, endpoint);
	if (rail->stage == RAIL_STAGE_IDLE)
		return; /* news of a connection that is not wanted any more */
	if (rail->stage == RAIL_STAGE_CLOSING) {
		if (state != RAIL_DOWN)
			return;
		rail_init(rail);
		if (!endpoint_has(endpoint, RAIL_STAGE_CLOSING))
			endpoint_closed(worker, endpoint);
		transition_end(&before, worker, endpoint, why);
		return;
	}
	if (rail->stage == RAIL_STAGE_CONNECTING && cause == RAIL_CAUSE_CLOSED)
		return; /* a second word on what was disconnected before; connecting has not ended yet */
	endpoint_take_news(worker, endpoint, rail, state, cause);
	transition_end(&before, worker, endpoint, why);
}

/* Have the driver end what the endpoint may have; false when it has nothing. */
static bool endpoint_close(struct worker *worker, struct endpoint *endpoint)
{
	bool is_closing = false;

	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++) {
		struct rail *rail = &endpoint->rails[i];

		if (!rail_may_exist(rail))
			continue;
		rail_close(rail, worker->now_us);
		endpoint_ask(worker, endpoint, i, WORKER_DISCONNECT);
		is_closing = true;
	}
	return is_closing;
}

void endpoint_forget_peer(struct worker *worker, uint32_t peer)
{
	numbers_forget(&worker->numbers[peer]);
	for (uint32_t transport = 0; transport < ENGINE_TRANSPORTS; transport++) {
		struct endpoint *endpoint = &worker->endpoints[endpoint_number(peer, transport)];
		struct transition before;

		transition_begin(&before, endpoint);
		endpoint_fail_waiting(endpoint, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
		if (endpoint_close(worker, endpoint)) {
			endpoint_set_state(endpoint, ENDPOINT_CLOSING, worker->now_us);
			endpoint_plan(endpoint);
		} else {
			endpoint_init(endpoint, peer, transport);
		}
		transition_end(&before, worker, endpoint, "nothing of the peer is open");
	}
	endpoint_tell_forgotten(worker, peer);
}
