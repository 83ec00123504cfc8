# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of packets that are too large for their way, by spec/tunnel.md,
"MTU"; and the MSS that SYNs may ask for."""

from layer4 import told_mtu
from wire import TCP, get16, ip6, put16, residue

PIECE_IDENT = 0x12345678  # what translate gives to packets without one


def fits(gw, path):
    """The largest IPREF packet."""
    return path - (28 if gw.tunnel == 4 else 48)


def send(gw, e, path):
    """(packets, answer) of a packet that leaves by a path of that MTU: as it
    is, in pieces, or not at all."""
    p, head, room = e.packet, len(e.packet.header()), fits(gw, path)
    if head + len(p.payload) <= room:
        return [e.out.data], None
    if p.df and not (gw.local == 6 and e.size <= 1280):
        return [], e.too_big(told_mtu(gw, room - head, p.frag))
    if not p.frag:
        p.frag, p.ident, head = True, PIECE_IDENT, head + 8
    p.df = False
    pieces, off, mf = [], p.off, p.mf
    for at, part, more in cut(p.payload, room - head):
        p.payload, p.off, p.mf = part, off + at, more or mf
        pieces.append(p.pack())
    return pieces, None


def cut(payload, room):
    """(where, bytes, whether more follow) of pieces as long as can be."""
    at = 0
    while at < len(payload):
        size = len(payload) - at
        size = size if size <= room else room // 8 * 8
        yield at, payload[at : at + size], at + size < len(payload)
        at += size


def deliver(gw, e, local):
    """Packets for a local host on the way to which this is the MTU, of one that
    arrived: IPv6 packets are cut when D was clear, IPv4 ones by the kernel."""
    h, data = e.header, e.out.data
    if gw.local == 4 or h.df or len(data) <= local:
        return [data]
    at = 48 if h.frag else 40
    proto = data[at - 8] if h.frag else data[6]
    ident = h.ident if h.frag else PIECE_IDENT
    return [ip6(data[8:24], data[24:40], proto, part, data[7],
                get16(data, 0) >> 4 & 255, 0, (),
                (h.off + where, more or h.mf, ident))
            for where, part, more in cut(data[at:], local - 48)]


def largest_segment(gw, header, path, local):
    return min(fits(gw, path) - header, local - (20 if gw.local == 4 else 40)
               ) - 20


def mss_at(tcp):
    """Where the value of the MSS option is; None: there is none."""
    end, at = (tcp[12] >> 4) * 4, 20
    if not 20 <= end <= len(tcp):
        return None
    while at < end and tcp[at] != 0:
        if tcp[at] == 1:
            at += 1
            continue
        if at + 1 >= end or tcp[at + 1] < 2 or at + tcp[at + 1] > end:
            return None
        if tcp[at] == 2:
            return at + 2 if tcp[at + 1] == 4 else None
        at += tcp[at + 1]
    return None


def clamp(gw, p, tcp, path, local, into_tunnel):
    """The TCP of the IPREF packet p, as it is at the other side, with a smaller
    MSS if it is a SYN that asks for too much."""
    if p.proto != TCP or p.off or p.mf or len(tcp) < 20 or not tcp[13] & 2:
        return tcp
    at = mss_at(tcp)
    mss = largest_segment(gw, len(p.header()), path, local)
    if at is None or get16(tcp, at) <= mss:
        return tcp
    lower = put16(tcp, at, mss)
    value = (get16(tcp, 16) + residue(tcp) - residue(lower)) % 65535
    if value == 0 and into_tunnel:
        value = 0xffff
    return put16(lower, 16, value)

