# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP for the end-to-end tests, over IPv4 and IPv6.

    serve VER PORT [WINDOW]             forever; WINDOW: bytes on their way at most,
                                        to each end of a connection
    both ADDR PORT BYTES [RATE [S]]     BYTES to the server, then as many from it,
                                        each with a checksum; RATE: at most so many
                                        bytes per second; S: no longer than so many
                                        seconds without progress (default 15)
    many ADDR PORT N BYTES WINDOW       the same by N connections at once
    syns VER PORT                       tells the segment size of each SYN"""
import hashlib
import os
import socket
import struct
import sys
import threading

SO_MAX_PACING_RATE = 47
BLOCK = 1 << 18
DIGEST = hashlib.sha256().digest_size


def family(ver):
    return socket.AF_INET6 if int(ver) == 6 else socket.AF_INET


def send(s, n):
    """n bytes that nobody sent before, and their checksum."""
    h = hashlib.sha256()
    base = os.urandom(BLOCK)
    while n:
        data = struct.pack("!Q", n) + base
        data = data[:min(n, BLOCK)]
        s.sendall(data)
        h.update(data)
        n -= len(data)
    s.sendall(h.digest())


def take(s, n):
    data = bytearray(n)
    view, have = memoryview(data), 0
    while have < n:
        got = s.recv_into(view[have:])
        if not got:
            raise EOFError(f"ends after {have} of {n} bytes")
        have += got
    return data


def receive(s, n):
    h = hashlib.sha256()
    while n:
        data = take(s, min(n, BLOCK))
        h.update(data)
        n -= len(data)
    return take(s, DIGEST) == h.digest()


def serve_one(s, peer):
    s.settimeout(60)
    try:
        n, rate = struct.unpack("!QQ", take(s, 16))
        if rate:
            s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        s.sendall(b"\1" if receive(s, n) else b"\0")
        send(s, n)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
    except (OSError, EOFError) as e:
        print(f"{peer}: {e}")
    s.close()


def limit(s, window):
    """Before it connects. Half of a receive buffer is for bytes."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(window))


def serve(ver, port, window=0):
    listener = socket.socket(family(ver), socket.SOCK_STREAM)
    if window:
        limit(listener, window)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", int(port)))
    listener.listen(64)
    print("ready")
    while True:
        s, peer = listener.accept()
        threading.Thread(target=serve_one, args=(s, peer), daemon=True).start()


def connect(addr, port, patience, window=0):
    s = socket.socket(family(6 if ":" in addr else 4), socket.SOCK_STREAM)
    s.settimeout(int(patience))
    if window:
        limit(s, window)
    s.connect((addr, int(port)))
    return s


def both(addr, port, n, rate=0, patience=15, window=0):
    n, rate = int(n), int(rate)
    s = connect(addr, port, patience, window)
    if rate:
        s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
    print("connected", flush=True)
    s.sendall(struct.pack("!QQ", n, rate))
    send(s, n)
    if take(s, 1) != b"\1":
        sys.exit("what was sent arrived changed")
    if not receive(s, n):
        sys.exit("what arrived had been changed")
    s.shutdown(socket.SHUT_WR)
    print("complete")


def many(addr, port, connections, n, window):
    failures = []

    def one():
        try:
            both(addr, port, n, window=window)
        except (OSError, EOFError, SystemExit) as e:
            failures.append(str(e))

    threads = [threading.Thread(target=one) for _ in range(int(connections))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    sys.exit("\n".join(failures) or None)


def segment_size(options):
    while options and options[0]:
        if options[0] == 1:
            options = options[1:]
            continue
        if options[0] == 2:
            return struct.unpack_from("!H", options, 2)[0]
        options = options[max(2, options[1]):]
    return None


def syns(ver, port):
    s = socket.socket(family(ver), socket.SOCK_RAW, socket.IPPROTO_TCP)
    print("ready")
    while True:
        p = s.recv(65535)
        if int(ver) == 4:
            p = p[(p[0] & 15) * 4:]
        if struct.unpack_from("!H", p, 2)[0] == int(port) and p[13] & 0x12 == 2:
            print("mss", segment_size(p[20:(p[12] >> 4) * 4]))


if __name__ == "__main__":
    {f.__name__: f for f in (serve, both, many, syns)}[sys.argv[1]](*sys.argv[2:])
