# SPDX-License-Identifier: GPL-2.0-or-later
"""Layer 4 on its way from one network to another: checksums that cover
addresses, ICMP, and the packets that ICMP errors carry."""

import struct

from expect import Fault, Loose
from local import Packet
from wire import (CHECKSUM_AT, ICMP, LAYER4_MIN, TCP, UDP, UDPLITE, ICMP6,
                  field, get16, put16, residue)

UNKNOWN = 84  # more than any header
QUOTE = 576
LEVELS = 3

# What may be asked for when more than one thing is not known yet.
WAITS = {"whole", "lookup", "ref", "ea"}

# Tunnel form of ICMP, from each side. RFC 7915, 4.2 gives the ICMPv6 code of an
# ICMPv4 one, and the table of tunnel.md what that is inside.
TUNNEL_ERRORS = {(3, 0), (3, 1), (3, 2), (3, 4), (3, 13), (11, 0), (11, 1)}
LEAVING = {
    4: {(0, 0): (0, 0), (8, 0): (8, 0), (3, 0): (3, 0), (3, 1): (3, 1),
        (3, 3): (3, 2), (3, 4): (3, 4), (3, 13): (3, 13), (11, 0): (11, 0),
        (11, 1): (11, 1),
        **{(3, c): (3, 0) for c in (5, 6, 7, 8, 11, 12)},
        **{(3, c): (3, 13) for c in (9, 10, 15)}},
    6: {(129, 0): (0, 0), (128, 0): (8, 0), (1, 0): (3, 0), (1, 3): (3, 1),
        (1, 4): (3, 2), (2, 0): (3, 4), (1, 1): (3, 13), (3, 0): (11, 0),
        (3, 1): (11, 1), (1, 2): (3, 1)},
}
ARRIVING = {
    4: {(0, 0): (0, 0), (8, 0): (8, 0), (3, 0): (3, 0), (3, 1): (3, 1),
        (3, 2): (3, 3), (3, 4): (3, 4), (3, 13): (3, 13), (11, 0): (11, 0),
        (11, 1): (11, 1)},
    6: {(0, 0): (129, 0), (8, 0): (128, 0), (3, 0): (1, 0), (3, 1): (1, 3),
        (3, 2): (1, 4), (3, 4): (2, 0), (3, 13): (1, 1), (11, 0): (3, 0),
        (11, 1): (3, 1)},
}
ICMP4_ERRORS = {3, 4, 5, 11, 12}
ICMP4_QUERIES = {0, 8, 9, 10, 13, 14, 15, 16, 17, 18}


def whole(p):
    return p.off == 0 and not p.mf


def check(p, refused):
    """Faults of a piece by its protocol."""
    end, n = p.off + len(p.payload), len(p.payload)
    if p.proto in refused:
        raise Fault("protocol", *(("icmp_type",) if p.proto == ICMP6 else ()))
    if p.off == 0 and n < LAYER4_MIN.get(p.proto, 0):
        raise Fault("l4_too_short")
    if p.proto == TCP and end == 17 and n > 0:
        raise Fault("l4_too_short")


def note_echo(gw, e, p):
    """What the gateway has to remember of a fragment of an ICMPv6 echo: which
    one, and with the last of them how long the whole is."""
    if gw.local == 6 and p.proto == ICMP and not whole(p):
        e.echo = p.src, p.dst, p.ident
        e.whole = 0 if p.mf else p.off + len(p.payload)
    return e


def readdress(p, minus, plus, into_tunnel):
    """The payload with other addresses in its checksum, and what is loose."""
    loose = Loose()
    at = CHECKSUM_AT.get(p.proto)
    if at is None or (p.proto != TCP and p.off):
        return p.payload, loose
    at -= p.off
    if at < 0 or at + 2 > len(p.payload):
        return p.payload, loose
    old = get16(p.payload, at)
    if p.proto in (UDP, UDPLITE) and old == 0:
        return p.payload, loose
    new = (old + residue(minus) - residue(plus)) % 65535
    if new == 0 and (p.proto != TCP or into_tunnel):
        new = 0xffff
    return put16(p.payload, at, new), loose


def echo(payload, kind, change):
    """An echo message as another type; change: what its sum grows by."""
    loose = Loose()
    loose.mod.append(2)
    old = payload[0] << 8 | payload[1]
    new = (get16(payload, 2) + old - (kind[0] << 8 | kind[1]) - change) % 65535
    return bytes(kind) + struct.pack("!H", new) + payload[4:], loose


def quoting(kind, mtu, wide, inner, loose, even):
    """An ICMP message with a packet in it, its checksum zero for now."""
    if even and len(inner) & 1:
        inner = inner[:-1]
    words = struct.pack("!I", mtu) if wide else struct.pack("!HH", 0, mtu)
    moved = loose.shifted(8)
    return bytes(kind) + b"\0\0" + words + inner, moved


def cut_here():
    """The end of a chain of packets inside each other: what is deeper is cut
    away; an MTU can't be told then."""
    loose = Loose()
    loose.any.append((-4, 4))
    return b"", loose


def may_answer(ver, p):
    """Whether an error may be made about a piece: True, False, None (open)."""
    if p.off:
        return False
    if p.proto == ICMP:
        if not p.payload:
            return False
        kind = p.payload[0]
        if ver == 6:
            return kind >= 128 and kind != 137  # RFC 4443, 2.4 (e)
        if kind in ICMP4_ERRORS:
            return False
        return True if kind in ICMP4_QUERIES else None
    return True


def quoted_icmp(gw, p, depth, translate, table):
    """ICMP inside a quote: any part of it may be missing."""
    b = p.payload
    kind = table[gw.local].get((b[0], b[1]))
    if kind is None:
        raise Fault("icmp_inner")
    full = b + bytes(max(0, 8 - len(b)))
    q = Packet()
    q.__dict__.update(p.__dict__)
    q.payload, q.mf = full, False
    out, loose = translate(gw, q, depth, max(p.claimed, 1))
    if len(b) < 8 or kind in TUNNEL_ERRORS or (b[0], b[1]) in TUNNEL_ERRORS:
        loose.any.append((2, 2))  # best effort
    return out[: len(b)] if len(b) < 8 else out, loose


def seal(data, at, loose, prefix=b""):
    """Puts the checksum of the ICMP message at `at` in, and notes that it has
    to be right whatever the loose bytes are."""
    loose.sums.append((at, prefix))
    return put16(data, at + 2, field(prefix + data[at:]))


def told_mtu(gw, payload, frag):
    """The MTU of a local host whose packets may have that payload. An IPv6 one
    believes nothing below 1280 (RFC 8201, 4), nor has to."""
    if gw.local == 4:
        return min(65535, payload + 20)
    return min(65535, max(1280, payload + (48 if frag else 40)))
