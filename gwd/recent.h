/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last drop about an address: why the packets of just this host, or this
 * gateway, do not arrive. Pure: the time is passed in.
 *
 * A packet from the local network is about its source and its destination; a
 * datagram about its sender, the host there that sent it and ours that it is
 * for. The table is direct-mapped by a hash with a random seed: what is noted
 * takes the place of what was there, so memory and work are bounded, and a
 * flood of packets from made-up addresses makes it forget. It is a hint for
 * people, never the truth that counters are.
 */
#ifndef GWD_RECENT_H
#define GWD_RECENT_H

#include "gwd/core.h"

#define RECENT_SLOTS 4096 /* a power of two */

/* What an address is: the same one may be a host's here and a gateway's. */
enum recent_kind {
	RECENT_NONE,
	RECENT_LOCAL, /* addr: a host's address, or an ea */
	RECENT_PEER,  /* addr: a gateway */
	RECENT_IPREF, /* addr + ref: a host behind another gateway */
	RECENT_OWN,   /* ref: a host of ours, as others know it */
};

struct recent_key {
	enum recent_kind kind;
	struct addr addr;
	struct ref ref;
};

struct recent_drop {
	uint64_t at_ms, since_ms; /* the last; the first of `count` */
	uint64_t count;		  /* about this address, for any reason */
	enum drop drop;
	enum way way;
	size_t len;
	struct addr src, dst; /* WAY_OUT: of the packet. WAY_IN: the sender;
			       * its destination context. Version 0: can't be
			       * read */
	bool refs;	      /* WAY_IN: the header could be read */
	struct ref src_ref, dst_ref;
};

struct recent_slot {
	struct recent_key key;
	struct recent_drop last;
};

struct recent {
	uint64_t seed;
	struct recent_slot slots[RECENT_SLOTS];
};

/* seed: random. r is all zeros before. */
void recent_init(struct recent *r, uint64_t seed);
/* A packet was dropped. An ICMP message of ours that was not sent is none of
 * those: the packet it is about has its own reason. */
void recent_note(struct recent *r, enum drop drop, enum way way,
	const struct packet_in *in, uint64_t now_ms);
/* NULL: none is remembered. addr and ref may be NULL where the kind has none.
 */
const struct recent_drop *recent_get(const struct recent *r,
	enum recent_kind kind, const struct addr *addr, const struct ref *ref);

#endif
