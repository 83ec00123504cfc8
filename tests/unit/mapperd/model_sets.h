/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's sources and its hosts file: what each lists, and who keeps a
 * reference that two lead elsewhere. Of a key (context and reference) several
 * owners may want something; it leads where one of them wants it, and the one
 * who has it keeps it as long as he wants the same.
 */
#ifndef TESTS_UNIT_MAPPERD_MODEL_SETS_H
#define TESTS_UNIT_MAPPERD_MODEL_SETS_H

#include "model_feed.h"

enum {
	S_SOURCES = 3,
	S_HOSTS = S_SOURCES, /* the hosts file */
	S_OWNERS,
	S_KEYS = 40,
	S_OWN_KEYS = 30, /* the first ones are of our own context */
	S_IPS = 50,	 /* M_IPS: those behind are for lines that ask for a
			  * reference */
	S_LINES = 8,	 /* remote hosts that a line can list */
};

struct s_set {
	bool there;		     /* it is in force */
	int want[S_KEYS];	     /* ip, or -1 */
	unsigned long since[S_KEYS]; /* step */
};

struct s_kept {
	int owner; /* -1: nobody */
	int ip;
	uint64_t born;
	unsigned long at; /* step */
};

struct sets {
	struct s_set sets[S_OWNERS];
	struct s_kept kept[S_KEYS];
	struct ref allotted[M_IPS]; /* zero: none */
	struct hosts_rec lines[S_KEYS + S_LINES + M_IPS];
	size_t n_lines;
};

static inline void
sets_init(struct sets *s)
{
	size_t i, k;

	*s = (struct sets){0};
	for (k = 0; k < S_KEYS; k++) {
		s->kept[k].owner = -1;
		for (i = 0; i < S_OWNERS; i++)
			s->sets[i].want[k] = -1;
	}
}

static inline struct entry_key
s_key(const struct model *m, unsigned k)
{
	struct entry_key key = {
		.gw = addr_zero(m->cfg.rules.tunnel_ver),
		.ref = ref_from_u64((uint64_t)k << 16 | 5 << 8 | 1),
	};

	if (k >= S_OWN_KEYS)
		key.gw = addr_of("198.51.100.7");
	return key;
}

static inline struct source
s_source(unsigned owner)
{
	struct source so = {.local = "int.test"};

	snprintf(so.domain, sizeof(so.domain), "s%u.test", owner);
	return so;
}

/* A new set, much like the old one. */
static inline struct s_set
s_draw(struct model *m, const struct s_set *old)
{
	struct s_set s = *old;
	unsigned k;

	s.there = true;
	for (k = 0; k < S_KEYS; k++) {
		if (roll_below(&m->dice, 4))
			continue;
		s.want[k] = roll_below(&m->dice, 3)
				    ? (int)roll_below(&m->dice, S_IPS)
				    : -1;
	}
	if (!roll_below(&m->dice, 10))
		for (k = 0; k < S_KEYS; k++)
			s.want[k] = -1;
	return s;
}

/* It is in force now. */
static inline void
s_apply(struct sets *s, unsigned owner, const struct s_set *set)
{
	struct s_set *to = &s->sets[owner];
	unsigned k;

	for (k = 0; k < S_KEYS; k++) {
		if (to->want[k] != set->want[k])
			to->since[k] = m_step;
		to->want[k] = set->want[k];
	}
	to->there = set->there;
}

static inline size_t
s_records(const struct model *m, const struct s_set *set,
	struct arec recs[S_KEYS])
{
	size_t n = 0;
	unsigned k;

	for (k = 0; k < S_KEYS; k++) {
		if (set->want[k] < 0)
			continue;
		recs[n++] = (struct arec){
			.ip = m_ip_addr(m, (unsigned)set->want[k]),
			.gw = s_key(m, k).gw,
			.ref = s_key(m, k).ref,
		};
		/* Both ways of naming our own context. */
		if (k < S_OWN_KEYS && k % 2)
			recs[n - 1].gw = m->cfg.rules.pub;
	}
	return n;
}

static inline int
s_owner_of(struct model *m, uint32_t id)
{
	const struct host_source *s;
	struct source name;
	int i;

	if (id == OWNER_HOSTS)
		return S_HOSTS;
	s = hostset_by_id(mapper_sources(rig_mapper(&m->rig)), id);
	for (i = 0; s && i < S_SOURCES; i++) {
		name = s_source((unsigned)i);
		if (source_eq(&name, &s->name))
			return i;
	}
	return -1;
}

/* Where a key leads is what somebody wants, and has stayed so while he does. */
static inline void
s_check_key(struct model *m, struct sets *s, unsigned k)
{
	struct entry_key key = s_key(m, k);
	const struct entry *e =
		entries_local(mapper_entries(rig_mapper(&m->rig)), &key);
	struct s_kept *kept = &s->kept[k];
	const struct s_set *set;
	bool wanted = false;
	int i, owner, ip;

	for (i = 0; i < S_OWNERS; i++)
		wanted |= s->sets[i].want[k] >= 0;
	M_CHECK(wanted == !!e, "key %u is %s", k,
		e ? "there, nobody lists it" : "listed, not there");
	if (!e) {
		kept->owner = -1;
		return;
	}
	owner = s_owner_of(m, e->owner);
	ip = (int)m_ip_of(&e->addr);
	M_CHECK(owner >= 0 && s->sets[owner].want[k] == ip,
		"key %u leads to %d, owner %d wants %d", k, ip, owner,
		owner < 0 ? -1 : s->sets[owner].want[k]);
	set = kept->owner < 0 ? NULL : &s->sets[kept->owner];
	if (set && set->want[k] == kept->ip && set->since[k] < kept->at)
		M_CHECK(owner == kept->owner && ip == kept->ip &&
				e->born == kept->born,
			"key %u was owner %d's, is owner %d's", k, kept->owner,
			owner);
	*kept = (struct s_kept){owner, ip, e->born, m_step};
}

static inline void
s_check(struct model *m, struct sets *s)
{
	unsigned k;

	for (k = 0; k < S_KEYS; k++)
		s_check_key(m, s, k);
}

/* The published reference that packets of this host leave with: in force
 * longest, the lowest of equals; -1: none. As the follower sees it. */
static inline int
s_source_of(struct model *m, struct follower *f, unsigned ip)
{
	const struct m_seen *s;
	struct m_key key = {0};
	struct entry_key k;
	uint64_t born = UINT64_MAX;
	int best = -1, i;

	for (i = 0; i < S_OWN_KEYS; i++) {
		k = s_key(m, (unsigned)i);
		key.gw = k.gw;
		key.ref = k.ref;
		key.ea = addr_zero(m->cfg.rules.encode.addr.ver);
		s = table_get(&f->now, &key);
		if (!s || m_ip_of(&s->x.arec.ip) != ip || s->x.born >= born)
			continue;
		born = s->x.born;
		best = i;
	}
	return best;
}

#endif
