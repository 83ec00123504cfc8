/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many ICMP messages of our own may go out: token buckets, one in all and
 * one per destination. Pure: the time is passed in.
 *
 * There is a fixed number of buckets for destinations; those whose hashes meet
 * share one. So memory is bounded, and many made-up destinations get no more
 * than the rate in all. A part of what may go at once in all is kept for local
 * hosts: who sends us packets from outside can use up the rest as he likes.
 */
#ifndef GWD_LIMIT_H
#define GWD_LIMIT_H

#include "libipref/addr.h"
#include "libipref/base.h"

#define LIMIT_SLOTS 1024 /* a power of two */
#define LIMIT_KEPT  4	 /* one in so many is for local hosts */

struct limit_rate {
	uint64_t per_second; /* 0: none at all */
	uint64_t burst;	     /* at least 1 */
};

struct bucket {
	uint64_t level; /* thousandths of a message */
	uint64_t at_ms; /* when level was right; 0: never used, full */
};

struct limit {
	struct limit_rate all, each;
	uint64_t seed; /* so that nobody can choose who shares a bucket */
	struct bucket bucket; /* in all */
	struct bucket buckets[LIMIT_SLOTS];
};

/* seed: random. */
void limit_init(struct limit *l, const struct limit_rate *all,
	const struct limit_rate *each, uint64_t seed);
/* New rates; what was sent still counts. */
void limit_set(struct limit *l, const struct limit_rate *all,
	const struct limit_rate *each);
/* Whether a message to dst may go out now; then it is counted. to_peer: dst is
 * outside. now_ms never goes back. */
bool limit_take(struct limit *l, const struct addr *dst, bool to_peer,
	uint64_t now_ms) MUSTCHECK;

#endif
