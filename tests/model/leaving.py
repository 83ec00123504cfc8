# SPDX-License-Identifier: GPL-2.0-or-later
"""What should come out when a local packet leaves, by spec/tunnel.md,
spec/concepts.md and the tables of RFC 7915.

encap() gives an Expect. Where a packet has several faults the pages don't say
which one is named, so there is a set of them, each with the answer that belongs
to it. Knows nothing of the code that it checks, as all files here.
"""

import struct

from expect import Expect, Fault, Loose, Out
from layer4 import (LEAVING, LEVELS, QUOTE, TUNNEL_ERRORS, WAITS, check,
                    cut_here, echo, may_answer, note_echo, quoted_icmp,
                    quoting, readdress, seal, whole)
from local import parse
from wire import (ICMP, ICMP6, NONE59, NOT_CARRIED, Ipref, get16,
                  global_unicast, ip4, ip6, pseudo, residue)


def ours_of(gw, ip):
    """IPREF address of a local address of ours, or None."""
    if ip == gw.own_local:
        return gw.pub, gw.own_ref
    ref = gw.ref_of.get(ip)
    return None if ref is None else (gw.pub, ref)


def theirs_of(gw, ea):
    if ea == gw.own_local:
        return gw.pub, gw.own_ref
    return gw.remote_of.get(ea)


def leaving_icmp(gw, p, depth, length):
    """The tunnel form of a piece of ICMP at offset 0."""
    b = p.payload
    kind = LEAVING[gw.local].get((b[0], b[1]))
    if kind is None:
        raise Fault("icmp_type", *(("icmp_fragment",) if p.mf else ()))
    if kind not in TUNNEL_ERRORS:
        if gw.local == 4:
            return echo(b, kind, 0)
        if length is None:
            length = len(b) if whole(p) else 0
            if not length:
                raise Fault("echo_waits", ask="whole")
        return echo(b, kind, -residue(pseudo(p.src, p.dst, ICMP6, length)))
    if p.mf:
        raise Fault("icmp_fragment")
    faults, mtu, big = set(), 0, False
    if kind == (3, 4):
        mtu = said_mtu(gw, b)
        if mtu <= 28:
            faults.add("icmp_mtu")
        big = mtu > 65535  # ours may take it as that
        mtu = min(mtu, 65535) - 28
    if depth >= LEVELS:
        inner, loose = cut_here()
    else:
        try:
            inner, loose = leaving_quote(gw, quoted(gw, b)[:QUOTE], depth + 1)
        except Fault:
            faults.add("icmp_inner")
    if faults:
        raise Fault(*faults)
    loose.either = loose.either or big
    return quoting(kind, mtu, False, inner, loose, depth == 1)


def said_mtu(gw, b):
    """The MTU of a "packet too big" from the local network."""
    return get16(b, 6) if gw.local == 4 else struct.unpack_from("!I", b, 4)[0]


def quoted(gw, b):
    """The packet in an ICMP error. RFC 4884: some say how long it is, with
    extensions behind it that are not for another network."""
    if gw.local == 4:
        said = b[5] * 4
    else:
        said = b[4] * 8 if b[0] in (1, 3) else 0
    return b[8 : 8 + said] if said >= 128 else b[8:]


def leaving_quote(gw, b, depth):
    """A local packet in an ICMP error that leaves: it had arrived. (One in that
    had left, and so on.)"""
    p = parse(gw.local, b, quoted=True)
    back = depth % 2 == 0
    src = (theirs_of if back else ours_of)(gw, p.src)
    dst = (ours_of if back else theirs_of)(gw, p.dst)
    if src is None or dst is None:
        raise Fault("icmp_inner")
    if p.proto in NOT_CARRIED:
        raise Fault("icmp_inner")
    if p.proto == ICMP and p.off == 0 and len(p.payload) >= 4:
        payload, loose = quoted_icmp(gw, p, depth, leaving_icmp, LEAVING)
    else:
        payload, loose = readdress(p, p.src + p.dst, b"", True)
    head = Ipref(src[0], dst[0], src[1], dst[1], p.proto, b"", p.ttl, p.df,
                 p.frag, p.off, p.mf, p.ident if p.frag else 0).header()
    return head + payload, loose.shifted(len(head))


def local_error(gw, b, p, kind, word, loose=None):
    """An error of the gateway towards a local host, about its packet b."""
    loose = Loose()
    message = bytes(kind) + b"\0\0" + struct.pack("!I", word) + b[:QUOTE]
    if gw.local == 4:
        data = ip4(gw.own_local, p.src, ICMP, message)
        loose.any += [(4, 2), (10, 2)]
        data = seal(data, 20, loose)
    else:
        data = ip6(gw.own_local, p.src, ICMP6, message)
        data = seal(data, 40, loose,
                    pseudo(gw.own_local, p.src, ICMP6, len(message)))
    return Out(data, loose, self_=True)


def leaving_reply(gw, b, p, kind, word=0, hosts=True):
    may = may_answer(gw.local, p)
    if may is False or not hosts:
        return None
    out = local_error(gw, b, p, kind, word)
    out.may = may is None
    return out


def local_mtu(gw, p):
    """(local host, MTU) that a "packet too big" of the local network tells."""
    b = p.payload
    if p.proto != ICMP or p.off or (b[0], b[1]) != (
            (3, 4) if gw.local == 4 else (2, 0)):
        return None
    return parse(gw.local, b[8:], quoted=True).dst, said_mtu(gw, b)


def source_fault(gw, src):
    if src == gw.own_local:
        return None
    if src[:1] == b"\xfe" and src[1] & 0xc0 == 0x80 and gw.local == 6 or (
            gw.local == 4 and src[:2] == b"\xa9\xfe"):
        return "link_local"
    if gw.encoded(src):
        return "src_encoded"
    return None if global_unicast(src) else "src_not_unicast"


def encap(gw, b, length=0):
    """length: of the whole ICMP message, when its first fragment is known."""
    try:
        p = parse(gw.local, b)
    except Fault as f:
        return Expect(drops={label: None for label in f.labels})
    v6 = gw.local == 6
    drops, bad_src = {}, source_fault(gw, p.src)
    hosts = (bad_src in (None, "src_encoded") and global_unicast(p.dst))
    answer = lambda kind, word=0: leaving_reply(gw, b, p, kind, word, hosts)
    unreachable = answer((1, 0) if v6 else (3, 0))
    if p.mf and len(p.payload) % 8:
        drops["fragment_unaligned"] = None
    if bad_src:
        drops[bad_src] = None
    if p.routed:
        drops["source_route"] = answer((4, 0) if v6 else (3, 5),
                                       p.segments_at or 0)
    if p.dst != gw.own_local and not gw.encoded(p.dst):
        drops["dst_not_encoded"] = unreachable
    if gw.dec_ttl and p.ttl <= 1:
        drops["ttl_exceeded"] = answer((3, 0) if v6 else (11, 0))
    ask = None
    try:
        check(p, NOT_CARRIED)
        if p.proto == ICMP and p.off == 0:
            payload, loose = leaving_icmp(gw, p, 1,
                                          length if length and p.mf else None)
        else:
            payload, loose = readdress(p, p.src + p.dst, b"", True)
    except Fault as f:
        ask = f.ask
        drops.update({label: None for label in f.labels})
    src, dst = ours_of(gw, p.src), theirs_of(gw, p.dst)
    others = {label: None for label in p.maybe}
    if drops:
        if bad_src == "src_encoded":
            for out in drops.values():
                if out:
                    out.may = True
        if ask and len(drops) > 1:
            drops.pop("echo_waits")
            ask = None
        elif ask and (dst is None or src is None):
            return note_echo(gw, Expect(
                drops={**drops, "dst_unknown": unreachable,
                       "src_unknown": None}, ask=WAITS), p)
        if set(drops) == {"ttl_exceeded"} and dst is None:
            # "Only when all else is well", but the destination comes first.
            drops["dst_unknown"], ask = unreachable, {"lookup", "-"}
        return note_echo(gw, Expect(drops={**drops, **others}, ask=ask), p)
    if dst is None:
        return Expect(drops={"dst_unknown": unreachable, **others},
                      ask=("lookup", p.dst, None))
    if src is None:
        return Expect(drops={"src_unknown": None, **others},
                      ask=("ref", p.src, None))
    frag = p.frag and not (p.proto == ICMP and whole(p))
    packet = Ipref(src[0], dst[0], src[1], dst[1], p.proto, payload,
                   p.ttl - 1 if gw.dec_ttl else p.ttl, p.df, frag, p.off, p.mf,
                   p.ident if frag else 0)
    head = packet.header()
    data, moved = head + payload, loose.shifted(len(head))
    if p.proto == ICMP and p.off == 0 and (payload[0], payload[1]
                                           ) in TUNNEL_ERRORS:
        data = seal(data, len(head), moved)
    used = (None if p.src == gw.own_local else p.src,
            None if p.dst == gw.own_local else p.dst)
    e = Expect(Out(data, moved, peer=dst[0]), others, used=used,
               either=bool(others) or loose.either or (
                   p.proto == NONE59 and not payload))
    e.packet, packet.payload, e.size = packet, data[len(head) :], len(b)
    e.tos, e.mtu_of = p.tos, local_mtu(gw, p)
    e.too_big = lambda mtu: answer((2, 0) if v6 else (3, 4), mtu)
    return note_echo(gw, e, p)
