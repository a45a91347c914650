/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the udp transport's keys. */
#include "drivers/udp/conf.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/*
 * Packet buffers of a port: its two descriptor rings of 256 to 1024, a cache a worker, and what waits for a slow
 * transmit queue. Beyond that more buffers only push each other out of the processor's cache.
 */
#define PACKETS_DEFAULT 4096
#define PACKETS_LEAST   1024
#define PACKETS_MOST    (1 << 20)

/* What IPv4 must carry, and what jumbo frames carry. */
#define MTU_LEAST 1280
#define MTU_MOST  9000

static const char *const checksum_words[] = { "auto", "always", "never", NULL };
static const char *const huge_page_words[] = { "auto", "off", "require", NULL };

bool udp_conf_address(const char *text, uint32_t *address_out, uint32_t *mask_out)
{
	char copy[UDP_ADDRESS_BYTES];
	struct in_addr address;
	unsigned long prefix;
	char *slash;
	char *end;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (slash == NULL || slash[1] < '0' || slash[1] > '9')
		return false;
	*slash = '\0';
	prefix = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || prefix == 0 || prefix > 32 || inet_pton(AF_INET, copy, &address) != 1)
		return false;
	*address_out = ntohl(address.s_addr);
	*mask_out = UINT32_MAX << (32 - prefix);
	/* Nothing, loopback, multicast and beyond are no addresses of a port. */
	return *address_out >> 24 != 0 && *address_out >> 24 != 127 && *address_out >> 28 < 0xe;
}

static const char *conf_check_address(const void *value)
{
	uint32_t address;
	uint32_t mask;

	return udp_conf_address(value, &address, &mask)
		       ? NULL
		       : "not an IPv4 address with its prefix length, as in 10.0.0.1/24";
}

static const char *conf_check_device(const void *value)
{
	const char *device = value;

	return device[0] == '\0' || device[0] == ',' ? "not an EAL device" : NULL;
}

static const struct conf_key port_keys[] = {
	CONF_KEY_REQUIRED(struct udp_port_conf, name, "name", "wire0", conf_check_name,
			  "name of the port in listings"),
	CONF_KEY_REQUIRED(struct udp_port_conf, device, "device",
			  "net_virtio_user0,path=/run/haul/wire0.sock,server=1,queues=1",
			  conf_check_device,
			  "EAL device: a virtual one with its options, or a PCI address"),
	CONF_KEY_REQUIRED(struct udp_port_conf, address, "address", "10.0.0.1/24",
			  conf_check_address, "IPv4 address of this node on the port's link"),
	CONF_KEY_U32(struct udp_port_conf, mtu_bytes, "mtu", 1500, MTU_LEAST, MTU_MOST, "bytes",
		     "largest IP packet"),
	CONF_KEY_WORD(struct udp_port_conf, checksum, "checksum", "auto", checksum_words,
		      "UDP checksums: auto = not on wires inside one host's memory"),
	CONF_KEY_U32(struct udp_port_conf, queues, "queues", 1, 1, WORKERS_MAX, NULL,
		     "queues of the port, one a worker"),
	CONF_KEY_BOOL(struct udp_port_conf, is_required, "required", false,
		      "do not start without this port"),
};

static const struct conf_table port_table = CONF_TABLE("", port_keys, NULL);

static const struct conf_key udp_keys[] = {
	CONF_KEY_GROUP_LIST(struct udp_conf, ports, port_count, "ports", &port_table,
			    "ports to send and receive on"),
	CONF_KEY_U32(struct udp_conf, mempool_packets, "mempool_packets", PACKETS_DEFAULT,
		     PACKETS_LEAST, PACKETS_MOST, "packets", "packet buffers of each port"),
	CONF_KEY_U32(struct udp_conf, memory_mb, "memory_mb", 0, 0, 1 << 20, "MiB",
		     "memory of DPDK; 0 = what the ports need"),
	CONF_KEY_WORD(struct udp_conf, huge_pages, "huge_pages", "auto", huge_page_words,
		      "huge pages for DPDK: when enough are free, never, or refuse without"),
	CONF_KEY_U32(struct udp_conf, udp_port, "udp_port", UDP_PORT_DEFAULT, 1, UINT16_MAX, NULL,
		     "UDP port of this node, the same on every port"),
	CONF_KEY_U32(struct udp_conf, window_packets, "window_packets", 256, 2, 4096, "packets",
		     "packets of one connection on the way"),
	CONF_KEY_U32(struct udp_conf, peer_silence_ms, "peer_silence_ms", 5000, 100, 60000,
		     "milliseconds", "silence after which a connection is given up"),
	CONF_KEY_STRING_LIST(struct udp_conf, eal_args, eal_arg_count, "eal_args", "", NULL,
			     "further arguments for EAL"),
};

static const char *udp_conf_check(const void *value)
{
	const struct udp_conf *conf = value;

	for (uint32_t i = 1; i < conf->port_count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(conf->ports[i].name, conf->ports[j].name) == 0)
				return "ports: a name is used twice";
		}
	}
	return NULL;
}

const struct conf_table udp_conf_table = CONF_TABLE("udp", udp_keys, udp_conf_check);
