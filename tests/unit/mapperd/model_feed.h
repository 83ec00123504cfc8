/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Followers of the model: what each has got by the feed, as the protocol says
 * (proto/mapper.md) and no more. The first one's copy is what the model
 * observes: each change of it is checked. Copies are compared with what the
 * mapper has.
 */
#ifndef TESTS_UNIT_MAPPERD_MODEL_FEED_H
#define TESTS_UNIT_MAPPERD_MODEL_FEED_H

#include "model_told.h"

struct m_key {
	struct addr ea, gw;
	struct ref ref;
};

struct m_seen {
	struct m_key key;
	struct msg_entry x;
};

struct follower {
	struct model *model;
	bool observes;
	struct rig_client *c; /* NULL: away */
	struct table now;     /* struct m_seen, owned: what it holds */
	struct table next;    /* the same: a full copy that is coming */
	uint64_t store;	      /* of what it holds; 0: nothing */
	uint64_t held;	      /* this revision it has whole */
	uint64_t revision;    /* of the last packet */
	bool resumed, closed; /* since FEED_START */
	bool partial; /* tentative entries that came while it was away are
		       * not there: they have no number */
};

static inline void
seen_init(struct table *t)
{
	table_init(
		t, offsetof(struct m_seen, key), sizeof(struct m_key), 1 << 20);
}

static inline void
seen_fini(struct table *t)
{
	struct m_seen *s;

	TABLE_FOREACH (t, pos, s)
		free(s);
	table_fini(t);
}

static inline void
follower_init(struct follower *f, struct model *m, bool observes)
{
	*f = (struct follower){.model = m, .observes = observes};
	seen_init(&f->now);
	seen_init(&f->next);
}

static inline void
follower_fini(struct follower *f)
{
	seen_fini(&f->now);
	seen_fini(&f->next);
}

static inline struct m_key
key_of(const struct msg_entry *x)
{
	struct m_key k = {.ea = x->arec.ea};

	if (!addr_is_zero(&x->arec.ea))
		return k;
	k.gw = x->arec.gw;
	k.ref = x->arec.ref;
	return k;
}

static inline void
observe(struct follower *f, const struct msg_entry *x, bool end)
{
	bool remote = !addr_is_zero(&x->arec.ea);

	if (!f->observes)
		return;
	if (remote && end)
		m_saw_remote_end(f->model, &x->arec);
	else if (remote)
		m_saw_remote(f->model, x);
	else if (end)
		m_saw_local_end(f->model, &x->arec);
	else
		m_saw_local(f->model, x);
}

static inline void
seen_put(struct table *t, const struct msg_entry *x)
{
	struct m_key key = key_of(x);
	struct m_seen *s = table_get(t, &key);

	if (!s) {
		s = calloc(1, sizeof(*s));
		s->key = key;
		MUST(table_put(t, s) == 0);
	}
	s->x = *x;
}

static inline void
seen_drop(struct table *t, const struct msg_entry *x)
{
	struct m_key key = key_of(x);

	free(table_del(t, &key));
}

/* The copy that came whole takes the place of the old one. */
static inline void
follower_swap(struct follower *f)
{
	struct m_seen *s, *other;
	struct table old;

	TABLE_FOREACH (&f->now, pos, s) {
		other = table_get(&f->next, &s->key);
		if (!other || !addr_eq(&other->x.arec.gw, &s->x.arec.gw) ||
			!ref_eq(&other->x.arec.ref, &s->x.arec.ref) ||
			!addr_eq(&other->x.arec.ip, &s->x.arec.ip))
			observe(f, &s->x, true);
	}
	TABLE_FOREACH (&f->next, pos, s)
		observe(f, &s->x, false);
	old = f->now;
	f->now = f->next;
	seen_fini(&old);
	seen_init(&f->next);
}

static inline void
follower_reach(struct follower *f, uint64_t revision)
{
	bool exact = f->resumed || f->closed;

	M_CHECK(revision >= f->revision, "revision %llu after %llu",
		(unsigned long long)revision, (unsigned long long)f->revision);
	/* While it catches up, what others have undone is left out. */
	M_CHECK(!f->closed || revision <= f->revision + 1,
		"a gap: revision %llu after %llu", (unsigned long long)revision,
		(unsigned long long)f->revision);
	if (exact && revision != f->revision)
		f->held = f->revision;
	f->revision = revision;
}

static inline void
follower_at(struct follower *f, const struct msg *m)
{
	M_CHECK(m->store == f->store, "another store");
	follower_reach(f, m->revision);
	if (!f->closed && !f->resumed)
		follower_swap(f);
	f->closed = true;
	f->held = m->revision;
}

/* A packet of the feed. */
static inline void
follower_take(struct follower *f, const struct msg *m)
{
	struct table *t = f->closed || f->resumed ? &f->now : &f->next;
	struct msg_entry x;
	size_t i;

	if (m->cmd == MSG_FEED_AT) {
		follower_at(f, m);
		return;
	}
	follower_reach(f, m->revision);
	for (i = 0; i < m->n; i++) {
		x = msg_entry(m, i);
		if (m->cmd == MSG_FEED_SET)
			seen_put(t, &x);
		else
			seen_drop(t, &x);
		if (t == &f->now)
			observe(f, &x, m->cmd == MSG_FEED_DEL);
	}
}

/* FEED_START was answered. */
static inline void
follower_started(struct follower *f, const struct msg *m)
{
	M_CHECK(m->mode == MSG_ACK, "a follower is refused");
	M_CHECK(!f->store || m->store == f->store, "another store");
	M_CHECK(m->revision >= f->held, "revision %llu after %llu",
		(unsigned long long)m->revision, (unsigned long long)f->held);
	f->resumed = m->count == 1;
	f->partial = f->resumed && !f->observes;
	f->closed = false;
	f->revision = f->held;
	f->store = m->store;
	f->model->resumed += f->resumed;
	f->model->copies += !f->resumed;
	seen_fini(&f->next);
	seen_init(&f->next);
}

/* It can't know which of them are there still. */
static inline void
follower_forget_tentative(struct follower *f)
{
	struct m_seen *s;

	TABLE_FOREACH (&f->now, pos, s)
		if (s->x.flags & MSG_ENTRY_TENTATIVE) {
			free(table_del(&f->now, &s->key));
			pos = 0;
		}
}

static inline void
follower_start(struct follower *f, uint16_t id, bool anew)
{
	const struct mapper_config *cfg = &f->model->cfg;
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_FEED_START,
		.id = id,
		.profile = {cfg->rules.encode, cfg->rules.pub, cfg->own_ref},
	};

	if (anew)
		f->held = 0;
	if (!f->observes)
		follower_forget_tentative(f);
	m.store = f->held ? f->store : 0;
	m.revision = f->held;
	rig_request(f->c, &m);
}

static inline void
follower_compare_one(struct follower *f, const struct entry *e)
{
	struct msg_entry x = {.arec = {.ea = addr_zero(e->addr.ver),
				      .gw = e->key.gw,
				      .ref = e->key.ref}};
	const struct m_seen *s;
	struct m_key key;

	if (e->kind == ENTRY_REMOTE)
		x.arec.ea = e->addr;
	key = key_of(&x);
	s = table_get(&f->now, &key);
	if (!s && f->partial && e->owner == OWNER_TENTATIVE)
		return;
	M_CHECK(s, "a follower lacks a mapping");
	M_CHECK(addr_eq(&s->x.arec.gw, &e->key.gw) &&
			ref_eq(&s->x.arec.ref, &e->key.ref) &&
			(e->kind == ENTRY_REMOTE ||
				addr_eq(&s->x.arec.ip, &e->addr)),
		"a follower has another mapping");
	M_CHECK(s->x.born == (e->owner == OWNER_TENTATIVE ? 0 : e->born),
		"a follower has another revision");
}

/* What it holds is what the mapper has. */
static inline void
follower_compare(struct follower *f)
{
	const struct entries *es = mapper_entries(rig_mapper(&f->model->rig));
	const struct entry *e;
	size_t n = es->n[0] + es->n[1];

	if (!f->c || !f->closed)
		return;
	TAILQ_FOREACH(e, &es->all, all)
	follower_compare_one(f, e);
	M_CHECK(f->now.n == n || (f->partial && f->now.n < n),
		"a follower has %zu mappings, the mapper %zu", f->now.n, n);
}

#endif
