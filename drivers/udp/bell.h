/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What lets a port wake a worker that sleeps: a descriptor for each queue that the port's driver, or its peer, writes
 * when a packet comes (idle_policy = "interrupt").
 *
 *   DEVICE   receive interrupts of the PMD: net_virtio_user, and NICs whose driver has them
 *   VHOST    net_vhost: the kick descriptors of its peer's rings, by way of librte_vhost. The PMD has receive
 *            interrupts as well, but replaces their table under a worker's hands when its peer comes back.
 *   NONE     net_af_packet, net_af_xdp, net_ring, net_memif: their PMDs have none
 *
 * A bell is its port's; the port's thread makes it. A watch is a queue's, and so its worker's. The lock is between a
 * worker that is about to sleep and the thread of librte_vhost that takes a peer away.
 */
#ifndef DRIVERS_UDP_BELL_H
#define DRIVERS_UDP_BELL_H

#include "drivers/udp/conf.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum bell_kind {
	BELL_NONE = 0,
	BELL_DEVICE = 1,
	BELL_VHOST = 2,
};

struct bell {
	enum bell_kind kind; /**< set before the port is up, read-only then */
	uint16_t port;       /**< ethdev's number */
	bool is_listening; /**< has a callback for its peer's coming and going; to be taken away */
	pthread_mutex_t lock; /**< VHOST */
	bool has_peer;        /**< VHOST, under the lock: nothing is touched without one */
	uint32_t peers;       /**< VHOST, under the lock: how many there were */
};

/** A queue's descriptor in its worker's epoll set. All zero = none. */
struct bell_watch {
	bool is_watched;
	bool is_armed;
	int fd; /**< a duplicate of our own: what is taken out of the set must not be closed before */
	int source;     /**< the descriptor that it duplicates */
	uint32_t peers; /**< of the bell, when it was taken */
};

/** Which kind a port has: before it is configured. `driver` is what ethdev calls its PMD. */
enum bell_kind bell_kind_of(const struct udp_port_conf *conf, const char *driver);

/** Once the port is started; its kind is set. 0 or -errno: it has no bell then. */
int bell_open(struct bell *bell, uint16_t port);
/** Before the port is closed. One that was never opened is allowed. */
void bell_close(struct bell *bell);

/** From now on a packet on the queue wakes who waits for epoll_fd. False when it cannot. Worker. */
bool bell_arm(struct bell *bell, struct bell_watch *watch, uint16_t queue, int epoll_fd);
/** No longer. Worker. */
void bell_disarm(struct bell *bell, struct bell_watch *watch, uint16_t queue);
/** Close what a watch has. No worker runs. */
void bell_unwatch(struct bell_watch *watch);

#endif
