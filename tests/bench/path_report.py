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
    ("encap.full_kpps", "leaving, per core, kpps", False),
    ("encap.uso_kpps", "same, USO sender", False),
    ("encap.full_user_ns", "leaving, user, full load, ns", False),
    ("decap.full_user_ns", "arriving, user, full load, ns", False),
    ("encap.uso_user_ns", "leaving, user, USO sender, ns", False),
    ("decap.uso_user_ns", "arriving, user, USO, ns", False),
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
    ("encap.full_kpps.gwd", "leaving, ordinary source, kpps per core",
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
ENOUGH = 6  # rounds; the range of so many holds the median 95 times of 100


def trial_base(variant):
    """What NAME+TRIAL is compared with."""
    return variant.partition("+")[0]


def derive(values, variants):
    """Ratios, and the differences of round trips, as further values."""
    for figure, _, _ in FIGURES:
        for variant in variants:
            if "+" in variant:
                values[f"{figure}.{variant}/usual"] = per_round(
                    values, f"{figure}.{variant}",
                    f"{figure}.{trial_base(variant)}",
                    lambda a, b: a / b if b else 0)
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
    """How far from it the true median may be, as a part of it (report.py)."""
    if not row["median"]:
        return 0 if row["low"] == row["high"] else float("inf")
    return max(row["high"] - row["median"],
               row["median"] - row["low"]) / abs(row["median"])


def cell(row):
    return f"{number(row['median'])} \u00b1{spread(row):4.0%}" if row else "-"


def width(column):
    return max(15, len(column) + 2)


def print_rows(title, columns, table, suffix=""):
    rows = [(text, [cell(table.get(f"{figure}.{column}{suffix}"))
                    for column in columns])
            for figure, text, _ in FIGURES]
    rows = [(text, cells) for text, cells in rows if set(cells) != {"-"}]
    if not rows or not columns:
        return
    print(f"{title:30}" + "".join(f"{c:>{width(c)}}" for c in columns))
    for text, cells in rows:
        print(f"{text:30}" + "".join(f"{cell:>{width(c)}}"
                                     for c, cell in zip(columns, cells)))
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
        print(f"{word:7} {text}: {cell(table[name])} "
              f"(at least {side} {least}, aim {aim})")
        yield {"name": name, "goal": f"{side} {least}", "aim": aim,
               "value": value, "met": word != "MISSED"}


def unrepeatable(table):
    """Ratios whose true median may be further than a tenth from what is shown.
    (Values themselves say more of the machine than of what is measured.)"""
    for name, row in table.items():
        if "/" in name and spread(row) > REPEATABLE:
            yield name, spread(row)


def main():
    results, out, *variants = sys.argv[1:]
    values = read(results)
    machine = {name.partition(".")[2]: values.pop(name)[0]
               for name in list(values) if name.startswith("machine.")}
    derive(values, variants)
    table = {name: summary(v) for name, v in sorted(values.items()) if v}
    rounds = max((len(v) for v in values.values()), default=0)
    print()
    print_rows("medians, spread", variants, table)
    for base in BASES:
        others = [v for v in variants if v != base]
        print_rows(f"ratio to {base}", others, table, f"/{base}")
    trials = [v for v in variants if "+" in v]
    print_rows("ratio to the same without", trials, table, "/usual")
    goals = list(judge(table))
    off = sorted(unrepeatable(table), key=lambda pair: -pair[1])
    print()
    print("before the run others used {others_percent:.0f} % of the CPUs; while it "
          "ran, {seconds:.0f} s,\nthe hypervisor took "
          "{steal_percent:.1f} %".format(**machine))
    if rounds < ENOUGH:
        print(f"repeatable to 10 %: not known, of fewer than {ENOUGH} rounds")
    elif not off:
        print("repeatable to 10 %: yes, all ratios")
    else:
        print(f"repeatable to 10 %: NO, {len(off)} ratios were not; the worst:")
        for name, by in off[:8]:
            print(f"    {name}: {by:.0%} off its median")
    write(out, {"rounds": rounds, "load": machine,
                "repeatable": rounds >= ENOUGH and not off,
                "unrepeatable": [name for name, _ in off],
                "values": table, "goals": goals})


main()
