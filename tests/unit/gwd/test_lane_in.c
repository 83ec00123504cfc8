/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a lane does with what arrives from peers: what is plain it writes to the
 * TUN device, put together; all else it hands over as it came. */
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/unit/gwd/lane_rig.h"

#define TCP_HEADER 20

static struct rig rig; /* too large for the stack */

/* A kernel that takes no superpackets, if it is to be one: this stands in for
 * the C library's. */
static atomic_bool refuses;

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	const uint8_t *vnet = iov[0].iov_base;

	if (atomic_load(&refuses) && n > 1 && vnet[1]) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_writev, fd, iov, n);
}

static const uint64_t *
passed(void)
{
	return &rig.counters.packets[WAY_IN];
}

static bool
start(void)
{
	if (!rig_init(&rig, 4))
		return false;
	rig_start(&rig);
	return true;
}

/* --- plain -------------------------------------------------------------- */

START_TEST(test_packet)
{
	const uint8_t protos[] = {TCP, UDP};
	struct route_use use;
	uint64_t bytes = 0;
	struct flight f;
	size_t i;

	if (!start())
		return;
	for (i = 0; i < ARRAY_LEN(protos); i++) {
		f = flight_from(&rig.b, protos[i], 500, 500);
		bytes += peer_sends(&rig, &f, 0);
		host_gets(&rig, &f, 0, 0);
		ck_assert_uint_eq(rig.cut.vnet.flags, 0);
	}
	until_counted(&rig, passed(), 2);
	ck_assert_uint_eq(rig.counters.bytes[WAY_IN], bytes);
	ck_assert(routes_take(rig.routes, &rig.b.set.pub, &use));
	ck_assert_uint_eq(use.packets[WAY_IN], 2);
	ck_assert_uint_eq(use.bytes[WAY_IN], bytes);
	rig_fini(&rig);
}
END_TEST

/* Datagrams that came together are written together. */
static bool
together(uint8_t local, uint8_t proto, size_t len)
{
	struct flight f;
	size_t bytes;

	if (!rig_init(&rig, local))
		return false;
	rig_start(&rig);
	f = flight_from(&rig.b, proto, len, 700);
	bytes = peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	ck_assert_uint_eq(rig.cut.n, flight_count(&f));
	until_counted(&rig, passed(), flight_count(&f));
	ck_assert_uint_eq(rig.counters.bytes[WAY_IN], bytes);
	ck_assert_uint_eq(lanes_work(rig.lanes, 0)->tun_writes, 1);
	rig_fini(&rig);
	return true;
}

START_TEST(test_together)
{
	(void)(together(4, TCP, 14001) && together(4, UDP, 14001) &&
		together(6, TCP, 14001) && together(6, UDP, 14001) &&
		together(4, TCP, 40000));
}
END_TEST

START_TEST(test_no_offloads)
{
	struct flight f;

	if (!rig_init(&rig, 4))
		return;
	rig.cfg.tun_tso = rig.cfg.tun_uso = false;
	rig_start(&rig);
	f = flight_from(&rig.b, TCP, 14001, 700);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	f = flight_from(&rig.b, UDP, 14001, 700);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	until_counted(&rig, passed(), 42);
	ck_assert_uint_eq(lanes_work(rig.lanes, 0)->tun_writes, 42);
	rig_fini(&rig);
}
END_TEST

/* The kernel refuses a superpacket: nothing is lost, and no more of this kind
 * are made; of the other they are. */
START_TEST(test_refused)
{
	struct flight f, udp;

	if (!start())
		return;
	atomic_store(&refuses, true);
	f = flight_from(&rig.b, TCP, 14001, 700);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	until_counted(&rig, passed(), 21);
	ck_assert(!lanes_tun_tso(rig.lanes));
	ck_assert(lanes_tun_uso(rig.lanes));
	atomic_store(&refuses, false);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	until_counted(&rig, passed(), 42);
	ck_assert_uint_eq(lanes_work(rig.lanes, 0)->tun_writes, 43);
	udp = flight_from(&rig.b, UDP, 14001, 700);
	peer_sends(&rig, &udp, 0);
	host_gets_all(&rig, &udp, 0);
	ck_assert_uint_eq(rig.cut.n, 21);
	rig_fini(&rig);
}
END_TEST

/* DSCP and ECN of the outer header are the packet's, from peers for which this
 * is set. */
START_TEST(test_tos)
{
	struct flight f, one;

	if (!rig_init(&rig, 4))
		return;
	rig_start(&rig);
	f = flight_from(&rig.b, TCP, 3000, 1000);
	one = flight_from(&rig.b, TCP, 0, 1);
	one.len = one.size = 1;
	one.flags = TCP_SYN; /* goes alone */
	peer_sends(&rig, &f, 0xbb);
	host_gets_all(&rig, &f, 0);
	rig.way.tos = true;
	rig_route(&rig);
	peer_sends(&rig, &f, 0xbb);
	host_gets_all(&rig, &f, 0xbb);
	peer_sends(&rig, &one, 0xbb);
	host_gets_all(&rig, &one, 0xbb);
	rig_fini(&rig);
}
END_TEST

/* --- handed over -------------------------------------------------------- */

/* From somebody else, from another port, or to another address of ours. */
START_TEST(test_other_way)
{
	const struct addr far = address(4, NET, 9), ours = address(4, NET, 3);
	const struct {
		struct addr from, to;
	} rows[] = {
		{far, address(4, NET, 1)},
		{address(4, NET, 2), address(4, NET, 1)},
		{address(4, NET, 2), ours},
	};
	struct udp_to to = {.tos = 0x28};
	struct flight f;
	uint16_t size;
	uint8_t *bytes;
	size_t len, i;
	int fd;

	if (!start())
		return;
	f = flight_from(&rig.b, TCP, 5000, 1000);
	bytes = peer_makes(&rig, &f, &len, &size);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		fd = i == 2 ? dup(rig.peer) : open_socket(&rows[i].from);
		to.addr = rows[i].to;
		send_from(&rig, fd, &to, bytes, len, size);
		check_handed(&rig, HANDED_DATAGRAMS, bytes, len);
		ck_assert_uint_eq(rig.handed.segment, size);
		ck_assert_uint_eq(rig.handed.from.tos, 0x28);
		ck_assert_uint_eq(rig.handed.from.from.port, port_of(fd));
		ck_assert(addr_eq(&rig.handed.from.from.addr, &rows[i].from));
		ck_assert(addr_eq(&rig.handed.from.to, &rows[i].to));
		close(fd);
	}
	/* no route any more */
	routes_del(rig.routes, &rig.b.set.pub);
	send_from(&rig, rig.peer, &(struct udp_to){0}, bytes, len, size);
	check_handed(&rig, HANDED_DATAGRAMS, bytes, len);
	until_counted(&rig, passed(), 0);
	rig_fini(&rig);
}
END_TEST

/* Of datagrams that came together, those which are not plain are handed over,
 * with nothing before them left behind; the others pass. */
START_TEST(test_some_odd)
{
	struct flight f;
	uint16_t size;
	uint8_t *bytes;
	size_t len, i;

	if (!start())
		return;
	f = flight_from(&rig.b, TCP, 5000, 1000);
	bytes = peer_makes(&rig, &f, &len, &size);
	bytes[2 * size + 16]++; /* a reference that nobody has */
	bytes[3 * size] = 0x70; /* no version of IPREF */
	send_from(&rig, rig.peer, &(struct udp_to){0}, bytes, len, size);
	for (i = 2; i < 4; i++) {
		check_handed(&rig, HANDED_DATAGRAMS, bytes + i * size, size);
		ck_assert_uint_eq(rig.handed.segment, 0);
	}
	host_gets(&rig, &f, 0, 0);
	host_gets(&rig, &f, 1, 0);
	host_gets(&rig, &f, 4, 0);
	until_counted(&rig, passed(), 3);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_nonsense)
{
	uint8_t bytes[100];
	size_t i;

	if (!start())
		return;
	for (i = 0; i < sizeof(bytes); i += 7) {
		memset(bytes, (int)(i * 37), sizeof(bytes));
		send_from(&rig, rig.peer, &(struct udp_to){0}, bytes, i, 0);
		check_handed(&rig, HANDED_DATAGRAMS, bytes, i);
	}
	rig_fini(&rig);
}
END_TEST

/* The answer to a keep-alive of ours is not the kernel's. */
START_TEST(test_answer)
{
	uint8_t p[PROBE_MAX];
	size_t len, at;

	if (!rig_init(&rig, 4))
		return;
	rig.cfg.rules.probe = (struct probe_id){0x1234, 0x123456789abcdef0};
	map(&rig.a, &(struct addr){4, {10, 60}}, false, &rig.b.set.pub, 0x100);
	rig_start(&rig);
	len = probe_put(&rig.b.set, &rig.cfg.rules.probe, &rig.a.set.pub,
		&rig.a.set.own_ref, 1, p, sizeof(p));
	at = len - 16;
	send_from(&rig, rig.peer, &(struct udp_to){0}, p, len, 0);
	until_counted(&rig, passed(), 1); /* a request is */
	p[at] = 0;
	flight_put(p + at + 2, 0, 2);
	flight_put(p + at + 2, ~flight_sum(p + at, 16, 0) & 0xffff, 2);
	send_from(&rig, rig.peer, &(struct udp_to){0}, p, len, 0);
	check_handed(&rig, HANDED_DATAGRAMS, p, len);
	until_counted(&rig, passed(), 1);
	rig_fini(&rig);
}
END_TEST

/* For an IPv6 host it may have to be cut. */
START_TEST(test_cut_for_host)
{
	struct flight f;
	uint16_t size;
	uint8_t *bytes;
	size_t len;

	if (!rig_init(&rig, 6))
		return;
	rig_start(&rig);
	f = flight_from(&rig.b, UDP, 1400, 1400);
	peer_sends(&rig, &f, 0);
	host_gets(&rig, &f, 0, 0);
	f.df = false;
	bytes = peer_makes(&rig, &f, &len, &size);
	send_from(&rig, rig.peer, &(struct udp_to){0}, bytes, len, 0);
	check_handed(&rig, HANDED_DATAGRAMS, bytes, len);
	f = flight_from(&rig.b, UDP, 1280 - 48, 1280 - 48);
	f.df = false;
	peer_sends(&rig, &f, 0);
	host_gets(&rig, &f, 0, 0);
	rig_fini(&rig);
}
END_TEST

/* Somebody looks at every packet. */
START_TEST(test_all)
{
	struct flight f;
	uint16_t size;
	uint8_t *bytes;
	size_t len;

	if (!rig_init(&rig, 4))
		return;
	atomic_store(&rig.all, true);
	rig_start(&rig);
	f = flight_from(&rig.b, TCP, 5000, 1000);
	bytes = peer_makes(&rig, &f, &len, &size);
	send_from(&rig, rig.peer, &(struct udp_to){0}, bytes, len, size);
	check_handed(&rig, HANDED_DATAGRAMS, bytes, len);
	ck_assert_uint_eq(rig.handed.segment, size);
	atomic_store(&rig.all, false);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	rig_fini(&rig);
}
END_TEST

/* --- counted ------------------------------------------------------------ */

START_TEST(test_overload)
{
	const struct addr far = address(4, NET, 9);
	static uint8_t bytes[60000];
	uint64_t handed = 0, i;
	struct ring *ring;
	size_t len;
	int fd;

	if (!start())
		return;
	fd = open_socket(&far);
	for (i = 1; i <= 100; i++) {
		send_from(&rig, fd, &(struct udp_to){0}, bytes, sizeof(bytes),
			1000);
		until_counted(&rig, &lanes_work(rig.lanes, 0)->udp_recvs, i);
	}
	/* the turn has ended when the next has begun */
	send_from(&rig, rig.peer, &(struct udp_to){0}, bytes, 1, 0);
	until_counted(&rig, &lanes_work(rig.lanes, 0)->udp_recvs, i);
	ring = lanes_ring(rig.lanes, 0);
	while (ring_peek(ring, &len)) {
		handed += len > 2000 ? 60 : 0;
		ring_next(ring);
	}
	lanes_collect(rig.lanes, &rig.counters, 1);
	ck_assert_uint_gt(handed, 0);
	ck_assert_uint_lt(handed, 6000);
	ck_assert_uint_ge(rig.counters.drops[DROP_OVERLOAD], 6000 - handed);
	ck_assert_uint_le(rig.counters.drops[DROP_OVERLOAD], 6000 - handed + 1);
	close(fd);
	rig_fini(&rig);
}
END_TEST

/* More came with it than there is room for. */
START_TEST(test_lost)
{
	int on = 1;
	struct flight f;

	if (!rig_init(&rig, 4))
		return;
	ck_assert_int_eq(
		setsockopt(rig.udp[0], IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)),
		0);
	ck_assert_int_eq(setsockopt(rig.udp[0], SOL_SOCKET, SO_TIMESTAMP, &on,
				 sizeof(on)),
		0);
	rig_start(&rig);
	f = flight_from(&rig.b, UDP, 100, 100);
	peer_sends(&rig, &f, 0);
	until_counted(&rig, &rig.counters.drops[DROP_NO_ROOM], 1);
	until_counted(&rig, passed(), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_device_full)
{
	struct flight f;
	size_t i;

	if (!start())
		return;
	f = flight_from(&rig.b, TCP, 60000, 1000);
	for (i = 0; i < 20; i++)
		peer_sends(&rig, &f, 0);
	while (*passed() + rig.counters.drops[DROP_TUN_WRITE] < 1200) {
		lanes_collect(rig.lanes, &rig.counters, 1);
		poll(NULL, 0, 1);
	}
	ck_assert_uint_gt(rig.counters.drops[DROP_TUN_WRITE], 0);
	for (i = 0; i < *passed(); i++)
		host_gets(&rig, &f, i % 60, 0);
	ck_assert_int_eq(
		poll(&(struct pollfd){.fd = rig.lan[0], .events = POLLIN}, 1,
			0),
		0);
	rig_fini(&rig);
}
END_TEST

/* --- changed on the way ------------------------------------------------- */

/* A SYN arrives with what fits the path of the answer. */
START_TEST(test_mss)
{
	static uint8_t p[200];
	struct packet_out out = {0};
	uint8_t tunnel[300];
	struct packet_in in = {.p = p};
	struct flight f;
	size_t len, header;

	if (!rig_init(&rig, 4))
		return;
	rig.way.mtu = 1000;
	rig.cfg.rules.clamp_mss = true;
	rig_start(&rig);
	f = flight_from(&rig.b, TCP, 1, 1);
	f.flags = TCP_SYN;
	f.tcp_more = 4;
	in.len = len = flight_packet(&f, 0, p);
	flight_put(p + 40, 0x020405b4, 4);
	flight_put(p + 36, 0, 2);
	flight_put(p + 36,
		~flight_sum(p + 20, len - 20, flight_pseudo(&f, len - 20)) &
			0xffff,
		2);
	out.p = tunnel;
	out.size = sizeof(tunnel);
	encap(&rig.b.set, rig.b.maps, &in, &out);
	header = header_peek(tunnel, out.len);
	send_from(&rig, rig.peer, &(struct udp_to){0}, tunnel, out.len, 0);
	len = host_next(&rig, p);
	ck_assert_uint_eq(cut_get16(p + 42), 1000 - 28 - header - TCP_HEADER);
	ck_assert(cut_sum_is_right(p, len));
	until_counted(&rig, &rig.counters.mss_clamped, 1);
	rig_fini(&rig);
}
END_TEST

RUN_TESTS("lane_in", test_packet, test_together, test_no_offloads, test_refused,
	test_tos, test_other_way, test_some_odd, test_nonsense, test_answer,
	test_cut_for_host, test_all, test_overload, test_lost, test_device_full,
	test_mss)
