/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/udp_errors.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
/* after the sockets */
#include <linux/errqueue.h>

#define SKIPS_MAX 64

int
udp_errors_set(int fd, uint8_t ver, bool on)
{
	int value = on;
	int err = ver == 4 ? setsockopt(fd, IPPROTO_IP, IP_RECVERR, &value,
				     sizeof(value))
			   : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &value,
				     sizeof(value));

	return err ? -errno : 0;
}

bool
udp_errors_any(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

void
udp_errors_clear(int fd)
{
	socklen_t len = sizeof(int);
	int error;

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

/* The kernel's struct, with the address of who says it behind. */
static bool
read_message(const struct cmsghdr *c, struct udp_error *e)
{
	struct sock_extended_err see;
	struct sockaddr_storage ss;
	size_t len = c->cmsg_len - CMSG_LEN(0), rest;
	const uint8_t *data = CMSG_DATA(c);
	struct endpoint from = {0};

	if (len < sizeof(see))
		return false;
	memcpy(&see, data, sizeof(see));
	rest = len - sizeof(see);
	if (rest > sizeof(ss))
		rest = sizeof(ss);
	memcpy(&ss, data + sizeof(see), rest);
	switch (see.ee_origin) {
	case SO_EE_ORIGIN_LOCAL:
		break;
	case SO_EE_ORIGIN_ICMP:
	case SO_EE_ORIGIN_ICMP6:
		if (!endpoint_from_sockaddr(&from, (const struct sockaddr *)&ss,
			    (socklen_t)rest))
			return false;
		break;
	default:
		return false;
	}
	e->from = from.addr;
	e->error = (int)see.ee_errno;
	e->mtu = e->error == EMSGSIZE ? see.ee_info : 0;
	return true;
}

static bool
find_message(struct msghdr *mh, struct udp_error *e)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
			return read_message(c, e);
		if (c->cmsg_level == IPPROTO_IPV6 &&
			c->cmsg_type == IPV6_RECVERR)
			return read_message(c, e);
	}
	return false;
}

/* 1: one was read; 0: one was read that means nothing here. */
static int
read_one(int fd, struct udp_error *e)
{
	char control[256] __attribute__((aligned(sizeof(size_t))));
	struct sockaddr_storage ss;
	struct endpoint to;
	struct iovec iov = {.iov_base = e->quote, .iov_len = sizeof(e->quote)};
	struct msghdr mh = {
		.msg_name = &ss,
		.msg_namelen = sizeof(ss),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	e->quote_len = (size_t)n;
	if (!endpoint_from_sockaddr(
		    &to, (const struct sockaddr *)&ss, mh.msg_namelen))
		return 0;
	e->to = to.addr;
	return find_message(&mh, e);
}

int
udp_errors_next(int fd, struct udp_error *e)
{
	int i, n;

	for (i = 0; i < SKIPS_MAX; i++) {
		n = read_one(fd, e);
		if (n)
			return n < 0 ? n : 0;
	}
	return -EAGAIN;
}
