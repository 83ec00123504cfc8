/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed, seen by a follower: a copy and then changes always give what the
 * mapper has, from nothing, from a revision, and while changes go on. */
#include "tests/unit/run.h"
#include "view.h"

/* FEED_START; the ACK is out[0] afterwards. */
static struct msg
start(struct rig_client *c, const struct view *v, const char *net)
{
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_FEED_START,
		.id = 3,
		.store = v->store,
		.revision = v->revision,
		.profile = {prefix_of(net), addr_of("192.0.2.1"),
			ref_from_u64(1)},
	};

	rig_clear(c->rig);
	rig_request(c, &m);
	return rig_out(c, 0);
}

static void
ask_ea(struct rig_client *c, uint64_t ref)
{
	struct arec rec = {
		.gw = addr_of("203.0.113.9"), .ref = ref_from_u64(ref)};
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 9,
		.arecs = &rec,
		.n = 1};

	rig_request(c, &m);
}

static void
publish(struct rig_client *c, unsigned from, unsigned to)
{
	struct source so = {"int.test", "one.test"};
	struct arec recs[256];
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_MC_HOST_DATA, .id = 4};
	unsigned i;

	for (i = from; i < to; i++) {
		recs[i - from] = (struct arec){.ip = addr_of("192.168.7.0"),
			.gw = addr_of("192.0.2.1"),
			.ref = ref_from_u64(i + 1)};
		recs[i - from].ip.b[3] = (uint8_t)i;
	}
	m.n = to - from;
	m.hash = msg_set_hash(recs, m.n);
	m.count = 77;
	m.arecs = recs;
	msg_set_source(&m, &so);
	rig_request(c, &m);
	rig_pump(c->rig);
}

START_TEST(test_copy_then_changes)
{
	static struct rig r;
	struct rig_client *gwd, *res;
	struct view v;
	struct msg m;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	gwd = rig_join(&r, ROLE_ALL);
	res = rig_join(&r, ROLE_ALL);
	for (i = 1; i <= 700; i++)
		ask_ea(res, i);
	rig_pump(&r);
	publish(res, 0, 200);
	view_init(&v);
	m = start(gwd, &v, "10.240.0.0/12");
	ck_assert_int_eq(m.mode, MSG_ACK);
	ck_assert_uint_eq(m.count, 0);
	ck_assert_uint_eq(m.store, 7);
	ck_assert(r.feeding);
	/* The copy is under way: changes are sent in between. */
	ask_ea(res, 1000);
	rig_pump(&r);
	publish(res, 50, 150);
	while (feed_pump(server_feed(r.server)))
		;
	view_read(&v, gwd);
	ck_assert_uint_eq(v.ats, 1);
	view_check(&v, &r);
	rig_clear(&r);
	/* In force: each change as it happens, before its asker is answered. */
	ask_ea(res, 2000);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 2);
	ck_assert_uint_eq(r.out[0].client, gwd->id);
	ck_assert_uint_eq(r.out[1].client, res->id);
	view_read(&v, gwd);
	view_check(&v, &r);
	rig_clear(&r);
	publish(res, 0, 10);
	feed_beat(server_feed(r.server));
	view_read(&v, gwd);
	view_check(&v, &r);
	ck_assert_uint_eq(v.ats, 2);
	entries_fini(&v.entries);
	rig_fini(&r);
}
END_TEST

START_TEST(test_resume)
{
	static struct rig r;
	struct rig_client *gwd, *res;
	struct view v;
	struct msg m;
	unsigned i, round;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	res = rig_join(&r, ROLE_ALL);
	gwd = rig_join(&r, ROLE_ALL);
	view_init(&v);
	m = start(gwd, &v, "10.240.0.0/12");
	ck_assert_uint_eq(m.count, 0);
	view_read(&v, gwd);
	/* Away for few changes, and for more than are kept (1,024). */
	for (round = 0; round < 2; round++) {
		server_leave(r.server, gwd->id);
		rig_clear(&r);
		for (i = 0; i < (round ? 1100 : 100); i++) {
			ask_ea(res, 10000 * (round + 1) + i);
			rig_pump(&r);
			rig_clear(&r);
		}
		publish(res, 0, 40 + round);
		v.sets = v.dels = v.ats = 0;
		gwd = rig_join(&r, ROLE_ALL);
		m = start(gwd, &v, "10.240.0.0/12");
		ck_assert_uint_eq(m.count, round ? 0 : 1);
		view_started(&v, &m);
		while (feed_pump(server_feed(r.server)))
			;
		view_read(&v, gwd);
		ck_assert_uint_eq(v.ats, 1);
		view_check(&v, &r);
	}
	/* Nothing has changed: only FEED_AT. */
	server_leave(r.server, gwd->id);
	gwd = rig_join(&r, ROLE_ALL);
	m = start(gwd, &v, "10.240.0.0/12");
	ck_assert_uint_eq(m.count, 1);
	ck_assert_uint_eq(r.n_out, 2);
	/* Another store's number, or one of the future: a copy. */
	v.store ^= 1;
	ck_assert_uint_eq(start(gwd, &v, "10.240.0.0/12").count, 0);
	v.store ^= 1;
	v.revision++;
	ck_assert_uint_eq(start(gwd, &v, "10.240.0.0/12").count, 0);
	entries_fini(&v.entries);
	rig_fini(&r);
}
END_TEST

/* What happened to a follower's mappings while it was away: some are made, some
 * are withdrawn, some lead elsewhere; then the mapper is killed. */
static void
change_some(struct rig *r, struct rig_client *res)
{
	unsigned i;

	for (i = 0; i < 50; i++)
		ask_ea(res, 5000 + i);
	rig_pump(r);
	publish(res, 0, 30);
	publish(res, 10, 60);
	publish(res, 10, 50);
	/* Of this change nothing is left. */
	publish(res, 10, 51);
	publish(res, 10, 50);
	ask_ea(res, 6000);
	rig_pump(r);
}

/* The mapper is killed: a follower goes on from where it was, as long as the
 * removals since are remembered and there is room for all that has changed. */
START_TEST(test_resume_over_a_restart)
{
	static const struct {
		uint64_t oldest; /* above what the follower has */
		size_t ring;
		bool resumed;
	} rows[] = {
		{0, 1024, true},
		{1, 1024, false},
		{0, 200, true},
		{0, 100, false},
	};
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *gwd, *res;
	struct view v;
	struct msg m;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		rig_init(&r, "10.240.0.0/12", "192.0.2.1");
		cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
		res = rig_join(&r, ROLE_ALL);
		gwd = rig_join(&r, ROLE_ALL);
		ask_ea(res, 1);
		publish(res, 0, 40);
		view_init(&v);
		start(gwd, &v, "10.240.0.0/12");
		view_read(&v, gwd);
		server_leave(r.server, gwd->id);
		change_some(&r, res);
		rig_clear(&r);
		r.store.store.oldest = v.revision + rows[i].oldest;
		rig_restart_ring(&r, &cfg, rows[i].ring);
		gwd = rig_join(&r, ROLE_ALL);
		v.sets = v.dels = 0;
		m = start(gwd, &v, "10.240.0.0/12");
		ck_assert_uint_eq(m.count, rows[i].resumed);
		view_started(&v, &m);
		while (feed_pump(server_feed(r.server)))
			;
		view_read(&v, gwd);
		ck_assert(!rows[i].resumed || v.dels);
		view_check(&v, &r);
		entries_fini(&v.entries);
		rig_fini(&r);
	}
}
END_TEST

/* A follower that does not read: changes wait in what is kept, in order, and
 * nobody waits for it; tentative ones come with the number that it has. */
START_TEST(test_slow_follower)
{
	static struct rig r;
	struct rig_client *gwd, *res;
	struct arec rec = {
		.gw = addr_of("203.0.113.9"), .ref = ref_from_u64(99999)};
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_GET_EA,
		.id = 9,
		.arecs = &rec,
		.n = 1};
	struct view v;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	res = rig_join(&r, ROLE_ALL);
	gwd = rig_join(&r, ROLE_ALL);
	view_init(&v);
	start(gwd, &v, "10.240.0.0/12");
	ask_ea(res, 1);
	rig_pump(&r);
	view_read(&v, gwd);
	rig_clear(&r);
	r.feeding = false;
	gwd->queued = 1 << 20;
	for (i = 2; i < 500; i++)
		ask_ea(res, i);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 498); /* the resolver's answers */
	ck_assert(r.feeding);
	ck_assert(feed_pump(server_feed(r.server)));
	rig_request(res, &m);
	rig_pump(&r);
	feed_beat(server_feed(r.server));
	ck_assert_uint_eq(r.n_out, 500); /* it, and its answer */
	gwd->queued = 0;
	while (feed_pump(server_feed(r.server)))
		;
	view_read(&v, gwd);
	view_check(&v, &r);
	ck_assert_uint_eq(v.ats, 2);
	entries_fini(&v.entries);
	rig_fini(&r);
}
END_TEST

/* One that has fallen behind what is kept is told to start anew. */
START_TEST(test_too_slow)
{
	static struct rig r;
	struct rig_client *gwd, *res;
	struct view v;
	struct msg m;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	res = rig_join(&r, ROLE_ALL);
	gwd = rig_join(&r, ROLE_ALL);
	view_init(&v);
	start(gwd, &v, "10.240.0.0/12");
	gwd->queued = 1 << 20;
	for (i = 0; i < 1100; i++)
		ask_ea(res, i + 1);
	rig_clear(&r);
	rig_pump(&r);
	for (i = 0; i < r.n_out && r.out[i].client != gwd->id; i++)
		;
	m = rig_out(gwd, i);
	ck_assert_uint_eq(m.cmd, MSG_FEED_AT);
	ck_assert_uint_eq(m.store, 0);
	server_leave(r.server, gwd->id);
	gwd = rig_join(&r, ROLE_ALL);
	v.revision = v.store = 0;
	m = start(gwd, &v, "10.240.0.0/12");
	view_started(&v, &m);
	while (feed_pump(server_feed(r.server)))
		;
	view_read(&v, gwd);
	view_check(&v, &r);
	entries_fini(&v.entries);
	rig_fini(&r);
}
END_TEST

/* A change larger than what is sent at once comes in portions, and so does a
 * copy; in one step only so many, also for one that reads as fast as we send.
 */
START_TEST(test_large_change)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *gwd;
	struct hosts_rec *lines = calloc(10000, sizeof(*lines));
	struct view v;
	struct msg m;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	rig_restart_ring(&r, &cfg, 20000);
	gwd = rig_join(&r, ROLE_ALL);
	view_init(&v);
	m = start(gwd, &v, "10.240.0.0/12");
	view_started(&v, &m);
	view_read(&v, gwd);
	rig_clear(&r);
	for (i = 0; i < 10000; i++) {
		lines[i].entry = (struct host_entry){ENTRY_LOCAL,
			addr_of("192.168.0.0"),
			{addr_of("192.0.2.1"),
				ref_from_u64(UINT64_C(0x10000) * i | 1)},
			1};
		lines[i].entry.addr.b[2] = (uint8_t)(i >> 8);
		lines[i].entry.addr.b[3] = (uint8_t)i;
		lines[i].entry.key.gw = addr_zero(4);
	}
	gwd->queued = 1 << 20;
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), lines, 10000), 0);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 0);
	gwd->queued = 0;
	ck_assert(feed_pump(server_feed(r.server)));
	ck_assert_uint_le(r.n_out, 8192 / 256);
	ck_assert(!feed_pump(server_feed(r.server)));
	ck_assert_uint_ge(r.n_out, 10000 / 256);
	view_read(&v, gwd);
	view_check(&v, &r);
	ck_assert_uint_eq(v.entries.n[ENTRY_LOCAL], 10000);
	v.revision = v.store = 0;
	m = start(gwd, &v, "10.240.0.0/12");
	view_started(&v, &m);
	ck_assert(feed_pump(server_feed(r.server)));
	ck_assert_uint_le(r.n_out, 8192 / 256 + 2);
	ck_assert(!feed_pump(server_feed(r.server)));
	view_read(&v, gwd);
	view_check(&v, &r);
	free(lines);
	entries_fini(&v.entries);
	rig_fini(&r);
}
END_TEST

/* A follower that leaves, or starts anew, in the middle of its copy; entries
 * that go while the copy stands on them. */
START_TEST(test_broken_copies)
{
	static struct rig r;
	struct rig_client *gwd, *res;
	struct view v;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	res = rig_join(&r, ROLE_ALL);
	gwd = rig_join(&r, ROLE_ALL);
	publish(res, 0, 200);
	for (i = 1; i <= 600; i++)
		ask_ea(res, i);
	rig_pump(&r);
	view_init(&v);
	start(gwd, &v, "10.240.0.0/12");
	server_leave(r.server, gwd->id);
	gwd = rig_join(&r, ROLE_ALL);
	start(gwd, &v, "10.240.0.0/12");
	start(gwd, &v, "10.240.0.0/12");
	r.now += 5 * 3600000; /* all leases end */
	mapper_tick(rig_mapper(&r));
	rig_pump(&r);
	publish(res, 0, 0);
	while (feed_pump(server_feed(r.server)))
		;
	view_read(&v, gwd);
	view_check(&v, &r);
	ck_assert_uint_eq(v.entries.n[0] + v.entries.n[1], 0);
	entries_fini(&v.entries);
	rig_fini(&r);
}
END_TEST

START_TEST(test_profiles)
{
	static const struct {
		const char *net, *pub;
		unsigned ref;
		const char *nack;
	} rows[] = {
		{"10.240.0.0/12", "192.0.2.1", 1, NULL},
		{"10.224.0.0/12", "192.0.2.1", 1,
			"encode-net: mapper has 10.240.0.0/12, gateway "
			"10.224.0.0/12"},
		{"10.240.0.0/13", "192.0.2.1", 1,
			"encode-net: mapper has 10.240.0.0/12, gateway "
			"10.240.0.0/13"},
		{"10.240.0.0/12", "192.0.2.2", 1,
			"gateway-pub: mapper has 192.0.2.1, gateway 192.0.2.2"},
		{"10.240.0.0/12", "0.0.0.0", 1,
			"gateway-pub: mapper has 192.0.2.1, gateway 0.0.0.0"},
		{"10.240.0.0/12", "192.0.2.1", 2,
			"gateway-ref: mapper has 1, gateway 2"},
	};
	static struct rig r;
	struct rig_client *gwd;
	struct msg m, answer;
	size_t i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	gwd = rig_join(&r, ROLE_ALL);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		m = (struct msg){
			.mode = MSG_REQ,
			.cmd = MSG_FEED_START,
			.id = 3,
			.profile = {prefix_of(rows[i].net),
				addr_of(rows[i].pub),
				ref_from_u64(rows[i].ref)},
		};
		rig_clear(&r);
		rig_request(gwd, &m);
		answer = rig_out(gwd, 0);
		ck_assert_int_eq(
			answer.mode, rows[i].nack ? MSG_NACK : MSG_ACK);
		if (rows[i].nack) {
			ck_assert_uint_eq(answer.str.len, strlen(rows[i].nack));
			ck_assert(!memcmp(
				answer.str.p, rows[i].nack, answer.str.len));
		}
	}
	rig_fini(&r);
}
END_TEST

RUN_TESTS("feed", test_copy_then_changes, test_resume,
	test_resume_over_a_restart, test_slow_follower, test_too_slow,
	test_large_change, test_broken_copies, test_profiles)
