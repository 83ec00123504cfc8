/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dynamic eas.
 *
 * Invariants: with a bitmap, its members are the virgin eas; an ea that is no
 * member, not gone and no block's is taken, or not ours to hand out. Without
 * one, `live` holds the eas taken. n_peer counts what peers caused, taken or
 * gone, and all eas of blocks.
 */
#include "mapperd/allot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/allot_impl.h"

struct taken {
	struct addr ea;
};

static uint64_t
host_mask(const struct allot *a)
{
	return a->host_bits < 64 ? (UINT64_C(1) << a->host_bits) - 1
				 : UINT64_MAX;
}

uint64_t
allot_host_part(const struct allot *a, const struct addr *ea)
{
	uint64_t v = 0;
	size_t len = addr_len(ea->ver), i;

	for (i = len > 8 ? len - 8 : 0; i < len; i++)
		v = v << 8 | ea->b[i];
	return v & host_mask(a);
}

bool
allot_in_pool(const struct allot *a, const struct addr *ea)
{
	uint64_t host = allot_host_part(a, ea);

	return prefix_has(&a->cfg.encode, ea) &&
	       addr_second_byte(ea) >= SECOND_BYTE_OURS && host &&
	       host != host_mask(a) && !addr_eq(ea, &a->cfg.own_local);
}

/* The second-byte rule allows or forbids a range as a whole. */
static int
pool_fill(struct allot *a)
{
	static const struct pool_range all = {
		{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	struct addr ea;
	uint64_t i;

	if (pool_init(&a->pool, a->host_bits))
		return -ENOMEM;
	for (i = 0; i < a->pool.size; i += POOL_RANGE) {
		ea = prefix_host(&a->cfg.encode, i);
		if (addr_second_byte(&ea) >= SECOND_BYTE_OURS)
			pool_add_range(&a->pool, i, &all);
	}
	pool_remove(&a->pool, 0);
	pool_remove(&a->pool, a->pool.size - 1);
	if (prefix_has(&a->cfg.encode, &a->cfg.own_local))
		pool_remove(&a->pool, allot_host_part(a, &a->cfg.own_local));
	a->size = a->pool.n;
	return 0;
}

struct allot *
allot_new(const struct allot_config *cfg)
{
	struct quota_limits limits = {cfg->peer_gw, cfg->peer_net,
		cfg->resolver_gw, cfg->tentative_gw, cfg->tentative_net};
	struct allot *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->cfg = *cfg;
	a->host_bits = prefix_host_bits(&cfg->encode);
	a->small = a->host_bits <= POOL_BITS_MAX;
	a->size = UINT64_MAX;
	a->tokens = (uint64_t)cfg->refs_burst * 1000;
	quotas_init(&a->quotas, &limits, cfg->max * 2);
	table_init(&a->live, offsetof(struct taken, ea), sizeof(struct addr),
		cfg->max);
	gone_init(&a->eas, sizeof(struct addr), cfg->max);
	gone_init(&a->refs, sizeof(struct ref), cfg->max);
	blocks_init(&a->blocks, cfg->tentative_quarantine_ms);
	if (a->small && pool_fill(a)) {
		allot_free(a);
		return NULL;
	}
	return a;
}

void
allot_free(struct allot *a)
{
	struct taken *t;

	if (!a)
		return;
	TABLE_FOREACH (&a->live, pos, t)
		free(t);
	table_fini(&a->live);
	gone_fini(&a->eas);
	gone_fini(&a->refs);
	blocks_fini(&a->blocks);
	quotas_fini(&a->quotas);
	pool_fini(&a->pool);
	free(a);
}

int
allot_mark(struct allot *a, const struct addr *ea)
{
	struct taken *t;

	if (a->small) {
		pool_remove(&a->pool, allot_host_part(a, ea));
	} else {
		t = calloc(1, sizeof(*t));
		if (!t)
			return -ENOMEM;
		t->ea = *ea;
		if (table_put(&a->live, t)) {
			free(t);
			return -ENOMEM;
		}
	}
	a->n_taken++;
	return 0;
}

bool
allot_live(const struct allot *a, const struct addr *ea)
{
	return table_get(&a->live, ea);
}

/* It is neither virgin nor taken afterwards. */
static void
unmark(struct allot *a, const struct addr *ea)
{
	if (!a->small)
		free(table_del(&a->live, ea));
	a->n_taken--;
}

static int
gone_add_ea(struct allot *a, const struct addr *ea, enum entry_cause cause,
	uint64_t at)
{
	union gone_value value = {.ea = *ea};
	int err = gone_add(&a->eas, &value, cause, at);

	if (err)
		return err == -EEXIST ? 0 : -ENOMEM;
	a->n_peer += cause == CAUSE_PEER;
	return 0;
}

static void
gone_drop_ea(struct allot *a, struct gone *g)
{
	a->n_peer -= g->cause == CAUSE_PEER;
	gone_drop(&a->eas, g);
}

/* This one again, when it has been gone so long. */
static bool
take_gone(struct allot *a, struct gone *g, uint64_t wait, uint64_t now,
	struct allot_ea *out)
{
	if (!g || !allot_waited(now, g->at, wait))
		return false;
	out->ea = g->value.ea;
	out->again = true;
	out->gone_at = g->at;
	out->gone_cause = (enum entry_cause)g->cause;
	gone_drop_ea(a, g);
	return true;
}

static uint64_t
random_u64(const struct allot *a)
{
	uint64_t v;

	a->cfg.random(&v, sizeof(v), a->cfg.arg);
	return v;
}

uint64_t
allot_random_below(const struct allot *a, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;

	do
		v = random_u64(a);
	while (v >= limit);
	return v % n;
}

uint64_t
allot_random_host(const struct allot *a)
{
	return random_u64(a) & host_mask(a);
}

/* A random ea of a network too large for a bitmap. */
static bool
draw_large(struct allot *a, struct addr *out)
{
	unsigned index;
	int i;

	for (i = 0; i < DRAWS_MAX; i++) {
		*out = prefix_host(&a->cfg.encode, allot_random_host(a));
		if (allot_in_pool(a, out) && !table_get(&a->live, out) &&
			!gone_find(&a->eas, out) &&
			!blocks_find(&a->blocks, out, &index))
			return true;
	}
	return false;
}

uint64_t
allot_share_left(const struct allot *a)
{
	uint64_t share = a->size / 100 * a->cfg.peer_percent +
			 a->size % 100 * a->cfg.peer_percent / 100;

	if (!a->small)
		return UINT64_MAX;
	return a->n_peer < share ? share - a->n_peer : 0;
}

enum allot_source
allot_source(const struct allot *a, uint64_t now)
{
	const struct gone *g = gone_oldest(&a->eas);
	uint64_t wait = allot_least_wait(a);
	bool suspect = a->suspect &&
		       !allot_waited(now, a->suspect_at, a->cfg.quarantine_ms);

	if (a->pool.n && !suspect)
		return FROM_POOL;
	if (a->pool.n && (!g || g->at > a->suspect_at))
		return allot_waited(now, a->suspect_at, wait) ? FROM_POOL
							      : FROM_NOTHING;
	return g && allot_waited(now, g->at, wait) ? FROM_GONE : FROM_NOTHING;
}

/* Peers that have used up their part can have one of their own again, not what
 * others left over. */
static enum allot_result
draw_ea(struct allot *a, enum entry_cause cause, uint64_t now,
	struct allot_ea *out)
{
	if (!a->small)
		return draw_large(a, &out->ea) ? ALLOT_OK : ALLOT_SPENT;
	if (cause == CAUSE_PEER && !allot_share_left(a))
		return take_gone(a, gone_oldest_of(&a->eas, GONE_PEER),
			       a->cfg.quarantine_ms, now, out)
			       ? ALLOT_OK
			       : ALLOT_SHARE;
	switch (allot_source(a, now)) {
	case FROM_POOL:
		out->ea = prefix_host(&a->cfg.encode,
			pool_nth(&a->pool, allot_random_below(a, a->pool.n)));
		return ALLOT_OK;
	case FROM_GONE:
		return take_gone(a, gone_oldest(&a->eas), 0, now, out)
			       ? ALLOT_OK
			       : ALLOT_SPENT;
	case FROM_NOTHING:
		break;
	}
	return ALLOT_SPENT;
}

enum allot_result
allot_ea(struct allot *a, const struct addr *gw, enum entry_cause cause,
	uint64_t now, struct allot_ea *out)
{
	enum allot_result res;
	int err;

	*out = (struct allot_ea){.gw = *gw, .cause = cause};
	err = quotas_take(&a->quotas, gw, cause, false);
	if (err)
		return err == -EDQUOT ? ALLOT_QUOTA : ALLOT_NOMEM;
	res = draw_ea(a, cause, now, out);
	if (res == ALLOT_OK && !allot_mark(a, &out->ea)) {
		a->n_peer += cause == CAUSE_PEER;
		return ALLOT_OK;
	}
	quotas_give(&a->quotas, gw, cause);
	return res == ALLOT_OK ? ALLOT_NOMEM : res;
}

void
allot_ea_undo(struct allot *a, const struct allot_ea *taken)
{
	quotas_give(&a->quotas, &taken->gw, taken->cause);
	a->n_peer -= taken->cause == CAUSE_PEER;
	unmark(a, &taken->ea);
	if (!taken->again) {
		if (a->small)
			pool_add(&a->pool, allot_host_part(a, &taken->ea));
		return;
	}
	if (gone_add_ea(a, &taken->ea, taken->gone_cause, taken->gone_at))
		return; /* neither virgin nor gone: it is not handed out */
}

bool
allot_ea_load(struct allot *a, const struct addr *ea, const struct addr *gw,
	enum entry_cause cause)
{
	if (!allot_in_pool(a, ea) || quotas_take(&a->quotas, gw, cause, true))
		return false;
	if (allot_mark(a, ea)) {
		quotas_give(&a->quotas, gw, cause);
		return false;
	}
	a->n_peer += cause == CAUSE_PEER;
	return true;
}

int
allot_ea_gone(struct allot *a, const struct addr *ea, const struct addr *gw,
	enum entry_cause cause, uint64_t at)
{
	int err;

	if (!allot_in_pool(a, ea) || gone_find(&a->eas, ea))
		return 0; /* gone already: two changes ended it */
	err = gone_add_ea(a, ea, cause, at);
	if (err)
		return err;
	a->n_peer -= cause == CAUSE_PEER;
	unmark(a, ea);
	quotas_give(&a->quotas, gw, cause);
	return 0;
}

int
allot_ea_load_gone(struct allot *a, const struct addr *ea,
	enum entry_cause cause, uint64_t at)
{
	if (!allot_in_pool(a, ea))
		return 0;
	if (a->small)
		pool_remove(&a->pool, allot_host_part(a, ea));
	return gone_add_ea(a, ea, cause, at);
}

void
allot_suspect(struct allot *a, uint64_t at)
{
	a->suspect = true;
	a->suspect_at = at;
	gone_since(&a->eas, at);
}

bool
allot_forget(struct allot *a, uint64_t now, bool *is_ref, struct addr *ea,
	struct ref *ref)
{
	struct gone *g = gone_oldest(&a->refs);

	*is_ref = true;
	if (g && allot_waited(now, g->at, a->cfg.quarantine_ms)) {
		*ref = g->value.ref;
		gone_drop(&a->refs, g);
		return true;
	}
	g = a->small ? NULL : gone_oldest(&a->eas);
	*is_ref = false;
	if (g && allot_waited(now, g->at, a->cfg.quarantine_ms)) {
		*ea = g->value.ea;
		gone_drop_ea(a, g);
		return true;
	}
	return false;
}

void
allot_stats(const struct allot *a, struct allot_stats *out)
{
	*out = (struct allot_stats){
		.pool = a->size,
		.taken = a->n_taken,
		.gone = a->eas.all.n,
		.gone_refs = a->refs.all.n,
		.taken_peer = a->n_peer,
		.tentative = a->blocks.n_used,
		.tentative_gone = a->blocks.n_ended,
		.blocks = a->blocks.all.n - a->blocks.n_held,
		.blocks_held = a->blocks.n_held,
	};
}
