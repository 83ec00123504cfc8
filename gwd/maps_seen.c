/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What those who carry packets tell the writer of entries.
 *
 * 1. Who sets NEWS_LISTED puts the node on maps.news, once; the writer takes
 *    the whole list. So between two takings an entry is written to once,
 *    however many packets it carries.
 * 2. A node that is removed while it is listed is retired when it has been
 *    taken off the list; one that is not is never listed again.
 */
#include "gwd/maps_impl.h"

#include <stdlib.h>

static void
tell(struct maps *m, struct node *n, unsigned news)
{
	unsigned was = atomic_fetch_or(&n->news, news | NEWS_LISTED);
	struct node *first;

	if (was & (NEWS_LISTED | NEWS_GONE))
		return;
	first = atomic_load(&m->news);
	do
		atomic_store_explicit(&n->told, first, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&m->news, &first, n));
}

void
maps_used(struct maps *m, const struct map *e, enum way way)
{
	struct node *n = CONTAINER_OF((uintptr_t)e, struct node, map);
	unsigned news = atomic_load_explicit(&n->news, memory_order_relaxed);

	if (news & NEWS_TENTATIVE && proof_step(&n->proof, way))
		tell(m, n, 0);
	if (!(news & NEWS_USED))
		tell(m, n, NEWS_USED);
}

static void
set_use(struct maps *m, struct node *n, enum use use)
{
	if (n->use != USE_NONE) {
		TAILQ_REMOVE(&m->use[n->use], n, using);
		m->n_use[n->use]--;
	}
	n->use = (uint8_t)use;
	if (use != USE_NONE) {
		TAILQ_INSERT_TAIL(&m->use[use], n, using);
		m->n_use[use]++;
	}
}

static void
hear(struct maps *m, struct node *n)
{
	unsigned news = atomic_fetch_and(&n->news, ~(unsigned)NEWS_LISTED);

	if (news & NEWS_GONE) {
		m->retire(free, n);
		return;
	}
	if (news & NEWS_USED && n->use == USE_NONE)
		set_use(m, n, USE_WAITS);
	if (node_is_tentative(n))
		proofs_look(&m->proofs, &n->proof);
}

void
maps_hear(struct maps *m)
{
	struct node *n, *next, *first = NULL;

	if (!atomic_load_explicit(&m->news, memory_order_relaxed))
		return;
	/* The last told comes first. */
	for (n = atomic_exchange(&m->news, NULL); n; n = next) {
		next = atomic_load_explicit(&n->told, memory_order_relaxed);
		atomic_store_explicit(&n->told, first, memory_order_relaxed);
		first = n;
	}
	for (n = first; n; n = next) {
		next = atomic_load_explicit(&n->told, memory_order_relaxed);
		hear(m, n);
	}
}

void
maps_unhear(struct maps *m, struct node *n)
{
	set_use(m, n, USE_NONE);
	if (atomic_fetch_or(&n->news, NEWS_GONE) & NEWS_LISTED)
		maps_hear(m);
	else
		m->retire(free, n);
}

size_t
maps_used_count(struct maps *m)
{
	maps_hear(m);
	return m->n_use[USE_WAITS];
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

	maps_hear(m);
	for (i = 0; i < n && (e = TAILQ_FIRST(&m->use[USE_WAITS])); i++) {
		set_use(m, e, USE_TAKEN);
		if (node_is_tentative(e))
			proofs_anew(&e->proof);
		out[i] = record_of(e);
	}
	return i;
}

size_t
maps_taken_count(const struct maps *m)
{
	return m->n_use[USE_TAKEN];
}

void
maps_use_anew(struct maps *m, size_t n)
{
	struct node *e;

	for (; n > 0 && (e = TAILQ_FIRST(&m->use[USE_TAKEN])); n--) {
		set_use(m, e, USE_NONE);
		atomic_fetch_and(&e->news, ~(unsigned)NEWS_USED);
	}
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
		maps_remove(m, CONTAINER_OF(p, struct node, proof));
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

	maps_hear(m);
	for (i = 0; i < n && (p = proofs_take(&m->proofs)); i++)
		out[i] = record_of_proof(p);
	return i;
}

static struct node *
find_tentative(const struct maps *m, const struct arec *a)
{
	struct node *n = maps_find_ea(m, &a->ea);

	return n && node_is_tentative(n) && addr_eq(&n->map.gw, &a->gw) &&
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
