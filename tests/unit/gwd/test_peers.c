/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers: ports and their theft, proofs, what a full table lets go. */
#include "gwd/peers.h"

#include <errno.h>
#include "tests/unit/run.h"

#define DEFAULT 1045

static struct addr
peer_addr(uint32_t n)
{
	return (struct addr){
		4, {192, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

START_TEST(test_ports)
{
	static const struct {
		uint64_t at_ms;
		uint16_t from, then;
		const char *why;
	} steps[] = {
		{1000, 1045, 1045, "the first"},
		{1500, 4000, 1045, "the known one was heard 500 ms ago"},
		{1999, 4000, 1045, "999 ms ago"},
		{2000, 4000, 4000, "silent for a second"},
		{2100, 1045, 4000, "now that one is the thief"},
		{2900, 4000, 4000, "goes on"},
		{3800, 1045, 4000, "heard 900 ms ago"},
		{3900, 1045, 1045, "moved back"},
	};
	struct addr a = peer_addr(1);
	struct peers *p = peers_new(10, DEFAULT);
	const struct peer *peer;
	size_t i;

	ck_assert_ptr_nonnull(p);
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		peers_heard(p, &a, steps[i].from, 100, steps[i].at_ms);
		ck_assert_msg(
			peers_sent(p, &a, 1, steps[i].at_ms) == steps[i].then,
			"step %zu: %s", i, steps[i].why);
	}
	peer = peers_get(p, &a);
	ck_assert_uint_eq(peer->other_port, 4);
	ck_assert_uint_eq(peer->in_packets, ARRAY_LEN(steps));
	ck_assert_uint_eq(peer->in_bytes, 100 * ARRAY_LEN(steps));
	ck_assert_uint_eq(peer->out_packets, ARRAY_LEN(steps));
	ck_assert_uint_eq(peer->heard_ms, 3900);
	ck_assert_uint_eq(peers_stats(p)->port_changes, 2);
	ck_assert_uint_eq(peers_stats(p)->port_refusals, 4);
	peers_free(p);
}
END_TEST

START_TEST(test_default_port)
{
	struct addr a = peer_addr(1), b = peer_addr(2);
	struct peers *p = peers_new(10, DEFAULT);

	ck_assert_uint_eq(peers_sent(p, &a, 1, 1000), DEFAULT);
	peers_set_default_port(p, 2045);
	ck_assert_uint_eq(peers_sent(p, &a, 1, 1000), 2045);
	peers_heard(p, &b, 5000, 1, 1000);
	ck_assert_uint_eq(peers_sent(p, &b, 1, 1000), 5000);
	ck_assert_uint_eq(peers_count(p), 2);
	peers_free(p);
}
END_TEST

/* i: a packet in, o: one out. */
START_TEST(test_proof)
{
	static const struct {
		const char *way;
		enum peer_proof proof;
	} rows[] = {
		{"o", PEER_SENT_TO},
		{"oo", PEER_SENT_TO},
		{"i", PEER_HEARD},
		{"ii", PEER_HEARD},
		{"oi", PEER_HEARD},
		{"io", PEER_ANSWERED},
		{"iioo", PEER_ANSWERED},
		{"ioi", PEER_PROVED},
		{"oioi", PEER_PROVED},
		{"ioiooi", PEER_PROVED},
	};
	struct addr a = peer_addr(1);
	struct peers *p;
	const char *c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		p = peers_new(10, DEFAULT);
		for (c = rows[i].way; *c; c++)
			if (*c == 'i')
				peers_heard(p, &a, 1045, 10, 1000);
			else
				(void)peers_sent(p, &a, 10, 1000);
		ck_assert_msg(peers_get(p, &a)->proof == rows[i].proof, "%s",
			rows[i].way);
		ck_assert_uint_eq(
			peers_proved(p), rows[i].proof == PEER_PROVED);
		peers_free(p);
	}
}
END_TEST

/* Who has not proved itself gets no more bytes than it sent. */
START_TEST(test_answers)
{
	struct addr a = peer_addr(1), unknown = peer_addr(2);
	struct peers *p = peers_new(10, DEFAULT);

	ck_assert_uint_eq(peers_answer(p, &unknown, 1), 0);
	ck_assert_uint_eq(peers_count(p), 0);
	peers_heard(p, &a, 4000, 100, 1000);
	ck_assert_uint_eq(peers_answer(p, &a, 101), 0);
	ck_assert_uint_eq(peers_answer(p, &a, 60), 4000);
	ck_assert_uint_eq(peers_answer(p, &a, 60), 0);
	ck_assert_uint_eq(peers_answer(p, &a, 40), 4000);
	ck_assert_uint_eq(peers_answer(p, &a, 1), 0);
	(void)peers_sent(p, &a, 10, 1000);
	peers_heard(p, &a, 4000, 50, 1000);
	ck_assert_uint_eq(peers_answer(p, &a, 10000), 4000);
	peers_free(p);
}
END_TEST

START_TEST(test_errors)
{
	struct addr a = peer_addr(1), unknown = peer_addr(2);
	struct peers *p = peers_new(10, DEFAULT);

	peers_error(p, &unknown, ECONNREFUSED, 1000);
	ck_assert_uint_eq(peers_count(p), 0);
	(void)peers_sent(p, &a, 10, 1000);
	peers_error(p, &a, EHOSTUNREACH, 2000);
	peers_error(p, &a, ECONNREFUSED, 3000);
	ck_assert_uint_eq(peers_get(p, &a)->errors, 2);
	ck_assert_int_eq(peers_get(p, &a)->error, ECONNREFUSED);
	ck_assert_uint_eq(peers_get(p, &a)->error_ms, 3000);
	peers_free(p);
}
END_TEST

static void
prove(struct peers *p, const struct addr *a, uint64_t now)
{
	peers_heard(p, a, 4000, 10, now);
	(void)peers_sent(p, a, 10, now);
	peers_heard(p, a, 4000, 10, now);
}

/* 100,000 made-up peers: the proved ones and their ports stay. */
START_TEST(test_flood)
{
	struct peers *p = peers_new(64, DEFAULT);
	struct addr a;
	uint32_t i;

	for (i = 0; i < 32; i++) {
		a = peer_addr(i);
		prove(p, &a, 1000 + i);
	}
	for (i = 1000; i < 101000; i++) {
		a = peer_addr(i);
		peers_heard(p, &a, 9999, 10, 2000 + i);
	}
	ck_assert_uint_eq(peers_count(p), 64);
	ck_assert_uint_eq(peers_proved(p), 32);
	for (i = 0; i < 32; i++) {
		a = peer_addr(i);
		ck_assert_uint_eq(peers_sent(p, &a, 1, 200000), 4000);
	}
	/* The last of the others are there, the first are not. */
	a = peer_addr(100999);
	ck_assert_ptr_nonnull(peers_get(p, &a));
	a = peer_addr(1000);
	ck_assert_ptr_null(peers_get(p, &a));
	ck_assert_uint_eq(peers_stats(p)->evicted_proved, 0);
	peers_free(p);
}
END_TEST

/* A table of proved peers: whom we only send to is not remembered, who is
 * heard takes the place of the one silent for longest. */
START_TEST(test_full)
{
	struct peers *p = peers_new(4, DEFAULT);
	struct addr a;
	uint32_t i;
	size_t pos = 0, n = 0;

	for (i = 0; i < 4; i++) {
		a = peer_addr(i);
		prove(p, &a, 1000 + i);
	}
	a = peer_addr(0);
	peers_heard(p, &a, 4000, 10, 1100);
	a = peer_addr(9);
	ck_assert_uint_eq(peers_sent(p, &a, 1, 1200), DEFAULT);
	ck_assert_ptr_null(peers_get(p, &a));
	peers_heard(p, &a, 5000, 10, 1300);
	ck_assert_ptr_nonnull(peers_get(p, &a));
	a = peer_addr(1);
	ck_assert_ptr_null(peers_get(p, &a));
	a = peer_addr(0);
	ck_assert_ptr_nonnull(peers_get(p, &a));
	while (peers_next(p, &pos))
		n++;
	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(peers_stats(p)->evicted_proved, 1);
	peers_free(p);
	peers_free(NULL);
}
END_TEST

RUN_TESTS("gwd peers", test_ports, test_default_port, test_proof, test_answers,
	test_errors, test_flood, test_full)
