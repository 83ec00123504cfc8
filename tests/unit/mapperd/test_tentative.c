/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tentative mappings: made for a packet without waiting for a disk, told to
 * followers only, ended in time, taken back after a restart. */
#include "tentative.h"
#include "tests/unit/run.h"

/* The first one waits for a block to be durable, the next ones for nothing; the
 * store knows the block and none of them. */
START_TEST(test_made)
{
	static struct rig r;
	struct rig_client *c = begin(&r), *gwd = rig_join(&r, ROLE_ALL);
	struct arec first = remote(1, 5), rec = remote(1, 6);
	struct msg_entry x;
	struct msg m;

	follow(gwd);
	send_one(c, MSG_GET_EA, &first);
	ck_assert_uint_eq(r.n_out, 0);
	ck_assert_uint_eq(r.store.n_queued, 1);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 2);
	x = told(gwd, 0, MSG_FEED_SET, 0);
	ck_assert_uint_eq(x.flags, MSG_ENTRY_TENTATIVE);
	ck_assert_uint_eq(x.born, 0);
	m = rig_out(c, 1);
	ck_assert_int_eq(m.mode, MSG_ACK);
	first.ea = msg_arec(&m, 0).ea;
	ck_assert(addr_eq(&x.arec.ea, &first.ea));
	send_one(c, MSG_GET_EA, &rec);
	ck_assert_uint_eq(r.n_out, 2);
	ck_assert_uint_eq(r.store.n_queued, 0);
	packet(c, &first);
	m = ask(c, MSG_LOOKUP_EA, &first);
	ck_assert_uint_eq(m.mark.owner, OWNER_TENTATIVE);
	ck_assert_uint_eq(m.mark.mark, 0);
	ck_assert_uint_eq(r.store.entries.n[ENTRY_REMOTE], 0);
	ck_assert_uint_ge(r.store.blocks.n, 1);
	ck_assert_uint_eq(mapper_revision(rig_mapper(&r)), 0);
	ck_assert_uint_eq(mapper_stats(rig_mapper(&r))->tentative_made, 2);
	end(&r);
}
END_TEST

/* Made-up references at 2,000 a second behind a disk that takes half a second:
 * hardly any waits. */
START_TEST(test_flood)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec rec = remote(0, 1);
	unsigned i, slow = 0;

	packet(c, &rec);
	for (i = 0; i < 20000; i++) {
		rec = remote(i % 200, 2 + i);
		if (i % 2)
			r.now++;
		send_one(c, MSG_GET_EA, &rec);
		slow += r.n_out == 0;
		if (i % 500 == 0)
			mapper_tick(rig_mapper(&r));
		if (i % 1000 == 999)
			rig_pump(&r);
	}
	ck_assert_uint_le(slow, 100); /* at its very beginning */
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 20001);
	pass(&r, 3 * MINUTE);
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 0);
	pass(&r, 11 * MINUTE);
	ck_assert_uint_le(r.store.blocks.n, 5); /* they are closed */
	end(&r);
}
END_TEST

/* In a network so large that its pool has no end, peers leave room in memory
 * to resolvers. */
START_TEST(test_room)
{
	static struct rig r;
	struct mapper_config cfg = rig_config(&r, "10.0.0.0/7", "192.0.2.1");
	struct rig_client *c;
	struct arec rec;
	unsigned i, made = 0;

	r.dice.state = 4711;
	cfg.max_entries = 2000;
	rig_start(&r, &cfg, 1024);
	c = rig_join(&r, ROLE_ALL);
	for (i = 0; i < 4000; i++) {
		rec = remote(i % 200, 2 + i);
		made += ask(c, MSG_GET_EA, &rec).mode == MSG_ACK;
	}
	ck_assert_uint_eq(made, 1500);
	for (i = 0; i < 500; i++) {
		rec = remote(i % 200, 5000 + i);
		ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	}
	/* What a resolver asks for is no peer's any more: one more has room. */
	rec = remote(0, 6000);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_NACK);
	rec = remote(0, 2);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	pass(&r, 3 * MINUTE);
	ck_assert_uint_eq(mapper_entries(rig_mapper(&r))->n_peer, 0);
	rec = remote(0, 6000);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	end(&r);
}
END_TEST

/* They end two minutes after the last use; use is a question or a report, and
 * costs no write. */
START_TEST(test_ends)
{
	static const struct {
		uint8_t cmd; /* after 100 s */
		bool lives;  /* at 121 s */
	} rows[] = {
		{MSG_NOOP, false},
		{MSG_LOOKUP_EA, false},
		{MSG_GET_EA, true},
		{MSG_FEED_USED, true},
	};
	static struct rig r;
	struct rig_client *c, *gwd;
	struct arec rec;
	struct msg_entry x;
	uint64_t stored;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		c = begin(&r);
		gwd = rig_join(&r, ROLE_ALL);
		rec = remote(1, 5);
		packet(c, &rec);
		follow(gwd);
		stored = r.store.stored;
		pass(&r, 100000);
		if (rows[i].cmd)
			send_one(c, rows[i].cmd, &rec);
		ck_assert_uint_le(r.store.stored, stored + 2); /* clock */
		pass(&r, 19999);
		ck_assert_ptr_nonnull(entry_at(&r, &rec));
		pass(&r, 1);
		ck_assert_int_eq(entry_at(&r, &rec) != NULL, rows[i].lives);
		if (!rows[i].lives) {
			x = told(gwd, 0, MSG_FEED_DEL, 0);
			ck_assert(addr_eq(&x.arec.ea, &rec.ea));
		} else {
			pass(&r, 100001);
			ck_assert_ptr_null(entry_at(&r, &rec));
		}
		end(&r);
	}
}
END_TEST

/* Many that end at once do so in slices. */
START_TEST(test_slices)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec rec;
	size_t left;
	unsigned i, rounds = 0;

	for (i = 0; i < 5000; i++) {
		rec = remote(i % 100, i + 1);
		packet(c, &rec);
	}
	r.now += 2 * MINUTE;
	do {
		left = count_owner(&r, OWNER_TENTATIVE);
		rounds++;
	} while (mapper_tick(rig_mapper(&r)));
	ck_assert_uint_ge(rounds, 4);
	ck_assert_uint_gt(left, 0);
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 0);
	end(&r);
}
END_TEST

/* What one context address may cause, and one /24. */
START_TEST(test_quota)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec rec;
	struct msg m;
	unsigned i, acks = 0;

	for (i = 0; i < 1100; i++) {
		rec = remote(1, i + 1);
		acks += ask(c, MSG_GET_EA, &rec).mode == MSG_ACK;
	}
	ck_assert_uint_eq(acks, 1024);
	ck_assert_uint_eq(mapper_stats(rig_mapper(&r))->results[ASK_QUOTA], 76);
	/* A resolver has its own. */
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	for (i = 0; i < 4096; i++) {
		rec = remote(2, i + 1);
		rec.gw.b[3] = (uint8_t)(i % 200 + 1);
		ck_assert_int_eq(ask(c, MSG_GET_EA, &rec).mode, MSG_ACK);
	}
	rec = remote(2, 9999);
	m = ask(c, MSG_GET_EA, &rec);
	ck_assert_int_eq(m.mode, MSG_NACK);
	end(&r);
}
END_TEST

/* The store can't write: packets are answered from the open blocks, and then
 * no more; what is proved or asked for stays tentative, nobody is told a lie;
 * all is well when it can again. */
START_TEST(test_store_fails)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec rec = remote(0, 1), next;
	struct msg m;
	unsigned i, acks = 0;

	packet(c, &rec);
	r.store.fail = -ENOSPC;
	for (i = 0; i < 2000; i++) {
		next = remote(i % 100, 10 + i);
		m = ask(c, MSG_GET_EA, &next);
		acks += m.mode == MSG_ACK;
	}
	ck_assert_uint_gt(acks, 255);
	ck_assert_uint_lt(acks, 2000);
	ck_assert_uint_eq(
		mapper_stats(rig_mapper(&r))->results[ASK_STORE], 2000 - acks);
	ck_assert_int_eq(ask(c, MSG_FEED_PROVED, &rec).mode, MSG_NACK);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_NACK);
	packet(c, &rec);
	check_sums(&r);
	r.store.fail = 0;
	next = remote(1, 5000);
	packet(c, &next);
	ck_assert_int_eq(ask(c, MSG_FEED_PROVED, &rec).mode, MSG_ACK);
	ck_assert_ptr_nonnull(entries_by_ea(&r.store.entries, &rec.ea));
	r.store.fail = -ENOSPC;
	pass(&r, 3 * MINUTE); /* they end in memory all the same */
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 0);
	r.store.fail = 0;
	end(&r);
}
END_TEST

/* The mapper is killed: gwd's tentative ones are taken back, the rest of their
 * blocks is in quarantine; what can't be taken back gwd is told to forget. */
START_TEST(test_held)
{
	static struct rig r;
	struct rig_client *c = begin(&r);
	struct arec recs[6], got;
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_FEED_HOLD,
		.id = 7,
		.arecs = recs,
		.n = ARRAY_LEN(recs)};
	struct arec next;
	size_t blocks;
	unsigned i;

	for (i = 0; i < 4; i++) {
		recs[i] = remote(1, i + 1);
		packet(c, &recs[i]);
	}
	ck_assert_int_eq(ask(c, MSG_FEED_PROVED, &recs[1]).mode, MSG_ACK);
	blocks = r.store.blocks.n;
	c = restart(&r);
	/* Before gwd has told, resolvers were answered anew for one of them. */
	next = remote(1, 4);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &next).mode, MSG_ACK);
	recs[4] = remote(1, 9); /* in no block */
	recs[4].ea = addr_of("10.240.1.1");
	recs[5] = remote(2, 9); /* another's */
	recs[5].ea = recs[0].ea;
	m = rig_ask(c, &m);
	ck_assert_int_eq(m.mode, MSG_ACK);
	ck_assert_uint_eq(m.n, 3);
	for (i = 0; i < 3; i++) {
		got = msg_arec(&m, i);
		ck_assert(addr_eq(&got.ea, &recs[i + 3].ea));
		ck_assert(ref_eq(&got.ref, &recs[i + 3].ref));
	}
	ck_assert_uint_eq(count_owner(&r, OWNER_TENTATIVE), 2);
	/* New ones come from other blocks: nothing of the old is known. */
	next = remote(3, 3);
	packet(c, &next);
	ck_assert_uint_gt(r.store.blocks.n, blocks);
	packet(c, &recs[0]);
	pass(&r, 119999);
	ck_assert_ptr_nonnull(entry_at(&r, &recs[0]));
	pass(&r, 1);
	ck_assert_ptr_null(entry_at(&r, &recs[0]));
	pass(&r, 15 * MINUTE);
	ck_assert_uint_le(r.store.blocks.n, blocks);
	end(&r);
}
END_TEST

/* Nothing ends before the time after a start is over, tentative ones neither.
 */
START_TEST(test_after_start)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec rec = remote(1, 1);

	begin(&r);
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	cfg.tentative_ms = 10000;
	rig_restart(&r, &cfg);
	c = rig_join(&r, ROLE_ALL);
	packet(c, &rec);
	pass(&r, 59999);
	ck_assert_ptr_nonnull(entry_at(&r, &rec));
	pass(&r, 1);
	ck_assert_ptr_null(entry_at(&r, &rec));
	end(&r);
}
END_TEST

/* A follower that comes later is told of them in its copy. */
START_TEST(test_in_the_copy)
{
	static struct rig r;
	struct rig_client *c = begin(&r), *gwd = rig_join(&r, ROLE_ALL);
	struct arec rec = remote(1, 5);
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_FEED_START,
		.id = 3,
		.profile = {prefix_of("10.240.0.0/12"), addr_of("192.0.2.1"),
			ref_from_u64(1)},
	};
	struct msg_entry x;

	packet(c, &rec);
	rig_clear(&r);
	rig_request(gwd, &m);
	x = told(gwd, 1, MSG_FEED_SET, 0);
	ck_assert_uint_eq(x.flags, MSG_ENTRY_TENTATIVE);
	ck_assert_uint_eq(x.born, 0);
	ck_assert(addr_eq(&x.arec.ea, &rec.ea));
	end(&r);
}
END_TEST

RUN_TESTS("tentative", test_made, test_flood, test_room, test_ends, test_slices,
	test_quota, test_store_fails, test_held, test_after_start,
	test_in_the_copy)
