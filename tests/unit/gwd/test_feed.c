/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed against a scripted mapper: copies, changes, gaps, restarts,
 * refusals, silence. */
#include "tests/unit/gwd/feed_rig.h"

START_TEST(test_copy_and_changes)
{
	struct rig r;
	struct msg_entry e = remote(1);

	follow(&r, &fast);
	ck_assert(holds(&r, 1));
	send_set(&r, 6, 3);
	send_set(&r, 6, 4); /* one change in two packets */
	send_entry(&r, MSG_FEED_DEL, 7, &e);
	send_at(&r, STORE, 7);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->revision == 7);
	ck_assert(!holds(&r, 1));
	ck_assert(holds(&r, 2) && holds(&r, 3) && holds(&r, 4));
	ck_assert_uint_eq(r.changed, 4);
	ck_assert_uint_eq(feed_stats(r.feed)->sets, 4);
	ck_assert_uint_eq(feed_stats(r.feed)->dels, 1);
	ck_assert_uint_eq(feed_stats(r.feed)->gaps, 0);
	rig_fini(&r);
}
END_TEST

/* No start order: the mapper comes late, goes, and comes back. */
START_TEST(test_restart)
{
	struct rig r;

	rig_init(&r, &fast);
	RUN_UNTIL(&r.mp, feed_mclient_stats(r.feed)->since_ms);
	ck_assert_int_eq(state(&r), FEED_AWAY);
	mapper_listen(&r.mp);
	started(&r, 0, 0, STORE, 5, 0);
	send_set(&r, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 0);

	mapper_end(&r.mp);
	RUN_UNTIL(&r.mp, state(&r) == FEED_AWAY);
	ck_assert(holds(&r, 1));
	mapper_listen(&r.mp);
	started(&r, STORE, 5, STORE, 9, 1);
	send_set(&r, 6, 2);
	RUN_UNTIL(&r.mp, holds(&r, 2));
	ck_assert_int_eq(state(&r), FEED_CATCHING_UP);
	send_set(&r, 8, 3); /* 7 and 9 have been undone since */
	send_at(&r, STORE, 9);
	expect_report(&r, 0);
	ck_assert(holds(&r, 1) && holds(&r, 3));
	ck_assert_uint_eq(feed_stats(r.feed)->catch_ups, 1);
	rig_fini(&r);
}
END_TEST

/* A change of which a packet may be missing is not held. */
START_TEST(test_cut_change)
{
	struct rig r;

	follow(&r, &fast);
	send_set(&r, 6, 3);
	send_set(&r, 7, 4);
	RUN_UNTIL(&r.mp, holds(&r, 4));
	mapper_hang_up(&r.mp);
	started(&r, STORE, 6, STORE, 7, 1);
	rig_fini(&r);
}
END_TEST

/* A copy that was cut short is begun anew, and forgets nothing meanwhile. */
START_TEST(test_cut_copy)
{
	struct rig r;

	follow(&r, &fast);
	mapper_hang_up(&r.mp);
	started(&r, STORE, 5, STORE, 9, 0);
	send_set(&r, 9, 7);
	RUN_UNTIL(&r.mp, holds(&r, 7));
	mapper_hang_up(&r.mp);
	started(&r, 0, 0, STORE, 9, 0);
	ck_assert(holds(&r, 1) && holds(&r, 2) && holds(&r, 7));
	send_set(&r, 9, 2);
	send_set(&r, 10, 8); /* a change during the copy */
	send_at(&r, STORE, 10);
	expect_report(&r, 0);
	ck_assert(holds(&r, 2) && holds(&r, 8));
	ck_assert(!holds(&r, 1) && !holds(&r, 7));
	rig_fini(&r);
}
END_TEST

/* Each of these packets shows that a change is missing or that the store is
 * another one: a full copy is asked for, the old one serves until it is whole.
 */
START_TEST(test_gaps)
{
	static const struct {
		const char *what;
		bool at;
		uint64_t store, rev;
	} rows[] = {
		{"a change too many", false, 0, 7},
		{"a change back", false, 0, 4},
		{"at a later revision", true, STORE, 6},
		{"at an earlier revision", true, STORE, 4},
		{"another store", true, STORE2, 5},
		{"the mapper can't go on", true, 0, 5},
	};
	struct rig r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		follow(&r, &fast);
		if (rows[i].at)
			send_at(&r, rows[i].store, rows[i].rev);
		else
			send_set(&r, rows[i].rev, 9);
		RUN_UNTIL(&r.mp, feed_stats(r.feed)->gaps == 1);
		ck_assert_msg(!holds(&r, 9), "%s", rows[i].what);
		ck_assert(!feed_can_ask(r.feed));
		started(&r, 0, 0, STORE2, 3, 0);
		send_set(&r, 3, 2);
		RUN_UNTIL(&r.mp, state(&r) == FEED_COPYING);
		ck_assert(holds(&r, 1) && holds(&r, 2));
		send_at(&r, STORE2, 3);
		expect_report(&r, 0);
		ck_assert(!holds(&r, 1) && holds(&r, 2));
		ck_assert_uint_eq(feed_stats(r.feed)->store, STORE2);
		rig_fini(&r);
	}
}
END_TEST

/* Answers to FEED_START that can't be. */
START_TEST(test_bad_starts)
{
	static const struct {
		uint64_t store, rev;
		uint32_t kind;
	} rows[] = {{STORE2, 5, 1}, {STORE, 4, 1}, {STORE, 5, 2}};
	struct rig r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		follow(&r, &fast);
		mapper_hang_up(&r.mp);
		started(&r, STORE, 5, rows[i].store, rows[i].rev, rows[i].kind);
		started(&r, 0, 0, STORE, 5, 0);
		ck_assert_uint_eq(feed_stats(r.feed)->gaps, 1);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(test_refused)
{
	static const char why[] =
		"encode-net: mapper has 10.240.0.0/12, gateway 10.224.0.0/12";
	struct rig r;
	struct mapper_req q;
	struct msg nack = {.mode = MSG_NACK,
		.cmd = MSG_FEED_START,
		.str = {why, sizeof(why) - 1}};
	struct question ask = question_of(ASK_LOOKUP, &peer, NULL);
	int i;

	follow(&r, &fast);
	mapper_hang_up(&r.mp);
	for (i = 1; i <= 3; i++) {
		q = mapper_expect(&r.mp, MSG_FEED_START);
		nack.id = q.m.id;
		mapper_send(&r.mp, &nack);
		RUN_UNTIL(&r.mp, feed_stats(r.feed)->refusals == (uint64_t)i);
		ck_assert_int_eq(state(&r), FEED_REFUSED);
		ck_assert_str_eq(feed_stats(r.feed)->refused_why, why);
		ck_assert_int_eq(feed_ask(r.feed, &ask), -ENOTCONN);
		ck_assert(holds(&r, 1));
	}
	started(&r, STORE, 5, STORE, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 0);
	ck_assert_str_eq(feed_stats(r.feed)->refused_why, "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_silence)
{
	struct feed_times times = fast;
	struct rig r;

	times.silence = 100;
	follow(&r, &times);
	started(&r, STORE, 5, STORE, 5, 1);
	ck_assert_uint_eq(feed_stats(r.feed)->gaps, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_answer)
{
	struct feed_times times = fast;
	struct rig r;

	times.start = 100;
	rig_init(&r, &times);
	mapper_listen(&r.mp);
	(void)mapper_expect(&r.mp, MSG_FEED_START);
	started(&r, 0, 0, STORE, 5, 0);
	ck_assert_uint_eq(feed_mclient_stats(r.feed)->connects, 2);
	rig_fini(&r);
}
END_TEST

/* They come and go between the numbers, also right after FEED_AT, and when a
 * change has come of which nobody knows whether it is whole. */
START_TEST(test_tentative)
{
	struct msg_entry e = tentative(7);
	struct rig r;

	follow(&r, &fast);
	send_entry(&r, MSG_FEED_SET, 5, &e);
	RUN_UNTIL(&r.mp, holds(&r, 7));
	ck_assert(maps_is_tentative(r.maps, &e.arec));
	ck_assert_uint_eq(feed_stats(r.feed)->revision, 5);
	send_at(&r, STORE, 5);
	send_entry(&r, MSG_FEED_DEL, 5, &e);
	RUN_UNTIL(&r.mp, !holds(&r, 7));
	send_set(&r, 6, 3);
	send_entry(&r, MSG_FEED_SET, 6, &e);
	RUN_UNTIL(&r.mp, holds(&r, 7));
	ck_assert_uint_eq(feed_stats(r.feed)->revision, 5);
	send_at(&r, STORE, 6);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->revision == 6);
	/* It becomes an ordinary one by a change with a number. */
	send_set(&r, 7, 7);
	send_at(&r, STORE, 7);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->revision == 7);
	ck_assert(!maps_is_tentative(r.maps, &e.arec) && holds(&r, 7));
	ck_assert_uint_eq(feed_stats(r.feed)->gaps, 0);
	rig_fini(&r);
}
END_TEST

/* A copy does not outlive its addresses' quarantine. */
START_TEST(test_keep)
{
	struct rig r;

	follow(&r, &fast);
	mapper_end(&r.mp);
	RUN_UNTIL(&r.mp, state(&r) == FEED_AWAY);
	ck_assert(holds(&r, 1));
	feed_set_keep(r.feed, 50);
	RUN_UNTIL(&r.mp, !holds(&r, 1));
	ck_assert_uint_eq(maps_count(r.maps, true), 0);
	mapper_listen(&r.mp);
	started(&r, 0, 0, STORE, 5, 0);
	rig_fini(&r);
}
END_TEST

/* A mapper that nobody follows hands tentative eas out again much earlier. */
START_TEST(test_keep_tentative)
{
	struct feed_times times = fast;
	struct msg_entry e = tentative(7);
	struct rig r;

	times.keep_tentative = 50;
	follow(&r, &times);
	send_entry(&r, MSG_FEED_SET, 5, &e);
	RUN_UNTIL(&r.mp, holds(&r, 7));
	mapper_end(&r.mp);
	RUN_UNTIL(&r.mp, !holds(&r, 7));
	ck_assert_int_eq(state(&r), FEED_AWAY);
	ck_assert_uint_eq(maps_count_tentative(r.maps), 0);
	ck_assert(holds(&r, 1) && holds(&r, 2));
	/* So there is nothing to be held; the rest goes on where it was. */
	mapper_listen(&r.mp);
	started(&r, STORE, 5, STORE, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 0);
	ck_assert(holds(&r, 1));
	rig_fini(&r);
}
END_TEST

/* Freed in every state, with answers out. */
START_TEST(test_free)
{
	struct question q = question_of(ASK_LOOKUP, &peer, NULL);
	struct rig r;

	follow(&r, &fast);
	ck_assert_int_eq(feed_ask(r.feed, &q), 0);
	carry(&r, 1, WAY_OUT);
	rig_fini(&r);
	ck_assert_uint_eq(r.answers, 0);
	feed_free(NULL);
	rig_init(&r, &fast);
	ck_assert_int_eq(feed_ask(r.feed, &q), -ENOTCONN);
	rig_fini(&r);
	ck_assert_str_eq(feed_state_name(FEED_FOLLOWING), "following");
}
END_TEST

RUN_TESTS("gwd feed", test_copy_and_changes, test_restart, test_cut_change,
	test_cut_copy, test_gaps, test_bad_starts, test_refused, test_silence,
	test_no_answer, test_tentative, test_keep, test_keep_tentative,
	test_free)
