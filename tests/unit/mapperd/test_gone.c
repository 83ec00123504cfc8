/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is gone: random changes against a plain array, and orders of time that
 * would make a list crawl. */
#include "help.h"
#include "mapperd/gone.h"
#include "tests/unit/run.h"

#define N_VALUES 512

enum plain_state {
	ABSENT,
	THERE,
	PARKED
};

struct plain {
	enum plain_state state;
	enum entry_cause cause;
	uint64_t at;
};

static union gone_value
value_of(size_t i)
{
	return (union gone_value){
		.ea = {4, {10, 240, (uint8_t)(i >> 8), (uint8_t)i}}};
}

/* The oldest time of these, or UINT64_MAX. */
static uint64_t
oldest(const struct plain *p, bool peers, bool others)
{
	uint64_t at = UINT64_MAX;
	size_t i;

	for (i = 0; i < N_VALUES; i++)
		if (p[i].state == THERE &&
			(p[i].cause == CAUSE_PEER ? peers : others) &&
			p[i].at < at)
			at = p[i].at;
	return at;
}

static void
check_oldest(const struct gone_set *s, const struct plain *p)
{
	const struct gone *all = gone_oldest(s);
	const struct gone *peer = gone_oldest_of(s, GONE_PEER);
	const struct gone *other = gone_oldest_of(s, GONE_OTHER);

	ck_assert_uint_eq(all ? all->at : UINT64_MAX, oldest(p, true, true));
	ck_assert_uint_eq(peer ? peer->at : UINT64_MAX, oldest(p, true, false));
	ck_assert_uint_eq(
		other ? other->at : UINT64_MAX, oldest(p, false, true));
	/* Those parked can always come back. */
	ck_assert_uint_ge(s->heaps[GONE_PEER].room, s->heaps[GONE_PEER].n_all);
	ck_assert_uint_ge(
		s->heaps[GONE_OTHER].room, s->heaps[GONE_OTHER].n_all);
	ck_assert(!peer || peer->cause == CAUSE_PEER);
	ck_assert(!other || other->cause != CAUSE_PEER);
}

START_TEST(test_random)
{
	struct plain p[N_VALUES] = {{0}}, *v;
	struct dice dice = {2718};
	struct gone_set s;
	union gone_value value;
	struct gone *g;
	size_t n, i;

	gone_init(&s, sizeof(struct addr), N_VALUES);
	for (n = 0; n < 100000; n++) {
		i = roll_below(&dice, N_VALUES);
		v = &p[i];
		value = value_of(i);
		g = gone_find(&s, &value);
		ck_assert_int_eq(g != NULL, v->state != ABSENT);
		if (!g) {
			*v = (struct plain){THERE,
				CAUSE_RESOLVER + roll_below(&dice, 2),
				roll_below(&dice, 1000)};
			ck_assert_int_eq(
				gone_add(&s, &value, v->cause, v->at), 0);
		} else if (!roll_below(&dice, 3)) {
			gone_drop(&s, g);
			v->state = ABSENT;
		} else if (v->state == PARKED) {
			gone_unpark(&s, g);
			v->state = THERE;
		} else if (!roll_below(&dice, 2)) {
			gone_park(&s, g);
			v->state = PARKED;
		} else {
			ck_assert_int_eq(
				gone_add(&s, &value, CAUSE_PEER, 0), -EEXIST);
			ck_assert_uint_eq(g->at, v->at);
		}
		check_oldest(&s, p);
	}
	gone_fini(&s);
}
END_TEST

START_TEST(test_bound)
{
	union gone_value value = value_of(1);
	struct gone_set s;

	gone_init(&s, sizeof(struct addr), 1);
	ck_assert_ptr_null(gone_oldest(&s));
	ck_assert_int_eq(gone_add(&s, &value, CAUSE_PEER, 5), 0);
	value = value_of(2);
	ck_assert_int_eq(gone_add(&s, &value, CAUSE_PEER, 6), -ENOSPC);
	ck_assert_ptr_null(gone_find(&s, &value));
	ck_assert_uint_eq(gone_oldest(&s)->at, 5);
	gone_drop(&s, gone_oldest(&s));
	ck_assert_int_eq(gone_add(&s, &value, CAUSE_PEER, 6), 0);
	gone_fini(&s);
}
END_TEST

/* Half a million, each older than those before, then all from the oldest on: a
 * list in order of time would walk 10^11 steps and Check would end it. */
START_TEST(test_backwards)
{
	const uint64_t n = 500000;
	struct gone_set s;
	union gone_value value = {.ref = {{0}}};
	uint64_t i;

	gone_init(&s, sizeof(struct ref), n);
	for (i = 0; i < n; i++) {
		memcpy(value.ref.b, &i, sizeof(i));
		ck_assert_int_eq(gone_add(&s, &value, CAUSE_NONE, n - i), 0);
	}
	for (i = 1; i <= n; i++) {
		ck_assert_uint_eq(gone_oldest(&s)->at, i);
		gone_drop(&s, gone_oldest(&s));
	}
	ck_assert_ptr_null(gone_oldest(&s));
	gone_fini(&s);
}
END_TEST

/* What was gone before is gone since then; who was first still comes first. */
START_TEST(test_since)
{
	static const uint64_t at[] = {5, 90, 30, 50, 49, 70};
	union gone_value value = {.ea = {4, {10, 240, 16, 0}}};
	struct gone_set s;
	uint64_t last = 0;
	struct gone *g;
	unsigned i, n = 0;

	gone_init(&s, sizeof(struct addr), 100);
	for (i = 0; i < ARRAY_LEN(at); i++) {
		value.ea.b[3] = (uint8_t)i;
		ck_assert_int_eq(gone_add(&s, &value, CAUSE_PEER, at[i]), 0);
	}
	gone_since(&s, 50);
	for (; (g = gone_oldest(&s)); n++) {
		ck_assert_uint_eq(g->at,
			at[g->value.ea.b[3]] < 50 ? 50 : at[g->value.ea.b[3]]);
		ck_assert_uint_ge(g->at, last);
		last = g->at;
		gone_drop(&s, g);
	}
	ck_assert_uint_eq(n, ARRAY_LEN(at));
	gone_fini(&s);
}
END_TEST

RUN_TESTS("gone", test_random, test_bound, test_backwards, test_since)
