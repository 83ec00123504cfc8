# SPDX-License-Identifier: GPL-2.0-or-later
"""path_report.py RESULTS JSON VARIANT...: medians, spread, ratios and goals of
100-path. Names of results are FIGURE.VARIANT."""
import sys

from report import meets, number, per_round, read, summary, write

# Figure, what it is; whether ratios to the kernel's ways are of interest.
FIGURES = (
    ("tcp.wire.x1", "TCP x1 wire, Gb/s", True),
    ("tcp.wire.x8", "TCP x8 wire, Gb/s", True),
    ("tcp.offl.x1", "TCP x1 offl, Gb/s", True),
    ("tcp.offl.x8", "TCP x8 offl, Gb/s", True),
    ("udp.64.kpps", "UDP 64 B, kpps", True),
    ("udp.1400.kpps", "UDP 1400 B, kpps", True),
    ("uso.64.kpps", "UDP 64 B, USO sender, kpps", True),
    ("rtt.median_us", "idle round trip, median, us", True),
    ("rtt.p99_us", "idle round trip, p99, us", False),
    ("flows.rate", "new TCP flows/s", True),
    ("encap.core_kpps", "leaving, per core, kpps", False),
    ("encap.full_user_ns", "leaving, user, full load, ns", False),
    ("decap.full_user_ns", "arriving, user, full load, ns", False),
    ("encap.user_ns", "leaving, user, ns/packet", False),
    ("encap.system_ns", "leaving, system, ns/packet", False),
    ("decap.user_ns", "arriving, user, ns/packet", False),
    ("decap.system_ns", "arriving, system, ns/packet", False),
    ("cpu.lost_percent", "lost at that rate, %", False),
)

# Value, what it is, side, at least, aim.
GOALS = (
    ("tcp.wire.x1.gwd/kernel", "TCP x1 wire / kernel routing", ">=", 1.05, 1.2),
    ("tcp.wire.x1.gwd/vxlan", "TCP x1 wire / kernel VXLAN", ">=", 1.2, 1.35),
    ("tcp.offl.x1.gwd/kernel", "TCP x1 offl / kernel routing", ">=", 0.85, 0.95),
    ("udp.64.kpps.gwd/kernel", "UDP 64 B / kernel routing", ">=", 1.0, 1.4),
    ("uso.64.kpps.gwd", "UDP 64 B, USO sender, kpps", ">=", 380, 450),
    ("encap.core_kpps.gwd", "leaving, ordinary source, kpps per core",
     ">=", 235, 300),
    ("encap.full_user_ns.gwd-100k", "user ns/packet leaving, 100,000 mappings",
     "<=", 80, 55),
    ("decap.full_user_ns.gwd-100k", "user ns/packet arriving, 100,000 mappings",
     "<=", 80, 55),
    ("rtt.median_us.gwd-kernel", "added idle round trip, median, us",
     "<=", 150, 60),
)

# The kernel's ways that the others are compared with.
BASES = ("kernel", "vxlan")
REPEATABLE = 0.10


def derive(values, variants):
    """Ratios, and the differences of round trips, as further values."""
    for figure, _, compared in FIGURES:
        if not compared:
            continue
        for variant in variants:
            for base in BASES:
                if variant == base:
                    continue
                names = f"{figure}.{variant}", f"{figure}.{base}"
                values[f"{figure}.{variant}/{base}"] = per_round(
                    values, *names, lambda a, b: a / b if b else 0)
                if figure.startswith("rtt."):
                    values[f"{figure}.{variant}-{base}"] = per_round(
                        values, *names, lambda a, b: a - b)


def spread(row):
    """How far a round is from the median at most, as a part of it."""
    if not row["median"]:
        return 0 if row["least"] == row["most"] else float("inf")
    return max(row["most"] - row["median"],
               row["median"] - row["least"]) / abs(row["median"])


def cell(row):
    return f"{number(row['median'])} \u00b1{spread(row):4.0%}" if row else "-"


def print_rows(title, columns, table, suffix=""):
    rows = [(text, [cell(table.get(f"{figure}.{column}{suffix}"))
                    for column in columns])
            for figure, text, _ in FIGURES]
    rows = [(text, cells) for text, cells in rows if set(cells) != {"-"}]
    if not rows:
        return
    print(f"{title:28}" + "".join(f"{column:>15}" for column in columns))
    for text, cells in rows:
        print(f"{text:28}" + "".join(f"{c:>15}" for c in cells))
    print()


def judge(table):
    for name, text, side, least, aim in GOALS:
        if name not in table:
            continue
        value = table[name]["median"]
        if meets(value, side, aim):
            word = "aim"
        else:
            word = "met" if meets(value, side, least) else "MISSED"
        print(f"{word:7} {text}: {number(value)} "
              f"(at least {side} {least}, aim {aim})")
        yield {"name": name, "goal": f"{side} {least}", "aim": aim,
               "value": value, "met": word != "MISSED"}


def unrepeatable(table):
    """Ratios that some round shows further than a tenth from their median. (One of
    values themselves says more of the machine than of what is measured.)"""
    for name, row in table.items():
        if "/" in name and spread(row) > REPEATABLE:
            yield name, spread(row)


def main():
    results, out, *variants = sys.argv[1:]
    values = read(results)
    derive(values, variants)
    table = {name: summary(v) for name, v in sorted(values.items()) if v}
    rounds = max((len(v) for v in values.values()), default=0)
    print()
    print_rows("medians, spread", variants, table)
    for base in BASES:
        others = [v for v in variants if v != base]
        print_rows(f"ratio to {base}", others, table, f"/{base}")
    goals = list(judge(table))
    off = sorted(unrepeatable(table), key=lambda pair: -pair[1])
    print()
    if rounds < 3:
        print("repeatable to 10 %: not known, of fewer than 3 rounds")
    elif not off:
        print("repeatable to 10 %: yes, all ratios of all rounds")
    else:
        print(f"repeatable to 10 %: NO, {len(off)} ratios were not; the worst:")
        for name, by in off[:8]:
            print(f"    {name}: {by:.0%} off its median")
    write(out, {"rounds": rounds, "repeatable": rounds >= 3 and not off,
                "unrepeatable": [name for name, _ in off],
                "values": table, "goals": goals})


main()
