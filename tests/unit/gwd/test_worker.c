/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Worker, waiting packets and feed together, against a scripted mapper: the TUN
 * device is one end of a socket pair, the peer gateway a socket on loopback.
 * (From there nothing valid can arrive: loopback is no context address. The
 * end-to-end tests do that way.)
 */
#include "tests/unit/gwd/worker_rig.h"

START_TEST(test_passes)
{
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &known, 100, false, 'a');
	host_sends(&r, &listed, &known, 100, true, 'b');
	peer_gets(&r, 'a');
	peer_gets(&r, 'b');
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 2);
	ck_assert_uint_eq(counted(&r)->bytes[WAY_OUT],
		2 * (IP_HEADER + UDP_HEADER + 100));
	ck_assert_uint_eq(counted(&r)->waited, 0);
	ck_assert_uint_eq(maps_used_count(r.maps), 2);
	ck_assert_uint_eq(peers_get(r.peers, &peer)->out_packets, 2);
	rig_fini(&r);
}
END_TEST

/* One question for all; they go on in their order. */
START_TEST(test_waits)
{
	struct rig r;
	uint8_t i;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	for (i = 0; i < 3; i++)
		host_sends(&r, &listed, &unknown, 10, false, i);
	host_sends(&r, &listed, &known, 10, false, 'k');
	peer_gets(&r, 'k'); /* others don't wait */
	answer_unknown(&r);
	for (i = 0; i < 3; i++)
		peer_gets(&r, i);
	ck_assert_uint_eq(counted(&r)->waited, 3);
	ck_assert_uint_eq(feed_stats(r.feed)->asked, 1);
	ck_assert_uint_eq(pending_packets(wait_pending(r.wait)), 0);
	rig_fini(&r);
}
END_TEST

/* A change wakes a packet before the answer; that finds nothing to do. */
START_TEST(test_change)
{
	struct msg_entry e = remote(&unknown, 8);
	struct mapper_req q;
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &unknown, 10, false, 'a');
	q = mapper_expect(&r.mp, MSG_LOOKUP_EA);
	r.revision++;
	send_set(&r, &e);
	peer_gets(&r, 'a');
	answer(&r, &q, &e.arec);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->yes == 1);
	ck_assert(is_empty(r.peer));
	rig_fini(&r);
}
END_TEST

/* Changes come and their answers don't, until no more requests may be under
 * way: a question too many is asked as soon as one has been answered. */
START_TEST(test_too_many)
{
	struct addr dst = {4, {10, 241}};
	struct mapper_req first;
	struct msg_entry e;
	struct rig r;
	uint64_t n;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	for (n = 0;; n++) {
		dst.b[2] = (uint8_t)(n >> 8);
		dst.b[3] = (uint8_t)n;
		host_sends(&r, &listed, &dst, 10, false, 'a');
		RUN_UNTIL(&r.mp, counted(&r)->waited == n + 1);
		if (feed_stats(r.feed)->asked == n)
			break;
		if (!n)
			first = mapper_expect(&r.mp, MSG_LOOKUP_EA);
		r.mp.full = true;
		r.revision++;
		e = remote(&dst, 100 + n);
		send_set(&r, &e);
		peer_gets(&r, 'a');
	}
	ck_assert_uint_ge(n, PENDING_QUESTIONS);
	mapper_answer(&r.mp, &first, false);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->no == 1);
	ck_assert_uint_eq(feed_stats(r.feed)->asked, n + 1);
	rig_fini(&r);
}
END_TEST

/* Both ends unknown: one question after the other. */
START_TEST(test_two_questions)
{
	struct arec rec = {.ip = unlisted, .ref = ref_from_u64(4096)};
	struct mapper_req q;
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &unlisted, &unknown, 10, false, 'a');
	answer_unknown(&r);
	q = mapper_expect(&r.mp, MSG_GET_REF);
	ck_assert(addr_eq(&q.arecs[0].ip, &unlisted));
	answer(&r, &q, &rec);
	peer_gets(&r, 'a');
	ck_assert_uint_eq(counted(&r)->waited, 2);
	rig_fini(&r);
}
END_TEST

/* The host is told, also at once while the refusal is remembered. */
START_TEST(test_refused)
{
	const struct offender *last;
	struct mapper_req q;
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &unknown, 10, false, 'a');
	q = mapper_expect(&r.mp, MSG_LOOKUP_EA);
	ck_assert(is_empty(r.lan));
	mapper_answer(&r.mp, &q, false);
	host_gets(&r, 3, 0);
	host_sends(&r, &listed, &unknown, 10, false, 'b');
	host_gets(&r, 3, 0);
	ck_assert_uint_eq(feed_stats(r.feed)->asked, 1);
	ck_assert_uint_eq(counted(&r)->drops[DROP_DST_UNKNOWN], 2);
	ck_assert_uint_eq(counted(&r)->replies[WAY_IN], 2);
	last = &counted(&r)->last[DROP_DST_UNKNOWN];
	ck_assert(addr_eq(&last->src, &listed));
	ck_assert(addr_eq(&last->dst, &unknown));
	ck_assert_int_eq(last->way, WAY_OUT);
	rig_fini(&r);
}
END_TEST

/* A packet outlives a restart of the mapper, before and after its question. */
START_TEST(test_mapper_restarts)
{
	struct rig r;

	rig_init(&r, 1500);
	host_sends(&r, &listed, &unknown, 10, false, 'a');
	RUN_UNTIL(&r.mp, pending_packets(wait_pending(r.wait)) == 1);
	mapper_listen(&r.mp);
	follow(&r);
	(void)mapper_expect(&r.mp, MSG_LOOKUP_EA);
	mapper_hang_up(&r.mp);
	follow(&r);
	answer_unknown(&r);
	peer_gets(&r, 'a');
	rig_fini(&r);
}
END_TEST

START_TEST(test_time_out)
{
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &unknown, 10, false, 'a');
	RUN_UNTIL(&r.mp, counted(&r)->drops[DROP_MAPPER_TIMEOUT] == 1);
	ck_assert_uint_eq(pending_packets(wait_pending(r.wait)), 0);
	ck_assert(is_empty(r.lan)); /* nobody knows that it is unreachable */
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->unanswered == 1);
	ck_assert_uint_eq(pending_questions(wait_pending(r.wait)), 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_queue_full)
{
	struct rig r;
	uint8_t i;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	for (i = 0; i < PENDING_EACH + 3; i++) {
		host_sends(&r, &listed, &unknown, 10, false, i);
		RUN_UNTIL(&r.mp, is_empty(r.tun));
	}
	RUN_UNTIL(&r.mp, counted(&r)->drops[DROP_QUEUE_FULL] == 3);
	answer_unknown(&r);
	for (i = 0; i < PENDING_EACH; i++)
		peer_gets(&r, i);
	ck_assert(is_empty(r.peer) && is_empty(r.lan));
	rig_fini(&r);
}
END_TEST

START_TEST(test_too_big)
{
	uint8_t p[4096];
	size_t n, total = 0;
	struct rig r;
	int i;

	rig_init(&r, 576);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &known, 1000, true, 'a');
	host_gets(&r, 3, 4);
	ck_assert_uint_eq(counted(&r)->drops[DROP_TOO_BIG], 1);
	host_sends(&r, &listed, &known, 1000, false, 'b');
	for (i = 0; i < 2; i++) {
		n = receive(&r, r.peer, p, sizeof(p));
		ck_assert_uint_le(n, 576 - 28);
		ck_assert_uint_eq(p[0], 0x12); /* I, and no D */
		total += n - IPREF_HEADER - 8;
	}
	ck_assert_uint_eq(total, UDP_HEADER + 1000);
	ck_assert(is_empty(r.peer));
	ck_assert_uint_eq(counted(&r)->fragmented, 1);
	ck_assert_uint_eq(counted(&r)->pieces, 2);
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 1);
	rig_fini(&r);
}
END_TEST

/* A flood of what nobody has: every one counted, few answered. */
START_TEST(test_icmp_limit)
{
	const struct counters *c;
	struct mapper_req q;
	struct rig r;
	int i;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &unknown, 10, false, 0);
	q = mapper_expect(&r.mp, MSG_LOOKUP_EA);
	mapper_answer(&r.mp, &q, false);
	host_gets(&r, 3, 0);
	c = counted(&r);
	for (i = 1; i < 50; i++) {
		host_sends(&r, &listed, &unknown, 10, false, 0);
		RUN_UNTIL(&r.mp, is_empty(r.tun));
	}
	RUN_UNTIL(&r.mp, c->drops[DROP_DST_UNKNOWN] == 50);
	ck_assert_uint_lt(c->replies[WAY_IN], 20);
	ck_assert_uint_eq(c->replies[WAY_IN] + c->drops[DROP_ICMP_LIMITED], 50);
	rig_fini(&r);
}
END_TEST

/* Nothing from a denied gateway, nothing to it; hosts are told. */
START_TEST(test_denied)
{
	struct prefix denied = {peer, 32};
	struct udp_to to = {.addr = {4, {127, 0, 0, 1}}};
	const uint8_t garbage[4] = {0};
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	r.confs.deny = (struct prefix_set){&denied, 1};
	host_sends(&r, &listed, &known, 100, false, 'a');
	host_gets(&r, 3, 13);
	ck_assert_uint_eq(counted(&r)->drops[DROP_PEER_DENIED], 1);
	ck_assert(is_empty(r.peer));
	to.port = port_of(r.udp);
	ck_assert_int_eq(udp_send(r.peer, garbage, sizeof(garbage), &to), 0);
	RUN_UNTIL(&r.mp, counted(&r)->drops[DROP_PEER_DENIED] == 2);
	ck_assert_uint_eq(counted(&r)->drops[DROP_TUNNEL_SHORT], 0);
	ck_assert_uint_eq(peers_count(r.peers), 0);
	r.confs.deny.n = 0;
	host_sends(&r, &listed, &known, 100, false, 'b');
	peer_gets(&r, 'b');
	rig_fini(&r);
}
END_TEST

static uint8_t
tos_that_peer_gets(struct rig *r)
{
	struct udp_from from;
	uint8_t p[4096];

	RUN_UNTIL(&r->mp, udp_recv(r->peer, p, sizeof(p), &from) > 0);
	return from.tos;
}

/* DSCP and ECN of a host's packet stay inside, but for peers set so; of the
 * pieces of a packet, too. */
START_TEST(test_outer_tos)
{
	struct peer_conf line = {.addr = peer, .tos = true};
	struct rig r;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	r.confs.dscp = 10;
	r.tos = 46 << 2 | 1;
	host_sends(&r, &listed, &known, 100, false, 'a');
	ck_assert_uint_eq(tos_that_peer_gets(&r), 10 << 2);
	r.confs.v = &line;
	r.confs.n = 1;
	host_sends(&r, &listed, &known, 100, false, 'a');
	ck_assert_uint_eq(tos_that_peer_gets(&r), r.tos);
	host_sends(&r, &listed, &known, 2000, false, 'a');
	ck_assert_uint_eq(tos_that_peer_gets(&r), r.tos);
	ck_assert_uint_eq(tos_that_peer_gets(&r), r.tos);
	rig_fini(&r);
}
END_TEST

/* From the tunnel: what makes no sense is counted by reason, with its sender.
 */
START_TEST(test_garbage)
{
	static const struct {
		uint8_t p[24];
		size_t len;
		enum drop drop;
	} rows[] = {
		{{0}, 0, DROP_TUNNEL_SHORT},
		{{0x10, 0x40}, 19, DROP_TUNNEL_SHORT},
		{{0x20, 0x40}, 24, DROP_TUNNEL_VERSION},
		{{0x1c, 0x40}, 24, DROP_TUNNEL_REF_LEN},
		{{0x10, 0x50}, 24, DROP_TUNNEL_IPVER},
		{{0x10, 0x41}, 24, DROP_TUNNEL_RESERVED},
		/* Zero contexts: as if they were right. */
		{{0x10, 0x40, 64, 17}, 24, DROP_PEER_NOT_UNICAST},
	};
	struct udp_to to = {.addr = {4, {127, 0, 0, 1}}};
	struct rig r;
	size_t i;

	rig_init(&r, 1500);
	to.port = port_of(r.udp);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t before = counted(&r)->drops[rows[i].drop];

		ck_assert_int_eq(
			udp_send(r.peer, rows[i].p, rows[i].len, &to), 0);
		RUN_UNTIL(
			&r.mp, counted(&r)->drops[rows[i].drop] == before + 1);
		ck_assert(addr_eq(&counted(&r)->last[rows[i].drop].src, &peer));
	}
	ck_assert_uint_eq(peers_count(r.peers), 0);
	ck_assert(is_empty(r.lan));
	rig_fini(&r);
}
END_TEST

/* To a host of ours, from our own address: from this reference. */
static void
forges(struct rig *r, const struct addr *to, uint32_t src_ref)
{
	const struct udp_to dst = {.addr = *to, .port = port_of(r->udp)};
	uint8_t ver = r->set.tunnel_ver, p[128] = {0};
	struct wbuf w;

	wbuf_init(&w, p, sizeof(p));
	wbuf_be32(&w, 0x10004011 | (uint32_t)ver << 20);
	addr_put(&w, &r->set.pub, ver);
	addr_put(&w, &r->set.pub, ver);
	wbuf_be32(&w, src_ref);
	wbuf_be32(&w, 9);
	wbuf_be32(&w, 1000 << 16 | 2000);
	wbuf_be32(&w, UDP_HEADER << 16);
	ck_assert(wbuf_ok(&w));
	ck_assert_int_eq(udp_send(r->peer, p, w.len, &dst), 0);
}

/* Before anything else: also where that address is denied. */
static void
own_source(const struct addr *own, const struct addr *to)
{
	struct prefix all = {.addr = {.ver = own->ver}};
	const struct counters *c;
	struct rig r;

	rig_init_at(&r, own, 1500);
	c = counted(&r);
	forges(&r, to, 1); /* the gateway's own reference */
	forges(&r, to, 10);
	RUN_UNTIL(&r.mp, c->drops[DROP_OWN_SOURCE] == 2);
	ck_assert(addr_eq(&c->last[DROP_OWN_SOURCE].src, own));
	r.confs.deny = (struct prefix_set){&all, 1};
	forges(&r, to, 1);
	RUN_UNTIL(&r.mp, c->drops[DROP_OWN_SOURCE] == 3);
	ck_assert_uint_eq(c->drops[DROP_PEER_DENIED], 0);
	ck_assert_uint_eq(peers_count(r.peers), 0);
	ck_assert(is_empty(r.lan) && is_empty(r.peer));
	rig_fini(&r);
}

START_TEST(test_own_source)
{
	const struct addr here = {4, {127, 0, 0, 1}};

	own_source(&peer, &here);
	own_source(&loopback6, &loopback6);
}
END_TEST

RUN_TESTS("gwd worker", test_passes, test_waits, test_change, test_too_many,
	test_two_questions, test_refused, test_mapper_restarts, test_time_out,
	test_queue_full, test_too_big, test_icmp_limit, test_denied,
	test_outer_tos, test_garbage, test_own_source)
