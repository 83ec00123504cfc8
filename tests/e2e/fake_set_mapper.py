#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A mapper that takes host sets from DNS agents (mapper.md, MC_HOST_DATA).

    fake_set_mapper.py SOCKET DIRECTORY

A set is taken when the hash over the distinct records that came equals the one
announced; it is then written to DIRECTORY/LOCAL:PUBLIC, one line "IP GW REF" per
record, in order. DIRECTORY/log gets a line per message. While DIRECTORY/silent
exists nothing is answered, while DIRECTORY/refuse exists batches get a NACK.
"""
import os
import selectors
import socket
import struct
import sys

REQ, ACK, NACK = 1, 2, 3
FNV_BASIS, FNV_PRIME, MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1
path, where = sys.argv[1], sys.argv[2]
log = open(os.path.join(where, "log"), "a")
coming, held = {}, {}  # source -> (hash, records); source -> (hash, count)


def say(text):
    print(text, file=log, flush=True)


def fnv(records):
    value = FNV_BASIS
    for record in records:
        for byte in record:
            value = (value ^ byte) * FNV_PRIME & MASK
    return value


def ordered(records):
    """Records are ip, gw, ref of 4, 4, 16 bytes: by gw, ref, ip."""
    return sorted(records, key=lambda r: (r[4:8], r[8:24], r[0:4]))


def strings(body):
    out, pos = [], 0
    for _ in range(2):
        assert body[pos] == 4
        size = body[pos + 1]
        out.append(body[pos + 2:pos + 2 + size].decode())
        pos += (2 + size + 3) // 4 * 4
    return ":".join(out), pos


def take(source, digest, records):
    name = os.path.join(where, source)
    with open(name + ".new", "w") as out:
        for r in ordered(records):
            print(socket.inet_ntoa(r[0:4]), socket.inet_ntoa(r[4:8]),
                  int.from_bytes(r[8:24], "big"), file=out)
    os.rename(name + ".new", name)
    held[source] = (digest, len(records))
    say(f"took {source} {len(records)}")


def host_data(source, digest, body):
    assert len(body) % 28 == 0
    if source not in coming or coming[source][0] != digest:
        coming[source] = (digest, set())
    records = coming[source][1]
    for at in range(0, len(body), 28):
        assert body[at:at + 4] == bytes(4)
        records.add(body[at + 4:at + 28])
    say(f"batch {source} {len(body) // 28}")
    if fnv(ordered(records)) == digest and \
            held.get(source) != (digest, len(records)):
        take(source, digest, records)
    return ACK


def answer(packet):
    signature, what, ident, versions, zero, words = struct.unpack(
        ">BBHBBH", packet[:8])
    assert (signature, versions, zero, words * 4) == (0x11, 0x44, 0, len(packet))
    assert what >> 6 == REQ and ident and len(packet) <= 1200
    count, digest = struct.unpack(">IQ", packet[8:20])
    source, end = strings(packet[20:])
    if os.path.exists(os.path.join(where, "silent")):
        say(f"silent {source}")
        return None
    if what & 63 == 14:
        assert count
        mode = NACK
        if not os.path.exists(os.path.join(where, "refuse")):
            mode = host_data(source, digest, packet[20 + end:])
        say("acked" if mode == ACK else "refused")
    else:
        assert what & 63 == 15 and len(packet) == 20 + end
        mode = ACK if held.get(source) == (digest, count) else NACK
        say(f"hash {source} {count} {'ACK' if mode == ACK else 'NACK'}")
    return struct.pack(">BBHBBH", 0x11, mode << 6 | what & 63, ident, 0x44, 0,
                       (20 + end) // 4) + packet[8:20 + end]


def on_client(sel, conn):
    try:
        packet = conn.recv(65536)
    except OSError:
        packet = b""
    if not packet:
        sel.unregister(conn)
        conn.close()
        return
    reply = answer(packet)
    if reply:
        conn.send(reply)


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
