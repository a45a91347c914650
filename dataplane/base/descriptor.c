/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A descriptor is copied into memory of our own before it is checked, so what was checked cannot change.
 */
#include "base/descriptor.h"

#include "api/haul_abi.h"
#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/names.h"

#include <stdio.h>
#include <string.h>

/* Region handles are 48 bits: slot in the low 24, generation above. */
#define REGION_MAX ((UINT64_C(1) << 48) - 1)

/* Offsets in a region have 40 bits in a packet, and so has its end. */
#define REGION_BYTES_LIMIT (UINT64_C(1) << 40)

size_t descriptor_bytes(uint32_t buffer_count, uint32_t address_count)
{
	return sizeof(struct haul_descriptor) +
	       (size_t)buffer_count * sizeof(struct haul_descriptor_buffer) +
	       (size_t)address_count * sizeof(struct haul_address);
}

const struct haul_descriptor_buffer *descriptor_buffers(const struct haul_descriptor *descriptor)
{
	return (const struct haul_descriptor_buffer *)(descriptor + 1);
}

const struct haul_address *descriptor_addresses(const struct haul_descriptor *descriptor)
{
	const void *behind = descriptor_buffers(descriptor) + descriptor->buffer_count;

	return behind;
}

bool address_is_valid(const struct haul_address *address)
{
	static const uint8_t zeros[16];

	if (address->transport < HAUL_TRANSPORT_LOCAL || address->transport > HAUL_TRANSPORT_TCP)
		return false;
	if (address->reserved != 0)
		return false;
	if (address->family == 4)
		return memcmp(address->ip + 4, zeros, 12) == 0;
	return address->family == 6;
}

static const char *buffer_check(const struct haul_descriptor_buffer *buffer, uint64_t segment_bytes)
{
	if (buffer->length == 0)
		return "a buffer is empty";
	if (buffer->length > segment_bytes || buffer->offset > segment_bytes - buffer->length)
		return "a buffer does not lie inside the segment";
	if (buffer->length >= REGION_BYTES_LIMIT)
		return "a buffer has 2^40 bytes or more";
	if (buffer->region > REGION_MAX)
		return "a region handle has more than 48 bits";
	if ((buffer->rights & ~(HAUL_RIGHT_READ | HAUL_RIGHT_WRITE)) != 0)
		return "a buffer has rights that are not known";
	if (buffer->state != HAUL_BUFFER_ACTIVE && buffer->state != HAUL_BUFFER_DRAINING)
		return "a buffer is in a state that is not known";
	return NULL;
}

const char *buffers_check(const struct haul_descriptor_buffer *buffers, uint32_t count,
			  uint64_t segment_bytes)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < count; i++) {
		const char *wrong = buffer_check(&buffers[i], segment_bytes);

		if (wrong != NULL)
			return wrong;
		if (buffers[i].offset < end)
			return "buffers overlap or are out of order";
		end = buffers[i].offset + buffers[i].length;
	}
	return NULL;
}

static const char *header_check(const struct haul_descriptor *descriptor, size_t length)
{
	static const uint8_t zeros[HAUL_KEY_BYTES];

	if (descriptor->buffer_count > HAUL_DESCRIPTOR_BUFFERS_MAX)
		return "it has too many buffers";
	if (descriptor->address_count == 0 ||
	    descriptor->address_count > HAUL_DESCRIPTOR_ADDRESSES_MAX)
		return "it has no address or too many";
	if (length != descriptor_bytes(descriptor->buffer_count, descriptor->address_count))
		return "its length does not match its counts";
	if (descriptor->reserved != 0)
		return "reserved bytes are not zero";
	if (descriptor->incarnation == 0)
		return "it has no incarnation";
	if (descriptor->number == 0)
		return "the segment has no number";
	if (memcmp(descriptor->key, zeros, sizeof(zeros)) == 0)
		return "it has no key";
	return NULL;
}

static const char *names_check(const struct haul_descriptor *descriptor)
{
	if (!name_is_valid(descriptor->segment, sizeof(descriptor->segment)))
		return "the segment's name is not " NAMES_ALLOWED;
	if (!name_is_valid(descriptor->node, sizeof(descriptor->node)))
		return "the node's name is not " NAMES_ALLOWED;
	if (!name_is_valid(descriptor->tenant, sizeof(descriptor->tenant)))
		return "the tenant's name is not " NAMES_ALLOWED;
	if (!name_list_is_valid(descriptor->readers, sizeof(descriptor->readers)))
		return "readers is no list of tenants";
	if (!name_list_is_valid(descriptor->writers, sizeof(descriptor->writers)))
		return "writers is no list of tenants";
	return NULL;
}

static const char *addresses_check(const struct haul_descriptor *descriptor)
{
	const struct haul_address *addresses = descriptor_addresses(descriptor);

	for (uint32_t i = 0; i < descriptor->address_count; i++) {
		if (!address_is_valid(&addresses[i]))
			return "an address is malformed";
	}
	return NULL;
}

int descriptor_check(const void *bytes, size_t length, char *reason)
{
	const struct haul_descriptor *descriptor = bytes;
	const char *wrong = NULL;

	if (length < sizeof(*descriptor) || descriptor->magic != HAUL_DESCRIPTOR_MAGIC) {
		(void)snprintf(reason, HAUL_REASON_BYTES, "this is no descriptor");
		return -HAUL_INVALID;
	}
	if (descriptor->version != HAUL_DESCRIPTOR_VERSION) {
		(void)snprintf(reason, HAUL_REASON_BYTES,
			       "the descriptor has version %u, this side speaks %u",
			       descriptor->version, HAUL_DESCRIPTOR_VERSION);
		return -HAUL_VERSION;
	}
	wrong = header_check(descriptor, length);
	if (wrong == NULL)
		wrong = names_check(descriptor);
	if (wrong == NULL)
		wrong = buffers_check(descriptor_buffers(descriptor), descriptor->buffer_count,
				      descriptor->bytes);
	if (wrong == NULL)
		wrong = addresses_check(descriptor);
	if (wrong == NULL)
		return 0;
	(void)snprintf(reason, HAUL_REASON_BYTES, "the descriptor is malformed: %s", wrong);
	return -HAUL_INVALID;
}

uint32_t descriptor_rights(const struct haul_descriptor *descriptor, const char *tenant)
{
	uint32_t rights = 0;

	if (name_list_has(descriptor->tenant, tenant))
		return HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	if (name_list_has(descriptor->readers, tenant))
		rights |= HAUL_RIGHT_READ;
	if (name_list_has(descriptor->writers, tenant))
		rights |= HAUL_RIGHT_WRITE;
	return rights;
}
