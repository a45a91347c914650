/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Frames as they are on the wire: Ethernet, IPv4, IPv6, UDP and echoes, read and written byte by byte.
 *
 * Nothing in here knows of ports or threads, so that every odd frame can be tried in a test. What is
 * received is read within the bounds that were given and believed only as far as it was checked. What is sent to one
 * destination has the same header but for lengths and sums, so it is copied from a template.
 */
#ifndef DRIVERS_UDP_FRAME_H
#define DRIVERS_UDP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAC_BYTES 6u

#define FRAME_ETHERNET_BYTES 14u
#define FRAME_IPV4_BYTES     20u
#define FRAME_UDP_BYTES      8u
#define FRAME_IPV6_BYTES     40u

/** Everything before a datagram's payload, with IPv4. */
#define FRAME_HEADER_BYTES (FRAME_ETHERNET_BYTES + FRAME_IPV4_BYTES + FRAME_UDP_BYTES)
/** What IP and UDP take of an MTU, with IPv4, and what they take more with IPv6. */
#define FRAME_IP_UDP_BYTES    (FRAME_IPV4_BYTES + FRAME_UDP_BYTES)
#define FRAME_IPV6_MORE_BYTES (FRAME_IPV6_BYTES - FRAME_IPV4_BYTES)
/** The largest header of a datagram, rounded up to be copied in whole words. */
#define FRAME_TEMPLATE_BYTES 68u
/** An 802.1Q tag, between the MACs and the type. */
#define FRAME_TAG_BYTES 4u
/** The least frame without its check sequence: shorter ones are padded with zeroes. */
#define FRAME_BYTES_MIN 60u

/** Types of frames. */
#define FRAME_TYPE_IPV4 0x0800u
#define FRAME_TYPE_ARP  0x0806u
#define FRAME_TYPE_IPV6 0x86ddu
#define FRAME_TYPE_TAG  0x8100u

/** An address of either family. */
struct frame_ip {
	uint8_t family;    /**< 4 or 6; 0 = none */
	uint8_t bytes[16]; /**< network order; IPv4 in the first four bytes, the rest zero */
};

/** What a receiver is: frames for somebody else are not for it. */
struct frame_self {
	uint8_t mac[FRAME_MAC_BYTES];
	uint16_t udp_port;       /**< host order */
	uint16_t udp_port_count; /**< ports from that one on that are the receiver's; 0 = none */
	uint32_t address;        /**< IPv4, host order; 0 = none */
	uint16_t vlan;           /**< frames must be tagged with it; 0 = must not be tagged */
	bool has_ipv6;           /**< address6 is valid */
	uint8_t address6[16];
	bool is_sum_needed; /**< datagrams without a UDP checksum are refused */
	bool is_sum_known;  /**< by the port, for this frame: it is right, and not computed again */
};

/** What a frame is, or why it is dropped; the order is that of the counters in counters.h. */
enum frame_verdict {
	FRAME_UDP = 0, /**< a datagram for this receiver */
	FRAME_LOOKUP,  /**< ARP or neighbour discovery; lookup_parse looks closer */
	FRAME_ECHO,    /**< an echo request, whole and for this address; frame_echo_make answers */
	FRAME_SHORT,   /**< ends before its headers do */
	FRAME_FOREIGN_MAC,  /**< for another station */
	FRAME_ETHERTYPE,    /**< neither ARP nor IP of a family of this receiver */
	FRAME_IP_HEADER,    /**< IP header that is odd, has options, or a wrong length */
	FRAME_IP_SUM,       /**< wrong IPv4 header checksum */
	FRAME_FRAGMENT,     /**< a fragment: rudp never makes any */
	FRAME_PROTOCOL,     /**< IP, but neither UDP nor an echo request */
	FRAME_FOREIGN_IP,   /**< for another address */
	FRAME_UDP_LENGTH,   /**< UDP length that does not fit the packet */
	FRAME_FOREIGN_PORT, /**< for another UDP port */
	FRAME_UDP_SUM,      /**< wrong UDP checksum */
	FRAME_UDP_NO_SUM,   /**< no UDP checksum where one is needed, as always with IPv6 */
	FRAME_ICMP_SUM,     /**< wrong ICMP checksum */
	FRAME_VLAN,         /**< a tag that the receiver does not have, or none where it has one */
	FRAME_VERDICT_COUNT,
};

/** A datagram inside a frame. */
struct frame_datagram {
	const uint8_t *payload; /**< points into the frame */
	uint32_t bytes;         /**< of the payload */
	const uint8_t *source; /**< the sender's address, of 4 or 16 bytes; points into the frame */
	uint16_t source_port;  /**< host order */
	uint16_t target_port;  /**< host order */
	uint8_t family;        /**< 4 or 6 */
	uint8_t ecn;           /**< the two bits of its IP header, RFC 3168 */
};

/** Look at a frame. *datagram_out is set only for FRAME_UDP. */
enum frame_verdict frame_parse(const struct frame_self *self, const uint8_t *frame, size_t bytes,
			       struct frame_datagram *datagram_out);

/**
 * Write the answer to a frame that frame_parse has called FRAME_ECHO; returns its bytes, no more than the frame has, or
 * FRAME_BYTES_MIN.
 */
uint32_t frame_echo_make(const uint8_t *frame, uint8_t *answer);

/** Insert a tag into a frame; returns its bytes, FRAME_TAG_BYTES more. */
uint32_t frame_tag(uint8_t *frame, uint32_t bytes, uint16_t vlan);

/** How a sender fills the UDP checksum. */
enum frame_sum {
	FRAME_SUM_NONE = 0,   /**< zero: not computed, legal with IPv4 alone */
	FRAME_SUM_WHOLE = 1,  /**< computed here */
	FRAME_SUM_PSEUDO = 2, /**< only the pseudo header's: the port does the rest */
};

/** One destination: the header that all frames to it have. */
struct frame_template {
	uint8_t header[FRAME_TEMPLATE_BYTES]; /**< its end; lengths and checksums zero */
	uint8_t header_bytes;                 /**< of the frame before the payload */
	uint8_t family;                       /**< 4 or 6 */
	uint8_t is_resolved;                  /**< 0 = the destination's MAC is not known yet */
	uint8_t sum;                          /**< enum frame_sum */
	uint32_t ip_sum;                      /**< of the IPv4 header's words without the length */
	uint32_t udp_sum; /**< of the pseudo header and the ports without the lengths */
};

/** Two ends of a path, of one family; the MACs are not needed to begin with. */
struct frame_path {
	const uint8_t *source_mac;
	const uint8_t *target_mac; /**< NULL = not known yet */
	struct frame_ip source;
	struct frame_ip target;
	uint16_t source_port; /**< host order */
	uint16_t target_port; /**< host order */
	uint16_t vlan;        /**< 0 = no tag */
	enum frame_sum sum;   /**< NONE is taken for WHOLE with IPv6 */
};

void frame_template_make(struct frame_template *template, const struct frame_path *path);

/** Packets are ECN-capable, ECT(0), from now on, or not any more. */
void frame_template_mark(struct frame_template *template, bool is_marked);

/** The destination has this MAC from now on. */
void frame_template_resolve(struct frame_template *template, const uint8_t *mac);

/** The sender has this MAC from now on. */
void frame_template_move(struct frame_template *template, const uint8_t *mac);

/**
 * Write the header of a frame right before its payload of `bytes`, which is there already. Also writes before the
 * header: FRAME_TEMPLATE_BYTES before the payload are the template's.
 */
void frame_finish(const struct frame_template *template, uint8_t *payload, uint32_t bytes);

#endif
