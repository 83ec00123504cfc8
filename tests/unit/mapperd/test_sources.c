/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources as a whole: silent ones, conflicts between them, their removal, their
 * bound, and what a start finds of them. */
#include "agent.h"
#include "tests/unit/run.h"

#define LIAR   UINT64_C(0x123456789abcdef0) /* no set's hash */
#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)

/* What an order has come to. */
struct outcome {
	unsigned calls;
	int err;
	size_t n;
};

static void
on_done(int err, size_t n, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->err = err;
	o->n = n;
}

static struct outcome
removal(struct rig *r, const char *domain)
{
	struct source so = source_of(domain);
	struct outcome o = {0};

	mapper_source_remove(rig_mapper(r), &so, on_done, &o);
	rig_pump(r);
	ck_assert_uint_eq(o.calls, 1);
	return o;
}

static bool
silent(struct rig *r, const char *domain)
{
	return hostset_silent(source_in(r, domain), r->now);
}

START_TEST(test_silent)
{
	static struct rig r;
	struct rig_client *c;
	uint64_t hash = hash_of(1, 20);
	int i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	batch(c, "a", hash, 1, 20);
	/* Its interval is not known yet. */
	pass_time(&r, 2 * HOUR + 59 * MINUTE);
	ck_assert(!silent(&r, "a"));
	pass_time(&r, MINUTE);
	ck_assert(silent(&r, "a"));
	ck_assert(source_in(&r, "a")->silent);
	ck_assert_uint_eq(in_force(&r), 20);
	/* Heard of again; many times, so that the long pause is forgotten. */
	for (i = 0; i < 20; i++) {
		held(c, "a", hash, 20);
		ck_assert(!source_in(&r, "a")->silent);
		ck_assert(!silent(&r, "a"));
		pass_time(&r, 10 * MINUTE);
	}
	ck_assert(!silent(&r, "a"));
	pass_time(&r, 19 * MINUTE);
	ck_assert(!silent(&r, "a"));
	pass_time(&r, 2 * MINUTE);
	ck_assert(silent(&r, "a"));
	/* It serves on. */
	ck_assert_uint_eq(in_force(&r), 20);
	ck_assert_int_eq(held(c, "a", hash, 20), MSG_ACK);
	rig_fini(&r);
}
END_TEST

/* What two announcements are apart; the batches of one round say nothing. */
START_TEST(test_intervals)
{
	struct host_source s = {0};
	uint64_t now = 5000;
	int i;

	for (i = 0; i < 100; i++)
		hostset_hear(&s, now += 250);
	ck_assert_uint_eq(s.interval, 0);
	hostset_hear(&s, now += MINUTE);
	ck_assert_uint_eq(s.interval, MINUTE);
	/* A short interval: five minutes of silence at least. */
	ck_assert(!hostset_silent(&s, now + 299999));
	ck_assert(hostset_silent(&s, now + 300000));
	/* A longer one counts at once, also when it differs each time. */
	hostset_hear(&s, now += HOUR);
	ck_assert_uint_eq(s.interval, HOUR);
	for (i = 0; i < 50; i++) {
		hostset_hear(&s, now += i % 2 ? HOUR : 2 * MINUTE);
		ck_assert_uint_ge(s.interval, HOUR / 4 * 3);
		ck_assert(!hostset_silent(&s, now + 2 * HOUR));
	}
	/* A week off is no interval. */
	hostset_hear(&s, now += 7 * 24 * HOUR);
	ck_assert_uint_eq(s.interval, 24 * HOUR);
	for (i = 0; i < 30; i++)
		hostset_hear(&s, now += MINUTE);
	ck_assert_uint_lt(s.interval, 2 * MINUTE);
}
END_TEST

START_TEST(test_conflicts)
{
	static struct rig r;
	const struct entries *es;
	struct host_source *s;
	struct host_conflict k;
	struct rig_client *c;
	size_t i, waiting = 0;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	es = mapper_entries(rig_mapper(&r));
	c = rig_join(&r, ROLE_ALL);
	publish(c, "first", 1, 1, 10);
	publish(c, "same", 1, 6, 10);
	publish(c, "other", 2, 9, 4); /* 9 and 10 of first, 11 and 12 of same */
	ck_assert_uint_eq(leads_to(&r, 9), 0x109);
	ck_assert_uint_eq(leads_to(&r, 12), 0x10c);
	ck_assert_uint_eq(source_in(&r, "same")->n_waits, 5);
	ck_assert_uint_eq(source_in(&r, "same")->conflicts, 0);
	s = source_in(&r, "other");
	ck_assert_uint_eq(s->conflicts, 4);
	for (i = 0; i < s->n_slots; i++) {
		if (!hostset_conflict(s, es, i, &k))
			continue;
		ck_assert_ptr_eq(entries_local(es, k.key), k.holder);
		ck_assert_uint_eq(k.wanted->b[2], 2);
		ck_assert_uint_eq(k.holder->addr.b[2], 1);
		waiting++;
	}
	ck_assert_uint_eq(waiting, 4);
	ck_assert(!hostset_conflict(s, es, s->n_slots, &k));
	/* The first one goes: who waited comes, the oldest source before. */
	publish(c, "first", 1, 1, 1);
	ck_assert_uint_eq(leads_to(&r, 9), 0x109);
	ck_assert_uint_eq(entries_owner(es, source_in(&r, "same")->id)->n, 10);
	ck_assert_uint_eq(source_in(&r, "other")->conflicts, 4);
	held(c, "same", MSG_EMPTY_SET_HASH, 0);
	ck_assert_uint_eq(leads_to(&r, 9), 0x209);
	ck_assert_uint_eq(source_in(&r, "other")->conflicts, 0);
	ck_assert_uint_eq(source_in(&r, "other")->n_waits, 0);
	rig_fini(&r);
}
END_TEST

static void
hosts_line(struct rig *r, const char *ip, uint64_t ref)
{
	struct hosts_rec line = {
		.entry = {.kind = ENTRY_LOCAL,
			.key = {addr_zero(4), ref_from_u64(ref)},
			.line = 1}};

	if (ip)
		line.entry.addr = addr_of(ip);
	ck_assert_int_eq(mapper_hosts(rig_mapper(r), &line, ip ? 1 : 0), 0);
	rig_pump(r);
}

/* The hosts file is an owner like any other: who was first keeps the reference,
 * the other gets it when the first one withdraws. */
START_TEST(test_hosts_file_conflicts)
{
	static struct rig r;
	struct host_source *hosts;
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	hosts = hostset_by_id(mapper_sources(rig_mapper(&r)), OWNER_HOSTS);
	hosts_line(&r, "192.168.9.9", 5);
	publish(c, "a", 1, 1, 10);
	ck_assert_uint_eq(leads_to(&r, 5), 0x909);
	ck_assert_uint_eq(source_in(&r, "a")->conflicts, 1);
	hosts_line(&r, NULL, 0);
	ck_assert_uint_eq(leads_to(&r, 5), 0x105);
	ck_assert_uint_eq(source_in(&r, "a")->conflicts, 0);
	/* The other way round. */
	hosts_line(&r, "192.168.9.9", 5);
	ck_assert_uint_eq(leads_to(&r, 5), 0x105);
	ck_assert_uint_eq(hosts->conflicts, 1);
	ck_assert_int_eq(removal(&r, "a").err, 0);
	ck_assert_uint_eq(leads_to(&r, 5), 0x909);
	ck_assert_uint_eq(hosts->conflicts, 0);
	ck_assert_uint_eq(in_force(&r), 1);
	/* The hosts file is no source that could be removed. */
	mapper_source_remove(
		rig_mapper(&r), &hosts->name, on_done, &(struct outcome){0});
	rig_pump(&r);
	ck_assert_uint_eq(in_force(&r), 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_removed)
{
	static struct rig r;
	struct outcome o;
	struct rig_client *c;
	uint64_t stored;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	publish(c, "a", 1, 1, 10);
	publish(c, "b", 2, 6, 10);
	batch(c, "a", hash_of(1, 99), 1, 50); /* of a set that never ends */
	o = removal(&r, "nobody");
	ck_assert_int_eq(o.err, -ENOENT);
	stored = r.store.stored;
	o = removal(&r, "a");
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 10);
	/* In one change: no packet meets the time between. */
	ck_assert_uint_eq(r.store.stored, stored + 1);
	ck_assert_uint_eq(in_force(&r), 10);
	ck_assert_uint_eq(leads_to(&r, 1), 0);
	ck_assert_uint_eq(leads_to(&r, 6), 0x206);
	ck_assert_uint_eq(leads_to(&r, 15), 0x20f);
	ck_assert_ptr_null(source_in(&r, "a"));
	ck_assert_uint_eq(mapper_sources(rig_mapper(&r))->n_waits, 0);
	ck_assert_int_eq(removal(&r, "a").err, -ENOENT);
	/* Its agent is there still and makes it anew, behind the others. */
	ck_assert_int_eq(held(c, "a", hash_of(1, 10), 10), MSG_NACK);
	ck_assert_int_eq(publish(c, "a", 1, 1, 10), MSG_ACK);
	ck_assert_uint_eq(leads_to(&r, 5), 0x105);
	ck_assert_uint_eq(leads_to(&r, 6), 0x206);
	ck_assert_uint_eq(source_in(&r, "a")->n_waits, 5);
	/* What waits goes with it, too. */
	ck_assert_int_eq(removal(&r, "a").err, 0);
	ck_assert_int_eq(removal(&r, "b").err, 0);
	ck_assert_uint_eq(in_force(&r), 0);
	rig_fini(&r);
}
END_TEST

/* Not while a set is on its way; what comes while the removal is, waits for it
 * or is sent again. */
START_TEST(test_removed_meanwhile)
{
	static struct rig r;
	struct source so = source_of("a");
	struct arec recs[5];
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA,
		.id = 5,
		.count = 7,
		.hash = hash_of(1, 5),
		.arecs = recs,
		.n = 5};
	struct outcome o = {0};
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	fill(recs, 1, 5);
	msg_set_source(&m, &so);
	rig_request(c, &m);
	ck_assert_int_eq(removal(&r, "a").err, -EBUSY);
	ck_assert_uint_eq(in_force(&r), 5);
	rig_clear(&r);

	mapper_source_remove(rig_mapper(&r), &so, on_done, &o);
	ck_assert_uint_eq(o.calls, 0);
	m.hash = hash_of(1, 4);
	m.n = 4;
	rig_request(c, &m);
	m.cmd = MSG_MC_HOST_DATA_HASH;
	m.hash = hash_of(1, 5);
	m.count = 5;
	m.n = 0;
	rig_request(c, &m);
	rig_pump(&r);
	ck_assert_uint_eq(o.calls, 1);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(r.n_out, 2);
	ck_assert_int_eq(rig_out(c, 0).mode, MSG_NACK);
	ck_assert_int_eq(rig_out(c, 1).mode, MSG_NACK);
	ck_assert_uint_eq(in_force(&r), 0);
	ck_assert_ptr_null(source_in(&r, "a"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_removal_not_stored)
{
	static struct rig r;
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	publish(c, "a", 1, 1, 10);
	r.store.fail = -ENOSPC;
	ck_assert_int_eq(removal(&r, "a").err, -ENOSPC);
	ck_assert_uint_eq(in_force(&r), 10);
	r.store.fail = 0;
	ck_assert_int_eq(publish(c, "a", 1, 1, 12), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 12);
	ck_assert_int_eq(removal(&r, "a").err, 0);
	ck_assert_uint_eq(in_force(&r), 0);
	rig_fini(&r);
}
END_TEST

/* More sources than the bound: refused, until one that has nothing is silent
 * long enough to give its place away; one with hosts never does. */
START_TEST(test_bound)
{
	static struct rig r;
	struct rig_client *c;
	char name[32];
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	publish(c, "hosts", 1, 1, 3);
	for (i = 2; i < SOURCES_MAX; i++) {
		snprintf(name, sizeof(name), "empty%u", i);
		ck_assert_int_eq(held(c, name, MSG_EMPTY_SET_HASH, 0), MSG_ACK);
	}
	ck_assert_int_eq(publish(c, "late", 2, 9, 1), MSG_NACK);
	pass_time(&r, 4 * HOUR);
	held(c, "empty2", MSG_EMPTY_SET_HASH, 0);
	ck_assert_int_eq(publish(c, "late", 2, 9, 1), MSG_NACK);
	ck_assert_int_eq(publish(c, "late", 2, 9, 1), MSG_ACK);
	ck_assert_uint_eq(leads_to(&r, 1), 0x101);
	ck_assert_uint_eq(leads_to(&r, 9), 0x209);
	ck_assert_ptr_nonnull(source_in(&r, "empty2"));
	ck_assert_ptr_null(source_in(&r, "empty3"));
	rig_fini(&r);
}
END_TEST

static void
restart(struct rig *r, struct rig_client **c, const char *net)
{
	struct mapper_config cfg = rig_config(r, net, "192.0.2.1");

	rig_restart(r, &cfg);
	*c = rig_join(r, ROLE_ALL);
}

/* Sets, halves of sets and what waits are there after a start; a source that is
 * never heard of again serves on, and is said to be silent. */
START_TEST(test_started_again)
{
	static struct rig r;
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	publish(c, "a", 7, 1, 10);
	publish(c, "b", 2, 6, 10);
	batch(c, "c", hash_of(100, 20), 100, 10);
	restart(&r, &c, "10.240.0.0/12");
	ck_assert_uint_eq(in_force(&r), 15);
	ck_assert_uint_eq(source_in(&r, "b")->n_waits, 5);
	ck_assert_uint_eq(source_in(&r, "b")->conflicts, 5);
	ck_assert_int_eq(held(c, "a", hash_of(1, 10), 10), MSG_ACK);
	ck_assert_int_eq(batch(c, "c", hash_of(100, 20), 110, 10), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 35);
	pass_time(&r, 1);
	pass_time(&r, 3 * HOUR - 1);
	ck_assert(!source_in(&r, "b")->silent);
	pass_time(&r, 1);
	ck_assert(source_in(&r, "b")->silent);
	ck_assert_uint_eq(source_in(&r, "b")->heard, 0);
	ck_assert_int_eq(removal(&r, "a").err, 0);
	ck_assert_uint_eq(leads_to(&r, 6), 0x206);
	/* It is gone for good. */
	restart(&r, &c, "10.240.0.0/12");
	ck_assert_ptr_null(source_in(&r, "a"));
	ck_assert_uint_eq(in_force(&r), 30);
	ck_assert_uint_eq(source_in(&r, "b")->n_waits, 0);
	rig_fini(&r);
}
END_TEST

/* The encoding network was wrong, so hosts were refused: once it is right the
 * set is asked for again, and then held. */
START_TEST(test_refused_for_settings)
{
	static struct rig r;
	struct rig_client *c;
	uint64_t hash = hash_of(1, 10);

	rig_init(&r, "192.168.0.0/16", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(batch(c, "a", hash, 1, 10), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 0);
	ck_assert_int_eq(held(c, "a", hash, 10), MSG_ACK);
	restart(&r, &c, "10.240.0.0/12");
	ck_assert_int_eq(held(c, "a", hash, 10), MSG_NACK);
	ck_assert_int_eq(batch(c, "a", hash, 1, 10), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 10);
	restart(&r, &c, "10.240.0.0/12");
	ck_assert_int_eq(held(c, "a", hash, 10), MSG_ACK);
	/* And the other way round: what no longer fits goes, and comes again
	 * when it does. */
	restart(&r, &c, "192.168.0.0/16");
	rig_pump(&r);
	ck_assert_uint_eq(in_force(&r), 0);
	restart(&r, &c, "10.240.0.0/12");
	ck_assert_int_eq(held(c, "a", hash, 10), MSG_NACK);
	rig_fini(&r);
}
END_TEST

/* The first change that waits can't be stored. */
static void
fail_first(struct rig *r)
{
	struct store_job *job = TAILQ_FIRST(&r->store.queue);

	TAILQ_REMOVE(&r->store.queue, job, queue);
	r->store.n_queued--;
	job->err = -ENOSPC;
	r->store.hooks.done(job, r->store.hooks.arg);
}

/* A source's first set can't be stored, but the batch behind it: it is not lost
 * by a start. */
START_TEST(test_first_set_not_stored)
{
	static struct rig r;
	struct source so = source_of("a");
	struct arec recs[5];
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA_HASH,
		.id = 5,
		.hash = MSG_EMPTY_SET_HASH};
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	fill(recs, 1, 5);
	msg_set_source(&m, &so);
	rig_request(c, &m);
	m.cmd = MSG_MC_HOST_DATA;
	m.count = 7;
	m.hash = hash_of(1, 10);
	m.arecs = recs;
	m.n = 5;
	rig_request(c, &m);
	ck_assert_uint_eq(r.store.n_queued, 2);
	fail_first(&r);
	ck_assert_uint_eq(memstore_pump(&r.store), 1);
	ck_assert_int_eq(rig_out(c, r.n_out - 1).mode, MSG_ACK);
	restart(&r, &c, "10.240.0.0/12");
	ck_assert_ptr_nonnull(source_in(&r, "a"));
	ck_assert_int_eq(batch(c, "a", hash_of(1, 10), 6, 5), MSG_ACK);
	ck_assert_uint_eq(in_force(&r), 10);
	rig_fini(&r);
}
END_TEST

/* More is stored than the settings of today have room for: all of it is
 * served. */
START_TEST(test_less_room)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	for (i = 0; i < 10; i++)
		publish(c, "a", 1, 1, 200 + i);
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	cfg.max_entries = 100;
	rig_restart(&r, &cfg);
	c = rig_join(&r, ROLE_ALL);
	ck_assert_uint_eq(in_force(&r), 209);
	publish(c, "a", 2, 1, 210);
	ck_assert_uint_eq(in_force(&r), 209);
	ck_assert_uint_eq(leads_to(&r, 1), 0x101);
	/* Its own hosts give their places to those of its next set. */
	publish(c, "a", 2, 1, 100);
	ck_assert_uint_eq(in_force(&r), 100);
	publish(c, "a", 3, 1, 100);
	ck_assert_uint_eq(leads_to(&r, 1), 0x301);
	publish(c, "b", 3, 201, 1);
	ck_assert_uint_eq(in_force(&r), 100);
	rig_fini(&r);
}
END_TEST

/* What agents can make us remember besides: records that wait, halves of
 * sets. */
START_TEST(test_less_room_aside)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;

	memset(&r, 0, sizeof(r));
	r.dice.state = 4711;
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	cfg.max_entries = 100;
	rig_start(&r, &cfg, 1024);
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(publish(c, "a", 1, 1, 40), MSG_ACK);
	ck_assert_int_eq(publish(c, "b", 2, 1, 40), MSG_ACK);
	ck_assert_uint_eq(source_in(&r, "b")->n_waits, 40);
	publish(c, "c", 3, 1, 40);
	ck_assert_uint_eq(source_in(&r, "c")->n_waits, 0);
	/* The 40 of c are collected still. */
	ck_assert_int_eq(batch(c, "d", LIAR, 1, 60), MSG_ACK);
	ck_assert_int_eq(batch(c, "d", LIAR, 101, 1), MSG_NACK);
	held(c, "c", MSG_EMPTY_SET_HASH, 0);
	ck_assert_int_eq(batch(c, "d", LIAR, 101, 1), MSG_ACK);
	rig_fini(&r);
}
END_TEST

/* A set that can't be put in force is tried again by itself. */
START_TEST(test_tried_again)
{
	static struct rig r;
	struct hosts_rec line = {.entry = {ENTRY_LOCAL, addr_of("192.168.9.9"),
					 {addr_zero(4), ref_from_u64(77)}, 1}};
	struct source so = source_of("a");
	struct arec recs[5];
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA,
		.id = 5,
		.count = 7,
		.hash = hash_of(1, 5),
		.arecs = recs,
		.n = 5};
	struct store_job *job;
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	fill(recs, 1, 5);
	msg_set_source(&m, &so);
	rig_request(c, &m);
	/* The batch is stored, the set that it completes is not. */
	job = TAILQ_FIRST(&r.store.queue);
	TAILQ_REMOVE(&r.store.queue, job, queue);
	r.store.n_queued--;
	memstore_run(&r.store, job);
	r.store.fail = -ENOSPC;
	r.store.hooks.done(job, r.store.hooks.arg);
	rig_pump(&r);
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
	pass_time(&r, 5000);
	pass_time(&r, 5000);
	ck_assert_uint_eq(in_force(&r), 0);
	/* At most one change a second while it fails. */
	pass_time(&r, 10);
	ck_assert_uint_eq(r.store.n_queued, 0);
	r.store.fail = 0;
	pass_time(&r, 1000);
	pass_time(&r, 1000);
	ck_assert_uint_eq(in_force(&r), 6);
	ck_assert_int_eq(held(c, "a", hash_of(1, 5), 5), MSG_ACK);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("sources", test_silent, test_intervals, test_conflicts,
	test_hosts_file_conflicts, test_removed, test_removed_meanwhile,
	test_removal_not_stored, test_bound, test_started_again,
	test_refused_for_settings, test_first_set_not_stored, test_less_room,
	test_less_room_aside, test_tried_again)
