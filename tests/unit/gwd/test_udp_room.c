/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a call that sends many datagrams stops, whichever of the kernel's calls
 * that falls into: at one that can't go, and when there is no more room. */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "tests/unit/gwd/tun_rig.h"

#define N     (2 * UDP_MANY + 5)
#define SMALL 4096 /* bytes that may wait to be sent */
#define BIG   1000

struct burst {
	struct udp_dest dest;
	struct iovec iov[N];
	struct udp_out out[N];
	uint8_t bytes[N][BIG]; /* each begins with its number */
};

static struct burst burst; /* too large for the stack */

static void
burst_make(const struct addr *to, uint16_t port)
{
	size_t i;

	udp_dest_init(&burst.dest, &(struct udp_to){*to, port, {0}, 0});
	for (i = 0; i < N; i++) {
		burst.bytes[i][0] = (uint8_t)i;
		burst.iov[i] = (struct iovec){burst.bytes[i], BIG};
		burst.out[i] =
			(struct udp_out){&burst.dest, &burst.iov[i], 1, 0};
	}
}

/* The next ones that have come are these. */
static void
check_come(int fd, size_t first, size_t end)
{
	uint8_t buf[BIG];
	struct udp_from from;

	for (; first < end; first++) {
		ck_assert_int_eq(udp_recv(fd, buf, sizeof(buf), &from), BIG);
		ck_assert_uint_eq(buf[0], (uint8_t)first);
	}
}

/* The bad one's place is all that differs. */
static void
check_stop(size_t bad)
{
	static uint8_t huge[70000];
	const struct addr at = {4, {127, 0, 0, 8}};
	const struct udp_config cfg = {.bind = at};
	int fd = open_udp(4), to, err;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	size_t rest = N - bad - 1;

	ck_assert_int_eq(udp_open(&cfg, &to), 0);
	ck_assert_int_eq(getsockname(to, (struct sockaddr *)&sin, &len), 0);
	burst_make(&at, ntohs(sin.sin_port));
	burst.iov[bad] = (struct iovec){huge, sizeof(huge)};
	ck_assert_uint_eq(udp_send_many(fd, burst.out, N, &err), bad);
	ck_assert_int_eq(err, -EMSGSIZE);
	check_come(to, 0, bad);
	ck_assert_uint_eq(
		udp_send_many(fd, burst.out + bad + 1, rest, &err), rest);
	ck_assert_int_eq(err, 0);
	check_come(to, bad + 1, N);
	close(fd);
	close(to);
}

START_TEST(test_stop)
{
	static const size_t bad[] = {
		0, UDP_MANY - 1, UDP_MANY, UDP_MANY + 1, 2 * UDP_MANY, N - 1};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		check_stop(bad[i]);
}
END_TEST

/* A wire on which nobody says whose an address is: what is sent there waits. */
static int
open_wire(struct link *l)
{
	const struct prefix net = {here[0], 12};
	struct ifreq ifr = {.ifr_name = NAME, .ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	ck_assert_int_eq(link_setup(l, NAME, &here[0], &net, MTU), 0);
	return fd;
}

/* The caller is told how many went, and not to try at once. */
START_TEST(test_no_room)
{
	static const int size = SMALL;
	size_t sent, more;
	struct link *l;
	int fd, wire, err;

	if (!may_run())
		return;
	ck_assert_int_eq(link_open(&l), 0);
	wire = open_wire(l);
	fd = open_udp(4);
	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	burst_make(&there[0], PORT);
	sent = udp_send_many(fd, burst.out, N, &err);
	ck_assert_uint_gt(sent, 0);
	ck_assert_uint_lt(sent, N);
	ck_assert_int_eq(err, -EAGAIN);
	more = udp_send_many(fd, burst.out + sent, N - sent, &err);
	ck_assert_uint_eq(more, 0);
	ck_assert_int_eq(err, -EAGAIN);
	close(fd);
	close(wire);
	link_close(l);
}
END_TEST

RUN_TESTS("gwd udp room", test_stop, test_no_room)
