/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client whose mapper comes late, is killed, refuses, comes back. */
#include "libipref/mclient.h"

#include "tests/unit/libipref/mclient_mapper.h"
#include "tests/unit/run.h"

/* The longest wait between two tries, and what a busy machine may add. */
#define RETRY_MS 1000
#define SLACK_MS 1000

static struct mapper mp;
static struct client cl;

START_TEST(test_no_mapper)
{
	struct call now = {0}, later = {0}, never = {0};
	uint64_t start = now_ms();

	mapper_init(&mp);
	client_init(&cl, &mp, 10, 0);
	/* Not even a mapper that is there is connected to from mclient_new().
	 */
	ck_assert(!mclient_stats(cl.mc)->connected);
	ck_assert(!call_start(&now, &cl, 5000, 0));
	ck_assert_int_eq(errno, ENOTCONN);
	ck_assert(call_start(&never, &cl, 50, MCLIENT_RESEND));
	ck_assert(call_start(&later, &cl, 9000, MCLIENT_RESEND));
	LOOP_UNTIL(mp.base, never.done);
	ck_assert_int_eq(never.res, MCLIENT_TIMEOUT);
	ck_assert_uint_ge(never.at_ms - start, 49);
	ck_assert_uint_eq(later.done + cl.ups + cl.downs, 0);
	mp.auto_answer = true;
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, later.done);
	ck_assert_int_eq(later.res, MCLIENT_ACK);
	ck_assert_uint_eq(cl.ups, 1);
	ck_assert_uint_eq(cl.downs, 0);
	ck_assert(mclient_stats(cl.mc)->connected);
	ck_assert_uint_eq(mclient_stats(cl.mc)->gone, 0);
	ck_assert_uint_eq(mp.requests, 1);
	stop_both(&mp, &cl);
	mclient_free(NULL);
}
END_TEST

/* However long the mapper was away: at most a second after its return. */
START_TEST(test_back_within_a_second)
{
	uint64_t killed, back;

	start_both(&mp, &cl, 10, 0);
	mapper_kill(&mp);
	killed = now_ms();
	LOOP_UNTIL(mp.base, cl.downs == 1);
	ck_assert(!mclient_stats(cl.mc)->connected);
	ck_assert_uint_ge(mclient_stats(cl.mc)->since_ms, killed);
	/* Until the waits between tries have grown to their limit. */
	LOOP_UNTIL(mp.base, now_ms() - killed > 3 * RETRY_MS / 2);
	back = now_ms();
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, cl.ups == 2);
	ck_assert_uint_le(now_ms() - back, RETRY_MS + SLACK_MS);
	ck_assert_uint_eq(mclient_stats(cl.mc)->connects, 2);
	stop_both(&mp, &cl);
}
END_TEST

/* A restart that takes no time is over soon: the first try comes at once. */
START_TEST(test_quick_restart)
{
	struct call ca = {0};
	uint64_t killed;

	start_both(&mp, &cl, 10, 0);
	mp.auto_answer = true;
	ck_assert(call_start(&ca, &cl, 5000, 0));
	LOOP_UNTIL(mp.base, ca.done); /* it was a good connection */
	mapper_kill(&mp);
	killed = now_ms();
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, cl.ups == 2);
	ck_assert_uint_ge(now_ms() - killed, 49);
	ck_assert_uint_le(now_ms() - killed, 100 + SLACK_MS);
	stop_both(&mp, &cl);
}
END_TEST

/* Killed with requests under way: each ends once, or is sent again in the
 * order in which they were made. */
START_TEST(test_killed)
{
	static const unsigned flags[6] = {
		0, MCLIENT_RESEND, 0, MCLIENT_RESEND, MCLIENT_RESEND, 0};
	struct call calls[6] = {0};
	uint16_t ids[6];
	size_t i;

	start_both(&mp, &cl, 10, 0);
	for (i = 0; i < 6; i++)
		ck_assert(call_start(&calls[i], &cl, 9000, flags[i]));
	LOOP_UNTIL(mp.base, mp.requests == 6);
	memcpy(ids, mp.ids, sizeof(ids));
	mapper_kill(&mp);
	LOOP_UNTIL(mp.base, cl.downs == 1);
	for (i = 0; i < 6; i++) {
		ck_assert_uint_eq(calls[i].done, !flags[i]);
		ck_assert(flags[i] || calls[i].res == MCLIENT_GONE);
	}
	ck_assert_uint_eq(mclient_stats(cl.mc)->gone, 3);
	mp.requests = 0;
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, mp.requests == 3);
	ck_assert_uint_eq(mp.ids[0], ids[1]);
	ck_assert_uint_eq(mp.ids[1], ids[3]);
	ck_assert_uint_eq(mp.ids[2], ids[4]);
	for (i = 0; i < 3; i++)
		mapper_answer(&mp, mp.ids[i], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, calls[1].done && calls[3].done && calls[4].done);
	for (i = 0; i < 6; i++) {
		ck_assert_uint_eq(calls[i].done, 1);
		ck_assert(!flags[i] || calls[i].res == MCLIENT_ACK);
	}
	ck_assert_uint_eq(mclient_stats(cl.mc)->strays, 0);
	stop_both(&mp, &cl);
}
END_TEST

/* A request that waited for its turn is lost too, unless it may be resent; and
 * a time-out runs on while there is no connection. */
START_TEST(test_killed_with_turns)
{
	struct call sent = {0}, lost = {0}, waits = {0}, late = {0};

	start_both(&mp, &cl, 10, 1);
	ck_assert(call_start(&sent, &cl, 9000, MCLIENT_RESEND));
	ck_assert(call_start(&lost, &cl, 9000, 0));
	ck_assert(call_start(&late, &cl, 300, MCLIENT_RESEND));
	ck_assert(call_start(&waits, &cl, 9000, MCLIENT_RESEND));
	LOOP_UNTIL(mp.base, mp.requests == 1);
	mapper_kill(&mp);
	LOOP_UNTIL(mp.base, lost.done);
	ck_assert_int_eq(lost.res, MCLIENT_GONE);
	LOOP_UNTIL(mp.base, late.done);
	ck_assert_int_eq(late.res, MCLIENT_TIMEOUT);
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, mp.requests == 2);
	loop_rounds(mp.base, 5);
	ck_assert_uint_eq(mp.requests, 2); /* one at a time here too */
	ck_assert_uint_eq(mp.ids[1], mp.ids[0]);
	mp.auto_answer = true;
	mapper_answer(&mp, mp.ids[1], MSG_MC_GET_EA, MSG_ACK);
	LOOP_UNTIL(mp.base, sent.done && waits.done);
	ck_assert_int_eq(sent.res, MCLIENT_ACK);
	ck_assert_int_eq(waits.res, MCLIENT_ACK);
	ck_assert_uint_eq(mp.requests, 3);
	ck_assert_uint_eq(sent.done + lost.done + waits.done + late.done, 4);
	stop_both(&mp, &cl);
}
END_TEST

/* The callbacks of lost requests cancel others that are lost with them, and
 * ask again. */
START_TEST(test_callbacks_when_lost)
{
	struct call a = {0}, b = {0}, c = {0}, d = {0};

	start_both(&mp, &cl, 10, 0);
	a.cancel = &b;
	a.again = true;
	a.next = &d;
	ck_assert(call_start(&a, &cl, 5000, 0));
	ck_assert(call_start(&b, &cl, 5000, 0));
	ck_assert(call_start(&c, &cl, 5000, 0));
	LOOP_UNTIL(mp.base, mp.requests == 3);
	mapper_kill(&mp);
	LOOP_UNTIL(mp.base, c.done);
	ck_assert_uint_eq(a.done, 1);
	ck_assert_uint_eq(b.done, 0);
	ck_assert_int_eq(a.res, MCLIENT_GONE);
	ck_assert_int_eq(c.res, MCLIENT_GONE);
	mp.auto_answer = true;
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, d.done);
	ck_assert_int_eq(d.res, MCLIENT_ACK);
	ck_assert_uint_eq(mclient_stats(cl.mc)->gone, 2);
	stop_both(&mp, &cl);
}
END_TEST

/* A mapper that closes each connection is not hammered. */
START_TEST(test_refused)
{
	uint64_t start;

	mapper_init(&mp);
	mp.refuse = true;
	mapper_start(&mp);
	client_init(&cl, &mp, 10, 0);
	start = now_ms();
	LOOP_UNTIL(mp.base, now_ms() - start > 800);
	/* At 0, then 50-100, 100-200, 200-400 and 400-1000 ms apart. */
	ck_assert_uint_ge(mp.accepted, 3);
	ck_assert_uint_le(mp.accepted, 5);
	mp.refuse = false;
	LOOP_UNTIL(mp.base, mp.conn != NULL);
	ck_assert_uint_eq(cl.downs + 1, cl.ups);
	stop_both(&mp, &cl);
}
END_TEST

/* A reset ends the connection from the loop; what may be resent is. */
START_TEST(test_reset)
{
	struct call lost = {0}, kept = {0};

	start_both(&mp, &cl, 10, 0);
	ck_assert(call_start(&lost, &cl, 9000, 0));
	ck_assert(call_start(&kept, &cl, 9000, MCLIENT_RESEND));
	LOOP_UNTIL(mp.base, mp.requests == 2);
	mapper_answer(&mp, mp.ids[0], MSG_MC_GET_EA, MSG_ACK);
	mclient_reset(cl.mc, "test");
	mclient_reset(cl.mc, "once more");
	ck_assert_uint_eq(cl.downs + lost.done, 0);
	LOOP_UNTIL(mp.base, lost.done);
	ck_assert_int_eq(lost.res, MCLIENT_GONE);
	ck_assert_uint_eq(cl.downs, 1);
	mclient_reset(cl.mc, "there is no connection");
	mp.auto_answer = true;
	LOOP_UNTIL(mp.base, kept.done);
	ck_assert_int_eq(kept.res, MCLIENT_ACK);
	ck_assert_uint_eq(cl.ups, 2);
	ck_assert_uint_eq(cl.downs, 1);
	stop_both(&mp, &cl);
}
END_TEST

static void
on_data_reset(const struct msg *m, void *arg)
{
	struct client *c = arg;

	(void)m;
	c->data++;
	mclient_reset(c->mc, "data that makes no sense");
}

/* From within a callback, with more in the socket. */
START_TEST(test_reset_in_callback)
{
	struct mclient_config cfg = {.path = mp.path,
		.fmt = {4, 4, MSG_DIALECT_1},
		.max_requests = 1,
		.up = on_client_up,
		.data = on_data_reset,
		.arg = &cl};
	struct msg at = {.mode = MSG_DATA, .cmd = MSG_FEED_AT};
	int i;

	mapper_init(&mp);
	mapper_start(&mp);
	cl = (struct client){0};
	cl.mc = mclient_new(mp.base, &cfg);
	ck_assert_ptr_nonnull(cl.mc);
	LOOP_UNTIL(mp.base, cl.ups == 1 && mp.conn);
	/* It has said something: the dialect is known. */
	ck_assert_int_eq(mclient_send(cl.mc, &at), 0);
	LOOP_UNTIL(mp.base, mp.data == 1);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(conn_send(mp.conn, &at), 0);
	LOOP_UNTIL(mp.base, cl.ups == 2);
	ck_assert_uint_eq(cl.data, 1);
	stop_both(&mp, &cl);
}
END_TEST

/* Freed in each state, with requests waiting: nobody is called. */
START_TEST(test_freed)
{
	struct call ca = {0};

	mapper_init(&mp);
	client_init(&cl, &mp, 10, 0);
	ck_assert(call_start(&ca, &cl, 9000, MCLIENT_RESEND));
	mclient_free(cl.mc);
	client_init(&cl, &mp, 10, 0);
	mapper_start(&mp);
	LOOP_UNTIL(mp.base, cl.ups == 1);
	ck_assert(call_start(&ca, &cl, 9000, MCLIENT_RESEND));
	LOOP_UNTIL(mp.base, mp.requests == 1);
	mapper_kill(&mp);
	LOOP_UNTIL(mp.base, cl.downs == 1);
	mclient_free(cl.mc);
	loop_rounds(mp.base, 5);
	ck_assert_uint_eq(ca.done, 0);
	mapper_fini(&mp);
}
END_TEST

RUN_TESTS("mclient_lost", test_no_mapper, test_back_within_a_second,
	test_quick_restart, test_killed, test_killed_with_turns,
	test_callbacks_when_lost, test_refused, test_reset,
	test_reset_in_callback, test_freed)
