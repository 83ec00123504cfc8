# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic that an attack must not disturb.

    serve VER PORT              TCP: what comes goes back, forever
    watch ADDR PORT COMMAND     pings and a TCP connection to that server, while
                                COMMAND, a shell's, is run 3 times; fails when one
                                ping is not answered, a byte comes back changed,
                                or TCP is slower than 80 % meanwhile

How the rates are compared: the connection is paced by its ends to far less than
the machine can do, so what other work the processors have does not show; the attack
comes and goes within one connection, and each time with it is compared with the
times right before and after. The median of these ratios counts: a machine that
stands still for a moment makes one of them wrong, an attack that works all."""
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

RATE = 1000000          # bytes per second, each way
TICK = 0.02
PING_EVERY = 0.05
QUIET = 1               # seconds
ROUNDS = 3
PATIENCE = 3            # for the last answers
LONGEST = 120           # a test takes a third of it
PATTERN = bytes(i * 7 % 251 for i in range(251 * 400))


def family(ver):
    return socket.AF_INET6 if ver == 6 else socket.AF_INET


def serve_one(s):
    try:
        while True:
            data = s.recv(1 << 16)
            if not data:
                break
            s.sendall(data)
    except OSError as e:
        print(e)
    s.close()


def serve(ver, port):
    listener = socket.socket(family(int(ver)), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", int(port)))
    listener.listen(8)
    print("ready")
    while True:
        s, _ = listener.accept()
        threading.Thread(target=serve_one, args=(s,), daemon=True).start()


class Pings:
    """Echo requests, one every PING_EVERY seconds, and their answers."""
    def __init__(self, addr):
        self.v6 = ":" in addr
        proto = socket.IPPROTO_ICMPV6 if self.v6 else socket.IPPROTO_ICMP
        self.s = socket.socket(family(6 if self.v6 else 4), socket.SOCK_RAW,
                               proto)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.s.connect((addr, 0))
        self.ident = os.getpid() & 0xFFFF
        self.sent, self.worst = {}, 0
        self.n = 0
        self.next = time.monotonic()

    def request(self, seq):
        kind = 128 if self.v6 else 8
        head = struct.pack("!BBHHH", kind, 0, 0, self.ident, seq)
        if self.v6:
            return head  # the kernel makes the checksum
        total = sum(struct.unpack("!4H", head))
        total = (total & 0xFFFF) + (total >> 16)
        return head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:]

    def take(self):
        answer = 129 if self.v6 else 0
        while select.select([self.s], [], [], 0)[0]:
            got = self.s.recv(65535)
            if not self.v6:
                got = got[(got[0] & 15) * 4:]
            kind, _, _, ident, seq = struct.unpack_from("!BBHHH", got)
            if kind == answer and ident == self.ident and seq in self.sent:
                took = time.monotonic() - self.sent.pop(seq)
                self.worst = max(self.worst, took)

    def tick(self, now):
        self.take()
        if now >= self.next:
            self.next += PING_EVERY
            self.n += 1
            self.sent[self.n] = time.monotonic()
            self.s.send(self.request(self.n))


class Flow:
    """Bytes of a pattern to the server and back."""
    def __init__(self, addr, port):
        self.s = socket.create_connection((addr, int(port)), timeout=10)
        self.s.setblocking(False)
        self.out = self.back = 0  # bytes
        self.start = time.monotonic()
        self.changed = False

    def tick(self, now):
        due = int((now - self.start) * RATE) - self.out
        while due > 0:
            at = self.out % len(PATTERN)
            try:
                n = self.s.send(PATTERN[at:at + due])
            except BlockingIOError:
                break
            self.out += n
            due -= n
        while True:
            at = self.back % len(PATTERN)
            try:
                data = self.s.recv(len(PATTERN) - at)
            except BlockingIOError:
                break
            if not data:
                sys.exit("the connection ended")
            if data != PATTERN[at:at + len(data)]:
                sys.exit("what comes back is not what was sent")
            self.back += len(data)


class Traffic(threading.Thread):
    def __init__(self, addr, port):
        super().__init__(daemon=True)
        self.pings, self.flow = Pings(addr), Flow(addr, port)
        self.stopping, self.failure = False, None

    def run(self):
        limit = time.monotonic() + LONGEST
        try:
            while not self.stopping:
                now = time.monotonic()
                if now > limit:
                    sys.exit(f"nobody ended the traffic in {LONGEST} s")
                self.flow.tick(now)
                self.pings.tick(now)
                time.sleep(TICK)  # the pace of what is sent
        except (OSError, SystemExit) as e:
            self.failure = e

    def end(self):
        self.stopping = True
        self.join()
        end = time.monotonic() + PATIENCE
        while self.pings.sent and time.monotonic() < end:
            self.pings.take()
            time.sleep(TICK)
        if self.failure:
            sys.exit(f"traffic: {self.failure}")


def rate(flow, action):
    """Bytes per second that come back during it."""
    began, had = time.monotonic(), flow.back
    action()
    return (flow.back - had) / (time.monotonic() - began)


def watch(addr, port, command):
    def pause():
        time.sleep(QUIET)

    def attack():
        subprocess.run(["sh", "-c", command], timeout=60, check=True,
                       stdin=subprocess.DEVNULL)

    t = Traffic(addr, port)
    t.start()
    pause()  # mappings, path MTUs
    without, during = [rate(t.flow, pause)], []
    for _ in range(ROUNDS):
        during.append(rate(t.flow, attack))
        without.append(rate(t.flow, pause))
    t.end()
    lost = len(t.pings.sent)
    ratio = statistics.median(
        2 * d / (before + after)
        for before, d, after in zip(without, during, without[1:]))
    quiet = statistics.median(without)
    print(f"TCP: {quiet / 1000:.0f} kB/s, with the attack "
          f"{ratio * 100:.0f} % of it; pings: {t.pings.n}, {lost} lost, "
          f"the slowest took {t.pings.worst * 1000:.0f} ms")
    if lost:
        sys.exit("pings are lost")
    if quiet < RATE / 2:
        sys.exit("TCP is slow without any attack")
    if ratio < 0.8:
        sys.exit("TCP is slower")


if __name__ == "__main__":
    {f.__name__: f for f in (serve, watch)}[sys.argv[1]](*sys.argv[2:])
