# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill loop's auditor (kill_loop.py): follows the feed over all restarts,
takes a full copy after each, and compares both with each other and with all
that the clients were told."""
import multiprocessing.connection
import os
import select
import struct
import time
import traceback

from kill_common import (LISTED, PUBLIC, TENTATIVE, ZERO4, Lie, describe,
                         in_force, mc, set_records, source_of, text)

ENTRY = struct.Struct(">IIQ4s4s4s16s")
DIGESTS = 20000  # revisions whose digests are remembered


class Copy:
    """What a follower holds: {key: (flags, born, address)}; the key is the ea,
    or context address and reference. The digest does not depend on the order;
    digests has that of each revision that was seen whole since the last
    FEED_START."""

    def __init__(self):
        self.entries = {}
        self.store = self.digest = 0
        self.revision = 0  # of the last packet: the change may not be whole
        self.held = 0      # this one is
        self.resumed = self.closed = False
        self.digests = {}

    def start(self, store, resumed):
        """A FEED_START was answered."""
        self.store, self.resumed, self.closed = store, resumed, False
        self.revision, self.digests = self.held, {}

    def copy(self):
        other = Copy()
        other.entries = dict(self.entries)
        other.store, other.digest = self.store, self.digest
        other.revision, other.held = self.revision, self.held
        return other

    def state(self):
        return f"{'whole' if self.closed else 'not whole'} at {self.revision}"

    def reach(self, revision):
        gap = revision - self.revision
        if gap < 0 or (gap > 1 and self.closed):
            raise Lie(f"revision {revision} after {self.revision}")
        if gap and (self.resumed or self.closed):
            self.held = self.revision
        if gap and self.closed:
            self.note()
        self.revision = revision

    def note(self):
        self.digests[self.revision] = self.digest
        if len(self.digests) > DIGESTS:
            self.digests.pop(next(iter(self.digests)))

    def apply(self, message):
        if message.cmd == mc.FEED_AT:
            store, revision = struct.unpack(">QQ", message.body)
            if store != self.store:
                raise Lie("the store has another identity")
            self.reach(revision)
            self.closed, self.held = True, revision
            self.note()
            return
        if message.cmd not in (mc.FEED_SET, mc.FEED_DEL):
            raise Lie(f"not of the feed: {message}")
        self.reach(int.from_bytes(message.body[:8], "big"))
        for flags, _, born, ea, ip, gw, ref in ENTRY.iter_unpack(
                memoryview(message.body)[8:]):
            key = ea if ea != ZERO4 else (gw, ref)
            value = flags, born, (gw, ref) if ea != ZERO4 else ip
            if message.cmd == mc.FEED_DEL:
                value = None
            self.put(key, value)

    def put(self, key, value):
        """Tentative entries have no revision, so no part in the digest."""
        old = self.entries.pop(key, None)
        if old and not old[0] & TENTATIVE:
            self.digest ^= hash((key, old))
        if value:
            self.entries[key] = value
            if not value[0] & TENTATIVE:
                self.digest ^= hash((key, value))


class Follower:
    """A connection that feeds a copy."""

    def __init__(self, plan, copy, patience):
        self.client = mc.Client(plan.path, timeout=patience)
        try:
            self.began = time.monotonic()
            store, self.reached, kind = self.client.feed_start(
                plan.net, PUBLIC, store=copy.store, revision=copy.held)
        except BaseException:
            self.client.close()
            raise
        if copy.store and store != copy.store:
            raise Lie("the store has another identity")
        if self.reached < copy.held:
            raise Lie(f"revision {self.reached} after {copy.held}")
        self.resumed = kind == 1
        self.copy = copy if self.resumed else Copy()
        self.copy.start(store, self.resumed)

    def read(self, beyond=True):
        """Takes what is there, or not beyond what closes the copy."""
        while beyond or not self.copy.closed:
            if not select.select([self.client.sock], [], [], 0)[0]:
                return
            closed = self.copy.closed
            self.copy.apply(self.client.receive())
            if self.copy.closed and not closed and \
                    self.copy.revision < self.reached:
                raise Lie(f"a copy up to {self.copy.revision}, {self.reached} "
                          "was announced")


class Audit:
    """Collects what clients were told, and compares. The process runs run()."""

    def __init__(self, plan, pipes, result):
        self.plan, self.pipes, self.result = plan, list(pipes), result
        self.patience = 30
        self.told = {}     # kind: {key or ip: (value, when)}
        self.holder = {}   # ea or reference: what it was ever told to lead to
        self.sets = {}     # source: (number, when) of its last set held
        self.copy, self.old = Copy(), None
        self.counts = {"audits": 0, "resumed": 0, "compared": 0, "copies": 0,
                       "again": 0}
        self.ends = []

    # What clients were told

    def collect(self, wait=0):
        """Takes what the clients tell; they must not wait for us."""
        for pipe in multiprocessing.connection.wait(self.pipes, wait):
            try:
                what, data = pipe.recv()
            except EOFError:
                self.pipes.remove(pipe)
                continue
            if what == "lie":
                raise Lie(data)
            if what == "end":
                self.ends.append(data)
                continue
            for fact in data:
                self.learn(*fact)

    def learn(self, kind, when, what, value):
        if kind == "set":
            self.sets[what] = value, when
            return
        before = self.holder.setdefault((kind == "ref", value), what)
        if before != what:
            who = text if kind == "ref" else describe
            raise Lie(f"{value.hex()} was told to lead to {who(before)}, and "
                      f"to {who(what)}: given twice")
        if kind == "tentative":
            return
        told = self.told.setdefault(kind, {})
        known = told.get(what)
        if known and known[0] != value and abs(
                when - known[1]) < self.plan.lifetime / 2 - 1:
            raise Lie(f"{what.hex()} was told to be {known[0].hex()} and "
                      f"{value.hex()}")
        if not known or when > known[1]:
            told[what] = value, when

    # Comparing

    def compare_told(self, copy, before):
        """All that was told before this moment is in the copy."""
        remote = {}
        for key, value in copy.entries.items():
            if isinstance(key, bytes) and not value[0] & TENTATIVE:
                if value[2] in remote:
                    raise Lie(f"{describe(b''.join(value[2]))} has the eas "
                              f"{text(key)} and {text(remote[value[2]])}")
                remote[value[2]] = key
        for key, (ea, when) in self.told.get("ea", {}).items():
            got = remote.get((key[:4], key[4:]))
            if when < before and got != ea and self.plan.holds(when):
                raise Lie(f"{describe(key)} was told to be {text(ea)}, is "
                          f"{got and text(got)}: lost or changed")
            self.counts["compared"] += 1
        for ip, (ref, when) in self.told.get("ref", {}).items():
            got = copy.entries.get((ZERO4, ref))
            if when < before and (not got or got[2] != ip) and \
                    self.plan.holds(when):
                raise Lie(f"{text(ip)} was told to have {ref.hex()}, which "
                          f"leads to {got}")
            self.counts["compared"] += 1

    def compare_sets(self, copy, before):
        """Each source's hosts are one of its sets, whole, none older than what
        was acknowledged."""
        found = {}
        for key, (flags, _, ip) in copy.entries.items():
            if flags & LISTED and isinstance(key, tuple):
                source = source_of(key[1])
                if source:
                    found.setdefault(source[0], {})[key] = ip
        for source, (n, when) in self.sets.items():
            have = found.pop(source, {})
            first = n if when < before else 0
            named = max((source_of(ref)[1] for _, ref in have), default=None)
            numbers = [named] if named else range(first, n + 50)
            if not any(i >= first and in_force(set_records(source, i)) == have
                       for i in numbers):
                raise Lie(f"source {source}: {len(have)} hosts in force (of set "
                          f"{named}) are no set since {n}, which was held")

    def same(self, followed, full):
        """Whether the one that followed has passed the full one's revision; it
        was the same then. (Its last change may not be whole yet.)"""
        at = full.revision
        if at in followed.digests and followed.digests[at] != full.digest:
            raise Lie(f"at revision {at} a full copy and one that followed to "
                      f"{followed.revision} differ: "
                      f"{difference(followed, full)}")
        return at in followed.digests or (
            followed.revision == at and followed.digest == full.digest)

    def passed(self, followed, full):
        """Whether it has caught up beyond the full one's revision: what it held
        at that one can't be known any more, only that of a later full copy."""
        return followed.revision > full.revision and \
            full.revision not in followed.digests

    def session(self):
        """One connection's audit: until the mapper is gone."""
        start = self.copy
        if self.old and os.urandom(1)[0] < 64:
            start = self.old.copy()
        follower = Follower(self.plan, start, self.patience)
        with follower.client:
            ends = time.monotonic() + self.patience
            while not self.audit(follower, ends):
                self.counts["again"] += 1
            deadline = time.monotonic() + 0.1 + os.urandom(1)[0] / 256
            while time.monotonic() < deadline and self.pipes:
                self.collect(0.01)
                follower.read()
                self.keep(follower)

    def keep(self, follower):
        if follower.resumed or follower.copy.closed:
            self.copy = follower.copy

    def audit(self, follower, ends):
        """Takes a full copy; False: the follower was whole only behind it."""
        fresh = Follower(self.plan, Copy(), self.patience)
        with fresh.client:
            return self.compare(follower, fresh, ends)

    def compare(self, follower, fresh, ends):
        """Until both copies are whole and were the same at a revision."""
        self.collect()
        while True:
            follower.read()
            self.keep(follower)
            if not fresh.copy.closed:
                fresh.read(beyond=False)
            elif follower.copy.closed:
                if self.same(follower.copy, fresh.copy):
                    break
                if self.passed(follower.copy, fresh.copy):
                    return False
            if time.monotonic() > ends:
                raise Lie(f"no whole copy in {self.patience} s: "
                          f"{fresh.copy.state()}, {follower.copy.state()}")
            self.collect(0.001)
        self.counts["resumed" if follower.resumed else "copies"] += 1
        self.compare_told(fresh.copy, fresh.began)
        self.compare_sets(fresh.copy, fresh.began)
        self.counts["audits"] += 1
        if os.urandom(1)[0] < 64:
            self.old = follower.copy.copy()
        return True

    def run(self):
        try:
            while self.pipes and not self.plan.orphaned():
                self.attempt()
            self.collect()
            self.session_to_the_end()
            self.result.send(("end", self.counts, self.ends,
                              {kind: len(v) for kind, v in self.told.items()}))
        except Lie as lie:
            self.plan.failed.set()
            self.result.send(("lie", str(lie)))
        except Exception:
            self.plan.failed.set()
            self.result.send(("lie", traceback.format_exc()))
        finally:
            self.result.close()

    def attempt(self):
        try:
            self.session()
        except TimeoutError as why:
            raise Lie(f"no answer in {self.patience} s") from why
        except mc.Refused as why:
            raise Lie(f"the feed is refused: {why}") from why
        except OSError:
            self.collect(0.001)

    def session_to_the_end(self):
        """The clients have ended, nothing changes any more."""
        audits = self.counts["audits"]
        while self.counts["audits"] == audits:
            self.attempt()


def difference(one, other):
    keys = [key for key in set(one.entries) | set(other.entries)
            if one.entries.get(key) != other.entries.get(key)]
    return [(key, one.entries.get(key), other.entries.get(key))
            for key in keys[:3]]
