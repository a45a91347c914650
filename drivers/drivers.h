/* SPDX-License-Identifier: BSD-3-Clause */
/** The transports that are built in, in the order in which they are preferred by default. */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include "engine/transport.h"

extern const struct transport_ops *const drivers_all[];
extern const unsigned int drivers_count;

#endif
