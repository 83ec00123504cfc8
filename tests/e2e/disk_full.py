# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients see of a mapperd whose disk is full, for 141-disk-full:

    disk_full.py load SOCKET FILE    asks for new and known hosts until ended;
                                     notes what it is told, a line each
    disk_full.py refused SOCKET N    nothing new is given or acknowledged
    disk_full.py served SOCKET FILE  all that was told is so, for followers too
    disk_full.py made SOCKET FILE N  new mappings are made, and noted
    disk_full.py published SOCKET N  a set is taken"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mapperclient as mc  # noqa: E402
from mapperclient import Client  # noqa: E402

LOAD_SECONDS = 300  # also when the test was killed and can't end it


def host(k):
    return f"203.0.{k % 50}.{k % 7 + 1}", 1000 + k


def load(path, note):
    """A refusal of something new is fine, of something known it is not."""
    told, dice = {}, random.Random(4711)
    end = time.monotonic() + LOAD_SECONDS
    with Client(path) as c, open(note, "a", buffering=1) as out:
        for k in range(1 << 30):
            assert time.monotonic() < end, "nobody has ended the load"
            ea = c.get_ea(*host(k))
            if ea:
                told[k] = ea
                out.write(f"{k} {ea}\n")
            if not told:
                continue
            known = dice.choice(list(told)) if k % 64 == 0 else k - k % 3
            if known in told:
                got = c.get_ea(*host(known))
                assert got == told[known], f"{known}: {got}, {told[known]}"


def refused(path, n):
    n = int(n)
    with Client(path) as c:
        for k in range(n << 40, (n << 40) + 50):
            assert c.get_ea(*host(k)) is None, "a new host is given an ea"
        assert c.get_ref(f"192.168.77.{n}") is None, "a new reference is given"
        # Out of a block that is reserved already, if at all.
        entry = c.packet_entry("203.0.113.200", 77)
        assert entry is None or entry[0] == mc.OWNER_TENTATIVE, entry
        records = [("192.168.78.1", "192.0.2.1", 600)]
        assert c.host_data("int.test:full.test", records) is None, \
            "a batch is acknowledged"
        assert c.host_hash("int.test:full.test", 1,
                           mc.set_hash(records)) is None, "a set is held"
        assert c.get_ea("192.0.2.1", 600) is None


def served(path, note):
    with open(note) as f:
        told = [line.split() for line in f if line.endswith("\n")]
    copy = {}
    with Client(path) as c, Client(path) as f:
        f.feed_start("10.240.0.0/12", "192.0.2.1")
        f.follow(copy)
        for k, ea in told[-5000:]:
            gw, ref = host(int(k))
            assert c.get_ea(gw, ref) == ea, f"{k} was {ea}"
            assert copy[ea].arec.gw == gw and copy[ea].arec.ref == ref
    assert len(told) == len({ea for _, ea in told}), "an ea was given twice"
    assert len(told) >= 200


def made(path, note, n):
    with Client(path) as c, open(note, "a") as out:
        for k in range(int(n) << 44, (int(n) << 44) + 100):
            ea = c.get_ea(*host(k))
            assert ea, "no new one is made"
            out.write(f"{k} {ea}\n")


def published(path, n):
    with Client(path) as c:
        records = [(f"192.168.79.{i}", "192.0.2.1", i) for i in range(1, 200)]
        assert c.publish(f"int.test:d{n}.test", records), "the set is not held"


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
