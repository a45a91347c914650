/* SPDX-License-Identifier: BSD-3-Clause */
/* Refusals of clients' requests; refusal.h says what is kept of them. */
#include "control/refusal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/trace.h"

static const struct counter_spec refusal_specs[] = { REFUSAL_COUNTERS(COUNTER_SPEC) };

const struct counter_group refusal_counters = { "attach", refusal_specs, REFUSAL_COUNTER_COUNT };

static enum refusal_counter refusal_kind(enum haul_error error)
{
	switch (error) {
	case HAUL_INVALID:
	case HAUL_RANGE:
		return REFUSAL_INVALID;
	case HAUL_NOT_FOUND:
		return REFUSAL_NOT_FOUND;
	case HAUL_EXISTS:
		return REFUSAL_EXISTS;
	case HAUL_DENIED:
		return REFUSAL_DENIED;
	case HAUL_STALE:
		return REFUSAL_STALE;
	case HAUL_UNAVAILABLE:
		return REFUSAL_UNAVAILABLE;
	case HAUL_BUSY:
		return REFUSAL_BUSY;
	case HAUL_QUOTA:
		return REFUSAL_QUOTA;
	case HAUL_VERSION:
		return REFUSAL_VERSION;
	case HAUL_CORRUPT:
		return REFUSAL_CORRUPT;
	case HAUL_SYSTEM:
		return REFUSAL_SYSTEM;
	default:
		return REFUSAL_OTHER;
	}
}

/* The first of each second; a client that asks in a loop must not drive everything else out of the trace. */
static void refusal_trace(struct refusals *refusals, enum refusal_counter kind,
			  enum haul_error error, const char *client, const char *what)
{
	uint64_t second = clock_now_us() / 1000000;
	struct trace_event event = { .kind = TRACE_REFUSAL,
				     .node = client,
				     .from = "asked",
				     .to = error_name((int)error),
				     .why = what };

	refusals->untold[kind]++;
	if (refusals->seconds[kind] == second)
		return;
	refusals->seconds[kind] = second;
	event.number = refusals->untold[kind];
	refusals->untold[kind] = 0;
	trace_write(&event);
}

void refusal_count(struct refusals *refusals, enum haul_error error, const char *client,
		   const char *what)
{
	enum refusal_counter kind = refusal_kind(error);

	if (refusals->counters != NULL)
		counter_add(&refusals->counters[kind], 1);
	if (kind == REFUSAL_STALE || kind == REFUSAL_DENIED)
		refusal_trace(refusals, kind, error, client, what);
}
