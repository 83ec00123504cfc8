/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes that are thought up while others are on their way to the disk, and
 * what is left of other days. */
#include "rig.h"
#include "tests/unit/run.h"

#define HOUR UINT64_C(3600000)

static struct arec
remote(const char *gw, uint64_t ref)
{
	return (struct arec){.gw = addr_of(gw), .ref = ref_from_u64(ref)};
}

/* Sends a request and leaves what comes of it to the store. */
static void
send_one(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};

	rig_request(c, &m);
}

static struct addr
get_ea(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};

	m = rig_ask(c, &m);
	ck_assert_int_eq(m.mode, MSG_ACK);
	return msg_arec(&m, 0).ea;
}

/* After a start the first report names what is in use. That its leases are on
 * their way must be enough: none of it may end before they are stored. */
START_TEST(test_report_on_its_way)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec rec = remote("198.51.100.7", 5);
	struct addr ea;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ea = get_ea(c, MSG_MC_GET_EA, &rec);
	r.now += 5 * HOUR;
	rig_restart(&r, &cfg);
	c = rig_join(&r, ROLE_ALL);
	rec.ea = ea;
	send_one(c, MSG_FEED_USED, &rec);
	mapper_tick(rig_mapper(&r));
	rig_pump(&r);
	mapper_tick(rig_mapper(&r));
	rig_pump(&r);
	ck_assert(mapper_stats(rig_mapper(&r))->expiring);
	ck_assert_ptr_nonnull(
		entries_by_ea(mapper_entries(rig_mapper(&r)), &ea));
	rig_fini(&r);
}
END_TEST

/* A lease ends while an operator's line for the same host is on its way, or the
 * other way round: the line serves, and what was allotted is gone once. */
START_TEST(test_ending_and_listed)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = remote("198.51.100.7", 5);
	struct hosts_rec line = {
		.entry = {ENTRY_REMOTE, addr_of("10.240.8.8"),
			{rec.gw, rec.ref}, 1},
	};
	struct allot_stats st;
	const struct entry *e;
	struct addr ea;
	int line_first;

	for (line_first = 0; line_first < 2; line_first++) {
		rig_init(&r, "10.240.0.0/12", "192.0.2.1");
		c = rig_join(&r, ROLE_ALL);
		get_ea(c, MSG_MC_GET_EA, &rec);
		r.now += 5 * HOUR;
		if (!line_first)
			mapper_tick(rig_mapper(&r));
		ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
		if (line_first)
			mapper_tick(rig_mapper(&r));
		ck_assert_uint_ge(r.store.n_queued, 2);
		rig_pump(&r);
		ck_assert_ptr_null(r.fatal);
		ea = get_ea(c, MSG_MC_GET_EA, &rec);
		ck_assert(addr_eq(&ea, &line.entry.addr));
		e = entries_by_ea(&r.store.entries, &ea);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(e->owner, OWNER_HOSTS);
		mapper_allot_stats(rig_mapper(&r), &st);
		ck_assert_uint_eq(st.taken, 0);
		ck_assert_uint_eq(st.gone, 1);
		rig_fini(&r);
	}
}
END_TEST

/* A tunnel of the other IP version: the old mappings end, and their eas are in
 * quarantine like others. */
START_TEST(test_other_tunnel)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct allot_stats st;
	struct arec rec = remote("198.51.100.7", 5);
	struct addr old, ea;
	unsigned i, n;

	rig_init(&r, "10.200.0.0/19", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	old = get_ea(c, MSG_MC_GET_EA, &rec);
	cfg = rig_config(&r, "10.200.0.0/19", "2001:db8::1");
	rig_restart(&r, &cfg);
	rig_pump(&r);
	r.fmt.tunnel_ver = 6;
	c = rig_join(&r, ROLE_ALL);
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.taken, 0);
	ck_assert_uint_eq(st.gone, 1);
	n = (unsigned)st.pool - 1;
	for (i = 0; i < n; i++) {
		rec = remote("2001:db8:7::7", 5 + i);
		ea = get_ea(c, MSG_MC_GET_EA, &rec);
		ck_assert(!addr_eq(&ea, &old));
	}
	rig_fini(&r);
}
END_TEST

static struct arec
batch_rec(void)
{
	return (struct arec){.ip = addr_of("192.168.7.1"),
		.gw = addr_of("192.0.2.1"),
		.ref = ref_from_u64(0x101)};
}

static uint64_t
hash_of_batch(void)
{
	struct arec rec = batch_rec();

	return msg_set_hash(&rec, 1);
}

static void
send_batch(struct rig_client *c, uint64_t hash)
{
	struct source so = {"int.test", "a"};
	struct arec rec = batch_rec();
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA,
		.id = 4,
		.count = 77,
		.hash = hash,
		.n = 1,
		.arecs = &rec};

	msg_set_source(&m, &so);
	rig_request(c, &m);
}

/* An agent leaves with the first batch of its next set on the way: that one is
 * dropped in its time, too. */
START_TEST(test_left_with_a_batch_on_its_way)
{
	static struct rig r;
	const struct host_source *s;
	struct rig_client *c;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	send_batch(c, 1);
	rig_pump(&r);
	s = mapper_sources(rig_mapper(&r))->sources[1];
	send_batch(c, 2);
	server_leave(r.server, c->id);
	rig_pump(&r);
	ck_assert(s->stage_open);
	ck_assert_uint_eq(s->stage_hash, 2);
	r.now += 30000;
	mapper_tick(rig_mapper(&r));
	rig_pump(&r);
	ck_assert(!s->stage_open);
	rig_fini(&r);
}
END_TEST

/* The settings of another day have no place for a source's host: its set is not
 * held any more, so that its agent sends it again when they are put right. */
START_TEST(test_source_that_does_not_fit)
{
	static struct rig r;
	static const char *const nets[] = {
		"10.240.0.0/12", "192.168.0.0/16", "10.240.0.0/12"};
	const struct host_source *s;
	struct rig_client *c;
	struct server *old;
	struct mapper_config cfg;
	struct store_hooks hooks;
	struct source so = {"int.test", "a"};
	struct op row = {.kind = OP_SOURCE, .source = &so};
	size_t i;

	rig_init(&r, nets[0], "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	send_batch(c, hash_of_batch());
	for (i = 0; i < ARRAY_LEN(nets); i++) {
		rig_pump(&r);
		ck_assert_ptr_null(r.fatal);
		s = mapper_sources(rig_mapper(&r))->sources[1];
		ck_assert_int_eq(s->held, i == 0);
		ck_assert_uint_eq(r.store.entries.n[ENTRY_LOCAL], i == 0);
		row.data.owner = s->id;
		row.held = s->held;
		row.hash = s->hash;
		row.count = s->count;
		if (i + 1 == ARRAY_LEN(nets))
			break;
		cfg = rig_config(&r, nets[i + 1], "192.0.2.1");
		old = r.server;
		server_stop(old);
		r.n_clients = 0;
		r.server = rig_server(&r, &cfg, 1024);
		hooks = mapper_store_hooks(rig_mapper(&r));
		ck_assert_int_eq(hooks.load(&row, hooks.arg), 0);
		memstore_restart(&r.store, &hooks);
		server_free(old);
		ck_assert_int_eq(server_start(r.server, &r.store.store), 0);
		ck_assert_int_eq(
			mapper_start(rig_mapper(&r), &r.store.store), 0);
	}
	c = rig_join(&r, ROLE_ALL);
	send_batch(c, hash_of_batch());
	rig_pump(&r);
	ck_assert(s->held);
	ck_assert_uint_eq(r.store.entries.n[ENTRY_LOCAL], 1);
	rig_fini(&r);
}
END_TEST

/* More than a set may have, of a set that is given up: the next one finds
 * room. */
START_TEST(test_room_for_the_next_set)
{
	static struct rig r;
	static struct arec recs[1024];
	const struct host_source *s;
	struct source so = {"int.test", "a"};
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA,
		.id = 4,
		.count = 77,
		.hash = 1,
		.arecs = recs,
		.n = ARRAY_LEN(recs)};
	struct rig_client *c;
	uint64_t n = 0;
	size_t i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	msg_set_source(&m, &so);
	do {
		for (i = 0; i < ARRAY_LEN(recs); i++)
			recs[i] = (struct arec){.ip = addr_of("192.168.7.1"),
				.gw = addr_of("192.0.2.1"),
				.ref = ref_from_u64(++n << 16 | 1)};
	} while (rig_ask(c, &m).mode == MSG_ACK);
	s = mapper_sources(rig_mapper(&r))->sources[1];
	ck_assert_uint_eq(s->stage.n, RECORDS_MAX);
	m.hash = 2;
	ck_assert_int_eq(rig_ask(c, &m).mode, MSG_ACK);
	ck_assert_uint_eq(s->stage.n, ARRAY_LEN(recs));
	ck_assert_ptr_null(r.fatal);
	rig_fini(&r);
}
END_TEST

/* A hosts file of more mappings than memory has room for behind the bounds is
 * not taken: it would be on the disk and not in memory. */
START_TEST(test_too_many_hosts)
{
	static struct rig r;
	struct hosts_rec *lines = calloc(RECORDS_MAX + 1, sizeof(*lines));

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	ck_assert_int_eq(
		mapper_hosts(rig_mapper(&r), lines, RECORDS_MAX + 1), -E2BIG);
	ck_assert_uint_eq(r.store.n_queued, 0);
	free(lines);
	rig_fini(&r);
}
END_TEST

/* What carries packets while the store can't write is in force still when it
 * can again; so is what was asked for by a name of our own. */
START_TEST(test_used_without_store)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = remote("198.51.100.7", 5), own = {0};
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_GET_REF,
		.id = 9,
		.arecs = &own,
		.n = 1};
	struct addr ea;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	rec.ea = ea = get_ea(c, MSG_MC_GET_EA, &rec);
	own.ip = addr_of("192.168.1.1");
	m = rig_ask(c, &m);
	own = remote("192.0.2.1", 0);
	own.ref = msg_arec(&m, 0).ref;
	r.now += 2 * HOUR;
	r.store.fail = -ENOSPC;
	send_one(c, MSG_FEED_USED, &rec);
	rig_pump(&r);
	get_ea(c, MSG_MC_GET_EA, &own);
	r.now += 3 * HOUR;
	r.store.fail = 0;
	mapper_tick(rig_mapper(&r));
	rig_pump(&r);
	ck_assert_ptr_nonnull(
		entries_by_ea(mapper_entries(rig_mapper(&r)), &ea));
	get_ea(c, MSG_MC_GET_EA, &own);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("races", test_report_on_its_way, test_ending_and_listed,
	test_other_tunnel, test_left_with_a_batch_on_its_way,
	test_source_that_does_not_fit, test_room_for_the_next_set,
	test_too_many_hosts, test_used_without_store)
