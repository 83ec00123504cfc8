/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A send may fail for what the network said of another datagram (udp_errors.h):
 * an error says something of this one only when it comes again.
 */
#include "gwd/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/counters.h"
#include "gwd/udp_impl.h"
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

struct option {
	int level, name, value;
};

static int
set_options(int fd, uint8_t ver)
{
	static const struct option options[2][3] = {
		{{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE},
			{IPPROTO_IP, IP_PKTINFO, 1},
			{IPPROTO_IP, IP_RECVTOS, 1}},
		{{IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE},
			{IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
			{IPPROTO_IPV6, IPV6_RECVTCLASS, 1}},
	};
	const struct option *o = options[ver == 6];
	size_t i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_LEN(options[0]); i++)
		err = set_int(fd, o[i].level, o[i].name, o[i].value);
	return err;
}

/* A socket that somebody else made, and that outlives us, may have more than we
 * reckon with: its user before asked for it (UDP_GRO), or systemd did
 * (Timestamping=). What the kernel does not know it does not do. */
static void
clear_options(int fd)
{
	(void)set_int(fd, IPPROTO_UDP, UDP_GRO, 0);
	(void)set_int(fd, SOL_SOCKET, SO_TIMESTAMP, 0);
}

static int
set_mark(int fd, uint32_t mark)
{
	int err;

	if (!mark || !setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return 0;
	err = errno;
	log_err_errno(err, "mark %u: not set on the tunnel socket", mark);
	return -err;
}

static int
set_device(int fd, const char *device)
{
	int err;

	if (!device || !setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
			       (socklen_t)strlen(device)))
		return 0;
	err = errno;
	log_err_errno(
		err, "device %s: the tunnel socket is not bound to it", device);
	return -err;
}

static int
prepare(const struct udp_config *cfg, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	int err;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	clear_options(fd);
	err = set_options(fd, cfg->bind.ver);
	if (!err)
		err = set_mark(fd, cfg->mark);
	if (!err)
		err = set_device(fd, cfg->device);
	if (!err)
		set_buffers(fd);
	return err;
}

static int
bind_to(int fd, const struct endpoint *e, bool v6_only)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (e->addr.ver == 6 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only))
		return -errno;
	addr_to_sockaddr(&e->addr, e->port, &ss, &len);
	return bind(fd, (const struct sockaddr *)&ss, len) ? -errno : 0;
}

/* A socket that is prepared, not yet bound. */
static int
make(const struct udp_config *cfg, int *out)
{
	int fd = socket(cfg->bind.ver == 4 ? AF_INET : AF_INET6,
		SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : prepare(cfg, fd);

	if (!err)
		*out = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

static int
failed(int err, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	log_err_errno(-err, "tunnel socket %s: can't be opened",
		endpoint_format(e, text));
	return err;
}

int
udp_open(const struct udp_config *cfg, int *out)
{
	const struct endpoint e = {cfg->bind, cfg->port};
	int fd, err = make(cfg, &fd);

	if (err)
		return failed(err, &e);
	/* "All addresses" of IPv6 shall not take IPv4's port too. */
	err = bind_to(fd, &e, true);
	if (err) {
		close(fd);
		return failed(err, &e);
	}
	*out = fd;
	return 0;
}

/* Where a socket is bound to; an IPv6 one to all addresses may have IPv4's,
 * too, when somebody else made it. */
static int
bound_to(int fd, struct endpoint *e, bool *v6_only)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss), int_len = sizeof(int);
	int only = 0;

	if (getsockname(fd, (struct sockaddr *)&ss, &len))
		return -errno;
	if (!endpoint_from_sockaddr(e, (const struct sockaddr *)&ss, len))
		return -EAFNOSUPPORT;
	if (e->addr.ver == 6 &&
		getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &int_len))
		return -errno;
	*v6_only = only;
	return 0;
}

/* The first one was bound without sharing, so that it is nobody else's; from
 * now on it shares with those of its user. */
int
udp_open_beside(const struct udp_config *cfg, int first, int *out)
{
	struct endpoint e = {0};
	bool v6_only = false;
	int fd, err;

	err = bound_to(first, &e, &v6_only);
	if (!err)
		err = set_int(first, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = make(cfg, &fd);
	if (err)
		return failed(err, &e);
	err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = bind_to(fd, &e, v6_only);
	if (err)
		close(fd);
	else
		*out = fd;
	return err && err != -EADDRINUSE ? failed(err, &e) : err;
}

int
udp_adopt(const struct udp_config *cfg, int fd)
{
	int domain = 0, type = 0, err;
	socklen_t len = sizeof(int);
	uint8_t ver = cfg->bind.ver;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -errno;
	if (type != SOCK_DGRAM || domain != (ver == 4 ? AF_INET : AF_INET6)) {
		log_err("tunnel socket: the one handed over is not UDP on "
			"IPv%u",
			ver);
		return -EPROTOTYPE;
	}
	err = prepare(cfg, fd);
	if (err)
		log_err_errno(-err, "tunnel socket: can't be prepared");
	return err;
}

/* --- receiving ---------------------------------------------------------- */

ssize_t
udp_recv(int fd, uint8_t *buf, size_t size, struct udp_from *from)
{
	struct sockaddr_storage ss;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	union udp_control control;
	struct msghdr mh = {
		.msg_name = &ss,
		.msg_namelen = sizeof(ss),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &mh, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (udp_is_cut(&mh))
		return -EMSGSIZE;
	if (!endpoint_from_sockaddr(
		    &from->from, (const struct sockaddr *)&ss, mh.msg_namelen))
		return -EAFNOSUPPORT;
	(void)udp_control_read(&mh, from);
	return n;
}

/* --- sending ------------------------------------------------------------ */

static int
send_message(int fd, const struct msghdr *mh)
{
	ssize_t n;

	do
		n = sendmsg(fd, mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int
udp_send(int fd, const uint8_t *pkt, size_t len, const struct udp_to *to)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)pkt, .iov_len = len};
	union udp_control control = {0};
	struct sockaddr_storage ss;
	struct msghdr mh = {
		.msg_name = &ss,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
	};
	size_t plain;
	int err;

	addr_to_sockaddr(&to->addr, to->port, &ss, &mh.msg_namelen);
	udp_control_add_tos(&mh, to->addr.ver, to->tos);
	plain = mh.msg_controllen;
	udp_control_add_source(&mh, &to->src);
	err = send_message(fd, &mh);
	if (to->src.ver && udp_is_no_source(err))
		err = send_message(fd, &mh);
	if (to->src.ver && udp_is_no_source(err)) {
		mh.msg_controllen = plain;
		err = send_message(fd, &mh);
	}
	return err;
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
	return udp_send(fd, pkt, len, &(struct udp_to){.addr = dst});
}
