/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/paths.h"

#include <stdio.h>

#include "tests/unit/run.h"

#define T0 1000000ULL

static struct addr
host(uint32_t n)
{
	return (struct addr){
		4, {192, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

/* One address through its life, a row a step. */
START_TEST(test_life)
{
	static const struct {
		uint64_t at_ms;
		uint32_t learn; /* NONE: only looked at */
		bool news;
		uint32_t mtu; /* afterwards */
	} steps[] = {
#define NONE UINT32_MAX
		{0, NONE, false, 1500}, {1000, 1400, true, 1400},
		{2000, 1450, false, 1400}, /* of an older packet */
		{3000, 1400, false, 1400}, /* keeps it */
		{PATHS_KEEP_MS + 2999, NONE, false, 1400},
		{PATHS_KEEP_MS + 3000, NONE, false, 1500},
		{PATHS_KEEP_MS + 4000, 1500, false, 1500},
		{PATHS_KEEP_MS + 5000, 9000, false, 1500},
		{PATHS_KEEP_MS + 6000, 1300, true, 1300},
		{PATHS_KEEP_MS + 7000, 68, true, 576}, /* not below */
		{PATHS_KEEP_MS + 8000, 1, false, 576},
		{2 * PATHS_KEEP_MS + 8000, NONE, false, 1500},
		{2 * PATHS_KEEP_MS + 9000, 0, true, 576}, /* none said */
	};
	struct paths *p = paths_new(10, PATHS_LOWEST_V4, 1500);
	struct addr a = host(1), other = host(2);
	uint64_t now;
	size_t i;

	for (i = 0; i < ARRAY_LEN(steps); i++) {
		now = T0 + steps[i].at_ms;
		if (steps[i].learn != NONE)
			ck_assert_msg(paths_learn(p, &a, steps[i].learn, now) ==
					      steps[i].news,
				"step %zu", i);
		ck_assert_msg(paths_get(p, &a, now) == steps[i].mtu,
			"step %zu: %u", i, paths_get(p, &a, now));
		ck_assert_uint_eq(paths_get(p, &other, now), 1500);
	}
	ck_assert_uint_eq(paths_count(p), 1);
	ck_assert_uint_eq(paths_stats(p)->learned, 4);
	paths_free(p);
}
END_TEST

/* No path takes more than a packet can have, whatever ICMPv6 says. */
START_TEST(test_huge)
{
	struct paths *p = paths_new(10, PATHS_LOWEST_V6, 0);
	struct addr a = host(1);

	(void)paths_learn(p, &a, UINT32_MAX, T0);
	ck_assert_uint_le(paths_peek(p, &a)->learned, UINT16_MAX);
	paths_free(p);
}
END_TEST

/* Bound to all: the first hop is asked for, again when it is old. */
START_TEST(test_first_hop)
{
	struct paths *p = paths_new(10, PATHS_LOWEST_V6, 0);
	struct addr a = host(1);

	ck_assert_uint_eq(paths_get(p, &a, T0), 0);
	paths_first_hop(p, &a, 9000, T0);
	ck_assert_uint_eq(paths_get(p, &a, T0 + 1), 9000);
	ck_assert(paths_learn(p, &a, 1400, T0 + 10));
	ck_assert_uint_eq(paths_get(p, &a, T0 + 11), 1400);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_HOP_MS - 1), 1400);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_HOP_MS), 0);
	/* What was learned is still believed with a new first hop. */
	paths_first_hop(p, &a, 1450, T0 + PATHS_KEEP_MS);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_KEEP_MS + 1), 1400);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_KEEP_MS + 10), 1450);
	paths_first_hop(p, &a, 100, T0 + PATHS_KEEP_MS + 20);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_KEEP_MS + 20), 1280);
	paths_free(p);
}
END_TEST

/* Less is learned before and after the first hop is known. */
START_TEST(test_learned_first)
{
	struct paths *p = paths_new(10, PATHS_LOWEST_V4, 0);
	struct addr a = host(1);

	ck_assert(paths_learn(p, &a, 1300, T0));
	ck_assert(!paths_learn(p, &a, 1400, T0));
	ck_assert_uint_eq(paths_get(p, &a, T0), 0);
	paths_first_hop(p, &a, 1500, T0);
	ck_assert_uint_eq(paths_get(p, &a, T0), 1300);
	paths_free(p);
}
END_TEST

START_TEST(test_fixed)
{
	struct paths *p = paths_new(4, PATHS_LOWEST_V4, 1500);
	struct addr a = host(1), b = host(2);
	uint32_t i;

	paths_fix(p, &a, 1400);
	paths_fix(p, &b, 9000);
	ck_assert_uint_eq(paths_get(p, &a, T0), 1400);
	ck_assert_uint_eq(paths_get(p, &b, T0), 9000);
	ck_assert(paths_learn(p, &a, 1350, T0));
	ck_assert(!paths_learn(p, &a, 1450, T0 + 1));
	ck_assert_uint_eq(paths_get(p, &a, T0), 1350);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_KEEP_MS), 1400);
	/* They stay, however long they are not used. */
	for (i = 10; i < 100; i++) {
		struct addr c = host(i);
		uint64_t now = T0 + i * PATHS_IDLE_MS;

		ck_assert(paths_learn(p, &c, 1000, now));
		ck_assert_uint_eq(paths_get(p, &c, now), 1000);
	}
	ck_assert_uint_eq(paths_count(p), 4);
	ck_assert_uint_eq(paths_get(p, &b, T0 + PATHS_KEEP_MS), 9000);
	paths_fix(p, &b, 1200);
	ck_assert_uint_eq(paths_get(p, &b, T0 + PATHS_KEEP_MS), 1200);
	paths_unfix(p);
	ck_assert_uint_eq(paths_get(p, &a, T0 + PATHS_KEEP_MS), 1500);
	ck_assert_uint_eq(paths_get(p, &b, T0 + PATHS_KEEP_MS), 1500);
	paths_free(p);
}
END_TEST

/* A table of paths in use: what anybody says of others changes nothing, and
 * among themselves the one not used for longest goes. */
START_TEST(test_full)
{
	struct paths *p = paths_new(16, PATHS_LOWEST_V4, 1500);
	struct addr a;
	uint32_t i;

	for (i = 0; i < 16; i++) {
		a = host(i);
		ck_assert(paths_learn(p, &a, 1400, T0));
		ck_assert_uint_eq(paths_get(p, &a, T0 + i), 1400);
	}
	for (i = 1000; i < 101000; i++) {
		a = host(i);
		ck_assert(!paths_learn(p, &a, 600, T0 + 1000));
	}
	ck_assert_uint_eq(paths_stats(p)->full, 100000);
	ck_assert_uint_eq(paths_stats(p)->evicted, 0);
	a = host(0);
	ck_assert_uint_eq(paths_get(p, &a, T0 + 2000), 1400);
	/* One that is used takes a place, host 1's. */
	a = host(200);
	paths_first_hop(p, &a, 1400, T0 + 3000);
	a = host(1);
	ck_assert_ptr_null(paths_peek(p, &a));
	/* Idle ones make room, made-up ones only for each other. */
	for (i = 1000; i < 2000; i++) {
		a = host(i);
		ck_assert(paths_learn(p, &a, 600, T0 + PATHS_IDLE_MS + 2));
		ck_assert_uint_eq(paths_count(p), 16);
	}
	for (i = 3; i < 16; i++) {
		a = host(i);
		ck_assert_ptr_nonnull(paths_peek(p, &a));
	}
	paths_free(p);
	paths_free(NULL);
}
END_TEST

/* What is saved comes back, with the time that was left. */
START_TEST(test_restore)
{
	struct paths *p = paths_new(10, PATHS_LOWEST_V4, 1500);
	struct paths *q = paths_new(10, PATHS_LOWEST_V4, 1500);
	struct addr a = host(1);
	const struct path *path;
	size_t pos = 0, n = 0;

	ck_assert(paths_learn(p, &a, 1400, T0));
	while ((path = paths_next(p, &pos))) {
		ck_assert_uint_eq(paths_mtu(p, path, T0 + 1), 1400);
		ck_assert_uint_eq(paths_left(path, T0 + PATHS_KEEP_MS), 0);
		paths_restore(q, &path->addr, path->learned,
			paths_left(path, T0 + 1000), 5000);
		n++;
	}
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(paths_get(q, &a, 5000), 1400);
	ck_assert_uint_eq(paths_get(q, &a, 5000 + PATHS_KEEP_MS - 1001), 1400);
	ck_assert_uint_eq(paths_get(q, &a, 5000 + PATHS_KEEP_MS - 1000), 1500);
	/* A file that says nonsense does no lasting harm. */
	paths_restore(q, &a, 1, UINT64_MAX, 5000);
	ck_assert_uint_eq(paths_get(q, &a, 5000), 576);
	ck_assert_uint_eq(paths_get(q, &a, 5000 + PATHS_KEEP_MS), 1500);
	paths_free(p);
	paths_free(q);
}
END_TEST

RUN_TESTS("gwd paths", test_life, test_huge, test_first_hop, test_learned_first,
	test_fixed, test_full, test_restore)
