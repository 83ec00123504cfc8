/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs: from a change that was written down to what it means in memory.
 *
 * Invariants: memory is changed by apply_op() only, with changes that are
 * durable, in the order in which they were stored. What a job reserves (an ea,
 * a pending key, busy entries) is given back in exactly one of two ways:
 * applied, or undone.
 */
#include "mapperd/mapper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

#define CLOCK_SAVE_MS 60000 /* most of a lease that a crash loses */

struct job *
job_new(enum job_kind kind)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->kind = kind;
	change_init(&j->store.change);
	TAILQ_INIT(&j->asks);
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

void
mapper_answer(struct mapper *m, const struct ask *a, enum ask_result res,
	const struct arec *rec, const struct entry *e)
{
	m->stats.results[res]++;
	m->hooks.answer(a, res, rec, e, m->hooks.arg);
}

static struct entry *
find_entry(struct mapper *m, const struct entry_data *d)
{
	return d->kind == ENTRY_REMOTE ? entries_remote(&m->entries, &d->key)
				       : entries_local(&m->entries, &d->key);
}

static int
apply_add(struct mapper *m, const struct op *op, uint64_t revision)
{
	struct entry_data d = op->data;

	d.born = revision;
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

static int
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

static int
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
		if (e->owner == OWNER_MAPPER) {
			entries_lease(&m->entries, e, op->data.expires);
			e->unsaved = false;
		}
		return 0;
	case OP_NAME:
		return entries_name(e, op->data.name);
	case OP_GONE:
		apply_gone(m, &op->data);
		return 0;
	case OP_SOURCE:
		return apply_source(m, op);
	case OP_BATCH:
	case OP_BATCH_CLEAR:
	case OP_BATCH_ONLY:
		return apply_batch(m, op);
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

/* Gives back what the job had reserved. */
static void
release(struct mapper *m, struct job *j, bool stored)
{
	const struct change *c = &j->store.change;
	struct entry *e;
	size_t i;

	if (!stored)
		asks_keep_leases(m, c);
	if (j->kind == JOB_MAKE)
		table_del(&m->pending, &j->key);
	if (j->taken.ea.ver && !stored)
		allot_ea_undo(m->allot, &j->taken);
	if (j->kind == JOB_EXPIRE) {
		for (i = 0; !stored && i < c->n; i++) {
			e = c->ops[i].kind == OP_DEL
				    ? find_entry(m, &c->ops[i].data)
				    : NULL;
			if (e)
				e->busy = false;
		}
		m->expire = NULL;
	}
	if (j->kind == JOB_SET)
		m->applying = NULL;
	if (j->kind == JOB_BATCH) {
		j->source->in_flight--;
		j->source->in_flight_recs -= j->n_recs;
	}
}

/* The job has ended this way (j->store.err). */
static void
job_end(struct mapper *m, struct job *j)
{
	int err = j->store.err;
	struct ask_list asks;

	release(m, j, !err);
	if (!err) {
		m->saved_at = mapper_now(m);
		m->reported |= j->report;
		apply(m, j);
		if (j->store.change.numbered)
			m->hooks.publish(
				m->revision, &j->store.change, m->hooks.arg);
	} else if (err == -ENOTRECOVERABLE) {
		m->hooks.fatal("the disk did not keep what it was given",
			m->hooks.arg);
	}
	TAILQ_INIT(&asks);
	TAILQ_CONCAT(&asks, &j->asks, link);
	asks_end(m, &asks, ask_result_of(err));
	if (j->kind == JOB_BATCH || j->kind == JOB_SET)
		sets_done(m, j);
	if (j->kind == JOB_EXPIRE && !err)
		asks_expire(m);
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
	if (j->store.change.failed)
		err = -ENOMEM;
	if (!err)
		err = store_submit(m->store, &j->store);
	if (!err)
		return;
	j->store.err = err;
	job_end(m, j);
}

static void
on_stored(struct store_job *sj, void *arg)
{
	job_end(arg, CONTAINER_OF(sj, struct job, store));
}

/* An entry of the store that the settings of today have no place for. */
static bool
fits(const struct mapper *m, const struct entry_data *d)
{
	const struct host_rules *r = &m->cfg.rules;

	if (d->addr.ver != r->encode.addr.ver || d->key.gw.ver != r->tunnel_ver)
		return false;
	if (d->kind == ENTRY_LOCAL)
		return !prefix_has(&r->encode, &d->addr) &&
		       (entry_key_own(&d->key) ||
			       !addr_eq(&d->key.gw, &r->pub));
	return prefix_has(&r->encode, &d->addr);
}

static int
load_entry(struct mapper *m, const struct op *op)
{
	const struct entry_data *d = &op->data;
	bool taken = d->kind != ENTRY_REMOTE || d->owner != OWNER_MAPPER;
	struct op *copy;

	/* Also one that does not fit: it is taken until it is gone. */
	if (!taken)
		taken = allot_ea_load(m->allot, &d->addr, &d->key.gw, d->cause);
	if (fits(m, d)) {
		if (!taken)
			log_warn("store: an ea that the mapper would not "
				 "allot today stays in force");
		return entries_add(&m->entries, d, NULL);
	}
	copy = change_op(&m->misfits, OP_DEL);
	if (!copy)
		return -ENOMEM;
	copy->data = *d;
	copy->data.name = NULL;
	return 0;
}

static int
load_source(struct mapper *m, const struct op *op)
{
	struct host_source *s =
		hostset_make(&m->sets, op->source, op->data.owner);

	if (!s)
		return -ENOMEM;
	return apply_source(m, op);
}

static int
load_batch(struct mapper *m, const struct op *op)
{
	struct host_source *s = hostset_by_id(&m->sets, op->data.owner);

	if (!s || op->data.addr.ver != m->cfg.rules.encode.addr.ver ||
		op->data.key.gw.ver != m->cfg.rules.tunnel_ver)
		return 0;
	return apply_batch(m, op);
}

static int
on_load(const struct op *op, void *arg)
{
	struct mapper *m = arg;

	switch (op->kind) {
	case OP_ADD:
		return load_entry(m, op);
	case OP_GONE:
		if (op->data.kind == ENTRY_REMOTE)
			return allot_ea_load_gone(m->allot, &op->data.addr,
				op->data.cause, op->data.made);
		return allot_ref_gone(
			m->allot, &op->data.key.ref, op->data.made);
	case OP_SOURCE:
		return load_source(m, op);
	case OP_BATCH:
		return load_batch(m, op);
	default:
		return hostset_apply_wait(&m->sets, op);
	}
}

struct store_hooks
mapper_store_hooks(struct mapper *m)
{
	return (struct store_hooks){
		.load = on_load, .done = on_stored, .arg = m};
}

struct mapper *
mapper_new(const struct mapper_config *cfg, const struct mapper_hooks *hooks)
{
	static const struct source hosts = {"", ""};
	struct mapper *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->cfg = *cfg;
	m->hooks = *hooks;
	/* The bound is looked at when a change is made up; what is under way
	 * then must find room, or memory would lag behind the disk. */
	entries_init(&m->entries, cfg->max_entries + ASKS_MAX + RECORDS_MAX);
	hostset_init(&m->sets);
	change_init(&m->misfits);
	TAILQ_INIT(&m->set_asks);
	table_init(&m->pending, offsetof(struct job, key),
		sizeof(struct pending_key), ASKS_MAX);
	m->allot = allot_new(&cfg->allot);
	/* The hosts file's records may wait for their keys like any source's.
	 */
	if (m->allot && hostset_make(&m->sets, &hosts, OWNER_HOSTS)) {
		m->sets.next_id = OWNER_SOURCE;
		return m;
	}
	mapper_free(m);
	return NULL;
}

void
mapper_free(struct mapper *m)
{
	struct ask *a;

	if (!m)
		return;
	while ((a = TAILQ_FIRST(&m->set_asks))) {
		TAILQ_REMOVE(&m->set_asks, a, link);
		ask_free(m, a);
	}
	change_fini(&m->misfits);
	table_fini(&m->pending);
	hostset_fini(&m->sets);
	allot_free(m->allot);
	entries_fini(&m->entries);
	free(m->hosts);
	free(m);
}

/* A local entry that stood under what is our public address now. */
static void
plan_own_context(struct mapper *m, struct change *c, struct entry_data d)
{
	const struct host_rules *r = &m->cfg.rules;

	if (d.kind != ENTRY_LOCAL || addr_is_zero(&r->pub) ||
		!addr_eq(&d.key.gw, &r->pub) ||
		d.addr.ver != r->encode.addr.ver ||
		prefix_has(&r->encode, &d.addr))
		return;
	d.key.gw = addr_zero(r->tunnel_ver);
	if (!entries_local(&m->entries, &d.key))
		change_add(c, &d);
}

/* Removes what does not fit, into quarantine; own contexts are named so. */
static int
fix_misfits(struct mapper *m)
{
	struct change old = m->misfits;
	struct job *j;
	size_t i;

	if (!old.n)
		return 0;
	log_warn("store: %zu entries do not fit the settings of today "
		 "(encoding network, IP versions, public address): removed or "
		 "moved",
		old.n);
	j = job_new(JOB_PLAIN);
	if (!j)
		return -ENOMEM;
	j->store.change = old;
	change_init(&m->misfits);
	for (i = 0; i < old.n; i++) {
		struct entry_data d = j->store.change.ops[i].data;
		struct op *op;

		d.made = mapper_now(m);
		if (d.kind == ENTRY_REMOTE && d.owner == OWNER_MAPPER) {
			op = change_op(&j->store.change, OP_GONE);
			if (op)
				op->data = d;
		}
		plan_own_context(m, &j->store.change, d);
		sets_unhold(m, &j->store.change, d.owner);
	}
	job_submit(m, j);
	return 0;
}

int
mapper_start(struct mapper *m, struct store *store)
{
	struct host_source *s;
	size_t i;

	m->store = store;
	m->revision = store->revision;
	m->started = m->saved_at = mapper_now(m);
	for (i = 0; i < m->sets.n; i++) {
		s = m->sets.sources[i];
		if (s->stage_open)
			s->drop_at = m->started + m->cfg.stage_ms;
	}
	return fix_misfits(m);
}

void
mapper_stop(struct mapper *m)
{
	m->stopping = true;
}

/* Without changes the clock is saved alone. */
static void
save_clock(struct mapper *m)
{
	struct job *j;

	if (mapper_now(m) - m->saved_at < CLOCK_SAVE_MS)
		return;
	m->saved_at = mapper_now(m);
	j = job_new(JOB_PLAIN);
	if (j)
		job_submit(m, j);
}

bool
mapper_tick(struct mapper *m)
{
	m->stats.expiring =
		m->reported || mapper_now(m) - m->started >= m->cfg.hold_ms;
	if (m->stats.expiring && !m->expire)
		asks_expire(m);
	sets_tick(m);
	save_clock(m);
	return false;
}

struct entries *
mapper_entries(struct mapper *m)
{
	return &m->entries;
}

const struct hostset *
mapper_sources(const struct mapper *m)
{
	return &m->sets;
}

const struct mapper_stats *
mapper_stats(struct mapper *m)
{
	return &m->stats;
}

void
mapper_allot_stats(const struct mapper *m, struct allot_stats *out)
{
	allot_stats(m->allot, out);
}

uint64_t
mapper_now(const struct mapper *m)
{
	return m->hooks.now(m->hooks.arg);
}

uint64_t
mapper_revision(const struct mapper *m)
{
	return m->revision;
}
