# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py RESULTS JSON SIZE...: medians, spread, ratios and goals of 200-mapper.

RESULTS has lines "ROUND NAME VALUE". A ratio is that of two values of one round;
its median is over the rounds.
"""
import json
import os
import platform
import statistics
import sys


def read(path):
    """{name: {round: value}}"""
    values = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            turn, name, value = line.split()
            values.setdefault(name, {})[int(turn)] = float(value)
    return values


def per_round(values, name, other, function):
    """The function of two values, by round; values of round 0 hold for all."""
    out = {}
    for turn, value in values[name].items():
        if turn in values[other]:
            out[turn] = function(value, values[other][turn])
        elif 0 in values[other]:
            out[turn] = function(value, values[other][0])
    return out


def summary(by_round):
    numbers = sorted(by_round.values())
    return {
        "median": statistics.median(numbers),
        "least": numbers[0],
        "most": numbers[-1],
    }


def goals(sizes):
    """Name of the value, what it is, which side of what it has to be on."""
    yield "ratio.new.512", "new ones at 512 in flight / SQLite, 512 a commit", ">=", 0.4
    yield "ratio.new.1", "new ones one at a time / SQLite, 1 a commit", ">=", 0.8
    yield "ratio.known.64", "known ones at 64 in flight / echo server", ">=", 0.5
    yield "quarter.p99_us", "p99 of known ones at a quarter of that load, us", "<=", 200
    yield "slow.p99_us", "p99 of known ones while a sync takes 500 ms, us", "<=", 2000
    for size in sizes:
        yield f"mapping.{size}", f"bytes a mapping, {size} of them", "<=", 300
    yield f"start.{sizes[-1]}.seconds", f"seconds to serve {sizes[-1]}", "<=", 2


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main():
    results, out, *sizes = sys.argv[1:]
    values = read(results)
    for size in sizes:
        values[f"mapping.{size}"] = per_round(
            values, f"start.{size}.rss", "empty.rss",
            lambda full, empty, n=int(size): (full - empty) / n)
    for name, other in (("new.512", "sqlite.512"), ("new.1", "sqlite.1"),
                        ("known.64", "echo.64"), ("known.1", "echo.1")):
        values[f"ratio.{name}"] = per_round(
            values, f"{name}.rate", f"{other}.rate", lambda a, b: a / b)
    # Nobody who stores one at a time can answer sooner than after a round trip of
    # two processes and a commit.
    values["attainable.new.1"] = {
        turn: 1 / (1 / values["sqlite.1.rate"][turn] + 1 / rate)
        / values["sqlite.1.rate"][turn]
        for turn, rate in values["echo.1.rate"].items()}
    table = {name: summary(by_round) for name, by_round in sorted(values.items())}
    print(f"{'':28} {'median':>12} {'least':>12} {'most':>12}")
    for name, row in table.items():
        print(f"{name:28} " + " ".join(
            f"{number(row[key]):>12}" for key in ("median", "least", "most")))
    print()
    judged = []
    for name, text, side, bound in goals(sizes):
        value = table[name]["median"]
        met = value >= bound if side == ">=" else value <= bound
        judged.append({"name": name, "goal": f"{side} {bound}",
                       "value": value, "met": met})
        print(f"{'met' if met else 'MISSED':7} {text}: {number(value)} "
              f"(goal {side} {bound})")
    with open(out, "w", encoding="ascii") as file:
        json.dump({"machine": {"cpus": os.cpu_count(), "kernel": platform.release(),
                               "arch": platform.machine()},
                   "values": table, "goals": judged}, file, indent=1)
        file.write("\n")
    print(f"written: {out}")


main()
