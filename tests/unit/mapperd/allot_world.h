/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain model of the allotment in a small network: for each ea where it is
 * and since when, for each range of a block its state; all counts are counted
 * anew whenever they are asked for.
 */
#ifndef TESTS_UNIT_MAPPERD_ALLOT_WORLD_H
#define TESTS_UNIT_MAPPERD_ALLOT_WORLD_H

#include "help.h"
#include "mapperd/allot.h"

#define HOUR	 UINT64_C(3600000)
#define REST	 UINT64_C(600000)
#define NET	 "10.200.224.0/19"
#define N_EAS	 8192
#define N_RANGES (N_EAS / BLOCK_SIZE)
#define N_GWS	 6
#define PASSED	 64 /* what a choice may pass over at most */

enum where {
	VIRGIN,
	TAKEN,
	GONE,
	FREE, /* in a block, as the next ones */
	TENTATIVE,
	PROMOTED, /* being stored */
	ENDED,
	NOT_OURS,
};

struct slot {
	uint8_t where;
	uint8_t cause; /* TAKEN, GONE; PROMOTED: to be */
	uint8_t gw;
	bool busy;   /* TAKEN: not stored yet */
	bool again;  /* FREE: it was gone, and is again when not stored */
	uint64_t at; /* GONE, ENDED, again */
};

enum range_state {
	NONE,
	OPENING,
	OPEN,
	HELD,
	CLOSING
};

struct range {
	enum range_state state;
	bool was_held;
	uint64_t until;
};

/* What has been there, so that a test is worth its name. */
struct seen {
	size_t recycled; /* blocks of gone eas */
	size_t closed;	 /* blocks */
	size_t held;	 /* eas after a restart */
	size_t refused[ALLOT_NOMEM];
};

struct world {
	struct dice dice;
	struct allot_config cfg;
	struct allot *a;
	uint64_t now, size, share;
	struct slot s[N_EAS];
	struct allot_ea made[N_EAS]; /* of those busy */
	struct range r[N_RANGES];
	uint64_t n_peer; /* after the last operation */
	struct seen *seen;
};

static inline size_t
roll_size(struct world *w, size_t n)
{
	return (size_t)roll_below(&w->dice, n);
}

static inline struct addr
ea_of(size_t i)
{
	return (struct addr){
		4, {10, 200, (uint8_t)(224 + i / 256), (uint8_t)i}};
}

static inline size_t
number_of(const struct addr *ea)
{
	ck_assert(ea->ver == 4 && ea->b[0] == 10 && ea->b[1] == 200 &&
		  ea->b[2] >= 224);
	return (size_t)(ea->b[2] - 224) * 256 + ea->b[3];
}

/* Two networks of three. */
static inline struct addr
gw_of(size_t i)
{
	return (struct addr){
		4, {192, 0, (uint8_t)(2 + i / 3), (uint8_t)(1 + i)}};
}

static inline struct range *
range_of(struct world *w, size_t i)
{
	return &w->r[i / BLOCK_SIZE];
}

/* One in this state, from a random place on; N_EAS: none. */
static inline size_t
some(struct world *w, enum where where, bool busy)
{
	size_t i = roll_size(w, N_EAS), n;

	for (n = 0; n < N_EAS; n++, i = (i + 1) % N_EAS)
		if (w->s[i].where == where && w->s[i].busy == busy)
			return i;
	return N_EAS;
}

static inline size_t
some_range(struct world *w, enum range_state state)
{
	size_t i = roll_size(w, N_RANGES), n;

	for (n = 0; n < N_RANGES; n++, i = (i + 1) % N_RANGES)
		if (w->r[i].state == state)
			return i;
	return N_RANGES;
}

/* What of the quotas an ea takes up. */
static inline bool
counts(const struct slot *s, enum entry_cause cause)
{
	if (cause == CAUSE_TENTATIVE)
		return s->where == TENTATIVE || s->where == PROMOTED;
	return (s->where == TAKEN || s->where == PROMOTED) && s->cause == cause;
}

static inline bool
quota_left(const struct world *w, size_t gw, enum entry_cause cause)
{
	size_t of_gw = 0, of_net = 0, i;

	for (i = 0; i < N_EAS; i++)
		if (counts(&w->s[i], cause)) {
			of_gw += w->s[i].gw == gw;
			of_net += w->s[i].gw / 3 == gw / 3;
		}
	if (cause == CAUSE_RESOLVER)
		return of_gw < w->cfg.resolver_gw;
	if (cause == CAUSE_PEER)
		return of_gw < w->cfg.peer_gw && of_net < w->cfg.peer_net;
	return of_gw < w->cfg.tentative_gw && of_net < w->cfg.tentative_net;
}

static inline uint64_t
count_peer(const struct world *w)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < N_EAS; i++)
		switch (w->s[i].where) {
		case TAKEN:
		case GONE:
			n += w->s[i].cause == CAUSE_PEER;
			break;
		case FREE:
		case TENTATIVE:
		case PROMOTED:
		case ENDED:
			n++;
			break;
		default:
			break;
		}
	return n;
}

/* The time of the one gone longest (of peers only; where no block is only);
 * UINT64_MAX: none. */
static inline uint64_t
longest(struct world *w, bool peers, bool no_block)
{
	uint64_t at = UINT64_MAX;
	size_t i;

	for (i = 0; i < N_EAS; i++)
		if (w->s[i].where == GONE && w->s[i].at < at &&
			(!peers || w->s[i].cause == CAUSE_PEER) &&
			(!no_block || range_of(w, i)->state == NONE))
			at = w->s[i].at;
	return at;
}

static inline bool
waited(const struct world *w, uint64_t at, uint64_t wait)
{
	return at != UINT64_MAX && w->now - at >= wait;
}

/* How many are in this state, in ranges with (without) a block. */
static inline size_t
count(struct world *w, enum where where, bool block)
{
	size_t n = 0, i;

	for (i = 0; i < N_EAS; i++)
		n += w->s[i].where == where &&
		     (range_of(w, i)->state != NONE) == block;
	return n;
}

static inline size_t
free_in_open(struct world *w)
{
	size_t n = 0, i;

	for (i = 0; i < N_EAS; i++)
		n += w->s[i].where == FREE && range_of(w, i)->state == OPEN;
	return n;
}

static inline void
world_init(struct world *w, uint64_t seed, struct seen *seen)
{
	size_t i;

	*w = (struct world){.dice = {seed}, .now = 1000 * HOUR, .seen = seen};
	w->cfg = (struct allot_config){
		.encode = prefix_of(NET),
		.quarantine_ms = 24 * HOUR,
		.reuse_ms = 2 * HOUR,
		.peer_percent = 75,
		.tentative_quarantine_ms = REST,
		.peer_gw = 700,
		.peer_net = 1900,
		.tentative_gw = 20,
		.tentative_net = 50,
		.resolver_gw = 1000,
		.max = N_EAS,
		.random = roll_bytes,
		.arg = &w->dice,
	};
	w->cfg.own_local = ea_of(1);
	for (i = 0; i < N_EAS; i++)
		w->s[i].where = i > 1 && i < N_EAS - 1 ? VIRGIN : NOT_OURS;
	w->size = N_EAS - 3;
	w->share = w->size * w->cfg.peer_percent / 100;
	w->a = allot_new(&w->cfg);
	ck_assert_ptr_nonnull(w->a);
}

#endif
