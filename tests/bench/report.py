# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reports of the measurements share: results by round, their medians and
spread, goals, JSON.

Results are lines "ROUND NAME VALUE". A ratio is that of two values of one round;
its median is over the rounds.
"""
import json
import math
import os
import platform
import statistics


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
    for turn, value in values.get(name, {}).items():
        others = values.get(other, {})
        if turn in others or 0 in others:
            out[turn] = function(value, others.get(turn, others.get(0)))
    return out


def sure_rank(n):
    """How many of n values may be left out at each end, so that what is between
    the others has the true median in it 95 times of 100, whatever the values'
    distribution is. 0 for fewer than 9: then it is the range of all."""
    left_out, below = 0, 0.5 ** n
    while 2 * (below + math.comb(n, left_out + 1) * 0.5 ** n) <= 0.05:
        left_out += 1
        below += math.comb(n, left_out) * 0.5 ** n
    return left_out


def summary(by_round):
    numbers = sorted(by_round.values())
    left_out = sure_rank(len(numbers))
    return {
        "median": statistics.median(numbers),
        "low": numbers[left_out],
        "high": numbers[-1 - left_out],
        "least": numbers[0],
        "most": numbers[-1],
    }


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def meets(value, side, bound):
    return value >= bound if side == ">=" else value <= bound


def write(path, content):
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(),
               "arch": platform.machine()}
    with open(path, "w", encoding="ascii") as file:
        json.dump({"machine": machine, **content}, file, indent=1)
        file.write("\n")
    print(f"written: {path}")
