/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of hosts on their way from an agent's batches, or the hosts file, to
 * being in force.
 *
 * Batches are durable before they are acknowledged; when the set is complete it
 * is put in force by one change. One set at a time is: the next one is compared
 * with what this one has left. A question about a source whose batches or set
 * are under way waits for them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

#define STAGE_QUIET_MS                                                         \
	250 /* after the last batch, a set is looked at again                  \
	     */
#define RETRY_MS       1000
#define REFUSED_LOGGED 10 /* records of a set that are named in the log */

static const char *
source_text(const struct host_source *s, char buf[SOURCE_TEXT_MAX])
{
	if (s->id == OWNER_HOSTS)
		return "hosts file";
	return source_format(&s->name, buf);
}

static bool
source_busy(const struct mapper *m, const struct host_source *s)
{
	return s->in_flight || s->wanted ||
	       (m->applying && m->applying->source == s);
}

/* For a batch or a set: the source's row. */
static void
plan_source(struct change *c, const struct host_source *s, bool held,
	uint64_t hash, uint32_t count)
{
	struct op *op = change_op(c, OP_SOURCE);

	if (!op)
		return;
	op->data.owner = s->id;
	op->held = held;
	op->hash = hash;
	op->count = count;
	op->source = malloc(sizeof(*op->source));
	if (op->source)
		*op->source = s->name;
	else
		c->failed = true;
}

void
sets_unhold(struct mapper *m, struct change *c, uint32_t owner)
{
	struct host_source *s = hostset_by_id(&m->sets, owner);

	if (!s || !s->held)
		return;
	s->held = false;
	plan_source(c, s, false, s->hash, s->count);
}

static void
plan_clear(struct change *c, const struct host_source *s)
{
	struct op *op = change_op(c, OP_BATCH_CLEAR);

	if (op)
		op->data.owner = s->id;
}

struct conflict_log {
	struct mapper *m;
	struct host_source *source;
};

static void
note_conflict(const struct host_entry *rec, const struct entry *e, void *arg)
{
	struct conflict_log *log = arg;
	const struct host_source *first =
		hostset_by_id(&log->m->sets, e->owner);
	char gw[ADDR_TEXT_MAX], ref[REF_TEXT_MAX], want[ADDR_TEXT_MAX],
		has[ADDR_TEXT_MAX], text[SOURCE_TEXT_MAX],
		other[SOURCE_TEXT_MAX];

	log->m->stats.conflicts++;
	if (log->source->conflicts++ >= REFUSED_LOGGED)
		return;
	log_warn(
		"source %s: gw %s ref %s for %s: %s has it for %s and keeps it",
		source_text(log->source, text), addr_format(&rec->key.gw, gw),
		ref_format(&rec->key.ref, ref), addr_format(&rec->addr, want),
		first ? source_text(first, other) : "the mapper",
		addr_format(&e->addr, has));
}

static size_t
plan_set(struct mapper *m, struct job *j, uint32_t owner,
	struct host_entry *recs, size_t n)
{
	struct conflict_log log = {m, hostset_by_id(&m->sets, owner)};
	struct host_plan plan = {
		.change = &j->store.change,
		.entries = &m->entries,
		.sets = &m->sets,
		.now = mapper_now(m),
		.conflict = note_conflict,
		.arg = &log,
	};

	log.source->conflicts = 0;
	return hostset_plan(&plan, owner, recs, n);
}

/* The collected records that may come in force: an array of *n. */
static struct host_entry *
usable_records(struct mapper *m, struct host_source *s, size_t *n)
{
	struct host_rec *recs = hostset_staged(s);
	struct host_entry *out =
		recs ? calloc(s->stage.n + 1, sizeof(*out)) : NULL;
	char ref[REF_TEXT_MAX], ip[ADDR_TEXT_MAX], text[SOURCE_TEXT_MAX];
	const char *why;
	size_t i;

	*n = 0;
	s->refused = 0;
	for (i = 0; out && i < s->stage.n; i++) {
		out[*n] = (struct host_entry){
			ENTRY_LOCAL, recs[i].ip, recs[i].key, 0};
		why = hostset_check(&out[*n], &m->cfg.rules);
		if (!why) {
			++*n;
			continue;
		}
		m->stats.refused_records++;
		if (s->refused++ < REFUSED_LOGGED)
			log_warn("source %s: %s ref %s refused: %s",
				source_text(s, text),
				addr_format(&recs[i].ip, ip),
				ref_format(&recs[i].key.ref, ref), why);
	}
	free(recs);
	return out;
}

static void
refuse_asks(struct mapper *m, const struct host_source *s, int err)
{
	struct ask *a, *next;

	for (a = TAILQ_FIRST(&m->set_asks); a; a = next) {
		next = TAILQ_NEXT(a, link);
		if (!source_eq(a->source, &s->name))
			continue;
		TAILQ_REMOVE(&m->set_asks, a, link);
		mapper_answer(m, a, ask_result_of(err), NULL, NULL);
		ask_free(m, a);
	}
}

static void
submit_set(struct mapper *m, struct job *j, struct host_source *s)
{
	j->source = s;
	m->applying = j;
	job_submit(m, j);
}

/* Puts the source's collected set in force. */
static void
apply_set(struct mapper *m, struct host_source *s)
{
	struct job *j = job_new(JOB_SET);
	char text[SOURCE_TEXT_MAX];
	size_t n = 0;
	struct host_entry *recs = j ? usable_records(m, s, &n) : NULL;

	if (!recs) {
		if (j)
			job_free(j);
		m->retry_at = mapper_now(m) + RETRY_MS;
		return;
	}
	s->wanted = false;
	if (m->entries.n[ENTRY_LOCAL] + n > m->cfg.max_entries) {
		log_err("source %s: %zu hosts are more than there is room for: "
			"its last set stays in force",
			source_text(s, text), n);
		refuse_asks(m, s, -ENOBUFS);
		free(recs);
		job_free(j);
		return;
	}
	plan_source(
		&j->store.change, s, true, s->stage_hash, (uint32_t)s->stage.n);
	plan_clear(&j->store.change, s);
	plan_set(m, j, s->id, recs, n);
	free(recs);
	submit_set(m, j, s);
}

/* A reference of our own for a line that asks for one: that which it has, else
 * a new one. */
static bool
hosts_reference(struct mapper *m, struct host_entry *rec)
{
	struct entry *e = entries_by_ip(&m->entries, &rec->addr);

	for (; e; e = e->next_ip)
		if (e->owner == OWNER_HOSTS && entry_is_allotted(e) &&
			addr_eq(&e->key.gw, &rec->key.gw)) {
			rec->key = e->key;
			return true;
		}
	do {
		if (allot_ref(m->allot, mapper_now(m), false, &rec->key.ref) !=
			ALLOT_OK)
			return false;
	} while (entries_local(&m->entries, &rec->key));
	return true;
}

static void
apply_hosts(struct mapper *m)
{
	struct job *j = job_new(JOB_SET);
	struct host_entry *recs =
		j ? calloc(m->n_hosts + 1, sizeof(*recs)) : NULL;
	size_t i, n = 0;

	for (i = 0; recs && i < m->n_hosts; i++) {
		recs[n] = m->hosts[i].entry;
		n += !m->hosts[i].allot || hosts_reference(m, &recs[n]);
	}
	if (!recs) {
		if (j)
			job_free(j);
		m->retry_at = mapper_now(m) + RETRY_MS;
		return;
	}
	plan_set(m, j, OWNER_HOSTS, recs, n);
	free(recs);
	m->hosts_wanted = false;
	if (j->store.change.n)
		submit_set(m, j, hostset_by_id(&m->sets, OWNER_HOSTS));
	else
		job_free(j); /* as it was */
}

/* The next set, unless one is under way. */
static void
apply_next(struct mapper *m)
{
	size_t i;

	if (m->stopping || !m->store || mapper_now(m) < m->retry_at)
		return;
	if (!m->applying && m->hosts_wanted)
		apply_hosts(m);
	for (i = 0; i < m->sets.n && !m->applying; i++)
		if (m->sets.sources[i]->wanted &&
			!m->sets.sources[i]->in_flight)
			apply_set(m, m->sets.sources[i]);
}

static void
check_complete(struct mapper *m, struct host_source *s, bool force)
{
	if (s->wanted || !hostset_complete(s, force))
		return;
	s->wanted = true;
	apply_next(m);
}

/* Questions about this source that waited are looked at again. */
static void
wake_asks(struct mapper *m, const struct host_source *s)
{
	struct ask_list woken = TAILQ_HEAD_INITIALIZER(woken);
	struct ask *a, *next;

	for (a = TAILQ_FIRST(&m->set_asks); a; a = next) {
		next = TAILQ_NEXT(a, link);
		if (!source_eq(a->source, &s->name))
			continue;
		TAILQ_REMOVE(&m->set_asks, a, link);
		a->tries = 0; /* each waits for what was announced before it */
		TAILQ_INSERT_TAIL(&woken, a, link);
	}
	asks_end(m, &woken, ASK_OK);
}

static void
set_done(struct mapper *m, struct host_source *s, int err)
{
	char text[SOURCE_TEXT_MAX];
	const struct entry_owner *o;

	if (!err) {
		m->stats.sets++;
		o = entries_owner(&m->entries, s->id);
		log_info("source %s: %zu hosts in force, %u refused, %zu wait",
			source_text(s, text), o ? o->n : 0, s->refused,
			s->n_waits);
		return;
	}
	/* Another change came in between, or the store can't write: again. */
	if (s->id == OWNER_HOSTS)
		m->hosts_wanted = true;
	else
		s->wanted = true;
	if (err != -EEXIST) {
		m->retry_at = mapper_now(m) + RETRY_MS;
		refuse_asks(m, s, err);
	}
}

void
sets_done(struct mapper *m, struct job *j)
{
	struct host_source *s = j->source;

	if (j->kind == JOB_SET)
		set_done(m, s, j->store.err);
	else if (!s->in_flight)
		check_complete(m, s, false);
	apply_next(m);
	if (!source_busy(m, s))
		wake_asks(m, s);
}

/* The source that a question names; made when it is new. NULL: no room. */
static struct host_source *
source_for(struct mapper *m, const struct ask *a)
{
	struct host_source *s = hostset_by_name(&m->sets, a->source);

	return s ? s : hostset_make(&m->sets, a->source, 0);
}

static void
plan_batch(struct mapper *m, struct job *j, const struct ask *a,
	const struct arec *recs, size_t n)
{
	struct host_source *s = j->source;
	struct change *c = &j->store.change;
	struct op *op;
	size_t i;

	if (!s->stored && !(m->applying && m->applying->source == s))
		plan_source(c, s, s->held, s->hash, s->count);
	/* Records of another set go first. */
	for (i = 0; i < 2; i++) {
		op = change_op(c, OP_BATCH_ONLY);
		if (!op)
			return;
		op->data.kind = i ? ENTRY_LOCAL : ENTRY_REMOTE;
		op->data.owner = s->id;
		op->hash = a->hash;
	}
	for (i = 0; i < n; i++) {
		op = change_op(c, OP_BATCH);
		if (!op)
			return;
		op->data.kind = ENTRY_LOCAL;
		op->data.owner = s->id;
		op->data.addr = recs[i].ip;
		op->data.key = (struct entry_key){recs[i].gw, recs[i].ref};
		op->hash = a->hash;
	}
}

static void
submit_batch(struct mapper *m, struct host_source *s, const struct ask *a,
	const struct arec *recs, size_t n)
{
	struct job *j = job_new(JOB_BATCH);

	if (!j || !job_add_ask(m, j, a)) {
		if (j)
			job_free(j);
		mapper_answer(m, a, ASK_FULL, NULL, NULL);
		return;
	}
	j->source = s;
	j->n_recs = n;
	plan_batch(m, j, a, recs, n);
	s->client = a->client;
	s->drop_at = 0;
	job_submit(m, j);
}

/* Records of this set that have come; another one's make room for it. */
static size_t
staged(const struct host_source *s, uint64_t hash)
{
	return s->stage_open && s->stage_hash == hash ? s->stage.n : 0;
}

void
mapper_host_data(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n)
{
	struct host_source *s = source_for(m, a);

	m->stats.asked[a->cmd]++;
	if (!s || s->id == OWNER_HOSTS ||
		staged(s, a->hash) + s->in_flight_recs + n > RECORDS_MAX) {
		mapper_answer(m, a, ASK_FULL, NULL, NULL);
		return;
	}
	s->heard = mapper_now(m);
	/* The set that we hold: nothing to be done, nothing to be written. */
	if (s->held && s->hash == a->hash && !source_busy(m, s) &&
		!s->stage_open) {
		mapper_answer(m, a, ASK_OK, NULL, NULL);
		return;
	}
	submit_batch(m, s, a, recs, n);
}

static void
wait_for_set(struct mapper *m, const struct ask *a)
{
	struct ask *copy = ask_copy(m, a);

	if (copy)
		TAILQ_INSERT_TAIL(&m->set_asks, copy, link);
	else
		mapper_answer(m, a, ASK_FULL, NULL, NULL);
}

/* Whether the unfinished set is what is asked for, and so complete. */
static bool
stage_matches(const struct ask *a, struct host_source *s)
{
	char text[SOURCE_TEXT_MAX];

	if (!s->stage_open || s->stage_hash != a->hash ||
		s->stage.n != a->batch)
		return false;
	s->stage_checked = 0;
	if (!hostset_complete(s, true))
		log_warn("source %s: the hash %016" PRIx64
			 " is not that of its %zu records: taken as announced",
			source_text(s, text), a->hash, s->stage.n);
	return true;
}

void
sets_hash(struct mapper *m, const struct ask *a)
{
	bool empty = !a->batch && a->hash == MSG_EMPTY_SET_HASH;
	struct host_source *s =
		empty ? source_for(m, a) : hostset_by_name(&m->sets, a->source);

	if (!s || s->id == OWNER_HOSTS) {
		mapper_answer(m, a, empty ? ASK_FULL : ASK_UNKNOWN, NULL, NULL);
		return;
	}
	s->heard = mapper_now(m);
	if (source_busy(m, s)) {
		wait_for_set(m, a);
	} else if (s->held && s->hash == a->hash && s->count == a->batch) {
		mapper_answer(m, a, ASK_OK, NULL, NULL);
	} else if (empty || stage_matches(a, s)) {
		if (empty)
			hostset_stage_open(s, MSG_EMPTY_SET_HASH);
		s->wanted = true;
		wait_for_set(m, a);
		apply_next(m);
	} else {
		mapper_answer(m, a, ASK_UNKNOWN, NULL, NULL);
	}
}

void
mapper_client_gone(struct mapper *m, uint64_t client)
{
	struct host_source *s;
	size_t i;

	for (i = 0; i < m->sets.n; i++) {
		s = m->sets.sources[i];
		if (s->client != client)
			continue;
		s->client = 0;
		s->drop_at = mapper_now(m) + m->cfg.stage_ms;
	}
}

static void
drop_unfinished(struct mapper *m, struct host_source *s)
{
	struct job *j;
	char text[SOURCE_TEXT_MAX];

	s->drop_at = 0;
	if (!s->stage_open)
		return;
	log_notice("source %s: its agent left with %zu records of a set sent: "
		   "dropped",
		source_text(s, text), s->stage.n);

	j = job_new(JOB_BATCH);
	if (!j)
		return;
	j->source = s;
	plan_clear(&j->store.change, s);
	job_submit(m, j);
}

void
sets_tick(struct mapper *m)
{
	uint64_t now = mapper_now(m);
	struct host_source *s;
	size_t i;

	for (i = 0; i < m->sets.n; i++) {
		s = m->sets.sources[i];
		if (s->stage_open && !s->in_flight &&
			s->stage.n != s->stage_checked &&
			now - s->stage_grown >= STAGE_QUIET_MS)
			check_complete(m, s, true);
		if (s->drop_at && now >= s->drop_at && !source_busy(m, s))
			drop_unfinished(m, s);
	}
	apply_next(m);
}

int
mapper_hosts(struct mapper *m, const struct hosts_rec *recs, size_t n)
{
	struct hosts_rec *copy =
		n <= RECORDS_MAX ? calloc(n + 1, sizeof(*copy)) : NULL;

	if (n > RECORDS_MAX)
		return -E2BIG;
	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, recs, n * sizeof(*copy));
	free(m->hosts);
	m->hosts = copy;
	m->n_hosts = n;
	m->hosts_wanted = true;
	apply_next(m);
	return 0;
}
