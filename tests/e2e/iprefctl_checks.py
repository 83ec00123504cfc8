# SPDX-License-Identifier: GPL-2.0-or-later
"""What 160-iprefctl asks of iprefctl's JSON: the fields that iprefctl(8) names,
and their types. Each check is a function; main() calls it by its name and fails
by an exception."""
import json
import select
import socket
import sys

from mapperclient import Client

TEXT, NUMBER, FLAG, NONE = str, int, bool, type(None)
MAPPING = {
    "kind": TEXT, "gw": TEXT, "ref": TEXT, "owner": TEXT, "cause": (TEXT, NONE),
    "name": (TEXT, NONE), "listed": FLAG, "tentative": FLAG,
}
LIFE = {"expires_seconds": (NUMBER, NONE), "age_seconds": NUMBER,
        "revision": NUMBER}
SOURCE = {
    "source": TEXT, "records": NUMBER, "in_force": NUMBER, "refused": NUMBER,
    "waiting": NUMBER, "conflicts": NUMBER, "conflict_details": list,
    "hash": (TEXT, NONE), "heard_seconds": (NUMBER, NONE),
    "interval_seconds": (NUMBER, NONE), "silent": FLAG,
    "unfinished": (dict, NONE),
}
CONFLICT = {"gw": TEXT, "ref": TEXT, "wanted": TEXT, "held": TEXT,
            "holder": TEXT}


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def has_fields(row, fields):
    """Exactly these, of these types."""
    assert set(row) == set(fields), f"{sorted(row)} {sorted(fields)}"
    for key, types in fields.items():
        assert isinstance(row[key], types), f"{key}: {row[key]!r}"


def is_mapping(row, life=LIFE):
    address = {"ea": TEXT} if row["kind"] == "remote" else {"ip": TEXT}
    has_fields(row, {**MAPPING, **address, **life})


def mappings(path):
    rows = load(path)
    assert len(rows) >= 4
    for row in rows:
        is_mapping(row)
    [row] = [r for r in rows if r["name"] == "www.example.net."]
    assert row["owner"] == "mapper" and row["cause"] == "resolver"
    assert not row["listed"] and not row["tentative"]
    assert row["gw"] == "198.51.100.7" and row["ref"] == "4660"
    assert 14000 < row["expires_seconds"] <= 14400
    [row] = [r for r in rows if r.get("ip") == "192.168.84.97"]
    assert row["owner"] == "hosts" and row["listed"]
    assert row["expires_seconds"] is None and row["gw"] == "192.0.2.1"


def lookup(path):
    result = load(path)
    has_fields(result, {"lookup": TEXT, "found": FLAG, "mappings": list})
    [row] = result["mappings"]
    is_mapping(row)
    assert result["found"] and row["ip"] == "192.168.1.1"
    assert row["owner"] == "int.test:pub.test"


def sources(path):
    rows = {row["source"]: row for row in load(path)}
    for row in rows.values():
        has_fields(row, SOURCE)
    assert set(rows) == {"hosts", "int.test:pub.test", "int.test:other.test"}
    row = rows["int.test:other.test"]
    assert row["conflicts"] == 1 and row["in_force"] == 0
    [conflict] = row["conflict_details"]
    has_fields(conflict, CONFLICT)
    assert conflict == {"gw": "192.0.2.1", "ref": "2", "wanted": "192.168.2.1",
                        "held": "192.168.1.1", "holder": "int.test:pub.test"}
    assert len(rows["int.test:pub.test"]["hash"]) == 16


def removed(path):
    assert load(path) == {"source": "int.test:pub.test", "withdrawn": 2}


def forgotten(path):
    result = load(path)
    has_fields(result, {"address": TEXT, "forgotten": NUMBER})
    assert result["forgotten"] == 1


def backup(path):
    result = load(path)
    has_fields(result, {"file": TEXT, "bytes": NUMBER})
    assert result["bytes"] > 4096


def watch(path, ea):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    assert len(rows) == 3, rows
    has_fields(rows[0], {"change": TEXT, "revision": NUMBER})
    assert [row["change"] for row in rows] == ["start", "set", "del"]
    for row in rows[1:]:
        is_mapping(row, {"change": TEXT, "revision": NUMBER})
        assert row["ea"] == ea
    assert rows[0]["revision"] < rows[1]["revision"] < rows[2]["revision"]


def count_json(n, path):
    assert len(load(path)) > int(n)


def same(before, after):
    """The same mappings, but for what passes with time."""
    def facts(path):
        return sorted(
            (row["kind"], row.get("ea") or row["ip"], row["gw"], row["ref"],
             row["owner"], row["name"] or "", row["revision"])
            for row in load(path))
    old, new = facts(before), facts(after)
    assert len(old) > 20000
    assert old == new, set(old) ^ set(new)


def never_read(path, n):
    """Asks for changes n times, reads none of them, and says when all of the
    connections were cut."""
    poll, socks = select.poll(), []
    for _ in range(int(n)):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        sock.sendall(b"GET /watch HTTP/1.1\r\nHost: m\r\n\r\n")
        assert sock.recv(9) == b"HTTP/1.1 "
        poll.register(sock, select.POLLRDHUP)
        socks.append(sock)
    print("watching", flush=True)
    while socks:
        for fd, _ in poll.poll():
            poll.unregister(fd)
            socks = [sock for sock in socks if sock.fileno() != fd]
    print("cut", flush=True)


def publish(path, n):
    """A set of n hosts."""
    with Client(path, timeout=60) as c:
        records = [(f"192.168.{100 + i // 250}.{1 + i % 250}", "192.0.2.1",
                    0x10000 + i // 256 * 0x10000 + i % 256)
                   for i in range(int(n))]
        assert c.publish("int.test:many.test", records)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
