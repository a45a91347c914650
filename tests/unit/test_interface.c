/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an interface of the kernel tells its state and its MTU, and one that is not there is not taken for another.
 * Method: the loopback interface of a network namespace of this process's own, set up and down; without the right to
 * make one, what the namespace has.
 */
#include "drivers/udp/interface.h"
#include "unit.h"

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

static bool has_own;

/* A fresh namespace has nothing but a loopback interface, which is down. */
static int set_up(void **state)
{
	(void)state;
	has_own = unshare(CLONE_NEWNET) == 0;
	return 0;
}

static void set_flags(const struct interface *interface, short flags)
{
	struct ifreq request = { .ifr_name = "lo" };

	request.ifr_flags = flags;
	assert_int_equal(ioctl(interface->fd, SIOCSIFFLAGS, &request), 0);
}

static void interface_state__follows_the_kernel(void **state)
{
	struct interface interface;

	(void)state;
	assert_int_equal(interface_open(&interface, if_nametoindex("lo")), 0);
	if (has_own) {
		assert_int_equal(interface_state(&interface), INTERFACE_DOWN);
		set_flags(&interface, IFF_UP);
	}
	assert_int_equal(interface_state(&interface), INTERFACE_UP);
	if (has_own) {
		set_flags(&interface, 0);
		assert_int_equal(interface_state(&interface), INTERFACE_DOWN);
	}
	interface_close(&interface);
}

static void interface_state__knows_what_is_not_there(void **state)
{
	struct interface interface;

	(void)state;
	assert_int_equal(interface_open(&interface, 0x7ffffff0), 0);
	assert_int_equal(interface_state(&interface), INTERFACE_GONE);
	assert_int_equal(interface_mtu_bytes(&interface), 0);
	interface_close(&interface);
}

static void interface_mtu_bytes__is_the_interfaces(void **state)
{
	struct interface interface;

	(void)state;
	assert_int_equal(interface_open(&interface, if_nametoindex("lo")), 0);
	assert_int_equal(interface_mtu_bytes(&interface), 65536);
	interface_close(&interface);
	interface_close(&interface); /* again is fine */
}

static void interface_open__takes_none(void **state)
{
	struct interface interface;

	(void)state;
	assert_int_equal(interface_open(&interface, 0), 0);
	assert_int_equal(interface_mtu_bytes(&interface), 0);
	interface_close(&interface);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interface_state__follows_the_kernel),
		cmocka_unit_test(interface_state__knows_what_is_not_there),
		cmocka_unit_test(interface_mtu_bytes__is_the_interfaces),
		cmocka_unit_test(interface_open__takes_none),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
