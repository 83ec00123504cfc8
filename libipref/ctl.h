/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: HTTP on a Unix socket (libevent's evhttp), with the pages
 * /status (JSON) and /metrics (Prometheus text), and what parts add.
 *
 * A part registers a status object (one member of /status), metrics, or a page
 * of its own. JSON is built with jansson. Only GET is answered. The socket has
 * mode 0660; at most 64 connections at once, others wait.
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

/* The client's side, blocking, for iprefctl and tests: GET target (a path with
 * its query, encoded) on the socket at path. 0, *status the HTTP status, *body
 * (malloc'd, NUL-terminated, the caller's, at most 256 MB) and *len; or -errno
 * and NULL (-ETIMEDOUT after timeout_ms, -ECONNRESET for half an answer,
 * -EPROTO for none of HTTP). */
int ctl_get(const char *path, const char *target, uint64_t timeout_ms,
	int *status, char **body, size_t *len) MUSTCHECK;

#endif
