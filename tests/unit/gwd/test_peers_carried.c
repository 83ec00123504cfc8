/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lanes carry and tell later, against the same told packet by packet. */
#include <inttypes.h>
#include <stdio.h>

#include "gwd/peers.h"
#include "gwd/routes.h"
#include "tests/unit/run.h"

#define PORT 4000
#define LEN  100

static const struct addr to = {4, {198, 51, 100, 1}};

static struct addr
peer_addr(uint32_t n)
{
	return (struct addr){4, {192, 0, 0, (uint8_t)n}};
}

static void
heard(struct peers *p, const struct addr *a, uint16_t port, uint64_t now)
{
	const struct endpoint from = {*a, port};

	peers_heard(p, &from, &to, LEN, now);
}

static void
moved(struct peers *p, const struct addr *a, enum way way, uint64_t now)
{
	if (way == WAY_IN)
		heard(p, a, PORT, now);
	else
		(void)peers_sent(p, a, LEN, now);
}

static void
note(struct route_use *use, enum way way, uint64_t now)
{
	use->packets[way]++;
	use->bytes[way] += LEN;
	use->last_ms[way] = now;
}

static void
carried(struct peers *p, const struct addr *a, enum way way, uint64_t at,
	uint64_t now)
{
	struct route_use use = {0};

	note(&use, way, at);
	peers_carried(p, a, &use, now);
}

/* All but the proof. */
static bool
is_same(const struct peer *a, const struct peer *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port &&
	       addr_eq(&a->to, &b->to) && a->since_ms == b->since_ms &&
	       a->heard_ms == b->heard_ms &&
	       a->port_heard_ms == b->port_heard_ms &&
	       a->sent_ms == b->sent_ms && a->used_ms == b->used_ms &&
	       a->in_packets == b->in_packets && a->in_bytes == b->in_bytes &&
	       a->out_packets == b->out_packets &&
	       a->out_bytes == b->out_bytes && a->other_port == b->other_port;
}

static bool
is_same_kept(const struct peers *p, const struct peers *q)
{
	const struct peer *a = NULL, *b = NULL;

	do {
		a = peers_next_kept(p, a);
		b = peers_next_kept(q, b);
	} while (a && b && addr_eq(&a->addr, &b->addr));
	return !a && !b;
}

/* All of p are in q, and the same there. */
static bool
is_same_table(const struct peers *p, const struct peers *q)
{
	const struct peer *a, *b;
	size_t pos = 0;

	while ((a = peers_next(p, &pos))) {
		b = peers_get(q, &a->addr);
		if (!b || !is_same(a, b) || a->proof != b->proof)
			return false;
	}
	return peers_count(p) == peers_count(q) &&
	       peers_proved(p) == peers_proved(q) &&
	       peers_stats(p)->version == peers_stats(q)->version;
}

/* A lane would take it. */
static bool
is_plain(const struct peers *p, const struct addr *a, enum way way)
{
	const struct peer *peer = peers_get(p, a);

	return peer && (way == WAY_OUT ||
			       (peer->port == PORT && addr_eq(&peer->to, &to)));
}

static uint32_t state;

static uint32_t
any(uint32_t n)
{
	state = state * 1103515245 + 12345;
	return (state >> 8) % n;
}

/* A call for each packet is the same as heard or sent, also for who has to go
 * when the table is full. */
START_TEST(test_one_by_one)
{
	struct peers *p = peers_new(8, 1045), *q = peers_new(8, 1045);
	struct addr addr;
	uint64_t now = 1000;
	size_t i, n_carried = 0;
	enum way way;

	state = 1;
	for (i = 0; i < 5000; i++) {
		now += any(200) * any(200);
		addr = peer_addr(any(12));
		way = any(2);
		moved(p, &addr, way, now);
		if (is_plain(q, &addr, way)) {
			carried(q, &addr, way, now, now);
			n_carried++;
		} else {
			moved(q, &addr, way, now);
		}
		ck_assert_msg(is_same_table(p, q), "packet %zu", i);
		ck_assert(is_same_kept(p, q));
	}
	ck_assert_uint_gt(n_carried, 1000);
	ck_assert_uint_gt(peers_stats(q)->evicted_proved, 10);
	peers_free(p);
	peers_free(q);
}
END_TEST

/* Of one peer: told now and then, and just before it is heard by the slow way.
 * At these times all is the same, but the proof may be behind, never ahead. */
static void
run_later(uint32_t seed)
{
	struct peers *p = peers_new(8, 1045), *q = peers_new(8, 1045);
	struct addr a = peer_addr(1);
	struct route_use use = {0};
	uint64_t now = 1000;
	bool slow, told;
	enum way way;
	size_t i;

	state = seed;
	moved(p, &a, any(2), now);
	state = seed;
	moved(q, &a, any(2), now);
	for (i = 0; i < 12; i++) {
		now += 1 + any(500);
		way = any(2);
		slow = !is_plain(q, &a, way) || any(4) == 0;
		told = (slow && way == WAY_IN) || any(3) == 0;
		if (!slow)
			note(&use, way, now);
		if (told) {
			peers_carried(q, &a, &use, now);
			use = (struct route_use){0};
		}
		if (slow)
			moved(q, &a, way, now);
		moved(p, &a, way, now);
		if (!told)
			continue;
		ck_assert(is_same(peers_get(p, &a), peers_get(q, &a)));
		ck_assert_msg(
			peers_get(q, &a)->proof <= peers_get(p, &a)->proof,
			"seed %" PRIu32 ", packet %zu", seed, i);
	}
	peers_free(p);
	peers_free(q);
}

START_TEST(test_later)
{
	uint32_t seed;

	for (seed = 1; seed < 2000; seed++)
		run_later(seed);
}
END_TEST

/* Packets go both ways all the time: a step a call. */
START_TEST(test_proof)
{
	static const enum peer_proof after[] = {
		PEER_HEARD, PEER_ANSWERED, PEER_PROVED, PEER_PROVED};
	struct peers *p = peers_new(8, 1045);
	struct addr a = peer_addr(1);
	const struct route_use use = {.packets = {7, 9},
		.bytes = {700, 900},
		.last_ms = {2000, 2000}};
	size_t i;

	moved(p, &a, WAY_OUT, 1000);
	for (i = 0; i < ARRAY_LEN(after); i++) {
		peers_carried(p, &a, &use, 3000);
		ck_assert_int_eq(peers_get(p, &a)->proof, after[i]);
		ck_assert_uint_eq(peers_proved(p), after[i] == PEER_PROVED);
	}
	ck_assert_ptr_nonnull(peers_next_kept(p, NULL));
	peers_free(p);
}
END_TEST

/* What was heard before the answer is no answer to it, even if it is told
 * later. */
START_TEST(test_before)
{
	struct peers *p = peers_new(8, 1045);
	struct addr a = peer_addr(1);

	moved(p, &a, WAY_IN, 1000);
	moved(p, &a, WAY_OUT, 1500);
	carried(p, &a, WAY_IN, 1499, 2000);
	ck_assert_int_eq(peers_get(p, &a)->proof, PEER_ANSWERED);
	ck_assert_uint_eq(peers_get(p, &a)->heard_ms, 1499);
	carried(p, &a, WAY_IN, 2001, 3000);
	ck_assert_int_eq(peers_get(p, &a)->proof, PEER_PROVED);
	peers_free(p);
}
END_TEST

/* Nor are there any steps without a packet of the right way. */
START_TEST(test_one_way)
{
	struct peers *p = peers_new(8, 1045);
	struct addr in = peer_addr(1), out = peer_addr(2);
	size_t i;

	moved(p, &in, WAY_IN, 1000);
	moved(p, &out, WAY_OUT, 1000);
	for (i = 0; i < 5; i++) {
		carried(p, &in, WAY_IN, 1000, 1000);
		carried(p, &out, WAY_OUT, 1000, 1000);
	}
	ck_assert_int_eq(peers_get(p, &in)->proof, PEER_HEARD);
	ck_assert_int_eq(peers_get(p, &out)->proof, PEER_SENT_TO);
	peers_free(p);
}
END_TEST

/* A lane's clock may be a little ahead of the time that others were given, and
 * what it tells is old: who sends from another port in between gets nothing. */
START_TEST(test_times)
{
	struct peers *p = peers_new(8, 1045);
	struct addr a = peer_addr(1);

	moved(p, &a, WAY_IN, 1000);
	carried(p, &a, WAY_IN, 5003, 5000);
	carried(p, &a, WAY_OUT, 5003, 5000);
	ck_assert_uint_eq(peers_get(p, &a)->heard_ms, 5000);
	ck_assert_uint_eq(peers_get(p, &a)->port_heard_ms, 5000);
	ck_assert_uint_eq(peers_get(p, &a)->sent_ms, 5000);
	ck_assert_uint_eq(peers_get(p, &a)->used_ms, 5000);
	heard(p, &a, 9999, 5000);
	heard(p, &a, 9999, 5001);
	ck_assert_uint_eq(peers_get(p, &a)->port, PORT);
	carried(p, &a, WAY_IN, 5500, 5999);
	heard(p, &a, 9999, 6499);
	ck_assert_uint_eq(peers_get(p, &a)->port, PORT);
	carried(p, &a, WAY_IN, 5400, 6499);
	carried(p, &a, WAY_OUT, 4000, 6499);
	ck_assert_uint_eq(peers_get(p, &a)->heard_ms, 6499);
	ck_assert_uint_eq(peers_get(p, &a)->port_heard_ms, 5500);
	ck_assert_uint_eq(peers_get(p, &a)->sent_ms, 5000);
	heard(p, &a, 9999, 6500);
	ck_assert_uint_eq(peers_get(p, &a)->port, 9999);
	peers_free(p);
}
END_TEST

/* A peer that is gone stays so, and one that has come back is another. */
START_TEST(test_gone)
{
	struct peers *p = peers_new(8, 1045);
	struct addr a = peer_addr(1), other;
	uint32_t i;

	moved(p, &a, WAY_IN, 1000);
	for (i = 100; i < 120; i++) {
		other = peer_addr(i);
		moved(p, &other, WAY_IN, 2000);
	}
	carried(p, &a, WAY_IN, 1900, 2000);
	ck_assert_ptr_null(peers_get(p, &a));
	ck_assert_uint_eq(peers_count(p), 8);
	moved(p, &a, WAY_OUT, 2500);
	carried(p, &a, WAY_IN, 2499, 3000);
	ck_assert_int_eq(peers_get(p, &a)->proof, PEER_SENT_TO);
	ck_assert_uint_eq(peers_get(p, &a)->in_packets, 0);
	carried(p, &a, WAY_IN, 2500, 3000);
	ck_assert_int_eq(peers_get(p, &a)->proof, PEER_HEARD);
	peers_free(p);
}
END_TEST

/* Where packets would go, without one: nobody is remembered for it. */
START_TEST(test_way)
{
	struct peers *p = peers_new(8, 1045);
	struct addr a = peer_addr(1);
	struct peer_way way = peers_way(p, &a), sent;

	ck_assert_uint_eq(way.port, 1045);
	ck_assert_uint_eq(way.src.ver, 0);
	ck_assert_uint_eq(peers_count(p), 0);
	moved(p, &a, WAY_IN, 1000);
	way = peers_way(p, &a);
	ck_assert_uint_eq(peers_get(p, &a)->sent_ms, 0);
	sent = peers_sent(p, &a, 1, 1000);
	ck_assert_uint_eq(way.port, PORT);
	ck_assert_uint_eq(sent.port, PORT);
	ck_assert(addr_eq(&way.src, &to));
	ck_assert(addr_eq(&sent.src, &to));
	peers_free(p);
}
END_TEST

/* What a lane carries: one peer, all the time. */
struct busy {
	struct peers *p;
	struct addr addr;
	size_t n_asked;
};

static void
on_ask(const struct addr *addr, uint64_t now_ms, void *arg)
{
	struct busy *b = arg;

	b->n_asked++;
	if (addr_eq(addr, &b->addr))
		carried(b->p, addr, WAY_IN, now_ms, now_ms);
}

static void
ask(struct busy *b)
{
	const struct peers_lanes lanes = {.ask = on_ask, .arg = b};

	peers_set_lanes(b->p, &lanes);
}

static void
prove(struct peers *p, const struct addr *a, uint64_t now)
{
	moved(p, a, WAY_IN, now);
	moved(p, a, WAY_OUT, now);
	moved(p, a, WAY_IN, now);
}

/* Who is heard by lanes alone is not pushed out for that: neither by made-up
 * addresses, nor, if proved, by others that prove themselves. */
static bool
stays(bool proved, bool asked)
{
	struct busy b = {.p = peers_new(16, 1045), .addr = peer_addr(1)};
	struct addr other;
	uint32_t i;
	bool there;

	if (asked)
		ask(&b);
	if (proved)
		prove(b.p, &b.addr, 1000);
	else
		moved(b.p, &b.addr, WAY_IN, 1000);
	for (i = 100; i < 200; i++) {
		other = peer_addr(i);
		if (proved)
			prove(b.p, &other, 1000 + PEERS_IN_USE_MS / 20 * i);
		else
			moved(b.p, &other, WAY_IN, 1000 + i);
	}
	there = peers_get(b.p, &b.addr) != NULL;
	ck_assert_uint_eq(peers_count(b.p), 16);
	ck_assert(asked == (b.n_asked > 0));
	ck_assert_uint_le(b.n_asked, 400);
	peers_free(b.p);
	return there;
}

START_TEST(test_asked)
{
	ck_assert(!stays(false, false));
	ck_assert(stays(false, true));
	ck_assert(!stays(true, false));
	ck_assert(stays(true, true));
}
END_TEST

/* Whoever is asked about was heard by a lane, in every other second. */
static void
on_ask_all(const struct addr *addr, uint64_t now_ms, void *arg)
{
	if (now_ms / 1000 % 2)
		carried(arg, addr, WAY_IN, now_ms, now_ms);
}

/* Somebody has to go, and asking ends. */
START_TEST(test_all_asked)
{
	struct peers *p;
	struct addr a;
	uint32_t i, max;

	for (max = 2; max < 40; max++) {
		p = peers_new(max, 1045);
		peers_set_lanes(
			p, &(struct peers_lanes){.ask = on_ask_all, .arg = p});
		for (i = 0; i < 250; i++) {
			a = peer_addr(i);
			moved(p, &a, WAY_IN, 1000 + 11000 * i);
			if (i % 3)
				moved(p, &a, WAY_OUT, 1000 + 11000 * i);
			ck_assert_ptr_nonnull(peers_get(p, &a));
			ck_assert_uint_le(peers_count(p), max);
		}
		peers_free(p);
	}
}
END_TEST

/* The only one that could go proves itself when asked about, and another makes
 * room for it. */
START_TEST(test_none_left)
{
	struct busy b = {.p = peers_new(4, 1045), .addr = peer_addr(3)};
	struct addr a;
	uint32_t i;

	ask(&b);
	for (i = 0; i < 3; i++) {
		a = peer_addr(i);
		prove(b.p, &a, 1000);
	}
	moved(b.p, &b.addr, WAY_IN, 1000);
	moved(b.p, &b.addr, WAY_OUT, 1000);
	a = peer_addr(4);
	moved(b.p, &a, WAY_IN, 1000 + PEERS_IN_USE_MS);
	ck_assert_int_eq(peers_get(b.p, &b.addr)->proof, PEER_PROVED);
	ck_assert_ptr_nonnull(peers_get(b.p, &a));
	ck_assert_uint_eq(peers_count(b.p), 4);
	ck_assert_uint_eq(peers_stats(b.p)->evicted, 1);
	peers_free(b.p);
}
END_TEST

static void
on_gone(const struct addr *addr, void *arg)
{
	bool *gone = arg;

	ck_assert(!gone[addr->b[3]]);
	gone[addr->b[3]] = true;
}

/* Who is in the table is not said to be gone, all others are. */
static void
check_gone(const struct peers *p, const bool *gone, uint32_t n)
{
	struct addr a;
	uint32_t i;

	for (i = 0; i < n; i++) {
		a = peer_addr(i);
		ck_assert(gone[i] == (peers_get(p, &a) == NULL));
	}
}

START_TEST(test_told_gone)
{
	char denied[] = "192.0.0.96/27", *line = denied;
	const struct conf_list none = {0}, deny = {&line, 1};
	const struct peer_conf_lists lists = {
		.peer = &none, .allow = &none, .deny = &deny, .ver = 4};
	struct peers *p = peers_new(16, 1045);
	bool gone[256] = {false};
	struct peer_confs confs;
	struct addr a;
	char why[200];
	uint32_t i;

	peers_set_lanes(p, &(struct peers_lanes){.gone = on_gone, .arg = gone});
	for (i = 0; i < 100; i++) {
		a = peer_addr(i);
		if (i % 2)
			prove(p, &a, 1000 + PEERS_IN_USE_MS * i);
		else
			moved(p, &a, WAY_IN, 1000 + PEERS_IN_USE_MS * i);
	}
	ck_assert_uint_ge(peers_count(p), 15);
	check_gone(p, gone, 100);
	ck_assert(!gone[98] && !gone[99]);
	ck_assert_int_eq(peer_confs_init(&confs, &lists, why, sizeof(why)), 0);
	peers_configure(p, &confs, 1000);
	check_gone(p, gone, 100);
	ck_assert(gone[98] && gone[99]);
	peers_free(p);
	peer_confs_fini(&confs);
}
END_TEST

RUN_TESTS("peers_carried", test_one_by_one, test_later, test_proof, test_before,
	test_one_way, test_times, test_gone, test_way, test_asked,
	test_all_asked, test_none_left, test_told_gone)
