/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: every node is in the table and on one list: `fixed` when a
 * setting made it what it is, else `lru`, which is in the order in which they
 * were used; those that were never used are its head.
 */
#include "gwd/paths.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "libipref/table.h"

struct node {
	struct path path;
	TAILQ_ENTRY(node) link;
};

TAILQ_HEAD(node_list, node);

struct paths {
	struct table table;	/* struct node, by path.addr */
	struct node_list lru;	/* owned; the next to go first */
	struct node_list fixed; /* owned */
	uint32_t lowest, initial;
	struct paths_stats stats;
};

struct paths *
paths_new(size_t max, uint32_t lowest, uint32_t initial)
{
	struct paths *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	table_init(&p->table, offsetof(struct node, path.addr),
		sizeof(struct addr), max);
	TAILQ_INIT(&p->lru);
	TAILQ_INIT(&p->fixed);
	p->lowest = lowest;
	p->initial = initial;
	return p;
}

static struct node_list *
list_of(struct paths *p, const struct node *n)
{
	return n->path.fixed ? &p->fixed : &p->lru;
}

static void
drop_node(struct paths *p, struct node *n)
{
	TAILQ_REMOVE(list_of(p, n), n, link);
	(void)table_del(&p->table, &n->path.addr);
	free(n);
}

void
paths_free(struct paths *p)
{
	struct node *n;

	if (!p)
		return;
	while ((n = TAILQ_FIRST(&p->lru)) || (n = TAILQ_FIRST(&p->fixed)))
		drop_node(p, n);
	table_fini(&p->table);
	free(p);
}

void
paths_set_initial(struct paths *p, uint32_t mtu)
{
	p->initial = mtu;
}

static bool
in_use(const struct path *path, uint64_t now_ms)
{
	return path->used_ms && now_ms - path->used_ms < PATHS_IDLE_MS;
}

/* False: nobody may go. */
static bool
make_room(struct paths *p, bool used, uint64_t now_ms)
{
	struct node *n = TAILQ_FIRST(&p->lru);

	if (p->table.n < p->table.max)
		return true;
	if (!n || (!used && in_use(&n->path, now_ms)))
		return false;
	p->stats.evicted++;
	drop_node(p, n);
	return true;
}

/* The entry of addr, made if there is none; NULL: no room or no memory. */
static struct node *
need(struct paths *p, const struct addr *addr, bool used, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (n || !make_room(p, used, now_ms))
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->path.addr = *addr;
	if (table_put(&p->table, n)) {
		free(n);
		return NULL;
	}
	TAILQ_INSERT_HEAD(&p->lru, n, link);
	return n;
}

static void
use(struct paths *p, struct node *n, uint64_t now_ms)
{
	struct node_list *list = list_of(p, n);

	n->path.used_ms = now_ms;
	TAILQ_REMOVE(list, n, link);
	TAILQ_INSERT_TAIL(list, n, link);
}

uint64_t
paths_left(const struct path *path, uint64_t now_ms)
{
	return path->learned && path->until_ms > now_ms
		       ? path->until_ms - now_ms
		       : 0;
}

uint32_t
paths_mtu(const struct paths *p, const struct path *path, uint64_t now_ms)
{
	uint32_t mtu = p->initial;

	if (!path)
		return mtu;
	if (path->fixed)
		mtu = path->fixed;
	else if (!mtu && path->hop_until_ms > now_ms)
		mtu = path->first_hop;
	if (mtu && paths_left(path, now_ms) && path->learned < mtu)
		mtu = path->learned;
	return mtu;
}

uint32_t
paths_get(struct paths *p, const struct addr *addr, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		return p->initial;
	use(p, n, now_ms);
	return paths_mtu(p, &n->path, now_ms);
}

/* ICMPv6 may say more than any packet has. */
static uint32_t
within(const struct paths *p, uint32_t mtu)
{
	if (mtu > UINT16_MAX)
		return UINT16_MAX;
	return mtu < p->lowest ? p->lowest : mtu;
}

void
paths_first_hop(
	struct paths *p, const struct addr *addr, uint32_t mtu, uint64_t now_ms)
{
	struct node *n = need(p, addr, true, now_ms);

	if (!n)
		return;
	n->path.first_hop = within(p, mtu);
	n->path.hop_until_ms = now_ms + PATHS_HOP_MS;
	use(p, n, now_ms);
}

/* A path that has become wider is found only when this is forgotten: what says
 * more than is believed is about a packet sent before that was known. */
bool
paths_learn(
	struct paths *p, const struct addr *addr, uint32_t mtu, uint64_t now_ms)
{
	struct node *n = need(p, addr, false, now_ms);
	uint32_t old;

	if (!n) {
		p->stats.full++;
		return false;
	}
	mtu = within(p, mtu);
	old = paths_mtu(p, &n->path, now_ms);
	if ((old && mtu > old) ||
		(paths_left(&n->path, now_ms) && mtu > n->path.learned))
		return false;
	n->path.learned = mtu;
	n->path.until_ms = now_ms + PATHS_KEEP_MS;
	if (old && mtu == old)
		return false;
	p->stats.learned++;
	return true;
}

void
paths_fix(struct paths *p, const struct addr *addr, uint32_t mtu)
{
	struct node *n = need(p, addr, true, 0);

	if (!n)
		return;
	TAILQ_REMOVE(list_of(p, n), n, link);
	n->path.fixed = within(p, mtu);
	TAILQ_INSERT_TAIL(&p->fixed, n, link);
}

void
paths_unfix(struct paths *p)
{
	struct node *n;

	while ((n = TAILQ_FIRST(&p->fixed))) {
		TAILQ_REMOVE(&p->fixed, n, link);
		n->path.fixed = 0;
		n->path.used_ms = 0;
		TAILQ_INSERT_HEAD(&p->lru, n, link);
	}
}

const struct path *
paths_next(const struct paths *p, size_t *pos)
{
	const struct node *n = table_next(&p->table, pos);

	return n ? &n->path : NULL;
}

const struct path *
paths_peek(const struct paths *p, const struct addr *addr)
{
	const struct node *n = table_get(&p->table, addr);

	return n ? &n->path : NULL;
}

void
paths_restore(struct paths *p, const struct addr *addr, uint32_t mtu,
	uint64_t left_ms, uint64_t now_ms)
{
	struct node *n = need(p, addr, false, now_ms);

	if (!n)
		return;
	n->path.learned = within(p, mtu);
	n->path.until_ms =
		now_ms + (left_ms < PATHS_KEEP_MS ? left_ms : PATHS_KEEP_MS);
}

size_t
paths_count(const struct paths *p)
{
	return p->table.n;
}

const struct paths_stats *
paths_stats(const struct paths *p)
{
	return &p->stats;
}
