/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets from agents, message by message: when they come in force, what is
 * answered, what is written. */
#include "agent.h"
#include "tests/unit/run.h"

#define LIAR UINT64_C(0x123456789abcdef0)

START_TEST(test_whole_at_once)
{
	static struct rig r;
	struct rig_client *c;
	uint64_t hash = hash_of(1, 100), stored;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(batch(c, "a", hash_of(101, 5), 101, 5), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 5);
	for (i = 0; i < 9; i++) {
		ck_assert_int_eq(batch(c, "a", hash, 1 + i * 10, 10), MSG_ACK);
		ck_assert_uint_eq(in_force(&r), 5);
		ck_assert_int_eq(held(c, "a", hash, 100), MSG_NACK);
		ck_assert_int_eq(held(c, "a", hash_of(101, 5), 5), MSG_ACK);
	}
	stored = r.store.stored;
	ck_assert_int_eq(batch(c, "a", hash, 91, 10), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 100);
	/* The batch, and one change for all: the old set goes, this one comes.
	 */
	ck_assert_uint_eq(r.store.stored, stored + 2);
	ck_assert_int_eq(held(c, "a", hash, 100), MSG_ACK);
	ck_assert_int_eq(held(c, "a", hash, 99), MSG_NACK);
	ck_assert_int_eq(held(c, "a", hash_of(101, 5), 5), MSG_NACK);
	rig_fini(&r);
}
END_TEST

/* An agent that says the same again costs no write. */
START_TEST(test_the_same_again)
{
	static struct rig r;
	struct rig_client *c;
	uint64_t hash = hash_of(1, 20), stored;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	batch(c, "a", hash, 1, 20);
	stored = r.store.stored;
	ck_assert_int_eq(batch(c, "a", hash, 1, 20), MSG_ACK);
	ck_assert_int_eq(held(c, "a", hash, 20), MSG_ACK);
	ck_assert_int_eq(held(c, "a", hash, 20), MSG_ACK);
	ck_assert_uint_eq(r.store.stored, stored);
	ck_assert_int_eq(held(c, "none", MSG_EMPTY_SET_HASH, 0), MSG_ACK);
	stored = r.store.stored;
	ck_assert_int_eq(held(c, "none", MSG_EMPTY_SET_HASH, 0), MSG_ACK);
	ck_assert_uint_eq(r.store.stored, stored);
	rig_fini(&r);
}
END_TEST

/* Records that are there keep the revision that made them: who has been in
 * force longest chooses the source of packets. */
START_TEST(test_kept_ones_keep_their_age)
{
	static struct rig r;
	struct rig_client *c;
	struct entry_key key = {addr_zero(4), ref_from_u64(1)};
	const struct entry *e;
	uint64_t born;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	batch(c, "a", hash_of(1, 2), 1, 2);
	e = entries_local(mapper_entries(rig_mapper(&r)), &key);
	born = e->born;
	batch(c, "a", hash_of(1, 9), 1, 9);
	e = entries_local(mapper_entries(rig_mapper(&r)), &key);
	ck_assert_uint_eq(e->born, born);
	key.ref = ref_from_u64(9);
	e = entries_local(mapper_entries(rig_mapper(&r)), &key);
	ck_assert_uint_gt(e->born, born);
	rig_fini(&r);
}
END_TEST

/* A hash that never matches: taken when asked for with the right count. */
START_TEST(test_hash_never_matches)
{
	static struct rig r;
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(batch(c, "a", LIAR, 1, 10), MSG_ACK);
	ck_assert_int_eq(batch(c, "a", LIAR, 6, 10), MSG_ACK);
	pass_time(&r, 5000);
	ck_assert_uint_eq(in_force(&r), 0);
	ck_assert_int_eq(held(c, "a", LIAR, 20), MSG_NACK);
	ck_assert_int_eq(held(c, "a", LIAR + 1, 15), MSG_NACK);
	ck_assert_uint_eq(in_force(&r), 0);
	ck_assert_int_eq(held(c, "a", LIAR, 15), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 15);
	ck_assert_int_eq(held(c, "a", LIAR, 15), MSG_ACK);
	rig_fini(&r);
}
END_TEST

START_TEST(test_empty_both_ways)
{
	static struct rig r;
	struct rig_client *c;
	int way;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	for (way = 0; way < 2; way++) {
		batch(c, "a", hash_of(1, 20), 1, 20);
		ck_assert_uint_eq(in_force(&r), 20);
		/* Half of another set is there when the zone becomes empty. */
		batch(c, "a", hash_of(1, 40), 1, 30);
		if (way)
			ck_assert_int_eq(
				batch(c, "a", MSG_EMPTY_SET_HASH, 1, 0),
				MSG_ACK);
		ck_assert_int_eq(held(c, "a", MSG_EMPTY_SET_HASH, 0), MSG_ACK);
		ck_assert_uint_eq(in_force(&r), 0);
		ck_assert_int_eq(held(c, "a", hash_of(1, 20), 20), MSG_NACK);
	}
	rig_fini(&r);
}
END_TEST

/* An unfinished set: dropped half a minute after its agent has gone, and by
 * another one; not while the agent is there, or has come back. */
START_TEST(test_unfinished)
{
	static struct rig r;
	const struct host_source *s;
	struct rig_client *c;
	uint64_t hash = hash_of(1, 40);

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	batch(c, "a", hash, 1, 20);
	s = mapper_sources(rig_mapper(&r))->sources[1];
	pass_time(&r, 3600000);
	ck_assert_uint_eq(s->stage.n, 20);
	server_leave(r.server, c->id);
	pass_time(&r, 29000);
	c = rig_join(&r, ROLE_ALL);
	batch(c, "a", hash, 21, 10);
	pass_time(&r, 60000);
	ck_assert_uint_eq(s->stage.n, 30);
	batch(c, "a", hash_of(1, 41), 1, 5);
	ck_assert_uint_eq(s->stage.n, 5);
	server_leave(r.server, c->id);
	pass_time(&r, 29900);
	ck_assert_uint_eq(s->stage.n, 5);
	pass_time(&r, 200);
	ck_assert_uint_eq(s->stage.n, 0);
	ck_assert(!s->stage_open);
	rig_fini(&r);
}
END_TEST

/* What can't be stored is not acknowledged; the agent sends it again. */
START_TEST(test_store_fails)
{
	static struct rig r;
	struct rig_client *c;
	uint64_t hash = hash_of(1, 20);

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	r.store.fail = -ENOSPC;
	ck_assert_int_eq(batch(c, "a", hash, 1, 20), MSG_NACK);
	ck_assert_int_eq(held(c, "a", hash, 20), MSG_NACK);
	ck_assert_int_eq(held(c, "b", MSG_EMPTY_SET_HASH, 0), MSG_NACK);
	r.store.fail = 0;
	pass_time(&r, 2000);
	ck_assert_int_eq(batch(c, "a", hash, 1, 10), MSG_ACK);
	ck_assert_int_eq(batch(c, "a", hash, 11, 10), MSG_ACK);
	ck_assert_int_eq(held(c, "a", hash, 20), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 20);
	rig_fini(&r);
}
END_TEST

/* Batches and the question behind them, all before anything is stored, and more
 * records than are compared each time. */
START_TEST(test_without_waiting)
{
	static struct rig r;
	struct source so = {"int.test", "a"};
	static struct arec recs[5000];
	struct rig_client *c;
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_MC_HOST_DATA, .count = 7};
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	for (i = 0; i < ARRAY_LEN(recs); i++) {
		recs[i] = (struct arec){.ip = addr_of("192.168.0.0"),
			.gw = addr_of("192.0.2.1"),
			.ref = ref_from_u64((uint64_t)(i + 1) << 16 | 1)};
		recs[i].ip.b[2] = (uint8_t)(i >> 8);
		recs[i].ip.b[3] = (uint8_t)i;
	}
	m.hash = msg_set_hash(recs, ARRAY_LEN(recs));
	msg_set_source(&m, &so);
	for (i = 0; i < 100; i++) {
		m.id = (uint16_t)(i + 1);
		m.arecs = recs + i * 50;
		m.n = 50;
		rig_request(c, &m);
	}
	m.cmd = MSG_MC_HOST_DATA_HASH;
	m.id = 500;
	m.count = ARRAY_LEN(recs);
	m.n = 0;
	rig_request(c, &m);
	ck_assert_uint_eq(r.n_out, 0);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 101);
	for (i = 0; i < 101; i++)
		ck_assert_int_eq(rig_out(c, i).mode, MSG_ACK);
	ck_assert_uint_eq(rig_out(c, 100).id, 500);
	ck_assert_uint_eq(in_force(&r), ARRAY_LEN(recs));
	rig_fini(&r);
}
END_TEST

/* Several references of one host all serve. */
START_TEST(test_many_references)
{
	static struct rig r;
	const struct entry *e;
	struct arec recs[20];
	struct rig_client *c;
	unsigned i, n = 0;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	fill(recs, 1, 20);
	for (i = 0; i < 20; i++)
		recs[i].ip = addr_of("192.168.7.200");
	ck_assert_int_eq(
		batch_of(c, "a", msg_set_hash(recs, 20), recs, 20), MSG_ACK);
	for (i = 1; i <= 20; i++)
		ck_assert_uint_eq(leads_to(&r, i), 0x7c8);
	e = entries_by_ip(mapper_entries(rig_mapper(&r)), &recs[0].ip);
	for (; e; e = entry_next_ip(e))
		n++;
	ck_assert_uint_eq(n, 20);
	/* One record sent twice counts once; two that differ in the address
	 * alone are two records, of which one serves. */
	fill(recs, 1, 3);
	recs[2].ref = recs[1].ref;
	ck_assert_int_eq(batch_of(c, "a", LIAR, recs, 3), MSG_ACK);
	ck_assert_int_eq(batch_of(c, "a", LIAR, recs, 3), MSG_ACK);
	ck_assert_int_eq(held(c, "a", LIAR, 3), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 2);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("sets", test_many_references, test_whole_at_once, test_the_same_again,
	test_kept_ones_keep_their_age, test_hash_never_matches,
	test_empty_both_ways, test_unfinished, test_store_fails,
	test_without_waiting)
