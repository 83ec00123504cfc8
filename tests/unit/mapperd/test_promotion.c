/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tentative mappings that are proved, asked for by a resolver, listed by an
 * operator or forgotten, in any order. */
#include "tentative.h"
#include "tests/unit/run.h"

/* Promotions that wait for a disk, more than end in one step: they hold up
 * neither the loop nor the end of others. */
START_TEST(test_disk_waits)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec recs[1200], other = remote(9, 1);
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_FEED_PROVED, .arecs = recs};
	unsigned i, steps = 0;

	for (i = 0; i < ARRAY_LEN(recs); i++) {
		recs[i] = remote(i % 8, 2 + i);
		packet(c, &recs[i]);
	}
	packet(c, &other);
	for (i = 0; i < 2; i++) {
		m.id = (uint16_t)(1 + i);
		m.n = ARRAY_LEN(recs) / 2;
		m.arecs = recs + i * m.n;
		rig_request(c, &m);
	}
	send_one(c, MSG_GET_EA, &other); /* it comes behind them */
	ck_assert_uint_eq(r.store.n_queued, 2);
	r.now += 3 * MINUTE;
	while (steps < 100 && mapper_tick(rig_mapper(&r)))
		steps++;
	ck_assert_uint_lt(steps, 100);
	ck_assert_ptr_null(entry_at(&r, &other));
	rig_pump(&r);
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 0);
	ck_assert_uint_eq(count_owner(&r, OWNER_MAPPER), ARRAY_LEN(recs));
	end(&r);
}
END_TEST

/* A resolver asks for a tentative one: it gets the same ea, once it is durable;
 * who asks meanwhile waits with it, packets do not. */
START_TEST(test_asked_for)
{
	static struct rig r;
	struct rig_client *c = begin(&r), *gwd = rig_join(&r, ROLE_ALL);
	struct arec rec = remote(1, 5), rec2;
	const struct entry *e;
	struct msg_entry x;
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 7,
		.str = {"h.one.test.", 11},
		.arecs = &rec2,
		.n = 1};

	packet(c, &rec);
	follow(gwd);
	rec2 = remote(1, 5);
	rig_request(c, &m);
	send_one(c, MSG_MC_GET_EA, &rec2);
	ck_assert_uint_eq(r.store.n_queued, 1);
	ck_assert_uint_eq(r.n_out, 0);
	r.now += 5 * MINUTE;
	mapper_tick(rig_mapper(&r)); /* it does not end now */
	send_one(c, MSG_GET_EA, &rec2);
	ck_assert_uint_eq(r.n_out, 1);
	m = rig_out(c, 0);
	ck_assert_uint_eq(m.mark.owner, OWNER_TENTATIVE);
	rig_clear(&r);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 3);
	x = told(gwd, 0, MSG_FEED_SET, 1);
	ck_assert_uint_eq(x.flags, 0);
	ck_assert_uint_eq(x.born, 1);
	m = rig_out(c, 1);
	ck_assert_uint_eq(m.id, 7);
	rec2.ea = msg_arec(&m, 0).ea;
	ck_assert(addr_eq(&rec2.ea, &rec.ea));
	e = entries_by_ea(&r.store.entries, &rec.ea);
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(e->owner, OWNER_MAPPER);
	ck_assert_uint_eq(e->cause, CAUSE_RESOLVER);
	e = entry_at(&r, &rec);
	ck_assert_str_eq(e->name, "h.one.test.");
	ck_assert_uint_eq(
		e->expires, e->made_s * UINT64_C(1000) + 240 * MINUTE);
	pass(&r, 10 * MINUTE);
	ck_assert_ptr_nonnull(entry_at(&r, &rec));
	ck_assert_uint_eq(mapper_stats(rig_mapper(&r))->promoted, 1);
	end(&r);
}
END_TEST

/* What has been proved becomes an ordinary mapping of its peer's; what is not
 * known, or has another reference, is passed over. */
START_TEST(test_proved)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec recs[5];
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_FEED_PROVED,
		.id = 7,
		.arecs = recs,
		.n = ARRAY_LEN(recs)};
	const struct entry *e;
	unsigned i;

	for (i = 0; i < 4; i++) {
		recs[i] = remote(1, i + 1);
		packet(c, &recs[i]);
	}
	recs[2].ref = ref_from_u64(77);
	recs[4] = remote(1, 9);
	recs[4].ea = addr_of("10.250.77.77");
	rig_clear(&r);
	rig_request(c, &m);
	rig_request(c, &m); /* again, before the first is stored */
	ck_assert_uint_eq(r.n_out, 0);
	ck_assert_uint_eq(r.store.n_queued, 1);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 2);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(rig_out(c, i).mode, MSG_ACK);
	ck_assert_uint_eq(mapper_stats(rig_mapper(&r))->promoted, 3);
	ck_assert_uint_eq(mapper_revision(rig_mapper(&r)), 1);
	for (i = 0; i < 4; i++) {
		e = entries_by_ea(&r.store.entries, &recs[i].ea);
		ck_assert_int_eq(e != NULL, i != 2);
		if (e)
			ck_assert_uint_eq(e->cause, CAUSE_PEER);
	}
	rig_clear(&r);
	rig_request(c, &m); /* and when all is done */
	ck_assert_uint_eq(r.n_out, 1);
	ck_assert_int_eq(rig_out(c, 0).mode, MSG_ACK);
	end(&r);
}
END_TEST

/* The quota of promoted ones is full: they stay as they are. */
START_TEST(test_promotions_refused)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec recs[8];
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_FEED_PROVED,
		.id = 7,
		.arecs = recs,
		.n = ARRAY_LEN(recs)};
	struct allot_stats st;
	unsigned i;

	begin(&r);
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	cfg.allot.peer_gw = 3;
	cfg.allot.resolver_gw = 1;
	rig_restart(&r, &cfg);
	c = rig_join(&r, ROLE_ALL);
	for (i = 0; i < 8; i++) {
		recs[i] = remote(1, i + 1);
		packet(c, &recs[i]);
	}
	ck_assert_int_eq(rig_ask(c, &m).mode, MSG_ACK);
	ck_assert_uint_eq(mapper_stats(rig_mapper(&r))->promotions_refused, 5);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &recs[3]).mode, MSG_ACK);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &recs[4]).mode, MSG_NACK);
	ck_assert_uint_eq(count_owner(&r, OWNER_MAPPER), 4);
	pass(&r, 3 * MINUTE);
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 0);
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.tentative_gone, 4);
	end(&r);
}
END_TEST

/* An operator's line for a host that has a tentative ea, in all orders with a
 * packet, a proof and a resolver's question: the line serves in the end. */
START_TEST(test_listed)
{
	enum {
		PACKET,
		PROOF,
		QUESTION,
		NOTHING
	};
	static struct rig r;
	struct rig_client *c, *gwd;
	struct arec rec;
	struct hosts_rec line;
	unsigned before, after;
	struct msg m;

	for (before = PACKET; before <= NOTHING; before++)
		for (after = PACKET; after <= NOTHING; after++) {
			static const uint8_t cmds[] = {
				MSG_GET_EA, MSG_FEED_PROVED, MSG_MC_GET_EA};

			c = begin(&r);
			gwd = rig_join(&r, ROLE_ALL);
			follow(gwd);
			rec = remote(1, 5);
			line = line_for(&rec);
			if (before != NOTHING || after == PROOF)
				packet(c, &rec);
			if (before == PROOF || before == QUESTION)
				send_one(c, cmds[before], &rec);
			ck_assert_int_eq(
				mapper_hosts(rig_mapper(&r), &line, 1), 0);
			if (after != NOTHING)
				send_one(c, cmds[after], &rec);
			rig_pump(&r);
			pass(&r, 1000);
			m = ask(c, MSG_MC_GET_EA, &rec);
			rec = msg_arec(&m, 0);
			ck_assert(addr_eq(&rec.ea, &line.entry.addr));
			ck_assert_uint_eq(count_owner(&r, OWNER_HOSTS), 1);
			ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 0);
			ck_assert_uint_eq(count_owner(&r, OWNER_MAPPER), 0);
			ck_assert_uint_eq(r.store.entries.n[ENTRY_REMOTE], 1);
			end(&r);
		}
}
END_TEST

/* What is listed while its promotion is on its way counts against no quota any
 * more. */
START_TEST(test_quota_given_back)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec rec = remote(1, 5), other = remote(1, 6);
	struct hosts_rec line = line_for(&rec);

	begin(&r);
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	cfg.allot.peer_gw = 1;
	rig_restart(&r, &cfg);
	c = rig_join(&r, ROLE_ALL);
	packet(c, &rec);
	packet(c, &other);
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
	send_one(c, MSG_FEED_PROVED, &rec);
	rig_pump(&r);
	ck_assert_uint_eq(count_owner(&r, OWNER_MAPPER), 0);
	ck_assert_int_eq(ask(c, MSG_FEED_PROVED, &other).mode, MSG_ACK);
	ck_assert_uint_eq(count_owner(&r, OWNER_MAPPER), 1);
	end(&r);
}
END_TEST

struct outcome {
	int err;
	size_t n;
	unsigned calls;
};

static void
on_done(int err, size_t n, void *arg)
{
	struct outcome *o = arg;

	*o = (struct outcome){err, n, o->calls + 1};
}

static struct outcome
forget(struct rig *r, const struct addr *addr)
{
	struct outcome o = {0};

	mapper_forget(rig_mapper(r), addr, on_done, &o);
	rig_pump(r);
	ck_assert_uint_eq(o.calls, 1);
	return o;
}

/* What operators forget: tentative ones at once, dynamic ones durably, listed
 * ones not. */
START_TEST(test_forget)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec rec = remote(1, 5), rec2 = remote(1, 6),
		    host = {.ip = addr_of("192.168.1.1")};
	struct hosts_rec line = line_for(&rec2);
	struct outcome o = {0};
	struct addr old;
	struct msg m;

	packet(c, &rec);
	o = forget(&r, &rec.ea);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_ptr_null(entry_at(&r, &rec));
	ck_assert_int_eq(forget(&r, &rec.ea).err, -ENOENT);
	/* While its promotion is under way. */
	packet(c, &rec);
	send_one(c, MSG_FEED_PROVED, &rec);
	ck_assert_int_eq(forget(&r, &rec.ea).err, -EBUSY);
	/* A dynamic one; who asks meanwhile waits, and gets another. */
	mapper_forget(rig_mapper(&r), &rec.ea, on_done, &o);
	send_one(c, MSG_MC_GET_EA, &rec);
	ck_assert_uint_eq(r.n_out, 0);
	old = rec.ea;
	ck_assert_int_eq(forget(&r, &rec.ea).err, -EBUSY);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_uint_eq(r.n_out, 1);
	m = rig_out(c, 0);
	rec.ea = msg_arec(&m, 0).ea;
	ck_assert(!addr_eq(&old, &rec.ea));
	/* The store can't write. */
	r.store.fail = -ENOSPC;
	ck_assert_int_eq(forget(&r, &rec.ea).err, -ENOSPC);
	r.store.fail = 0;
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	/* A host of ours, and what somebody lists. */
	ck_assert_int_eq(ask(c, MSG_GET_REF, &host).mode, MSG_ACK);
	o = forget(&r, &host.ip);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_int_eq(forget(&r, &host.ip).err, -ENOENT);
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
	rig_pump(&r);
	ck_assert_int_eq(forget(&r, &line.entry.addr).err, -EPERM);
	end(&r);
}
END_TEST

/* Killed while a promotion is on its way: the ea is tentative still, or
 * durable, never another's. */
START_TEST(test_killed_while_promoted)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec rec = remote(1, 5), other;
	struct msg m;
	unsigned i;

	packet(c, &rec);
	send_one(c, MSG_FEED_PROVED, &rec);
	c = restart(&r);
	for (i = 0; i < 2000; i++) {
		other = remote(2 + i % 50, 100 + i);
		packet(c, &other);
		ck_assert(!addr_eq(&other.ea, &rec.ea));
	}
	m = ask(c, MSG_FEED_HOLD, &rec);
	ck_assert_uint_eq(m.n, 0);
	ck_assert_int_eq(ask(c, MSG_FEED_PROVED, &rec).mode, MSG_ACK);
	c = restart(&r);
	m = ask(c, MSG_MC_GET_EA, &rec);
	other = msg_arec(&m, 0);
	ck_assert(addr_eq(&other.ea, &rec.ea));
	end(&r);
}
END_TEST

RUN_TESTS("promotion", test_disk_waits, test_asked_for, test_proved,
	test_promotions_refused, test_listed, test_quota_given_back,
	test_forget, test_killed_while_promoted)
