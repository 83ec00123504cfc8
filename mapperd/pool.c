/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: blocks[b] is the number of bits set in the words of block b, and
 * n their sum.
 */
#include "mapperd/pool.h"

#include <errno.h>
#include <stdlib.h>

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

uint64_t
pool_nth(const struct pool *p, uint64_t k)
{
	size_t b = 0, w;
	uint64_t word, members;

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
	word = p->words[w];
	while (k--)
		word &= word - 1;
	return (uint64_t)w * 64 + (uint64_t)__builtin_ctzll(word);
}
