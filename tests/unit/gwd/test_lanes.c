/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of lanes: together, under changes, without work, without a device,
 * and their end. */
#include <linux/rtnetlink.h>

#include "gwd/link.h"
#include "gwd/tun.h"
#include "tests/unit/gwd/lane_rig.h"

#define DEVICE "tun-test"
#define SLICE  20 /* ms of processor time, more than the clock's step */

static struct rig rig; /* too large for the stack */

/* --- several ------------------------------------------------------------ */

/* Both send by the one socket there is, which the first reads. */
START_TEST(test_one_socket)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];
	struct flight f;
	size_t len, i;

	if (!rig_init(&rig, 4))
		return;
	rig.cfg.n = 2;
	rig_start(&rig);
	f = flight_from(&rig.a, TCP, 3000, 1000);
	len = flight_read(&f, read);
	for (i = 0; i < 4; i++) {
		write_read(&rig, i % 2, read, len);
		peer_gets_all(&rig, &f);
		ck_assert_uint_eq(rig.in.from.from.port, port_of(rig.udp[0]));
	}
	until_counted(&rig, &rig.counters.packets[WAY_OUT], 12);
	ck_assert_uint_eq(lanes_work(rig.lanes, 0)->packets[WAY_OUT], 6);
	ck_assert_uint_eq(lanes_work(rig.lanes, 1)->packets[WAY_OUT], 6);
	f = flight_from(&rig.b, TCP, 3000, 1000);
	peer_sends(&rig, &f, 0);
	host_gets_all(&rig, &f, 0);
	until_counted(&rig, &rig.counters.packets[WAY_IN], 3);
	ck_assert_uint_eq(lanes_work(rig.lanes, 1)->packets[WAY_IN], 0);
	rig_fini(&rig);
}
END_TEST

/* --- changes ------------------------------------------------------------ */

static uint8_t
ttl_at_peer(void)
{
	size_t len;

	return peer_next(&rig, &len)[2];
}

/* Rules, routes and mappings are replaced while packets go by them. */
START_TEST(test_changes)
{
	const struct addr ea = address(4, 10, 77);
	struct lane_rules rules;
	struct flight f, back;
	uint8_t ttl = 0;
	size_t i;

	if (!rig_init(&rig, 4))
		return;
	rules = rig.cfg.rules;
	rig_start(&rig);
	f = flight_from(&rig.a, UDP, 100, 100);
	back = flight_from(&rig.b, UDP, 100, 100);
	for (i = 0; i < 2000; i++) {
		host_sends(&rig, &f, 0);
		peer_sends(&rig, &back, 0);
		rules.set.dec_ttl = i % 2;
		ck_assert_int_eq(lanes_set_rules(rig.lanes, &rules), 0);
		rig.way.mtu = RIG_MTU - i % 2;
		rig_route(&rig);
		map(&rig.a, &ea, false, &rig.b.set.pub, 1000 + i);
		ttl = ttl_at_peer();
		ck_assert(ttl == 63 || ttl == 64);
		host_next(&rig, rig.bytes);
	}
	/* the last ones are in force, from the next turn on */
	for (i = 0; ttl != 63 && i < BOUND_MS; i++) {
		host_sends(&rig, &f, 0);
		ttl = ttl_at_peer();
	}
	ck_assert_uint_eq(ttl, 63);
	until_counted(&rig, &rig.counters.packets[WAY_OUT], 2000 + i);
	until_counted(&rig, &rig.counters.packets[WAY_IN], 2000);
	rig_fini(&rig);
}
END_TEST

/* --- without work ------------------------------------------------------- */

static bool
burns(long since_ms)
{
	int ms;

	for (ms = 0; ms < BOUND_MS; ms++) {
		if (lanes_cpu_ms() - since_ms > SLICE)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

/* It looks out for as long as it is told to, and only after a packet. */
START_TEST(test_looks_out)
{
	struct lane_rules rules;
	struct flight f;
	long ms;

	if (!rig_init(&rig, 4))
		return;
	rig.cfg.rules.busy_poll_us = BOUND_MS * 1000;
	rules = rig.cfg.rules;
	rig_start(&rig);
	ms = lanes_cpu_ms();
	poll(NULL, 0, 500);
	ck_assert_int_lt(lanes_cpu_ms() - ms, 50);
	f = flight_from(&rig.a, UDP, 100, 100);
	host_sends(&rig, &f, 0);
	peer_gets(&rig, &f, 0);
	ck_assert(burns(ms));
	rules.busy_poll_us = 0;
	ck_assert_int_eq(lanes_set_rules(rig.lanes, &rules), 0);
	host_sends(&rig, &f, 0);
	peer_gets(&rig, &f, 0);
	until_counted(&rig, &rig.counters.packets[WAY_OUT], 2);
	ms = lanes_cpu_ms();
	poll(NULL, 0, 500);
	ck_assert_int_lt(lanes_cpu_ms() - ms, 50);
	rig_fini(&rig);
}
END_TEST

/* --- without a device --------------------------------------------------- */

static void
make_device(void)
{
	const struct prefix net = {address(4, 10, 0), 8};
	struct link *l;
	unsigned n;

	close(rig.tun[0]);
	ck_assert_int_eq(link_open(&l), 0);
	ck_assert_int_eq(tun_open_queues(l, DEVICE, 1, rig.tun, &n), 0);
	ck_assert_int_eq(
		link_setup(l, DEVICE, &rig.a.set.own_local, &net, 1500), 0);
	link_close(l);
}

static void
remove_device(void)
{
	const struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = {
		.h = {.nlmsg_len = sizeof(m),
			.nlmsg_type = RTM_DELLINK,
			.nlmsg_flags = NLM_F_REQUEST},
		.i = {.ifi_index = (int)if_nametoindex(DEVICE)},
	};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(m.i.ifi_index, 0);
	ck_assert_int_eq(send(fd, &m, sizeof(m), 0), sizeof(m));
	close(fd);
}

/* From somebody unknown: it has been handed over, or dropped. */
static void
send_unknown(int fd, size_t len)
{
	static uint8_t bytes[60000];
	const uint64_t *recvs = &lanes_work(rig.lanes, 0)->udp_recvs;

	send_from(&rig, fd, &(struct udp_to){0}, bytes, len, 0);
	until_counted(&rig, recvs, *recvs + 1);
}

/* There is no room for any more. */
static void
fill_ring(int fd)
{
	static const size_t lens[] = {60000, 1000, 0};
	const uint64_t *drops = &rig.counters.drops[DROP_OVERLOAD];
	size_t i;

	for (i = 0; i < ARRAY_LEN(lens); i++)
		while (*drops <= i)
			send_unknown(fd, lens[i]);
}

/* The control thread is told, also when it has no room for that just now. */
static void
device_goes(bool full)
{
	const struct addr far = address(4, NET, 9);
	int fd, i;

	if (!rig_init(&rig, 4))
		return;
	if (access("/dev/net/tun", R_OK | W_OK)) {
		printf("skipped: no TUN device\n");
		return;
	}
	make_device();
	rig_start(&rig);
	fd = open_socket(&far);
	if (full)
		fill_ring(fd);
	remove_device();
	for (i = 0; i < 2; i++) /* the second in a turn that began later */
		send_unknown(fd, 0);
	do
		take_handed(&rig, 0);
	while (rig.handed.kind != HANDED_FAILED);
	ck_assert_int_ne(rig.handed.error, 0);
	close(fd);
	rig_fini(&rig);
}

START_TEST(test_device_goes)
{
	device_goes(false);
}
END_TEST

START_TEST(test_device_goes_unheard)
{
	device_goes(true);
}
END_TEST

/* The device is set down: what is written is lost and counted, and when it is
 * up again all goes on. */
static void
set_flags(short flags)
{
	struct ifreq ifr = {.ifr_name = DEVICE, .ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

START_TEST(test_device_down)
{
	struct flight f;
	size_t len;

	if (!rig_init(&rig, 4))
		return;
	if (access("/dev/net/tun", R_OK | W_OK)) {
		printf("skipped: no TUN device\n");
		return;
	}
	make_device();
	rig_start(&rig);
	f = flight_from(&rig.b, UDP, 100, 100);
	set_flags(0);
	peer_sends(&rig, &f, 0);
	until_counted(&rig, &rig.counters.drops[DROP_TUN_WRITE], 1);
	set_flags(IFF_UP);
	peer_sends(&rig, &f, 0);
	until_counted(&rig, &rig.counters.packets[WAY_IN], 1);
	lanes_collect(rig.lanes, &rig.counters, 1);
	/* it hands over nothing but what the kernel itself sends */
	while (ring_peek(lanes_ring(rig.lanes, 0), &len)) {
		take_handed(&rig, 0);
		ck_assert_int_eq(rig.handed.kind, HANDED_TUN);
	}
	rig_fini(&rig);
}
END_TEST

/* --- the end ------------------------------------------------------------ */

/* What waits at this socket, in packets. */
static size_t
take_all(int fd)
{
	struct datagrams d = {.p = rig.message};
	size_t n = 0;

	while (udp_recv_many(fd, &rig.in, 1) == 1) {
		d.len = rig.in.len;
		d.size = rig.in.segment;
		n += datagrams_count(&d);
	}
	return n;
}

/* What was taken has gone or is in the ring; the rest is still where it was. */
static void
stop_at_work(void)
{
	struct flight f = flight_from(&rig.a, UDP, 100, 100), other = f;
	size_t i, len, n = 0;

	rig_start(&rig);
	other.dst = address(4, 10, 99);
	for (i = 0; i < 50; i++) {
		host_sends(&rig, &f, 0);
		host_sends(&rig, &other, 0);
	}
	lanes_stop(rig.lanes);
	n += take_all(rig.peer);
	for (; ring_peek(lanes_ring(rig.lanes, 0), &len); n++)
		take_handed(&rig, 0);
	for (; recv(rig.tun[0], rig.bytes, sizeof(rig.bytes), 0) > 0; n++)
		;
	ck_assert_uint_eq(n, 100);
	lanes_free(rig.lanes);
}

START_TEST(test_stop)
{
	size_t i;

	if (!rig_init(&rig, 4))
		return;
	for (i = 0; i < 100; i++)
		stop_at_work();
	rig_start(&rig);
	rig_fini(&rig);
}
END_TEST

RUN_TESTS("lanes", test_one_socket, test_changes, test_looks_out,
	test_device_goes, test_device_goes_unheard, test_device_down, test_stop)
