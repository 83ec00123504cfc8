/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client with a mapper that stays: answers, time-outs, ids, turns. */
#include "libipref/mclient.h"

#include "tests/unit/libipref/mclient_mapper.h"
#include "tests/unit/run.h"

static struct mapper mp;
static struct client cl;

START_TEST(test_answers)
{
	struct call ack = {0}, nack = {0};

	start_both(&mp, &cl, 10, 0);
	ck_assert(call_start(&ack, &cl, 5000, 0));
	ck_assert(call_start(&nack, &cl, 5000, 0));
	LOOP_UNTIL(mp.base, mp.requests == 2);
	ck_assert_uint_ne(mp.ids[0], mp.ids[1]);
	/* In another order than asked. */
	mapper_answer(&mp, mp.ids[1], MSG_MC_GET_EA, MSG_NACK);
	mapper_answer(&mp, mp.ids[0], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, ack.done && nack.done);
	ck_assert_int_eq(ack.res, MCLIENT_ACK);
	ck_assert_uint_eq(ack.ref, mp.ids[0]);
	ck_assert_int_eq(nack.res, MCLIENT_NACK);
	ck_assert_uint_eq(mclient_stats(cl.mc)->acks, 1);
	ck_assert_uint_eq(mclient_stats(cl.mc)->nacks, 1);
	ck_assert_uint_eq(mclient_stats(cl.mc)->requests, 2);
	ck_assert_uint_eq(mclient_stats(cl.mc)->strays, 0);
	ck_assert_uint_eq(mclient_stats(cl.mc)->conn.in, 2);
	ck_assert_uint_eq(ack.done + nack.done, 2);
	stop_both(&mp, &cl);
}
END_TEST

START_TEST(test_second_dialect)
{
	struct mclient_config cfg = {.path = mp.path,
		.fmt = {4, 4, MSG_DIALECT_2},
		.max_requests = 1};
	struct call ca = {0};

	mapper_init(&mp);
	mp.auto_answer = true;
	mapper_start(&mp);
	cl.mc = mclient_new(mp.base, &cfg);
	ck_assert_ptr_nonnull(cl.mc);
	ck_assert(call_start(&ca, &cl, 5000, MCLIENT_RESEND));
	LOOP_UNTIL(mp.base, ca.done);
	ck_assert_int_eq(ca.res, MCLIENT_ACK);
	ck_assert_int_eq(conn_format(mp.conn)->dialect, MSG_DIALECT_2);
	stop_both(&mp, &cl);
}
END_TEST

/* Answers that nobody waits for: after the time-out, after cancelling, with
 * the command of another request. */
START_TEST(test_strays)
{
	struct call late = {0}, gone = {0}, ca = {0};
	uint64_t start = now_ms();

	start_both(&mp, &cl, 10, 0);
	ck_assert(call_start(&late, &cl, 30, 0));
	ck_assert(call_start(&gone, &cl, 5000, 0));
	ck_assert(call_start(&ca, &cl, 5000, 0));
	LOOP_UNTIL(mp.base, late.done && mp.requests == 3);
	ck_assert_int_eq(late.res, MCLIENT_TIMEOUT);
	ck_assert_uint_ge(late.at_ms - start, 29);
	ck_assert_uint_eq(mclient_stats(cl.mc)->timeouts, 1);
	mclient_cancel(cl.mc, gone.r);
	mapper_answer(&mp, mp.ids[0], MSG_MC_GET_EA, MSG_ACK);
	mapper_answer(&mp, mp.ids[1], MSG_MC_GET_EA, MSG_ACK);
	mapper_answer(&mp, mp.ids[2], MSG_NOOP, MSG_ACK);
	mapper_answer(&mp, 0xeeee, MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, mclient_stats(cl.mc)->strays == 4);
	ck_assert_uint_eq(ca.done + gone.done, 0);
	mapper_answer(&mp, mp.ids[2], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, ca.done);
	ck_assert_int_eq(ca.res, MCLIENT_ACK);
	ck_assert_uint_eq(late.done, 1);
	ck_assert_uint_eq(gone.done, 0);
	stop_both(&mp, &cl);
}
END_TEST

START_TEST(test_refusals)
{
	struct msg bad = {.mode = MSG_REQ, .cmd = MSG_MC_GET_EA};
	struct msg data = {.mode = MSG_DATA, .cmd = MSG_NOOP};
	struct call calls[4] = {0};
	size_t i;

	start_both(&mp, &cl, 3, 0);
	ck_assert_ptr_null(
		mclient_request(cl.mc, &bad, 100, 0, on_call, &calls[0]));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(
		mclient_request(cl.mc, &data, 100, 0, on_call, &calls[0]));
	ck_assert_int_eq(errno, EINVAL);
	for (i = 0; i < 3; i++)
		ck_assert(call_start(&calls[i], &cl, 5000, 0));
	ck_assert(!call_start(&calls[3], &cl, 5000, 0));
	ck_assert_int_eq(errno, EAGAIN);
	/* Room again after an answer, and after cancelling. */
	LOOP_UNTIL(mp.base, mp.requests == 3);
	mapper_answer(&mp, mp.ids[0], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, calls[0].done);
	ck_assert(call_start(&calls[3], &cl, 5000, 0));
	ck_assert(!call_start(&calls[0], &cl, 5000, 0));
	mclient_cancel(cl.mc, calls[1].r);
	ck_assert(call_start(&calls[0], &cl, 5000, 0));
	/* Freed with three under way: no callback. */
	stop_both(&mp, &cl);
	ck_assert_uint_eq(calls[0].done, 1);
	ck_assert_uint_eq(calls[1].done + calls[2].done + calls[3].done, 0);
}
END_TEST

START_TEST(test_data)
{
	struct msg at = {.mode = MSG_DATA, .cmd = MSG_FEED_AT, .revision = 9};
	struct msg noop = {.mode = MSG_DATA, .cmd = MSG_NOOP};
	struct msg req = {.mode = MSG_REQ, .cmd = MSG_NOOP, .id = 1};

	start_both(&mp, &cl, 1, 0);
	ck_assert_int_eq(mclient_send(cl.mc, &noop), 0);
	ck_assert_int_eq(mclient_send(cl.mc, &req), -EINVAL);
	LOOP_UNTIL(mp.base, mp.data == 1);
	ck_assert_int_eq(conn_send(mp.conn, &at), 0);
	LOOP_UNTIL(mp.base, cl.data == 1);
	mapper_kill(&mp);
	LOOP_UNTIL(mp.base, cl.downs == 1);
	ck_assert_int_eq(mclient_send(cl.mc, &noop), -ENOTCONN);
	stop_both(&mp, &cl);
}
END_TEST

/* A callback may cancel and make requests, whatever it is called for. */
START_TEST(test_callbacks)
{
	struct call a = {0}, b = {0}, c = {0};

	start_both(&mp, &cl, 10, 0);
	a.cancel = &b;
	a.again = true;
	a.next = &c;
	ck_assert(call_start(&a, &cl, 5000, 0));
	ck_assert(call_start(&b, &cl, 5000, 0));
	LOOP_UNTIL(mp.base, mp.requests == 2);
	mapper_answer(&mp, mp.ids[0], MSG_MC_GET_EA, MSG_ACK);
	mapper_answer(&mp, mp.ids[1], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, mp.requests == 3);
	mapper_answer(&mp, mp.ids[2], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, c.done);
	ck_assert_int_eq(c.res, MCLIENT_ACK);
	ck_assert_uint_eq(a.done, 1);
	ck_assert_uint_eq(b.done, 0);
	ck_assert_uint_eq(mclient_stats(cl.mc)->strays, 1);
	/* The same from a time-out. */
	a.next = &c;
	c.done = 0;
	mp.auto_answer = false;
	ck_assert(call_start(&b, &cl, 5000, 0));
	ck_assert(call_start(&a, &cl, 10, 0));
	LOOP_UNTIL(mp.base, a.done == 2 && mp.requests == 6);
	ck_assert_int_eq(a.res, MCLIENT_TIMEOUT);
	mapper_answer(&mp, mp.ids[5], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, c.done);
	ck_assert_uint_eq(b.done, 0);
	stop_both(&mp, &cl);
}
END_TEST

/* max_sent 1: the next one goes out after an answer, a time-out or a cancel of
 * the one before, in order; one whose time is over before its turn never. */
START_TEST(test_turns)
{
	struct call calls[6] = {0};
	size_t i;

	start_both(&mp, &cl, 10, 1);
	ck_assert(call_start(&calls[0], &cl, 5000, 0));
	ck_assert(call_start(&calls[1], &cl, 500, 0));
	ck_assert(call_start(&calls[2], &cl, 5000, 0));
	ck_assert(call_start(&calls[3], &cl, 5000, 0));
	ck_assert(call_start(&calls[4], &cl, 20, 0));
	ck_assert(call_start(&calls[5], &cl, 5000, 0));
	LOOP_UNTIL(mp.base, mp.requests == 1 && calls[4].done);
	loop_rounds(mp.base, 5);
	ck_assert_uint_eq(mp.requests, 1);
	ck_assert_int_eq(calls[4].res, MCLIENT_TIMEOUT);
	mapper_answer(&mp, mp.ids[0], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, calls[0].done && calls[1].done);
	ck_assert_int_eq(calls[1].res, MCLIENT_TIMEOUT);
	LOOP_UNTIL(mp.base, mp.requests >= 2);
	LOOP_UNTIL(mp.base, mp.requests == 3);
	loop_rounds(mp.base, 5);
	ck_assert_uint_eq(mp.requests, 3);
	mclient_cancel(cl.mc, calls[2].r);
	LOOP_UNTIL(mp.base, mp.requests == 4);
	mp.auto_answer = true;
	mapper_answer(&mp, mp.ids[3], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, calls[5].done);
	ck_assert_int_eq(calls[3].res, MCLIENT_ACK);
	ck_assert_uint_eq(calls[3].ref, mp.ids[3]);
	ck_assert_uint_eq(calls[5].ref, mp.ids[4]);
	ck_assert_uint_eq(mp.requests, 5);
	for (i = 0; i < ARRAY_LEN(calls); i++)
		ck_assert_uint_eq(calls[i].done, i != 2);
	stop_both(&mp, &cl);
}
END_TEST

#define TOGETHER 100

/* Has n requests answered, TOGETHER at a time. */
static void
ask_many(unsigned n)
{
	static struct call calls[TOGETHER];
	unsigned i, left;

	for (left = n; left >= TOGETHER; left -= TOGETHER) {
		memset(calls, 0, sizeof(calls));
		for (i = 0; i < TOGETHER; i++)
			ck_assert(call_start(&calls[i], &cl, 60000, 0));
		for (i = 0; i < TOGETHER; i++)
			LOOP_UNTIL(mp.base, calls[i].done);
	}
}

/* All ids are used, but for 0, those under way, and those whose answer may
 * come late. */
START_TEST(test_ids)
{
	struct call held = {0}, gone = {0};
	uint16_t held_id, gone_id;
	unsigned i, unused;

	start_both(&mp, &cl, 1000, 0);
	ck_assert(call_start(&held, &cl, 600000, 0));
	ck_assert(call_start(&gone, &cl, 600000, 0));
	LOOP_UNTIL(mp.base, mp.requests == 2);
	held_id = mp.ids[0];
	gone_id = mp.ids[1];
	mclient_cancel(cl.mc, gone.r);
	memset(mp.used, 0, sizeof(mp.used));
	mp.auto_answer = true;
	ask_many(66000);
	for (i = unused = 0; i < 65536; i++)
		unused += !mp.used[i];
	ck_assert_uint_eq(unused, 3);
	ck_assert(!mp.used[0] && !mp.used[held_id] && !mp.used[gone_id]);
	/* The late answer makes its id free. */
	mapper_answer(&mp, gone_id, MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, mclient_stats(cl.mc)->strays == 1);
	ask_many(66000);
	ck_assert(mp.used[gone_id] && !mp.used[held_id]);
	ck_assert_uint_eq(held.done + gone.done, 0);
	mapper_answer(&mp, held_id, MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, held.done);
	ck_assert_uint_eq(held.ref, held_id);
	ck_assert_uint_eq(cl.downs, 0);
	stop_both(&mp, &cl);
}
END_TEST

/* A mapper that never answers gets a new connection before ids run out. */
START_TEST(test_deaf_mapper)
{
	struct call ca = {0};
	unsigned i;

	start_both(&mp, &cl, 1000, 0);
	for (i = 1; i <= 32768; i++) {
		ck_assert_uint_eq(cl.downs, 0);
		ck_assert(call_start(&ca, &cl, 60000, 0));
		mclient_cancel(cl.mc, ca.r);
		if (i < 32768)
			LOOP_UNTIL(mp.base, mp.requests >= i);
	}
	LOOP_UNTIL(mp.base, cl.ups == 2);
	ck_assert_uint_eq(cl.downs, 1);
	mp.auto_answer = true;
	ck_assert(call_start(&ca, &cl, 5000, MCLIENT_RESEND));
	LOOP_UNTIL(mp.base, ca.done);
	ck_assert_int_eq(ca.res, MCLIENT_ACK);
	/* Old answers can't come there: all ids are free again. */
	memset(mp.used, 0, sizeof(mp.used));
	ask_many(33000);
	ck_assert(mp.used[1] && mp.used[2] && !mp.used[0]);
	stop_both(&mp, &cl);
}
END_TEST

RUN_TESTS("mclient", test_answers, test_second_dialect, test_strays,
	test_refusals, test_data, test_callbacks, test_turns, test_ids,
	test_deaf_mapper)
