/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet of gwd's /trace as a line for people. Pure. */
#ifndef IPREFCTL_PACKET_LINE_H
#define IPREFCTL_PACKET_LINE_H

#include <jansson.h>

#include "libipref/base.h"

#define PACKET_LINE_MAX 640

/* "12:00:01.234 out passed | tcp 192.168.84.10:40000 > 10.240.1.7:80 [S] 60
 * bytes | 192.0.2.1 + 700 > 198.51.100.1 + 800 to 198.51.100.1:1045, 64 bytes"
 * (one line). What was left out is a line, too. False: row is none of these.
 * Times are in the local zone. */
bool packet_line(const json_t *row, char *buf, size_t size);

#endif
