# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_handed.py ADDR PORT COMMAND...: runs the command with a UDP socket bound to
that, as systemd does when a unit has a socket named "tunnel" (sd_listen_fds(3))."""
import os
import socket
import sys

FIRST = 3


def main(addr, port, *command):
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((addr, int(port)))
    if s.fileno() == FIRST:
        os.set_inheritable(FIRST, True)
    else:
        os.dup2(s.fileno(), FIRST)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1",
                      LISTEN_FDNAMES="tunnel")
    os.execvp(command[0], command)


main(*sys.argv[1:])
