/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of hosts on their way from an agent's batches to being complete.
 *
 * Batches are durable before they are acknowledged; when the set is complete it
 * is put in force by one change (inforce.c). A question about a source whose
 * batches or set are under way waits for them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/sets_impl.h"

/* After the last batch, before a set is looked at again; a large one later, as
 * that costs a sort. */
#define STAGE_QUIET_MS	250
#define STAGE_QUIET_PER 100 /* records for each ms more */

static void
check_complete(struct mapper *m, struct host_source *s, bool force)
{
	if (s->wanted || !hostset_complete(s, force))
		return;
	s->wanted = true;
	inforce_next(m);
}

void
sets_done(struct mapper *m, struct job *j)
{
	struct host_source *s = j->source;

	if (j->done) {
		source_removed(m, j);
		return;
	}
	if (j->kind == JOB_SET)
		inforce_done(m, s, j->store.err);
	else if (!s->in_flight)
		check_complete(m, s, false);
	inforce_next(m);
	if (!source_busy(m, s))
		source_wake_asks(m, &s->name);
}

static void
plan_batch(
	struct job *j, const struct ask *a, const struct arec *recs, size_t n)
{
	struct host_source *s = j->source;
	struct change *c = &j->store.change;
	struct op *op;
	size_t i;

	/* Also while its first set is under way, which may fail: no batch is
	 * stored without its source. Should the set not fail, its agent is
	 * asked to send it again. */
	if (!s->stored)
		source_plan(c, s, false, 0, 0);
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
	plan_batch(j, a, recs, n);
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

/* One set has at most RECORDS_MAX, all unfinished ones together no more than
 * could be in force. */
static bool
room_for_batch(const struct mapper *m, const struct host_source *s,
	uint64_t hash, size_t n)
{
	const struct host_source *other;
	size_t i, all = n;

	for (i = 0; i < m->sets.n; i++) {
		other = m->sets.sources[i];
		all += other->in_flight_recs;
		all += other == s ? staged(s, hash) : other->stage.n;
	}
	return staged(s, hash) + s->in_flight_recs + n <= RECORDS_MAX &&
	       all <= m->cfg.max_entries;
}

void
mapper_host_data(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n)
{
	struct host_source *s = source_for(m, a->source);
	char text[SOURCE_TEXT_MAX];

	m->stats.asked[a->cmd]++;
	if (s && !room_for_batch(m, s, a->hash, n)) {
		log_limited(&m->limit, LOG_LEVEL_ERR,
			"source %s: no room for %zu more records of a set (a "
			"set has at most %d, and max-mappings is %zu)",
			source_text(s, text), n, RECORDS_MAX,
			m->cfg.max_entries);
		s = NULL;
	}
	if (!s || s->id == OWNER_HOSTS || s->leaving) {
		mapper_answer(m, a, ASK_FULL, NULL, NULL);
		return;
	}
	source_heard(m, s);
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
	struct host_source *s = empty ? source_for(m, a->source)
				      : hostset_by_name(&m->sets, a->source);

	if (!s || s->id == OWNER_HOSTS) {
		mapper_answer(m, a, empty ? ASK_FULL : ASK_UNKNOWN, NULL, NULL);
		return;
	}
	source_heard(m, s);
	if (source_busy(m, s)) {
		wait_for_set(m, a);
	} else if (s->held && s->hash == a->hash && s->count == a->batch) {
		mapper_answer(m, a, ASK_OK, NULL, NULL);
	} else if (empty || stage_matches(a, s)) {
		if (empty)
			hostset_stage_open(s, MSG_EMPTY_SET_HASH);
		s->wanted = true;
		wait_for_set(m, a);
		inforce_next(m);
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
	source_plan_clear(&j->store.change, s);
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
		source_check_silent(m, s);
		if (s->stage_open && !s->in_flight &&
			s->stage.n != s->stage_checked &&
			now - s->stage_grown >=
				STAGE_QUIET_MS + s->stage.n / STAGE_QUIET_PER)
			check_complete(m, s, true);
		if (s->drop_at && now >= s->drop_at && !source_busy(m, s))
			drop_unfinished(m, s);
	}
	inforce_next(m);
}
