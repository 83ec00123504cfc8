/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's server, on libevent's evhttp: the socket and its
 * connections.
 *
 * evhttp has no bound on its connections and does not tell when one ends. So
 * the ctl keeps a reference to the bufferevent of each: one that is freed has
 * no callbacks any more. While all places are taken nothing is accepted; a
 * timer looks for those that have become free.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libipref/ctl_impl.h"
#include "libipref/log.h"

#define IDLE_SECONDS  30
#define SWEEP_SECONDS 1
#define FULL_MS	      20
#define MAX_HEADERS   8192
#define MAX_BODY      4096
#define BACKLOG	      128

/* Of all the methods that evhttp knows, so that it gives us all of them. */
#define ALL_METHODS                                                            \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | \
		EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |    \
		EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

static bool
is_freed(struct bufferevent *conn)
{
	void *arg;

	bufferevent_getcb(conn, NULL, NULL, NULL, &arg);
	return !arg;
}

/* Lets go of connections: of those that ended, or of all. */
static void
release_conns(struct ctl *c, bool all)
{
	size_t i, kept = 0;

	for (i = 0; i < c->n_conns; i++)
		if (all || is_freed(c->conns[i]))
			bufferevent_decref(c->conns[i]);
		else
			c->conns[kept++] = c->conns[i];
	c->n_conns = kept;
}

/* Looks again soon while all places are taken, else now and then: accepting may
 * have failed and stopped, too. */
static void
start_sweep(struct ctl *c)
{
	static const struct timeval soon = {.tv_usec = FULL_MS * 1000};
	static const struct timeval later = {.tv_sec = SWEEP_SECONDS};

	if (event_add(c->sweep, c->n_conns == CTL_CONNS_MAX ? &soon : &later))
		log_err("control: timer can't be set");
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *c = arg;

	(void)fd;
	(void)what;
	release_conns(c, false);
	if (c->n_conns < CTL_CONNS_MAX && evconnlistener_enable(c->listener))
		log_err("control: accepting can't be started again");
	start_sweep(c);
}

/* Without descriptors or memory: stops until the next sweep, so that is said at
 * most once in its interval. arg is evhttp's. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	log_warn("control: accept: %s", strerror(errno));
	evconnlistener_disable(listener);
}

/* evhttp has accepted somebody and wants a bufferevent for it. */
static struct bufferevent *
on_conn_new(struct event_base *base, void *arg)
{
	struct ctl *c = arg;
	/* It closes its descriptor when we let go, behind its events, evhttp
	 * only shuts it down. Closed earlier, its number could be another
	 * connection's by then, whose events would go in place of its own. */
	struct bufferevent *conn =
		bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (!conn)
		return NULL;
	release_conns(c, false);
	if (c->n_conns == CTL_CONNS_MAX)
		bug("control: accepted beyond the bound");
	bufferevent_incref(conn);
	c->conns[c->n_conns++] = conn;
	if (c->n_conns == CTL_CONNS_MAX) {
		evconnlistener_disable(c->listener);
		start_sweep(c);
	}
	return conn;
}

/* 0, or -EADDRINUSE when somebody answers at this address, -EACCES when it is
 * another user's and somebody may. What is there and is no socket is not ours
 * to remove: -ENOTSOCK. */
static int
remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(sun->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A server whose queue is full (EAGAIN) is alive as well. */
	if (!connect(fd, (const struct sockaddr *)sun, sizeof(*sun)))
		rc = -EADDRINUSE;
	else if (errno != ECONNREFUSED)
		rc = errno == EACCES ? -EACCES : -EADDRINUSE;
	else if (unlink(sun->sun_path) && errno != ENOENT)
		rc = -errno;
	close(fd);
	return rc;
}

/* A bound socket, not listening yet, or -errno. */
static int
bind_path(struct ctl *c, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	rc = remove_stale(&sun);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Until listen() nobody can connect, so the mode comes early enough. */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) ||
		chmod(path, 0660) || lstat(path, &st)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	c->path = strdup(path);
	return fd;
}

static int
listen_at(struct ctl *c, struct event_base *base, const char *path)
{
	struct evconnlistener *listener;
	int fd = bind_path(c, path);

	if (fd < 0)
		return fd;
	/* evhttp puts its own callback in. */
	listener = evconnlistener_new(base, NULL, NULL,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!listener) {
		close(fd);
		return -ENOMEM;
	}
	if (!evhttp_bind_listener(c->http, listener)) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener, on_accept_error);
	c->listener = listener;
	start_sweep(c);
	return 0;
}

static void
set_up_http(struct ctl *c)
{
	evhttp_set_allowed_methods(c->http, ALL_METHODS);
	evhttp_set_max_headers_size(c->http, MAX_HEADERS);
	evhttp_set_max_body_size(c->http, MAX_BODY);
	evhttp_set_timeout(c->http, IDLE_SECONDS);
	evhttp_set_bevcb(c->http, on_conn_new, c);
	evhttp_set_gencb(c->http, ctl_on_request, c);
	ctl_add_own_pages(c);
}

int
ctl_new(struct ctl **out, struct event_base *base, const char *path,
	const char *program)
{
	struct ctl *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (!c)
		goto fail;
	c->base = base;
	c->program = program;
	c->start_ms = now_ms();
	c->http = evhttp_new(base);
	c->sweep = evtimer_new(base, on_sweep, c);
	if (!c->http || !c->sweep)
		goto fail;
	set_up_http(c);
	rc = listen_at(c, base, path);
	if (rc)
		goto fail;
	*out = c;
	return 0;
fail:
	log_err_errno(-rc, "control socket %s", path);
	ctl_free(c);
	*out = NULL;
	return rc;
}

/* Unlinks the socket unless somebody has put another in its place. */
static void
unlink_own(const struct ctl *c)
{
	struct stat st;

	if (c->path && !lstat(c->path, &st) && st.st_dev == c->dev &&
		st.st_ino == c->ino)
		(void)unlink(c->path);
}

void
ctl_stop(struct ctl *c)
{
	ctl_streams_stop(c);
	ctl_replies_stop(c);
}

void
ctl_free(struct ctl *c)
{
	if (!c)
		return;
	ctl_stop(c);
	unlink_own(c);
	if (c->http)
		evhttp_free(c->http);
	release_conns(c, true);
	if (c->sweep)
		event_free(c->sweep);
	free(c->path);
	free(c);
}
