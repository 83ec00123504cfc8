/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TUN device in a network of the test's own: sockets send to `there`, behind
 * the device, and get what is written to it for `here`. */
#ifndef TESTS_UNIT_GWD_TUN_RIG_H
#define TESTS_UNIT_GWD_TUN_RIG_H

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gwd/link.h"
#include "gwd/offload.h"
#include "gwd/tun.h"
#include "gwd/udp_many.h"
#include "tests/unit/gwd/netns.h"

#define NAME	 "tun-test"
#define MTU	 1500
#define BOUND_MS 5000
#define SEGMENT	 100
#define SEGMENTS 10
#define TAIL	 30
#define TOTAL	 ((SEGMENTS - 1) * SEGMENT + TAIL)
#define PORT	 7777
#define QUEUES	 2

#define IP6_HEADER 40
#define UDP_HEADER 8

static const struct addr here[] = {{4, {10, 240, 0, 1}}, {6, {0xfd, [15] = 1}}};
static const struct addr there[] = {
	{4, {10, 240, 0, 9}}, {6, {0xfd, [15] = 9}}};

struct rig {
	struct link *link;
	int fd[QUEUES];
	unsigned n;
};

struct packet {
	struct virtio_net_hdr vnet;
	uint8_t buf[OFFLOAD_HEADER + 65535];
	const uint8_t *p; /* IP */
	size_t len;
	size_t l4;    /* where layer 4 begins */
	uint16_t src; /* port */
	unsigned queue;
};

static struct packet packet; /* too large for the stack */

static inline size_t
ip_header(uint8_t ver)
{
	return ver == 4 ? 20 : IP6_HEADER;
}

/* False: not here, which was said. */
static inline bool
may_run(void)
{
	if (netns_enter() && !access("/dev/net/tun", R_OK | W_OK))
		return true;
	printf("skipped: no network or TUN device of its own\n");
	return false;
}

/* The kernel takes an IPv6 address of its own for one a moment after it was
 * set: until then the way to it is the network's. */
static inline bool
is_own(int fd)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);
	struct sockaddr_storage ss;
	socklen_t ss_len;

	addr_to_sockaddr(&here[1], PORT, &ss, &ss_len);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&ss, ss_len), 0);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len), 0);
	return mtu > MTU;
}

static inline void
wait_until_own(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), ms = 0;

	ck_assert_int_ge(fd, 0);
	while (!is_own(fd) && ms++ < BOUND_MS)
		ck_assert_int_eq(poll(NULL, 0, 1), 0);
	ck_assert_int_le(ms, BOUND_MS);
	close(fd);
}

/* In the test's network. */
static inline void
rig_attach(struct rig *r, unsigned queues)
{
	const struct prefix nets[] = {{here[0], 12}, {here[1], 64}};
	size_t i;

	ck_assert_int_eq(link_open(&r->link), 0);
	ck_assert_int_eq(
		tun_open_queues(r->link, NAME, queues, r->fd, &r->n), 0);
	for (i = 0; i < ARRAY_LEN(here); i++)
		ck_assert_int_eq(
			link_setup(r->link, NAME, &here[i], &nets[i], MTU), 0);
	wait_until_own();
}

static inline bool
rig_open(struct rig *r, unsigned queues)
{
	if (!may_run())
		return false;
	rig_attach(r, queues);
	return true;
}

static inline void
rig_close(struct rig *r)
{
	while (r->n)
		close(r->fd[--r->n]);
	link_close(r->link);
}

/* Whether it is of UDP or TCP to `there`; the kernel sends more. */
static inline bool
parse(struct packet *k, size_t len, uint8_t proto)
{
	struct rbuf r;
	uint8_t ver;

	ck_assert_uint_gt(len, OFFLOAD_HEADER);
	memcpy(&k->vnet, k->buf, sizeof(k->vnet));
	k->p = k->buf + OFFLOAD_HEADER;
	k->len = len - OFFLOAD_HEADER;
	ver = k->p[0] >> 4;
	k->l4 = ip_header(ver);
	if (k->p[ver == 4 ? 9 : 6] != proto)
		return false;
	rbuf_init(&r, k->p + k->l4, k->len - k->l4);
	k->src = rbuf_be16(&r);
	ck_assert_uint_eq(rbuf_be16(&r), PORT);
	return true;
}

/* The next packet of interest, of any queue. */
static inline void
read_packet(const struct rig *r, uint8_t proto)
{
	struct pollfd pfd[QUEUES];
	unsigned i;
	ssize_t n;

	for (i = 0; i < r->n; i++)
		pfd[i] = (struct pollfd){.fd = r->fd[i], .events = POLLIN};
	for (;;) {
		ck_assert_int_gt(poll(pfd, r->n, BOUND_MS), 0);
		for (i = 0; !(pfd[i].revents & POLLIN); i++)
			;
		n = tun_read(r->fd[i], packet.buf, sizeof(packet.buf));
		ck_assert_int_gt(n, 0);
		packet.queue = i;
		if (parse(&packet, (size_t)n, proto))
			return;
	}
}

/* Nothing of interest is left. */
static inline void
nothing_waits(const struct rig *r, uint8_t proto)
{
	unsigned i;
	ssize_t n;

	for (i = 0; i < r->n; i++) {
		while ((n = tun_read(
				r->fd[i], packet.buf, sizeof(packet.buf))) > 0)
			ck_assert(!parse(&packet, (size_t)n, proto));
		ck_assert_int_eq(n, -EAGAIN);
	}
}

/* Of UDP or TCP, over the whole packet: 0 when the field is right. */
static inline uint16_t
l4_sum(const struct packet *k, uint8_t proto)
{
	size_t len = k->len - k->l4;
	const uint8_t *addrs = k->p + (k->l4 == 20 ? 12 : 8);

	return cksum_field(cksum_sum(addrs, k->l4 == 20 ? 8 : 32) + proto +
			   (uint32_t)len + cksum_sum(k->p + k->l4, len));
}

static inline int
open_udp(uint8_t ver)
{
	const struct udp_config cfg = {.bind = addr_zero(ver)};
	int fd;

	ck_assert_int_eq(udp_open(&cfg, &fd), 0);
	return fd;
}

/* TOTAL bytes, cut into datagrams of this size: 0 or -errno. */
static inline int
send_cut(int fd, const struct addr *to, uint16_t segment)
{
	static uint8_t bytes[TOTAL];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct udp_dest d;
	const struct udp_out out = {&d, &iov, 1, segment};
	int err;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	udp_dest_init(&d, &(struct udp_to){.addr = *to, .port = PORT});
	ck_assert_uint_eq(udp_send_many(fd, &out, 1, &err), err ? 0 : 1);
	return err;
}

/* A datagram's bytes, which are those of a stream from this position. */
static inline void
check_bytes(const uint8_t *b, size_t len, size_t from)
{
	size_t i;

	for (i = 0; i < len; i++)
		ck_assert_uint_eq(b[i], (uint8_t)(from + i));
}

#endif
