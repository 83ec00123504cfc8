/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mapper that follows a script, in the loop of the client that it serves.
 *
 * It listens on a socket in a directory of its own and notes the requests that
 * come; whether it answers them by itself is up to `auto_answer`. mapper_kill()
 * leaves what kill -9 leaves: the name of the socket.
 */
#ifndef TESTS_UNIT_LIBIPREF_MCLIENT_MAPPER_H
#define TESTS_UNIT_LIBIPREF_MCLIENT_MAPPER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/conn.h"
#include "libipref/mclient.h"
#include "tests/unit/loop.h"

#define SEEN_MAX 256

struct mapper {
	struct event_base *base;
	char dir[64], path[96];
	int fd; /* -1: not running */
	struct event *ev_accept;
	struct conn *conn; /* the last that connected, or NULL */
	struct conn_stats stats;
	bool auto_answer, refuse; /* refuse: closes what connects */
	unsigned accepted, requests, data;
	uint16_t ids[SEEN_MAX]; /* of the first requests */
	uint8_t cmds[SEEN_MAX];
	bool used[65536]; /* ids that came since it was last cleared */
};

/* Answers a request: ACK with a record where the command wants one. */
static inline void
mapper_answer(struct mapper *mp, uint16_t id, uint8_t cmd, enum msg_mode mode)
{
	struct arec a = {.ref = ref_from_u64(id)};
	struct msg m = {.mode = mode, .cmd = cmd, .id = id, .n = 1};

	m.arecs = &a;
	ck_assert_ptr_nonnull(mp->conn);
	ck_assert_int_eq(conn_send(mp->conn, &m), 0);
}

static inline void
on_mapper(struct conn *c, const struct msg *m, void *arg)
{
	struct mapper *mp = arg;

	if (!m) {
		conn_free(c);
		if (mp->conn == c)
			mp->conn = NULL;
		return;
	}
	if (m->mode != MSG_REQ) {
		mp->data++;
		return;
	}
	ck_assert_uint_ne(m->id, 0);
	mp->used[m->id] = true;
	if (mp->requests < SEEN_MAX) {
		mp->ids[mp->requests] = m->id;
		mp->cmds[mp->requests] = m->cmd;
	}
	mp->requests++;
	if (mp->auto_answer)
		mapper_answer(mp, m->id, m->cmd, MSG_ACK);
}

static inline void
on_mapper_accept(evutil_socket_t fd, short what, void *arg)
{
	struct mapper *mp = arg;
	struct conn_config cfg = {.fmt = {4, 4, MSG_DIALECT_UNKNOWN},
		.queue_max = 1 << 20,
		.handler = on_mapper,
		.arg = mp,
		.stats = &mp->stats,
		.name = "client"};
	int peer = accept(fd, NULL, NULL);

	(void)what;
	ck_assert_int_ge(peer, 0);
	mp->accepted++;
	if (mp->refuse) {
		close(peer);
		return;
	}
	conn_free(mp->conn);
	mp->conn = conn_new(mp->base, peer, &cfg);
	ck_assert_ptr_nonnull(mp->conn);
}

static inline void
mapper_start(struct mapper *mp)
{
	ck_assert_int_eq(conn_listen(mp->path, 0600, &mp->fd), 0);
	mp->ev_accept = event_new(
		mp->base, mp->fd, EV_READ | EV_PERSIST, on_mapper_accept, mp);
	ck_assert_ptr_nonnull(mp->ev_accept);
	ck_assert_int_eq(event_add(mp->ev_accept, NULL), 0);
}

static inline void
mapper_kill(struct mapper *mp)
{
	if (mp->fd < 0)
		return;
	event_free(mp->ev_accept);
	close(mp->fd);
	mp->fd = -1;
	conn_free(mp->conn);
	mp->conn = NULL;
}

/* A directory and a loop; nothing listens yet. */
static inline void
mapper_init(struct mapper *mp)
{
	memset(mp, 0, sizeof(*mp));
	log_init("test", LOG_LEVEL_ERR, false);
	mp->fd = -1;
	mp->base = event_base_new();
	ck_assert_ptr_nonnull(mp->base);
	strcpy(mp->dir, "/tmp/ipref-mclient-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(mp->dir));
	snprintf(mp->path, sizeof(mp->path), "%s/m.sock", mp->dir);
}

static inline void
mapper_fini(struct mapper *mp)
{
	char lock[128];

	mapper_kill(mp);
	event_base_free(mp->base);
	snprintf(lock, sizeof(lock), "%s.lock", mp->path);
	(void)unlink(mp->path);
	(void)unlink(lock);
	ck_assert_int_eq(rmdir(mp->dir), 0);
}

/* What a client's callbacks saw. */
struct client {
	struct mclient *mc;
	unsigned ups, downs, data;
};

static inline void
on_client_up(void *arg)
{
	((struct client *)arg)->ups++;
}

static inline void
on_client_down(void *arg)
{
	((struct client *)arg)->downs++;
}

static inline void
on_client_data(const struct msg *m, void *arg)
{
	ck_assert_int_eq(m->mode, MSG_DATA);
	((struct client *)arg)->data++;
}

static inline void
client_init(struct client *cl, struct mapper *mp, size_t max_requests,
	size_t max_sent)
{
	struct mclient_config cfg = {.path = mp->path,
		.fmt = {4, 4, MSG_DIALECT_1},
		.max_requests = max_requests,
		.max_sent = max_sent,
		.up = on_client_up,
		.down = on_client_down,
		.data = on_client_data,
		.arg = cl};

	memset(cl, 0, sizeof(*cl));
	cl->mc = mclient_new(mp->base, &cfg);
	ck_assert_ptr_nonnull(cl->mc);
}

/* Both at work and connected. */
static inline void
start_both(struct mapper *mp, struct client *cl, size_t max_requests,
	size_t max_sent)
{
	mapper_init(mp);
	mapper_start(mp);
	client_init(cl, mp, max_requests, max_sent);
	LOOP_UNTIL(mp->base, cl->ups == 1 && mp->conn);
}

static inline void
stop_both(struct mapper *mp, struct client *cl)
{
	mclient_free(cl->mc);
	mapper_fini(mp);
}

/* One request and its outcome. */
struct call {
	struct client *cl;
	struct mreq *r;
	unsigned done; /* calls of the callback */
	enum mclient_result res;
	uint64_t at_ms;	     /* when it came */
	uint64_t ref;	     /* of the answer's record: the id, see above */
	struct call *cancel; /* the callback cancels this one */
	bool again;	     /* the callback makes a new request: */
	struct call *next;
};

static inline bool call_start(struct call *ca, struct client *cl,
	uint64_t timeout_ms, unsigned flags);

static inline void
on_call(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct call *ca = arg;
	bool answered = res == MCLIENT_ACK || res == MCLIENT_NACK;

	ck_assert_int_eq(answer != NULL, answered);
	ca->done++;
	ca->r = NULL;
	ca->res = res;
	ca->at_ms = now_ms();
	if (res == MCLIENT_ACK)
		ca->ref = msg_arec(answer, 0).ref.b[15] +
			  256u * msg_arec(answer, 0).ref.b[14];
	if (ca->cancel && ca->cancel->r) {
		mclient_cancel(ca->cl->mc, ca->cancel->r);
		ca->cancel->r = NULL;
	}
	if (ca->again)
		ck_assert(call_start(ca->next, ca->cl, 5000, MCLIENT_RESEND));
}

/* Asks MC_GET_EA; false when the client refuses, with errno. */
static inline bool
call_start(
	struct call *ca, struct client *cl, uint64_t timeout_ms, unsigned flags)
{
	struct arec a = {.ref = ref_from_u64(1)};
	struct msg m = {
		.mode = MSG_REQ, .cmd = MSG_MC_GET_EA, .n = 1, .arecs = &a};
	unsigned done = ca->done;

	ca->cl = cl;
	ca->r = mclient_request(cl->mc, &m, timeout_ms, flags, on_call, ca);
	ck_assert_uint_eq(ca->done, done); /* never from within the call */
	return ca->r != NULL;
}

#endif
