/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases of dynamic mappings: renewed by questions and use, ended in slices.
 *
 * Who asks for what is known does not wait for the disk: leases are renewed
 * early, and while half of the stored one is left it may be told at once. Only
 * for a mapping that nobody has asked for in that half the renewal comes first.
 *
 * An entry whose removal is being stored is busy: as good as gone, its lease is
 * not renewed any more.
 */
#include <errno.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

#define EXPIRE_SLICE 512  /* entries in one change: bounds the loop's time */
#define REPORT_FULL  1000 /* records in one FEED_USED */

bool
lease_wants_renewal(const struct mapper *m, const struct entry *e)
{
	uint64_t now = mapper_now(m);

	return e->owner == OWNER_MAPPER && !e->busy &&
	       (e->unsaved || e->expires < now + m->cfg.lease_ms / 4 * 3);
}

void
lease_plan(const struct mapper *m, struct change *c, const struct entry *e)
{
	struct op *op = change_op(c, OP_LEASE);

	if (!op)
		return;
	op->data.kind = (enum entry_kind)e->kind;
	op->data.key = e->key;
	op->data.expires = mapper_now(m) + m->cfg.lease_ms;
}

void
lease_keep(struct mapper *m, struct entry *e, uint64_t expires)
{
	entries_lease(&m->entries, e, expires);
	e->renewing = false;
	e->unsaved = true;
}

bool
lease_renew(struct mapper *m, struct entry *e)
{
	struct job *j;

	if (e->unsaved || e->expires < mapper_now(m) + m->cfg.lease_ms / 2)
		return false;
	/* Without memory the next question tries again. */
	j = e->renewing ? NULL : job_new(JOB_PLAIN);
	if (!j)
		return true;
	lease_plan(m, &j->store.change, e);
	e->renewing = !j->store.change.failed;
	job_submit(m, j);
	return true;
}

void
lease_keep_all(struct mapper *m, const struct change *c)
{
	const struct entry_data *d;
	struct entry *e;
	size_t i;

	for (i = 0; i < c->n; i++) {
		d = &c->ops[i].data;
		if (c->ops[i].kind != OP_LEASE)
			continue;
		e = d->kind == ENTRY_REMOTE
			    ? entries_remote(&m->entries, &d->key)
			    : entries_local(&m->entries, &d->key);
		if (e && e->owner == OWNER_MAPPER)
			lease_keep(m, e, d->expires);
	}
}

/* The entry that a record of FEED_USED names; NULL: not here any more. */
static struct entry *
used_entry(const struct mapper *m, const struct arec *rec)
{
	struct entry_key key = {rec->gw, rec->ref};

	if (!addr_is_zero(&rec->ea))
		return entries_by_ea(&m->entries, &rec->ea);
	if (addr_is_zero(&key.gw) || addr_eq(&key.gw, &m->cfg.rules.pub))
		key.gw = addr_zero(m->cfg.rules.tunnel_ver);
	return entries_local(&m->entries, &key);
}

void
mapper_used(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n)
{
	struct job *j = job_new(JOB_PLAIN);
	struct entry *e;
	size_t i;

	m->stats.asked[a->cmd]++;
	for (i = 0; j && i < n; i++) {
		e = used_entry(m, &recs[i]);
		if (e && e->owner == OWNER_TENTATIVE)
			tentative_extend(m, e);
		else if (e && lease_wants_renewal(m, e))
			lease_plan(m, &j->store.change, e);
	}
	if (!j || (j->store.change.n && !job_add_ask(m, j, a))) {
		if (j)
			job_free(j);
		ask_refuse(m, a, ASK_FULL);
		return;
	}
	/* A full report has more behind it. What it names is safe from the end
	 * of leases only when stored. */
	j->report = n < REPORT_FULL;
	if (j->store.change.n) {
		job_submit(m, j);
		return;
	}
	m->reported |= j->report;
	job_free(j);
	mapper_answer(m, a, ASK_OK, NULL, NULL);
}

/* What has passed its quarantine need not be remembered. */
static void
plan_forget(struct mapper *m, struct change *c)
{
	struct entry_data d = {0};
	struct op *op;
	bool is_ref;
	int i;

	for (i = 0; i < EXPIRE_SLICE; i++) {
		if (!allot_forget(m->allot, mapper_now(m), &is_ref, &d.addr,
			    &d.key.ref))
			return;
		d.kind = is_ref ? ENTRY_LOCAL : ENTRY_REMOTE;
		op = change_op(c, OP_FORGET);
		if (op)
			op->data = d;
	}
}

void
lease_expire(struct mapper *m)
{
	const struct entry_owner *o = entries_owner(&m->entries, OWNER_MAPPER);
	uint64_t now = mapper_now(m);
	struct job *j = job_new(JOB_EXPIRE);
	struct entry *e;
	int i = 0;

	if (!j)
		return;
	for (e = o ? TAILQ_FIRST(&o->list) : NULL;
		e && e->expires <= now && i < EXPIRE_SLICE;
		e = TAILQ_NEXT(e, by_owner), i++) {
		change_del(&j->store.change, e, now);
		e->busy = !j->store.change.failed;
	}
	plan_forget(m, &j->store.change);
	if (!j->store.change.n) {
		job_free(j);
		return;
	}
	m->expire = j;
	job_submit(m, j);
}
