/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP limits: by scripts of messages at given times. */
#include "gwd/limit.h"
#include "tests/unit/run.h"

static struct addr
host(uint8_t a, uint8_t b)
{
	return (struct addr){4, {10, 0, a, b}};
}

struct step {
	uint64_t at_ms;
	uint8_t dst;
	unsigned tries, passed;
};

static void
run(struct limit *l, const struct step *s, size_t n)
{
	struct addr dst;
	unsigned i, passed;
	size_t k;

	for (k = 0; k < n; k++) {
		dst = host(0, s[k].dst);
		for (i = passed = 0; i < s[k].tries; i++)
			passed += limit_take(l, &dst, false, s[k].at_ms);
		ck_assert_msg(passed == s[k].passed,
			"step %zu: %u passed, not %u", k, passed, s[k].passed);
	}
}

static const struct limit_rate all = {100, 30};
static const struct limit_rate each = {10, 5};

START_TEST(test_one_destination)
{
	static const struct step steps[] = {
		{1000, 1, 10, 5}, /* the burst */
		{1000, 1, 10, 0},
		{1099, 1, 1, 0},
		{1100, 1, 10, 1}, /* one in 100 ms */
		{1350, 1, 10, 2},
		{1400, 1, 10, 1}, /* what 1350 left over counts */
		{90000, 1, 10, 5},
	};
	struct limit l;

	limit_init(&l, &all, &each, 1);
	run(&l, steps, ARRAY_LEN(steps));
}
END_TEST

/* Destinations do not take from each other, but for the rate in all. */
START_TEST(test_many_destinations)
{
	static const struct step steps[] = {
		{1000, 1, 1000, 5},
		{1000, 2, 5, 5},
		{1000, 3, 5, 5},
		{1000, 4, 5, 5},
		{1000, 5, 5, 5},
		{1000, 6, 5, 5},
		{1000, 7, 5, 0},
		{1020, 8, 5, 2},
		{1040, 9, 5, 2},
	};
	struct limit l;

	limit_init(&l, &all, &each, 1);
	run(&l, steps, ARRAY_LEN(steps));
}
END_TEST

/* Made-up destinations get the rate in all and no more. */
START_TEST(test_flood)
{
	struct limit l;
	struct addr dst;
	unsigned passed = 0;
	uint64_t ms;
	int i;

	limit_init(&l, &all, &each, 7);
	for (ms = 1000; ms < 11000; ms++)
		for (i = 0; i < 20; i++) {
			dst = host((uint8_t)(ms % 251), (uint8_t)i);
			passed += limit_take(&l, &dst, false, ms);
		}
	ck_assert_uint_le(passed, 10 * 100 + 30);
	ck_assert_uint_ge(passed, 10 * 100 - 1);
}
END_TEST

/* However many peers are to be told something: hosts still are. */
START_TEST(test_kept_for_hosts)
{
	struct limit l;
	struct addr dst;
	unsigned peers = 0, hosts = 0;
	uint64_t ms;
	int i;

	limit_init(&l, &all, &each, 7);
	for (ms = 1000; ms < 11000; ms++) {
		for (i = 0; i < 20; i++) {
			dst = host((uint8_t)(ms % 251), (uint8_t)i);
			peers += limit_take(&l, &dst, true, ms);
		}
		dst = host(255, 255);
		if (ms % 1000 == 0)
			hosts += limit_take(&l, &dst, false, ms);
	}
	ck_assert_uint_eq(hosts, 10);
	ck_assert_uint_ge(peers, 10 * 100 - 10);
	/* a burst of one is all there is */
	limit_init(&l, &(struct limit_rate){1, 1}, &each, 7);
	ck_assert(limit_take(&l, &dst, true, 1000));
}
END_TEST

START_TEST(test_rates)
{
	static const struct limit_rate none = {0, 5}, big = {1000000, 1000000};
	struct addr dst = host(1, 1);
	struct limit l;
	int i;

	limit_init(&l, &none, &each, 1);
	ck_assert(!limit_take(&l, &dst, false, 1000));
	limit_set(&l, &all, &none);
	ck_assert(!limit_take(&l, &dst, false, 2000));
	limit_set(&l, &all, &each);
	ck_assert(limit_take(&l, &dst, false, 3000));
	/* A smaller burst cuts what has gathered. */
	limit_set(&l, &all, &(struct limit_rate){10, 2});
	ck_assert(limit_take(&l, &dst, false, 3000));
	ck_assert(limit_take(&l, &dst, false, 3000));
	ck_assert(!limit_take(&l, &dst, false, 3000));
	limit_set(&l, &big, &big);
	for (i = 0; i < 100000; i++)
		ck_assert(limit_take(&l, &dst, false, UINT64_C(1) << 40));
}
END_TEST

RUN_TESTS("gwd limit", test_one_destination, test_many_destinations, test_flood,
	test_kept_for_hosts, test_rates)
