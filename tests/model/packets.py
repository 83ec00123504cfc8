# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets to try: layer 4 of every protocol, cut into fragments, in IP packets
with options or extension headers. Each maker draws from the random generator
that it is given, and from nothing else."""

import struct

from wire import (AH, DCCP, DESTOPT, ESP, GRE, HOPBYHOP, ICMP, ICMP6, NONE59,
                  ROUTING, SCTP, TCP, UDP, UDPLITE, field, ip4, ip6, pseudo,
                  put16)

ECHO, ECHO_REPLY = "echo", "echo-reply"
PROTOCOLS = [TCP, UDP, ECHO, ECHO_REPLY, SCTP, GRE, ESP, UDPLITE, DCCP, 4, 200]
REFUSED = [0, 43, 44, 60, AH, 58, NONE59, 135, 139, 140]
SUMS = ["right"] * 12 + ["wrong", "zero", "ffff", "tunnel-zero", "local-zero"]
FRAGMENTS = ["whole", "whole-df", "atomic", "first", "middle", "last", "tiny",
             "tiny-second", "at-16", "high"]
OPTIONS4 = {
    "none": b"", "nop": b"\1\1\1\1",
    "record-route": b"\7\x0b\4" + bytes(8) + b"\0",
    "timestamp": b"\x44\x0c\5\0" + bytes(8),
    "router-alert": b"\x94\4\0\0",
    "loose-done": b"\1\x83\7\x08\xc0\0\2\x63",
    "strict-done": b"\x89\3\4\0",
    "end-then-route": b"\0\x83\7\4\xc0\0\2\x63",
    "loose": b"\x83\7\4\xc0\0\2\x63\0",
    "strict": b"\1\x89\x0b\x08" + bytes(8),
    "broken": b"\x83\x28\4\0",
}
OPTIONS6 = {
    "none": [], "hop-by-hop": [(HOPBYHOP, b"\0\1\4\0\0\0\0")],
    "router-alert": [(HOPBYHOP, b"\0\5\2\0\0\1\0")],
    "destination": [(DESTOPT, b"\1\1\x0c" + bytes(12))],
    "routing-done": [(ROUTING, b"\2\4\0" + bytes(20))],
    "all": [(HOPBYHOP, b"\0\1\4\0\0\0\0"), (DESTOPT, b"\0\1\4\0\0\0\0"),
            (ROUTING, b"\2\0\0" + bytes(20)), (DESTOPT, b"\0\1\4\0\0\0\0")],
    "routing": [(ROUTING, b"\2\4\1" + bytes(20))],
    "routing-behind": [(HOPBYHOP, b"\0\1\4\0\0\0\0"),
                       (ROUTING, b"\2\2\2" + bytes(20))],
    "mobility": [(135, b"\0\0\0\0\0\0\0")],
    "authentication": [(AH, b"\4\0\0" + bytes(20))],
    "far-hop-by-hop": [(DESTOPT, b"\0\1\4\0\0\0\0"),
                       (HOPBYHOP, b"\0\1\4\0\0\0\0")],
}
ROUTES = {"loose", "strict", "route", "routing", "broken"}
SIZES = {"least": 0, "odd": None, "1280": 1280, "1500": 1500, "9000": 9000,
         "65535": 65535}


def sum_into(b, at, head, kind, rng, zero_sum):
    """b with its checksum at `at`; head: what the sum covers besides; zero_sum:
    bytes of it that are left out where the result is to be 0."""
    b = put16(b, at, 0)
    if kind in ("tunnel-zero", "local-zero"):
        covered = zero_sum if kind == "tunnel-zero" else head
        b = put16(b, 0, 0)
        b = put16(b, 0, field(covered + b))  # the source port makes it so
    right = field(head + b) or (0xffff if at == 6 else 0)
    return put16(b, at, {"wrong": rng.randrange(1, 65535), "zero": 0,
                         "ffff": 0xffff}.get(kind, right))


def layer4(rng, proto, src, dst, size, kind="right"):
    """(protocol number in that IP version, bytes); src, dst empty: the form
    inside the tunnel. size is a wish."""
    tunnel = not src
    v6 = len(src) == 16
    least = {TCP: 20, SCTP: 12, GRE: 4}.get(proto, 8)
    body = max(0, size - least)
    body = rng.randbytes(body) if rng.random() < 0.9 else bytes(body)
    n = least + len(body)
    if proto in (ECHO, ECHO_REPLY):
        types = (128, 129) if v6 else (8, 0)
        b = bytes([types[proto == ECHO_REPLY], 0, 0, 0])
        b += rng.randbytes(4) + body
        head = pseudo(src, dst, ICMP6, n) if v6 else b""
        value = (rng.randrange(65536) if kind == "wrong" else
                 {"zero": 0, "ffff": 0xffff}.get(kind, field(head + b)))
        return ICMP6 if v6 else ICMP, put16(b, 2, value)
    ports = rng.randbytes(4)
    if proto == TCP:
        b, at = ports + rng.randbytes(8) + b"\x50\x18\xfa\xf0" + bytes(4), 16
    elif proto in (UDP, UDPLITE):
        b, at = ports + struct.pack("!HH", n & 0xffff, 0), 6
    elif proto == DCCP:
        b, at = ports + b"\2\0\0\0", 6
    else:
        return proto, rng.randbytes(n)
    head = (b"" if tunnel else src + dst) + pseudo(b"", b"", proto, n)
    return proto, sum_into(b + body, at, head, kind, rng,
                           pseudo(b"", b"", proto, n))


def syn(rng):
    """(name, maker of a TCP packet): the maker takes both addresses."""
    mss = rng.choice([1460, 1440, 536, 8960, 65535, rng.randrange(65536)])
    option = b"\2\4" + struct.pack("!H", mss)
    name, options = rng.choice([
        ("first", option + b"\4\2\1\1"), ("odd", b"\1" + option + b"\1\1\1"),
        ("last", b"\1\1\4\2\x08\x0a" + bytes(8) + option),
        ("none", b"\4\2\1\1"), ("behind the end", b"\0" + option + b"\0\0\0"),
        ("of length 3", b"\2\3" + option[2:]), ("of length 0", b"\2\0\5\xb4"),
        ("behind nonsense", b"\x08\0\1\1" + option), ("cut", b"\1\1\2\4")])
    flags = rng.choice([2, 2, 2, 0x12, 0x12, 0xc2, 0x10, 4])
    words = 5 + len(options) // 4 + (rng.random() < 0.05)
    b = (rng.randbytes(12) + bytes([words << 4, flags]) + b"\xff\xff"
         + bytes(4) + options + rng.choice([b"", b"", rng.randbytes(7)]))
    kind = rng.choice(SUMS)
    return f"MSS {mss} {name}, flags {flags:02x}, sum {kind}", (
        lambda addresses: sum_into(
            b, 16, addresses + pseudo(b"", b"", TCP, len(b)), kind, rng,
            pseudo(b"", b"", TCP, len(b))))


def piece(rng, fragment, b, ipv6):
    """(off, mf, df, has fragment information, bytes) of a piece of b."""
    df = fragment == "whole-df" or rng.random() < 0.2 and fragment != "whole"
    if fragment in ("whole", "whole-df"):
        return 0, False, df, False, b
    if fragment == "atomic":
        return 0, False, df, True, b
    n = max(len(b) // 8, 1)
    if fragment == "tiny":
        return 0, True, df, True, b[: 8 * rng.randint(1, 2)]
    if fragment == "tiny-second":
        end = rng.choice([17, 16, 24, len(b)])
        return 8, end % 8 == 0, df, True, b[8:end]
    if fragment == "at-16":
        return 16, False, df, True, b[16:]
    if fragment == "high":
        return rng.choice([65528, 65520, 32768]), False, df, True, b[:15]
    one = rng.randint(1, n) * 8
    two = min(rng.randint(1, n) * 8, len(b))
    if fragment == "first":
        return 0, True, df, True, b[:one] if len(b) >= 8 else b
    if fragment == "middle":
        end = len(b) if rng.random() < 0.1 else one + two
        end = end if end == len(b) else min(end, len(b) & ~7)
        return one, True, df, True, b[one:end]
    return one, False, df, True, b[one:]


def room(rng, size, overhead):
    """Bytes of layer 4 for a packet of a size class, or of that many bytes."""
    total = SIZES.get(size, size)
    if total is None:
        return rng.randint(9, 120)
    return max(0, total - overhead)


def ip_packet(rng, ver, src, dst, proto, fragment="whole", option="none",
              size="odd", kind="right", ttl=64):
    """(packet, bytes of its whole layer 4, whether all of it is as it ought to
    be)"""
    options = (OPTIONS4 if ver == 4 else OPTIONS6)[option]
    extra = len(options) if ver == 4 else sum(1 + len(b) for _, b in options)
    overhead = (20 if ver == 4 else 48) + extra
    if ver == 6 and size == "65535":
        overhead -= 40 if fragment == "atomic" else 48
    if ver == 6 and fragment in ("whole", "whole-df"):
        overhead -= 8 if overhead >= 48 else 0
    number, b = layer4(rng, proto, src, dst, room(rng, size, overhead), kind)
    off, mf, df, frag, part = piece(rng, fragment, b, ver == 6)
    tos, ident = rng.randrange(256), rng.randrange(1 << 32)
    if ver == 4:
        p = ip4(src, dst, number, part, ttl, tos, ident & 0xffff, df, mf, off,
                options)
    else:
        p = ip6(src, dst, number, part, ttl, tos, rng.randrange(1 << 20),
                options, (off, mf, ident) if frag else None)
    clean = kind in ("right", "tunnel-zero", "local-zero") and (
        fragment in ("whole", "whole-df", "atomic")) and not (
        ROUTES & set(option.split("-")))  # these name another destination
    return p, len(b), clean
