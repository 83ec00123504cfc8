/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket is not connected and does not ask for the error queue, so that an
 * ICMP error from one peer never fails a send to another.
 */
#include "gwd/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/counters.h"
#include "libipref/log.h"

#define BUFFER (4 << 20) /* bytes the kernel may queue, each way */

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno
								    : 0;
}

/* More than the limit of ordinary processes when we may; what the kernel gives
 * is enough to work. */
static void
set_buffers(int fd)
{
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER) &&
		set_int(fd, SOL_SOCKET, SO_RCVBUF, BUFFER))
		log_warn_errno(errno, "tunnel socket: small receive buffer");
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER) &&
		set_int(fd, SOL_SOCKET, SO_SNDBUF, BUFFER))
		log_warn_errno(errno, "tunnel socket: small send buffer");
}

static int
prepare(int fd, uint8_t ver)
{
	int flags = fcntl(fd, F_GETFL);
	int err;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	err = ver == 4 ? set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER,
				 IP_PMTUDISC_PROBE)
		       : set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
				 IPV6_PMTUDISC_PROBE);
	if (!err)
		set_buffers(fd);
	return err;
}

static int
bind_to(int fd, const struct addr *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len;

	/* "All addresses" of IPv6 shall not take IPv4's port too. */
	if (addr->ver == 6 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
		return -errno;
	addr_to_sockaddr(addr, port, &ss, &len);
	return bind(fd, (const struct sockaddr *)&ss, len) ? -errno : 0;
}

int
udp_open(const struct addr *addr, uint16_t port, int *out)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint e = {*addr, port};
	int fd, err;

	fd = socket(addr->ver == 4 ? AF_INET : AF_INET6,
		SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : prepare(fd, addr->ver);
	if (!err)
		err = bind_to(fd, addr, port);
	if (err) {
		log_err_errno(-err, "tunnel socket %s: can't be opened",
			endpoint_format(&e, text));
		if (fd >= 0)
			close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int
udp_adopt(int fd, uint8_t ver)
{
	int domain = 0, type = 0, err;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -errno;
	if (type != SOCK_DGRAM || domain != (ver == 4 ? AF_INET : AF_INET6)) {
		log_err("tunnel socket: the one handed over is not UDP on "
			"IPv%u",
			ver);
		return -EPROTOTYPE;
	}
	err = prepare(fd, ver);
	if (err)
		log_err_errno(-err, "tunnel socket: can't be prepared");
	return err;
}

ssize_t
udp_recv(int fd, uint8_t *buf, size_t size, struct endpoint *from)
{
	struct sockaddr_storage ss;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr mh = {
		.msg_name = &ss,
		.msg_namelen = sizeof(ss),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n;

	do
		n = recvmsg(fd, &mh, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (mh.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (!endpoint_from_sockaddr(
		    from, (const struct sockaddr *)&ss, mh.msg_namelen))
		return -EAFNOSUPPORT;
	return n;
}

int
udp_send(int fd, const uint8_t *pkt, size_t len, const struct addr *to,
	uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t sa_len;
	ssize_t n;

	addr_to_sockaddr(to, port, &ss, &sa_len);
	do
		n = sendto(fd, pkt, len, MSG_NOSIGNAL,
			(const struct sockaddr *)&ss, sa_len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int
raw_open(int *out)
{
	int fd = socket(
		AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);

	if (fd < 0)
		return -errno;
	*out = fd;
	return 0;
}

int
raw_send(int fd, const uint8_t *pkt, size_t len)
{
	struct addr src, dst;

	counters_addrs(pkt, len, &src, &dst);
	if (dst.ver != 4)
		return -EINVAL;
	return udp_send(fd, pkt, len, &dst, 0);
}
