/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads look mappings up while one changes them: what is there all the time
 * is always found and leads where it should, nothing is freed that a reader may
 * have, and what readers tell arrives. */
#include <pthread.h>
#include <stdatomic.h>

#include "gwd/maps.h"
#include "gwd/qs.h"
#include "tests/unit/run.h"

enum {
	READERS = 3,
	STABLE = 64,	/* remote and local entries each that stay */
	PASSING = 4096, /* that come and go */
	ROUNDS = 30000,
};

static _Atomic bool over;
static size_t n_retired; /* the writer's */

static void
retire(void (*destroy)(void *p), void *p)
{
	n_retired++;
	qs_retire(destroy, p);
}

static struct addr
number(uint8_t net, unsigned i)
{
	const uint8_t b[4] = {10, net, (uint8_t)(i >> 8), (uint8_t)i};

	return addr_from_bytes(4, b);
}

enum net {
	OURS = 1,
	THEIRS,
	GW,
	EA,
};

static struct msg_entry
remote(unsigned ea, unsigned ref)
{
	return (struct msg_entry){.arec = {.ea = number(EA, ea),
					  .gw = number(GW, 1),
					  .ref = ref_from_u64(ref)}};
}

static struct msg_entry
ours(unsigned ip, unsigned ref, uint64_t born)
{
	return (struct msg_entry){
		.arec = {.ip = number(OURS, ip), .ref = ref_from_u64(ref)},
		.born = born};
}

static void
set(struct maps *m, struct msg_entry e)
{
	ck_assert_int_eq(maps_set(m, &e), 0);
}

struct reader {
	struct maps *m;
	unsigned number;
	_Atomic uint64_t lookups;
	uint64_t wrong;
};

static bool
leads(const struct map *e, const struct addr *local)
{
	return e && addr_eq(&e->local, local);
}

/* Each of them is there; the one that passes may be. */
static void
look(struct reader *r, unsigned i)
{
	struct addr ea = number(EA, i % STABLE), gw = number(GW, 1);
	struct addr ip = number(OURS, i % STABLE);
	struct addr passing = number(EA, STABLE + i % PASSING);
	struct ref ref = ref_from_u64(1 + i % STABLE);
	const struct map *e;

	e = maps_by_ea(r->m, &ea);
	r->wrong += !leads(e, &ea);
	if (e)
		maps_used(r->m, e, i & 1 ? WAY_IN : WAY_OUT);
	e = maps_by_ip(r->m, &ip);
	r->wrong += !leads(e, &ip);
	if (e)
		maps_used(r->m, e, WAY_OUT);
	e = maps_local(r->m, &ref);
	r->wrong += !leads(e, &ip);
	/* Its reference changes; one of the two leads there. */
	e = maps_by_ea(r->m, &passing);
	r->wrong += e && !leads(e, &passing);
	if (e)
		maps_used(r->m, e, i & 2 ? WAY_IN : WAY_OUT);
	ref = ref_from_u64(100000 + i % PASSING);
	e = maps_remote(r->m, &gw, &ref);
	r->wrong += e && !ref_eq(&e->ref, &ref);
	r->lookups++;
}

static void *
read_maps(void *arg)
{
	struct reader *r = arg;
	unsigned i, x = r->number + 1;

	qs_reader_start();
	while (!atomic_load(&over)) {
		for (i = 0; i < 32; i++)
			look(r, (x = x * 1103515245 + 12345) >> 8);
		qs_quiet();
		if (x >> 16 & 1)
			continue;
		qs_away();
		sched_yield();
		qs_back();
	}
	qs_reader_end();
	return NULL;
}

static void
set_stable(struct maps *m)
{
	unsigned i;

	for (i = 0; i < STABLE; i++) {
		set(m, remote(i, 1 + i));
		set(m, ours(i, 1 + i, 10));
	}
}

static void
change(struct maps *m, unsigned x)
{
	unsigned i = x % STABLE, k = x % PASSING;
	struct msg_entry e = remote(STABLE + k, 100000 + k);
	struct msg_entry other = ours(i, 1000 + i, x >> 14 & 1 ? 5 : 20);

	switch (x >> 12 & 3) {
	case 0: /* the ea leads elsewhere, and back */
		set(m, remote(i, 1 + i + (x >> 14 & 1 ? STABLE : 0)));
		break;
	case 1: /* another one serves the address, or goes */
		set(m, other);
		if (x >> 15 & 1)
			maps_del(m, &other.arec);
		break;
	case 2:
		e.flags = x >> 14 & 1 ? MSG_ENTRY_TENTATIVE : 0;
		set(m, e);
		break;
	default:
		maps_del(m, &e.arec);
	}
}

START_TEST(test_readers)
{
	struct addr pub = number(GW, 0);
	struct maps *m = maps_new(&pub, 100000);
	struct reader readers[READERS];
	pthread_t threads[READERS];
	unsigned i, x = 7, told = 0;
	struct arec out[64];

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(qs_writer_start(), 0);
	maps_share(m, retire);
	set_stable(m);
	for (i = 0; i < READERS; i++) {
		readers[i] = (struct reader){.m = m, .number = i};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_maps,
					 &readers[i]),
			0);
	}
	for (i = 0; i < READERS; i++)
		while (!atomic_load(&readers[i].lookups))
			sched_yield();
	for (i = 0; i < ROUNDS; i++) {
		change(m, (x = x * 1103515245 + 12345) >> 8);
		if (i % 64 == 0)
			told += (unsigned)maps_take_used(m, out, 64);
		if (i % 64 == 1)
			maps_take_proved(m, out, 64);
	}
	atomic_store(&over, true);
	for (i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(readers[i].wrong, 0);
	}
	ck_assert_uint_gt(n_retired, 0);
	ck_assert_uint_gt(told, 0);
	maps_free(m);
	qs_writer_end();
}
END_TEST

/* --- one that is there all the time -------------------------------------- */

/* One of each kind, which the writer replaces all the time. */
static unsigned
missing(const struct maps *m)
{
	struct addr ea = number(EA, 1), gw = number(GW, 1);
	struct addr ip = number(OURS, 1);
	struct ref theirs = ref_from_u64(1000), mine = ref_from_u64(1);

	return !leads(maps_by_ea(m, &ea), &ea) + !maps_remote(m, &gw, &theirs) +
	       !leads(maps_by_ip(m, &ip), &ip) + !maps_local(m, &mine);
}

/* The ea gets another reference; the reference another ea; the address another
 * entry that serves, and the first again; our reference another address. */
static void
replace(struct maps *m, unsigned i)
{
	struct msg_entry older = ours(1, 2, 5);

	set(m, remote(1, 100 + i % 2));
	set(m, remote(2 + i % 2, 1000));
	set(m, older);
	maps_del(m, &older.arec);
	set(m, ours(2 + i % 2, 1, 10));
}

static struct maps *
replaceable(maps_retire *retired)
{
	struct addr pub = number(GW, 0);
	struct maps *m = maps_new(&pub, 100);

	ck_assert_ptr_nonnull(m);
	maps_share(m, retired);
	set(m, ours(1, 3, 10)); /* the address's own */
	replace(m, 1);
	return m;
}

static const struct maps *looked_at;
static unsigned n_missing;

/* What is replaced is retired when another has its place. */
static void
look_and_retire(void (*destroy)(void *p), void *p)
{
	n_missing += looked_at && missing(looked_at);
	n_retired++;
	destroy(p);
}

START_TEST(test_replaced_in_place)
{
	struct maps *m = replaceable(look_and_retire);
	unsigned i;

	looked_at = m;
	for (i = 0; i < 10; i++)
		replace(m, i);
	ck_assert_uint_ge(n_retired, 10);
	ck_assert_uint_eq(n_missing, 0);
	looked_at = NULL;
	maps_free(m);
}
END_TEST

struct watcher {
	const struct maps *m;
	_Atomic unsigned looks;
	unsigned missing;
};

static void *
watch(void *arg)
{
	struct watcher *w = arg;

	qs_reader_start();
	while (!atomic_load(&over)) {
		w->missing += missing(w->m);
		atomic_fetch_add(&w->looks, 1);
		qs_quiet();
	}
	qs_reader_end();
	return NULL;
}

/* So often that a reader meets any moment in which it would not be there. */
START_TEST(test_never_missing)
{
	enum {
		TIMES = 30000
	};
	struct watcher w = {0};
	struct maps *m;
	pthread_t thread;
	unsigned i;

	ck_assert_int_eq(qs_writer_start(), 0);
	w.m = m = replaceable(retire);
	ck_assert_int_eq(pthread_create(&thread, NULL, watch, &w), 0);
	while (!atomic_load(&w.looks))
		sched_yield();
	for (i = 0; i < TIMES; i++)
		replace(m, i);
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(w.missing, 0);
	/* the end of all of them is nobody's to wait for */
	qs_writer_end();
	n_retired = 0;
	maps_free(m);
	ck_assert_uint_eq(n_retired, 0);
}
END_TEST

RUN_TESTS("maps_threads", test_readers, test_replaced_in_place,
	test_never_missing)
