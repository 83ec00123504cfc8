/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network devices by netlink: what the TUN device needs, and the MTU of the
 * uplink. Only what is not yet as wanted is changed, so that a device that was
 * prepared beforehand asks for no right at all.
 */
#ifndef GWD_LINK_H
#define GWD_LINK_H

#include "libipref/addr.h"
#include "libipref/base.h"

struct link; /* a netlink socket */

/* *out is the caller's. 0 or -errno, logged. */
int link_open(struct link **out) MUSTCHECK;
void link_close(struct link *l);

/* What a device has. */
struct link_state {
	int index;
	uint32_t mtu;
	uint32_t queue; /* packets that may wait for whoever reads them */
	bool up;
	bool accept_local; /* IPv4: takes packets from our own addresses */
	uint32_t rp_filter;
	/* How many readers a TUN device for several has; 0 of others. */
	uint32_t readers;
	/* Packets for which its queue had no room, or that it could not take
	 * for another reason, since it was made. */
	uint64_t dropped;
};

/* 0 or -errno (-ENODEV). */
int link_get(struct link *l, const char *name, struct link_state *s) MUSTCHECK;

/* The device gets this address with the prefix's length and this MTU, loses
 * other addresses of that version (left by other settings; link-local ones
 * stay) and is set up; it gets a longer queue when we may. The encoding
 * network's route comes with the address. 0 or -errno, logged. */
int link_setup(struct link *l, const char *name, const struct addr *addr,
	const struct prefix *net, uint32_t mtu) MUSTCHECK;
/* IPv4: packets from our own address may come in from the device. 0 or -errno,
 * not logged: there is another way. */
int link_accept_local(struct link *l, const char *name) MUSTCHECK;

/* The MTU of the device whose network holds addr: 0 or -errno (-ENOENT). */
int link_mtu_of(
	struct link *l, const struct addr *addr, uint32_t *mtu) MUSTCHECK;

/* The MTU of the route to addr for packets with this firewall mark (0: none)
 * out of this device (0: any); not what the kernel believes of the path, which
 * forged ICMP messages may have told it. 0 or -errno (no route). */
int link_route_mtu(struct link *l, const struct addr *addr, uint32_t mark,
	int device, uint32_t *mtu) MUSTCHECK;

/* Whether the kernel forwards packets of this version between interfaces;
 * false also when that can't be read. */
bool link_forwarding(uint8_t ver);

#endif
