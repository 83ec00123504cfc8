/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers: ports and their theft, proofs, what a full table lets go. */
#include "gwd/peers.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/run.h"

#define DEFAULT 1045

static struct addr
peer_addr(uint32_t n)
{
	return (struct addr){
		4, {192, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void
heard(struct peers *p, const struct addr *a, uint16_t port, size_t len,
	uint64_t now)
{
	const struct endpoint from = {*a, port};

	peers_heard(p, &from, NULL, len, now);
}

static uint16_t
sent(struct peers *p, const struct addr *a, size_t len, uint64_t now)
{
	return peers_sent(p, a, len, now).port;
}

static uint16_t
answered(struct peers *p, const struct addr *a, size_t len)
{
	return peers_answer(p, a, len, 1000).port;
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
		heard(p, &a, steps[i].from, 100, steps[i].at_ms);
		ck_assert_msg(sent(p, &a, 1, steps[i].at_ms) == steps[i].then,
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

	ck_assert_uint_eq(sent(p, &a, 1, 1000), DEFAULT);
	peers_set_default_port(p, 2045);
	ck_assert_uint_eq(sent(p, &a, 1, 1000), 2045);
	heard(p, &b, 5000, 1, 1000);
	ck_assert_uint_eq(sent(p, &b, 1, 1000), 5000);
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
				heard(p, &a, 1045, 10, 1000);
			else
				(void)sent(p, &a, 10, 1000);
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

	ck_assert_uint_eq(answered(p, &unknown, 1), 0);
	ck_assert_uint_eq(peers_count(p), 0);
	heard(p, &a, 4000, 100, 1000);
	ck_assert_uint_eq(answered(p, &a, 101), 0);
	ck_assert_uint_eq(answered(p, &a, 60), 4000);
	ck_assert_uint_eq(answered(p, &a, 60), 0);
	ck_assert_uint_eq(answered(p, &a, 40), 4000);
	ck_assert_uint_eq(answered(p, &a, 1), 0);
	(void)sent(p, &a, 10, 1000);
	heard(p, &a, 4000, 50, 1000);
	ck_assert_uint_eq(answered(p, &a, 10000), 4000);
	peers_free(p);
}
END_TEST

START_TEST(test_errors)
{
	struct addr a = peer_addr(1), unknown = peer_addr(2);
	struct peers *p = peers_new(10, DEFAULT);

	peers_error(p, &unknown, ECONNREFUSED, 1000);
	ck_assert_uint_eq(peers_count(p), 0);
	(void)sent(p, &a, 10, 1000);
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
	heard(p, a, 4000, 10, now);
	(void)sent(p, a, 10, now);
	heard(p, a, 4000, 10, now);
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
		heard(p, &a, 9999, 10, 2000 + i);
	}
	ck_assert_uint_eq(peers_count(p), 64);
	ck_assert_uint_eq(peers_proved(p), 32);
	for (i = 0; i < 32; i++) {
		a = peer_addr(i);
		ck_assert_uint_eq(sent(p, &a, 1, 200000), 4000);
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

static const struct conf_list empty;

static void
configure(struct peers *p, struct peer_confs *c, char *line, char *denied)
{
	const struct conf_list lines = {&line, line != NULL};
	const struct conf_list deny = {&denied, denied != NULL};
	const struct peer_conf_lists lists = {
		.peer = &lines, .allow = &empty, .deny = &deny, .ver = 4};
	char why[200];

	ck_assert_int_eq(peer_confs_init(c, &lists, why, sizeof(why)), 0);
	peers_configure(p, c, 1000);
}

/* A table of proved peers: new ones have a place, which they take from each
 * other; one that proves itself takes that of the one silent for longest, if
 * that was for a minute. */
START_TEST(test_full)
{
	struct peers *p = peers_new(8, DEFAULT);
	const uint32_t n_kept = 6;
	struct addr a;
	uint32_t i;
	size_t pos = 0, n = 0;

	for (i = 0; i < n_kept; i++) {
		a = peer_addr(i);
		prove(p, &a, 1000 + i);
	}
	a = peer_addr(0);
	heard(p, &a, 4000, 10, 1100);
	for (i = 100; i < 110; i++) {
		a = peer_addr(i);
		prove(p, &a, 1200);
		ck_assert_ptr_nonnull(peers_get(p, &a));
		ck_assert_uint_eq(sent(p, &a, 1, 1200), 4000);
	}
	for (i = 0; i < n_kept; i++) {
		a = peer_addr(i);
		ck_assert_ptr_nonnull(peers_get(p, &a));
	}
	/* A minute later: all but the first two make way. */
	for (i = 0; i < 2; i++) {
		a = peer_addr(i);
		heard(p, &a, 4000, 10, 61500);
	}
	for (i = 200; i < 210; i++) {
		a = peer_addr(i);
		prove(p, &a, 62000);
	}
	for (i = 0; i < n_kept; i++) {
		a = peer_addr(i);
		ck_assert((peers_get(p, &a) != NULL) == (i < 2));
	}
	while (peers_next(p, &pos))
		n++;
	ck_assert_uint_eq(n, 8);
	ck_assert_uint_gt(peers_stats(p)->evicted_proved, 3);
	peers_free(p);
	peers_free(NULL);
}
END_TEST

/* Which of our addresses a peer writes to: the last one, until it is the public
 * one, and only from datagrams that come from the peer's port. */
START_TEST(test_written_to)
{
	static const struct {
		uint64_t at_ms;
		uint16_t port;
		uint8_t to, then;
		const char *why;
	} steps[] = {
		{1000, 4000, 1, 1, "the first"},
		{1001, 4000, 2, 2, "answers leave from there at once"},
		{1002, 4000, 1, 1, "and back"},
		{1003, 5000, 2, 1, "from a port not in use"},
		{3500, 5000, 2, 2, "that port is the peer's now"},
		{3501, 5000, 9, 9, "our public address"},
		{9000, 5000, 2, 9, "is what the peer accepts packets from"},
		{9001, 5000, 9, 9, "as before"},
	};
	const struct addr pub = {4, {198, 51, 100, 9}};
	struct endpoint from = {peer_addr(1), 0};
	struct addr to = {4, {198, 51, 100}};
	struct peers *p = peers_new(10, DEFAULT);
	size_t i;

	peers_set_public(p, &pub);
	ck_assert_uint_eq(peers_sent(p, &from.addr, 1, 1000).src.ver, 0);
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		from.port = steps[i].port;
		to.b[3] = steps[i].to;
		peers_heard(p, &from, &to, 10, steps[i].at_ms);
		ck_assert_msg(peers_sent(p, &from.addr, 1, 9999).src.b[3] ==
				      steps[i].then,
			"step %zu: %s", i, steps[i].why);
	}
	ck_assert_uint_eq(
		peers_answer(p, &from.addr, 1, 9999).src.b[3], to.b[3]);
	/* nothing can leave from a group's address */
	from.addr = peer_addr(2);
	peers_heard(p, &from, &to, 1, 20000);
	peers_heard(p, &from, &(struct addr){4, {224, 0, 0, 1}}, 1, 20000);
	ck_assert_uint_eq(peers_sent(p, &from.addr, 1, 20000).src.b[0], 198);
	peers_free(p);
}
END_TEST

START_TEST(test_pinned)
{
	struct addr a = peer_addr(1);
	struct peers *p = peers_new(10, DEFAULT);
	struct peer_confs c, none;
	char line[] = "192.0.0.1 port=777";

	heard(p, &a, 4000, 10, 1000);
	configure(p, &c, line, NULL);
	ck_assert_uint_eq(sent(p, &a, 1, 1000), 777);
	heard(p, &a, 4000, 10, 9000);
	ck_assert_uint_eq(sent(p, &a, 1, 9000), 777);
	ck_assert_uint_eq(peers_get(p, &a)->other_port, 1);
	heard(p, &a, 777, 10, 9001);
	ck_assert_uint_eq(peers_get(p, &a)->port, 777);
	/* Not pinned any more: what was heard counts. */
	configure(p, &none, NULL, NULL);
	heard(p, &a, 4000, 10, 20000);
	ck_assert_uint_eq(sent(p, &a, 1, 20000), 4000);
	peers_free(p);
	peer_confs_fini(&c);
	peer_confs_fini(&none);
}
END_TEST

/* Who has a line of settings stays, proved or not; who is denied goes. */
START_TEST(test_configured)
{
	struct addr a = peer_addr(1), b = peer_addr(2), other;
	struct peers *p = peers_new(16, DEFAULT);
	struct peer_confs c;
	char line[] = "192.0.0.1", denied[] = "192.0.0.2";
	uint32_t i;

	(void)sent(p, &a, 1, 1000);
	prove(p, &b, 1000);
	configure(p, &c, line, denied);
	ck_assert_ptr_null(peers_get(p, &b));
	ck_assert_uint_eq(peers_proved(p), 0);
	for (i = 100; i < 200; i++) {
		other = peer_addr(i);
		heard(p, &other, 9, 10, 2000);
	}
	ck_assert_ptr_nonnull(peers_get(p, &a));
	ck_assert_uint_eq(peers_count(p), 16);
	peers_free(p);
	peer_confs_fini(&c);
}
END_TEST

/* A line more than may be kept, again and again. */
START_TEST(test_many_configured)
{
	char text[40][32], *v[ARRAY_LEN(text)], why[200];
	const struct conf_list lines = {v, ARRAY_LEN(v)};
	const struct peer_conf_lists lists = {
		.peer = &lines, .allow = &empty, .deny = &empty, .ver = 4};
	struct peers *p = peers_new(16, DEFAULT);
	struct peer_confs c;
	struct addr a;
	uint32_t i, round;

	for (i = 0; i < ARRAY_LEN(text); i++) {
		snprintf(text[i], sizeof(text[i]), "192.0.0.%u", i);
		v[i] = text[i];
	}
	ck_assert_int_eq(peer_confs_init(&c, &lists, why, sizeof(why)), 0);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_LEN(text); i++) {
			a = peer_addr(i);
			heard(p, &a, 9, 10, 1000);
		}
		peers_configure(p, &c, 1000);
		ck_assert_uint_eq(peers_count(p), 16);
	}
	peers_free(p);
	peer_confs_fini(&c);
}
END_TEST

/* What is known from before a restart is used, and gives way at once. */
START_TEST(test_restored)
{
	struct endpoint from = {peer_addr(1), 4000};
	const struct addr to = {4, {198, 51, 100, 1}};
	const struct addr new_to = {4, {198, 51, 100, 2}};
	struct peers *p = peers_new(10, DEFAULT);
	struct peer_way way;

	peers_restore(p, &from, &to, 500, 5000);
	ck_assert_uint_eq(peers_proved(p), 1);
	ck_assert_uint_eq(peers_get(p, &from.addr)->heard_ms, 500);
	way = peers_sent(p, &from.addr, 1, 5000);
	ck_assert_uint_eq(way.port, 4000);
	ck_assert(addr_eq(&way.src, &to));
	from.port = 5000;
	peers_heard(p, &from, &new_to, 1, 5001);
	way = peers_sent(p, &from.addr, 1, 5001);
	ck_assert_uint_eq(way.port, 5000);
	ck_assert(addr_eq(&way.src, &new_to));
	/* One that was heard meanwhile knows better than the file. */
	from.port = 6000;
	peers_restore(p, &from, &to, 500, 5002);
	ck_assert_uint_eq(sent(p, &from.addr, 1, 5002), 5000);
	peers_free(p);
}
END_TEST

/* What is to be kept over a restart has changed, or has not. */
START_TEST(test_version)
{
	struct addr a = peer_addr(1);
	struct peers *p = peers_new(10, DEFAULT);
	uint64_t v;

	prove(p, &a, 1000);
	v = peers_stats(p)->version;
	heard(p, &a, 4000, 10, 5000);
	(void)sent(p, &a, 10, 5000);
	ck_assert_uint_eq(peers_stats(p)->version, v);
	heard(p, &a, 4001, 10, 9000);
	ck_assert_uint_ne(peers_stats(p)->version, v);
	peers_free(p);
}
END_TEST

RUN_TESTS("gwd peers", test_ports, test_default_port, test_proof, test_answers,
	test_errors, test_flood, test_full, test_written_to, test_pinned,
	test_configured, test_many_configured, test_restored, test_version)
