/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The start: what the store knows comes into memory, and what does not fit the
 * settings of today is put right.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/mapper_impl.h"

int
loading_init(struct mapper *m)
{
	static const struct source hosts = {"", ""};

	/* The settings' bound is looked at when a change is made up; what is
	 * stored must find room, or memory would lag behind the disk. */
	entries_init(&m->entries, ENTRIES_MAX);
	entries_load(&m->entries);
	hostset_init(&m->sets);
	change_init(&m->misfits);
	change_init(&m->removed);
	change_init(&m->blocks);
	m->allot = allot_new(&m->cfg.allot);
	/* The hosts file's records may wait for their keys like any source's.
	 */
	if (!m->allot || !hostset_make(&m->sets, &hosts, OWNER_HOSTS))
		return -ENOMEM;
	m->sets.next_id = OWNER_SOURCE;
	return 0;
}

void
loading_fini(struct mapper *m)
{
	change_fini(&m->misfits);
	change_fini(&m->removed);
	change_fini(&m->blocks);
	hostset_fini(&m->sets);
	allot_free(m->allot);
	m->allot = NULL;
	entries_fini(&m->entries);
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

/* For later: an operation with this data. */
static int
keep_op(struct change *c, enum op_kind kind, const struct entry_data *d)
{
	struct op *op = change_op(c, kind);

	if (!op)
		return -ENOMEM;
	op->data = *d;
	op->data.name = NULL;
	return 0;
}

static int
load_entry(struct mapper *m, const struct op *op)
{
	const struct entry_data *d = &op->data;
	bool taken = d->kind != ENTRY_REMOTE || d->owner != OWNER_MAPPER;

	entries_prefetch(&m->entries, d);
	/* Also one that does not fit: it is taken until it is gone. */
	if (!taken)
		taken = allot_ea_load(m->allot, &d->addr, &d->key.gw, d->cause);
	if (fits(m, d)) {
		if (!taken)
			log_warn("store: an ea that the mapper would not "
				 "allot today stays in force");
		return entries_add(&m->entries, d, NULL);
	}
	return keep_op(&m->misfits, OP_DEL, d);
}

/* Followers of today never had what is of other IP versions. */
static int
load_removed(struct mapper *m, const struct entry_data *d)
{
	const struct host_rules *r = &m->cfg.rules;

	if (d->addr.ver != r->encode.addr.ver || d->key.gw.ver != r->tunnel_ver)
		return 0;
	return keep_op(&m->removed, OP_DEL, d);
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
	case OP_DEL:
		return load_removed(m, &op->data);
	case OP_BLOCK:
		return keep_op(&m->blocks, OP_BLOCK, &op->data);
	case OP_SOURCE:
		return load_source(m, op);
	case OP_BATCH:
		return load_batch(m, op);
	default:
		return hostset_apply_wait(&m->sets, op);
	}
}

/* A file turned out to be damaged in the middle: another one is loaded. */
static int
on_reset(void *arg)
{
	struct mapper *m = arg;

	loading_fini(m);
	return loading_init(m);
}

struct store_hooks
mapper_store_hooks(struct mapper *m)
{
	return (struct store_hooks){
		.load = on_load,
		.reset = on_reset,
		.done = job_stored,
		.arg = m,
	};
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

/* The blocks that were open: what was drawn from them may be in use until gwd
 * has told (FEED_HOLD), and what it does not tell of is in quarantine. */
static int
start_blocks(struct mapper *m)
{
	uint64_t until = m->started + m->cfg.hold_ms +
			 m->cfg.allot.tentative_quarantine_ms;
	size_t i;
	int err = 0;

	for (i = 0; i < m->blocks.n && !err; i++)
		err = allot_block_load(
			m->allot, &m->blocks.ops[i].data.addr, until);
	change_fini(&m->blocks);
	return err;
}

/* What was in use is not known: nothing may be handed out twice. */
static void
start_suspect(struct mapper *m)
{
	const struct allot_config *a = &m->cfg.allot;
	uint64_t wait =
		a->quarantine_ms < a->reuse_ms ? a->quarantine_ms : a->reuse_ms;
	uint64_t since = m->store->suspect_at;

	if (!since)
		return;
	allot_suspect(m->allot, since);
	if (since + wait > m->started &&
		prefix_host_bits(&a->encode) <= POOL_BITS_MAX)
		log_notice(
			"mapper: no address is allotted for the next %" PRIu64
			" min: the store was set aside or restored, so it "
			"is not known which ones are in use",
			(since + wait - m->started) / 60000 + 1);
}

static void
say_too_many(const struct mapper *m)
{
	size_t n = m->entries.n[ENTRY_REMOTE] > m->entries.n[ENTRY_LOCAL]
			   ? m->entries.n[ENTRY_REMOTE]
			   : m->entries.n[ENTRY_LOCAL];

	if (n > m->cfg.max_entries)
		log_warn("store: %zu mappings are more than max-mappings, %zu: "
			 "all are served, and none is made before there are "
			 "fewer",
			n, m->cfg.max_entries);
}

int
mapper_start(struct mapper *m, struct store *store)
{
	int err;

	m->store = store;
	m->revision = store->revision;
	m->started = m->saved_at = mapper_now(m);
	change_fini(&m->removed);
	/* They may be of a time when leases were longer. */
	err = entries_loaded(&m->entries, m->started + m->cfg.lease_ms);
	if (!err)
		err = start_blocks(m);
	if (err)
		return err;
	start_suspect(m);
	say_too_many(m);
	err = fix_misfits(m);
	if (!err)
		sets_start(m);
	return err;
}
