/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of entries against a plain array, by random operations; who is the
 * source of leaving packets; the order of leases; cursors. */
#include "help.h"
#include "tests/unit/run.h"

#define SLOTS 200

static struct entry_data
data_of(unsigned i, bool remote, uint64_t expires)
{
	struct entry_data d = {
		.kind = remote ? ENTRY_REMOTE : ENTRY_LOCAL,
		.owner = i % 3 ? OWNER_MAPPER : OWNER_SOURCE + i % 5,
		.addr = addr_of(remote ? "10.240.16.0" : "192.168.1.0"),
		.key = {remote ? addr_of("192.0.2.7") : addr_zero(4),
			ref_from_u64(i + 1)},
		.born = i,
		.expires = expires,
		.name = i % 4 ? NULL : "name.example.",
	};

	/* Ten local references share an ip. */
	d.addr.b[3] = (uint8_t)(remote ? i : i / 10);
	return d;
}

static void
check_lists(struct entries *es)
{
	const struct entry_owner *o = entries_owner(es, OWNER_MAPPER);
	const struct entry *e;
	uint64_t last = 0;
	size_t n = 0;

	if (o)
		TAILQ_FOREACH(e, &o->list, by_owner)
		{
			ck_assert_uint_ge(e->expires, last);
			last = e->expires;
			n++;
		}
	ck_assert_uint_eq(n, o ? o->n : 0);
	n = 0;
	TAILQ_FOREACH(e, &es->all, all)
	n++;
	ck_assert_uint_eq(n, es->n[0] + es->n[1]);
}

START_TEST(test_random)
{
	struct dice dice = {77};
	struct entry *there[2][SLOTS] = {{0}}, *e;
	struct entries es;
	struct entry_data d;
	unsigned i, kind, n, round;
	int err;

	entries_init(&es, 1000);
	for (round = 0; round < 100000; round++) {
		i = (unsigned)roll_below(&dice, SLOTS);
		kind = (unsigned)roll_below(&dice, 2);
		d = data_of(i, kind == ENTRY_REMOTE, roll_below(&dice, 10000));
		switch (roll_below(&dice, 3)) {
		case 0:
			err = entries_add(&es, &d, &e);
			ck_assert_int_eq(err, there[kind][i] ? -EEXIST : 0);
			if (err)
				break;
			ck_assert_pstr_eq(e->name, d.name);
			there[kind][i] = e;
			break;
		case 1:
			if (there[kind][i])
				entries_del(&es, there[kind][i]);
			there[kind][i] = NULL;
			break;
		default:
			if (there[kind][i] && d.owner == OWNER_MAPPER)
				entries_lease(&es, there[kind][i], d.expires);
		}
		e = kind == ENTRY_REMOTE ? entries_remote(&es, &d.key)
					 : entries_local(&es, &d.key);
		ck_assert_ptr_eq(e, there[kind][i]);
		if (kind == ENTRY_REMOTE)
			ck_assert_ptr_eq(entries_by_ea(&es, &d.addr), e);
		n = 0;
		for (e = entries_by_ip(&es, &d.addr); e; e = entry_next_ip(e))
			n++;
		for (i = 0; i < SLOTS && kind == ENTRY_LOCAL; i++)
			n -= there[kind][i] &&
			     addr_eq(&there[kind][i]->addr, &d.addr);
		ck_assert_uint_eq(n, 0);
		if (round % 100 == 0)
			check_lists(&es);
	}
	entries_fini(&es);
}
END_TEST

START_TEST(test_bounds)
{
	struct entries es;
	struct entry_data d;
	unsigned i;

	entries_init(&es, 10);
	for (i = 0; i < 10; i++) {
		d = data_of(i, true, 0);
		ck_assert_int_eq(entries_add(&es, &d, NULL), 0);
	}
	d = data_of(11, true, 0);
	ck_assert_int_eq(entries_add(&es, &d, NULL), -ENOSPC);
	ck_assert_ptr_null(entries_by_ea(&es, &d.addr));
	/* Half of it known: an ea or a key that leads elsewhere. */
	d.addr = data_of(3, true, 0).addr;
	ck_assert_int_eq(entries_add(&es, &d, NULL), -EEXIST);
	entries_fini(&es);
}
END_TEST

START_TEST(test_source)
{
	static const struct {
		const char *what;
		bool any;
		unsigned best; /* reference */
		struct {
			const char *gw;
			unsigned ref, owner, born;
		} refs[4];
	} rows[] = {
		{"a listed one before a dynamic one", false, 5,
			{{"0.0.0.0", 9, 1, 1}, {"0.0.0.0", 5, 16, 2}}},
		{"the longest in force", false, 9,
			{{"0.0.0.0", 5, 16, 3}, {"0.0.0.0", 9, 17, 2}}},
		{"the lowest of equals", false, 4,
			{{"0.0.0.0", 5, 16, 3}, {"0.0.0.0", 4, 16, 3},
				{"0.0.0.0", 6, 16, 3}}},
		{"our own context only", false, 7,
			{{"192.0.2.7", 5, 16, 1}, {"0.0.0.0", 7, 1, 9}}},
		{"none of ours", false, 0, {{"192.0.2.7", 5, 16, 1}}},
		{"without a public address any", true, 5,
			{{"192.0.2.7", 5, 16, 1}}},
		{"but our own first", true, 7,
			{{"192.0.2.7", 5, 16, 1}, {"0.0.0.0", 7, 1, 9}}},
	};
	struct addr ip = addr_of("192.168.1.1");
	struct entries es;
	struct entry *e;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		entries_init(&es, 100);
		for (k = 0; k < 4 && rows[i].refs[k].gw; k++) {
			struct entry_data d = {
				.kind = ENTRY_LOCAL,
				.owner = rows[i].refs[k].owner,
				.addr = ip,
				.key = {addr_of(rows[i].refs[k].gw),
					ref_from_u64(rows[i].refs[k].ref)},
				.born = rows[i].refs[k].born,
			};

			ck_assert_int_eq(entries_add(&es, &d, NULL), 0);
		}
		e = entries_source(&es, &ip, rows[i].any);
		ck_assert_msg((e ? e->key.ref.b[15] : 0) == rows[i].best, "%s",
			rows[i].what);
		entries_fini(&es);
	}
}
END_TEST

/* Entries that go under a cursor, and come behind it. */
START_TEST(test_cursor)
{
	struct entry_cursor c, other;
	struct entry *e[10];
	struct entries es;
	struct entry_data d;
	unsigned i, n = 0;

	entries_init(&es, 100);
	for (i = 0; i < 9; i++) {
		d = data_of(i, true, 0);
		ck_assert_int_eq(entries_add(&es, &d, &e[i]), 0);
	}
	entry_cursor_start(&es, &c);
	entry_cursor_start(&es, &other);
	ck_assert_ptr_eq(entry_cursor_next(&c), e[0]);
	entries_del(&es, e[0]);
	entries_del(&es, e[1]);
	entries_del(&es, e[2]);
	entries_del(&es, e[5]);
	d = data_of(9, true, 0);
	ck_assert_int_eq(entries_add(&es, &d, &e[9]), 0);
	ck_assert_ptr_eq(entry_cursor_next(&c), e[3]);
	while (entry_cursor_next(&c))
		n++;
	ck_assert_uint_eq(n, 5); /* 4, 6, 7, 8, 9 */
	ck_assert_ptr_eq(entry_cursor_next(&other), e[3]);
	entry_cursor_stop(&es, &c);
	entry_cursor_stop(&es, &other);
	entries_fini(&es);
}
END_TEST

/* Loaded in any order, they stand in that of their ends, and none ends later
 * than today's settings allow: a new one has its place behind them all. */
START_TEST(test_loaded)
{
	static const uint64_t ends[] = {30, 5, 1000, 70, 99, 5000};
	struct entry_data d;
	struct entries es;
	struct entry *e;
	unsigned i;

	entries_init(&es, 1000);
	entries_load(&es);
	for (i = 0; i < ARRAY_LEN(ends); i++) {
		d = data_of(i, true, ends[i]);
		d.owner = OWNER_MAPPER;
		ck_assert_int_eq(entries_add(&es, &d, NULL), 0);
	}
	ck_assert_int_eq(entries_loaded(&es, 99), 0);
	check_lists(&es);
	d = data_of(i, true, 99);
	d.owner = OWNER_MAPPER;
	ck_assert_int_eq(entries_add(&es, &d, &e), 0);
	ck_assert_ptr_null(TAILQ_NEXT(e, by_owner));
	check_lists(&es);
	entries_fini(&es);
}
END_TEST

/* A promoted entry is another owner's, at its place among the leases; it is
 * found as before, and has the name that it was asked for by. */
START_TEST(test_promote)
{
	static const char *const names[] = {NULL, "a.test.", "b.test."};
	struct entries es;
	struct entry *e[3];
	struct entry_data d;
	unsigned i;

	entries_init(&es, 100);
	for (i = 0; i < 3; i++) {
		d = data_of(i, true, 0);
		d.owner = OWNER_TENTATIVE;
		d.name = NULL;
		d.cause = CAUSE_TENTATIVE;
		d.expires = 10;
		ck_assert_int_eq(entries_add(&es, &d, &e[i]), 0);
	}
	ck_assert_int_eq(entries_name(e[2], "old.test."), 0);
	for (i = 0; i < 3; i++) {
		d = data_of(i, true, 0);
		d.owner = OWNER_MAPPER;
		d.cause = CAUSE_PEER;
		d.born = 5;
		d.expires = 30 - i;
		d.name = names[i];
		ck_assert_int_eq(entries_promote(&es, e[i], &d), 0);
		ck_assert_ptr_eq(entries_remote(&es, &d.key), e[i]);
		ck_assert_ptr_eq(entries_by_ea(&es, &d.addr), e[i]);
		ck_assert_uint_eq(e[i]->owner, OWNER_MAPPER);
		ck_assert_uint_eq(e[i]->cause, CAUSE_PEER);
		ck_assert_uint_eq(e[i]->born, 5);
		ck_assert_ptr_eq(
			TAILQ_FIRST(&entries_owner(&es, OWNER_MAPPER)->list),
			e[i]);
	}
	ck_assert_ptr_null(e[0]->name);
	ck_assert_str_eq(e[1]->name, "a.test.");
	ck_assert_str_eq(e[2]->name, "old.test.");
	ck_assert_ptr_null(entries_owner(&es, OWNER_TENTATIVE));
	ck_assert_uint_eq(es.n[ENTRY_REMOTE], 3);
	entries_fini(&es);
}
END_TEST

RUN_TESTS("entry", test_random, test_bounds, test_source, test_cursor,
	test_loaded, test_promote)
