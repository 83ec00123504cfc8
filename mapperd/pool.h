/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of the numbers 0 to 2^bits - 1, from which a random member can be
 * drawn in a time that does not depend on how many there are.
 *
 * A bitmap with a count per block; a draw picks the k-th member: blocks by
 * their counts, then words, then a bit. 2^24 numbers take 2 MB.
 */
#ifndef MAPPERD_POOL_H
#define MAPPERD_POOL_H

#include "libipref/base.h"

#define POOL_RANGE 256

/* Which of POOL_RANGE numbers in a row, a bit each. */
struct pool_range {
	uint64_t words[POOL_RANGE / 64];
};

struct pool {
	uint64_t *words;  /* owned; a bit set: the number is a member */
	uint32_t *blocks; /* owned; members per block of POOL_BLOCK numbers */
	size_t n_blocks;
	uint64_t size; /* numbers, 2^bits */
	uint64_t n;    /* members */
};

/* Empty at first. bits from 6 to 24. 0 or -ENOMEM. */
int pool_init(struct pool *p, unsigned bits) MUSTCHECK;
void pool_fini(struct pool *p);
bool pool_has(const struct pool *p, uint64_t i);
/* No effect when i is a member already (is none). */
void pool_add(struct pool *p, uint64_t i);
void pool_remove(struct pool *p, uint64_t i);
/* The members of a range; first is a multiple of POOL_RANGE. */
struct pool_range pool_range(const struct pool *p, uint64_t first);
/* Adds (removes) these numbers of it. */
void pool_add_range(struct pool *p, uint64_t first, const struct pool_range *r);
void pool_remove_range(
	struct pool *p, uint64_t first, const struct pool_range *r);
/* How many bits are set; the place of the k-th, k below that. */
unsigned pool_range_count(const struct pool_range *r);
unsigned pool_range_nth(const struct pool_range *r, unsigned k);
/* The k-th member, k < n. */
uint64_t pool_nth(const struct pool *p, uint64_t k);

static inline bool
pool_range_has(const struct pool_range *r, unsigned i)
{
	return r->words[i / 64] >> (i % 64) & 1;
}

static inline void
pool_range_set(struct pool_range *r, unsigned i)
{
	r->words[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
pool_range_clear(struct pool_range *r, unsigned i)
{
	r->words[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

#endif
