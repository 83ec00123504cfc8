# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel's netem would do, where it has none: packets of the tunnel that
the kernel routes into the TUN device relay0 come out again later, twice, in another
order, changed, or not at all. Other packets pass at once.

    lab_relay.py SEED [loss=P] [twice=P] [changed=P] [delay=MS] [late=P:MS]

P in percent; late: that many wait up to so much longer, which is what disorders
them. changed: another byte in the latter half of so many of those of more than 400
bytes, under a checksum of UDP that is right. Ends at SIGTERM, saying what it did."""
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
PORT = 1045
UDP = 17


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF,
                struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def of_tunnel(p):
    if p[0] >> 4 == 4:
        proto, at = p[9], (p[0] & 15) * 4
    else:
        proto, at = p[6], 40
    return proto == UDP and PORT in struct.unpack_from("!HH", p, at)


class Fate:
    def __init__(self, seed, args):
        self.random = random.Random(seed)
        self.loss = self.twice = self.changed = 0.0
        self.delay = self.late = self.longer = 0.0
        for arg in args:
            name, value = arg.split("=")
            if name == "late":
                self.late, self.longer = map(float, value.split(":"))
            else:
                setattr(self, name, float(value))
        self.counts = dict.fromkeys(("passed", "lost", "twice", "late",
                                     "changed"), 0)

    def happens(self, percent):
        return self.random.random() * 100 < percent

    def waits(self):
        """How long each copy of the next packet waits, in ms."""
        if self.happens(self.loss):
            self.counts["lost"] += 1
            return
        self.counts["passed"] += 1
        copies = 2 if self.happens(self.twice) else 1
        self.counts["twice"] += copies - 1
        for _ in range(copies):
            wait = self.delay
            if self.happens(self.late):
                self.counts["late"] += 1
                wait += self.random.uniform(0, self.longer)
            yield wait


    def change(self, p):
        if len(p) <= 400 or not self.happens(self.changed):
            return p
        self.counts["changed"] += 1
        p = bytearray(p)
        p[self.random.randrange(len(p) // 2, len(p))] ^= 0x55
        at, addrs = ((p[0] & 15) * 4, p[12:20]) if p[0] >> 4 == 4 else \
            (40, p[8:40])
        p[at + 6:at + 8] = bytes(2)
        pseudo = addrs + struct.pack("!HH", len(p) - at, UDP)
        struct.pack_into("!H", p, at + 6, checksum(pseudo + p[at:]) or 0xFFFF)
        return bytes(p)


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def run(fd, fate):
    queue, n = [], 0
    while True:
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            os.write(fd, heapq.heappop(queue)[2])
        timeout = max(0, queue[0][0] - now) if queue else None
        if not select.select([fd], [], [], timeout)[0]:
            continue
        p = os.read(fd, 65535)
        now = time.monotonic()
        ours = of_tunnel(p)
        p = fate.change(p) if ours else p
        for wait in fate.waits() if ours else (0.0,):
            n += 1
            heapq.heappush(queue, (now + wait / 1000, n, p))


def main():
    fate = Fate(int(sys.argv[1]), sys.argv[2:])
    fd = open_tun("relay0")

    def end(*_):
        print(fate.counts)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready")
    run(fd, fate)


if __name__ == "__main__":
    main()
