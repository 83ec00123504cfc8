/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting sets in force: what a source's complete set, or the hosts file,
 * changes, in one change.
 *
 * One set at a time is under way: the next one is compared with what this one
 * has left. A set that could not be stored is tried again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/sets_impl.h"

#define RETRY_MS       1000
#define CLASHES_MAX    8  /* one after the other, before there is a pause */
#define REFUSED_LOGGED 10 /* records of a set that are named in the log */

struct conflict_log {
	struct mapper *m;
	struct host_source *source;
	unsigned n;
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
	if (log->n++ >= REFUSED_LOGGED)
		return;
	log_warn(
		"source %s: gw %s ref %s for %s: %s has it for %s and keeps it",
		source_text(log->source, text), addr_format(&rec->key.gw, gw),
		ref_format(&rec->key.ref, ref), addr_format(&rec->addr, want),
		first ? source_text(first, other) : "the mapper",
		addr_format(&e->addr, has));
}

void
inforce_plan(struct mapper *m, struct job *j, uint32_t owner,
	struct host_entry *recs, size_t n)
{
	struct conflict_log log = {m, hostset_by_id(&m->sets, owner), 0};
	struct host_plan plan = {
		.change = &j->store.change,
		.entries = &m->entries,
		.sets = &m->sets,
		.now = mapper_now(m),
		.conflict = note_conflict,
		.arg = &log,
	};

	hostset_plan(&plan, owner, recs, n);
}

/* The collected records that may come in force: an array of *n. */
static struct host_entry *
usable_records(struct mapper *m, struct host_source *s, size_t *n)
{
	struct arec *recs = hostset_staged(s);
	struct host_entry *out =
		recs ? calloc(s->stage.n + 1, sizeof(*out)) : NULL;
	char ref[REF_TEXT_MAX], ip[ADDR_TEXT_MAX], text[SOURCE_TEXT_MAX];
	const char *why;
	size_t i;

	*n = 0;
	s->refused = 0;
	for (i = 0; out && i < s->stage.n; i++) {
		out[*n] = (struct host_entry){
			ENTRY_LOCAL, recs[i].ip, {recs[i].gw, recs[i].ref}, 0};
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
				ref_format(&recs[i].ref, ref), why);
	}
	free(recs);
	return out;
}

void
inforce_submit(struct mapper *m, struct job *j, struct host_source *s)
{
	j->source = s;
	m->applying = j;
	job_submit(m, j);
}

/* What waits counts as well. The source's hosts of today give their places to
 * those of the set. */
static bool
room_for_hosts(const struct mapper *m, const struct host_source *s, size_t n)
{
	const struct entry_owner *o = entries_owner(&m->entries, s->id);
	size_t others = m->entries.n[ENTRY_LOCAL] + m->sets.n_waits;

	return others - (o ? o->n : 0) - s->n_waits + n <= m->cfg.max_entries;
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
	if (!room_for_hosts(m, s, n)) {
		log_err("source %s: %zu hosts are more than there is room for: "
			"its last set stays in force",
			source_text(s, text), n);
		source_refuse_asks(m, s, -ENOBUFS);
		free(recs);
		job_free(j);
		return;
	}
	source_plan(
		&j->store.change, s, true, s->stage_hash, (uint32_t)s->stage.n);
	source_plan_clear(&j->store.change, s);
	inforce_plan(m, j, s->id, recs, n);
	free(recs);
	inforce_submit(m, j, s);
}

/* A reference of our own for a line that asks for one: that which it has, else
 * a new one. */
static bool
hosts_reference(struct mapper *m, struct host_entry *rec)
{
	struct entry *e = entries_by_ip(&m->entries, &rec->addr);

	for (; e; e = entry_next_ip(e))
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
	inforce_plan(m, j, OWNER_HOSTS, recs, n);
	free(recs);
	m->hosts_wanted = false;
	if (j->store.change.n)
		inforce_submit(m, j, hostset_by_id(&m->sets, OWNER_HOSTS));
	else
		job_free(j); /* as it was */
}

void
inforce_next(struct mapper *m)
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

void
inforce_count_conflicts(struct mapper *m)
{
	struct host_source *s;
	size_t i;

	for (i = 0; i < m->sets.n; i++) {
		s = m->sets.sources[i];
		s->conflicts = hostset_conflicts(s, &m->entries);
	}
}

void
inforce_done(struct mapper *m, struct host_source *s, int err)
{
	char text[SOURCE_TEXT_MAX];
	const struct entry_owner *o;

	if (!err) {
		m->stats.sets++;
		s->clashes = 0;
		inforce_count_conflicts(m);
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
	if (err == -EEXIST && ++s->clashes < CLASHES_MAX)
		return;
	m->retry_at = mapper_now(m) + RETRY_MS;
	source_refuse_asks(m, s, err);
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
	inforce_next(m);
	return 0;
}
