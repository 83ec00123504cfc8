/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mapper's life: made, ticking, ended; and what it tells of itself. */
#include "mapperd/mapper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

#define CLOCK_SAVE_MS 60000 /* most of a lease that a crash loses */

void
mapper_answer(struct mapper *m, const struct ask *a, enum ask_result res,
	const struct arec *rec, const struct entry *e)
{
	m->stats.results[res]++;
	m->hooks.answer(a, res, rec, e, m->hooks.arg);
}

struct mapper *
mapper_new(const struct mapper_config *cfg, const struct mapper_hooks *hooks)
{
	struct mapper *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->cfg = *cfg;
	m->hooks = *hooks;
	TAILQ_INIT(&m->set_asks);
	TAILQ_INIT(&m->removals);
	table_init(&m->pending, offsetof(struct pending, key),
		sizeof(struct pending_key), ASKS_MAX);
	if (!loading_init(m))
		return m;
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
	table_fini(&m->pending);
	loading_fini(m);
	free(m->hosts);
	free(m);
}

void
mapper_stop(struct mapper *m)
{
	m->stopping = true;
}

void
mapper_store_ended(struct mapper *m)
{
	if (m->ended)
		return;
	m->ended = true;
	m->hooks.fatal("the disk did not keep what it was given", m->hooks.arg);
}

/* It may have ended behind the last job, when nothing new comes. */
static void
look_at_store(struct mapper *m)
{
	struct store_stats st;

	store_stats(m->store, &st);
	if (st.ended)
		mapper_store_ended(m);
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
	bool more = false;

	look_at_store(m);
	m->stats.expiring =
		m->reported || mapper_now(m) - m->started >= m->cfg.hold_ms;
	if (m->stats.expiring && !m->expire)
		lease_expire(m);
	if (m->stats.expiring)
		more = tentative_expire(m);
	reserve_tick(m);
	sets_tick(m);
	save_clock(m);
	return more;
}

bool
mapper_room(
	const struct mapper *m, enum entry_kind kind, enum entry_cause cause)
{
	size_t max = m->cfg.max_entries;

	return m->entries.n[kind] < max &&
	       (!cause_is_peer(cause) ||
		       m->entries.n_peer <
			       max * m->cfg.allot.peer_percent / 100);
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

const struct change *
mapper_removed(const struct mapper *m)
{
	return &m->removed;
}
