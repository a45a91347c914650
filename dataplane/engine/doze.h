/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The sleep of an idle worker that something wakes (idle_policy = "interrupt"): a doorbell, a port, another thread
 * (worker_wake), or the next deadline. Called by its worker, in place of the short sleeps of the adaptive policy.
 *
 *     sleeper                                    whoever brings work
 *     flags up: channels', its own; ports armed  put it into a ring or a queue
 *     full fence                                 full fence, in the call that rings
 *     a whole round: anything there?             is the flag up, the port armed?
 *     no: sleep                                  yes: write the descriptor
 *
 * All descriptors are edge-triggered and nobody reads them, so a hostile peer cannot make a worker wait for them.
 */
#ifndef ENGINE_DOZE_H
#define ENGINE_DOZE_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/**
 * The longest such sleep in a daemon (engine_options.doze_max_us). Nothing depends on it but what cannot be proven here:
 * that a port's driver keeps its promise to wake while its peer goes and comes back. Ten rounds a second cost next to
 * nothing.
 */
#define DOZE_US_MAX 100000u

/**
 * Sleep, unless there was something to do after all. False when the worker must not sleep so: a transport has
 * something that does not wake, or there is work that only looking again finds (operations that wait for room, for a
 * newer view, or for a client to reap). Then it sleeps for a short time.
 */
bool doze(struct worker *worker);

#endif
