/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First fragments that wait, last ones that came first; every bound. */
#include "gwd/held.h"
#include "tests/unit/run.h"

static struct held *held;
static struct waiting_list lost = TAILQ_HEAD_INITIALIZER(lost);

static struct addr
host(uint32_t n)
{
	struct addr a = addr_zero(6);

	a.b[0] = 0xfd;
	a.b[14] = (uint8_t)(n >> 8);
	a.b[15] = (uint8_t)n;
	return a;
}

static void
setup(void)
{
	held = held_new();
	ck_assert_ptr_nonnull(held);
}

static size_t
count_lost(void)
{
	struct waiting *p;
	size_t n = 0;

	while ((p = TAILQ_FIRST(&lost))) {
		TAILQ_REMOVE(&lost, p, link);
		ck_assert_int_eq(p->drop, DROP_ECHO_WAITS);
		waiting_free(p);
		n++;
	}
	return n;
}

static void
teardown(void)
{
	ck_assert_uint_eq(count_lost(), 0);
	held_free(held);
}

/* A fragment of echo `ident` from host n; datagrams come from peer n. */
static struct packet_in
fragment(enum way way, uint32_t n, size_t len)
{
	static uint8_t bytes[HELD_BYTES + 1];

	bytes[0] = (uint8_t)n;
	return (struct packet_in){
		.p = bytes,
		.len = len,
		.from = way == WAY_IN ? host(n) : (struct addr){0},
	};
}

static struct packet_out
about(uint32_t n, uint32_t ident, uint32_t whole)
{
	return (struct packet_out){
		.drop = whole ? DROP_NONE : DROP_ECHO_WAITS,
		.ask = whole ? ASK_NOTHING : ASK_WHOLE,
		.echo = {host(n), host(9999), ident},
		.whole = whole,
	};
}

/* -1: it can't be held; else what is known of the length. */
static int64_t
first_of(enum way way, uint32_t n, uint32_t ident, size_t len, uint64_t now_ms)
{
	struct packet_in in = fragment(way, n, len);
	struct packet_out out = about(n, ident, 0);
	uint32_t whole;

	if (!held_first(
		    held, way, &in, &out, 1U << ASK_EA, now_ms, &whole, &lost))
		return -1;
	return whole;
}

static struct waiting *
last_of(enum way way, uint32_t n, uint32_t ident, uint32_t whole,
	uint64_t now_ms)
{
	struct packet_in in = fragment(way, n, 100);
	struct packet_out out = about(n, ident, whole);

	return held_last(held, way, &in, &out, now_ms, &lost);
}

START_TEST(test_first_waits)
{
	struct waiting *p;
	enum way way;

	for (way = 0; way < WAY_N; way++) {
		ck_assert_int_eq(first_of(way, 1, 77, 500, 1000), 0);
		ck_assert_uint_eq(held_packets(held), 1);
		p = last_of(way, 1, 77, 3000, 1100);
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq(p->in.whole, 3000);
		ck_assert_uint_eq(p->in.len, 500);
		ck_assert_uint_eq(p->in.p[0], 1);
		ck_assert_int_eq(p->in.from.ver, way == WAY_IN ? 6 : 0);
		ck_assert_uint_eq(p->asked, 1U << ASK_EA | 1U << ASK_WHOLE);
		waiting_free(p);
		ck_assert_uint_eq(held_packets(held), 0);
	}
}
END_TEST

START_TEST(test_last_came_first)
{
	ck_assert_ptr_null(last_of(WAY_OUT, 1, 77, 3000, 1000));
	ck_assert_int_eq(first_of(WAY_OUT, 1, 77, 500, 1100), 3000);
	ck_assert_uint_eq(held_packets(held), 0);
	/* it was told once */
	ck_assert_int_eq(first_of(WAY_OUT, 1, 77, 500, 1200), 0);
}
END_TEST

START_TEST(test_others_do_not_count)
{
	struct waiting *p;

	ck_assert_int_eq(first_of(WAY_OUT, 1, 77, 500, 1000), 0);
	ck_assert_ptr_null(last_of(WAY_IN, 1, 77, 3000, 1000));
	ck_assert_ptr_null(last_of(WAY_OUT, 2, 77, 3000, 1000));
	ck_assert_ptr_null(last_of(WAY_OUT, 1, 78, 3000, 1000));
	/* the same once more has no place */
	ck_assert_int_eq(first_of(WAY_OUT, 1, 77, 500, 1000), -1);
	p = last_of(WAY_OUT, 1, 77, 4000, 1000);
	ck_assert_ptr_nonnull(p);
	waiting_free(p);
}
END_TEST

START_TEST(test_time)
{
	ck_assert_int_eq(first_of(WAY_OUT, 1, 77, 500, 1000), 0);
	ck_assert_int_eq(first_of(WAY_IN, 1, 77, 500, 1001), 0);
	held_expire(held, 1000 + HELD_MS - 1, &lost);
	ck_assert_uint_eq(count_lost(), 0);
	held_expire(held, 1000 + HELD_MS, &lost);
	ck_assert_uint_eq(count_lost(), 1);
	/* what is too old is not taken, even before it was swept */
	ck_assert_ptr_null(last_of(WAY_IN, 1, 77, 3000, 1001 + HELD_MS));
	ck_assert_uint_eq(count_lost(), 1);
	ck_assert_int_eq(first_of(WAY_IN, 1, 77, 500, 1001 + 2 * HELD_MS), 0);
	held_expire(held, UINT64_MAX, &lost);
	ck_assert_uint_eq(count_lost(), 1);
}
END_TEST

/* One source has few places, and takes none of another's. */
START_TEST(test_each)
{
	struct waiting *p;
	uint32_t i;

	ck_assert_int_eq(first_of(WAY_IN, 1, 0, 500, 999), 0);
	for (i = 0; i < 3 * HELD_EACH; i++)
		ck_assert_int_eq(first_of(WAY_IN, 2, i, 500, 1000 + i), 0);
	ck_assert_uint_eq(count_lost(), 2 * HELD_EACH);
	ck_assert_uint_eq(held_packets(held), 1 + HELD_EACH);
	for (i = 0; i < 3 * HELD_EACH; i++)
		ck_assert_ptr_null(last_of(WAY_IN, 3, i, 3000, 1100));
	/* the newest are those left */
	p = last_of(WAY_IN, 2, 3 * HELD_EACH - 1, 3000, 1100);
	ck_assert_ptr_nonnull(p);
	waiting_free(p);
	p = last_of(WAY_IN, 1, 0, 3000, 1100);
	ck_assert_ptr_nonnull(p);
	waiting_free(p);
	ck_assert_uint_eq(count_lost(), 0);
}
END_TEST

/* Many sources: the oldest goes, and nothing of the other way. */
START_TEST(test_all)
{
	struct waiting *p;
	uint32_t i;

	ck_assert_int_eq(first_of(WAY_OUT, 1, 0, 500, 1000), 0);
	for (i = 0; i < 10 * HELD_MAX; i++)
		ck_assert_int_eq(first_of(WAY_IN, i, 0, 500, 1000 + i), 0);
	ck_assert_uint_eq(count_lost(), 9 * HELD_MAX);
	ck_assert_uint_eq(held_packets(held), HELD_MAX + 1);
	p = last_of(WAY_IN, 10 * HELD_MAX - 1, 0, 3000, 1700);
	ck_assert_ptr_nonnull(p);
	waiting_free(p);
	p = last_of(WAY_OUT, 1, 0, 3000, 1700);
	ck_assert_ptr_nonnull(p);
	waiting_free(p);
	/* notes of lengths take places too, and no bytes */
	for (i = 0; i < 10 * HELD_MAX; i++)
		ck_assert_ptr_null(last_of(WAY_IN, i, 1, 3000, 1700 + i));
	ck_assert_uint_eq(count_lost(), HELD_MAX - 1);
	ck_assert_uint_eq(held_packets(held), 0);
}
END_TEST

START_TEST(test_bytes)
{
	size_t third = HELD_BYTES / 3;
	uint32_t i;

	ck_assert_int_eq(first_of(WAY_IN, 1, 0, HELD_BYTES + 1, 1000), -1);
	ck_assert_int_eq(first_of(WAY_OUT, 1, 0, HELD_BYTES, 1000), 0);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(first_of(WAY_IN, i, 0, third, 1000 + i), 0);
	ck_assert_uint_eq(count_lost(), 7);
	ck_assert_int_eq(first_of(WAY_IN, 99, 0, HELD_BYTES, 1100), 0);
	ck_assert_uint_eq(count_lost(), 3);
	ck_assert_uint_eq(held_packets(held), 2);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {test_first_waits, test_last_came_first,
		test_others_do_not_count, test_time, test_each, test_all,
		test_bytes};
	Suite *suite = suite_create("held");
	TCase *tc = tcase_create("held");
	SRunner *runner;
	size_t i;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, TEST_TIMEOUT);
	for (i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
