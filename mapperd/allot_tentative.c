/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tentative eas and the blocks they come out of.
 *
 * With a bitmap a block's free eas are no members of it. An ea of its range can
 * be one all the same: it was being handed out when the block was opened, and
 * that was undone. Dynamic mappings may have it; no second block is opened in
 * the range. Eas that were gone and come in with a block are parked, so that
 * nobody else takes them and they can go back, until the block is stored.
 */
#include <errno.h>

#include "mapperd/allot_impl.h"

/* Short quarantines that a draw ends on its way: more than it begins. */
#define ENDED_PER_DRAW 2

static enum allot_result
quota_result(int err)
{
	if (!err)
		return ALLOT_OK;
	return err == -EDQUOT ? ALLOT_QUOTA : ALLOT_NOMEM;
}

enum allot_result
allot_tentative(
	struct allot *a, const struct addr *gw, uint64_t now, struct addr *ea)
{
	enum allot_result res = quota_result(
		quotas_take(&a->quotas, gw, CAUSE_TENTATIVE, false));
	uint64_t random[3];
	int err;

	if (res != ALLOT_OK)
		return res;
	blocks_tick(&a->blocks, now, ENDED_PER_DRAW);
	a->cfg.random(random, sizeof(random), a->cfg.arg);
	err = blocks_draw(&a->blocks, random, ea);
	if (!err)
		return ALLOT_OK;
	quotas_give(&a->quotas, gw, CAUSE_TENTATIVE);
	return err == -ENOENT ? ALLOT_BLOCK : ALLOT_NOMEM;
}

bool
allot_tentative_hold(
	struct allot *a, const struct addr *ea, const struct addr *gw)
{
	unsigned index;
	struct block *b = blocks_find(&a->blocks, ea, &index);

	if (!b || quotas_take(&a->quotas, gw, CAUSE_TENTATIVE, true))
		return false;
	if (!blocks_take(&a->blocks, b, index))
		return true;
	quotas_give(&a->quotas, gw, CAUSE_TENTATIVE);
	return false;
}

void
allot_tentative_end(struct allot *a, const struct addr *ea,
	const struct addr *gw, uint64_t now)
{
	unsigned index;
	struct block *b = blocks_find(&a->blocks, ea, &index);

	if (b && blocks_end(&a->blocks, b, index, now))
		quotas_give(&a->quotas, gw, CAUSE_TENTATIVE);
}

enum allot_result
allot_promote_begin(
	struct allot *a, const struct addr *gw, enum entry_cause cause)
{
	return quota_result(quotas_take(&a->quotas, gw, cause, false));
}

void
allot_promote_end(struct allot *a, const struct addr *ea, const struct addr *gw,
	enum entry_cause cause, bool stored)
{
	unsigned index;
	struct block *b = blocks_find(&a->blocks, ea, &index);

	if (!stored) {
		quotas_give(&a->quotas, gw, cause);
		return;
	}
	quotas_give(&a->quotas, gw, CAUSE_TENTATIVE);
	a->n_peer -= cause != CAUSE_PEER;
	/* Without memory it stays in use in its block, which is then open until
	 * the next start. */
	if (allot_mark(a, ea)) {
		a->n_taken++;
		return;
	}
	if (b)
		blocks_leave(&a->blocks, b, index);
}

/* A range of virgin eas, a random one of them in it. */
static enum allot_result
choose_virgin(struct allot *a, struct block **out)
{
	struct pool_range eas;
	struct addr first;
	uint64_t host = 0;
	unsigned n, index;
	int i;

	for (i = 0; i < DRAWS_MAX; i++) {
		host = pool_nth(&a->pool, allot_random_below(a, a->pool.n));
		host -= host % POOL_RANGE;
		first = prefix_host(&a->cfg.encode, host);
		if (!blocks_find(&a->blocks, &first, &index))
			break;
	}
	if (i == DRAWS_MAX)
		return ALLOT_SPENT;
	eas = pool_range(&a->pool, host);
	n = pool_range_count(&eas);
	if (n > allot_share_left(a))
		return ALLOT_SHARE;
	*out = blocks_add(&a->blocks, &first, &eas);
	if (!*out)
		return ALLOT_NOMEM;
	(*out)->cost = (uint16_t)n;
	pool_remove_range(&a->pool, host, &eas);
	return ALLOT_OK;
}

/* The one gone longest of a kind (GONE_KINDS: of all) in whose range is no
 * block, or NULL. */
static struct gone *
oldest_without_block(struct allot *a, enum gone_kind kind)
{
	struct gone *passed[DRAWS_MAX], *g;
	unsigned index;
	size_t n = 0;

	for (;;) {
		g = kind == GONE_KINDS ? gone_oldest(&a->eas)
				       : gone_oldest_of(&a->eas, kind);
		if (!g || !blocks_find(&a->blocks, &g->value.ea, &index))
			break;
		if (n == DRAWS_MAX) {
			g = NULL;
			break;
		}
		passed[n++] = g;
		gone_park(&a->eas, g);
	}
	while (n)
		gone_unpark(&a->eas, passed[--n]);
	return g;
}

/* Which of the range's gone eas come in: those that have waited long enough,
 * while there is room in the peers' part (theirs have it already). */
static struct pool_range
gone_in_range(struct allot *a, const struct block *b, uint64_t wait,
	uint64_t now, uint16_t *cost)
{
	struct pool_range eas = {{0}};
	uint64_t left = allot_share_left(a);
	struct addr ea;
	struct gone *g;
	unsigned i;

	*cost = 0;
	for (i = 0; i < BLOCK_SIZE; i++) {
		ea = block_ea(b, i);
		g = gone_find(&a->eas, &ea);
		if (!g || !allot_waited(now, g->at, wait) ||
			(g->cause != CAUSE_PEER && *cost >= left))
			continue;
		*cost = (uint16_t)(*cost + (g->cause != CAUSE_PEER));
		pool_range_set(&eas, i);
	}
	return eas;
}

/* The range of the ea gone longest, with all that may be had again. */
static enum allot_result
choose_gone(struct allot *a, enum gone_kind kind, uint64_t least, uint64_t now,
	struct block **out)
{
	struct gone *g = oldest_without_block(a, kind);
	struct block at = {0};
	struct pool_range eas;
	uint16_t cost;
	struct addr ea;
	unsigned i;

	if (!g || !allot_waited(now, g->at, least))
		return ALLOT_SPENT;
	if (allot_waited(now, g->at, a->cfg.quarantine_ms))
		least = a->cfg.quarantine_ms;
	at.first = block_first(&g->value.ea);
	eas = gone_in_range(a, &at, least, now, &cost);
	if (!pool_range_count(&eas))
		return ALLOT_SHARE;
	*out = blocks_add(&a->blocks, &at.first, &eas);
	if (!*out)
		return ALLOT_NOMEM;
	(*out)->cost = cost;
	(*out)->again = true;
	for (i = 0; i < BLOCK_SIZE; i++) {
		ea = block_ea(*out, i);
		if (pool_range_has(&eas, i))
			gone_park(&a->eas, gone_find(&a->eas, &ea));
	}
	return ALLOT_OK;
}

static enum allot_result
choose_small(struct allot *a, uint64_t now, struct block **out)
{
	enum allot_result res = ALLOT_SPENT, again;

	if (allot_source(a, now) == FROM_POOL)
		res = choose_virgin(a, out);
	if (res == ALLOT_SPENT)
		res = choose_gone(a, GONE_KINDS, allot_least_wait(a), now, out);
	if (res != ALLOT_SPENT && res != ALLOT_SHARE)
		return res;
	/* Peers can have again what was theirs, when it has rested. */
	again = choose_gone(a, GONE_PEER, a->cfg.quarantine_ms, now, out);
	return again == ALLOT_SPENT ? res : again;
}

/* Those of the range that are neither live nor gone. */
static struct pool_range
unused_in_range(const struct allot *a, const struct block *b)
{
	struct pool_range eas = {{0}};
	struct addr ea;
	unsigned i;

	for (i = 0; i < BLOCK_SIZE; i++) {
		ea = block_ea(b, i);
		if (allot_in_pool(a, &ea) && !allot_live(a, &ea) &&
			!gone_find(&a->eas, &ea))
			pool_range_set(&eas, i);
	}
	return eas;
}

static enum allot_result
choose_large(struct allot *a, struct block **out)
{
	struct block at = {0};
	struct pool_range eas;
	unsigned index;
	int i;

	if (a->blocks.all.n >= a->cfg.max / BLOCK_SIZE)
		return ALLOT_SPENT;
	for (i = 0; i < DRAWS_MAX; i++) {
		at.first = prefix_host(&a->cfg.encode,
			allot_random_host(a) / BLOCK_SIZE * BLOCK_SIZE);
		eas = unused_in_range(a, &at);
		if (!blocks_find(&a->blocks, &at.first, &index) &&
			pool_range_count(&eas))
			break;
	}
	if (i == DRAWS_MAX)
		return ALLOT_SPENT;
	*out = blocks_add(&a->blocks, &at.first, &eas);
	if (!*out)
		return ALLOT_NOMEM;
	(*out)->cost = (*out)->n_free;
	return ALLOT_OK;
}

enum allot_result
allot_block_begin(struct allot *a, uint64_t now, struct addr *first,
	struct addr forget[BLOCK_SIZE], size_t *n_forget)
{
	struct block *b = NULL;
	enum allot_result res =
		a->small ? choose_small(a, now, &b) : choose_large(a, &b);
	unsigned i;

	*n_forget = 0;
	if (res != ALLOT_OK)
		return res;
	*first = b->first;
	a->n_peer += b->cost;
	for (i = 0; b->again && i < BLOCK_SIZE; i++)
		if (pool_range_has(&b->free, i))
			forget[(*n_forget)++] = block_ea(b, i);
	return ALLOT_OK;
}

/* What came in from quarantine: gone no more, or gone again. */
static void
end_parked(struct allot *a, const struct block *b, bool stored)
{
	struct addr ea;
	struct gone *g;
	unsigned i;

	for (i = 0; i < BLOCK_SIZE; i++) {
		ea = block_ea(b, i);
		if (!pool_range_has(&b->free, i))
			continue;
		g = gone_find(&a->eas, &ea);
		if (stored)
			gone_drop(&a->eas, g);
		else
			gone_unpark(&a->eas, g);
	}
}

/* The free eas of a block are virgin again, where that is remembered. */
static void
give_back(struct allot *a, const struct block *b)
{
	if (a->small && b->n_free)
		pool_add_range(
			&a->pool, allot_host_part(a, &b->first), &b->free);
}

void
allot_block_opened(struct allot *a, const struct addr *first, bool stored)
{
	struct block *b = blocks_get(&a->blocks, first);

	if (!b || b->state != BLOCK_OPENING)
		return;
	if (b->again)
		end_parked(a, b, stored);
	if (stored) {
		b->again = false;
		blocks_open(&a->blocks, b);
		return;
	}
	if (!b->again)
		give_back(a, b);
	a->n_peer -= b->cost;
	blocks_remove(&a->blocks, b);
}

uint64_t
allot_tentative_left(const struct allot *a)
{
	return a->blocks.n_left;
}

void
allot_tentative_keep(struct allot *a, uint64_t left)
{
	blocks_keep(&a->blocks, left);
}

bool
allot_block_to_close(
	struct allot *a, uint64_t now, size_t slice, struct addr *first)
{
	struct block *b;

	blocks_tick(&a->blocks, now, slice);
	b = blocks_close(&a->blocks, now);
	if (b)
		*first = b->first;
	return b;
}

void
allot_block_closed(struct allot *a, const struct addr *first, bool stored)
{
	struct block *b = blocks_get(&a->blocks, first);

	if (!b || b->state != BLOCK_CLOSING)
		return;
	if (!stored) {
		blocks_reopen(&a->blocks, b);
		return;
	}
	give_back(a, b);
	a->n_peer -= b->n_free;
	blocks_remove(&a->blocks, b);
}

int
allot_block_load(struct allot *a, const struct addr *first, uint64_t until)
{
	struct pool_range eas = {{0}};
	struct block at = {.first = *first}, *b;
	struct addr aligned = block_first(first);
	bool ours =
		prefix_has(&a->cfg.encode, first) && addr_eq(first, &aligned);

	if (blocks_get(&a->blocks, first))
		return 0;
	if (ours && a->small)
		eas = pool_range(&a->pool, allot_host_part(a, first));
	else if (ours)
		eas = unused_in_range(a, &at);
	b = blocks_add(&a->blocks, first, &eas);
	if (!b)
		return -ENOMEM;
	if (ours && a->small)
		pool_remove_range(&a->pool, allot_host_part(a, first), &eas);
	a->n_peer += b->n_free;
	blocks_hold(&a->blocks, b, ours ? until : 0);
	return 0;
}
