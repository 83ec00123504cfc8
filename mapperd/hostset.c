/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Invariant: a source's unfinished set is empty when stage_open is false. */
#include "mapperd/hostset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMPARED_ALWAYS 2048 /* records */

/* Announcements closer together belong to one round. */
#define ROUND_MS	 10000
#define INTERVAL_MAX_MS	 86400000
#define SILENT_INTERVALS 3
#define SILENT_MIN_MS	 300000
#define SILENT_MS	 10800000 /* when the interval is not known */

void
hostset_init(struct hostset *hs)
{
	*hs = (struct hostset){.next_id = OWNER_SOURCE};
}

static void
source_free(struct host_source *s)
{
	hostset_stage_drop(s);
	table_fini(&s->stage);
	free(s->waits);
	free(s);
}

void
hostset_fini(struct hostset *hs)
{
	size_t i;

	for (i = 0; i < hs->n; i++)
		source_free(hs->sources[i]);
	free(hs->sources);
	*hs = (struct hostset){0};
}

struct host_source *
hostset_by_id(const struct hostset *hs, uint32_t id)
{
	size_t i;

	for (i = 0; i < hs->n; i++)
		if (hs->sources[i]->id == id)
			return hs->sources[i];
	return NULL;
}

struct host_source *
hostset_by_name(const struct hostset *hs, const struct source *name)
{
	size_t i;

	for (i = 0; i < hs->n; i++)
		if (source_eq(&hs->sources[i]->name, name))
			return hs->sources[i];
	return NULL;
}

struct host_source *
hostset_make(struct hostset *hs, const struct source *name, uint32_t id)
{
	struct host_source **sources;
	struct host_source *s;

	if (hs->n >= SOURCES_MAX)
		return NULL;
	sources = reallocarray(
		hs->sources, hs->n + 1, sizeof(struct host_source *));
	if (!sources)
		return NULL;
	hs->sources = sources;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->name = *name;
	s->id = id ? id : hs->next_id;
	if (s->id >= hs->next_id)
		hs->next_id = s->id + 1;
	table_init(&s->stage, 0, sizeof(struct host_rec), RECORDS_MAX);
	hs->sources[hs->n++] = s;
	return s;
}

void
hostset_remove(struct hostset *hs, uint32_t id)
{
	struct host_source *s = hostset_by_id(hs, id);
	size_t i = 0;

	if (!s)
		return;
	while (hs->sources[i] != s)
		i++;
	memmove(&hs->sources[i], &hs->sources[i + 1],
		(--hs->n - i) * sizeof(struct host_source *));
	hs->n_waits -= s->n_waits;
	source_free(s);
}

void
hostset_stage_drop(struct host_source *s)
{
	struct host_rec *rec;

	TABLE_FOREACH (&s->stage, pos, rec)
		free(rec);
	table_fini(&s->stage);
	table_init(&s->stage, 0, sizeof(struct host_rec), RECORDS_MAX);
	free(s->sorted);
	s->sorted = NULL;
	s->stage_open = false;
	s->stage_checked = 0;
	s->wanted = false;
}

void
hostset_stage_open(struct host_source *s, uint64_t hash)
{
	if (s->stage_open && s->stage_hash == hash)
		return;
	hostset_stage_drop(s);
	s->stage_open = true;
	s->stage_hash = hash;
}

int
hostset_stage(struct host_source *s, uint64_t hash, const struct host_rec *rec,
	uint64_t now)
{
	struct host_rec *copy;
	int err;

	hostset_stage_open(s, hash);
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *rec;
	err = table_put(&s->stage, copy);
	if (err)
		free(copy);
	else
		s->stage_grown = now;
	return err == -EEXIST ? 0 : err;
}

/* The collected records, in no order. */
static struct arec *
stage_array(const struct host_source *s)
{
	struct arec *recs = calloc(s->stage.n + 1, sizeof(*recs));
	struct host_rec *rec;
	size_t i = 0;

	if (!recs)
		return NULL;
	TABLE_FOREACH (&s->stage, pos, rec)
		recs[i++] = (struct arec){
			.ip = rec->ip,
			.gw = rec->key.gw,
			.ref = rec->key.ref,
		};
	return recs;
}

/* The records of a set that is complete are kept sorted: whoever puts it in
 * force does not have to sort them again. */
bool
hostset_complete(struct host_source *s, bool force)
{
	size_t n = s->stage.n;

	if (!s->stage_open || (s->stage_checked == n && n))
		return false;
	if (!force && n > COMPARED_ALWAYS &&
		n - s->stage_checked < s->stage_checked / 8)
		return false;
	free(s->sorted);
	s->sorted = stage_array(s);
	if (!s->sorted)
		return false;
	s->stage_checked = n;
	if (msg_set_hash(s->sorted, n) == s->stage_hash)
		return true;
	free(s->sorted);
	s->sorted = NULL;
	return false;
}

struct arec *
hostset_staged(struct host_source *s)
{
	struct arec *recs;

	if (!s->sorted || s->stage_checked != s->stage.n) {
		free(s->sorted);
		s->sorted = stage_array(s);
		if (s->sorted) /* for its order */
			(void)msg_set_hash(s->sorted, s->stage.n);
	}
	recs = s->sorted;
	s->sorted = NULL;
	return recs;
}

/* The all-zeros and all-ones host parts, and the gateway's own address (last
 * byte 1). */
static bool
taken_by_network(const struct prefix *encode, const struct addr *ea)
{
	struct addr ones = prefix_host(encode, UINT64_MAX);
	struct addr own = prefix_host(encode, 1);

	return addr_eq(ea, &encode->addr) || addr_eq(ea, &ones) ||
	       addr_eq(ea, &own);
}

const char *
hostset_check(struct host_entry *e, const struct host_rules *rules)
{
	bool remote = e->kind == ENTRY_REMOTE;
	uint8_t second = remote ? addr_second_byte(&e->addr)
				: ref_second_byte(&e->key.ref);

	if (addr_is_zero(&e->key.gw) || addr_eq(&e->key.gw, &rules->pub))
		e->key.gw = addr_zero(rules->tunnel_ver);
	else if (e->key.gw.ver != rules->tunnel_ver)
		return "a context address of another IP version than the "
		       "tunnel's";
	else if (!addr_is_global_unicast(&e->key.gw))
		return "the context address is no host's";
	if (remote && entry_key_own(&e->key))
		return "a remote host at our own context address";
	if (e->addr.ver != rules->encode.addr.ver)
		return "an address of another IP version than the local "
		       "network's";
	if (!addr_is_global_unicast(&e->addr))
		return "the address is no host's";
	if (prefix_has(&rules->encode, &e->addr) != remote)
		return remote ? "an address outside the encoding network"
			      : "an address inside the encoding network";
	if (remote && taken_by_network(&rules->encode, &e->addr))
		return "an address that is the network's or the gateway's own";
	if (ref_is_zero(&e->key.ref))
		return "a reference of 0";
	if (second >= SECOND_BYTE_OURS)
		return "the second-to-last byte is 16 or more: kept for what "
		       "the "
		       "mapper allots";
	return NULL;
}

static int
host_entry_cmp(const void *a, const void *b)
{
	const struct host_entry *x = a, *y = b;
	int diff = (int)x->kind - (int)y->kind;

	if (!diff)
		diff = entry_key_cmp(&x->key, &y->key);
	/* So that the order of what is the same does not depend on chance. */
	return diff ? diff : addr_cmp(&x->addr, &y->addr);
}

static int
host_entry_key_cmp(const void *a, const void *b)
{
	const struct host_entry *x = a, *y = b;
	int diff = (int)x->kind - (int)y->kind;

	return diff ? diff : entry_key_cmp(&x->key, &y->key);
}

/* As sets from agents are. */
static bool
is_sorted(const struct host_entry *recs, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (host_entry_cmp(&recs[i - 1], &recs[i]) > 0)
			return false;
	return true;
}

/* Drops all but the first record of each key; returns how many are left. */
static size_t
make_distinct(struct host_entry *recs, size_t n)
{
	size_t i, kept = 0;

	if (!n)
		return 0;
	if (!is_sorted(recs, n))
		qsort(recs, n, sizeof(*recs), host_entry_cmp);
	for (i = 1; i < n; i++)
		if (host_entry_key_cmp(&recs[kept], &recs[i]))
			recs[++kept] = recs[i];
	return kept + 1;
}

/* key has become free: the first other source whose record waits for it. */
static void
plan_promote(struct host_plan *p, uint32_t owner, const struct entry_key *key)
{
	struct entry_data d = {
		.kind = ENTRY_LOCAL, .key = *key, .made = p->now};
	const struct host_wait *w;
	struct op *op;
	size_t i;

	for (i = 0; p->sets->n_waits && i < p->sets->n; i++) {
		w = hostset_waiting(p->sets->sources[i], key);
		if (!w || p->sets->sources[i]->id == owner)
			continue;
		d.owner = p->sets->sources[i]->id;
		d.addr = w->addr;
		change_add(p->change, &d);
		op = change_op(p->change, OP_WAIT_DEL);
		if (op)
			op->data = d;
		return;
	}
}

/* Who stands in the way of a record; NULL: nobody. */
static struct entry *
holder(const struct host_plan *p, const struct host_entry *rec)
{
	return rec->kind == ENTRY_REMOTE ? entries_remote(p->entries, &rec->key)
					 : entries_local(p->entries, &rec->key);
}

/* The owner's entries that recs does not name (or names with another address)
 * go, those of others that waited for their keys come. */
static void
plan_removals(struct host_plan *p, uint32_t owner,
	const struct host_entry *recs, size_t n)
{
	const struct entry_owner *o = entries_owner(p->entries, owner);
	const struct host_entry *rec;
	const struct entry *e;
	struct host_entry want;

	if (!o)
		return;
	/* The last one first: it stands in front in the chain of its ip. */
	TAILQ_FOREACH_REVERSE(e, &o->list, entry_list, by_owner)
	{
		want = (struct host_entry){
			.kind = (enum entry_kind)e->kind, .key = e->key};
		rec = n ? bsearch(&want, recs, n, sizeof(*recs),
				  host_entry_key_cmp)
			: NULL;
		if (rec && addr_eq(&rec->addr, &e->addr))
			continue;
		change_del(p->change, e, p->now);
		if (!rec && e->kind == ENTRY_LOCAL)
			plan_promote(p, owner, &e->key);
	}
}

static void
plan_wait(struct host_plan *p, uint32_t owner, const struct host_entry *rec,
	const struct entry *e)
{
	struct op *op = change_op(p->change, OP_WAIT);

	if (op)
		op->data = (struct entry_data){
			.kind = rec->kind,
			.owner = owner,
			.addr = rec->addr,
			.key = rec->key,
		};
	if (!addr_eq(&rec->addr, &e->addr) && p->conflict)
		p->conflict(rec, e, p->arg);
}

/* True when the record is kept out. */
static bool
plan_record(struct host_plan *p, uint32_t owner, const struct host_entry *rec)
{
	struct entry_data d = {
		.kind = rec->kind,
		.owner = owner,
		.addr = rec->addr,
		.key = rec->key,
		.made = p->now,
	};
	struct entry *e = holder(p, rec);

	if (e && e->owner == owner && addr_eq(&e->addr, &rec->addr))
		return false; /* in force since before */
	if (e && e->owner != owner && !owner_is_dynamic(e->owner)) {
		plan_wait(p, owner, rec, e);
		return true;
	}
	/* What people list comes before what was allotted; a tentative entry
	 * yields by itself when this is stored (jobs.c). */
	if (e && e->owner == OWNER_MAPPER)
		change_del(p->change, e, p->now);
	change_add(p->change, &d);
	return false;
}

size_t
hostset_plan(
	struct host_plan *p, uint32_t owner, struct host_entry *recs, size_t n)
{
	struct host_source *s = hostset_by_id(p->sets, owner);
	size_t i, kept_out = 0;
	struct op *op;

	n = make_distinct(recs, n);
	plan_removals(p, owner, recs, n);
	if (s && s->n_waits) {
		op = change_op(p->change, OP_WAIT_CLEAR);
		if (op)
			op->data.owner = owner;
	}
	for (i = 0; i < n; i++)
		kept_out += plan_record(p, owner, &recs[i]);
	return kept_out;
}

/* The interval is the longest of the last ones: it grows at once and shrinks by
 * a quarter each time, so that neither two agents of one source nor a pause
 * make it wrong for long. */
void
hostset_hear(struct host_source *s, uint64_t now)
{
	uint64_t gap = s->heard ? now - s->heard : 0;

	if (gap >= ROUND_MS) {
		s->interval -= s->interval / 4;
		if (s->interval < gap)
			s->interval =
				gap < INTERVAL_MAX_MS ? gap : INTERVAL_MAX_MS;
	}
	s->heard = s->since = now;
}

bool
hostset_silent(const struct host_source *s, uint64_t now)
{
	uint64_t bound = s->interval * SILENT_INTERVALS;

	if (!s->interval)
		bound = SILENT_MS;
	else if (bound < SILENT_MIN_MS)
		bound = SILENT_MIN_MS;
	return s->since && now - s->since >= bound;
}
