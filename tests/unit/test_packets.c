/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a PMD that gives the kernel a pool as so many buffers one after the other finds all of them there; other pools are
 * told from that. Method: pools of EAL's, of ordinary pages, where DPDK's own way leaves the end of each page empty.
 */
#include "drivers/udp/device.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/packets.h"
#include "unit.h"

#include <rte_mbuf.h>

#include <string.h>
#include <unistd.h>

#define PACKETS 4095u

static struct udp_port_conf conf;

static int set_up(void **state)
{
	struct eal_options options = { .node = "test-packets",
				       .memory_mb = 128,
				       .huge_pages = UDP_HUGE_PAGES_OFF };

	(void)state;
	return eal_start(&options);
}

static int tear_down(void **state)
{
	(void)state;
	eal_stop();
	return 0;
}

static struct rte_mempool *pool_of(const char *device, uint32_t mtu_bytes)
{
	struct rte_mempool *pool;

	memset(&conf, 0, sizeof(conf));
	strcpy(conf.device, device);
	conf.mtu_bytes = mtu_bytes;
	pool = packets_make(&conf, PACKETS, SOCKET_ID_ANY);
	assert_non_null(pool);
	assert_int_equal(rte_mempool_avail_count(pool), PACKETS);
	return pool;
}

/* The page that a buffer ends on is the one that it begins on. */
static void look(struct rte_mempool *pool, void *context, void *object, unsigned int number)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = (uintptr_t)object - pool->header_size;
	uintptr_t end = (uintptr_t)object + pool->elt_size + pool->trailer_size;

	(void)context;
	(void)number;
	assert_int_equal(begin / page, (end - 1) / page);
}

static void packets_make__leaves_no_gap_for_af_xdp(void **state)
{
	static const uint32_t mtus[] = { 576, 1500, 3400 };

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct rte_mempool *pool = pool_of("net_af_xdp0,iface=e", mtus[i]);

		assert_true(packets_are_gapless(pool));
		rte_mempool_obj_iter(pool, look, NULL);
		rte_mempool_free(pool);
	}
}

static void packets_make__makes_buffers_that_work(void **state)
{
	struct rte_mempool *pool = pool_of("net_af_xdp0,iface=e", 1500);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

	(void)state;
	assert_non_null(mbuf);
	assert_ptr_equal(mbuf->pool, pool);
	assert_int_equal(rte_pktmbuf_headroom(mbuf), RTE_PKTMBUF_HEADROOM);
	assert_int_equal(rte_pktmbuf_tailroom(mbuf),
			 device_room_bytes(&conf) - RTE_PKTMBUF_HEADROOM);
	rte_pktmbuf_free(mbuf);
	assert_int_equal(rte_mempool_avail_count(pool), PACKETS);
	rte_mempool_free(pool);
}

static void packets_are_gapless__sees_the_ends_of_pages(void **state)
{
	struct rte_mempool *pool = pool_of("net_ring_a", 1500);

	(void)state;
	assert_false(packets_are_gapless(pool));
	rte_mempool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_make__leaves_no_gap_for_af_xdp),
		cmocka_unit_test(packets_make__makes_buffers_that_work),
		cmocka_unit_test(packets_are_gapless__sees_the_ends_of_pages),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
