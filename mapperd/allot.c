/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: with a bitmap, its members are the virgin eas; an ea that is no
 * member and not gone is taken, or not ours to hand out. Without one, `taken`
 * counts, and the caller's table of entries is asked through `live`, which
 * holds the eas taken. The queues of what is gone are in the order of time.
 */
#include "mapperd/allot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/pool.h"
#include "mapperd/quota.h"

/* Draws until one is free, where collisions are a wonder. */
#define DRAWS_MAX 64
#define REF_BITS  68

struct gone {
	union {
		struct addr ea;
		struct ref ref;
	} value; /* the key; unused bytes zero */
	uint8_t cause;
	uint64_t at;
	TAILQ_ENTRY(gone) link;
};
TAILQ_HEAD(gone_list, gone);

struct taken {
	struct addr ea;
};

struct allot {
	struct allot_config cfg;
	unsigned host_bits;
	bool small;	   /* there is a bitmap */
	struct pool pool;  /* small: virgin eas by host part */
	struct table live; /* large: struct taken, owned */
	uint64_t size, n_taken, n_peer;
	struct quotas quotas;
	struct table gone_ea, gone_ref; /* struct gone, owned */
	struct gone_list eas, refs;	/* oldest first */
	uint64_t tokens, tokens_at;	/* thousandths of a reference; ms */
};

/* The low 64 bits of the host part. */
static uint64_t
host_part(const struct allot *a, const struct addr *ea)
{
	uint64_t v = 0;
	size_t len = addr_len(ea->ver), i;

	for (i = len > 8 ? len - 8 : 0; i < len; i++)
		v = v << 8 | ea->b[i];
	if (a->host_bits < 64)
		v &= (UINT64_C(1) << a->host_bits) - 1;
	return v;
}

/* Whether we may hand this host part out at all. */
static bool
host_allowed(const struct allot *a, uint64_t host)
{
	struct addr ea = prefix_host(&a->cfg.encode, host);
	uint64_t ones = a->host_bits < 64 ? (UINT64_C(1) << a->host_bits) - 1
					  : UINT64_MAX;

	return addr_second_byte(&ea) >= SECOND_BYTE_OURS && host &&
	       host != ones && !addr_eq(&ea, &a->cfg.own_local);
}

static int
pool_fill(struct allot *a)
{
	uint64_t i;

	if (pool_init(&a->pool, a->host_bits))
		return -ENOMEM;
	for (i = 0; i < a->pool.size; i++)
		if (host_allowed(a, i))
			pool_add(&a->pool, i);
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
	table_init(&a->gone_ea, offsetof(struct gone, value),
		sizeof(struct addr), cfg->max);
	table_init(&a->gone_ref, offsetof(struct gone, value),
		sizeof(struct ref), cfg->max);
	TAILQ_INIT(&a->eas);
	TAILQ_INIT(&a->refs);
	if (a->small && pool_fill(a)) {
		allot_free(a);
		return NULL;
	}
	return a;
}

static void
gone_list_free(struct gone_list *list)
{
	struct gone *g;

	while ((g = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, g, link);
		free(g);
	}
}

void
allot_free(struct allot *a)
{
	struct taken *t;

	if (!a)
		return;
	gone_list_free(&a->eas);
	gone_list_free(&a->refs);
	TABLE_FOREACH (&a->live, pos, t)
		free(t);
	table_fini(&a->live);
	table_fini(&a->gone_ea);
	table_fini(&a->gone_ref);
	quotas_fini(&a->quotas);
	pool_fini(&a->pool);
	free(a);
}

/* Notes an ea as taken. */
static int
mark_taken(struct allot *a, const struct addr *ea)
{
	struct taken *t;

	if (a->small) {
		pool_remove(&a->pool, host_part(a, ea));
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

/* It is neither virgin nor taken afterwards. */
static void
unmark_taken(struct allot *a, const struct addr *ea)
{
	if (!a->small)
		free(table_del(&a->live, ea));
	a->n_taken--;
}

/* Into its queue by time; the place is the end or near it. */
static int
gone_insert(struct table *t, struct gone_list *list, struct gone *g)
{
	struct gone *before = TAILQ_LAST(list, gone_list);
	int err = table_put(t, g);

	if (err)
		return err;
	while (before && before->at > g->at)
		before = TAILQ_PREV(before, gone_list, link);
	if (before)
		TAILQ_INSERT_AFTER(list, before, g, link);
	else
		TAILQ_INSERT_HEAD(list, g, link);
	return 0;
}

/* The oldest ones have a place at the front: looking from there is short. */
static void
gone_insert_front(struct gone_list *list, struct gone *g)
{
	struct gone *behind = TAILQ_FIRST(list);

	while (behind && behind->at < g->at)
		behind = TAILQ_NEXT(behind, link);
	if (behind)
		TAILQ_INSERT_BEFORE(behind, g, link);
	else
		TAILQ_INSERT_TAIL(list, g, link);
}

static int
gone_add_ea(struct allot *a, const struct addr *ea, enum entry_cause cause,
	uint64_t at)
{
	struct gone *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	g->value.ea = *ea;
	g->cause = (uint8_t)cause;
	g->at = at;
	err = gone_insert(&a->gone_ea, &a->eas, g);
	if (err) {
		free(g);
		return err == -EEXIST ? 0 : -ENOMEM;
	}
	a->n_peer += cause == CAUSE_PEER;
	return 0;
}

static void
gone_drop(struct table *t, struct gone_list *list, struct gone *g)
{
	table_del(t, &g->value);
	TAILQ_REMOVE(list, g, link);
	free(g);
}

/* The ea gone longest, when it may be handed out again. */
static bool
take_gone(struct allot *a, uint64_t now, struct allot_ea *out)
{
	struct gone *g = TAILQ_FIRST(&a->eas);
	uint64_t wait = a->cfg.quarantine_ms;

	/* Nothing else is left when we get here. */
	if (wait > a->cfg.reuse_ms)
		wait = a->cfg.reuse_ms;
	if (!a->small || !g || now < g->at || now - g->at < wait)
		return false;
	out->ea = g->value.ea;
	out->again = true;
	out->gone_at = g->at;
	out->gone_cause = (enum entry_cause)g->cause;
	a->n_peer -= g->cause == CAUSE_PEER;
	gone_drop(&a->gone_ea, &a->eas, g);
	return true;
}

static uint64_t
random_u64(const struct allot *a)
{
	uint64_t v;

	a->cfg.random(&v, sizeof(v), a->cfg.arg);
	return v;
}

/* A number below n, each as likely as the others. */
static uint64_t
random_below(const struct allot *a, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;

	do
		v = random_u64(a);
	while (v >= limit);
	return v % n;
}

/* A random ea of a network too large for a bitmap. */
static bool
draw_large(struct allot *a, struct addr *out)
{
	uint64_t mask = a->host_bits < 64 ? (UINT64_C(1) << a->host_bits) - 1
					  : UINT64_MAX;
	uint64_t host;
	int i;

	for (i = 0; i < DRAWS_MAX; i++) {
		host = random_u64(a) & mask;
		if (!host_allowed(a, host))
			continue;
		*out = prefix_host(&a->cfg.encode, host);
		if (!table_get(&a->live, out) && !table_get(&a->gone_ea, out))
			return true;
	}
	return false;
}

/* Whether peers have used up their part; resolvers keep theirs. */
static bool
share_spent(const struct allot *a, enum entry_cause cause)
{
	return cause == CAUSE_PEER && a->small &&
	       a->n_peer >= a->size * a->cfg.peer_percent / 100;
}

static enum allot_result
draw_ea(struct allot *a, uint64_t now, struct allot_ea *out)
{
	if (a->small && a->pool.n) {
		out->ea = prefix_host(&a->cfg.encode,
			pool_nth(&a->pool, random_below(a, a->pool.n)));
		return ALLOT_OK;
	}
	if (a->small)
		return take_gone(a, now, out) ? ALLOT_OK : ALLOT_SPENT;
	return draw_large(a, &out->ea) ? ALLOT_OK : ALLOT_SPENT;
}

enum allot_result
allot_ea(struct allot *a, const struct addr *gw, enum entry_cause cause,
	uint64_t now, struct allot_ea *out)
{
	enum allot_result res;
	int err;

	*out = (struct allot_ea){.gw = *gw, .cause = cause};
	if (share_spent(a, cause))
		return ALLOT_SHARE;
	err = quotas_take(&a->quotas, gw, cause, false);
	if (err)
		return err == -EDQUOT ? ALLOT_QUOTA : ALLOT_NOMEM;
	res = draw_ea(a, now, out);
	if (res == ALLOT_OK && !mark_taken(a, &out->ea)) {
		a->n_peer += cause == CAUSE_PEER;
		return ALLOT_OK;
	}
	quotas_give(&a->quotas, gw, cause);
	return res == ALLOT_OK ? ALLOT_NOMEM : res;
}

void
allot_ea_undo(struct allot *a, const struct allot_ea *taken)
{
	struct gone *g;

	quotas_give(&a->quotas, &taken->gw, taken->cause);
	a->n_peer -= taken->cause == CAUSE_PEER;
	unmark_taken(a, &taken->ea);
	if (!taken->again) {
		if (a->small)
			pool_add(&a->pool, host_part(a, &taken->ea));
		return;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return; /* neither virgin nor gone: it is not handed out */
	g->value.ea = taken->ea;
	g->cause = (uint8_t)taken->gone_cause;
	g->at = taken->gone_at;
	if (table_put(&a->gone_ea, g)) {
		free(g);
		return;
	}
	gone_insert_front(&a->eas, g);
	a->n_peer += g->cause == CAUSE_PEER;
}

static bool
in_pool(const struct allot *a, const struct addr *ea)
{
	return prefix_has(&a->cfg.encode, ea) &&
	       host_allowed(a, host_part(a, ea));
}

bool
allot_ea_load(struct allot *a, const struct addr *ea, const struct addr *gw,
	enum entry_cause cause)
{
	if (!in_pool(a, ea) || quotas_take(&a->quotas, gw, cause, true))
		return false;
	if (mark_taken(a, ea)) {
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

	if (!in_pool(a, ea) || table_get(&a->gone_ea, ea))
		return 0; /* gone already: two changes ended it */
	err = gone_add_ea(a, ea, cause, at);
	if (err)
		return err;
	a->n_peer -= cause == CAUSE_PEER;
	unmark_taken(a, ea);
	quotas_give(&a->quotas, gw, cause);
	return 0;
}

int
allot_ea_load_gone(struct allot *a, const struct addr *ea,
	enum entry_cause cause, uint64_t at)
{
	if (!in_pool(a, ea))
		return 0;
	if (a->small)
		pool_remove(&a->pool, host_part(a, ea));
	return gone_add_ea(a, ea, cause, at);
}

/* Refills the bucket; whether it holds one more. */
static bool
rate_take(struct allot *a, uint64_t now)
{
	uint64_t full = (uint64_t)a->cfg.refs_burst * 1000;
	uint64_t ms = now > a->tokens_at ? now - a->tokens_at : 0;

	if (ms > full)
		ms = full; /* keeps the product small */
	a->tokens += ms * a->cfg.refs_per_s;
	if (a->tokens > full)
		a->tokens = full;
	a->tokens_at = now;
	if (a->tokens < 1000)
		return false;
	a->tokens -= 1000;
	return true;
}

/* 68 random bits below one that is always set, so that every reference of
 * ours has the same form on the wire and none is below 256. */
static struct ref
random_ref(const struct allot *a)
{
	struct ref r = {{0}};
	size_t first = REF_LEN - (REF_BITS + 7) / 8;

	a->cfg.random(r.b + first, REF_LEN - first, a->cfg.arg);
	r.b[first] = (uint8_t)((r.b[first] & 0x0f) | 0x10);
	return r;
}

enum allot_result
allot_ref(struct allot *a, uint64_t now, bool limited, struct ref *out)
{
	int i;

	if (limited && !rate_take(a, now))
		return ALLOT_RATE;
	for (i = 0; i < DRAWS_MAX; i++) {
		*out = random_ref(a);
		if (ref_second_byte(out) >= SECOND_BYTE_OURS &&
			!table_get(&a->gone_ref, out))
			return ALLOT_OK;
	}
	return ALLOT_SPENT;
}

int
allot_ref_gone(struct allot *a, const struct ref *ref, uint64_t at)
{
	struct gone *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	g->value.ref = *ref;
	g->at = at;
	err = gone_insert(&a->gone_ref, &a->refs, g);
	if (err)
		free(g);
	return err == -EEXIST ? 0 : err;
}

static bool
quarantine_over(const struct allot *a, const struct gone *g, uint64_t now)
{
	return g && now >= g->at && now - g->at >= a->cfg.quarantine_ms;
}

bool
allot_forget(struct allot *a, uint64_t now, bool *is_ref, struct addr *ea,
	struct ref *ref)
{
	struct gone *g = TAILQ_FIRST(&a->refs);

	*is_ref = true;
	if (quarantine_over(a, g, now)) {
		*ref = g->value.ref;
		gone_drop(&a->gone_ref, &a->refs, g);
		return true;
	}
	g = TAILQ_FIRST(&a->eas);
	*is_ref = false;
	if (!a->small && quarantine_over(a, g, now)) {
		*ea = g->value.ea;
		a->n_peer -= g->cause == CAUSE_PEER;
		gone_drop(&a->gone_ea, &a->eas, g);
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
		.gone = a->gone_ea.n,
		.gone_refs = a->gone_ref.n,
		.taken_peer = a->n_peer,
	};
}
