/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 1. What lanes read for each packet, the first line of a route and its way, is
 *    written only when the way changes or batches turn out to be refused.
 * 2. A lane writes `packets` of its cell last; who reads it first sees bytes
 *    and time of at least these packets.
 */
#include "gwd/routes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "libipref/sip.h"

#define LINE	    64 /* of the cache */
#define ON_ITS_LINE __attribute__((aligned(LINE)))

/* One writer, its lane. */
struct cell {
	_Atomic uint64_t packets[WAY_N], bytes[WAY_N], last_ms[WAY_N];
} ON_ITS_LINE;

static_assert(sizeof(struct cell) == LINE, "a cell is a line");

struct route {
	struct addr peer;		 /* the key */
	_Atomic(struct route_way *) way; /* owned; any thread */
	struct route *self;		 /* for lanes, to which it is const */
	_Atomic bool no_batches;	 /* any thread; once true, it stays */

	/* control thread */
	ON_ITS_LINE struct route_use taken; /* no times */
	TAILQ_ENTRY(route) link;

	ON_ITS_LINE struct cell cells[];
};

static_assert(offsetof(struct route, taken) == LINE, "lanes read one line");

TAILQ_HEAD(route_list, route);

struct routes {
	struct maps_table table; /* struct route, by peer */
	uint64_t seed[2];
	maps_retire *retire;
	unsigned lanes;
	size_t max;
	struct route_list all; /* control thread; owned; by turns */
};

struct routes *
routes_new(size_t max, unsigned lanes, maps_retire *retire)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	maps_table_init(&r->table, offsetof(struct route, peer),
		sizeof(struct addr), retire);
	sip_seed(r->seed);
	r->retire = retire;
	r->lanes = lanes;
	r->max = max;
	TAILQ_INIT(&r->all);
	return r;
}

static struct route_way *
way_now(const struct route *route)
{
	return atomic_load_explicit(&route->way, memory_order_relaxed);
}

void
routes_free(struct routes *r)
{
	struct route *route;

	if (!r)
		return;
	while ((route = TAILQ_FIRST(&r->all))) {
		TAILQ_REMOVE(&r->all, route, link);
		free(way_now(route));
		free(route);
	}
	maps_table_fini(&r->table);
	free(r);
}

/* --- any thread --------------------------------------------------------- */

static uint64_t
hash_of(const struct routes *r, const struct addr *peer)
{
	uint64_t word[2];
	struct sip s;

	memcpy(word, peer->b, sizeof(word));
	sip_init(&s, r->seed);
	sip_word(&s, peer->ver);
	sip_word(&s, word[0]);
	sip_word(&s, word[1]);
	return sip_end(&s);
}

static struct route *
find(const struct routes *r, const struct addr *peer)
{
	return maps_table_get(&r->table, peer, hash_of(r, peer),
		offsetof(struct route, peer), sizeof(*peer));
}

const struct route *
routes_get(const struct routes *r, const struct addr *peer)
{
	return find(r, peer);
}

const struct route_way *
route_way(const struct route *route)
{
	return atomic_load_explicit(&route->way, memory_order_acquire);
}

bool
route_batches(const struct route *route)
{
	return !atomic_load_explicit(&route->no_batches, memory_order_relaxed);
}

void
route_no_batches(const struct route *route)
{
	atomic_store_explicit(
		&route->self->no_batches, true, memory_order_relaxed);
}

/* Only its lane writes it: no other can come in between. */
static void
add(_Atomic uint64_t *sum, uint64_t n, memory_order order)
{
	uint64_t old = atomic_load_explicit(sum, memory_order_relaxed);

	atomic_store_explicit(sum, old + n, order);
}

void
route_count(const struct route *route, unsigned lane, enum way way,
	uint64_t packets, uint64_t bytes, uint64_t now_ms)
{
	struct cell *c = &route->self->cells[lane];

	atomic_store_explicit(&c->last_ms[way], now_ms, memory_order_relaxed);
	add(&c->bytes[way], bytes, memory_order_relaxed);
	add(&c->packets[way], packets, memory_order_release);
}

/* --- the control thread ------------------------------------------------- */

static bool
same_way(const struct route_way *a, const struct route_way *b)
{
	return addr_eq(&a->peer, &b->peer) && a->port == b->port &&
	       addr_eq(&a->src, &b->src) && addr_eq(&a->to, &b->to) &&
	       a->mtu == b->mtu && a->tos == b->tos &&
	       a->dscp_tos == b->dscp_tos && ref_eq(&a->ref, &b->ref);
}

static struct route_way *
copy_of(const struct route_way *way)
{
	struct route_way *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *way;
	return copy;
}

/* way is the route's from now on, unless this fails. */
static int MUSTCHECK
add_route(struct routes *r, struct route_way *way)
{
	size_t size = sizeof(struct route) + r->lanes * sizeof(struct cell);
	struct route *route;
	int err;

	if (r->table.n >= r->max)
		return -ENOSPC;
	route = aligned_alloc(LINE, size);
	if (!route)
		return -ENOMEM;
	memset(route, 0, size);
	route->peer = way->peer;
	atomic_init(&route->way, way);
	route->self = route;
	err = maps_table_put(&r->table, hash_of(r, &route->peer), route);
	if (err)
		free(route);
	else
		TAILQ_INSERT_TAIL(&r->all, route, link);
	return err;
}

int
routes_set(struct routes *r, const struct route_way *way)
{
	struct route *route = find(r, &way->peer);
	struct route_way *old = route ? way_now(route) : NULL, *copy;
	int err;

	if (old && same_way(old, way))
		return 0;
	copy = copy_of(way);
	if (!copy)
		return -ENOMEM;
	if (old) {
		atomic_store_explicit(&route->way, copy, memory_order_release);
		r->retire(free, old);
		return 0;
	}
	err = add_route(r, copy);
	if (err)
		free(copy);
	return err;
}

void
routes_del(struct routes *r, const struct addr *peer)
{
	struct route *route = find(r, peer);

	if (!route)
		return;
	maps_table_del(&r->table, hash_of(r, peer), route);
	TAILQ_REMOVE(&r->all, route, link);
	r->retire(free, way_now(route));
	r->retire(free, route);
}

/* Of all lanes, since the beginning. */
static void
sum_up(const struct routes *r, const struct route *route, enum way way,
	struct route_use *sum)
{
	const struct cell *c;
	uint64_t last;
	unsigned i;

	for (i = 0; i < r->lanes; i++) {
		c = &route->cells[i];
		sum->packets[way] += atomic_load_explicit(
			&c->packets[way], memory_order_acquire);
		sum->bytes[way] += atomic_load_explicit(
			&c->bytes[way], memory_order_relaxed);
		last = atomic_load_explicit(
			&c->last_ms[way], memory_order_relaxed);
		if (last > sum->last_ms[way])
			sum->last_ms[way] = last;
	}
}

/* Bytes seen ahead of their packets are taken with them. */
bool
routes_take(struct routes *r, const struct addr *peer, struct route_use *use)
{
	struct route *route = find(r, peer);
	struct route_use sum = {0};
	bool some = false;
	enum way way;

	*use = sum;
	for (way = 0; route && way < WAY_N; way++) {
		sum_up(r, route, way, &sum);
		if (sum.packets[way] == route->taken.packets[way])
			continue;
		use->packets[way] =
			sum.packets[way] - route->taken.packets[way];
		use->bytes[way] = sum.bytes[way] - route->taken.bytes[way];
		use->last_ms[way] = sum.last_ms[way];
		route->taken.packets[way] = sum.packets[way];
		route->taken.bytes[way] = sum.bytes[way];
		some = true;
	}
	return some;
}

const struct route *
routes_turn(struct routes *r)
{
	struct route *route = TAILQ_FIRST(&r->all);

	if (route) {
		TAILQ_REMOVE(&r->all, route, link);
		TAILQ_INSERT_TAIL(&r->all, route, link);
	}
	return route;
}

size_t
routes_count(const struct routes *r)
{
	return r->table.n;
}
