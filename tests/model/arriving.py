# SPDX-License-Identifier: GPL-2.0-or-later
"""What should come out when an IPREF packet arrives: decap(), as leaving.py."""

from expect import Expect, Fault, Loose, Out
from layer4 import (ARRIVING, LEVELS, QUOTE, TUNNEL_ERRORS, UNKNOWN, WAITS,
                    check, cut_here, echo, may_answer, note_echo, quoted_icmp,
                    quoting, readdress, seal, told_mtu, whole)
from local import Packet
from wire import (ICMP, ICMP6, NONE59, NOT_CARRIED, UDP, UDPLITE, Ipref, field,
                  get16, global_unicast, ip4, ip6, ipref_faults, pseudo, put16,
                  residue)

# "No next header" has nothing to say to a host: refused on arrival.
NOT_ARRIVING = NOT_CARRIED | {NONE59}


def ours_by_ref(gw, context, ref, known_as):
    """The local address of ours that a quote means. known_as: what the peer
    calls us."""
    if context not in ({gw.zero, gw.pub} if gw.has_pub
                       else {gw.zero, known_as}):
        return None
    return gw.own_local if ref == gw.own_ref else gw.host_of.get(ref)


def theirs_by_ref(gw, context, ref, peer):
    context = peer if context == gw.zero else context
    if gw.has_pub and (context, ref) == (gw.pub, gw.own_ref):
        return gw.own_local
    return gw.ea_of.get((context, ref))


def arriving_icmp(gw, p, depth, length):
    """The local form of a piece of ICMP at offset 0."""
    b = p.payload
    kind = ARRIVING[gw.local].get((b[0], b[1]))
    if kind is None:
        raise Fault("icmp_type", *(("icmp_fragment",) if p.mf else ()))
    if (b[0], b[1]) not in TUNNEL_ERRORS:
        if gw.local == 4:
            return echo(b, kind, 0)
        if length is None:
            length = len(b) if whole(p) else 0
            if not length:
                raise Fault("echo_waits", ask="whole")
        return echo(b, kind, residue(pseudo(p.src, p.dst, ICMP6, length)))
    if p.mf:
        raise Fault("icmp_fragment")
    faults, mtu = set(), get16(b, 6) if kind in ((3, 4), (2, 0)) else None
    head, frag = 20, False
    if depth >= LEVELS:
        inner, loose = cut_here()
    else:
        try:
            inner, loose, head, frag = arriving_quote(gw, b[8 : 8 + QUOTE],
                                                      depth + 1, p.context)
        except Fault:
            faults.add("icmp_inner")
            head = UNKNOWN  # so a small MTU may be a fault or not
    if mtu is not None and mtu <= head:
        faults.add("icmp_mtu")
    if faults:
        raise Fault(*faults)
    if mtu is not None:
        mtu = told_mtu(gw, mtu - head, frag)
    return quoting(kind, mtu or 0, gw.local == 6, inner, loose, False)


def arriving_quote(gw, b, depth, context):
    """An IPREF packet in an ICMP error that arrives: it had left. context: the
    peer's address and what it calls us."""
    faults, h = ipref_faults(b, gw.tunnel, quoted=True)
    if faults or h is None:
        raise Fault("icmp_inner")
    if depth % 2 == 0:
        src = ours_by_ref(gw, h.src_gw, h.src_ref, context[1])
        dst = theirs_by_ref(gw, h.dst_gw, h.dst_ref, context[0])
    else:
        src = theirs_by_ref(gw, h.src_gw, h.src_ref, context[0])
        dst = ours_by_ref(gw, h.dst_gw, h.dst_ref, context[1])
    if src is None or dst is None or h.proto in NOT_ARRIVING:
        raise Fault("icmp_inner")
    p = as_packet(h, src, dst)
    p.context = context
    if p.proto == ICMP and p.off == 0 and len(p.payload) >= 4:
        payload, loose = quoted_icmp(gw, p, depth, arriving_icmp, ARRIVING)
    else:
        payload, loose = readdress(p, b"", p.src + p.dst, False)
        if p.proto in (UDP, UDPLITE) and p.off == 0 and len(
                p.payload) >= 8 and get16(p.payload, 6) == 0:
            loose.any.append((6, 2))
    data, size = local_packet(gw, p, h, payload, 0)
    moved = loose.shifted(size)
    if gw.local == 4 and not h.frag:
        moved.any += [(4, 2), (10, 2)]
    return data, moved, len(h.header()), h.frag


def as_packet(h, src, dst):
    p = Packet()
    p.src, p.dst, p.ttl, p.proto, p.df = src, dst, h.ttl, h.proto, h.df
    p.frag, p.off, p.mf, p.ident = h.frag, h.off, h.mf, h.ident
    p.payload, p.claimed = h.payload, len(h.payload)
    return p


def local_packet(gw, p, h, payload, tos):
    """(bytes, where layer 4 begins)"""
    if gw.local == 4:
        return ip4(p.src, p.dst, p.proto, payload, p.ttl, tos,
                   h.ident & 0xffff if h.frag else 0, h.df, h.mf, h.off), 20
    proto = ICMP6 if p.proto == ICMP else p.proto
    fragment = (h.off, h.mf, h.ident) if h.frag else None
    return (ip6(p.src, p.dst, proto, payload, p.ttl, tos, 0, (), fragment),
            48 if h.frag else 40)


def peer_reply(gw, h, b, p, kind):
    may = may_answer(0, p)
    if may is False:
        return None
    # The quoted packet with its contexts filled in, the rest as it came.
    at = 12 if h.frag else 4
    quote = b[:at] + h.src_gw + gw.pub
    quote = (quote + b[len(quote) :])[:QUOTE]
    message = bytes(kind) + bytes(6) + quote[: len(quote) & ~1]
    head = Ipref(gw.pub, h.src_gw, gw.own_ref, h.src_ref, ICMP).header()
    loose = Loose()
    return Out(seal(head + message, len(head), loose), loose, peer=h.src_gw,
               may=may is None or h.src_ref == 0)  # is 0 a host?


def computed_udp(gw, p, payload):
    """An IPv6 host has no use for a UDP datagram without a checksum."""
    if (p.proto == UDP and gw.local == 6 and p.off == 0
            and get16(payload, 6) == 0):
        if p.mf:
            raise Fault("udp_no_sum")  # RFC 7915, 4.5
        value = field(pseudo(p.src, p.dst, UDP, len(payload)) + payload)
        return put16(payload, 6, value or 0xffff)
    return payload


def decap(gw, sender, b, tos=0, length=0):
    faults, h = ipref_faults(b, gw.tunnel)
    if faults:
        return Expect(drops={label: None for label in faults})
    known_as = h.dst_gw
    contexts = set()
    if h.src_gw == gw.zero:
        h.src_gw = sender
    elif h.src_gw != sender:
        contexts.add("src_context")
    if gw.has_pub and h.dst_gw not in (gw.zero, gw.pub):
        contexts.add("dst_context")
    if contexts:
        bad = set() if global_unicast(sender) else {"peer_not_unicast"}
        return Expect(drops={label: None for label in contexts | bad})
    if not global_unicast(h.src_gw):
        return Expect(drops={"peer_not_unicast": None}, peer_ok=None)
    own = gw.has_pub and (h.src_gw, h.src_ref) == (gw.pub, gw.own_ref)
    src = gw.own_local if own else gw.ea_of.get((h.src_gw, h.src_ref))
    dst = (gw.own_local if h.dst_ref == gw.own_ref
           else gw.host_of.get(h.dst_ref))
    blank = bytes(4 if gw.local == 4 else 16)
    p = as_packet(h, src or blank, dst or blank)
    p.context = (h.src_gw, known_as)
    drops, ask = {}, None
    if dst is None:
        drops["ref_unknown"] = peer_reply(gw, h, b, p, (3, 0))
    if gw.dec_ttl and h.ttl <= 1:
        drops["ttl_exceeded"] = peer_reply(gw, h, b, p, (11, 0))
    try:
        check(p, NOT_ARRIVING)
        if p.proto == ICMP and p.off == 0:
            payload, loose = arriving_icmp(
                gw, p, 1, length if length and p.mf else None)
        else:
            payload, loose = readdress(p, b"", p.src + p.dst, False)
            payload = computed_udp(gw, p, payload)
    except Fault as f:
        ask = f.ask
        drops.update({label: None for label in f.labels})
    if drops:
        if ask and len(drops) > 1:
            drops.pop("echo_waits")
            ask = None
        elif ask and src is None:
            drops["ea_refused"], ask = None, WAITS
        return note_echo(gw, Expect(drops=drops, ask=ask, peer_ok=True), p)
    if src is None:
        return Expect(drops={"ea_refused": None}, peer_ok=True,
                      ask=("ea", h.src_gw, h.src_ref))
    if gw.dec_ttl:
        p.ttl -= 1
    data, at = local_packet(gw, p, h, payload, tos)
    moved = loose.shifted(at)
    if gw.local == 4 and not h.frag and not h.df:
        moved.any += [(4, 2), (10, 2)]
    if p.proto == ICMP and p.off == 0 and (p.payload[0], p.payload[1]
                                           ) in TUNNEL_ERRORS:
        prefix = b"" if gw.local == 4 else pseudo(p.src, p.dst, ICMP6,
                                                  len(payload))
        data = seal(data, at, moved, prefix)
    if len(data) - (0 if gw.local == 4 else 40) > 65535:
        return Expect(drops={"no_room": None}, peer_ok=True)
    used = (None if own else src, None if dst == gw.own_local else dst)
    e = Expect(Out(data, moved, self_=own), peer_ok=True, used=used,
               either=loose.either)
    e.header = h
    return note_echo(gw, e, p)
