# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the model against the captured packets of tests/vectors/: it has to be
right about those before it may say anything about the gateway."""

import pathlib

from arriving import decap
from compare import same_bytes
from expect import Gateway
from leaving import encap
from wire import addr

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"
# Sizes and a mapper's answers are no part of the model.
BEYOND = ("too-big", "source-unknown", "unknown-source", "local-path-mtu",
          "port-learned-back")


def blocks(name):
    block = []
    for line in (VECTORS / name).read_text().split("\n"):
        if line.startswith("#"):
            continue
        if line:
            key, _, value = line.partition(" ")
            block.append((key, value))
        elif block:
            yield block
            block = []


def gateway(block):
    get = dict(block)
    rows = lambda key: [(addr(a), addr(g), int(r, 16)) for a, g, r in
                        (v.split() for k, v in block if k == key)]
    net, bits = get["encode-net"].split("/")
    return Gateway(get["settings"], int(get["local"]), int(get["tunnel"]),
                         addr(get["public"]), addr(get["own-local"]),
                         int(get["own-ref"], 16), addr(net), int(bits),
                         get["dec-ttl"] == "1", rows("map-local"),
                         rows("map-remote"))


def expect(gw, key, value):
    if key == "in-local":
        return encap(gw, bytes.fromhex(value.replace("-", "")))
    sender, _, data = value.split(" ")
    return decap(gw, addr(sender), bytes.fromhex(data.replace("-", "")))


def outputs(e):
    """The outputs that may come of an expectation."""
    outs = [e.out] if e.out else []
    for out in e.drops.values():
        outs += [out] if out else []
    return outs


def matches(gw, name, block, outs, vary):
    got = [(k, v) for k, v in outs if k in ("out-local", "out-tunnel")]
    ins = [(k, v) for k, v in block if k.startswith("in-")]
    if len(ins) != 1:
        return True
    e = expect(gw, *ins[0])
    if not got:
        return not e.out or e.either
    data = bytes.fromhex(got[0][1].split(" ")[-1])
    why = "nothing expected"
    for out in outputs(e):
        places = [(int(v.split()[1]), int(v.split()[2])) for _, v in vary
                  if v.split()[0] == "0"]
        out.loose.any += places
        out.loose.sums = [s for s in out.loose.sums
                          if (s[0] + 2, 2) not in places]
        why = same_bytes(out, data)
        if why is None:
            return True
    print(f"vector {name}: {why}\n  captured {data.hex()}")
    for out in outputs(e):
        print(f"  expected {out.data.hex()}")
    return False


def check():
    """(agreeing, disagreeing) vectors."""
    gateways, good, bad = {}, 0, 0
    ours = {b[0][1]: b for b in blocks("tunnel-ours.txt")}
    for block in blocks("tunnel.txt"):
        if block[0][0] == "settings":
            gateways[block[0][1]] = gateway(block)
            continue
        get, name = dict(block), block[0][1]
        kind = name.split("/")[2]
        mine = ours.get(name)
        if any(part in kind for part in BEYOND) and "icmp" not in kind:
            continue
        # Deployed gateways get the sum of odd ICMP errors wrong, says the page.
        odd = kind.endswith("-odd") and kind[:3] in ("icm", "unk")
        if ("differs" in get or odd) and not mine:
            continue
        source = mine or block
        vary = [(k, v) for k, v in source if k == "vary"]
        if matches(gateways[get["set"]], name, block, source, vary):
            good += 1
        else:
            bad += 1
            print(f"model disagrees with vector {name}")
    return good, bad


if __name__ == "__main__":
    print("%d vectors agree, %d do not" % check())
