/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lanes look routes up and count while the control thread changes, removes and
 * takes: a way is whole, what is there all the time is always found, nothing is
 * freed that a lane may have, and every packet counted is taken once. */
#include <pthread.h>
#include <stdatomic.h>

#include "gwd/qs.h"
#include "gwd/routes.h"
#include "tests/unit/run.h"

enum {
	LANES = 3,
	STABLE = 32,   /* peers that stay */
	PASSING = 256, /* that come and go */
	ROUNDS = 20000,
	BATCHES = 4000,
	LEN = 100, /* of a packet */
};

static _Atomic bool changed_enough;
static _Atomic unsigned running; /* lanes that have not counted enough */
static size_t n_retired;	 /* the control thread's */

static void
retire(void (*destroy)(void *p), void *p)
{
	n_retired++;
	qs_retire(destroy, p);
}

static struct addr
number(unsigned i)
{
	return (struct addr){4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

/* All that it says follows from the port. */
static struct route_way
way_by(unsigned i, uint16_t port)
{
	return (struct route_way){
		.peer = number(i),
		.port = port,
		.src = number(port),
		.to = number(port),
		.mtu = port,
		.ref = ref_from_u64(port),
	};
}

static bool
is_whole(const struct route_way *w, unsigned i)
{
	const struct route_way like = way_by(i, w->port);

	return addr_eq(&w->peer, &like.peer) && addr_eq(&w->src, &like.src) &&
	       addr_eq(&w->to, &like.to) && w->mtu == like.mtu &&
	       ref_eq(&w->ref, &like.ref);
}

struct lane {
	struct routes *r;
	unsigned number;
	uint64_t wrong, clock;
	uint64_t counted[STABLE][WAY_N];
};

static void
carry(struct lane *l, unsigned i, enum way way)
{
	const struct addr a = number(i);
	const struct route *route = routes_get(l->r, &a);

	if (!route) {
		l->wrong += i < STABLE;
		return;
	}
	l->wrong += !is_whole(route_way(route), i);
	route_count(route, l->number, way, 1, LEN, ++l->clock);
	if (route_batches(route) && l->clock % 16 == 0)
		route_no_batches(route);
	if (i < STABLE)
		l->counted[i][way]++;
}

static void *
run_lane(void *arg)
{
	struct lane *l = arg;
	unsigned i, n, x = l->number + 1;

	qs_reader_start();
	for (n = 0; n < BATCHES || !atomic_load(&changed_enough); n++) {
		for (i = 0; i < 32; i++) {
			x = x * 1103515245 + 12345;
			carry(l, (x >> 8) % STABLE, x >> 30 & 1);
			carry(l, STABLE + (x >> 8) % PASSING, WAY_IN);
		}
		qs_quiet();
		if (n + 1 == BATCHES)
			atomic_fetch_sub(&running, 1);
	}
	qs_reader_end();
	return NULL;
}

static struct route_use taken[STABLE];

static void
take(struct routes *r, unsigned i)
{
	const struct addr a = number(i);
	struct route_use use;
	enum way way;

	if (!routes_take(r, &a, &use))
		return;
	for (way = 0; way < WAY_N; way++) {
		taken[i].packets[way] += use.packets[way];
		taken[i].bytes[way] += use.bytes[way];
		ck_assert_uint_ge(
			taken[i].bytes[way], LEN * taken[i].packets[way]);
		ck_assert(use.packets[way] == 0 ||
			  use.last_ms[way] >= taken[i].last_ms[way]);
		if (use.packets[way])
			taken[i].last_ms[way] = use.last_ms[way];
	}
}

static void
set(struct routes *r, unsigned i, unsigned x)
{
	const struct route_way way = way_by(i, (uint16_t)(1 + x % 1000));

	ck_assert_int_eq(routes_set(r, &way), 0);
}

static void
change(struct routes *r, unsigned x)
{
	unsigned i = x % STABLE, k = STABLE + x % PASSING;
	const struct addr passing = number(k);
	struct route_use use;

	switch (x >> 10 & 3) {
	case 0:
		set(r, i, x >> 12);
		break;
	case 1:
		set(r, k, x >> 12);
		break;
	case 2:
		(void)!routes_take(r, &passing, &use);
		routes_del(r, &passing);
		break;
	default:
		take(r, i);
	}
}

static void
check_taken(const struct lane *lanes, unsigned i)
{
	uint64_t counted;
	unsigned lane;
	enum way way;

	for (way = 0; way < WAY_N; way++) {
		counted = 0;
		for (lane = 0; lane < LANES; lane++)
			counted += lanes[lane].counted[i][way];
		ck_assert_uint_gt(counted, 0);
		ck_assert_uint_eq(taken[i].packets[way], counted);
		ck_assert_uint_eq(taken[i].bytes[way], LEN * counted);
	}
}

static void
change_enough(struct routes *r)
{
	unsigned i, x = 7;

	for (i = 0; i < ROUNDS || atomic_load(&running); i++)
		change(r, (x = x * 1103515245 + 12345) >> 8);
	atomic_store(&changed_enough, true);
}

START_TEST(test_lanes)
{
	struct routes *r = routes_new(STABLE + PASSING, LANES, retire);
	static struct lane lanes[LANES];
	pthread_t threads[LANES];
	unsigned i;

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(qs_writer_start(), 0);
	for (i = 0; i < STABLE; i++)
		set(r, i, i);
	atomic_store(&running, LANES);
	for (i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){.r = r, .number = i};
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, run_lane, &lanes[i]),
			0);
	}
	change_enough(r);
	for (i = 0; i < LANES; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(lanes[i].wrong, 0);
	}
	for (i = 0; i < STABLE; i++) {
		take(r, i);
		check_taken(lanes, i);
	}
	ck_assert_uint_gt(n_retired, ROUNDS / 4);
	routes_free(r);
	qs_writer_end();
}
END_TEST

RUN_TESTS("routes_threads", test_lanes)
