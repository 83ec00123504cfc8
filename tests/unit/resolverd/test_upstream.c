/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding client against scripted servers: every way in which a server
 * can be wrong, failover, TCP, sharing, bounds, cancelling.
 */
#include "tests/unit/run.h"

#include <errno.h>

#include "resolverd/upstream.h"
#include "tests/unit/resolverd/fake_dns.h"

#define A_RR "a.test. 60 IN A 192.0.2.1"

/* What the first server does; the second always answers well. */
static const struct {
	struct fake_rule rule;
	enum upstream_result alone; /* with this server only */
	bool slow;		    /* alone it takes the whole time */
} ways[] = {
	{{"a.test.", 1, FAKE_ANSWER, 0, {A_RR}, {0}, {0}}, UPSTREAM_OK, false},
	{{"a.test.", 1, FAKE_ANSWER, 3, {0}, {0}, {0}}, UPSTREAM_OK, false},
	{{"a.test.", 1, FAKE_ANSWER, 6, {0}, {0}, {0}}, UPSTREAM_OK, false},
	{{"a.test.", 1, FAKE_ANSWER, 2, {0}, {0}, {0}}, UPSTREAM_REFUSED,
		false},
	{{"a.test.", 1, FAKE_ANSWER, 5, {0}, {0}, {0}}, UPSTREAM_REFUSED,
		false},
	{{"a.test.", 1, FAKE_ANSWER, 4, {0}, {0}, {0}}, UPSTREAM_REFUSED,
		false},
	{{"a.test.", 1, FAKE_ANSWER, 1, {0}, {0}, {0}}, UPSTREAM_REFUSED,
		false},
	{{"a.test.", 1, FAKE_SILENT_ONCE, 0, {A_RR}, {0}, {0}}, UPSTREAM_OK,
		false},
	{{"a.test.", 1, FAKE_SILENT, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		true},
	{{"a.test.", 1, FAKE_WRONG_ID, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		true},
	{{"a.test.", 1, FAKE_WRONG_NAME, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		true},
	{{"a.test.", 1, FAKE_WRONG_TYPE, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		true},
	{{"a.test.", 1, FAKE_WRONG_PORT, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		true},
	{{"a.test.", 1, FAKE_SHORT, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		true},
	{{"a.test.", 1, FAKE_POISON, 0, {A_RR}, {0}, {0}}, UPSTREAM_OK, false},
	{{"a.test.", 1, FAKE_TRUNCATE, 0, {A_RR}, {0}, {0}}, UPSTREAM_OK,
		false},
	{{"a.test.", 1, FAKE_TRUNCATE_ALL, 0, {A_RR}, {0}, {0}},
		UPSTREAM_SILENT, false},
	{{"a.test.", 1, FAKE_TCP_CLOSES, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		false},
	{{"a.test.", 1, FAKE_TCP_WRONG_ID, 0, {A_RR}, {0}, {0}},
		UPSTREAM_SILENT, false},
	{{"a.test.", 1, FAKE_GARBAGE, 0, {A_RR}, {0}, {0}}, UPSTREAM_SILENT,
		false},
	{{"a.test.", 1, FAKE_NO_EDNS, 0, {A_RR}, {0}, {0}}, UPSTREAM_OK, false},
	{{"a.test.", 1, FAKE_LAME, 0, {0}, {"test. 60 IN NS a.test."}, {0}},
		UPSTREAM_REFUSED, false},
};

static const struct fake_rule good[] = {
	{"a.test.", 1, FAKE_ANSWER, 0, {A_RR}, {0}, {0}},
};

struct asked {
	enum upstream_result res;
	int done;
	char answer[1000];
	uint16_t rcode;
};

static void
on_done(enum upstream_result res, const uint8_t *msg, size_t len,
	const struct screened *s, void *arg)
{
	struct asked *a = arg;

	a->res = res;
	a->done++;
	ck_assert((msg != NULL) == (res == UPSTREAM_OK));
	if (!msg)
		return;
	a->rcode = screen_rcode(s);
	section_text(msg, len, LDNS_SECTION_ANSWER, a->answer);
}

static struct upstream *
client(struct event_base *base, const struct endpoint *at, size_t n,
	uint64_t total_ms, size_t max)
{
	struct endpoint copies[4];
	struct endpoint_list l = {copies, n};
	struct upstream_config cfg = {&l, max, total_ms};
	struct upstream *up;

	if (n)
		memcpy(copies, at, n * sizeof(*at));
	up = upstream_new(base, &cfg);
	ck_assert_ptr_nonnull(up);
	return up;
}

static struct upstream_req *
ask(struct upstream *up, const char *name, struct asked *a)
{
	struct upstream_question q = {.name = named(name), .type = 1};

	memset(a, 0, sizeof(*a));
	return upstream_ask(up, &q, on_done, a);
}

START_TEST(test_alone)
{
	struct event_base *base = event_base_new();
	struct fake_dns f;
	struct upstream *up;
	struct asked a;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ways); i++) {
		fake_start(&f, base, 1, &ways[i].rule, 1);
		up = client(base, &f.at, 1, ways[i].slow ? 100 : 5000, 10);
		ck_assert_ptr_nonnull(ask(up, "A.test", &a));
		ck_assert_int_eq(a.done, 0);
		LOOP_UNTIL(base, a.done);
		ck_assert_int_eq(a.done, 1);
		ck_assert_msg(a.res == ways[i].alone, "case %zu: %d", i, a.res);
		if (a.res == UPSTREAM_OK && !ways[i].rule.rcode)
			ck_assert_str_eq(a.answer, A_RR "\n");
		if (a.res == UPSTREAM_OK)
			ck_assert_uint_eq(a.rcode, ways[i].rule.rcode);
		ck_assert_uint_eq(upstream_stats(up)->in_flight, 0);
		upstream_free(up);
		fake_stop(&f);
	}
	event_base_free(base);
}
END_TEST

/* With a good server beside it the answer always comes, whichever is asked
 * first. */
START_TEST(test_failover)
{
	struct event_base *base = event_base_new();
	struct fake_dns f[2];
	struct endpoint at[2];
	struct upstream *up;
	struct asked a;
	size_t i, round;

	for (i = 0; i < ARRAY_LEN(ways); i++) {
		if (ways[i].alone == UPSTREAM_OK)
			continue;
		fake_start(&f[0], base, 1, &ways[i].rule, 1);
		fake_start(&f[1], base, 2, good, 1);
		at[0] = f[0].at;
		at[1] = f[1].at;
		up = client(base, at, 2, 5000, 10);
		for (round = 0; round < 2; round++) {
			ck_assert_ptr_nonnull(ask(up, "a.test", &a));
			LOOP_UNTIL(base, a.done);
			ck_assert_int_eq(a.res, UPSTREAM_OK);
			ck_assert_str_eq(a.answer, A_RR "\n");
		}
		upstream_free(up);
		fake_stop(&f[0]);
		fake_stop(&f[1]);
	}
	event_base_free(base);
}
END_TEST

/* Nobody listens at the first: the second is asked at once. A server that is
 * down is asked last, and first again when it is back. */
START_TEST(test_down)
{
	struct event_base *base = event_base_new();
	struct fake_dns f;
	struct endpoint at[2];
	struct upstream *up;
	struct asked a;
	uint64_t began;
	int i;

	fake_start(&f, base, 2, good, 1);
	at[0] = f.at;
	at[1] = (struct endpoint){own_loopback(9), 5353};
	up = client(base, at, 2, 5000, 10);
	began = now_ms();
	for (i = 0; i < 50; i++) {
		ck_assert_ptr_nonnull(ask(up, "a.test", &a));
		LOOP_UNTIL(base, a.done);
		ck_assert_int_eq(a.res, UPSTREAM_OK);
	}
	ck_assert(now_ms() - began < 3000);
	ck_assert(upstream_server(up, 1).down);
	ck_assert(!upstream_server(up, 0).down);
	ck_assert_uint_le(upstream_server(up, 1).queries, 10);
	upstream_free(up);

	/* All are: the answer comes quickly. */
	up = client(base, at + 1, 1, 5000, 10);
	began = now_ms();
	ck_assert_ptr_nonnull(ask(up, "a.test", &a));
	LOOP_UNTIL(base, a.done);
	ck_assert_int_eq(a.res, UPSTREAM_SILENT);
	ck_assert(now_ms() - began < 3000);
	upstream_free(up);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

START_TEST(test_shared)
{
	static const struct fake_rule once[] = {
		{"a.test.", 1, FAKE_SILENT_ONCE, 0, {A_RR}, {0}, {0}}};
	struct event_base *base = event_base_new();
	struct asked a[4];
	struct upstream_req *r[4];
	struct upstream *up;
	struct fake_dns f;
	int i;

	fake_start(&f, base, 1, once, 1);
	up = client(base, &f.at, 1, 5000, 1);
	for (i = 0; i < 4; i++) {
		r[i] = ask(up, i & 1 ? "A.TEST" : "a.test", &a[i]);
		ck_assert_ptr_nonnull(r[i]);
	}
	ck_assert_uint_eq(upstream_stats(up)->joined, 3);
	/* The bound is on questions. */
	ck_assert_ptr_null(ask(up, "b.test", &(struct asked){0}));
	ck_assert_int_eq(errno, EAGAIN);
	LOOP_UNTIL(base, f.asked == 1);
	upstream_cancel(r[1]);
	LOOP_UNTIL(base, a[0].done && a[2].done && a[3].done);
	ck_assert_int_eq(a[1].done, 0);
	ck_assert_uint_eq(f.asked, 2);
	upstream_free(up);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

/* Cancelled requests are not heard of again, and make room. */
START_TEST(test_cancel)
{
	static const struct fake_rule silent[] = {
		{"a.test.", 1, FAKE_SILENT, 0, {A_RR}, {0}, {0}},
		{"b.test.", 1, FAKE_TRUNCATE, 0, {A_RR}, {0}, {0}}};
	struct event_base *base = event_base_new();
	struct asked a, b;
	struct upstream_req *r;
	struct upstream *up;
	struct fake_dns f;

	fake_start(&f, base, 1, silent, 2);
	up = client(base, &f.at, 1, 5000, 1);
	r = ask(up, "a.test", &a);
	LOOP_UNTIL(base, f.asked == 1);
	upstream_cancel(r);
	ck_assert_uint_eq(upstream_stats(up)->in_flight, 0);
	r = ask(up, "b.test", &b);
	LOOP_UNTIL(base, f.asked_tcp == 1);
	upstream_cancel(r);
	loop_rounds(base, 20);
	ck_assert_int_eq(a.done + b.done, 0);
	/* One under way is freed with the client. */
	ck_assert_ptr_nonnull(ask(up, "a.test", &a));
	LOOP_UNTIL(base, f.asked == 4);
	upstream_free(up);
	ck_assert_int_eq(a.done, 0);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

/* Who asks again from the callback, the same question, gets an answer. */
struct again {
	struct upstream *up;
	struct asked first, second;
};

static void
on_again(enum upstream_result res, const uint8_t *msg, size_t len,
	const struct screened *s, void *arg)
{
	struct again *g = arg;

	on_done(res, msg, len, s, &g->first);
	ck_assert_ptr_nonnull(ask(g->up, "a.test", &g->second));
}

START_TEST(test_again)
{
	struct event_base *base = event_base_new();
	struct upstream_question q = {.name = named("a.test"), .type = 1};
	struct again g = {0};
	struct fake_dns f;

	fake_start(&f, base, 1, good, 1);
	g.up = client(base, &f.at, 1, 5000, 1);
	ck_assert_ptr_nonnull(upstream_ask(g.up, &q, on_again, &g));
	LOOP_UNTIL(base, g.second.done);
	ck_assert_uint_eq(f.asked, 2);
	upstream_free(g.up);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

/* CD and DO go along, and tell questions apart; EDNS is in each. */
START_TEST(test_flags)
{
	struct event_base *base = event_base_new();
	struct upstream_question q = {.name = named("a.test"), .type = 1};
	struct asked a = {0};
	struct upstream *up;
	struct fake_dns f;
	int i;

	fake_start(&f, base, 1, good, 1);
	up = client(base, &f.at, 1, 5000, 10);
	for (i = 0; i < 4; i++) {
		q.checking_disabled = i & 1;
		q.dnssec_ok = i & 2;
		a.done = 0;
		ck_assert_ptr_nonnull(upstream_ask(up, &q, on_done, &a));
		LOOP_UNTIL(base, a.done);
		ck_assert(f.last_edns);
		ck_assert_int_eq(f.last_cd, q.checking_disabled);
		ck_assert_int_eq(f.last_do, q.dnssec_ok);
	}
	ck_assert_uint_eq(upstream_stats(up)->joined, 0);
	upstream_free(up);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

/* Many at once: all answered, over more sockets than the pool holds at a time.
 */
START_TEST(test_many)
{
	enum {
		N = 5000,
		AT_ONCE = 50
	};
	struct event_base *base = event_base_new();
	static struct asked a[N];
	struct upstream *up;
	struct fake_dns f;
	char name[32];
	int i, k;

	fake_start(&f, base, 1, good, 1);
	up = client(base, &f.at, 1, 5000, AT_ONCE);
	for (i = 0; i < N; i += AT_ONCE) {
		for (k = i; k < i + AT_ONCE; k++) {
			snprintf(name, sizeof(name), "h%d.test", k);
			ck_assert_ptr_nonnull(ask(up, name, &a[k]));
		}
		LOOP_UNTIL(base, !upstream_stats(up)->in_flight);
	}
	for (i = 0; i < N; i++)
		ck_assert(a[i].done == 1 && a[i].res == UPSTREAM_OK);
	upstream_free(up);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

/* Connections to this server that the kernel still knows our end of, as those
 * in TIME-WAIT. */
static unsigned
left_over(const struct endpoint *at)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	unsigned n = 0, addr, port;
	char line[256];
	uint32_t want;

	memcpy(&want, at->addr.b, sizeof(want)); /* as the kernel prints it */
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %*x:%*x %x:%x", &addr, &port) == 2)
			n += addr == want && port == at->port;
	fclose(f);
	return n;
}

/* A server that cuts every answer does not use up our ports. */
START_TEST(test_no_time_wait)
{
	static const struct fake_rule cut[] = {
		{"a.test.", 1, FAKE_TRUNCATE, 0, {A_RR}, {0}, {0}},
	};
	struct event_base *base = event_base_new();
	struct upstream *up;
	struct fake_dns f;
	struct asked a;
	unsigned i;

	fake_start(&f, base, 1, cut, 1);
	up = client(base, &f.at, 1, 5000, 10);
	for (i = 1; i <= 10; i++) {
		ck_assert_ptr_nonnull(ask(up, "a.test", &a));
		LOOP_UNTIL(base, a.done);
		ck_assert_int_eq(a.res, UPSTREAM_OK);
		ck_assert_uint_eq(f.asked_tcp, i);
	}
	ck_assert_uint_eq(left_over(&f.at), 0);
	loop_rounds(base, 20); /* the server sees the last one's end */
	upstream_free(up);
	fake_stop(&f);
	event_base_free(base);
}
END_TEST

START_TEST(test_no_server)
{
	struct event_base *base = event_base_new();
	struct endpoint none;
	struct upstream *up = client(base, &none, 0, 5000, 10);
	struct asked a;

	ck_assert_ptr_null(ask(up, "a.test", &a));
	ck_assert_int_eq(errno, EDESTADDRREQ);
	upstream_free(up);
	event_base_free(base);
}
END_TEST

RUN_TESTS("upstream", test_alone, test_failover, test_down, test_shared,
	test_cancel, test_again, test_flags, test_many, test_no_time_wait,
	test_no_server)
