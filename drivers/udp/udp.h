/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The udp transport: rudp over ports of DPDK.
 *
 *     udp.c         the operations table, opening and closing
 *     control.c     the control half: ports coming up, ARP, handshakes
 *     worker.c      the worker half: connections and slices; receive.c, send.c, callbacks.c move bytes
 *     message.h     what the halves tell each other
 *     port, eal     DPDK;   frame, neighbour   what is on the wire
 */
#ifndef DRIVERS_UDP_UDP_H
#define DRIVERS_UDP_UDP_H

#include "engine/transport.h"

extern const struct transport_ops udp_ops;

#endif
