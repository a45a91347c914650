/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and neighbour discovery; lookup.h says what they have in common. Offsets are from each header's first byte. */
#include "drivers/udp/lookup.h"

#include "base/check.h"
#include "drivers/udp/octets.h"

#include <string.h>

/* Ethernet. */
#define AT_SOURCE_MAC 6u
#define AT_TYPE       12u

/* ARP. */
#define AT_ARP_OPERATION  6u
#define AT_ARP_SENDER_MAC 8u
#define AT_ARP_SENDER     14u
#define AT_ARP_TARGET_MAC 18u
#define AT_ARP_TARGET     24u

#define ARP_BYTES    28u
#define ARP_QUESTION 1u
#define ARP_ANSWER   2u

/* IPv6. */
#define AT_IP6_LENGTH 4u
#define AT_IP6_NEXT   6u
#define AT_IP6_HOPS   7u
#define AT_IP6_SOURCE 8u
#define AT_IP6_TARGET 24u

#define IP6_VERSION   0x60u
#define IP6_ICMP      58u
#define IP6_HOPS_LINK 255u

/* Neighbour discovery: type, code, sum, flags, the address that it is about, then options. */
#define AT_ND_SUM     2u
#define AT_ND_FLAGS   4u
#define AT_ND_ADDRESS 8u
#define AT_ND_OPTIONS 24u

#define ND_SOLICITATION  135u
#define ND_ADVERTISEMENT 136u
#define ND_SOLICITED     0x40u
#define ND_OVERRIDE      0x20u

/* Options: kind, length in units, a MAC. */
#define ND_OPTION_UNIT   8u
#define ND_OPTION_SOURCE 1u
#define ND_OPTION_TARGET 2u
#define ND_MADE_BYTES    (AT_ND_OPTIONS + ND_OPTION_UNIT)

/* Hardware Ethernet, protocol IPv4, and the lengths of their addresses. */
static const uint8_t arp_kind[6] = { 0, 1, 8, 0, 6, 4 };

static const uint8_t mac_everybody[FRAME_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t mac_nobody[FRAME_MAC_BYTES];

/* ff02::1, all nodes of the link, and what the group of all addresses with the same last 24 bits begins with. */
static const uint8_t ip6_all[16] = { 0xff, 2, [15] = 1 };
static const uint8_t ip6_solicited[13] = { 0xff, 2, [11] = 1, [12] = 0xff };

bool lookup_is_nobody(const struct frame_ip *ip)
{
	static const uint8_t nobody[sizeof(ip->bytes)];

	return memcmp(ip->bytes, nobody, sizeof(nobody)) == 0;
}

/* Nobody is a group or zero; data sent there would go to everybody or nowhere. */
static bool lookup_is_station(const uint8_t *mac)
{
	return (mac[0] & 1) == 0 && memcmp(mac, mac_nobody, FRAME_MAC_BYTES) != 0;
}

static bool lookup_parse_arp(const uint8_t *arp, size_t bytes, struct lookup *lookup)
{
	uint16_t operation;

	if (bytes < ARP_BYTES)
		return false;
	operation = get16(arp + AT_ARP_OPERATION);
	if (memcmp(arp, arp_kind, sizeof(arp_kind)) != 0 ||
	    (operation != ARP_QUESTION && operation != ARP_ANSWER))
		return false;
	lookup->is_answer = operation == ARP_ANSWER;
	lookup->is_final = true;
	memcpy(lookup->sender_mac, arp + AT_ARP_SENDER_MAC, FRAME_MAC_BYTES);
	memcpy(lookup->target_mac, arp + AT_ARP_TARGET_MAC, FRAME_MAC_BYTES);
	lookup->sender.family = 4;
	lookup->target.family = 4;
	memcpy(lookup->sender.bytes, arp + AT_ARP_SENDER, 4);
	memcpy(lookup->target.bytes, arp + AT_ARP_TARGET, 4);
	return true;
}

/* The MAC in the option of a kind; *mac_out is NULL when there is none. False: the options are malformed. */
static bool lookup_option(const uint8_t *options, size_t bytes, uint8_t kind,
			  const uint8_t **mac_out)
{
	*mac_out = NULL;
	while (bytes > 0) {
		size_t length;

		if (bytes < ND_OPTION_UNIT)
			return false;
		length = options[1] * (size_t)ND_OPTION_UNIT;
		if (length == 0 || length > bytes)
			return false;
		if (options[0] == kind && length == ND_OPTION_UNIT)
			*mac_out = options + 2;
		options += length;
		bytes -= length;
	}
	return true;
}

static void lookup_set_ip6(struct frame_ip *ip, const uint8_t *bytes)
{
	ip->family = 6;
	memcpy(ip->bytes, bytes, sizeof(ip->bytes));
}

/* Who asks without an address, looks whether one is free: it must not tell a MAC, and is answered where it is. */
static bool lookup_parse_question(const uint8_t *frame, const uint8_t *ip, const uint8_t *mac,
				  struct lookup *lookup)
{
	lookup_set_ip6(&lookup->sender, ip + AT_IP6_SOURCE);
	lookup_set_ip6(&lookup->target, ip + FRAME_IPV6_BYTES + AT_ND_ADDRESS);
	if (lookup->sender.bytes[0] == 0xff || (lookup_is_nobody(&lookup->sender) && mac != NULL))
		return false;
	memcpy(lookup->sender_mac, mac != NULL ? mac : frame + AT_SOURCE_MAC, FRAME_MAC_BYTES);
	return true;
}

static bool lookup_parse_answer(const uint8_t *ip, const uint8_t *mac, struct lookup *lookup)
{
	const uint8_t *message = ip + FRAME_IPV6_BYTES;
	bool is_to_group = ip[AT_IP6_TARGET] == 0xff;

	if (mac == NULL || (is_to_group && (message[AT_ND_FLAGS] & ND_SOLICITED) != 0))
		return false;
	lookup->is_answer = true;
	lookup->is_final = (message[AT_ND_FLAGS] & ND_OVERRIDE) != 0;
	lookup_set_ip6(&lookup->sender, message + AT_ND_ADDRESS);
	lookup->target.family = 6;
	if (!is_to_group)
		lookup_set_ip6(&lookup->target, ip + AT_IP6_TARGET);
	memcpy(lookup->sender_mac, mac, FRAME_MAC_BYTES);
	return true;
}

static bool lookup_parse_nd(const uint8_t *frame, size_t bytes, struct lookup *lookup)
{
	const uint8_t *ip = frame + FRAME_ETHERNET_BYTES;
	const uint8_t *message = ip + FRAME_IPV6_BYTES;
	const uint8_t *mac;
	size_t nd_bytes;
	bool is_question;

	if (bytes < FRAME_ETHERNET_BYTES + FRAME_IPV6_BYTES + AT_ND_OPTIONS)
		return false;
	nd_bytes = get16(ip + AT_IP6_LENGTH);
	is_question = message[0] == ND_SOLICITATION;
	if (nd_bytes < AT_ND_OPTIONS ||
	    nd_bytes > bytes - FRAME_ETHERNET_BYTES - FRAME_IPV6_BYTES ||
	    message[AT_ND_ADDRESS] == 0xff || (!is_question && message[0] != ND_ADVERTISEMENT) ||
	    !lookup_option(message + AT_ND_OPTIONS, nd_bytes - AT_ND_OPTIONS,
			   is_question ? ND_OPTION_SOURCE : ND_OPTION_TARGET, &mac))
		return false;
	return is_question ? lookup_parse_question(frame, ip, mac, lookup)
			   : lookup_parse_answer(ip, mac, lookup);
}

bool lookup_parse(const uint8_t *frame, size_t bytes, struct lookup *lookup_out)
{
	struct lookup lookup = { 0 };
	bool is_good = false;

	if (bytes < FRAME_ETHERNET_BYTES)
		return false;
	if (get16(frame + AT_TYPE) == FRAME_TYPE_ARP) {
		is_good = lookup_parse_arp(frame + FRAME_ETHERNET_BYTES,
					   bytes - FRAME_ETHERNET_BYTES, &lookup);
	} else if (get16(frame + AT_TYPE) == FRAME_TYPE_IPV6) {
		is_good = lookup_parse_nd(frame, bytes, &lookup);
	}
	if (!is_good || !lookup_is_station(lookup.sender_mac))
		return false;
	*lookup_out = lookup;
	return true;
}

static bool lookup_is_to_everybody(const struct lookup *lookup)
{
	return memcmp(lookup->target_mac, mac_nobody, FRAME_MAC_BYTES) == 0;
}

static uint32_t lookup_make_arp(const struct lookup *lookup, uint8_t *frame)
{
	uint8_t *arp = frame + FRAME_ETHERNET_BYTES;

	memcpy(frame, lookup_is_to_everybody(lookup) ? mac_everybody : lookup->target_mac,
	       FRAME_MAC_BYTES);
	put16(frame + AT_TYPE, FRAME_TYPE_ARP);
	memcpy(arp, arp_kind, sizeof(arp_kind));
	put16(arp + AT_ARP_OPERATION, lookup->is_answer ? ARP_ANSWER : ARP_QUESTION);
	memcpy(arp + AT_ARP_SENDER_MAC, lookup->sender_mac, FRAME_MAC_BYTES);
	memcpy(arp + AT_ARP_SENDER, lookup->sender.bytes, 4);
	memcpy(arp + AT_ARP_TARGET_MAC, lookup->target_mac, FRAME_MAC_BYTES);
	memcpy(arp + AT_ARP_TARGET, lookup->target.bytes, 4);
	return FRAME_BYTES_MIN;
}

/* Where a packet goes: to one station, to all, or to the group of those that may have the address. */
static void lookup_set_ends(const struct lookup *lookup, uint8_t *frame, uint8_t *target)
{
	if (!lookup->is_answer) {
		memcpy(target, ip6_solicited, sizeof(ip6_solicited));
		memcpy(target + 13, lookup->target.bytes + 13, 3);
	} else {
		memcpy(target, lookup_is_nobody(&lookup->target) ? ip6_all : lookup->target.bytes,
		       sizeof(ip6_all));
	}
	memcpy(frame, lookup->target_mac, FRAME_MAC_BYTES);
	if (target[0] != 0xff)
		return;
	frame[0] = 0x33;
	frame[1] = 0x33;
	memcpy(frame + 2, target + 12, 4);
}

static uint32_t lookup_make_nd(const struct lookup *lookup, uint8_t *frame)
{
	uint8_t *ip = frame + FRAME_ETHERNET_BYTES;
	uint8_t *message = ip + FRAME_IPV6_BYTES;
	uint8_t *option = message + AT_ND_OPTIONS;
	const struct frame_ip *about = lookup->is_answer ? &lookup->sender : &lookup->target;

	put16(frame + AT_TYPE, FRAME_TYPE_IPV6);
	ip[0] = IP6_VERSION;
	put16(ip + AT_IP6_LENGTH, ND_MADE_BYTES);
	ip[AT_IP6_NEXT] = IP6_ICMP;
	ip[AT_IP6_HOPS] = IP6_HOPS_LINK;
	memcpy(ip + AT_IP6_SOURCE, lookup->sender.bytes, 16);
	lookup_set_ends(lookup, frame, ip + AT_IP6_TARGET);
	message[0] = lookup->is_answer ? ND_ADVERTISEMENT : ND_SOLICITATION;
	if (lookup->is_answer)
		message[AT_ND_FLAGS] =
			ND_OVERRIDE | (lookup_is_nobody(&lookup->target) ? 0 : ND_SOLICITED);
	memcpy(message + AT_ND_ADDRESS, about->bytes, 16);
	option[0] = lookup->is_answer ? ND_OPTION_TARGET : ND_OPTION_SOURCE;
	option[1] = 1;
	memcpy(option + 2, lookup->sender_mac, FRAME_MAC_BYTES);
	put16(message + AT_ND_SUM,
	      (uint16_t)~octets_fold(octets_sum(ip + AT_IP6_SOURCE, 32) + IP6_ICMP + ND_MADE_BYTES +
				     octets_sum(message, ND_MADE_BYTES)));
	return FRAME_ETHERNET_BYTES + FRAME_IPV6_BYTES + ND_MADE_BYTES;
}

uint32_t lookup_make(const struct lookup *lookup, uint8_t *frame)
{
	memset(frame, 0, LOOKUP_FRAME_BYTES_MAX);
	memcpy(frame + AT_SOURCE_MAC, lookup->sender_mac, FRAME_MAC_BYTES);
	return lookup->sender.family == 4 ? lookup_make_arp(lookup, frame)
					  : lookup_make_nd(lookup, frame);
}
