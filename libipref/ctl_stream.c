/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of the control socket: pages in portions.
 *
 * A stream is asked for its next portion from a timer of its own, and only when
 * the last one has left ("flowing" is over) and it has more to say ("wanted").
 * So nothing nests, and between two portions everybody else has a turn.
 *
 *	wanted	flowing
 *	yes	no	the timer is set: on_turn() asks the source
 *	yes	yes	on_drained() sets the timer
 *	no	any	ctl_wake() makes it wanted
 *
 * A stream ends in stream_end(), and only there.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>

#include "libipref/ctl_impl.h"
#include "libipref/log.h"

#define STALL_SECONDS 30 /* a client that takes nothing */

struct ctl_stream {
	struct ctl *ctl;
	struct evhttp_request
		*req; /* evhttp's, until its end or the client's */
	const struct ctl_source *source;
	void *arg;
	struct evbuffer *portion; /* owned; empty between calls */
	struct event *turn;	  /* timer, owned */
	bool wanted, flowing;
	LIST_ENTRY(ctl_stream) link; /* list ctl.streams */
};

static void
set_turn(struct ctl_stream *s)
{
	static const struct timeval at_once;

	if (s->wanted && !s->flowing && event_add(s->turn, &at_once))
		log_err("control: timer can't be set");
}

static void
stream_free(struct ctl_stream *s)
{
	if (s->portion)
		evbuffer_free(s->portion);
	if (s->turn)
		event_free(s->turn);
	free(s);
}

/* Whoever calls has done with the request. */
static void
stream_end(struct ctl_stream *s)
{
	LIST_REMOVE(s, link);
	s->ctl->n_long--;
	s->source->closed(s->arg);
	stream_free(s);
}

/* The client has gone. A request that evhttp took off its connection for that
 * is ours to free, one that is still there goes with it. */
static void
on_gone(struct evhttp_connection *conn, void *arg)
{
	struct ctl_stream *s = arg;

	(void)conn;
	if (!evhttp_request_get_connection(s->req))
		evhttp_request_free(s->req);
	stream_end(s);
}

static void
on_drained(struct evhttp_connection *conn, void *arg)
{
	struct ctl_stream *s = arg;

	(void)conn;
	s->flowing = false;
	set_turn(s);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_stream *s = arg;
	struct evhttp_connection *conn = evhttp_request_get_connection(s->req);
	enum ctl_next next;

	(void)fd;
	(void)what;
	s->wanted = false;
	next = s->source->next(s->portion, s->arg);
	if (evbuffer_get_length(s->portion)) {
		s->flowing = true;
		evhttp_send_reply_chunk_with_cb(
			s->req, s->portion, on_drained, s);
	}
	switch (next) {
	case CTL_MORE:
		s->wanted = true;
		set_turn(s);
		break;
	case CTL_WAIT:
		set_turn(s); /* woken from within */
		break;
	case CTL_END:
		evhttp_connection_set_closecb(conn, NULL, NULL);
		evhttp_send_reply_end(s->req);
		stream_end(s);
		break;
	case CTL_FAIL:
		evhttp_connection_set_closecb(conn, NULL, NULL);
		evhttp_connection_free(conn);
		stream_end(s);
		break;
	}
}

/* Nobody wants what a client says behind its request, but its end has to be
 * seen: so it is read and forgotten. */
static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	(void)arg;
	if (info->n_added)
		(void)evbuffer_drain(input, evbuffer_get_length(input));
}

/* The head of the answer, and the rules for a long connection. */
static void
begin(struct ctl_stream *s, const char *content_type)
{
	const struct timeval stall = {.tv_sec = s->source->stall_s
							? s->source->stall_s
							: STALL_SECONDS};
	struct evhttp_connection *conn = evhttp_request_get_connection(s->req);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(s->req);

	if (evhttp_add_header(headers, "Content-Type", content_type) ||
		evhttp_add_header(headers, "Connection", "close") ||
		!evbuffer_add_cb(bufferevent_get_input(bev), on_input, NULL))
		log_warn("control: out of memory for a stream");
	evhttp_connection_set_closecb(conn, on_gone, s);
	evhttp_send_reply_start(s->req, HTTP_OK, NULL);
	bufferevent_set_timeouts(bev, NULL, &stall);
	s->wanted = true;
	set_turn(s);
}

static struct ctl_stream *
stream_new(struct ctl *c, struct evhttp_request *req,
	const struct ctl_source *source)
{
	struct ctl_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ctl = c;
	s->req = req;
	s->source = source;
	s->portion = evbuffer_new();
	s->turn = evtimer_new(c->base, on_turn, s);
	if (s->portion && s->turn)
		return s;
	stream_free(s);
	return NULL;
}

static void
enlist(struct ctl_stream *s, const char *content_type)
{
	LIST_INSERT_HEAD(&s->ctl->streams, s, link);
	s->ctl->n_long++;
	begin(s, content_type);
}

void
ctl_stream_open(struct ctl *c, struct evhttp_request *req,
	const struct ctl_page_row *row)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	struct ctl_stream *s;
	int status;

	if (c->n_long >= CTL_LONG_MAX) {
		ctl_answer_text(req, HTTP_SERVUNAVAIL,
			"too many clients read long pages");
		return;
	}
	s = stream_new(c, req, row->source);
	if (!s) {
		ctl_answer_text(req, HTTP_INTERNAL, "out of memory");
		return;
	}
	status = row->open(
		s, evhttp_uri_get_query(uri), s->portion, row->arg, &s->arg);
	if (status == HTTP_OK) {
		enlist(s, row->content_type);
		return;
	}
	ctl_answer_buffer(req, status, CTL_TEXT_PLAIN, s->portion);
	stream_free(s);
}

struct ctl_stream *
ctl_stream_start(struct ctl *c, struct evhttp_request *req,
	const char *content_type, const struct ctl_source *source, void *arg)
{
	struct ctl_stream *s = stream_new(c, req, source);

	if (!s) {
		ctl_answer_text(req, HTTP_INTERNAL, "out of memory");
		source->closed(arg);
		return NULL;
	}
	s->arg = arg;
	enlist(s, content_type);
	return s;
}

void
ctl_wake(struct ctl_stream *s)
{
	s->wanted = true;
	set_turn(s);
}

void
ctl_streams_stop(struct ctl *c)
{
	struct evhttp_connection *conn;
	struct ctl_stream *s;

	while ((s = LIST_FIRST(&c->streams))) {
		conn = evhttp_request_get_connection(s->req);
		evhttp_connection_set_closecb(conn, NULL, NULL);
		evhttp_connection_free(conn);
		stream_end(s);
	}
}
