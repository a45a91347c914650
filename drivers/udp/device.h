/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What a port's device string says, and what its PMD wants that a person should not have to know: no state, no ethdev.
 *
 * The string is EAL's: a virtual device's name with options behind commas, or a PCI address. Any thread.
 */
#ifndef DRIVERS_UDP_DEVICE_H
#define DRIVERS_UDP_DEVICE_H

#include "drivers/udp/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

/** PMDs that want something of their own. */
#define DEVICE_AF_PACKET   "net_af_packet"
#define DEVICE_AF_XDP      "net_af_xdp"
#define DEVICE_MEMIF       "net_memif"
#define DEVICE_VIRTIO_USER "net_virtio_user"

/** The name, without the options. */
void device_name(const struct udp_port_conf *conf, char name_out[UDP_DEVICE_BYTES]);

/** Is it a virtual device, not one on a bus? */
bool device_is_virtual(const struct udp_port_conf *conf);

/** Is it a virtual device of this PMD? */
bool device_is_made_by(const struct udp_port_conf *conf, const char *driver);

/** What follows a virtual device's name, and what a person should not have to compute. */
void device_options(const struct udp_port_conf *conf, char options_out[UDP_DEVICE_BYTES]);

/**
 * Does its PMD give the kernel the pool as so many buffers one after the other? What lies beyond that, as others begin
 * where a page does, the kernel drops without a word, and the buffer never comes back.
 */
bool device_maps_pool(const struct udp_port_conf *conf);

/** Bytes of a packet buffer, its headroom included. Pages are whole with them where device_maps_pool. */
uint16_t device_room_bytes(const struct udp_port_conf *conf);

/**
 * Has its PMD read a packet's bytes, wherever they stand, when its burst returns? Others hand the buffer on (net_ring) or
 * read it later, or can only read memory of EAL's own (net_virtio_user) or what a device has been told of (NICs).
 */
bool device_reads_at_once(const struct udp_port_conf *conf);

/** Can its PMD be asked for an MTU? Others carry what their buffers hold, and say something else. */
bool device_tells_mtu(const struct udp_port_conf *conf);

/** Is it a PCI address? */
bool device_is_pci(const struct udp_port_conf *conf);

/** Is there such a PCI device, with a driver of the kernel that DPDK works with? Else what is wrong, and what would be right. */
bool device_pci_check(const struct udp_port_conf *conf, char *wrong_out, size_t size);

/** The interface of the kernel that it stands on; false when it is on none. */
bool device_interface(const struct udp_port_conf *conf, char name_out[UDP_DEVICE_BYTES]);

/** Does its PMD keep packet buffers for ever when it is closed? */
bool device_keeps_buffers(const struct udp_port_conf *conf);

/** Does its PMD leave a link down for ever that its peer has let go, unless it is opened again? */
bool device_must_relink(const struct udp_port_conf *conf);

/** The socket that the device makes and waits on for its peer; false for all that do not wait. */
bool device_server_path(const struct udp_port_conf *conf, struct sockaddr_un *address_out);

/** Connect there and leave: 0 when somebody listens, else -errno. Does not block. */
int device_knock(const struct sockaddr_un *address);

/** A socket that a killed process left behind would make the device fail: away with it. */
void device_remove_stale_socket(const struct udp_port_conf *conf);

/** Is the wire memory of this host, where what arrives is what was sent? `driver` is what ethdev calls it. */
bool device_is_memory_wire(const struct udp_port_conf *conf, const char *driver);

#endif
