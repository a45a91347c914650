/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Makes descriptors for the tests of the control plane.
 */
#ifndef TESTS_DESCRIPTORS_H
#define TESTS_DESCRIPTORS_H

#include "api/haul_abi.h"
#include "api/haul_attach.h"
#include "api/haul_control.h"
#include "base/descriptor.h"

#include <stdio.h>
#include <stdlib.h>

/** A segment of node "a" with buffer_count buffers of 4096 bytes, 8192 apart, and one address; freed by the caller. */
static inline struct haul_descriptor *descriptor_make(const char *segment, uint32_t buffer_count)
{
	size_t length = descriptor_bytes(buffer_count, 1);
	struct haul_descriptor *descriptor = calloc(1, length);
	void *behind = descriptor + 1;
	struct haul_descriptor_buffer *buffers = behind;
	struct haul_address *address = (void *)(buffers + buffer_count);

	descriptor->magic = HAUL_DESCRIPTOR_MAGIC;
	descriptor->version = HAUL_DESCRIPTOR_VERSION;
	descriptor->buffer_count = buffer_count;
	descriptor->address_count = 1;
	descriptor->incarnation = 0xa1a1;
	descriptor->bytes = (uint64_t)buffer_count * 8192;
	descriptor->number = 7;
	for (unsigned int i = 0; i < HAUL_KEY_BYTES; i++)
		descriptor->key[i] = (uint8_t)(0xf0 + i);
	(void)snprintf(descriptor->segment, sizeof(descriptor->segment), "%s", segment);
	(void)snprintf(descriptor->node, sizeof(descriptor->node), "a");
	(void)snprintf(descriptor->tenant, sizeof(descriptor->tenant), "owner");
	for (uint32_t i = 0; i < buffer_count; i++) {
		buffers[i].offset = (uint64_t)i * 8192;
		buffers[i].length = 4096;
		buffers[i].region = (uint64_t)1 << 24 | i;
		buffers[i].rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
		buffers[i].state = HAUL_BUFFER_ACTIVE;
	}
	address->transport = HAUL_TRANSPORT_UDP;
	address->family = 4;
	address->port = 4791;
	address->ip[0] = 10;
	address->ip[3] = 1;
	return descriptor;
}

/** The same things, to be spoilt by a test. */
static inline struct haul_descriptor_buffer *buffers_of(struct haul_descriptor *descriptor)
{
	void *behind = descriptor + 1;

	return behind;
}

static inline struct haul_address *addresses_of(struct haul_descriptor *descriptor)
{
	void *behind = buffers_of(descriptor) + descriptor->buffer_count;

	return behind;
}

#endif
