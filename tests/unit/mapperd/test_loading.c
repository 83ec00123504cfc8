/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mapper's start with stores that are not as they should be. */
#include "rig.h"
#include "tests/unit/run.h"

#define HOUR UINT64_C(3600000)

static struct arec
host_arec(unsigned host)
{
	struct arec rec = {
		.gw = addr_of("203.0.0.0"), .ref = ref_from_u64(host + 1)};

	rec.gw.b[2] = (uint8_t)(host % 50);
	rec.gw.b[3] = (uint8_t)(host % 7 + 1);
	return rec;
}

static struct msg
ask(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};

	return rig_ask(c, &m);
}

static struct entry *
only_entry(struct rig *r)
{
	return TAILQ_FIRST(&mapper_entries(rig_mapper(r))->all);
}

/* A file is damaged in the middle: nothing that came out of it is left when
 * another one is loaded. */
START_TEST(test_loaded_anew)
{
	static struct rig r;
	struct source so = {"int.test", "a"};
	struct arec rec = host_arec(1);
	struct op damaged[] = {
		{.kind = OP_SOURCE, .data.owner = 16, .source = &so},
		{.kind = OP_ADD,
			.data = {ENTRY_REMOTE, CAUSE_PEER, OWNER_MAPPER,
				addr_of("10.240.77.7"), {rec.gw, rec.ref}, 3, 1,
				1 << 30, NULL}},
		{.kind = OP_DEL,
			.data = {.addr = addr_of("10.240.77.8"),
				.key = {rec.gw, rec.ref},
				.born = 4}},
		{.kind = OP_GONE, .data.addr = addr_of("10.240.77.9")},
		{.kind = OP_BLOCK, .data.addr = addr_of("10.240.78.0")},
	};
	struct allot_stats st;
	struct rig_client *c;
	struct server *old;
	struct mapper_config cfg;
	struct store_hooks hooks;
	size_t i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	old = r.server;
	server_stop(old);
	r.server = rig_server(&r, &cfg, 1024);
	hooks = mapper_store_hooks(rig_mapper(&r));
	for (i = 0; i < ARRAY_LEN(damaged); i++)
		ck_assert_int_eq(hooks.load(&damaged[i], hooks.arg), 0);
	ck_assert_int_eq(hooks.reset(hooks.arg), 0);
	memstore_restart(&r.store, &hooks);
	server_free(old);
	ck_assert_uint_eq(mapper_removed(rig_mapper(&r))->n, 0);
	ck_assert_int_eq(server_start(r.server, &r.store.store), 0);
	ck_assert_int_eq(mapper_start(rig_mapper(&r), &r.store.store), 0);
	ck_assert_uint_eq(mapper_entries(rig_mapper(&r))->n[ENTRY_REMOTE], 1);
	ck_assert_uint_eq(only_entry(&r)->cause, CAUSE_RESOLVER);
	ck_assert_uint_eq(mapper_sources(rig_mapper(&r))->n, 1);
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.taken, 1);
	ck_assert_uint_eq(st.gone, 0);
	ck_assert_uint_eq(st.blocks_held, 0);
	rig_fini(&r);
}
END_TEST

/* It is not known which eas are in use: none is handed out for as long as the
 * shortest quarantine; what is known is served. */
START_TEST(test_suspect)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec known = host_arec(1), rec = host_arec(2);
	uint64_t since;

	rig_init(&r, "10.200.0.0/19", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &known).mode, MSG_ACK);
	cfg = rig_config(&r, "10.200.0.0/19", "192.0.2.1");
	r.store.store.suspect_at = since = r.now;
	r.now += HOUR;
	rig_restart(&r, &cfg);
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &known).mode, MSG_ACK);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_NACK);
	ck_assert_int_eq(ask(c, MSG_GET_EA, &rec).mode, MSG_NACK);
	r.now = since + cfg.allot.reuse_ms - 1;
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_NACK);
	r.now++;
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("loading", test_loaded_anew, test_suspect)
