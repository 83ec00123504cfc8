# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the mapper protocol (proto/mapper.md), for tests.

    c = Client("/run/ipref/mapper.sock", local=4, tunnel=4)
    ack = c.get_ea("192.0.2.7", 5, "h.example.")     # Message, or None for NACK
    print(ack.arecs[0].ea)

Written from the protocol's description, apart from libipref's codec, so that
tests with it check one against the other. As a program it does one exchange:

    mapperclient.py SOCKET get-ea GW REF [NAME]      prints the ea
    mapperclient.py SOCKET get-ref IP                prints GW REF
    mapperclient.py SOCKET lookup EA                 prints GW REF [NAME]
    mapperclient.py SOCKET publish LOCAL:PUBLIC [IP,GW,REF ...]
"""
import ipaddress
import os
import socket
import struct
import sys
from collections import namedtuple

DATA, REQ, ACK, NACK = range(4)
NOOP, GET_REF, GET_EA, MC_GET_EA = 0, 4, 6, 7
HOST_DATA, HOST_HASH = 14, 15
(FEED_START, FEED_SET, FEED_DEL, FEED_AT, FEED_USED, LOOKUP_EA, FEED_PROVED,
 FEED_HOLD) = range(32, 40)
EMPTY_HASH = 0xcbf29ce484222325
OWNER_TENTATIVE = 3

Arec = namedtuple("Arec", "ea ip gw ref")
Entry = namedtuple("Entry", "flags born arec")
Message = namedtuple("Message", "mode cmd id body")


class Refused(Exception):
    """The mapper answered NACK."""


def set_hash(records):
    """FNV-1a over (ip, gw, ref) records, sorted by gw, then reference."""
    value = EMPTY_HASH
    for ip, gw, ref in sorted(set(records), key=lambda r: (
            ipaddress.ip_address(r[1]).version,
            int(ipaddress.ip_address(r[1])), r[2],
            int(ipaddress.ip_address(r[0])))):
        data = (ipaddress.ip_address(ip).packed
                + ipaddress.ip_address(gw).packed + ref.to_bytes(16, "big"))
        for byte in data:
            value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return value


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    item = bytes([4, len(data)]) + data
    return item + bytes(-len(item) % 4)


def take_string(body, pos):
    length = body[pos + 1]
    end = pos + 2 + length
    return body[pos + 2:end].decode(), end + (-(2 + length) % 4)


class Client:
    """One connection; dialect 1 or 2."""

    def __init__(self, path, local=4, tunnel=4, dialect=1, timeout=10):
        self.local, self.tunnel, self.dialect = local, tunnel, dialect
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.id = 0
        self.waiting = []  # messages read while looking for an answer

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # Records

    def size(self, version):
        return 4 if version == 4 else 16

    def zero(self, version):
        return "0.0.0.0" if version == 4 else "::"

    def arec(self, ea=None, ip=None, gw=None, ref=0):
        out = b""
        if self.dialect == 2:
            out = bytes([self.local, self.size(self.local),
                         self.tunnel, self.size(self.tunnel)])
        for value, version in ((ea, self.local), (ip, self.local),
                               (gw, self.tunnel)):
            out += ipaddress.ip_address(value or self.zero(version)).packed
        return out + ref.to_bytes(16, "big")

    def arec_size(self):
        return (2 * self.size(self.local) + self.size(self.tunnel) + 16
                + (4 if self.dialect == 2 else 0))

    def take_arec(self, body, pos):
        if self.dialect == 2:
            pos += 4
        values = []
        for version in (self.local, self.local, self.tunnel):
            size = self.size(version)
            values.append(str(ipaddress.ip_address(body[pos:pos + size])))
            pos += size
        values.append(int.from_bytes(body[pos:pos + 16], "big"))
        return Arec(*values), pos + 16

    def take_entry(self, body, pos):
        flags, _, born = struct.unpack_from(">IIQ", body, pos)
        rec, pos = self.take_arec(body, pos + 16)
        return Entry(flags, born, rec), pos

    def entries(self, message):
        """Revision and entries of FEED_SET or FEED_DEL."""
        revision, = struct.unpack_from(">Q", message.body)
        pos, out = 8, []
        while pos < len(message.body):
            entry, pos = self.take_entry(message.body, pos)
            out.append(entry)
        return revision, out

    # Packets

    def packet(self, mode, cmd, ident, body=b""):
        versions = (self.local << 4 | self.tunnel) if self.dialect == 1 else 0
        return struct.pack(">BBHBBH", 0x11, mode << 6 | cmd, ident, versions,
                           0, (8 + len(body)) // 4) + body

    def send(self, data):
        self.sock.send(data)

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the mapper closed the connection")
        mode_cmd, ident = struct.unpack_from(">BH", data, 1)
        words, = struct.unpack_from(">H", data, 6)
        assert data[0] == 0x11 and words * 4 == len(data), data.hex()
        return Message(mode_cmd >> 6, mode_cmd & 63, ident, data[8:])

    def next_id(self):
        self.id = self.id % 65535 + 1
        return self.id

    def start(self, cmd, body=b""):
        """Sends a request; its id."""
        ident = self.next_id()
        self.send(self.packet(REQ, cmd, ident, body))
        return ident

    def answer(self, ident):
        """The answer to this request; others are kept in self.waiting."""
        while True:
            message = self.receive()
            if message.id == ident and message.mode in (ACK, NACK):
                return message
            self.waiting.append(message)

    def request(self, cmd, body=b""):
        message = self.answer(self.start(cmd, body))
        return message if message.mode == ACK else None

    def next_message(self):
        return self.waiting.pop(0) if self.waiting else self.receive()

    # Questions; None: NACK

    def get_ea(self, gw, ref, name=None):
        body = self.arec(gw=gw, ref=ref) + (string(name) if name else b"")
        ack = self.request(MC_GET_EA, body)
        return ack and self.take_arec(ack.body, 0)[0].ea

    def packet_entry(self, gw, ref):
        """What a gateway is told: the id of its owner, and the ea."""
        ack = self.request(GET_EA, bytes(8) + self.arec(gw=gw, ref=ref))
        return ack and (struct.unpack_from(">I", ack.body)[0],
                        self.take_arec(ack.body, 8)[0].ea)

    def packet_ea(self, gw, ref):
        entry = self.packet_entry(gw, ref)
        return entry and entry[1]

    def get_ref(self, ip):
        ack = self.request(GET_REF, bytes(8) + self.arec(ip=ip))
        rec = ack and self.take_arec(ack.body, 8)[0]
        return rec and (rec.gw, rec.ref)

    def lookup(self, ea):
        ack = self.request(LOOKUP_EA, self.arec(ea=ea))
        if not ack:
            return None
        rec, pos = self.take_arec(ack.body, 8)
        name = take_string(ack.body, pos)[0] if pos < len(ack.body) else None
        return rec.gw, rec.ref, name

    def used(self, arecs):
        return self.request(FEED_USED, b"".join(
            self.arec(**rec) for rec in arecs))

    # Host data

    def source(self, text):
        return b"".join(string(part) for part in text.split(":"))

    def host_data(self, source, records, value=None, batch=None):
        """One batch of the set whose hash is value (by default: of these)."""
        if value is None:
            value = set_hash(records)
        if batch is None:
            batch = int.from_bytes(os.urandom(4), "big") | 1
        body = struct.pack(">IQ", batch, value) + self.source(source)
        body += b"".join(self.arec(ip=ip, gw=gw, ref=ref)
                         for ip, gw, ref in records)
        return self.request(HOST_DATA, body)

    def host_hash(self, source, count, value):
        return self.request(HOST_HASH, struct.pack(">IQ", count, value)
                            + self.source(source))

    def publish(self, source, records, per_batch=30):
        """A whole set, in batches; then asks whether it is held."""
        value = set_hash(records)
        for i in range(0, max(len(records), 1), per_batch):
            if not self.host_data(source, records[i:i + per_batch], value):
                raise Refused("a batch")
        return self.host_hash(source, len(set(records)), value) is not None

    # Feed

    def feed_start(self, encode_net, public, own_ref=1, store=0, revision=0):
        """(store, revision, kind); raises Refused with the reason."""
        net = ipaddress.ip_network(encode_net)
        body = struct.pack(">QQ", store, revision)
        body += self.arec(ea=str(net.network_address), gw=public, ref=own_ref)
        body += bytes([net.prefixlen, 0, 0, 0])
        message = self.answer(self.start(FEED_START, body))
        if message.mode == NACK:
            raise Refused(take_string(message.body, 0)[0])
        return struct.unpack(">QQI", message.body)

    def follow(self, state, until_at=True):
        """Reads feed messages into the dict `state` (by ea, or by (gw, ref));
        until the next FEED_AT, or for one message. The revision reached."""
        while True:
            message = self.next_message()
            if message.cmd == FEED_AT:
                return struct.unpack(">QQ", message.body)[1]
            if message.cmd not in (FEED_SET, FEED_DEL):
                raise AssertionError(f"unexpected {message}")
            revision, entries = self.entries(message)
            for entry in entries:
                rec = entry.arec
                remote = not ipaddress.ip_address(rec.ea).is_unspecified
                key = rec.ea if remote else (rec.gw, rec.ref)
                if message.cmd == FEED_SET:
                    state[key] = entry
                else:
                    state.pop(key, None)
            if not until_at:
                return revision


def main(argv):
    path, what, args = argv[1], argv[2], argv[3:]
    with Client(path) as c:
        if what == "get-ea":
            result = c.get_ea(args[0], int(args[1], 0), *args[2:])
        elif what == "get-ref":
            result = c.get_ref(args[0])
        elif what == "lookup":
            result = c.lookup(args[0])
        elif what == "publish":
            records = [(ip, gw, int(ref, 0)) for ip, gw, ref in
                       (text.split(",") for text in args[1:])]
            result = c.publish(args[0], records) or None
        else:
            sys.exit(__doc__)
    if result is None:
        print("refused")
        return 1
    print(*result) if isinstance(result, tuple) else print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
