#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of a running mapperd for 110-mapperd: mapper_checks.py NAME SOCKET
[ARGUMENT...]. Each is a function below; it raises when something is wrong."""
import grp
import json
import os
import pwd
import random
import select
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mapperclient as mc  # noqa: E402
from mapperclient import Client  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def requests():
    """The requests of the captured exchanges with IPv4 on both sides."""
    out, versions = [], None
    with open(os.path.join(TOP, "tests/vectors/mapper.txt")) as f:
        for line in f:
            key, _, value = line.strip().partition(" ")
            if key == "exchange":
                versions = value[:2]
            elif key == "request" and versions == "44":
                out.append(bytes.fromhex(value))
    assert len(out) > 50
    return out


def drain(sock):
    """Reads what has come; the connection must be there still."""
    while select.select([sock], [], [], 0)[0]:
        if not sock.recv(65536):
            raise AssertionError("the mapper closed the connection")


def cuts(path):
    """Every captured request, cut at every length."""
    with Client(path) as c:
        for packet in requests():
            for n in range(1, len(packet)):
                c.send(packet[:n])
                drain(c.sock)
        assert c.get_ea("203.0.113.1", 7)


def garbage(path, seed):
    """Random bytes; half of the packets with a header that passes."""
    dice = random.Random(int(seed))
    with Client(path) as c, Client(path) as other:
        ea = other.get_ea("203.0.113.2", 7)
        for i in range(20000):
            data = bytearray(dice.randbytes(dice.randrange(1, 600)))
            if i % 2:
                data = data[:len(data) // 4 * 4]
                data += bytes(8) if len(data) < 8 else b""
                data[0:2] = bytes([0x11, 0x40 | dice.randrange(64)])
                data[4:8] = bytes([0x44, 0]) + (len(data) // 4).to_bytes(
                    2, "big")
            c.send(bytes(data))
            drain(c.sock)
        assert other.get_ea("203.0.113.2", 7) == ea
        with Client(path) as fresh:
            assert fresh.get_ea("203.0.113.2", 7) == ea


def one_after_the_other(path, n):
    ea = None
    for i in range(int(n)):
        with Client(path) as c:
            if i % 3 == 0:
                c.send(b"\x11")
            if i % 5 == 0:
                got = c.get_ea("203.0.113.3", 7)
                assert got and got == (ea or got), (i, got, ea)
                ea = got


def at_once(path, n):
    """n connections, all asked at once; one more that never reads."""
    stalled = Client(path)
    stalled.sock.setblocking(False)
    body = stalled.arec(gw="203.0.113.4", ref=1)
    try:
        while True:
            stalled.start(mc.MC_GET_EA, body)
    except BlockingIOError:
        pass
    clients = [Client(path) for _ in range(int(n))]
    ids = [c.start(mc.MC_GET_EA, c.arec(gw="203.0.113.4", ref=i % 50 + 1))
           for i, c in enumerate(clients)]
    answers = {}
    for i, (c, ident) in enumerate(zip(clients, ids)):
        message = c.answer(ident)
        assert message.mode == mc.ACK
        ea = c.take_arec(message.body, 0)[0].ea
        assert answers.setdefault(i % 50, ea) == ea
    assert len(set(answers.values())) == 50
    for c in clients + [stalled]:
        c.close()


def ask_until_killed(path, told, number, first):
    """Allots until the connection ends; notes what was acknowledged."""
    try:
        with Client(path) as c:
            for i in range(first, first + 100000):
                gw = f"203.0.{number}.9"
                ea = c.get_ea(gw, i)
                told.append(("ea", gw, i, ea))
                if i % 7 == 0:
                    ip = f"192.168.{number}.{i % 250 + 1}"
                    told.append(("ref", ip, 0, c.get_ref(ip)))
    except (OSError, ConnectionError):
        pass


def load_and_kill(path, pid, note, first, after):
    """Load from 8 clients; kill -9 when enough is acknowledged; everything
    acknowledged goes to the file note."""
    told = []
    threads = [threading.Thread(target=ask_until_killed,
                                args=(path, told, n, int(first)))
               for n in range(1, 9)]
    for t in threads:
        t.start()
    while len(told) < int(after):
        threads[0].join(0.001)  # poll
        assert any(t.is_alive() for t in threads), "all clients ended"
    os.kill(int(pid), 9)
    for t in threads:
        t.join()
    with open(note, "a") as f:
        for item in told:
            f.write(json.dumps(item) + "\n")


def as_told(path, note):
    """Whatever was acknowledged is so; no ea or reference has two holders."""
    holders = {}
    with Client(path) as c, open(note) as f:
        for line in f:
            kind, who, ref, what = json.loads(line)
            what = tuple(what) if kind == "ref" else what
            got = c.get_ea(who, ref) if kind == "ea" else c.get_ref(who)
            assert got == what and got, f"{who} {ref}: {got}, not {what}"
            assert holders.setdefault(what, (who, ref)) == (who, ref), what
    assert len(holders) > 100
    print(len(holders), "acknowledged mappings are as they were told")


SET = [(f"192.168.70.{i}", "192.0.2.1", i) for i in range(1, 101)]


def half_a_set(path):
    """The first of two batches."""
    with Client(path) as c:
        assert c.publish("int.test:old.test", SET[:3])
        assert c.host_data("int.test:half.test", SET[:60], mc.set_hash(SET))
        assert not c.host_hash("int.test:half.test", 100, mc.set_hash(SET))
        assert c.get_ref(SET[50][0])[1] > 255  # not in force yet


def other_half(path):
    with Client(path) as c:
        assert c.host_data("int.test:half.test", SET[60:], mc.set_hash(SET))
        assert c.host_hash("int.test:half.test", 100, mc.set_hash(SET))
        assert c.get_ref(SET[50][0]) == ("0.0.0.0", 51)
        assert c.get_ea("192.0.2.1", 51) == SET[50][0]


def set_is_held(path):
    """After a restart: nothing has to be sent again."""
    with Client(path) as c:
        assert c.host_hash("int.test:half.test", 100, mc.set_hash(SET))
        assert c.host_hash("int.test:old.test", 3, mc.set_hash(SET[:3]))
        assert c.get_ref(SET[50][0]) == ("0.0.0.0", 51)


def large_set(path, n):
    records = [(f"172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", "192.0.2.1",
                i << 16 | 5) for i in range(256, int(n) + 256)]
    with Client(path, timeout=60) as c:
        value = mc.set_hash(records)
        source = "int.test:large.test"
        for i in range(0, len(records), 40):
            body = (i + 1).to_bytes(4, "big") + value.to_bytes(8, "big")
            body += c.source(source) + b"".join(
                c.arec(ip=ip, gw=gw, ref=ref)
                for ip, gw, ref in records[i:i + 40])
            c.start(mc.HOST_DATA, body)
        for i in range(0, len(records), 40):
            assert c.next_message().mode == mc.ACK
        assert c.host_hash(source, len(records), value)
        assert c.get_ref(records[-1][0]) == ("0.0.0.0", records[-1][2])
        assert c.host_hash(source, 0, mc.EMPTY_HASH)


def dialects(path):
    with Client(path) as one, Client(path, dialect=2) as two:
        ea = one.get_ea("203.0.113.5", 1, "h.example.")
        assert two.get_ea("203.0.113.5", 1) == ea
        assert two.lookup(ea) == ("203.0.113.5", 1, "h.example.")
        assert two.publish("int.test:two.test", [("192.168.9.9", "0.0.0.0", 9)])
        assert one.get_ea("192.0.2.1", 9) == "192.168.9.9"
        assert two.host_hash("int.test:two.test", 0, mc.EMPTY_HASH)


def rules(path):
    """What must be refused is, and what is allotted keeps the rules."""
    with Client(path) as c:
        for gw in ("0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1",
                   "255.255.255.255"):
            assert c.get_ea(gw, 5) is None, gw
        assert c.get_ea("203.0.113.6", 0) is None
        assert c.get_ea("192.0.2.1", 1) == "10.240.0.1"
        assert c.get_ea("192.0.2.1", 123456) is None
        assert c.get_ref("10.240.0.1") == ("0.0.0.0", 1)
        assert c.get_ref("10.240.77.77") is None
        assert c.lookup("10.240.77.77") is None
        assert c.packet_ea("192.0.2.1", 1) is None
        ea = c.packet_ea("203.0.113.6", 6)
        assert ea == c.get_ea("203.0.113.6", 6)
        assert int(ea.split(".")[2]) >= 16
        ref = c.get_ref("192.168.66.6")[1]
        assert ref >> 64 and ref >> 8 & 255 >= 16
        assert c.used([{"ea": ea, "gw": "203.0.113.6", "ref": 6},
                       {"ip": "192.168.66.6", "ref": ref}])
        assert c.used([])


def conflict(path):
    """Two sources lead one reference elsewhere: the first keeps it; when it
    is withdrawn, the other's comes in force."""
    with Client(path) as c:
        assert c.publish("int.test:a.test", [("192.168.8.1", "192.0.2.1", 44)])
        assert c.publish("int.test:b.test", [("192.168.8.2", "192.0.2.1", 44)])
        assert c.get_ea("192.0.2.1", 44) == "192.168.8.1"
        assert c.publish("int.test:a.test", [])
        assert c.get_ea("192.0.2.1", 44) == "192.168.8.2"
        assert c.publish("int.test:b.test", [])
        assert c.get_ea("192.0.2.1", 44) is None


def feed(path):
    """A follower always has what the mapper has."""
    state, resumed = {}, {}
    with Client(path) as f, Client(path) as c:
        store, revision, kind = f.feed_start("10.240.0.0/12", "192.0.2.1")
        assert kind == 0
        assert f.follow(state) >= revision
        ea = c.get_ea("203.0.113.8", 1)
        # It was queued for us before the answer.
        f.follow(state, until_at=False)
        assert state[ea].arec.gw == "203.0.113.8" and state[ea].flags == 0
        resumed.update(state)
        c.publish("int.test:feed.test", [("192.168.8.3", "192.0.2.1", 45)])
        revision = f.follow(state, until_at=False)
        assert state[("0.0.0.0", 45)].arec.ip == "192.168.8.3"
        assert state[("0.0.0.0", 45)].flags == 1
    with Client(path) as f:
        assert f.feed_start("10.240.0.0/12", "192.0.2.1", store=store,
                            revision=revision - 1)[2] == 1
        assert f.follow(resumed) == revision
        assert resumed == state
    with Client(path) as f:
        copy = {}
        f.feed_start("10.240.0.0/12", "192.0.2.1")
        f.follow(copy)
        assert copy == state, "copy and changes differ"
    try:
        with Client(path) as f:
            f.feed_start("10.224.0.0/12", "192.0.2.1")
        raise AssertionError("another encoding network was taken")
    except mc.Refused as why:
        assert "10.240.0.0/12" in str(why) and "10.224.0.0/12" in str(why)


def versions(path, local, tunnel, gw, pub, own):
    """Another combination of IP versions."""
    with Client(path, local=int(local), tunnel=int(tunnel)) as c:
        ea = c.get_ea(gw, 5)
        assert ea and c.get_ea(gw, 5) == ea
        assert c.lookup(ea)[:2] == (gw, 5)
        assert c.get_ea(pub, 1) == own


def answers(path, gw, ref, expected):
    with Client(path) as c:
        got = c.get_ea(gw, int(ref, 0))
        assert str(got) == expected, f"{got}, not {expected}"


def not_allowed(path):
    """As a user outside the socket's group."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        s.connect(path)
    except PermissionError:
        return
    raise AssertionError("anybody may connect")


def too_long(path):
    """A packet longer than any may be: dropped whole, the connection stays."""
    with Client(path) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        head = c.packet(mc.REQ, mc.MC_GET_EA, 7,
                        c.arec(gw="203.0.113.80", ref=80))
        c.send(head + bytes(70000))
        # An answer to it would come before this one.
        assert c.get_ea("203.0.113.80", 81)
        assert not c.waiting


def run_as(user):
    """This process becomes that user, with its groups and those of @NAME
    words behind it: "daemon", "daemon@www-data"; a number is one that only the
    mapper knows."""
    name, *groups = user.split("@")
    if name.isdigit():
        uid = gid = int(name)
    else:
        uid, gid = pwd.getpwnam(name)[2:4]
    os.setgroups([grp.getgrnam(g).gr_gid for g in groups])
    os.setgid(gid)
    os.setuid(uid)


def may(path, user, allowed):
    """What this user may do is exactly this: words of ask, publish, follow."""
    run_as(user)
    got = set()
    with Client(path) as c:
        if c.get_ea("203.0.113.77", 77):
            got.add("ask")
        lookup = c.lookup("10.255.255.250")
        assert lookup is None
        if c.host_hash("int.test:roles.test", 0, mc.EMPTY_HASH):
            got.add("publish")
        if c.host_data("int.test:roles.test", []):
            got.add("publish also")
        try:
            c.feed_start("10.240.0.0/12", "192.0.2.1")
            got.add("follow")
        except mc.Refused as e:
            assert "may not" in str(e), e
    with Client(path) as c:
        if c.packet_ea("203.0.113.78", 78):
            got.add("follow also")
        if c.get_ref("192.168.84.97"):
            got.add("follow as well")
        if c.used([{"ea": "10.255.255.250"}]):
            got.add("follow and report")
    want = set()
    for word in allowed.split():
        want |= {w for w in ("ask", "publish", "publish also", "follow",
                             "follow also", "follow as well",
                             "follow and report") if w.startswith(word)}
    assert got == want, (user, got)


def turned_out(path, user, pid):
    """SIGHUP takes a right away from this user: its connection ends."""
    ready, connected = os.pipe()
    child = os.fork()
    if child == 0:
        run_as(user)
        with Client(path) as c:
            assert c.get_ea("203.0.113.77", 77)
            os.write(connected, b"1")
            try:
                c.receive()
            except ConnectionError:
                os._exit(0)
        os._exit(1)
    os.close(connected)
    assert os.read(ready, 1), "it may not ask at all"
    os.kill(int(pid), signal.SIGHUP)
    assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
