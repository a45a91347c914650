/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a port gets one queue a worker unless it is told otherwise or has fewer, and each PMD is told in its own word.
 * Method: configurations and made-up devices; no port is opened.
 */
#include "drivers/udp/queues.h"
#include "unit.h"

static struct udp_port_conf conf;

static const char *option(const char *device, uint32_t wanted)
{
	static char options[UDP_DEVICE_BYTES];
	const char *given = strchr(device, ',');

	(void)snprintf(conf.device, sizeof(conf.device), "%s", device);
	(void)snprintf(options, sizeof(options), "%s", given == NULL ? "" : given + 1);
	queues_append_option(&conf, wanted, options);
	return options;
}

static void queues_wanted__is_one_a_worker(void **state)
{
	(void)state;
	conf.queues = 0;
	assert_int_equal(queues_wanted(&conf, 0), 1);
	assert_int_equal(queues_wanted(&conf, 1), 1);
	assert_int_equal(queues_wanted(&conf, 5), 5);
	conf.queues = 3;
	assert_int_equal(queues_wanted(&conf, 5), 3);
	assert_int_equal(queues_wanted(&conf, 2), 2);
	conf.queues = 0;
}

static void queues_append_option__speaks_each_pmds_word(void **state)
{
	(void)state;
	assert_string_equal(option("net_vhost0,iface=/x,client=1", 2),
			    "iface=/x,client=1,queues=2");
	assert_string_equal(option("net_virtio_user0,path=/x,server=1", 4),
			    "path=/x,server=1,queues=4");
	assert_string_equal(option("net_af_packet0,iface=e", 2), "iface=e,qpairs=2");
	assert_string_equal(option("net_ring_a", 2), "");
}

static void queues_append_option__leaves_what_is_said(void **state)
{
	(void)state;
	assert_string_equal(option("net_vhost0,iface=/x,queues=1", 2), "iface=/x,queues=1");
	assert_string_equal(option("net_af_packet0,iface=e,qpairs=4", 2), "iface=e,qpairs=4");
	assert_string_equal(option("net_vhost0,iface=/x", 1), "iface=/x");
}

/* Loopback has one queue, and so has what does not exist. */
static void queues_append_option__asks_xdp_for_queues_that_are_there(void **state)
{
	(void)state;
	assert_string_equal(option("net_af_xdp0,iface=lo", 2), "iface=lo");
	conf.queues = 2;
	assert_string_equal(option("net_af_xdp0,iface=lo", 2), "iface=lo,queue_count=2");
	conf.queues = 0;
}

static void queues_offered__is_what_the_device_has(void **state)
{
	struct rte_eth_dev_info info = { .max_rx_queues = 4, .max_tx_queues = 2 };

	(void)state;
	assert_int_equal(queues_offered(&info, 8), 2);
	assert_int_equal(queues_offered(&info, 1), 1);
	info.max_tx_queues = 0;
	assert_int_equal(queues_offered(&info, 8), 1);
}

static void queues_spread__asks_for_what_is_offered(void **state)
{
	struct rte_eth_dev_info info = { .flow_type_rss_offloads =
						 RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP };
	struct rte_eth_conf eth = { 0 };

	(void)state;
	queues_spread(&info, 1, &eth);
	assert_int_equal(eth.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
	queues_spread(&info, 2, &eth);
	assert_int_equal(eth.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_true(eth.rx_adv_conf.rss_conf.rss_hf == RTE_ETH_RSS_IP);
	info.flow_type_rss_offloads |= RTE_ETH_RSS_NONFRAG_IPV4_UDP;
	queues_spread(&info, 2, &eth);
	assert_true(eth.rx_adv_conf.rss_conf.rss_hf == RTE_ETH_RSS_NONFRAG_IPV4_UDP);
}

/* A device that cannot be asked must not be: some refuse to be configured then. */
static void queues_spread__does_not_ask_who_offers_nothing(void **state)
{
	struct rte_eth_dev_info info = { 0 };
	struct rte_eth_conf eth = { 0 };

	(void)state;
	queues_spread(&info, 2, &eth);
	assert_int_equal(eth.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_wanted__is_one_a_worker),
		cmocka_unit_test(queues_append_option__speaks_each_pmds_word),
		cmocka_unit_test(queues_append_option__leaves_what_is_said),
		cmocka_unit_test(queues_append_option__asks_xdp_for_queues_that_are_there),
		cmocka_unit_test(queues_offered__is_what_the_device_has),
		cmocka_unit_test(queues_spread__asks_for_what_is_offered),
		cmocka_unit_test(queues_spread__does_not_ask_who_offers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
