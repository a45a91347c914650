#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sniffer.py VLAN INTERFACE...: sees every frame that comes in by the interfaces until SIGTERM, and holds each against
docs/protocol.md: types, reserved bits, lengths, checksums, tags. Complaints, at most 20, go to standard output; the last line
has the counts. The exit status is 1 after a complaint, and when a frame was missed: the kernel puts them into a ring that holds
seconds of what a test sends (packet_mmap of Linux, version 3). Frames of who is no port of haul (another UDP port) are let pass.
"""

import collections
import mmap
import select
import signal
import socket
import struct
import sys
import time

HAUL_PORT = 7471
SOURCE_PORTS = 256  # right behind it: connections begin there
QUESTIONS = (0x81, 0x83)  # HELLO and CONNECT
COMPLAINTS_MAX = 20
CRC_BYTES, CRC_EACH = 100, 32
BLOCK_BYTES, BLOCKS = 1 << 20, 768
RETIRE_MS = 60

SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 263, 5, 6, 10, 23
TPACKET_V3, STATUS_USER, PACKET_OUTGOING = 2, 1, 4
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


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    """RFC 3720's: reflected, inverted before and after."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC32C[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


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
        check(ip[1] in (0, 2, 3) or ip[9] != 17, "type of service %#04x" % ip[1])
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
        check(number(ip, 0, 2) & 0xFFF in (0, 0x20, 0x30) or ip[6] != 17, "traffic class of", number(ip, 0, 2))
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
        if kind in (1, 2, 3) and flags & 4:
            self.counts["CRC"] += 1
            packet = self.checked(packet, 16 if kind == 3 else 32)
            flags &= ~4
        if kind in (1, 2) and flags & 8:
            self.counts["PIECE"] += 1
            check(flags & 7 == 0 and number(packet, 16, 4) & 0xFFF and len(packet) <= 32 + 1152, "odd PIECE")
            flags = 0
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
            check(kind == 1 or is_zero(packet[20:27]), "READ DATA with a region or a grant")
            if flags & 2:
                self.counts["NOTIFY"] += 1
                self.notice(flags, packet[32:])

    def checked(self, packet, at):
        """The packet without its checksum, which is right; of large ones, which take long here, one in CRC_EACH is summed up."""
        check(len(packet) > at + 4, "nothing behind a checksum")
        if len(packet) <= CRC_BYTES or self.counts["CRC"] % CRC_EACH == 0:
            check(crc32c(packet[at + 4 :] + packet[:at]) == number(packet, at, 4), "wrong checksum")
        return packet[:at] + packet[at + 4 :]

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
                ranges = frames[at + 1] if left >= 2 else 0
                pairs = at + (20 if ranges & 0x80 else 12)
                size = pairs - at + 4 * (ranges & 0x7F)
                check(left >= size and ranges & 0x7F <= 31, "ACK is too short or long")
                check(ranges & 0x80 == 0 or not is_zero(frames[at + 12 : pairs]), "ACK with counts of nothing")
                check(number(frames, at + 10, 2) == 0, "ACK with reserved bytes")
                for pair in range(pairs, at + size, 4):
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
            elif kind == 6:
                size = 28
                self.counts["GRANT"] += 1
                check(left >= size and 1 <= frames[at + 2] <= 3 and frames[at + 3] == 0, "odd GRANT")
                check(number(frames, at + 8, 4), "GRANT for no segment")
                check(not is_zero(frames[at + 12 : at + 28]), "GRANT without a proof")
            elif kind == 7:
                size = 8
                self.counts["GRANTED"] += 1
                check(left >= size and frames[at + 2] in (0, 5, 6) and frames[at + 3] == 0, "odd GRANTED")
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


class Ring:
    """Blocks that the kernel fills with frames, one after another; each is given back when it has been read."""

    def __init__(self, sock):
        # tpacket_req3: blocks, frames (which have no size of their own here), and when a block that is not full is given.
        request = struct.pack("=7I", BLOCK_BYTES, BLOCKS, BLOCK_BYTES, BLOCKS, RETIRE_MS, 0, 0)
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        sock.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        self.memory = mmap.mmap(sock.fileno(), BLOCK_BYTES * BLOCKS)
        self.block = 0

    def frames(self):
        """Of the next block: (frame, interface, kind, status, tag) each; ends at once when there is none."""
        base = self.block * BLOCK_BYTES
        status, count, at = struct.unpack_from("=III", self.memory, base + 8)
        if not status & STATUS_USER:
            return
        at += base
        for _ in range(count):
            # tpacket3_hdr, and sockaddr_ll behind it
            following, _, _, snapped, length, status, mac, _, _, tci = struct.unpack_from("=6IHHII", self.memory, at)
            interface, _, kind = struct.unpack_from("=iHB", self.memory, at + 52)
            check(snapped == length, "only", snapped, "bytes of", length, "were seen")
            yield self.memory[at + mac : at + mac + snapped], interface, kind, status, tci
            at += following
        struct.pack_into("=I", self.memory, base + 8, 0)
        self.block = (self.block + 1) % BLOCKS

    def take_block(self, sniffer, wanted):
        """True when there was one."""
        before = self.block
        for data, interface, kind, status, tci in self.frames():
            if interface not in wanted or kind == PACKET_OUTGOING:
                continue
            tag = tci & 0xFFF if status & STATUS_VLAN_VALID else 0
            if data[12:14] == b"\x81\x00":
                tag, data = number(data, 14, 2) & 0xFFF, data[:12] + data[16:]
            sniffer.take(data, tag, not status & STATUS_SUM_NOT_READY)
        return self.block != before


class Wanted:
    """The numbers of the interfaces, which come while the sniffer runs, and may be made again."""

    def __init__(self, names):
        self.names = set(names)
        self.known = {}

    def __contains__(self, interface):
        if interface not in self.known:
            try:
                self.known[interface] = socket.if_indextoname(interface) in self.names
            except OSError:
                return False
        return self.known[interface]


def main():
    sniffer = Sniffer(int(sys.argv[1]))
    wanted = Wanted(sys.argv[2:])
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        ring = Ring(sock)
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        ready = select.poll()
        ready.register(sock, select.POLLIN)
        print("READY", flush=True)
        while not stopping:
            if not ring.take_block(sniffer, wanted):
                ready.poll(100)
        # What is in the ring yet, when the last block has been given, full or not.
        time.sleep(4 * RETIRE_MS / 1000)
        while ring.take_block(sniffer, wanted):
            pass
        missed = struct.unpack("=III", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))[1]
    counts = " ".join("%s=%d" % (name.replace(" ", "-"), count) for name, count in sorted(sniffer.counts.items()))
    print("SNIFFED wrong=%d missed=%d %s" % (sniffer.complaints, missed, counts))
    return 1 if sniffer.complaints or missed else 0


if __name__ == "__main__":
    sys.exit(main())
