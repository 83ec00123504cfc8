/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/routes.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/run.h"

enum {
	LANES = 3
};

static size_t n_retired;

/* Nobody else reads. */
static void
retire(void (*destroy)(void *p), void *p)
{
	n_retired++;
	destroy(p);
}

static struct addr
number(uint32_t i)
{
	return (struct addr){
		4, {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct route_way
way_to(uint32_t i)
{
	return (struct route_way){
		.peer = number(i),
		.port = 1045,
		.src = {4, {192, 0, 2, 1}},
		.to = {4, {192, 0, 2, 1}},
		.mtu = 1500,
		.ref = ref_from_u64(1),
	};
}

static void
set(struct routes *r, const struct route_way *way)
{
	ck_assert_int_eq(routes_set(r, way), 0);
}

static const struct route_way *
get(const struct routes *r, uint32_t i)
{
	const struct addr a = number(i);
	const struct route *route = routes_get(r, &a);

	return route ? route_way(route) : NULL;
}

static void
count(const struct routes *r, uint32_t i, unsigned lane, enum way way,
	uint64_t packets, uint64_t now)
{
	const struct addr a = number(i);

	route_count(routes_get(r, &a), lane, way, packets, packets * 100, now);
}

START_TEST(test_life)
{
	struct routes *r = routes_new(10, LANES, retire);
	struct route_way way = way_to(1);
	const struct route_way *before;
	struct addr a = number(1);

	ck_assert_ptr_nonnull(r);
	ck_assert_ptr_null(get(r, 1));
	routes_del(r, &a);
	set(r, &way);
	ck_assert_uint_eq(get(r, 1)->port, 1045);
	ck_assert(addr_eq(&get(r, 1)->peer, &a));
	ck_assert_ptr_null(get(r, 2));
	a.ver = 6;
	ck_assert_ptr_null(routes_get(r, &a));
	before = get(r, 1);
	set(r, &way);
	ck_assert_ptr_eq(get(r, 1), before);
	ck_assert_uint_eq(n_retired, 0);
	ck_assert_uint_eq(routes_count(r), 1);
	way.port = 2045;
	set(r, &way);
	ck_assert_uint_eq(get(r, 1)->port, 2045);
	ck_assert_uint_eq(n_retired, 1);
	ck_assert_uint_eq(routes_count(r), 1);
	routes_del(r, &way.peer);
	ck_assert_ptr_null(get(r, 1));
	ck_assert_uint_eq(n_retired, 3);
	ck_assert_uint_eq(routes_count(r), 0);
	set(r, &way);
	routes_free(r);
	routes_free(NULL);
}
END_TEST

/* Each thing that a way says makes it another. */
START_TEST(test_changes)
{
	const struct route_way first = way_to(1);
	struct route_way ways[] = {
		first, first, first, first, first, first, first};
	struct routes *r = routes_new(10, LANES, retire);
	size_t i;

	ways[0].port++;
	ways[1].src.b[3]++;
	ways[2].to = (struct addr){0};
	ways[3].mtu--;
	ways[4].tos = true;
	ways[5].dscp_tos = 0x88;
	ways[6].ref = ref_from_u64(2);
	for (i = 0; i < ARRAY_LEN(ways); i++) {
		set(r, &first);
		n_retired = 0;
		set(r, &ways[i]);
		ck_assert_msg(n_retired == 1, "change %zu", i);
		set(r, &ways[i]);
		ck_assert_uint_eq(n_retired, 1);
	}
	routes_free(r);
}
END_TEST

START_TEST(test_full)
{
	struct routes *r = routes_new(1000, LANES, retire);
	struct route_way way;
	struct addr a;
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		way = way_to(i);
		set(r, &way);
	}
	way = way_to(i);
	ck_assert_int_eq(routes_set(r, &way), -ENOSPC);
	ck_assert_ptr_null(get(r, i));
	way = way_to(7);
	way.mtu = 1400;
	set(r, &way);
	ck_assert_uint_eq(routes_count(r), 1000);
	for (i = 0; i < 1000; i++) {
		a = number(i);
		ck_assert(addr_eq(&get(r, i)->peer, &a));
	}
	routes_del(r, &way.peer);
	way = way_to(1000);
	set(r, &way);
	way = way_to(7);
	ck_assert_int_eq(routes_set(r, &way), -ENOSPC);
	ck_assert_uint_eq(routes_count(r), 1000);
	routes_free(r);
}
END_TEST

static void
turn(struct routes *r, uint32_t i)
{
	const struct route *route = routes_turn(r);
	const struct addr a = number(i);

	ck_assert_ptr_nonnull(route);
	ck_assert(addr_eq(&route_way(route)->peer, &a));
}

START_TEST(test_turn)
{
	struct routes *r = routes_new(10, LANES, retire);
	struct route_way ways[] = {way_to(0), way_to(1), way_to(2), way_to(3)};
	uint32_t i;

	ck_assert_ptr_null(routes_turn(r));
	for (i = 0; i < 3; i++)
		set(r, &ways[i]);
	for (i = 0; i < 7; i++)
		turn(r, i % 3);
	/* the turn is 1's */
	set(r, &ways[3]);
	ways[2].mtu--;
	set(r, &ways[2]);
	turn(r, 1);
	turn(r, 2);
	routes_del(r, &ways[0].peer);
	turn(r, 3);
	turn(r, 1);
	for (i = 1; i < 4; i++)
		routes_del(r, &ways[i].peer);
	ck_assert_ptr_null(routes_turn(r));
	routes_free(r);
}
END_TEST

START_TEST(test_take)
{
	struct routes *r = routes_new(10, LANES, retire);
	struct route_way way = way_to(1);
	struct route_use use;

	ck_assert(!routes_take(r, &way.peer, &use));
	set(r, &way);
	ck_assert(!routes_take(r, &way.peer, &use));
	count(r, 1, 0, WAY_OUT, 40, 1000);
	count(r, 1, 2, WAY_OUT, 2, 1002);
	count(r, 1, 1, WAY_OUT, 1, 1001);
	ck_assert(routes_take(r, &way.peer, &use));
	ck_assert_uint_eq(use.packets[WAY_OUT], 43);
	ck_assert_uint_eq(use.bytes[WAY_OUT], 4300);
	ck_assert_uint_eq(use.last_ms[WAY_OUT], 1002);
	ck_assert_uint_eq(use.packets[WAY_IN], 0);
	ck_assert_uint_eq(use.bytes[WAY_IN], 0);
	ck_assert_uint_eq(use.last_ms[WAY_IN], 0);
	ck_assert(!routes_take(r, &way.peer, &use));
	/* Another way doesn't change what was counted. */
	count(r, 1, 0, WAY_IN, 5, 1500);
	way.port++;
	set(r, &way);
	count(r, 1, 0, WAY_IN, 6, 1600);
	ck_assert(routes_take(r, &way.peer, &use));
	ck_assert_uint_eq(use.packets[WAY_IN], 11);
	ck_assert_uint_eq(use.bytes[WAY_IN], 1100);
	ck_assert_uint_eq(use.last_ms[WAY_IN], 1600);
	ck_assert_uint_eq(use.packets[WAY_OUT], 0);
	ck_assert_uint_eq(use.last_ms[WAY_OUT], 0);
	/* A route that was removed begins anew. */
	count(r, 1, 0, WAY_IN, 5, 1700);
	routes_del(r, &way.peer);
	set(r, &way);
	ck_assert(!routes_take(r, &way.peer, &use));
	routes_free(r);
}
END_TEST

/* Known of one peer's path, until its route goes. */
START_TEST(test_batches)
{
	struct routes *r = routes_new(10, LANES, retire);
	struct route_way way = way_to(1), other = way_to(2);

	set(r, &way);
	set(r, &other);
	ck_assert(route_batches(routes_get(r, &way.peer)));
	route_no_batches(routes_get(r, &way.peer));
	ck_assert(!route_batches(routes_get(r, &way.peer)));
	ck_assert(route_batches(routes_get(r, &other.peer)));
	count(r, 1, 0, WAY_OUT, 1, 1000);
	way.mtu = 1400;
	set(r, &way);
	ck_assert(!route_batches(routes_get(r, &way.peer)));
	routes_del(r, &way.peer);
	set(r, &way);
	ck_assert(route_batches(routes_get(r, &way.peer)));
	routes_free(r);
}
END_TEST

RUN_TESTS("routes", test_life, test_changes, test_full, test_turn, test_take,
	test_batches)
