/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The udp transport's counters, one block a worker: its own, and behind them those of rudp and of the handshakes.
 * Those of the control half stand in the first worker's block; each word has one writer.
 */
#ifndef DRIVERS_UDP_COUNTERS_H
#define DRIVERS_UDP_COUNTERS_H

#include "base/counters.h"
#include "drivers/udp/frame.h"
#include "rudp/handshake.h"
#include "rudp/rudp_counters.h"

/** The first ones in the order of enum frame_verdict: what became of a frame. X(ID, "name", "unit", "sentence") */
#define UDP_VERDICT_COUNTERS(X)                                                                   \
	X(UDP_IN_DATAGRAMS, "in_datagrams", "packets", "received for this node, whole and sound") \
	X(UDP_IN_LOOKUP, "in_lookup", "packets", "ARP and neighbour discovery received")          \
	X(UDP_IN_ECHO, "in_echo", "packets", "ICMP echo requests received")                       \
	X(UDP_DROP_SHORT, "drop_short", "packets", "dropped: shorter than their headers")         \
	X(UDP_DROP_MAC, "drop_foreign_mac", "packets", "dropped: for another station")            \
	X(UDP_DROP_ETHERTYPE, "drop_ethertype", "packets",                                        \
	  "dropped: neither ARP nor IP of a family of the port")                                  \
	X(UDP_DROP_IP_HEADER, "drop_ip_header", "packets",                                        \
	  "dropped: IP header that is odd, has options or a wrong length")                        \
	X(UDP_DROP_IP_SUM, "drop_ip_sum", "packets", "dropped: wrong IPv4 header checksum")       \
	X(UDP_DROP_FRAGMENT, "drop_fragment", "packets", "dropped: fragments")                    \
	X(UDP_DROP_PROTOCOL, "drop_protocol", "packets",                                          \
	  "dropped: IP, but neither UDP nor an echo request")                                     \
	X(UDP_DROP_IP, "drop_foreign_ip", "packets", "dropped: for another IP address")           \
	X(UDP_DROP_UDP_LENGTH, "drop_udp_length", "packets",                                      \
	  "dropped: UDP length that does not fit the packet")                                     \
	X(UDP_DROP_PORT, "drop_foreign_port", "packets", "dropped: for another UDP port")         \
	X(UDP_DROP_UDP_SUM, "drop_udp_sum", "packets", "dropped: wrong UDP checksum")             \
	X(UDP_DROP_NO_SUM, "drop_no_sum", "packets",                                              \
	  "dropped: no UDP checksum where the port's policy wants one")                           \
	X(UDP_DROP_ICMP_SUM, "drop_icmp_sum", "packets", "dropped: wrong ICMP checksum")          \
	X(UDP_DROP_VLAN, "drop_vlan", "packets",                                                  \
	  "dropped: another VLAN tag than the port's, or none")

#define UDP_WORKER_COUNTERS(X)                                                                     \
	X(UDP_DROP_CHAINED, "drop_chained", "packets", "dropped: larger than a packet buffer")     \
	X(UDP_DROP_INVALID, "drop_invalid", "packets", "dropped: no packet of rudp")               \
	X(UDP_DROP_UNASKED, "drop_unasked", "packets",                                             \
	  "dropped: would begin a connection on a port that only leads to some")                   \
	X(UDP_WRONG_WORKER_OUT, "wrong_worker_out", "packets",                                     \
	  "of another worker's connections: handed over to it")                                    \
	X(UDP_WRONG_WORKER_IN, "wrong_worker_in", "packets",                                       \
	  "of this worker's connections: handed over by another worker")                           \
	X(UDP_DROP_RELAY, "drop_relay", "packets", "dropped: the ring to another worker was full") \
	X(UDP_DROP_CONTROL, "drop_control", "packets",                                             \
	  "dropped: the ring to the control thread was full")                                      \
	X(UDP_OUT_ECHO, "out_echo", "packets", "ICMP echo requests answered")                      \
	X(UDP_OUT_FRAMES, "out_frames", "packets", "taken by ports")                               \
	X(UDP_OUT_RELAYED, "out_relayed", "packets",                                               \
	  "handed to the worker that has the queue of their port")                                 \
	X(UDP_OUT_PAUSED, "out_paused", "times", "a port took less than there was: it went later") \
	X(UDP_OUT_BLOCKED, "out_blocked", "packets",                                               \
	  "dropped: the port has taken nothing for 50 ms")                                         \
	X(UDP_OUT_NO_BUFFER, "out_no_buffer", "times", "sending stopped: no free packet buffer")   \
	X(UDP_OUT_GONE, "out_gone", "packets", "dropped: the port is gone")                        \
	X(UDP_OUT_UNRESOLVED, "out_unresolved", "packets",                                         \
	  "dropped: the destination's MAC is not known yet")                                       \
	X(UDP_OUT_BY_REFERENCE, "out_by_reference", "packets",                                     \
	  "whose payload the port was to read where it stands")                                    \
	X(UDP_OUT_UNREFERRED, "out_unreferred", "packets",                                         \
	  "of those, copied after all: the port did not take them in the same round")              \
	X(UDP_REFERENCES_PROVEN, "references_proven", "connections",                               \
	  "on which a packet that was sent so has arrived with its bytes")                         \
	X(UDP_REFERENCES_FAILED, "references_failed", "connections",                               \
	  "on which none has, or large packets have ceased to arrive: they copy")                  \
	X(UDP_SLICES, "slices", "slices", "ended in any way")                                      \
	X(UDP_CONNECTIONS, "connections", "connections", "taken up, from here or from a peer")     \
	X(UDP_CONNECTIONS_REFUSED, "connections_refused", "connections",                           \
	  "refused: no room on the worker")

/* Of a port with `impair`, which a release does not have. */
#ifdef HAUL_DEBUG
#define UDP_IMPAIR_COUNTERS(X)                                                         \
	X(UDP_IMPAIR_DROPPED, "impair_dropped", "packets", "lost on purpose")          \
	X(UDP_IMPAIR_DUPLICATED, "impair_duplicated", "packets", "doubled on purpose") \
	X(UDP_IMPAIR_DELAYED, "impair_delayed", "packets", "sent late on purpose")     \
	X(UDP_IMPAIR_CORRUPTED, "impair_corrupted", "packets", "damaged on purpose")
#else
#define UDP_IMPAIR_COUNTERS(X)
#endif

#define UDP_CONTROL_COUNTERS(X)                                                      \
	X(UDP_LOOKUP_BAD, "lookup_bad", "packets",                                   \
	  "ARP and neighbour discovery dropped: odd or impossible")                  \
	X(UDP_LOOKUP_CONFLICT, "lookup_conflict", "packets",                         \
	  "another station claims this address")                                     \
	X(UDP_LOOKUP_QUESTIONS, "lookup_questions", "packets",                       \
	  "ARP requests and neighbour solicitations sent")                           \
	X(UDP_LOOKUP_ANSWERS, "lookup_answers", "packets",                           \
	  "ARP replies and neighbour advertisements sent")                           \
	X(UDP_PORTS_UP, "ports_up", "times", "a port came up, or came back")         \
	X(UDP_PORTS_FAILED, "ports_failed", "times", "a port could not be opened")   \
	X(UDP_PORTS_GONE, "ports_gone", "times", "a port that was up went away")     \
	X(UDP_LINKS_DOWN, "links_down", "times", "a port lost its link")             \
	X(UDP_STEER_AGAIN, "steer_again", "handshakes",                              \
	  "begun anew from another UDP port: the answer came to another worker")     \
	X(UDP_STEER_MISSED, "steer_missed", "connections",                           \
	  "whose packets come to another worker from every UDP port that was tried") \
	X(UDP_OUT_NO_ROUTE, "out_no_route", "packets",                               \
	  "dropped: no port has this address on its link")                           \
	X(UDP_OUT_RING_FULL, "out_ring_full", "packets",                             \
	  "dropped: the control thread's ring to a worker was full")

/* rudp's tables name their ids and counters without the prefixes that tell them apart here. */
#define UDP_COUNTER_RUDP_ENUM(id, name, unit, meaning)      UDP_RUDP_##id,
#define UDP_COUNTER_HANDSHAKE_ENUM(id, name, unit, meaning) UDP_HANDSHAKE_##id,

enum udp_counter {
	UDP_VERDICT_COUNTERS(COUNTER_ENUM)
	UDP_WORKER_COUNTERS(COUNTER_ENUM) UDP_IMPAIR_COUNTERS(COUNTER_ENUM)
		UDP_CONTROL_COUNTERS(COUNTER_ENUM) RUDP_COUNTERS(UDP_COUNTER_RUDP_ENUM)
			HANDSHAKE_COUNTERS(UDP_COUNTER_HANDSHAKE_ENUM) UDP_COUNTER_COUNT
};

/** Where the blocks of rudp and of the handshakes begin. */
#define UDP_RUDP_FIRST      (UDP_OUT_RING_FULL + 1)
#define UDP_HANDSHAKE_FIRST (UDP_RUDP_FIRST + RUDP_COUNTER_COUNT)

_Static_assert((int)UDP_DROP_VLAN == (int)FRAME_VLAN, "verdicts index their counters");
_Static_assert((int)FRAME_VERDICT_COUNT == UDP_DROP_VLAN + 1, "each verdict has a counter");
_Static_assert(UDP_COUNTER_COUNT == UDP_HANDSHAKE_FIRST + HANDSHAKE_COUNTER_COUNT,
	       "one block behind the other");

extern const struct counter_group udp_counters;

#endif
