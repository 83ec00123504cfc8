/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MTU of the first hop towards a peer, by the kernel's routes. */
#ifndef GWD_FIRST_HOP_H
#define GWD_FIRST_HOP_H

#include "libipref/addr.h"
#include "libipref/base.h"

/* The kernel counts in what ICMP messages told it about the path, and anybody
 * can send these: less than this is not believed. Where it is true a send fails
 * and says so. */
#define FIRST_HOP_LEAST 1280

/* *mtu: that of the route which datagrams from socket udp_fd (its mark and its
 * device count) to peer take. Sends nothing. 0 or -errno (no route, no
 * memory). */
int first_hop_mtu(int udp_fd, const struct addr *peer, uint32_t *mtu) MUSTCHECK;

#endif
