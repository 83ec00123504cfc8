/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lanes hand over: every kind of record ends as its packets would have,
 * one by one, and no ring has the loop to itself. */
#include "gwd/handover.h"

#include <errno.h>
#include <poll.h>

#include "gwd/cksum.h"
#include "gwd/header.h"
#include "gwd/tracer.h"
#include "tests/unit/gwd/worker_rig.h"

#define TCP	   6
#define UDP	   17
#define TCP_HEADER 20
#define SEGMENT	   500
#define SEGMENTS   4
#define PAYLOAD	   1700
#define FIRST_SEQ  0xfffffe00
#define HUGE_MTU   100000 /* more than any datagram */

static const struct addr far = {4, {198, 51, 100, 7}};
static const struct addr far_ea = {4, {10, 240, 1, 9}};

static void
start(struct rig *r, uint32_t path_mtu)
{
	rig_init(r, path_mtu);
	mapper_listen(&r->mp);
	follow(r);
}

static void
hand(struct rig *r, size_t ring, struct handed h, void *bytes, size_t len)
{
	const struct iovec parts[] = {{&h, sizeof(h)}, {bytes, len}};

	h.len = (uint32_t)len;
	ck_assert(ring_put(r->rings[ring], parts, ARRAY_LEN(parts)));
}

/* A packet whose checksum, at l4 + field, may have been left to us. */
static void
hand_read(struct rig *r, const struct virtio_net_hdr *vnet, const uint8_t *pkt,
	size_t len)
{
	static uint8_t b[OFFLOAD_HEADER + UINT16_MAX];
	const struct handed h = {.kind = HANDED_TUN};

	memcpy(b, vnet, OFFLOAD_HEADER);
	memcpy(b + OFFLOAD_HEADER, pkt, len);
	hand(r, 0, h, b, OFFLOAD_HEADER + len);
}

/* What a device leaves in the field of a checksum that is ours to complete. */
static void
put_pseudo(uint8_t *pkt, size_t len, uint8_t proto, size_t field,
	const struct addr *dst)
{
	uint16_t sum = cksum_fold(cksum_addr(&listed) + cksum_addr(dst) +
				  proto + (uint32_t)(len - IP_HEADER));

	pkt[IP_HEADER + field] = (uint8_t)(sum >> 8);
	pkt[IP_HEADER + field + 1] = (uint8_t)sum;
}

static void
is_summed(uint8_t proto, const uint8_t *l4, size_t len)
{
	ck_assert_uint_eq(
		cksum_fold(proto + (uint32_t)len + cksum_sum(l4, len)), 0xffff);
}

/* As it is, and with the checksum that the device left to us. */
START_TEST(test_packet)
{
	const struct virtio_net_hdr plain = {0};
	const struct virtio_net_hdr left = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = IP_HEADER,
		.csum_offset = 6,
	};
	uint8_t p[256];
	struct rig r;
	size_t n;

	start(&r, 1500);
	n = put_udp(&r, p, sizeof(p), &listed, &known, 100, false, 'a');
	hand_read(&r, &plain, p, n);
	peer_gets(&r, 'a');
	put_pseudo(p, n, UDP, 6, &known);
	hand_read(&r, &left, p, n);
	n = receive(&r, r.peer, p, sizeof(p));
	ck_assert_uint_eq(n, IPREF_HEADER + UDP_HEADER + 100);
	is_summed(UDP, p + IPREF_HEADER, n - IPREF_HEADER);
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 2);
	ck_assert_uint_eq(r.n_changed, 2);
	ck_assert(addr_eq(&r.changed, &peer));
	rig_fini(&r);
}
END_TEST

/* A host's TCP segment of PAYLOAD bytes, to become some of this size. */
static void
hand_super(struct rig *r, const struct addr *dst, uint16_t size)
{
	const struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = size,
		.csum_start = IP_HEADER,
		.csum_offset = 16,
	};
	uint8_t p[IP_HEADER + TCP_HEADER + PAYLOAD];
	struct wbuf w;
	size_t i;

	wbuf_init(&w, p, sizeof(p));
	wbuf_be16(&w, 0x4500);
	wbuf_be16(&w, sizeof(p));
	wbuf_be32(&w, 0x4000);
	wbuf_be32(&w, 0x40060000); /* TTL 64, TCP */
	addr_put(&w, &listed, 4);
	addr_put(&w, dst, 4);
	wbuf_be32(&w, 1000 << 16 | 80);
	wbuf_be32(&w, FIRST_SEQ);
	wbuf_be32(&w, 1);
	wbuf_be32(&w, 0x50180000 | 0xffff); /* ACK, PSH */
	wbuf_be32(&w, 0);
	for (i = 0; i < PAYLOAD; i++)
		wbuf_u8(&w, (uint8_t)(i % 251));
	ck_assert(wbuf_ok(&w));
	put_pseudo(p, sizeof(p), TCP, 16, dst);
	hand_read(r, &vnet, p, sizeof(p));
}

static void
peer_gets_segments(struct rig *r)
{
	uint8_t p[4096], *tcp = p + IPREF_HEADER;
	size_t i, n, done = 0;
	struct rbuf b;

	for (i = 0; i < SEGMENTS; i++) {
		n = receive(r, r->peer, p, sizeof(p)) - IPREF_HEADER;
		is_summed(TCP, tcp, n);
		rbuf_init(&b, tcp + 4, 4);
		ck_assert_uint_eq(
			rbuf_be32(&b), (uint32_t)(FIRST_SEQ + i * SEGMENT));
		for (n -= TCP_HEADER, tcp += TCP_HEADER; n; n--, done++)
			ck_assert_uint_eq(*tcp++, done % 251);
		tcp = p + IPREF_HEADER;
	}
	ck_assert_uint_eq(done, PAYLOAD);
}

/* Also when they have to wait for their destination. */
START_TEST(test_superpacket)
{
	const struct counters *c;
	struct rig r;

	start(&r, 1500);
	c = counted(&r);
	hand_super(&r, &known, SEGMENT);
	peer_gets_segments(&r);
	hand_super(&r, &unknown, SEGMENT);
	answer_unknown(&r);
	peer_gets_segments(&r);
	ck_assert_uint_eq(c->waited, SEGMENTS);
	ck_assert_uint_eq(c->packets[WAY_OUT], 2 * SEGMENTS);
	ck_assert_uint_eq(c->bytes[WAY_OUT],
		2 * (SEGMENTS * (IP_HEADER + TCP_HEADER) + PAYLOAD));
	rig_fini(&r);
}
END_TEST

/* What the device says makes no sense: one drop each. */
START_TEST(test_lies)
{
	const struct virtio_net_hdr odd = {.gso_type = 77, .gso_size = 100};
	const struct virtio_net_hdr outside = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 5000};
	const struct handed h = {.kind = HANDED_TUN};
	uint8_t p[256] = {0};
	struct rig r;
	size_t n;

	start(&r, 1500);
	n = put_udp(&r, p, sizeof(p), &listed, &known, 100, false, 'a');
	hand_read(&r, &odd, p, n);
	hand_read(&r, &outside, p, n);
	hand(&r, 0, h, p, OFFLOAD_HEADER - 1);
	hand(&r, 0, h, p, 0);
	RUN_UNTIL(&r.mp, counted(&r)->drops[DROP_OFFLOAD] == 4);
	ck_assert(is_empty(r.peer) && is_empty(r.lan));
	rig_fini(&r);
}
END_TEST

/* A datagram from a host at `far` to ours: its length. */
static size_t
put_datagram(uint8_t *p, size_t size, size_t payload, uint8_t mark)
{
	const struct header h = {
		.ttl = 64,
		.proto = UDP,
		.src_gw = far,
		.dst_gw = pub,
		.src_ref = ref_from_u64(12),
		.dst_ref = ref_from_u64(9),
	};
	struct wbuf w;

	wbuf_init(&w, p, size);
	header_encode(&w, &h);
	wbuf_be32(&w, 1000 << 16 | 2000);
	wbuf_be32(&w, (uint32_t)(UDP_HEADER + payload) << 16);
	wbuf_u8(&w, mark);
	wbuf_zeros(&w, payload - 1);
	ck_assert(wbuf_ok(&w));
	return w.len;
}

/* Each is noted as its sender's, who is spoken of before and behind. */
START_TEST(test_datagrams)
{
	const struct msg_entry theirs = {.flags = MSG_ENTRY_LISTED,
		.arec = {.ea = far_ea, .gw = far, .ref = ref_from_u64(12)}};
	struct handed h = {
		.kind = HANDED_DATAGRAMS, .from = {.from = {far, 1045}}};
	static const size_t payload[] = {40, 40, 20};
	uint8_t p[1024], got[256];
	size_t n = 0, i;
	struct rig r;

	start(&r, 1500);
	ck_assert_int_eq(maps_set(r.maps, &theirs), 0);
	for (i = 0; i < ARRAY_LEN(payload); i++)
		n += put_datagram(p + n, sizeof(p) - n, payload[i], (uint8_t)i);
	h.segment = IPREF_HEADER + UDP_HEADER + 40;
	hand(&r, 1, h, p, n);
	for (i = 0; i < ARRAY_LEN(payload); i++) {
		ck_assert_uint_eq(receive(&r, r.lan, got, sizeof(got)),
			IP_HEADER + UDP_HEADER + payload[i]);
		ck_assert_uint_eq(got[IP_HEADER + UDP_HEADER], i);
	}
	ck_assert_uint_eq(counted(&r)->packets[WAY_IN], 3);
	ck_assert_uint_eq(peers_get(r.peers, &far)->in_packets, 3);
	ck_assert_uint_eq(peers_get(r.peers, &far)->port, 1045);
	ck_assert_uint_eq(r.n_before_heard, 3);
	ck_assert_uint_eq(r.heard_then, 2); /* before the third */
	ck_assert_uint_eq(r.n_changed, 3);
	ck_assert(addr_eq(&r.changed, &far));
	/* An empty one is one, too; it says nothing about its sender. */
	h.segment = 0;
	hand(&r, 1, h, p, 0);
	RUN_UNTIL(&r.mp, counted(&r)->drops[DROP_TUNNEL_SHORT] == 1);
	ck_assert_uint_eq(r.n_before_heard, 3);
	rig_fini(&r);
}
END_TEST

/* An IPREF packet from our host to the known one, at the peer: its length. */
static size_t
put_tunnel(uint8_t *p, size_t size, size_t payload, bool df)
{
	const struct header h = {
		.ttl = 64,
		.proto = UDP,
		.df = df,
		.src_gw = pub,
		.dst_gw = peer,
		.src_ref = ref_from_u64(9),
		.dst_ref = ref_from_u64(7),
	};
	struct wbuf w;

	wbuf_init(&w, p, size);
	header_encode(&w, &h);
	wbuf_be32(&w, 1000 << 16 | 2000);
	wbuf_be32(&w, (uint32_t)(UDP_HEADER + payload) << 16);
	wbuf_zeros(&w, payload);
	ck_assert(wbuf_ok(&w));
	return w.len;
}

/* Cut when it may be, else its host is told; counted once, as the host's. */
START_TEST(test_too_big)
{
	const struct handed h = {
		.kind = HANDED_TOO_BIG, .from = {.from = {.addr = peer}}};
	const struct offender *last;
	const struct counters *c;
	uint8_t p[4096];
	struct rig r;
	size_t n;

	start(&r, 600);
	c = counted(&r);
	n = put_tunnel(p, sizeof(p), 1000, false);
	hand(&r, 0, h, p, n);
	ck_assert_uint_le(receive(&r, r.peer, p, sizeof(p)), 600 - 28);
	ck_assert_uint_le(receive(&r, r.peer, p, sizeof(p)), 600 - 28);
	ck_assert_uint_eq(c->packets[WAY_OUT], 1);
	ck_assert_uint_eq(c->bytes[WAY_OUT], IP_HEADER + UDP_HEADER + 1000);
	ck_assert_uint_eq(c->pieces, 2);
	ck_assert_uint_eq(maps_used_count(r.maps), 2);
	n = put_tunnel(p, sizeof(p), 1000, true);
	hand(&r, 0, h, p, n);
	host_gets(&r, 3, 4);
	ck_assert_uint_eq(c->drops[DROP_TOO_BIG], 1);
	last = &c->last[DROP_TOO_BIG];
	ck_assert(addr_eq(&last->src, &listed) && addr_eq(&last->dst, &known));
	ck_assert_uint_eq(last->len, IP_HEADER + UDP_HEADER + 1000);
	/* Nobody knows (any more) why it did not go. */
	n = put_tunnel(p, sizeof(p), 100, true);
	hand(&r, 0, h, p, n);
	ck_assert_uint_eq(receive(&r, r.peer, p, sizeof(p)), n);
	ck_assert_uint_eq(c->packets[WAY_OUT], 2);
	rig_fini(&r);
}
END_TEST

/* Why it did not go is in the queue of the lane's socket. */
START_TEST(test_too_big_for_a_lane)
{
	const struct udp_to to = {.addr = peer, .port = 9};
	const struct handed h = {
		.kind = HANDED_TOO_BIG, .from = {.from = {.addr = peer}}};
	static uint8_t p[UINT16_MAX];
	size_t n, total = 0;
	struct rig r;

	start(&r, HUGE_MTU);
	n = put_tunnel(p, sizeof(p), UINT16_MAX - 40, false);
	ck_assert_int_eq(udp_send(r.udp_fds[1], p, n, &to), -EMSGSIZE);
	hand(&r, 0, h, p, n);
	while (total < n - IPREF_HEADER)
		total += receive(&r, r.peer, p, sizeof(p)) - IPREF_HEADER - 8;
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 1);
	ck_assert_uint_eq(counted(&r)->told_too_big, 1);
	ck_assert_uint_lt(paths_get(r.paths, &peer, now_ms()), HUGE_MTU);
	rig_fini(&r);
}
END_TEST

START_TEST(test_device_gone)
{
	const struct handed h = {.kind = HANDED_FAILED, .error = EBADFD};
	struct rig r;

	start(&r, 1500);
	hand(&r, 0, h, NULL, 0);
	RUN_UNTIL(&r.mp, r.failed);
	r.failed = false;
	rig_fini(&r);
}
END_TEST

/* Each ring has its part of a turn, the rest of the loop has its own. */
START_TEST(test_turns)
{
	const struct handed tun = {.kind = HANDED_TUN};
	const struct handed datagrams = {
		.kind = HANDED_DATAGRAMS, .from = {.from = {far, 1045}}};
	uint8_t nothing[OFFLOAD_HEADER] = {0};
	const struct counters *c;
	uint64_t before;
	struct rig r;
	unsigned i;

	start(&r, 1500);
	c = counted(&r);
	for (i = 0; i < 1000; i++) {
		hand(&r, 0, tun, nothing, sizeof(nothing));
		hand(&r, 1, datagrams, nothing, 1);
	}
	for (i = 0; i < 3; i++) {
		before = c->drops[DROP_TOO_SHORT];
		ck_assert_int_ge(event_base_loop(r.mp.base,
					 EVLOOP_ONCE | EVLOOP_NONBLOCK),
			0);
		ck_assert_uint_gt(c->drops[DROP_TOO_SHORT], before);
		ck_assert_uint_le(c->drops[DROP_TOO_SHORT], before + 64);
		ck_assert_uint_eq(
			c->drops[DROP_TOO_SHORT], c->drops[DROP_TUNNEL_SHORT]);
	}
	RUN_UNTIL(&r.mp, c->drops[DROP_TUNNEL_SHORT] == 1000);
	ck_assert_uint_eq(c->drops[DROP_TOO_SHORT], 1000);
	rig_fini(&r);
}
END_TEST

/* Superpackets are many packets. */
START_TEST(test_turns_of_superpackets)
{
	const struct addr nobody = {4, {192, 0, 2, 77}};
	const unsigned supers = 100, each = PAYLOAD / 20;
	const struct counters *c;
	struct rig r;
	unsigned i;

	start(&r, 1500);
	c = counted(&r);
	for (i = 0; i < supers; i++)
		hand_super(&r, &nobody, 20);
	ck_assert_int_ge(
		event_base_loop(r.mp.base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	ck_assert_uint_gt(c->drops[DROP_DST_NOT_ENCODED], 0);
	ck_assert_uint_le(c->drops[DROP_DST_NOT_ENCODED], 512 + each);
	RUN_UNTIL(&r.mp, c->drops[DROP_DST_NOT_ENCODED] == supers * each);
	rig_fini(&r);
}
END_TEST

/* What the network says of a lane's datagrams is taken; what arrives at its
 * socket is the lane's. */
START_TEST(test_errors_of_lanes)
{
	const struct udp_to dead = {.addr = peer, .port = 9};
	struct udp_to lane = {.addr = {4, {127, 0, 0, 1}}};
	uint8_t b[16] = "x";
	struct pollfd pfd;
	struct rig r;

	start(&r, 1500);
	pfd = (struct pollfd){.fd = r.udp_fds[1]};
	lane.port = port_of(r.udp_fds[1]);
	ck_assert_int_eq(udp_send(r.peer, b, 1, &lane), 0);
	ck_assert_int_eq(udp_send(r.udp_fds[1], b, 1, &dead), 0);
	RUN_UNTIL(&r.mp, counted(&r)->told_unreachable == 1);
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	ck_assert_int_eq(recv(r.udp_fds[1], b, sizeof(b), MSG_DONTWAIT), 1);
	rig_fini(&r);
}
END_TEST

/* At once when a trace begins or the settings were loaded; the log's level is
 * looked at now and then. */
START_TEST(test_wants_all)
{
	struct rig r;

	log_init("test", LOG_LEVEL_INFO, false);
	start(&r, 1500);
	ck_assert(!worker_wants_all(r.worker));
	atomic_store(&r.tracer->n_readers, 1);
	ck_assert(worker_wants_all(r.worker));
	atomic_store(&r.tracer->n_readers, 0);
	ck_assert(!worker_wants_all(r.worker));
	r.trace = true;
	worker_reloaded(r.worker);
	ck_assert(worker_wants_all(r.worker));
	r.trace = false;
	worker_reloaded(r.worker);
	ck_assert(!worker_wants_all(r.worker));
	log_init("test", LOG_LEVEL_DEBUG, false);
	RUN_UNTIL(&r.mp, worker_wants_all(r.worker));
	log_init("test", LOG_LEVEL_INFO, false);
	RUN_UNTIL(&r.mp, !worker_wants_all(r.worker));
	rig_fini(&r);
}
END_TEST

RUN_TESTS("gwd worker handed", test_packet, test_superpacket, test_lies,
	test_datagrams, test_too_big, test_too_big_for_a_lane, test_device_gone,
	test_turns, test_turns_of_superpackets, test_errors_of_lanes,
	test_wants_all)
