# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors of every type and code, with packets of many kinds in them, as a
local network and as a peer send them."""

import struct

from packets import ECHO, layer4
from sites import OTHER, REFS, THIRD, plus
from wire import (DCCP, ICMP, ICMP6, SCTP, TCP, UDP, UDPLITE, Ipref, addr,
                  field, ip4, ip6, pseudo, put16)

KINDS4 = [(t, c) for t in (3, 11) for c in range(17)] + [
    (t, 0) for t in (1, 4, 5, 6, 9, 10, 12, 13, 14, 15, 17, 18, 40, 41, 254)
] + [(12, 1), (0, 1), (8, 1), (8, 255), (5, 1)]
KINDS6 = [(t, c) for t in (1, 2, 3, 4) for c in range(8)] + [
    (t, 0) for t in (0, 5, 100, 127, 130, 133, 134, 135, 136, 137, 143, 255)
] + [(128, 1), (129, 3)]
KINDS_TUNNEL = [(t, c) for t in (3, 11) for c in range(16)] + [
    (t, 0) for t in (1, 4, 5, 12, 13, 128, 129, 255)] + [(8, 1), (0, 1)]
USUAL4 = [(3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (3, 5),
          (3, 9)]
USUAL6 = [(1, 0), (1, 3), (1, 4), (2, 0), (1, 1), (3, 0), (3, 1), (1, 2)]
USUAL_TUNNEL = [(3, 0), (3, 1), (3, 2), (3, 4), (3, 13), (11, 0), (11, 1)]
MTUS = [0, 28, 29, 68, 576, 600, 1280, 1281, 1400, 1500, 9000, 65535, 65536,
        100000, 1 << 24, 3 << 28]
PIECES = [(0, False)] * 6 + [(0, True), (64, True), (64, False)]
INNER = [TCP, TCP, UDP, UDP, ECHO, SCTP, UDPLITE, DCCP, 200]


def cut(rng, head, body):
    """Of a quoted packet: what a router quotes of it."""
    n = rng.choice([len(body), len(body), 8, 0, 28,
                    rng.randint(8, max(8, len(body)))])
    return head + body[:n]


def message(kind, word, body, prefix=b""):
    b = bytes(kind) + b"\0\0" + struct.pack("!I", word) + body
    return put16(b, 2, field(prefix + b))


def an_mtu(rng, kind, big):
    """Bytes 4-7 of a message."""
    mtu = rng.choice(MTUS + [rng.randrange(65536)] * 4)
    return mtu if kind == big else rng.choice([0, 0, 0, 0x110000])


def inner_local(rng, site, back, depth):
    """(name, a packet quoted by a local host): one that had arrived, or with
    back one that had left."""
    v6 = site.local == 6
    ours, theirs = rng.choice(site.ips), rng.choice(site.eas + [site.third_ea])
    name = rng.choice(["plain"] * 8 + ["own", "theirs unknown", "ours unknown",
                                       "header cut", "version", "padded"])
    if name == "own":
        ours = site.own_local
    elif name == "theirs unknown":
        theirs = plus(site.ea_base, 600)
    elif name == "ours unknown":
        ours = plus(site.base, 60)
    src, dst = (ours, theirs) if back else (theirs, ours)
    off, mf = rng.choice(PIECES)
    if depth < 3 and rng.random() < (0.2 if depth == 1 else 0.5):
        kind = rng.choice(USUAL6 if v6 else USUAL4)
        deeper, quote = inner_local(rng, site, not back, depth + 1)
        name, off, mf = f"{name} of {kind} ({deeper})", 0, False
        big = (2, 0) if v6 else (3, 4)
        prefix = pseudo(src, dst, ICMP6, 8 + len(quote)) if v6 else b""
        number, body = ICMP6 if v6 else ICMP, message(
            kind, 1400 if kind == big else 0, quote, prefix)
    else:
        number, body = layer4(rng, rng.choice(INNER), src, dst,
                              rng.choice([0, 33, 64, 90, 560, 1200]))
        body = body[64:] if off else body
        body = body[: len(body) & ~7] if mf else body
    ttl, df = rng.choice([1, 64, 0]), rng.random() < 0.5
    if v6:
        b = ip6(src, dst, number, body, ttl, fragment=(off, mf, 99)
                if off or mf or rng.random() < 0.05 and number != ICMP6
                else None)
    else:
        b = ip4(src, dst, number, body, ttl, ident=rng.choice([0, 0x7777]),
                df=df, mf=mf, off=off)
    head = len(b) - len(body)
    if " of " not in name:
        b = cut(rng, b[:head], b[head:])
    if name == "header cut":
        b = b[: rng.randrange(head)]
    elif name == "version":
        b = bytes([b[0] & 15 | (10 - site.local) << 4]) + b[1:]
    elif name == "padded":
        b += b"\xaa" * 12
    return name, b


def extended(rng, v6, big, word, quote):
    """(bytes 4-7, quote with an extension behind it), RFC 4884; or what only
    looks like that."""
    unit = 8 if v6 else 4
    size = rng.choice([128, 128, 136, 256, 120, 16])
    quote = quote[:size] + bytes(size - len(quote[:size]))
    if not big or not v6:
        word |= size // unit << (24 if v6 else 16)
    return word, quote + b"\x20\0\xdf\xff\0\x08\1\1" + rng.randbytes(4)


def leaving_error(rng, site):
    """(name, local packet with an ICMP message)"""
    v6 = site.local == 6
    usual = rng.random() < 0.75
    kind = rng.choice((USUAL6 if v6 else USUAL4) if usual
                      else (KINDS6 if v6 else KINDS4))
    name, quote = inner_local(rng, site, False, 1)
    if kind[0] in ((128, 129) if v6 else (0, 8)):
        quote = rng.randbytes(40)
    src, dst = rng.choice(site.ips), rng.choice(site.eas)
    big = (2, 0) if v6 else (3, 4)
    word = an_mtu(rng, kind, big)
    word = word if v6 else word & 0xffff
    if rng.random() < 0.2:
        word, quote = extended(rng, v6, kind == big, word, quote)
    prefix = pseudo(src, dst, ICMP6, 8 + len(quote)) if v6 else b""
    b = message(kind, word, quote, prefix)
    if rng.random() < 0.1:
        b = put16(b, 2, rng.randrange(65536))  # nobody is to verify it
    part = rng.choice(["whole"] * 9 + ["first", "last"])
    off, mf = (0, True) if part == "first" else (
        (8, False) if part == "last" else (0, False))
    b = b[: len(b) & ~7] if mf else b[off:]
    name = f"{kind} word {word} {part}, {name}"
    if v6:
        return name, ip6(src, dst, ICMP6, b, rng.choice([64, 1]),
                         fragment=(off, mf, 5) if off or mf else None)
    return name, ip4(src, dst, ICMP, b, rng.choice([64, 1]), mf=mf, off=off)


def inner_tunnel(rng, site, back, depth, sender):
    """(name, an IPREF packet quoted by a peer): one that had left here, or with
    back one that had arrived."""
    ours = rng.choice(REFS[site.side])
    theirs = REFS[site.far][0]
    name = rng.choice(["plain"] * 8 + [
        "contexts zero", "ours zero", "theirs zero", "own", "theirs unknown",
        "ours unknown", "other context", "header cut", "version",
        "long references", "reserved"])
    us, them = site.address, sender
    if name in ("contexts zero", "ours zero"):
        us = bytes(len(us))
    if name in ("contexts zero", "theirs zero"):
        them = bytes(len(us))
    if name == "other context":
        us = addr(OTHER[site.tunnel])
    if name == "own":
        ours = site.own_ref
    elif name == "theirs unknown":
        theirs = 0x424242
    elif name == "ours unknown":
        ours = 0x434343
    off, mf = rng.choice(PIECES)
    if depth < 3 and rng.random() < (0.2 if depth == 1 else 0.5):
        kind = rng.choice(USUAL_TUNNEL)
        deeper, quote = inner_tunnel(rng, site, not back, depth + 1, sender)
        name, off, mf = f"{name} of {kind} ({deeper})", 0, False
        number, body = ICMP, message(kind, 1400 if kind == (3, 4) else 0, quote)
    else:
        number, body = layer4(rng, rng.choice(INNER), b"", b"",
                              rng.choice([0, 33, 64, 90, 560, 1200]))
        body = body[64:] if off else body
        body = body[: len(body) & ~7] if mf else body
    frag = bool(off or mf or rng.random() < 0.05 and number != ICMP)
    first, second = ((us, ours), (them, theirs))
    if back:
        first, second = second, first
    p = Ipref(first[0], second[0], first[1], second[1], number, body,
              rng.choice([1, 64, 0]), rng.random() < 0.5, frag, off, mf,
              rng.randrange(1 << 32) if frag else 0,
              16 if name.startswith("long") else 0)
    b, head = p.pack(), len(p.header())
    if " of " not in name:
        b = cut(rng, b[:head], body)
    if name == "header cut":
        b = b[: rng.randrange(head)]
    elif name == "version":
        b = bytes([b[0] & 15 | 0x20]) + b[1:]
    elif name == "reserved":
        b = b[:1] + bytes([b[1] | 1]) + b[2:]
    return name, b


def tunnel_error(rng, site):
    """(name, IPREF packet with an ICMP message, its sender)"""
    sender = addr(THIRD[site.tunnel])
    kind = rng.choice(USUAL_TUNNEL if rng.random() < 0.75 else KINDS_TUNNEL)
    name, quote = inner_tunnel(rng, site, False, 1, sender)
    word = an_mtu(rng, kind, (3, 4)) & 0xffff
    if kind == (3, 4) and word < 576:
        word = rng.choice([0, 20, 200, word + 576])
    b = message(kind, word, quote)
    if rng.random() < 0.1:
        b = put16(b, 2, rng.randrange(65536))
    part = rng.choice(["whole"] * 9 + ["first", "last"])
    off, mf = (0, True) if part == "first" else (
        (8, False) if part == "last" else (0, False))
    b = b[: len(b) & ~7] if mf else b[off:]
    p = Ipref(sender, rng.choice([site.address, bytes(len(sender))]),
              REFS[site.far][0], rng.choice(REFS[site.side]), ICMP, b,
              rng.choice([64, 1]), rng.random() < 0.3, bool(off or mf), off, mf,
              7 if off or mf else 0)
    return f"{kind} word {word} {part}, {name}", p.pack(), sender
