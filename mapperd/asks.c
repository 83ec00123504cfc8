/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The questions of resolvers and the packet path: eas, references, use; and the
 * end of leases.
 *
 * A question that has to wait is looked at again when its job is done, as if it
 * had just come: it then finds what was made. An entry whose removal is under
 * way is as good as gone: who asks for it waits, and gets a new one.
 */
#include <errno.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

#define EXPIRE_SLICE 512  /* entries in one change: bounds the loop's time */
#define REPORT_FULL  1000 /* records in one FEED_USED */

const char *
ask_result_text(enum ask_result r)
{
	static const char *const text[ASK_N_RESULTS] = {
		[ASK_OK] = "ok",
		[ASK_BAD] = "makes_no_sense",
		[ASK_UNKNOWN] = "unknown",
		[ASK_SPENT] = "pool_spent",
		[ASK_SHARE] = "peers_share_spent",
		[ASK_QUOTA] = "quota",
		[ASK_RATE] = "rate",
		[ASK_STORE] = "store",
		[ASK_FULL] = "full",
		[ASK_FORBIDDEN] = "forbidden",
	};

	return text[r];
}

enum ask_result
ask_result_of(int err)
{
	switch (err) {
	case 0:
		return ASK_OK;
	case -EAGAIN:
	case -ENOMEM:
	case -ENOBUFS:
		return ASK_FULL;
	default:
		return ASK_STORE;
	}
}

static enum ask_result
allot_to_ask(enum allot_result r)
{
	switch (r) {
	case ALLOT_OK:
		return ASK_OK;
	case ALLOT_SPENT:
		return ASK_SPENT;
	case ALLOT_SHARE:
		return ASK_SHARE;
	case ALLOT_QUOTA:
		return ASK_QUOTA;
	case ALLOT_RATE:
		return ASK_RATE;
	case ALLOT_BLOCK:
	case ALLOT_NOMEM:
		break;
	}
	return ASK_FULL;
}

/* A refusal that the operator may want to know of. */
static void
refuse(struct mapper *m, const struct ask *a, enum ask_result res)
{
	char gw[ADDR_TEXT_MAX], ref[REF_TEXT_MAX];

	if (res != ASK_UNKNOWN && res != ASK_STORE)
		log_limited(&m->limit, LOG_LEVEL_WARN,
			"mapper: %s for gw %s ref %s refused: %s",
			msg_cmd_name(a->cmd), addr_format(&a->arec.gw, gw),
			ref_format(&a->arec.ref, ref), ask_result_text(res));
	mapper_answer(m, a, res, NULL, NULL);
}

static void
answer_entry(struct mapper *m, const struct ask *a, const struct entry *e)
{
	struct arec rec = a->arec;

	if (a->cmd == MSG_GET_REF) {
		rec.gw = e->key.gw;
		rec.ref = e->key.ref;
	} else {
		rec.ea = e->addr; /* our own host's ip for our own gw */
	}
	mapper_answer(m, a, ASK_OK, &rec, e);
}

/* A lease is renewed when less than three quarters of it remain, or of what is
 * stored of it perhaps. */
static bool
wants_renewal(const struct mapper *m, const struct entry *e)
{
	uint64_t now = mapper_now(m);

	return e->owner == OWNER_MAPPER && !e->busy &&
	       (e->unsaved || e->expires < now + m->cfg.lease_ms / 4 * 3);
}

static void
plan_lease(const struct mapper *m, struct change *c, const struct entry *e)
{
	struct op *op = change_op(c, OP_LEASE);

	if (!op)
		return;
	op->data.kind = (enum entry_kind)e->kind;
	op->data.key = e->key;
	op->data.expires = mapper_now(m) + m->cfg.lease_ms;
}

/* The name is kept when it comes later than its entry; nobody waits for it. */
static void
keep_name(struct mapper *m, const struct ask *a, const struct entry *e)
{
	struct job *j;
	struct op *op;

	if (!a->name || e->name)
		return;
	j = job_new(JOB_PLAIN);
	op = j ? change_op(&j->store.change, OP_NAME) : NULL;
	if (op) {
		op->data.kind = (enum entry_kind)e->kind;
		op->data.key = e->key;
		op->data.name = strdup(a->name);
	}
	if (op && op->data.name)
		job_submit(m, j);
	else if (j)
		job_free(j);
}

static void
ask_known(struct mapper *m, const struct ask *a, struct entry *e)
{
	struct job *j;

	if (e->busy) { /* only the job of expiry makes it so */
		if (!job_add_ask(m, m->expire, a))
			refuse(m, a, ASK_FULL);
		return;
	}
	keep_name(m, a, e);
	if (!wants_renewal(m, e)) {
		answer_entry(m, a, e);
		return;
	}
	j = job_new(JOB_PLAIN);
	if (!j || !job_add_ask(m, j, a)) {
		if (j)
			job_free(j);
		refuse(m, a, ASK_FULL);
		return;
	}
	plan_lease(m, &j->store.change, e);
	job_submit(m, j);
}

/* A second question for what is being made joins the first; true then. */
static bool
join_pending(
	struct mapper *m, const struct ask *a, const struct pending_key *key)
{
	struct job *j = table_get(&m->pending, key);

	if (!j)
		return false;
	if (!job_add_ask(m, j, a))
		refuse(m, a, ASK_FULL);
	return true;
}

/* Submits a job that makes an entry; key is pending from now on. */
static void
submit_make(struct mapper *m, const struct ask *a, struct job *j,
	const struct pending_key *key, const struct entry_data *d)
{
	struct op *op;

	j->key = *key;
	change_add(&j->store.change, d);
	if (j->taken.again) {
		op = change_op(&j->store.change, OP_FORGET);
		if (op)
			op->data = (struct entry_data){
				.kind = ENTRY_REMOTE, .addr = d->addr};
	}
	if (!job_add_ask(m, j, a) || table_put(&m->pending, j)) {
		j->store.change.failed = true;
		if (TAILQ_EMPTY(&j->asks))
			refuse(m, a, ASK_FULL);
	}
	job_submit(m, j);
}

static bool
room_for(const struct mapper *m, enum entry_kind kind)
{
	return m->entries.n[kind] < m->cfg.max_entries;
}

static void
make_remote(struct mapper *m, const struct ask *a,
	const struct pending_key *pending)
{
	struct entry_data d = {
		.kind = ENTRY_REMOTE,
		.cause = a->cause,
		.owner = OWNER_MAPPER,
		.key = {a->arec.gw, a->arec.ref},
		.made = mapper_now(m),
		.expires = mapper_now(m) + m->cfg.lease_ms,
		.name = a->name,
	};
	struct job *j = room_for(m, ENTRY_REMOTE) ? job_new(JOB_MAKE) : NULL;
	enum ask_result res = ASK_FULL;

	if (j)
		res = allot_to_ask(allot_ea(
			m->allot, &d.key.gw, a->cause, d.made, &j->taken));
	if (res != ASK_OK) {
		if (j)
			job_free(j);
		refuse(m, a, res);
		return;
	}
	d.addr = j->taken.ea;
	submit_make(m, a, j, pending, &d);
}

/* Our own hosts need no detour: the answer is their real address. */
static void
ask_own(struct mapper *m, const struct ask *a)
{
	struct arec rec = a->arec;
	struct entry_key key = {addr_zero(a->arec.gw.ver), a->arec.ref};
	struct entry *e;

	if (a->cmd == MSG_GET_EA) {
		refuse(m, a,
			ASK_BAD); /* no packet of ours comes from outside */
		return;
	}
	if (ref_eq(&rec.ref, &m->cfg.own_ref)) {
		rec.ea = m->cfg.own_local;
		mapper_answer(m, a, ASK_OK, &rec, NULL);
		return;
	}
	e = entries_local(&m->entries, &key);
	if (e)
		ask_known(m, a, e);
	else
		refuse(m, a, ASK_UNKNOWN);
}

static void
ask_ea(struct mapper *m, const struct ask *a)
{
	struct entry_key key = {a->arec.gw, a->arec.ref};
	struct pending_key pending = {key.gw, key.ref, ENTRY_REMOTE};
	struct entry *e;

	if (!addr_is_global_unicast(&key.gw) || ref_is_zero(&key.ref)) {
		refuse(m, a, ASK_BAD);
		return;
	}
	if (addr_eq(&key.gw, &m->cfg.rules.pub)) {
		ask_own(m, a);
		return;
	}
	e = entries_remote(&m->entries, &key);
	if (e)
		ask_known(m, a, e);
	else if (!join_pending(m, a, &pending))
		make_remote(m, a, &pending);
}

static void
make_local(struct mapper *m, const struct ask *a,
	const struct pending_key *pending)
{
	struct entry_data d = {
		.kind = ENTRY_LOCAL,
		.owner = OWNER_MAPPER,
		.addr = a->arec.ip,
		.key.gw = addr_zero(m->cfg.rules.tunnel_ver),
		.made = mapper_now(m),
		.expires = mapper_now(m) + m->cfg.lease_ms,
	};
	struct job *j = room_for(m, ENTRY_LOCAL) ? job_new(JOB_MAKE) : NULL;
	enum ask_result res = ASK_FULL;

	if (j)
		res = allot_to_ask(
			allot_ref(m->allot, d.made, true, &d.key.ref));
	/* With 68 random bits the second draw is for the tidy mind. */
	if (res == ASK_OK && entries_local(&m->entries, &d.key))
		res = allot_to_ask(
			allot_ref(m->allot, d.made, true, &d.key.ref));
	if (res != ASK_OK) {
		if (j)
			job_free(j);
		refuse(m, a, res);
		return;
	}
	submit_make(m, a, j, pending, &d);
}

static void
ask_ref(struct mapper *m, const struct ask *a)
{
	const struct host_rules *rules = &m->cfg.rules;
	const struct addr *ip = &a->arec.ip;
	struct pending_key pending = {.addr = *ip, .kind = ENTRY_LOCAL};
	struct arec rec = a->arec;
	struct entry *e;

	if (addr_eq(ip, &m->cfg.own_local)) {
		rec.gw = addr_zero(rules->tunnel_ver);
		rec.ref = m->cfg.own_ref;
		mapper_answer(m, a, ASK_OK, &rec, NULL);
		return;
	}
	if (!addr_is_global_unicast(ip) || prefix_has(&rules->encode, ip)) {
		refuse(m, a, ASK_BAD);
		return;
	}
	e = entries_source(&m->entries, ip, addr_is_zero(&rules->pub));
	if (e)
		ask_known(m, a, e);
	else if (!join_pending(m, a, &pending))
		make_local(m, a, &pending);
}

static void
ask_lookup(struct mapper *m, const struct ask *a)
{
	const struct entry *e = entries_by_ea(&m->entries, &a->arec.ea);
	struct arec rec = {.ea = a->arec.ea};

	if (!e) {
		mapper_answer(m, a, ASK_UNKNOWN, NULL, NULL);
		return;
	}
	rec.gw = e->key.gw;
	rec.ref = e->key.ref;
	mapper_answer(m, a, ASK_OK, &rec, e);
}

static void
dispatch(struct mapper *m, const struct ask *a)
{
	switch (a->cmd) {
	case MSG_GET_EA:
	case MSG_MC_GET_EA:
		ask_ea(m, a);
		break;
	case MSG_GET_REF:
		ask_ref(m, a);
		break;
	case MSG_LOOKUP_EA:
		ask_lookup(m, a);
		break;
	case MSG_MC_HOST_DATA_HASH:
		sets_hash(m, a);
		break;
	default: /* FEED_USED, MC_HOST_DATA: stored, that is all */
		mapper_answer(m, a, ASK_OK, NULL, NULL);
	}
}

void
mapper_ask(struct mapper *m, const struct ask *a)
{
	m->stats.asked[a->cmd]++;
	dispatch(m, a);
}

static void
keep_lease(struct mapper *m, struct entry *e, uint64_t expires)
{
	entries_lease(&m->entries, e, expires);
	e->unsaved = true;
}

void
asks_keep_leases(struct mapper *m, const struct change *c)
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
			keep_lease(m, e, d->expires);
	}
}

/* The store can't write: what is known is still served, and its lease goes on
 * in memory. False: not known. */
static bool
answer_from_memory(struct mapper *m, const struct ask *a)
{
	struct entry_key key = {a->arec.gw, a->arec.ref};
	struct entry *e = NULL;

	if (a->cmd == MSG_MC_GET_EA && addr_eq(&key.gw, &m->cfg.rules.pub))
		key.gw = addr_zero(key.gw.ver); /* our own host */
	if (a->cmd == MSG_GET_EA || a->cmd == MSG_MC_GET_EA)
		e = entry_key_own(&key) ? entries_local(&m->entries, &key)
					: entries_remote(&m->entries, &key);
	else if (a->cmd == MSG_GET_REF)
		e = entries_source(&m->entries, &a->arec.ip,
			addr_is_zero(&m->cfg.rules.pub));
	if (!e || e->busy)
		return false;
	if (wants_renewal(m, e))
		keep_lease(m, e, mapper_now(m) + m->cfg.lease_ms);
	answer_entry(m, a, e);
	return true;
}

void
asks_end(struct mapper *m, struct ask_list *asks, enum ask_result res)
{
	struct ask *a;

	while ((a = TAILQ_FIRST(asks))) {
		TAILQ_REMOVE(asks, a, link);
		if (res == ASK_OK && ++a->tries <= ASK_TRIES_MAX)
			dispatch(m, a);
		else if (res == ASK_OK)
			refuse(m, a, ASK_STORE);
		else if (!answer_from_memory(m, a))
			refuse(m, a, res);
		ask_free(m, a);
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
		if (e && wants_renewal(m, e))
			plan_lease(m, &j->store.change, e);
	}
	if (!j || (j->store.change.n && !job_add_ask(m, j, a))) {
		if (j)
			job_free(j);
		refuse(m, a, ASK_FULL);
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
asks_expire(struct mapper *m)
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
		e->busy = true;
	}
	plan_forget(m, &j->store.change);
	if (!j->store.change.n) {
		job_free(j);
		return;
	}
	m->stats.expired += (uint64_t)i;
	m->expire = j;
	job_submit(m, j);
}
