# SPDX-License-Identifier: GPL-2.0-or-later
"""Local packets taken apart (RFC 791, RFC 8200), and what is wrong with them."""

import struct

from expect import Fault
from wire import (EXTENSIONS, FRAGMENT, HOPBYHOP, ICMP, ICMP6, ROUTING, get16)

MALFORMED = {"too_short", "bad_length", "bad_header", "ip_version"}


class Packet:
    """A local packet taken apart. proto as inside the tunnel."""

    def __init__(self):
        self.df = self.frag = self.mf = self.routed = False
        self.off = self.ident = self.tos = 0
        self.segments_at = None
        self.maybe = set()  # faults that may be found in it, or not


def parse4(b, quoted):
    p = Packet()
    if len(b) < 20 or b[0] >> 4 != 4:
        raise Fault(*MALFORMED)
    size, total = (b[0] & 15) * 4, get16(b, 2)
    if size < 20 or len(b) < size or total < size:
        raise Fault(*MALFORMED)
    if not quoted and total != len(b):
        raise Fault(*MALFORMED)
    flags = get16(b, 6)
    p.src, p.dst, p.ttl, p.proto, p.tos = b[12:16], b[16:20], b[8], b[9], b[1]
    p.df, p.mf, p.off = bool(flags & 0x4000), bool(flags & 0x2000), (
        flags & 0x1fff) * 8
    p.frag = p.mf or p.off > 0
    p.ident = get16(b, 4)
    p.payload, p.claimed = b[size:total], total - size
    at = 20
    while at < size and b[at] != 0:
        if b[at] == 1:
            at += 1
            continue
        if at + 1 >= size or b[at + 1] < 2 or at + b[at + 1] > size:
            p.maybe |= {"bad_header"}
            break
        if b[at] in (131, 137) and b[at + 1] >= 3:
            p.routed = p.routed or b[at + 2] <= b[at + 1]
        at += b[at + 1]
    return p


def parse6(b, quoted):
    p = Packet()
    if len(b) < 40 or b[0] >> 4 != 6:
        raise Fault(*MALFORMED)
    claimed = get16(b, 4)
    if not quoted and claimed + 40 != len(b):
        raise Fault(*MALFORMED)
    p.src, p.dst, p.ttl, p.df = b[8:24], b[24:40], b[7], True
    p.tos = get16(b, 0) >> 4 & 255
    b = b[: 40 + claimed]
    at, nh = 40, b[6]
    while nh in EXTENSIONS:
        size = 8
        if len(b) < at + 8:
            raise Fault(*MALFORMED)
        if nh == FRAGMENT:
            if p.frag:
                raise Fault("protocol", "bad_header")
            word = get16(b, at + 2)
            p.frag, p.off, p.mf = True, word & 0xfff8, bool(word & 1)
            p.ident = struct.unpack_from("!I", b, at + 4)[0]
        else:
            size = (b[at + 1] + 1) * 8
            if nh == HOPBYHOP and at > 40:
                raise Fault("protocol", "bad_header")
            if p.frag and (p.off or p.mf):
                break
            if nh == ROUTING and b[at + 3] > 0:
                p.routed, p.segments_at = True, at + 3
            if len(b) < at + size:
                raise Fault(*MALFORMED)
        nh, at = b[at], at + size
    p.proto = ICMP if nh == ICMP6 else nh
    if nh == ICMP:
        p.proto = ICMP6  # ICMPv4 where it has no business
    p.payload, p.claimed = b[at:], claimed + 40 - at
    return p


def parse(ver, b, quoted=False):
    return (parse4 if ver == 4 else parse6)(b, quoted)
