# SPDX-License-Identifier: GPL-2.0-or-later
"""mapper_report.py RESULTS JSON SIZE...: medians, spread, ratios and goals of
200-mapper."""
import sys

from report import meets, number, per_round, read, summary, write


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
        met = meets(value, side, bound)
        judged.append({"name": name, "goal": f"{side} {bound}",
                       "value": value, "met": met})
        print(f"{'met' if met else 'MISSED':7} {text}: {number(value)} "
              f"(goal {side} {bound})")
    write(out, {"values": table, "goals": judged})


main()
