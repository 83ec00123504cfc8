/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: an entry is in `all`, in its owner's list, and in two tables:
 * by_ea and by_remote, or by_local and (itself or through the chain of an
 * entry with its ip) by_ip. The lists of dynamic ones are sorted by `expires`,
 * but while loading. No cursor points to a removed entry.
 */
#include "mapperd/entry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWNERS_MAX 4096

void
entries_init(struct entries *es, size_t max)
{
	*es = (struct entries){0};
	table_init(&es->by_ea, offsetof(struct entry, addr),
		sizeof(struct addr), max);
	table_init(&es->by_remote, offsetof(struct entry, key),
		sizeof(struct entry_key), max);
	table_init(&es->by_local, offsetof(struct entry, key),
		sizeof(struct entry_key), max);
	table_init(&es->by_ip, offsetof(struct entry, addr),
		sizeof(struct addr), max);
	table_init(&es->owners, offsetof(struct entry_owner, id),
		sizeof(uint32_t), OWNERS_MAX);
	TAILQ_INIT(&es->all);
	TAILQ_INIT(&es->cursors);
}

static void
entry_free(struct entry *e)
{
	const void *behind = e + 1;

	if (e->name != behind)
		free(e->name);
	free(e);
}

void
entries_fini(struct entries *es)
{
	struct entry *e;
	struct entry_owner *o;

	while ((e = TAILQ_FIRST(&es->all))) {
		TAILQ_REMOVE(&es->all, e, all);
		entry_free(e);
	}
	TABLE_FOREACH (&es->owners, pos, o)
		free(o);
	table_fini(&es->by_ea);
	table_fini(&es->by_remote);
	table_fini(&es->by_local);
	table_fini(&es->by_ip);
	table_fini(&es->owners);
}

void
entries_load(struct entries *es)
{
	es->loading = true;
}

struct lease {
	uint64_t expires;
	struct entry *e;
};

static int
lease_cmp(const void *a, const void *b)
{
	const struct lease *x = a, *y = b;

	return x->expires < y->expires ? -1 : x->expires > y->expires;
}

int
entries_loaded(struct entries *es, uint64_t latest)
{
	const uint32_t mapper = OWNER_MAPPER;
	struct entry_owner *o = table_get(&es->owners, &mapper);
	struct lease *leases = o ? calloc(o->n, sizeof(*leases)) : NULL;
	struct entry *e;
	size_t i, n = 0;

	es->loading = false;
	if (!o)
		return 0;
	if (!leases)
		return -ENOMEM;
	TAILQ_FOREACH(e, &o->list, by_owner)
	{
		if (e->expires > latest)
			e->expires = latest;
		leases[n++] = (struct lease){e->expires, e};
	}
	qsort(leases, n, sizeof(*leases), lease_cmp);
	TAILQ_INIT(&o->list);
	for (i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&o->list, leases[i].e, by_owner);
	free(leases);
	return 0;
}

void
entries_prefetch(const struct entries *es, const struct entry_data *d)
{
	bool remote = d->kind == ENTRY_REMOTE;

	table_prefetch(remote ? &es->by_ea : &es->by_ip, &d->addr);
	table_prefetch(remote ? &es->by_remote : &es->by_local, &d->key);
}

struct entry *
entries_by_ea(const struct entries *es, const struct addr *ea)
{
	return table_get(&es->by_ea, ea);
}

struct entry *
entries_remote(const struct entries *es, const struct entry_key *key)
{
	return table_get(&es->by_remote, key);
}

struct entry *
entries_local(const struct entries *es, const struct entry_key *key)
{
	return table_get(&es->by_local, key);
}

struct entry *
entries_by_ip(const struct entries *es, const struct addr *ip)
{
	return table_get(&es->by_ip, ip);
}

/* Whether a is to be preferred to b as the source of leaving packets. */
static bool
better_source(const struct entry *a, const struct entry *b)
{
	bool a_listed = a->owner != OWNER_MAPPER;
	bool b_listed = b->owner != OWNER_MAPPER;

	if (entry_key_own(&a->key) != entry_key_own(&b->key))
		return entry_key_own(&a->key);
	if (a_listed != b_listed)
		return a_listed;
	if (a->born != b->born)
		return a->born < b->born;
	return entry_key_cmp(&a->key, &b->key) < 0;
}

struct entry *
entries_source(
	const struct entries *es, const struct addr *ip, bool any_context)
{
	struct entry *best = NULL, *e;

	for (e = entries_by_ip(es, ip); e; e = entry_next_ip(e)) {
		if (!entry_key_own(&e->key) && !any_context)
			continue;
		if (!best || better_source(e, best))
			best = e;
	}
	return best;
}

const struct entry_owner *
entries_owner(const struct entries *es, uint32_t owner)
{
	return table_get(&es->owners, &owner);
}

/* The owner's list, made when it is not there yet; NULL: no room. */
static struct entry_owner *
owner_get(struct entries *es, uint32_t id)
{
	struct entry_owner *o = table_get(&es->owners, &id);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->id = id;
	TAILQ_INIT(&o->list);
	if (table_put(&es->owners, o)) {
		free(o);
		return NULL;
	}
	return o;
}

/* Into the owner's list; behind all whose leases end no later. Leases are
 * mostly of one length, so the place is the end or near it. */
static void
owner_insert(const struct entries *es, struct entry_owner *o, struct entry *e)
{
	struct entry *before = TAILQ_LAST(&o->list, entry_list);
	bool sorted = !es->loading && owner_is_dynamic(o->id);

	while (sorted && before && before->expires > e->expires)
		before = TAILQ_PREV(before, entry_list, by_owner);
	if (before)
		TAILQ_INSERT_AFTER(&o->list, before, e, by_owner);
	else
		TAILQ_INSERT_HEAD(&o->list, e, by_owner);
}

static void
owner_drop(struct entries *es, struct entry_owner *o)
{
	table_del(&es->owners, &o->id);
	free(o);
}

static void
owner_remove(struct entries *es, struct entry *e)
{
	struct entry_owner *o = table_get(&es->owners, &e->owner);

	TAILQ_REMOVE(&o->list, e, by_owner);
	if (!--o->n)
		owner_drop(es, o);
}

static int
index_remote(struct entries *es, struct entry *e)
{
	int err = table_put(&es->by_ea, e);

	if (err)
		return err;
	err = table_put(&es->by_remote, e);
	if (err)
		table_del(&es->by_ea, &e->addr);
	return err;
}

static int
index_local(struct entries *es, struct entry *e)
{
	struct entry *first = table_get(&es->by_ip, &e->addr);
	int err = table_put(&es->by_local, e);

	if (err)
		return err;
	if (first) {
		e->next_ip[0] = first->next_ip[0];
		first->next_ip[0] = e;
		return 0;
	}
	err = table_put(&es->by_ip, e);
	if (err)
		table_del(&es->by_local, &e->key);
	return err;
}

static struct entry *
entry_new(const struct entry_data *d)
{
	size_t name_size = d->name ? strlen(d->name) + 1 : 0;
	bool local = d->kind == ENTRY_LOCAL;
	struct entry *e = calloc(
		1, sizeof(*e) + (local ? sizeof(e->next_ip[0]) : name_size));

	if (!e)
		return NULL;
	if (local && d->name && entries_name(e, d->name)) {
		free(e);
		return NULL;
	}
	e->addr = d->addr;
	e->key = d->key;
	e->kind = (uint8_t)d->kind;
	e->cause = (uint8_t)d->cause;
	e->owner = d->owner;
	e->born = d->born;
	e->made_s = (uint32_t)(d->made / 1000);
	e->expires = d->expires;
	if (!local && d->name)
		e->name = memcpy(e + 1, d->name, name_size);
	return e;
}

int
entries_add(struct entries *es, const struct entry_data *d, struct entry **out)
{
	struct entry *e = entry_new(d);
	struct entry_owner *o;
	int err;

	if (!e)
		return -ENOMEM;
	err = d->kind == ENTRY_REMOTE ? index_remote(es, e)
				      : index_local(es, e);
	if (err) {
		entry_free(e);
		return err;
	}
	TAILQ_INSERT_TAIL(&es->all, e, all);
	es->n[e->kind]++;
	es->n_peer += cause_is_peer(d->cause);
	o = owner_get(es, e->owner);
	if (!o) {
		e->owner = 0;
		entries_del(es, e);
		return -ENOMEM;
	}
	o->n++;
	owner_insert(es, o, e);
	if (out)
		*out = e;
	return 0;
}

/* Takes an entry out of the chain of those with its ip. */
static void
unchain_ip(struct entries *es, struct entry *e)
{
	struct entry *p = table_get(&es->by_ip, &e->addr);

	if (p != e) {
		while (p->next_ip[0] != e)
			p = p->next_ip[0];
		p->next_ip[0] = e->next_ip[0];
		return;
	}
	table_del(&es->by_ip, &e->addr);
	/* The slot just freed has room: this can't fail. */
	if (e->next_ip[0] && table_put(&es->by_ip, e->next_ip[0]))
		abort();
}

void
entries_del(struct entries *es, struct entry *e)
{
	struct entry_cursor *c;

	TAILQ_FOREACH(c, &es->cursors, link)
	if (c->next == e)
		c->next = TAILQ_NEXT(e, all);
	if (e->kind == ENTRY_REMOTE) {
		table_del(&es->by_ea, &e->addr);
		table_del(&es->by_remote, &e->key);
	} else {
		table_del(&es->by_local, &e->key);
		unchain_ip(es, e);
	}
	TAILQ_REMOVE(&es->all, e, all);
	es->n[e->kind]--;
	es->n_peer -= cause_is_peer((enum entry_cause)e->cause);
	if (e->owner)
		owner_remove(es, e);
	entry_free(e);
}

void
entries_lease(struct entries *es, struct entry *e, uint64_t expires)
{
	struct entry_owner *o = table_get(&es->owners, &e->owner);

	TAILQ_REMOVE(&o->list, e, by_owner);
	e->expires = expires;
	owner_insert(es, o, e);
}

int
entries_promote(struct entries *es, struct entry *e, const struct entry_data *d)
{
	struct entry_owner *o = owner_get(es, d->owner);

	if (!o)
		return -ENOMEM;
	o->n++; /* from here on it is not let go of for want of entries */
	if (d->name && entries_name(e, d->name)) {
		if (!--o->n)
			owner_drop(es, o);
		return -ENOMEM;
	}
	owner_remove(es, e);
	es->n_peer -= cause_is_peer((enum entry_cause)e->cause);
	es->n_peer += cause_is_peer(d->cause);
	e->owner = d->owner;
	e->cause = (uint8_t)d->cause;
	e->born = d->born;
	e->made_s = (uint32_t)(d->made / 1000);
	e->expires = d->expires;
	e->promoting = 0;
	owner_insert(es, o, e);
	return 0;
}

int
entries_name(struct entry *e, const char *name)
{
	if (e->name)
		return 0;
	e->name = strdup(name);
	return e->name ? 0 : -ENOMEM;
}

void
entry_cursor_start(struct entries *es, struct entry_cursor *c)
{
	c->next = TAILQ_FIRST(&es->all);
	TAILQ_INSERT_TAIL(&es->cursors, c, link);
}

struct entry *
entry_cursor_next(struct entry_cursor *c)
{
	struct entry *e = c->next;

	if (e)
		c->next = TAILQ_NEXT(e, all);
	return e;
}

void
entry_cursor_stop(struct entries *es, struct entry_cursor *c)
{
	TAILQ_REMOVE(&es->cursors, c, link);
}

int
entry_key_cmp(const struct entry_key *a, const struct entry_key *b)
{
	/* All of it bytes in the order that counts: version, address, ref. */
	static_assert(sizeof(*a) == sizeof(a->gw) + sizeof(a->ref),
		"a key has no padding");
	return memcmp(a, b, sizeof(*a));
}
