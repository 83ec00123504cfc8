/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mapper for tests of the feed: a socket in a folder of its own, in the same
 * event loop as the feed under test. It does nothing by itself: a test waits
 * for a request with mapper_expect() and answers as it likes.
 */
#ifndef TESTS_UNIT_GWD_MAPPER_H
#define TESTS_UNIT_GWD_MAPPER_H

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libipref/conn.h"
#include "libipref/log.h"
#include "tests/unit/run.h"

#define MAPPER_WAIT_MS 5000 /* a test fails when nothing comes for so long */
#define MAPPER_RECORDS 8

/* A request as it came; records beyond MAPPER_RECORDS are only counted. */
struct mapper_req {
	struct msg m; /* strings and raw are gone */
	struct arec arecs[MAPPER_RECORDS];
};

struct mapper {
	struct event_base *base;
	char dir[64], path[80];
	int fd;
	struct event *accept;
	struct conn *conn; /* NULL: the feed is not connected */
	struct conn_stats stats;
	struct mapper_req reqs[16]; /* not yet taken by mapper_expect() */
	size_t n;
	bool full; /* those that come now are not kept */
};

static void
mapper_on_msg(struct conn *c, const struct msg *m, void *arg)
{
	struct mapper *mp = arg;
	struct mapper_req *r;
	size_t i;

	if (!m) {
		conn_free(c);
		mp->conn = NULL;
		return;
	}
	if (mp->full)
		return;
	ck_assert_uint_lt(mp->n, ARRAY_LEN(mp->reqs));
	r = &mp->reqs[mp->n++];
	*r = (struct mapper_req){.m = *m};
	for (i = 0; i < m->n && i < MAPPER_RECORDS; i++)
		r->arecs[i] = msg_arec(m, i);
}

static void
mapper_on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct mapper *mp = arg;
	const struct conn_config cfg = {
		.fmt = {4, 4, MSG_DIALECT_UNKNOWN},
		.queue_max = 1 << 20,
		.handler = mapper_on_msg,
		.arg = mp,
		.stats = &mp->stats,
		.name = "client",
	};
	int client = accept(fd, NULL, NULL);

	(void)what;
	ck_assert_int_ge(client, 0);
	/* The feed makes one connection after the other. */
	conn_free(mp->conn);
	mp->conn = conn_new(mp->base, client, &cfg);
	ck_assert_ptr_nonnull(mp->conn);
	mp->n = 0;
}

static inline void
mapper_listen(struct mapper *mp)
{
	ck_assert_int_eq(conn_listen(mp->path, 0600, &mp->fd), 0);
	mp->accept = event_new(
		mp->base, mp->fd, EV_READ | EV_PERSIST, mapper_on_accept, mp);
	ck_assert_int_eq(event_add(mp->accept, NULL), 0);
}

/* Ends the connection; the socket goes on listening. */
static void
mapper_hang_up(struct mapper *mp)
{
	conn_free(mp->conn);
	mp->conn = NULL;
	mp->n = 0;
}

/* As if the process ended. */
static void
mapper_end(struct mapper *mp)
{
	mapper_hang_up(mp);
	if (!mp->accept)
		return;
	event_free(mp->accept);
	close(mp->fd);
	(void)unlink(mp->path);
	mp->accept = NULL;
}

static void
mapper_init(struct mapper *mp)
{
	*mp = (struct mapper){.dir = "/tmp/ipref-feed.XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(mp->dir));
	snprintf(mp->path, sizeof(mp->path), "%s/mapper.sock", mp->dir);
	mp->base = event_base_new();
	ck_assert_ptr_nonnull(mp->base);
}

static void
mapper_fini(struct mapper *mp)
{
	char lock[sizeof(mp->path) + sizeof(".lock")];

	mapper_end(mp);
	event_base_free(mp->base);
	/* conn_listen() leaves its lock behind. */
	snprintf(lock, sizeof(lock), "%s.lock", mp->path);
	(void)unlink(lock);
	ck_assert_int_eq(rmdir(mp->dir), 0);
}

/* Runs the loop until the condition holds; it has to within the bound. */
#define RUN_UNTIL(mp, cond)                                                    \
	do {                                                                   \
		uint64_t end_ = now_ms() + MAPPER_WAIT_MS;                     \
                                                                               \
		while (!(cond)) {                                              \
			ck_assert_msg(                                         \
				now_ms() < end_, "waited in vain for " #cond); \
			mapper_turn(mp);                                       \
		}                                                              \
	} while (0)

static void
mapper_stop_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* One turn of the loop, 10 ms at most. */
static void
mapper_turn(struct mapper *mp)
{
	struct timeval tv = {.tv_usec = 10000};

	ck_assert_int_eq(event_base_once(mp->base, -1, EV_TIMEOUT,
				 mapper_stop_turn, NULL, &tv),
		0);
	ck_assert_int_ge(event_base_loop(mp->base, EVLOOP_ONCE), 0);
}

static bool
mapper_has(const struct mapper *mp, uint8_t cmd)
{
	size_t i;

	for (i = 0; i < mp->n; i++)
		if (mp->reqs[i].m.cmd == cmd)
			return true;
	return false;
}

/* The next request of this command, others before it stay. */
static struct mapper_req
mapper_expect(struct mapper *mp, uint8_t cmd)
{
	struct mapper_req r;
	size_t i = 0;

	RUN_UNTIL(mp, mapper_has(mp, cmd));
	while (mp->reqs[i].m.cmd != cmd)
		i++;
	r = mp->reqs[i];
	memmove(&mp->reqs[i], &mp->reqs[i + 1],
		(--mp->n - i) * sizeof(mp->reqs[0]));
	ck_assert_int_eq(r.m.mode, MSG_REQ);
	return r;
}

static void
mapper_send(struct mapper *mp, const struct msg *m)
{
	ck_assert_ptr_nonnull(mp->conn);
	ck_assert_int_eq(conn_send(mp->conn, m), 0);
}

static void
mapper_answer(struct mapper *mp, const struct mapper_req *r, bool yes)
{
	const struct msg m = {.mode = yes ? MSG_ACK : MSG_NACK,
		.cmd = r->m.cmd,
		.id = r->m.id};

	mapper_send(mp, &m);
}

#endif
