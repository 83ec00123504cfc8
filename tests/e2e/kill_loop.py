#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills mapperd (-9) again and again at random moments under load, starts it
again at once, and compares with everything that was acknowledged.

    kill_loop.py MAPPERD DIRECTORY [--kills N] [--seconds S] [--seed X]

In rounds, each with a database of its own: clients (kill_clients.py) ask,
report use and publish, a gateway (kill_gateway.py) has tentative mappings; an
auditor (kill_audit.py) follows the feed, and takes a full copy after each
restart. A kill comes while mapperd starts, or later;
the time is drawn anew for each. Ends after N kills or S seconds, with what was
done; non-zero, and what was the lie, when there was one."""
import argparse
import ctypes
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mapperclient as mc  # noqa: E402
from kill_audit import Audit  # noqa: E402
from kill_clients import Asker, Publisher  # noqa: E402
from kill_common import PUBLIC, Lie, Plan  # noqa: E402
from kill_gateway import Gateway  # noqa: E402

ROUND_KILLS = 60   # then a new database
START_S = 30       # a start that takes longer has failed
FAILED_LOG = ("<0>", "<1>", "<2>", "<3>")
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Mapper:
    """The process under test."""

    def __init__(self, program, work, plan):
        self.path = plan.path
        self.command = [
            program, "--config", "/dev/null", "-gateway", PUBLIC,
            "-encode-net", plan.net, "-data", os.path.join(work, "data"),
            "-hosts", os.path.join(work, "hosts"), "-mapper-socket", plan.path,
            "-control-dir", work, "-lifetime", str(plan.lifetime)]
        self.log = open(os.path.join(work, "mapperd.log"), "ab")
        self.process = None
        self.spawned = 0
        self.starts = []  # ms from start to the first answer

    def start(self):
        self.spawned = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, preexec_fn=die_with_parent)

    def wait_answer(self, until):
        """Until it answers (True), or that moment."""
        while time.monotonic() < until:
            self.alive()
            try:
                with mc.Client(self.path, timeout=START_S) as client:
                    if client.get_ea(PUBLIC, 1) is None:
                        raise Lie("the gateway's own address is refused")
                took = time.monotonic() - self.spawned
                self.starts.append(took * 1000)
                return True
            except TimeoutError as why:
                raise Lie(f"no answer in {START_S} s after a start") from why
            except OSError:
                time.sleep(0.0005)  # poll
        return False

    def alive(self):
        if self.process.poll() is not None:
            raise Lie(f"mapperd ended by itself: {self.process.returncode}")

    def kill(self):
        self.alive()
        self.process.kill()
        self.process.wait()

    def end(self):
        """Asked to end, it does so well."""
        self.process.terminate()
        code = self.process.wait(START_S)
        if code:
            raise Lie(f"mapperd ended with {code}")

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def kill_once(mapper, dice):
    """Starts it and kills it at a random moment; True: while it started. When
    it is killed there, that is before the time a start usually takes."""
    mapper.start()
    usual = sorted(mapper.starts)[len(mapper.starts) // 2] / 1000 \
        if mapper.starts else 0.05
    if dice.randrange(4) == 0:
        moment = mapper.spawned + dice.random() * usual * 1.2
        answered = mapper.wait_answer(moment)
        time.sleep(max(0, moment - time.monotonic()))  # the moment drawn
    else:
        answered = mapper.wait_answer(mapper.spawned + START_S)
        if not answered:
            raise Lie(f"no answer in {START_S} s after a start")
        time.sleep(dice.random() ** 2 * dice.choice((0.1, 0.4, 1)))
    mapper.kill()
    return not answered


class Results:
    def __init__(self):
        self.kills = self.starting = self.rounds = 0
        self.starts, self.counts = [], {}

    def add(self, counts):
        for what, n in counts.items():
            self.counts[what] = self.counts.get(what, 0) + n

    def lines(self):
        starts = sorted(self.starts) or [0]
        yield (f"{self.kills} kills ({self.starting} while starting) in "
               f"{self.rounds} rounds")
        yield ", ".join(f"{n} {what}" for what, n in
                        sorted(self.counts.items()))
        yield (f"ms from start to answer: median {starts[len(starts) // 2]:.0f},"
               f" p99 {starts[len(starts) * 99 // 100]:.0f},"
               f" most {starts[-1]:.0f} of {len(self.starts)}")


def spawn(plan):
    """The clients and the auditor; the latter's pipe."""
    pipes, processes = [], []
    for kind, numbers in ((Asker, range(3)), (Publisher, range(2)),
                          (Gateway, range(1))):
        for number in numbers:
            ours, theirs = multiprocessing.Pipe(duplex=False)
            worker = kind(plan, number, theirs)
            process = multiprocessing.Process(target=worker.run, daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
    result, theirs = multiprocessing.Pipe(duplex=False)
    audit = Audit(plan, pipes, theirs)
    process = multiprocessing.Process(target=audit.run, daemon=True)
    process.start()
    theirs.close()
    for pipe in pipes:
        pipe.close()
    processes.append(process)
    return result, processes


def verdict(result, processes, results):
    """What the auditor says at the end."""
    said = result.recv() if result.poll(120) else ("lie", "no verdict in 120 s")
    if said[0] == "lie":
        raise Lie(said[1])
    for process in processes:
        process.join(30)
    results.add(said[1])
    for counts in said[2]:
        results.add(counts)
    results.add({f"mappings told ({kind})": n for kind, n in said[3].items()})


def run_round(args, number, seed, results, ends):
    dice = random.Random(seed)
    net = dice.choice(("10.240.0.0/12", "10.240.0.0/12", "10.224.0.0/19"))
    lifetime = dice.choice((60, 14400))
    work = os.path.join(args.directory, f"round-{number}")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    open(os.path.join(work, "hosts"), "w").close()
    plan = Plan(os.path.join(work, "s"), net, seed, lifetime,
                multiprocessing.Event(), multiprocessing.Event())
    mapper = Mapper(args.mapperd, work, plan)
    result, processes = spawn(plan)
    try:
        kills = 0
        while kills < args.round_kills and results.kills < args.kills and \
                time.monotonic() < ends and not plan.failed.is_set():
            results.starting += kill_once(mapper, dice)
            results.kills += 1
            kills += 1
        mapper.start()
        if not plan.failed.is_set() and not mapper.wait_answer(
                mapper.spawned + START_S):
            raise Lie(f"no answer in {START_S} s after a start")
        plan.stop.set()
        verdict(result, processes, results)
        mapper.end()
        check_log(work)
        print(f"# round {number}: {net}, lifetime {lifetime} s, {kills} kills",
              flush=True)
    finally:
        plan.stop.set()
        mapper.close()
        for process in processes:
            if process.is_alive():
                process.kill()
        results.starts += mapper.starts
    results.rounds += 1
    shutil.rmtree(work)


def check_log(work):
    """Nothing that happened is an error."""
    with open(os.path.join(work, "mapperd.log"), errors="replace") as log:
        for line in log:
            if line.startswith(FAILED_LOG):
                raise Lie(f"mapperd says: {line.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mapperd")
    parser.add_argument("directory")
    parser.add_argument("--kills", type=int, default=1 << 30)
    parser.add_argument("--round-kills", type=int, default=ROUND_KILLS)
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    seed = int.from_bytes(os.urandom(4), "big") if args.seed is None \
        else args.seed
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = Results()
    ends = time.monotonic() + args.seconds
    try:
        while results.kills < args.kills and time.monotonic() < ends:
            run_round(args, results.rounds, seed + results.rounds, results,
                      ends)
    except Lie as lie:
        print(f"a lie: {lie}")
        return 1
    finally:
        print("\n".join(results.lines()), flush=True)
    print("0 lost, 0 changed, 0 given twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
