# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases: a table of versions x protocols x fragments x options x sizes,
each row leaving one gateway and, as what the model makes of it, arriving at
another one of any local version; then ICMP errors, faults, and IPREF packets
that no gateway of ours would send."""

import itertools
import random

from arriving import decap
from icmp import leaving_error, tunnel_error
from leaving import encap
from packets import (ECHO, FRAGMENTS, OPTIONS4, OPTIONS6, PROTOCOLS, REFUSED,
                     SUMS, ip_packet, layer4, piece, syn)
from sites import FOREIGN_REF, OTHER, REFS, SECOND_REF, THIRD, plus
from sizes import clamp, deliver, send
from wire import ICMP, Ipref, addr, ip4, ip6, ref_len, text

TTLS = [64] * 6 + [0, 1, 2, 255]
VERSIONS = list(itertools.product((4, 6), (4, 6)))


class Case:
    """A packet for a gateway, and what should come of it."""

    def __init__(self, site, kind, data, expect, line, clean=False):
        self.site, self.kind, self.data = site, kind, data
        self.expect, self.line, self.clean = expect, line, clean
        self.leaves = line.startswith("encap")
        self.length = int(line.split(" ")[2])
        self.pieces = self.too_big = None


def leaves(site, kind, data, length=0, clean=False, path=0, local=0):
    """path, local: MTUs, 0 if they are no matter."""
    case = Case(site, kind, data, encap(site, data, length),
                f"encap 7 {length} {path} {local} {data.hex() or '-'}", clean)
    if path and case.expect.out:
        p, out = case.expect.packet, case.expect.out
        if local:
            p.payload = clamp(site, p, p.payload, path, local, True)
            out.data = p.pack()
        case.pieces, case.too_big = send(site, case.expect, path)
    return case


def arrives(site, kind, data, sender, length=0, tos=0, clean=False, path=0,
            local=0):
    case = Case(site, kind, data, decap(site, sender, data, tos, length),
                f"decap 7 {length} {path} {local} {tos} {text(sender)} "
                f"{data.hex() or '-'}", clean)
    if local and case.expect.out:
        out, p = case.expect.out, case.expect.header
        if path:
            at = len(out.data) - len(p.payload)
            out.data = out.data[:at] + clamp(site, p, out.data[at:], path,
                                             local, False)
        case.pieces = deliver(site, case.expect, local)
    return case


class Generator:
    def __init__(self, seed, sites):
        self.rng, self.sites = random.Random(seed), sites

    def site(self, side, local, tunnel):
        return self.sites[side, local, tunnel,
                          self.rng.choice(["", "", "t", "n", "r"])]

    def across(self, site, case):
        """The packet that left site in case, where it arrives."""
        if not case.expect.out:
            return []
        far = self.site(site.far, self.rng.choice((4, 6)), site.tunnel)
        if case.expect.out.peer != far.address:
            return []
        length = case.length
        return [arrives(far, case.kind + " from IPv%d" % site.local,
                        case.expect.out.data, site.address,
                        length or self.echo_length(case),
                        self.rng.choice([0, 0, self.rng.randrange(256)]),
                        case.clean)]

    def echo_length(self, case):
        """Mostly known, sometimes not."""
        length = getattr(case, "whole", 0)
        return length if self.rng.random() < 0.8 else 0

    def table(self):
        """The product of all that a packet is made of."""
        rng = self.rng
        for (local, tunnel), proto, fragment, size in itertools.product(
                VERSIONS, PROTOCOLS, FRAGMENTS,
                ("least", "odd", "1280", "1500")):
            for option in OPTIONS4 if local == 4 else OPTIONS6:
                if option != "none" and size in ("1280", "1500"):
                    continue
                yield from self.row(local, tunnel, proto, fragment, option,
                                    size)
        for (local, tunnel), proto, fragment, size in itertools.product(
                VERSIONS, PROTOCOLS, ("whole", "atomic", "first", "high"),
                ("9000", "65535")):
            if size == "9000" or rng.random() < 0.3:
                yield from self.row(local, tunnel, proto, fragment, "none",
                                    size)

    def row(self, local, tunnel, proto, fragment, option, size):
        rng = self.rng
        site = self.site(rng.choice("AB"), local, tunnel)
        kind = rng.choice(SUMS)
        src, dst = rng.choice(site.ips), rng.choice(site.eas)
        data, whole, clean = ip_packet(rng, local, src, dst, proto, fragment,
                                       option, size, kind, rng.choice(TTLS))
        name = f"table {proto} {fragment} {option} {size} sum {kind}"
        known = whole if rng.random() < 0.8 else 0
        first = fragment == "first" and local == 6 and proto == ECHO
        case = leaves(site, name, data, known if first else 0, clean)
        case.whole = whole
        yield case
        yield from self.across(site, case)

    def sizes(self, count):
        """Around the MTU of the path."""
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), *rng.choice(VERSIONS))
            mtu = rng.choice([576, 600, 1280, 1280, 1400, 1420, 1500, 9000])
            proto = rng.choice([6, 17, ECHO, 132, 200])
            src, dst = rng.choice(site.ips), rng.choice(site.eas)
            fragment = rng.choice(FRAGMENTS[:6])
            wish = rng.choice([mtu, mtu - 28, mtu - 48, 2 * mtu, 1280, 1281,
                               3 * mtu - 100]) + rng.randint(-90, 30)
            data, whole, _ = ip_packet(rng, site.local, src, dst, proto,
                                       fragment, "none", max(wish, 60),
                                       "right", rng.choice([64, 255]))
            yield leaves(site, f"size {wish} on a path of {mtu}, {proto} "
                         f"{fragment}", data, whole if site.local == 6 else 0,
                         path=mtu)

    def host_sizes(self, count):
        """Around the MTU of the way to a local host."""
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), rng.choice((6, 6, 4)),
                             rng.choice((4, 6)))
            mtu = rng.choice([1280, 1280, 1400, 1500])
            wish = rng.choice([mtu, 2 * mtu, 3 * mtu - 100]) + rng.randint(
                -90, 30)
            p, sender, whole = self.tunnel_packet(
                site, rng.choice([6, 17, ECHO, 132]),
                rng.choice(FRAGMENTS[:6]), wish)
            first = p.proto == ICMP and p.mf and not p.off
            yield arrives(site, f"size {wish} for a host behind {mtu}",
                          p.pack(), sender, whole if first else 0,
                          rng.choice([0, 0x2e]), local=mtu)

    def syns(self, count):
        """SYNs with and without a MSS, and what only looks like that."""
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), *rng.choice(VERSIONS))
            path = rng.choice([576, 1280, 1400, 1500, 9000])
            local = rng.choice([1280, 1400, 1416, 1500, 9000])
            name, make = syn(rng)
            if rng.random() < 0.5:
                src, dst = rng.choice(site.ips), rng.choice(site.eas)
                build = ip4 if site.local == 4 else ip6
                yield leaves(site, "leaving " + name,
                             build(src, dst, 6, make(src + dst)), path=path,
                             local=local)
            else:
                sender = addr(THIRD[site.tunnel])
                p = Ipref(sender, site.address, REFS[site.far][0],
                          rng.choice(REFS[site.side]), 6, make(b""))
                yield arrives(site, "arriving " + name, p.pack(), sender,
                              path=path, local=local)

    # --- addresses

    def sources(self, site):
        """{name: a source that is something special}"""
        v4 = site.local == 4
        return {
            "own": site.own_local, "unknown": plus(site.base, 50),
            "foreign": site.foreign, "encoded": site.eas[0],
            "encoded-unknown": plus(site.ea_base, 500),
            "link-local": addr("169.254.7.7" if v4 else "fe80::7"),
            "link-local-high": addr("169.254.255.255" if v4 else "febf::1"),
            "loopback": addr("127.0.0.9" if v4 else "::1"),
            "multicast": addr("224.0.0.9" if v4 else "ff02::9"),
            "unspecified": addr("0.0.0.0" if v4 else "::"),
            **({"broadcast": b"\xff" * 4} if v4 else {}),
        }

    def destinations(self, site):
        v4 = site.local == 4
        return {
            "own": site.own_local, "third": site.third_ea,
            "unknown": plus(site.ea_base, 501), "net-itself": site.net,
            "outside": addr("8.8.8.8" if v4 else "2001:db8:ffff::8"),
            "below": plus(site.net, -1), "host": site.ips[1],
            "multicast": addr("224.0.0.9" if v4 else "ff05::9"),
            "loopback": addr("127.0.0.1" if v4 else "::1"),
            **({"broadcast": b"\xff" * 4} if v4 else {}),
        }

    def addresses(self):
        rng = self.rng
        for (local, tunnel), variant, side in itertools.product(
                VERSIONS, ("", "t", "n", "r"), "AB"):
            site = self.sites[side, local, tunnel, variant]
            good_src = {"host": site.ips[0], "other": site.ips[3]}
            good_dst = {"remote": site.eas[2]}
            pairs = itertools.chain(
                itertools.product(self.sources(site).items(),
                                  {**good_dst, **self.destinations(site)
                                   }.items()),
                itertools.product(good_src.items(),
                                  self.destinations(site).items()))
            for (a, src), (b, dst) in pairs:
                if variant == "n" and (a == "foreign" or b == "own"):
                    continue  # the pages leave these open
                proto = rng.choice([6, 17, ECHO, 132, "echo-reply"])
                fragment = rng.choice(["whole", "first", "last", "whole"])
                option = rng.choice(["none"] * 4 + (
                    ["loose"] if local == 4 else ["routing"]))
                size = rng.choice(["least", "odd", "odd", "1280"])
                data, _, _ = ip_packet(rng, local, src, dst, proto, fragment,
                                       option, size, "right", rng.choice(TTLS))
                case = leaves(site, f"from {a} to {b}, {proto} {fragment}",
                              data)
                yield case
                yield from self.across(site, case)

    # --- what no local host or gateway of ours would send

    def malformed(self, count):
        """Local packets with bytes changed or cut."""
        rng = self.rng
        for _ in range(count):
            local, tunnel = rng.choice(VERSIONS)
            site = self.site(rng.choice("AB"), local, tunnel)
            data, _, _ = ip_packet(
                rng, local, rng.choice(site.ips), rng.choice(site.eas),
                rng.choice([6, 17, ECHO, 47]), rng.choice(FRAGMENTS[:6]),
                rng.choice(list(OPTIONS4 if local == 4 else OPTIONS6)))
            what = rng.choice(["cut", "longer", "version", "length", "header"])
            b = bytearray(data)
            if what == "cut":
                b = b[: rng.randrange(len(b))]
            elif what == "longer":
                b += bytes(rng.randint(1, 9))
            elif what == "version":
                b[0] = b[0] & 15 | rng.choice([0, 1, 5, 15, 10 - local]) << 4
            elif what == "length":
                at = 2 if local == 4 else 4
                b[at : at + 2] = rng.randbytes(2)
            elif local == 4:
                b[0] = 0x40 | rng.randrange(16)
            else:
                b[6] = rng.choice(REFUSED)
            yield leaves(site, "malformed: " + what, bytes(b))

    def short(self, count):
        """A layer 4 that ends early, whole or in fragments, also where it would
        have been answered."""
        rng = self.rng
        for _ in range(count):
            site = self.sites[rng.choice("AB"), *rng.choice(VERSIONS),
                              rng.choice(["", "t"])]
            proto = rng.choice([6, 17, 33, 136, ECHO, 132])
            src = rng.choice(site.ips)
            dst = rng.choice(site.eas + [plus(site.ea_base, 501),
                                         addr("8.8.8.8") if site.local == 4
                                         else addr("2001:db8:ffff::8")])
            number, b = layer4(rng, proto, src, dst, 40)
            off, mf = rng.choice([(0, False)] * 3 + [(0, True), (8, False),
                                                     (16, False), (24, True)])
            b = b[off : off + rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17,
                                          18])]
            ttl = rng.choice([64, 1, 0])
            if site.local == 4:
                data = ip4(src, dst, number, b, ttl, mf=mf, off=off)
            else:
                data = ip6(src, dst, number, b, ttl,
                           fragment=(off, mf, 1) if off or mf else None)
            yield leaves(site, f"short {proto} at {off}", data)
            sender = addr(THIRD[site.tunnel])
            p = Ipref(sender, site.address, REFS[site.far][0],
                      rng.choice([REFS[site.side][0], 0x777]),
                      ICMP if proto == ECHO else number, b, ttl, False,
                      bool(off or mf), off, mf)
            yield arrives(site, f"short {proto} at {off} arriving", p.pack(),
                          sender)

    def refused(self):
        """Protocols that are not carried, in whole packets and fragments."""
        rng = self.rng
        for (local, tunnel), proto, fragment in itertools.product(
                VERSIONS, REFUSED, ("whole", "first", "last")):
            site = self.site(rng.choice("AB"), local, tunnel)
            if local == 4:
                data, _, _ = ip_packet(rng, 4, site.ips[0], site.eas[0], proto,
                                       fragment)
                yield leaves(site, f"protocol {proto} {fragment}", data)
            payload = rng.randbytes(64)
            frag = fragment != "whole"
            p = Ipref(addr(THIRD[tunnel]), site.address,
                      REFS[site.far][0], REFS[site.side][0], proto, payload,
                      frag=frag, mf=fragment == "first",
                      off=64 if fragment == "last" else 0)
            yield arrives(site, f"protocol {proto} {fragment} arriving",
                          p.pack(), addr(THIRD[tunnel]))

    def tunnel_packet(self, site, proto=None, fragment=None, size=None):
        """(Ipref, sender, length of all of layer 4) for a host of site."""
        rng = self.rng
        proto = proto or rng.choice(PROTOCOLS)
        fragment = fragment or rng.choice(FRAGMENTS)
        number, b = layer4(rng, proto, b"", b"", size or rng.randint(0, 200),
                           rng.choice(SUMS))
        off, mf, df, frag, part = piece(rng, fragment, b, True)
        sender = addr(THIRD[site.tunnel])
        p = Ipref(sender, site.address, REFS[site.far][0],
                  rng.choice(REFS[site.side] + [SECOND_REF[site.side]]), number,
                  part, rng.choice(TTLS), df,
                  frag or rng.random() < 0.1, off, mf, rng.randrange(1 << 32))
        if not p.frag:
            p.ident = 0
        return p, sender, len(b)

    def tunnel_kind(self, site, p, sender):
        """Changes something of p; its name and the sender then."""
        rng = self.rng
        other = addr(OTHER[site.tunnel])
        kind = rng.choice([
            "plain", "source zero", "destination zero", "both zero",
            "source context", "destination context", "long references",
            "own destination", "own source", "unknown source", "unknown both",
            "unknown destination", "foreign destination", "no unicast",
            "own context"])
        if kind in ("source zero", "both zero"):
            p.src_gw = bytes(len(p.src_gw))
        if kind in ("destination zero", "both zero"):
            p.dst_gw = bytes(len(p.dst_gw))
        if kind == "source context":
            p.src_gw = other
        if kind == "destination context":
            p.dst_gw = other
        if kind == "long references":
            p.length = max(rng.choice([8, 16]), ref_len(p.src_ref),
                           ref_len(p.dst_ref))
        if kind == "own destination":
            p.dst_ref = site.own_ref
        if kind == "own source" and site.has_pub:
            p.src_gw = sender = site.pub
            p.src_ref = site.own_ref
        if kind == "own context":
            p.src_gw = sender = site.address
        if kind in ("unknown source", "unknown both"):
            p.src_ref = rng.getrandbits(rng.choice([20, 50, 128]))
        if kind in ("unknown destination", "unknown both"):
            p.dst_ref = rng.getrandbits(rng.choice([20, 50, 128])) | 0x10000
        if kind == "foreign destination":
            p.dst_ref = FOREIGN_REF[site.side]
        if kind == "no unicast":
            p.src_gw = sender = addr(rng.choice(
                ["127.0.0.1", "224.0.0.5", "169.254.1.1", "255.255.255.255"]
                if site.tunnel == 4 else ["::1", "ff02::1", "fe80::1"]))
        return kind, sender

    def tunnel(self, count):
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), *rng.choice(VERSIONS))
            p, sender, whole = self.tunnel_packet(site)
            kind, sender = self.tunnel_kind(site, p, sender)
            known = whole if rng.random() < 0.7 else 0
            first = p.proto == ICMP and p.mf and not p.off
            yield arrives(site, f"tunnel: {kind}, {p.proto}", p.pack(), sender,
                          known if first else 0,
                          rng.choice([0, 0, rng.randrange(256)]))

    def bad_tunnel(self, count):
        """IPREF packets with a header that is none, or cut."""
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), *rng.choice(VERSIONS))
            p, sender, _ = self.tunnel_packet(site)
            b = bytearray(p.pack())
            what = rng.choice(["cut", "version", "rl", "ipver", "nibble",
                               "zeros", "bits", "unaligned", "any"])
            if what == "cut":
                b = b[: rng.randrange(len(b))]
            elif what == "version":
                b[0] = b[0] & 15 | rng.choice([0, 2, 3, 15]) << 4
            elif what == "rl":
                b[0] |= 12
            elif what == "ipver":
                b[1] = rng.choice([0, 5, 15, 10 - site.tunnel]) << 4
            elif what == "nibble":
                b[1] |= rng.randint(1, 15)
            elif what in ("zeros", "bits"):
                p.frag = True
                b = bytearray(p.pack())
                at = rng.choice([4, 5]) if what == "zeros" else 7
                b[at] |= rng.choice([1, 255]) if at < 7 else rng.choice(
                    [2, 4, 6])
            elif what == "unaligned":
                p.frag = p.mf = True
                b = bytearray(p.pack() + b"\0" * (1 + -len(p.payload) % 8))
            else:
                b[rng.randrange(4)] = rng.randrange(256)
            yield arrives(site, "bad tunnel packet: " + what, bytes(b), sender)

    # --- ICMP

    def errors(self, count):
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), *rng.choice(VERSIONS))
            name, data = leaving_error(rng, site)
            case = leaves(site, "error: " + name, data)
            yield case
            yield from self.across(site, case)

    def tunnel_errors(self, count):
        rng = self.rng
        for _ in range(count):
            site = self.site(rng.choice("AB"), *rng.choice(VERSIONS))
            name, data, sender = tunnel_error(rng, site)
            yield arrives(site, "error arriving: " + name, data, sender)

    def all(self, scale=1.0):
        n = lambda count: max(1, int(count * scale))
        yield from self.table()
        yield from self.sizes(n(4000))
        yield from self.host_sizes(n(2000))
        yield from self.syns(n(3000))
        yield from self.addresses()
        yield from self.refused()
        yield from self.short(n(2500))
        yield from self.malformed(n(3000))
        yield from self.tunnel(n(6000))
        yield from self.bad_tunnel(n(3000))
        yield from self.errors(n(6000))
        yield from self.tunnel_errors(n(5000))
