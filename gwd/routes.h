/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lanes know of peer gateways: the way packets of each go, both
 * directions, and how many went. A peer without a route here takes the slow
 * way.
 *
 * One writer, the control thread; the lanes look up and count without locks.
 * What a lane was given it may use until it is quiet (maps_table.h, retire()).
 * Ways never change, others take their place. Each lane counts in a cell of its
 * own, a line of the cache; the control thread adds them up and keeps what it
 * has taken.
 *
 * Pure, but for memory that the control thread takes.
 */
#ifndef GWD_ROUTES_H
#define GWD_ROUTES_H

#include "gwd/core.h"
#include "gwd/maps_table.h"

struct route_way {
	struct addr peer;
	uint16_t port;	 /* its datagrams come from there, ours go there */
	struct addr src; /* ours leave from there; version 0: kernel's choice */
	struct addr to;	 /* ours, that it writes to; version 0: not known */
	uint32_t mtu;	 /* of the path */
	bool tos;	 /* the outer header carries DSCP and ECN, both ways; */
	uint8_t dscp_tos; /* if not, what it has */
	struct ref ref;	  /* the peer's own, for probe_is_echo() */
};

/* What lanes moved. */
struct route_use {
	uint64_t packets[WAY_N], bytes[WAY_N]; /* IPREF packets */
	uint64_t last_ms[WAY_N];	       /* the last; 0: none */
};

struct route;
struct routes;

/* At most max, counted by so many lanes. NULL: no memory. */
struct routes *routes_new(
	size_t max, unsigned lanes, maps_retire *retire) MUSTCHECK;
/* Nobody reads any more; what was retired is not waited for. NULL is fine. */
void routes_free(struct routes *r);

/* --- any thread --- */

/* NULL: none. */
const struct route *routes_get(const struct routes *r, const struct addr *peer);
const struct route_way *route_way(const struct route *route);
/* False: no batches (UDP_SEGMENT) to this peer, each datagram is sent alone. */
bool route_batches(const struct route *route);
/* The kernel refused one. Holds as long as there is this route, whatever its
 * way becomes. */
void route_no_batches(const struct route *route);
/* This lane moved packets of that many bytes in all, the last of them now. Into
 * its own cell; nothing else but that is written. In: only of datagrams that
 * came from way->port to way->to. */
void route_count(const struct route *route, unsigned lane, enum way way,
	uint64_t packets, uint64_t bytes, uint64_t now_ms);

/* --- the control thread --- */

/* Makes the route of way->peer, or changes its way; nothing when it is the
 * same. 0; -ENOSPC or -ENOMEM: all is as before. */
int routes_set(struct routes *r, const struct route_way *way) MUSTCHECK;
/* Removes it, if there. What was counted and not taken is lost, and what a lane
 * counts until it is quiet. */
void routes_del(struct routes *r, const struct addr *peer);
/* What was moved since this was last asked. False: nothing. */
bool routes_take(struct routes *r, const struct addr *peer,
	struct route_use *use) MUSTCHECK;
/* Walks round and round: gives the one that was not given for longest; new ones
 * come last. NULL: there are none. */
const struct route *routes_turn(struct routes *r);
size_t routes_count(const struct routes *r);

#endif
