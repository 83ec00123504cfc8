/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one packet mover counts. Pure values; each worker has its own struct,
 * those who show them add them up.
 */
#ifndef GWD_COUNTERS_H
#define GWD_COUNTERS_H

#include "gwd/core.h"

/* The last packet dropped for a reason. */
struct offender {
	uint64_t at_ms; /* 0: there was none */
	enum way way;
	struct addr src, dst; /* WAY_OUT: of the packet. WAY_IN: src is the
			       * datagram's sender. Version 0: unreadable, or
			       * not told */
	size_t len;	      /* 0: not told */
};

/* How often in the last minute, by minutes of the clock that now_ms is of. */
struct per_minute {
	uint64_t minute;      /* that `now` counts */
	uint64_t now, before; /* of it, of the one before */
};

struct counters {
	uint64_t packets[WAY_N], bytes[WAY_N]; /* translated and passed on */
	uint64_t drops[DROP_N];
	struct per_minute lately[DROP_N];
	struct offender last[DROP_N];
	uint64_t fragmented, pieces; /* packets cut; what they were cut into */
	uint64_t replies[WAY_N]; /* ICMP of ours: to peers, to local hosts */
	uint64_t waited;	 /* packets that waited for the mapper */
	/* messages about datagrams of ours to peers, from the network (and, of
	 * the first, from the kernel) */
	uint64_t told_too_big, told_unreachable;
	uint64_t mss_clamped; /* SYNs, either way */
};

/* Counts a packet dropped for this reason and remembers it. */
void counters_drop(struct counters *c, enum drop drop, enum way way,
	const struct packet_in *in, uint64_t now_ms);
/* Counts n packets dropped for this reason, of which nothing else is known. */
void counters_add(struct counters *c, enum drop drop, enum way way, uint64_t n,
	uint64_t now_ms);
/* About how many were dropped for this reason in the last 60 seconds. */
uint64_t counters_last_minute(
	const struct counters *c, enum drop drop, uint64_t now_ms);
/* The source and destination of an IP packet; version 0 when it is too short
 * or of no known version. */
void counters_addrs(
	const uint8_t *pkt, size_t len, struct addr *src, struct addr *dst);

#endif
