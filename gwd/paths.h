/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path MTUs by address: of outer packets on their way to peers, and, in another
 * table of the kind, of packets to local hosts. Pure: the time is passed in.
 *
 * What is believed of an address is the least of: what a setting says of it or
 * else the MTU of its first hop; and what was learned from an ICMP message or a
 * send that failed. What was learned is never below the table's lowest and is
 * forgotten after PATHS_KEEP_MS, so that a path which has become wider is
 * found.
 *
 * The table has a bound. When it is full, the entry not used for longest goes;
 * one that is in use never goes for what was learned of an address that is not
 * (anybody can send an ICMP message), and none that a setting made.
 */
#ifndef GWD_PATHS_H
#define GWD_PATHS_H

#include "libipref/addr.h"
#include "libipref/base.h"

#define PATHS_KEEP_MS (10 * 60 * 1000)
#define PATHS_HOP_MS  (60 * 1000) /* a first hop is believed for so long */
#define PATHS_IDLE_MS (60 * 1000) /* an entry is in use for so long */

#define PATHS_LOWEST_V4 576
#define PATHS_LOWEST_V6 1280

struct path {
	struct addr addr;
	uint32_t fixed;			 /* by a setting; 0: none does */
	uint32_t first_hop;		 /* 0: not known */
	uint32_t learned;		 /* 0: nothing */
	uint64_t hop_until_ms, until_ms; /* these are believed for so long */
	uint64_t used_ms;		 /* last; 0: never */
};

struct paths;

struct paths_stats {
	uint64_t learned; /* times a path turned out to be narrower */
	uint64_t evicted;
	uint64_t full; /* not learned: all others are in use */
};

/* At most max entries. lowest: PATHS_LOWEST_*. initial: MTU of the first hop of
 * all; 0: it differs, see paths_get(). NULL: no memory. */
struct paths *paths_new(
	size_t max, uint32_t lowest, uint32_t initial) MUSTCHECK;
void paths_free(struct paths *p);
void paths_set_initial(struct paths *p, uint32_t mtu);

/* The path MTU of addr, which is used now. 0: that of its first hop is to be
 * found out (or found out anew) and told by paths_first_hop(). */
uint32_t paths_get(
	struct paths *p, const struct addr *addr, uint64_t now_ms) MUSTCHECK;
void paths_first_hop(struct paths *p, const struct addr *addr, uint32_t mtu,
	uint64_t now_ms);

/* A packet larger than mtu did not pass. 0: how much would have is not known;
 * the lowest is believed. True: less is believed than before. */
bool paths_learn(struct paths *p, const struct addr *addr, uint32_t mtu,
	uint64_t now_ms);

/* A setting: the path MTU of addr, unless less is learned. */
void paths_fix(struct paths *p, const struct addr *addr, uint32_t mtu);
/* Undoes all of these. */
void paths_unfix(struct paths *p);

/* For showing and saving. Walks all, in no order: start with *pos = 0; NULL at
 * the end. */
const struct path *paths_next(const struct paths *p, size_t *pos);
/* NULL: nothing is known of it by itself. */
const struct path *paths_peek(const struct paths *p, const struct addr *addr);
/* What is believed; 0 as with paths_get(). path NULL: of any not known. */
uint32_t paths_mtu(
	const struct paths *p, const struct path *path, uint64_t now_ms);
/* For how long what was learned is still believed; 0: it isn't. */
uint64_t paths_left(const struct path *path, uint64_t now_ms);
/* What was learned before a restart, to be believed for left_ms more. */
void paths_restore(struct paths *p, const struct addr *addr, uint32_t mtu,
	uint64_t left_ms, uint64_t now_ms);
size_t paths_count(const struct paths *p);
const struct paths_stats *paths_stats(const struct paths *p);

#endif
