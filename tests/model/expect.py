# SPDX-License-Identifier: GPL-2.0-or-later
"""What can become of a packet, as the model says it; and what the model knows
of a gateway."""


class Fault(Exception):
    """A packet that is not carried: label, or labels that name it as well."""

    def __init__(self, *labels, ask=None):
        super().__init__(labels)
        self.labels, self.ask = set(labels), ask


class Loose:
    """Bytes of an output that the pages leave open, and sums to verify. either:
    they also leave open whether there is an output."""

    def __init__(self, either=False):
        self.any, self.mod, self.sums = [], [], []
        self.either = either

    def shifted(self, by):
        moved = Loose(self.either)
        moved.any = [(at + by, n) for at, n in self.any]
        moved.mod = [at + by for at in self.mod]
        return moved


class Out:
    """A packet that is expected. may: it may as well be missing."""

    def __init__(self, data, loose, peer=None, self_=False, may=False):
        self.data, self.loose, self.may = data, loose, may
        self.peer, self.from_self = peer, self_


class Expect:
    """One of the faults in drops: {label: Out or None}, or `out`."""

    def __init__(self, out=None, drops=None, ask=None, peer_ok=False,
                 used=None, either=False):
        self.out, self.drops, self.ask = out, drops or {}, ask
        self.peer_ok, self.used, self.either = peer_ok, used, either
        self.mtu_of = self.tos = self.echo = None
        self.whole = 0


class Gateway:
    """Settings and mappings. hosts: (ip, context or None for ours, ref);
    remotes: (ea, gw, ref)."""

    def __init__(self, name, local, tunnel, pub, own_local, own_ref, net, bits,
                 dec_ttl, hosts, remotes):
        self.name, self.local, self.tunnel = name, local, tunnel
        self.pub, self.own_local, self.own_ref = pub, own_local, own_ref
        self.net, self.bits, self.dec_ttl = net, bits, dec_ttl
        self.hosts, self.remotes = hosts, remotes
        self.zero = bytes(len(pub))
        self.has_pub = pub != self.zero
        ours = [(ip, ref) for ip, gw, ref in hosts
                if gw in (None, pub) or not self.has_pub]
        self.ref_of = {}
        for ip, ref in ours:
            if ref < self.ref_of.get(ip, 1 << 128):
                self.ref_of[ip] = ref
        self.host_of = {}
        for ip, gw, ref in hosts:  # our own context first
            if gw is None or gw == pub:
                self.host_of[ref] = ip
        for ip, ref in ours:
            self.host_of.setdefault(ref, ip)
        self.remote_of = {ea: (gw, ref) for ea, gw, ref in remotes}
        self.ea_of = {(gw, ref): ea for ea, gw, ref in remotes}

    def encoded(self, a):
        shift = len(a) * 8 - self.bits
        return (len(a) == len(self.net) and int.from_bytes(a, "big") >> shift
                == int.from_bytes(self.net, "big") >> shift)
