# SPDX-License-Identifier: GPL-2.0-or-later
"""What the processes of the kill loop (kill_loop.py) share: addresses and sets
that each can work out for itself, and how they tell each other what happened.

Everything is IPv4 on both sides. Inside, an address is its 4 bytes, a remote
host its key: context address and reference, 20 bytes, as on the wire."""
import os
import random
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mapperclient as mc  # noqa: E402

PUBLIC = "192.0.2.1"
PUBLIC4 = bytes([192, 0, 2, 1])
ZERO4 = bytes(4)
ANSWER_S = 30       # no answer for so long, and no end of the connection: a lie
LISTED, TENTATIVE = 1, 2  # flags of the feed


class Lie(Exception):
    """The mapper broke a promise."""


class Plan:
    """What all processes of one run are told."""

    def __init__(self, path, net, seed, lifetime, stop, failed):
        self.path, self.net, self.seed = path, net, seed
        # s; half of it is on the disk when a mapping is told, so it holds so
        # long at least, whatever is killed then.
        self.lifetime = lifetime
        self.stop = stop          # event: no more questions
        self.failed = failed      # event: somebody found a lie
        self.parent = os.getpid()
        self.small = net.endswith("/19")  # its pool will be spent

    def orphaned(self):
        """The process that started us is gone."""
        return os.getppid() != self.parent

    def holds(self, told):
        """What was told at this time must be so still."""
        return time.monotonic() - told < self.lifetime / 2 - 1


def remote_key(k):
    """The k-th remote host."""
    gw = bytes([203, 0, k % 50, k % 7 + 1])
    return gw + (1000 + k).to_bytes(16, "big")


def host_name(k):
    return f"h{k}.example." if k % 3 == 0 else None


def local_ip(k):
    return bytes([172, 16 + (k >> 16 & 15), k >> 8 & 255, k & 255])


def text(addr):
    return ".".join(map(str, addr))


def describe(key):
    return f"{text(key[:4])} + {key[4:].hex().lstrip('0')}"


def set_records(source, n):
    """The n-th set of a source: (ip, gw, ref) of mapperclient. Some records stay
    from set to set, some keep their reference and change their host, the others
    are of this set alone. Every seventh is empty."""
    dice = random.Random(source << 32 | n)
    if n % 7 == 3:
        return []
    out = []
    for i in range(dice.randrange(1, 30) * dice.choice((1, 1, 1, 5))):
        what = (i + 1) % 3  # the first is of this set alone
        ref = (source + 1) << 96 | (n << 48 if what == 1 else 0)
        ref |= i << 16 | 5 << 8 | what
        last = (i if what == 2 else i + n) % 250 + 1
        ip = f"192.168.{source}.{last}"
        out.append((ip, (PUBLIC, "0.0.0.0", "198.51.100.9")[i % 5 // 2], ref))
    return out


def in_force(records):
    """The same as it is in force: {(gw, ref): ip}, in bytes."""
    return {((ZERO4 if gw in (PUBLIC, "0.0.0.0") else addr4(gw)),
             ref.to_bytes(16, "big")): addr4(ip) for ip, gw, ref in records}


def source_of(ref):
    """Which source's record this reference is of, and of which set (0: of
    several); None: of none."""
    source = int.from_bytes(ref[:4], "big")
    if not source:
        return None
    return source - 1, int.from_bytes(ref[4:10], "big")


def addr4(dotted):
    return bytes(map(int, dotted.split(".")))


class Worker:
    """A client that goes on over every restart. What it is told goes to the
    auditor through its pipe, as lists of (kind, time, what, what it is)."""

    def __init__(self, plan, number, pipe):
        self.plan, self.number, self.pipe = plan, number, pipe
        self.dice = random.Random(f"{plan.seed}-{type(self).__name__}-{number}")
        self.facts = []
        self.counts = {}

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def tell(self, *fact):
        self.facts.append(fact)
        if len(self.facts) >= 200:
            self.flush()

    def flush(self):
        if self.facts:
            self.pipe.send(("facts", self.facts))
        self.facts = []

    def stopped(self):
        return self.plan.stop.is_set() or self.plan.orphaned()

    def connect(self):
        return mc.Client(self.plan.path, timeout=ANSWER_S,
                         dialect=self.number % 2 + 1)

    def run(self):
        """The process: sessions until it is told to stop."""
        try:
            while not self.stopped():
                try:
                    with self.connect() as client:
                        self.session(client)
                except TimeoutError as why:
                    raise Lie(f"no answer in {ANSWER_S} s") from why
                except OSError:
                    time.sleep(0.001)  # poll
                self.flush()
            self.pipe.send(("end", self.counts))
        except Lie as lie:
            self.plan.failed.set()
            self.pipe.send(("lie", f"{type(self).__name__} {self.number}: "
                            f"{lie}"))
        except Exception:
            self.plan.failed.set()
            self.pipe.send(("lie", traceback.format_exc()))
        finally:
            self.pipe.close()
