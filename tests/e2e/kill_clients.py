# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill loop's clients (kill_loop.py): those that ask and extend, and those
that publish. Each remembers what it was told and asks again for it."""
import struct
import time

from kill_common import (PUBLIC, ZERO4, Lie, Worker, addr4,
                         describe, host_name, in_force, local_ip, mc,
                         remote_key, set_records, text)


class Asker(Worker):
    """Asks for new and known remote hosts and references, many at once; reports
    use. Half of what it asks for others ask for too."""

    def __init__(self, plan, number, pipe):
        super().__init__(plan, number, pipe)
        self.top = {0: 0, 1: 0}  # of the common range and of its own
        self.eas = {}            # key: (ea, when)
        self.refs = {}           # ip: (reference, when)
        self.used = []           # keys with an ea
        self.waiting = {}        # packet id: (command, what)
        self.head = b"" if number % 2 == 0 else bytes([4, 4, 4, 4])

    def session(self, client):
        self.waiting = {}
        window = self.dice.choice((1, 8, 64))
        new = self.dice.choice((5, 30, 70))  # of 100 questions
        while not self.stopped():
            while len(self.waiting) < window:
                self.ask(client, new)
            self.take(client.receive())

    def pick(self, new):
        """A remote host: its number."""
        own = self.dice.randrange(2)
        if self.dice.randrange(100) < new or not self.top[own]:
            k = self.top[own]
            self.top[own] += 1
        else:
            k = self.dice.randrange(self.top[own])
        return k | (self.number + 1) << 32 if own else k

    def ask(self, client, new):
        what = self.dice.randrange(1000)
        if what < 4:
            self.report(client)
        elif what < 14:
            ip = local_ip(self.dice.randrange(3000))
            self.send(client, mc.GET_REF, ip, bytes(8) + self.head + ZERO4 + ip
                      + bytes(20))
        elif what < 100 and self.used:
            self.look_up(client)
        else:
            self.ask_ea(client, new)

    def ask_ea(self, client, new):
        k = self.pick(new)
        key, name = remote_key(k), None
        body = self.head + bytes(8) + key
        if k >> 32:
            name = host_name(k)
        if name:
            body += mc.string(name)
        elif self.dice.randrange(4) == 0:
            self.send(client, mc.GET_EA, key, bytes(8) + body)
            return
        self.send(client, mc.MC_GET_EA, key, body)

    def look_up(self, client):
        key = self.dice.choice(self.used)
        ea, when = self.eas[key]
        if self.plan.holds(when):
            self.send(client, mc.LOOKUP_EA, key, self.head + ea + bytes(24))

    def report(self, client):
        """Use of some; they live on."""
        keys = [self.dice.choice(self.used)
                for _ in range(self.dice.randrange(200))] if self.used else []
        body = b"".join(self.head + self.eas[key][0] + ZERO4 + key
                        for key in keys)
        self.send(client, mc.FEED_USED, keys, body)

    def send(self, client, cmd, what, body):
        self.waiting[client.start(cmd, body)] = cmd, what

    def take(self, message):
        if message.id not in self.waiting:
            raise Lie(f"an answer to nothing: {message}")
        cmd, what = self.waiting.pop(message.id)
        ack = message.mode == mc.ACK
        self.count("answers")
        if cmd in (mc.MC_GET_EA, mc.GET_EA):
            self.take_ea(cmd, what, message.body if ack else None)
        elif cmd == mc.GET_REF:
            self.take_ref(what, message.body if ack else None)
        elif cmd == mc.LOOKUP_EA:
            self.take_name(what, message.body if ack else None)
        elif not ack:
            raise Lie("a report of use was refused")

    def take_ea(self, cmd, key, body):
        known = self.eas.get(key)
        held = known and self.plan.holds(known[1])
        if body is None:
            if held:
                raise Lie(f"{describe(key)} is refused, was {text(known[0])}")
            if not self.plan.small:
                raise Lie(f"{describe(key)} is refused")
            self.count("refused")
            return
        owner = 1
        if cmd == mc.GET_EA:
            owner = int.from_bytes(body[:4], "big")
            body = body[8:]
        body = body[len(self.head):]
        ea = body[:4]
        if body[8:28] != key or body[4:8] != ZERO4 or ea[2] < 16:
            raise Lie(f"{describe(key)} is answered {body.hex()}")
        if held and (known[0] != ea or owner != 1):
            raise Lie(f"{describe(key)} was {text(known[0])}, is {text(ea)} "
                      f"(owner {owner})")
        if owner == 3:  # tentative: it may end with the mapper
            self.tell("tentative", time.monotonic(), key, ea)
            return
        self.learn("ea", self.eas, key, ea)

    def learn(self, kind, known, key, value):
        """Tells the auditor what is new, or was told some time ago."""
        now = time.monotonic()
        before = known.get(key)
        if before and before[0] == value and now - before[1] < 5:
            return
        if not before and kind == "ea":
            self.used.append(key)
        known[key] = value, now
        self.tell(kind, now, key, value)

    def take_ref(self, ip, body):
        known = self.refs.get(ip)
        held = known and self.plan.holds(known[1])
        if body is None:
            if held:
                raise Lie(f"{text(ip)}: its reference is refused")
            self.count("refused references")  # there is a rate
            return
        body = body[8 + len(self.head):]
        ref = body[12:28]
        if body[4:8] != ip or body[8:12] != ZERO4 or ref[14] < 16:
            raise Lie(f"{text(ip)} is answered {body.hex()}")
        if held and known[0] != ref:
            raise Lie(f"{text(ip)} had {known[0].hex()}, has {ref.hex()}")
        self.learn("ref", self.refs, ip, ref)

    def take_name(self, key, body):
        ea, when = self.eas[key]
        if body is None:
            if self.plan.holds(when):
                raise Lie(f"{text(ea)} leads nowhere, was {describe(key)}")
            return
        rec = body[8 + len(self.head):]
        if rec[:4] != ea or rec[8:28] != key:
            raise Lie(f"{text(ea)} was {describe(key)}, is {rec.hex()}")
        k = int.from_bytes(key[4:], "big") - 1000
        name = mc.take_string(rec, 28)[0] if len(rec) > 28 else None
        if k >> 32 and name != host_name(k):
            raise Lie(f"{text(ea)} has the name {name}, not {host_name(k)}")


class Publisher(Worker):
    """Publishes one set after the other. A batch that was acknowledged is never
    sent again, a set that is held must be so still and whole."""

    def __init__(self, plan, number, pipe):
        super().__init__(plan, number, pipe)
        self.name = f"int.test:s{number}.test"
        self.held = None  # number of the last set that was acknowledged
        self.n = 1
        self.batches = None  # [records, sent, acknowledged] of set n
        self.began = 0

    def session(self, client):
        self.look(client)
        while not self.stopped():
            if self.batches is None:
                self.begin()
            self.send_batches(client)
            if not self.ask_held(client, self.n):
                raise Lie(f"{self.name}: set {self.n} came whole, is not held")
            self.now_held()
            self.compare(client)

    def begin(self):
        if self.held is not None:
            self.n += 1
        records = set_records(self.number, self.n)
        self.dice.shuffle(records)
        size = self.dice.choice((1, 7, 30))
        self.batches = [[records[i:i + size], False, False]
                        for i in range(0, len(records), size)]
        # An empty set may be announced by its hash alone.
        if not self.batches and self.dice.randrange(2):
            self.batches = [[[], False, False]]
        self.began = time.monotonic()

    def value(self, n):
        return mc.set_hash(set_records(self.number, n))

    def ask_held(self, client, n):
        ack = client.host_hash(self.name, len(set(set_records(self.number, n))),
                               self.value(n))
        self.count("sets asked for")
        return ack is not None

    def now_held(self):
        self.held, self.batches = self.n, None
        self.count("sets")
        self.tell("set", time.monotonic(), self.number, self.n)

    def look(self, client):
        """After a restart."""
        sent = self.batches is not None and all(b[1] for b in self.batches)
        # The mapper forgets an unfinished set 30 s after it lost us.
        old = time.monotonic() - self.began > 20
        if sent and self.batches:
            whole = all(b[2] for b in self.batches)
            if self.ask_held(client, self.n):
                self.now_held()
            elif whole and not old:
                raise Lie(f"{self.name}: set {self.n} was acknowledged batch by "
                          "batch, some of it is lost")
        for batch in self.batches or []:
            batch[2] = batch[2] and not old
        if self.held is None:
            return
        if self.batches or not sent:
            if not self.ask_held(client, self.held):
                raise Lie(f"{self.name}: set {self.held} was held, is not")
            self.compare(client)

    def send_batches(self, client):
        value, waiting = self.value(self.n), {}
        for batch in self.batches:
            if batch[2]:
                continue
            batch[1] = True
            body = struct.pack(">IQ", self.dice.randrange(1, 1 << 32), value)
            body += client.source(self.name)
            body += b"".join(client.arec(ip=ip, gw=gw, ref=ref)
                             for ip, gw, ref in batch[0])
            waiting[client.start(mc.HOST_DATA, body)] = batch
            if len(waiting) >= 4:
                self.take_batch(client, waiting)
        while waiting:
            self.take_batch(client, waiting)

    def take_batch(self, client, waiting):
        message = client.receive()
        batch = waiting.pop(message.id, None)
        if batch is None:
            raise Lie(f"an answer to nothing: {message}")
        if message.mode != mc.ACK:
            raise Lie(f"{self.name}: a batch is refused")
        batch[2] = True
        self.count("batches")

    def compare(self, client):
        """Some records of the set in force, and one of the set before."""
        now = in_force(set_records(self.number, self.held))
        before = in_force(set_records(self.number, max(self.held - 1, 1)))
        ours = [key for key in now if key[0] == ZERO4]
        for key in self.dice.sample(ours, min(len(ours), 3)):
            ip = client.get_ea(PUBLIC, int.from_bytes(key[1], "big"))
            if ip is None or addr4(ip) != now[key]:
                raise Lie(f"{self.name} {key[1].hex()}: {ip}, not "
                          f"{text(now[key])}")
        for key in before:
            if key[0] == ZERO4 and key not in now:
                ip = client.get_ea(PUBLIC, int.from_bytes(key[1], "big"))
                if ip is not None:
                    raise Lie(f"{self.name} {key[1].hex()}: {ip}, was withdrawn")
                break
