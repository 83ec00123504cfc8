# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of attacks, one a line, as flood (flood.c) sends them.

    lab_attack.py KIND KEY=VALUE...

Addresses: to, the gateway under attack; src, who is said to send (n of them,
counted up); peer, another gateway. Reference ref is published behind `to`,
nobody is not. The functions below say what each kind is."""
import ipaddress
import os
import random
import struct
import sys

PORT = 1045
UDP, ICMP, ICMPV6 = 17, 1, 58


def packed(addr):
    return ipaddress.ip_address(addr).packed


def is_v6(addr):
    return ":" in addr


# --- building ---------------------------------------------------------------

def ip(src, dst, proto, payload, frag=0, ident=0, ttl=64):
    """frag: flags and offset of IPv4; IPv6 has its header in the payload."""
    if is_v6(dst):
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + \
            packed(src) + packed(dst) + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, frag,
                       ttl, proto, 0) + packed(src) + packed(dst) + payload


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def ipref(src, dst, src_ref, dst_ref, proto, payload, df=False, frag=None,
          ttl=60):
    """With references of 4 bytes. frag: (offset, MF, identification)"""
    first = 0x10 | (2 if frag else 0) | (1 if df else 0)
    head = struct.pack("!BBBB", first, 6 << 4 if is_v6(dst) else 4 << 4, ttl,
                       proto)
    if frag:
        head += struct.pack("!HHI", 0, frag[0] | frag[1], frag[2])
    return head + packed(src) + packed(dst) + \
        struct.pack("!II", src_ref, dst_ref) + payload


def tunnel(src, dst, payload, sport=PORT):
    return ip(src, dst, UDP, udp(sport, PORT, payload))


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp(kind, code, rest, payload):
    head = struct.pack("!BBHI", kind, code, 0, rest)
    return head[:2] + struct.pack("!H", checksum(head + payload)) + \
        head[4:] + payload


def line(packet, *fields):
    print(packet.hex(), *("/".join(map(str, f)) for f in fields))


class At:
    """Where things are in a tunnel packet without fragment information."""
    def __init__(self, dst):
        n, start = (16, 48) if is_v6(dst) else (4, 28)
        self.src_low = (8 if n == 16 else 12) + n - 4  # last 4 bytes of it
        self.context_low = start + 4 + n - 4
        self.src_ref = start + 4 + 2 * n
        self.dst_ref = self.src_ref + 4
        self.l4 = self.dst_ref + 4


# --- kinds ------------------------------------------------------------------

def peers(to, src, n, ref, nobody):
    """Valid packets from n gateways, a packet each, to a host and to nobody."""
    at = At(to)
    sources = ((at.src_low, 4, n), (at.context_low, 4, n))
    line(tunnel(src, to, ipref(src, to, 33, ref, UDP, udp(7, 9, b"?" * 12))),
         *sources)
    for size in (4, 60, 600):
        line(tunnel(src, to, ipref(src, to, 33, nobody, UDP,
                                   udp(7, 9, b"?" * size))), *sources)


def plain(to, src, ref, theirs):
    """From a host of a gateway to another, as their ordinary traffic; UDP to
    port 9, in sizes of which each fits."""
    for size in (12, 300, 1200):
        line(tunnel(src, to, ipref(src, to, theirs, ref, UDP,
                                   udp(7, 9, bytes(size)))))


def references(to, src, n, each, ref):
    """Made-up source references, each once, behind n gateways that change after
    `each` packets; and, among them, made-up destinations."""
    at = At(to)
    sources = ((at.src_low, 4, n, each), (at.context_low, 4, n, each))
    p = tunnel(src, to, ipref(src, to, 0x100000, ref, UDP, udp(7, 9, b"?")))
    line(p, (at.src_ref, 4, 0x500000), *sources)
    line(p, (at.src_ref, 4, 0x500000), *sources)
    line(p, (at.src_ref, 4, 0x500000), (at.dst_ref, 4, 0x500000), *sources)


def thief(to, src, ref):
    """From a gateway's address, but other ports."""
    for port in (1044, 1046, 5555, 40000):
        p = tunnel(src, to, ipref(src, to, 33, ref, UDP, udp(7, 9, b"?")),
                   port)
        line(p)


def outer_errors(to, peer, router):
    """What routers say about datagrams of `to` to its peer."""
    quoted = ip(to, peer, UDP, udp(PORT, PORT, b""))
    for sender in (router, peer):
        for kind, code, rest in errors(to):
            line(ip(sender, to, ICMPV6 if is_v6(to) else ICMP,
                    icmp(kind, code, rest, quoted)))


def errors(to):
    """Types, codes and what follows them, of the version of `to`."""
    mtus = (0, 1, 68, 552, 576, 1280, 1499, 65535)
    if is_v6(to):
        return [(1, c, 0) for c in range(7)] + [(3, 0, 0), (3, 1, 0)] + \
            [(4, c, 6) for c in range(3)] + [(2, 0, mtu) for mtu in mtus]
    return [(3, c, 0) for c in range(16) if c != 4] + \
        [(11, 0, 0), (11, 1, 0), (12, 0, 0), (4, 0, 0)] + \
        [(3, 4, mtu) for mtu in mtus]


def inner_errors(to, src, ref, theirs, proto):
    """ICMP inside the tunnel, from a gateway: "fragmentation needed" with any
    MTU and others, quoting what might be a packet of the host `ref` to host
    `theirs`, a quote of a quote, four levels deep, and garbage."""
    rng = random.Random(5)
    quoted = ipref(to, src, ref, theirs, proto, udp(5001, 40000, bytes(12)))
    kinds = [(3, 4, mtu) for mtu in (0, 1, 28, 68, 576, 65535)] + \
        [(3, 0, 0), (3, 2, 0), (11, 0, 0), (5, 1, 0), (99, 9, 0)]
    for kind in kinds:
        message = icmp(*kind, quoted)
        line(tunnel(src, to, ipref(src, to, theirs, ref, ICMP, message)))
        line(tunnel(src, to, ipref(src, to, theirs, ref, ICMP,
                                   icmp(*kind, rng.randbytes(64)))))
        for level in range(4):
            ends = (to, src, ref, theirs) if level % 2 else \
                (src, to, theirs, ref)
            message = icmp(*kind, ipref(*ends, ICMP, message))
        line(tunnel(src, to, ipref(src, to, theirs, ref, ICMP, message)))


def fragments(to, src, ref, theirs):
    """Fragments of IPREF packets that overlap, repeat, never end, or make no
    sense: UDP; and first ones of echoes that are never completed."""
    at = At(to)
    ident = at.src_ref - (32 if is_v6(to) else 8)
    body = bytes(range(64))
    changes = (ident, 4, 0x7fffffff, 13)  # the lines below
    for off, mf in ((0, 1), (8, 1), (16, 0), (8, 0), (65528, 1), (65528, 0)):
        line(tunnel(src, to, ipref(src, to, theirs, ref, UDP,
                                   udp(7, 9, body[8:]), frag=(off, mf, 1))),
             changes)
    line(tunnel(src, to, ipref(src, to, theirs, ref, UDP, body[:5],
                               frag=(0, 1, 1))), changes)
    # MTU-sized: the most that may have to be held
    echo = icmp(8, 0, 0x10001, bytes(1184))
    for _ in range(6):
        line(tunnel(src, to, ipref(src, to, theirs, ref, ICMP, echo,
                                   frag=(0, 1, 1))), changes)


def senseless(to, src, peer, ref, encoded):
    """Contexts, references and senders that make no sense; encoded: an address
    of the encoding network of `to`."""
    v6 = is_v6(to)
    many, all_, zero = ("ff02::1", "ff0e::1", "::") if v6 else \
        ("224.0.0.1", "255.255.255.255", "0.0.0.0")
    data = udp(7, 9, b"?")
    for context in (to, many, all_, peer, zero):
        line(tunnel(src, to, ipref(context, to, 33, ref, UDP, data)))
        line(tunnel(src, to, ipref(src, context, 33, ref, UDP, data)))
    for ends in ((0, ref), (33, 0), (0, 0), (1, 1), (0xFFFFFF, 0xFFFFFFFF)):
        line(tunnel(src, to, ipref(src, to, *ends, UDP, data)))
    for sender in (to, many, all_, zero, "::1" if v6 else "127.0.0.1", encoded):
        line(tunnel(sender, to, ipref(sender, to, 33, ref, UDP, data)))
        line(tunnel(sender, to, ipref(zero, to, 33, ref, UDP, data)))
    line(tunnel(src, to, b""))
    line(tunnel(src, to, os.urandom(19)))


def answering(to, peer, nobody):
    """In another gateway's name, what a gateway answers, so that answers might
    be answered: to nobody from nobody, and between the gateways themselves."""
    echo, data = icmp(8, 0, 0x10001, b"echo"), udp(7, 9, b"?")
    for src_ref, dst_ref in ((nobody, nobody), (1, 1), (nobody, 1),
                             (1, nobody)):
        for proto, payload in ((UDP, data), (ICMP, echo)):
            line(tunnel(peer, to, ipref(peer, to, src_ref, dst_ref, proto,
                                        payload)))


def local(to, host, own, nobody):
    """From a local network: sources and destinations that make no sense. `to`
    is an address of the encoding network that stands for a host."""
    v6 = is_v6(to)
    many, all_, loop = ("ff02::1", "ff0e::1", "::1") if v6 else \
        ("224.0.0.1", "255.255.255.255", "127.0.0.1")
    data = udp(7, 9, b"?")
    for sender in (to, own, many, all_, loop, nobody):
        line(ip(sender, to, UDP, data))
    for target in (nobody, own):
        line(ip(host, target, UDP, data))
        line(ip(to, target, UDP, data))
    for kind, code, rest in errors(to):
        line(ip(host, to, ICMPV6 if v6 else ICMP,
                icmp(kind, code, rest, ip(to, host, UDP, data))))
        line(ip(host, to, ICMPV6 if v6 else ICMP,
                icmp(kind, code, rest, os.urandom(40))))


def main():
    kind, *args = sys.argv[1:]
    values = dict(arg.split("=", 1) for arg in args)
    for key, value in values.items():
        if value.isdigit():
            values[key] = int(value)
    {f.__name__: f for f in (peers, references, thief, outer_errors,
                             inner_errors, fragments, senseless,
                             answering, local, plain)}[kind](**values)


main()
