# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbered datagrams at a steady pace, and what becomes of them.

    receive VER PORT                     until SIGTERM; then tells how many came, how
                                         many later than one sent after them, how
                                         many twice, and the most lost in a row
    send ADDR PORT FLOWS RATE SECONDS    from FLOWS ports, each RATE a second, until
                                         then or SIGTERM

Order and gaps are those of each flow alone. What a sender did not get to in time it
sends later, at once: a machine that stands still loses nothing by it."""
import select
import signal
import socket
import struct
import sys
import time

SO_RCVBUFFORCE = 33
TICK = 0.001
ROOM = 1000000          # numbers of a flow
FORM = struct.Struct("!II")
SIZE = 200


def udp(ver):
    family = socket.AF_INET6 if int(ver) == 6 else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    return s


def numbered(flow, number):
    return FORM.pack(flow, number).ljust(SIZE, b".")


class Flow:
    def __init__(self):
        self.came = bytearray(ROOM)
        self.last = -1
        self.n = self.late = self.twice = 0

    def take(self, number):
        self.n += 1
        self.twice += self.came[number]
        self.late += number < self.last
        self.came[number] = 1
        self.last = max(self.last, number)

    def hole(self):
        """The most in a row that did not come, of those before the last."""
        return max(map(len, self.came[:self.last + 1].split(b"\1")))


def receive(ver, port):
    flows, ending = {}, []
    s = udp(ver)
    s.bind(("", int(port)))
    s.settimeout(0.1)
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    print("ready", flush=True)
    while True:
        try:
            data = s.recv(65535)
        except TimeoutError:
            if ending:
                break
            continue
        flow, number = FORM.unpack_from(data)
        if len(data) != SIZE or number >= ROOM:
            sys.exit(f"{len(data)} bytes that nobody sent")
        flows.setdefault(flow, Flow()).take(number)
    for name in ("n", "late", "twice"):
        print(name, sum(getattr(f, name) for f in flows.values()))
    print("hole", max((f.hole() for f in flows.values()), default=ROOM))


def send(addr, port, flows, rate, seconds):
    socks, ending = [udp(6 if ":" in addr else 4) for _ in range(int(flows))], []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    for s in socks:
        s.connect((addr, int(port)))
    start, now, number = time.monotonic(), 0, 0
    print("ready", flush=True)
    while now < float(seconds) and not ending:
        now = time.monotonic() - start
        while number < min(now * int(rate), ROOM):
            for flow, s in enumerate(socks):
                try:
                    s.send(numbered(flow, number))
                except OSError:
                    pass  # what an ICMP error says of one before; a hole
            number += 1
        select.select([], [], [], TICK)
    print("sent", number * len(socks))


if __name__ == "__main__":
    {f.__name__: f for f in (receive, send)}[sys.argv[1]](*sys.argv[2:])
