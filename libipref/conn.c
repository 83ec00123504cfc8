/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SEQPACKET peers of the mapper protocol.
 *
 * Life of a conn, and who moves it:
 *
 *	open --peer closed (read_one)------------------------> ended
 *	open --queue full, socket failed (end_later, on_end)-> ended
 *
 * A peer that has left takes nothing (EPIPE), but what it sent before is read
 *to the end, where it ends by itself.
 *
 * Invariants: the handler hears of the end once, and of nothing after it. From
 * `ended` on no event is pending but ev_end. A conn that is freed by its
 * handler while read_packets() has it lives on, closed, until that returns.
 * ev_write is pending exactly while the queue holds packets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "libipref/conn.h"
#include "libipref/log.h"

/* Packets read or written for one peer before the others have their turn. */
#define BATCH	  64
#define TRACE_MAX 1000 /* bytes of one message in the debug log */

struct packet {
	STAILQ_ENTRY(packet) link;
	size_t len;
	uint8_t bytes[];
};

struct conn {
	int fd; /* -1: freed, and only read_packets() has it still */
	struct msg_format fmt;
	size_t queue_max;
	conn_handler handler;
	void *arg;
	struct conn_stats *stats; /* borrowed, or &own_stats */
	struct conn_stats own_stats;
	char *name;
	uint64_t serial;
	struct ucred cred;
	struct event *ev_read, *ev_write, *ev_end;
	STAILQ_HEAD(, packet) queue;
	size_t queued; /* bytes in it, bookkeeping included */
	bool busy;     /* read_packets() is under way */
	bool paused;
	bool ended; /* the handler knows, or on_end() will tell it */
};

static void
queue_clear(struct conn *c)
{
	struct packet *p;

	while ((p = STAILQ_FIRST(&c->queue))) {
		STAILQ_REMOVE_HEAD(&c->queue, link);
		free(p);
	}
	c->queued = 0;
}

static void
destroy(struct conn *c)
{
	free(c->name);
	free(c);
}

void
conn_free(struct conn *c)
{
	if (!c)
		return;
	if (c->ev_read)
		event_free(c->ev_read);
	if (c->ev_write)
		event_free(c->ev_write);
	if (c->ev_end)
		event_free(c->ev_end);
	queue_clear(c);
	close(c->fd);
	c->fd = -1;
	if (!c->busy)
		destroy(c);
}

/* No more events. */
static void
stop(struct conn *c)
{
	c->ended = true;
	event_del(c->ev_read);
	event_del(c->ev_write);
}

/* To be called from the loop only, as the last thing done with c. */
static void
end_now(struct conn *c)
{
	stop(c);
	c->handler(c, NULL, c->arg);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_now(arg);
}

/* For callers that do not expect to be called back. */
static void
end_later(struct conn *c)
{
	stop(c);
	queue_clear(c);
	event_active(c->ev_end, EV_TIMEOUT, 0);
}

static void
trace(const struct conn *c, const char *way, const struct msg *m)
{
	char text[TRACE_MAX];

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	msg_format_text(m, text, sizeof(text));
	log_debug("%s %" PRIu64 ": %s %s", c->name, c->serial, way, text);
}

static void
handle(struct conn *c, const uint8_t *bytes, size_t len)
{
	enum msg_error e;
	struct msg m;

	e = msg_decode(&m, &c->fmt, bytes, len);
	if (e != MSG_OK) {
		c->stats->refused[e]++;
		log_limited(&c->stats->limit, LOG_LEVEL_WARN,
			"%s %" PRIu64 ": packet of %zu bytes refused (%s %s "
			"%u): %s",
			c->name, c->serial, len, msg_mode_name(m.mode),
			msg_cmd_name(m.cmd), m.id, msg_error_text(e));
		return;
	}
	c->stats->in++;
	c->fmt.dialect = m.fmt.dialect;
	trace(c, "in", &m);
	c->handler(c, &m, c->arg);
}

/* Reads one packet. False when there is none, or nothing is left of c. */
static bool
read_one(struct conn *c)
{
	static __thread uint8_t buf[MSG_MAX];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	n = recvmsg(c->fd, &mh, MSG_DONTWAIT);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		/* The peer closed without reading all that we sent. The kernel
		 * says so once, before it hands out what the peer had sent. */
		if (errno == ECONNRESET)
			return true;
		log_limited(&c->stats->limit, LOG_LEVEL_WARN,
			"%s %" PRIu64 ": can't read: %s", c->name, c->serial,
			strerror(errno));
	}
	if (n <= 0) {
		end_now(c);
		return false;
	}
	if (mh.msg_flags & MSG_TRUNC) {
		c->stats->truncated++;
		log_limited(&c->stats->limit, LOG_LEVEL_WARN,
			"%s %" PRIu64 ": packet of more than %d bytes refused",
			c->name, c->serial, MSG_MAX);
		return true;
	}
	handle(c, buf, (size_t)n);
	return true;
}

static void
read_packets(struct conn *c)
{
	int i;

	c->busy = true;
	for (i = 0; i < BATCH && read_one(c); i++)
		if (c->fd < 0 || c->ended || c->paused)
			break;
	c->busy = false;
	if (c->fd < 0)
		destroy(c);
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_packets(arg);
}

/* One packet to the kernel: 0; -EAGAIN: not now; -ENOTCONN: the peer has left,
 * what it sent before can be read still; else -errno. */
static int
transmit(struct conn *c, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	do
		n = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		c->stats->out++;
		return 0;
	}
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
		return -ENOTCONN;
	return -errno;
}

/* What follows from transmit()'s failure; returns rc. */
static int
transmit_failed(struct conn *c, int rc)
{
	if (rc == -ENOTCONN) {
		queue_clear(c);
		event_del(c->ev_write);
		return rc;
	}
	log_limited(&c->stats->limit, LOG_LEVEL_WARN,
		"%s %" PRIu64 ": can't write: %s", c->name, c->serial,
		strerror(-rc));
	end_later(c);
	return rc;
}

static void
write_packets(struct conn *c)
{
	struct packet *p;
	int i, rc = 0;

	for (i = 0; i < BATCH && (p = STAILQ_FIRST(&c->queue)); i++) {
		rc = transmit(c, p->bytes, p->len);
		if (rc < 0)
			break;
		STAILQ_REMOVE_HEAD(&c->queue, link);
		c->queued -= sizeof(*p) + p->len;
		free(p);
	}
	if (rc < 0 && rc != -EAGAIN)
		(void)transmit_failed(c, rc);
	else if (STAILQ_EMPTY(&c->queue))
		event_del(c->ev_write);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_packets(arg);
}

static int
enqueue(struct conn *c, const uint8_t *bytes, size_t len)
{
	size_t cost = sizeof(struct packet) + len;
	struct packet *p = NULL;

	if (c->queued + cost <= c->queue_max)
		p = malloc(cost);
	if (!p || (STAILQ_EMPTY(&c->queue) && event_add(c->ev_write, NULL))) {
		c->stats->overflows++;
		log_limited(&c->stats->limit, LOG_LEVEL_WARN,
			"%s %" PRIu64
			": does not read, %zu bytes wait: dropped",
			c->name, c->serial, c->queued);
		free(p);
		end_later(c);
		return -ENOBUFS;
	}
	p->len = len;
	memcpy(p->bytes, bytes, len);
	STAILQ_INSERT_TAIL(&c->queue, p, link);
	c->queued += cost;
	return 0;
}

int
conn_send(struct conn *c, const struct msg *m)
{
	static __thread uint8_t buf[MSG_MAX];
	size_t len;
	int rc;

	if (c->ended)
		return -ENOTCONN;
	if (c->fmt.dialect == MSG_DIALECT_UNKNOWN)
		return -EPROTO;
	if (msg_encode(m, &c->fmt, buf, sizeof(buf), &len) != MSG_OK)
		return -EINVAL;
	trace(c, "out", m);
	if (!STAILQ_EMPTY(&c->queue))
		return enqueue(c, buf, len);
	rc = transmit(c, buf, len);
	if (rc == -EAGAIN)
		return enqueue(c, buf, len);
	return rc < 0 ? transmit_failed(c, rc) : 0;
}

static uint64_t
next_serial(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static bool
prepare(struct conn *c, struct event_base *base)
{
	socklen_t len = sizeof(c->cred);

	if (evutil_make_socket_nonblocking(c->fd) < 0)
		return false;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &c->cred, &len) < 0)
		return false;
	c->ev_read = event_new(base, c->fd, EV_READ | EV_PERSIST, on_read, c);
	c->ev_write =
		event_new(base, c->fd, EV_WRITE | EV_PERSIST, on_write, c);
	c->ev_end = event_new(base, -1, 0, on_end, c);
	if (!c->ev_read || !c->ev_write || !c->ev_end || !c->name) {
		errno = ENOMEM;
		return false;
	}
	return event_add(c->ev_read, NULL) == 0;
}

struct conn *
conn_new(struct event_base *base, int fd, const struct conn_config *cfg)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	c->fd = fd;
	c->fmt = cfg->fmt;
	c->queue_max = cfg->queue_max;
	c->handler = cfg->handler;
	c->arg = cfg->arg;
	c->stats = cfg->stats ? cfg->stats : &c->own_stats;
	c->name = strdup(cfg->name);
	c->serial = next_serial();
	STAILQ_INIT(&c->queue);
	if (prepare(c, base))
		return c;
	err = errno;
	conn_free(c);
	errno = err;
	return NULL;
}

const struct msg_format *
conn_format(const struct conn *c)
{
	return &c->fmt;
}

pid_t
conn_pid(const struct conn *c)
{
	return c->cred.pid;
}

uid_t
conn_uid(const struct conn *c)
{
	return c->cred.uid;
}

gid_t
conn_gid(const struct conn *c)
{
	return c->cred.gid;
}

bool
conn_in_group(const struct conn *c, gid_t gid)
{
	socklen_t len = 0;
	gid_t *groups;
	bool found = c->cred.gid == gid;
	size_t i;

	/* Without room the kernel says how much it wants. */
	if (found ||
		getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
		errno != ERANGE)
		return found;
	groups = malloc(len);
	if (groups &&
		getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		for (i = 0; i < len / sizeof(*groups) && !found; i++)
			found = groups[i] == gid;
	free(groups);
	return found;
}

uint64_t
conn_serial(const struct conn *c)
{
	return c->serial;
}

size_t
conn_queued(const struct conn *c)
{
	return c->queued;
}

void
conn_pause(struct conn *c, bool pause)
{
	if (c->ended || c->paused == pause)
		return;
	c->paused = pause;
	if (pause)
		event_del(c->ev_read);
	else if (event_add(c->ev_read, NULL))
		end_later(c);
}
