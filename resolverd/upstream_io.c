/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets of the forwarding client.
 *
 * UDP: a server has a pool of connected sockets whose ports the kernel chose at
 * random; a query takes one of them by chance, and after some uses a socket is
 * given up for a new one, so that no port can be learned for long. Sockets
 * given up are closed with their last try. TCP: one connection per try.
 *
 * A callback that ends a flight may free the try and the socket it came by:
 * nothing of them is touched afterwards.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/log.h"
#include "resolverd/answer.h"
#include "resolverd/upstream_impl.h"

#define BATCH 64 /* datagrams taken at once from one socket */

static void on_udp(evutil_socket_t fd, short what, void *arg);

/* The query of a try, at most 512 bytes. */
static size_t
write_query(const struct try *t, uint8_t *buf, size_t size)
{
	const struct flight_key *k = &t->flight->key;
	struct dns_question q = {k->name, k->type, DNS_CLASS_IN};
	struct dns_header h = {.id = t->key.id,
		.flags = (uint16_t)(DNS_RD | (k->flags & DNS_CD)),
		.counts = {1, 0, 0, t->edns}};
	struct wbuf w;

	wbuf_init(&w, buf, size);
	dns_header_put(&w, &h);
	dns_question_put(&w, &q);
	if (t->edns) {
		wbuf_u8(&w, 0);
		wbuf_be16(&w, DNS_TYPE_OPT);
		wbuf_be16(&w, DNS_UDP_PAYLOAD);
		wbuf_be16(&w, 0);
		wbuf_be16(&w, k->flags & DNS_EDNS_DO);
		wbuf_be16(&w, 0);
	}
	return wbuf_ok(&w) ? w.len : 0;
}

static void
usock_free(struct usock *u)
{
	if (u->ev)
		event_free(u->ev);
	close(u->fd);
	free(u);
}

static struct usock *
usock_new(struct server *s)
{
	struct usock *u = calloc(1, sizeof(*u));
	struct sockaddr_storage ss;
	socklen_t len;

	if (!u)
		return NULL;
	u->server = s;
	u->serial = s->up->next_serial++;
	TAILQ_INIT(&u->tries);
	addr_to_sockaddr(&s->at.addr, s->at.port, &ss, &len);
	u->fd = socket(
		ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0) {
		free(u);
		return NULL;
	}
	if (connect(u->fd, (struct sockaddr *)&ss, len) == 0)
		u->ev = event_new(
			s->up->base, u->fd, EV_READ | EV_PERSIST, on_udp, u);
	if (!u->ev || event_add(u->ev, NULL)) {
		usock_free(u);
		return NULL;
	}
	return u;
}

/* Out of the pool; closed now or with its last try. */
static void
usock_retire(struct usock *u)
{
	size_t i;

	for (i = 0; i < UPSTREAM_POOL; i++)
		if (u->server->pool[i] == u)
			u->server->pool[i] = NULL;
	u->retired = true;
	if (TAILQ_EMPTY(&u->tries))
		usock_free(u);
}

static struct usock *
usock_pick(struct server *s)
{
	size_t i = arc4random_uniform(UPSTREAM_POOL);

	if (s->pool[i] && s->pool[i]->uses >= UPSTREAM_USES)
		usock_retire(s->pool[i]);
	if (!s->pool[i])
		s->pool[i] = usock_new(s);
	return s->pool[i];
}

void
server_close(struct server *s)
{
	size_t i;

	for (i = 0; i < UPSTREAM_POOL; i++)
		if (s->pool[i])
			usock_retire(s->pool[i]);
}

static struct try *
try_new(struct flight *f, struct server *s, bool edns)
{
	struct try *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->flight = f;
	t->server = s;
	t->edns = edns;
	t->sent_ms = now_ms();
	t->key.id = (uint16_t)arc4random();
	TAILQ_INSERT_TAIL(&f->open, t, of_flight);
	s->stats.queries++;
	return t;
}

void
try_free(struct try *t)
{
	struct usock *u = t->sock;

	TAILQ_REMOVE(&t->flight->open, t, of_flight);
	if (u) {
		table_del(&t->server->up->tries, &t->key);
		TAILQ_REMOVE(&u->tries, t, of_sock);
		if (u->retired && TAILQ_EMPTY(&u->tries))
			usock_free(u);
	}
	if (t->be) {
		bufferevent_free(t->be);
		t->server->up->n_tcp--;
	}
	free(t);
}

/* A random id that is free at its socket. */
static int
try_enter(struct try *t, struct usock *u)
{
	int rc = -EEXIST, i;

	for (i = 0; rc == -EEXIST && i < 16; i++) {
		t->key = (struct try_key){
			.sock = u->serial, .id = (uint16_t)arc4random()};
		rc = table_put(&u->server->up->tries, t);
	}
	if (rc)
		return rc;
	t->sock = u;
	TAILQ_INSERT_TAIL(&u->tries, t, of_sock);
	return 0;
}

int
try_udp(struct flight *f, struct server *s, bool edns)
{
	struct usock *u = usock_pick(s);
	struct try *t;
	uint8_t buf[512];
	size_t len;
	int rc;

	if (!u)
		return errno ? -errno : -ENOMEM;
	t = try_new(f, s, edns);
	if (!t)
		return -ENOMEM;
	rc = try_enter(t, u);
	if (!rc) {
		u->uses++;
		len = write_query(t, buf, sizeof(buf));
		if (send(u->fd, buf, len, MSG_NOSIGNAL) < 0)
			rc = -errno;
	}
	if (rc) {
		s->stats.errors++;
		try_free(t);
	}
	return rc;
}

/* The question of a message is the try's: what an answer must have besides id,
 * address and port. Some servers leave the question out of an error. */
static bool
answers(const struct try *t, const uint8_t *msg, size_t len)
{
	const struct flight_key *k = &t->flight->key;
	struct dns_question want = {k->name, k->type, DNS_CLASS_IN}, q;
	struct dns_header h;
	struct rbuf r;

	rbuf_init(&r, msg, len);
	h = dns_header_get(&r);
	if (!rbuf_ok(&r) || !(h.flags & DNS_QR) || DNS_OPCODE_OF(h.flags) ||
		h.id != t->key.id)
		return false;
	if (!h.counts[DNS_QUESTION])
		return DNS_RCODE_OF(h.flags) != DNS_NOERROR &&
		       DNS_RCODE_OF(h.flags) != DNS_NXDOMAIN;
	q = dns_question_get(&r);
	return rbuf_ok(&r) && h.counts[DNS_QUESTION] == 1 &&
	       dns_question_eq(&q, &want);
}

/* The server's port is closed, or there is no way to it: all that wait at this
 * socket go on. */
static void
usock_error(struct usock *u)
{
	struct upstream *up = u->server->up;
	struct try_key keys[BATCH];
	struct try *t;
	size_t n = 0;

	for (t = TAILQ_FIRST(&u->tries); t && n < BATCH;
		t = TAILQ_NEXT(t, of_sock))
		keys[n++] = t->key;
	u->server->stats.errors++;
	usock_retire(u);
	/* Each may end others; so they are looked up again. */
	while (n) {
		t = table_get(&up->tries, &keys[--n]);
		if (t)
			flight_try_failed(t);
	}
}

/* False when the socket may be gone. */
static bool
usock_message(struct usock *u, const uint8_t *msg, size_t len)
{
	struct upstream *up = u->server->up;
	struct try_key key = {.sock = u->serial};
	struct try *t;
	struct rbuf r;

	rbuf_init(&r, msg, len);
	key.id = rbuf_be16(&r);
	t = table_get(&up->tries, &key);
	if (!t) {
		up->stats.strays++;
		return true;
	}
	if (!answers(t, msg, len)) {
		up->stats.mismatched++;
		return true;
	}
	flight_answer(t, msg, len);
	return false;
}

static void
on_udp(evutil_socket_t fd, short what, void *arg)
{
	uint8_t buf[UPSTREAM_UDP_RECV];
	struct usock *u = arg;
	ssize_t n;
	int i;

	(void)what;
	for (i = 0; i < BATCH; i++) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				usock_error(u);
			return;
		}
		/* Level-triggered: what is left comes in the next round. */
		if (!usock_message(u, buf, (size_t)n))
			return;
	}
}

static void
on_tcp_read(struct bufferevent *be, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(be);
	struct try *t = arg;
	uint8_t head[2];
	const uint8_t *p;
	size_t len;

	if (evbuffer_copyout(in, head, 2) < 2)
		return;
	len = (size_t)head[0] << 8 | head[1];
	if (evbuffer_get_length(in) < len + 2)
		return;
	p = evbuffer_pullup(in, (ev_ssize_t)(len + 2));
	if (p && answers(t, p + 2, len)) {
		/* The try, and with it this buffer, ends in the call. */
		uint8_t *copy = malloc(len);

		if (copy) {
			memcpy(copy, p + 2, len);
			flight_answer(t, copy, len);
			free(copy);
			return;
		}
	}
	t->server->stats.broken++;
	flight_try_failed(t);
}

static void
on_tcp_event(struct bufferevent *be, short what, void *arg)
{
	struct try *t = arg;
	(void)be;

	if (what & BEV_EVENT_CONNECTED)
		return;
	t->server->stats.errors++;
	flight_try_failed(t);
}

/* We close first, once the answer is there whole. Left in TIME-WAIT, the ports
 * of some seconds in which a server cuts every answer would make the kernel
 * search for milliseconds in each connect(), so the connection is reset. */
static int
tcp_socket(int family)
{
	const struct linger none = {.l_onoff = 1, .l_linger = 0};
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

static int
tcp_start(struct try *t)
{
	uint8_t buf[514];
	struct sockaddr_storage ss;
	socklen_t len;
	size_t n = write_query(t, buf + 2, sizeof(buf) - 2);
	struct wbuf w;
	int fd;

	addr_to_sockaddr(&t->server->at.addr, t->server->at.port, &ss, &len);
	fd = tcp_socket(ss.ss_family);
	if (fd < 0)
		return fd;
	t->be = bufferevent_socket_new(
		t->server->up->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!t->be) {
		close(fd);
		return -ENOMEM;
	}
	t->server->up->n_tcp++;
	wbuf_init(&w, buf, 2);
	wbuf_be16(&w, n);
	bufferevent_setcb(t->be, on_tcp_read, NULL, on_tcp_event, t);
	if (bufferevent_write(t->be, buf, n + 2) ||
		bufferevent_enable(t->be, EV_READ | EV_WRITE) ||
		bufferevent_socket_connect(
			t->be, (struct sockaddr *)&ss, (int)len))
		return -ECONNABORTED;
	return 0;
}

int
try_tcp(struct flight *f, struct server *s, bool edns)
{
	struct try *t;
	int rc;

	if (s->up->n_tcp >= UPSTREAM_TCP_MAX)
		return -EAGAIN;
	t = try_new(f, s, edns);
	if (!t)
		return -ENOMEM;
	s->stats.tcp++;
	rc = tcp_start(t);
	if (rc) {
		s->stats.errors++;
		try_free(t);
	}
	return rc;
}
