/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of packet buffers; packets.h says what they are for. */
#include "drivers/udp/packets.h"

#include "drivers/udp/device.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Packet buffers kept by each thread in front of the pool: several bursts of both directions. */
#define PACKETS_CACHED 256u

/* Pools of one process want names of their own; ethdev's numbers are given again. */
static atomic_uint packets_number;

/* All that a buffer takes. */
static size_t packets_buffer_bytes(const struct rte_mempool *pool)
{
	return (size_t)pool->header_size + pool->elt_size + pool->trailer_size;
}

static void packets_free_memory(struct rte_mempool_memhdr *memory, void *context)
{
	(void)memory;
	rte_memzone_free(context);
}

/* Whole pages that hold the buffers and nothing before or between them. */
static int packets_fill_pages(struct rte_mempool *pool, int socket)
{
	size_t bytes = (size_t)pool->size * packets_buffer_bytes(pool);
	const struct rte_memzone *memory = rte_memzone_reserve_aligned(
		pool->name, bytes, socket, 0, (unsigned int)sysconf(_SC_PAGESIZE));
	int filled;

	if (memory == NULL)
		return -rte_errno;
	filled = rte_mempool_populate_iova(pool, memory->addr, memory->iova, bytes,
					   packets_free_memory, (void *)(uintptr_t)memory);
	if (filled > 0)
		return 0;
	rte_memzone_free(memory);
	return filled < 0 ? filled : -ENOMEM;
}

static int packets_fill(struct rte_mempool *pool, uint16_t room_bytes, int socket)
{
	struct rte_pktmbuf_pool_private layout = { .mbuf_data_room_size = room_bytes };
	int error = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);

	if (error != 0)
		return error;
	rte_pktmbuf_pool_init(pool, &layout);
	error = packets_fill_pages(pool, socket);
	if (error == 0)
		rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return error;
}

/*
 * DPDK's own way makes buffers larger than device_room_bytes says, to spread them over memory channels; begins anywhere in
 * a page; and leaves the end of each page empty that has no room for a whole buffer.
 */
static struct rte_mempool *packets_make_gapless(const char *name, uint32_t packets,
						uint16_t room_bytes, int socket)
{
	struct rte_mempool *pool = rte_mempool_create_empty(
		name, packets, (unsigned int)sizeof(struct rte_mbuf) + room_bytes, PACKETS_CACHED,
		sizeof(struct rte_pktmbuf_pool_private), socket, RTE_MEMPOOL_F_NO_SPREAD);
	int error = pool == NULL ? -rte_errno : packets_fill(pool, room_bytes, socket);

	if (error == 0)
		return pool;
	rte_mempool_free(pool);
	rte_errno = abs(error);
	return NULL;
}

struct rte_mempool *packets_make(const struct udp_port_conf *conf, uint32_t packets, int socket)
{
	uint16_t room_bytes = device_room_bytes(conf);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "haul_port_%u", atomic_fetch_add(&packets_number, 1));
	if (device_maps_pool(conf))
		return packets_make_gapless(name, packets, room_bytes, socket);
	return rte_pktmbuf_pool_create(name, packets, PACKETS_CACHED, 0, room_bytes, socket);
}

/* What buffers have to lie in, and how many do not. */
struct packets_bounds {
	uintptr_t begin;
	uintptr_t end;
	uint32_t outside;
};

static void packets_look(struct rte_mempool *pool, void *context, void *object, unsigned int number)
{
	struct packets_bounds *bounds = context;
	uintptr_t begin = (uintptr_t)object - pool->header_size;
	uintptr_t end = begin + packets_buffer_bytes(pool);

	(void)number;
	if (begin < bounds->begin || end > bounds->end)
		bounds->outside++;
}

bool packets_are_gapless(struct rte_mempool *pool)
{
	const struct rte_mempool_memhdr *first = STAILQ_FIRST(&pool->mem_list);
	struct packets_bounds bounds = { 0 };

	if (first == NULL)
		return false;
	bounds.begin = (uintptr_t)first->addr;
	bounds.end = bounds.begin + pool->populated_size * packets_buffer_bytes(pool);
	rte_mempool_obj_iter(pool, packets_look, &bounds);
	return bounds.outside == 0;
}
