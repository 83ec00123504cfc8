/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The questions of resolvers and the packet path: eas and references.
 *
 * A question that has to wait is looked at again when its job is done, as if it
 * had just come: it then finds what was made. An entry whose removal is under
 * way is as good as gone: who asks for it waits, and gets a new one.
 */
#include <errno.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

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

enum ask_result
ask_result_of_allot(enum allot_result r)
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

void
ask_refuse(struct mapper *m, const struct ask *a, enum ask_result res)
{
	char gw[ADDR_TEXT_MAX], ref[REF_TEXT_MAX];

	if (res != ASK_UNKNOWN && res != ASK_STORE)
		log_limited(&m->limit, LOG_LEVEL_WARN,
			"mapper: %s for gw %s ref %s refused: %s",
			msg_cmd_name(a->cmd), addr_format(&a->arec.gw, gw),
			ref_format(&a->arec.ref, ref), ask_result_text(res));
	mapper_answer(m, a, res, NULL, NULL);
}

void
ask_answer(struct mapper *m, const struct ask *a, const struct entry *e)
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

/* Until all removals under way are done; the last one is done last. */
static void
wait_for_removal(struct mapper *m, const struct ask *a)
{
	if (!job_add_ask(m, TAILQ_LAST(&m->removals, removals), a))
		ask_refuse(m, a, ASK_FULL);
}

static void
ask_known(struct mapper *m, const struct ask *a, struct entry *e)
{
	struct job *j;

	if (e->busy) {
		wait_for_removal(m, a);
		return;
	}
	if (e->owner == OWNER_TENTATIVE) {
		tentative_known(m, a, e);
		return;
	}
	keep_name(m, a, e);
	if (!lease_wants_renewal(m, e) || lease_renew(m, e)) {
		ask_answer(m, a, e);
		return;
	}
	j = job_new(JOB_PLAIN);
	if (!j || !job_add_ask(m, j, a)) {
		if (j)
			job_free(j);
		ask_refuse(m, a, ASK_FULL);
		return;
	}
	lease_plan(m, &j->store.change, e);
	job_submit(m, j);
}

bool
ask_join(struct mapper *m, const struct ask *a, const struct pending_key *key)
{
	struct pending *p = table_get(&m->pending, key);

	if (!p)
		return false;
	if (!job_add_ask(m, p->job, a))
		ask_refuse(m, a, ASK_FULL);
	return true;
}

/* Submits a job that makes an entry; key is pending from now on. */
static void
submit_make(struct mapper *m, const struct ask *a, struct job *j,
	const struct pending_key *key, const struct entry_data *d)
{
	struct op *op;

	change_add(&j->store.change, d);
	if (j->taken.again) {
		op = change_op(&j->store.change, OP_FORGET);
		if (op)
			op->data = (struct entry_data){
				.kind = ENTRY_REMOTE, .addr = d->addr};
	}
	if (!job_add_ask(m, j, a) || !job_pend(m, j, key)) {
		j->store.change.failed = true;
		if (TAILQ_EMPTY(&j->asks))
			ask_refuse(m, a, ASK_FULL);
	}
	job_submit(m, j);
}

static void
make_remote(struct mapper *m, const struct ask *a,
	const struct pending_key *pending)
{
	struct entry_data d = {
		.kind = ENTRY_REMOTE,
		.cause = CAUSE_RESOLVER,
		.owner = OWNER_MAPPER,
		.key = {a->arec.gw, a->arec.ref},
		.made = mapper_now(m),
		.expires = mapper_now(m) + m->cfg.lease_ms,
		.name = a->name,
	};
	struct job *j = mapper_room(m, ENTRY_REMOTE, d.cause)
				? job_new(JOB_MAKE)
				: NULL;
	enum ask_result res = ASK_FULL;

	if (j)
		res = ask_result_of_allot(allot_ea(
			m->allot, &d.key.gw, d.cause, d.made, &j->taken));
	if (res != ASK_OK) {
		if (j)
			job_free(j);
		ask_refuse(m, a, res);
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
		ask_refuse(m, a,
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
		ask_refuse(m, a, ASK_UNKNOWN);
}

static void
ask_ea(struct mapper *m, const struct ask *a)
{
	struct entry_key key = {a->arec.gw, a->arec.ref};
	struct pending_key pending = {key.gw, key.ref, ENTRY_REMOTE};
	struct entry *e;

	if (!addr_is_global_unicast(&key.gw) || ref_is_zero(&key.ref)) {
		ask_refuse(m, a, ASK_BAD);
		return;
	}
	if (addr_eq(&key.gw, &m->cfg.rules.pub)) {
		ask_own(m, a);
		return;
	}
	e = entries_remote(&m->entries, &key);
	if (e)
		ask_known(m, a, e);
	else if (ask_join(m, a, &pending))
		return;
	else if (a->cmd == MSG_GET_EA)
		tentative_make(m, a);
	else
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
	struct job *j =
		mapper_room(m, ENTRY_LOCAL, d.cause) ? job_new(JOB_MAKE) : NULL;
	enum ask_result res = ASK_FULL;

	if (j)
		res = ask_result_of_allot(
			allot_ref(m->allot, d.made, true, &d.key.ref));
	/* With 68 random bits the second draw is for the tidy mind. */
	if (res == ASK_OK && entries_local(&m->entries, &d.key))
		res = ask_result_of_allot(
			allot_ref(m->allot, d.made, true, &d.key.ref));
	if (res != ASK_OK) {
		if (j)
			job_free(j);
		ask_refuse(m, a, res);
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
		ask_refuse(m, a, ASK_BAD);
		return;
	}
	e = entries_source(&m->entries, ip, addr_is_zero(&rules->pub));
	if (e)
		ask_known(m, a, e);
	else if (!ask_join(m, a, &pending))
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
	default: /* FEED_USED, FEED_PROVED, MC_HOST_DATA: it is stored */
		mapper_answer(m, a, ASK_OK, NULL, NULL);
	}
}

void
mapper_ask(struct mapper *m, const struct ask *a)
{
	m->stats.asked[a->cmd]++;
	dispatch(m, a);
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
	/* A tentative one a resolver is not told of. */
	if (!e || e->busy ||
		(e->owner == OWNER_TENTATIVE && a->cmd != MSG_GET_EA))
		return false;
	if (lease_wants_renewal(m, e))
		lease_keep(m, e, mapper_now(m) + m->cfg.lease_ms);
	ask_answer(m, a, e);
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
			ask_refuse(m, a, ASK_STORE);
		else if (!answer_from_memory(m, a))
			ask_refuse(m, a, res);
		ask_free(m, a);
	}
}
