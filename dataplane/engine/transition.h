/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What changed in an endpoint, for the trace: a picture of its states before something happens to it, and a record of
 * each that differs behind. So no place that moves a state needs to know of the trace. Called by its worker, where rails
 * come and go, never for a packet or an operation.
 */
#ifndef ENGINE_TRANSITION_H
#define ENGINE_TRANSITION_H

#include "engine/limits.h"
#include "engine/transport.h"

#include <stdint.h>

struct endpoint;
struct worker;

/** The states of an endpoint and of its rails. */
struct transition {
	uint8_t state;
	uint8_t stages[ENGINE_RAILS_MAX];
};

/** Take the picture. */
void transition_begin(struct transition *before, const struct endpoint *endpoint);

/** Write a record for each state that is another one now. `why` is static. */
void transition_end(const struct transition *before, const struct worker *worker,
		    const struct endpoint *endpoint, const char *why);

/** The words for a driver's news of a rail. Static. */
const char *transition_why(enum rail_state state, enum rail_cause cause);

#endif
