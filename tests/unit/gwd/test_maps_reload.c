/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 100,000 mappings are added, replaced, removed and copied anew while threads
 * look them up at random. Each value tells whose it is and checks itself: a
 * reader sees it whole, as long as it keeps it, and finds what stays, always.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "gwd/maps.h"
#include "gwd/qs.h"
#include "tests/unit/run.h"

enum {
	READERS = 2,
	HOSTS = 50000, /* of each kind */
	STAYS = 4,     /* each fourth is always there */
	CHANGES = 20000,
	RELOADS = 2,
	BATCH = 32,
};

enum kind {
	OURS, /* by ip; the reference is ours */
	THEIRS,
	KINDS,
	GW,
};

static _Atomic bool over;
static size_t n_retired; /* the writer's */

static void
retire(void (*destroy)(void *p), void *p)
{
	n_retired++;
	qs_retire(destroy, p);
}

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 16;
}

static struct addr
number(uint8_t net, uint32_t i)
{
	const uint8_t b[4] = {10, net, (uint8_t)(i >> 8), (uint8_t)i};

	return addr_from_bytes(4, b);
}

static bool
stays(uint32_t host)
{
	return host % STAYS == 0;
}

/* --- values -------------------------------------------------------------- */

static uint16_t
check_of(enum kind kind, uint32_t host, uint16_t version)
{
	uint64_t v = ((uint64_t)host << 17 | (uint64_t)version << 1 | kind) + 1;

	return (uint16_t)(v * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

static struct ref
ref_of(enum kind kind, uint32_t host, uint16_t version)
{
	return ref_from_u64((uint64_t)host << 32 | (uint64_t)version << 16 |
			    check_of(kind, host, version));
}

static struct addr
gw_of(enum kind kind, const struct ref *ref)
{
	return number(GW,
		kind == OURS ? 0 : 1 + (ref->b[REF_LEN - 1] & UINT32_C(15)));
}

/* e is an entry of this host, of one version throughout. */
static bool
is_whole(const struct map *e, enum kind kind, uint32_t host)
{
	const uint8_t *b = e->ref.b + REF_LEN - 4;
	uint16_t version = (uint16_t)(b[0] << 8 | b[1]);
	struct ref ref = ref_of(kind, host, version);
	struct addr local = number(kind, host), gw = gw_of(kind, &ref);

	return e->remote == (kind == THEIRS) && addr_eq(&e->local, &local) &&
	       ref_eq(&e->ref, &ref) && addr_eq(&e->gw, &gw);
}

static struct msg_entry
entry(enum kind kind, uint32_t host, uint16_t version)
{
	struct msg_entry e = {
		.born = 1, .arec.ref = ref_of(kind, host, version)};

	e.arec.gw = gw_of(kind, &e.arec.ref);
	*(kind == OURS ? &e.arec.ip : &e.arec.ea) = number(kind, host);
	return e;
}

static const struct map *
look_up(const struct maps *m, enum kind kind, uint32_t host)
{
	struct addr a = number(kind, host);

	return kind == OURS ? maps_by_ip(m, &a) : maps_by_ea(m, &a);
}

/* --- readers ------------------------------------------------------------- */

struct held {
	const struct map *e;
	enum kind kind;
	uint32_t host;
};

struct reader {
	struct maps *m;
	uint64_t random;
	_Atomic uint64_t looks;
	uint64_t missing, wrong;
	struct held held[BATCH];
	size_t n;
};

/* The address leads to the reference, and the reference, unless it has been
 * replaced by now, to the address. */
static void
look(struct reader *r)
{
	uint64_t x = next(&r->random);
	enum kind kind = x & 1 ? OURS : THEIRS;
	uint32_t host = (uint32_t)(x >> 1) % HOSTS;
	const struct map *e = look_up(r->m, kind, host), *back;

	if (!e) {
		r->missing += stays(host);
		return;
	}
	r->wrong += !is_whole(e, kind, host);
	back = kind == OURS ? maps_local(r->m, &e->ref)
			    : maps_remote(r->m, &e->gw, &e->ref);
	r->wrong += back && !is_whole(back, kind, host);
	if (x & UINT64_C(1) << 32)
		maps_used(r->m, e, x & UINT64_C(1) << 33 ? WAY_IN : WAY_OUT);
	r->held[r->n++] = (struct held){e, kind, host};
}

static void *
read_maps(void *arg)
{
	struct reader *r = arg;
	size_t i;

	qs_reader_start();
	while (!atomic_load(&over)) {
		r->n = 0;
		for (i = next(&r->random) % BATCH + 1; i > 0; i--)
			look(r);
		for (i = 0; i < r->n; i++)
			r->wrong += !is_whole(
				r->held[i].e, r->held[i].kind, r->held[i].host);
		atomic_fetch_add(&r->looks, 1);
		qs_quiet();
		if (next(&r->random) % 16)
			continue;
		qs_away();
		sched_yield();
		qs_back();
	}
	qs_reader_end();
	return NULL;
}

/* --- the writer ---------------------------------------------------------- */

struct writer {
	struct maps *m;
	uint64_t random;
	int version[KINDS][HOSTS]; /* -1: not there */
};

static void
set(struct writer *w, enum kind kind, uint32_t host, int version)
{
	struct msg_entry e = entry(kind, host, (uint16_t)version);

	ck_assert_int_eq(maps_set(w->m, &e), 0);
	w->version[kind][host] = version;
}

static void
del(struct writer *w, enum kind kind, uint32_t host, int version)
{
	struct msg_entry e = entry(kind, host, (uint16_t)version);

	maps_del(w->m, &e.arec);
}

static int
newer(int version)
{
	return (version + 1) & 0x7fff;
}

static void
change(struct writer *w)
{
	uint64_t x = next(&w->random);
	enum kind kind = x & 1 ? OURS : THEIRS;
	uint32_t host = (uint32_t)(x >> 1) % HOSTS;
	int was = w->version[kind][host];

	if (was >= 0 && !stays(host) && x >> 32 & 1) {
		del(w, kind, host, was);
		w->version[kind][host] = -1;
		return;
	}
	set(w, kind, host, newer(was));
	/* Two references of ours may lead to one address. */
	if (kind == OURS && was >= 0)
		del(w, kind, host, was);
}

/* A copy of all in another order, in which some are new, others missing; or in
 * which all is as it was. */
static void
reload(struct writer *w, uint32_t step, bool same)
{
	enum kind kind;
	uint32_t i, host;
	uint64_t x;
	int was;

	maps_begin(w->m);
	for (i = 0; i < HOSTS * KINDS; i++) {
		kind = i % KINDS ? THEIRS : OURS;
		host = (uint32_t)((uint64_t)i / KINDS * step % HOSTS);
		was = w->version[kind][host];
		x = same ? 7 : next(&w->random) % 8;
		if (x == 0 && !stays(host))
			w->version[kind][host] = -1;
		else if (was >= 0 || x == 1)
			set(w, kind, host, x == 1 ? newer(was) : was);
	}
	maps_sweep(w->m);
}

static void
check_all(const struct writer *w)
{
	size_t n[KINDS] = {0};
	const struct map *e;
	enum kind kind;
	struct ref ref;
	uint32_t i;

	for (i = 0; i < HOSTS * KINDS; i++) {
		kind = i % KINDS ? THEIRS : OURS;
		e = look_up(w->m, kind, i / KINDS);
		ck_assert_int_eq(!e, w->version[kind][i / KINDS] < 0);
		if (!e)
			continue;
		n[kind]++;
		ref = ref_of(
			kind, i / KINDS, (uint16_t)w->version[kind][i / KINDS]);
		ck_assert(ref_eq(&e->ref, &ref));
	}
	ck_assert_uint_eq(maps_count(w->m, false), n[OURS]);
	ck_assert_uint_eq(maps_count(w->m, true), n[THEIRS]);
}

static void
write_all(struct writer *w)
{
	struct arec used[BATCH];
	size_t before, told = 0;
	uint32_t i, round;

	for (round = 0; round < RELOADS; round++) {
		for (i = 0; i < CHANGES; i++) {
			change(w);
			if (i % BATCH == 0)
				told += maps_take_used(w->m, used, BATCH);
		}
		check_all(w);
		reload(w, 7919 + 2 * round, false);
		check_all(w);
	}
	while (maps_take_used(w->m, used, BATCH) == BATCH)
		;
	before = n_retired;
	reload(w, 31337, true);
	ck_assert_uint_eq(n_retired, before);
	check_all(w);
	ck_assert_uint_gt(told, 0);
}

START_TEST(test_reload)
{
	static struct writer w = {.random = 20261124};
	static struct reader readers[READERS];
	struct addr pub = number(GW, 0);
	pthread_t threads[READERS];
	uint32_t i;

	w.m = maps_new(&pub, HOSTS * KINDS * 2);
	ck_assert_ptr_nonnull(w.m);
	ck_assert_int_eq(qs_writer_start(), 0);
	maps_share(w.m, retire);
	for (i = 0; i < HOSTS * KINDS; i++)
		set(&w, i % KINDS ? THEIRS : OURS, i / KINDS, 0);
	for (i = 0; i < READERS; i++) {
		readers[i].m = w.m;
		readers[i].random = i + 1;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_maps,
					 &readers[i]),
			0);
	}
	for (i = 0; i < READERS; i++)
		while (!atomic_load(&readers[i].looks))
			sched_yield();
	write_all(&w);
	atomic_store(&over, true);
	for (i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(readers[i].missing, 0);
		ck_assert_uint_eq(readers[i].wrong, 0);
	}
	maps_free(w.m);
	qs_writer_end();
}
END_TEST

RUN_TESTS("maps_reload", test_reload)
