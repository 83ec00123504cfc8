# SPDX-License-Identifier: GPL-2.0-or-later
"""For 144-backup: backup_checks.py NAME [ARGUMENT...], each a function below."""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mapperclient as mc  # noqa: E402
from disk_full import host  # noqa: E402
from mapperclient import Client  # noqa: E402

SOURCE = "int.test:backup.test"
SET = [(f"192.168.80.{i}", "192.0.2.1", i << 16 | 3) for i in range(1, 200)]


def lines(note):
    with open(note) as f:
        return [line.split() for line in f if line.endswith("\n")]


def copy_of(path):
    copy = {}
    with Client(path) as f:
        f.feed_start("10.240.0.0/12", "192.0.2.1")
        f.follow(copy)
    return copy


def publish(path):
    with Client(path) as c:
        assert c.publish(SOURCE, SET)


def held(path):
    with Client(path) as c:
        assert c.host_hash(SOURCE, len(SET), mc.set_hash(SET))
        assert c.get_ea("192.0.2.1", SET[7][2]) == SET[7][0]


def same(path, note):
    """All that was told."""
    told, copy = lines(note), copy_of(path)
    assert len(told) >= 500
    with Client(path) as c:
        for k, ea in told:
            gw, ref = host(int(k))
            assert copy[ea].arec.gw == gw and copy[ea].arec.ref == ref, ea
        for k, ea in told[-500:]:
            assert c.get_ea(*host(int(k))) == ea, k


def never_wrong(path, note):
    """Nothing, or what was told; also for followers."""
    told, copy = lines(note), copy_of(path)
    known = 0
    for k, ea in told:
        gw, ref = host(int(k))
        if ea in copy:
            assert (copy[ea].arec.gw, copy[ea].arec.ref) == (gw, ref), ea
            known += 1
    with Client(path) as c:
        for k, ea in told[:300] + told[-300:]:
            got = c.get_ea(*host(int(k)))
            assert got in (None, ea), f"{k} was {ea}, is {got}"
    print(known, "of", len(told), "are known")


def no_new(path):
    with Client(path) as c:
        for k in range(1 << 41, (1 << 41) + 20):
            assert c.get_ea(*host(k)) is None, "one is handed out"


def more(path, note, n):
    with Client(path) as c, open(note, "a") as out:
        for k in range((int(n) << 42), (int(n) << 42) + 100):
            ea = c.get_ea(*host(k))
            assert ea
            out.write(f"{k} {ea}\n")


def damage(data, how, seed):
    dice = random.Random(int(seed))
    path = os.path.join(data, "mapperd.db")
    if how.endswith("_wal"):
        path += "-wal"
        assert os.path.getsize(path)
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        if how.startswith("cut"):
            f.truncate(dice.randrange(size))
            return
        for _ in range(dice.choice((1, 10, 100))):
            at = dice.randrange(100) if how == "header" else \
                dice.randrange(size)
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1 << dice.randrange(8)]))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
