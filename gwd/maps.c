/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gwd's copy of the mappings: every entry is a node, found by several tables.
 *
 * 1. A node is in `all` and in the tables of its kind: a remote one in by_ea
 *    and by_peer; a local one in by_own, and in the two groups of its address
 *    and of its reference. It is in all of them or in none.
 * 2. A group holds the local entries with one address, or with one reference;
 *    its `best` is the one that serves, by better(), or NULL when none may.
 *    A group exists while it has members.
 * 3. An entry's gw is never zero while a public address is set.
 * 4. A node is in `proofs` while its flags say that it is tentative; only
 *    remote ones are.
 *
 * Objects come from the heap one by one; their number is bounded by max (each
 * entry has at most two groups).
 */
#include "gwd/maps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "gwd/proof.h"
#include "libipref/table.h"

/* How an IPREF address is looked up: the adjacent fields gw, ref of a map. */
struct ipref_key {
	struct addr gw;
	struct ref ref;
};

static_assert(offsetof(struct map, ref) - offsetof(struct map, gw) ==
		      offsetof(struct ipref_key, ref),
	"gw and ref of a map are one key");
static_assert(
	sizeof(struct ipref_key) == sizeof(struct addr) + sizeof(struct ref),
	"a key has no padding");

LIST_HEAD(members, node);

struct group {
	struct addr addr; /* key in by_ip, or */
	struct ref ref;	  /* key in by_ref */
	struct members members;
	const struct node *best; /* NULL: none may serve */
};

enum {
	BY_IP,
	BY_REF,
	N_GROUPS
};

struct node {
	struct map map;
	bool used; /* it is in maps.used */
	union {
		struct { /* a local entry */
			struct group *groups[N_GROUPS];
			LIST_ENTRY(node) member[N_GROUPS];
		};
		struct proof proof; /* a tentative entry */
	};
	TAILQ_ENTRY(node) all, using;
};

TAILQ_HEAD(node_list, node);

struct maps {
	struct addr pub;
	size_t max, n_remote, n_local;
	uint32_t epoch;
	struct table by_ea;	       /* remote: map.local -> node */
	struct table by_peer;	       /* remote: map.gw, map.ref -> node */
	struct table by_own;	       /* local: map.gw, map.ref -> node */
	struct table groups[N_GROUPS]; /* -> group */
	struct node_list all, used;
	size_t n_used;
	struct proofs proofs;
};

static bool
own_context(const struct maps *m, const struct map *e)
{
	return addr_eq(&e->gw, &m->pub);
}

/* Whether a is the better one to serve an address or a reference
 * (spec/concepts.md, "The mapping relation"); never for both (a, b) and
 * (b, a). */
static bool
better(const struct maps *m, const struct map *a, const struct map *b)
{
	bool own_a = own_context(m, a), own_b = own_context(m, b);
	bool listed_a = a->flags & MSG_ENTRY_LISTED;
	bool listed_b = b->flags & MSG_ENTRY_LISTED;
	int order;

	if (own_a != own_b)
		return own_a;
	if (listed_a != listed_b)
		return listed_a;
	if (a->born != b->born)
		return a->born < b->born;
	order = ref_cmp(&a->ref, &b->ref);
	if (!order)
		order = addr_cmp(&a->gw, &b->gw);
	if (!order)
		order = addr_cmp(&a->local, &b->local);
	return order < 0;
}

/* Only entries with our own context serve, unless no public address is set. */
static bool
may_serve(const struct maps *m, const struct map *e)
{
	return addr_is_zero(&m->pub) || own_context(m, e);
}

static void
group_choose(const struct maps *m, struct group *g, size_t which)
{
	const struct node *n;

	g->best = NULL;
	LIST_FOREACH(n, &g->members, member[which])
	if (may_serve(m, &n->map) &&
		(!g->best || better(m, &n->map, &g->best->map)))
		g->best = n;
}

static int
group_join(struct maps *m, struct node *n, size_t which)
{
	struct table *t = &m->groups[which];
	const void *key = which == BY_IP ? (const void *)&n->map.local
					 : (const void *)&n->map.ref;
	struct group *g = table_get(t, key);
	int rc;

	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return -ENOMEM;
		g->addr = n->map.local;
		g->ref = n->map.ref;
		LIST_INIT(&g->members);
		rc = table_put(t, g);
		if (rc) {
			free(g);
			return rc;
		}
	}
	LIST_INSERT_HEAD(&g->members, n, member[which]);
	n->groups[which] = g;
	if (may_serve(m, &n->map) &&
		(!g->best || better(m, &n->map, &g->best->map)))
		g->best = n;
	return 0;
}

static void
group_leave(struct maps *m, struct node *n, size_t which)
{
	struct group *g = n->groups[which];

	if (!g)
		return;
	LIST_REMOVE(n, member[which]);
	n->groups[which] = NULL;
	if (LIST_EMPTY(&g->members)) {
		table_del(&m->groups[which], which == BY_IP
						     ? (const void *)&g->addr
						     : (const void *)&g->ref);
		free(g);
	} else if (g->best == n) {
		group_choose(m, g, which);
	}
}

static void
table_del_node(struct table *t, const struct node *n, const void *key)
{
	if (table_get(t, key) == n)
		table_del(t, key);
}

static bool
is_tentative(const struct node *n)
{
	return n->map.flags & MSG_ENTRY_TENTATIVE;
}

/* Sets the node's flags, and with them whether it is tentative. */
static void
set_flags(struct maps *m, struct node *n, uint32_t flags)
{
	bool was = is_tentative(n);

	n->map.flags = flags;
	if (was && !is_tentative(n))
		proofs_del(&m->proofs, &n->proof);
	else if (!was && is_tentative(n))
		proofs_add(&m->proofs, &n->proof);
}

/* Takes a node out of everything and frees it; one that is only half in, too.
 */
static void
node_remove(struct maps *m, struct node *n)
{
	if (n->map.remote) {
		table_del_node(&m->by_ea, n, &n->map.local);
		table_del_node(&m->by_peer, n, &n->map.gw);
		set_flags(m, n, 0);
		m->n_remote--;
	} else {
		table_del_node(&m->by_own, n, &n->map.gw);
		group_leave(m, n, BY_IP);
		group_leave(m, n, BY_REF);
		m->n_local--;
	}
	if (n->used) {
		TAILQ_REMOVE(&m->used, n, using);
		m->n_used--;
	}
	TAILQ_REMOVE(&m->all, n, all);
	free(n);
}

/* On failure the node is gone. */
static int
node_insert(struct maps *m, struct node *n, uint32_t flags)
{
	int rc;

	TAILQ_INSERT_TAIL(&m->all, n, all);
	set_flags(m, n, flags);
	if (n->map.remote) {
		m->n_remote++;
		rc = table_put(&m->by_ea, n);
		if (!rc)
			rc = table_put(&m->by_peer, n);
	} else {
		m->n_local++;
		rc = table_put(&m->by_own, n);
		if (!rc)
			rc = group_join(m, n, BY_IP);
		if (!rc)
			rc = group_join(m, n, BY_REF);
	}
	if (rc)
		node_remove(m, n);
	return rc;
}

struct maps *
maps_new(const struct addr *pub, size_t max)
{
	struct maps *m = calloc(1, sizeof(*m));
	size_t key_off = offsetof(struct node, map.gw);

	if (!m)
		return NULL;
	m->pub = *pub;
	m->max = max;
	table_init(&m->by_ea, offsetof(struct node, map.local),
		sizeof(struct addr), max);
	table_init(&m->by_peer, key_off, sizeof(struct ipref_key), max);
	table_init(&m->by_own, key_off, sizeof(struct ipref_key), max);
	table_init(&m->groups[BY_IP], offsetof(struct group, addr),
		sizeof(struct addr), max);
	table_init(&m->groups[BY_REF], offsetof(struct group, ref),
		sizeof(struct ref), max);
	TAILQ_INIT(&m->all);
	TAILQ_INIT(&m->used);
	proofs_init(&m->proofs);
	return m;
}

void
maps_free(struct maps *m)
{
	if (!m)
		return;
	while (!TAILQ_EMPTY(&m->all))
		node_remove(m, TAILQ_FIRST(&m->all));
	table_fini(&m->by_ea);
	table_fini(&m->by_peer);
	table_fini(&m->by_own);
	table_fini(&m->groups[BY_IP]);
	table_fini(&m->groups[BY_REF]);
	free(m);
}

static const struct map *
node_map(const struct node *n)
{
	return n ? &n->map : NULL;
}

const struct map *
maps_by_ea(const struct maps *m, const struct addr *ea)
{
	return node_map(table_get(&m->by_ea, ea));
}

const struct map *
maps_remote(const struct maps *m, const struct addr *gw, const struct ref *ref)
{
	const struct ipref_key key = {*gw, *ref};

	return node_map(table_get(&m->by_peer, &key));
}

const struct map *
maps_by_ip(const struct maps *m, const struct addr *ip)
{
	const struct group *g = table_get(&m->groups[BY_IP], ip);

	return g ? node_map(g->best) : NULL;
}

const struct map *
maps_local(const struct maps *m, const struct ref *ref)
{
	const struct group *g = table_get(&m->groups[BY_REF], ref);

	return g ? node_map(g->best) : NULL;
}

static struct ipref_key
record_key(const struct maps *m, const struct arec *a)
{
	return (struct ipref_key){
		addr_is_zero(&a->gw) ? m->pub : a->gw, a->ref};
}

/* The entry is there and leads where it did: only what is said of it changes.
 */
static void
node_update(struct maps *m, struct node *n, uint64_t born, uint32_t flags)
{
	size_t i;

	n->map.born = born;
	n->map.epoch = m->epoch;
	set_flags(m, n, flags);
	for (i = 0; i < N_GROUPS && !n->map.remote; i++)
		group_choose(m, n->groups[i], i);
}

int
maps_set(struct maps *m, const struct msg_entry *e)
{
	const struct arec *a = &e->arec;
	bool remote = !addr_is_zero(&a->ea);
	/* No entry of ours is tentative. */
	uint32_t flags = remote ? e->flags : e->flags & ~MSG_ENTRY_TENTATIVE;
	struct ipref_key key = record_key(m, a);
	struct node *n, *by_ea, *by_key;

	if (remote == !addr_is_zero(&a->ip))
		return -EINVAL;
	by_ea = remote ? table_get(&m->by_ea, &a->ea) : NULL;
	by_key = table_get(remote ? &m->by_peer : &m->by_own, &key);
	if (by_key && (remote ? by_key == by_ea
			      : addr_eq(&by_key->map.local, &a->ip))) {
		node_update(m, by_key, e->born, flags);
		return 0;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->map = (struct map){
		.local = remote ? a->ea : a->ip,
		.gw = key.gw,
		.ref = key.ref,
		.born = e->born,
		.epoch = m->epoch,
		.remote = remote,
	};
	if (by_ea)
		node_remove(m, by_ea);
	if (by_key)
		node_remove(m, by_key);
	if (m->n_remote + m->n_local >= m->max) {
		free(n);
		return -ENOSPC;
	}
	return node_insert(m, n, flags);
}

void
maps_del(struct maps *m, const struct arec *record)
{
	struct ipref_key key = record_key(m, record);
	struct node *n = addr_is_zero(&record->ea)
				 ? table_get(&m->by_own, &key)
				 : table_get(&m->by_ea, &record->ea);

	if (n)
		node_remove(m, n);
}

void
maps_begin(struct maps *m)
{
	m->epoch++;
}

void
maps_sweep(struct maps *m)
{
	struct node *n, *next;

	for (n = TAILQ_FIRST(&m->all); n; n = next) {
		next = TAILQ_NEXT(n, all);
		if (n->map.epoch != m->epoch)
			node_remove(m, n);
	}
}

void
maps_used(struct maps *m, const struct map *e, enum way way)
{
	struct node *n = CONTAINER_OF((uintptr_t)e, struct node, map);

	if (is_tentative(n))
		proofs_step(&m->proofs, &n->proof, way);
	if (n->used)
		return;
	n->used = true;
	TAILQ_INSERT_TAIL(&m->used, n, using);
	m->n_used++;
}

size_t
maps_used_count(const struct maps *m)
{
	return m->n_used;
}

static struct arec
record_of(const struct node *n)
{
	struct arec a = {.gw = n->map.gw, .ref = n->map.ref};

	if (n->map.remote)
		a.ea = n->map.local;
	else
		a.ip = n->map.local;
	return a;
}

size_t
maps_take_used(struct maps *m, struct arec *out, size_t n)
{
	struct node *e;
	size_t i;

	for (i = 0; i < n && !TAILQ_EMPTY(&m->used); i++) {
		e = TAILQ_FIRST(&m->used);
		TAILQ_REMOVE(&m->used, e, using);
		m->n_used--;
		e->used = false;
		if (is_tentative(e))
			proofs_anew(&e->proof);
		out[i] = record_of(e);
	}
	return i;
}

size_t
maps_count(const struct maps *m, bool remote)
{
	return remote ? m->n_remote : m->n_local;
}

size_t
maps_count_tentative(const struct maps *m)
{
	return m->proofs.n;
}

void
maps_drop_tentative(struct maps *m)
{
	struct proof *p;

	while ((p = TAILQ_FIRST(&m->proofs.all)))
		node_remove(m, CONTAINER_OF(p, struct node, proof));
}

static struct arec
record_of_proof(const struct proof *p)
{
	return record_of(CONTAINER_OF(p, struct node, proof));
}

size_t
maps_take_proved(struct maps *m, struct arec *out, size_t n)
{
	const struct proof *p;
	size_t i;

	for (i = 0; i < n && (p = proofs_take(&m->proofs)); i++)
		out[i] = record_of_proof(p);
	return i;
}

static struct node *
find_tentative(const struct maps *m, const struct arec *a)
{
	struct node *n = table_get(&m->by_ea, &a->ea);

	return n && is_tentative(n) && addr_eq(&n->map.gw, &a->gw) &&
			       ref_eq(&n->map.ref, &a->ref)
		       ? n
		       : NULL;
}

void
maps_prove(struct maps *m, const struct arec *a)
{
	struct node *n = find_tentative(m, a);

	if (n)
		proofs_note(&m->proofs, &n->proof);
}

void
maps_walk(struct maps *m)
{
	proofs_walk(&m->proofs);
}

size_t
maps_walk_next(struct maps *m, struct arec *out, size_t n)
{
	const struct proof *p;
	size_t i;

	for (i = 0; i < n && (p = proofs_walk_next(&m->proofs)); i++)
		out[i] = record_of_proof(p);
	return i;
}

bool
maps_is_tentative(const struct maps *m, const struct arec *a)
{
	return find_tentative(m, a);
}
