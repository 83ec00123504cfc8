# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP for the end-to-end tests, over IPv4 and IPv6.

    echo VER PORT                   answers each datagram with itself
    sizes ADDR PORT SIZES           each comes back as it went
    df ADDR PORT MTU SIZES          the same with DF: those that fit the MTU; the
                                    others are refused, and that MTU is told
    refused ADDR PORT               ECONNREFUSED reaches the socket
    nosum ADDR PORT SIZES           sent without a checksum
    burst ADDR PORT N LO HI SEED    N datagrams at once: what comes back is right;
                                    prints how many came
    trace ADDR                      who answers at each hop

SIZES: N and FIRST-LAST of payloads. DF takes IPv6 datagrams as they are, too:
they are not fragmented then."""
import errno
import random
import select
import socket
import struct
import sys
import time

TRIES = 4               # a datagram may be lost while a path MTU is learned
IP_RECVERR, IPV6_RECVERR = 11, 25
SO_NO_CHECK, SO_RCVBUFFORCE = 11, 33
UDP_NO_CHECK6_TX = 101
DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}
DONT, DO = 0, 2
HEADERS = {4: 28, 6: 48}


def version(addr):
    return 6 if ":" in addr else 4


def udp(ver, discover=DONT):
    family = socket.AF_INET6 if ver == 6 else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(*DISCOVER[ver], discover)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    return s


def echo(ver, port):
    s = udp(int(ver))
    s.bind(("", int(port)))
    print("ready")
    while True:
        data, peer = s.recvfrom(65535)
        try:
            s.sendto(data, peer)
        except OSError as e:
            print(f"{len(data)} bytes to {peer}: {e}")


def sizes_of(args):
    for arg in args:
        first, _, last = arg.partition("-")
        yield from range(int(first), int(last or first) + 1)


def answered(s, data, timeout=0.7):
    """Waits for data; anything else is another datagram's late answer, unless
    its bytes are wrong."""
    end = time.monotonic() + timeout
    while select.select([s], [], [], max(0, end - time.monotonic()))[0]:
        got = s.recv(65535)
        if got == data:
            return True
        if got != payload(len(got)):
            sys.exit(f"{len(got)} bytes came back changed")
    return False


def payload(size):
    return random.Random(size).randbytes(size)


def exchange(s, size):
    """How often it had to be sent; 0: refused as too big."""
    data = payload(size)
    for i in range(TRIES):
        try:
            s.send(data)
            if answered(s, data):
                return i + 1
        except OSError as e:
            if e.errno != errno.EMSGSIZE:
                raise
            return 0
    sys.exit(f"{size} bytes don't come back")


def sizes(addr, port, *args):
    s = udp(version(addr))
    s.connect((addr, int(port)))
    again = n = 0
    for size in sizes_of(args):
        tries = exchange(s, size)
        if not tries:
            sys.exit(f"{size} bytes are refused")
        again += tries - 1
        n += 1
    print(f"{n} sizes, {again} sent again")
    # Each end learns one path MTU, and it may fall twice.
    if again > 4:
        sys.exit("too many were lost")


def df(addr, port, mtu, *args):
    ver = version(addr)
    s = udp(ver, DO)
    s.connect((addr, int(port)))
    limit = int(mtu) - HEADERS[ver]
    for size in sizes_of(args):
        fits = exchange(s, size) > 0
        if fits != (size <= limit):
            sys.exit(f"{size} bytes " + ("pass" if fits else "are refused"))
    told = s.getsockopt(*MTU[ver])
    if told != int(mtu):
        sys.exit(f"an MTU of {told} is told")


def refused(addr, port):
    s = udp(version(addr))
    s.connect((addr, int(port)))
    s.settimeout(1)
    for _ in range(TRIES):
        try:
            s.send(b"anybody?")
            s.recv(100)
        except ConnectionRefusedError:
            print("refused")
            return
        except TimeoutError:
            continue
    sys.exit("no error arrives")


def nosum(addr, port, *args):
    s = udp(version(addr))
    if version(addr) == 4:
        s.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    else:
        s.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
    s.connect((addr, int(port)))
    for size in sizes_of(args):
        exchange(s, size)


def numbered(seed, i, lo, hi):
    r = random.Random(seed * 1000003 + i)
    return struct.pack("!I", i) + r.randbytes(r.randint(lo, hi))


def burst(addr, port, *args):
    n, lo, hi, seed = map(int, args)
    s = udp(version(addr))
    s.connect((addr, int(port)))
    came = set()

    def take(timeout):
        while select.select([s], [], [], timeout)[0]:
            got = s.recv(65535)
            i = struct.unpack_from("!I", got)[0] if len(got) >= 4 else n
            if i >= n or got != numbered(seed, i, lo, hi):
                sys.exit(f"{len(got)} bytes came back changed")
            came.add(i)

    for i in range(n):
        s.send(numbered(seed, i, lo, hi))
        take(0.001)
    take(1.5)
    print(len(came))


def hop(s, ver, addr, ttl):
    """Who says that the packet has come to its end there."""
    level = socket.IPPROTO_IP if ver == 4 else socket.IPPROTO_IPV6
    hops = socket.IP_TTL if ver == 4 else socket.IPV6_UNICAST_HOPS
    s.setsockopt(level, hops, ttl)
    for i in range(TRIES):
        s.sendto(b"?" * 32, (addr, 33434 + ttl))
        if not select.select([s], [], [], 1)[0]:
            continue
        _, cmsgs, _, _ = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
        for _, _, data in cmsgs:
            # struct sock_extended_err, then the offender's socket address
            if ver == 4:
                return socket.inet_ntop(socket.AF_INET, data[20:24])
            return socket.inet_ntop(socket.AF_INET6, data[24:40])
    return "*"


def trace(addr):
    ver = version(addr)
    s = udp(ver)
    if ver == 4:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    path = []
    for ttl in range(1, 9):
        path.append(hop(s, ver, addr, ttl))
        if path[-1] == addr:
            break
    print(" ".join(path))


if __name__ == "__main__":
    {f.__name__: f for f in (echo, sizes, df, refused, nosum, burst, trace)}[
        sys.argv[1]](*sys.argv[2:])
