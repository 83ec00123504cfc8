# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what a gateway gave is what the model expects."""

from wire import field, get16


# Drops of which something may be asked.
ASKING = {"echo_waits", "src_unknown", "dst_unknown", "ea_refused"}


def blank(data, places):
    out = bytearray(data)
    for at, n in places:
        out[at : at + n] = bytes(n)
    return bytes(out)


def same_bytes(out, data):
    """None, or how data differs from what is expected."""
    want, loose = out.data, out.loose
    if len(want) != len(data):
        return f"{len(data)} bytes instead of {len(want)}"
    for at in loose.mod:
        if get16(want, at) % 65535 != get16(data, at) % 65535 and not any(
                a == at for a, _ in loose.any):
            return f"checksum at {at}"
    for at, prefix in loose.sums:
        plain = data[at : at + 2] + b"\0\0" + data[at + 4 :]
        if field(prefix + plain) != get16(data, at + 2):
            return f"checksum of the ICMP message at {at}"
    for at, n in loose.any:
        if n == 2 and at == 10 and data[:1] == b"E" and field(
                blank(data[:20], [(10, 2)])) != get16(data, 10):
            return "checksum of the IP header"
    places = loose.any + [(at, 2) for at in loose.mod] + [
        (at + 2, 2) for at, _ in loose.sums]
    a, b = blank(want, places), blank(data, places)
    if a == b:
        return None
    at = next(i for i in range(len(a)) if a[i] != b[i])
    return f"another byte {at}"


def same_ask(want, got):
    if want is None:
        return got.ask == "-"
    if isinstance(want, str):
        return got.ask == want
    if isinstance(want, set):
        return got.ask in want
    kind, addr, ref = want
    return got.ask == kind and got.addr == addr and (
        ref is None or got.ref == ref)


def same_reply(out, got, side):
    """out: the answer expected, or None."""
    if got.reply == "-":
        return None if out is None or out.may else "no answer"
    if out is None:
        return "an answer that should not be"
    if got.reply != side:
        return f"answer to {got.reply}"
    if side == "peer" and got.peer != out.peer:
        return "answer to another peer"
    if got.from_self != (side == "local"):
        return f"answer with from_self {got.from_self}"
    return same_bytes(out, got.data)


def sent(case, got):
    """The same for a packet on a path that is too small for it."""
    if got.label == "too_big":
        if case.pieces:
            return "dropped as too_big instead of split"
        return same_reply(case.too_big, got, "local")
    if case.pieces == []:
        return f"carried ({got.label}) instead of too_big"
    if got.label != "-" or len(got.pieces) != len(case.pieces):
        return f"{len(got.pieces)} pieces instead of {len(case.pieces)}"
    for i, (a, b) in enumerate(zip(case.pieces, got.pieces)):
        if a != b:
            return f"another piece {i}"
    return None


def same_echo(expect, got):
    """Whether an echo that waits, or whose length is known now, is named."""
    if got.label == "-" and got.whole != expect.whole:
        return False
    if got.label == "echo_waits" or got.label == "-" and expect.whole:
        return got.echo == expect.echo
    return True


def differs(case, got):
    """None, or in words what is wrong with an outcome."""
    expect, leaves = case.expect, case.leaves
    if not same_echo(expect, got):
        return "another echo, or another length of it"
    if case.pieces is not None and case.pieces != [expect.out.data]:
        return sent(case, got)
    if expect.peer_ok is not None and not leaves and (
            expect.peer_ok != got.peer_ok):
        return f"peer_ok is {got.peer_ok}"
    if got.label == "-":
        if expect.out is None:
            if expect.either:
                return None
            return "carried instead of " + "/".join(sorted(expect.drops))
        if got.ask != "-" or got.reply != "-":
            return "carried, and asks or answers"
        if leaves and got.peer != expect.out.peer:
            return "to another peer"
        if not leaves and got.from_self != expect.out.from_self:
            return f"from_self is {got.from_self}"
        if leaves and expect.tos != got.tos:
            return f"tos is {got.tos}"
        if leaves and got.mtu_of not in ((b"",) if not expect.mtu_of else (
                expect.mtu_of[0],)) or (expect.mtu_of
                                        and got.mtu != expect.mtu_of[1]):
            return f"MTU of a local host: {got.mtu_of.hex()} {got.mtu}"
        if expect.used is not None and tuple(expect.used) != got.used:
            return "entries used are others"
        return same_bytes(expect.out, got.data)
    if expect.either and (not expect.drops or got.label in expect.drops):
        return None
    if got.label not in expect.drops:
        return (f"dropped as {got.label} instead of "
                + ("/".join(sorted(expect.drops)) or "carried"))
    if not same_ask(expect.ask if got.label in ASKING else None, got):
        return f"asks {got.ask} instead of {expect.ask}"
    return same_reply(expect.drops[got.label], got,
                      "local" if leaves else "peer")
