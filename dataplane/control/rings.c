/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory of a channel; rings.h says what for. */
#include "control/rings.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/memfd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t rings_bytes(uint32_t entries)
{
	uint64_t bytes = sizeof(struct haul_channel_header) +
			 (uint64_t)entries * sizeof(struct haul_entry) +
			 (uint64_t)entries * 2 * sizeof(struct haul_completion) +
			 (uint64_t)entries * sizeof(struct haul_notification);

	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* The layout of haul_abi.h: header, entries, completions, notifications, back to back. */
static void rings_lay_out(struct channel *channel, void *address)
{
	struct haul_channel_header *header = address;

	channel->header = header;
	channel->entries = (struct haul_entry *)(void *)(header + 1);
	channel->completions =
		(struct haul_completion *)(void *)(channel->entries + channel->entries_count);
	notices_init(&channel->notices, header,
		     (struct haul_notification *)(void *)(channel->completions +
							  channel->completions_count),
		     channel->entries_count);
	channel->notices.wake_fd = channel->wake_fd;
	header->magic = HAUL_ABI_MAGIC;
	header->version = HAUL_ABI_VERSION;
	header->entries = channel->entries_count;
	header->completions = channel->completions_count;
	header->notifications = channel->entries_count;
	header->state = HAUL_CHANNEL_OPEN;
}

static int rings_map(struct rings *rings)
{
	void *address;
	int error;

	rings->memory_fd = memfd_make("haul-channel", rings->bytes, 0);
	if (rings->memory_fd < 0)
		return rings->memory_fd;
	error = memfd_map(rings->memory_fd, rings->bytes, MEMFD_POPULATE, &address);
	if (error != 0)
		return error;
	rings_lay_out(&rings->channel, address);
	return fault_range_add(address, rings->bytes, PAGE_BYTES, &rings->fault_id);
}

/* How either side wakes the other. Returns 0 or -errno. */
static int rings_make_wakers(struct rings *rings)
{
	int pair[2];

	/* Its counter is never read here: edges wake the worker, and nothing can make it wait. */
	rings->channel.doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rings->channel.doorbell_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return -errno;
	rings->channel.wake_fd = pair[0];
	rings->client_wake_fd = pair[1];
	return 0;
}

int rings_create(uint32_t number, uint32_t entries, uint32_t timeout_ms, struct rings **rings_out)
{
	struct rings *rings = calloc(1, sizeof(*rings));
	int error;

	BUG_ON(!IS_POWER_OF_TWO(entries));
	if (rings == NULL)
		return -ENOMEM;
	TAILQ_INIT(&rings->channel.operations);
	rings->channel.number = number;
	rings->channel.entries_count = entries;
	rings->channel.completions_count = entries * 2;
	rings->channel.timeout_ms = timeout_ms;
	rings->bytes = rings_bytes(entries);
	rings->memory_fd = -1;
	rings->fault_id = FAULT_NONE;
	rings->channel.wake_fd = -1;
	rings->channel.doorbell_fd = -1;
	rings->client_wake_fd = -1;
	error = rings_make_wakers(rings);
	if (error == 0)
		error = rings_map(rings);
	if (error != 0) {
		rings_destroy(rings);
		return error;
	}
	*rings_out = rings;
	return 0;
}

void rings_close_sent(struct rings *rings)
{
	if (rings->memory_fd >= 0)
		close(rings->memory_fd);
	if (rings->client_wake_fd >= 0)
		close(rings->client_wake_fd);
	rings->memory_fd = -1;
	rings->client_wake_fd = -1;
}

void rings_destroy(struct rings *rings)
{
	if (rings == NULL)
		return;
	fault_range_remove(rings->fault_id);
	memfd_unmap(rings->channel.header, rings->bytes);
	rings_close_sent(rings);
	if (rings->channel.wake_fd >= 0)
		close(rings->channel.wake_fd);
	if (rings->channel.doorbell_fd >= 0)
		close(rings->channel.doorbell_fd);
	free(rings);
}
