/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs: from a change that was written down to what it means in memory.
 *
 * Invariants: memory is changed by apply_op() only, with changes that are
 * durable, in the order in which they were stored. What a job reserves (an ea,
 * a pending key, busy entries) is given back in exactly one of two ways:
 * applied, or undone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

struct job *
job_new(enum job_kind kind)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->kind = kind;
	change_init(&j->store.change);
	TAILQ_INIT(&j->asks);
	SLIST_INIT(&j->pending);
	return j;
}

void
job_free(struct job *j)
{
	change_fini(&j->store.change);
	free(j);
}

void
ask_free(struct mapper *m, struct ask *a)
{
	m->stats.waiting--;
	free((char *)(uintptr_t)a->name);
	free((struct source *)(uintptr_t)a->source);
	free((struct source *)(uintptr_t)a->echo);
	free(a);
}

/* A copy of n bytes, or NULL for NULL; *ok becomes false without memory. */
static void *
copy_of(const void *p, size_t n, bool *ok)
{
	void *copy = p ? malloc(n) : NULL;

	if (copy)
		memcpy(copy, p, n);
	else if (p)
		*ok = false;
	return copy;
}

struct ask *
ask_copy(struct mapper *m, const struct ask *a)
{
	size_t name_len = a->name ? strlen(a->name) + 1 : 0;
	struct ask *copy;
	bool ok = true;

	if (m->stats.waiting >= ASKS_MAX)
		return NULL;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = *a;
	copy->name = copy_of(a->name, name_len, &ok);
	copy->source = copy_of(a->source, sizeof(*a->source), &ok);
	copy->echo = copy_of(a->echo, sizeof(*a->echo), &ok);
	m->stats.waiting++;
	if (ok)
		return copy;
	ask_free(m, copy);
	return NULL;
}

bool
job_add_ask(struct mapper *m, struct job *j, const struct ask *a)
{
	struct ask *copy = ask_copy(m, a);

	if (!copy)
		return false;
	TAILQ_INSERT_TAIL(&j->asks, copy, link);
	return true;
}

bool
job_pend(struct mapper *m, struct job *j, const struct pending_key *key)
{
	struct pending *p = malloc(sizeof(*p));

	if (!p)
		return false;
	p->key = *key;
	p->job = j;
	if (table_put(&m->pending, p)) {
		free(p);
		return false;
	}
	SLIST_INSERT_HEAD(&j->pending, p, link);
	return true;
}

struct entry *
find_entry(struct mapper *m, const struct entry_data *d)
{
	return d->kind == ENTRY_REMOTE ? entries_remote(&m->entries, &d->key)
				       : entries_local(&m->entries, &d->key);
}

static int
apply_add(struct mapper *m, const struct op *op, uint64_t revision)
{
	struct entry_data d = op->data;
	struct entry *e = find_entry(m, &d);

	d.born = revision;
	/* Of a tentative one the store knows nothing: it yields. */
	if (e && e->owner == OWNER_TENTATIVE) {
		if (e->promoting && addr_eq(&e->addr, &d.addr))
			return tentative_promoted(m, e, &d);
		tentative_end(m, e);
	}
	m->stats.made += d.owner == OWNER_MAPPER;
	return entries_add(&m->entries, &d, NULL);
}

/* What can't be remembered as gone (memory, a bound) stays taken until the next
 * start: that wastes an address, it gives none away. */
static void
apply_gone(struct mapper *m, const struct entry_data *d)
{
	int err;

	if (d->kind == ENTRY_REMOTE)
		err = allot_ea_gone(
			m->allot, &d->addr, &d->key.gw, d->cause, d->made);
	else
		err = allot_ref_gone(m->allot, &d->key.ref, d->made);
	if (err)
		log_limited(&m->limit, LOG_LEVEL_WARN,
			"mapper: no room to remember what is in quarantine");
}

int
apply_source(struct mapper *m, const struct op *op)
{
	struct host_source *s = hostset_by_id(&m->sets, op->data.owner);

	if (!s)
		return 0;
	s->stored = true;
	s->held = op->held;
	s->hash = op->hash;
	s->count = op->count;
	return 0;
}

int
apply_batch(struct mapper *m, const struct op *op)
{
	struct host_source *s = hostset_by_id(&m->sets, op->data.owner);
	struct host_rec rec = {op->data.key, op->data.addr};

	if (!s)
		return 0;
	/* Also a batch that came again while its set was put in force. */
	if (op->kind == OP_BATCH_CLEAR || (s->held && s->hash == op->hash)) {
		hostset_stage_drop(s);
		return 0;
	}
	if (op->kind == OP_BATCH_ONLY) {
		hostset_stage_open(s, op->hash);
		return 0;
	}
	return hostset_stage(s, op->hash, &rec, mapper_now(m));
}

static int
apply_op(struct mapper *m, const struct op *op, uint64_t revision)
{
	struct entry *e = NULL;

	if (op->kind == OP_DEL || op->kind == OP_LEASE || op->kind == OP_NAME) {
		e = find_entry(m, &op->data);
		/* Removed, or in another's place, by a change before this. */
		if (!e || (op->kind == OP_DEL && e->owner != op->data.owner))
			return 0;
	}
	switch (op->kind) {
	case OP_ADD:
		return apply_add(m, op, revision);
	case OP_DEL:
		entries_del(&m->entries, e);
		return 0;
	case OP_LEASE:
		e->renewing = false;
		if (e->owner == OWNER_MAPPER) {
			entries_lease(&m->entries, e, op->data.expires);
			e->unsaved = false;
		}
		return 0;
	case OP_NAME:
		return e->owner == OWNER_TENTATIVE
			       ? 0
			       : entries_name(e, op->data.name);
	case OP_GONE:
		apply_gone(m, &op->data);
		return 0;
	case OP_SOURCE:
		return apply_source(m, op);
	case OP_BATCH:
	case OP_BATCH_CLEAR:
	case OP_BATCH_ONLY:
		return apply_batch(m, op);
	case OP_SOURCE_DEL:
		hostset_remove(&m->sets, op->data.owner);
		return 0;
	case OP_WAIT:
	case OP_WAIT_DEL:
	case OP_WAIT_CLEAR:
		return hostset_apply_wait(&m->sets, op);
	default:
		return 0; /* OP_FORGET: memory has forgotten already */
	}
}

/* What is on the disk has to be in memory too: if it can't, a restart is the
 * way to have it there. */
static void
apply(struct mapper *m, struct job *j)
{
	const struct change *c = &j->store.change;
	size_t i;
	int err;

	for (i = 0; i < c->n; i++) {
		err = apply_op(m, &c->ops[i], j->store.revision);
		if (err) {
			log_err_errno(-err, "mapper: a stored change can't be "
					    "applied");
			m->hooks.fatal("memory and store differ", m->hooks.arg);
			return;
		}
	}
	if (c->numbered)
		m->revision = j->store.revision;
}

/* Removals that are not stored: their entries are as before. */
static void
not_removed(struct mapper *m, const struct change *c)
{
	struct entry *e;
	size_t i;

	for (i = 0; i < c->n; i++) {
		e = c->ops[i].kind == OP_DEL ? find_entry(m, &c->ops[i].data)
					     : NULL;
		if (e)
			e->busy = false;
	}
}

/* Gives back what the job had reserved. */
static void
release(struct mapper *m, struct job *j, bool stored)
{
	struct pending *p;

	while ((p = SLIST_FIRST(&j->pending))) {
		SLIST_REMOVE_HEAD(&j->pending, link);
		table_del(&m->pending, &p->key);
		free(p);
	}
	if (j->taken.ea.ver && !stored)
		allot_ea_undo(m->allot, &j->taken);
	switch (j->kind) {
	case JOB_EXPIRE:
		m->expire = NULL;
		/* fall through */
	case JOB_ORDER:
		TAILQ_REMOVE(&m->removals, j, removal);
		if (!stored)
			not_removed(m, &j->store.change);
		break;
	case JOB_PROMOTE:
		if (!stored)
			tentative_not_promoted(m, &j->store.change);
		break;
	case JOB_BLOCKS:
		reserve_done(m, j, stored);
		break;
	case JOB_SET:
		m->applying = NULL;
		break;
	case JOB_BATCH:
		j->source->in_flight--;
		j->source->in_flight_recs -= j->n_recs;
		break;
	default:
		break;
	}
}

static size_t
count_removed(const struct change *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		n += c->ops[i].kind == OP_DEL;
	return n;
}

/* It is stored: memory follows, then the followers. */
static void
take_effect(struct mapper *m, struct job *j)
{
	m->saved_at = mapper_now(m);
	m->reported |= j->report;
	apply(m, j);
	if (j->kind == JOB_EXPIRE)
		m->stats.expired += count_removed(&j->store.change);
	if (j->store.change.numbered)
		m->hooks.publish(m->revision, &j->store.change, m->hooks.arg);
}

/* The job has ended this way (j->store.err). */
static void
job_end(struct mapper *m, struct job *j)
{
	int err = j->store.err;
	struct ask_list asks;

	release(m, j, !err);
	if (err)
		lease_keep_all(m, &j->store.change);
	else
		take_effect(m, j);
	if (err == -ENOTRECOVERABLE)
		mapper_store_ended(m);
	TAILQ_INIT(&asks);
	TAILQ_CONCAT(&asks, &j->asks, link);
	asks_end(m, &asks, ask_result_of(err));
	if (j->kind == JOB_BATCH || j->kind == JOB_SET)
		sets_done(m, j);
	if (j->done)
		j->done(err, err ? 0 : count_removed(&j->store.change),
			j->done_arg);
	if (j->kind == JOB_EXPIRE && !err)
		lease_expire(m);
	job_free(j);
}

void
job_submit(struct mapper *m, struct job *j)
{
	int err = m->stopping || !m->store ? -ESHUTDOWN : 0;

	if (j->kind == JOB_BATCH) {
		j->source->in_flight++;
		j->source->in_flight_recs += j->n_recs;
	}
	if (j->kind == JOB_EXPIRE || j->kind == JOB_ORDER)
		TAILQ_INSERT_TAIL(&m->removals, j, removal);
	if (j->store.change.failed)
		err = -ENOMEM;
	if (!err)
		err = store_submit(m->store, &j->store);
	if (!err)
		return;
	j->store.err = err;
	job_end(m, j);
}

void
job_stored(struct store_job *sj, void *arg)
{
	job_end(arg, CONTAINER_OF(sj, struct job, store));
}
