#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Goal: the sniffer takes good frames and complains of each kind of wrong ones; else its silence would mean nothing.
Method: frames made here, and one change of a good frame after another.
"""

import contextlib
import io
import struct
import sys

import sniffer


def checksum(data):
    return struct.pack("!H", ~sniffer.fold(data) & 0xFFFF)


def datagram(packet, is_six=False, with_sum=True, port=sniffer.HAUL_PORT + 1, to=sniffer.HAUL_PORT):
    ends = bytes(range(32 if is_six else 8))
    udp = struct.pack("!HHHH", port, to, 8 + len(packet), 0) + packet
    if with_sum:
        udp = udp[:6] + checksum(ends + struct.pack("!II", len(udp), 17) + udp) + udp[8:]
    if is_six:
        return b"\2" * 12 + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ends + udp
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0) + ends
    return b"\2" * 12 + b"\x08\x00" + ip[:10] + checksum(ip) + ip[12:] + udp


def packet(kind, flags, rest, tick=7):
    return struct.pack("!BBHQI", kind, flags, tick, 0x0123456789ABCDEF, 99) + rest


def is_good(frame, tag=0, vlan=0):
    seen = sniffer.Sniffer(vlan)
    with contextlib.redirect_stdout(io.StringIO()):
        seen.take(frame, tag, True)
    return seen.complaints == 0


def checked(kind, flags, rest):
    """With a checksum."""
    whole = packet(kind, flags | 4, rest)
    at = 16 if kind == 3 else 32
    return whole[:at] + struct.pack("!I", sniffer.crc32c(whole[at:] + whole[:at])) + whole[at:]


PING = bytes((2, 0, 0, 0)) + bytes(12)
ACK = bytes((1, 1, 0, 9)) + bytes(4) + bytes((0, 3, 0, 0)) + bytes((0, 1, 0, 2))
COUNTED = b"\1\x81" + ACK[2:12] + bytes((0, 0, 0, 9, 0, 0, 0, 1)) + ACK[12:]
PIECE = bytes((0, 0, 0, 1)) + bytes(12) + b"a piece"
WRITE = packet(1, 1, bytes(16) + b"payload")
NOTICE = struct.pack("!QQIIB7x", 1 << 62, 5, 6, 1 << 30, 3)
GRANT = bytes((6, 9, 2, 0)) + struct.pack("!II", 1, 7) + bytes(range(16))
GRANTED = bytes((7, 9, 5, 0)) + struct.pack("!I", 1) + bytes(8)
HELLO = struct.pack("!BBH4sHHI", 0x81, 0, 128, b"haul", 1, 1, 0) + bytes(range(16)) + bytes(96)

GOOD = (WRITE, packet(1, 3, bytes(16) + NOTICE), packet(2, 0, bytes(16) + b"x"), packet(3, 1, PING), packet(3, 0, ACK), packet(3, 0, COUNTED),
        packet(1, 0xD8, PIECE), packet(2, 0x18, PIECE), HELLO,
        checked(1, 1, bytes(16) + b"payload"), checked(2, 0x18, PIECE), checked(3, 0, ACK), checked(1, 3, bytes(16) + NOTICE), packet(3, 1, GRANT), packet(3, 1, GRANTED))
BAD = (
    packet(1, 0x10, bytes(16) + b"x"),  # a flag that is none
    packet(1, 4, bytes(16) + b"12345"),  # a wrong checksum
    packet(3, 4, ACK + bytes(16)),
    packet(1, 4, bytes(16) + b"1234"),  # nothing behind it
    packet(4, 4, bytes(16), tick=0),  # in a RESET
    packet(1, 3, bytes(16) + b"x"),  # no notice
    packet(1, 2, bytes(16) + NOTICE),  # without ONLY
    packet(1, 3, bytes(16) + NOTICE + b"\0"),
    packet(1, 3, bytes(16) + NOTICE[:31] + b"\1"),
    packet(1, 3, bytes(24) + NOTICE[8:]),  # number 0
    packet(1, 3, bytes(16) + b"\x80" + NOTICE[1:]),
    packet(1, 3, bytes(16) + NOTICE[:23] + b"\1" + NOTICE[24:]),  # too many bytes
    packet(1, 0, bytes(16)),  # no payload
    packet(1, 0xD0, PIECE),  # which piece, but no piece
    packet(1, 0x09, PIECE),  # ONLY, and a piece
    packet(1, 0x08, bytes(16) + b"x"),  # a piece of a first transmission
    packet(3, 0, COUNTED[:12] + bytes(8) + COUNTED[20:]),  # counts of nothing
    packet(3, 0, COUNTED[:16]),
    packet(2, 0, bytes(9) + b"\1" + bytes(7)),  # a region in READ DATA
    packet(2, 1, bytes(17)),
    packet(3, 0, PING),  # PING without a number
    packet(3, 1, b"\2\1" + bytes(14)),
    packet(3, 1, b"\x08" + bytes(15)),  # an unknown frame
    packet(2, 0, bytes(10) + b"\1" + bytes(6)),  # a grant in READ DATA
    packet(3, 0, GRANT),
    packet(3, 1, GRANT[:27]),
    packet(3, 1, GRANT[:2] + b"\4" + GRANT[3:]),  # a right that is none
    packet(3, 1, GRANT[:8] + bytes(4) + GRANT[12:]),  # no segment
    packet(3, 1, GRANT[:12] + bytes(16)),  # no proof
    packet(3, 1, GRANTED[:2] + b"\1" + GRANTED[3:]),  # a status that is none
    packet(3, 0, bytes(15) + b"\1"),  # padding that is not zero
    packet(3, 0, ACK[:10] + b"\1" + ACK[11:]),
    packet(3, 0, ACK[:12] + bytes(4)),  # an empty range
    packet(5, 0, bytes(16)),
    packet(4, 0, bytes(16)),  # RESET with a tick
    HELLO[:-1],
    HELLO[:-1] + b"\1",
    b"\x87" + HELLO[1:],
    HELLO[:4] + b"Haul" + HELLO[8:],
    b"",
)


def main():
    assert sniffer.crc32c(b"123456789") == 0xE3069283
    for body in GOOD:
        assert is_good(datagram(body)) and is_good(datagram(body, is_six=True)), body.hex()
        assert is_good(datagram(body, with_sum=False)) and not is_good(datagram(body, True, False))
    for body in BAD:
        assert not is_good(datagram(body)), body.hex()
    good = datagram(WRITE)
    for bit in range(14 * 8, len(good) * 8):
        if bit // 8 not in range(34, 38):  # between other UDP ports it is not haul's
            wrong = bytearray(good)
            wrong[bit // 8] ^= 1 << bit % 8
            assert not is_good(bytes(wrong)), "bit %d of byte %d" % (bit % 8, bit // 8)
    assert not is_good(datagram(WRITE, port=7)) and not is_good(datagram(WRITE, port=sniffer.HAUL_PORT))
    answer = datagram(WRITE, port=sniffer.HAUL_PORT, to=sniffer.HAUL_PORT + sniffer.SOURCE_PORTS)
    assert is_good(answer) and not is_good(datagram(HELLO, port=sniffer.HAUL_PORT, to=sniffer.HAUL_PORT + 1))
    assert not is_good(datagram(WRITE, port=sniffer.HAUL_PORT + sniffer.SOURCE_PORTS + 1))
    assert not is_good(good, tag=7) and not is_good(good, vlan=7) and is_good(good, tag=7, vlan=7)
    assert not is_good(b"\2" * 12 + b"\x88\xcc" + bytes(46))
    return 0


sys.exit(main())
