/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS over TCP, the client's side.
 *
 * Invariants: callbacks come from the loop only (they are set behind the one
 * call that may fail at once); after `message` said false or `end` was called
 * the stream may be gone, so each path returns at once then. They are not
 * deferred: a deferred one holds a reference that leaks when the loop ends
 * first.
 */
#include "libipref/dns/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "libipref/dns/message.h"

#define FRAME_MAX (2 + DNS_MESSAGE_MAX)

struct stream {
	struct stream_config cfg;
	struct bufferevent *bev; /* owned */
	struct event *deadline;	 /* owned */
};

static struct timeval
timeval_of(uint64_t ms)
{
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};
}

/* Length of the message at the front when all of it is there, else -1. */
static ssize_t
front_length(struct evbuffer *in)
{
	uint8_t prefix[2] = {0};
	struct rbuf r;
	size_t len;

	if (evbuffer_copyout(in, prefix, sizeof(prefix)) < 2)
		return -1;
	rbuf_init(&r, prefix, sizeof(prefix));
	len = rbuf_be16(&r);
	return evbuffer_get_length(in) < 2 + len ? -1 : (ssize_t)len;
}

static void
stream_end(struct stream *s, int err)
{
	bufferevent_disable(s->bev, EV_READ | EV_WRITE);
	event_del(s->deadline);
	s->cfg.end(err, s->cfg.arg);
}

static void
read_messages(struct stream *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	const uint8_t *frame;
	ssize_t len;

	while ((len = front_length(in)) >= 0) {
		frame = evbuffer_pullup(in, 2 + len);
		if (!frame) {
			stream_end(s, ENOMEM);
			return;
		}
		if (!s->cfg.message(frame + 2, (size_t)len, s->cfg.arg))
			return;
		evbuffer_drain(in, 2 + (size_t)len);
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_messages(arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	int err = EVUTIL_SOCKET_ERROR();

	(void)bev;
	if (what & BEV_EVENT_TIMEOUT)
		stream_end(arg, ETIMEDOUT);
	else if (what & BEV_EVENT_EOF)
		stream_end(arg, ECONNRESET);
	else if (what & BEV_EVENT_ERROR)
		stream_end(arg, err ? err : EIO);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stream_end(arg, ETIMEDOUT);
}

static int
start(struct stream *s, struct event_base *base)
{
	const struct timeval idle = timeval_of(s->cfg.idle_ms);
	const struct timeval total = timeval_of(s->cfg.total_ms);
	struct sockaddr_storage ss;
	socklen_t len;

	s->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	s->deadline = evtimer_new(base, on_deadline, s);
	if (!s->bev || !s->deadline)
		return -ENOMEM;
	bufferevent_setwatermark(s->bev, EV_READ, 0, 2 * FRAME_MAX);
	addr_to_sockaddr(&s->cfg.server.addr,
		s->cfg.server.port ? s->cfg.server.port : DNS_PORT, &ss, &len);
	if (!len)
		return -EINVAL;
	if (bufferevent_set_timeouts(s->bev, &idle, &idle) ||
		bufferevent_enable(s->bev, EV_READ | EV_WRITE) ||
		evtimer_add(s->deadline, &total))
		return -ENOMEM;
	errno = 0;
	if (bufferevent_socket_connect(
		    s->bev, (struct sockaddr *)&ss, (int)len))
		return errno ? -errno : -EIO;
	bufferevent_setcb(s->bev, on_read, NULL, on_event, s);
	return 0;
}

struct stream *
stream_new(struct event_base *base, const struct stream_config *cfg)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return NULL;
	s->cfg = *cfg;
	err = start(s, base);
	if (err) {
		stream_free(s);
		errno = -err;
		return NULL;
	}
	return s;
}

void
stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->deadline)
		event_free(s->deadline);
	if (s->bev)
		bufferevent_free(s->bev);
	free(s);
}

int
stream_send(struct stream *s, const void *msg, size_t len)
{
	uint8_t prefix[2];
	struct wbuf w;

	wbuf_init(&w, prefix, sizeof(prefix));
	wbuf_be16(&w, len);
	if (!wbuf_ok(&w))
		return -EMSGSIZE;
	/* One write, so that prefix and message leave in one segment. */
	if (evbuffer_expand(bufferevent_get_output(s->bev), 2 + len) ||
		bufferevent_write(s->bev, prefix, sizeof(prefix)) ||
		bufferevent_write(s->bev, msg, len))
		return -ENOMEM;
	return 0;
}
