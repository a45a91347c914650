/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames; frame.h says what they are. Offsets are from the first byte of their header and named once, here. Ends of paths
 * that are a datagram's begin at its payload, so that nothing depends on how long the headers are.
 */
#include "drivers/udp/frame.h"

#include "base/check.h"
#include "drivers/udp/octets.h"

#include <string.h>

/* Ethernet. */
#define AT_TARGET_MAC 0u
#define AT_SOURCE_MAC 6u
#define AT_TYPE       12u

/* IPv4, without options. */
#define AT_IP4_ECN      1u
#define AT_IP4_LENGTH   2u
#define AT_IP4_FRAGMENT 6u
#define AT_IP4_TTL      8u
#define AT_IP4_PROTOCOL 9u
#define AT_IP4_SUM      10u
#define AT_IP4_SOURCE   12u
#define AT_IP4_TARGET   16u

#define IP4_VERSION_LENGTH 0x45u   /* version 4, five words */
#define IP4_DONT_FRAGMENT  0x4000u /* a path that cannot carry a packet shall not hide it */
#define IP4_FRAGMENT_MASK  0x3fffu /* more fragments, and the offset */
#define IP4_ICMP           1u

/* IPv6, without extensions. */
#define AT_IP6_ECN    1u
#define AT_IP6_LENGTH 4u
#define AT_IP6_NEXT   6u
#define AT_IP6_HOPS   7u
#define AT_IP6_SOURCE 8u
#define AT_IP6_TARGET 24u

#define IP6_VERSION  0x60u
#define IP6_FRAGMENT 44u
#define IP6_ICMP     58u

#define IP_HOPS      64u
#define IP_HOPS_LINK 255u /* what has never left the link */
#define IP_UDP       17u

/* ECT(0), in a byte whose low two bits are those of ECN; IPv6 has them four bits higher. */
#define IP_ECN_MASK   3u
#define IP_ECN_ECT0   2u
#define IP6_ECN_SHIFT 4u

/* UDP. */
#define AT_UDP_TARGET_PORT 2u
#define AT_UDP_LENGTH      4u
#define AT_UDP_SUM         6u

/* ICMP of both families. */
#define AT_ICMP_CODE 1u
#define AT_ICMP_SUM  2u

#define ICMP4_ECHO         8u
#define ICMP4_ECHO_ANSWER  0u
#define ICMP6_ECHO         128u
#define ICMP6_ECHO_ANSWER  129u
#define ICMP6_SOLICITATION 135u
#define ICMP6_ADVERTISING  136u

/* Bytes of both addresses of a header: they tell the family where it is not a variable. */
#define IP4_ENDS_BYTES 8u
#define IP6_ENDS_BYTES 32u

#define VLAN_MASK 0x0fffu

_Static_assert(FRAME_ETHERNET_BYTES + FRAME_TAG_BYTES + FRAME_IPV6_BYTES + FRAME_UDP_BYTES <=
		       FRAME_TEMPLATE_BYTES,
	       "the largest header fits");

static const uint8_t mac_everybody[FRAME_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* The checksum of what follows the pseudo header of two addresses: 0xffff when the one inside is right. */
static inline uint16_t frame_pseudo_sum(const uint8_t *ends, uint32_t ends_bytes, uint32_t protocol,
					const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = octets_sum(ends, ends_bytes) + protocol + length;

	return octets_fold(sum + octets_sum(bytes, length));
}

/* A datagram with `room` for it in its packet. Always inlined: the family is known where it is called. */
static inline __attribute__((always_inline)) enum frame_verdict frame_parse_udp(
	const struct frame_self *self, const uint8_t *udp, uint32_t room, const uint8_t *ends,
	uint32_t ends_bytes, struct frame_datagram *datagram_out)
{
	uint32_t bytes = get16(udp + AT_UDP_LENGTH);
	uint16_t target_port = get16(udp + AT_UDP_TARGET_PORT);

	if (bytes < FRAME_UDP_BYTES || bytes > room)
		return FRAME_UDP_LENGTH;
	if ((uint16_t)(target_port - self->udp_port) >= self->udp_port_count)
		return FRAME_FOREIGN_PORT;
	if (get16(udp + AT_UDP_SUM) == 0) {
		if (self->is_sum_needed || ends_bytes == IP6_ENDS_BYTES)
			return FRAME_UDP_NO_SUM;
	} else if (!self->is_sum_known &&
		   frame_pseudo_sum(ends, ends_bytes, IP_UDP, udp, bytes) != 0xffff) {
		return FRAME_UDP_SUM;
	}
	datagram_out->payload = udp + FRAME_UDP_BYTES;
	datagram_out->bytes = bytes - FRAME_UDP_BYTES;
	datagram_out->source = ends;
	datagram_out->source_port = get16(udp);
	datagram_out->target_port = target_port;
	datagram_out->family = ends_bytes == IP4_ENDS_BYTES ? 4 : 6;
	datagram_out->ecn =
		ends_bytes == IP4_ENDS_BYTES
			? ends[(int)AT_IP4_ECN - (int)AT_IP4_SOURCE] & IP_ECN_MASK
			: ends[(int)AT_IP6_ECN - (int)AT_IP6_SOURCE] >> IP6_ECN_SHIFT & IP_ECN_MASK;
	return FRAME_UDP;
}

/* Who may be answered: one station, not a group, everybody, nobody or oneself. */
static bool frame_is_unicast(uint32_t address)
{
	return address >> 24 != 0 && address >> 24 != 127 && address >> 28 < 0xe;
}

/* Only echo requests are of interest: errors that a path reports are told by silence as well. */
static enum frame_verdict frame_parse_icmp4(const uint8_t *ip, uint32_t icmp_bytes)
{
	const uint8_t *icmp = ip + FRAME_IPV4_BYTES;

	if (icmp[0] != ICMP4_ECHO || icmp[AT_ICMP_CODE] != 0)
		return FRAME_PROTOCOL;
	if (octets_fold(octets_sum(icmp, icmp_bytes)) != 0xffff)
		return FRAME_ICMP_SUM;
	return frame_is_unicast(get32(ip + AT_IP4_SOURCE)) ? FRAME_ECHO : FRAME_FOREIGN_IP;
}

static enum frame_verdict frame_parse_ipv4(const struct frame_self *self, const uint8_t *ip,
					   size_t bytes, struct frame_datagram *datagram_out)
{
	uint32_t ip_bytes;

	if (UNLIKELY(bytes < FRAME_IP_UDP_BYTES))
		return FRAME_SHORT;
	ip_bytes = get16(ip + AT_IP4_LENGTH);
	if (ip[0] != IP4_VERSION_LENGTH || ip_bytes < FRAME_IP_UDP_BYTES || ip_bytes > bytes)
		return FRAME_IP_HEADER;
	if (octets_sum(ip, FRAME_IPV4_BYTES) != 0xffff)
		return FRAME_IP_SUM;
	if ((get16(ip + AT_IP4_FRAGMENT) & IP4_FRAGMENT_MASK) != 0)
		return FRAME_FRAGMENT;
	if (get32(ip + AT_IP4_TARGET) != self->address || self->address == 0)
		return FRAME_FOREIGN_IP;
	if (UNLIKELY(ip[AT_IP4_PROTOCOL] != IP_UDP)) {
		if (ip[AT_IP4_PROTOCOL] == IP4_ICMP)
			return frame_parse_icmp4(ip, ip_bytes - FRAME_IPV4_BYTES);
		return FRAME_PROTOCOL;
	}
	return frame_parse_udp(self, ip + FRAME_IPV4_BYTES, ip_bytes - FRAME_IPV4_BYTES,
			       ip + AT_IP4_SOURCE, IP4_ENDS_BYTES, datagram_out);
}

/* Neighbour discovery for whoever it may concern, and echo requests for this receiver. */
static enum frame_verdict frame_parse_icmp6(const struct frame_self *self, const uint8_t *ip,
					    uint32_t icmp_bytes)
{
	static const uint8_t nobody[16];
	const uint8_t *icmp = ip + FRAME_IPV6_BYTES;
	const uint8_t *source = ip + AT_IP6_SOURCE;

	if (frame_pseudo_sum(source, IP6_ENDS_BYTES, IP6_ICMP, icmp, icmp_bytes) != 0xffff)
		return FRAME_ICMP_SUM;
	if (icmp[AT_ICMP_CODE] != 0)
		return FRAME_PROTOCOL;
	if (icmp[0] == ICMP6_SOLICITATION || icmp[0] == ICMP6_ADVERTISING)
		return ip[AT_IP6_HOPS] == IP_HOPS_LINK ? FRAME_LOOKUP : FRAME_IP_HEADER;
	if (icmp[0] != ICMP6_ECHO)
		return FRAME_PROTOCOL;
	if (memcmp(ip + AT_IP6_TARGET, self->address6, sizeof(self->address6)) != 0 ||
	    source[0] == 0xff || memcmp(source, nobody, sizeof(nobody)) == 0)
		return FRAME_FOREIGN_IP;
	return FRAME_ECHO;
}

static enum frame_verdict frame_parse_ipv6(const struct frame_self *self, const uint8_t *ip,
					   size_t bytes, struct frame_datagram *datagram_out)
{
	uint32_t payload_bytes;

	if (UNLIKELY(bytes < FRAME_IPV6_BYTES + FRAME_UDP_BYTES))
		return FRAME_SHORT;
	payload_bytes = get16(ip + AT_IP6_LENGTH);
	if ((ip[0] & 0xf0) != IP6_VERSION || payload_bytes < FRAME_UDP_BYTES ||
	    payload_bytes > bytes - FRAME_IPV6_BYTES)
		return FRAME_IP_HEADER;
	if (UNLIKELY(ip[AT_IP6_NEXT] != IP_UDP)) {
		if (ip[AT_IP6_NEXT] == IP6_ICMP)
			return frame_parse_icmp6(self, ip, payload_bytes);
		return ip[AT_IP6_NEXT] == IP6_FRAGMENT ? FRAME_FRAGMENT : FRAME_PROTOCOL;
	}
	if (memcmp(ip + AT_IP6_TARGET, self->address6, sizeof(self->address6)) != 0)
		return FRAME_FOREIGN_IP;
	return frame_parse_udp(self, ip + FRAME_IPV6_BYTES, payload_bytes, ip + AT_IP6_SOURCE,
			       IP6_ENDS_BYTES, datagram_out);
}

static bool frame_is_tagged(const uint8_t *frame, uint16_t vlan)
{
	return get16(frame + AT_TYPE) == FRAME_TYPE_TAG &&
	       (get16(frame + FRAME_ETHERNET_BYTES) & VLAN_MASK) == vlan;
}

uint32_t frame_tag(uint8_t *frame, uint32_t bytes, uint16_t vlan)
{
	memmove(frame + AT_TYPE + FRAME_TAG_BYTES, frame + AT_TYPE, bytes - AT_TYPE);
	put16(frame + AT_TYPE, FRAME_TYPE_TAG);
	put16(frame + AT_TYPE + 2, vlan);
	return bytes + FRAME_TAG_BYTES;
}

enum frame_verdict frame_parse(const struct frame_self *self, const uint8_t *frame, size_t bytes,
			       struct frame_datagram *datagram_out)
{
	uint32_t link_bytes = FRAME_ETHERNET_BYTES + (self->vlan == 0 ? 0 : FRAME_TAG_BYTES);
	const uint8_t *packet = frame + link_bytes;
	bool is_mine;
	uint16_t type;

	if (UNLIKELY(bytes < link_bytes))
		return FRAME_SHORT;
	if (UNLIKELY(self->vlan != 0) && !frame_is_tagged(frame, self->vlan))
		return FRAME_VLAN;
	bytes -= link_bytes;
	is_mine = memcmp(frame + AT_TARGET_MAC, self->mac, FRAME_MAC_BYTES) == 0;
	type = get16(packet - 2);
	if (LIKELY(is_mine && type == FRAME_TYPE_IPV4))
		return frame_parse_ipv4(self, packet, bytes, datagram_out);
	/* Discovery goes to groups whose members cannot all be told apart here. */
	if (type == FRAME_TYPE_IPV6 && self->has_ipv6 &&
	    (is_mine || (frame[0] == 0x33 && frame[1] == 0x33)))
		return frame_parse_ipv6(self, packet, bytes, datagram_out);
	if (!is_mine && memcmp(frame + AT_TARGET_MAC, mac_everybody, FRAME_MAC_BYTES) != 0)
		return FRAME_FOREIGN_MAC;
	if (type == FRAME_TYPE_ARP)
		return FRAME_LOOKUP;
	if (type == FRAME_TYPE_TAG)
		return FRAME_VLAN;
	/* An IPv4 packet to everybody is for somebody else: rudp has no broadcast. */
	return type == FRAME_TYPE_IPV4 ? FRAME_FOREIGN_IP : FRAME_ETHERTYPE;
}

/* The request's packet with its ends swapped, and what has changed summed up anew; returns its bytes. */
static uint32_t frame_echo_ipv4(const uint8_t *question, uint8_t *ip)
{
	uint32_t ip_bytes = get16(question + AT_IP4_LENGTH);
	uint8_t *icmp = ip + FRAME_IPV4_BYTES;

	memcpy(ip, question, ip_bytes);
	put16(ip + AT_IP4_FRAGMENT, IP4_DONT_FRAGMENT);
	ip[AT_IP4_TTL] = IP_HOPS;
	memcpy(ip + AT_IP4_SOURCE, question + AT_IP4_TARGET, 4);
	memcpy(ip + AT_IP4_TARGET, question + AT_IP4_SOURCE, 4);
	put16(ip + AT_IP4_SUM, 0);
	put16(ip + AT_IP4_SUM, (uint16_t)~octets_fold(octets_sum(ip, FRAME_IPV4_BYTES)));
	icmp[0] = ICMP4_ECHO_ANSWER;
	put16(icmp + AT_ICMP_SUM, 0);
	put16(icmp + AT_ICMP_SUM,
	      (uint16_t)~octets_fold(octets_sum(icmp, ip_bytes - FRAME_IPV4_BYTES)));
	return ip_bytes;
}

static uint32_t frame_echo_ipv6(const uint8_t *question, uint8_t *ip)
{
	uint32_t icmp_bytes = get16(question + AT_IP6_LENGTH);
	uint8_t *icmp = ip + FRAME_IPV6_BYTES;

	memcpy(ip, question, FRAME_IPV6_BYTES + icmp_bytes);
	ip[AT_IP6_HOPS] = IP_HOPS;
	memcpy(ip + AT_IP6_SOURCE, question + AT_IP6_TARGET, 16);
	memcpy(ip + AT_IP6_TARGET, question + AT_IP6_SOURCE, 16);
	icmp[0] = ICMP6_ECHO_ANSWER;
	put16(icmp + AT_ICMP_SUM, 0);
	put16(icmp + AT_ICMP_SUM, (uint16_t)~frame_pseudo_sum(ip + AT_IP6_SOURCE, IP6_ENDS_BYTES,
							      IP6_ICMP, icmp, icmp_bytes));
	return FRAME_IPV6_BYTES + icmp_bytes;
}

uint32_t frame_echo_make(const uint8_t *frame, uint8_t *answer)
{
	bool is_tagged = get16(frame + AT_TYPE) == FRAME_TYPE_TAG;
	uint32_t bytes = FRAME_ETHERNET_BYTES + (is_tagged ? FRAME_TAG_BYTES : 0);
	bool is_ipv4 = get16(frame + bytes - 2) == FRAME_TYPE_IPV4;

	memcpy(answer + AT_TARGET_MAC, frame + AT_SOURCE_MAC, FRAME_MAC_BYTES);
	memcpy(answer + AT_SOURCE_MAC, frame + AT_TARGET_MAC, FRAME_MAC_BYTES);
	memcpy(answer + AT_TYPE, frame + AT_TYPE, bytes - AT_TYPE);
	bytes += (is_ipv4 ? frame_echo_ipv4 : frame_echo_ipv6)(frame + bytes, answer + bytes);
	if (bytes < FRAME_BYTES_MIN)
		memset(answer + bytes, 0, FRAME_BYTES_MIN - bytes);
	return MAX(bytes, FRAME_BYTES_MIN);
}

static void frame_template_ipv4(struct frame_template *template, uint8_t *ip,
				const struct frame_path *path)
{
	ip[0] = IP4_VERSION_LENGTH;
	put16(ip + AT_IP4_FRAGMENT, IP4_DONT_FRAGMENT);
	ip[AT_IP4_TTL] = IP_HOPS;
	ip[AT_IP4_PROTOCOL] = IP_UDP;
	memcpy(ip + AT_IP4_SOURCE, path->source.bytes, 4);
	memcpy(ip + AT_IP4_TARGET, path->target.bytes, 4);
	template->ip_sum = octets_sum(ip, FRAME_IPV4_BYTES);
	template->udp_sum = octets_sum(ip + AT_IP4_SOURCE, IP4_ENDS_BYTES) + IP_UDP;
}

static void frame_template_ipv6(struct frame_template *template, uint8_t *ip,
				const struct frame_path *path)
{
	ip[0] = IP6_VERSION;
	ip[AT_IP6_NEXT] = IP_UDP;
	ip[AT_IP6_HOPS] = IP_HOPS;
	memcpy(ip + AT_IP6_SOURCE, path->source.bytes, 16);
	memcpy(ip + AT_IP6_TARGET, path->target.bytes, 16);
	template->udp_sum = octets_sum(ip + AT_IP6_SOURCE, IP6_ENDS_BYTES) + IP_UDP;
	if (template->sum == FRAME_SUM_NONE)
		template->sum = FRAME_SUM_WHOLE;
}

void frame_template_make(struct frame_template *template, const struct frame_path *path)
{
	bool is_ipv4 = path->source.family == 4;
	uint8_t *udp = template->header + FRAME_TEMPLATE_BYTES - FRAME_UDP_BYTES;
	uint8_t *ip = udp - (is_ipv4 ? FRAME_IPV4_BYTES : FRAME_IPV6_BYTES);
	uint8_t *ethernet = ip - FRAME_ETHERNET_BYTES - (path->vlan == 0 ? 0 : FRAME_TAG_BYTES);

	ASSERT(path->source.family == path->target.family);
	memset(template, 0, sizeof(*template));
	template->header_bytes = (uint8_t)(template->header + FRAME_TEMPLATE_BYTES - ethernet);
	template->family = path->source.family;
	template->sum = (uint8_t)path->sum;
	memcpy(ethernet + AT_SOURCE_MAC, path->source_mac, FRAME_MAC_BYTES);
	if (path->vlan != 0) {
		put16(ethernet + AT_TYPE, FRAME_TYPE_TAG);
		put16(ethernet + AT_TYPE + 2, path->vlan);
	}
	put16(ip - 2, is_ipv4 ? FRAME_TYPE_IPV4 : FRAME_TYPE_IPV6);
	if (is_ipv4)
		frame_template_ipv4(template, ip, path);
	else
		frame_template_ipv6(template, ip, path);
	put16(udp, path->source_port);
	put16(udp + AT_UDP_TARGET_PORT, path->target_port);
	if (path->target_mac != NULL)
		frame_template_resolve(template, path->target_mac);
}

void frame_template_mark(struct frame_template *template, bool is_marked)
{
	uint8_t *udp = template->header + FRAME_TEMPLATE_BYTES - FRAME_UDP_BYTES;
	uint8_t bits = is_marked ? IP_ECN_ECT0 : 0;

	if (template->family == 4) {
		udp[(int)AT_IP4_ECN - (int)FRAME_IPV4_BYTES] = bits;
		template->ip_sum = octets_sum(udp - FRAME_IPV4_BYTES, FRAME_IPV4_BYTES);
	} else {
		udp[(int)AT_IP6_ECN - (int)FRAME_IPV6_BYTES] = (uint8_t)(bits << IP6_ECN_SHIFT);
	}
}

void frame_template_resolve(struct frame_template *template, const uint8_t *mac)
{
	memcpy(template->header + FRAME_TEMPLATE_BYTES - template->header_bytes, mac,
	       FRAME_MAC_BYTES);
	template->is_resolved = 1;
}

void frame_template_move(struct frame_template *template, const uint8_t *mac)
{
	memcpy(template->header + FRAME_TEMPLATE_BYTES - template->header_bytes + FRAME_MAC_BYTES,
	       mac, FRAME_MAC_BYTES);
}

/* Checksum of the UDP part; a computed zero is sent as its other form, since zero means "none". */
static uint16_t frame_finish_udp(const struct frame_template *template, const uint8_t *udp,
				 uint32_t udp_bytes)
{
	uint32_t sum = template->udp_sum + udp_bytes;
	uint16_t folded;

	if (template->sum == FRAME_SUM_PSEUDO)
		return octets_fold(sum); /* a port that computes wants it not inverted */
	folded = octets_fold(sum + octets_sum(udp, udp_bytes));
	return folded == 0xffff ? 0xffff : (uint16_t)~folded;
}

void frame_finish(const struct frame_template *template, uint8_t *payload, uint32_t bytes)
{
	uint8_t *udp = payload - FRAME_UDP_BYTES;
	uint32_t udp_bytes = bytes + FRAME_UDP_BYTES;

	ASSERT(template->is_resolved);
	memcpy(payload - FRAME_TEMPLATE_BYTES, template->header, FRAME_TEMPLATE_BYTES);
	if (LIKELY(template->family == 4)) {
		uint8_t *ip = udp - FRAME_IPV4_BYTES;
		uint32_t ip_bytes = udp_bytes + FRAME_IPV4_BYTES;

		ASSERT(ip_bytes <= UINT16_MAX);
		put16(ip + AT_IP4_LENGTH, ip_bytes);
		put16(ip + AT_IP4_SUM, (uint16_t)~octets_fold(template->ip_sum + ip_bytes));
	} else {
		put16(udp - FRAME_IPV6_BYTES + AT_IP6_LENGTH, udp_bytes);
	}
	put16(udp + AT_UDP_LENGTH, udp_bytes);
	if (template->sum != FRAME_SUM_NONE)
		put16(udp + AT_UDP_SUM, frame_finish_udp(template, udp, udp_bytes));
}
