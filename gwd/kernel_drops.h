/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel dropped before it came to us, above all because nobody read
 * it in time: packets at the TUN device, datagrams at the tunnel's sockets.
 * There a gateway with too much to do loses packets first, and at the least
 * cost.
 */
#ifndef GWD_KERNEL_DROPS_H
#define GWD_KERNEL_DROPS_H

#include "libipref/base.h"

struct event_base;
struct kernel_drops;

struct kernel_drops_config {
	struct event_base *base; /* borrowed */
	const char *device;	 /* its name; copied */
	const int *fds;		 /* sockets, which stay open until _free() */
	size_t n;
};

/* Packets, since kernel_drops_new(); what would have come as one (superpackets,
 * UDP_GRO) counts as one. Some of them are lost for another reason than too
 * little room: a wrong checksum, no memory. */
struct kernel_dropped {
	uint64_t device;
	uint64_t sockets; /* all of them together */
};

/* The device has to be there. NULL: can't be, which was logged. */
struct kernel_drops *kernel_drops_new(
	const struct kernel_drops_config *cfg) MUSTCHECK;
/* NULL is fine. */
void kernel_drops_free(struct kernel_drops *k);

/* Asks the kernel. What it does not say (the device is gone) stays as it was.
 */
struct kernel_dropped kernel_drops_get(struct kernel_drops *k);

#endif
