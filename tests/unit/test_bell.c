/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: only ports whose packets wake are said to have a bell. Method: device strings; arming is tested end to end
 * (tests/e2e/idle_test.sh), since there a real port rings.
 */
#include "drivers/udp/bell.h"
#include "unit.h"

static enum bell_kind kind_of(const char *device, const char *driver)
{
	static struct udp_port_conf conf;

	snprintf(conf.device, sizeof(conf.device), "%s", device);
	return bell_kind_of(&conf, driver);
}

static void bell_kind_of__knows_who_wakes(void **state)
{
	(void)state;
	assert_int_equal(kind_of("net_vhost0,iface=/x,client=1", "net_vhost"), BELL_VHOST);
	assert_int_equal(kind_of("net_virtio_user0,path=/x", "net_virtio_user"), BELL_DEVICE);
	assert_int_equal(kind_of("0000:01:00.0", "mlx5_pci"), BELL_DEVICE);
	assert_int_equal(kind_of("net_af_packet0,iface=x", "net_af_packet"), BELL_NONE);
	assert_int_equal(kind_of("net_af_xdp0,iface=x", "net_af_xdp"), BELL_NONE);
	assert_int_equal(kind_of("net_ring0", "net_ring"), BELL_NONE);
	assert_int_equal(kind_of("net_memif0", "net_memif"), BELL_NONE);
}

static void bell_arm__refuses_without_one(void **state)
{
	struct bell bell = { .kind = BELL_NONE };
	struct bell_watch watch = { 0 };

	(void)state;
	assert_int_equal(bell_open(&bell, 0), 0);
	assert_false(bell_arm(&bell, &watch, 0, -1));
	bell_disarm(&bell, &watch, 0);
	bell_unwatch(&watch);
	bell_close(&bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bell_kind_of__knows_who_wakes),
		cmocka_unit_test(bell_arm__refuses_without_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
