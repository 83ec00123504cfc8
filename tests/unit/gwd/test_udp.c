/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel socket, over loopback: to which address a datagram came, from
 * which one goes out, DSCP and ECN both ways, mark and device. */
#include "gwd/udp.h"

#include <errno.h>
#include <linux/udp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "gwd/udp_errors.h"
#include "tests/unit/gwd/netns.h"

#define BOUND_MS 5000
#define TOS	 0xb9 /* expedited forwarding, ECT(1) */

struct pair {
	struct addr near[2]; /* addresses of the socket bound to all */
	struct addr far;     /* that of the other */
	int all, one;
	uint16_t all_port, one_port;
};

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint e;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert(
		endpoint_from_sockaddr(&e, (const struct sockaddr *)&ss, len));
	return e.port;
}

/* IPv6 has one loopback address only. */
static void
pair_open(struct pair *p, uint8_t ver)
{
	const struct addr v4 = {4, {127, 0, 0, 2}}, v6 = {6, {[15] = 1}};
	struct udp_config all = {.bind = addr_zero(ver)}, one = {0};

	p->near[0] = p->near[1] = p->far = ver == 4 ? v4 : v6;
	if (ver == 4) {
		p->near[1].b[3] = 3;
		p->far.b[3] = 4;
	}
	one.bind = p->far;
	ck_assert_int_eq(udp_open(&all, &p->all), 0);
	ck_assert_int_eq(udp_open(&one, &p->one), 0);
	p->all_port = port_of(p->all);
	p->one_port = port_of(p->one);
}

static void
pair_close(struct pair *p)
{
	close(p->all);
	close(p->one);
}

static void
receive(int fd, const char *text, struct udp_from *from)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint8_t buf[100];
	ssize_t n;

	ck_assert_int_eq(poll(&pfd, 1, BOUND_MS), 1);
	n = udp_recv(fd, buf, sizeof(buf), from);
	ck_assert_int_eq(n, (ssize_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
}

static void
transmit(int fd, const char *text, const struct udp_to *to)
{
	uint8_t buf[100];
	size_t len = strlen(text);

	memcpy(buf, text, len);
	ck_assert_int_eq(udp_send(fd, buf, len, to), 0);
}

/* One to each address of ours; each answer leaves from there. */
static void
check_addresses(uint8_t ver)
{
	struct udp_from from;
	struct udp_to to;
	struct pair p;
	size_t i;

	pair_open(&p, ver);
	for (i = 0; i < ARRAY_LEN(p.near); i++) {
		to = (struct udp_to){.addr = p.near[i], .port = p.all_port};
		transmit(p.one, "there", &to);
		receive(p.all, "there", &from);
		ck_assert(addr_eq(&from.from.addr, &p.far));
		ck_assert_uint_eq(from.from.port, p.one_port);
		ck_assert(addr_eq(&from.to, &p.near[i]));
		to = (struct udp_to){.addr = from.from.addr,
			.port = from.from.port,
			.src = from.to};
		transmit(p.all, "back", &to);
		receive(p.one, "back", &from);
		ck_assert(addr_eq(&from.from.addr, &p.near[i]));
		ck_assert_uint_eq(from.from.port, p.all_port);
	}
	pair_close(&p);
}

START_TEST(test_addresses)
{
	check_addresses(4);
	check_addresses(6);
}
END_TEST

static void
check_tos(uint8_t ver)
{
	struct udp_from from;
	struct udp_to to;
	struct pair p;
	int i;

	pair_open(&p, ver);
	to = (struct udp_to){.addr = p.near[0], .port = p.all_port};
	for (i = 0; i < 3; i++) {
		to.tos = i == 1 ? TOS : 0;
		to.src = i == 2 ? p.far : (struct addr){0};
		transmit(p.one, "x", &to);
		receive(p.all, "x", &from);
		ck_assert_uint_eq(from.tos, to.tos);
	}
	to.tos = TOS;
	transmit(p.one, "x", &to);
	receive(p.all, "x", &from);
	ck_assert_uint_eq(from.tos, TOS);
	pair_close(&p);
}

START_TEST(test_tos)
{
	check_tos(4);
	check_tos(6);
}
END_TEST

/* An address that was ours once: the datagram goes all the same. */
static void
check_lost_address(uint8_t ver)
{
	static const struct addr gone[] = {
		{4, {192, 0, 2, 77}},
		{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 77}},
	};
	struct udp_from from;
	struct udp_to to;
	struct pair p;

	pair_open(&p, ver);
	to = (struct udp_to){.addr = p.far,
		.port = p.one_port,
		.src = gone[ver == 6],
		.tos = TOS};
	transmit(p.all, "still", &to);
	receive(p.one, "still", &from);
	ck_assert(!addr_eq(&from.from.addr, &gone[ver == 6]));
	ck_assert_uint_eq(from.tos, TOS);
	pair_close(&p);
}

START_TEST(test_lost_address)
{
	check_lost_address(4);
	check_lost_address(6);
}
END_TEST

/* What is said of another datagram does not take the source from this one. */
START_TEST(test_unreachable_other)
{
	const struct udp_config all = {.bind = addr_zero(4)};
	const struct udp_config one = {.bind = {4, {127, 0, 0, 4}}};
	const struct endpoint peer = {{4, {198, 51, 100, 7}}, 1045};
	struct udp_to to = {.addr = one.bind, .src = {4, {127, 0, 0, 3}}};
	struct udp_from from;
	int fd, far;

	if (!netns_enter())
		return;
	ck_assert_int_eq(udp_open(&all, &fd), 0);
	ck_assert_int_eq(udp_open(&one, &far), 0);
	ck_assert_int_eq(udp_errors_set(fd, 4, true), 0);
	to.port = port_of(far);
	netns_forge(0, 0, port_of(fd), &peer);
	transmit(fd, "x", &to);
	receive(far, "x", &from);
	ck_assert(addr_eq(&from.from.addr, &to.src));
	close(fd);
	close(far);
}
END_TEST

/* Without the right to set it, the start fails and says why. */
START_TEST(test_mark)
{
	const struct udp_config cfg = {
		.bind = {4, {127, 0, 0, 1}}, .mark = 0x80000001};
	uint32_t mark = 0;
	socklen_t len = sizeof(mark);
	int fd, err = udp_open(&cfg, &fd);

	if (err) {
		ck_assert_int_eq(err, -EPERM);
		ck_assert_uint_ne(geteuid(), 0);
		return;
	}
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len), 0);
	ck_assert_uint_eq(mark, cfg.mark);
	close(fd);
}
END_TEST

START_TEST(test_device)
{
	struct udp_config cfg = {
		.bind = {4, {127, 0, 0, 1}}, .device = "no-such-device"};
	char name[16] = "";
	socklen_t len = sizeof(name);
	int fd;

	ck_assert_int_eq(udp_open(&cfg, &fd), -ENODEV);
	cfg.device = "lo";
	ck_assert_int_eq(udp_open(&cfg, &fd), 0);
	ck_assert_int_eq(
		getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	ck_assert_str_eq(name, "lo");
	close(fd);
}
END_TEST

/* A socket of somebody else's making gets all that ours has. */
START_TEST(test_adopt)
{
	const struct udp_config v4 = {.bind = {.ver = 4}};
	const struct udp_config v6 = {.bind = {.ver = 6}};
	const struct sockaddr_in any = {.sin_family = AF_INET};
	const struct addr here = {4, {127, 0, 0, 5}};
	struct udp_from from;
	struct udp_to to = {.addr = here, .tos = TOS};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int stream = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(
		bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(udp_adopt(&v6, fd), -EPROTOTYPE);
	ck_assert_int_eq(udp_adopt(&v4, stream), -EPROTOTYPE);
	ck_assert_int_eq(udp_adopt(&v4, fd), 0);
	to.port = port_of(fd);
	transmit(fd, "me", &to);
	receive(fd, "me", &from);
	ck_assert(addr_eq(&from.to, &here));
	ck_assert_uint_eq(from.tos, TOS);
	close(fd);
	close(stream);
}
END_TEST

static int
get_int(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

/* What was asked of it before us is not done any more: without that, so much
 * comes with a datagram that some of it is cut off. */
START_TEST(test_adopt_used)
{
	const struct udp_config cfg = {.bind = addr_zero(6)};
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	const struct addr here = {6, {[15] = 1}};
	struct udp_to to = {.addr = here, .tos = TOS};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
	struct udp_from from;

	ck_assert_int_eq(
		bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)), 0);
	ck_assert_int_eq(
		setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)), 0);
	ck_assert_int_eq(udp_adopt(&cfg, fd), 0);
	ck_assert_int_eq(get_int(fd, SOL_SOCKET, SO_TIMESTAMP), 0);
	ck_assert_int_eq(get_int(fd, IPPROTO_UDP, UDP_GRO), 0);
	to.port = port_of(fd);
	transmit(fd, "me", &to);
	receive(fd, "me", &from);
	ck_assert(addr_eq(&from.to, &here));
	ck_assert_uint_eq(from.tos, TOS);
	close(fd);
}
END_TEST

/* One with which more comes than there is room for is not taken in part. */
START_TEST(test_more_than_known)
{
	int on = 1, off = 0;
	struct udp_from from;
	struct udp_to to;
	uint8_t buf[100];
	struct pair p;

	pair_open(&p, 6);
	to = (struct udp_to){.addr = p.near[0], .port = p.all_port};
	ck_assert_int_eq(
		setsockopt(p.all, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)),
		0);
	transmit(p.one, "x", &to);
	transmit(p.one, "y", &to);
	ck_assert_int_eq(udp_recv(p.all, buf, sizeof(buf), &from), -EMSGSIZE);
	ck_assert_int_eq(
		setsockopt(p.all, SOL_SOCKET, SO_TIMESTAMP, &off, sizeof(off)),
		0);
	receive(p.all, "y", &from);
	ck_assert(addr_eq(&from.to, &p.near[0]));
	pair_close(&p);
}
END_TEST

START_TEST(test_too_long)
{
	uint8_t big[200] = {0}, buf[100];
	struct udp_from from;
	struct udp_to to;
	struct pair p;

	pair_open(&p, 4);
	to = (struct udp_to){.addr = p.near[0], .port = p.all_port};
	ck_assert_int_eq(udp_send(p.one, big, sizeof(big), &to), 0);
	ck_assert_int_eq(udp_recv(p.all, buf, sizeof(buf), &from), -EMSGSIZE);
	ck_assert_int_eq(udp_recv(p.all, buf, sizeof(buf), &from), -EAGAIN);
	pair_close(&p);
}
END_TEST

RUN_TESTS("gwd udp", test_addresses, test_tos, test_lost_address,
	test_unreachable_other, test_mark, test_device, test_adopt,
	test_adopt_used, test_more_than_known, test_too_long)
