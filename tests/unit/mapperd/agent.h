/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS agents say to a rig: batches and hashes of sets. */
#ifndef TESTS_UNIT_MAPPERD_AGENT_H
#define TESTS_UNIT_MAPPERD_AGENT_H

#include <stdio.h>

#include "rig.h"

/* n records from number `from` on, of 192.168.7.x under our own context. */
static inline void
fill(struct arec *recs, unsigned from, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		recs[i] = (struct arec){.ip = addr_of("192.168.7.0"),
			.gw = addr_of("192.0.2.1"),
			.ref = ref_from_u64(from + i)};
		recs[i].ip.b[3] = (uint8_t)(from + i);
	}
}

static inline uint64_t
hash_of(unsigned from, unsigned n)
{
	struct arec recs[256];

	fill(recs, from, n);
	return msg_set_hash(recs, n);
}

static inline struct source
source_of(const char *domain)
{
	struct source so = {.local = "int.test"};

	snprintf(so.domain, sizeof(so.domain), "%s", domain);
	return so;
}

/* A batch of the set announced as `hash`; the answer's mode. */
static inline enum msg_mode
batch_of(struct rig_client *c, const char *domain, uint64_t hash,
	const struct arec *recs, size_t n)
{
	struct source so = source_of(domain);
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA,
		.id = 4,
		.count = 77,
		.hash = hash,
		.n = n,
		.arecs = recs};

	msg_set_source(&m, &so);
	return rig_ask(c, &m).mode;
}

static inline enum msg_mode
batch(struct rig_client *c, const char *domain, uint64_t hash, unsigned from,
	unsigned n)
{
	struct arec recs[256];

	fill(recs, from, n);
	return batch_of(c, domain, hash, recs, n);
}

/* A whole set in one batch, of hosts in 192.168.NET.x; the answer's mode. */
static inline enum msg_mode
publish(struct rig_client *c, const char *domain, uint8_t net, unsigned from,
	unsigned n)
{
	struct arec recs[256];
	unsigned i;

	fill(recs, from, n);
	for (i = 0; i < n; i++)
		recs[i].ip.b[2] = net;
	return batch_of(c, domain, msg_set_hash(recs, n), recs, n);
}

static inline enum msg_mode
held(struct rig_client *c, const char *domain, uint64_t hash, unsigned count)
{
	struct source so = source_of(domain);
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA_HASH,
		.id = 5,
		.count = count,
		.hash = hash};

	msg_set_source(&m, &so);
	return rig_ask(c, &m).mode;
}

static inline size_t
in_force(struct rig *r)
{
	return mapper_entries(rig_mapper(r))->n[ENTRY_LOCAL];
}

static inline void
pass_time(struct rig *r, uint64_t ms)
{
	r->now += ms;
	mapper_tick(rig_mapper(r));
	rig_pump(r);
	rig_clear(r);
}

/* What stands behind our own context and this reference: the last two bytes of
 * the ip, or 0. */
static inline unsigned
leads_to(struct rig *r, uint64_t ref)
{
	struct entry_key key = {addr_zero(4), ref_from_u64(ref)};
	const struct entry *e =
		entries_local(mapper_entries(rig_mapper(r)), &key);

	return e ? (unsigned)e->addr.b[2] << 8 | e->addr.b[3] : 0;
}

static inline struct host_source *
source_in(struct rig *r, const char *domain)
{
	struct source so = source_of(domain);

	return hostset_by_name(mapper_sources(rig_mapper(r)), &so);
}

#endif
