/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors of ours made shorter, for peers that have not proved themselves
 * and get no more bytes than they sent. Pure. */
#ifndef GWD_TRIM_H
#define GWD_TRIM_H

#include "libipref/base.h"

/* Cuts the packet that an error of ours for a peer quotes, so that the error,
 * the IPREF packet pkt[0..len), has at most max bytes. What is left of the
 * quote has an even length, its whole header, and of the payload as many bytes
 * as an error is matched by. Returns the new length; 0: that needs more than
 * max, and pkt is what it was. */
size_t trim_error(uint8_t *pkt, size_t len, size_t max) MUSTCHECK;

#endif
