/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a lane does with what it reads from the TUN device: it sends what is
 * plain, together; all else it hands over as it came. */
#include "gwd/udp_errors.h"
#include "tests/unit/gwd/lane_rig.h"

static struct rig rig; /* too large for the stack */

static const uint64_t *
sent(void)
{
	return &rig.counters.packets[WAY_OUT];
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
	struct flight f;
	size_t i;

	if (!start())
		return;
	for (i = 0; i < ARRAY_LEN(protos); i++) {
		f = flight_from(&rig.a, protos[i], 500, 500);
		host_sends(&rig, &f, 0);
		peer_gets(&rig, &f, 0);
	}
	until_counted(&rig, sent(), 2);
	ck_assert_uint_eq(rig.counters.bytes[WAY_OUT], 500 + 40 + 500 + 28);
	ck_assert(routes_take(rig.routes, &rig.b.set.pub, &use));
	ck_assert_uint_eq(use.packets[WAY_OUT], 2);
	ck_assert_uint_eq(use.bytes[WAY_OUT], 2 * rig.in.len + 12);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_ipv6_host)
{
	struct flight f;

	if (!rig_init(&rig, 6))
		return;
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 5000, 1000);
	host_sends(&rig, &f, 0);
	peer_gets(&rig, &f, 0);
	host_sends_super(&rig, &f);
	peer_gets_all(&rig, &f);
	until_counted(&rig, sent(), 6);
	rig_fini(&rig);
}
END_TEST

/* Its packets arrive together; what is counted is what the host would have sent
 * one by one, to the byte. */
START_TEST(test_superpacket)
{
	static const struct {
		uint8_t proto;
		size_t len, size;
	} rows[] = {
		{TCP, 20 * 700 + 1, 700},
		{UDP, 20 * 700 + 1, 700},
		{TCP, 1001, 1000},
		{TCP, 65000, 499}, /* several batches */
		{TCP, 65000, 33},
		{UDP, 65000, 30000},
	};
	uint64_t n = 0, bytes = 0;
	struct flight f;
	size_t i;

	if (!start())
		return;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		f = flight_from(
			&rig.a, rows[i].proto, rows[i].len, rows[i].size);
		host_sends_super(&rig, &f);
		peer_gets_all(&rig, &f);
		if (i < 2)
			ck_assert_uint_eq(datagrams_count(&rig.got), 21);
		n += flight_count(&f);
		bytes += flight_bytes(&f);
		until_counted(&rig, sent(), n);
		ck_assert_uint_eq(rig.counters.bytes[WAY_OUT], bytes);
	}
	rig_fini(&rig);
}
END_TEST

/* A packet and its translation stand behind each other in the lane's memory,
 * up to its end. */
START_TEST(test_longest)
{
	struct flight f;
	size_t i;

	if (!start())
		return;
	f = flight_from(&rig.a, UDP, 59000, 59000);
	for (i = 0; i < 20; i++)
		host_sends(&rig, &f, 0), peer_gets(&rig, &f, 0);
	f = flight_from(&rig.a, TCP, 65495, 1000);
	for (i = 0; i < 20; i++)
		host_sends_super(&rig, &f), peer_gets_all(&rig, &f);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_no_batches)
{
	struct flight f;
	size_t i;

	if (!rig_init(&rig, 4))
		return;
	rig.cfg.most_segments = 1;
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 20 * 700 + 1, 700);
	host_sends_super(&rig, &f);
	for (i = 0; i < flight_count(&f); i++) {
		peer_gets(&rig, &f, i);
		ck_assert_uint_eq(datagrams_count(&rig.got), 1);
	}
	until_counted(&rig, sent(), 21);
	rig_fini(&rig);
}
END_TEST

/* DSCP and ECN of the outer header. */
START_TEST(test_tos)
{
	struct flight f;

	if (!rig_init(&rig, 4))
		return;
	rig.way.dscp_tos = 0x28;
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 2000, 1000);
	f.tos = 0xb9;
	host_sends_super(&rig, &f);
	peer_gets_all(&rig, &f);
	ck_assert_uint_eq(rig.in.from.tos, 0x28);
	rig.way.tos = true;
	rig_route(&rig);
	host_sends_super(&rig, &f);
	peer_gets_all(&rig, &f);
	ck_assert_uint_eq(rig.in.from.tos, 0xb9);
	host_sends(&rig, &f, 0);
	peer_gets(&rig, &f, 0);
	ck_assert_uint_eq(rig.in.from.tos, 0xb9);
	rig_fini(&rig);
}
END_TEST

/* --- handed over -------------------------------------------------------- */

enum what {
	SOURCE,	 /* has no reference */
	UNKNOWN, /* the destination stands for nobody */
	NO_ROUTE,
	ENDS, /* TTL */
	SYN_FLAG,
	WHAT_N
};

static struct flight
odd(enum what what, uint8_t proto, size_t len, size_t size)
{
	struct flight f = flight_from(&rig.a, proto, len, size);

	if (what == SOURCE)
		f.src = address(4, 0x22, 99);
	else if (what == UNKNOWN)
		f.dst = address(4, 10, 99);
	else if (what == NO_ROUTE)
		f.dst = address(4, 10, 50);
	else if (what == ENDS)
		f.ttl = 1;
	else
		f.flags = TCP_SYN;
	return f;
}

static bool
start_odd(void)
{
	const struct addr far = address(4, NET, 50), ea = address(4, 10, 50);

	if (!rig_init(&rig, 4))
		return false;
	rig.cfg.rules.set.dec_ttl = true;
	map(&rig.a, &ea, false, &far, 5);
	rig_start(&rig);
	return true;
}

START_TEST(test_handed)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];
	struct flight f;
	enum what what;
	size_t len;

	if (!start_odd())
		return;
	for (what = 0; what < WHAT_N; what++) {
		f = odd(what, TCP, 3000, 1000);
		len = flight_read(&f, read);
		write_read(&rig, 0, read, len);
		check_handed(&rig, HANDED_TUN, read, len);
		if (what == SYN_FLAG)
			continue; /* a single one is plain */
		f = odd(what, UDP, 1000, 1000);
		memset(read, 0, FLIGHT_VNET);
		len = FLIGHT_VNET + flight_packet(&f, 0, read + FLIGHT_VNET);
		write_read(&rig, 0, read, len);
		check_handed(&rig, HANDED_TUN, read, len);
	}
	until_counted(&rig, sent(), 0);
	rig_fini(&rig);
}
END_TEST

/* What is longer than the path takes; what just fits is not. */
START_TEST(test_too_long)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];
	struct flight f;
	size_t len, header;

	if (!start())
		return;
	f = flight_from(&rig.a, TCP, 4000, 1000);
	host_sends_super(&rig, &f);
	peer_gets_all(&rig, &f);
	header = header_peek(rig.message, rig.in.len);
	rig.way.mtu = (uint32_t)(28 + header + 20 + 1000);
	rig_route(&rig);
	host_sends_super(&rig, &f);
	peer_gets_all(&rig, &f);
	host_sends(&rig, &f, 3);
	peer_gets(&rig, &f, 3);
	until_counted(&rig, sent(), 9);
	rig.way.mtu--;
	rig_route(&rig);
	len = flight_read(&f, read);
	write_read(&rig, 0, read, len);
	check_handed(&rig, HANDED_TUN, read, len);
	memset(read, 0, FLIGHT_VNET);
	len = FLIGHT_VNET + flight_packet(&f, 0, read + FLIGHT_VNET);
	write_read(&rig, 0, read, len);
	check_handed(&rig, HANDED_TUN, read, len);
	until_counted(&rig, sent(), 9);
	rig_fini(&rig);
}
END_TEST

/* A checksum that was left to us is there, and the header does not say any more
 * that it is not. */
START_TEST(test_completed)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];
	struct flight f;
	size_t len;

	if (!start_odd())
		return;
	f = odd(NO_ROUTE, UDP, 999, 1000);
	f.size = 999;
	len = flight_read(&f, read);
	write_read(&rig, 0, read, len);
	memset(read, 0, FLIGHT_VNET);
	flight_packet(&f, 0, read + FLIGHT_VNET);
	check_handed(&rig, HANDED_TUN, read, len);
	rig_fini(&rig);
}
END_TEST

/* The device lies, or its packet is none. */
START_TEST(test_nonsense)
{
	static uint8_t read[FLIGHT_VNET + 100];
	size_t i;

	if (!start())
		return;
	for (i = 1; i < sizeof(read); i += 7) {
		memset(read, (int)(i * 37), sizeof(read));
		write_read(&rig, 0, read, i);
		check_handed(&rig, HANDED_TUN, read, i);
	}
	rig_fini(&rig);
}
END_TEST

/* An echo between the gateways themselves, as kernels answer a keep-alive, also
 * when it is hidden behind an extension header. */
static void
gateways_echo(uint8_t local, size_t options)
{
	static uint8_t read[FLIGHT_VNET + 200];
	const struct addr far = address(local, 10, 60);
	uint8_t *p = read + FLIGHT_VNET;
	struct flight f;
	size_t l4, len;

	if (!rig_init(&rig, local))
		return;
	map(&rig.a, &far, false, &rig.b.set.pub, 0x100);
	rig_start(&rig);
	f = flight_from(&rig.a, local == 4 ? 1 : 58, 16, 16);
	f.src = rig.a.set.own_local;
	f.dst = far;
	f.options = options;
	l4 = flight_l4(&f);
	len = l4 + 16;
	memset(read, 0, sizeof(read));
	flight_ip(&f, 1, p, len);
	p[l4] = local == 4 ? 0 : 129; /* echo reply */
	flight_put(p + l4 + 2,
		~flight_sum(
			p + l4, 16, local == 4 ? 0 : flight_pseudo(&f, 16)) &
			0xffff,
		2);
	write_read(&rig, 0, read, FLIGHT_VNET + len);
	check_handed(&rig, HANDED_TUN, read, FLIGHT_VNET + len);
	/* one of 17 bytes is some host's */
	flight_ip(&f, 1, p, len + 1);
	flight_put(p + l4 + 2, 0, 2);
	flight_put(p + l4 + 2,
		~flight_sum(
			p + l4, 17, local == 4 ? 0 : flight_pseudo(&f, 17)) &
			0xffff,
		2);
	write_read(&rig, 0, read, FLIGHT_VNET + len + 1);
	until_counted(&rig, sent(), 1);
	rig_fini(&rig);
}

START_TEST(test_gateways_echo)
{
	gateways_echo(4, 0);
}
END_TEST

START_TEST(test_gateways_echo6)
{
	gateways_echo(6, 0);
}
END_TEST

START_TEST(test_gateways_echo_options)
{
	gateways_echo(6, 8);
}
END_TEST

/* Somebody looks at every packet. */
START_TEST(test_all)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];
	struct flight f;
	size_t len;

	if (!rig_init(&rig, 4))
		return;
	atomic_store(&rig.all, true);
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 3000, 1000);
	len = flight_read(&f, read);
	write_read(&rig, 0, read, len);
	check_handed(&rig, HANDED_TUN, read, len);
	atomic_store(&rig.all, false);
	write_read(&rig, 0, read, len);
	peer_gets_all(&rig, &f);
	rig_fini(&rig);
}
END_TEST

/* What was read before is sent before. */
START_TEST(test_order)
{
	struct flight f, other;
	size_t i;

	if (!rig_init(&rig, 4))
		return;
	f = flight_from(&rig.a, TCP, 10000, 1000);
	other = flight_from(&rig.a, UDP, 10, 10);
	other.dst = address(4, 10, 99);
	for (i = 0; i < 10; i++) {
		if (i == 5)
			host_sends(&rig, &other, 0);
		host_sends(&rig, &f, i);
	}
	rig_start(&rig);
	take_handed(&rig, 0);
	lanes_collect(rig.lanes, &rig.counters, 1);
	ck_assert_uint_ge(rig.counters.packets[WAY_OUT], 5);
	for (i = 0; i < 10; i++)
		peer_gets(&rig, &f, i);
	rig_fini(&rig);
}
END_TEST

/* What finds no room in the ring is dropped and counted, packet by packet. */
START_TEST(test_overload)
{
	struct flight f = {0}, one;
	uint64_t n = 0, handed = 0;
	size_t len, i, rounds = 100;
	struct ring *ring;

	if (!start_odd())
		return;
	f = odd(NO_ROUTE, TCP, 64000, 1000);
	one = odd(NO_ROUTE, UDP, 1000, 1000);
	for (i = 0; i < rounds; i++) {
		host_sends_super(&rig, &f);
		host_sends(&rig, &one, 0);
		n += 65;
		until_counted(&rig, &lanes_work(rig.lanes, 0)->tun_reads,
			2 * (i + 1));
	}
	ring = lanes_ring(rig.lanes, 0);
	while (ring_peek(ring, &len)) {
		handed += len > 2000 ? 64 : 1;
		ring_next(ring);
	}
	ck_assert_uint_gt(handed, 0);
	ck_assert_uint_gt(rig.counters.drops[DROP_OVERLOAD], 0);
	until_counted(&rig, &rig.counters.drops[DROP_OVERLOAD], n - handed);
	/* now there is room */
	host_sends(&rig, &one, 0);
	take_handed(&rig, 0);
	rig_fini(&rig);
}
END_TEST

/* --- what the kernel does not take -------------------------------------- */

static void
set_lo_mtu(int mtu)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_mtu = mtu};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_eq(ioctl(fd, SIOCSIFMTU, &ifr), 0);
	close(fd);
}

/* The path was believed to be wider: each packet is handed over, translated. */
START_TEST(test_refused)
{
	static uint8_t p[FLIGHT_MAX + GW_GROWTH];
	struct packet_in in = {.p = rig.bytes};
	struct packet_out out;
	struct flight f, there;
	size_t i;

	if (!rig_init(&rig, 4))
		return;
	set_lo_mtu(1000);
	rig.way.tos = true;
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 4500, 1000);
	f.tos = 0x28;
	there = flight_at(&f, &rig.b);
	in.from = rig.a.set.pub;
	for (i = 0; i < 10; i++) {
		if (i % 5 == 0)
			host_sends_super(&rig, &f);
		if (i % 5 == 4) { /* the last one fits */
			peer_gets(&rig, &f, 4);
			continue;
		}
		take_handed(&rig, 0);
		ck_assert_int_eq(rig.handed.kind, HANDED_TOO_BIG);
		ck_assert(addr_eq(&rig.handed.from.from.addr, &rig.b.set.pub));
		ck_assert_uint_eq(rig.handed.from.tos, 0x28);
		in.len = rig.handed.len;
		out = (struct packet_out){.p = p, .size = sizeof(p)};
		decap(&rig.b.set, rig.b.maps, &in, &out);
		check_packet(&there, i % 5, p, out.len);
	}
	until_counted(&rig, sent(), 2);
	ck_assert_uint_eq(lanes_work(rig.lanes, 0)->gso_refused, 0);
	rig_fini(&rig);
}
END_TEST

/* Messages about our datagrams are the control thread's to read: until it does,
 * lanes don't run in circles, and go on carrying. */
START_TEST(test_errors_wait)
{
	const struct addr nobody = address(4, NET, 2);
	struct flight f;
	long ms;
	int fd, i;

	if (!rig_init(&rig, 4))
		return;
	for (i = 0; i < RIG_LANES; i++)
		ck_assert_int_eq(udp_errors_set(rig.udp[i], 4, true), 0);
	fd = open_socket(&nobody);
	rig.way.port = port_of(fd);
	close(fd);
	rig_start(&rig);
	f = flight_from(&rig.a, UDP, 100, 100);
	for (i = 0; i < 20; i++)
		host_sends(&rig, &f, 0);
	for (i = 0; !udp_errors_any(rig.udp[0]) && i < BOUND_MS; i++)
		poll(NULL, 0, 1);
	ck_assert(udp_errors_any(rig.udp[0]));
	ms = lanes_cpu_ms();
	poll(NULL, 0, 500);
	ck_assert_int_lt(lanes_cpu_ms() - ms, 50);
	ck_assert(udp_errors_any(rig.udp[0]));
	rig.way.port = port_of(rig.peer);
	rig_route(&rig);
	host_sends(&rig, &f, 0);
	peer_gets(&rig, &f, 0);
	f = flight_from(&rig.b, UDP, 3000, 1000);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	rig_fini(&rig);
}
END_TEST

/* A SYN leaves with what fits the path. */
START_TEST(test_mss)
{
	static uint8_t read[FLIGHT_VNET + 200];
	uint8_t *p = read + FLIGHT_VNET, *tcp = p + 20;
	struct flight f;
	const uint8_t *got;
	size_t len, header;
	uint32_t mss;

	if (!rig_init(&rig, 4))
		return;
	rig.way.mtu = 1000;
	rig.cfg.rules.clamp_mss = true;
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 1, 1);
	f.flags = TCP_SYN;
	f.tcp_more = 4;
	len = flight_packet(&f, 0, p);
	flight_put(tcp + 20, 0x020405b4, 4);
	flight_put(tcp + 16, 0, 2);
	flight_put(tcp + 16,
		~flight_sum(tcp, len - 20, flight_pseudo(&f, len - 20)) &
			0xffff,
		2);
	write_read(&rig, 0, read, FLIGHT_VNET + len);
	got = peer_next(&rig, &len);
	header = header_peek(got, len);
	mss = (uint32_t)(1000 - 28 - header - 20);
	ck_assert_uint_eq(cut_get16(got + header + 22), mss);
	ck_assert_uint_eq(flight_sum(got + header, len - header,
				  (uint32_t)(len - header) + TCP),
		0xffff);
	until_counted(&rig, &rig.counters.mss_clamped, 1);
	rig_fini(&rig);
}
END_TEST

RUN_TESTS("lane_out", test_packet, test_ipv6_host, test_superpacket,
	test_longest, test_no_batches, test_tos, test_handed, test_too_long,
	test_completed, test_nonsense, test_gateways_echo, test_gateways_echo6,
	test_gateways_echo_options, test_all, test_order, test_overload,
	test_refused, test_errors_wait, test_mss)
