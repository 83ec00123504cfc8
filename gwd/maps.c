/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gwd's copy of the mappings: every entry is a node, found by several tables.
 *
 * 1. A node is in `all` and in the tables of its kind: a remote one in by_ea
 *    and by_peer; a local one in by_own and, if it may serve at all, in the two
 *    rings of its address and of its reference. It is in all of them or in
 *    none.
 * 2. A ring holds the local entries with one address, or with one reference,
 *    that may serve; the best of them, by better(), is the one in `serving`.
 * 3. An entry's gw is never zero while a public address is set.
 * 4. A node is in `proofs` while its flags say that it is tentative; only
 *    remote ones are.
 *
 * Nodes come from the heap one by one; their number is bounded by max.
 */
#include "gwd/maps_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "libipref/sip.h"

/* --- keys ---------------------------------------------------------------- */

static inline void
hash_addr(struct sip *s, const struct addr *a)
{
	uint64_t w[2] = {0};
	uint32_t v4;

	if (a->ver == 4) {
		memcpy(&v4, a->b, sizeof(v4));
		sip_word(s, UINT64_C(4) << 32 | v4);
		return;
	}
	memcpy(w, a->b, sizeof(w));
	sip_word(s, a->ver);
	sip_word(s, w[0]);
	sip_word(s, w[1]);
}

static inline void
hash_ref(struct sip *s, const struct ref *r)
{
	uint64_t w[2];

	memcpy(w, r->b, sizeof(w));
	sip_word(s, w[0]);
	sip_word(s, w[1]);
}

static inline uint64_t
local_hash(const struct maps *m, const struct addr *a)
{
	struct sip s;

	sip_init(&s, m->seed);
	hash_addr(&s, a);
	return sip_end(&s);
}

static inline uint64_t
ref_hash(const struct maps *m, const struct ref *r)
{
	struct sip s;

	sip_init(&s, m->seed);
	hash_ref(&s, r);
	return sip_end(&s);
}

static inline uint64_t
peer_hash(const struct maps *m, const struct addr *gw, const struct ref *r)
{
	struct sip s;

	sip_init(&s, m->seed);
	hash_ref(&s, r);
	hash_addr(&s, gw);
	return sip_end(&s);
}

static void *
find_local(
	const struct maps *m, const struct maps_table *t, const struct addr *a)
{
	return maps_table_get(t, a, local_hash(m, a),
		offsetof(struct node, map.local), sizeof(*a));
}

static void *
find_ref(const struct maps *m, const struct ref *r)
{
	return maps_table_get(&m->serving[BY_REF], r, ref_hash(m, r),
		offsetof(struct node, map.ref), sizeof(*r));
}

static void *
find_peer(const struct maps *m, const struct addr *gw, const struct ref *ref)
{
	const struct ipref_key key = {*gw, *ref};

	return maps_table_get(&m->by_peer, &key, peer_hash(m, gw, ref),
		offsetof(struct node, map.gw), sizeof(key));
}

struct node *
maps_find_ea(const struct maps *m, const struct addr *ea)
{
	return find_local(m, &m->by_ea, ea);
}

/* --- rings --------------------------------------------------------------- */

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

static uint64_t
serving_hash(const struct maps *m, const struct map *e, size_t which)
{
	return which == BY_IP ? local_hash(m, &e->local) : ref_hash(m, &e->ref);
}

/* The one that serves the address, or the reference, of this one. */
static struct node *
serving(const struct maps *m, const struct node *n, size_t which)
{
	return which == BY_IP ? find_local(m, &m->serving[BY_IP], &n->map.local)
			      : find_ref(m, &n->map.ref);
}

static int
ring_join(struct maps *m, struct node *n, size_t which)
{
	struct maps_table *t = &m->serving[which];
	uint64_t hash = serving_hash(m, &n->map, which);
	struct node *best = serving(m, n, which);
	struct link *l = &n->ring[which];
	int rc;

	if (!best) {
		rc = maps_table_put(t, hash, n);
		if (!rc)
			*l = (struct link){n, n};
		return rc;
	}
	*l = (struct link){best->ring[which].next, best};
	l->next->ring[which].prev = n;
	best->ring[which].next = n;
	if (better(m, &n->map, &best->map))
		maps_table_replace(t, hash, n);
	return 0;
}

/* The one that served leaves this ring, or is less than it was. */
static void
ring_choose(struct maps *m, struct node *one, size_t which)
{
	struct node *n, *best = one;

	for (n = one->ring[which].next; n != one; n = n->ring[which].next)
		if (better(m, &n->map, &best->map))
			best = n;
	maps_table_replace(
		&m->serving[which], serving_hash(m, &one->map, which), best);
}

/* What is said of this one has changed. */
static void
ring_update(struct maps *m, struct node *n, size_t which)
{
	struct node *best = serving(m, n, which);

	if (best == n)
		ring_choose(m, n, which);
	else if (better(m, &n->map, &best->map))
		maps_table_replace(
			&m->serving[which], serving_hash(m, &n->map, which), n);
}

static void
ring_leave(struct maps *m, struct node *n, size_t which)
{
	struct link *l = &n->ring[which];

	if (!l->next)
		return;
	l->next->ring[which].prev = l->prev;
	l->prev->ring[which].next = l->next;
	if (l->next == n)
		maps_table_del(
			&m->serving[which], serving_hash(m, &n->map, which), n);
	else if (serving(m, n, which) == n)
		ring_choose(m, l->next, which);
	*l = (struct link){0};
}

/* --- entries ------------------------------------------------------------- */

/* At the begin of a line of the cache. */
static struct node *
node_new(void)
{
	void *p;

	if (posix_memalign(&p, CACHE_LINE, sizeof(struct node)))
		return NULL;
	return memset(p, 0, sizeof(struct node));
}

/* Sets the node's flags, and with them whether it is tentative. */
static void
set_flags(struct maps *m, struct node *n, uint32_t flags)
{
	bool was = node_is_tentative(n);

	n->map.flags = flags;
	if (node_is_tentative(n))
		atomic_fetch_or(&n->news, NEWS_TENTATIVE);
	else
		atomic_fetch_and(&n->news, ~(unsigned)NEWS_TENTATIVE);
	if (was && !node_is_tentative(n))
		proofs_del(&m->proofs, &n->proof);
	else if (!was && node_is_tentative(n))
		proofs_add(&m->proofs, &n->proof);
}

void
maps_remove(struct maps *m, struct node *n)
{
	const struct map *e = &n->map;

	if (e->remote) {
		maps_table_del(&m->by_ea, local_hash(m, &e->local), n);
		maps_table_del(&m->by_peer, peer_hash(m, &e->gw, &e->ref), n);
		set_flags(m, n, 0);
		m->n_remote--;
	} else {
		if (table_get(&m->by_own, &e->gw) == n)
			table_del(&m->by_own, &e->gw);
		ring_leave(m, n, BY_IP);
		ring_leave(m, n, BY_REF);
		m->n_local--;
	}
	TAILQ_REMOVE(&m->all, n, all);
	maps_unhear(m, n);
}

/* n takes the place of one with the same key, so that readers find either. */
static int MUSTCHECK
put_instead(struct maps_table *t, uint64_t hash, struct node *n, bool instead)
{
	if (!instead)
		return maps_table_put(t, hash, n);
	maps_table_replace(t, hash, n);
	return 0;
}

/* On failure the node is gone. */
static int
node_insert(struct maps *m, struct node *n, uint32_t flags, bool has_ea,
	bool has_key)
{
	const struct map *e = &n->map;
	int rc;

	TAILQ_INSERT_TAIL(&m->all, n, all);
	set_flags(m, n, flags);
	if (e->remote) {
		m->n_remote++;
		rc = put_instead(
			&m->by_ea, local_hash(m, &e->local), n, has_ea);
		if (!rc)
			rc = put_instead(&m->by_peer,
				peer_hash(m, &e->gw, &e->ref), n, has_key);
	} else {
		m->n_local++;
		if (has_key)
			table_del(&m->by_own, &e->gw);
		rc = table_put(&m->by_own, n);
		if (!rc && may_serve(m, e))
			rc = ring_join(m, n, BY_IP);
		if (!rc && may_serve(m, e))
			rc = ring_join(m, n, BY_REF);
	}
	if (rc)
		maps_remove(m, n);
	return rc;
}

/* Nobody reads meanwhile. */
static void
retire_now(void (*destroy)(void *p), void *p)
{
	destroy(p);
}

static void
share(struct maps *m, maps_retire *retire)
{
	size_t ea = offsetof(struct node, map.local);
	size_t peer = offsetof(struct node, map.gw);
	size_t ref = offsetof(struct node, map.ref);

	m->retire = retire;
	maps_table_init(&m->by_ea, ea, sizeof(struct addr), retire);
	maps_table_init(&m->by_peer, peer, sizeof(struct ipref_key), retire);
	maps_table_init(&m->serving[BY_IP], ea, sizeof(struct addr), retire);
	maps_table_init(&m->serving[BY_REF], ref, sizeof(struct ref), retire);
}

void
maps_share(struct maps *m, maps_retire *retire)
{
	assert(TAILQ_EMPTY(&m->all));
	share(m, retire);
}

struct maps *
maps_new(const struct addr *pub, size_t max)
{
	struct maps *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->pub = *pub;
	m->max = max;
	sip_seed(m->seed);
	table_init(&m->by_own, offsetof(struct node, map.gw),
		sizeof(struct ipref_key), max);
	share(m, retire_now);
	TAILQ_INIT(&m->all);
	TAILQ_INIT(&m->use[USE_WAITS]);
	TAILQ_INIT(&m->use[USE_TAKEN]);
	proofs_init(&m->proofs);
	return m;
}

/* From now on. */
static void
unshare(struct maps *m)
{
	m->retire = retire_now;
	m->by_ea.retire = retire_now;
	m->by_peer.retire = retire_now;
	m->serving[BY_IP].retire = retire_now;
	m->serving[BY_REF].retire = retire_now;
}

void
maps_free(struct maps *m)
{
	if (!m)
		return;
	unshare(m);
	while (!TAILQ_EMPTY(&m->all))
		maps_remove(m, TAILQ_FIRST(&m->all));
	maps_table_fini(&m->by_ea);
	maps_table_fini(&m->by_peer);
	maps_table_fini(&m->serving[BY_IP]);
	maps_table_fini(&m->serving[BY_REF]);
	table_fini(&m->by_own);
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
	return node_map(maps_find_ea(m, ea));
}

const struct map *
maps_remote(const struct maps *m, const struct addr *gw, const struct ref *ref)
{
	return node_map(find_peer(m, gw, ref));
}

const struct map *
maps_by_ip(const struct maps *m, const struct addr *ip)
{
	return node_map(find_local(m, &m->serving[BY_IP], ip));
}

const struct map *
maps_local(const struct maps *m, const struct ref *ref)
{
	return node_map(find_ref(m, ref));
}

/* --- ahead --------------------------------------------------------------- */

bool
maps_ahead_pays(const struct maps *m)
{
	return maps_table_is_far(&m->by_ea) || maps_table_is_far(&m->by_peer) ||
	       maps_table_is_far(&m->serving[BY_IP]);
}

static void
begin(struct maps_ahead *a, size_t i, const struct maps_table *t, uint64_t hash)
{
	a->table[i] = t;
	a->hash[i] = hash;
	maps_table_ahead(t, hash);
}

void
maps_ahead_out(const struct maps *m, const struct addr *src,
	const struct addr *dst, struct maps_ahead *a)
{
	const struct maps_table *ip = &m->serving[BY_IP], *ea = &m->by_ea;

	*a = (struct maps_ahead){0};
	if (maps_table_is_far(ip))
		begin(a, 0, ip, local_hash(m, src));
	if (maps_table_is_far(ea))
		begin(a, 1, ea, local_hash(m, dst));
}

void
maps_ahead_in(const struct maps *m, const struct addr *gw,
	const struct ref *src, const struct ref *dst, struct maps_ahead *a)
{
	const struct maps_table *peer = &m->by_peer, *ref = &m->serving[BY_REF];

	*a = (struct maps_ahead){0};
	if (maps_table_is_far(peer))
		begin(a, 0, peer, peer_hash(m, gw, src));
	if (maps_table_is_far(ref))
		begin(a, 1, ref, ref_hash(m, dst));
}

void
maps_ahead_end(const struct maps_ahead *a)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(a->table); i++)
		if (a->table[i])
			maps_table_ahead_object(a->table[i], a->hash[i]);
}

/* --- changes ------------------------------------------------------------- */

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

	n->map.epoch = m->epoch;
	if (n->map.born == born && n->map.flags == flags)
		return;
	n->map.born = born;
	set_flags(m, n, flags);
	for (i = 0; i < N_RINGS && !n->map.remote && n->ring[i].next; i++)
		ring_update(m, n, i);
}

int
maps_set(struct maps *m, const struct msg_entry *e)
{
	const struct arec *a = &e->arec;
	bool remote = !addr_is_zero(&a->ea);
	/* No entry of ours is tentative. */
	uint32_t flags =
		remote ? e->flags : e->flags & ~(unsigned)MSG_ENTRY_TENTATIVE;
	struct ipref_key key = record_key(m, a);
	struct node *n, *by_ea, *by_key;
	int rc;

	if (remote == !addr_is_zero(&a->ip))
		return -EINVAL;
	by_ea = remote ? maps_find_ea(m, &a->ea) : NULL;
	by_key = remote ? find_peer(m, &key.gw, &key.ref)
			: table_get(&m->by_own, &key);
	if (by_key && (remote ? by_key == by_ea
			      : addr_eq(&by_key->map.local, &a->ip))) {
		node_update(m, by_key, e->born, flags);
		return 0;
	}
	if (!by_ea && !by_key && m->n_remote + m->n_local >= m->max)
		return -ENOSPC;
	n = node_new();
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
	rc = node_insert(m, n, flags, by_ea, by_key);
	if (by_ea)
		maps_remove(m, by_ea);
	if (by_key)
		maps_remove(m, by_key);
	return rc;
}

void
maps_del(struct maps *m, const struct arec *record)
{
	struct ipref_key key = record_key(m, record);
	struct node *n = addr_is_zero(&record->ea)
				 ? table_get(&m->by_own, &key)
				 : maps_find_ea(m, &record->ea);

	if (n)
		maps_remove(m, n);
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
			maps_remove(m, n);
	}
}
