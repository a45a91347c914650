/* SPDX-License-Identifier: BSD-3-Clause */
/* What a device string says; device.h says what it is. */
#include "drivers/udp/device.h"

#include "base/check.h"
#include "drivers/udp/frame.h"

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two VLAN tags and a check sequence: PMDs that do not scatter want room for a frame with all of them. */
#define DEVICE_EXTRA_BYTES 12u

/*
 * AF_PACKET: the kernel puts its own header of up to 80 bytes into each slot of the ring, and blocks of four slots of a
 * multiple of this are whole pages.
 */
#define DEVICE_SLOT_HEADER_BYTES 80u
#define DEVICE_SLOT_UNIT_BYTES   1024u
#define DEVICE_SLOTS_A_BLOCK     4u

/* AF_XDP: the kernel takes packet buffers of this to a page, and nothing beyond. */
#define DEVICE_XDP_CHUNK_BYTES 2048u

/* What a pool puts before each packet buffer's bytes. */
#define DEVICE_BUFFER_HEADER_BYTES                                                         \
	((uint32_t)(RTE_ALIGN_CEIL(sizeof(struct rte_mempool_objhdr), RTE_MEMPOOL_ALIGN) + \
		    sizeof(struct rte_mbuf)))

/* memif: buffers of a ring are neighbours, so they begin on cache lines. */
#define DEVICE_MEMIF_UNIT_BYTES 64u

/* Where the kernel lists the devices of the bus. */
#define DEVICE_PCI_FOLDER "/sys/bus/pci/devices/"

/* Wires that are memory of this host: what arrives is what was sent. */
static const char *const device_memory_wires[] = { DEVICE_VIRTIO_USER, "net_vhost", "net_ring",
						   "net_memif" };

/* Those that copy packets, of any number of buffers with any memory, before their burst returns. */
static const char *const device_readers[] = { "net_vhost", DEVICE_AF_PACKET };

/* The value of an option: the bytes up to the next comma. */
static bool device_option(const char *device, const char *option, char *value_out, size_t size)
{
	const char *at = strstr(device, option);
	size_t length;

	if (at == NULL)
		return false;
	at += strlen(option);
	length = strcspn(at, ",");
	if (length == 0 || length >= size)
		return false;
	memcpy(value_out, at, length);
	value_out[length] = '\0';
	return true;
}

void device_name(const struct udp_port_conf *conf, char name_out[UDP_DEVICE_BYTES])
{
	size_t length = strcspn(conf->device, ",");

	memcpy(name_out, conf->device, length);
	name_out[length] = '\0';
}

bool device_is_virtual(const struct udp_port_conf *conf)
{
	return device_is_made_by(conf, "net_");
}

bool device_is_made_by(const struct udp_port_conf *conf, const char *driver)
{
	return strncmp(conf->device, driver, strlen(driver)) == 0;
}

/* The slots of the kernel's ring: as configured, or what a frame needs, four of which are whole pages. */
static uint32_t device_slot_bytes(const struct udp_port_conf *conf)
{
	uint32_t frame = conf->mtu_bytes + FRAME_ETHERNET_BYTES + DEVICE_EXTRA_BYTES;
	char slot[UDP_DEVICE_BYTES];

	if (device_option(conf->device, ",framesz=", slot, sizeof(slot)))
		return (uint32_t)strtoul(slot, NULL, 10);
	return RTE_ALIGN_CEIL(frame + DEVICE_SLOT_HEADER_BYTES, DEVICE_SLOT_UNIT_BYTES);
}

uint16_t device_room_bytes(const struct udp_port_conf *conf)
{
	uint32_t room = FRAME_ETHERNET_BYTES + DEVICE_EXTRA_BYTES + conf->mtu_bytes;

	/* The PMD of AF_PACKET wants room for a whole slot, whatever is in it. */
	if (device_is_made_by(conf, DEVICE_AF_PACKET))
		room = MAX(room, device_slot_bytes(conf));
	if (device_is_made_by(conf, DEVICE_AF_XDP))
		room = MAX(room, DEVICE_XDP_CHUNK_BYTES);
	room = RTE_ALIGN_CEIL(room + RTE_PKTMBUF_HEADROOM, (uint32_t)RTE_CACHE_LINE_SIZE);
	if (device_maps_pool(conf))
		room = rte_align32pow2(room + DEVICE_BUFFER_HEADER_BYTES) -
		       DEVICE_BUFFER_HEADER_BYTES;
	return (uint16_t)MIN(room, UINT16_MAX);
}

void device_options(const struct udp_port_conf *conf, char options_out[UDP_DEVICE_BYTES])
{
	const char *given = strchr(conf->device, ',');
	int length = snprintf(options_out, UDP_DEVICE_BYTES, "%s", given == NULL ? "" : given + 1);
	uint32_t slot = device_slot_bytes(conf);

	if (given == NULL)
		return;
	if (device_is_made_by(conf, DEVICE_AF_PACKET) && strstr(given, ",framesz=") == NULL) {
		snprintf(options_out + length, UDP_DEVICE_BYTES - (size_t)length,
			 ",framesz=%u,blocksz=%u", slot, slot * DEVICE_SLOTS_A_BLOCK);
	}
	/* It says that it carries 1518 bytes, but carries what a buffer of its rings holds. */
	if (device_is_made_by(conf, DEVICE_MEMIF) && strstr(given, ",bsize=") == NULL) {
		snprintf(options_out + length, UDP_DEVICE_BYTES - (size_t)length, ",bsize=%u",
			 RTE_ALIGN_CEIL(conf->mtu_bytes + FRAME_ETHERNET_BYTES + DEVICE_EXTRA_BYTES,
					DEVICE_MEMIF_UNIT_BYTES));
	}
}

bool device_reads_at_once(const struct udp_port_conf *conf)
{
	for (size_t i = 0; i < ARRAY_SIZE(device_readers); i++) {
		if (device_is_made_by(conf, device_readers[i]))
			return true;
	}
	return false;
}

bool device_tells_mtu(const struct udp_port_conf *conf)
{
	return !device_is_made_by(conf, DEVICE_AF_PACKET) && !device_is_made_by(conf, DEVICE_MEMIF);
}

/* "0000:01:00.0", and no more. */
bool device_is_pci(const struct udp_port_conf *conf)
{
	static const char shape[] = "xxxx:xx:xx.x";
	const char *device = conf->device;

	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == 'x' ? !isxdigit((unsigned char)device[i]) : device[i] != shape[i])
			return false;
	}
	return device[sizeof(shape) - 1] == '\0' || device[sizeof(shape) - 1] == ',';
}

/* Drivers of the kernel that DPDK works with: those that hand a device over, and those that share it. */
static bool device_is_driver_usable(const char *driver)
{
	static const char *const drivers[] = { "vfio-pci", "uio_pci_generic", "igb_uio",
					       "mlx5_core", "mlx4_core" };

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (strcmp(driver, drivers[i]) == 0)
			return true;
	}
	return false;
}

bool device_pci_check(const struct udp_port_conf *conf, char *wrong_out, size_t size)
{
	char name[UDP_DEVICE_BYTES];
	char path[sizeof(DEVICE_PCI_FOLDER) + sizeof(name) + sizeof("/driver")];
	char driver[256];
	const char *last;
	ssize_t length;

	device_name(conf, name);
	snprintf(path, sizeof(path), "%s%s", DEVICE_PCI_FOLDER, name);
	if (access(path, F_OK) != 0) {
		snprintf(wrong_out, size,
			 "there is no PCI device %s; those that there are stand in %s", name,
			 DEVICE_PCI_FOLDER);
		return false;
	}
	snprintf(path, sizeof(path), "%s%s/driver", DEVICE_PCI_FOLDER, name);
	length = readlink(path, driver, sizeof(driver) - 1);
	driver[MAX(length, 0)] = '\0';
	last = strrchr(driver, '/');
	last = last == NULL ? driver : last + 1;
	if (device_is_driver_usable(last))
		return true;
	snprintf(wrong_out, size, "PCI device %s has %s%s; bind it to vfio-pci", name,
		 last[0] == '\0' ? "no driver" : "the driver ", last);
	return false;
}

bool device_interface(const struct udp_port_conf *conf, char name_out[UDP_DEVICE_BYTES])
{
	return (device_is_made_by(conf, DEVICE_AF_PACKET) ||
		device_is_made_by(conf, DEVICE_AF_XDP)) &&
	       device_option(conf->device, ",iface=", name_out, UDP_DEVICE_BYTES);
}

bool device_maps_pool(const struct udp_port_conf *conf)
{
	return device_is_made_by(conf, DEVICE_AF_XDP);
}

/* That of AF_XDP never takes back what it has put into the kernel's fill ring. */
bool device_keeps_buffers(const struct udp_port_conf *conf)
{
	return device_is_made_by(conf, DEVICE_AF_XDP);
}

bool device_must_relink(const struct udp_port_conf *conf)
{
	return device_is_made_by(conf, DEVICE_MEMIF) &&
	       strstr(conf->device, ",role=server") == NULL;
}

static bool device_is_memif_server(const struct udp_port_conf *conf)
{
	return device_is_made_by(conf, DEVICE_MEMIF) &&
	       strstr(conf->device, ",role=server") != NULL;
}

bool device_server_path(const struct udp_port_conf *conf, struct sockaddr_un *address_out)
{
	const char *device = conf->device;

	memset(address_out, 0, sizeof(*address_out));
	address_out->sun_family = AF_UNIX;
	return device_is_made_by(conf, DEVICE_VIRTIO_USER) && strstr(device, ",server=1") != NULL &&
	       device_option(device, ",path=", address_out->sun_path,
			     sizeof(address_out->sun_path));
}

static int device_knock_as(int type, const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		error = -errno;
	close(fd);
	return error;
}

int device_knock(const struct sockaddr_un *address)
{
	return device_knock_as(SOCK_STREAM, address);
}

void device_remove_stale_socket(const struct udp_port_conf *conf)
{
	int type = device_is_memif_server(conf) ? SOCK_SEQPACKET : SOCK_STREAM;
	struct sockaddr_un address;
	struct stat status;

	if (!device_server_path(conf, &address) &&
	    (type == SOCK_STREAM ||
	     !device_option(conf->device, ",socket=", address.sun_path, sizeof(address.sun_path))))
		return;
	if (lstat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
	    device_knock_as(type, &address) == -ECONNREFUSED)
		unlink(address.sun_path);
}

bool device_is_memory_wire(const struct udp_port_conf *conf, const char *driver)
{
	char path[UDP_DEVICE_BYTES];

	/* net_virtio_user on a file in /dev is the kernel's vhost-net: packets leave the host. */
	if (device_option(conf->device, ",path=", path, sizeof(path)) &&
	    strncmp(path, "/dev/", 5) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(device_memory_wires); i++) {
		if (strncmp(driver, device_memory_wires[i], strlen(device_memory_wires[i])) == 0)
			return true;
	}
	return false;
}
