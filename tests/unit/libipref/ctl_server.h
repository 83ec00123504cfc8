/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control socket with a server on a thread of its own, for the tests of ctl.
 */
#ifndef TESTS_UNIT_LIBIPREF_CTL_SERVER_H
#define TESTS_UNIT_LIBIPREF_CTL_SERVER_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libipref/ctl.h"
#include "libipref/log.h"
#include "tests/unit/capture.h"
#include "tests/unit/run.h"

#define TIMEOUT_MS 20000

struct server {
	char dir[64], path[96];
	struct event_base *base;
	struct event *quit;
	struct ctl *ctl;
	pthread_t thread;
	int pipe[2]; /* a byte ends the loop */
	size_t big;  /* bytes of /big */
};

static inline json_t *
status_counts(void *arg)
{
	(void)arg;
	return json_pack("{s:i, s:s}", "n", 5, "name", "a\"b");
}

static inline void
write_metrics(struct ctl_metrics *m, void *arg)
{
	(void)arg;
	ctl_metric(m, "gwd_drops_total", CTL_COUNTER, "Packets dropped.");
	ctl_sample(m, "reason=\"short\"", 7);
	ctl_sample(m, "reason=\"long\"", UINT64_MAX);
	ctl_metric(m, "gwd_peers", CTL_GAUGE, "Peers known.");
	ctl_sample(m, NULL, 0);
}

static inline int
page_echo(const char *query, struct evbuffer *body, void *arg)
{
	(void)arg;
	evbuffer_add_printf(body, "%s", query ? query : "(none)");
	return query && !strcmp(query, "missing") ? 404 : 200;
}

static inline int
page_big(const char *query, struct evbuffer *body, void *arg)
{
	const struct server *s = arg;
	char block[1024];
	size_t n;

	(void)query;
	memset(block, 'x', sizeof(block));
	for (n = 0; n < s->big; n += sizeof(block))
		evbuffer_add(body, block, sizeof(block));
	return 200;
}

static inline void
on_quit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static inline void *
serve(void *arg)
{
	struct server *s = arg;

	event_base_dispatch(s->base);
	return NULL;
}

/* A server that does not run yet: pages may be added. */
static inline void
server_init(struct server *s)
{
	/* As libipref/daemon.c does. */
	ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	memset(s, 0, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "/tmp/ipref-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/x.ctl", s->dir);
	s->base = event_base_new();
	ck_assert_int_eq(pipe(s->pipe), 0);
	s->quit = event_new(s->base, s->pipe[0], EV_READ, on_quit, s->base);
	ck_assert_int_eq(event_add(s->quit, NULL), 0);
	ck_assert_int_eq(ctl_new(&s->ctl, s->base, s->path, "gwd"), 0);
	ctl_add_status(s->ctl, "counts", status_counts, NULL);
	ctl_add_metrics(s->ctl, write_metrics, NULL);
	ctl_add_page(s->ctl, "/echo", "text/plain", page_echo, NULL);
	ctl_add_page(s->ctl, "/big", NULL, page_big, s);
	s->big = (size_t)8 << 20;
}

static inline void
server_run(struct server *s)
{
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static inline void
server_start(struct server *s)
{
	server_init(s);
	server_run(s);
}

/* Ends it; what lies at its path is the caller's. */
static inline void
server_end(struct server *s)
{
	ck_assert_int_eq(write(s->pipe[1], "", 1), 1);
	pthread_join(s->thread, NULL);
	ctl_free(s->ctl);
	event_free(s->quit);
	event_base_free(s->base);
	close(s->pipe[0]);
	close(s->pipe[1]);
	libevent_global_shutdown();
}

static inline void
server_stop(struct server *s)
{
	server_end(s);
	ck_assert_int_eq(access(s->path, F_OK), -1);
	ck_assert_int_eq(rmdir(s->dir), 0);
}

/* The body, the caller's. */
static inline char *
get(const struct server *s, const char *target, int want)
{
	int status = 0, rc;
	char *body;
	size_t len;

	rc = ctl_get(s->path, target, TIMEOUT_MS, &status, &body, &len);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(status, want);
	ck_assert_uint_eq(strlen(body), len);
	return body;
}

/* A connected socket. */
static inline int
dial(const struct server *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", s->path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

#endif
