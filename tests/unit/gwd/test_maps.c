/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copy of the mappings: who serves an address, what replaces what, full
 * copies, use. */
#include <errno.h>
#include <stdio.h>

#include "gwd/maps.h"
#include "tests/unit/run.h"

static const char *const PUB = "192.0.2.1";

static struct addr
address(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(&a, text, strlen(text)), "%s", text);
	return a;
}

static struct maps *
new_maps(const char *pub, size_t max)
{
	struct addr a = address(pub);
	struct maps *m = maps_new(&a, max);

	ck_assert_ptr_nonnull(m);
	return m;
}

static struct msg_entry
entry(bool remote, const char *local, const char *gw, uint64_t ref,
	uint64_t born, uint32_t flags)
{
	struct msg_entry e = {.flags = flags, .born = born};

	e.arec.ea = remote ? address(local) : addr_zero(4);
	e.arec.ip = remote ? addr_zero(4) : address(local);
	e.arec.gw = address(gw);
	e.arec.ref = ref_from_u64(ref);
	return e;
}

static void
set_ok(struct maps *m, bool remote, const char *local, const char *gw,
	uint64_t ref)
{
	struct msg_entry e = entry(remote, local, gw, ref, 1, 0);

	ck_assert_int_eq(maps_set(m, &e), 0);
}

static const struct map *
by_ip(const struct maps *m, const char *ip)
{
	struct addr a = address(ip);

	return maps_by_ip(m, &a);
}

static const struct map *
by_ea(const struct maps *m, const char *ea)
{
	struct addr a = address(ea);

	return maps_by_ea(m, &a);
}

static const struct map *
remote(const struct maps *m, const char *gw, uint64_t ref)
{
	struct addr a = address(gw);
	struct ref r = ref_from_u64(ref);

	return maps_remote(m, &a, &r);
}

static const struct map *
local(const struct maps *m, uint64_t ref)
{
	struct ref r = ref_from_u64(ref);

	return maps_local(m, &r);
}

/* One address with several references: which one packets leave with. */
struct claim {
	const char *gw;
	uint64_t ref, born;
	bool listed;
};

static const struct source_row {
	const char *why, *pub;
	struct claim claims[4];
	uint64_t chosen; /* reference; 0: none */
} sources[] = {
	{"the only one", "192.0.2.1", {{"192.0.2.1", 7, 5, true}}, 7},
	{"a dynamic one alone", "192.0.2.1", {{"192.0.2.1", 7, 5, false}}, 7},
	{"listed before dynamic, however young", "192.0.2.1",
		{{"192.0.2.1", 7, 1, false}, {"192.0.2.1", 9, 8, true}}, 9},
	{"the longest in force", "192.0.2.1",
		{{"192.0.2.1", 7, 5, true}, {"192.0.2.1", 9, 4, true},
			{"192.0.2.1", 8, 6, true}},
		9},
	{"the lowest of equals", "192.0.2.1",
		{{"192.0.2.1", 9, 5, true}, {"192.0.2.1", 7, 5, true},
			{"192.0.2.1", 8, 5, true}},
		7},
	{"the lowest of equals, dynamic ones too", "192.0.2.1",
		{{"192.0.2.1", 9, 5, false}, {"192.0.2.1", 7, 5, false}}, 7},
	{"zeros are the own context", "192.0.2.1",
		{{"0.0.0.0", 9, 5, true}, {"192.0.2.1", 7, 6, true}}, 9},
	{"another context never", "192.0.2.1", {{"192.0.2.9", 7, 1, true}}, 0},
	{"another context never, not even listed and older", "192.0.2.1",
		{{"192.0.2.9", 7, 1, true}, {"192.0.2.1", 8, 9, false}}, 8},
	{"no public address: any context", "0.0.0.0",
		{{"192.0.2.9", 7, 1, true}}, 7},
	{"no public address: our own first", "0.0.0.0",
		{{"192.0.2.9", 7, 1, true}, {"0.0.0.0", 8, 9, false}}, 8},
};

/* All orders of adding: what is chosen must not depend on it. After that the
 * entries go one by one, chosen first. */
static void
check_source(const struct source_row *row, size_t n, size_t first, bool down)
{
	struct maps *m = new_maps(row->pub, 10);
	struct ref chosen = ref_from_u64(row->chosen);
	const struct map *e;
	struct arec key;
	size_t i, k;

	for (i = 0; i < n; i++) {
		k = (down ? first + n - i : first + i) % n;
		struct msg_entry set =
			entry(false, "10.1.1.1", row->claims[k].gw,
				row->claims[k].ref, row->claims[k].born,
				row->claims[k].listed ? MSG_ENTRY_LISTED : 0);

		ck_assert_int_eq(maps_set(m, &set), 0);
	}
	e = by_ip(m, "10.1.1.1");
	ck_assert_msg(!e == !row->chosen, "%s", row->why);
	ck_assert_msg(!e || ref_eq(&e->ref, &chosen), "%s", row->why);
	for (; e; e = by_ip(m, "10.1.1.1")) {
		key = (struct arec){.ip = e->local, .gw = e->gw, .ref = e->ref};
		maps_del(m, &key);
		n--;
	}
	ck_assert_uint_eq(maps_count(m, false), n);
	maps_free(m);
}

START_TEST(test_source)
{
	size_t i, n, first;

	for (i = 0; i < ARRAY_LEN(sources); i++) {
		for (n = 0; n < 4 && sources[i].claims[n].gw; n++)
			;
		for (first = 0; first < n; first++) {
			check_source(&sources[i], n, first, false);
			check_source(&sources[i], n, first, true);
		}
	}
}
END_TEST

/* A change of what is said of an entry changes who serves. */
START_TEST(test_source_updated)
{
	struct maps *m = new_maps(PUB, 10);
	struct msg_entry a = entry(false, "10.1.1.1", PUB, 7, 1, 0);
	struct msg_entry b = entry(false, "10.1.1.1", PUB, 8, 2, 0);

	ck_assert_int_eq(maps_set(m, &a), 0);
	ck_assert_int_eq(maps_set(m, &b), 0);
	ck_assert_ptr_eq(by_ip(m, "10.1.1.1"), local(m, 7));
	b.flags = MSG_ENTRY_LISTED;
	ck_assert_int_eq(maps_set(m, &b), 0);
	ck_assert_ptr_eq(by_ip(m, "10.1.1.1"), local(m, 8));
	b.flags = 0;
	ck_assert_int_eq(maps_set(m, &b), 0);
	ck_assert_ptr_eq(by_ip(m, "10.1.1.1"), local(m, 7));
	ck_assert_uint_eq(maps_count(m, false), 2);
	maps_free(m);
}
END_TEST

START_TEST(test_lookups)
{
	struct maps *m = new_maps(PUB, 10);
	const struct map *e;

	set_ok(m, true, "10.240.1.1", "192.0.2.2", 5);
	set_ok(m, true, "10.240.1.2", "192.0.2.3", 5);
	set_ok(m, false, "10.1.1.1", PUB, 5);
	set_ok(m, false, "10.1.1.2", "192.0.2.9", 6);
	e = by_ea(m, "10.240.1.1");
	ck_assert_ptr_nonnull(e);
	ck_assert(e->remote);
	ck_assert_ptr_eq(remote(m, "192.0.2.2", 5), e);
	ck_assert_ptr_eq(remote(m, "192.0.2.3", 5), by_ea(m, "10.240.1.2"));
	ck_assert_ptr_null(remote(m, "192.0.2.2", 6));
	ck_assert_ptr_null(remote(m, "192.0.2.4", 5));
	ck_assert_ptr_null(remote(m, PUB, 5));
	ck_assert_ptr_null(by_ea(m, "10.1.1.1"));
	ck_assert_ptr_null(by_ip(m, "10.240.1.1"));
	ck_assert_ptr_eq(local(m, 5), by_ip(m, "10.1.1.1"));
	ck_assert(!local(m, 5)->remote);
	ck_assert_ptr_null(local(m, 6));
	ck_assert_uint_eq(maps_count(m, true), 2);
	ck_assert_uint_eq(maps_count(m, false), 2);
	maps_free(m);
}
END_TEST

/* With no public address any context matches, our own first. */
START_TEST(test_no_public)
{
	struct maps *m = new_maps("0.0.0.0", 10);
	struct addr ip = address("10.1.1.2");

	set_ok(m, false, "10.1.1.1", "192.0.2.9", 5);
	ck_assert_ptr_eq(local(m, 5), by_ip(m, "10.1.1.1"));
	set_ok(m, false, "10.1.1.2", "0.0.0.0", 5);
	ck_assert(addr_eq(&local(m, 5)->local, &ip));
	ck_assert(addr_is_zero(&local(m, 5)->gw));
	maps_free(m);
}
END_TEST

START_TEST(test_replace_remote)
{
	struct maps *m = new_maps(PUB, 10);

	set_ok(m, true, "10.240.1.1", "192.0.2.2", 5);
	set_ok(m, true, "10.240.1.2", "192.0.2.2", 6);
	/* the ea leads elsewhere now */
	set_ok(m, true, "10.240.1.1", "192.0.2.3", 5);
	ck_assert_ptr_null(remote(m, "192.0.2.2", 5));
	ck_assert_ptr_eq(remote(m, "192.0.2.3", 5), by_ea(m, "10.240.1.1"));
	/* the IPREF address has another ea now */
	set_ok(m, true, "10.240.1.3", "192.0.2.2", 6);
	ck_assert_ptr_null(by_ea(m, "10.240.1.2"));
	ck_assert_ptr_eq(remote(m, "192.0.2.2", 6), by_ea(m, "10.240.1.3"));
	/* both at once: two entries become one */
	set_ok(m, true, "10.240.1.1", "192.0.2.2", 6);
	ck_assert_uint_eq(maps_count(m, true), 1);
	ck_assert_ptr_eq(remote(m, "192.0.2.2", 6), by_ea(m, "10.240.1.1"));
	ck_assert_ptr_null(remote(m, "192.0.2.3", 5));
	ck_assert_ptr_null(by_ea(m, "10.240.1.3"));
	maps_free(m);
}
END_TEST

START_TEST(test_replace_local)
{
	struct maps *m = new_maps(PUB, 10);

	set_ok(m, false, "10.1.1.1", PUB, 5);
	set_ok(m, false, "10.1.1.2", PUB, 5);
	ck_assert_ptr_null(by_ip(m, "10.1.1.1"));
	ck_assert_ptr_eq(local(m, 5), by_ip(m, "10.1.1.2"));
	set_ok(m, false, "10.1.1.2", "0.0.0.0", 5);
	ck_assert_uint_eq(maps_count(m, false), 1);
	maps_free(m);
}
END_TEST

START_TEST(test_refused)
{
	struct maps *m = new_maps(PUB, 2);
	struct msg_entry e = entry(true, "10.240.1.1", "192.0.2.2", 5, 1, 0);

	e.arec.ip = address("10.1.1.1");
	ck_assert_int_eq(maps_set(m, &e), -EINVAL);
	e.arec.ip = e.arec.ea = addr_zero(4);
	ck_assert_int_eq(maps_set(m, &e), -EINVAL);
	e.arec.ip = e.arec.ea = (struct addr){0};
	ck_assert_int_eq(maps_set(m, &e), -EINVAL);
	set_ok(m, true, "10.240.1.1", "192.0.2.2", 5);
	set_ok(m, false, "10.1.1.1", PUB, 5);
	e = entry(true, "10.240.1.2", "192.0.2.2", 6, 1, 0);
	ck_assert_int_eq(maps_set(m, &e), -ENOSPC);
	e = entry(false, "10.1.1.2", PUB, 6, 1, 0);
	ck_assert_int_eq(maps_set(m, &e), -ENOSPC);
	/* replacing needs no room */
	set_ok(m, true, "10.240.1.2", "192.0.2.2", 5);
	set_ok(m, false, "10.1.1.2", PUB, 5);
	ck_assert_uint_eq(maps_count(m, true) + maps_count(m, false), 2);
	maps_free(m);
}
END_TEST

START_TEST(test_delete)
{
	struct maps *m = new_maps(PUB, 10);
	struct arec key = {.ea = address("10.240.1.1")};

	set_ok(m, true, "10.240.1.1", "192.0.2.2", 5);
	set_ok(m, false, "10.1.1.1", PUB, 5);
	maps_del(m, &key);
	ck_assert_ptr_null(by_ea(m, "10.240.1.1"));
	ck_assert_ptr_null(remote(m, "192.0.2.2", 5));
	maps_del(m, &key);
	key = (struct arec){.ref = ref_from_u64(5)};
	maps_del(m, &key);
	ck_assert_ptr_null(local(m, 5));
	ck_assert_ptr_null(by_ip(m, "10.1.1.1"));
	maps_del(m, &key);
	ck_assert_uint_eq(maps_count(m, true) + maps_count(m, false), 0);
	maps_free(m);
}
END_TEST

START_TEST(test_sweep)
{
	struct maps *m = new_maps(PUB, 10);

	set_ok(m, true, "10.240.1.1", "192.0.2.2", 1);
	set_ok(m, true, "10.240.1.2", "192.0.2.2", 2);
	set_ok(m, false, "10.1.1.1", PUB, 1);
	set_ok(m, false, "10.1.1.2", PUB, 2);
	maps_begin(m);
	set_ok(m, true, "10.240.1.1", "192.0.2.2", 1);
	set_ok(m, false, "10.1.1.3", PUB, 2);
	/* until the copy is complete the old entries serve */
	ck_assert_ptr_nonnull(by_ea(m, "10.240.1.2"));
	ck_assert_ptr_nonnull(by_ip(m, "10.1.1.1"));
	maps_sweep(m);
	ck_assert_ptr_nonnull(by_ea(m, "10.240.1.1"));
	ck_assert_ptr_null(by_ea(m, "10.240.1.2"));
	ck_assert_ptr_null(by_ip(m, "10.1.1.1"));
	ck_assert_ptr_null(by_ip(m, "10.1.1.2"));
	ck_assert_ptr_nonnull(by_ip(m, "10.1.1.3"));
	ck_assert_uint_eq(maps_count(m, true), 1);
	ck_assert_uint_eq(maps_count(m, false), 1);
	/* a copy that broke off does not save what it named */
	maps_begin(m);
	set_ok(m, true, "10.240.1.1", "192.0.2.2", 1);
	maps_begin(m);
	set_ok(m, false, "10.1.1.3", PUB, 2);
	maps_sweep(m);
	ck_assert_uint_eq(maps_count(m, true), 0);
	ck_assert_uint_eq(maps_count(m, false), 1);
	maps_free(m);
}
END_TEST

START_TEST(test_used)
{
	struct maps *m = new_maps(PUB, 10);
	struct arec out[4], key = {.ea = address("10.240.1.3")};
	struct addr ea = address("10.240.1.1"), ip = address("10.1.1.1");

	set_ok(m, true, "10.240.1.1", "192.0.2.2", 1);
	set_ok(m, true, "10.240.1.3", "192.0.2.2", 3);
	set_ok(m, false, "10.1.1.1", "0.0.0.0", 9);
	ck_assert_uint_eq(maps_take_used(m, out, 4), 0);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	maps_used(m, by_ip(m, "10.1.1.1"), WAY_OUT);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	maps_used(m, by_ea(m, "10.240.1.3"), WAY_OUT);
	maps_del(m, &key);
	set_ok(m, true, "10.240.1.1", "192.0.2.2", 1);
	ck_assert_uint_eq(maps_take_used(m, out, 1), 1);
	ck_assert(addr_eq(&out[0].ea, &ea));
	ck_assert(addr_is_zero(&out[0].ip));
	ck_assert_uint_eq(maps_take_used(m, out, 4), 1);
	ck_assert(addr_eq(&out[0].ip, &ip));
	ck_assert(addr_is_zero(&out[0].ea));
	ck_assert(!addr_is_zero(&out[0].gw));
	ck_assert_uint_eq(out[0].ref.b[REF_LEN - 1], 9);
	ck_assert_uint_eq(maps_take_used(m, out, 4), 0);
	/* told once until it may be told anew, the first one first */
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	ck_assert_uint_eq(maps_take_used(m, out, 4), 0);
	ck_assert_uint_eq(maps_taken_count(m), 2);
	maps_use_anew(m, 1);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	maps_used(m, by_ip(m, "10.1.1.1"), WAY_OUT);
	ck_assert_uint_eq(maps_take_used(m, out, 4), 1);
	ck_assert(addr_eq(&out[0].ea, &ea));
	maps_free(m);
}
END_TEST

static void
set_tentative(
	struct maps *m, const char *ea, const char *gw, uint64_t ref, bool is)
{
	struct msg_entry e =
		entry(true, ea, gw, ref, 0, is ? MSG_ENTRY_TENTATIVE : 0);

	ck_assert_int_eq(maps_set(m, &e), 0);
	ck_assert(maps_is_tentative(m, &e.arec) == is);
}

/* In, out, in: the entry is proved unless it was so before or is ordinary. */
static void
prove(struct maps *m, const char *ea)
{
	maps_used(m, by_ea(m, ea), WAY_IN);
	maps_used(m, by_ea(m, ea), WAY_OUT);
	maps_used(m, by_ea(m, ea), WAY_IN);
}

START_TEST(test_tentative)
{
	struct maps *m = new_maps(PUB, 10);
	struct arec out[4];
	struct addr ea = address("10.240.1.2");
	struct msg_entry ours =
		entry(false, "10.1.1.1", PUB, 5, 0, MSG_ENTRY_TENTATIVE);

	set_ok(m, true, "10.240.1.1", "192.0.2.2", 1);
	set_tentative(m, "10.240.1.2", "192.0.2.2", 2, true);
	set_tentative(m, "10.240.1.3", "192.0.2.2", 3, true);
	/* ours never are */
	ck_assert_int_eq(maps_set(m, &ours), 0);
	ck_assert_uint_eq(maps_count_tentative(m), 2);
	prove(m, "10.240.1.1");
	prove(m, "10.240.1.2");
	maps_used(m, by_ip(m, "10.1.1.1"), WAY_IN);
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 1);
	ck_assert(addr_eq(&out[0].ea, &ea));
	ck_assert_uint_eq(out[0].ref.b[REF_LEN - 1], 2);
	prove(m, "10.240.1.2");
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 0);
	/* told again when it has to be */
	maps_prove(m, &out[0]);
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 1);
	/* said again, it is what it was */
	set_tentative(m, "10.240.1.2", "192.0.2.2", 2, true);
	prove(m, "10.240.1.2");
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 0);
	maps_free(m);
}
END_TEST

/* What was seen of an entry goes with its being tentative. */
START_TEST(test_tentative_ends)
{
	struct maps *m = new_maps(PUB, 10);
	struct arec out[4], key = {.ea = address("10.240.1.3")};
	uint64_t ref;

	set_tentative(m, "10.240.1.1", "192.0.2.2", 1, true);
	set_tentative(m, "10.240.1.2", "192.0.2.2", 2, true);
	set_tentative(m, "10.240.1.3", "192.0.2.2", 3, true);
	set_tentative(m, "10.240.1.4", "192.0.2.2", 4, true);
	prove(m, "10.240.1.1");
	prove(m, "10.240.1.2");
	prove(m, "10.240.1.3");
	prove(m, "10.240.1.4");
	set_tentative(m, "10.240.1.1", "192.0.2.2", 1, false); /* ordinary */
	set_tentative(m, "10.240.1.2", "192.0.2.2", 9, true); /* another host */
	maps_del(m, &key);
	maps_begin(m);
	set_tentative(m, "10.240.1.1", "192.0.2.2", 1, true); /* once more */
	set_tentative(m, "10.240.1.2", "192.0.2.2", 9, true);
	maps_sweep(m);
	ck_assert_uint_eq(maps_count_tentative(m), 2);
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 0);
	for (ref = 1; ref <= 4; ref++) {
		key = (struct arec){.ea = address("10.240.1.1"),
			.gw = address("192.0.2.2"),
			.ref = ref_from_u64(ref)};
		maps_prove(m, &key);
	}
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 1);
	ck_assert_uint_eq(out[0].ref.b[REF_LEN - 1], 1);
	maps_free(m);
}
END_TEST

/* One that the mapper left tentative takes all steps again, after a report of
 * its use. */
START_TEST(test_tentative_refused)
{
	struct maps *m = new_maps(PUB, 10);
	struct arec out[4];

	set_tentative(m, "10.240.1.1", "192.0.2.2", 1, true);
	prove(m, "10.240.1.1");
	ck_assert_uint_eq(maps_take_used(m, out, 4), 1);
	/* not before it was taken */
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 1);
	maps_use_anew(m, 1);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	ck_assert_uint_eq(maps_take_used(m, out, 4), 1);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_IN);
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 0);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_OUT);
	maps_used(m, by_ea(m, "10.240.1.1"), WAY_IN);
	ck_assert_uint_eq(maps_take_proved(m, out, 4), 1);
	maps_free(m);
}
END_TEST

START_TEST(test_walk)
{
	struct maps *m = new_maps(PUB, 20);
	struct arec out[20], key;
	char text[32];
	unsigned round, i;
	bool seen[10];
	size_t n, k;

	set_ok(m, true, "10.240.1.100", "192.0.2.2", 100);
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "10.240.1.%u", i);
		set_tentative(m, text, "192.0.2.2", i + 1, true);
	}
	for (round = 0; round < 3; round++) {
		maps_walk(m);
		memset(seen, 0, sizeof(seen));
		while ((n = maps_walk_next(m, out, 3))) {
			ck_assert_uint_le(n, 3);
			for (k = 0; k < n; k++) {
				ck_assert_uint_lt(out[k].ea.b[3], 10);
				ck_assert(!seen[out[k].ea.b[3]]);
				seen[out[k].ea.b[3]] = true;
			}
			/* what comes or goes meanwhile disturbs nobody */
			key = (struct arec){.ea = out[0].ea};
			if (round == 1 && out[0].ea.b[3] % 2)
				maps_del(m, &key);
			if (round == 1)
				set_tentative(m, "10.240.1.99", "192.0.2.2", 99,
					true);
		}
		for (i = 0; i < 10 && round < 2; i++)
			ck_assert(seen[i]);
		key = (struct arec){.ea = address("10.240.1.99")};
		maps_del(m, &key);
	}
	ck_assert_uint_lt(maps_count_tentative(m), 10);
	maps_free(m);
}
END_TEST

/* Many random changes against a plain list. */
enum {
	MANY_REFS = 8,
	MANY_IPS = 5,
};

START_TEST(test_many)
{
	struct maps *m = new_maps(PUB, 100);
	int holder[MANY_REFS]; /* index of the address, -1: nobody */
	uint64_t born[MANY_REFS] = {0};
	char text[32];
	unsigned round, seed = 7;
	int i, k, best;
	size_t n;

	for (i = 0; i < MANY_REFS; i++)
		holder[i] = -1;
	for (round = 0; round < 20000; round++) {
		i = (int)((seed = seed * 1103515245 + 12345) >> 16) % MANY_REFS;
		k = (int)((seed = seed * 1103515245 + 12345) >> 16) % MANY_IPS;
		snprintf(text, sizeof(text), "10.1.1.%d", k + 1);
		struct msg_entry e = entry(false, text, PUB, (uint64_t)i + 1,
			seed >> 28, MSG_ENTRY_LISTED);

		if (seed & 0x8000) {
			ck_assert_int_eq(maps_set(m, &e), 0);
			holder[i] = k;
			born[i] = e.born;
		} else {
			maps_del(m, &e.arec);
			holder[i] = -1;
		}
		best = -1;
		n = 0;
		for (i = 0; i < MANY_REFS; i++) {
			n += holder[i] >= 0;
			if (holder[i] == k &&
				(best < 0 || born[i] < born[best]))
				best = i;
		}
		ck_assert_uint_eq(maps_count(m, false), n);
		ck_assert_ptr_eq(by_ip(m, text),
			best < 0 ? NULL : local(m, (uint64_t)best + 1));
	}
	maps_free(m);
}
END_TEST

RUN_TESTS("maps", test_source, test_source_updated, test_lookups,
	test_no_public, test_replace_remote, test_replace_local, test_refused,
	test_delete, test_sweep, test_used, test_tentative, test_tentative_ends,
	test_tentative_refused, test_walk, test_many)
