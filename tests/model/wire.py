# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes of IP, layer 4 and IPREF packets: sums, headers, references.

Written from spec/tunnel.md and the RFCs alone. A sum is taken modulo 65535
(a packet as one large number; 65536 is 1 there), not word by word, so that it
shares nothing with how the gateway reckons. Addresses are bytes, 4 or 16;
references are integers.
"""

import ipaddress
import struct

TCP, UDP, DCCP, UDPLITE, ICMP, ICMP6 = 6, 17, 33, 136, 1, 58
SCTP, GRE, ESP, AH = 132, 47, 50, 51
NONE59, FRAGMENT, ROUTING, DESTOPT, HOPBYHOP = 59, 44, 43, 60, 0
# Next headers that are IPv6's own, no transport (RFC 8200, 7401, 5533, 6275).
EXTENSIONS = {HOPBYHOP, ROUTING, FRAGMENT, DESTOPT}
NOT_CARRIED = EXTENSIONS | {AH, 135, 139, 140, ICMP6}


def addr(text):
    return ipaddress.ip_address(text).packed


def text(packed):
    return str(ipaddress.ip_address(packed))


def residue(data):
    """Sum of 16-bit words modulo 65535; an odd last byte is an upper half."""
    if len(data) & 1:
        data += b"\0"
    return int.from_bytes(data, "big") % 65535


def field(data):
    """The checksum field of data (its own place in it zero)."""
    return -residue(data) % 65535


def put16(data, at, value):
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def get16(data, at):
    return struct.unpack_from("!H", data, at)[0]


def pseudo(src, dst, proto, length):
    return src + dst + struct.pack("!IBBBB", length, 0, 0, 0, proto)


def global_unicast(a):
    """As concepts.md defines it."""
    ip = ipaddress.ip_address(a)
    return not (ip.is_unspecified or ip.is_loopback or ip.is_link_local
                or ip.is_multicast or a == b"\xff" * 4)


# --- where checksums are ---------------------------------------------------

CHECKSUM_AT = {TCP: 16, UDP: 6, DCCP: 6, UDPLITE: 6}
LAYER4_MIN = {UDP: 8, DCCP: 8, UDPLITE: 8, ICMP: 8}


# --- IP ----------------------------------------------------------------------


def ip4(src, dst, proto, payload, ttl=64, tos=0, ident=0, df=False, mf=False,
        off=0, options=b"", total=None):
    words = 5 + len(options) // 4
    length = words * 4 + len(payload) if total is None else total
    flags = (0x4000 if df else 0) | (0x2000 if mf else 0) | off // 8
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, tos, length & 0xffff,
                       ident, flags, ttl, proto, 0, src, dst) + options
    return put16(head, 10, field(head)) + payload


def fragment_header(proto, off, mf, ident):
    return struct.pack("!BBHI", proto, 0, off | (1 if mf else 0), ident)


def ip6(src, dst, proto, payload, ttl=64, tos=0, flow=0, extensions=(),
        fragment=None, length=None):
    """extensions: (number, bytes without its first) in front of fragment,
    which is (off, mf, ident)."""
    chain = b""
    if fragment:
        chain = fragment_header(proto, *fragment)
        proto = FRAGMENT
    for number, body in reversed(extensions):
        chain = bytes([proto]) + body + chain
        proto = number
    payload = chain + payload
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20 | flow,
                       (len(payload) if length is None else length) & 0xffff,
                       proto, ttl, src, dst) + payload


# --- IPREF -------------------------------------------------------------------


def ref_len(ref):
    rest = ref & ((1 << 120) - 1)
    return 4 if rest < 1 << 24 else 8 if rest < 1 << 56 else 16


def ref_bytes(ref, length):
    full = ref.to_bytes(16, "big")
    return full[:1] + full[16 - length + 1 :] if length < 16 else full


def ref_value(data):
    return int.from_bytes(data[:1] + bytes(16 - len(data)) + data[1:], "big")


class Ipref:
    """An IPREF packet taken apart. length: of each reference, 0: shortest."""

    def __init__(self, src_gw, dst_gw, src_ref, dst_ref, proto, payload=b"",
                 ttl=64, df=False, frag=False, off=0, mf=False, ident=0,
                 length=0):
        self.src_gw, self.dst_gw = src_gw, dst_gw
        self.src_ref, self.dst_ref = src_ref, dst_ref
        self.proto, self.payload, self.ttl = proto, payload, ttl
        self.df, self.frag, self.off = df, frag, off
        self.mf, self.ident, self.length = mf, ident, length

    def header(self):
        n = self.length or max(ref_len(self.src_ref), ref_len(self.dst_ref))
        first = (0x10 | {4: 0, 8: 4, 16: 8}[n] | (2 if self.frag else 0)
                 | (1 if self.df else 0))
        ver = 4 if len(self.src_gw) == 4 else 6
        head = bytes([first, ver << 4, self.ttl, self.proto])
        if self.frag:
            head += struct.pack("!HHI", 0, self.off | (1 if self.mf else 0),
                                self.ident)
        return (head + self.src_gw + self.dst_gw + ref_bytes(self.src_ref, n)
                + ref_bytes(self.dst_ref, n))

    def pack(self):
        return self.header() + self.payload


def ipref_faults(data, tunnel, quoted=False):
    """(faults, Ipref): why a receiver refuses data; nothing: its parts. All
    faults that apply, as the page does not order them."""
    faults = set()
    if len(data) < 20:
        faults.add("tunnel_short")
        if len(data) < 2:
            return faults, None
    first, second = data[0], data[1]
    n = {0: 4, 1: 8, 2: 16}.get(first >> 2 & 3)
    if first >> 4 != 1:
        faults.add("tunnel_version")
    if n is None:
        faults.add("tunnel_ref_len")
    if second >> 4 != tunnel:
        faults.add("tunnel_ipver")
    if second & 15:
        faults.add("tunnel_reserved")
    frag = bool(first & 2)
    if frag and len(data) >= 8:
        if data[4:6] != b"\0\0" or data[7] & 6:
            faults.add("tunnel_reserved")
    if n is None or second >> 4 not in (4, 6):
        return faults, None
    width = 4 if second >> 4 == 4 else 16
    at = 12 if frag else 4
    size = at + 2 * width + 2 * n
    if len(data) < size:
        faults.add("tunnel_short")
        return faults, None
    off = mf = ident = 0
    if frag:
        off, mf = get16(data, 6) & 0xfff8, data[7] & 1
        ident = struct.unpack_from("!I", data, 8)[0]
    refs = at + 2 * width
    p = Ipref(data[at : at + width], data[at + width : refs],
              ref_value(data[refs : refs + n]),
              ref_value(data[refs + n : size]), data[3], data[size:], data[2],
              bool(first & 1), frag, off, bool(mf), ident, n)
    if mf and len(p.payload) % 8 and not quoted:
        faults.add("fragment_unaligned")
    return faults, p
