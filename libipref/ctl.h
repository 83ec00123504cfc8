/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: HTTP on a Unix socket (libevent's evhttp), with the pages
 * /status (JSON) and /metrics (Prometheus text), and what parts add.
 *
 * A part registers a status object (one member of /status), metrics, a page of
 * its own (GET), one that is sent in portions, or a command (POST). JSON is
 * built with jansson. Who can connect may read; commands are for root and the
 * daemon's own user. The socket has mode 0660; at most 64 connections at once,
 * others wait; half of them may be streams and commands that wait.
 */
#ifndef LIBIPREF_CTL_H
#define LIBIPREF_CTL_H

#include <jansson.h>

#include "libipref/base.h"

struct event_base;
struct evbuffer;
struct ctl;

/* Listens at path. 0 or -errno (logged); *out is the caller's. -EADDRINUSE when
 * a server answers there, -EACCES when the socket there is another user's; a
 * stale socket is replaced. */
int ctl_new(struct ctl **out, struct event_base *base, const char *path,
	const char *program) MUSTCHECK;
/* Closes, unlinks the path. NULL is fine. */
void ctl_free(struct ctl *c);

/* A member of the /status object: what fn returns (a new reference) stands
 * under name. */
typedef json_t *(*ctl_status_fn)(void *arg);
void ctl_add_status(
	struct ctl *c, const char *name, ctl_status_fn fn, void *arg);

/* Metrics, by one row each (Prometheus naming; units in the name). */
enum ctl_kind {
	CTL_COUNTER,
	CTL_GAUGE
};
struct ctl_metrics; /* the page being written */
typedef void (*ctl_metrics_fn)(struct ctl_metrics *m, void *arg);
void ctl_add_metrics(struct ctl *c, ctl_metrics_fn fn, void *arg);
/* The HELP and TYPE lines of a metric; its samples follow at once. */
void ctl_metric(struct ctl_metrics *m, const char *name, enum ctl_kind kind,
	const char *help);
/* One sample of the metric named last; labels as `reason="short"`, or NULL. */
void ctl_sample(struct ctl_metrics *m, const char *labels, uint64_t value);

/* A page of its own: path such as "/mappings", query the text behind '?', or
 * NULL. Returns an HTTP status (200) and writes the body; JSON unless
 * ctl_add_page's type says otherwise. */
typedef int (*ctl_page_fn)(const char *query, struct evbuffer *body, void *arg);
void ctl_add_page(struct ctl *c, const char *path, const char *content_type,
	ctl_page_fn fn, void *arg);
/* For a page: appends obj as text and drops the reference. */
void ctl_put_json(struct evbuffer *body, json_t *obj);
/* The value of key in a query string, decoded ("%2B" and "+" for a space), into
 * buf: false when absent, broken or too long. The first of several counts. */
bool ctl_query(const char *query, const char *key, char *buf, size_t size);

/*
 * Pages in portions: as fast as the client reads. Nothing is asked of the
 * source before the last portion has gone to the kernel, so a client costs one
 * portion, however slow it is. One that takes nothing for long (30 s unless the
 * source says more) is cut; waiting without anything to send takes as long as
 * it takes. One that closes its end, or its writing half, has gone.
 */
enum ctl_next {
	CTL_MORE, /* call again, also when nothing was appended */
	CTL_WAIT, /* call again after ctl_wake() */
	CTL_END,  /* that was all */
	CTL_FAIL  /* break off, so that the client sees that it is not whole */
};
struct ctl_source {
	/* Appends the next portion (some 64 KB at most). From the loop, never
	 * from within another call. */
	enum ctl_next (*next)(struct evbuffer *out, void *arg);
	/* Called once, at the end or when the client has gone or the daemon
	 * stops: nothing else is called any more, and the stream is no more. */
	void (*closed)(void *arg);
	unsigned stall_s; /* a client may take nothing so long; 0: 30 */
};
struct ctl_stream;
/* Opens the page for one client: 200 and *arg, what source is called with; or
 * another HTTP status, with a text in `error`. The stream is for ctl_wake(). */
typedef int (*ctl_open_fn)(struct ctl_stream *s, const char *query,
	struct evbuffer *error, void *page_arg, void **arg);
void ctl_add_stream(struct ctl *c, const char *path, const char *content_type,
	ctl_open_fn open, const struct ctl_source *source, void *page_arg);
/* There is more to send. From anywhere in the loop's thread. */
void ctl_wake(struct ctl_stream *s);

/*
 * Commands: POST, refused with 403 for others than root and the daemon's own
 * user. fn answers with one of the ctl_reply calls, from within or later, also
 * when the client or the ctl has gone meanwhile; that frees r.
 */
struct ctl_reply;
typedef void (*ctl_command_fn)(
	const char *query, struct ctl_reply *r, void *arg);
void ctl_add_command(
	struct ctl *c, const char *path, ctl_command_fn fn, void *arg);
void ctl_reply_text(struct ctl_reply *r, int status, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* 200 and obj, whose reference it takes. */
void ctl_reply_json(struct ctl_reply *r, json_t *obj);
/* 200 and what the source gives. NULL: the client has gone, the source was
 * closed. */
struct ctl_stream *ctl_reply_stream(struct ctl_reply *r,
	const char *content_type, const struct ctl_source *source, void *arg);

/* Ends all streams and forgets who waits for answers, before what they show is
 * taken down; nothing is answered any more. Before ctl_free(). */
void ctl_stop(struct ctl *c);

/* The client's side, blocking, for iprefctl and tests: GET target (a path with
 * its query, encoded) on the socket at path. 0, *status the HTTP status, *body
 * (malloc'd, NUL-terminated, the caller's, at most 256 MB) and *len; or -errno
 * and NULL (-ETIMEDOUT after timeout_ms, -ECONNRESET for half an answer,
 * -EPROTO for none of HTTP). */
int ctl_get(const char *path, const char *target, uint64_t timeout_ms,
	int *status, char **body, size_t *len) MUSTCHECK;
/* The same for a command. */
int ctl_post(const char *path, const char *target, uint64_t timeout_ms,
	int *status, char **body, size_t *len) MUSTCHECK;

/* One request, its answer in pieces as they come. */
struct ctl_call {
	const char *path;    /* of the socket */
	const char *method;  /* "GET", "POST" */
	const char *target;  /* path and query, encoded */
	uint64_t timeout_ms; /* until the answer begins */
	uint64_t idle_ms;    /* without a piece; 0: for ever */
	uint64_t max;	     /* bytes of the answer, else -EFBIG; 0: no bound */
};
/* 0 to go on; anything else ends the call with that. */
typedef int (*ctl_piece_fn)(const char *p, size_t len, int status, void *arg);
/* 0 when the answer has come whole, *status its HTTP status; else as ctl_get(),
 * or what fn returned. The number of pieces may be 0. */
int ctl_call(const struct ctl_call *call, int *status, ctl_piece_fn fn,
	void *arg) MUSTCHECK;

#endif
