/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP clients. A client is read from while it has fewer than PIPELINE queries
 * under way and takes its answers; so what one client can make us remember is
 * bounded. Its struct outlives the connection until the last of its queries
 * has ended.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/log.h"
#include "resolverd/listen_impl.h"

#define PIPELINE 64 /* queries of a client under way at once */
#define BACKLOG_MAX                                                            \
	(1 << 18)	      /* bytes of answers not taken: no more reading   \
			       */
#define INPUT_MAX (3 * 65537) /* bytes read ahead */
#define PAUSE_S	  1	      /* without descriptors: before accepting again */

static void
client_free(struct tcp_client *c)
{
	if (!c->be && !c->under_way)
		free(c);
}

/* The connection ends now. The client goes with its last query. */
void
tcp_client_close(struct tcp_client *c)
{
	void (*drained)(bool gone, void *arg) = c->drained;

	TAILQ_REMOVE(&c->l->clients, c, link);
	c->l->stats.tcp_clients--;
	bufferevent_free(c->be);
	c->be = NULL;
	c->drained = NULL;
	c->under_way++; /* for the call, which may end the last asker */
	if (drained)
		drained(true, c->drained_arg);
	c->under_way--;
	client_free(c);
}

static size_t
backlog(const struct tcp_client *c)
{
	return c->be ? evbuffer_get_length(bufferevent_get_output(c->be)) : 0;
}

/* It waits for us, or we for it. */
static bool
busy(const struct tcp_client *c)
{
	return c->under_way || backlog(c);
}

static bool
may_ask(const struct tcp_client *c)
{
	return c->be && c->under_way < PIPELINE && backlog(c) < BACKLOG_MAX;
}

/* Gives the next whole message to the handler; false when there is none. */
static bool
take_message(struct tcp_client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->be);
	struct asker a = {.peer = c->peer, .sock = c->sock, .tcp = c};
	uint8_t head[2], *msg;
	size_t len;

	if (evbuffer_copyout(in, head, 2) < 2)
		return false;
	len = (size_t)head[0] << 8 | head[1];
	if (evbuffer_get_length(in) < len + 2)
		return false;
	msg = malloc(len + 1);
	if (!msg)
		return false;
	evbuffer_drain(in, 2);
	evbuffer_remove(in, msg, len);
	c->l->stats.tcp_queries++;
	TAILQ_REMOVE(&c->l->clients, c, link);
	TAILQ_INSERT_TAIL(&c->l->clients, c, link);
	c->under_way++;
	c->l->handler(&a, msg, len, c->l->arg);
	free(msg);
	return true;
}

/* Takes what may be taken; the client may be gone afterwards. */
static void
read_client(struct tcp_client *c)
{
	if (c->reading)
		return;
	c->reading = true;
	c->under_way++; /* keeps it here */
	while (may_ask(c) && take_message(c))
		;
	c->under_way--;
	c->reading = false;
	if (!c->be) {
		client_free(c);
		return;
	}
	if (c->eof && !c->under_way && !backlog(c)) {
		tcp_client_close(c);
		return;
	}
	if (may_ask(c) && !c->eof)
		bufferevent_enable(c->be, EV_READ);
	else
		bufferevent_disable(c->be, EV_READ);
}

static void
on_read(struct bufferevent *be, void *arg)
{
	(void)be;
	read_client(arg);
}

/* All that was to be sent has gone. */
static void
on_drained(struct bufferevent *be, void *arg)
{
	struct tcp_client *c = arg;
	void (*drained)(bool gone, void *arg) = c->drained;

	(void)be;
	c->drained = NULL;
	c->under_way++;
	if (drained)
		drained(false, c->drained_arg);
	c->under_way--;
	if (c->be)
		read_client(c);
	else
		client_free(c);
}

static void
on_event(struct bufferevent *be, short what, void *arg)
{
	struct tcp_client *c = arg;

	if (what & BEV_EVENT_TIMEOUT && what & BEV_EVENT_READING &&
		(c->under_way || backlog(c))) {
		/* Not idle, it waits for us. */
		bufferevent_enable(be, EV_READ);
		return;
	}
	if (what & BEV_EVENT_EOF &&
		(c->under_way || backlog(c) ||
			evbuffer_get_length(bufferevent_get_input(be)) > 1)) {
		c->eof = true;
		read_client(c);
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		c->l->stats.tcp_idle++;
	tcp_client_close(c);
}

/* The first client of the address that has more than half of all clients (by
 * Boyer and Moore's vote); NULL: none has. */
static struct tcp_client *
greedy_client(const struct listen *l)
{
	struct tcp_client *c, *first = NULL, *who = NULL;
	size_t n = 0;

	TAILQ_FOREACH(c, &l->clients, link)
	{
		if (!n)
			who = c;
		if (addr_eq(&c->peer.addr, &who->peer.addr))
			n++;
		else
			n--;
	}
	n = 0;
	TAILQ_FOREACH(c, &l->clients, link)
	{
		if (!addr_eq(&c->peer.addr, &who->peer.addr))
			continue;
		if (!n++)
			first = c;
	}
	return 2 * n > l->stats.tcp_clients ? first : NULL;
}

/* Room for one more: the client that asked longest ago and waits for nothing
 * goes; when none does, one of who keeps most places taken, for others. */
static bool
make_room(struct listen *l, const struct addr *newcomer)
{
	struct tcp_client *c = TAILQ_FIRST(&l->clients);

	if (l->stats.tcp_clients < l->tcp_max)
		return true;
	while (c && busy(c))
		c = TAILQ_NEXT(c, link);
	if (!c)
		c = greedy_client(l);
	if (!c || (busy(c) && addr_eq(&c->peer.addr, newcomer))) {
		l->stats.tcp_refused++;
		return false;
	}
	l->stats.tcp_evicted++;
	tcp_client_close(c);
	return true;
}

static struct tcp_client *
client_new(struct listen_sock *s, int fd)
{
	struct timeval idle = {.tv_sec = (time_t)(s->l->idle_ms / 1000),
		.tv_usec = (suseconds_t)(s->l->idle_ms % 1000 * 1000)};
	struct tcp_client *c = calloc(1, sizeof(*c));
	int one = 1;

	if (!c)
		return NULL;
	c->l = s->l;
	c->sock = s;
	c->be = bufferevent_socket_new(s->l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->be) {
		free(c);
		return NULL;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bufferevent_setcb(c->be, on_read, on_drained, on_event, c);
	bufferevent_setwatermark(c->be, EV_READ, 0, INPUT_MAX);
	bufferevent_set_timeouts(c->be, &idle, &idle);
	TAILQ_INSERT_TAIL(&s->l->clients, c, link);
	s->l->stats.tcp_clients++;
	s->l->stats.tcp_accepted++;
	return c;
}

static void
on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *sa,
	int len, void *arg)
{
	struct listen_sock *s = arg;
	struct tcp_client *c;
	struct endpoint peer;

	(void)ev;
	if (!endpoint_from_sockaddr(&peer, sa, (socklen_t)len) ||
		!make_room(s->l, &peer.addr)) {
		close(fd);
		return;
	}
	c = client_new(s, fd);
	if (!c) {
		close(fd);
		return;
	}
	c->peer = peer;
	if (bufferevent_enable(c->be, EV_READ | EV_WRITE))
		tcp_client_close(c);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct listen_sock *s = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(s->tcp);
}

/* Out of descriptors or memory: accepting again at once would only spin. */
static void
on_accept_error(struct evconnlistener *ev, void *arg)
{
	struct timeval pause = {.tv_sec = PAUSE_S};
	struct listen_sock *s = arg;

	log_warn_errno(errno, "listen: a TCP client can't be accepted");
	if (!event_add(s->retry, &pause))
		evconnlistener_disable(ev);
}

int
listen_tcp_start_take(struct listen_sock *s, int fd)
{
	s->tcp = evconnlistener_new(s->l->base, on_accept, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 256, fd);
	if (!s->tcp) {
		int rc = errno ? -errno : -ENOMEM;

		close(fd);
		return rc;
	}
	evconnlistener_set_error_cb(s->tcp, on_accept_error);
	s->retry = evtimer_new(s->l->base, on_retry, s);
	return s->retry ? 0 : -ENOMEM;
}

void
listen_tcp_stop(struct listen_sock *s)
{
	if (s->retry)
		event_free(s->retry);
	if (s->tcp)
		evconnlistener_free(s->tcp);
}

/* One query less. */
void
tcp_client_ended(struct tcp_client *c)
{
	c->under_way--;
	if (!c->be)
		client_free(c);
	else
		read_client(c);
}

void
asker_send(struct asker *a, const uint8_t *msg, size_t len)
{
	uint8_t head[2];
	struct wbuf w;

	if (!a->tcp->be)
		return;
	wbuf_init(&w, head, sizeof(head));
	wbuf_be16(&w, len);
	/* Without memory the client gets nothing more. */
	if (!wbuf_ok(&w) || bufferevent_write(a->tcp->be, head, 2) ||
		bufferevent_write(a->tcp->be, msg, len))
		log_err("listen: no memory for an answer");
}

size_t
asker_backlog(const struct asker *a)
{
	return backlog(a->tcp);
}

void
asker_on_drain(struct asker *a, void (*fn)(bool gone, void *arg), void *arg)
{
	a->tcp->drained = fn;
	a->tcp->drained_arg = arg;
}

bool
asker_waits(const struct asker *a)
{
	return a->tcp->drained;
}
