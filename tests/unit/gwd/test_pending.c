/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that wait: order, bounds, time, questions asked and not. */
#include "gwd/pending.h"
#include "tests/unit/run.h"

static const struct addr host_a = {4, {10, 240, 1, 1}};
static const struct addr host_b = {4, {10, 240, 1, 2}};
static const struct addr peer = {4, {192, 0, 2, 1}};
static uint8_t big[65536];

static struct addr
nth(uint32_t n)
{
	return (struct addr){4, {10, 241, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* A packet of one byte, n, that waits to know who addr is. */
static enum pending_result
add(struct pending *p, const struct addr *addr, uint8_t n, uint64_t now)
{
	const struct packet_in in = {.p = &n, .len = 1};
	const struct packet_out out = {
		.drop = DROP_DST_UNKNOWN, .ask = ASK_LOOKUP, .addr = *addr};

	return pending_add(p, &in, &out, 0, now);
}

static struct question
lookup(const struct addr *addr)
{
	return question_of(ASK_LOOKUP, addr, NULL);
}

/* Takes the list apart: the packets' first bytes, in order, as text. */
static const char *
drain(struct waiting_list *list)
{
	static char text[PENDING_PACKETS + 1];
	struct waiting *w;
	size_t n = 0;

	while ((w = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, w, link);
		ck_assert_ptr_null(w->query);
		text[n++] = (char)w->p[0];
		waiting_free(w);
	}
	text[n] = '\0';
	return text;
}

static const char *
take(struct pending *p, const struct addr *addr)
{
	struct waiting_list list = TAILQ_HEAD_INITIALIZER(list);
	struct question q = lookup(addr);

	pending_take(p, &q, &list);
	return drain(&list);
}

static const char *
expire(struct pending *p, uint64_t now)
{
	struct waiting_list list = TAILQ_HEAD_INITIALIZER(list);

	pending_expire(p, now, &list);
	return drain(&list);
}

START_TEST(test_order)
{
	struct pending *p = pending_new();

	ck_assert_int_eq(add(p, &host_a, 'a', 1000), PENDING_ASK);
	ck_assert_int_eq(add(p, &host_b, 'x', 1000), PENDING_ASK);
	ck_assert_int_eq(add(p, &host_a, 'b', 1001), PENDING_WAITS);
	ck_assert_int_eq(add(p, &host_a, 'c', 1002), PENDING_WAITS);
	ck_assert_uint_eq(pending_packets(p), 4);
	ck_assert_uint_eq(pending_questions(p), 2);
	ck_assert_str_eq(take(p, &host_a), "abc");
	ck_assert_str_eq(take(p, &host_a), "");
	ck_assert_str_eq(take(p, &host_b), "x");
	ck_assert_uint_eq(pending_packets(p), 0);
	ck_assert_uint_eq(pending_bytes(p), 0);
	ck_assert_uint_eq(pending_questions(p), 0);
	ck_assert_uint_eq(pending_next_ms(p), UINT64_MAX);
	pending_free(p);
}
END_TEST

/* What comes back is what was put in. */
START_TEST(test_packet)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5};
	const struct packet_in in = {
		.p = bytes, .len = sizeof(bytes), .from = peer, .tos = 7};
	struct packet_out out = {.drop = DROP_EA_REFUSED,
		.ask = ASK_EA,
		.addr = peer,
		.ref = ref_from_u64(77)};
	struct question q = question_of(ASK_EA, &peer, &out.ref);
	struct waiting_list list = TAILQ_HEAD_INITIALIZER(list);
	struct pending *p = pending_new();
	struct waiting *w;

	ck_assert_int_eq(
		pending_add(p, &in, &out, 1U << ASK_REF, 500), PENDING_ASK);
	/* Another reference, another kind: other questions. */
	out.ref = ref_from_u64(78);
	ck_assert_int_eq(pending_add(p, &in, &out, 0, 500), PENDING_ASK);
	out.ask = ASK_LOOKUP;
	ck_assert_int_eq(pending_add(p, &in, &out, 0, 500), PENDING_ASK);
	ck_assert_uint_eq(pending_bytes(p), 15);
	pending_take(p, &q, &list);
	w = TAILQ_FIRST(&list);
	ck_assert_ptr_nonnull(w);
	ck_assert_ptr_null(TAILQ_NEXT(w, link));
	ck_assert_uint_eq(w->in.len, sizeof(bytes));
	ck_assert_mem_eq(w->in.p, bytes, sizeof(bytes));
	ck_assert(addr_eq(&w->in.from, &peer));
	ck_assert_uint_eq(w->in.tos, 7);
	ck_assert_int_eq(w->drop, DROP_EA_REFUSED);
	ck_assert_uint_eq(w->asked, 1U << ASK_REF | 1U << ASK_EA);
	ck_assert_uint_eq(w->until_ms, 500 + PENDING_WAIT_MS);
	waiting_free(w);
	pending_free(p); /* with packets in it */
	pending_free(NULL);
}
END_TEST

START_TEST(test_time)
{
	struct question q = lookup(&host_a);
	struct pending *p = pending_new();

	(void)!add(p, &host_a, 'a', 1000);
	pending_asked(p, &q);
	(void)!add(p, &host_b, 'x', 1500);
	(void)!add(p, &host_a, 'b', 1600);
	ck_assert_uint_eq(pending_next_ms(p), 1000 + PENDING_WAIT_MS);
	ck_assert_str_eq(expire(p, 999 + PENDING_WAIT_MS), "");
	ck_assert_str_eq(expire(p, 1000 + PENDING_WAIT_MS), "a");
	ck_assert_str_eq(expire(p, 1600 + PENDING_WAIT_MS), "xb");
	/* The one asked waits for its answer, the other is forgotten. */
	ck_assert_uint_eq(pending_questions(p), 1);
	ck_assert_int_eq(add(p, &host_a, 'c', 4000), PENDING_WAITS);
	ck_assert_int_eq(add(p, &host_b, 'y', 4000), PENDING_ASK);
	ck_assert_str_eq(take(p, &host_a), "c");
	pending_free(p);
}
END_TEST

START_TEST(test_bounds)
{
	struct pending *p = pending_new();
	struct addr a;
	uint32_t i;

	for (i = 0; i < PENDING_EACH; i++)
		ck_assert_int_ne(add(p, &host_a, 'a', 1000), PENDING_FULL);
	ck_assert_int_eq(add(p, &host_a, 'a', 1000), PENDING_FULL);
	for (i = PENDING_EACH; i < PENDING_PACKETS; i++) {
		a = nth(i);
		ck_assert_int_eq(add(p, &a, 'b', 1001), PENDING_ASK);
	}
	ck_assert_int_eq(add(p, &host_b, 'c', 1001), PENDING_FULL);
	ck_assert_uint_eq(pending_packets(p), PENDING_PACKETS);
	ck_assert_uint_eq(
		strlen(expire(p, 1000 + PENDING_WAIT_MS)), PENDING_EACH);
	ck_assert_int_eq(add(p, &host_b, 'c', 1002), PENDING_ASK);
	pending_free(p);
}
END_TEST

START_TEST(test_bytes)
{
	const struct packet_in in = {.p = big, .len = 65000};
	struct packet_out out = {.drop = DROP_DST_UNKNOWN, .ask = ASK_LOOKUP};
	struct pending *p = pending_new();
	uint32_t i, held = 0;

	for (i = 0; i < 1000; i++) {
		out.addr = nth(i);
		if (pending_add(p, &in, &out, 0, 1000) == PENDING_ASK)
			held++;
	}
	ck_assert_uint_eq(held, PENDING_BYTES / 65000);
	ck_assert_uint_le(pending_bytes(p), PENDING_BYTES);
	/* A small one still fits; a question without packets is not left. */
	ck_assert_uint_eq(pending_questions(p), held);
	ck_assert_int_eq(add(p, &host_a, 'a', 1000), PENDING_ASK);
	pending_free(p);
}
END_TEST

/* Questions that were asked and whose packets are gone count too. */
START_TEST(test_questions_bound)
{
	struct pending *p = pending_new();
	struct question q;
	struct addr a;
	uint32_t i;

	for (i = 0; i < PENDING_QUESTIONS; i++) {
		a = nth(i);
		q = lookup(&a);
		ck_assert_int_eq(add(p, &a, 'a', 1000), PENDING_ASK);
		pending_asked(p, &q);
	}
	(void)expire(p, 1000 + PENDING_WAIT_MS);
	ck_assert_uint_eq(pending_packets(p), 0);
	ck_assert_uint_eq(pending_questions(p), PENDING_QUESTIONS);
	ck_assert_int_eq(add(p, &host_a, 'b', 4000), PENDING_FULL);
	ck_assert_uint_eq(pending_packets(p), 0);
	ck_assert(!pending_unanswered(p, &q));
	ck_assert_int_eq(add(p, &host_a, 'b', 4000), PENDING_ASK);
	pending_free(p);
}
END_TEST

START_TEST(test_asking)
{
	struct question a = lookup(&host_a), b = lookup(&host_b), q;
	struct pending *p = pending_new();

	ck_assert(!pending_to_ask(p, &q));
	(void)!add(p, &host_a, 'a', 1000);
	(void)!add(p, &host_b, 'x', 1000);
	ck_assert(pending_to_ask(p, &q));
	ck_assert(addr_eq(&q.addr, &host_a));
	pending_asked(p, &q);
	pending_asked(p, &q);
	ck_assert(pending_to_ask(p, &q));
	ck_assert(addr_eq(&q.addr, &host_b));
	pending_asked(p, &q);
	ck_assert(!pending_to_ask(p, &q));
	/* The connection ends: with packets it is asked again. */
	ck_assert(pending_unanswered(p, &b));
	ck_assert(pending_to_ask(p, &q));
	ck_assert(addr_eq(&q.addr, &host_b));
	(void)expire(p, 1000 + PENDING_WAIT_MS);
	ck_assert(!pending_to_ask(p, &q));
	ck_assert(!pending_unanswered(p, &a));
	ck_assert(!pending_unanswered(p, &b));
	ck_assert_uint_eq(pending_questions(p), 0);
	pending_asked(p, &a); /* unknown: nothing happens */
	pending_free(p);
}
END_TEST

START_TEST(test_refusals)
{
	struct question a = lookup(&host_a), q;
	struct pending *p = pending_new();
	struct addr addr;
	uint32_t i;

	pending_refuse(p, &a, 1000);
	ck_assert_int_eq(add(p, &host_a, 'a', 1000), PENDING_REFUSED);
	ck_assert_int_eq(add(p, &host_b, 'a', 1000), PENDING_ASK);
	pending_refuse(p, &a, 1500); /* does not make it longer */
	ck_assert_int_eq(add(p, &host_a, 'a', 999 + PENDING_REFUSED_MS),
		PENDING_REFUSED);
	ck_assert_int_eq(
		add(p, &host_a, 'a', 1000 + PENDING_REFUSED_MS), PENDING_ASK);
	ck_assert_str_eq(take(p, &host_a), "a");
	pending_refuse(p, &a, 3000);
	ck_assert_int_eq(add(p, &host_a, 'a', 3001), PENDING_REFUSED);
	/* More than are remembered: the oldest is forgotten first. */
	for (i = 0; i < PENDING_REFUSALS - 1; i++) {
		addr = nth(i);
		q = lookup(&addr);
		pending_refuse(p, &q, 3000);
	}
	ck_assert_int_eq(add(p, &host_a, 'a', 3001), PENDING_REFUSED);
	q = lookup(&peer);
	pending_refuse(p, &q, 3000);
	ck_assert_int_eq(add(p, &host_a, 'a', 3001), PENDING_ASK);
	ck_assert_int_eq(add(p, &peer, 'a', 3001), PENDING_REFUSED);
	pending_free(p);
}
END_TEST

RUN_TESTS("gwd pending", test_order, test_packet, test_time, test_bounds,
	test_bytes, test_questions_bound, test_asking, test_refusals)
