/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sources themselves: their rows, the questions that wait for them, their
 * silence, their removal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "mapperd/sets_impl.h"

const char *
source_text(const struct host_source *s, char buf[SOURCE_TEXT_MAX])
{
	if (s->id == OWNER_HOSTS)
		return "hosts file";
	return source_format(&s->name, buf);
}

bool
source_busy(const struct mapper *m, const struct host_source *s)
{
	return s->in_flight || s->wanted ||
	       (m->applying && m->applying->source == s);
}

/* The name is owned by the operation. */
static void
set_name(struct change *c, struct op *op, const struct host_source *s)
{
	op->data.owner = s->id;
	op->source = malloc(sizeof(*op->source));
	if (op->source)
		*op->source = s->name;
	else
		c->failed = true;
}

void
source_plan(struct change *c, const struct host_source *s, bool held,
	uint64_t hash, uint32_t count)
{
	struct op *op = change_op(c, OP_SOURCE);

	if (!op)
		return;
	op->held = held;
	op->hash = hash;
	op->count = count;
	set_name(c, op, s);
}

void
sets_unhold(struct mapper *m, struct change *c, uint32_t owner)
{
	struct host_source *s = hostset_by_id(&m->sets, owner);

	if (!s || !s->held)
		return;
	s->held = false;
	source_plan(c, s, false, s->hash, s->count);
}

void
source_plan_clear(struct change *c, const struct host_source *s)
{
	struct op *op = change_op(c, OP_BATCH_CLEAR);

	if (op)
		op->data.owner = s->id;
}

void
source_refuse_asks(struct mapper *m, const struct host_source *s, int err)
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

void
source_wake_asks(struct mapper *m, const struct source *name)
{
	struct ask_list woken = TAILQ_HEAD_INITIALIZER(woken);
	struct ask *a, *next;

	for (a = TAILQ_FIRST(&m->set_asks); a; a = next) {
		next = TAILQ_NEXT(a, link);
		if (!source_eq(a->source, name))
			continue;
		TAILQ_REMOVE(&m->set_asks, a, link);
		a->tries = 0; /* each waits for what was announced before it */
		TAILQ_INSERT_TAIL(&woken, a, link);
	}
	asks_end(m, &woken, ASK_OK);
}

void
source_heard(struct mapper *m, struct host_source *s)
{
	uint64_t now = mapper_now(m), before = s->since;
	char text[SOURCE_TEXT_MAX];

	hostset_hear(s, now);
	if (!s->silent)
		return;
	s->silent = false;
	log_notice("source %s: is heard of again after %" PRIu64 " min",
		source_text(s, text), (now - before) / 60000);
}

void
source_check_silent(struct mapper *m, struct host_source *s)
{
	uint64_t now = mapper_now(m);
	char text[SOURCE_TEXT_MAX];

	if (!s->since && s->id != OWNER_HOSTS)
		s->since = now; /* the start */
	if (s->silent || !hostset_silent(s, now))
		return;
	s->silent = true;
	log_warn("source %s: nothing was heard of its agent for %" PRIu64
		 " min: its hosts stay in force",
		source_text(s, text), (now - s->since) / 60000);
}

/* Records of a set that are neither in force nor wait were refused (or several
 * had one key). By the settings of today they may be taken: the set is to come
 * again, which costs little when nothing has changed. */
static bool
is_whole(const struct mapper *m, const struct host_source *s)
{
	const struct entry_owner *o = entries_owner(&m->entries, s->id);

	return (o ? o->n : 0) + s->n_waits >= s->count;
}

void
sets_start(struct mapper *m)
{
	struct host_source *s;
	size_t i;

	for (i = 0; i < m->sets.n; i++) {
		s = m->sets.sources[i];
		if (s->stage_open)
			s->drop_at = m->started + m->cfg.stage_ms;
		if (s->held && !is_whole(m, s))
			s->held = false;
	}
	inforce_count_conflicts(m);
}

/* Nothing of it is in force, waits, or is on its way. */
static bool
is_idle(const struct mapper *m, const struct host_source *s)
{
	return s->silent && !s->n_waits && !s->stage_open &&
	       !source_busy(m, s) && !entries_owner(&m->entries, s->id);
}

static void
remove_source(
	struct mapper *m, struct host_source *s, mapper_done done, void *arg)
{
	struct job *j = job_new(JOB_SET);
	struct op *op;

	if (!j) {
		done(-ENOMEM, 0, arg);
		return;
	}
	j->done = done;
	j->done_arg = arg;
	s->leaving = true;
	inforce_plan(m, j, s->id, NULL, 0);
	source_plan_clear(&j->store.change, s);
	/* The last one: applied, the source is not there any more. */
	op = change_op(&j->store.change, OP_SOURCE_DEL);
	if (op)
		set_name(&j->store.change, op, s);
	inforce_submit(m, j, s);
}

void
source_removed(struct mapper *m, struct job *j)
{
	const struct change *c = &j->store.change;
	const struct source *name = c->n ? c->ops[c->n - 1].source : NULL;
	char text[SOURCE_TEXT_MAX];

	if (j->store.err) {
		j->source->leaving = false;
		name = &j->source->name;
	} else {
		log_notice("source %s: removed", source_format(name, text));
		inforce_count_conflicts(m);
	}
	inforce_next(m);
	source_wake_asks(m, name);
}

void
mapper_source_remove(struct mapper *m, const struct source *source,
	mapper_done done, void *arg)
{
	struct host_source *s = hostset_by_name(&m->sets, source);

	if (!s || s->id == OWNER_HOSTS)
		done(-ENOENT, 0, arg);
	else if (m->applying || source_busy(m, s))
		done(-EBUSY, 0, arg);
	else
		remove_source(m, s, done, arg);
}

static void
nobody_waits(int err, size_t n, void *arg)
{
	(void)err;
	(void)n;
	(void)arg;
}

/* One that has nothing and is not heard of gives its place away: to whoever
 * asks again. */
static void
make_room(struct mapper *m)
{
	size_t i;

	for (i = 0; i < m->sets.n && !m->applying; i++)
		if (is_idle(m, m->sets.sources[i]))
			remove_source(
				m, m->sets.sources[i], nobody_waits, NULL);
}

struct host_source *
source_for(struct mapper *m, const struct source *name)
{
	struct host_source *s = hostset_by_name(&m->sets, name);
	char text[SOURCE_TEXT_MAX];

	if (!s)
		s = hostset_make(&m->sets, name, 0);
	if (s || m->sets.n < SOURCES_MAX)
		return s;
	log_limited(&m->limit, LOG_LEVEL_ERR,
		"source %s: refused, there are %d sources already: remove "
		"those that are no more (iprefctl source remove)",
		source_format(name, text), SOURCES_MAX - 1);
	make_room(m);
	return NULL;
}
