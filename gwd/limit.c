/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariant: a bucket's level is at most its burst. A message is taken from
 * both buckets or from none: a flood to one destination that has used up its
 * own share takes nothing from the others'.
 */
#include "gwd/limit.h"

#define MESSAGE 1000 /* of a bucket's level */

void
limit_init(struct limit *l, const struct limit_rate *all,
	const struct limit_rate *each, uint64_t seed)
{
	*l = (struct limit){.all = *all, .each = *each, .seed = seed};
}

void
limit_set(struct limit *l, const struct limit_rate *all,
	const struct limit_rate *each)
{
	l->all = *all;
	l->each = *each;
}

/* A message per second is a thousandth of one per millisecond, which is the
 * unit of level. */
static void
refill(struct bucket *b, const struct limit_rate *rate, uint64_t now_ms)
{
	uint64_t full = rate->burst * MESSAGE;
	uint64_t gone = now_ms - b->at_ms;

	if (!b->at_ms || gone > full || b->level >= full ||
		gone * rate->per_second >= full - b->level)
		b->level = full;
	else
		b->level += gone * rate->per_second;
	b->at_ms = now_ms;
}

/* Mixes every bit of the address into every bit of the result. */
static uint64_t
hash(const struct addr *a, uint64_t seed)
{
	uint64_t h = seed ^ a->ver;
	size_t i;

	for (i = 0; i < sizeof(a->b); i++) {
		h = (h ^ a->b[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

bool
limit_take(
	struct limit *l, const struct addr *dst, bool to_peer, uint64_t now_ms)
{
	struct bucket *b = &l->buckets[hash(dst, l->seed) % LIMIT_SLOTS];
	uint64_t least = MESSAGE;

	refill(b, &l->each, now_ms);
	refill(&l->bucket, &l->all, now_ms);
	if (!l->all.per_second || !l->each.per_second)
		return false;
	if (to_peer)
		least += l->all.burst / LIMIT_KEPT * MESSAGE;
	if (b->level < MESSAGE || l->bucket.level < least)
		return false;
	b->level -= MESSAGE;
	l->bucket.level -= MESSAGE;
	return true;
}
