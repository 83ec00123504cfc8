/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets and UDP. A socket bound to all addresses learns from the
 * kernel which one was asked (IP_PKTINFO) and answers from it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/log.h"
#include "resolverd/listen_impl.h"

#define BATCH	 64   /* datagrams taken from one socket before the others */
#define UDP_MAX	 4096 /* a query never is longer */
#define UDP_RCV	 (1 << 20)
#define CTRL_LEN 128

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno
								    : 0;
}

/* The control message that says which address was asked. */
static void
read_pktinfo(struct msghdr *m, struct asker *a)
{
	struct cmsghdr *c;
	struct in_pktinfo v4;
	struct in6_pktinfo v6;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			a->local = addr_from_bytes(4, &v4.ipi_addr);
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			a->local = addr_from_bytes(6, &v6.ipi6_addr);
			a->ifindex = v6.ipi6_ifindex;
		}
	}
}

/* Adds the source address of an answer. */
static void
write_pktinfo(struct msghdr *m, const struct asker *a)
{
	struct in_pktinfo v4 = {0};
	struct in6_pktinfo v6 = {0};
	struct cmsghdr *c;

	m->msg_controllen = a->local.ver == 4 ? CMSG_SPACE(sizeof(v4))
					      : CMSG_SPACE(sizeof(v6));
	c = CMSG_FIRSTHDR(m);
	if (a->local.ver == 4) {
		memcpy(&v4.ipi_spec_dst, a->local.b, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(v4));
		memcpy(CMSG_DATA(c), &v4, sizeof(v4));
		return;
	}
	memcpy(&v6.ipi6_addr, a->local.b, 16);
	if (addr_is_link_local(&a->local))
		v6.ipi6_ifindex = a->ifindex;
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(v6));
	memcpy(CMSG_DATA(c), &v6, sizeof(v6));
}

static void
send_udp(const struct asker *a, const uint8_t *msg, size_t len)
{
	_Alignas(struct cmsghdr) uint8_t ctrl[CTRL_LEN] = {0};
	struct sockaddr_storage ss;
	struct iovec io = {(void *)(uintptr_t)msg, len};
	struct msghdr m = {.msg_name = &ss, .msg_iov = &io, .msg_iovlen = 1};

	addr_to_sockaddr(&a->peer.addr, a->peer.port, &ss, &m.msg_namelen);
	if (ss.ss_family == AF_INET6 && addr_is_link_local(&a->peer.addr)) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, &ss, sizeof(sin6));
		sin6.sin6_scope_id = a->ifindex;
		memcpy(&ss, &sin6, sizeof(sin6));
	}
	if (a->local.ver) {
		m.msg_control = ctrl;
		write_pktinfo(&m, a);
	}
	if (sendmsg(a->sock->udp, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		a->sock->l->stats.udp_unsent++;
}

/* False: nothing more is there. */
static bool
recv_udp(struct listen_sock *s)
{
	_Alignas(struct cmsghdr) uint8_t ctrl[CTRL_LEN];
	uint8_t buf[UDP_MAX];
	struct sockaddr_storage ss;
	struct iovec io = {buf, sizeof(buf)};
	struct asker a = {.sock = s};
	struct msghdr m = {.msg_name = &ss,
		.msg_namelen = sizeof(ss),
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = ctrl,
		.msg_controllen = sizeof(ctrl)};
	ssize_t n = recvmsg(s->udp, &m, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED;
	s->l->stats.udp_queries++;
	if (m.msg_flags & MSG_TRUNC ||
		!endpoint_from_sockaddr(
			&a.peer, (struct sockaddr *)&ss, m.msg_namelen) ||
		!a.peer.port)
		return true;
	read_pktinfo(&m, &a);
	s->l->handler(&a, buf, (size_t)n, s->l->arg);
	return true;
}

static void
on_udp(evutil_socket_t fd, short what, void *arg)
{
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < BATCH && recv_udp(arg); i++)
		;
}

static int
bind_to(int fd, const struct endpoint *at)
{
	char text[ENDPOINT_TEXT_MAX];
	struct sockaddr_storage ss;
	socklen_t len;
	int rc;

	addr_to_sockaddr(&at->addr, at->port, &ss, &len);
	if (!bind(fd, (struct sockaddr *)&ss, len))
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -errno;
	/* The address may come later: daemons start in any order. */
	rc = at->addr.ver == 6 ? set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
			       : set_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (rc)
		return rc;
	if (bind(fd, (struct sockaddr *)&ss, len))
		return -errno;
	log_warn("listen %s: no such address here yet",
		endpoint_format(at, text));
	return 0;
}

static int
socket_options(int fd, const struct endpoint *at, int type)
{
	bool v6 = at->addr.ver == 6;
	int rc = 0;

	if (v6)
		rc = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!rc && type == SOCK_STREAM)
		return set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* Answers are small enough for every path (1,232 bytes): no forged "too
	 * big" may have them cut up. A smaller buffer will do, too. */
	if (v6)
		(void)set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			IPV6_PMTUDISC_OMIT);
	else
		(void)set_int(
			fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	(void)set_int(fd, SOL_SOCKET, SO_RCVBUF, UDP_RCV);
	if (!rc && v6)
		rc = set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	if (!rc && !v6 && addr_is_zero(&at->addr))
		rc = set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return rc;
}

static int
bound_socket(const struct endpoint *at, int type, int *fd)
{
	int family = at->addr.ver == 6 ? AF_INET6 : AF_INET;
	int rc;

	*fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	rc = socket_options(*fd, at, type);
	if (!rc)
		rc = bind_to(*fd, at);
	if (rc) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

static void
sock_close(struct listen_sock *s)
{
	listen_tcp_stop(s);
	if (s->udp_ev)
		event_free(s->udp_ev);
	if (s->udp >= 0)
		close(s->udp);
}

static int
sock_open(struct listen_sock *s)
{
	int rc, fd;

	rc = bound_socket(&s->at, SOCK_DGRAM, &s->udp);
	if (rc)
		return rc;
	s->udp_ev =
		event_new(s->l->base, s->udp, EV_READ | EV_PERSIST, on_udp, s);
	if (!s->udp_ev || event_add(s->udp_ev, NULL))
		return -ENOMEM;
	rc = bound_socket(&s->at, SOCK_STREAM, &fd);
	return rc ? rc : listen_tcp_start_take(s, fd);
}

int
listen_new(struct listen **out, struct event_base *base,
	const struct listen_config *cfg)
{
	struct listen *l = calloc(1, sizeof(*l));
	char text[ENDPOINT_TEXT_MAX];
	size_t i;
	int rc = 0;

	*out = NULL;
	if (l)
		l->socks = calloc(cfg->at->n + 1, sizeof(*l->socks));
	if (!l || !l->socks) {
		free(l);
		return -ENOMEM;
	}
	l->base = base;
	l->tcp_max = cfg->tcp_max;
	l->idle_ms = cfg->idle_ms;
	l->handler = cfg->handler;
	l->arg = cfg->arg;
	TAILQ_INIT(&l->clients);
	for (i = 0; i < cfg->at->n && !rc; i++) {
		l->socks[i] = (struct listen_sock){
			.l = l, .at = cfg->at->v[i], .udp = -1};
		l->n_socks++;
		rc = sock_open(&l->socks[i]);
		if (rc)
			log_err_errno(-rc, "listen %s",
				endpoint_format(&cfg->at->v[i], text));
	}
	if (rc) {
		listen_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
listen_free(struct listen *l)
{
	size_t i;

	if (!l)
		return;
	while (!TAILQ_EMPTY(&l->clients))
		tcp_client_close(TAILQ_FIRST(&l->clients));
	for (i = 0; i < l->n_socks; i++)
		sock_close(&l->socks[i]);
	free(l->socks);
	free(l);
}

const struct listen_stats *
listen_stats(const struct listen *l)
{
	return &l->stats;
}

void
asker_reply(struct asker *a, const uint8_t *msg, size_t len)
{
	if (a->tcp)
		asker_send(a, msg, len);
	else
		send_udp(a, msg, len);
	asker_drop(a);
}

void
asker_drop(struct asker *a)
{
	if (a->tcp)
		tcp_client_ended(a->tcp);
	a->tcp = NULL;
}
