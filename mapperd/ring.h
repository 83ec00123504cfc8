/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recent changes, as followers see them: kept in memory within a bound, so
 * that one who was away can be told what he has missed.
 *
 * A change is as many items as it has entries, of one revision, the removals
 * of an entry before what comes in its place. A revision is kept whole or not
 * at all. All items are of the IP versions of today's settings, as followers
 * know no others, and take no more room than their addresses: 35 bytes with
 * IPv4.
 */
#ifndef MAPPERD_RING_H
#define MAPPERD_RING_H

#include "libipref/msg.h"
#include "mapperd/change.h"

/* One item, unpacked. */
struct ring_item {
	uint64_t revision;
	struct addr addr;
	struct entry_key key;
	uint8_t kind;  /* enum entry_kind */
	uint8_t flags; /* MSG_ENTRY_* */
	bool removed;
};

struct ring {
	uint8_t *items;		       /* owned; a circle of max, packed */
	size_t size;		       /* bytes of an item */
	uint8_t local_ver, tunnel_ver; /* of addr, of key.gw */
	size_t max, first, n;
	uint64_t seq;	 /* of the first: how many have made room so far */
	uint64_t oldest; /* all revisions above it are here */
};

/* Empty: what changed up to this revision is not known. The profile tells the
 * IP versions. 0 or -ENOMEM. */
int ring_init(struct ring *r, size_t max, uint64_t revision,
	const struct msg_profile *profile) MUSTCHECK;
void ring_fini(struct ring *r);

/* Of these IP versions: followers see it. */
bool ring_takes(const struct ring *r, const struct entry_data *d);

/* After a start: what changed above `oldest`, up to `revision`, from the
 * entries that are here and what was removed (OP_DEL, data.born: the revision),
 * all such as the ring takes, as far as there is room. 0 or -ENOMEM. */
int ring_rebuild(struct ring *r, uint64_t revision, uint64_t oldest,
	const struct entries *entries, const struct change *removed) MUSTCHECK;

/* A change with n of these operations; older ones make room. */
void ring_begin(struct ring *r, uint64_t revision, size_t n);
/* An operation of it that the ring takes, in order; nothing happens when n was
 * too many. */
void ring_add(struct ring *r, uint64_t revision, const struct op *op);

/* The i-th of r->n, the oldest first. */
struct ring_item ring_at(const struct ring *r, size_t i);

/* The first one above this revision; r->n: there is none. */
size_t ring_above(const struct ring *r, uint64_t revision);

/* How the feed names them. */
struct msg_entry ring_entry(const struct ring_item *item);
struct msg_entry ring_entry_of(const struct entry_data *d, uint64_t born);

#endif
