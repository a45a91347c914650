#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sniffer.py VLAN INTERFACE...: reads every frame that comes in by the interfaces until SIGTERM, and holds each against
docs/protocol.md: types, reserved bits, lengths, checksums, tags. Complaints, at most 20, go to standard output; the last line
has the counts. The exit status is 1 after a complaint. Frames of who is no port of haul (another UDP port) are let pass.
"""

import collections
import signal
import socket
import struct
import sys

HAUL_PORT = 7471
SOURCE_PORTS = 256  # right behind it: connections begin there
QUESTIONS = (0x81, 0x83)  # HELLO and CONNECT
COMPLAINTS_MAX = 20
BUFFER_BYTES = 256 << 20

SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 263, 6, 8
PACKET_OUTGOING = 4
STATUS_VLAN_VALID, STATUS_SUM_NOT_READY = 0x10, 0x8

# Handshake packets: their whole length, and the parts of them that are zero.
HANDSHAKE = {
    0x81: ("HELLO", 128, ((32, 128),)),
    0x82: ("RETRY", 72, ((36, 40),)),
    0x83: ("CONNECT", 276, ((36, 40), (98, 100), (240, 244))),
    0x84: ("ACCEPT", 164, ((34, 36), (62, 64))),
    0x85: ("REFUSE", 144, ((33, 40),)),
    0x86: ("NOVERSION", 64, ()),
}


class Wrong(Exception):
    """What is wrong with a frame."""


def check(condition, *words):
    if not condition:
        raise Wrong(" ".join(str(word) for word in words))


def number(data, at, size):
    return int.from_bytes(data[at : at + size], "big")


def is_zero(data):
    return not any(data)


def fold(data):
    """The one's complement sum of words: 2^16 is 1 modulo 0xffff, so it is a remainder."""
    if len(data) % 2:
        data = bytes(data) + b"\0"
    value = int.from_bytes(data, "big")
    return 0xFFFF if value and value % 0xFFFF == 0 else value % 0xFFFF


class Sniffer:
    def __init__(self, vlan):
        self.vlan = vlan
        self.counts = collections.Counter()
        self.complaints = 0

    def frame(self, data, tag, sum_is_ready):
        check(len(data) >= 14, "shorter than an Ethernet header")
        check(tag == self.vlan, "tag", tag, "instead of", self.vlan)
        kind = number(data, 12, 2)
        if kind == 0x0806:
            self.arp(data[14:])
        elif kind == 0x0800:
            self.ipv4(data[14:], sum_is_ready)
        elif kind == 0x86DD:
            self.ipv6(data[14:], sum_is_ready)
        else:
            raise Wrong("type of frame %#06x" % kind)

    def arp(self, arp):
        self.counts["arp"] += 1
        check(len(arp) >= 28, "ARP of", len(arp), "bytes")
        check(arp[:6] == bytes((0, 1, 8, 0, 6, 4)), "ARP of a strange kind")
        check(number(arp, 6, 2) in (1, 2), "ARP operation", number(arp, 6, 2))

    def ipv4(self, ip, sum_is_ready):
        check(len(ip) >= 20 and ip[0] == 0x45, "IPv4 header with options or too short")
        length = number(ip, 2, 2)
        check(20 <= length <= len(ip), "IPv4 length", length, "in", len(ip))
        check(is_zero(ip[length:]), "padding is not zero")
        check(fold(ip[:20]) == 0xFFFF, "wrong IPv4 checksum")
        check(number(ip, 6, 2) & 0x3FFF == 0, "a fragment")
        if ip[9] == 1:
            self.counts["icmp"] += 1
            check(fold(ip[20:length]) == 0xFFFF, "wrong ICMP checksum")
        elif ip[9] == 17:
            self.udp(ip[20:length], ip[12:20], False, sum_is_ready)
        else:
            raise Wrong("IPv4 protocol %d" % ip[9])

    def ipv6(self, ip, sum_is_ready):
        check(len(ip) >= 40 and ip[0] >> 4 == 6, "IPv6 header too short or of another version")
        length = number(ip, 4, 2)
        check(40 + length <= len(ip), "IPv6 length", length, "in", len(ip))
        body, ends = ip[40 : 40 + length], ip[8:40]
        if ip[6] == 58:
            self.counts["icmp6"] += 1
            check(fold(ends + struct.pack("!II", length, 58) + body) == 0xFFFF, "wrong ICMPv6 checksum")
            if body[0] in (135, 136):
                check(ip[7] == 255, "neighbour discovery with hop limit", ip[7])
                check(length >= 24 and body[1] == 0, "neighbour discovery of", length, "bytes, code", body[1])
        elif ip[6] == 17:
            self.udp(body, ends, True, sum_is_ready)
        elif ip[6] == 0:
            self.counts["others"] += 1  # the kernel's group reports
        else:
            raise Wrong("IPv6 next header %d" % ip[6])

    def udp(self, udp, ends, is_six, sum_is_ready):
        check(len(udp) >= 8, "UDP header too short")
        if HAUL_PORT not in (number(udp, 0, 2), number(udp, 2, 2)):
            self.counts["others"] += 1
            return
        length = number(udp, 4, 2)
        check(length == len(udp), "UDP length", length, "in", len(udp))
        ports = number(udp, 0, 2), number(udp, 2, 2)
        check(min(ports) == HAUL_PORT < max(ports) <= HAUL_PORT + SOURCE_PORTS, "UDP ports", *ports)
        if len(udp) > 8 and udp[8] in QUESTIONS:
            check(ports[1] == HAUL_PORT, "a question to a port that nobody listens on")
        if number(udp, 6, 2) == 0:
            check(not is_six, "no UDP checksum with IPv6")
        elif sum_is_ready:
            check(fold(ends + struct.pack("!II", length, 17) + udp) == 0xFFFF, "wrong UDP checksum")
        self.rudp(udp[8:])

    def rudp(self, packet):
        check(len(packet) >= 32, "a packet of", len(packet), "bytes")
        kind, flags = packet[0], packet[1]
        if kind in HANDSHAKE:
            self.handshake(packet, *HANDSHAKE[kind])
            return
        check(kind in (1, 2, 3, 4), "unknown type %#04x" % kind)
        check(flags & ~{1: 3, 3: 1}.get(kind, 0) == 0, "type", kind, "with flags %#04x" % flags)
        check(not is_zero(packet[5:12]), "no connection id")
        if kind == 4:
            self.counts["RESET"] += 1
            check(len(packet) == 32 and number(packet, 2, 2) == 0 and number(packet, 12, 4) in (0, 1), "odd RESET")
        elif kind == 3:
            self.counts["CONTROL"] += 1
            self.control(packet[16:], flags & 1)
        else:
            self.counts["WRITE" if kind == 1 else "READ DATA"] += 1
            check(len(packet) > 32, "data without payload")
            check(kind == 1 or is_zero(packet[20:26]), "READ DATA with a region")
            if flags & 2:
                self.counts["NOTIFY"] += 1
                self.notice(flags, packet[32:])

    def notice(self, flags, notice):
        check(flags & 1 and len(notice) == 32 and is_zero(notice[25:]), "odd NOTIFY")
        check(1 <= number(notice, 0, 8) < 1 << 63, "NOTIFY with number", number(notice, 0, 8))
        check(number(notice, 20, 4) <= 1 << 30, "NOTIFY of", number(notice, 20, 4), "bytes")

    def handshake(self, packet, name, length, zeros):
        self.counts[name] += 1
        check(len(packet) == length == number(packet, 2, 2), name, "of", len(packet), "bytes")
        check(packet[1] == 0 and packet[4:8] == b"haul" and is_zero(packet[12:16]), name, "with an odd head")
        check(packet[8:10] <= packet[10:12], name, "with versions that end before they begin")
        for first, end in zeros:
            check(is_zero(packet[first:end]), name, "with reserved bytes at", first)

    def control(self, frames, is_numbered):
        at = 0
        while at < len(frames):
            kind = frames[at]
            left = len(frames) - at
            if kind == 0:
                check(is_zero(frames[at:]), "padding is not zero")
                return
            check(kind == 1 or is_numbered, "frame", kind, "in a packet without number")
            if kind == 1:
                size = 12 + 4 * (frames[at + 1] if left >= 2 else 0)
                check(left >= size and frames[at + 1] <= 31, "ACK is too short or long")
                check(number(frames, at + 10, 2) == 0, "ACK with reserved bytes")
                for pair in range(at + 12, at + size, 4):
                    check(number(frames, pair, 2) and number(frames, pair + 2, 2), "ACK with an empty range")
            elif kind == 2:
                size = 4
                check(left >= size and is_zero(frames[at + 1 : at + 4]), "odd PING")
            elif kind == 3:
                size = 24
                check(left >= size and is_zero(frames[at + 1 : at + 4]), "odd READ")
                check(1 <= number(frames, at + 20, 4) <= 1 << 30, "READ of", number(frames, at + 20, 4), "bytes")
            elif kind == 4:
                size = 16
                check(left >= size and frames[at + 1] != 0, "odd REFUSE")
            elif kind == 5:
                size = 8 + 4 * (frames[at + 1] if left >= 2 else 0)
                check(left >= size and frames[at + 1] <= 32 and number(frames, at + 2, 2) == 0, "odd DONE")
            else:
                raise Wrong("unknown frame %d" % kind)
            at += size

    def take(self, data, tag, sum_is_ready):
        self.counts["frames"] += 1
        try:
            self.frame(data, tag, sum_is_ready)
        except Wrong as wrong:
            self.complaints += 1
            if self.complaints <= COMPLAINTS_MAX:
                print("WRONG: %s: %s" % (wrong, data[:96].hex()), flush=True)


def receive(sock, sniffer, wanted):
    data, ancillary, _, sender = sock.recvmsg(65536, 64)
    if sender[0] not in wanted or sender[2] == PACKET_OUTGOING:
        return
    tag, sum_is_ready = 0, True
    for level, kind, value in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", value[:20])
            tag = tci & 0xFFF if status & STATUS_VLAN_VALID else 0
            sum_is_ready = not status & STATUS_SUM_NOT_READY
    if data[12:14] == b"\x81\x00":
        tag, data = number(data, 14, 2) & 0xFFF, data[:12] + data[16:]
    sniffer.take(data, tag, sum_is_ready)


def stop(_signal, _frame):
    raise KeyboardInterrupt


def main():
    sniffer = Sniffer(int(sys.argv[1]))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        print("READY", flush=True)
        try:
            signal.signal(signal.SIGTERM, stop)
            while True:
                receive(sock, sniffer, sys.argv[2:])
        except KeyboardInterrupt:
            sock.setblocking(False)
        try:
            while True:  # what is in the socket yet
                receive(sock, sniffer, sys.argv[2:])
        except BlockingIOError:
            pass
        missed = struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    counts = " ".join("%s=%d" % (name.replace(" ", "-"), count) for name, count in sorted(sniffer.counts.items()))
    print("SNIFFED wrong=%d missed=%d %s" % (sniffer.complaints, missed, counts))
    return 1 if sniffer.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
