# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_forged.py GATEWAY REF SOURCE_REF...: to the host REF behind a gateway, as
if from the gateway itself: a UDP packet from each of the source references."""
import ipaddress
import socket
import struct
import sys

IP_TRANSPARENT = 19
PORT = 1045


def main(gateway, ref, *sources):
    addr = ipaddress.ip_address(gateway)
    family = socket.AF_INET6 if addr.version == 6 else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    s.bind((gateway, PORT))
    for source in sources:
        s.sendto(struct.pack("!BBBB", 0x10, addr.version << 4, 64,
                             socket.IPPROTO_UDP) +
                 addr.packed * 2 + struct.pack("!II", int(source), int(ref)) +
                 struct.pack("!HHHH", 1000, 7, 8, 0), (gateway, PORT))


main(*sys.argv[1:])
