# SPDX-License-Identifier: GPL-2.0-or-later
"""Superpackets: what the kernel cuts on its way out (UDP_SEGMENT), and merges
where somebody wants it merged (UDP_GRO).

    echoed ADDR PORT N SIZE [LAST]      N datagrams of SIZE bytes in one call, and one
                                        of LAST: each comes back as it went
    burst GATEWAY SRC REF udp|tcp PORT N BAD
                                        N datagrams in one call, in the name of the
                                        gateway SRC, from its host REF to REF behind
                                        GATEWAY: a packet each, to PORT, numbered as
                                        lab_stream.py has it. The checksum of number
                                        BAD is wrong (-1: of none)"""
import ipaddress
import os
import select
import socket
import struct
import sys
import time

import lab_stream

UDP_SEGMENT = 103
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
IP_TRANSPARENT = {4: (socket.IPPROTO_IP, 19), 6: (socket.IPPROTO_IPV6, 75)}
PORT, FROM = 1045, 5000
TRIES = 3
ACK = 0x10
DF = 1


def version(addr):
    return ipaddress.ip_address(addr).version


def send_cut(s, pieces):
    """All of one size, but the last, which may be shorter."""
    s.sendmsg(pieces, [(socket.IPPROTO_UDP, UDP_SEGMENT,
                        struct.pack("=H", len(pieces[0])))])


# --- of hosts ---------------------------------------------------------------

def come_back(s, wanted):
    end = time.monotonic() + 2
    while wanted and select.select([s], [], [],
                                   max(0, end - time.monotonic()))[0]:
        got = s.recv(65535)
        if got not in wanted:
            sys.exit(f"{len(got)} bytes come back changed, or twice")
        wanted.remove(got)
    return not wanted


def connected(addr, port):
    """With DF in each packet of IPv4, which the kernel leaves out of such a call."""
    s = lab_stream.udp(version(addr))
    if version(addr) == 4:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    s.connect((addr, int(port)))
    return s


def echoed(addr, port, n, size, last=0):
    s = connected(addr, port)
    sizes = [int(size)] * int(n) + [int(last)] * (int(last) > 0)
    for _ in range(TRIES):
        pieces = [os.urandom(size) for size in sizes]
        send_cut(s, pieces)
        if come_back(s, set(pieces)):
            return
        s = connected(addr, port)
    sys.exit("some don't come back")


# --- of gateways ------------------------------------------------------------

def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def summed(proto, head, at, payload, wrong):
    """Layer 4 with a checksum that leaves the addresses out."""
    size = len(head) + len(payload)
    total = checksum(struct.pack("!HH", size, proto) + head + payload)
    total = (total + wrong) or 0xFFFF
    return head[:at] + struct.pack("!H", total) + head[at + 2:] + payload


def udp_packet(port, payload, wrong):
    head = struct.pack("!HHHH", FROM, port, 8 + len(payload), 0)
    return summed(socket.IPPROTO_UDP, head, 6, payload, wrong)


def tcp_packet(port, payload, wrong):
    seq = 1000 + lab_stream.FORM.unpack_from(payload)[1] * len(payload)
    head = struct.pack("!HHIIBBHHH", FROM, port, seq, 1, 5 << 4, ACK, 1000,
                       0, 0)
    return summed(socket.IPPROTO_TCP, head, 16, payload, wrong)


def burst(gateway, src, ref, kind, port, n, bad):
    ver, ref = version(gateway), int(ref)
    proto, packet = {"udp": (socket.IPPROTO_UDP, udp_packet),
                     "tcp": (socket.IPPROTO_TCP, tcp_packet)}[kind]
    family = socket.AF_INET6 if ver == 6 else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(*IP_TRANSPARENT[ver], 1)
    s.bind((src, PORT))
    s.connect((gateway, PORT))
    head = struct.pack("!BBBB", 0x10 | DF, ver << 4, 64, proto) + \
        ipaddress.ip_address(src).packed + \
        ipaddress.ip_address(gateway).packed + struct.pack("!II", ref, ref)
    send_cut(s, [head + packet(int(port), lab_stream.numbered(0, i),
                               i == int(bad)) for i in range(int(n))])


if __name__ == "__main__":
    {f.__name__: f for f in (echoed, burst)}[sys.argv[1]](*sys.argv[2:])
