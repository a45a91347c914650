/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The interface of the kernel that a port stands on (AF_PACKET, AF_XDP): the PMDs do not tell of its link, and do not
 * notice when it is deleted.
 *
 * Found by its index, so that another one that gets its name later is not taken for it. Each question is an ioctl that
 * does not wait. A struct belongs to one thread at a time.
 */
#ifndef DRIVERS_UDP_INTERFACE_H
#define DRIVERS_UDP_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

/** All zero: none. */
struct interface {
	uint32_t index; /**< 0 = none */
	int fd;         /**< to ask through; valid when index is not 0 */
};

enum interface_state {
	INTERFACE_GONE = 0,      /**< deleted, or moved to another network namespace */
	INTERFACE_DOWN = 1,      /**< set down */
	INTERFACE_UNPLUGGED = 2, /**< set up, without a carrier */
	INTERFACE_UP = 3,
};

/** index 0 gives none. Returns 0 or -errno. */
int interface_open(struct interface *interface, uint32_t index);
/** None is fine, and what is left. */
void interface_close(struct interface *interface);

enum interface_state interface_state(const struct interface *interface);

/** 0 = it cannot be told. */
uint32_t interface_mtu_bytes(const struct interface *interface);

#endif
