/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a scripted mapper is told: entries in use, tentative ones held before
 * each start, those proved. */
#include "tests/unit/gwd/feed_rig.h"

/* Entries in use are reported until that is acknowledged. */
START_TEST(test_used)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;
	struct addr a = ea(1);

	times.used = 50;
	follow(&r, &times);
	carry(&r, 1, WAY_OUT);
	carry(&r, 1, WAY_OUT);
	do {
		q = mapper_expect(&r.mp, MSG_FEED_USED);
		if (!q.m.n)
			mapper_answer(&r.mp, &q, true);
	} while (!q.m.n);
	ck_assert_uint_eq(q.m.n, 1);
	ck_assert(addr_eq(&q.arecs[0].ea, &a));
	carry(&r, 2, WAY_OUT);
	mapper_hang_up(&r.mp);
	started(&r, STORE, 5, STORE, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 2);
	expect_report(&r, 0);
	ck_assert_uint_eq(feed_report_stats(r.feed)->used, 2);
	/* once each time, however often it is used */
	do {
		carry(&r, 1, WAY_OUT);
		q = mapper_expect(&r.mp, MSG_FEED_USED);
		mapper_answer(&r.mp, &q, !q.m.n);
	} while (!q.m.n);
	expect_report(&r, 0); /* one refused is not reported for ever */
	ck_assert_uint_eq(feed_report_stats(r.feed)->used, 2);
	rig_fini(&r);
}
END_TEST

/* More than one packet holds. */
START_TEST(test_used_many)
{
	struct rig r;
	struct mapper_req q;
	struct msg_entry e;
	struct addr a;
	uint32_t i;

	follow(&r, &fast);
	for (i = 0; i < 998; i++) {
		e = remote(1);
		e.arec.ea.b[2] = (uint8_t)(16 + (i >> 8));
		e.arec.ea.b[3] = (uint8_t)i;
		e.arec.ref = ref_from_u64(1000 + i);
		ck_assert_int_eq(maps_set(r.maps, &e), 0);
		a = e.arec.ea;
		maps_used(r.maps, maps_by_ea(r.maps, &a), WAY_OUT);
	}
	carry(&r, 1, WAY_OUT);
	carry(&r, 2, WAY_OUT);
	/* At once: a thousand don't wait for the time. */
	q = mapper_expect(&r.mp, MSG_FEED_USED);
	ck_assert_uint_eq(q.m.n, 1000);
	/* nor are they told of again before it */
	carry(&r, 1, WAY_OUT);
	mapper_answer(&r.mp, &q, true);
	expect_report(&r, 0);
	RUN_UNTIL(&r.mp, feed_report_stats(r.feed)->used == 1000);
	rig_fini(&r);
}
END_TEST

/* A mapper that is followed, with tentative entries 7, 8 and 9 as well. */
static void
follow_tentative(struct rig *r, const struct feed_times *times)
{
	struct msg_entry e;
	uint8_t n;

	follow(r, times);
	for (n = 7; n <= 9; n++) {
		e = tentative(n);
		send_entry(r, MSG_FEED_SET, 5, &e);
	}
	RUN_UNTIL(&r->mp, holds(r, 9));
}

static void
prove(struct rig *r, uint8_t n)
{
	carry(r, n, WAY_IN);
	carry(r, n, WAY_OUT);
	carry(r, n, WAY_IN);
}

static struct mapper_req
expect_proved(struct rig *r, uint8_t n)
{
	struct mapper_req q = mapper_expect(&r->mp, MSG_FEED_PROVED);
	struct msg_entry e = tentative(n);

	ck_assert_uint_eq(q.m.n, 1);
	ck_assert(addr_eq(&q.arecs[0].ea, &e.arec.ea));
	ck_assert(addr_eq(&q.arecs[0].gw, &e.arec.gw));
	ck_assert(ref_eq(&q.arecs[0].ref, &e.arec.ref));
	return q;
}

/* Needs a short time between reports of use. One may have been under way; when
 * the others are made, what is proved is told first. */
static void
nothing_proved(struct rig *r)
{
	struct mapper_req q;
	int i;

	for (i = 0; i < 3; i++) {
		q = mapper_expect(&r->mp, MSG_FEED_USED);
		mapper_answer(&r->mp, &q, true);
	}
	ck_assert(!mapper_has(&r->mp, MSG_FEED_PROVED));
}

/* Told at once and but once. */
START_TEST(test_proved)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;

	times.used = 20;
	follow_tentative(&r, &times);
	carry(&r, 7, WAY_IN);
	carry(&r, 7, WAY_OUT);
	prove(&r, 1); /* an ordinary one */
	prove(&r, 8);
	q = expect_proved(&r, 8);
	send_set(&r, 6, 8);
	mapper_answer(&r.mp, &q, true);
	RUN_UNTIL(&r.mp, feed_report_stats(r.feed)->promoted == 1);
	prove(&r, 8);
	nothing_proved(&r);
	carry(&r, 7, WAY_IN);
	(void)expect_proved(&r, 7);
	ck_assert_uint_eq(feed_report_stats(r.feed)->proved, 2);
	ck_assert_uint_eq(feed_report_stats(r.feed)->refused, 0);
	rig_fini(&r);
}
END_TEST

/* Until it is acknowledged: after a NACK, no answer, the end of the
 * connection. */
START_TEST(test_proved_again)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;

	times.start = 100;
	follow_tentative(&r, &times);
	prove(&r, 7);
	q = expect_proved(&r, 7);
	mapper_answer(&r.mp, &q, false);
	(void)expect_proved(&r, 7);
	(void)expect_proved(&r, 7);
	mapper_hang_up(&r.mp);
	q = mapper_expect(&r.mp, MSG_FEED_HOLD);
	mapper_answer(&r.mp, &q, true);
	started(&r, STORE, 5, STORE, 5, 1);
	q = expect_proved(&r, 7);
	send_set(&r, 6, 7);
	mapper_answer(&r.mp, &q, true);
	RUN_UNTIL(&r.mp, feed_report_stats(r.feed)->promoted == 1);
	ck_assert_uint_eq(feed_report_stats(r.feed)->proved, 4);
	rig_fini(&r);
}
END_TEST

/* A mapper that can't take it has a pause, unless it is a new one. */
START_TEST(test_proved_pause)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;

	times.used = 20;
	times.retry = 100000;
	follow_tentative(&r, &times);
	prove(&r, 7);
	q = expect_proved(&r, 7);
	mapper_hang_up(&r.mp);
	q = mapper_expect(&r.mp, MSG_FEED_HOLD);
	mapper_answer(&r.mp, &q, true);
	started(&r, STORE, 5, STORE, 5, 1);
	q = expect_proved(&r, 7);
	mapper_answer(&r.mp, &q, false);
	nothing_proved(&r);
	rig_fini(&r);
}
END_TEST

/* One that ends meanwhile is not told again, and others are. */
START_TEST(test_proved_ends)
{
	struct msg_entry e = tentative(7);
	struct mapper_req q;
	struct rig r;

	follow_tentative(&r, &fast);
	prove(&r, 7);
	q = expect_proved(&r, 7);
	prove(&r, 8);
	send_entry(&r, MSG_FEED_DEL, 5, &e);
	mapper_answer(&r.mp, &q, false);
	(void)expect_proved(&r, 8);
	rig_fini(&r);
}
END_TEST

/* One that the mapper leaves tentative has to prove itself anew, and not before
 * its use has been reported. */
START_TEST(test_proof_refused)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;

	times.used = 20;
	follow_tentative(&r, &times);
	prove(&r, 7);
	q = expect_proved(&r, 7);
	mapper_answer(&r.mp, &q, true);
	RUN_UNTIL(&r.mp, feed_report_stats(r.feed)->refused == 1);
	do {
		q = mapper_expect(&r.mp, MSG_FEED_USED);
		mapper_answer(&r.mp, &q, true);
	} while (!q.m.n);
	ck_assert(!mapper_has(&r.mp, MSG_FEED_PROVED));
	prove(&r, 7);
	(void)expect_proved(&r, 7);
	rig_fini(&r);
}
END_TEST

/* Held ones are told before FEED_START; those that the mapper does not hold go,
 * and nothing else that it may name. */
START_TEST(test_hold)
{
	struct arec gone[3];
	struct mapper_req q;
	struct msg ack = {.mode = MSG_ACK,
		.cmd = MSG_FEED_HOLD,
		.n = ARRAY_LEN(gone),
		.arecs = gone};
	struct rig r;

	follow_tentative(&r, &fast);
	gone[0] = remote(1).arec; /* an ordinary one */
	gone[1] = tentative(7).arec;
	gone[2] = tentative(8).arec;
	gone[2].ref = ref_from_u64(77); /* another host */
	mapper_hang_up(&r.mp);
	q = mapper_expect(&r.mp, MSG_FEED_HOLD);
	ck_assert_int_eq(state(&r), FEED_HOLDING);
	ck_assert_uint_eq(q.m.n, 3);
	mapper_turn(&r.mp);
	ck_assert(!mapper_has(&r.mp, MSG_FEED_START));
	ack.id = q.m.id;
	mapper_send(&r.mp, &ack);
	started(&r, STORE, 5, STORE, 5, 1);
	ck_assert(holds(&r, 1) && holds(&r, 2));
	ck_assert(!holds(&r, 7) && holds(&r, 8) && holds(&r, 9));
	ck_assert_uint_eq(feed_report_stats(r.feed)->held, 3);
	ck_assert_uint_eq(feed_report_stats(r.feed)->not_held, 1);
	rig_fini(&r);
}
END_TEST

/* More than one packet holds: one after the other, none twice. */
START_TEST(test_hold_many)
{
	struct mapper_req q;
	struct msg_entry e;
	struct rig r;
	uint32_t i;

	follow(&r, &fast);
	for (i = 0; i < 1001; i++) {
		e = tentative(1);
		e.arec.ea.b[2] = (uint8_t)(16 + (i >> 8));
		e.arec.ea.b[3] = (uint8_t)i;
		e.arec.ref = ref_from_u64(1000 + i);
		ck_assert_int_eq(maps_set(r.maps, &e), 0);
	}
	mapper_hang_up(&r.mp);
	q = mapper_expect(&r.mp, MSG_FEED_HOLD);
	ck_assert_uint_eq(q.m.n, 1000);
	mapper_turn(&r.mp);
	ck_assert_uint_eq(r.mp.n, 0);
	mapper_answer(&r.mp, &q, true);
	q = mapper_expect(&r.mp, MSG_FEED_HOLD);
	ck_assert_uint_eq(q.m.n, 1);
	ck_assert(addr_eq(&q.arecs[0].ea, &e.arec.ea));
	mapper_answer(&r.mp, &q, true);
	started(&r, STORE, 5, STORE, 5, 1);
	ck_assert_uint_eq(maps_count_tentative(r.maps), 1001);
	rig_fini(&r);
}
END_TEST

/* A connection that ends in between: all are told again. A gateway that is
 * refused tells before each FEED_START, too. */
START_TEST(test_hold_again)
{
	struct mapper_req q;
	struct msg nack = {
		.mode = MSG_NACK, .cmd = MSG_FEED_START, .str = {"no", 2}};
	struct rig r;
	int i;

	follow_tentative(&r, &fast);
	for (i = 0; i < 2; i++) {
		mapper_hang_up(&r.mp);
		q = mapper_expect(&r.mp, MSG_FEED_HOLD);
		ck_assert_uint_eq(q.m.n, 3);
	}
	for (i = 0; i < 2; i++) {
		mapper_answer(&r.mp, &q, true);
		q = mapper_expect(&r.mp, MSG_FEED_START);
		nack.id = q.m.id;
		mapper_send(&r.mp, &nack);
		q = mapper_expect(&r.mp, MSG_FEED_HOLD);
		ck_assert_uint_eq(q.m.n, 3);
		ck_assert_uint_eq(feed_mclient_stats(r.feed)->connects, 3);
	}
	rig_fini(&r);
}
END_TEST

/* A mapper that does not know the command, or can't say: it is asked for a full
 * copy, which tells what it has. */
START_TEST(test_hold_unanswered)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;
	int nack;

	times.hold = 50;
	for (nack = 0; nack < 2; nack++) {
		follow_tentative(&r, &times);
		mapper_hang_up(&r.mp);
		q = mapper_expect(&r.mp, MSG_FEED_HOLD);
		if (nack)
			mapper_answer(&r.mp, &q, false);
		started(&r, 0, 0, STORE, 5, 0);
		RUN_UNTIL(&r.mp, state(&r) == FEED_COPYING);
		ck_assert(holds(&r, 7) && holds(&r, 8) && holds(&r, 9));
		send_set(&r, 5, 1);
		send_set(&r, 5, 7);
		send_at(&r, STORE, 5);
		expect_report(&r, 0);
		ck_assert(holds(&r, 1) && holds(&r, 7));
		ck_assert(!holds(&r, 8) && !holds(&r, 9));
		ck_assert_uint_eq(maps_count_tentative(r.maps), 0);
		ck_assert_uint_eq(feed_report_stats(r.feed)->unheld, 1);
		ck_assert_uint_eq(feed_mclient_stats(r.feed)->connects, 2);
		rig_fini(&r);
	}
}
END_TEST

RUN_TESTS("gwd report", test_used, test_used_many, test_proved,
	test_proved_again, test_proved_pause, test_proved_ends,
	test_proof_refused, test_hold, test_hold_many, test_hold_again,
	test_hold_unanswered)
