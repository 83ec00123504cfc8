/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the control socket: who may give them, and answers that come
 * later.
 *
 * A reply belongs to whoever was given it, until it is answered. It is in the
 * ctl's list as long as it has its client. While a command waits its client is
 * not read from: evhttp takes bytes in that state for an error of its caller's.
 * So a client that has gone is noticed when it is answered.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/ctl_impl.h"
#include "libipref/log.h"

#define TEXT_MAX       512
#define HTTP_FORBIDDEN 403

struct ctl_reply {
	struct ctl *ctl;
	struct evhttp_request *req; /* evhttp's; NULL: the client has gone */
	LIST_ENTRY(ctl_reply) link; /* list ctl.replies, while req is there */
};

static struct bufferevent *
bufferevent_of(struct evhttp_request *req)
{
	return evhttp_connection_get_bufferevent(
		evhttp_request_get_connection(req));
}

/* Whether the client is root or our own user; what the kernel says counts. */
static bool
may_command(struct evhttp_request *req)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = bufferevent_getfd(bufferevent_of(req));

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		log_warn_errno(errno, "control: who asks can't be told");
		return false;
	}
	return peer.uid == 0 || peer.uid == geteuid();
}

/* Takes the request off r; NULL when the client has gone. */
static struct evhttp_request *
detach(struct ctl_reply *r)
{
	struct evhttp_request *req = r->req;

	if (!req)
		return NULL;
	evhttp_connection_set_closecb(
		evhttp_request_get_connection(req), NULL, NULL);
	LIST_REMOVE(r, link);
	r->ctl->n_long--;
	r->req = NULL;
	return req;
}

static void
on_gone(struct evhttp_connection *conn, void *arg)
{
	struct ctl_reply *r = arg;

	(void)conn;
	if (!evhttp_request_get_connection(r->req))
		evhttp_request_free(r->req);
	LIST_REMOVE(r, link);
	r->ctl->n_long--;
	r->req = NULL;
}

void
ctl_reply_open(struct ctl *c, struct evhttp_request *req,
	const struct ctl_page_row *row)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	struct ctl_reply *r;

	if (!may_command(req)) {
		ctl_answer_text(req, HTTP_FORBIDDEN,
			"only root and the daemon's own user may do this");
		return;
	}
	if (c->n_long >= CTL_LONG_MAX) {
		ctl_answer_text(req, HTTP_SERVUNAVAIL,
			"too many commands are being carried out");
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		ctl_answer_text(req, HTTP_INTERNAL, "out of memory");
		return;
	}
	r->ctl = c;
	r->req = req;
	LIST_INSERT_HEAD(&c->replies, r, link);
	c->n_long++;
	evhttp_connection_set_closecb(
		evhttp_request_get_connection(req), on_gone, r);
	bufferevent_disable(bufferevent_of(req), EV_READ);
	if (evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Connection", "close"))
		log_warn("control: out of memory for headers");
	row->command(evhttp_uri_get_query(uri), r, row->arg);
}

void
ctl_reply_text(struct ctl_reply *r, int status, const char *fmt, ...)
{
	struct evhttp_request *req = detach(r);
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (req)
		ctl_answer_text(req, status, text);
	free(r);
}

void
ctl_reply_json(struct ctl_reply *r, json_t *obj)
{
	struct evhttp_request *req = detach(r);
	struct evbuffer *body = req ? evbuffer_new() : NULL;

	if (body) {
		ctl_put_json(body, json_incref(obj));
		ctl_answer_buffer(req, HTTP_OK, CTL_TEXT_JSON, body);
		evbuffer_free(body);
	} else if (req) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	}
	json_decref(obj);
	free(r);
}

struct ctl_stream *
ctl_reply_stream(struct ctl_reply *r, const char *content_type,
	const struct ctl_source *source, void *arg)
{
	struct evhttp_request *req = detach(r);
	struct ctl_stream *s = NULL;

	if (req)
		s = ctl_stream_start(r->ctl, req, content_type, source, arg);
	else
		source->closed(arg);
	free(r);
	return s;
}

void
ctl_replies_stop(struct ctl *c)
{
	struct evhttp_request *req;
	struct ctl_reply *r;

	while ((r = LIST_FIRST(&c->replies))) {
		req = detach(r);
		evhttp_connection_free(evhttp_request_get_connection(req));
	}
}
