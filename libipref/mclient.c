/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the mapper.
 *
 * A request is on exactly one list, and its state says on which:
 *
 *	WAITING  not on the socket (no connection, or max_sent are)
 *	SENT     on the socket, unanswered
 *	LOST     its connection ended; finish_lost() will call back
 *
 *	WAITING --pump--> SENT --on_message--> called back
 *	   ^                |--lose_connection, RESEND--> WAITING
 *	   |                `--lose_connection----------> LOST --> called back
 *	any of them --on_timeout or mclient_cancel------> called back, or not
 *
 * Invariants: a request is off its list and out of the table before its
 * callback runs, so callbacks may make and cancel requests. The connection is
 * ended from the loop only (conn's handler, on_reset).
 *
 * Answers are known by their ids alone. An id whose request timed out or was
 * cancelled is retired until its answer comes or the connection ends, so that a
 * late answer is never taken for another request's. A mapper that leaves too
 * many unanswered gets a new connection, which retires none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "libipref/log.h"
#include "libipref/mclient.h"
#include "libipref/table.h"

#define IDS	       65536
#define RETIRED_MAX    (IDS / 2)
#define QUEUE_MAX      (4 << 20) /* bytes that a mapper may leave unread */
#define RETRY_FIRST_MS 100	 /* before jitter, which halves at most */
#define RETRY_LAST_MS  1000
/* A connection that lasted so long, or brought a message, was a good one: the
 * next is tried at once again. */
#define GOOD_AFTER_MS 1000

enum state {
	WAITING,
	SENT,
	LOST,
	N_STATES,
};

struct mreq {
	TAILQ_ENTRY(mreq) link; /* in mc->lists[state] */
	struct mclient *mc;
	enum state state;
	uint16_t id; /* key in mc->by_id */
	uint8_t cmd;
	unsigned flags;
	mclient_done done;
	void *arg;
	struct event *timer;
	size_t len;
	uint8_t bytes[]; /* the packet */
};
TAILQ_HEAD(mreqs, mreq);

struct mclient {
	struct event_base *base; /* borrowed */
	struct mclient_config cfg;
	char *path;
	struct conn *conn;	/* NULL: none */
	struct event *ev_retry; /* pending while there is no connection */
	struct event *ev_reset;
	uint64_t retry_ms;
	int last_error; /* of connecting, to log each but once */
	bool good;	/* the connection brought a message */
	struct mreqs lists[N_STATES];
	struct table by_id;
	size_t n_sent;
	uint16_t last_id;
	uint8_t retired[IDS / 8]; /* bit by id */
	size_t n_retired;
	struct mclient_stats stats;
};

static void
list_move(struct mreq *r, enum state to)
{
	struct mclient *mc = r->mc;

	TAILQ_REMOVE(&mc->lists[r->state], r, link);
	mc->n_sent -= r->state == SENT;
	r->state = to;
	mc->n_sent += to == SENT;
	TAILQ_INSERT_TAIL(&mc->lists[to], r, link);
}

static void
req_free(struct mreq *r)
{
	if (r->timer)
		event_free(r->timer);
	free(r);
}

/* Off its list and out of the table; the caller frees it. */
static void
req_unlink(struct mreq *r)
{
	struct mclient *mc = r->mc;

	TAILQ_REMOVE(&mc->lists[r->state], r, link);
	mc->n_sent -= r->state == SENT;
	(void)table_del(&mc->by_id, &r->id);
}

static void
req_finish(struct mreq *r, enum mclient_result res, const struct msg *answer)
{
	mclient_done done = r->done;
	void *arg = r->arg;

	req_unlink(r);
	req_free(r);
	done(res, answer, arg);
}

static bool
id_retired(const struct mclient *mc, uint16_t id)
{
	return mc->retired[id / 8] >> id % 8 & 1;
}

/* An answer to this id, if any comes, is nobody's. */
static void
id_retire(struct mclient *mc, uint16_t id)
{
	mc->retired[id / 8] |= (uint8_t)(1 << id % 8);
	if (++mc->n_retired == RETIRED_MAX)
		mclient_reset(mc, "too many requests without an answer");
}

static void
id_return(struct mclient *mc, uint16_t id)
{
	mc->retired[id / 8] &= (uint8_t) ~(1 << id % 8);
	mc->n_retired--;
}

/* Sends what waits, as far as max_sent lets it. A connection that takes no
 * more is about to end: the rest waits for that. */
static void
pump(struct mclient *mc)
{
	size_t max = mc->cfg.max_sent ? mc->cfg.max_sent : SIZE_MAX;
	struct mreq *r;
	struct msg m;

	while (mc->conn && mc->n_sent < max &&
		(r = TAILQ_FIRST(&mc->lists[WAITING]))) {
		if (msg_decode(&m, &mc->cfg.fmt, r->bytes, r->len) != MSG_OK)
			bug("mapper: a request of ours does not decode");
		if (conn_send(mc->conn, &m) < 0)
			return;
		list_move(r, SENT);
	}
}

static void
retry_later(struct mclient *mc, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	if (event_add(mc->ev_retry, &tv))
		log_err("mapper %s: no memory for a timer", mc->path);
}

/* The next try: half to all of the interval from now, which doubles. */
static void
retry_schedule(struct mclient *mc)
{
	uint64_t half = mc->retry_ms / 2;

	retry_later(mc, half + arc4random_uniform((uint32_t)half + 1));
	mc->retry_ms *= 2;
	if (mc->retry_ms > RETRY_LAST_MS)
		mc->retry_ms = RETRY_LAST_MS;
}

static void
set_connected(struct mclient *mc, bool connected)
{
	mc->stats.connected = connected;
	mc->stats.since_ms = now_ms();
}

static void
finish_lost(struct mclient *mc)
{
	struct mreq *r;

	while ((r = TAILQ_FIRST(&mc->lists[LOST]))) {
		mc->stats.gone++;
		req_finish(r, MCLIENT_GONE, NULL);
	}
}

/* Sorts requests into those that are lost and those that wait for the next
 * connection, in the order in which they were made. */
static void
sort_requests(struct mclient *mc)
{
	struct mreqs waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct mreq *r;

	TAILQ_CONCAT(&waiting, &mc->lists[SENT], link);
	TAILQ_CONCAT(&waiting, &mc->lists[WAITING], link);
	mc->n_sent = 0;
	while ((r = TAILQ_FIRST(&waiting))) {
		TAILQ_REMOVE(&waiting, r, link);
		r->state = r->flags & MCLIENT_RESEND ? WAITING : LOST;
		TAILQ_INSERT_TAIL(&mc->lists[r->state], r, link);
	}
}

static void
lose_connection(struct mclient *mc)
{
	uint64_t lasted = now_ms() - mc->stats.since_ms;

	conn_free(mc->conn);
	mc->conn = NULL;
	set_connected(mc, false);
	memset(mc->retired, 0, sizeof(mc->retired));
	mc->n_retired = 0;
	if (mc->good || lasted >= GOOD_AFTER_MS)
		mc->retry_ms = RETRY_FIRST_MS;
	retry_schedule(mc);
	sort_requests(mc);
	if (mc->cfg.down)
		mc->cfg.down(mc->cfg.arg);
	finish_lost(mc);
}

static void
on_answer(struct mclient *mc, const struct msg *m)
{
	struct mreq *r = table_get(&mc->by_id, &m->id);

	if (!r || r->state != SENT || r->cmd != m->cmd) {
		mc->stats.strays++;
		if (id_retired(mc, m->id))
			id_return(mc, m->id);
		return;
	}
	if (m->mode == MSG_ACK) {
		mc->stats.acks++;
		req_finish(r, MCLIENT_ACK, m);
	} else {
		mc->stats.nacks++;
		req_finish(r, MCLIENT_NACK, m);
	}
	pump(mc);
}

static void
on_message(struct conn *c, const struct msg *m, void *arg)
{
	struct mclient *mc = arg;

	(void)c;
	if (!m) {
		log_warn("mapper %s: connection lost", mc->path);
		lose_connection(mc);
		return;
	}
	mc->good = true;
	if (m->mode == MSG_ACK || m->mode == MSG_NACK)
		on_answer(mc, m);
	else if (mc->cfg.data)
		mc->cfg.data(m, mc->cfg.arg);
}

static int
try_connect(struct mclient *mc)
{
	struct conn_config cfg = {.fmt = mc->cfg.fmt,
		.queue_max = QUEUE_MAX,
		.handler = on_message,
		.arg = mc,
		.stats = &mc->stats.conn,
		.name = "mapper"};
	int fd, rc = conn_connect(mc->path, &fd);

	if (rc < 0)
		return rc;
	mc->conn = conn_new(mc->base, fd, &cfg);
	return mc->conn ? 0 : -errno;
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct mclient *mc = arg;
	int rc = try_connect(mc);

	(void)fd;
	(void)what;
	if (rc < 0) {
		if (rc != mc->last_error)
			log_warn_errno(
				-rc, "mapper %s: can't connect", mc->path);
		mc->last_error = rc;
		retry_schedule(mc);
		return;
	}
	mc->last_error = 0;
	mc->good = false;
	mc->stats.connects++;
	set_connected(mc, true);
	log_info("mapper %s: connected", mc->path);
	if (mc->cfg.up)
		mc->cfg.up(mc->cfg.arg);
	pump(mc);
}

static void
on_reset(evutil_socket_t fd, short what, void *arg)
{
	struct mclient *mc = arg;

	(void)fd;
	(void)what;
	if (mc->conn)
		lose_connection(mc);
}

void
mclient_reset(struct mclient *mc, const char *why)
{
	if (!mc->conn)
		return;
	log_warn("mapper %s: %s: connecting anew", mc->path, why);
	conn_pause(mc->conn, true);
	event_active(mc->ev_reset, EV_TIMEOUT, 0);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct mreq *r = arg;
	struct mclient *mc = r->mc;

	(void)fd;
	(void)what;
	if (r->state == SENT)
		id_retire(mc, r->id);
	mc->stats.timeouts++;
	req_finish(r, MCLIENT_TIMEOUT, NULL);
	pump(mc);
}

void
mclient_cancel(struct mclient *mc, struct mreq *r)
{
	if (r->state == SENT)
		id_retire(mc, r->id);
	req_unlink(r);
	req_free(r);
	pump(mc);
}

/* The next id that is free; 0 if there is none. */
static uint16_t
id_new(struct mclient *mc)
{
	size_t tries;

	for (tries = 0; tries < IDS; tries++) {
		uint16_t id = ++mc->last_id;

		if (id != 0 && !id_retired(mc, id) &&
			!table_get(&mc->by_id, &id))
			return id;
	}
	return 0;
}

/* A request with its packet, on no list; NULL with errno. */
static struct mreq *
req_new(struct mclient *mc, const struct msg *req)
{
	static __thread uint8_t buf[MSG_MAX];
	struct msg m = *req;
	struct mreq *r;
	size_t len;

	m.id = id_new(mc);
	if (m.id == 0) {
		errno = EAGAIN;
		return NULL;
	}
	if (m.mode != MSG_REQ || msg_encode(&m, &mc->cfg.fmt, buf, sizeof(buf),
					 &len) != MSG_OK) {
		errno = EINVAL;
		return NULL;
	}
	r = calloc(1, sizeof(*r) + len);
	if (!r)
		return NULL;
	r->mc = mc;
	r->state = WAITING;
	r->id = m.id;
	r->cmd = m.cmd;
	r->len = len;
	memcpy(r->bytes, buf, len);
	return r;
}

static bool
req_start(struct mreq *r, uint64_t timeout_ms)
{
	struct timeval tv = {.tv_sec = (time_t)(timeout_ms / 1000),
		.tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
	struct mclient *mc = r->mc;

	r->timer = evtimer_new(mc->base, on_timeout, r);
	if (!r->timer || event_add(r->timer, &tv) ||
		table_put(&mc->by_id, r) < 0)
		return false;
	TAILQ_INSERT_TAIL(&mc->lists[WAITING], r, link);
	return true;
}

struct mreq *
mclient_request(struct mclient *mc, const struct msg *req, uint64_t timeout_ms,
	unsigned flags, mclient_done done, void *arg)
{
	struct mreq *r;

	if (!mc->conn && !(flags & MCLIENT_RESEND)) {
		errno = ENOTCONN;
		return NULL;
	}
	if (mc->by_id.n >= mc->by_id.max) {
		errno = EAGAIN;
		return NULL;
	}
	r = req_new(mc, req);
	if (!r)
		return NULL;
	r->flags = flags;
	r->done = done;
	r->arg = arg;
	if (!req_start(r, timeout_ms)) {
		req_free(r);
		errno = ENOMEM;
		return NULL;
	}
	mc->stats.requests++;
	pump(mc);
	return r;
}

int
mclient_send(struct mclient *mc, const struct msg *m)
{
	if (!mc->conn)
		return -ENOTCONN;
	return m->mode == MSG_DATA ? conn_send(mc->conn, m) : -EINVAL;
}

const struct mclient_stats *
mclient_stats(const struct mclient *mc)
{
	return &mc->stats;
}

struct mclient *
mclient_new(struct event_base *base, const struct mclient_config *cfg)
{
	struct mclient *mc = calloc(1, sizeof(*mc));
	size_t i, max = cfg->max_requests;

	if (!mc)
		return NULL;
	mc->base = base;
	mc->cfg = *cfg;
	mc->retry_ms = RETRY_FIRST_MS;
	for (i = 0; i < N_STATES; i++)
		TAILQ_INIT(&mc->lists[i]);
	table_init(&mc->by_id, offsetof(struct mreq, id), sizeof(uint16_t),
		max && max < IDS ? max : IDS - 1);
	set_connected(mc, false);
	mc->path = strdup(cfg->path);
	mc->ev_retry = evtimer_new(base, on_retry, mc);
	mc->ev_reset = event_new(base, -1, 0, on_reset, mc);
	if (!mc->path || !mc->ev_retry || !mc->ev_reset) {
		mclient_free(mc);
		return NULL;
	}
	retry_later(mc, 0);
	return mc;
}

void
mclient_free(struct mclient *mc)
{
	struct mreq *r;
	size_t i;

	if (!mc)
		return;
	for (i = 0; i < N_STATES; i++)
		while ((r = TAILQ_FIRST(&mc->lists[i]))) {
			req_unlink(r);
			req_free(r);
		}
	table_fini(&mc->by_id);
	conn_free(mc->conn);
	if (mc->ev_retry)
		event_free(mc->ev_retry);
	if (mc->ev_reset)
		event_free(mc->ev_reset);
	free(mc->path);
	free(mc);
}
