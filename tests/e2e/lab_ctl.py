# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_ctl.py SOCKET PAGE N SECONDS BOUND: asks a control socket for a page N times,
spread over that time. Tells how long the answers took, in ms: the median, the worst,
and how many in a hundred took no longer than BOUND. Fails when one does not come."""
import http.client
import select
import socket
import statistics
import sys
import time

PATIENCE = 10


class Control(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


def ask(path, page):
    """How long it took, in ms, from connecting to the last byte."""
    began = time.monotonic()
    c = Control(path)
    c.request("GET", page)
    answer = c.getresponse()
    if answer.status != 200 or not answer.read():
        sys.exit(f"{page}: status {answer.status}")
    c.close()
    return (time.monotonic() - began) * 1000


def main(path, page, n, seconds, bound):
    took, start = [], time.monotonic()
    for i in range(int(n)):
        due = start + i * float(seconds) / int(n)
        select.select([], [], [], max(0, due - time.monotonic()))  # the pace
        took.append(ask(path, page))
    within = sum(t <= float(bound) for t in took) * 100 // len(took)
    print(f"median {statistics.median(took):.0f}")
    print(f"worst {max(took):.0f}")
    print(f"within {within}")


main(*sys.argv[1:])
