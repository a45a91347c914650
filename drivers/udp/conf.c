/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the udp transport's keys. */
#include "drivers/udp/conf.h"

#include "base/check.h"
#include "rudp/cc.h"

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

/* 4095 is reserved. */
#define VLAN_MOST 4094

/* In the order of enum udp_checksum and of enum udp_crc. */
static const char *const checksum_words[] = { "auto", "always", "never", NULL };
/* In the order of enum udp_by_reference. */
static const char *const by_reference_words[] = { "auto", "never", NULL };
/* In the order of enum udp_congestion; all but the first are names of rudp. */
static const char *const congestion_words[] = { "auto", "fixed", "newreno", "swift", NULL };
static const char *const huge_page_words[] = { "auto", "off", "require", NULL };

/* Nothing, loopback, multicast and beyond are no addresses of a port. */
static bool udp_conf_is_station4(const uint8_t *ip)
{
	return ip[0] != 0 && ip[0] != 127 && ip[0] >> 4 < 0xe;
}

/* Likewise; nor those in ::/8, some of which mean IPv4, and those of one link alone, which do not say of which. */
static bool udp_conf_is_station6(const uint8_t *ip)
{
	return ip[0] != 0 && ip[0] != 0xff && !(ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
}

bool udp_conf_address(const char *text, uint8_t family, struct frame_ip *ip_out,
		      uint32_t *prefix_out)
{
	bool is_ipv4 = family == 4;
	char copy[UDP_ADDRESS_BYTES];
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
	memset(ip_out, 0, sizeof(*ip_out));
	if (*end != '\0' || prefix == 0 || prefix > (is_ipv4 ? 32 : 128) ||
	    inet_pton(is_ipv4 ? AF_INET : AF_INET6, copy, ip_out->bytes) != 1)
		return false;
	ip_out->family = family;
	*prefix_out = (uint32_t)prefix;
	return is_ipv4 ? udp_conf_is_station4(ip_out->bytes) : udp_conf_is_station6(ip_out->bytes);
}

static bool udp_conf_is_address_or_none(const char *text, uint8_t family)
{
	struct frame_ip ip;
	uint32_t prefix;

	return text[0] == '\0' || udp_conf_address(text, family, &ip, &prefix);
}

static const char *conf_check_address(const void *value)
{
	return udp_conf_is_address_or_none(value, 4)
		       ? NULL
		       : "not an IPv4 address with its prefix length, as in 10.0.0.1/24";
}

static const char *conf_check_address6(const void *value)
{
	return udp_conf_is_address_or_none(value, 6)
		       ? NULL
		       : "not an IPv6 address with its prefix length, as in fd00::1/64";
}

static const char *conf_check_impair(const void *value)
{
	const char *text = value;

	if (text[0] == '\0')
		return NULL;
#ifdef HAUL_DEBUG
	struct impair_options options;

	return impair_parse(text, &options);
#else
	return "this is a release build, which impairs nothing";
#endif
}

static const char *conf_check_port(const void *value)
{
	const struct udp_port_conf *port = value;

	return port->address[0] == '\0' && port->address6[0] == '\0'
		       ? "neither address nor address6 is set"
		       : NULL;
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
			  conf_check_address,
			  "IPv4 address of this node on the port's link, or empty for IPv6 alone"),
	CONF_KEY_STRING(struct udp_port_conf, address6, "address6", "", conf_check_address6,
			"IPv6 address of this node on the port's link, as in fd00::1/64"),
	CONF_KEY_U32(struct udp_port_conf, mtu_bytes, "mtu", 1500, MTU_LEAST, MTU_MOST, "bytes",
		     "largest IP packet"),
	CONF_KEY_WORD(struct udp_port_conf, checksum, "checksum", "auto", checksum_words,
		      "UDP checksums: auto = not on wires inside one host's memory"),
	CONF_KEY_U32(struct udp_port_conf, vlan, "vlan", 0, 0, VLAN_MOST, NULL,
		     "802.1Q tag that all frames have and must have; 0 = none, and none may"),
	CONF_KEY_U32(struct udp_port_conf, queues, "queues", 0, 0, WORKERS_MAX, NULL,
		     "queues of the port; 0 = one a worker, as far as the device has them"),
	CONF_KEY_BOOL(struct udp_port_conf, is_required, "required", false,
		      "do not start without this port"),
	CONF_KEY_STRING(
		struct udp_port_conf, impair, "impair", "", conf_check_impair,
		"faults of the wire for tests, such as seed=1,drop=10000; none in a release"),
};

static const struct conf_table port_table = CONF_TABLE("", port_keys, conf_check_port);

static const struct conf_key udp_keys[] = {
	CONF_KEY_GROUP_LIST(struct udp_conf, ports, port_count, "ports", &port_table,
			    "ports to send and receive on"),
	CONF_KEY_U32(struct udp_conf, mempool_packets, "mempool_packets", PACKETS_DEFAULT,
		     PACKETS_LEAST, PACKETS_MOST, "packets",
		     "packet buffers of each port, for each worker"),
	CONF_KEY_U32(struct udp_conf, memory_mb, "memory_mb", 0, 0, 1 << 20, "MiB",
		     "memory of DPDK; 0 = what the ports need"),
	CONF_KEY_WORD(struct udp_conf, huge_pages, "huge_pages", "auto", huge_page_words,
		      "huge pages for DPDK: when enough are free, never, or refuse without"),
	CONF_KEY_U32(struct udp_conf, udp_port, "udp_port", UDP_PORT_DEFAULT, 1, UDP_PORT_MOST,
		     NULL,
		     "UDP port to listen on, the same on every port; connections come from the "
		     "256 behind it"),
	CONF_KEY_U32(struct udp_conf, connections, "connections", 1, 1, UDP_PAIR_CONNECTIONS_MAX,
		     NULL,
		     "connections from each port to each address of a peer, 4 to a peer at most"),
	CONF_KEY_U32(struct udp_conf, window_packets, "window_packets", 256, 2, 4096, "packets",
		     "packets of one connection on the way"),
	CONF_KEY_WORD(struct udp_conf, congestion, "congestion_control", "auto", congestion_words,
		      "what bounds them below that: auto = swift, but on wires inside one host's "
		      "memory, where nothing queues, fixed"),
	CONF_KEY_WORD(
		struct udp_conf, payload_crc, "payload_crc", "auto", checksum_words,
		"CRC-32C over each packet's header and payload, in software, if both ends can: auto = "
		"wanted where a wire leaves this host and has no UDP checksum"),
	CONF_KEY_WORD(
		struct udp_conf, by_reference, "by_reference", "auto", by_reference_words,
		"bytes of WRITEs read by the port itself, without a copy before: where it is "
		"known to be done with them at once and has been seen to deliver them, or never"),
	CONF_KEY_U32(struct udp_conf, peer_silence_ms, "peer_silence_ms", 5000, 100, 60000,
		     "milliseconds", "silence after which a connection is given up"),
	CONF_KEY_STRING_LIST(struct udp_conf, eal_args, eal_arg_count, "eal_args", "", NULL,
			     "further arguments for EAL"),
};

/* What nobody sums up nobody finds damaged: such a frame would be taken for data. */
static bool conf_is_damage_unseen(const struct udp_conf *conf, const struct udp_port_conf *port)
{
	return strstr(port->impair, "corrupt=") != NULL && port->checksum != UDP_CHECKSUM_ALWAYS &&
	       conf->payload_crc != UDP_CRC_ALWAYS;
}

static const char *udp_conf_check(const void *value)
{
	const struct udp_conf *conf = value;

	for (uint32_t i = 0; i < conf->port_count; i++) {
		if (conf_is_damage_unseen(conf, &conf->ports[i]))
			return "ports: impair: corrupt needs checksum = \"always\" or payload_crc = \"always\"";
	}
	for (uint32_t i = 1; i < conf->port_count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(conf->ports[i].name, conf->ports[j].name) == 0)
				return "ports: a name is used twice";
		}
	}
	return NULL;
}

const struct cc_ops *udp_conf_cc(const struct udp_conf *conf, bool is_memory_wire)
{
	uint32_t word = conf->congestion;

	if (word == UDP_CONGESTION_AUTO)
		word = is_memory_wire ? UDP_CONGESTION_FIXED : UDP_CONGESTION_SWIFT;
	return cc_find(congestion_words[word]);
}

const struct conf_table udp_conf_table = CONF_TABLE("udp", udp_keys, udp_conf_check);
