/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tentative mappings: those that a packet caused, until its peer has proved
 * itself or a resolver asks for them.
 *
 * They are in memory only and end by time, in slices, when they are not used;
 * followers see them come and go at the revision of the last change. One leaves
 * the table in exactly one of these ways, and its ea goes back to its block
 * with it: its time is over; an operator forgets it; a stored change brings
 * another entry with its gw and reference; or its promotion is stored, and
 * then the ea is its own. While the promotion is under way it does not end.
 */
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

#define END_SLICE 1024 /* ended in one step: bounds the loop's time */

static struct entry_data
data_of(const struct entry *e)
{
	return (struct entry_data){
		.kind = ENTRY_REMOTE,
		.cause = CAUSE_TENTATIVE,
		.owner = OWNER_TENTATIVE,
		.addr = e->addr,
		.key = e->key,
	};
}

static void
tell(struct mapper *m, enum op_kind kind, const struct entry_data *d)
{
	struct op op = {.kind = kind, .data = *d};
	const struct change c = {.ops = &op, .n = 1};

	m->hooks.publish(m->revision, &c, m->hooks.arg);
}

/* A new one with this ea, gw and ref; NULL: no memory, the ea has ended. */
static struct entry *
add(struct mapper *m, const struct addr *ea, const struct entry_key *key)
{
	struct entry_data d = {
		.kind = ENTRY_REMOTE,
		.cause = CAUSE_TENTATIVE,
		.owner = OWNER_TENTATIVE,
		.addr = *ea,
		.key = *key,
		.made = mapper_now(m),
		.expires = mapper_now(m) + m->cfg.tentative_ms,
	};
	struct entry *e;

	if (entries_add(&m->entries, &d, &e)) {
		allot_tentative_end(m->allot, ea, &key->gw, d.made);
		return NULL;
	}
	m->stats.tentative_made++;
	tell(m, OP_ADD, &d);
	return e;
}

/* Takes it away, untold. */
static void
discard(struct mapper *m, struct entry *e)
{
	if (e->promoting)
		allot_promote_end(m->allot, &e->addr, &e->key.gw,
			(enum entry_cause)e->promoting, false);
	allot_tentative_end(m->allot, &e->addr, &e->key.gw, mapper_now(m));
	entries_del(&m->entries, e);
	m->stats.tentative_ended++;
}

void
tentative_end(struct mapper *m, struct entry *e)
{
	struct entry_data d = data_of(e);

	discard(m, e);
	tell(m, OP_DEL, &d);
}

void
tentative_extend(struct mapper *m, struct entry *e)
{
	entries_lease(&m->entries, e, mapper_now(m) + m->cfg.tentative_ms);
}

void
tentative_make(struct mapper *m, const struct ask *a)
{
	struct entry_key key = {a->arec.gw, a->arec.ref};
	enum allot_result res;
	struct entry *e;
	struct addr ea;

	if (!mapper_room(m, ENTRY_REMOTE, CAUSE_TENTATIVE)) {
		ask_refuse(m, a, ASK_FULL);
		return;
	}
	m->drawn++;
	res = allot_tentative(m->allot, &key.gw, mapper_now(m), &ea);
	if (res == ALLOT_BLOCK) {
		reserve_wait(m, a);
		return;
	}
	e = res == ALLOT_OK ? add(m, &ea, &key) : NULL;
	if (e)
		ask_answer(m, a, e);
	else
		ask_refuse(m, a,
			res == ALLOT_OK ? ASK_FULL : ask_result_of_allot(res));
	reserve_ahead(m);
}

/* Puts its promotion into the job; the quota has been asked. */
static void
plan_promotion(struct mapper *m, struct job *j, struct entry *e,
	enum entry_cause cause, const char *name)
{
	struct pending_key key = {e->key.gw, e->key.ref, ENTRY_REMOTE};
	struct change *c = &j->store.change;
	size_t n = c->n;

	change_add(c, &(struct entry_data){
			      .kind = ENTRY_REMOTE,
			      .cause = cause,
			      .owner = OWNER_MAPPER,
			      .addr = e->addr,
			      .key = e->key,
			      .made = mapper_now(m),
			      .expires = mapper_now(m) + m->cfg.lease_ms,
			      .name = name,
		      });
	if (c->n == n) {
		allot_promote_end(m->allot, &e->addr, &e->key.gw, cause, false);
		return;
	}
	e->promoting = (uint8_t)cause;
	tentative_extend(m, e); /* out of the way of those that end */
	if (!job_pend(m, j, &key))
		c->failed = true;
}

/* A resolver asks: it becomes an ordinary mapping, first. */
static void
promote(struct mapper *m, const struct ask *a, struct entry *e)
{
	struct pending_key key = {e->key.gw, e->key.ref, ENTRY_REMOTE};
	enum allot_result res;
	struct job *j;

	if (e->promoting && ask_join(m, a, &key))
		return;
	res = allot_promote_begin(m->allot, &e->key.gw, CAUSE_RESOLVER);
	if (res != ALLOT_OK) {
		ask_refuse(m, a, ask_result_of_allot(res));
		return;
	}
	j = job_new(JOB_PROMOTE);
	if (!j || !job_add_ask(m, j, a)) {
		allot_promote_end(
			m->allot, &e->addr, &e->key.gw, CAUSE_RESOLVER, false);
		if (j)
			job_free(j);
		ask_refuse(m, a, ASK_FULL);
		return;
	}
	plan_promotion(m, j, e, CAUSE_RESOLVER, a->name);
	job_submit(m, j);
}

void
tentative_known(struct mapper *m, const struct ask *a, struct entry *e)
{
	if (a->cmd == MSG_MC_GET_EA) {
		promote(m, a, e);
		return;
	}
	tentative_extend(m, e);
	ask_answer(m, a, e);
}

int
tentative_promoted(
	struct mapper *m, struct entry *e, const struct entry_data *d)
{
	enum entry_cause cause = (enum entry_cause)e->promoting;
	int err = entries_promote(&m->entries, e, d);

	if (err)
		return err;
	allot_promote_end(m->allot, &e->addr, &e->key.gw, cause, true);
	m->stats.promoted++;
	return 0;
}

void
tentative_not_promoted(struct mapper *m, const struct change *c)
{
	const struct entry_data *d;
	struct entry *e;
	size_t i;

	for (i = 0; i < c->n; i++) {
		d = &c->ops[i].data;
		e = find_entry(m, d);
		/* Another one may have come in its place. */
		if (!e || !e->promoting || !addr_eq(&e->addr, &d->addr))
			continue;
		allot_promote_end(
			m->allot, &d->addr, &d->key.gw, d->cause, false);
		e->promoting = 0;
	}
}

/* The tentative entry that a record names, NULL: none. */
static struct entry *
named(const struct mapper *m, const struct arec *rec)
{
	struct entry_key key = {rec->gw, rec->ref};
	struct entry *e = entries_by_ea(&m->entries, &rec->ea);

	return e && e->owner == OWNER_TENTATIVE && !entry_key_cmp(&e->key, &key)
		       ? e
		       : NULL;
}

/* Puts the promotion of what is proved into the job. The one that is under way
 * already, if any, becomes *other. */
static void
plan_proved(struct mapper *m, struct job *j, const struct arec *recs, size_t n,
	struct job **other)
{
	struct pending_key key = {.kind = ENTRY_REMOTE};
	struct pending *p;
	struct entry *e;
	size_t i;

	for (i = 0; i < n; i++) {
		e = named(m, &recs[i]);
		if (!e)
			continue;
		if (!e->promoting) {
			if (allot_promote_begin(m->allot, &e->key.gw,
				    CAUSE_PEER) == ALLOT_OK)
				plan_promotion(m, j, e, CAUSE_PEER, NULL);
			else
				m->stats.promotions_refused++;
			continue;
		}
		key.addr = e->key.gw;
		key.ref = e->key.ref;
		p = table_get(&m->pending, &key);
		if (p && p->job != j)
			*other = p->job;
	}
}

void
mapper_proved(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n)
{
	struct job *j = job_new(JOB_PROMOTE), *other = NULL;

	m->stats.asked[a->cmd]++;
	if (j)
		plan_proved(m, j, recs, n, &other);
	if (j && j->store.change.n) {
		if (!job_add_ask(m, j, a)) {
			j->store.change.failed = true;
			ask_refuse(m, a, ASK_FULL);
		}
		job_submit(m, j);
		return;
	}
	if (!j || j->store.change.failed ||
		(other && !job_add_ask(m, other, a)))
		ask_refuse(m, a, ASK_FULL);
	else if (!other)
		mapper_answer(m, a, ASK_OK, NULL, NULL);
	if (j)
		job_free(j);
}

/* gwd has this mapping; whether we have it too, or again. */
static bool
hold(struct mapper *m, const struct arec *rec)
{
	struct entry_key key = {rec->gw, rec->ref};
	struct pending_key pending = {rec->gw, rec->ref, ENTRY_REMOTE};
	struct entry *e = entries_remote(&m->entries, &key);

	if (e && addr_eq(&e->addr, &rec->ea) && !e->busy) {
		if (e->owner == OWNER_TENTATIVE)
			tentative_extend(m, e);
		return owner_is_dynamic(e->owner);
	}
	if (e || entries_by_ea(&m->entries, &rec->ea) ||
		table_get(&m->pending, &pending) ||
		!addr_is_global_unicast(&key.gw) || ref_is_zero(&key.ref) ||
		addr_eq(&key.gw, &m->cfg.rules.pub) ||
		!mapper_room(m, ENTRY_REMOTE, CAUSE_TENTATIVE))
		return false;
	return allot_tentative_hold(m->allot, &rec->ea, &key.gw) &&
	       add(m, &rec->ea, &key);
}

void
mapper_hold(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n)
{
	struct arec *left = calloc(n + 1, sizeof(*left));
	struct ask answer = *a;
	size_t i;

	m->stats.asked[a->cmd]++;
	if (!left) {
		ask_refuse(m, a, ASK_FULL);
		return;
	}
	answer.batch = 0;
	for (i = 0; i < n; i++) {
		if (hold(m, &recs[i]))
			m->stats.held++;
		else
			left[answer.batch++] = recs[i];
	}
	m->stats.not_held += answer.batch;
	mapper_answer(m, &answer, ASK_OK, left, NULL);
	free(left);
}

bool
tentative_expire(struct mapper *m)
{
	const struct entry_owner *o =
		entries_owner(&m->entries, OWNER_TENTATIVE);
	struct entry *e = o ? TAILQ_FIRST(&o->list) : NULL, *next;
	uint64_t now = mapper_now(m);
	struct change c;
	struct op *op;
	int i;

	change_init(&c);
	for (i = 0; e && e->expires <= now && i < END_SLICE; e = next, i++) {
		next = TAILQ_NEXT(e, by_owner);
		if (e->promoting) {
			tentative_extend(m, e); /* out of the way */
			continue;
		}
		op = change_op(&c, OP_DEL);
		if (!op)
			break; /* in the next tick, perhaps */
		op->data = data_of(e);
		discard(m, e);
	}
	if (c.n)
		m->hooks.publish(m->revision, &c, m->hooks.arg);
	change_fini(&c);
	return i == END_SLICE;
}
