/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions about an interface of the kernel; interface.h says what it is. */
#include "drivers/udp/interface.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int interface_open(struct interface *interface, uint32_t index)
{
	int fd;

	memset(interface, 0, sizeof(*interface));
	if (index == 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	interface->index = index;
	interface->fd = fd;
	return 0;
}

void interface_close(struct interface *interface)
{
	if (interface->index != 0)
		close(interface->fd);
	memset(interface, 0, sizeof(*interface));
}

/* The other questions are asked by its name, which may change. */
static bool interface_ask(const struct interface *interface, unsigned long question,
			  struct ifreq *request_out)
{
	memset(request_out, 0, sizeof(*request_out));
	request_out->ifr_ifindex = (int)interface->index;
	return ioctl(interface->fd, SIOCGIFNAME, request_out) == 0 &&
	       ioctl(interface->fd, question, request_out) == 0;
}

enum interface_state interface_state(const struct interface *interface)
{
	struct ifreq request;

	if (!interface_ask(interface, SIOCGIFFLAGS, &request))
		return INTERFACE_GONE;
	if ((request.ifr_flags & IFF_UP) == 0)
		return INTERFACE_DOWN;
	return (request.ifr_flags & IFF_RUNNING) == 0 ? INTERFACE_UNPLUGGED : INTERFACE_UP;
}

uint32_t interface_mtu_bytes(const struct interface *interface)
{
	struct ifreq request;

	if (interface->index == 0 || !interface_ask(interface, SIOCGIFMTU, &request))
		return 0;
	return (uint32_t)request.ifr_mtu;
}
