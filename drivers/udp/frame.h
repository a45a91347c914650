/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Frames as they are on the wire: Ethernet, ARP, IPv4 and UDP, read and written byte by byte.
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
#define FRAME_ARP_BYTES      28u

/** Everything before a datagram's payload. */
#define FRAME_HEADER_BYTES (FRAME_ETHERNET_BYTES + FRAME_IPV4_BYTES + FRAME_UDP_BYTES)
/** What IP and UDP take of an MTU. */
#define FRAME_IP_UDP_BYTES (FRAME_IPV4_BYTES + FRAME_UDP_BYTES)
/** The least frame without its check sequence: shorter ones are padded with zeroes. */
#define FRAME_BYTES_MIN 60u

/** What a receiver is: frames for somebody else are not for it. */
struct frame_self {
	uint8_t mac[FRAME_MAC_BYTES];
	uint16_t udp_port;  /**< host order */
	uint32_t address;   /**< IPv4, host order */
	bool is_sum_needed; /**< datagrams without a UDP checksum are refused */
	bool is_sum_known;  /**< by the port, for this frame: it is right, and not computed again */
};

/** What a frame is, or why it is dropped; the order is that of the counters in counters.h. */
enum frame_verdict {
	FRAME_UDP = 0, /**< a datagram for this receiver */
	FRAME_ARP,     /**< ARP; frame_arp_parse looks closer */
	FRAME_ECHO,    /**< an echo request, whole and for this address; frame_echo_make answers */
	FRAME_SHORT,   /**< ends before its headers do */
	FRAME_FOREIGN_MAC, /**< for another station */
	FRAME_ETHERTYPE,   /**< neither IPv4 nor ARP */
	FRAME_IP_HEADER,   /**< IPv4 header with another version, with options, or a wrong length */
	FRAME_IP_SUM,      /**< wrong IPv4 header checksum */
	FRAME_FRAGMENT,    /**< a fragment: rudp never makes any */
	FRAME_PROTOCOL,    /**< IPv4, but neither UDP nor an echo request */
	FRAME_FOREIGN_IP,  /**< for another address */
	FRAME_UDP_LENGTH,  /**< UDP length that does not fit the packet */
	FRAME_FOREIGN_PORT, /**< for another UDP port */
	FRAME_UDP_SUM,      /**< wrong UDP checksum */
	FRAME_UDP_NO_SUM,   /**< no UDP checksum where one is needed */
	FRAME_ICMP_SUM,     /**< wrong ICMP checksum */
	FRAME_VERDICT_COUNT,
};

/** A datagram inside a frame. */
struct frame_datagram {
	const uint8_t *payload; /**< points into the frame */
	uint32_t bytes;         /**< of the payload */
	uint32_t source;        /**< IPv4 address of the sender, host order */
	uint16_t source_port;   /**< host order */
};

/** Look at a frame. *datagram_out is set only for FRAME_UDP. */
enum frame_verdict frame_parse(const struct frame_self *self, const uint8_t *frame, size_t bytes,
			       struct frame_datagram *datagram_out);

/**
 * Write the answer to a frame that frame_parse has called FRAME_ECHO; returns its bytes, no more than the frame has, or
 * FRAME_BYTES_MIN.
 */
uint32_t frame_echo_make(const uint8_t *frame, uint8_t *answer);

/** How a sender fills the UDP checksum. */
enum frame_sum {
	FRAME_SUM_NONE = 0,   /**< zero: not computed, legal with IPv4 */
	FRAME_SUM_WHOLE = 1,  /**< computed here */
	FRAME_SUM_PSEUDO = 2, /**< only the pseudo header's: the port does the rest */
};

/** One destination: the header that all frames to it have. */
struct frame_template {
	uint8_t header[FRAME_HEADER_BYTES]; /**< lengths and checksums zero */
	uint8_t is_resolved;                /**< 0 = the destination's MAC is not known yet */
	uint32_t ip_sum;                    /**< of the header's words without the length */
	uint32_t udp_sum; /**< of the pseudo header and the ports without the lengths */
};

/** Two ends of a path, host order; the MACs are not needed to begin with. */
struct frame_path {
	const uint8_t *source_mac;
	const uint8_t *target_mac; /**< NULL = not known yet */
	uint32_t source;
	uint32_t target;
	uint16_t source_port;
	uint16_t target_port;
};

void frame_template_make(struct frame_template *template, const struct frame_path *path);

/** The destination has this MAC from now on. */
void frame_template_resolve(struct frame_template *template, const uint8_t *mac);

/** Write the header of a frame whose payload of `bytes` stands right behind it already. */
void frame_finish(const struct frame_template *template, uint8_t *frame, uint32_t bytes,
		  enum frame_sum sum);

/** An ARP packet for Ethernet and IPv4. */
struct frame_arp {
	bool is_answer;                      /**< else a question */
	uint8_t sender_mac[FRAME_MAC_BYTES]; /**< unicast */
	uint8_t target_mac[FRAME_MAC_BYTES]; /**< all zero in a question to everybody */
	uint32_t sender;                     /**< IPv4, host order */
	uint32_t target;                     /**< IPv4, host order */
};

/** Read an ARP frame; false when it is too short, odd or impossible. */
bool frame_arp_parse(const uint8_t *frame, size_t bytes, struct frame_arp *arp_out);

/**
 * Write an ARP frame of FRAME_BYTES_MIN, zero-padded. An answer goes to its target MAC, a question to the target MAC
 * or, if that is zero, to everybody.
 */
void frame_arp_make(const struct frame_arp *arp, uint8_t *frame);

#endif
