/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariant: a peer lives from its accept() until the server closes its link;
 * only the server does that, so that its table and the connections agree.
 */
#include "mapperd/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/log.h"

#define ACCEPTS_AT_ONCE 64
#define TICK_MS		250
#define MORE_MS		1 /* when a tick has left something */
#define BEAT_S		5
#define PUMP_MS		2
#define PAUSE_S		1
#define CLIENT_QUEUE	(8 << 20) /* bytes unread before it is dropped */

struct peer {
	struct listen *listen;
	TAILQ_ENTRY(peer) link; /* list listen.peers */
	unsigned roles;
	struct conn *conn; /* owned */
	uint64_t client;
};

struct listen {
	struct listen_config cfg;
	struct event_base *base;
	int fd;			  /* owned */
	TAILQ_HEAD(, peer) peers; /* the server's */
	struct event *accept, *resume, *tick, *more, *beat, *pump; /* owned */
	struct conn_stats stats;
	struct log_limit limit;
};

static int
peer_send(void *p, const struct msg *m)
{
	struct peer *peer = p;

	return conn_send(peer->conn, m);
}

static size_t
peer_queued(void *p)
{
	struct peer *peer = p;

	return conn_queued(peer->conn);
}

static void
peer_pause(void *p, bool pause)
{
	struct peer *peer = p;

	conn_pause(peer->conn, pause);
}

static void
peer_close(void *p)
{
	struct peer *peer = p;

	TAILQ_REMOVE(&peer->listen->peers, peer, link);
	conn_free(peer->conn);
	free(peer);
}

static const struct client_link peer_link = {
	.send = peer_send,
	.queued = peer_queued,
	.pause = peer_pause,
	.close = peer_close,
};

static void
on_message(struct conn *conn, const struct msg *m, void *arg)
{
	struct peer *peer = arg;
	struct server *server = peer->listen->cfg.server;

	(void)conn;
	if (m)
		server_message(server, peer->client, m);
	else
		server_leave(server, peer->client);
}

static bool
peer_in_group(gid_t gid, const void *arg)
{
	return conn_in_group(arg, gid);
}

static unsigned
peer_roles(const struct peer *peer)
{
	const struct role_client client = {
		.uid = conn_uid(peer->conn),
		.in_group = peer_in_group,
		.arg = peer->conn,
	};

	return roles_of(&peer->listen->cfg.roles, &client);
}

/* The peer joins the server; from then on that one closes it. */
static void
peer_join(struct listen *l, struct peer *peer)
{
	TAILQ_INSERT_TAIL(&l->peers, peer, link);
	peer->client = server_join(l->cfg.server, &peer_link, peer);
	if (!peer->client) {
		log_limited(&l->limit, LOG_LEVEL_WARN,
			"server: too many clients, one is turned away");
		peer_close(peer);
		return;
	}
	peer->roles = peer_roles(peer);
	server_allow(l->cfg.server, peer->client, peer->roles);
	log_debug("client %llu: pid %d uid %d",
		(unsigned long long)peer->client, (int)conn_pid(peer->conn),
		(int)conn_uid(peer->conn));
}

void
listen_set_roles(struct listen *l, struct roles *roles)
{
	struct peer *peer, *next;
	unsigned before;

	roles_fini(&l->cfg.roles);
	l->cfg.roles = *roles;
	for (peer = TAILQ_FIRST(&l->peers); peer; peer = next) {
		next = TAILQ_NEXT(peer, link);
		before = peer->roles;
		peer->roles = peer_roles(peer);
		if (before & ~peer->roles)
			server_leave(l->cfg.server, peer->client);
		else
			server_allow(l->cfg.server, peer->client, peer->roles);
	}
}

static void
take_client(struct listen *l, int fd)
{
	struct conn_config cfg = {
		.fmt = l->cfg.fmt,
		.queue_max = CLIENT_QUEUE,
		.handler = on_message,
		.stats = &l->stats,
		.name = "client",
	};
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer) {
		close(fd);
		return;
	}
	cfg.arg = peer;
	peer->listen = l;
	peer->conn = conn_new(l->base, fd, &cfg);
	if (peer->conn) {
		peer_join(l, peer);
		return;
	}
	log_limited(&l->limit, LOG_LEVEL_ERR, "server: client: %s",
		strerror(errno));
	free(peer);
}

/* Without descriptors: a second of rest instead of a busy loop. */
static void
rest(struct listen *l)
{
	const struct timeval tv = {PAUSE_S, 0};

	log_limited(&l->limit, LOG_LEVEL_ERR,
		"server: no connection can be taken: %s", strerror(errno));
	event_del(l->accept);
	event_add(l->resume, &tv);
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listen *l = arg;
	int i, client;

	(void)what;
	for (i = 0; i < ACCEPTS_AT_ONCE; i++) {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client >= 0) {
			take_client(l, client);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			rest(l);
		return;
	}
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct listen *l = arg;

	(void)fd;
	(void)what;
	event_add(l->accept, NULL);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = {0, MORE_MS * 1000};
	struct listen *l = arg;

	(void)fd;
	(void)what;
	if (mapper_tick(server_mapper(l->cfg.server)))
		event_add(l->more, &soon);
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct listen *l = arg;

	(void)fd;
	(void)what;
	feed_beat(server_feed(l->cfg.server));
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = {0, PUMP_MS * 1000};
	struct listen *l = arg;

	(void)fd;
	(void)what;
	if (feed_pump(server_feed(l->cfg.server)))
		event_add(l->pump, &tv);
}

void
listen_feeding(struct listen *l)
{
	event_active(l->pump, EV_TIMEOUT, 0);
}

struct listen *
listen_new(struct event_base *base, int fd, const struct listen_config *cfg)
{
	const struct timeval tick = {0, TICK_MS * 1000};
	const struct timeval beat = {BEAT_S, 0};
	struct listen *l = calloc(1, sizeof(*l));

	/* One that was handed over may block, and so would we in accept(). */
	if (!l || evutil_make_socket_nonblocking(fd)) {
		struct roles roles = cfg->roles;

		roles_fini(&roles);
		free(l);
		close(fd);
		return NULL;
	}
	l->cfg = *cfg;
	TAILQ_INIT(&l->peers);
	l->base = base;
	l->fd = fd;
	l->accept = event_new(base, fd, EV_READ | EV_PERSIST, on_accept, l);
	l->resume = evtimer_new(base, on_resume, l);
	l->tick = event_new(base, -1, EV_PERSIST, on_tick, l);
	l->more = evtimer_new(base, on_tick, l);
	l->beat = event_new(base, -1, EV_PERSIST, on_beat, l);
	l->pump = evtimer_new(base, on_pump, l);
	if (l->accept && l->resume && l->tick && l->more && l->beat &&
		l->pump && !event_add(l->accept, NULL) &&
		!event_add(l->tick, &tick) && !event_add(l->beat, &beat))
		return l;
	listen_free(l);
	return NULL;
}

static void
drop_event(struct event **e)
{
	if (*e)
		event_free(*e);
	*e = NULL;
}

void
listen_stop(struct listen *l)
{
	drop_event(&l->accept);
	drop_event(&l->resume);
	drop_event(&l->tick);
	drop_event(&l->more);
	drop_event(&l->beat);
	drop_event(&l->pump);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void
listen_free(struct listen *l)
{
	if (!l)
		return;
	listen_stop(l);
	roles_fini(&l->cfg.roles);
	free(l);
}

const struct conn_stats *
listen_stats(const struct listen *l)
{
	return &l->stats;
}
