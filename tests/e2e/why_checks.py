# SPDX-License-Identifier: GPL-2.0-or-later
"""What 165-why asks of iprefctl's JSON: the fields that iprefctl(8) names, and
their types. Each check is a function; it fails by an exception."""
import json
import os
import socket
import sys

from iprefctl_checks import FLAG, LIFE, MAPPING, NONE, NUMBER, TEXT
from iprefctl_checks import has_fields, load

PEER = {
    "address": TEXT, "port": (NUMBER, NONE), "state": TEXT,
    "heard_seconds": (NUMBER, NONE), "sent_seconds": (NUMBER, NONE),
    "used_seconds": (NUMBER, NONE), "writes_to": (TEXT, NONE),
    "keep_alive_answered_seconds": (NUMBER, NONE),
    "known_seconds": NUMBER, "in_packets": NUMBER, "in_bytes": NUMBER,
    "out_packets": NUMBER, "out_bytes": NUMBER, "other_port": NUMBER,
    "path_mtu": (NUMBER, NONE), "path_error": (dict, NONE), "settings": dict,
}
SETTINGS = {"port": NUMBER, "mtu": NUMBER, "ref": TEXT, "tos": FLAG,
            "keep_alive_seconds": NUMBER}
LAST = {"seconds": NUMBER, "direction": TEXT, "from": (TEXT, NONE),
        "to": (TEXT, NONE), "bytes": NUMBER}
GWD = {
    "self": FLAG, "by_ipref": FLAG, "own_context": FLAG,
    "in_encode_net": FLAG, "feed": dict, "mapping": (dict, NONE),
    "gateway": (TEXT, NONE), "denied": FLAG, "peer": (dict, NONE),
    "drops": list,
}
HELD = {"kind": TEXT, "ea": TEXT, "gw": TEXT, "ref": TEXT, "listed": FLAG,
        "tentative": FLAG, "revision": NUMBER}
LOCAL = {"src": TEXT, "dst": TEXT, "length": NUMBER, "protocol": TEXT,
         "ttl": NUMBER, "df": FLAG, "icmp_type": NUMBER, "icmp_code": NUMBER,
         "echo_id": NUMBER, "echo_seq": NUMBER}
TUNNEL = {"src_gw": TEXT, "src_ref": TEXT, "dst_gw": TEXT, "dst_ref": TEXT,
          **{k: v for k, v in LOCAL.items() if k not in ("src", "dst")}}


def page(path):
    result = load(path)
    has_fields(result, {"why": TEXT, "works": FLAG,
                        "mapperd_error": (TEXT, NONE),
                        "gwd_error": (TEXT, NONE), "subjects": list})
    [subject] = result["subjects"]
    has_fields(subject, {"mapping": (dict, NONE), "gwd": (dict, NONE),
                         "works": FLAG, "verdict": TEXT})
    return result, subject


def is_gwd(gwd):
    has_fields(gwd, GWD)
    has_fields(gwd["feed"], {"state": TEXT, "connected": FLAG,
                             "revision": NUMBER})
    has_fields(gwd["mapping"], HELD)
    has_fields(gwd["peer"], PEER)


def why_flows(path):
    result, subject = page(path)
    assert result["works"] and subject["works"]
    assert subject["verdict"] == "packets flow"
    has_fields(subject["mapping"], {**MAPPING, "ea": TEXT, **LIFE})
    is_gwd(subject["gwd"])
    assert subject["gwd"]["feed"]["state"] == "following"
    assert subject["gwd"]["peer"]["heard_seconds"] < 60
    assert subject["gwd"]["mapping"]["ea"] == result["why"]


def why_no_mapperd(path):
    result, subject = page(path)
    assert not result["works"] and result["mapperd_error"] == "not running"
    assert result["gwd_error"] is None and subject["mapping"] is None
    is_gwd(subject["gwd"])


def drops(path):
    rows = load(path)
    for row in rows:
        has_fields(row, {"reason": TEXT, "count": NUMBER,
                         "last_minute": NUMBER, "last": dict, "help": TEXT})
        has_fields(row["last"], LAST)
        assert row["count"] >= row["last_minute"] > 0
    [row] = [row for row in rows if row["reason"] == "dst_unknown"]
    assert row["last"]["direction"] == "out"
    assert row["last"]["to"] == "10.240.77.77"


def peers(path):
    [row] = load(path)
    has_fields(row, PEER)
    has_fields(row["settings"], SETTINGS)
    assert row["port"] == 1045 and row["state"] == "proved"
    assert row["path_mtu"] == 1400, row
    assert row["path_error"] is None, row
    assert row["in_packets"] >= 5 and row["out_packets"] >= 5


def trace(path):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    assert rows[0] == {"result": "start"}
    assert len(rows) == 3, rows
    for row in rows[1:]:
        has_fields(row, {"result": TEXT, "direction": TEXT,
                         "time_ms": NUMBER, "peer": TEXT, "port": NUMBER,
                         "local": dict, "tunnel": dict})
        has_fields(row["local"], LOCAL)
        has_fields(row["tunnel"], TUNNEL)
        assert row["direction"] == "in" and row["result"] == "passed"
        assert row["tunnel"]["src_ref"] == "700"
        assert row["local"]["icmp_type"] == 0
        assert row["tunnel"]["length"] == row["local"]["length"]
    assert rows[1]["local"]["echo_seq"] < rows[2]["local"]["echo_seq"]


def never_read(path):
    """Leaves a process that traces and reads nothing, until its socket is cut
    by gwd's end or by time."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.sendall(b"POST /trace HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n\r\n")
    assert sock.recv(12) == b"HTTP/1.1 200"
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        sock.settimeout(60)
        import select
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)
        poll.poll(60000)
        os._exit(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
