# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that no socket makes, for the end-to-end tests.

    echo VER                    answers protocols nobody reads with themselves
    protocols ADDR              SCTP, ESP, GRE, an unknown one: each comes back
    sums VER PORT               tells of each UDP datagram to that port whether
                                it has a checksum (IPv4 only)
    chains SRC ADDR PORT        UDP behind IPv6 extension headers comes back
    routing SRC ADDR PORT       a routing header that is not done is a parameter
                                problem
    options ADDR PORT           UDP behind IPv4 options comes back"""
import os
import select
import socket
import struct
import sys
import time

# ESP (50) and GRE (47) without a kernel that reads them, SCTP (132), and one of
# those for experiments.
PROTOCOLS = {"SCTP": 132, "ESP": 50, "GRE": 47, "unknown": 253}
HOPOPTS, ROUTING, FRAGMENT, UDP, DSTOPTS = 0, 43, 44, 17, 60
TRIES = 4


def raw(ver, proto):
    family = socket.AF_INET6 if int(ver) == 6 else socket.AF_INET
    return socket.socket(family, socket.SOCK_RAW, proto)


def body(ver, packet):
    """What a raw socket gave, without the IPv4 header."""
    return packet if int(ver) == 6 else packet[(packet[0] & 15) * 4:]


def echo(ver):
    socks = [raw(ver, proto) for proto in PROTOCOLS.values()]
    print("ready")
    while True:
        for s in select.select(socks, [], [])[0]:
            packet, peer = s.recvfrom(65535)
            s.sendto(body(ver, packet), peer)


def comes_back(s, ver, data, timeout=1.0):
    end = time.monotonic() + timeout
    while select.select([s], [], [], max(0, end - time.monotonic()))[0]:
        if body(ver, s.recv(65535)) == data:
            return True
    return False


def protocols(addr):
    ver = 6 if ":" in addr else 4
    for name, proto in PROTOCOLS.items():
        s = raw(ver, proto)
        s.connect((addr, 0))
        for size in (8, 12, 33, 500, 1300):
            data = os.urandom(size)
            for _ in range(TRIES):
                s.send(data)
                if comes_back(s, ver, data):
                    break
            else:
                sys.exit(f"{name}: {size} bytes don't come back")


def sums(ver, port):
    s = raw(ver, UDP)
    print("ready")
    while True:
        p = body(ver, s.recv(65535))
        _, dport, _, cksum = struct.unpack_from("!HHHH", p)
        if dport == int(port):
            print(f"{len(p) - 8} bytes: " + ("a sum" if cksum else "none"))


# --- IPv6 headers -----------------------------------------------------------

def options_header(following):
    """8 bytes, nothing but padding (PadN)."""
    return bytes((following, 0, 1, 4, 0, 0, 0, 0))


def routing_header(following, left):
    """Type 253 (experiments): nobody on the path acts on it."""
    return bytes((following, 0, 253, left, 0, 0, 0, 0))


def fragment_header(following):
    """An atomic fragment."""
    return struct.pack("!BBHI", following, 0, 0, 0x12345678)


HEADERS = {
    HOPOPTS: options_header,
    DSTOPTS: options_header,
    ROUTING: lambda following: routing_header(following, 0),
    FRAGMENT: fragment_header,
}
CHAINS = ((), (HOPOPTS,), (DSTOPTS,), (ROUTING,), (FRAGMENT,),
          (HOPOPTS, DSTOPTS, ROUTING, FRAGMENT),
          (DSTOPTS, ROUTING, FRAGMENT, DSTOPTS))


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp6(src, dst, sport, dport, data):
    length = 8 + len(data)
    head = struct.pack("!HHHH", sport, dport, length, 0)
    pseudo = src + dst + struct.pack("!II", length, UDP)
    return head[:6] + struct.pack(
        "!H", checksum(pseudo + head + data) or 0xFFFF) + data


def packet6(src, dst, first, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), first, 64) + \
        src + dst + payload


def chained(chain, segment):
    """(number of the first header, bytes)"""
    following = UDP
    for number in reversed(chain):
        segment = HEADERS[number](following) + segment
        following = number
    return following, segment


def ends6(src, addr):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    listener.bind((src, 0))
    return (listener, socket.inet_pton(socket.AF_INET6, src),
            socket.inet_pton(socket.AF_INET6, addr),
            listener.getsockname()[1])


def chains(src, addr, port):
    listener, src, dst, sport = ends6(src, addr)
    out = raw(6, socket.IPPROTO_RAW)
    for chain in CHAINS:
        data = os.urandom(64)
        first, payload = chained(
            chain, udp6(src, dst, sport, int(port), data))
        for _ in range(TRIES):
            out.sendto(packet6(src, dst, first, payload), (addr, 0))
            if comes_back(listener, 6, data):
                break
        else:
            sys.exit(f"headers {chain}: nothing comes back")


def routing(src, addr, port):
    _, src, dst, sport = ends6(src, addr)
    out, icmp = raw(6, socket.IPPROTO_RAW), raw(6, socket.IPPROTO_ICMPV6)
    segment = udp6(src, dst, sport, int(port), b"elsewhere")
    p = packet6(src, dst, ROUTING, routing_header(UDP, 1) + segment)
    for _ in range(TRIES):
        out.sendto(p, (addr, 0))
        end = time.monotonic() + 1
        while select.select([icmp], [], [], max(0, end - time.monotonic()))[0]:
            got = icmp.recv(65535)
            if got[0] == 4:
                code, pointer = got[1], struct.unpack_from("!I", got, 4)[0]
                print(f"code {code} pointer {pointer}")
                return
    sys.exit("no parameter problem arrives")


def options(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((addr, int(port)))
    # No-operations; a record of the route.
    for opts in (b"\1" * 4, b"\7\x0b\4" + bytes(8) + b"\0"):
        s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, opts)
        data = os.urandom(64)
        for _ in range(TRIES):
            s.send(data)
            if comes_back(s, 6, data):
                break
        else:
            sys.exit(f"options {opts.hex()}: nothing comes back")


if __name__ == "__main__":
    {f.__name__: f for f in (echo, protocols, sums, chains, routing, options)}[
        sys.argv[1]](*sys.argv[2:])
