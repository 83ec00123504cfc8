/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MTU of the first hop towards a peer, by the kernel's routes. */
#ifndef GWD_FIRST_HOP_H
#define GWD_FIRST_HOP_H

#include "libipref/addr.h"
#include "libipref/base.h"

/* *mtu: that of the route which datagrams from socket udp_fd (its mark and its
 * device count) to peer take; at most 65535. 0 or -errno (no route, no memory).
 */
int first_hop_mtu(int udp_fd, const struct addr *peer, uint32_t *mtu) MUSTCHECK;

#endif
