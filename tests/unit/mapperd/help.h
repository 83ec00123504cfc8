/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mapperd's tests share: values from text, repeatable randomness, and a
 * store in memory that keeps the promises of mapperd/store.h.
 */
#ifndef TESTS_UNIT_MAPPERD_HELP_H
#define TESTS_UNIT_MAPPERD_HELP_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper.h"
#include "mapperd/store.h"

/* Check's own assertions write to a file each time: where millions pass, this
 * one does not. */
#define MUST(cond)                                                             \
	do {                                                                   \
		if (!(cond))                                                   \
			ck_abort_msg("%s", #cond);                             \
	} while (0)

static inline struct addr
addr_of(const char *text)
{
	struct addr a;

	if (!addr_parse(&a, text, strlen(text)))
		ck_abort_msg("%s", text);
	return a;
}

static inline struct prefix
prefix_of(const char *text)
{
	struct prefix p;

	ck_assert_msg(prefix_parse(&p, text, strlen(text)), "%s", text);
	return p;
}

/* xorshift64*: the same numbers on every machine from one seed. */
struct dice {
	uint64_t state; /* not 0 */
};

static inline uint64_t
roll(struct dice *d)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return d->state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t
roll_below(struct dice *d, uint64_t n)
{
	return roll(d) % n;
}

/* For allot_config.random; arg is a struct dice. */
static inline void
roll_bytes(void *buf, size_t len, void *arg)
{
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)(roll(arg) >> 32);
}

/* A store in memory: jobs wait until memstore_pump() stores them, one after the
 * other, and refuses what would make an ea or a (gw, ref) lead to two places,
 * as the real one's unique indexes do. */
struct memstore_gone {
	struct {
		struct addr addr; /* of an ea */
		struct ref ref;	  /* of a reference */
	} key;
	struct op op;
};

struct memstore {
	struct store store; /* first */
	struct store_hooks hooks;
	struct entries entries;
	struct table gone;     /* struct memstore_gone, owned */
	struct change removed; /* OP_DEL, those above store.oldest */
	struct change blocks;  /* OP_BLOCK */
	struct change sets;    /* OP_SOURCE, OP_WAIT, OP_BATCH */
	TAILQ_HEAD(, store_job) queue;
	size_t n_queued;
	uint64_t revision, stored;
	int fail;   /* this -errno for every job, unless 0 */
	bool ended; /* it says so */
};

static inline int
memstore_submit(struct store *s, struct store_job *job)
{
	struct memstore *ms = CONTAINER_OF(s, struct memstore, store);

	TAILQ_INSERT_TAIL(&ms->queue, job, queue);
	ms->n_queued++;
	return 0;
}

static inline struct entry *
memstore_find(struct memstore *ms, const struct entry_data *d)
{
	return d->kind == ENTRY_REMOTE ? entries_remote(&ms->entries, &d->key)
				       : entries_local(&ms->entries, &d->key);
}

/* Whether all additions have room once the removals before them are done; the
 * operations of our changes never add and then remove the same. */
static inline bool
memstore_fits(struct memstore *ms, const struct change *c)
{
	const struct entry *e, *by_ea;
	size_t i, k;

	for (i = 0; i < c->n; i++) {
		const struct entry_data *d = &c->ops[i].data;

		if (c->ops[i].kind != OP_ADD)
			continue;
		e = memstore_find(ms, d);
		by_ea = d->kind == ENTRY_REMOTE
				? entries_by_ea(&ms->entries, &d->addr)
				: NULL;
		for (k = 0; k < i; k++) {
			const struct entry_data *gone = &c->ops[k].data;

			if (c->ops[k].kind != OP_DEL || gone->kind != d->kind)
				continue;
			if (e && !entry_key_cmp(&gone->key, &e->key))
				e = NULL;
			if (by_ea && !entry_key_cmp(&gone->key, &by_ea->key))
				by_ea = NULL;
		}
		if (e || by_ea)
			return false;
	}
	return true;
}

static inline void
memstore_gone(struct memstore *ms, const struct op *op)
{
	struct memstore_gone *g = calloc(1, sizeof(*g)), *old;

	if (op->data.kind == ENTRY_REMOTE)
		g->key.addr = op->data.addr;
	else
		g->key.ref = op->data.key.ref;
	old = table_del(&ms->gone, &g->key);
	free(old);
	g->op = *op;
	if (op->kind == OP_GONE)
		MUST(table_put(&ms->gone, g) == 0);
	else
		free(g);
}

/* A removal is remembered with its revision. */
static inline void
memstore_removed(struct memstore *ms, const struct entry_data *d)
{
	struct op *op = change_op(&ms->removed, OP_DEL);

	MUST(op);
	op->data = *d;
}

static inline void
memstore_block(struct memstore *ms, const struct op *op)
{
	struct op *slot;
	size_t i;

	for (i = 0; i < ms->blocks.n; i++) {
		if (!addr_eq(&ms->blocks.ops[i].data.addr, &op->data.addr))
			continue;
		MUST(op->kind == OP_BLOCK_DEL);
		ms->blocks.ops[i] = ms->blocks.ops[--ms->blocks.n];
		return;
	}
	MUST(op->kind == OP_BLOCK);
	slot = change_op(&ms->blocks, OP_BLOCK);
	MUST(slot);
	slot->data.addr = op->data.addr;
}

/* Whether what is kept goes when op is stored. */
static inline bool
memstore_ends(const struct op *kept, const struct op *op)
{
	if (kept->data.owner != op->data.owner)
		return false;
	switch (op->kind) {
	case OP_SOURCE:
	case OP_SOURCE_DEL:
		return kept->kind == OP_SOURCE;
	case OP_BATCH_CLEAR:
		return kept->kind == OP_BATCH;
	case OP_BATCH_ONLY:
		return kept->kind == OP_BATCH && kept->hash != op->hash;
	case OP_WAIT:
	case OP_WAIT_DEL:
		return kept->kind == OP_WAIT &&
		       !entry_key_cmp(&kept->data.key, &op->data.key);
	case OP_WAIT_CLEAR:
		return kept->kind == OP_WAIT;
	default:
		return false;
	}
}

/* Sources, batches and waiting records: kept as what made them. Of batches
 * there are many, and the same may be there twice. */
static inline void
memstore_set(struct memstore *ms, const struct op *op)
{
	struct change *sets = &ms->sets;
	size_t i, n = 0;
	struct op *kept;

	for (i = 0; op->kind != OP_BATCH && i < sets->n; i++) {
		if (memstore_ends(&sets->ops[i], op))
			free(sets->ops[i].source);
		else
			sets->ops[n++] = sets->ops[i];
	}
	if (op->kind != OP_BATCH)
		sets->n = n;
	if (op->kind != OP_SOURCE && op->kind != OP_BATCH &&
		op->kind != OP_WAIT)
		return;
	kept = change_op(sets, op->kind);
	MUST(kept);
	*kept = *op;
	if (!op->source)
		return;
	kept->source = malloc(sizeof(*kept->source));
	*kept->source = *op->source;
}

static inline void
memstore_op(struct memstore *ms, const struct op *op, uint64_t revision)
{
	struct entry_data d = op->data;
	struct entry *e;

	d.born = revision;
	e = memstore_find(ms, &d);
	switch (op->kind) {
	case OP_ADD:
		MUST(entries_add(&ms->entries, &d, NULL) == 0);
		break;
	case OP_DEL:
		if (e && e->owner == d.owner)
			entries_del(&ms->entries, e);
		memstore_removed(ms, &d);
		break;
	case OP_LEASE:
		if (e)
			entries_lease(&ms->entries, e, d.expires);
		break;
	case OP_GONE:
	case OP_FORGET:
		memstore_gone(ms, op);
		break;
	case OP_BLOCK:
	case OP_BLOCK_DEL:
		memstore_block(ms, op);
		break;
	default:
		memstore_set(ms, op);
	}
}

static inline void
memstore_run(struct memstore *ms, struct store_job *job)
{
	struct change *c = &job->change;
	size_t i;

	job->err = ms->fail;
	if (!job->err && !memstore_fits(ms, c))
		job->err = -EEXIST;
	if (job->err)
		return;
	if (c->numbered)
		job->revision = ++ms->revision;
	for (i = 0; i < c->n; i++)
		memstore_op(ms, &c->ops[i], job->revision);
	ms->stored++;
}

/* Stores the first that waits, if any. */
static inline bool
memstore_step(struct memstore *ms)
{
	struct store_job *job = TAILQ_FIRST(&ms->queue);

	if (!job)
		return false;
	TAILQ_REMOVE(&ms->queue, job, queue);
	ms->n_queued--;
	memstore_run(ms, job);
	ms->hooks.done(job, ms->hooks.arg);
	return true;
}

/* Stores all that waits; returns how many jobs that was. */
static inline size_t
memstore_pump(struct memstore *ms)
{
	size_t n = 0;

	while (memstore_step(ms))
		n++;
	return n;
}

static inline void
memstore_close(struct store *s)
{
	struct memstore *ms = CONTAINER_OF(s, struct memstore, store);

	memstore_pump(ms);
}

/* Ends it; the store must be closed. */
static inline void
memstore_fini(struct memstore *ms)
{
	struct memstore_gone *g;

	TABLE_FOREACH (&ms->gone, pos, g)
		free(g);
	table_fini(&ms->gone);
	change_fini(&ms->removed);
	change_fini(&ms->blocks);
	change_fini(&ms->sets);
	entries_fini(&ms->entries);
}

static inline void
memstore_load_sets(
	struct memstore *ms, const struct store_hooks *hooks, enum op_kind kind)
{
	size_t i;

	for (i = 0; i < ms->sets.n; i++)
		if (ms->sets.ops[i].kind == kind)
			MUST(hooks->load(&ms->sets.ops[i], hooks->arg) == 0);
}

/* Gives all that is stored to whoever loads it. */
static inline void
memstore_load(struct memstore *ms, const struct store_hooks *hooks)
{
	struct memstore_gone *g;
	struct entry *e;
	struct op op;
	size_t i;

	memstore_load_sets(ms, hooks, OP_SOURCE);
	TAILQ_FOREACH(e, &ms->entries.all, all)
	{
		op = (struct op){
			.kind = OP_ADD,
			.data = {(enum entry_kind)e->kind,
				(enum entry_cause)e->cause, e->owner, e->addr,
				e->key, e->born, e->made_s * UINT64_C(1000),
				e->expires, e->name},
		};
		MUST(hooks->load(&op, hooks->arg) == 0);
	}
	for (i = 0; i < ms->removed.n; i++)
		if (ms->removed.ops[i].data.born > ms->store.oldest)
			MUST(hooks->load(&ms->removed.ops[i], hooks->arg) == 0);
	TABLE_FOREACH (&ms->gone, pos, g)
		MUST(hooks->load(&g->op, hooks->arg) == 0);
	for (i = 0; i < ms->blocks.n; i++)
		MUST(hooks->load(&ms->blocks.ops[i], hooks->arg) == 0);
	memstore_load_sets(ms, hooks, OP_WAIT);
	memstore_load_sets(ms, hooks, OP_BATCH);
	ms->store.revision = ms->revision;
}

/* As after a crash: what waited is lost, the rest is loaded by another mapper.
 */
static inline void
memstore_restart(struct memstore *ms, const struct store_hooks *hooks)
{
	struct store_job *job;

	while ((job = TAILQ_FIRST(&ms->queue))) {
		TAILQ_REMOVE(&ms->queue, job, queue);
		ms->n_queued--;
		job->err = -EIO;
		ms->hooks.done(job, ms->hooks.arg);
	}
	ms->hooks = *hooks;
	memstore_load(ms, hooks);
}

static inline void
memstore_stats(struct store *s, struct store_stats *out)
{
	struct memstore *ms = CONTAINER_OF(s, struct memstore, store);

	*out = (struct store_stats){.ended = ms->ended};
}

static inline void
memstore_init(struct memstore *ms, const struct store_hooks *hooks)
{
	static const struct store_class class = {
		.submit = memstore_submit,
		.stats = memstore_stats,
		.close = memstore_close,
	};

	*ms = (struct memstore){.hooks = *hooks};
	ms->store.class = &class;
	ms->store.identity = 7;
	entries_init(&ms->entries, 1 << 22);
	table_init(&ms->gone, offsetof(struct memstore_gone, key),
		sizeof(struct addr) + sizeof(struct ref), 1 << 22);
	TAILQ_INIT(&ms->queue);
}

#endif
