/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The descriptor of a segment as one block of bytes: its layout and its check. What the dataplane sends and what a
 * record of Redis was turned into both pass the check before anything else looks at them.
 */
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

#include "api/haul_control.h"

#include <stdbool.h>
#include <stddef.h>

/** The largest descriptor. */
#define DESCRIPTOR_BYTES_MAX                                                   \
	(sizeof(struct haul_descriptor) +                                      \
	 HAUL_DESCRIPTOR_BUFFERS_MAX * sizeof(struct haul_descriptor_buffer) + \
	 HAUL_DESCRIPTOR_ADDRESSES_MAX * sizeof(struct haul_address))

/** Bytes of a descriptor with so many buffers and addresses. */
size_t descriptor_bytes(uint32_t buffer_count, uint32_t address_count);

/** Its buffers and addresses; the counts must have been checked. */
const struct haul_descriptor_buffer *descriptor_buffers(const struct haul_descriptor *descriptor);
const struct haul_address *descriptor_addresses(const struct haul_descriptor *descriptor);

/** True when every field has a meaning and what must be zero is. */
bool address_is_valid(const struct haul_address *address);

/**
 * Check buffers against a segment of segment_bytes: each in a known state, with rights and a region of 48 bits, not
 * empty, inside the segment, in ascending order and disjoint. Returns NULL or what is wrong.
 */
const char *buffers_check(const struct haul_descriptor_buffer *buffers, uint32_t count,
			  uint64_t segment_bytes);

/**
 * Check a whole descriptor of length bytes. Returns 0, -HAUL_VERSION when it is of another format, or -HAUL_INVALID;
 * then reason (HAUL_REASON_BYTES) says what is wrong.
 */
int descriptor_check(const void *bytes, size_t length, char *reason);

/** The HAUL_RIGHT_* that a tenant has been granted: all for the owning tenant, else by the lists. */
uint32_t descriptor_rights(const struct haul_descriptor *descriptor, const char *tenant);

#endif
