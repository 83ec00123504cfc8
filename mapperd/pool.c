/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: blocks[b] is the number of bits set in the words of block b, and
 * n their sum.
 */
#include "mapperd/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_PER_BLOCK 64 /* 4,096 numbers */

int
pool_init(struct pool *p, unsigned bits)
{
	size_t n_words;

	*p = (struct pool){.size = UINT64_C(1) << bits};
	n_words = (size_t)(p->size / 64);
	p->n_blocks = (n_words + WORDS_PER_BLOCK - 1) / WORDS_PER_BLOCK;
	p->words = calloc(p->n_blocks * WORDS_PER_BLOCK, sizeof(*p->words));
	p->blocks = calloc(p->n_blocks, sizeof(*p->blocks));
	if (p->words && p->blocks)
		return 0;
	pool_fini(p);
	return -ENOMEM;
}

void
pool_fini(struct pool *p)
{
	free(p->words);
	free(p->blocks);
	*p = (struct pool){0};
}

bool
pool_has(const struct pool *p, uint64_t i)
{
	return p->words[i / 64] >> (i % 64) & 1;
}

void
pool_add(struct pool *p, uint64_t i)
{
	if (pool_has(p, i))
		return;
	p->words[i / 64] |= UINT64_C(1) << (i % 64);
	p->blocks[i / 64 / WORDS_PER_BLOCK]++;
	p->n++;
}

void
pool_remove(struct pool *p, uint64_t i)
{
	if (!pool_has(p, i))
		return;
	p->words[i / 64] &= ~(UINT64_C(1) << (i % 64));
	p->blocks[i / 64 / WORDS_PER_BLOCK]--;
	p->n--;
}

struct pool_range
pool_range(const struct pool *p, uint64_t first)
{
	struct pool_range r;

	memcpy(r.words, p->words + first / 64, sizeof(r.words));
	return r;
}

/* One word of a range becomes what it is to be. */
static void
set_word(struct pool *p, size_t w, uint64_t word)
{
	unsigned was = (unsigned)__builtin_popcountll(p->words[w]);
	unsigned is = (unsigned)__builtin_popcountll(word);

	p->words[w] = word;
	p->blocks[w / WORDS_PER_BLOCK] += is - was;
	p->n = p->n + is - was;
}

void
pool_add_range(struct pool *p, uint64_t first, const struct pool_range *r)
{
	size_t w = (size_t)(first / 64), i;

	for (i = 0; i < ARRAY_LEN(r->words); i++)
		set_word(p, w + i, p->words[w + i] | r->words[i]);
}

void
pool_remove_range(struct pool *p, uint64_t first, const struct pool_range *r)
{
	size_t w = (size_t)(first / 64), i;

	for (i = 0; i < ARRAY_LEN(r->words); i++)
		set_word(p, w + i, p->words[w + i] & ~r->words[i]);
}

unsigned
pool_range_count(const struct pool_range *r)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(r->words); i++)
		n += (unsigned)__builtin_popcountll(r->words[i]);
	return n;
}

/* The place of the k-th bit set, k below their number. */
static unsigned
nth_bit(uint64_t word, uint64_t k)
{
	while (k--)
		word &= word - 1;
	return (unsigned)__builtin_ctzll(word);
}

unsigned
pool_range_nth(const struct pool_range *r, unsigned k)
{
	unsigned w = 0, members;

	for (;;) {
		members = (unsigned)__builtin_popcountll(r->words[w]);
		if (k < members)
			return w * 64 + nth_bit(r->words[w], k);
		k -= members;
		w++;
	}
}

uint64_t
pool_nth(const struct pool *p, uint64_t k)
{
	size_t b = 0, w;
	uint64_t members;

	while (k >= p->blocks[b])
		k -= p->blocks[b++];
	w = b * WORDS_PER_BLOCK;
	for (;;) {
		members = (uint64_t)__builtin_popcountll(p->words[w]);
		if (k < members)
			break;
		k -= members;
		w++;
	}
	return (uint64_t)w * 64 + nth_bit(p->words[w], k);
}
