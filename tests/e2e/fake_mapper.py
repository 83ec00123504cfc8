#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A mapper that answers resolvers, one connection at a time or many.

    fake_mapper.py SOCKET LOG [one]

MC_GET_EA: the ea is 10.245 and the last two bytes of the reference, but for
these references (as 32-bit numbers):
    0x0bad0001  NACK
    0x0bad0002  no answer
    0x0bad0003  an ACK that names another context address
    0x0bad0004  an ACK that names another reference
    0x0bad0005  an ACK with 127.0.0.1
    0x0bad0006  an ACK with the encoding network's first address
LOOKUP_EA: the name asked for before, NACK for an unknown ea. With `one` it is
like a deployed gateway: LOOKUP_EA is not known, and a request that comes while
another is not answered is logged as "two at once". LOG gets a line for each
MC_GET_EA: reference and name.
"""
import os
import select
import selectors
import socket
import struct
import sys

REQ, ACK, NACK = 1 << 6, 2 << 6, 3 << 6
path, log, one = sys.argv[1], open(sys.argv[2], "a"), "one" in sys.argv[3:]
names = {}


def message(mode, cmd, ident, body=b""):
    return struct.pack(
        ">BBHBBH", 0x11, mode | cmd, ident, 0x44, 0, (8 + len(body)) // 4
    ) + body


def get_ea(ident, body):
    gw, ref = body[8:12], body[12:28]
    name = body[30:30 + body[29]].decode() if len(body) > 28 else "-"
    low = int.from_bytes(ref[12:], "big")
    print(f"{low:x} {name}", file=log, flush=True)
    ea = bytes([10, 245]) + ref[14:]
    if low == 0x0BAD0001:
        return message(NACK, 7, ident)
    if low == 0x0BAD0002:
        return None
    if low == 0x0BAD0003:
        gw = bytes([192, 0, 2, 99])
    if low == 0x0BAD0004:
        ref = bytes(15) + b"\x63"
    if low == 0x0BAD0005:
        ea = bytes([127, 0, 0, 1])
    if low == 0x0BAD0006:
        ea = bytes([10, 240, 0, 0])
    names[ea] = (name, gw, ref)
    return message(ACK, 7, ident, ea + bytes(4) + gw + ref)


def lookup_ea(ident, body):
    if body[0:4] not in names:
        return message(NACK, 37, ident)
    name, gw, ref = names[body[0:4]]
    text = bytes([4, len(name)]) + name.encode()
    text += bytes(-len(text) % 4)
    return message(ACK, 37, ident, struct.pack(">II", 1, 1) +
                   body[0:4] + bytes(4) + gw + ref + text)


def answer(packet):
    cmd, ident = packet[1] & 0x3F, struct.unpack(">H", packet[2:4])[0]
    if cmd == 7:
        return get_ea(ident, packet[8:])
    if cmd == 37 and not one:
        return lookup_ea(ident, packet[8:])
    return None


def on_client(sel, conn):
    try:
        packet = conn.recv(65536)
    except OSError:
        packet = b""
    if packet:
        reply = answer(packet)
        if one and reply:
            # A second request now was sent without waiting for our answer.
            if select.select([conn], [], [], 0.05)[0]:
                print("two at once", file=log, flush=True)
        if reply:
            try:
                conn.send(reply)
                return
            except OSError:
                pass
        else:
            return
    sel.unregister(conn)
    conn.close()


def main():
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(path)
    server.listen(64)
    sel = selectors.DefaultSelector()
    sel.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in sel.select():
            if key.fileobj is server:
                sel.register(server.accept()[0], selectors.EVENT_READ)
            else:
                on_client(sel, key.fileobj)


main()
