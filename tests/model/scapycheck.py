# SPDX-License-Identifier: GPL-2.0-or-later
"""A second opinion about the bytes that the model works with: scapy takes local
packets apart and reckons their lengths and checksums anew."""

import logging

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.packet import Padding  # noqa: E402

KNOWN = {1, 6, 17, 58}  # protocols whose sums scapy reckons
SUMS = ("chksum", "cksum")


def again(data):
    """data with what scapy can reckon of IP and layer 4 reckoned by it. None: it
    takes a part for padding, as of quotes that end in the middle of UDP."""
    p = (IP if data[0] >> 4 == 4 else IPv6)(data)
    if Padding in p:
        return None
    layer = p
    for _ in range(3):  # IP, perhaps a fragment header, layer 4
        for name in SUMS + ("len", "plen"):
            if name in layer.fields:
                delattr(layer, name)
        sealed = any(f.name in SUMS for f in layer.fields_desc)
        if not layer.payload or (sealed and not isinstance(layer, IP)):
            break
        layer = layer.payload
    return bytes(p)


def local_packets(case):
    """Packets of the case whose sums ought to be right: into the core and, as
    expected, out of it."""
    if case.clean:
        yield case.data if case.leaves else case.expect.out and (
            case.expect.out.data)
    outs = [out for out in case.expect.drops.values() if out]
    if not case.leaves and case.expect.out and case.expect.out.loose.sums:
        outs = [case.expect.out]
    for out in outs:
        if case.leaves or out is case.expect.out:
            yield out.data


def check(cases):
    """(verified, wrong)"""
    verified = wrong = 0
    for case in cases:
        for data in local_packets(case):
            if not data or len(data) > 2000 or data[
                    9 if data[0] >> 4 == 4 else 6] not in KNOWN:
                continue
            other = again(data)
            if other is None:
                continue
            verified += 1
            if other != data:
                wrong += 1
                print(f"scapy disagrees: {case.kind}\n  {data.hex()}\n  "
                      f"{other.hex()}")
    return verified, wrong
