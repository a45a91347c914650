/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what a PMD wants follows from the device string and the MTU, and what somebody configured is left alone.
 * Method: strings as in a configuration, given to the functions that the port calls.
 */
#include "drivers/udp/device.h"
#include "unit.h"

#include <rte_mbuf.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct udp_port_conf conf;

static const struct udp_port_conf *device(const char *text, uint32_t mtu_bytes)
{
	memset(&conf, 0, sizeof(conf));
	strcpy(conf.device, text);
	conf.mtu_bytes = mtu_bytes;
	return &conf;
}

static void device_name__ends_at_the_first_comma(void **state)
{
	char name[UDP_DEVICE_BYTES];

	(void)state;
	device_name(device("net_vhost0,iface=/tmp/a,client=1", 1500), name);
	assert_string_equal(name, "net_vhost0");
	assert_true(device_is_virtual(&conf));
	device_name(device("0000:01:00.0", 1500), name);
	assert_string_equal(name, "0000:01:00.0");
	assert_false(device_is_virtual(&conf));
}

static void device_options__adds_slots_for_af_packet(void **state)
{
	char options[UDP_DEVICE_BYTES];

	(void)state;
	device_options(device("net_af_packet0,iface=eth1", 1500), options);
	assert_string_equal(options, "iface=eth1,framesz=2048,blocksz=8192");
	device_options(device("net_af_packet0,iface=eth1", 9000), options);
	assert_string_equal(options, "iface=eth1,framesz=9216,blocksz=36864");
	device_options(device("net_af_packet0,iface=eth1,framesz=4096", 9000), options);
	assert_string_equal(options, "iface=eth1,framesz=4096");
	device_options(device("net_memif0,role=server,socket=/tmp/x", 9000), options);
	assert_string_equal(options, "role=server,socket=/tmp/x,bsize=9088");
	device_options(device("net_memif0,socket=/tmp/x,bsize=4096", 9000), options);
	assert_string_equal(options, "socket=/tmp/x,bsize=4096");
	device_options(device("net_ring_a", 1500), options);
	assert_string_equal(options, "");
}

static void device_reads_at_once__only_those_that_copy(void **state)
{
	(void)state;
	assert_true(device_reads_at_once(device("net_vhost0,iface=/tmp/a,client=1", 1500)));
	assert_true(device_reads_at_once(device("net_af_packet0,iface=eth1", 1500)));
	assert_false(device_reads_at_once(device("net_virtio_user0,path=/tmp/a,server=1", 1500)));
	assert_false(device_reads_at_once(device("net_af_xdp0,iface=eth1", 1500)));
	assert_false(device_reads_at_once(device("net_memif0,socket=/tmp/x", 1500)));
	assert_false(device_reads_at_once(device("net_ring_a", 1500)));
	assert_false(device_reads_at_once(device("0000:01:00.0", 1500)));
}

static void device_room_bytes__holds_what_the_pmd_wants(void **state)
{
	(void)state;
	assert_true(device_room_bytes(device("net_ring_a", 9000)) >=
		    9000 + FRAME_ETHERNET_BYTES + RTE_PKTMBUF_HEADROOM);
	assert_true(device_room_bytes(device("net_af_packet0,iface=e", 1500)) >=
		    2048 + RTE_PKTMBUF_HEADROOM);
	assert_true(device_room_bytes(device("net_af_xdp0,iface=e", 1500)) >=
		    2048 + RTE_PKTMBUF_HEADROOM);
}

static void device_server_path__is_of_those_that_wait(void **state)
{
	struct sockaddr_un address;

	(void)state;
	assert_true(device_server_path(
		device("net_virtio_user0,path=/tmp/x.sock,server=1,queues=1", 1500), &address));
	assert_string_equal(address.sun_path, "/tmp/x.sock");
	assert_false(
		device_server_path(device("net_virtio_user0,path=/tmp/x.sock", 1500), &address));
	assert_false(device_server_path(device("net_vhost0,iface=/tmp/x.sock,client=1", 1500),
					&address));
}

static void device_remove_stale_socket__leaves_one_that_lives(void **state)
{
	char folder[] = "/tmp/device.XXXXXX";
	struct sockaddr_un address;
	char text[UDP_DEVICE_BYTES];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof(text), "net_virtio_user0,path=%s/s,server=1", folder);
	assert_true(device_server_path(device(text, 1500), &address));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	device_remove_stale_socket(&conf);
	assert_int_equal(access(address.sun_path, F_OK), 0);
	close(fd);
	device_remove_stale_socket(&conf);
	assert_int_not_equal(access(address.sun_path, F_OK), 0);
	rmdir(folder);
}

static void device_must_relink__is_for_clients_of_memif(void **state)
{
	(void)state;
	assert_true(device_must_relink(device("net_memif0,role=client,socket=/tmp/x", 1500)));
	assert_true(device_must_relink(device("net_memif0,socket=/tmp/x", 1500)));
	assert_false(device_must_relink(device("net_memif0,role=server,socket=/tmp/x", 1500)));
	assert_false(device_must_relink(device("net_vhost0,iface=/tmp/x", 1500)));
}

static void device_is_pci__knows_an_address(void **state)
{
	(void)state;
	assert_true(device_is_pci(device("0000:3b:00.0", 1500)));
	assert_true(device_is_pci(device("0000:3B:00.1,rx_vec_en=0", 1500)));
	assert_false(device_is_pci(device("0000:3b:00.0x", 1500)));
	assert_false(device_is_pci(device("3b:00.0", 1500)));
	assert_false(device_is_pci(device("", 1500)));
	assert_false(device_is_pci(device("net_ring_a", 1500)));
}

static void device_pci_check__says_what_is_wrong(void **state)
{
	char wrong[256];

	(void)state;
	assert_false(device_pci_check(device("fffe:ff:1f.7", 1500), wrong, sizeof(wrong)));
	assert_string_equal(wrong, "there is no PCI device fffe:ff:1f.7; those that there are "
				   "stand in /sys/bus/pci/devices/");
}

static void device_is_memory_wire__but_not_the_kernels_vhost(void **state)
{
	(void)state;
	assert_true(device_is_memory_wire(device("net_vhost0,iface=/tmp/x", 1500), "net_vhost"));
	assert_true(device_is_memory_wire(device("net_virtio_user0,path=/tmp/x", 1500),
					  "net_virtio_user"));
	assert_false(device_is_memory_wire(device("net_virtio_user0,path=/dev/vhost-net", 1500),
					   "net_virtio_user"));
	assert_false(device_is_memory_wire(device("0000:01:00.0", 1500), "mlx5_pci"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_name__ends_at_the_first_comma),
		cmocka_unit_test(device_options__adds_slots_for_af_packet),
		cmocka_unit_test(device_reads_at_once__only_those_that_copy),
		cmocka_unit_test(device_room_bytes__holds_what_the_pmd_wants),
		cmocka_unit_test(device_server_path__is_of_those_that_wait),
		cmocka_unit_test(device_remove_stale_socket__leaves_one_that_lives),
		cmocka_unit_test(device_must_relink__is_for_clients_of_memif),
		cmocka_unit_test(device_is_pci__knows_an_address),
		cmocka_unit_test(device_pci_check__says_what_is_wrong),
		cmocka_unit_test(device_is_memory_wire__but_not_the_kernels_vhost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
