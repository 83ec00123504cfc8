#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds for gwd's fuzzers, out of the captured packets.

    seeds.py TUNNEL.TXT OUT     OUT/FUZZER/NAME for each vector, and some for
                                what no vector has
"""
import os
import struct
import sys

# gateway.h
V6, LOCAL_V6, NO_PUBLIC, DEC_TTL = 1, 2, 4, 8
# fuzz_merge.c
SUM, NEXT, UDP_LEN, FLUSH, TOS, LEN = 1, 2, 4, 8, 16, 32
PEERS = ("192.0.2.2", "2001:db8:2::2")


def blocks(path):
    block = []
    for line in open(path):
        line = line.rstrip("\n")
        if line.startswith("#"):
            continue
        if line:
            key, _, value = line.partition(" ")
            block.append((key, value))
        elif block:
            yield block
            block = []
    if block:
        yield block


def flags(settings):
    f = (V6 if settings["tunnel"] == "6" else 0) | \
        (LOCAL_V6 if settings["local"] == "6" else 0)
    if settings["public"] in ("0.0.0.0", "::"):
        f |= NO_PUBLIC
    if settings["dec-ttl"] == "1":
        f |= DEC_TTL
    return f


class Seeds:
    def __init__(self, out):
        self.out = out

    def put(self, fuzzer, name, data):
        folder = os.path.join(self.out, fuzzer)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name.replace("/", "-")), "wb") as f:
            f.write(data)

    def vectors(self, path):
        known = {}
        for block in blocks(path):
            first = dict(reversed(block))  # the first of each key
            if "settings" in first:
                known[first["settings"]] = flags(first)
            elif "vector" in first:
                self.vector(first["vector"], known[first["set"]], block)

    def super(self, name, f, packet):
        """As a superpacket of segments of 10 bytes, when it is one of IPv4
        without options, or of IPv6."""
        v6 = packet[0] >> 4 == 6
        proto, l4 = (packet[6], 40) if v6 else (packet[9], 20)
        kind, field = {6: (4 if v6 else 1, 16), 17: (5, 6)}.get(proto, (0, 0))
        if kind:
            vnet = struct.pack("=BBHHHH", 1, kind, 0, 10, l4, field)
            self.put("super", name, bytes((f,)) + vnet + packet)

    def vector(self, name, f, block):
        for i, (key, value) in enumerate(block):
            n = f"{name}-{i}"
            if key == "in-local":
                packet = bytes.fromhex(value)
                self.put("encap", n, bytes((f,)) + packet)
                self.super(n, f, packet)
                # fuzz_pmtu: settings, path MTU, local MTU
                self.put("pmtu", n, struct.pack(">BHH", f, 1400, 1280) + packet)
                # fuzz_trace: settings, way, length; then a filter
                self.put("trace", n, struct.pack(">BBH", f, 0, len(packet)) +
                         packet + b"address=192.168.77.10&protocol=tcp")
            elif key == "in-tunnel":
                peer, _, packet = value.split(" ")
                packet = bytes.fromhex(packet)
                if peer in PEERS:
                    self.put("decap", n, bytes((f,)) + packet)
                    if len(packet) < 256:
                        self.put("merge", n, bytes((f,)) + fresh(0, packet))
                self.put("header", n, packet)
                self.put("trace", n, struct.pack(">BBH", f, 1, len(packet)) +
                         packet + b"gw=192.0.2.2&ref=33&drops=1&direction=in")


def fresh(how, packet):
    """A step of fuzz_merge: a datagram of its own."""
    n = len(packet)
    return struct.pack(">BBH", how, n, n) + packet


def follows(how, at=0, change=b""):
    """What follows the last one in its flow, changed from byte `at` on, or, with
    LEN, of that length."""
    return struct.pack(">BBH", how | NEXT, len(change), at) + change


def merge(seeds):
    """fuzz_merge: whole, damaged, longer and shorter, with PSH, in another
    class, of flows in turn."""
    right = SUM | UDP_LEN
    ends = bytes((192, 0, 2, 2, 192, 0, 2, 1)) + struct.pack(">II", 33, 2576)
    tcp = struct.pack(">HHIIBBHHH", 7, 80, 1, 2, 5 << 4, 0x10, 99, 0, 0)
    udp = struct.pack(">HHHH", 7, 53, 0, 0)
    for proto, l4 in (6, tcp), (17, udp):
        for df in 0, 1:
            packet = bytes((0x10 | df, 0x40, 64, proto)) + ends + l4 + \
                bytes(range(40))
            other = packet[:20] + b"\1" + packet[21:]
            n, flags = len(packet), 20 + 13
            two = fresh(right, packet) + follows(right)
            for name, steps in {
                "three": two + follows(right),
                "shorter": two + follows(right | LEN, n - 3) + follows(right),
                "longer": two + follows(right | LEN, n + 3) + follows(right),
                "damaged": two + follows(right) + follows(0, n - 2, b"\1"),
                "first": fresh(right, packet[:-1] + b"\xff") +
                follows(0, n - 2, b"\1") + follows(right),
                "pushed": two + follows(right, flags, b"\x08") +
                follows(right, flags, b"\x08"),
                "class": two + follows(right | TOS) + follows(right),
                "turns": two + fresh(right, other) + fresh(right, packet) +
                fresh(right, other) + fresh(right, packet),
                "batches": two + follows(right | FLUSH) + follows(right),
                "many": two + follows(right) * 80,
                "large": fresh(right, packet) + follows(right | LEN, 9000) +
                follows(right) * 9,
            }.items():
                for f in 0, LOCAL_V6:
                    seeds.put("merge", f"{name}-{proto}-{df}-{f}",
                              bytes((f,)) + steps)


def mss(seeds):
    """fuzz_mss: settings, MSS, path MTU; a SYN."""
    ports = struct.pack(">HHIIBBHHH", 1000, 80, 1, 0, 10 << 4, 2, 8192, 7, 0)
    for name, options in {
        "first": bytes((2, 4, 5, 180)) + bytes(16),
        "odd": bytes((1, 2, 4, 5, 180, 1, 1, 1)) + bytes(12),
        "twice": bytes((2, 4, 5, 180, 1, 2, 4, 5, 180)) + bytes(11),
        "cut": bytes((1,)) * 18 + bytes((2, 4)),
    }.items():
        seeds.put("mss", name, struct.pack(">BHH", 0, 1300, 1500) + ports +
                  options + b"data")


def held(seeds):
    """fuzz_held: what and way, who, which message, length or time."""
    first, last, time = 0, 4, 6
    for name, steps in {
        "in-order": ((first, 1, 1, 1400), (last, 1, 1, 3000)),
        "late": ((last, 1, 1, 3000), (first, 1, 1, 1400)),
        "in": ((first | 1, 1, 1, 1400), (last | 1, 1, 1, 3000)),
        "expired": ((first, 1, 1, 1400), (time, 0, 0, 1999)),
        "many": tuple((first, n // 8, n, 1400) for n in range(100)),
    }.items():
        seeds.put("held", name,
                  b"".join(struct.pack(">BBBH", *s) for s in steps))


def peers_text(seeds):
    """fuzz_peers_text: version; a line of the state file, or of settings."""
    for i, line in enumerate((
            "peer 198.51.100.7 port 1045 to 192.0.2.1 heard 1763918000",
            "peer 198.51.100.7 port 1045 to - heard 1763918000",
            "path 198.51.100.7 mtu 1400 until 1763918400",
            "198.51.100.7 port=1045 mtu=1400 ref=7 tos keep-alive=30")):
        seeds.put("peers_text", str(i), b"\0" + line.encode())
        line = line.replace("198.51.100.7", "2001:db8::7")
        line = line.replace("192.0.2.1", "2001:db8::1")
        seeds.put("peers_text", f"{i}-6", b"\1" + line.encode())


def icmp(seeds):
    """fuzz_icmp: settings, direction, levels; of each level a message's row and
    MTU, ends, form; then what is innermost."""
    for f in range(4):
        for out in (0, 1):
            for levels in range(5):
                for row in (3, 4, 5, 7):
                    head = bytes((f, out, levels))
                    level = struct.pack(">BHBBB", row, 1400, 0, 0, 0)
                    udp = struct.pack(">BBHHHH", 17, 0, 1000, 53, 40, 7)
                    seeds.put("icmp", f"{f}-{out}-{levels}-{row}",
                              head + level * levels + udp + bytes(32))


# --- fuzz_feed ----------------------------------------------------------------

PACKET, ANSWER, REFUSE, TIME_OUT, UP, DOWN, TIME, ASK, CARRY = range(9)
FEED_SET, FEED_DEL, FEED_AT = 33, 34, 35
STORE = 0x1122334455667788
FULL, CHANGES = 0, 1
TENTATIVE = 2


def step(what, n, data=b""):
    return struct.pack(">BH", what, n) + data


def message(cmd, body=b""):
    """DATA of the mapper protocol, IPv4 both; an answer's header is put right."""
    return struct.pack(">BBHBBH", 0x11, cmd, 0, 0x44, 0,
                       (8 + len(body)) // 4) + body


def packet(cmd, body):
    data = message(cmd, body)
    return step(PACKET, len(data), data)


def answer(body=b"", what=ANSWER, nth=0):
    data = message(0, body)
    return step(what, nth << 12 | len(data), data)


def arec(n, remote=True):
    if remote:
        ends = bytes((10, 240, 1, n, 0, 0, 0, 0, 198, 51, 100, 1))
    else:
        ends = bytes((0, 0, 0, 0, 192, 168, 84, n, 192, 0, 2, 1))
    return ends + n.to_bytes(16, "big")


def change(cmd, revision, *entries, flags=0):
    body = struct.pack(">Q", revision)
    for n in entries:
        body += struct.pack(">IIQ", flags, 0, n % 3) + arec(n, n < 100)
    return packet(cmd, body)


def at(revision):
    return packet(FEED_AT, struct.pack(">QQ", STORE, revision))


def started(revision, kind):
    return answer(struct.pack(">QQI", STORE, revision, kind))


def feed(seeds):
    follow = step(UP, 0) + started(5, FULL) + \
        change(FEED_SET, 5, 1, 2, 3, 101, 102) + at(5) + answer()
    mark = struct.pack(">II", 1, 9)
    tentative = struct.pack(">II", 3, 9)
    proved = step(CARRY, 7) + step(CARRY, 6) + step(CARRY, 7) + \
        step(TIME, 2001) + answer()
    again = step(DOWN, 0) + step(UP, 0)
    for name, steps in {
        "follow": follow,
        "changes": change(FEED_SET, 6, 4) + change(FEED_DEL, 7, 1) + at(7),
        "gap": change(FEED_SET, 8, 4),
        "gap-at": at(9),
        "again": again + started(6, CHANGES) + change(FEED_SET, 6, 4) + at(6),
        "another-copy": again + started(9, FULL) + change(FEED_SET, 9, 2) +
        at(9),
        "refused": again + answer(struct.pack(">BB", 4, 2) + b"no",
                                  REFUSE),
        "silence": step(TIME, 4 * 16),
        "time-out": again + step(TIME_OUT, 0),
        "ask": step(ASK, 4 * 4) + answer(mark + arec(4)),
        "ask-ref": step(ASK, 103 * 4 + 1) + answer(mark + arec(103, False)),
        "ask-ea": step(ASK, 4 * 4 + 2) + answer(mark + arec(4)),
        "ask-refused": step(ASK, 4 * 4 + 2) + answer(what=REFUSE),
        "tentative": step(ASK, 3 * 4 + 2) + answer(tentative + arec(3)),
        "proved": change(FEED_SET, 5, 3, flags=TENTATIVE) + proved,
        "held": change(FEED_SET, 5, 3, flags=TENTATIVE) + again +
        answer(arec(3)) + started(5, CHANGES) + at(5),
    }.items():
        seeds.put("feed", name, (b"" if name == "follow" else follow) + steps)


def main():
    vectors, out = sys.argv[1:]
    seeds = Seeds(out)
    seeds.vectors(vectors)
    merge(seeds)
    mss(seeds)
    held(seeds)
    peers_text(seeds)
    icmp(seeds)
    feed(seeds)


if __name__ == "__main__":
    main()
