/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is not read in time is lost, and counted: at the device, at each socket.
 * What was lost before somebody counts is not. */
#include "gwd/kernel_drops.h"

#include <event2/event.h>
#include <fcntl.h>

#include "tests/unit/gwd/tun_rig.h"

#define FLOOD 6000 /* more than the device's queue has room for */
#define NOISE 32   /* packets of the kernel's own, at most */
#define SMALL 4096 /* bytes that a socket with little room may hold */

/* Of the test's process. */
static struct event_base *base;

static struct kernel_drops *
begin(const char *device, const int *fds, size_t n)
{
	struct kernel_drops_config cfg = {
		.device = device,
		.fds = fds,
		.n = n,
	};
	struct kernel_drops *k;

	cfg.base = base = event_base_new();
	k = kernel_drops_new(&cfg);
	ck_assert_ptr_nonnull(k);
	return k;
}

static void
end(struct kernel_drops *k)
{
	kernel_drops_free(k);
	event_base_free(base);
}

static void
flood(int fd, const struct addr *to, uint16_t port)
{
	static struct udp_out out[FLOOD];
	uint8_t bytes[64] = {0};
	struct iovec iov = {bytes, sizeof(bytes)};
	struct udp_dest d;
	size_t i;
	int err;

	udp_dest_init(&d, &(struct udp_to){.addr = *to, .port = port});
	for (i = 0; i < FLOOD; i++)
		out[i] = (struct udp_out){&d, &iov, 1, 0};
	ck_assert_uint_eq(udp_send_many(fd, out, FLOOD, &err), FLOOD);
	ck_assert_int_eq(err, 0);
}

/* Of UDP, at the device. */
static size_t
read_waiting_packets(const struct rig *r)
{
	size_t count = 0;
	ssize_t n;

	while ((n = tun_read(r->fd[0], packet.buf, sizeof(packet.buf))) > 0)
		count += parse(&packet, (size_t)n, IPPROTO_UDP);
	return count;
}

START_TEST(test_device)
{
	struct kernel_drops *k;
	struct kernel_dropped now;
	size_t got, lost = 0;
	struct rig r;
	int fd, round;

	if (!rig_open(&r, 1))
		return;
	fd = open_udp(4);
	flood(fd, &there[0], PORT);
	ck_assert_uint_lt(read_waiting_packets(&r), FLOOD);
	k = begin(NAME, NULL, 0);
	ck_assert_uint_le(kernel_drops_get(k).device, NOISE);
	for (round = 0; round < 2; round++) {
		flood(fd, &there[0], PORT);
		now = kernel_drops_get(k);
		got = read_waiting_packets(&r);
		ck_assert_uint_gt(got, 0);
		ck_assert_uint_lt(got, FLOOD);
		lost += FLOOD - got;
		ck_assert_uint_ge(now.device, lost);
		ck_assert_uint_le(now.device, lost + NOISE);
		ck_assert_uint_eq(now.sockets, 0);
	}
	end(k);
	close(fd);
	rig_close(&r);
}
END_TEST

/* Of a device that has gone the last count stays; another one of its name has a
 * count of its own. */
START_TEST(test_another_device)
{
	struct kernel_dropped then, now;
	struct kernel_drops *k;
	struct rig r;
	int fd;

	if (!rig_open(&r, 1))
		return;
	fd = open_udp(4);
	k = begin(NAME, NULL, 0);
	flood(fd, &there[0], PORT);
	then = kernel_drops_get(k);
	ck_assert_uint_gt(then.device, 0);
	ck_assert_int_eq(ioctl(r.fd[0], TUNSETPERSIST, 0), 0);
	rig_close(&r);
	now = kernel_drops_get(k);
	ck_assert_uint_eq(now.device, then.device);
	rig_attach(&r, 1);
	now = kernel_drops_get(k);
	ck_assert_uint_eq(now.device, then.device);
	end(k);
	close(fd);
	rig_close(&r);
}
END_TEST

static void
open_small(const struct addr *at, int *fd, uint16_t *port)
{
	static const int size = SMALL;
	const struct udp_config cfg = {.bind = *at};
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	ck_assert_int_eq(udp_open(&cfg, fd), 0);
	ck_assert_int_eq(
		setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	ck_assert_int_eq(getsockname(*fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
}

static size_t
read_waiting_datagrams(int fd)
{
	uint8_t buf[100];
	struct udp_from from;
	size_t count = 0;

	while (udp_recv(fd, buf, sizeof(buf), &from) >= 0)
		count++;
	return count;
}

START_TEST(test_sockets)
{
	const struct addr at = {4, {127, 0, 0, 7}};
	struct kernel_drops *k;
	struct kernel_dropped now;
	uint16_t port[2];
	int fds[2], fd, i;
	size_t got, lost = 0;

	if (!netns_enter()) {
		printf("skipped: no network of its own\n");
		return;
	}
	fd = open_udp(4);
	for (i = 0; i < 2; i++) {
		open_small(&at, &fds[i], &port[i]);
		flood(fd, &at, port[i]);
		ck_assert_uint_lt(read_waiting_datagrams(fds[i]), FLOOD);
	}
	k = begin("lo", fds, ARRAY_LEN(fds));
	ck_assert_uint_eq(kernel_drops_get(k).sockets, 0);
	for (i = 0; i < 2; i++) {
		flood(fd, &at, port[i]);
		now = kernel_drops_get(k);
		got = read_waiting_datagrams(fds[i]);
		ck_assert_uint_gt(got, 0);
		ck_assert_uint_lt(got, FLOOD);
		lost += FLOOD - got;
		ck_assert_uint_eq(now.sockets, lost);
		ck_assert_uint_eq(now.device, 0);
	}
	end(k);
	for (i = 0; i < 2; i++)
		close(fds[i]);
	close(fd);
}
END_TEST

/* Neither a device nor a socket. */
START_TEST(test_refused)
{
	struct kernel_drops_config cfg = {.device = "no-such"};
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cfg.base = base = event_base_new();
	ck_assert_ptr_null(kernel_drops_new(&cfg));
	cfg = (struct kernel_drops_config){base, "lo", &file, 1};
	ck_assert_ptr_null(kernel_drops_new(&cfg));
	cfg.n = 0;
	end(kernel_drops_new(&cfg));
	close(file);
}
END_TEST

RUN_TESTS("gwd kernel drops", test_device, test_another_device, test_sockets,
	test_refused)
