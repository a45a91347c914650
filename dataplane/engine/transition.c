/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of endpoints and rails; transition.h says when. */
#include "engine/transition.h"

#include "base/check.h"
#include "base/trace.h"
#include "engine/worker.h"

void transition_begin(struct transition *before, const struct endpoint *endpoint)
{
	before->state = endpoint->state;
	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++)
		before->stages[i] = endpoint->rails[i].stage;
}

void transition_end(const struct transition *before, const struct worker *worker,
		    const struct endpoint *endpoint, const char *why)
{
	const struct peer *peer = &worker->engine->peers.peers[endpoint->peer];
	struct trace_event event = {
		.kind = TRACE_RAIL, .node = peer->node, .incarnation = peer->incarnation, .why = why
	};

	for (uint32_t i = 0; i < ENGINE_RAILS_MAX; i++) {
		if (endpoint->rails[i].stage == before->stages[i])
			continue;
		event.number = (uint64_t)endpoint->transport << 8 | i;
		event.from = rail_stage_text(before->stages[i]);
		event.to = rail_stage_text(endpoint->rails[i].stage);
		trace_write(&event);
	}
	if (endpoint->state == before->state)
		return;
	event.kind = TRACE_ENDPOINT;
	event.number = endpoint->transport;
	event.from = endpoint_state_text(before->state);
	event.to = endpoint_state_text(endpoint->state);
	trace_write(&event);
}

const char *transition_why(enum rail_state state, enum rail_cause cause)
{
	static const char *const causes[] = {
		[RAIL_CAUSE_NONE] = "it is down",
		[RAIL_CAUSE_UNREACHABLE] = "nobody answers there",
		[RAIL_CAUSE_SILENT] = "the peer fell silent",
		[RAIL_CAUSE_RESTARTED] = "the peer has restarted",
		[RAIL_CAUSE_REFUSED] = "the peer refuses",
		[RAIL_CAUSE_CLOSED] = "ended on purpose",
	};

	if (state == RAIL_UP)
		return "connected, or heard again";
	if (state == RAIL_DOUBTFUL)
		return "probes are not answered";
	return cause < ARRAY_SIZE(causes) ? causes[cause] : causes[RAIL_CAUSE_NONE];
}
