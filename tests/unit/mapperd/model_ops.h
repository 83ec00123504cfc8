/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the mapper in the model test: one step is a little time,
 * some operations, and the store at work, or not.
 */
#ifndef TESTS_UNIT_MAPPERD_MODEL_OPS_H
#define TESTS_UNIT_MAPPERD_MODEL_OPS_H

#include "model_sets.h"

#define REPORT_MAX 12

/* A request under way. */
struct asked {
	uint64_t at;
	uint8_t cmd;  /* 0: none */
	bool ignored; /* nobody looks at the answer */
	bool quiet;   /* nothing else was under way */
	unsigned n;
	unsigned who[REPORT_MAX]; /* hosts; or an ip */
};

struct run {
	struct model m;
	struct sets sets;
	struct follower watch, guest;
	struct rig_client *client;
	struct asked asked[65536];
	uint16_t id;
	unsigned under_way;
	bool loose; /* peers cause much, and only the pool bounds it */
	unsigned recent[64], n_recent; /* hosts that packets came from */
	unsigned long fail_until, forgotten, asked_in_all;
	struct addr forgetting; /* the last one */
	enum msg_mode last;	/* of the last answer about sets */
};

static inline struct rig *
rig_of(struct run *r)
{
	return &r->m.rig;
}

static inline uint64_t
below(struct run *r, uint64_t n)
{
	return roll_below(&r->m.dice, n);
}

/* --- answers --------------------------------------------------------------
 */

static inline void
take_ref(struct run *r, unsigned ip, const struct msg *m)
{
	struct m_ip *l = &r->m.ips[ip];
	struct arec rec;
	int key = s_source_of(&r->m, &r->watch, ip);
	struct entry_key want;

	if (m->mode == MSG_NACK) {
		M_CHECK(r->m.rig.store.fail, "a reference is refused");
		M_CHECK(key < 0 && (!l->lease.there || l->lease.ordered ||
					   l->lease.min <= r->m.rig.now),
			"host of ours %u is known, and refused", ip);
		return;
	}
	rec = msg_arec(m, 0);
	if (key >= 0) {
		want = s_key(&r->m, (unsigned)key);
		M_CHECK(ref_eq(&rec.ref, &want.ref) && addr_is_zero(&rec.gw),
			"host of ours %u leaves with another reference than "
			"that published longest",
			ip);
		return;
	}
	M_CHECK(l->lease.there && ref_eq(&l->ref, &rec.ref),
		"an answer about host of ours %u that followers do not have",
		ip);
	m_promised(&r->m, &l->lease, r->m.rig.now, false);
}

/* Use was reported, and that is stored. */
static inline void
take_used(struct run *r, const struct asked *a)
{
	struct m_lease *l;
	unsigned i;

	r->m.reported = true;
	for (i = 0; a->quiet && i < a->n; i++) {
		l = &r->m.hosts[a->who[i]].lease;
		if (l->there && l->min > r->m.rig.now)
			m_promised(&r->m, l, a->at, true);
	}
}

/* Each is an ordinary mapping now, unless the quotas are full. */
static inline void
take_proved(struct run *r, const struct asked *a)
{
	const struct allot_config *cfg = &r->m.cfg.allot;
	const struct m_host *h;
	unsigned i, gw;

	for (i = 0; a->quiet && i < a->n; i++) {
		h = &r->m.hosts[a->who[i]];
		gw = m_gw(a->who[i]);
		M_CHECK(!h->lease.there || !h->lease.tentative ||
				h->lease.ordered ||
				r->m.peer[gw] + 1 >= cfg->peer_gw ||
				m_net_sum(r->m.peer, gw) + REPORT_MAX >=
					cfg->peer_net,
			"host %u is proved, and tentative still", a->who[i]);
	}
}

static inline void
take_answer(struct run *r, const struct msg *m)
{
	struct asked a = r->asked[m->id];

	M_CHECK(a.cmd == m->cmd, "an answer to nothing");
	r->asked[m->id].cmd = 0;
	r->under_way--;
	if (a.ignored)
		return;
	switch (m->cmd) {
	case MSG_MC_GET_EA:
	case MSG_GET_EA:
		if (m->mode == MSG_ACK)
			m_told_ea(&r->m, a.who[0], m->cmd, m);
		else
			m_refused_ea(&r->m, a.who[0], m->cmd);
		break;
	case MSG_GET_REF:
		take_ref(r, a.who[0], m);
		break;
	case MSG_FEED_USED:
		if (m->mode == MSG_ACK)
			take_used(r, &a);
		break;
	case MSG_FEED_PROVED:
		if (m->mode == MSG_ACK)
			take_proved(r, &a);
		break;
	default:
		r->last = m->mode;
	}
}

static inline void
take_packet(struct run *r, const struct rig_packet *p)
{
	struct follower *f = NULL;
	struct msg_format fmt = r->m.rig.fmt;
	struct msg m;

	fmt.dialect = MSG_DIALECT_1;
	MUST(msg_decode(&m, &fmt, p->bytes, p->len) == MSG_OK);
	if (r->watch.c && p->client == r->watch.c->id)
		f = &r->watch;
	else if (r->guest.c && p->client == r->guest.c->id)
		f = &r->guest;
	if (!f)
		take_answer(r, &m);
	else if (m.cmd == MSG_FEED_START)
		follower_started(f, &m);
	else if (m.mode == MSG_DATA)
		follower_take(f, &m);
}

/* Blocks that were opened or closed: an ea that comes in after its quarantine
 * is the block's. */
static inline void
see_blocks(struct run *r)
{
	const struct change *stored = &r->m.rig.store.blocks;
	struct m_block *b;
	struct m_ea *e;
	size_t i;

	TABLE_FOREACH (&r->m.blocks, pos, b)
		free(b);
	table_fini(&r->m.blocks);
	m_table(&r->m.blocks, 0, sizeof(struct addr));
	for (i = 0; i < stored->n; i++) {
		b = calloc(1, sizeof(*b));
		b->first = stored->ops[i].data.addr;
		MUST(table_put(&r->m.blocks, b) == 0);
	}
	TABLE_FOREACH (&r->m.eas, pos, e) {
		struct memstore_gone g = {.key.addr = e->ea};

		if (e->state != EA_GONE || !m_in_block(&r->m, &e->ea) ||
			table_get(&r->m.rig.store.gone, &g.key))
			continue;
		m_check_reuse(&r->m, e);
		e->state = EA_RESTS;
		e->since = 0;
	}
}

static inline void
take_all(struct run *r)
{
	struct rig *rig = rig_of(r);
	size_t i;

	if (rig->store.blocks.n != r->m.blocks.n)
		see_blocks(r);
	for (i = 0; i < rig->n_out; i++)
		take_packet(r, &rig->out[i]);
	rig_clear(rig);
}

/* The store does at most n jobs; false: none waits. */
static inline bool
store_works(struct run *r, size_t n)
{
	struct memstore *ms = &r->m.rig.store;
	struct store_job *job = NULL;

	while (n-- && (job = TAILQ_FIRST(&ms->queue))) {
		TAILQ_REMOVE(&ms->queue, job, queue);
		ms->n_queued--;
		memstore_run(ms, job);
		ms->hooks.done(job, ms->hooks.arg);
		take_all(r);
	}
	take_all(r);
	return job != NULL;
}

static inline void
settle(struct run *r)
{
	while (store_works(r, SIZE_MAX))
		;
	M_CHECK(!r->under_way, "%u questions are not answered", r->under_way);
}

static inline void
tick(struct run *r)
{
	bool more;

	do {
		more = mapper_tick(rig_mapper(rig_of(r)));
		settle(r);
	} while (more);
}

/* --- questions -------------------------------------------------------------
 */

static inline struct asked *
ask_next(struct run *r, uint8_t cmd)
{
	struct asked *a;

	do
		a = &r->asked[++r->id];
	while (!r->id || a->cmd);
	*a = (struct asked){
		.cmd = cmd, .quiet = !r->under_way, .at = r->m.rig.now};
	r->under_way++;
	r->asked_in_all++;
	return a;
}

static inline void
send_recs(struct run *r, uint8_t cmd, const struct arec *recs, size_t n)
{
	struct msg m = {.mode = MSG_REQ,
		.cmd = cmd,
		.id = r->id,
		.arecs = recs,
		.n = n};

	rig_request(r->client, &m);
}

static inline void
ask_ea(struct run *r, uint8_t cmd, unsigned host, bool ignored)
{
	struct asked *a = ask_next(r, cmd);
	struct arec rec = m_host_arec(host);

	a->n = 1;
	a->who[0] = host;
	a->ignored = ignored;
	m_asked(&r->m, &r->m.hosts[host].lease);
	if (cmd == MSG_GET_EA)
		r->recent[r->n_recent++ % ARRAY_LEN(r->recent)] = host;
	send_recs(r, cmd, &rec, 1);
}

static inline void
ask_ref(struct run *r)
{
	struct asked *a = ask_next(r, MSG_GET_REF);
	unsigned ip = (unsigned)below(r, S_IPS);
	struct arec rec = {.ip = m_ip_addr(&r->m, ip)};

	a->n = 1;
	a->who[0] = ip;
	m_asked(&r->m, &r->m.ips[ip].lease);
	send_recs(r, MSG_GET_REF, &rec, 1);
}

static inline unsigned
recent_host(struct run *r)
{
	unsigned n = r->n_recent < ARRAY_LEN(r->recent)
			     ? r->n_recent
			     : (unsigned)ARRAY_LEN(r->recent);

	return n ? r->recent[below(r, n)] : 0;
}

/* FEED_USED or FEED_PROVED of some that are there. */
static inline void
report(struct run *r, uint8_t cmd)
{
	struct asked *a = ask_next(r, cmd);
	struct arec recs[REPORT_MAX];
	struct m_host *h;
	unsigned i, host;

	for (i = 0; i < REPORT_MAX; i++) {
		host = cmd == MSG_FEED_PROVED || i % 2
			       ? recent_host(r)
			       : (unsigned)below(r, M_HOSTS);
		h = &r->m.hosts[host];
		if (!h->lease.there)
			continue;
		recs[a->n] = m_host_arec(host);
		recs[a->n].ea = h->ea;
		a->who[a->n++] = host;
		m_asked(&r->m, &h->lease);
	}
	send_recs(r, cmd, recs, a->n);
}

/* An order that was carried out: the mapper has it no more, now. */
static inline void
forgotten(int err, size_t n, void *arg)
{
	struct run *r = arg;
	const struct entries *es = mapper_entries(rig_mapper(rig_of(r)));

	if (err)
		return;
	M_CHECK(n == 1 && !entries_by_ea(es, &r->forgetting),
		"an operator's order is done, and the mapping there");
	r->forgotten++;
}

static inline void
forget(struct run *r)
{
	struct m_host *h = &r->m.hosts[below(r, M_HOSTS)];

	if (!h->lease.there)
		return;
	h->lease.ordered = true;
	r->forgetting = h->ea;
	mapper_forget(rig_mapper(rig_of(r)), &h->ea, forgotten, r);
}

/* A packet: of anyone, or (as a flood would be) of the first network. */
static inline void
ask_packet(struct run *r)
{
	unsigned host = (unsigned)below(r, M_HOSTS);

	if (!r->loose && below(r, 2))
		host = host / M_GWS * M_GWS + host % M_GWS_NET;
	ask_ea(r, MSG_GET_EA, host, false);
}

static inline void
ask_something(struct run *r)
{
	unsigned host = (unsigned)below(r, M_HOSTS);

	if (r->loose && below(r, 2)) {
		ask_packet(r);
		report(r, MSG_FEED_PROVED);
		return;
	}
	switch (below(r, 40)) {
	case 0 ... 6:
		ask_packet(r);
		break;
	case 7:
		ask_ea(r, MSG_GET_EA, recent_host(r), false);
		break;
	case 8 ... 9:
		ask_ea(r, MSG_MC_GET_EA, recent_host(r), false);
		break;
	case 10 ... 14:
		ask_ref(r);
		break;
	case 15 ... 18:
		report(r, MSG_FEED_USED);
		break;
	case 19 ... 20:
		report(r, MSG_FEED_PROVED);
		break;
	default:
		ask_ea(r, MSG_MC_GET_EA, host, false);
	}
}

#include "model_run.h"

#endif
