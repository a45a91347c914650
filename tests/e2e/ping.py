#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""ping.py ADDRESS [BYTES [COUNT]]: ICMP echo to an IPv4 or IPv6 address; "N of COUNT answered", and 0 when all were."""

import os
import socket
import struct
import sys
import time

PATIENCE_S = 3


def checksum(data):
    total = sum(struct.unpack("!%dH" % ((len(data) + 1) // 2), data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo(sock, address, is_six, number, size):
    payload = bytes(i * 31 + number & 0xFF for i in range(size))
    head = (128 if is_six else 8, 0, 0, os.getpid() & 0xFFFF, number)
    request = struct.pack("!BBHHH", *head) + payload
    if not is_six:  # the kernel sums ICMPv6 up itself
        request = struct.pack("!BBHHH", *head[:2], checksum(request), *head[3:]) + payload
    sock.sendto(request, (address, 0))
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        sock.settimeout(max(end - time.monotonic(), 0.001))
        try:
            answer = sock.recv(65536)
        except socket.timeout:
            break
        if not is_six:
            answer = answer[(answer[0] & 15) * 4 :]
        if answer[0] == (129 if is_six else 0) and answer[4:] == request[4:]:
            return is_six or checksum(answer) == 0
    return False


def main():
    address = sys.argv[1]
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 56
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    is_six = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if is_six else (socket.AF_INET, socket.IPPROTO_ICMP)
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        good = sum(echo(sock, address, is_six, number, size) for number in range(count))
    print("%d of %d answered" % (good, count))
    return 0 if good == count else 1


sys.exit(main())
