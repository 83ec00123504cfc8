/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain model of what a mapper may do, written from the specification and
 * not from the mapper: what clients were told, what followers saw, and whether
 * that can be. Time is the rig's. It decides nothing itself; each step of the
 * mapper is observed and checked against the promises.
 *
 * A remote host is a number (its reference less one, its gateway follows from
 * it), a host of ours a number too.
 */
#ifndef TESTS_UNIT_MAPPERD_MODEL_H
#define TESTS_UNIT_MAPPERD_MODEL_H

#include <stdio.h>

#include "rig.h"

#define HOUR UINT64_C(3600000)

enum {
	M_HOSTS = 6000, /* remote; more than a small pool has addresses */
	M_GWS = 40,	/* behind so many gateways, */
	M_GWS_NET = 4,	/* so many in a /24 */
	M_IPS = 60,	/* hosts of ours */
};

/* A lease, as it was promised. */
struct m_lease {
	bool there;	/* followers have it */
	bool tentative; /* not promised beyond the mapper's life */
	bool ordered;	/* an operator ends it, or a line comes in its place */
	bool asked;	/* somebody asked for it: it may be there */
	uint64_t min;	/* it holds so long at least, */
	uint64_t kept;	/* also after a restart, */
	uint64_t max;	/* and no longer */
};

struct m_host {
	struct m_lease lease;
	struct addr ea;	    /* while there */
	struct addr listed; /* by a line of the hosts file; version 0: none */
	enum entry_cause cause;
};

struct m_ip {
	struct m_lease lease;
	struct ref ref;
};

enum m_state {
	EA_FREE,
	EA_HELD,
	EA_GONE,
	EA_TENTATIVE,
	EA_RESTS
};

/* An ea that was given to anyone once. */
struct m_ea {
	struct addr ea; /* the key */
	enum m_state state;
	enum entry_cause cause; /* while held or gone */
	unsigned host;
	uint64_t since;	       /* gone or resting */
	unsigned answer_host;  /* a resolver was told that it leads there, */
	uint64_t answer_until; /* which may be believed so long */
};

/* A reference that was given to anyone once. */
struct m_ref {
	struct ref ref; /* the key */
	unsigned ip;
};

struct m_block {
	struct addr first; /* the key */
};

struct model {
	struct rig rig;
	struct mapper_config cfg;
	struct dice dice;
	struct m_host hosts[M_HOSTS];
	struct m_ip ips[M_IPS];
	struct table eas, refs, blocks; /* m_ea, m_ref, m_block; owned */
	unsigned resolver[M_GWS];	/* mappings by cause and gateway */
	unsigned peer[M_GWS], tentative[M_GWS];
	uint64_t started;
	bool reported;
	bool quiet; /* nothing was under way when this step began */
	unsigned long acks, nacks, ends, reused, kills, failures, resumed,
		copies, promoted, held;
};

/* Every message of a failed check names the operation. */
extern unsigned long m_step;
#define M_CHECK(cond, ...)                                                     \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "step %lu: ", m_step);                 \
			fprintf(stderr, __VA_ARGS__);                          \
			fprintf(stderr, "\n");                                 \
			ck_abort_msg("%s", #cond);                             \
		}                                                              \
	} while (0)

/* Its order, and so the whole run, depends on the seed alone. */
static inline void
m_table(struct table *t, size_t key_off, size_t key_len)
{
	table_init(t, key_off, key_len, 1 << 24);
	t->seed[0] = t->seed[1] = 4711;
}

static inline unsigned
m_gw(unsigned host)
{
	return host % M_GWS;
}

static inline struct arec
m_host_arec(unsigned host)
{
	struct arec rec = {
		.gw = addr_of("203.0.0.0"), .ref = ref_from_u64(host + 1)};

	rec.gw.b[2] = (uint8_t)(m_gw(host) / M_GWS_NET);
	rec.gw.b[3] = (uint8_t)(m_gw(host) % M_GWS_NET + 1);
	return rec;
}

/* The host that a record names. */
static inline unsigned
m_host_of(const struct arec *rec)
{
	unsigned n = (unsigned)rec->ref.b[14] << 8 | rec->ref.b[15];
	struct arec want = m_host_arec(n - 1);

	M_CHECK(n && n <= M_HOSTS && addr_eq(&want.gw, &rec->gw) &&
			ref_eq(&want.ref, &rec->ref),
		"a mapping that nobody can have asked for");
	return n - 1;
}

static inline struct addr
m_ip_addr(const struct model *m, unsigned ip)
{
	struct addr a = m->cfg.rules.encode.addr.ver == 4
				? addr_of("192.168.1.0")
				: addr_of("2001:db8:1::");

	a.b[addr_len(a.ver) - 1] = (uint8_t)(ip + 1);
	return a;
}

static inline unsigned
m_ip_of(const struct addr *a)
{
	return a->b[addr_len(a->ver) - 1] - 1U;
}

static inline struct m_ea *
m_ea(struct model *m, const struct addr *ea)
{
	struct m_ea *e = table_get(&m->eas, ea);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	e->ea = *ea;
	MUST(table_put(&m->eas, e) == 0);
	return e;
}

static inline struct addr
m_block_first(const struct addr *ea)
{
	struct addr first = *ea;

	first.b[addr_len(ea->ver) - 1] = 0;
	return first;
}

static inline bool
m_in_block(const struct model *m, const struct addr *ea)
{
	struct addr first = m_block_first(ea);

	return table_get(&m->blocks, &first);
}

static inline uint64_t
m_age(const struct model *m, const struct m_ea *e)
{
	return m->rig.now > e->since ? m->rig.now - e->since : 0;
}

/* How many eas a block has in the pool: the network's and the gateway's own are
 * in none. */
static inline unsigned
m_block_size(const struct model *m, const struct addr *first)
{
	struct addr ones = prefix_host(&m->cfg.rules.encode, UINT64_MAX);
	struct addr last = m_block_first(&ones);

	return addr_eq(first, &last) ? BLOCK_SIZE - 1 : BLOCK_SIZE;
}

/* Whether an ea can be had that was never given away, or has rested and is
 * nobody's; those of blocks are for tentative mappings. */
static inline bool
m_virgin_left(const struct model *m)
{
	uint64_t used = 0;
	const struct m_block *b;
	const struct m_ea *e;
	struct allot_stats st;

	mapper_allot_stats(rig_mapper((struct rig *)&m->rig), &st);
	TABLE_FOREACH (&m->blocks, pos, b)
		used += m_block_size(m, &b->first);
	TABLE_FOREACH (&m->eas, pos, e)
		if (e->state != EA_FREE && !m_in_block(m, &e->ea))
			used += e->state != EA_RESTS ||
				m_age(m, e) <
					m->cfg.allot.tentative_quarantine_ms;
	return used < st.pool;
}

/* How many eas peers may have; UINT64_MAX: as many as they like. */
static inline uint64_t
m_share(const struct model *m)
{
	struct allot_stats st;

	mapper_allot_stats(rig_mapper((struct rig *)&m->rig), &st);
	return st.pool == UINT64_MAX
		       ? st.pool
		       : st.pool * m->cfg.allot.peer_percent / 100;
}

/* How many they have: what they caused, in use or gone, and whole blocks. */
static inline uint64_t
m_of_peers(const struct model *m)
{
	const struct m_block *b;
	const struct m_ea *e;
	uint64_t n = 0;

	TABLE_FOREACH (&m->blocks, pos, b)
		n += m_block_size(m, &b->first);
	TABLE_FOREACH (&m->eas, pos, e) {
		if (e->state != EA_HELD && e->state != EA_GONE)
			continue;
		n -= m_in_block(m, &e->ea);
		n += e->cause == CAUSE_PEER;
	}
	return n;
}

/* The time since when the ea gone longest is; UINT64_MAX: none. */
static inline uint64_t
m_gone_longest(const struct model *m)
{
	uint64_t since = UINT64_MAX;
	const struct m_ea *e;

	TABLE_FOREACH (&m->eas, pos, e)
		if (e->state == EA_GONE && e->since < since &&
			!m_in_block(m, &e->ea))
			since = e->since;
	return since;
}

/* --- what followers see ---------------------------------------------------
 */

/* An ea that was gone is another's: only after its quarantine, or when nothing
 * else is left; the longest gone first. Removals come to be known some time
 * after they were decided: SLACK. */
#define SLACK 60000

static inline void
m_check_reuse(struct model *m, const struct m_ea *e)
{
	uint64_t age = m_age(m, e) + SLACK;

	m->reused++;
	M_CHECK(age >= m->cfg.allot.reuse_ms,
		"an ea handed out again after %llu s",
		(unsigned long long)age / 1000);
	if (!m->quiet || roll_below(&m->dice, 16))
		return; /* the rest takes a look at all of them */
	if (age < m->cfg.allot.quarantine_ms)
		M_CHECK(!m_virgin_left(m), "others were left");
	if (!m_in_block(m, &e->ea) &&
		m->cfg.rules.encode.len + POOL_BITS_MAX >= 32)
		M_CHECK(e->since <= m_gone_longest(m) + SLACK,
			"not the one gone longest");
}

/* This ea was given to this host. */
static inline void
m_given(struct model *m, unsigned host, const struct addr *ea, bool tentative)
{
	struct addr ones = prefix_host(&m->cfg.rules.encode, UINT64_MAX);
	struct m_host *h = &m->hosts[host];
	struct m_ea *e = m_ea(m, ea);

	M_CHECK(prefix_has(&m->cfg.rules.encode, ea) &&
			addr_second_byte(ea) >= 16 && !addr_eq(ea, &ones) &&
			!addr_eq(ea, &m->cfg.own_local),
		"an ea that must not be given away");
	M_CHECK(!h->lease.there, "host %u has two eas", host);
	M_CHECK(h->lease.asked, "nobody asked for host %u", host);
	M_CHECK(e->state != EA_HELD && e->state != EA_TENTATIVE,
		"an ea of host %u given to host %u", e->host, host);
	if (e->state == EA_GONE)
		m_check_reuse(m, e);
	if (e->state == EA_RESTS)
		M_CHECK(m_age(m, e) + SLACK >=
				m->cfg.allot.tentative_quarantine_ms,
			"a tentative ea handed out again after %llu s",
			(unsigned long long)m_age(m, e) / 1000);
	M_CHECK(e->answer_host == host || e->answer_until <= m->rig.now,
		"host %u gets an ea that resolvers tell for host %u", host,
		e->answer_host);
	if (tentative)
		M_CHECK(m_in_block(m, ea), "a tentative ea of no block");
	e->host = host;
	e->state = tentative ? EA_TENTATIVE : EA_HELD;
	h->lease.there = true;
	h->lease.tentative = tentative;
	h->lease.ordered = false;
	h->lease.min = h->lease.kept = 0;
	h->lease.max = m->rig.now + m->cfg.lease_ms;
	h->ea = *ea;
}

static inline unsigned
m_net_sum(const unsigned count[M_GWS], unsigned gw)
{
	unsigned first = gw - gw % M_GWS_NET, i, sum = 0;

	for (i = first; i < first + M_GWS_NET; i++)
		sum += count[i];
	return sum;
}

/* Its count by cause, from what is stored of it. */
static inline void
m_count(struct model *m, unsigned host, int step)
{
	struct m_host *h = &m->hosts[host];
	const struct allot_config *a = &m->cfg.allot;
	unsigned gw = m_gw(host);

	if (h->lease.tentative) {
		m->tentative[gw] += (unsigned)step;
		M_CHECK(m->tentative[gw] <= a->tentative_gw &&
				m_net_sum(m->tentative, gw) <= a->tentative_net,
			"more tentative mappings than the quota");
	} else if (h->cause == CAUSE_PEER) {
		m->peer[gw] += (unsigned)step;
		M_CHECK(m->peer[gw] <= a->peer_gw &&
				m_net_sum(m->peer, gw) <= a->peer_net,
			"more mappings of peers than the quota");
	} else {
		m->resolver[gw] += (unsigned)step;
		M_CHECK(m->resolver[gw] <= a->resolver_gw,
			"more mappings of resolvers than the quota");
	}
}

/* A dynamic entry is durable before followers see it. */
static inline enum entry_cause
m_stored_cause(struct model *m, unsigned host, const struct addr *ea)
{
	struct arec rec = m_host_arec(host);
	struct entry_key key = {rec.gw, rec.ref};
	const struct entry *e = entries_remote(&m->rig.store.entries, &key);

	M_CHECK(e && addr_eq(&e->addr, ea) && e->owner == OWNER_MAPPER,
		"followers know of host %u, the store does not", host);
	return (enum entry_cause)e->cause;
}

static inline void
m_saw_remote(struct model *m, const struct msg_entry *x)
{
	unsigned host = m_host_of(&x->arec);
	struct m_host *h = &m->hosts[host];
	bool tentative = x->flags & MSG_ENTRY_TENTATIVE;

	if (x->flags & MSG_ENTRY_LISTED) {
		M_CHECK(!h->lease.there || h->lease.tentative,
			"host %u is listed and has an ea besides", host);
		h->listed = x->arec.ea;
		return;
	}
	if (h->lease.there && addr_eq(&h->ea, &x->arec.ea)) {
		if (tentative || !h->lease.tentative)
			return; /* as it was: a full copy */
		m_count(m, host, -1);
		h->lease.tentative = false;
		h->lease.min = h->lease.kept = 0;
		h->lease.max = m->rig.now + m->cfg.lease_ms;
		m_ea(m, &h->ea)->state = EA_HELD;
		m->promoted++;
	} else {
		m_given(m, host, &x->arec.ea, tentative);
	}
	if (!tentative)
		h->cause = m_stored_cause(m, host, &h->ea);
	m_ea(m, &h->ea)->cause = tentative ? CAUSE_TENTATIVE : h->cause;
	m_count(m, host, 1);
}

/* The mapping has ended: it may have. */
static inline void
m_check_end(const struct model *m, const struct m_lease *l, const char *what,
	unsigned n)
{
	M_CHECK(l->ordered || l->min <= m->rig.now,
		"%s %u falls short of its lease by %llu s", what, n,
		(unsigned long long)(l->min - m->rig.now) / 1000);
	M_CHECK(l->ordered || m->reported ||
			m->rig.now >= m->started + m->cfg.hold_ms,
		"%s %u ends too soon after the start", what, n);
}

/* A mapping's ea is nobody's from now on. */
static inline void
m_gone(struct model *m, unsigned host)
{
	struct m_host *h = &m->hosts[host];
	struct m_ea *e = m_ea(m, &h->ea);

	m_count(m, host, -1);
	e->state = h->lease.tentative ? EA_RESTS : EA_GONE;
	e->since = m->rig.now;
	h->lease = (struct m_lease){.asked = h->lease.asked};
	m->ends++;
}

static inline void
m_saw_remote_end(struct model *m, const struct arec *rec)
{
	unsigned host = m_host_of(rec);
	struct m_host *h = &m->hosts[host];

	if (h->listed.ver && addr_eq(&h->listed, &rec->ea)) {
		h->listed = (struct addr){0};
		return;
	}
	if (!h->lease.there || !addr_eq(&h->ea, &rec->ea))
		return; /* it came and went while we were away */
	m_check_end(m, &h->lease, "host", host);
	m_gone(m, host);
}

static inline void
m_saw_local(struct model *m, const struct msg_entry *x)
{
	unsigned ip = m_ip_of(&x->arec.ip);
	struct m_ip *l = &m->ips[ip];
	struct m_ref *r;

	if (x->flags & MSG_ENTRY_LISTED)
		return; /* model_sets.h */
	if (l->lease.there && ref_eq(&l->ref, &x->arec.ref))
		return;
	M_CHECK(!l->lease.there, "host of ours %u has two references", ip);
	M_CHECK(ref_second_byte(&x->arec.ref) >= 16 &&
			addr_is_zero(&x->arec.gw),
		"a reference that must not be given away");
	r = calloc(1, sizeof(*r));
	r->ref = x->arec.ref;
	r->ip = ip;
	M_CHECK(table_put(&m->refs, r) == 0, "a reference given twice");
	l->lease = (struct m_lease){
		.there = true, .max = m->rig.now + m->cfg.lease_ms};
	l->ref = x->arec.ref;
}

static inline void
m_saw_local_end(struct model *m, const struct arec *rec)
{
	struct m_ref *r = table_get(&m->refs, &rec->ref);
	struct m_ip *l = r ? &m->ips[r->ip] : NULL;

	if (!l || !l->lease.there || !ref_eq(&l->ref, &rec->ref))
		return;
	m_check_end(m, &l->lease, "reference of", r->ip);
	l->lease = (struct m_lease){0};
	m->ends++;
}

#endif
