/* SPDX-License-Identifier: BSD-3-Clause */
/* Arming ports to wake sleeping workers; bell.h says which can. */
#include "drivers/udp/bell.h"

#include "base/check.h"
#include "drivers/udp/device.h"

#include <rte_eth_vhost.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The ring in which a vhost port's peer sends: rings come in pairs, the peer's receiving one first. */
#define BELL_VHOST_RING(queue) ((uint16_t)(2 * (queue) + 1))

enum bell_kind bell_kind_of(const struct udp_port_conf *conf, const char *driver)
{
	if (strcmp(driver, "net_vhost") == 0)
		return BELL_VHOST;
	if (!device_is_virtual(conf) || device_is_made_by(conf, DEVICE_VIRTIO_USER))
		return BELL_DEVICE;
	return BELL_NONE;
}

static void bell_look_at_peer(struct bell *bell)
{
	struct rte_eth_link link;

	pthread_mutex_lock(&bell->lock);
	bell->has_peer = rte_eth_link_get_nowait(bell->port, &link) == 0 &&
			 link.link_status == RTE_ETH_LINK_UP;
	bell->peers++;
	pthread_mutex_unlock(&bell->lock);
}

/* A thread of librte_vhost, before it frees what it knows of a peer that left, and after one has come. */
static int bell_on_link(uint16_t port, enum rte_eth_event_type event, void *argument, void *result)
{
	(void)port;
	(void)event;
	(void)result;
	bell_look_at_peer(argument);
	return 0;
}

int bell_open(struct bell *bell, uint16_t port)
{
	int error;

	bell->port = port;
	if (bell->kind != BELL_VHOST)
		return 0;
	error = -pthread_mutex_init(&bell->lock, NULL);
	if (error == 0)
		error = rte_eth_dev_callback_register(port, RTE_ETH_EVENT_INTR_LSC, bell_on_link,
						      bell);
	if (error != 0) {
		bell->kind = BELL_NONE;
		return error;
	}
	bell->is_listening = true;
	bell_look_at_peer(bell);
	return 0;
}

void bell_close(struct bell *bell)
{
	if (!bell->is_listening)
		return;
	/* Busy while the callback runs, which takes no time. */
	while (rte_eth_dev_callback_unregister(bell->port, RTE_ETH_EVENT_INTR_LSC, bell_on_link,
					       bell) == -EAGAIN)
		sched_yield();
	bell->is_listening = false;
	pthread_mutex_destroy(&bell->lock);
}

void bell_unwatch(struct bell_watch *watch)
{
	if (watch->is_watched)
		close(watch->fd); /* the only descriptor of ours, so it leaves the epoll set */
	memset(watch, 0, sizeof(*watch));
}

/* Have the source in the worker's set, once. Edges only: it may be written before anybody sleeps, and nobody reads it. */
static bool bell_watch(const struct bell *bell, struct bell_watch *watch, int source, int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd;

	if (watch->is_watched && watch->source == source && watch->peers == bell->peers)
		return true;
	if (watch->is_watched)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	bell_unwatch(watch);
	fd = source < 0 ? -1 : fcntl(source, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return false;
	event.data.fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		return false;
	}
	*watch = (struct bell_watch){
		.is_watched = true, .fd = fd, .source = source, .peers = bell->peers
	};
	return true;
}

static bool bell_arm_device(struct bell *bell, struct bell_watch *watch, uint16_t queue,
			    int epoll_fd)
{
	int source = rte_eth_dev_rx_intr_ctl_q_get_fd(bell->port, queue);

	return bell_watch(bell, watch, source, epoll_fd) &&
	       rte_eth_dev_rx_intr_enable(bell->port, queue) == 0;
}

/* Under the lock: the peer's rings stay as they are. Without a peer nothing comes, and its coming is no packet. */
static bool bell_arm_vhost(struct bell *bell, struct bell_watch *watch, uint16_t queue,
			   int epoll_fd)
{
	int vhost = bell->has_peer ? rte_eth_vhost_get_vid_from_port_id(bell->port) : -1;
	struct rte_vhost_vring ring;

	if (vhost < 0)
		return true;
	return rte_vhost_get_vhost_vring(vhost, BELL_VHOST_RING(queue), &ring) == 0 &&
	       bell_watch(bell, watch, ring.kickfd, epoll_fd) &&
	       rte_vhost_enable_guest_notification(vhost, BELL_VHOST_RING(queue), 1) == 0;
}

static void bell_disarm_vhost(const struct bell *bell, uint16_t queue)
{
	int vhost = bell->has_peer ? rte_eth_vhost_get_vid_from_port_id(bell->port) : -1;

	if (vhost >= 0)
		rte_vhost_enable_guest_notification(vhost, BELL_VHOST_RING(queue), 0);
}

bool bell_arm(struct bell *bell, struct bell_watch *watch, uint16_t queue, int epoll_fd)
{
	switch (bell->kind) {
	case BELL_DEVICE:
		watch->is_armed = bell_arm_device(bell, watch, queue, epoll_fd);
		break;
	case BELL_VHOST:
		pthread_mutex_lock(&bell->lock);
		watch->is_armed = bell_arm_vhost(bell, watch, queue, epoll_fd);
		pthread_mutex_unlock(&bell->lock);
		break;
	default:
		return false;
	}
	return watch->is_armed;
}

void bell_disarm(struct bell *bell, struct bell_watch *watch, uint16_t queue)
{
	if (!watch->is_armed)
		return;
	watch->is_armed = false;
	if (bell->kind == BELL_DEVICE) {
		rte_eth_dev_rx_intr_disable(bell->port, queue);
		return;
	}
	pthread_mutex_lock(&bell->lock);
	bell_disarm_vhost(bell, queue);
	pthread_mutex_unlock(&bell->lock);
}
