/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gwd's copy of the mappings.
 *
 * Remote entries (ea, gw, ref) are found by ea and by (gw, ref); local entries
 * (ip, gw, ref) by (gw, ref) and, for the source of leaving packets, by ip: the
 * listed one with our own context that has been in force longest, the lowest
 * reference of equals, a dynamic one only when there is no listed one
 * (spec/concepts.md). A gw of zeros in an entry means the own context; it is
 * stored as the public address when there is one.
 *
 * One writer. Others may look up and call maps_used() meanwhile, without locks,
 * once maps_share() says how long they keep what lookups gave them; otherwise
 * that holds until the next change. Of an entry they read local, gw, ref and
 * remote; the rest, like all other functions, is the writer's. What is there
 * all the time is always found, also while it is replaced.
 *
 * A remote entry may be tentative until it has been proved (proof.h); whether
 * it is, mapperd alone says.
 */
#ifndef GWD_MAPS_H
#define GWD_MAPS_H

#include "gwd/core.h"
#include "gwd/maps_table.h"
#include "libipref/msg.h"

struct maps;

struct map {
	struct addr local; /* ea (remote) or ip (local) */
	struct addr gw;	   /* zeros only when no public address is set */
	struct ref ref;
	bool remote;	/* local is an ea */
	uint32_t flags; /* MSG_ENTRY_* */
	uint64_t born;	/* revision that made it */
	uint32_t epoch; /* of the copy that named it last; see maps_sweep() */
};

/* At most max entries. NULL: no memory. pub: our public address (zeros: not
 * known); copied. */
struct maps *maps_new(const struct addr *pub, size_t max) MUSTCHECK;
/* For readers beside the writer: before the first entry. */
void maps_share(struct maps *m, maps_retire *retire);
/* Nobody reads any more: nothing more is retired; what was is not waited for.
 */
void maps_free(struct maps *m);

/* Lookups; NULL: none. */
const struct map *maps_by_ea(const struct maps *m, const struct addr *ea);
const struct map *maps_remote(
	const struct maps *m, const struct addr *gw, const struct ref *ref);
/* The entry that gives packets from ip their source. */
const struct map *maps_by_ip(const struct maps *m, const struct addr *ip);
/* Of our hosts; only entries with our own context match, unless no public
 * address is set (then any context, our own first). */
const struct map *maps_local(const struct maps *m, const struct ref *ref);

/* Adds or replaces. An entry whose ea, or whose (gw, ref), led elsewhere
 * replaces that one. 0, -EINVAL (neither or both of ea and ip), -ENOSPC,
 * -ENOMEM. */
int maps_set(struct maps *m, const struct msg_entry *e) MUSTCHECK;
/* Removes the entry with this key, if any. */
void maps_del(struct maps *m, const struct arec *key);
/* A full copy: begin, then maps_set() for each entry, then sweep removes what
 * was there before begin and has not been set since. */
void maps_begin(struct maps *m);
void maps_sweep(struct maps *m);

/* Lookups that will come, for readers: of a packet from src to dst that leaves,
 * and of one from this gateway that arrives. Two steps bring what they need
 * into the CPU's caches without waiting for it: begin for each of some packets,
 * then end for each, then the lookups. Nothing depends on it. */
struct maps_ahead {
	const struct maps_table *table[2]; /* NULL: it is there anyway */
	uint64_t hash[2];
};

/* Whether there is anything to be gained. */
bool maps_ahead_pays(const struct maps *m);
void maps_ahead_out(const struct maps *m, const struct addr *src,
	const struct addr *dst, struct maps_ahead *a);
void maps_ahead_in(const struct maps *m, const struct addr *gw,
	const struct ref *src, const struct ref *dst, struct maps_ahead *a);
void maps_ahead_end(const struct maps_ahead *a);

/* Notes that an entry carried a packet this way: used (once until
 * maps_use_anew()), and perhaps proved. */
void maps_used(struct maps *m, const struct map *e, enum way way);
size_t maps_used_count(struct maps *m);
/* Takes up to n noted entries as records for FEED_USED; returns how many. One
 * that was taken as proved and is tentative still has to prove itself anew from
 * here, so that a mapper that could not take it is asked again, now and then.
 */
size_t maps_take_used(struct maps *m, struct arec *out, size_t n);
/* How many were taken and still are used; of n of these, the first taken first,
 * it may be noted and taken anew. */
size_t maps_taken_count(const struct maps *m);
void maps_use_anew(struct maps *m, size_t n);
size_t maps_count(const struct maps *m, bool remote);

size_t maps_count_tentative(const struct maps *m);
/* Removes all tentative entries. */
void maps_drop_tentative(struct maps *m);
/* Takes up to n entries proved as records for FEED_PROVED; returns how many. */
size_t maps_take_proved(struct maps *m, struct arec *out, size_t n);
/* One taken has to be taken again; nothing if it is not tentative any more. */
void maps_prove(struct maps *m, const struct arec *a);
/* All tentative entries in portions, for FEED_HOLD: begin, then up to n each
 * time; 0: that was all. They may change in between. */
void maps_walk(struct maps *m);
size_t maps_walk_next(struct maps *m, struct arec *out, size_t n);
/* Whether there is a tentative entry of just this record (ea, gw, ref). */
bool maps_is_tentative(const struct maps *m, const struct arec *a);

#endif
