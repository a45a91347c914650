/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The local transport: source and target are regions of this very daemon, so an operation is one copy.
 *
 * Connecting means nothing here but an answer. Slices wait in a queue of their worker, and each poll copies a step
 * of the first, so that a large copy does not hold up the loop.
 */
#ifndef DRIVERS_LOCAL_LOCAL_H
#define DRIVERS_LOCAL_LOCAL_H

#include "engine/transport.h"

extern const struct transport_ops local_ops;

#endif
