/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of hosts: when one is complete, and that what is in force afterwards is
 * what the sources list, whoever came first, by random sets against a model. */

#include "help.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static struct host_rec
rec_of(const char *line)
{
	char ip[64], gw[64];
	uint8_t ref[16];
	char hex[64];
	struct host_rec r = {0};

	ck_assert_int_eq(sscanf(line, "%63s %63s %63s", ip, gw, hex), 3);
	ck_assert_uint_eq(vec_hex(hex, ref, sizeof(ref)), 16);
	r.ip = addr_of(ip);
	r.key.gw = addr_of(gw);
	memcpy(r.key.ref.b, ref, 16);
	return r;
}

/* Each captured set, record by record: complete with the last distinct one, not
 * before, also when records come twice. */
START_TEST(test_captured)
{
	struct source name = {"int.test", "a.test"};
	struct vec_file f;
	struct vec_block b;
	struct hostset hs;
	struct host_source *s;
	struct host_rec rec;
	unsigned long long hash;
	unsigned count, sets = 0;
	size_t i, n;

	vec_open(&f, "mapper.txt");
	hostset_init(&hs);
	s = hostset_make(&hs, &name, 0);
	while (vec_next(&f, &b)) {
		if (!vec_get(&b, "set") || vec_get(&b, "differs"))
			continue;
		ck_assert_int_eq(sscanf(vec_get(&b, "hash"), "%llx", &hash), 1);
		ck_assert_int_eq(sscanf(vec_get(&b, "count"), "%x", &count), 1);
		for (n = 0; vec_nth(&b, "record", n);)
			n++;
		hostset_stage_open(s, hash);
		for (i = 0; i < n; i++) {
			ck_assert(!hostset_complete(s, true));
			rec = rec_of(vec_nth(&b, "record", i));
			ck_assert_int_eq(hostset_stage(s, hash, &rec, 1), 0);
			ck_assert_int_eq(hostset_stage(s, hash, &rec, 1), 0);
		}
		ck_assert_msg(hostset_complete(s, true) ||
				      strstr(vec_get(&b, "source"), "liar"),
			"set %s", vec_get(&b, "set"));
		hostset_stage_drop(s);
		sets++;
	}
	ck_assert_uint_ge(sets, 30);
	vec_close(&f);
	hostset_fini(&hs);
}
END_TEST

START_TEST(test_staging)
{
	struct source name = {"int.test", "a.test"};
	struct host_rec rec = {
		{addr_of("192.0.2.1"), ref_from_u64(5)}, addr_of("10.1.1.1")};
	struct host_source *s;
	struct arec *all;
	struct hostset hs;

	hostset_init(&hs);
	s = hostset_make(&hs, &name, 0);
	ck_assert_uint_eq(s->id, OWNER_SOURCE);
	ck_assert_ptr_eq(hostset_by_name(&hs, &name), s);
	ck_assert(!hostset_complete(s, true));
	ck_assert_int_eq(hostset_stage(s, 1, &rec, 10), 0);
	/* Another hash drops what has come. */
	rec.key.ref = ref_from_u64(6);
	ck_assert_int_eq(hostset_stage(s, 2, &rec, 20), 0);
	ck_assert_uint_eq(s->stage.n, 1);
	ck_assert_uint_eq(s->stage_grown, 20);
	all = hostset_staged(s);
	ck_assert(ref_eq(&all[0].ref, &rec.key.ref));
	free(all);
	/* The empty set. */
	hostset_stage_open(s, MSG_EMPTY_SET_HASH);
	ck_assert_uint_eq(s->stage.n, 0);
	ck_assert(hostset_complete(s, false));
	hostset_fini(&hs);
}
END_TEST

START_TEST(test_checks)
{
	static const struct {
		enum entry_kind kind;
		const char *addr, *gw;
		uint64_t ref;
		bool good, own;
	} rows[] = {
		{ENTRY_LOCAL, "192.168.1.1", "192.0.2.7", 5, true, false},
		{ENTRY_LOCAL, "192.168.1.1", "192.0.2.1", 5, true, true},
		{ENTRY_LOCAL, "192.168.1.1", "0.0.0.0", 5, true, true},
		{ENTRY_LOCAL, "192.168.1.1", "192.0.2.7", 0xfff, true, false},
		{ENTRY_LOCAL, "192.168.1.1", "192.0.2.7", 0x1000, false, 0},
		{ENTRY_LOCAL, "192.168.1.1", "192.0.2.7", 0, false, 0},
		{ENTRY_LOCAL, "192.168.1.1", "127.0.0.1", 5, false, 0},
		{ENTRY_LOCAL, "192.168.1.1", "2001:db8::1", 5, false, 0},
		{ENTRY_LOCAL, "10.240.1.1", "192.0.2.7", 5, false, 0},
		{ENTRY_LOCAL, "2001:db8::1", "192.0.2.7", 5, false, 0},
		{ENTRY_LOCAL, "224.0.0.1", "192.0.2.7", 5, false, 0},
		{ENTRY_LOCAL, "0.0.0.0", "192.0.2.7", 5, false, 0},
		{ENTRY_REMOTE, "10.240.8.8", "192.0.2.7", 0x8000, true, false},
		{ENTRY_REMOTE, "10.240.16.8", "192.0.2.7", 5, false, 0},
		{ENTRY_REMOTE, "10.240.0.0", "192.0.2.7", 5, false, 0},
		{ENTRY_REMOTE, "10.240.0.1", "192.0.2.7", 5, false, 0},
		{ENTRY_REMOTE, "10.240.0.2", "192.0.2.7", 5, true, false},
		{ENTRY_REMOTE, "192.168.1.1", "192.0.2.7", 5, false, 0},
		{ENTRY_REMOTE, "10.240.8.8", "192.0.2.1", 5, false, 0},
	};
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	struct host_entry e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		e = (struct host_entry){rows[i].kind, addr_of(rows[i].addr),
			{addr_of(rows[i].gw), ref_from_u64(rows[i].ref)}, 0};
		ck_assert_msg(!hostset_check(&e, &rules) == rows[i].good,
			"row %zu", i);
		if (rows[i].good)
			ck_assert_int_eq(entry_key_own(&e.key), rows[i].own);
	}
}
END_TEST

/* Applies a change as the mapper does, entries and waiting records alone. */
static void
apply(struct entries *es, struct hostset *hs, const struct change *c)
{
	struct entry *e;
	size_t i;

	ck_assert(!c->failed);
	for (i = 0; i < c->n; i++) {
		const struct op *op = &c->ops[i];

		e = entries_local(es, &op->data.key);
		if (op->kind == OP_ADD)
			ck_assert_int_eq(entries_add(es, &op->data, NULL), 0);
		else if (op->kind == OP_DEL)
			entries_del(es, e);
		else
			ck_assert_int_eq(hostset_apply_wait(hs, op), 0);
	}
}

#define KEYS	30
#define SOURCES 4

/* Every key that anyone lists leads to what one of its listers says, to what
 * it led to before if that one lists it still; no other key is there. */
static void
check_truth(struct entries *es, struct hostset *hs,
	uint8_t lists[SOURCES][KEYS], const uint8_t before[KEYS],
	const uint32_t before_owner[KEYS])
{
	struct entry_key key = {addr_zero(4), {{0}}};
	const struct entry *e;
	size_t k, s, listers, waiting = 0;

	for (k = 0; k < KEYS; k++) {
		key.ref = ref_from_u64(k + 1);
		e = entries_local(es, &key);
		listers = 0;
		for (s = 0; s < SOURCES; s++)
			listers += lists[s][k] != 0;
		ck_assert_int_eq(e != NULL, listers != 0);
		if (!e)
			continue;
		s = e->owner - OWNER_SOURCE;
		ck_assert_uint_eq(e->addr.b[3], lists[s][k]);
		waiting += listers - 1;
		s = before_owner[k] - OWNER_SOURCE;
		if (before[k] && lists[s][k])
			ck_assert_uint_eq(e->owner, before_owner[k]);
	}
	ck_assert_uint_eq(hs->n_waits, waiting);
}

START_TEST(test_random_sets)
{
	struct dice dice = {31337};
	uint8_t lists[SOURCES][KEYS] = {{0}}, before[KEYS];
	uint32_t before_owner[KEYS] = {0};
	struct host_entry recs[2 * KEYS];
	struct source name = {"int.test", "x"};
	struct entry_key key = {addr_zero(4), {{0}}};
	struct hostset hs;
	struct entries es;
	struct change c;
	struct host_plan plan = {.change = &c, .entries = &es, .sets = &hs};
	const struct entry *e;
	size_t i, k, n, s;
	int round;

	hostset_init(&hs);
	entries_init(&es, 1000);
	for (s = 0; s < SOURCES; s++) {
		name.domain[0] = (char)('a' + s);
		ck_assert_ptr_nonnull(hostset_make(&hs, &name, 0));
	}
	for (round = 0; round < 5000; round++) {
		for (k = 0; k < KEYS; k++) {
			key.ref = ref_from_u64(k + 1);
			e = entries_local(&es, &key);
			before[k] = e ? e->addr.b[3] : 0;
			before_owner[k] = e ? e->owner : OWNER_SOURCE;
		}
		s = roll_below(&dice, SOURCES);
		n = 0;
		for (k = 0; k < KEYS; k++) {
			if (roll_below(&dice, 3))
				lists[s][k] = (uint8_t)roll_below(&dice, 4);
			if (!lists[s][k])
				continue;
			recs[n] = (struct host_entry){.kind = ENTRY_LOCAL,
				.addr = addr_of("192.168.1.0"),
				.key = {addr_zero(4), ref_from_u64(k + 1)}};
			recs[n++].addr.b[3] = lists[s][k];
		}
		for (i = n; i > 1; i--) { /* in no order */
			struct host_entry t = recs[i - 1];

			k = roll_below(&dice, i);
			recs[i - 1] = recs[k];
			recs[k] = t;
		}
		change_init(&c);
		hostset_plan(&plan, OWNER_SOURCE + (uint32_t)s, recs, n);
		apply(&es, &hs, &c);
		change_fini(&c);
		check_truth(&es, &hs, lists, before, before_owner);
		/* The same set again changes nothing that anyone sees. */
		change_init(&c);
		hostset_plan(&plan, OWNER_SOURCE + (uint32_t)s, recs, n);
		ck_assert(!c.numbered);
		apply(&es, &hs, &c);
		change_fini(&c);
	}
	entries_fini(&es);
	hostset_fini(&hs);
}
END_TEST

/* All records of a large set wait and come in force in one change: the loop
 * must not stand still over it (work that grows by the square runs into the
 * test's time limit). Each record's turn in both orders, and what is left
 * between them is found. */
START_TEST(test_many_wait)
{
	struct hostset hs;
	struct host_source *s;
	struct op op = {.kind = OP_WAIT};
	uint32_t i, n = 200000;
	int down;

	for (down = 0; down < 2; down++) {
		hostset_init(&hs);
		s = hostset_make(&hs, &(struct source){"a", "b"}, 0);
		op.data.owner = s->id;
		op.data.key.gw = addr_zero(4);
		for (op.kind = OP_WAIT, i = 1; i <= n; i++) {
			op.data.key.ref = ref_from_u64(i);
			ck_assert_int_eq(hostset_apply_wait(&hs, &op), 0);
		}
		ck_assert_uint_eq(s->n_waits, n);
		for (op.kind = OP_WAIT_DEL, i = 1; i < n; i++) {
			op.data.key.ref = ref_from_u64(down ? n + 1 - i : i);
			ck_assert_int_eq(hostset_apply_wait(&hs, &op), 0);
			ck_assert_int_eq(hostset_apply_wait(&hs, &op), 0);
		}
		ck_assert_uint_eq(s->n_waits, 1);
		ck_assert_uint_eq(hs.n_waits, 1);
		/* One that waits again, and the same twice. */
		for (op.kind = OP_WAIT, i = 0; i < 2; i++)
			ck_assert_int_eq(hostset_apply_wait(&hs, &op), 0);
		ck_assert_uint_eq(s->n_waits, 2);
		op.kind = OP_WAIT_CLEAR;
		ck_assert_int_eq(hostset_apply_wait(&hs, &op), 0);
		ck_assert_uint_eq(s->n_waits + hs.n_waits, 0);
		hostset_fini(&hs);
	}
}
END_TEST

/* So many references of one host, in force and withdrawn: the time grows with
 * them and not with their square. */
START_TEST(test_many_references)
{
	struct source name = {"int.test", "x"};
	size_t i, n = 200000;
	struct host_entry *recs = calloc(n, sizeof(*recs));
	struct hostset hs;
	struct entries es;
	struct change c;
	struct host_plan plan = {.change = &c, .entries = &es, .sets = &hs};

	hostset_init(&hs);
	entries_init(&es, n);
	ck_assert_ptr_nonnull(hostset_make(&hs, &name, 0));
	for (i = 0; i < n; i++)
		recs[i] = (struct host_entry){.kind = ENTRY_LOCAL,
			.addr = addr_of("192.168.1.1"),
			.key = {addr_zero(4), ref_from_u64(i + 1)}};
	change_init(&c);
	hostset_plan(&plan, OWNER_SOURCE, recs, n);
	apply(&es, &hs, &c);
	change_fini(&c);
	ck_assert_uint_eq(es.n[ENTRY_LOCAL], n);
	change_init(&c);
	hostset_plan(&plan, OWNER_SOURCE, recs, 1);
	apply(&es, &hs, &c);
	change_fini(&c);
	ck_assert_uint_eq(es.n[ENTRY_LOCAL], 1);
	free(recs);
	entries_fini(&es);
	hostset_fini(&hs);
}
END_TEST

RUN_TESTS("hostset", test_many_references, test_captured, test_staging,
	test_checks, test_random_sets, test_many_wait)
