/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network of this process alone, of loopback only, in which the network's
 * messages can be made up. Check runs each test in a process of its own. */
#ifndef TESTS_UNIT_GWD_NETNS_H
#define TESTS_UNIT_GWD_NETNS_H

#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/cksum.h"
#include "libipref/addr.h"
#include "libipref/buf.h"
#include "tests/unit/run.h"

/* All of IPv4 is behind the loopback device. */
static inline void
netns_set_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct rtentry rt = {.rt_flags = RTF_UP, .rt_dev = ifr.ifr_name};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	rt.rt_dst.sa_family = rt.rt_genmask.sa_family = AF_INET;
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	ck_assert_int_eq(ioctl(fd, SIOCADDRT, &rt), 0);
	close(fd);
}

/* False: this process may not have one. */
static inline bool
netns_enter(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	netns_set_up();
	return true;
}

/* Somebody says of a datagram from 127.0.0.1 to that peer that it did not get
 * there; of it he quotes no payload. value: the last two bytes of the message's
 * header. */
static inline void
netns_forge(uint8_t code, uint16_t value, uint16_t port,
	const struct endpoint *peer)
{
	const struct addr here = {4, {127, 0, 0, 1}};
	struct sockaddr_storage ss;
	uint8_t m[8 + 20 + 8];
	struct wbuf w;
	socklen_t len;
	int fd;

	wbuf_init(&w, m, sizeof(m));
	wbuf_be16(&w, 0x0300u | code);
	wbuf_be32(&w, 0);
	wbuf_be16(&w, value);
	wbuf_be32(&w, 0x45000000 | 1000); /* a longer one, as it were */
	wbuf_be32(&w, 0x00004000);	  /* DF */
	wbuf_be32(&w, 0x40110000);	  /* TTL 64, UDP */
	addr_put(&w, &here, 4);
	addr_put(&w, &peer->addr, 4);
	wbuf_be16(&w, port);
	wbuf_be16(&w, peer->port);
	wbuf_be32(&w, 980u << 16);
	ck_assert(wbuf_ok(&w) && w.len == sizeof(m));
	wbuf_patch16(&w, 18, cksum_field(cksum_sum(m + 8, 20)));
	wbuf_patch16(&w, 2, cksum_field(cksum_sum(m, sizeof(m))));
	addr_to_sockaddr(&here, 0, &ss, &len);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		sendto(fd, m, sizeof(m), 0, (const struct sockaddr *)&ss, len),
		(ssize_t)sizeof(m));
	close(fd);
}

#endif
