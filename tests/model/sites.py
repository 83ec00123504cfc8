# SPDX-License-Identifier: GPL-2.0-or-later
"""The gateways of the test: two networks, A and B, each with gateways of every
pair of IP versions that know each other's hosts by the same references, so that
a packet that left any gateway of A arrives at any of B with its tunnel version.
Variants of each: t counts TTL down, n has no public address, r a long reference
of its own."""

import itertools

from expect import Gateway
from wire import addr, text

# Every wire form, alone and mixed: 24 bits, 56 bits, with R0, all 16 bytes.
REFS = {
    "A": [0xa10, 0x123456789a0b11, 0x123456789abcdef01122334455660c12,
          0xab << 120 | 0xd13, 0xcd << 120 | 0x778899aabb0e14, 0xffffff,
          1 << 24, (1 << 56) - 1, 1 << 56],
    "B": [0x21, 0x456789abcdef01, 0xfedcba9876543210fedcba9876543210,
          0xff << 120 | 0xffffff, 0x80 << 120 | (1 << 56) - 1, 1 << 112,
          1 << 24, 2, (1 << 128) - 1],
}
SECOND_REF = {"A": 0xffff0a10, "B": 0xffff0021}  # of each one's first host
FOREIGN_REF = {"A": 0xf0a, "B": 0xf0b}  # of a host at another context
LONG_OWN = {"A": 0x1111222233334444555566667777000a,
            "B": 0x1111222233334444555566667777000b}
PUB = {("A", 4): "192.0.2.1", ("B", 4): "192.0.2.2",
       ("A", 6): "2001:db8:2::1", ("B", 6): "2001:db8:2::2"}
THIRD = {4: "198.51.100.3", 6: "2001:db8:3::3"}  # a peer of both
OTHER = {4: "203.0.113.7", 6: "2001:db8:7::7"}  # a context of nobody here
NET = {("A", 4): ("10.240.0.0", 12), ("A", 6): ("fd00:240::", 64),
       ("B", 4): ("172.20.0.0", 16), ("B", 6): ("fd00:b240::", 64)}
HOST = {("A", 4): "192.168.77.0", ("A", 6): "fd00:77::",
        ("B", 4): "10.9.8.0", ("B", 6): "fd00:99::"}


def plus(base, n):
    return (int.from_bytes(base, "big") + n).to_bytes(len(base), "big")


class Site(Gateway):
    """A gateway with what the generator has to know besides."""

    def __init__(self, side, local, tunnel, variant):
        self.side, self.far = side, "B" if side == "A" else "A"
        self.variant = variant
        self.address = addr(PUB[side, tunnel])  # under which peers know it
        net, bits = NET[side, local]
        net, base = addr(net), addr(HOST[side, local])
        own = LONG_OWN[side] if variant == "r" else 1
        context = self.address if variant != "n" else bytes(
            len(self.address))
        other, third = addr(OTHER[tunnel]), addr(THIRD[tunnel])
        self.ips = [plus(base, 10 + i) for i in range(len(REFS[side]))]
        hosts = [(ip, None, ref) for ip, ref in zip(self.ips, REFS[side])]
        hosts.append((self.ips[0], None, SECOND_REF[side]))
        self.foreign = plus(base, 99)
        hosts.append((self.foreign, other, FOREIGN_REF[side]))
        peer = addr(PUB[self.far, tunnel])
        refs = REFS[self.far] + [SECOND_REF[self.far], 1, LONG_OWN[self.far]]
        ea = plus(net, 0x100)
        remotes = [(plus(ea, 10 + i), peer, ref) for i, ref in enumerate(refs)]
        self.eas = [ea for ea, _, _ in remotes[: len(REFS[self.far])]]
        self.third_ea = plus(ea, 77)
        remotes.append((self.third_ea, third, REFS[self.far][0]))
        self.base, self.ea_base = base, ea
        super().__init__(f"{side}{local}{tunnel}{variant}", local, tunnel,
                         context, plus(net, 1), own, net, bits, variant == "t",
                         hosts, remotes)

    def settings(self):
        rows = [("settings", self.name), ("local", self.local),
                ("tunnel", self.tunnel), ("public", text(self.pub)),
                ("own-local", text(self.own_local)),
                ("own-ref", "%032x" % self.own_ref),
                ("encode-net", f"{text(self.net)}/{self.bits}"),
                ("uplink-mtu", 1500), ("tun-mtu", 1400),
                ("dec-ttl", int(self.dec_ttl))]
        rows += [("map-local", f"{text(ip)} {text(gw or self.zero)} {ref:032x}")
                 for ip, gw, ref in self.hosts]
        rows += [("map-remote", f"{text(ea)} {text(gw)} {ref:032x}")
                 for ea, gw, ref in self.remotes]
        return "".join(f"{k} {v}\n" for k, v in rows) + "\n"


def all_sites():
    """{(side, local, tunnel, variant): Site}"""
    return {key: Site(*key) for key in
            itertools.product("AB", (4, 6), (4, 6), ("", "t", "n", "r"))}
