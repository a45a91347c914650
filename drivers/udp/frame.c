/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames; frame.h says what they are. Offsets are from the frame's first byte and named once, here. VLAN tags and
 * IPv6 have their place in frame_parse, where the type of a frame is looked at, and in a template of their own.
 */
#include "drivers/udp/frame.h"

#include "base/check.h"
#include "drivers/udp/octets.h"

#include <string.h>

/* Ethernet. */
#define AT_TARGET_MAC 0u
#define AT_SOURCE_MAC 6u
#define AT_TYPE       12u

#define TYPE_IPV4 0x0800u
#define TYPE_ARP  0x0806u

/* IPv4, without options. */
#define AT_IP          14u
#define AT_IP_LENGTH   16u
#define AT_IP_FRAGMENT 20u
#define AT_IP_TTL      22u
#define AT_IP_PROTOCOL 23u
#define AT_IP_SUM      24u
#define AT_IP_SOURCE   26u
#define AT_IP_TARGET   30u

#define IP_VERSION_LENGTH 0x45u   /* version 4, five words */
#define IP_DONT_FRAGMENT  0x4000u /* a path that cannot carry a packet shall not hide it */
#define IP_FRAGMENT_MASK  0x3fffu /* more fragments, and the offset */
#define IP_TTL            64u
#define IP_ICMP           1u
#define IP_UDP            17u

/* UDP. */
#define AT_UDP             34u
#define AT_UDP_TARGET_PORT 36u
#define AT_UDP_LENGTH      38u
#define AT_UDP_SUM         40u

/* ICMP. */
#define AT_ICMP      34u
#define AT_ICMP_CODE 35u
#define AT_ICMP_SUM  36u

#define ICMP_ECHO        8u
#define ICMP_ECHO_ANSWER 0u

/* ARP. */
#define AT_ARP            14u
#define AT_ARP_OPERATION  20u
#define AT_ARP_SENDER_MAC 22u
#define AT_ARP_SENDER     28u
#define AT_ARP_TARGET_MAC 32u
#define AT_ARP_TARGET     38u

#define ARP_QUESTION 1u
#define ARP_ANSWER   2u

/* Hardware Ethernet, protocol IPv4, and the lengths of their addresses. */
static const uint8_t arp_kind[6] = { 0, 1, 8, 0, 6, 4 };

static const uint8_t mac_everybody[FRAME_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t mac_nobody[FRAME_MAC_BYTES];

/* The checksum of a datagram with its pseudo header: 0xffff when the one inside is right. */
static uint16_t frame_udp_sum(const uint8_t *frame, uint32_t udp_bytes)
{
	uint32_t sum = octets_sum(frame + AT_IP_SOURCE, 8) + IP_UDP + udp_bytes;

	return octets_fold(sum + octets_sum(frame + AT_UDP, udp_bytes));
}

static enum frame_verdict frame_parse_udp(const struct frame_self *self, const uint8_t *frame,
					  uint32_t ip_bytes, struct frame_datagram *datagram_out)
{
	uint32_t udp_bytes = get16(frame + AT_UDP_LENGTH);

	if (udp_bytes < FRAME_UDP_BYTES || udp_bytes > ip_bytes - FRAME_IPV4_BYTES)
		return FRAME_UDP_LENGTH;
	if (get16(frame + AT_UDP_TARGET_PORT) != self->udp_port)
		return FRAME_FOREIGN_PORT;
	if (get16(frame + AT_UDP_SUM) == 0) {
		if (self->is_sum_needed)
			return FRAME_UDP_NO_SUM;
	} else if (!self->is_sum_known && frame_udp_sum(frame, udp_bytes) != 0xffff) {
		return FRAME_UDP_SUM;
	}
	datagram_out->payload = frame + FRAME_HEADER_BYTES;
	datagram_out->bytes = udp_bytes - FRAME_UDP_BYTES;
	datagram_out->source = get32(frame + AT_IP_SOURCE);
	datagram_out->source_port = get16(frame + AT_UDP);
	return FRAME_UDP;
}

/* Who may be answered: one station, not a group, everybody, nobody or oneself. */
static bool frame_is_unicast(uint32_t address)
{
	return address >> 24 != 0 && address >> 24 != 127 && address >> 28 < 0xe;
}

/* Only echo requests are of interest: errors that a path reports are told by silence as well. */
static enum frame_verdict frame_parse_icmp(const uint8_t *frame, uint32_t ip_bytes)
{
	if (frame[AT_ICMP] != ICMP_ECHO || frame[AT_ICMP_CODE] != 0)
		return FRAME_PROTOCOL;
	if (octets_fold(octets_sum(frame + AT_ICMP, ip_bytes - FRAME_IPV4_BYTES)) != 0xffff)
		return FRAME_ICMP_SUM;
	return frame_is_unicast(get32(frame + AT_IP_SOURCE)) ? FRAME_ECHO : FRAME_FOREIGN_IP;
}

static enum frame_verdict frame_parse_ipv4(const struct frame_self *self, const uint8_t *frame,
					   size_t bytes, struct frame_datagram *datagram_out)
{
	uint32_t ip_bytes;

	if (UNLIKELY(bytes < FRAME_HEADER_BYTES))
		return FRAME_SHORT;
	ip_bytes = get16(frame + AT_IP_LENGTH);
	if (frame[AT_IP] != IP_VERSION_LENGTH || ip_bytes < FRAME_IP_UDP_BYTES ||
	    ip_bytes > bytes - FRAME_ETHERNET_BYTES)
		return FRAME_IP_HEADER;
	if (octets_sum(frame + AT_IP, FRAME_IPV4_BYTES) != 0xffff)
		return FRAME_IP_SUM;
	if ((get16(frame + AT_IP_FRAGMENT) & IP_FRAGMENT_MASK) != 0)
		return FRAME_FRAGMENT;
	if (get32(frame + AT_IP_TARGET) != self->address)
		return FRAME_FOREIGN_IP;
	if (UNLIKELY(frame[AT_IP_PROTOCOL] != IP_UDP))
		return frame[AT_IP_PROTOCOL] == IP_ICMP ? frame_parse_icmp(frame, ip_bytes)
							: FRAME_PROTOCOL;
	return frame_parse_udp(self, frame, ip_bytes, datagram_out);
}

enum frame_verdict frame_parse(const struct frame_self *self, const uint8_t *frame, size_t bytes,
			       struct frame_datagram *datagram_out)
{
	bool is_mine;
	uint16_t type;

	if (UNLIKELY(bytes < FRAME_ETHERNET_BYTES))
		return FRAME_SHORT;
	is_mine = memcmp(frame + AT_TARGET_MAC, self->mac, FRAME_MAC_BYTES) == 0;
	type = get16(frame + AT_TYPE);
	if (LIKELY(is_mine && type == TYPE_IPV4))
		return frame_parse_ipv4(self, frame, bytes, datagram_out);
	if (!is_mine && memcmp(frame + AT_TARGET_MAC, mac_everybody, FRAME_MAC_BYTES) != 0)
		return FRAME_FOREIGN_MAC;
	if (type == TYPE_ARP)
		return FRAME_ARP;
	/* An IPv4 packet to everybody is for somebody else: rudp has no broadcast. */
	return type == TYPE_IPV4 ? FRAME_FOREIGN_IP : FRAME_ETHERTYPE;
}

/* The request with its ends swapped, and what has changed summed up anew. */
uint32_t frame_echo_make(const uint8_t *frame, uint8_t *answer)
{
	uint32_t ip_bytes = get16(frame + AT_IP_LENGTH);
	uint32_t bytes = FRAME_ETHERNET_BYTES + ip_bytes;

	memcpy(answer, frame, bytes);
	memcpy(answer + AT_TARGET_MAC, frame + AT_SOURCE_MAC, FRAME_MAC_BYTES);
	memcpy(answer + AT_SOURCE_MAC, frame + AT_TARGET_MAC, FRAME_MAC_BYTES);
	put16(answer + AT_IP_FRAGMENT, IP_DONT_FRAGMENT);
	answer[AT_IP_TTL] = IP_TTL;
	memcpy(answer + AT_IP_SOURCE, frame + AT_IP_TARGET, 4);
	memcpy(answer + AT_IP_TARGET, frame + AT_IP_SOURCE, 4);
	put16(answer + AT_IP_SUM, 0);
	put16(answer + AT_IP_SUM,
	      (uint16_t)~octets_fold(octets_sum(answer + AT_IP, FRAME_IPV4_BYTES)));
	answer[AT_ICMP] = ICMP_ECHO_ANSWER;
	put16(answer + AT_ICMP_SUM, 0);
	put16(answer + AT_ICMP_SUM,
	      (uint16_t)~octets_fold(octets_sum(answer + AT_ICMP, ip_bytes - FRAME_IPV4_BYTES)));
	if (bytes < FRAME_BYTES_MIN)
		memset(answer + bytes, 0, FRAME_BYTES_MIN - bytes);
	return MAX(bytes, FRAME_BYTES_MIN);
}

void frame_template_make(struct frame_template *template, const struct frame_path *path)
{
	uint8_t *header = template->header;

	memset(template, 0, sizeof(*template));
	memcpy(header + AT_SOURCE_MAC, path->source_mac, FRAME_MAC_BYTES);
	put16(header + AT_TYPE, TYPE_IPV4);
	header[AT_IP] = IP_VERSION_LENGTH;
	put16(header + AT_IP_FRAGMENT, IP_DONT_FRAGMENT);
	header[AT_IP_TTL] = IP_TTL;
	header[AT_IP_PROTOCOL] = IP_UDP;
	put32(header + AT_IP_SOURCE, path->source);
	put32(header + AT_IP_TARGET, path->target);
	put16(header + AT_UDP, path->source_port);
	put16(header + AT_UDP_TARGET_PORT, path->target_port);
	template->ip_sum = octets_sum(header + AT_IP, FRAME_IPV4_BYTES);
	template->udp_sum = octets_sum(header + AT_IP_SOURCE, 8) + IP_UDP;
	if (path->target_mac != NULL)
		frame_template_resolve(template, path->target_mac);
}

void frame_template_resolve(struct frame_template *template, const uint8_t *mac)
{
	memcpy(template->header + AT_TARGET_MAC, mac, FRAME_MAC_BYTES);
	template->is_resolved = 1;
}

/* Checksum of the UDP part; a computed zero is sent as its other form, since zero means "none". */
static uint16_t frame_finish_udp(const struct frame_template *template, const uint8_t *frame,
				 uint32_t udp_bytes, enum frame_sum kind)
{
	uint32_t sum = template->udp_sum + udp_bytes;
	uint16_t folded;

	if (kind == FRAME_SUM_PSEUDO)
		return octets_fold(sum); /* a port that computes wants it not inverted */
	folded = octets_fold(sum + octets_sum(frame + AT_UDP, udp_bytes));
	return folded == 0xffff ? 0xffff : (uint16_t)~folded;
}

void frame_finish(const struct frame_template *template, uint8_t *frame, uint32_t bytes,
		  enum frame_sum sum)
{
	uint32_t udp_bytes = bytes + FRAME_UDP_BYTES;
	uint32_t ip_bytes = udp_bytes + FRAME_IPV4_BYTES;

	ASSERT(template->is_resolved);
	ASSERT(ip_bytes <= UINT16_MAX);
	memcpy(frame, template->header, FRAME_HEADER_BYTES);
	put16(frame + AT_IP_LENGTH, ip_bytes);
	put16(frame + AT_IP_SUM, (uint16_t)~octets_fold(template->ip_sum + ip_bytes));
	put16(frame + AT_UDP_LENGTH, udp_bytes);
	if (sum != FRAME_SUM_NONE)
		put16(frame + AT_UDP_SUM, frame_finish_udp(template, frame, udp_bytes, sum));
}

bool frame_arp_parse(const uint8_t *frame, size_t bytes, struct frame_arp *arp_out)
{
	struct frame_arp arp;
	uint16_t operation;

	if (bytes < FRAME_ETHERNET_BYTES + FRAME_ARP_BYTES)
		return false;
	operation = get16(frame + AT_ARP_OPERATION);
	if (get16(frame + AT_TYPE) != TYPE_ARP ||
	    memcmp(frame + AT_ARP, arp_kind, sizeof(arp_kind)) != 0 ||
	    (operation != ARP_QUESTION && operation != ARP_ANSWER))
		return false;
	arp.is_answer = operation == ARP_ANSWER;
	memcpy(arp.sender_mac, frame + AT_ARP_SENDER_MAC, FRAME_MAC_BYTES);
	memcpy(arp.target_mac, frame + AT_ARP_TARGET_MAC, FRAME_MAC_BYTES);
	arp.sender = get32(frame + AT_ARP_SENDER);
	arp.target = get32(frame + AT_ARP_TARGET);
	/* Nobody is a group or zero; data sent there would go to everybody or nowhere. */
	if ((arp.sender_mac[0] & 1) != 0 ||
	    memcmp(arp.sender_mac, mac_nobody, FRAME_MAC_BYTES) == 0)
		return false;
	*arp_out = arp;
	return true;
}

void frame_arp_make(const struct frame_arp *arp, uint8_t *frame)
{
	bool is_to_everybody = memcmp(arp->target_mac, mac_nobody, FRAME_MAC_BYTES) == 0;

	memset(frame, 0, FRAME_BYTES_MIN);
	memcpy(frame + AT_TARGET_MAC, is_to_everybody ? mac_everybody : arp->target_mac,
	       FRAME_MAC_BYTES);
	memcpy(frame + AT_SOURCE_MAC, arp->sender_mac, FRAME_MAC_BYTES);
	put16(frame + AT_TYPE, TYPE_ARP);
	memcpy(frame + AT_ARP, arp_kind, sizeof(arp_kind));
	put16(frame + AT_ARP_OPERATION, arp->is_answer ? ARP_ANSWER : ARP_QUESTION);
	memcpy(frame + AT_ARP_SENDER_MAC, arp->sender_mac, FRAME_MAC_BYTES);
	put32(frame + AT_ARP_SENDER, arp->sender);
	memcpy(frame + AT_ARP_TARGET_MAC, arp->target_mac, FRAME_MAC_BYTES);
	put32(frame + AT_ARP_TARGET, arp->target);
}
