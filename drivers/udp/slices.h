/* SPDX-License-Identifier: BSD-3-Clause */
/** What the udp transport keeps in the words of a slice that are the driver's, from post to slice_done. */
#ifndef DRIVERS_UDP_SLICES_H
#define DRIVERS_UDP_SLICES_H

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "engine/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The words: rudp's handle of the connection, rudp's id of the operation, and how it has ended. */
#define UDP_SLICE_CONNECTION 0
#define UDP_SLICE_OPERATION  1
#define UDP_SLICE_END        2

/* In END: it has ended, with this status and reason; 0 = it has not. */
#define UDP_SLICE_IS_DONE      (UINT64_C(1) << 32)
#define UDP_SLICE_STATUS_SHIFT 16

static inline void udp_slice_set_posted(struct slice *slice, uint32_t connection,
					uint32_t operation)
{
	slice->driver[UDP_SLICE_CONNECTION] = connection;
	slice->driver[UDP_SLICE_OPERATION] = operation;
	slice->driver[UDP_SLICE_END] = 0;
}

static inline void udp_slice_set_done(struct slice *slice, uint16_t status, uint16_t reason)
{
	slice->driver[UDP_SLICE_END] =
		UDP_SLICE_IS_DONE | (uint64_t)status << UDP_SLICE_STATUS_SHIFT | reason;
}

static inline bool udp_slice_is_done(const struct slice *slice)
{
	return slice->driver[UDP_SLICE_END] != 0;
}

static inline uint32_t udp_slice_connection(const struct slice *slice)
{
	return (uint32_t)slice->driver[UDP_SLICE_CONNECTION];
}

static inline uint32_t udp_slice_operation(const struct slice *slice)
{
	return (uint32_t)slice->driver[UDP_SLICE_OPERATION];
}

static inline enum haul_error udp_slice_status(const struct slice *slice)
{
	return (enum haul_error)(uint16_t)(slice->driver[UDP_SLICE_END] >> UDP_SLICE_STATUS_SHIFT);
}

static inline enum haul_reason udp_slice_reason(const struct slice *slice)
{
	return (enum haul_reason)(uint16_t)slice->driver[UDP_SLICE_END];
}

#endif
