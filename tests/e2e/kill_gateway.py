# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill loop's gateway (kill_loop.py): packets with unknown sources, whose
tentative mappings it holds over restarts and reports as proved."""
import time

from kill_common import ZERO4, Lie, Worker, describe, mc, remote_key, text

LIFE_S = 110     # what was told or used lives for 120 s
HELD_MOST = 1500  # tentative mappings at once
HOLD_PART = 1000  # records in a FEED_HOLD
OWN = 99 << 32   # range of remote hosts; nobody else asks for them


class Gateway(Worker):
    def __init__(self, plan, number, pipe):
        super().__init__(plan, number, pipe)
        self.held = {}    # key: (ea, when told or used), tentative
        self.proved = {}  # key: (ea, when); acknowledged, so durable
        self.top = 0
        self.waiting = {}
        self.head = b"" if number % 2 == 0 else bytes([4, 4, 4, 4])

    def session(self, client):
        self.waiting = {}
        self.hold(client)
        while not self.stopped():
            while len(self.waiting) < 16:
                self.ask(client)
            self.take(client.receive())

    def record(self, key, ea):
        return self.head + ea + ZERO4 + key

    def fresh(self, when):
        return time.monotonic() - when < LIFE_S

    def hold(self, client):
        """The mapper takes back all that it may have lost. What another got
        meanwhile it can't; nobody else asks for ours."""
        self.held = {key: told for key, told in self.held.items()
                     if self.fresh(told[1])}
        keys = list(self.held)
        for i in range(0, len(keys), HOLD_PART):
            part = keys[i:i + HOLD_PART]
            body = b"".join(self.record(key, self.held[key][0])
                            for key in part)
            now = time.monotonic()
            ack = client.request(mc.FEED_HOLD, body)
            if ack is None:
                raise Lie("what is held is refused")
            if ack.body:
                rec = ack.body[len(self.head):]
                raise Lie(f"{describe(rec[8:28])} is held as {text(rec[:4])}, "
                          "and not taken back")
            for key in part:
                self.held[key] = self.held[key][0], now
            self.count("held", len(part))

    def ask(self, client):
        what = self.dice.randrange(100)
        known = self.dice.randrange(2) and (self.held or self.proved)
        if what < 4 and self.held:
            self.report(client, mc.FEED_PROVED, 10)
        elif what < 6 and self.held:
            self.report(client, mc.FEED_USED, 50)
        elif known or len(self.held) >= HELD_MOST:
            self.ask_ea(client, self.known())
        else:
            self.ask_ea(client, remote_key(OWN | self.top))
            self.top += 1

    def known(self):
        kept = self.held if self.dice.randrange(2) and self.held \
            else self.proved or self.held
        return self.dice.choice(list(kept)[-200:])

    def ask_ea(self, client, key):
        self.send(client, mc.GET_EA, key,
                  bytes(8) + self.head + bytes(8) + key)

    def report(self, client, cmd, most):
        keys = [key for key in list(self.held)[:most]
                if self.fresh(self.held[key][1])]
        self.send(client, cmd, keys, b"".join(
            self.record(key, self.held[key][0]) for key in keys))

    def send(self, client, cmd, what, body):
        self.waiting[client.start(cmd, body)] = cmd, what, time.monotonic()

    def take(self, message):
        if message.id not in self.waiting:
            raise Lie(f"an answer to nothing: {message}")
        cmd, what, asked = self.waiting.pop(message.id)
        self.count("packets' questions")
        ack = message.mode == mc.ACK
        if cmd == mc.GET_EA:
            self.take_ea(what, message.body if ack else None)
        elif not ack:
            raise Lie(f"a report is refused: {cmd}")
        elif cmd == mc.FEED_USED:
            for key in what:
                if key in self.held:
                    self.held[key] = self.held[key][0], asked
        else:
            for key in what:
                self.take_proved(key)

    def take_proved(self, key):
        told = self.held.pop(key, None)
        if told is None:
            return
        now = time.monotonic()
        self.proved[key] = told[0], now
        self.count("proved")
        self.tell("ea", now, key, told[0])

    def take_ea(self, key, body):
        now = time.monotonic()
        held, proved = self.held.get(key), self.proved.get(key)
        known = None
        if proved and self.plan.holds(proved[1]):
            known = proved[0]
        elif held and self.fresh(held[1]):
            known = held[0]
        if body is None:
            if known or not self.plan.small:
                raise Lie(f"{describe(key)} is refused, was "
                          f"{known and text(known)}")
            self.count("refused")
            return
        owner = int.from_bytes(body[:4], "big")
        rec = body[8 + len(self.head):]
        ea = rec[:4]
        if rec[8:28] != key or ea[2] < 16 or owner not in (1, 3):
            raise Lie(f"{describe(key)} is answered {body.hex()}")
        if known and known != ea:
            raise Lie(f"{describe(key)} was {text(known)}, is {text(ea)}")
        if proved and known and owner != 1:
            raise Lie(f"{describe(key)} was proved, is tentative again")
        if owner == 1:  # also one whose proof was under way at a kill
            self.held.pop(key, None)
            self.proved[key] = ea, now
            self.tell("ea", now, key, ea)
            return
        self.held[key] = ea, now
        self.tell("tentative", now, key, ea)
