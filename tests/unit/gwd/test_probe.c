/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keep-alives: to whom, when, how they look, and what is their answer. */
#include "gwd/probe.h"

#include <event2/event.h>
#include <string.h>

#include "gwd/decap.h"
#include "gwd/header.h"
#include "gwd/keepalive.h"
#include "gwd/maps.h"
#include "tests/unit/run.h"

#define SENT_MAX 3000

static const struct probe_id id = {0x1234, UINT64_C(0x0123456789abcdef)};
static const struct addr pub_a = {4, {192, 0, 2, 1}};
static const struct addr pub_b = {4, {198, 51, 100, 1}};

static struct gw_settings
settings(const struct addr *pub)
{
	return (struct gw_settings){
		.local_ver = 4,
		.tunnel_ver = 4,
		.pub = *pub,
		.own_local = {4, {10, 240, 0, 1}},
		.own_ref = ref_from_u64(1),
		.encode_net = {{4, {10, 240}}, 12},
	};
}

/* In use 1000 s ago, sent to when the row says. */
START_TEST(test_due)
{
	static const struct {
		enum peer_proof proof;
		uint64_t used_s, sent_s; /* ago; 0: never */
		uint32_t every_s;
		bool set, due;
		const char *why;
	} rows[] = {
		{PEER_PROVED, 1000, 30, 25, false, true, "silent"},
		{PEER_PROVED, 1000, 3, 25, false, false, "sent just now"},
		{PEER_PROVED, 1000, 300, 0, false, false, "not wanted"},
		{PEER_PROVED, 0, 300, 25, false, false, "never in use"},
		{PEER_PROVED, 14401, 300, 25, false, false, "long ago"},
		{PEER_PROVED, 14399, 300, 25, false, true, "not so long ago"},
		{PEER_ANSWERED, 1000, 300, 25, false, false, "not proved"},
		{PEER_SENT_TO, 0, 300, 25, true, true, "its own line"},
		{PEER_SENT_TO, 0, 0, 25, true, true, "its own line, never"},
		{PEER_SENT_TO, 0, 3, 25, true, false, "its own line, recent"},
		{PEER_PROVED, 1000, 300, 0, true, false, "its line says no"},
		{PEER_PROVED, 1000, 0, 25, false, true, "after a restart"},
		{PEER_PROVED, 1000, 1, 1, false, true, "every second"},
	};
	const uint64_t now = 100000000;
	struct peer_conf c;
	struct peer p;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		c = (struct peer_conf){.keep_alive_s = rows[i].every_s,
			.keep_alive_set = rows[i].set};
		p = (struct peer){.addr = pub_b, .proof = rows[i].proof};
		if (rows[i].used_s)
			p.used_ms = now - rows[i].used_s * 1000;
		if (rows[i].sent_s)
			p.sent_ms = now - rows[i].sent_s * 1000;
		ck_assert_msg(probe_is_due(&p, &c, now) == rows[i].due, "%s",
			rows[i].why);
	}
	c = (struct peer_conf){.keep_alive_s = 25};
	ck_assert(!probe_is_due(NULL, &c, now));
	c.keep_alive_set = true;
	ck_assert(probe_is_due(NULL, &c, now));
}
END_TEST

/* Looked at every second: never later than set, never earlier by more than a
 * quarter and that second, and not all at once. */
START_TEST(test_jitter)
{
	const struct peer_conf c = {.keep_alive_s = 40, .keep_alive_set = true};
	unsigned at[41] = {0}, moments = 0;
	uint64_t n, gone;

	for (n = 0; n < 1000; n++) {
		struct peer p = {.addr = pub_b, .sent_ms = 1000000 + n * 37};

		p.addr.b[3] = (uint8_t)(n % 251);
		for (gone = 0; !probe_is_due(&p, &c, p.sent_ms + gone);)
			gone += PROBE_TICK_MS;
		ck_assert_uint_le(gone, 40000);
		ck_assert_uint_ge(gone, 29000);
		at[gone / 1000]++;
	}
	for (n = 0; n < ARRAY_LEN(at); n++)
		moments += at[n] > 40;
	ck_assert_uint_ge(moments, 8);
}
END_TEST

/* What leaves is a whole IPREF packet that a peer delivers to itself, and its
 * kernel's answer, translated back, is known. */
START_TEST(test_there_and_back)
{
	const struct gw_settings a = settings(&pub_a), b = settings(&pub_b);
	const struct ref one = ref_from_u64(1);
	struct maps *maps = maps_new(&pub_b, 100);
	uint8_t pkt[PROBE_MAX], local[200];
	struct packet_out out = {.p = local, .size = sizeof(local)};
	struct packet_in in = {.p = pkt, .from = pub_a};
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED,
		.born = 1,
		.arec = {.ea = {4, {10, 240, 7, 7}}, .gw = pub_a, .ref = one}};
	struct header h;
	size_t size;

	ck_assert_int_eq(maps_set(maps, &e), 0);
	in.len = probe_put(&a, &id, &pub_b, &one, 5, pkt, sizeof(pkt));
	ck_assert_uint_gt(in.len, 0);
	decap(&b, maps, &in, &out);
	ck_assert_int_eq(out.drop, DROP_NONE);
	ck_assert(out.peer_ok);
	ck_assert_mem_eq(local + 16, b.own_local.b, 4);
	ck_assert_uint_eq(local[20], 8);
	ck_assert(probe_is_echo(&a, &one, pkt, in.len));
	ck_assert(!probe_is_answer(&a, &id, pkt, in.len));
	/* The answer: type 0, ends swapped; the sum is not looked at. */
	ck_assert_int_eq(header_decode(&h, &size, pkt, in.len), DROP_NONE);
	pkt[size] = 0;
	ck_assert(probe_is_answer(&a, &id, pkt, in.len));
	maps_free(maps);
}
END_TEST

/* Whatever differs, it is none of ours. */
START_TEST(test_others)
{
	const struct gw_settings a = settings(&pub_a);
	const struct ref one = ref_from_u64(1), two = ref_from_u64(2);
	struct probe_id other = id;
	uint8_t pkt[PROBE_MAX];
	size_t len, size, i;
	struct header h;

	len = probe_put(&a, &id, &pub_b, &one, 5, pkt, sizeof(pkt));
	ck_assert_int_eq(header_decode(&h, &size, pkt, len), DROP_NONE);
	pkt[size] = 0;
	ck_assert(probe_is_answer(&a, &id, pkt, len));
	ck_assert(!probe_is_echo(&a, &two, pkt, len));
	other.ident++;
	ck_assert(!probe_is_answer(&a, &other, pkt, len));
	other = id;
	other.cookie++;
	ck_assert(!probe_is_answer(&a, &other, pkt, len));
	for (i = 0; i < len; i++)
		ck_assert(!probe_is_answer(&a, &id, pkt, i));
	ck_assert(!probe_is_answer(&a, &id, pkt, len + 1));
	pkt[3] = 17;
	ck_assert(!probe_is_answer(&a, &id, pkt, len));
	ck_assert(!probe_is_echo(&a, &one, pkt, len));
	ck_assert_uint_eq(probe_put(&a, &id, &pub_b, &one, 5, pkt, 35), 0);
	len = probe_put(&a, &id, &pub_b, &two, 5, pkt, sizeof(pkt));
	pkt[size] = 0;
	ck_assert(!probe_is_answer(&a, &id, pkt, len));
}
END_TEST

/* Without a public address: zeros, which the peer takes for where it came
 * from. */
START_TEST(test_no_public)
{
	const struct addr none = addr_zero(6);
	struct gw_settings a = settings(&none);
	const struct ref ref = ref_from_u64(UINT64_C(1) << 40);
	const struct addr to = {6, {0x20, 1, [15] = 9}};
	uint8_t pkt[PROBE_MAX];
	struct header h;
	size_t len, size;

	a.tunnel_ver = 6;
	a.pub = (struct addr){0};
	len = probe_put(&a, &id, &to, &ref, 5, pkt, sizeof(pkt));
	ck_assert_int_eq(header_decode(&h, &size, pkt, len), DROP_NONE);
	ck_assert(addr_is_zero(&h.src_gw));
	ck_assert(addr_eq(&h.dst_gw, &to));
	ck_assert(ref_eq(&h.dst_ref, &ref));
}
END_TEST

/* --- by the timer --------------------------------------------------------- */

struct sent {
	struct peers *peers;
	uint64_t now;
	struct addr to[SENT_MAX];
	size_t n;
};

static void
on_send(const struct addr *peer, const uint8_t *pkt, size_t len, void *arg)
{
	struct sent *s = arg;

	(void)pkt;
	ck_assert_uint_lt(s->n, SENT_MAX);
	s->to[s->n++] = *peer;
	(void)peers_kept_alive(s->peers, peer, len, s->now);
}

static struct addr
peer_addr(uint32_t n)
{
	return (struct addr){
		4, {203, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void
prove(struct peers *p, const struct addr *a, uint64_t now)
{
	const struct endpoint from = {*a, 4000};

	peers_heard(p, &from, NULL, 10, now);
	(void)peers_sent(p, a, 10, now);
	peers_heard(p, &from, NULL, 10, now);
}

/* 2,000 in use, one with a line of its own, one that is denied, one that has
 * not proved itself: in two looks, for a look is bounded. */
START_TEST(test_all)
{
	char *line = (char[]){"203.0.200.1 keep-alive=5"};
	char *denied = (char[]){"203.0.0.7"};
	const struct conf_list lines = {&line, 1}, deny = {&denied, 1},
			       none = {0};
	const struct peer_conf_lists lists = {.peer = &lines,
		.allow = &none,
		.deny = &deny,
		.ver = 4,
		.keep_alive_s = 20};
	const struct gw_settings set = settings(&pub_a);
	struct event_base *base = event_base_new();
	static struct sent s;
	struct peer_confs confs;
	struct keepalive *k;
	struct addr a;
	char why[100];
	uint32_t i;

	s = (struct sent){.peers = peers_new(4096, 1045), .now = 1000};
	ck_assert_int_eq(peer_confs_init(&confs, &lists, why, sizeof(why)), 0);
	for (i = 0; i < 2000; i++) {
		a = peer_addr(i);
		prove(s.peers, &a, s.now);
	}
	a = peer_addr(5000);
	(void)peers_sent(s.peers, &a, 1, s.now);
	k = keepalive_new(&(struct keepalive_config){.base = base,
		.set = &set,
		.peers = s.peers,
		.confs = &confs,
		.id = &id,
		.send = on_send,
		.arg = &s});
	ck_assert_ptr_nonnull(k);
	keepalive_look(k, s.now);
	ck_assert_uint_eq(s.n, 1); /* the line's, to which nothing went yet */
	s.now += 20000;
	for (i = 0; i < 3; i++)
		keepalive_look(k, s.now);
	ck_assert_uint_eq(s.n, 1 + 1 + 1999);
	for (i = 0; i < s.n; i++) {
		a = peer_addr(7);
		ck_assert(!addr_eq(&s.to[i], &a));
		a = peer_addr(5000);
		ck_assert(!addr_eq(&s.to[i], &a));
	}
	keepalive_look(k, s.now);
	ck_assert_uint_eq(s.n, 2001);
	keepalive_free(k);
	keepalive_free(NULL);
	peer_confs_fini(&confs);
	peers_free(s.peers);
	event_base_free(base);
}
END_TEST

/* The answers to them don't keep a peer in use. */
START_TEST(test_no_use)
{
	struct peers *p = peers_new(16, 1045);
	struct addr a = peer_addr(1);

	prove(p, &a, 1000);
	(void)peers_kept_alive(p, &a, 36, 9000);
	ck_assert_uint_eq(peers_get(p, &a)->used_ms, 1000);
	ck_assert_uint_eq(peers_get(p, &a)->sent_ms, 9000);
	peers_alive(p, &a, 9500);
	ck_assert_uint_eq(peers_get(p, &a)->alive_ms, 9500);
	peers_free(p);
}
END_TEST

RUN_TESTS("gwd probe", test_due, test_jitter, test_there_and_back, test_others,
	test_no_public, test_all, test_no_use)
