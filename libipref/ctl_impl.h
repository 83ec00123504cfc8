/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the control socket's server share. */
#ifndef LIBIPREF_CTL_IMPL_H
#define LIBIPREF_CTL_IMPL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "libipref/ctl.h"

struct bufferevent;
struct event;
struct evconnlistener;
struct evhttp;
struct evhttp_connection;
struct evhttp_request;

#define CTL_CONNS_MAX 64
/* Streams and commands that wait may be there for hours; the others' places are
 * for questions. */
#define CTL_LONG_MAX   (CTL_CONNS_MAX / 2)
#define CTL_ROWS_MAX   64 /* registered things of one kind: ours, few */
#define CTL_TEXT_PLAIN "text/plain; charset=utf-8"
#define CTL_TEXT_JSON  "application/json"

struct ctl_status_row {
	const char *name;
	ctl_status_fn fn;
	void *arg;
};

struct ctl_metrics_row {
	ctl_metrics_fn fn;
	void *arg;
};

/* One of page, open and command is set. */
struct ctl_page_row {
	const char *path, *content_type;
	ctl_page_fn page;
	ctl_open_fn open;
	const struct ctl_source *source; /* of open */
	ctl_command_fn command;
	void *arg;
};

struct ctl {
	struct event_base *base; /* borrowed */
	struct evhttp *http;
	struct evconnlistener *listener;	  /* evhttp's, which frees it */
	struct bufferevent *conns[CTL_CONNS_MAX]; /* one reference to each */
	size_t n_conns;
	struct event *sweep; /* timer, always pending; owned */
	char *path;	     /* unlinked at the end; NULL: not bound yet */
	dev_t dev;	     /* of the socket, to unlink no other's */
	ino_t ino;	     /* likewise */
	const char *program; /* borrowed */
	uint64_t start_ms;
	struct ctl_status_row status[CTL_ROWS_MAX];
	struct ctl_metrics_row metrics[CTL_ROWS_MAX];
	struct ctl_page_row pages[CTL_ROWS_MAX];
	size_t n_status, n_metrics, n_pages;
	LIST_HEAD(, ctl_stream) streams;
	LIST_HEAD(, ctl_reply) replies; /* that still have their client */
	size_t n_long;			/* of both */
};

/* ctl_pages.c: /status and /metrics, and whatever is asked. */
void ctl_add_own_pages(struct ctl *c);
void ctl_on_request(struct evhttp_request *req, void *ctl);
void ctl_answer_text(struct evhttp_request *req, int status, const char *text);
void ctl_answer_buffer(struct evhttp_request *req, int status,
	const char *content_type, struct evbuffer *body);

/* ctl_stream.c, ctl_reply.c */
void ctl_stream_open(struct ctl *c, struct evhttp_request *req,
	const struct ctl_page_row *row);
struct ctl_stream *ctl_stream_start(struct ctl *c, struct evhttp_request *req,
	const char *content_type, const struct ctl_source *source, void *arg);
void ctl_streams_stop(struct ctl *c);
void ctl_reply_open(struct ctl *c, struct evhttp_request *req,
	const struct ctl_page_row *row);
void ctl_replies_stop(struct ctl *c);

#endif
