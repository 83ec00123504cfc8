/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of tentative mappings share.
 *
 * At the end of each test what the allotment counts must be what the table of
 * entries holds: an ea that was given back twice, or not at all, shows there.
 */
#ifndef TESTS_UNIT_MAPPERD_TENTATIVE_H
#define TESTS_UNIT_MAPPERD_TENTATIVE_H

#include "rig.h"

#define MINUTE UINT64_C(60000)

static inline struct arec
remote(unsigned gw, uint64_t ref)
{
	struct arec rec = {
		.gw = addr_of("198.51.0.7"), .ref = ref_from_u64(ref)};

	rec.gw.b[2] = (uint8_t)gw;
	return rec;
}

static inline struct msg
ask(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};
	struct rig *r = c->rig;
	size_t i;

	rig_clear(r);
	rig_request(c, &m);
	rig_pump(r);
	/* Followers are told before. */
	for (i = 0; i + 1 < r->n_out; i++)
		ck_assert_uint_ne(r->out[i].client, c->id);
	return rig_out(c, i);
}

/* Sends a request and leaves what comes of it to the store. */
static inline void
send_one(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};

	rig_clear(c->rig);
	rig_request(c, &m);
}

/* A packet from there: the ea goes into rec. */
static inline void
packet(struct rig_client *c, struct arec *rec)
{
	struct msg m = ask(c, MSG_GET_EA, rec);

	ck_assert_int_eq(m.mode, MSG_ACK);
	ck_assert_uint_eq(m.mark.owner, OWNER_TENTATIVE);
	ck_assert_uint_eq(m.mark.mark, 0);
	rec->ea = msg_arec(&m, 0).ea;
}

static inline const struct entry *
entry_at(struct rig *r, const struct arec *rec)
{
	return entries_by_ea(mapper_entries(rig_mapper(r)), &rec->ea);
}

static inline size_t
count_owner(struct rig *r, uint32_t owner)
{
	const struct entry_owner *o =
		entries_owner(mapper_entries(rig_mapper(r)), owner);

	return o ? o->n : 0;
}

static inline void
check_sums(struct rig *r)
{
	const struct entry *e;
	struct allot_stats st;
	uint64_t dynamic = 0;

	TAILQ_FOREACH(e, &mapper_entries(rig_mapper(r))->all, all)
	dynamic += e->kind == ENTRY_REMOTE && e->owner == OWNER_MAPPER;
	mapper_allot_stats(rig_mapper(r), &st);
	ck_assert_uint_eq(st.tentative, count_owner(r, OWNER_TENTATIVE));
	ck_assert_uint_eq(st.taken, dynamic);
	ck_assert_uint_eq(st.blocks + st.blocks_held, r->store.blocks.n);
	ck_assert_ptr_null(r->fatal);
}

static inline void
end(struct rig *r)
{
	rig_pump(r);
	check_sums(r);
	rig_fini(r);
}

/* A minute and more in steps of the mapper's ticks. */
static inline void
pass(struct rig *r, uint64_t ms)
{
	uint64_t until = r->now + ms;

	while (r->now < until) {
		r->now += until - r->now < 250 ? until - r->now : 250;
		rig_clear(r);
		while (mapper_tick(rig_mapper(r)))
			;
		rig_pump(r);
	}
}

static inline struct rig_client *
begin(struct rig *r)
{
	rig_init(r, "10.240.0.0/12", "192.0.2.1");
	return rig_join(r, ROLE_ALL);
}

static inline void
follow(struct rig_client *c)
{
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_FEED_START,
		.id = 3,
		.profile = {prefix_of("10.240.0.0/12"), addr_of("192.0.2.1"),
			ref_from_u64(1)},
	};

	rig_request(c, &m);
	while (feed_pump(server_feed(c->rig->server)))
		;
	rig_clear(c->rig);
}

/* The i-th packet out: a change of one entry that the follower is told. */
static inline struct msg_entry
told(struct rig_client *c, size_t i, uint8_t cmd, uint64_t revision)
{
	struct msg m = rig_out(c, i);

	ck_assert_uint_eq(m.cmd, cmd);
	ck_assert_uint_eq(m.revision, revision);
	ck_assert_uint_eq(m.n, 1);
	return msg_entry(&m, 0);
}

static inline struct rig_client *
restart(struct rig *r)
{
	struct mapper_config cfg = rig_config(r, "10.240.0.0/12", "192.0.2.1");

	rig_clear(r);
	rig_restart(r, &cfg);
	return rig_join(r, ROLE_ALL);
}

static inline struct hosts_rec
line_for(const struct arec *rec)
{
	return (struct hosts_rec){
		.entry = {ENTRY_REMOTE, addr_of("10.240.8.8"),
			{rec->gw, rec->ref}, 1},
	};
}

#endif
