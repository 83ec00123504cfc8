/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many datagrams at a time, over loopback: cut and put together by the kernel,
 * each message with a destination of its own; what stops them and what does
 * not; sockets that share an address. */
#include "gwd/udp_many.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/udp_errors.h"
#include "tests/unit/gwd/netns.h"

#define BOUND_MS 5000
#define TOS	 0xb9
#define SEGMENT	 100
#define SEGMENTS 10
#define TAIL	 30
#define TOTAL	 ((SEGMENTS - 1) * SEGMENT + TAIL)
#define INS	 8

struct pair {
	struct addr addr[2];
	uint16_t port[2];
	int fd[2];
};

struct inbox {
	struct udp_in in[INS];
	uint8_t buf[INS][UDP_GRO_ROOM];
};

static struct inbox inbox; /* too large for the stack */

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
	static const struct addr v4 = {4, {127, 0, 0, 2}}, v6 = {6, {[15] = 1}};
	struct udp_config cfg = {0};
	int i;

	for (i = 0; i < 2; i++) {
		p->addr[i] = ver == 4 ? v4 : v6;
		if (ver == 4)
			p->addr[i].b[3] = (uint8_t)(2 + i);
		cfg.bind = p->addr[i];
		ck_assert_int_eq(udp_open(&cfg, &p->fd[i]), 0);
		p->port[i] = port_of(p->fd[i]);
	}
}

static void
pair_close(struct pair *p)
{
	close(p->fd[0]);
	close(p->fd[1]);
}

/* The first one's datagrams to the second. */
static void
pair_dest(const struct pair *p, uint8_t tos, struct udp_dest *d)
{
	const struct udp_to to = {.addr = p->addr[1],
		.port = p->port[1],
		.src = p->addr[0],
		.tos = tos};

	udp_dest_init(d, &to);
}

/* Some more have come, into inbox.in[0..]: how many. */
static int
receive(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	size_t i;
	int n;

	for (i = 0; i < INS; i++)
		inbox.in[i] = (struct udp_in){
			.buf = inbox.buf[i], .size = sizeof(inbox.buf[i])};
	ck_assert_int_eq(poll(&pfd, 1, BOUND_MS), 1);
	n = udp_recv_many(fd, inbox.in, INS);
	ck_assert_int_ge(n, 1);
	ck_assert_int_le(n, INS);
	return n;
}

static void
nothing_waits(int fd)
{
	ck_assert_int_eq(udp_recv_many(fd, inbox.in, INS), -EAGAIN);
}

static void
fill(uint8_t *b, size_t len, uint8_t first)
{
	size_t i;

	for (i = 0; i < len; i++)
		b[i] = (uint8_t)(first + i);
}

static void
check_origin(const struct pair *p, const struct udp_from *from, uint8_t tos)
{
	ck_assert(addr_eq(&from->from.addr, &p->addr[0]));
	ck_assert_uint_eq(from->from.port, p->port[0]);
	ck_assert(addr_eq(&from->to, &p->addr[1]));
	ck_assert_uint_eq(from->tos, tos);
}

/* One message in two pieces, cut into SEGMENTS. */
static void
send_cut(const struct pair *p, const uint8_t *bytes)
{
	struct iovec iov[] = {{(void *)(uintptr_t)bytes, 7},
		{(void *)(uintptr_t)(bytes + 7), TOTAL - 7}};
	struct udp_dest d;
	const struct udp_out out = {&d, iov, ARRAY_LEN(iov), SEGMENT};
	int err;

	pair_dest(p, TOS, &d);
	ck_assert_uint_eq(udp_send_many(p->fd[0], &out, 1, &err), 1);
	ck_assert_int_eq(err, 0);
}

static void
check_whole(uint8_t ver)
{
	uint8_t bytes[TOTAL];
	struct pair p;

	pair_open(&p, ver);
	fill(bytes, sizeof(bytes), ver);
	ck_assert_int_eq(udp_set_gro(p.fd[1], true), 0);
	send_cut(&p, bytes);
	ck_assert_int_eq(receive(p.fd[1]), 1);
	ck_assert_uint_eq(inbox.in[0].len, TOTAL);
	ck_assert_uint_eq(inbox.in[0].segment, SEGMENT);
	ck_assert(!inbox.in[0].lost);
	ck_assert_mem_eq(inbox.buf[0], bytes, TOTAL);
	check_origin(&p, &inbox.in[0].from, TOS);
	nothing_waits(p.fd[1]);
	pair_close(&p);
}

/* What is cut arrives as one where the kernel may put it together. */
START_TEST(test_whole)
{
	check_whole(4);
	check_whole(6);
}
END_TEST

static void
check_cut(uint8_t ver)
{
	uint8_t bytes[TOTAL];
	size_t len, done = 0;
	struct pair p;
	int n, i;

	pair_open(&p, ver);
	fill(bytes, sizeof(bytes), ver);
	ck_assert_int_eq(udp_set_gro(p.fd[1], true), 0);
	ck_assert_int_eq(udp_set_gro(p.fd[1], false), 0);
	send_cut(&p, bytes);
	while (done < TOTAL) {
		n = receive(p.fd[1]);
		for (i = 0; i < n; i++) {
			len = TOTAL - done < SEGMENT ? TAIL : SEGMENT;
			ck_assert_uint_eq(inbox.in[i].len, len);
			ck_assert_uint_eq(inbox.in[i].segment, 0);
			ck_assert_mem_eq(inbox.buf[i], bytes + done, len);
			check_origin(&p, &inbox.in[i].from, TOS);
			done += len;
		}
	}
	nothing_waits(p.fd[1]);
	pair_close(&p);
}

/* ... and one by one where it may not. */
START_TEST(test_cut)
{
	check_cut(4);
	check_cut(6);
}
END_TEST

/* Each message has its own destination, source, DSCP and size of segments. */
START_TEST(test_each)
{
	uint8_t bytes[4 * SEGMENT];
	struct pair p[3];
	struct udp_dest d[3];
	struct udp_out out[3];
	struct iovec iov[3];
	size_t i;
	int err;

	fill(bytes, sizeof(bytes), 0);
	for (i = 0; i < 3; i++) {
		pair_open(&p[i], 4);
		p[i].port[0] = p[0].port[0];
		p[i].addr[0].b[3] = (uint8_t)(20 + i);
		pair_dest(&p[i], (uint8_t)(i * 4), &d[i]);
		iov[i] = (struct iovec){bytes, (i + 2) * SEGMENT};
		out[i] = (struct udp_out){
			&d[i], &iov[i], 1, (uint16_t)(i * SEGMENT)};
		ck_assert_int_eq(udp_set_gro(p[i].fd[1], true), 0);
	}
	close(p[0].fd[0]); /* for one that may have any source */
	ck_assert_int_eq(udp_open(&(struct udp_config){.bind = addr_zero(4),
					  .port = p[0].port[0]},
				 &p[0].fd[0]),
		0);
	ck_assert_uint_eq(udp_send_many(p[0].fd[0], out, 3, &err), 3);
	ck_assert_int_eq(err, 0);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(receive(p[i].fd[1]), 1);
		ck_assert_uint_eq(inbox.in[0].len, (i + 2) * SEGMENT);
		ck_assert_uint_eq(inbox.in[0].segment, i * SEGMENT);
		check_origin(&p[i], &inbox.in[0].from, (uint8_t)(i * 4));
	}
	for (i = 0; i < 3; i++)
		pair_close(&p[i]);
}
END_TEST

/* More than one call of the kernel takes, in their order. */
START_TEST(test_many)
{
	enum {
		N = 2 * UDP_MANY + 5
	};
	struct iovec iov[N];
	struct udp_out out[N];
	uint8_t bytes[N];
	struct udp_dest d;
	struct pair p;
	int i, n, done, err;

	pair_open(&p, 4);
	pair_dest(&p, 0, &d);
	fill(bytes, N, 0);
	for (i = 0; i < N; i++) {
		iov[i] = (struct iovec){&bytes[i], 1};
		out[i] = (struct udp_out){&d, &iov[i], 1, 0};
	}
	ck_assert_uint_eq(udp_send_many(p.fd[0], out, N, &err), N);
	ck_assert_int_eq(err, 0);
	for (done = 0; done < N; done += n) {
		n = receive(p.fd[1]);
		for (i = 0; i < n; i++)
			ck_assert_uint_eq(inbox.buf[i][0], bytes[done + i]);
	}
	ck_assert_int_eq(done, N);
	ck_assert_uint_eq(udp_send_many(p.fd[0], out, 0, &err), 0);
	ck_assert_int_eq(err, 0);
	pair_close(&p);
}
END_TEST

/* One that can't go stops those behind it, until the caller goes on. */
START_TEST(test_stop)
{
	static uint8_t big[70000];
	uint8_t small = 7;
	struct iovec iov[] = {{&small, 1}, {big, sizeof(big)}, {&small, 1}};
	struct udp_out out[ARRAY_LEN(iov)];
	struct udp_dest d;
	struct pair p;
	size_t i;
	int err;

	pair_open(&p, 4);
	pair_dest(&p, 0, &d);
	for (i = 0; i < ARRAY_LEN(iov); i++)
		out[i] = (struct udp_out){&d, &iov[i], 1, 0};
	ck_assert_uint_eq(udp_send_many(p.fd[0], out, 3, &err), 1);
	ck_assert_int_eq(err, -EMSGSIZE);
	ck_assert_int_eq(receive(p.fd[1]), 1);
	ck_assert_uint_eq(udp_send_many(p.fd[0], out + 1, 2, &err), 0);
	ck_assert_int_eq(err, -EMSGSIZE);
	ck_assert_uint_eq(udp_send_many(p.fd[0], out + 2, 1, &err), 1);
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(receive(p.fd[1]), 1);
	nothing_waits(p.fd[1]);
	pair_close(&p);
}
END_TEST

/* Segments that no way takes, and more of them than the kernel cuts. */
START_TEST(test_segments)
{
	static uint8_t bytes[8 * 9000];
	struct iovec iov = {bytes, 0};
	unsigned most = udp_most_segments();
	struct udp_dest d;
	struct udp_out out = {&d, &iov, 1, 1};
	struct pair p;
	int err;

	ck_assert(most == 63 || most == 127);
	pair_open(&p, 4);
	pair_dest(&p, 0, &d);
	ck_assert_int_eq(udp_set_gro(p.fd[1], true), 0);
	iov.iov_len = most;
	ck_assert_uint_eq(udp_send_many(p.fd[0], &out, 1, &err), 1);
	ck_assert_int_eq(receive(p.fd[1]), 1);
	ck_assert_uint_eq(inbox.in[0].len, most);
	iov.iov_len = 129;
	ck_assert_uint_eq(udp_send_many(p.fd[0], &out, 1, &err), 0);
	ck_assert_int_eq(err, -EINVAL);
	iov.iov_len = sizeof(bytes);
	out.segment = 9000;
	ck_assert_uint_eq(udp_send_many(p.fd[0], &out, 1, &err), 0);
	ck_assert_int_eq(err, -EMSGSIZE);
	pair_close(&p);
}
END_TEST

static void
check_lost_source(uint8_t ver)
{
	static const struct addr gone[] = {
		{4, {192, 0, 2, 77}}, {6, {0x20, 0x01, 0x0d, 0xb8, [15] = 77}}};
	uint8_t bytes[2 * SEGMENT] = {0};
	struct iovec iov[] = {{bytes, SEGMENT}, {bytes, sizeof(bytes)}};
	struct udp_dest d;
	const struct udp_out out[] = {
		{&d, &iov[0], 1, 0}, {&d, &iov[1], 1, SEGMENT}};
	struct udp_to to = {.src = gone[ver == 6], .tos = TOS};
	struct pair p;
	int err;

	pair_open(&p, ver);
	to.addr = p.addr[1];
	to.port = p.port[1];
	udp_dest_init(&d, &to);
	ck_assert_int_eq(udp_set_gro(p.fd[1], true), 0);
	ck_assert_uint_eq(udp_send_many(p.fd[0], out, 2, &err), 2);
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(receive(p.fd[1]), 2);
	check_origin(&p, &inbox.in[0].from, TOS);
	check_origin(&p, &inbox.in[1].from, TOS);
	ck_assert_uint_eq(inbox.in[1].segment, SEGMENT);
	pair_close(&p);
}

/* An address that was ours once: they go all the same. */
START_TEST(test_lost_source)
{
	check_lost_source(4);
	check_lost_source(6);
}
END_TEST

/* What is said of another datagram does not stop this one. */
START_TEST(test_said_of_another)
{
	const struct endpoint peer = {{4, {198, 51, 100, 7}}, 1045};
	uint8_t byte = 1;
	struct iovec iov = {&byte, 1};
	struct udp_dest d;
	const struct udp_out out = {&d, &iov, 1, 0};
	const struct udp_config all = {.bind = addr_zero(4)};
	struct pair p;
	int err;

	if (!netns_enter()) {
		printf("skipped: no network of its own\n");
		return;
	}
	pair_open(&p, 4);
	pair_dest(&p, 0, &d);
	close(p.fd[0]);
	ck_assert_int_eq(udp_open(&all, &p.fd[0]), 0);
	ck_assert_int_eq(udp_errors_set(p.fd[0], 4, true), 0);
	netns_forge(0, 0, port_of(p.fd[0]), &peer);
	ck_assert_uint_eq(udp_send_many(p.fd[0], &out, 1, &err), 1);
	ck_assert_int_eq(receive(p.fd[1]), 1);
	/* It also wakes who reads, once. */
	netns_forge(0, 0, port_of(p.fd[0]), &peer);
	ck_assert_int_eq(udp_recv_many(p.fd[0], inbox.in, INS), -ENETUNREACH);
	nothing_waits(p.fd[0]);
	pair_close(&p);
}
END_TEST

/* One that is too long is lost, the next one is not. */
START_TEST(test_too_long)
{
	uint8_t bytes[SEGMENT];
	struct iovec iov[] = {{bytes, SEGMENT}, {bytes, SEGMENT / 2}};
	struct udp_dest d;
	const struct udp_out out[] = {{&d, &iov[0], 1, 0}, {&d, &iov[1], 1, 0}};
	struct udp_in in[] = {{.buf = inbox.buf[0], .size = SEGMENT - 1},
		{.buf = inbox.buf[1], .size = SEGMENT - 1}};
	struct pair p;
	int err;

	pair_open(&p, 6);
	pair_dest(&p, 0, &d);
	fill(bytes, sizeof(bytes), 0);
	ck_assert_uint_eq(udp_send_many(p.fd[0], out, 2, &err), 2);
	ck_assert_int_eq(udp_recv_many(p.fd[1], in, 2), 2);
	ck_assert(in[0].lost && !in[1].lost);
	ck_assert_uint_eq(in[1].len, SEGMENT / 2);
	pair_close(&p);
}
END_TEST

/* One with which more comes than there is room for is lost as a whole: where
 * its datagrams end may be what was cut off. */
START_TEST(test_more_than_known)
{
	static const int on = 1;
	uint8_t bytes[TOTAL];
	struct pair p;

	pair_open(&p, 6);
	fill(bytes, sizeof(bytes), 0);
	ck_assert_int_eq(udp_set_gro(p.fd[1], true), 0);
	ck_assert_int_eq(
		setsockopt(p.fd[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)),
		0);
	send_cut(&p, bytes);
	ck_assert_int_eq(receive(p.fd[1]), 1);
	ck_assert(inbox.in[0].lost);
	ck_assert_uint_eq(inbox.in[0].from.to.ver, 0);
	pair_close(&p);
}
END_TEST

/* --- sharing an address ------------------------------------------------- */

/* Each of many senders is heard by one of the two, and both hear some. */
static void
check_shared(const int fd[2], const struct addr *at)
{
	enum {
		SENDERS = 64
	};
	const struct udp_config cfg = {.bind = addr_zero(at->ver)};
	const struct udp_to to = {.addr = *at, .port = port_of(fd[0])};
	uint8_t byte = 1, buf[10];
	struct udp_from from;
	int heard[2] = {0}, i, sender;

	ck_assert_uint_eq(port_of(fd[1]), port_of(fd[0]));
	for (i = 0; i < SENDERS; i++) {
		ck_assert_int_eq(udp_open(&cfg, &sender), 0);
		ck_assert_int_eq(udp_send(sender, &byte, 1, &to), 0);
		close(sender);
	}
	for (i = 0; i < 2; i++)
		while (udp_recv(fd[i], buf, sizeof(buf), &from) == 1) {
			ck_assert(addr_eq(&from.to, at));
			heard[i]++;
		}
	ck_assert_int_eq(heard[0] + heard[1], SENDERS);
	ck_assert_int_gt(heard[0], 0);
	ck_assert_int_gt(heard[1], 0);
}

static void
check_beside(const struct addr *bind, const struct addr *at)
{
	struct udp_config cfg = {.bind = *bind};
	int fd[2], other;

	ck_assert_int_eq(udp_open(&cfg, &fd[0]), 0);
	ck_assert_int_eq(udp_open_beside(&cfg, fd[0], &fd[1]), 0);
	check_shared(fd, at);
	/* One that does not ask is refused. */
	cfg.port = port_of(fd[0]);
	ck_assert_int_eq(udp_open(&cfg, &other), -EADDRINUSE);
	close(fd[0]);
	close(fd[1]);
}

START_TEST(test_beside)
{
	const struct addr v4 = {4, {127, 0, 0, 5}}, v6 = {6, {[15] = 1}};
	const struct addr all4 = addr_zero(4), all6 = addr_zero(6);

	check_beside(&v4, &v4);
	check_beside(&all4, &v4);
	check_beside(&v6, &v6);
	check_beside(&all6, &v6);
}
END_TEST

/* A socket of systemd's making, which takes IPv4 too: where it is bound to is
 * what counts, not the settings. */
START_TEST(test_beside_adopted)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	const struct addr here = {6, {[15] = 1}};
	const struct udp_config cfg = {.bind = addr_zero(6), .port = 1045};
	int off = 0, fd[2] = {socket(AF_INET6, SOCK_DGRAM, 0), -1};

	ck_assert_int_eq(
		setsockopt(fd[0], IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)),
		0);
	ck_assert_int_eq(
		bind(fd[0], (const struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(udp_adopt(&cfg, fd[0]), 0);
	ck_assert_int_eq(udp_open_beside(&cfg, fd[0], &fd[1]), 0);
	check_shared(fd, &here);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* Another user's can't be shared, and goes on alone. */
START_TEST(test_beside_other_user)
{
	const struct addr here = {4, {127, 0, 0, 6}};
	const struct udp_config cfg = {.bind = here};
	struct udp_to to = {.addr = here};
	uint8_t byte = 1, buf[10];
	struct udp_from from;
	int fd, other;

	ck_assert_int_eq(udp_open(&cfg, &fd), 0);
	if (fchown(fd, 12345, (gid_t)-1)) {
		printf("skipped: only root can give a socket away\n");
		close(fd);
		return;
	}
	ck_assert_int_eq(udp_open_beside(&cfg, fd, &other), -EADDRINUSE);
	to.port = port_of(fd);
	ck_assert_int_eq(udp_send(fd, &byte, 1, &to), 0);
	ck_assert_int_eq(udp_recv(fd, buf, sizeof(buf), &from), 1);
	close(fd);
}
END_TEST

RUN_TESTS("gwd udp many", test_whole, test_cut, test_each, test_many, test_stop,
	test_segments, test_lost_source, test_said_of_another, test_too_long,
	test_more_than_known, test_beside, test_beside_adopted,
	test_beside_other_user)
