/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A follower of the tests: what it knows must be what the mapper has. */
#ifndef TESTS_UNIT_MAPPERD_VIEW_H
#define TESTS_UNIT_MAPPERD_VIEW_H

#include "rig.h"

/* What a follower knows: entries by their key. */
struct view {
	struct entries entries;
	uint64_t store, revision;
	bool copying, resuming;
	unsigned sets, dels, ats;
};

static inline uint32_t
view_owner(uint32_t flags)
{
	if (flags & MSG_ENTRY_TENTATIVE)
		return OWNER_TENTATIVE;
	return flags & MSG_ENTRY_LISTED ? OWNER_HOSTS : OWNER_MAPPER;
}

static inline void
view_set(struct view *v, const struct msg_entry *x)
{
	struct entry_data d = {
		.owner = view_owner(x->flags),
		.key = {x->arec.gw, x->arec.ref},
		.born = x->born,
	};
	struct entry *e;

	d.kind = addr_is_zero(&x->arec.ea) ? ENTRY_LOCAL : ENTRY_REMOTE;
	d.addr = d.kind == ENTRY_LOCAL ? x->arec.ip : x->arec.ea;
	e = d.kind == ENTRY_LOCAL ? entries_local(&v->entries, &d.key)
				  : entries_by_ea(&v->entries, &d.addr);
	if (e)
		entries_del(&v->entries, e);
	ck_assert_int_eq(entries_add(&v->entries, &d, NULL), 0);
}

static inline void
view_del(struct view *v, const struct msg_entry *x)
{
	struct entry_key key = {x->arec.gw, x->arec.ref};
	struct entry *e = addr_is_zero(&x->arec.ea)
				  ? entries_local(&v->entries, &key)
				  : entries_by_ea(&v->entries, &x->arec.ea);

	if (e)
		entries_del(&v->entries, e);
}

/* The answer to FEED_START: with a copy, what it does not name goes. */
static inline void
view_started(struct view *v, const struct msg *ack)
{
	struct entry *e;

	ck_assert_int_eq(ack->mode, MSG_ACK);
	v->copying = !ack->count;
	v->resuming = ack->count;
	TAILQ_FOREACH(e, &v->entries.all, all)
	e->unsaved = v->copying;
}

static inline void
view_drop_stale(struct view *v)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&v->entries.all); e; e = next) {
		next = TAILQ_NEXT(e, all);
		if (e->unsaved)
			entries_del(&v->entries, e);
	}
}

/* Takes everything sent to this client into the view; answers to others' and
 * its own questions are passed over. */
static inline void
view_read(struct view *v, struct rig_client *c)
{
	struct rig *r = c->rig;
	struct msg_entry x;
	struct msg m;
	size_t i, k;

	for (i = 0; i < r->n_out; i++) {
		if (r->out[i].client != c->id)
			continue;
		ck_assert_int_eq(
			msg_decode(&m, &c->fmt, r->out[i].bytes, r->out[i].len),
			MSG_OK);
		if (m.cmd == MSG_FEED_AT) {
			v->ats++;
			v->store = m.store;
			/* A follower whose own number differs starts anew; at
			 * a copy's end it may have none yet. */
			ck_assert(v->copying || v->resuming ||
				  v->revision == m.revision);
			if (v->copying)
				view_drop_stale(v);
			v->copying = v->resuming = false;
			v->revision = m.revision;
		}
		if (m.cmd != MSG_FEED_SET && m.cmd != MSG_FEED_DEL)
			continue;
		ck_assert_uint_ge(m.revision, v->revision);
		if (!v->copying && !v->resuming)
			ck_assert_uint_le(m.revision, v->revision + 1);
		v->revision = m.revision;
		for (k = 0; k < m.n; k++) {
			x = msg_entry(&m, k);
			if (m.cmd == MSG_FEED_SET)
				view_set(v, &x);
			else
				view_del(v, &x);
		}
		v->sets += m.cmd == MSG_FEED_SET;
		v->dels += m.cmd == MSG_FEED_DEL;
	}
}

static inline void
view_check(const struct view *v, struct rig *r)
{
	const struct entries *es = mapper_entries(rig_mapper(r));
	const struct entry *e, *mine;

	ck_assert_uint_eq(v->entries.n[0], es->n[0]);
	ck_assert_uint_eq(v->entries.n[1], es->n[1]);
	TAILQ_FOREACH(e, &es->all, all)
	{
		mine = e->kind == ENTRY_REMOTE
			       ? entries_remote(&v->entries, &e->key)
			       : entries_local(&v->entries, &e->key);
		ck_assert_ptr_nonnull(mine);
		ck_assert(addr_eq(&mine->addr, &e->addr));
		ck_assert_uint_eq(mine->born, e->born);
		ck_assert_int_eq(mine->owner == OWNER_TENTATIVE,
			e->owner == OWNER_TENTATIVE);
		ck_assert_int_eq(
			mine->owner == OWNER_MAPPER, e->owner == OWNER_MAPPER);
	}
	ck_assert_uint_eq(v->revision, mapper_revision(rig_mapper(r)));
}

static inline void
view_init(struct view *v)
{
	*v = (struct view){.copying = true};
	entries_init(&v->entries, 1 << 20);
}

#endif
