/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control socket whose loop the test runs, and a client in a thread, for the
 * tests of gwd's pages. */
#ifndef TESTS_UNIT_GWD_CTL_RIG_H
#define TESTS_UNIT_GWD_CTL_RIG_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libipref/ctl.h"
#include "libipref/log.h"
#include "tests/unit/run.h"

#define CLIENT_TIMEOUT_MS 60000

struct ctl_rig {
	char dir[64], path[96];
	struct event_base *base;
	struct event *tick; /* so that the loop never sleeps for long */
	struct ctl *ctl;
	size_t turns; /* of the loop */
};

struct client {
	const struct ctl_rig *rig;
	const char *method, *target;
	size_t enough; /* lines: it hangs up then; 0: never */
	pthread_t thread;
	atomic_size_t lines;
	atomic_bool done;
	int rc, status; /* when done */
	char *text;	/* owned */
	size_t len;
};

static inline void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static inline void
ctl_rig_start(struct ctl_rig *r)
{
	static const struct timeval often = {.tv_usec = 1000};

	*r = (struct ctl_rig){.dir = "/tmp/ipref-pages.XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/gwd.ctl", r->dir);
	r->base = event_base_new();
	ck_assert_ptr_nonnull(r->base);
	r->tick = event_new(r->base, -1, EV_PERSIST, on_tick, NULL);
	ck_assert_int_eq(event_add(r->tick, &often), 0);
	ck_assert_int_eq(ctl_new(&r->ctl, r->base, r->path, "gwd"), 0);
}

static inline void
ctl_rig_stop(struct ctl_rig *r)
{
	ctl_stop(r->ctl);
	ctl_free(r->ctl);
	event_free(r->tick);
	event_base_free(r->base);
	ck_assert_int_eq(rmdir(r->dir), 0);
}

static inline int
client_piece(const char *p, size_t len, int status, void *arg)
{
	struct client *c = arg;
	size_t i;

	(void)status;
	c->text = realloc(c->text, c->len + len + 1);
	ck_assert_ptr_nonnull(c->text);
	memcpy(c->text + c->len, p, len);
	c->len += len;
	c->text[c->len] = '\0';
	for (i = 0; i < len; i++)
		c->lines += p[i] == '\n';
	return c->enough && c->lines >= c->enough;
}

static inline void *
client_run(void *arg)
{
	struct client *c = arg;
	const struct ctl_call call = {
		.path = c->rig->path,
		.method = c->method,
		.target = c->target,
		.timeout_ms = CLIENT_TIMEOUT_MS,
		.idle_ms = CLIENT_TIMEOUT_MS,
	};

	c->rc = ctl_call(&call, &c->status, client_piece, c);
	c->done = true;
	return NULL;
}

static inline void
client_start(struct client *c, const struct ctl_rig *r, const char *method,
	const char *target, size_t enough)
{
	memset(c, 0, sizeof(*c));
	c->rig = r;
	c->method = method;
	c->target = target;
	c->enough = enough;
	ck_assert_int_eq(pthread_create(&c->thread, NULL, client_run, c), 0);
}

static inline void
rig_turn(struct ctl_rig *r)
{
	ck_assert_int_ge(event_base_loop(r->base, EVLOOP_ONCE), 0);
	r->turns++;
}

/* Runs the loop until the client has so many lines, or is done. */
static inline void
rig_until(struct ctl_rig *r, struct client *c, size_t lines)
{
	while (!c->done && c->lines < lines)
		rig_turn(r);
}

static inline void
client_end(struct ctl_rig *r, struct client *c)
{
	while (!c->done)
		rig_turn(r);
	ck_assert_int_eq(pthread_join(c->thread, NULL), 0);
}

#endif
