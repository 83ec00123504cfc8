/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and the network's messages about them, in a whole worker. */
#include "tests/unit/gwd/worker_rig.h"

#include <errno.h>
#include <poll.h>

#include "gwd/cksum.h"

#define HUGE_MTU 100000 /* more than any datagram */

static const struct addr other = {4, {127, 0, 0, 3}};
static const struct addr other_ea = {4, {10, 240, 1, 7}};

/* A second peer's host, at the first one's port. */
static int
open_other(struct rig *r)
{
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED,
		.born = 1,
		.arec = {.ea = other_ea, .gw = other, .ref = ref_from_u64(12)}};
	const struct udp_config cfg = {.bind = other, .port = port_of(r->peer)};
	int fd;

	ck_assert_int_eq(udp_open(&cfg, &fd), 0);
	ck_assert_int_eq(maps_set(r->maps, &e), 0);
	return fd;
}

/* Nobody listens at one peer: packets to the other pass all the same, and the
 * loop rests. */
START_TEST(test_unreachable)
{
	const struct counters *c;
	struct pollfd pfd = {.events = POLLIN};
	const struct peer *p;
	struct rig r;
	uint8_t buf[256], i;
	int fd;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	fd = open_other(&r);
	shutdown(r.peer, SHUT_RDWR);
	close(r.peer);
	c = counted(&r);
	for (i = 0; i < 100; i++) {
		host_sends(&r, &listed, &known, 10, false, i);
		host_sends(&r, &listed, &other_ea, 10, false, i);
		ck_assert_uint_gt(receive(&r, fd, buf, sizeof(buf)), 28);
		ck_assert_uint_eq(buf[IPREF_HEADER + UDP_HEADER], i);
	}
	RUN_UNTIL(&r.mp, c->packets[WAY_OUT] == 200);
	ck_assert_uint_eq(c->drops[DROP_UDP_SEND], 0);
	RUN_UNTIL(&r.mp, c->told_unreachable == 100);
	p = peers_get(r.peers, &peer);
	ck_assert_uint_eq(p->errors, 100);
	ck_assert_int_eq(p->error, ECONNREFUSED);
	ck_assert_uint_eq(peers_get(r.peers, &other)->errors, 0);
	pfd.fd = r.udp;
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	close(fd);
	r.peer = socket(AF_INET, SOCK_DGRAM, 0);
	rig_fini(&r);
}
END_TEST

/* More than the device takes: learned from the send that failed, and the very
 * packet goes in pieces, or its host is told what fits. */
START_TEST(test_send_too_big)
{
	static uint8_t p[UINT16_MAX];
	size_t n, total = 0;
	struct rig r;
	uint32_t mtu;

	rig_init(&r, HUGE_MTU);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &known, UINT16_MAX - 28, false, 'a');
	while (total < UINT16_MAX - IP_HEADER) {
		n = receive(&r, r.peer, p, sizeof(p));
		ck_assert_uint_gt(n, IPREF_HEADER + 8);
		ck_assert_uint_eq(p[0], 0x12); /* I, and no D */
		total += n - IPREF_HEADER - 8;
	}
	ck_assert_uint_eq(total, UINT16_MAX - IP_HEADER);
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 1);
	mtu = paths_get(r.paths, &peer, now_ms());
	ck_assert_uint_lt(mtu, HUGE_MTU);
	host_sends(&r, &listed, &known, UINT16_MAX - 28, true, 'b');
	n = receive(&r, r.lan, p, sizeof(p));
	ck_assert_uint_ge(n, IP_HEADER + 8);
	ck_assert_uint_eq(p[IP_HEADER], 3);
	ck_assert_uint_eq(p[IP_HEADER + 1], 4);
	ck_assert_uint_eq(counted(&r)->drops[DROP_TOO_BIG], 1);
	ck_assert_uint_eq(counted(&r)->drops[DROP_UDP_SEND], 0);
	rig_fini(&r);
}
END_TEST

/* A peer's own path: the others' stay. */
START_TEST(test_path_of_a_peer)
{
	uint8_t p[4096];
	struct rig r;
	int fd;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	fd = open_other(&r);
	ck_assert(paths_learn(r.paths, &other, 600, now_ms()));
	host_sends(&r, &listed, &other_ea, 1000, true, 'a');
	host_gets(&r, 3, 4);
	host_sends(&r, &listed, &known, 1000, true, 'b');
	peer_gets(&r, 'b');
	host_sends(&r, &listed, &other_ea, 1000, false, 'c');
	ck_assert_uint_le(receive(&r, fd, p, sizeof(p)), 600 - 28);
	ck_assert_uint_le(receive(&r, fd, p, sizeof(p)), 600 - 28);
	close(fd);
	rig_fini(&r);
}
END_TEST

/* Bound to all: the route's MTU counts, here that of the loopback device. */
START_TEST(test_first_hop)
{
	uint8_t p[UINT16_MAX];
	struct rig r;
	size_t n;

	rig_init(&r, 0);
	mapper_listen(&r.mp);
	follow(&r);
	host_sends(&r, &listed, &known, 9000, true, 'a');
	n = receive(&r, r.peer, p, sizeof(p));
	ck_assert_uint_eq(n, IPREF_HEADER + UDP_HEADER + 9000);
	ck_assert_uint_gt(paths_peek(r.paths, &peer)->first_hop, 9000);
	rig_fini(&r);
}
END_TEST

/* A host's SYN with an MSS of 1460; its checksum is right. */
static void
host_connects(struct rig *r)
{
	static const uint8_t tcp[] = {0x10, 0, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0,
		0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 0x05, 0xb4};
	size_t len = IP_HEADER + sizeof(tcp);
	uint8_t p[IP_HEADER + sizeof(tcp)];
	struct wbuf w;

	wbuf_init(&w, p, sizeof(p));
	wbuf_be16(&w, 0x4500);
	wbuf_be16(&w, len);
	wbuf_be32(&w, 0x4000);
	wbuf_be32(&w, 0x40060000); /* TTL 64, TCP */
	addr_put(&w, &listed, 4);
	addr_put(&w, &known, 4);
	wbuf_bytes(&w, tcp, sizeof(tcp));
	wbuf_patch16(&w, IP_HEADER + 16,
		cksum_field(cksum_addr(&listed) + cksum_addr(&known) + 6 +
			    sizeof(tcp) + cksum_sum(tcp, sizeof(tcp))));
	ck_assert(wbuf_ok(&w));
	host_sends_packet(r, p, len);
}

/* By the device's MTU, by the path's, by neither when switched off meanwhile.
 */
START_TEST(test_mss)
{
	static const struct {
		uint32_t path;
		bool clamp;
		unsigned mss;
	} rows[] = {
		{1500, true, RIG_MTU - 40},
		{1300, true, 1300 - 28 - IPREF_HEADER - 20},
		{1300, false, 1460},
	};
	uint8_t p[256], *tcp = p + IPREF_HEADER;
	struct rig r;
	size_t i, n;

	rig_init(&r, 1500);
	mapper_listen(&r.mp);
	follow(&r);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		(void)paths_learn(r.paths, &peer, rows[i].path, now_ms());
		r.clamp_mss = rows[i].clamp;
		host_connects(&r);
		n = receive(&r, r.peer, p, sizeof(p));
		ck_assert_uint_eq(n, IPREF_HEADER + 24);
		ck_assert_uint_eq(
			(unsigned)(tcp[22] << 8 | tcp[23]), rows[i].mss);
		ck_assert_uint_eq(
			cksum_fold(6 + 24 + cksum_sum(tcp, 24)), 0xffff);
	}
	ck_assert_uint_eq(counted(&r)->mss_clamped, 2);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("gwd worker size", test_unreachable, test_send_too_big,
	test_path_of_a_peer, test_first_hop, test_mss)
