/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quotas: by tables, and random ones against a plain count. */
#include "help.h"
#include "mapperd/quota.h"
#include "tests/unit/run.h"

static const struct quota_limits limits = {
	.peer_gw = 2,
	.peer_net = 3,
	.resolver_gw = 4,
	.tentative_gw = 5,
	.tentative_net = 7,
};

/* As many as fit one after the other: of one address, then of another one of
 * its network. */
START_TEST(test_limits)
{
	static const struct {
		enum entry_cause cause;
		const char *one, *other;
		unsigned of_one, of_other;
	} rows[] = {
		{CAUSE_PEER, "192.0.2.1", "192.0.2.2", 2, 1},
		{CAUSE_PEER, "192.0.2.1", "192.0.3.1", 2, 2},
		{CAUSE_PEER, "2001:db8::1", "2001:db8::2:0:0:1", 2, 1},
		{CAUSE_PEER, "2001:db8::1", "2001:db8:0:1::1", 2, 2},
		{CAUSE_RESOLVER, "192.0.2.1", "192.0.2.2", 4, 4},
		{CAUSE_TENTATIVE, "192.0.2.1", "192.0.2.2", 5, 2},
		{CAUSE_TENTATIVE, "192.0.2.1", "192.0.3.1", 5, 5},
		{CAUSE_TENTATIVE, "2001:db8::1", "2001:db8::2:0:0:1", 5, 2},
	};
	struct addr one, other;
	struct quotas q;
	unsigned n;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		one = addr_of(rows[i].one);
		other = addr_of(rows[i].other);
		quotas_init(&q, &limits, 64);
		for (n = 0; !quotas_take(&q, &one, rows[i].cause, false);)
			n++;
		ck_assert_msg(n == rows[i].of_one, "row %zu: %u", i, n);
		for (n = 0; !quotas_take(&q, &other, rows[i].cause, false);)
			n++;
		ck_assert_msg(n == rows[i].of_other, "row %zu: %u", i, n);
		ck_assert_int_eq(
			quotas_take(&q, &one, rows[i].cause, false), -EDQUOT);
		/* One less: one more. What was refused left no trace. */
		quotas_give(&q, &one, rows[i].cause);
		ck_assert_int_eq(
			quotas_take(&q, &one, rows[i].cause, false), 0);
		ck_assert_int_eq(
			quotas_take(&q, &one, rows[i].cause, false), -EDQUOT);
		quotas_fini(&q);
	}
}
END_TEST

/* The causes don't count for each other. */
START_TEST(test_apart)
{
	static const enum entry_cause causes[] = {
		CAUSE_TENTATIVE, CAUSE_PEER, CAUSE_RESOLVER};
	static const unsigned want[] = {5, 2, 4};
	struct addr gw = addr_of("192.0.2.1");
	struct quotas q;
	unsigned n;
	size_t i;

	quotas_init(&q, &limits, 64);
	for (i = 0; i < ARRAY_LEN(causes); i++) {
		for (n = 0; !quotas_take(&q, &gw, causes[i], false);)
			n++;
		ck_assert_uint_eq(n, want[i]);
	}
	quotas_fini(&q);
}
END_TEST

/* What is there is counted whatever the limits say, and then in the way. */
START_TEST(test_force)
{
	struct quota_limits none = {0};
	struct addr gw = addr_of("192.0.2.1");
	struct quotas q;
	int i;

	quotas_init(&q, &none, 64);
	ck_assert_int_eq(quotas_take(&q, &gw, CAUSE_TENTATIVE, false), -EDQUOT);
	ck_assert_uint_eq(q.counts.n, 0);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(
			quotas_take(&q, &gw, CAUSE_TENTATIVE, true), 0);
	q.limits = limits;
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(
			quotas_take(&q, &gw, CAUSE_TENTATIVE, false), -EDQUOT);
		quotas_give(&q, &gw, CAUSE_TENTATIVE);
	}
	ck_assert_int_eq(quotas_take(&q, &gw, CAUSE_TENTATIVE, false), -EDQUOT);
	quotas_give(&q, &gw, CAUSE_TENTATIVE);
	ck_assert_int_eq(quotas_take(&q, &gw, CAUSE_TENTATIVE, false), 0);
	quotas_fini(&q);
}
END_TEST

/* A counter is there while it counts: room for few is enough, and a bound that
 * is reached half way leaves nothing. */
START_TEST(test_bound)
{
	struct addr a = addr_of("192.0.2.1"), b = addr_of("198.51.100.1");
	struct quotas q;

	quotas_init(&q, &limits, 3);
	ck_assert_int_eq(quotas_take(&q, &a, CAUSE_PEER, false), 0);
	ck_assert_int_eq(quotas_take(&q, &b, CAUSE_PEER, false), -ENOMEM);
	ck_assert_uint_eq(q.counts.n, 2);
	quotas_give(&q, &a, CAUSE_PEER);
	ck_assert_uint_eq(q.counts.n, 0);
	ck_assert_int_eq(quotas_take(&q, &b, CAUSE_PEER, false), 0);
	/* Never counted: nothing to give. */
	quotas_give(&q, &a, CAUSE_PEER);
	quotas_give(&q, &b, CAUSE_RESOLVER);
	ck_assert_uint_eq(q.counts.n, 2);
	quotas_fini(&q);
}
END_TEST

#define NETS 4
#define GWS  8 /* of each */

struct plain {
	unsigned gw[CAUSE_TENTATIVE + 1][NETS * GWS];
	unsigned net[CAUSE_TENTATIVE + 1][NETS];
};

static bool
plain_has_room(const struct plain *p, enum entry_cause cause, size_t i,
	const struct quota_limits *l)
{
	if (cause == CAUSE_RESOLVER)
		return p->gw[cause][i] < l->resolver_gw;
	if (cause == CAUSE_PEER)
		return p->gw[cause][i] < l->peer_gw &&
		       p->net[cause][i / GWS] < l->peer_net;
	return p->gw[cause][i] < l->tentative_gw &&
	       p->net[cause][i / GWS] < l->tentative_net;
}

START_TEST(test_random)
{
	struct quota_limits l = {20, 90, 30, 10, 50};
	struct dice dice = {4711};
	struct plain p = {0};
	struct quotas q;
	enum entry_cause cause;
	struct addr gw = {.ver = 4, .b = {192, 0}};
	bool more = true;
	size_t i, n;

	quotas_init(&q, &l, 1000);
	for (n = 0; n < 200000; n++) {
		if (!roll_below(&dice, 5000))
			more = !more;
		i = roll_below(&dice, NETS * GWS);
		cause = CAUSE_RESOLVER + roll_below(&dice, 3);
		gw.b[2] = (uint8_t)(i / GWS);
		gw.b[3] = (uint8_t)i;
		if (roll_below(&dice, 3) == more) {
			if (!p.gw[cause][i])
				continue;
			quotas_give(&q, &gw, cause);
			p.gw[cause][i]--;
			p.net[cause][i / GWS]--;
		} else if (plain_has_room(&p, cause, i, &l)) {
			ck_assert_int_eq(quotas_take(&q, &gw, cause, false), 0);
			p.gw[cause][i]++;
			p.net[cause][i / GWS]++;
		} else {
			ck_assert_int_eq(
				quotas_take(&q, &gw, cause, false), -EDQUOT);
		}
	}
	quotas_fini(&q);
}
END_TEST

RUN_TESTS("quota", test_limits, test_apart, test_force, test_bound, test_random)
