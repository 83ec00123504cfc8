/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A send may fail for what the network said of another datagram (udp_errors.h):
 * an error says something of this one only when it comes again.
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
udp_open(const struct udp_config *cfg, int *out)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint e = {cfg->bind, cfg->port};
	int fd, err;

	fd = socket(cfg->bind.ver == 4 ? AF_INET : AF_INET6,
		SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : prepare(cfg, fd);
	if (!err)
		err = bind_to(fd, &cfg->bind, cfg->port);
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

union control {
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		 CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* CMSG_DATA() is not aligned for what is in it. */
static void
read_control(const struct cmsghdr *cm, struct udp_from *from)
{
	struct in6_pktinfo info6;
	struct in_pktinfo info;
	int value;

	if (cm->cmsg_level == IPPROTO_IP && cm->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(cm), sizeof(info));
		/* that of the interface for what was sent to many */
		from->to = addr_from_bytes(4, &info.ipi_spec_dst);
	} else if (cm->cmsg_level == IPPROTO_IP && cm->cmsg_type == IP_TOS) {
		memcpy(&from->tos, CMSG_DATA(cm), sizeof(from->tos));
	} else if (cm->cmsg_level == IPPROTO_IPV6 &&
		   cm->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, CMSG_DATA(cm), sizeof(info6));
		from->to = addr_from_bytes(6, &info6.ipi6_addr);
	} else if (cm->cmsg_level == IPPROTO_IPV6 &&
		   cm->cmsg_type == IPV6_TCLASS) {
		memcpy(&value, CMSG_DATA(cm), sizeof(value));
		from->tos = (uint8_t)value;
	}
}

ssize_t
udp_recv(int fd, uint8_t *buf, size_t size, struct udp_from *from)
{
	struct sockaddr_storage ss;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	union control control;
	struct msghdr mh = {
		.msg_name = &ss,
		.msg_namelen = sizeof(ss),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cm;
	ssize_t n;

	do
		n = recvmsg(fd, &mh, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (mh.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	*from = (struct udp_from){0};
	if (!endpoint_from_sockaddr(
		    &from->from, (const struct sockaddr *)&ss, mh.msg_namelen))
		return -EAFNOSUPPORT;
	for (cm = CMSG_FIRSTHDR(&mh); cm; cm = CMSG_NXTHDR(&mh, cm))
		read_control(cm, from);
	return n;
}

/* --- sending ------------------------------------------------------------ */

static void
add_control(
	struct msghdr *mh, int level, int type, const void *data, size_t len)
{
	const struct cmsghdr cm = {.cmsg_len = CMSG_LEN(len),
		.cmsg_level = level,
		.cmsg_type = type};
	char *end = mh->msg_control;

	end += mh->msg_controllen;
	memcpy(end, &cm, sizeof(cm));
	memcpy(end + CMSG_LEN(0), data, len);
	mh->msg_controllen += CMSG_SPACE(len);
}

static void
add_source(struct msghdr *mh, const struct addr *src)
{
	struct in6_pktinfo info6 = {0};
	struct in_pktinfo info = {0};

	if (src->ver == 4) {
		memcpy(&info.ipi_spec_dst, src->b, addr_len(4));
		add_control(mh, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else if (src->ver == 6) {
		memcpy(&info6.ipi6_addr, src->b, addr_len(6));
		add_control(
			mh, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	}
}

static void
add_tos(struct msghdr *mh, uint8_t ver, uint8_t tos)
{
	int value = tos;

	if (tos && ver == 4)
		add_control(mh, IPPROTO_IP, IP_TOS, &value, sizeof(value));
	else if (tos)
		add_control(
			mh, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof(value));
}

static int
send_message(int fd, const struct msghdr *mh)
{
	ssize_t n;

	do
		n = sendmsg(fd, mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* The kernels' words for a source that is not (any more) ours. */
static bool
is_no_source(int err)
{
	return err == -EINVAL || err == -EADDRNOTAVAIL || err == -ENETUNREACH;
}

int
udp_send(int fd, const uint8_t *pkt, size_t len, const struct udp_to *to)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)pkt, .iov_len = len};
	union control control = {0};
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
	add_tos(&mh, to->addr.ver, to->tos);
	plain = mh.msg_controllen;
	add_source(&mh, &to->src);
	err = send_message(fd, &mh);
	if (to->src.ver && is_no_source(err))
		err = send_message(fd, &mh);
	if (to->src.ver && is_no_source(err)) {
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
